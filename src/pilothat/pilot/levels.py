"""Control pilot levels and states (IEC 61851-1, annex A).

Voltages are on CP against PE at the connector, as the EVSE measures them.
"""

from __future__ import annotations

from enum import Enum

from pilothat.frozen import dataclass

LOW_PRESENT_V = -10.5  # the low half wave is there: below this
LOW_MISSING_V = -9.0  # diode fault: above this; in between nothing is decided


class PilotLevel(Enum):
    """Level of the high half wave, with its band in volts: (lowest, highest)."""

    A = (11.0, 13.0)  # nothing plugged in
    B = (8.0, 10.0)  # car present
    C = (5.0, 7.0)  # car wants energy
    D = (2.0, 4.0)  # as C, with ventilation
    E = (-1.0, 1.0)  # shorted to PE, or no supply
    F = (-13.0, -11.0)  # we are out of service


_BANDS = tuple((level, *level.value) for level in PilotLevel)


def classify(cp_v: float) -> PilotLevel | None:
    """Return the level whose band holds ``cp_v``; None between two bands."""
    for level, low_v, high_v in _BANDS:
        if low_v <= cp_v <= high_v:
            return level
    return None


class PilotState(Enum):
    """State of the pilot. The digit: 1 steady level, 2 PWM running."""

    A1 = "A1"
    A2 = "A2"
    B1 = "B1"
    B2 = "B2"
    C1 = "C1"
    C2 = "C2"
    D1 = "D1"
    D2 = "D2"
    E = "E"
    F = "F"
    INVALID = "invalid"  # a level between the bands that stays, or a dead ADC

    @property
    def is_plugged(self) -> bool:
        """Whether a car hangs on the cable."""
        return self in _PLUGGED

    @property
    def wants_energy(self) -> bool:
        """Whether the car has closed S2 (level C or D)."""
        return self in _WANTING


_WANTING = (PilotState.C1, PilotState.C2, PilotState.D1, PilotState.D2)
_PLUGGED = (PilotState.B1, PilotState.B2, *_WANTING)


@dataclass(frozen=True, slots=True)
class PilotSample:
    """One measurement of the pilot.

    high_v: level of the high half wave, or the steady level
    low_v:  level of the low half wave; None when there is no PWM to have one
    """

    high_v: float
    low_v: float | None
