"""The one stopping path.

Whatever ends a charge (user, car, fault, unplug, lost link), the station walks one
ordered list of steps, each with a deadline; a reason only chooses the list. A missed
deadline goes on with the next step, after cutting power where the step was about power.
A graver reason takes over from a lesser one at any time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from pilothat.frozen import dataclass
from pilothat.machine import is_due
from pilothat.pilot.duty import FAULT_PCT, STEADY_PCT
from pilothat.plant import Cut, PathPhase, RampDown, Wish
from pilothat.station.phases import (
    RESET_STEPS,
    WAKE_STEPS,
    X1_STEPS,
    Phase,
    PilotSteps,
)
from pilothat.v2g.plant import STOP_WITHIN_S, Ending


class Effect(Enum):
    """What the station does on entering a step."""

    ANNOUNCE = "tell the car in the next response"
    RAMP = "current to zero, then open"
    CUT = "supply off and contactor open at once"
    PILOT_OFF = "no PWM: X1"
    PILOT_FAULT = "state F"
    CLOSE = "close TCP"
    LEAVE = "leave the powerline network"
    NOTHING = "wait"


WISHES: Mapping[Effect, Wish] = {Effect.RAMP: RampDown(), Effect.CUT: Cut()}
DUTIES_PCT = {Effect.PILOT_OFF: STEADY_PCT, Effect.PILOT_FAULT: FAULT_PCT}


@dataclass(frozen=True, slots=True)
class StopView:
    """What the steps look at."""

    has_session: bool
    is_connected: bool
    phase: PathPhase
    is_contactor_closed: bool


@dataclass(frozen=True, slots=True)
class Step:
    """One step: what to do, when it is done, how long it may take (s)."""

    name: str
    effect: Effect
    is_done: Callable[[StopView], bool]
    limit_s: float = 0.0
    missed: Effect = Effect.NOTHING


def _is_open(view: StopView) -> bool:
    return not view.is_contactor_closed and view.phase in (
        PathPhase.OFF,
        PathPhase.WELD_CHECK,
        PathPhase.FAILED,
    )


def _is_off(view: StopView) -> bool:
    return view.phase in (PathPhase.OFF, PathPhase.FAILED)


def _is_ramped(view: StopView) -> bool:
    return view.phase not in (PathPhase.DELIVERING, PathPhase.RAMPING)


def _at_once(_: StopView) -> bool:
    return True


ANNOUNCE = Step(
    "announce",
    Effect.ANNOUNCE,
    lambda v: not v.has_session,
    STOP_WITHIN_S + 2.0,
    Effect.CUT,
)
RAMP = Step("ramp down", Effect.RAMP, _is_ramped, 1.5, Effect.CUT)
CUT = Step("cut", Effect.CUT, _at_once)
OPEN = Step("open", Effect.NOTHING, _is_open, 0.5, Effect.CUT)
WELD_CHECK = Step("welding check", Effect.NOTHING, _is_off, 4.0)
HEAR_OUT = Step("hear the car out", Effect.NOTHING, lambda v: not v.has_session, 10.0)
NOTICE = Step("notice", Effect.NOTHING, lambda v: not v.has_session, 1.0)
# oscillator retain time, V2G-DC-672 and 968
RETAIN = Step("retain PWM", Effect.NOTHING, lambda v: not v.is_connected, 1.5)
PILOT_OFF = Step("pilot off", Effect.PILOT_OFF, _at_once)
PILOT_FAULT = Step("pilot fault", Effect.PILOT_FAULT, _at_once)
HOLD_FAULT = Step("hold fault", Effect.NOTHING, lambda _: False, 1.0)  # F >= 300 ms
CLOSE = Step("close", Effect.CLOSE, _at_once)
# our choice: a new key restarts the modem, and the last answer is still in it
LINGER = Step("linger", Effect.NOTHING, lambda _: False, 0.3)
LEAVE = Step("leave", Effect.LEAVE, _at_once)

_IN_ORDER = (RAMP, OPEN, WELD_CHECK, RETAIN, PILOT_OFF, CLOSE, LEAVE)
_BROKEN = (CUT, OPEN, PILOT_OFF, CLOSE, LINGER, LEAVE, WELD_CHECK)


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps of a reason, and where they lead."""

    steps: Sequence[Step]
    then: Phase
    gravity: int  # a graver reason takes over
    retry: PilotSteps = RESET_STEPS  # where it leads to a retry


class StopReason(Enum):
    """Everything that ends a charge."""

    CAR_DONE = "the car ended the session"
    PAUSED = "the car pauses"
    USER = "stopped by the user"
    SHUTDOWN = "the station is going down"
    CAR_OPENED = "the car opened S2 under power"
    REFUSED = "a request was refused"
    SILENT = "the car fell silent"
    SETUP_TIMEOUT = "no session within the setup time"
    CONNECTION_LOST = "the connection was lost"
    LINK_LOST = "the powerline link was lost"
    NOT_MATCHED = "the car could not be matched"
    AUTHORISED = "authorised: another road is taken"
    FAULT = "a fault came up"
    UNPLUGGED = "the car was unplugged"


BY_ENDING: Mapping[Ending, StopReason] = {
    Ending.STOPPED: StopReason.CAR_DONE,
    Ending.PAUSED: StopReason.PAUSED,
    Ending.FAILED: StopReason.REFUSED,
    Ending.SILENT: StopReason.SILENT,
}
PLANS: Mapping[StopReason, Plan] = {
    StopReason.CAR_DONE: Plan(_IN_ORDER, Phase.FINISHED, 1),
    StopReason.PAUSED: Plan(_IN_ORDER[:-1], Phase.PAUSED, 1),  # the network is kept
    StopReason.USER: Plan((ANNOUNCE, *_IN_ORDER), Phase.FINISHED, 1),
    StopReason.SHUTDOWN: Plan((ANNOUNCE, *_IN_ORDER), Phase.FINISHED, 1),
    StopReason.CAR_OPENED: Plan(
        (CUT, OPEN, HEAR_OUT, WELD_CHECK, RETAIN, PILOT_OFF, CLOSE, LEAVE),
        Phase.FINISHED,
        2,
    ),
    StopReason.REFUSED: Plan(_BROKEN, Phase.RETRY, 2),
    StopReason.SILENT: Plan(_BROKEN, Phase.RETRY, 2),
    StopReason.SETUP_TIMEOUT: Plan(_BROKEN, Phase.RETRY, 2),
    StopReason.CONNECTION_LOST: Plan(_BROKEN, Phase.RETRY, 2),
    StopReason.LINK_LOST: Plan(_BROKEN, Phase.RETRY, 2),
    StopReason.NOT_MATCHED: Plan((PILOT_FAULT, LEAVE), Phase.RETRY, 2, WAKE_STEPS),
    StopReason.AUTHORISED: Plan((PILOT_OFF, CLOSE, LEAVE), Phase.RETRY, 2, X1_STEPS),
    StopReason.FAULT: Plan(
        (
            CUT,
            OPEN,
            PILOT_FAULT,
            NOTICE,
            CLOSE,
            LINGER,
            LEAVE,
            HOLD_FAULT,
            PILOT_OFF,
            WELD_CHECK,
        ),
        Phase.FINISHED,
        3,
    ),
    StopReason.UNPLUGGED: Plan(
        (CUT, CLOSE, PILOT_OFF, LEAVE, OPEN, WELD_CHECK), Phase.IDLE, 4
    ),
}


class Stopper:
    """Walk the steps of one reason."""

    def __init__(self) -> None:
        self.reason: StopReason | None = None
        self.deadline: float | None = None
        self._at = 0

    @property
    def step(self) -> Step | None:
        """The step that is waited for; None when there is nothing to stop."""
        if self.reason is None:
            return None
        steps = PLANS[self.reason].steps
        return steps[self._at] if self._at < len(steps) else None

    def begin(self, reason: StopReason, now: float) -> Sequence[Effect]:
        """Start on a reason, or let it take over from a lesser one."""
        if self.reason and PLANS[reason].gravity <= PLANS[self.reason].gravity:
            return ()
        self.reason, self._at = reason, 0
        return self._enter(now)

    def handle(self, view: StopView, now: float) -> Sequence[Effect]:
        """Go on as far as the steps are done."""
        effects: list[Effect] = []
        step = self.step
        if step is not None and step.is_done(view):
            effects += self._next(now)
        elif step is not None and is_due(self.deadline, now):
            effects += (step.missed, *self._next(now))
        return effects

    def finish(self) -> Phase | None:
        """Return where the walk has led, once; None while it goes on."""
        if self.reason is None or self.step is not None:
            return None
        then, self.reason, self.deadline = PLANS[self.reason].then, None, None
        return then

    def _next(self, now: float) -> Sequence[Effect]:
        self._at += 1
        return self._enter(now)

    def _enter(self, now: float) -> Sequence[Effect]:
        step = self.step
        self.deadline = None if step is None else now + step.limit_s
        return () if step is None else (step.effect,)
