"""The pilot as the EVSE understands it: debounced states and the diode check.

Fed with samples whenever they come (every 5 ms on a board, on every change in a
simulated world) and with the duty that is driven. A new state is reported when it has
lasted for the time its row in ``DEBOUNCE`` asks for; time counts, not samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from pilothat.machine import earliest, is_due
from pilothat.pilot.duty import FAULT_PCT, STEADY_PCT
from pilothat.pilot.levels import (
    LOW_MISSING_V,
    LOW_PRESENT_V,
    PilotLevel,
    PilotSample,
    PilotState,
    classify,
)

GAP_FAULT_S = 0.1  # a level between the bands for longer is a pilot fault
DIODE_FAULT_S = 0.015  # our choice: as fast as C to B


class Kind(Enum):
    """Classes of changes, for the debounce table."""

    UNPLUG = auto()
    PLUG = auto()
    REQUEST = auto()
    RELEASE = auto()
    SHORT = auto()


DEBOUNCE_S = {
    Kind.UNPLUG: 0.025,  # to A
    Kind.PLUG: 0.050,  # from A
    Kind.REQUEST: 0.050,  # B to C or D; below the 200 ms of a BCB pulse
    Kind.RELEASE: 0.015,  # C or D to B: part of the 100 ms to open
    Kind.SHORT: 0.015,  # to E, or away from it
}
_POWER = {PilotLevel.A: 0, PilotLevel.B: 1, PilotLevel.C: 2, PilotLevel.D: 3}


def kind_of(old: PilotLevel | None, new: PilotLevel) -> Kind:
    """Return the class of a change of level."""
    if new not in _POWER or old not in _POWER:
        return Kind.PLUG if old is None and new in _POWER else Kind.SHORT
    if new is PilotLevel.A:
        return Kind.UNPLUG
    if old is PilotLevel.A:
        return Kind.PLUG
    return Kind.REQUEST if _POWER[new] > _POWER[old] else Kind.RELEASE


@dataclass(frozen=True, slots=True)
class PilotChange:
    """The pilot has entered a state, or its diode check has a new result."""

    state: PilotState
    is_diode_bad: bool
    sample: PilotSample
    duty_pct: float


@dataclass(frozen=True, slots=True)
class Driven:
    """The board now drives this duty."""

    duty_pct: float


class Pilot:
    """Debounce the pilot and check the car's diode."""

    def __init__(self) -> None:
        self.state = PilotState.F
        self.is_diode_bad = False
        self.duty_pct = FAULT_PCT
        self._level: PilotLevel | None = None
        self._candidate: PilotLevel | None = None
        self._sample = PilotSample(-12.0, None)
        self._accept_at: float | None = None
        self._gap_until: float | None = None
        self._diode_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return earliest(self._accept_at, self._gap_until, self._diode_at)

    def handle(self, event: PilotSample | Driven, now: float) -> Sequence[PilotChange]:
        """Take a sample, or learn what is driven."""
        if isinstance(event, Driven):
            return self._drive(event.duty_pct)
        self._sample = event
        if self.duty_pct == FAULT_PCT:
            return ()  # the level is our own; the car cannot be seen
        self._judge_level(classify(event.high_v), now)
        self._judge_diode(event.low_v, now)
        return self.tick(now)

    def tick(self, now: float) -> Sequence[PilotChange]:
        """Let time pass."""
        changes: list[PilotChange] = []
        if is_due(self._accept_at, now):
            self._level, self._accept_at = self._candidate, None
            changes += self._report()
        if is_due(self._gap_until, now):
            self._gap_until = None
            if self.state is not PilotState.INVALID:
                self._level, self.state = None, PilotState.INVALID
                changes.append(self._change())
        if is_due(self._diode_at, now):
            self._diode_at = None
            self.is_diode_bad = not self.is_diode_bad
            changes.append(self._change())
        return changes

    def _drive(self, duty_pct: float) -> Sequence[PilotChange]:
        was, self.duty_pct = self.duty_pct, duty_pct
        if duty_pct == FAULT_PCT:
            self._level = self._candidate = None
            self._accept_at = self._gap_until = self._diode_at = None
            self.is_diode_bad = False
        elif was == FAULT_PCT:
            self._level = None  # look again from scratch
            return ()
        return self._report()

    def _judge_level(self, level: PilotLevel | None, now: float) -> None:
        if level is None or level is PilotLevel.F:
            self._accept_at = None
            if self.state is not PilotState.INVALID:
                self._gap_until = earliest(self._gap_until, now + self._gap_s())
            return
        self._gap_until = None
        if level is self._level:
            self._accept_at = None
        elif self._accept_at is None or level is not self._candidate:
            self._candidate = level
            self._accept_at = now + DEBOUNCE_S[kind_of(self._level, level)]

    def _gap_s(self) -> float:
        """Return how long this level may last: one below all bands is no gap."""
        is_between = self._sample.high_v > PilotLevel.E.value[0]
        return GAP_FAULT_S if is_between else DEBOUNCE_S[Kind.SHORT]

    def _judge_diode(self, low_v: float | None, now: float) -> None:
        is_checkable = low_v is not None and self._level is not PilotLevel.A
        if low_v is None or not is_checkable or LOW_PRESENT_V < low_v < LOW_MISSING_V:
            self._diode_at = None
            return
        if (low_v >= LOW_MISSING_V) is self.is_diode_bad:
            self._diode_at = None
        elif self._diode_at is None:
            self._diode_at = now + DIODE_FAULT_S

    def _report(self) -> Sequence[PilotChange]:
        state = self._state_now()
        if state is None or state is self.state:
            return ()
        if state in (PilotState.A1, PilotState.A2):
            self.is_diode_bad, self._diode_at = False, None
        self.state = state
        return (self._change(),)

    def _state_now(self) -> PilotState | None:
        if self.duty_pct == FAULT_PCT:
            return PilotState.F
        if self._level is None:
            return None
        if self._level is PilotLevel.E:
            return PilotState.E
        digit = "1" if self.duty_pct == STEADY_PCT else "2"
        return PilotState[self._level.name + digit]

    def _change(self) -> PilotChange:
        return PilotChange(self.state, self.is_diode_bad, self._sample, self.duty_pct)
