"""Charts of characters: a line of braille dots over time, two by four dots a cell.

A pure function from numbers to text, so that any view can use it.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import floor, log10

from pilothat.frozen import dataclass

DOTS_WIDE, DOTS_HIGH = 2, 4  # of one braille cell
_EMPTY = 0x2800
_BITS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # column, row from the top
_ROUND = (1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Point:
    """One measurement."""

    at_s: float
    value: float


def resample(points: Sequence[Point], columns: int) -> Sequence[float]:
    """Return one value a column, from the first point's time to the last one's.

    A column is the mean of its points; one without any holds the value before it;
    the last column is the newest value, so that a sudden end is seen.
    """
    if not points or columns < 1:
        return ()
    start_s = points[0].at_s
    span_s = points[-1].at_s - start_s
    sums, counts = [0.0] * columns, [0] * columns
    for point in points:
        share = (point.at_s - start_s) / span_s if span_s > 0 else 0.0
        column = min(int(share * columns), columns - 1)
        sums[column] += point.value
        counts[column] += 1
    values: list[float] = []
    for total, count in zip(sums, counts, strict=True):
        values.append(total / count if count else values[-1])
    return [*values[:-1], points[-1].value]


def plot(values: Sequence[float], rows: int, top: float) -> Sequence[str]:
    """Return lines of text, uppermost first, that draw values from 0 to ``top``.

    Two values share a cell; neighbours are joined, what is beyond is cut off.
    """
    highest = rows * DOTS_HIGH - 1
    width = -(-len(values) // DOTS_WIDE)
    cells = [[_EMPTY] * width for _ in range(rows)]
    before: int | None = None
    for x, value in enumerate(values):
        share = min(max(value / top, 0.0), 1.0) if top > 0 else 0.0
        y = round(share * highest)
        last = y if before is None else before
        for dot in range(min(y, last), max(y, last) + 1):
            row, inside = divmod(highest - dot, DOTS_HIGH)
            cells[row][x // DOTS_WIDE] |= _BITS[x % DOTS_WIDE][inside]
        before = y
    return ["".join(map(chr, row)) for row in cells]


def ceiling(value: float) -> float:
    """Return the round number at or above a value that an axis may end with."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** floor(log10(value))
    return next((step * power for step in _ROUND if step * power >= value), value)
