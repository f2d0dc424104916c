"""A traction battery: open-circuit voltage over state of charge, and a resistance."""

from __future__ import annotations

from itertools import pairwise

from pilothat.frozen import dataclass

# Share of the way from empty to full voltage, over SoC in percent: the S-shape of a
# lithium cell, our own round numbers.
_CURVE = ((0.0, 0.0), (5.0, 0.27), (20.0, 0.45), (50.0, 0.62), (80.0, 0.84), (100.0, 1))
_PIECES = tuple(pairwise(_CURVE))
_MEAN_SHARE = sum((s1 - s0) * (v0 + v1) / 200 for (s0, v0), (s1, v1) in _PIECES)
_SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True)
class BatterySettings:
    """A battery as its maker would state it.

    empty_v, full_v: open-circuit voltage at 0 and 100 % SoC
    """

    capacity_wh: float = 58_000.0
    soc_pct: float = 20.0
    empty_v: float = 300.0
    full_v: float = 410.0
    r_ohm: float = 0.08


class Battery:
    """Take current; tell voltage, SoC and energy."""

    def __init__(self, settings: BatterySettings) -> None:
        self._settings = settings
        span_v = settings.full_v - settings.empty_v
        mean_v = settings.empty_v + span_v * _MEAN_SHARE
        self._capacity_ah = settings.capacity_wh / mean_v
        self.soc_pct = settings.soc_pct
        self.ocv_v = self.ocv_at(settings.soc_pct)  # open-circuit voltage now
        self.energy_wh = 0.0  # taken at the terminals since the start

    @property
    def r_ohm(self) -> float:
        """Internal resistance."""
        return self._settings.r_ohm

    def ocv_at(self, soc_pct: float) -> float:
        """Return the open-circuit voltage at a state of charge."""
        span_v = self._settings.full_v - self._settings.empty_v
        return self._settings.empty_v + span_v * _share(soc_pct)

    def take(self, current_a: float, dt_s: float) -> None:
        """Let a steady current flow for a while; negative discharges."""
        before_v = self.ocv_v
        delta_pct = current_a * dt_s / _SECONDS_PER_HOUR / self._capacity_ah * 100
        self.soc_pct = min(max(self.soc_pct + delta_pct, 0.0), 100.0)
        self.ocv_v = self.ocv_at(self.soc_pct)
        mean_v = (before_v + self.ocv_v) / 2 + current_a * self.r_ohm
        self.energy_wh += mean_v * current_a * dt_s / _SECONDS_PER_HOUR


def _share(soc_pct: float) -> float:
    """Return the share of the voltage span at a state of charge."""
    for (soc_0, share_0), (soc_1, share_1) in _PIECES:
        if soc_pct <= soc_1:
            part = max(soc_pct - soc_0, 0.0) / (soc_1 - soc_0)
            return share_0 + part * (share_1 - share_0)
    return 1.0
