"""When the supply reports and the car measures: often what moves, seldom what rests."""

from __future__ import annotations

from collections.abc import Callable

from pilothat.frozen import dataclass
from pilothat.pilot.levels import PilotSample
from pilothat.plant import PlantFact
from pilothat.twin.bench import Bench

REPORT_S = 0.1  # the supply measures
UNCHANGED_S = 0.4  # and repeats itself while a session runs
_ROUNDING_S = 1e-6  # of a time that was added up


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who hears of it; ``is_watched`` tells whether old news are wanted too."""

    is_watched: Callable[[], bool]
    plant: Callable[[PlantFact], None]
    inlet: Callable[[tuple[float, float]], None]


class Told:
    """What guard and car were told last of pilot and contactor."""

    def __init__(self) -> None:
        self.sample: PilotSample | None = None
        self.is_closed = False
        self.seen: tuple[float, bool] | None = None  # at the inlet


class Measuring:
    """Read the bench for both sides. ``at`` is the time of the next reading."""

    def __init__(self, bench: Bench, listeners: Listeners) -> None:
        self.at = 0.0
        self._bench = bench
        self._listeners = listeners
        self._plant: tuple[PlantFact | None, float] = (None, 0.0)
        self._inlet: tuple[float, float] | None = None

    def stir(self, now: float) -> None:
        """Something has been changed: it is worth a reading."""
        self.at = min(self.at, now + REPORT_S)

    def turn(self, now: float) -> None:
        """Read, and tell what is new or has not been told for a while."""
        told, since = self._plant
        is_old = now - since >= UNCHANGED_S - _ROUNDING_S
        plant, inlet = self._bench.plant(now), self._bench.inlet(now)
        is_new = plant != told or inlet != self._inlet
        if plant is not None and (
            plant != told or (is_old and self._listeners.is_watched())
        ):
            self._plant = (plant, now)
            self._listeners.plant(plant)
        if inlet != self._inlet or is_old:
            self._inlet = inlet
            self._listeners.inlet(inlet)
        rest_s = REPORT_S if is_new else UNCHANGED_S
        self.at = max(self._plant[1] + rest_s, now + REPORT_S)
