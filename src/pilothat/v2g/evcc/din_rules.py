"""How a car judges what a DIN station says: states, endings, verdicts. No machine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from pilothat.frozen import dataclass
from pilothat.v2g.evcc.events import InletFact, Outcome
from pilothat.v2g.evcc.settings import DinHabits, DinTimers, DinVehicle, Trust
from pilothat.v2g.messages import din

DEAD_A = 1.0  # below this a contactor may open, IEC 61851-23
CLOSE_WINDOW_V = 20.0  # across the car's contactor when it closes


class State(Enum):
    IDLE = "idle"
    SETUP = "session setup"
    DISCOVERY = "service discovery"
    PAYMENT = "payment selection"
    AUTHORISATION = "authorisation"
    PARAMETERS = "charge parameters"
    CABLE_CHECK = "cable check"
    DOUBT = "doubt about the cable check"
    PRECHARGE = "precharge"
    POWER_ON = "power on"
    CHARGING = "charging"
    RAMP_DOWN = "ramp down"
    POWER_OFF = "power off"
    OPENING = "opening the contactor"
    WELDING = "welding detection"
    GOODBYE = "session stop"
    ENDED = "ended"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a session is being ended.

    error:   what the car tells the station
    is_lost: nothing can be said any more
    ramps:   the current goes down before power off
    welds:   welding detection is of use
    """

    outcome: Outcome
    reason: str
    error: din.DcEvErrorCode = din.DcEvErrorCode.NO_ERROR
    is_lost: bool = False
    ramps: bool = True
    welds: bool = True


_S = State
EARLY = (_S.SETUP, _S.DISCOVERY, _S.PAYMENT, _S.AUTHORISATION, _S.PARAMETERS)
STOPPABLE = (
    *EARLY,
    _S.CABLE_CHECK,
    _S.DOUBT,
    _S.PRECHARGE,
    _S.POWER_ON,
    _S.CHARGING,
)
LOOPS = (_S.CHARGING, _S.RAMP_DOWN)

_Status = din.DcEvseStatusCode
_STOP_CODES: Mapping[din.DcEvseStatusCode, Outcome] = {
    _Status.EVSE_Shutdown: Outcome.STOPPED,
    _Status.EVSE_UtilityInterruptEvent: Outcome.STOPPED,
    _Status.EVSE_EmergencyShutdown: Outcome.ABORTED,
    _Status.EVSE_Malfunction: Outcome.ABORTED,
}
_ISOLATED = (din.IsolationLevel.Valid, din.IsolationLevel.Warning)


def has_begun(state: State) -> bool:
    """Whether the station has answered the session set-up."""
    return state not in (State.IDLE, State.SETUP)


def way_out(state: State, ending: Ending, habits: DinHabits) -> State:
    """Return where the road to the end begins, from a stoppable state."""
    if state is State.CHARGING and ending.ramps:
        return State.RAMP_DOWN
    if state in (State.CHARGING, State.POWER_ON, State.DOUBT):
        return State.POWER_OFF
    if state is State.PRECHARGE and habits.leaves_precharge_by_power_off:
        return State.POWER_OFF
    return State.GOODBYE


def lost(ending: Ending | None, state: State, reason: str) -> Ending:
    """Return the ending when nothing can be said any more.

    Once the power was off in order, the session keeps the ending it has.
    """
    if ending is not None and state in (State.WELDING, State.GOODBYE):
        return replace(ending, is_lost=True)
    return Ending(Outcome.ABORTED, reason, is_lost=True)


def limit_s(state: State, timers: DinTimers) -> float | None:
    """Return how long a state may last; None where the message timer is enough."""
    return {
        State.AUTHORISATION: timers.ongoing_s,
        State.PARAMETERS: timers.ongoing_s,
        State.CABLE_CHECK: timers.cable_check_s,
        State.PRECHARGE: timers.precharge_s,
        State.RAMP_DOWN: timers.ramp_down_s,
    }.get(state)


def is_ready(state: State, error: din.DcEvErrorCode, vehicle: DinVehicle) -> bool:
    """Whether the car reports EVReady: from cable check to power off."""
    if error is not din.DcEvErrorCode.NO_ERROR or state is State.WELDING:
        return False
    return vehicle.is_always_ready or state not in EARLY


def status_of(body: din.Response) -> din.DcEvseStatus | None:
    """Return the station's status, where the response has one."""
    match body:
        case din.PowerDeliveryRes(evse_status=din.DcEvseStatus() as status):
            return status
        case din.ChargeParameterDiscoveryRes(
            evse_charge_parameter=din.DcEvseChargeParameter(dc_evse_status=status)
        ):
            return status
        case (
            din.CableCheckRes(dc_evse_status=status)
            | din.PreChargeRes(dc_evse_status=status)
            | din.CurrentDemandRes(dc_evse_status=status)
            | din.WeldingDetectionRes(dc_evse_status=status)
        ):
            return status
    return None


def verdict(status: din.DcEvseStatus, state: State, habits: DinHabits) -> Ending | None:
    """Tell whether the station's status means to stop, and how."""
    code, isolation = status.evse_status_code, status.evse_isolation_status
    if code in _STOP_CODES:
        return _by_station(_STOP_CODES[code], code.literal, habits)
    if state not in EARLY and isolation is din.IsolationLevel.Fault:
        return _by_station(Outcome.ABORTED, "isolation fault", habits)
    is_unready = code is _Status.EVSE_NotReady and habits.obeys_not_ready
    if state is State.CHARGING and is_unready:
        return _by_station(Outcome.ABORTED, code.literal, habits)
    is_stop = status.evse_notification is din.EvseNotification.StopCharging
    if is_stop and habits.obeys_stop_notification:
        return _by_station(Outcome.STOPPED, "StopCharging", habits)
    return None


def _by_station(outcome: Outcome, word: str, habits: DinHabits) -> Ending:
    ramps = outcome is Outcome.STOPPED and habits.ramps_on_station_stop
    return Ending(outcome, f"the station said {word}", ramps=ramps)


def is_isolated(res: din.CableCheckRes) -> bool:
    """Whether a finished cable check says what the standard asks of it."""
    status = res.dc_evse_status
    is_ready = status.evse_status_code is _Status.EVSE_Ready
    return is_ready and status.evse_isolation_status in _ISOLATED


def is_precharged(reported_v: float, fact: InletFact, habits: DinHabits) -> bool:
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


def is_ongoing(res: din.Response) -> bool:
    """Whether the station needs more time."""
    match res:
        case (
            din.ContractAuthenticationRes(evse_processing=processing)
            | din.ChargeParameterDiscoveryRes(evse_processing=processing)
            | din.CableCheckRes(evse_processing=processing)
        ):
            return processing is din.EvseProcessing.Ongoing
    return False
