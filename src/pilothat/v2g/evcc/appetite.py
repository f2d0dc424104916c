"""How much current the car asks for in the loop, and whether it believes the answer."""

from __future__ import annotations

from math import inf

from pilothat.v2g.evcc.events import InletFact
from pilothat.v2g.evcc.heard import Limits
from pilothat.v2g.evcc.settings import SessionSettings


class Appetite:
    """Ramp towards what battery, car and station allow."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._limits: Limits | None = None  # of the station, said last
        self._station_a = inf
        self._station_w = inf
        self._aimed_at = 0.0
        self._mismatch_since: float | None = None
        self.target_a = 0.0

    def start(self, at: float) -> None:
        """Let the ramp begin at a time."""
        self._aimed_at = at
        self.target_a = self._settings.goal.start_a

    def limit(self, limits: Limits) -> None:
        """Keep what the station can give now."""
        if limits is self._limits:
            return
        self._limits = limits
        if limits.max_a is not None:
            self._station_a = max(limits.max_a, 0.0)
        if limits.max_w is not None:
            self._station_w = max(limits.max_w, 0.0)

    @property
    def is_starved(self) -> bool:
        """Whether the station gives nothing."""
        return min(self._station_a, self._station_w) <= 0.0

    def aim(self, fact: InletFact, now: float, *, is_hungry: bool) -> None:
        """Move the target one step along its ramp; down when not hungry."""
        goal = self._settings.goal
        wanted_a = 0.0
        if is_hungry:
            wanted_a = min(
                goal.current_at(fact.soc_pct),
                self._settings.vehicle.max_a,
                self._station_a,
                self._station_w / max(fact.battery_v, 1.0),
            )
        gone_s, self._aimed_at = now - self._aimed_at, now
        lowest_a = self.target_a - goal.ramp_down_a_per_s * gone_s
        highest_a = self.target_a + goal.ramp_up_a_per_s * gone_s
        self.target_a = min(max(wanted_a, lowest_a, 0.0), highest_a)

    def is_spoilt(self, reported_a: float, fact: InletFact, now: float) -> bool:
        """Whether the station's current has not been the car's for too long."""
        habits = self._settings.habits
        if abs(reported_a - fact.current_a) <= habits.mismatch_a:
            self._mismatch_since = None
        elif self._mismatch_since is None:
            self._mismatch_since = now
        if habits.mismatch_s is None or self._mismatch_since is None:
            return False
        return now - self._mismatch_since >= habits.mismatch_s
