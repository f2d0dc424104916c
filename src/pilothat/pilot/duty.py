"""What a pilot duty cycle means, and which one offers a current (IEC 61851-1, A.2)."""

from __future__ import annotations

from enum import Enum

from pilothat.frozen import dataclass

FAULT_PCT = 0.0  # steady -12 V: state F
DIGITAL_PCT = 5.0  # talk first: high-level communication only
STEADY_PCT = 100.0  # steady +12 V: no PWM, x1


class Offer(Enum):
    """What a duty cycle tells the car."""

    UNAVAILABLE = "state F"
    FORBIDDEN = "not allowed"
    DIGITAL = "digital communication required"
    CURRENT = "current offered"
    NOT_READY = "no PWM"


@dataclass(frozen=True, slots=True)
class DutyRow:
    """One band of allowed duties, both ends included; the first that fits counts.

    current_a = slope * (duty - offset), where the band offers a current
    """

    low_pct: float
    high_pct: float
    offer: Offer
    slope: float = 0.0
    offset_pct: float = 0.0
    fixed_a: float = 0.0


# What lies in no band is forbidden.
ROWS = (
    DutyRow(FAULT_PCT, FAULT_PCT, Offer.UNAVAILABLE),
    DutyRow(3.0, 7.0, Offer.DIGITAL),
    DutyRow(8.0, 10.0, Offer.CURRENT, fixed_a=6.0),
    DutyRow(10.0, 85.0, Offer.CURRENT, slope=0.6),
    DutyRow(85.0, 96.0, Offer.CURRENT, slope=2.5, offset_pct=64.0),
    DutyRow(96.0, 97.0, Offer.CURRENT, fixed_a=80.0),
    DutyRow(STEADY_PCT, STEADY_PCT, Offer.NOT_READY),
)
_FORBIDDEN = DutyRow(FAULT_PCT, STEADY_PCT, Offer.FORBIDDEN)


def row_of(duty_pct: float) -> DutyRow:
    """Return the band of a duty cycle. Raises ValueError outside 0..100 %."""
    if not FAULT_PCT <= duty_pct <= STEADY_PCT:
        raise ValueError(f"duty {duty_pct} % is outside 0..100 %")
    rows = (row for row in ROWS if row.low_pct <= duty_pct <= row.high_pct)
    return next(rows, _FORBIDDEN)


def offer_of(duty_pct: float) -> Offer:
    """Return what a duty cycle tells the car."""
    return row_of(duty_pct).offer


def current_of(duty_pct: float) -> float | None:
    """Return the current (A) a duty cycle offers; None when it offers none."""
    row = row_of(duty_pct)
    if row.offer is not Offer.CURRENT:
        return None
    return row.fixed_a or row.slope * (duty_pct - row.offset_pct)


def duty_for(current_a: float) -> float:
    """Return the duty (%) that offers a current. Raises ValueError outside 6..80 A."""
    if not 6.0 <= current_a <= 80.0:
        raise ValueError(f"{current_a} A cannot be offered; 6..80 A can")
    return current_a / 0.6 if current_a <= 51.0 else current_a / 2.5 + 64.0


def check_drivable(duty_pct: float) -> float:
    """Return the duty if a board may drive it; raises ValueError if it may not."""
    if offer_of(duty_pct) is Offer.FORBIDDEN:
        raise ValueError(f"duty {duty_pct} % is not allowed (IEC 61851-1, A.2)")
    return duty_pct
