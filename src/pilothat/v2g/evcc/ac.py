"""An AC session on the car's side: the on-board charger takes what it is allowed.

S2 closes soon after power is asked for, and opens as soon as no more is wanted.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf

from pilothat.machine import earliest, is_due
from pilothat.v2g.evcc.events import Action, DrawCurrent, Outcome
from pilothat.v2g.evcc.heard import Heard, Output, Terms
from pilothat.v2g.evcc.session import Dialect, Session, Take
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.evcc.states import Ending, State

_WITH_POWER = (State.POWER_ON, State.CHARGING)


class AcSession(Session):
    """The car's half of an AC session."""

    def __init__(self, settings: SessionSettings, dialect: Dialect) -> None:
        super().__init__(settings, dialect)
        self._station_a = inf
        self._nominal_v = 0.0
        self._agreed_at = 0.0
        self._s2_at: float | None = None  # it is to be closed then
        self._target_a = self._drawn_a = 0.0

    def _table(self) -> dict[State, Take]:
        return super()._table() | {
            State.POWER_ON: self._take_power_on,
            State.CHARGING: self._take_status,
        }

    @property
    def target_a(self) -> float:
        """The current the on-board charger takes, each phase."""
        return self._target_a

    def _aim(self, now: float) -> None:
        if self.state is not State.RECEIPT:  # it changes nothing
            is_on = self.state is State.CHARGING
            self._target_a = self._allowed_a(now) if is_on else 0.0

    def _allowed_a(self, now: float) -> float:
        """Return what car, station and schedule allow; too little is nothing."""
        ac, schedule = self._settings.ac, self._view.schedule
        scheduled_w = schedule.max_w_at(now - self._agreed_at)
        scheduled_a = scheduled_w / max(self._nominal_v * ac.phases, 1.0)
        allowed_a = min(ac.max_a, self._station_a, scheduled_a)
        return allowed_a if allowed_a >= ac.min_a else 0.0

    def _before(self) -> Sequence[Action]:
        is_first = self.state is State.POWER_OFF and self._settings.ac.opens_s2_first
        return (*self._draw(self._target_a), *(self._grip.part() if is_first else ()))

    def _beside(self, now: float) -> Sequence[Action]:
        match self.state:
            case State.POWER_ON:
                self._s2_at = now + self._settings.ac.s2_after_s
            case State.POWER_OFF:
                return self._grip.part()
        return ()

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        is_wanted = self.state in _WITH_POWER
        return earliest(super().deadline, self._s2_at if is_wanted else None)

    def tick(self, now: float) -> Sequence[Action]:
        """Let time pass."""
        return (*self._close_s2(now), *super().tick(now))

    def _close_s2(self, now: float) -> Sequence[Action]:
        is_wanted = self.state in _WITH_POWER
        if not is_wanted or not is_due(self._s2_at, now):
            return ()
        self._s2_at = None
        return self._grip.seize()

    def _draw(self, current_a: float) -> Sequence[Action]:
        if current_a == self._drawn_a:
            return ()
        self._drawn_a = current_a
        return (DrawCurrent(current_a * self._settings.ac.phases),)

    def _agree(self, terms: Terms, now: float) -> Sequence[Action]:
        self._nominal_v = terms.nominal_v or 0.0
        self._agreed_at = now
        self._limit(terms.limits.max_a)
        least_w = self._settings.ac.min_w
        if least_w is not None and self._view.schedule.steps[0].max_w < least_w:
            reason = f"the schedule allows less than {least_w:.0f} W"
            return self._leave(Ending(Outcome.REFUSED, reason), now)
        return self._enter(
            State.POWER_ON, now, self._settings.pace.before_cable_check_s
        )

    def _limit(self, max_a: float | None) -> None:
        if max_a is not None:
            self._station_a = max_a

    def _take_power_on(self, _heard: Heard, now: float) -> Sequence[Action]:
        return self._start(now)

    def _take_status(self, heard: Heard, now: float) -> Sequence[Action]:
        if isinstance(heard.said.detail, Output):
            self._limit(heard.said.detail.limits.max_a)
        ending = self._hunger(now, is_starved=self._allowed_a(now) <= 0.0)
        if ending is not None:
            return self._leave(ending, now)
        return self._turn_around(heard, now)

    def _open(self, now: float) -> Sequence[Action]:
        return (*self._draw(0.0), *super()._open(now))
