"""What is worth keeping of one car's visit: times, energy, messages, how it ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from pilothat.plant import PlantFact

_PRIVATE = frozenset({"evcc_id", "emaid"})  # tell whose car it is
_SHOWN = 6  # digits of a private value that a log may hold: the maker's


def said(values: Iterable[tuple[str, str]]) -> str:
    """Return what a car told as text for a log, private values cut short."""
    return " ".join(
        f"{name}={value[:_SHOWN]}.." if name in _PRIVATE else f"{name}={value}"
        for name, value in values
    )


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

    def is_news(self, name: str) -> bool:
        """Count a message; tell whether it is the first of its name."""
        self.messages[name] += 1
        return self.messages[name] == 1

    def meter(self, plant: PlantFact, now: float) -> None:
        """Add the energy since the last measurement (trapezoid)."""
        if not plant.is_measured:
            return
        power_w = plant.outlet_v * plant.current_a
        if self._last is not None:
            since, last_w = self._last
            self.energy_wh += (power_w + last_w) / 2 * (now - since) / 3600
        self._last = (now, power_w)
