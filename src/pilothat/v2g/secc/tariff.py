"""Price levels over the day, as a car is told them with its schedule.

A tariff is bands of the local day, the same every day. A car gets those from now on
until its schedule ends; ISO 15118-2 knows times only relative to the message.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence

from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso2_types import (
    RelativeTimeInterval,
    SalesTariff,
    SalesTariffEntry,
)
from pilothat.v2g.plant import TimeOfDay

DAY_S = 86_400
MOST_ENTRIES = 24  # our choice; the schema allows 1024
TARIFF_ID = 1
SIGNED_ID = "tariff1"
_BAND = re.compile(r"([01]\d|2[0-3]):([0-5]\d)=([1-9]\d?)")


@dataclass(frozen=True, slots=True)
class Band:
    """From this second of the local day on, this price level; 1 is the cheapest."""

    start_s: int
    level: int


Tariff = tuple[Band, ...]
"""Bands in their order; the last one of a day lasts into the next."""


def parse(text: str) -> Tariff:
    """Read bands as ``00:00=1 06:00=3 20:00=2``. Raises ValueError with the word."""
    bands = []
    for word in text.split():
        found = _BAND.fullmatch(word)
        if found is None:
            raise ValueError(word)
        hour, minute, level = map(int, found.groups())
        bands.append(Band(hour * 3600 + minute * 60, level))
    starts = [band.start_s for band in bands]
    if starts != sorted(set(starts)):
        raise ValueError(text)
    return tuple(bands)


def told(
    tariff: Tariff, time: TimeOfDay, lasts_s: int, most: int | None
) -> SalesTariff | None:
    """Return the tariff from now on; None without bands, or if nobody knows the time.

    lasts_s: of the schedule. most: entries the car can take; None: it does not say.
    Where they do not suffice, the last level is told for the rest.
    """
    if not tariff or not time.is_trusted:
        return None
    now_s = int(time.unix_s + time.utc_offset_s) % DAY_S
    starts = [
        (at_s, level)
        for at_s, level in _changes(tariff, now_s, lasts_s)
        if at_s < lasts_s
    ]
    most = max(2, min(most or MOST_ENTRIES, MOST_ENTRIES))
    return SalesTariff(
        id=SIGNED_ID,
        sales_tariff_id=TARIFF_ID,
        num_e_price_levels=max(band.level for band in tariff),
        sales_tariff_entry=_entries(_fewer(starts, most, lasts_s), lasts_s),
    )


def _changes(tariff: Tariff, now_s: int, lasts_s: int) -> Iterator[tuple[int, int]]:
    """Yield when, from now on, which level begins."""
    at = bisect_right([band.start_s for band in tariff], now_s) - 1
    yield 0, tariff[at].level  # before the first band of a day: the last one
    for day in range((now_s + lasts_s) // DAY_S + 1):
        for band in tariff:
            at_s = day * DAY_S + band.start_s - now_s
            if at_s > 0:
                yield at_s, band.level


def _fewer(
    starts: Sequence[tuple[int, int]], most: int, lasts_s: int
) -> Sequence[tuple[int, int]]:
    """Return so many; the last one may not last longer than a day."""
    kept = list(starts[:most])
    last_s, level = kept[-1]
    if lasts_s - last_s > DAY_S:
        kept = [*kept[: most - 1], (lasts_s - DAY_S, level)]
    return kept


def _entries(
    starts: Sequence[tuple[int, int]], lasts_s: int
) -> tuple[SalesTariffEntry, ...]:
    """Only the last entry says how long it lasts, at most a day."""
    last_s = starts[-1][0]
    entries = [
        SalesTariffEntry(
            time_interval=RelativeTimeInterval(
                start=at_s, duration=lasts_s - at_s if at_s == last_s else None
            ),
            e_price_level=level,
        )
        for at_s, level in starts
    ]
    return tuple(entries)
