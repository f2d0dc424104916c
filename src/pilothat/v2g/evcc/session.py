"""A session on the car's side: what DC, AC and both standards have in common.

How it works: a table has one row a state: what the car makes of the response. The
words come from a dialect, that of DIN SPEC 70121 or of ISO 15118-2. Around the table
are the few rules that hold in all states: think, send, wait; check session id, response
code and status; stop in order::

    CHARGING -> RAMP_DOWN -> POWER_OFF -> OPENING -> WELDING -> GOODBYE -> ENDED

Who stops earlier enters this road further to the right. When the pilot or the
connection is lost, OPENING comes at once: S2 opens first, so that the station cuts the
power and the car's contactor need not break it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar, Protocol

from pilothat.machine import earliest, is_due
from pilothat.v2g.evcc import rules, states
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
from pilothat.v2g.evcc.heard import Heard, Schedule, Services, Terms
from pilothat.v2g.evcc.requests import View
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.evcc.states import DEAD_A, LISTENING, STOPPABLE, Ending, State
from pilothat.v2g.evcc.turn import Turn

Take = Callable[[Heard, float], Sequence[Action]]


class Dialect(Protocol):
    """The words of one standard."""

    def ask(self, state: State, view: View, session_id: bytes) -> object:
        """Return the request of a state."""

    def hear(self, state: State, message: object) -> Heard | None:
        """Return what a message says; None when it is no answer to this request."""

    def timeout_s(self, state: State) -> float:
        """Return how long the answer may take."""


class Session(ABC):
    """The car's half of a session. One session; a new one needs a new machine."""

    opens_s2_before_goodbye: ClassVar[bool] = False

    def __init__(self, settings: SessionSettings, dialect: Dialect) -> None:
        self._settings = settings
        self._dialect = dialect
        self.state = State.IDLE
        self.session_id = settings.habits.setup_session_id
        self._turn = Turn()
        self._asked: tuple[View | None, State] = (None, State.IDLE)
        self._said = SendRequest(None)  # the last request, from that
        self._answer: tuple[object, State] = (None, State.IDLE)  # the last one
        self._heard: Heard | None = None  # what it says
        self._verdict: Ending | None = None  # what its status means
        self._ready_by: float | None = None
        self._fact = InletFact()
        self._view = View(fact=self._fact)
        self._wish: Ending | None = None
        self._ending: Ending | None = None
        self._grip = Grip()
        self._finished = 0  # authorisations asked for after the last one
        self._charging_since: float | None = None  # since power was first on
        self._starved_since: float | None = None
        self._takes = self._table()

    def _table(self) -> dict[State, Take]:
        """Return what the car makes of the response of each state."""
        return {
            State.SETUP: self._take_setup,
            State.DISCOVERY: self._take_discovery,
            State.PAYMENT: self._take_payment,
            State.AUTHORISATION: self._take_authorisation,
            State.PARAMETERS: self._take_parameters,
            State.RAMP_DOWN: self._take_ramp,
            State.POWER_OFF: self._take_power_off,
            State.GOODBYE: self._take_goodbye,
        }

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        return earliest(self._turn.due_at, self._turn.ends_at, self._ready_by)

    @property
    @abstractmethod
    def target_a(self) -> float:
        """The current the car wants."""

    def handle(self, event: Event, now: float) -> Sequence[Action]:
        """Take one event."""
        if isinstance(event, InletFact):
            self._fact = event
            may_open = event.current_a < DEAD_A and self.state is State.OPENING
            return self._opened(now) if may_open else ()
        if isinstance(event, ResponseIn):
            return self._receive(event.message, now) if self._turn.awaits else ()
        match self.state, event:
            case State.IDLE, Connected():
                return self._begin(now)
            case ((State.IDLE | State.ENDED), _):
                return ()
            case _, (PilotSeen() | Disconnected()):
                return self._check_link(event, now)
            case _, StopWish(reason) if self.state in LISTENING:
                self._wish = Ending(Outcome.STOPPED, reason)
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

    def _begin(self, now: float) -> Sequence[Action]:
        return self._enter(State.SETUP, now, self._settings.pace.change_s)

    def _watch(self, now: float) -> None:
        """Turn the end of a phase into a wish to stop at the next chance."""
        if self._ready_by is None and self._turn.ends_at is None:
            return  # as in the loop, for hours
        if is_due(self._ready_by, now):
            self._ready_by = None
            self._wish = Ending(Outcome.ABORTED, "not ready to charge in time")
        if self._turn.has_ended(now) and self.state in STOPPABLE:
            reason = f"{self.state.value} took too long"
            self._wish = Ending(Outcome.ABORTED, reason)

    def _enter(self, state: State, now: float, think_s: float) -> Sequence[Action]:
        self.state = state
        limit_s = states.limit_s(state, self._settings.timers)
        self._turn.begin(now, think_s, limit_s)
        return ()

    def _change(self, state: State, now: float) -> Sequence[Action]:
        return self._enter(state, now, self._settings.pace.change_s)

    def _again(self, now: float, think_s: float) -> Sequence[Action]:
        self._turn.again(now, think_s, self._settings.pace.grid_s)
        return ()

    def _repeat(self, now: float) -> Sequence[Action]:
        return self._again(now, self._settings.pace.repeat_s)

    # --- sending

    def _send(self, now: float) -> Sequence[Action]:
        state, is_first = self.state, self._turn.count == 0
        self._aim(now)
        self._turn.sent(now, self._dialect.timeout_s(state))
        is_ready = states.is_ready(state, self._view.error, self._settings.vehicle)
        view = self._view = self._view.at(
            self._fact, self.target_a, is_ready=is_ready, is_first=is_first
        )
        if self._asked[0] is not view or self._asked[1] is not state:
            self._asked = (view, state)
            message = self._dialect.ask(state, view, self.session_id)
            if message != self._said.message:  # else nobody need look at it again
                self._said = SendRequest(message)
        return (*self._before(), self._said, *self._beside(now))

    @abstractmethod
    def _aim(self, now: float) -> None:
        """Move the wanted current, where one is asked for."""

    def _before(self) -> Sequence[Action]:
        """Return what the car does just before it sends."""
        return ()

    def _beside(self, _now: float) -> Sequence[Action]:
        """Return what the car does as soon as it has sent."""
        return ()

    # --- receiving

    def _check_link(self, event: Event, now: float) -> Sequence[Action]:
        match event:
            case PilotSeen() if not event.is_digital:
                return self._lose(now, "the pilot was lost")
            case Disconnected():
                return self._lose(now, "the station closed the connection")
        return ()

    def _receive(self, message: object, now: float) -> Sequence[Action]:
        if self._answer[0] is not message or self._answer[1] is not self.state:
            self._answer = (message, self.state)
            self._heard = self._dialect.hear(self.state, message)
            habits = self._settings.habits
            self._verdict = rules.judged(self._heard, self.state, habits)
        heard = self._heard
        if heard is None:
            return self._lose(now, f"a wrong answer to {self.state.value}")
        if self.state is State.SETUP:
            self.session_id = heard.session_id
        if heard.session_id != self.session_id:
            return self._lose(now, "a wrong session id")
        if heard.is_failed:
            return self._refused(heard.code, now)
        self._watch(now)
        return self._follow(heard, now)

    def _follow(self, heard: Heard, now: float) -> Sequence[Action]:
        """Take a good response of the station."""
        ending = self._verdict or self._wish
        if ending and self.state in STOPPABLE:
            return self._leave(ending, now)
        return self._takes[self.state](heard, now)

    def _refused(self, code: str, now: float) -> Sequence[Action]:
        reason = f"{self.state.value}: the station said {code}"
        if self.state is State.GOODBYE:
            if self._ending is not None and self._ending.pauses:
                self._ending = Ending(Outcome.REFUSED, reason)
            return self._finish()
        ending = self._ending or Ending(Outcome.REFUSED, reason)
        is_lost = not self._settings.habits.says_goodbye_after_failed
        self._ending = replace(ending, welds=False, is_lost=is_lost, pauses=False)
        return self._open(now)

    # --- the way in

    def _take_setup(self, _heard: Heard, now: float) -> Sequence[Action]:
        return self._change(State.DISCOVERY, now)

    def _take_discovery(self, heard: Heard, now: float) -> Sequence[Action]:
        services = heard.said.detail
        if isinstance(services, Services):
            self._view = replace(self._view, service_id=services.service_id)
            lack = self._lack(services)
            if lack:
                return self._leave(Ending(Outcome.REFUSED, lack), now)
        return self._change(State.PAYMENT, now)

    def _lack(self, _services: Services) -> str:
        """Return what the car needs and the station does not offer."""
        return ""

    def _take_payment(self, _heard: Heard, now: float) -> Sequence[Action]:
        return self._change(State.AUTHORISATION, now)

    def _take_authorisation(self, heard: Heard, now: float) -> Sequence[Action]:
        pace, habits = self._settings.pace, self._settings.habits
        if heard.said.is_ongoing:
            return self._repeat(now)
        if habits.aborts_after_auth:
            self._ending = Ending(Outcome.ABORTED, "the car changed its mind")
            return self._change(State.POWER_OFF, now)
        if self._finished < habits.extra_authorisations:
            self._finished += 1
            return self._repeat(now)
        return self._enter(State.PARAMETERS, now, pace.before_parameters_s)

    def _take_parameters(self, heard: Heard, now: float) -> Sequence[Action]:
        terms, habits = heard.said.detail, self._settings.habits
        if heard.said.is_ongoing:
            return self._repeat(now)
        if not isinstance(terms, Terms) or not terms.schedules:
            return self._lose(now, "no charge parameters from the station")
        limits = terms.limits
        if habits.refuses_zero_limits and 0.0 in (limits.max_a, limits.max_w):
            reason = "the station can give nothing"
            return self._leave(Ending(Outcome.REFUSED, reason), now)
        schedule = self._choose(terms.schedules)
        self._view = replace(self._view, schedule=schedule)
        return self._agree(terms, now)

    def _choose(self, schedules: Sequence[Schedule]) -> Schedule:
        return schedules[0]

    @abstractmethod
    def _agree(self, terms: Terms, now: float) -> Sequence[Action]:
        """Take the station's limits, and go on towards power."""

    def _start(self, now: float) -> Sequence[Action]:
        """Begin to charge: join the battery, or the on-board charger."""
        if self._charging_since is None:
            self._charging_since = now
        self._ready_by = None
        self._enter(State.CHARGING, now, self._settings.pace.before_loop_s)
        return self._grip.join()

    def _turn_around(self, heard: Heard, now: float) -> Sequence[Action]:
        """Take an answer in the loop that holds nothing against charging."""
        if self._fact.soc_pct >= self._settings.goal.target_soc_pct:
            self._view = replace(self._view, is_complete=True)
            return self._leave(Ending(Outcome.CHARGED, "the goal is reached"), now)
        return self._go_on(heard, now)

    def _go_on(self, _heard: Heard, now: float) -> Sequence[Action]:
        """Stay in the loop."""
        return self._again(now, self._settings.pace.loop_s)

    def _hunger(self, now: float, *, is_starved: bool) -> Ending | None:
        """Lose patience with a station that has given nothing for too long."""
        if not is_starved:
            self._starved_since = None
        elif self._starved_since is None:
            self._starved_since = now
        patience_s = self._settings.habits.nothing_s
        if patience_s is None or self._starved_since is None:
            return None
        is_over = now - self._starved_since >= patience_s
        return Ending(Outcome.REFUSED, "the station gives nothing") if is_over else None

    # --- the way out

    def _leave(self, ending: Ending, now: float) -> Sequence[Action]:
        """Begin to stop in order."""
        self._ending, self._wish, self._ready_by = ending, None, None
        self._view = replace(self._view, error=ending.error, pauses=ending.pauses)
        state = states.way_out(self.state, ending, self._settings.habits)
        self._change(state, now)
        is_last = state is State.GOODBYE and not self._grip.is_joined
        return self._grip.part() if is_last and self.opens_s2_before_goodbye else ()

    def _lose(self, now: float, reason: str) -> Sequence[Action]:
        """Stop without another word."""
        if self._ending is not None and self._ending.is_lost:
            return ()
        self._ending = states.lost(self._ending, self.state, reason)
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
        welds = was_joined and ending.welds and self._settings.habits.welding_max > 0
        self._change(State.WELDING if welds else State.GOODBYE, now)
        return actions

    def _is_down(self) -> bool:
        """Whether the current is gone, or was waited for long enough."""
        is_gone = self.target_a <= 0 and self._fact.current_a < DEAD_A
        return is_gone or self._turn.ends_at is None

    def _take_ramp(self, _heard: Heard, now: float) -> Sequence[Action]:
        if self._is_down():
            return self._change(State.POWER_OFF, now)
        return self._again(now, self._settings.pace.loop_s)

    def _take_power_off(self, _heard: Heard, now: float) -> Sequence[Action]:
        return self._open(now)

    def _take_goodbye(self, _heard: Heard, now: float) -> Sequence[Action]:
        if not self._grip.is_joined:
            return self._finish()
        self._ending = self._ending and replace(self._ending, is_lost=True)
        return self._open(now)  # of a car that said goodbye in the loop

    def _finish(self) -> Sequence[Action]:
        self.state = State.ENDED
        self._turn.stop()
        self._ready_by = None
        ending = self._ending or Ending(Outcome.ABORTED, "ended")
        ended = SessionEnded(ending.outcome, ending.reason)
        return (*self._grip.release(), Disconnect(), ended)
