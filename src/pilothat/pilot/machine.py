"""The pilot as the EVSE understands it: debounced states and the diode check.

Fed with samples whenever they come (every 5 ms on a board, on every change in a
simulated world) and with the duty that is driven. A new state is reported when it has
lasted for the time its row in ``DEBOUNCE_S`` asks for; time counts, not samples. What
falls between two bands says nothing: it neither supports a new state nor forgets it.
But a state that no sample has supported for ``GAP_FAULT_S`` is not believed any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from pilothat.frozen import dataclass
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

GAP_FAULT_S = 0.1  # a state without a sample of its level for longer is a fault
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


class Diode(Enum):
    """What is known of the diode of the car that is plugged in."""

    UNKNOWN = auto()
    GOOD = auto()
    BAD = auto()


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
        self.duty_pct = FAULT_PCT
        self._level: PilotLevel | None = None
        self._candidate: PilotLevel | None = None
        self._candidate_since = 0.0
        self._sample = PilotSample(-12.0, None)
        self._accept_at: float | None = None
        self._lost_at: float | None = None
        self._diode = Diode.UNKNOWN
        self._diode_next = Diode.UNKNOWN
        self._diode_at: float | None = None

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return earliest(self._accept_at, self._lost_at, self._diode_at)

    @property
    def is_diode_bad(self) -> bool:
        """Whether the car's diode is missing or shorted."""
        return self._diode is Diode.BAD

    @property
    def is_diode_proven(self) -> bool:
        """Whether this car has shown that its diode works."""
        return self._diode is Diode.GOOD

    def handle(self, event: PilotSample | Driven, now: float) -> Sequence[PilotChange]:
        """Take a sample, or learn what is driven."""
        if isinstance(event, Driven):
            return self._drive(event.duty_pct)
        self._sample = event
        if self.duty_pct == FAULT_PCT:
            return ()  # the level is our own; the car cannot be seen
        self._judge_level(classify(event.high_v), now)
        self._judge_diode(now)
        return self.tick(now)

    def tick(self, now: float) -> Sequence[PilotChange]:
        """Let time pass."""
        changes: list[PilotChange] = []
        if is_due(self._accept_at, now):
            self._level, self._candidate = self._candidate, None
            self._accept_at = self._lost_at = None
            changes += self._report()
            self._judge_diode(now)
        if is_due(self._lost_at, now):
            self._lost_at = None
            self._level, self.state = None, PilotState.INVALID
            changes.append(self._change())
        if is_due(self._diode_at, now):
            was_bad = self.is_diode_bad
            self._diode, self._diode_at = self._diode_next, None
            if self.is_diode_bad is not was_bad:
                changes.append(self._change())
        return changes

    def _drive(self, duty_pct: float) -> Sequence[PilotChange]:
        was, self.duty_pct = self.duty_pct, duty_pct
        if duty_pct == FAULT_PCT:
            self._level = self._candidate = None
            self._accept_at = self._lost_at = None
            self._forget_diode()
        elif was == FAULT_PCT:
            return ()  # look again from scratch
        return self._report()

    def _judge_level(self, level: PilotLevel | None, now: float) -> None:
        if level is not None and level is self._level:
            self._candidate = self._accept_at = self._lost_at = None
            return
        is_gap = level is None or level is PilotLevel.F
        if self.state is not PilotState.INVALID:
            self._lost_at = earliest(self._lost_at, now + self._trust_s(is_gap=is_gap))
        elif is_gap:
            self._candidate = None
        if level is None or is_gap:
            self._accept_at = None
            return
        if level is not self._candidate:
            self._candidate, self._candidate_since = level, now
        debounce_s = DEBOUNCE_S[kind_of(self._level, level)]
        self._accept_at = self._candidate_since + debounce_s

    def _trust_s(self, *, is_gap: bool) -> float:
        """Return how long the old state is believed: not long outside all bands.

        But F was our own: boards take a while to show what is driven after it.
        """
        if self.state is PilotState.F:
            return GAP_FAULT_S
        lowest_v, highest_v = PilotLevel.E.value[0], PilotLevel.A.value[1]
        is_outside = is_gap and not lowest_v < self._sample.high_v < highest_v
        return DEBOUNCE_S[Kind.SHORT] if is_outside else GAP_FAULT_S

    def _judge_diode(self, now: float) -> None:
        """Look at the low half wave; only a car has a diode to be judged."""
        low_v = self._sample.low_v
        is_checkable = self._level not in (PilotLevel.A, PilotLevel.E)
        if low_v is None or not is_checkable or LOW_PRESENT_V < low_v < LOW_MISSING_V:
            self._diode_at = None
            return
        seen = Diode.GOOD if low_v <= LOW_PRESENT_V else Diode.BAD  # BAD for NaN, too
        if seen is self._diode:
            self._diode_at = None
        elif self._diode_at is None or seen is not self._diode_next:
            self._diode_next, self._diode_at = seen, now + DIODE_FAULT_S

    def _forget_diode(self) -> None:
        self._diode, self._diode_at = Diode.UNKNOWN, None

    def _report(self) -> Sequence[PilotChange]:
        state = self._state_now()
        if state is None or state is self.state:
            return ()
        if state in (PilotState.A1, PilotState.A2, PilotState.E):
            self._forget_diode()
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
