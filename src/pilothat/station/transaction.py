"""What is worth keeping of one car's visit: times, energy, messages, how it ended."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from pilothat.plant import PlantFact


@dataclass(slots=True)
class Transaction:
    """One visit, from plugging in to unplugging."""

    started_at: float
    energy_wh: float = 0.0
    messages: Counter[str] = field(default_factory=Counter)
    learned: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    has_charged: bool = False
    _last: tuple[float, float] | None = None  # time s, power W

    def meter(self, plant: PlantFact, now: float) -> None:
        """Add the energy since the last measurement (trapezoid)."""
        power_w = plant.outlet_v * plant.current_a
        if self._last is not None:
            since, last_w = self._last
            self.energy_wh += (power_w + last_w) / 2 * (now - since) / 3600
        self._last = (now, power_w)
