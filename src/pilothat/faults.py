"""The catalogue of faults: what each means, what happens, what a person does.

A machine returns faults as actions; it raises only for our own bugs. Adding a fault
is adding a row here and the line that raises it.
"""

from __future__ import annotations

from enum import Enum

from pilothat.frozen import dataclass


class Reaction(Enum):
    """What the station does when the fault comes up."""

    CUT = "cut power at once, then try again after a replug"
    LATCH = "cut power at once and stay out of service until cleared"
    WAIT = "offer nothing until it goes away by itself"


@dataclass(frozen=True, slots=True)
class FaultRow:
    """One row of the catalogue."""

    meaning: str
    reaction: Reaction
    remedy: str
    evse_status: str = "EVSE_Malfunction"  # DC_EVSEStatusCode told to the car


class Fault(Enum):
    """Everything that can be wrong with the station, the cable or the car."""

    CP_SHORTED = FaultRow(
        "the control pilot is shorted to PE",
        Reaction.CUT,
        "Check the cable and the plug for water or damage",
    )
    CP_INVALID = FaultRow(
        "the control pilot level fits no state",
        Reaction.CUT,
        "Check the cable, the car, and the ADC wiring",
    )
    CP_DIODE = FaultRow(
        "the car's pilot diode is missing or shorted",
        Reaction.CUT,
        "Do not charge this car or adapter; have it checked",
    )
    VENTILATION = FaultRow(
        "the car asks for ventilation (state D) and there is none",
        Reaction.CUT,
        "Charge this car outdoors, or set pilot.ventilation",
    )
    CONTACTOR_WELDED = FaultRow(
        "the contactor feedback stays closed although it was opened",
        Reaction.LATCH,
        "Switch off the supply and replace the contactor",
    )
    CONTACTOR_STUCK_OPEN = FaultRow(
        "the contactor does not close",
        Reaction.CUT,
        "Check the coil supply and the feedback wiring",
    )
    EMERGENCY_STOP = FaultRow(
        "the emergency stop is pressed",
        Reaction.CUT,
        "Release the emergency stop and plug in again",
        "EVSE_EmergencyShutdown",
    )
    RESIDUAL_CURRENT = FaultRow(
        "the residual current monitor has tripped, or is not connected",
        Reaction.CUT,
        "Check cable and car for an earth fault, and the monitor's wiring",
        "EVSE_EmergencyShutdown",
    )
    TEMPERATURE = FaultRow(
        "plug or cabinet is too hot, or a temperature sensor is broken",
        Reaction.CUT,
        "Let it cool down; check the contacts of the plug and the sensor",
    )
    LEASE_LOST = FaultRow(
        "the main program stalled and the guard took over",
        Reaction.CUT,
        "See the log of the main program",
    )
    BOARD_LOST = FaultRow(
        "the board does not answer, or answers what cannot be true",
        Reaction.CUT,
        "See the log; the guard goes on trying to reach it. `pilothat selftest` tells",
    )
    GUARD_LOST = FaultRow(
        "the guard process does not answer",
        Reaction.CUT,
        "See the log; the service manager restarts it",
    )
    ISOLATION = FaultRow(
        "the insulation to earth is below its limit",
        Reaction.CUT,
        "Check the cable, the plug and the car for an earth fault",
    )
    ISOLATION_TIMEOUT = FaultRow(
        "the isolation monitor gave no fresh answer in time",
        Reaction.CUT,
        "Check the isolation monitor and its connection",
    )
    OUTLET_LIVE = FaultRow(
        "there is voltage on the outlet where none may be",
        Reaction.CUT,
        "Check contactor and supply before anyone touches the plug",
    )
    SUPPLY_STALE = FaultRow(
        "the power supply stopped reporting",
        Reaction.CUT,
        "Check the power supply and its bus",
    )
    SUPPLY_SLOW = FaultRow(
        "the power supply did not reach its set-point in time",
        Reaction.CUT,
        "Check the power supply and its input",
    )
    CAR_SLOW = FaultRow(
        "the car did not go on to charge while it was waited for",
        Reaction.CUT,
        "Plug in again; if it happens again, look at the car's messages in the journal",
    )
    OVERVOLTAGE = FaultRow(
        "the outlet voltage is above the limit of this session",
        Reaction.LATCH,
        "Check the power supply; clear the fault when it is understood",
    )
    OVERCURRENT = FaultRow(
        "the supply gives more than it was told, current or voltage",
        Reaction.CUT,
        "Check the power supply",
    )
    MODEM = FaultRow(
        "the powerline modem does not answer, refuses the key or has a car's role",
        Reaction.WAIT,
        "See what `pilothat modem check` says; it names the command that helps",
    )

    @property
    def row(self) -> FaultRow:
        """The catalogue row."""
        return self.value
