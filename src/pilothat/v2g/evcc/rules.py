"""How a car judges what a station says: verdicts, no machine."""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.v2g.evcc.events import InletFact, Outcome
from pilothat.v2g.evcc.heard import Heard, Isolation, Notice, StationCode, Status
from pilothat.v2g.evcc.settings import Habits, Trust
from pilothat.v2g.evcc.states import EARLY, STOPPABLE, Ending, State

_STOP_CODES: Mapping[StationCode, Outcome] = {
    StationCode.EVSE_Shutdown: Outcome.STOPPED,
    StationCode.EVSE_UtilityInterruptEvent: Outcome.STOPPED,
    StationCode.EVSE_EmergencyShutdown: Outcome.ABORTED,
    StationCode.EVSE_Malfunction: Outcome.ABORTED,
}
_ISOLATED = (Isolation.Valid, Isolation.Warning)


def judged(heard: Heard | None, state: State, habits: Habits) -> Ending | None:
    """Tell whether a response means to stop, where the car still can in order."""
    if heard is None or heard.said.status is None or state not in STOPPABLE:
        return None
    return verdict(heard.said.status, state, habits)


def verdict(status: Status, state: State, habits: Habits) -> Ending | None:
    """Tell whether the station's status means to stop, and how."""
    code = status.code
    if code is not None and code in _STOP_CODES:
        return _by_station(_STOP_CODES[code], code.name, habits)
    if state not in EARLY and status.isolation is Isolation.Fault:
        return _by_station(Outcome.ABORTED, "isolation fault", habits)
    if status.has_rcd_tripped:
        return _by_station(Outcome.ABORTED, "RCD", habits)
    is_unready = code is StationCode.EVSE_NotReady and habits.obeys_not_ready
    if state is State.CHARGING and is_unready:
        return _by_station(Outcome.ABORTED, StationCode.EVSE_NotReady.name, habits)
    if status.notice is Notice.StopCharging and habits.obeys_stop_notification:
        return _by_station(Outcome.STOPPED, "StopCharging", habits)
    return None


def _by_station(outcome: Outcome, word: str, habits: Habits) -> Ending:
    ramps = outcome is Outcome.STOPPED and habits.ramps_on_station_stop
    return Ending(outcome, f"the station said {word}", ramps=ramps)


def is_isolated(status: Status | None) -> bool:
    """Whether a finished cable check says what the standard asks of it."""
    if status is None or status.code is not StationCode.EVSE_Ready:
        return False
    return status.isolation in _ISOLATED


def is_precharged(reported_v: float, fact: InletFact, habits: Habits) -> bool:
    """Whether the inlet has the battery's voltage, as this car judges."""
    is_reported = abs(reported_v - fact.battery_v) <= habits.precharge_window_v
    is_measured = abs(fact.voltage_v - fact.battery_v) <= habits.precharge_window_v
    match habits.precharge_trust:
        case Trust.REPORT:
            return is_reported
        case Trust.INLET:
            return is_measured
        case Trust.BOTH:
            return is_reported and is_measured
