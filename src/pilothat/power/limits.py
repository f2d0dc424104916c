"""From what a car asks to what the supply is told: every limit, once."""

from __future__ import annotations

from math import isfinite

from pilothat.frozen import dataclass
from pilothat.plant import EvLimits, Ratings, Setpoint

PRECHARGE_A = 2.0  # IEC 61851-23, CC.4: precharge current at most 2 A
TEST_A = 2.0
READY_GAP_V = 20.0  # precharge has arrived: this near, or within a tenth
TEST_SHARE = 0.98  # our choice: the test must not trip the over-voltage protection

# (negotiated maximum V, protection trips above V): IEC 61851-23:2023
OVERVOLTAGE_V = ((500.0, 550.0), (750.0, 825.0), (850.0, 935.0), (1000.0, 1100.0))


@dataclass(frozen=True, slots=True)
class Granted:
    """A set-point inside all limits, and which of them cut the wish."""

    setpoint: Setpoint
    is_voltage_limited: bool = False
    is_current_limited: bool = False
    is_power_limited: bool = False


def grant(
    voltage_v: float, current_a: float, ratings: Ratings, ev: EvLimits
) -> Granted:
    """Return the set-point for a wish. Negative and non-finite wishes count as zero."""
    wished_v = max(voltage_v, 0.0) if isfinite(voltage_v) else 0.0
    wished_a = max(current_a, 0.0) if isfinite(current_a) else 0.0
    granted_v = min(wished_v, ratings.max_v, max(ev.max_v, 0.0))
    granted_a = min(wished_a, ratings.max_a, max(ev.max_a, 0.0))
    max_w = min(ratings.max_w, max(ev.max_w, 0.0))
    by_power_a = max_w / granted_v if granted_v > 0 else granted_a
    return Granted(
        Setpoint(granted_v, min(granted_a, by_power_a), is_on=granted_v > 0),
        is_voltage_limited=granted_v < wished_v,
        is_current_limited=granted_a < wished_a,
        is_power_limited=by_power_a < granted_a,
    )


def is_precharged(outlet_v: float, target_v: float) -> bool:
    """Tell whether the outlet is near enough to what the car asked for."""
    return abs(outlet_v - target_v) <= max(READY_GAP_V, 0.1 * target_v)


def test_voltage_v(ratings: Ratings, ev: EvLimits) -> float:
    """Return the voltage of the insulation test (IEC 61851-23:2023 CC.4.1)."""
    if ev.max_v <= 500.0:
        return min(ev.max_v + 50.0, 500.0, ratings.max_v)
    below_trip_v = TEST_SHARE * trip_voltage_v(ratings, ev)
    return min(1.1 * ev.max_v, ratings.max_v, below_trip_v)


def trip_voltage_v(ratings: Ratings, ev: EvLimits) -> float:
    """Return the outlet voltage above which power is cut at once."""
    negotiated_v = min(ratings.max_v, ev.max_v)
    for maximum_v, trip_v in OVERVOLTAGE_V:
        if negotiated_v <= maximum_v:
            return trip_v
    return 1.1 * negotiated_v
