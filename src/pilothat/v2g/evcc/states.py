"""Where a session of the car stands, and how it comes to an end. No machine."""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from pilothat.frozen import dataclass
from pilothat.v2g.evcc.events import Outcome
from pilothat.v2g.evcc.settings import Habits, Timers, Vehicle

DEAD_A = 1.0  # below this a contactor may open, IEC 61851-23
CLOSE_WINDOW_V = 20.0  # across the car's contactor when it closes


class State(Enum):
    __hash__ = object.__hash__  # Enum's is slow, and every loop asks for it

    IDLE = "idle"
    SETUP = "session setup"
    DISCOVERY = "service discovery"
    PAYMENT = "payment selection"
    DETAILS = "payment details"
    AUTHORISATION = "authorisation"
    PARAMETERS = "charge parameters"
    CABLE_CHECK = "cable check"
    DOUBT = "doubt about the cable check"
    PRECHARGE = "precharge"
    POWER_ON = "power on"
    CHARGING = "charging"
    RECEIPT = "metering receipt"
    EASING = "ramp down for new terms"
    RENEGOTIATION = "renegotiation"
    RAMP_DOWN = "ramp down"
    POWER_OFF = "power off"
    OPENING = "opening the contactor"
    WELDING = "welding detection"
    GOODBYE = "session stop"
    ENDED = "ended"


class Complaint(Enum):
    """What the car tells as its error; the names are those on the wire."""

    __hash__ = object.__hash__  # Enum's is slow, and every loop asks for it

    NONE = "NO_ERROR"
    CURRENT = "FAILED_ChargingCurrentdifferential"
    VOLTAGE = "FAILED_ChargingVoltageOutOfRange"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session is being ended.

    error:   what the car tells the station
    is_lost: nothing can be said any more
    ramps:   the current goes down before power off
    welds:   welding detection is of use
    pauses:  it will be resumed (ISO 15118-2)
    """

    outcome: Outcome
    reason: str
    error: Complaint = Complaint.NONE
    is_lost: bool = False
    ramps: bool = True
    welds: bool = True
    pauses: bool = False


_S = State
EARLY = (
    _S.SETUP,
    _S.DISCOVERY,
    _S.PAYMENT,
    _S.DETAILS,
    _S.AUTHORISATION,
    _S.PARAMETERS,
)
LIVE = (_S.CHARGING, _S.EASING)
LOOPS = (*LIVE, _S.RAMP_DOWN)
STOPPABLE = (
    *EARLY,
    _S.CABLE_CHECK,
    _S.DOUBT,
    _S.PRECHARGE,
    _S.POWER_ON,
    *LIVE,
)
LISTENING = (
    *STOPPABLE,
    _S.RENEGOTIATION,
    _S.RECEIPT,
)  # a wish to stop is kept for the next chance
BEFORE_RECEIPT = (*LOOPS, _S.RENEGOTIATION, _S.POWER_OFF)
_BY_POWER_OFF = (*LIVE, _S.POWER_ON, _S.DOUBT)


def has_begun(state: State) -> bool:
    """Whether the station has answered the session set-up."""
    return state not in (State.IDLE, State.SETUP)


def way_out(state: State, ending: Ending, habits: Habits) -> State:
    """Return where the road to the end begins, from a stoppable state."""
    if state in LIVE and habits.stops_from_loop:
        return State.GOODBYE
    if state in LIVE and ending.ramps:
        return State.RAMP_DOWN
    if state in _BY_POWER_OFF:
        return State.POWER_OFF
    if state is State.PRECHARGE and habits.leaves_precharge_by_power_off:
        return State.POWER_OFF
    return State.GOODBYE


def lost(ending: Ending | None, state: State, reason: str) -> Ending:
    """Return the ending when nothing can be said any more.

    Once the power was off in order, the session keeps the ending it has; but a pause
    that the station has not confirmed is none.
    """
    is_off = state in (State.WELDING, State.GOODBYE)
    if ending is not None and is_off and not ending.pauses:
        return replace(ending, is_lost=True)
    return Ending(Outcome.ABORTED, reason, is_lost=True)


def limit_s(state: State, timers: Timers) -> float | None:
    """Return how long a state may last; None where the message timer is enough."""
    return {
        State.AUTHORISATION: timers.ongoing_s,
        State.PARAMETERS: timers.ongoing_s,
        State.CABLE_CHECK: timers.cable_check_s,
        State.PRECHARGE: timers.precharge_s,
        State.EASING: timers.ramp_down_s,
        State.RAMP_DOWN: timers.ramp_down_s,
    }.get(state)


def is_ready(state: State, error: Complaint, vehicle: Vehicle) -> bool:
    """Whether the car reports EVReady: from cable check to power off."""
    if error is not Complaint.NONE or state is State.WELDING:
        return False
    return vehicle.is_always_ready or state not in EARLY
