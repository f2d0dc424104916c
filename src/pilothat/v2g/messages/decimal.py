"""Numbers on the wire: a whole number of 16 bits times a power of ten.

DIN SPEC 70121 and ISO 15118-2 call it a physical value, ISO 15118-20 a rational number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

LOWEST, HIGHEST = -(1 << 15), (1 << 15) - 1


def to_float(number: int, power: int) -> float:
    """Return ``number`` times ten to the ``power``, rounded once."""
    scale = 10 ** abs(power)
    return number / scale if power < 0 else float(number * scale)


def nearest(value: float, powers: Iterable[int]) -> tuple[int, int] | None:
    """Return number and power for a value: the first power with which it fits.

    None if it fits with none of them, or is not finite.
    """
    for power in powers:
        scale = 10 ** abs(power)
        exact = value * scale if power < 0 else value / scale
        if math.isfinite(exact) and LOWEST <= round(exact) <= HIGHEST:
            return round(exact), power
    return None
