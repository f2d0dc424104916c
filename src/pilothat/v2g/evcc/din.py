"""A DIN SPEC 70121 session on the car's side.

How it works: a table has one row a state: the request to send, the response that must
come, and what the car makes of it. Around the table are the few rules that hold in all
states: think, send, wait; check session id, response code and status; stop in order::

    CHARGING -> RAMP_DOWN -> POWER_OFF -> OPENING -> WELDING -> GOODBYE -> ENDED

Who stops earlier enters this road further to the right. When the pilot or the
connection is lost, OPENING comes at once: S2 opens first, so that the station cuts the
power and the car's contactor need not break it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

from pilothat.frozen import dataclass
from pilothat.machine import earliest, is_due
from pilothat.v2g.evcc import din_requests as requests
from pilothat.v2g.evcc import din_rules as rules
from pilothat.v2g.evcc.appetite import Appetite
from pilothat.v2g.evcc.din_rules import (
    CLOSE_WINDOW_V,
    DEAD_A,
    LOOPS,
    STOPPABLE,
    Ending,
    State,
)
from pilothat.v2g.evcc.events import (
    Action,
    Connected,
    Disconnect,
    Disconnected,
    Event,
    InletFact,
    Outcome,
    PilotSeen,
    ResponseIn,
    SendRequest,
    SessionEnded,
    StopWish,
)
from pilothat.v2g.evcc.grip import Grip
from pilothat.v2g.evcc.settings import DinSettings, Trust
from pilothat.v2g.evcc.turn import Turn
from pilothat.v2g.messages import din


@dataclass(frozen=True, slots=True)
class _Step:
    """What a state sends, what must come back, and what follows from it."""

    build: Callable[[DinSettings, requests.View], din.Request]
    response: type[din.Response]
    take: Callable[[DinEvcc, din.Response, float], Sequence[Action]]


_NEXT = {State.SETUP: State.DISCOVERY, State.PAYMENT: State.AUTHORISATION}


class DinEvcc:
    """The car's half of a session. One session; a new one needs a new machine."""

    def __init__(self, settings: DinSettings) -> None:
        self._settings = settings
        self.state = State.IDLE
        self.session_id = settings.habits.setup_session_id
        self._turn = Turn()
        self._ready_by: float | None = None
        self._fact = InletFact()
        self._view = requests.View(fact=self._fact)
        self._appetite = Appetite(settings)
        self._wish: Ending | None = None
        self._ending: Ending | None = None
        self._grip = Grip()

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        return earliest(self._turn.deadline, self._ready_by)

    @property
    def target_a(self) -> float:
        """The current asked for last."""
        return self._appetite.target_a

    def handle(self, event: Event, now: float) -> Sequence[Action]:
        """Take one event."""
        if isinstance(event, InletFact):
            self._fact = event
            may_open = event.current_a < DEAD_A and self.state is State.OPENING
            return self._opened(now) if may_open else ()
        match self.state, event:
            case State.IDLE, Connected():
                self._ready_by = now + self._settings.timers.ready_to_charge_s
                return self._enter(State.SETUP, now, self._settings.pace.change_s)
            case ((State.IDLE | State.ENDED), _):
                return ()
            case _, (PilotSeen() | Disconnected()):
                return self._check_link(event, now)
            case _, StopWish(reason) if self.state in STOPPABLE:
                self._wish = Ending(Outcome.STOPPED, reason)
            case _, ResponseIn(message) if self._turn.awaits:
                return self._receive(message, now)
        return ()

    def tick(self, now: float) -> Sequence[Action]:
        """Let time pass."""
        self._watch(now)
        if not is_due(self._turn.due_at, now):
            return ()
        match self.state:
            case State.OPENING:
                return self._opened(now)
            case State.DOUBT:
                reason = "the cable check ended without a good isolation"
                return self._leave(Ending(Outcome.ABORTED, reason), now)
        if self._turn.awaits:
            return self._lose(now, f"no answer to {self.state.value}")
        if self._wish is not None and self.state in STOPPABLE:
            return self._leave(self._wish, now)
        return self._send(now)

    # --- time

    def _watch(self, now: float) -> None:
        """Turn the end of a phase into a wish to stop at the next chance."""
        if is_due(self._ready_by, now):
            self._ready_by = None
            self._wish = Ending(Outcome.ABORTED, "not ready to charge in time")
        if self._turn.has_ended(now) and self.state in STOPPABLE:
            reason = f"{self.state.value} took too long"
            self._wish = Ending(Outcome.ABORTED, reason)

    def _enter(self, state: State, now: float, think_s: float) -> Sequence[Action]:
        self.state = state
        limit_s = rules.limit_s(state, self._settings.timers)
        self._turn.begin(now, think_s, limit_s)
        return ()

    def _again(self, now: float, think_s: float) -> Sequence[Action]:
        self._turn.again(now, think_s, self._settings.pace.grid_s)
        return ()

    # --- sending

    def _send(self, now: float) -> Sequence[Action]:
        timers = self._settings.timers
        is_loop = self.state in LOOPS
        if is_loop:
            is_hungry = self.state is State.CHARGING
            self._appetite.aim(self._fact, now, is_hungry=is_hungry)
        timeout_s = timers.current_demand_s if is_loop else timers.message_s
        self._turn.sent(now, timeout_s)
        is_ready = rules.is_ready(self.state, self._view.error, self._settings.vehicle)
        self._view = self._view.at(self._fact, self.target_a, is_ready=is_ready)
        body = self._STEPS[self.state].build(self._settings, self._view)
        header = din.MessageHeader(session_id=self.session_id)
        return (SendRequest(din.V2gMessage(header=header, body=body)),)

    # --- receiving

    def _check_link(self, event: Event, now: float) -> Sequence[Action]:
        match event:
            case PilotSeen() if not event.is_digital:
                return self._lose(now, "the pilot was lost")
            case Disconnected():
                return self._lose(now, "the station closed the connection")
        return ()

    def _receive(self, message: object, now: float) -> Sequence[Action]:
        step = self._STEPS[self.state]
        body = message.body if isinstance(message, din.V2gMessage) else None
        if not isinstance(message, din.V2gMessage) or not isinstance(
            body, step.response
        ):
            return self._lose(now, f"a wrong answer to {self.state.value}")
        if self.state is State.SETUP:
            self.session_id = message.header.session_id
        if message.header.session_id != self.session_id:
            return self._lose(now, "a wrong session id")
        if body.response_code >= din.ResponseCode.FAILED:
            return self._refused(body.response_code, now)
        self._watch(now)
        if self.state in STOPPABLE:
            status = rules.status_of(body)
            habits = self._settings.habits
            ending = status and rules.verdict(status, self.state, habits)
            ending = ending or self._wish
            if ending:
                return self._leave(ending, now)
        return step.take(self, body, now)

    def _refused(self, code: din.ResponseCode, now: float) -> Sequence[Action]:
        if self.state is State.GOODBYE:
            return self._finish()
        reason = f"{self.state.value}: the station said {code.literal}"
        ending = self._ending or Ending(Outcome.REFUSED, reason)
        is_lost = not self._settings.habits.says_goodbye_after_failed
        self._ending = replace(ending, welds=False, is_lost=is_lost)
        return self._open(now)

    # --- the way in

    def _take_plain(self, _res: din.Response, now: float) -> Sequence[Action]:
        return self._enter(_NEXT[self.state], now, self._settings.pace.change_s)

    def _take_discovery(self, res: din.Response, now: float) -> Sequence[Action]:
        if isinstance(res, din.ServiceDiscoveryRes):
            service_id = res.charge_service.service_tag.service_id
            self._view = replace(self._view, service_id=service_id)
        return self._enter(State.PAYMENT, now, self._settings.pace.change_s)

    def _take_authorisation(self, res: din.Response, now: float) -> Sequence[Action]:
        pace = self._settings.pace
        if rules.is_ongoing(res):
            return self._again(now, pace.repeat_s)
        if self._settings.habits.aborts_after_auth:
            self._ending = Ending(Outcome.ABORTED, "the car changed its mind")
            return self._enter(State.POWER_OFF, now, pace.change_s)
        return self._enter(State.PARAMETERS, now, pace.before_parameters_s)

    def _take_parameters(self, res: din.Response, now: float) -> Sequence[Action]:
        pace = self._settings.pace
        if rules.is_ongoing(res):
            return self._again(now, pace.repeat_s)
        match res:
            case din.ChargeParameterDiscoveryRes(
                evse_charge_parameter=din.DcEvseChargeParameter() as limits,
                sa_schedules=din.SaScheduleList(sa_schedule_tuple=(first, *_)),
            ):
                self._view = replace(
                    self._view,
                    schedule_id=first.sa_schedule_tuple_id,
                    schedule_w=first.p_max_schedule.p_max_schedule_entry[0].p_max,
                )
                self._appetite.limit(
                    limits.evse_maximum_current_limit, limits.evse_maximum_power_limit
                )
            case _:
                return self._lose(now, "no DC charge parameters from the station")
        self._enter(State.CABLE_CHECK, now, pace.before_cable_check_s)
        return self._grip.seize()

    def _take_cable_check(self, res: din.Response, now: float) -> Sequence[Action]:
        pace, habits = self._settings.pace, self._settings.habits
        if rules.is_ongoing(res) or not isinstance(res, din.CableCheckRes):
            return self._again(now, pace.repeat_s)
        if rules.is_isolated(res) or not habits.needs_valid_cable_check:
            return self._enter(State.PRECHARGE, now, pace.change_s)
        if habits.doubt_s is None:
            return self._again(now, pace.repeat_s)
        return self._enter(State.DOUBT, now, habits.doubt_s)

    def _take_precharge(self, res: din.Response, now: float) -> Sequence[Action]:
        pace, habits = self._settings.pace, self._settings.habits
        if isinstance(res, din.PreChargeRes) and rules.is_precharged(
            res.evse_present_voltage.si, self._fact, habits
        ):
            return self._enter(State.POWER_ON, now, pace.change_s)
        if self._turn.count == habits.precharge_max:
            reason = f"no voltage after {self._turn.count} precharge requests"
            return self._leave(Ending(Outcome.ABORTED, reason), now)
        return self._again(now, pace.repeat_s)

    def _take_power_on(self, _res: din.Response, now: float) -> Sequence[Action]:
        gap_v = abs(self._fact.voltage_v - self._fact.battery_v)
        is_blind = self._settings.habits.precharge_trust is Trust.REPORT
        if gap_v > CLOSE_WINDOW_V and not is_blind:
            reason = f"{gap_v:.0f} V across the open contactor"
            error = din.DcEvErrorCode.FAILED_ChargingVoltageOutOfRange
            return self._leave(Ending(Outcome.ABORTED, reason, error), now)
        self._ready_by = None
        self._enter(State.CHARGING, now, self._settings.pace.before_loop_s)
        self._appetite.start(now + self._settings.pace.before_loop_s)
        return self._grip.join()

    # --- the loop

    def _take_current(self, res: din.Response, now: float) -> Sequence[Action]:
        if isinstance(res, din.CurrentDemandRes):
            self._appetite.limit(
                res.evse_maximum_current_limit, res.evse_maximum_power_limit
            )
            if self._appetite.is_spoilt(res.evse_present_current.si, self._fact, now):
                reason = "the reported current is not the measured one"
                error = din.DcEvErrorCode.FAILED_ChargingCurrentdifferential
                ending = Ending(Outcome.ABORTED, reason, error, welds=False)
                return self._leave(ending, now)
        if self._fact.soc_pct >= self._settings.goal.target_soc_pct:
            self._view = replace(self._view, is_complete=True)
            return self._leave(Ending(Outcome.CHARGED, "the goal is reached"), now)
        return self._again(now, self._settings.pace.loop_s)

    def _take_ramp(self, _res: din.Response, now: float) -> Sequence[Action]:
        pace = self._settings.pace
        is_down = self.target_a <= 0 and self._fact.current_a < DEAD_A
        if is_down or self._turn.ends_at is None:
            return self._enter(State.POWER_OFF, now, pace.change_s)
        return self._again(now, pace.loop_s)

    # --- the way out

    def _leave(self, ending: Ending, now: float) -> Sequence[Action]:
        """Begin to stop in order."""
        self._ending, self._wish, self._ready_by = ending, None, None
        self._view = replace(self._view, error=ending.error)
        state = rules.way_out(self.state, ending, self._settings.habits)
        return self._enter(state, now, self._settings.pace.change_s)

    def _lose(self, now: float, reason: str) -> Sequence[Action]:
        """Stop without another word."""
        if self._ending is not None and self._ending.is_lost:
            return ()
        self._ending = rules.lost(self._ending, self.state, reason)
        return (*self._grip.warn(), *self._open(now))

    def _open(self, now: float) -> Sequence[Action]:
        """Open the contactor as soon as it carries no current."""
        if self._grip.is_joined and self._fact.current_a >= DEAD_A:
            return self._enter(State.OPENING, now, self._settings.timers.open_s)
        return self._opened(now)

    def _opened(self, now: float) -> Sequence[Action]:
        ending, was_joined = self._ending, self._grip.is_joined
        actions = self._grip.part()
        if ending is None or ending.is_lost:
            return (*actions, *self._finish())
        if was_joined and ending.welds and self._settings.habits.welding_max > 0:
            self._enter(State.WELDING, now, self._settings.pace.change_s)
        else:
            self._enter(State.GOODBYE, now, self._settings.pace.change_s)
        return actions

    def _take_power_off(self, _res: din.Response, now: float) -> Sequence[Action]:
        return self._open(now)

    def _take_welding(self, res: din.Response, now: float) -> Sequence[Action]:
        pace, habits = self._settings.pace, self._settings.habits
        is_low = (
            isinstance(res, din.WeldingDetectionRes)
            and res.evse_present_voltage.si < habits.welding_below_v
        )
        is_enough = is_low and self._turn.count >= habits.welding_min
        if is_enough or self._turn.count >= habits.welding_max:
            return self._enter(State.GOODBYE, now, pace.change_s)
        return self._again(now, pace.repeat_s)

    def _take_goodbye(self, _res: din.Response, _now: float) -> Sequence[Action]:
        return self._finish()

    def _finish(self) -> Sequence[Action]:
        self.state = State.ENDED
        self._turn.stop()
        self._ready_by = None
        ending = self._ending or Ending(Outcome.ABORTED, "ended")
        ended = SessionEnded(ending.outcome, ending.reason)
        return (*self._grip.release(), Disconnect(), ended)

    _STEPS: ClassVar[Mapping[State, _Step]] = {
        State.SETUP: _Step(requests.session_setup, din.SessionSetupRes, _take_plain),
        State.DISCOVERY: _Step(
            requests.service_discovery, din.ServiceDiscoveryRes, _take_discovery
        ),
        State.PAYMENT: _Step(
            requests.payment_selection, din.ServicePaymentSelectionRes, _take_plain
        ),
        State.AUTHORISATION: _Step(
            requests.authentication, din.ContractAuthenticationRes, _take_authorisation
        ),
        State.PARAMETERS: _Step(
            requests.charge_parameters,
            din.ChargeParameterDiscoveryRes,
            _take_parameters,
        ),
        State.CABLE_CHECK: _Step(
            requests.cable_check, din.CableCheckRes, _take_cable_check
        ),
        State.PRECHARGE: _Step(requests.precharge, din.PreChargeRes, _take_precharge),
        State.POWER_ON: _Step(requests.power_on, din.PowerDeliveryRes, _take_power_on),
        State.CHARGING: _Step(
            requests.current_demand, din.CurrentDemandRes, _take_current
        ),
        State.RAMP_DOWN: _Step(
            requests.current_demand, din.CurrentDemandRes, _take_ramp
        ),
        State.POWER_OFF: _Step(
            requests.power_off, din.PowerDeliveryRes, _take_power_off
        ),
        State.WELDING: _Step(
            requests.welding_detection, din.WeldingDetectionRes, _take_welding
        ),
        State.GOODBYE: _Step(requests.session_stop, din.SessionStopRes, _take_goodbye),
    }
