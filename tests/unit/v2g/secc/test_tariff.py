"""Price levels over the day, as a car is told them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.v2g.plant import TimeOfDay
from pilothat.v2g.secc.tariff import DAY_S, MOST_ENTRIES, Band, Tariff, parse, told

TEXT = "00:00=1 06:00=3 20:00=2"
MIDNIGHT_S = 20_000 * DAY_S
HOUR_S = 3600


def at(hour: float, offset_s: int = 0) -> TimeOfDay:
    return TimeOfDay(MIDNIGHT_S + hour * HOUR_S, is_trusted=True, utc_offset_s=offset_s)


def bands(
    time: TimeOfDay, lasts_s: int = DAY_S, most: int | None = None, text: str = TEXT
) -> list[tuple[int, int | None, int | None]]:
    found = told(parse(text), time, lasts_s, most)
    assert found is not None
    return [
        (e.time_interval.start, e.time_interval.duration, e.e_price_level)
        for e in found.sales_tariff_entry
    ]


def test_bands_are_read() -> None:
    assert parse(TEXT) == (Band(0, 1), Band(6 * HOUR_S, 3), Band(20 * HOUR_S, 2))
    assert parse("") == ()


@pytest.mark.parametrize(
    "text", ["1", "24:00=1", "06:60=1", "06:00=0", "6:00=1", "06:00=1 06:00=2", "x=y"]
)
def test_what_is_no_band_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=text.split(maxsplit=1)[0]):
        parse(text)


def test_car_is_told_the_level_of_now_and_what_follows() -> None:
    assert bands(at(5.0)) == [
        (0, None, 1),
        (1 * HOUR_S, None, 3),
        (15 * HOUR_S, None, 2),
        (19 * HOUR_S, 5 * HOUR_S, 1),
    ]


def test_only_what_lies_before_the_departure_is_told() -> None:
    assert bands(at(5.0), 2 * HOUR_S) == [(0, None, 1), (HOUR_S, HOUR_S, 3)]


def test_local_time_counts() -> None:
    assert bands(at(5.0, offset_s=HOUR_S))[0] == (0, None, 3)
    assert bands(at(0.5, offset_s=-HOUR_S))[0] == (0, None, 2)


def test_before_the_first_band_of_a_day_the_last_one_holds() -> None:
    assert bands(at(3.0), 4 * HOUR_S, text="06:00=3 20:00=2") == [
        (0, None, 2),
        (3 * HOUR_S, HOUR_S, 3),
    ]


def test_nothing_is_told_without_bands_or_time() -> None:
    assert told((), at(5.0), DAY_S, None) is None
    untrusted = TimeOfDay(MIDNIGHT_S, is_trusted=False)
    assert told(parse(TEXT), untrusted, DAY_S, None) is None


@given(
    st.integers(0, DAY_S - 1),
    st.integers(1, 16_777_214),
    st.one_of(st.none(), st.integers(1, 1024)),
    st.sets(st.integers(0, 95), min_size=1, max_size=30),
)
def test_entries_keep_the_rules_of_the_schema(
    now_s: int, lasts_s: int, most: int | None, quarters: set[int]
) -> None:
    tariff: Tariff = tuple(Band(one * 900, 1 + one % 3) for one in sorted(quarters))
    time = TimeOfDay(MIDNIGHT_S + now_s, is_trusted=True)
    found = told(tariff, time, lasts_s, most)
    assert found is not None
    times = [entry.time_interval for entry in found.sales_tariff_entry]
    starts = [one.start for one in times]
    assert starts[0] == 0
    assert starts == sorted(set(starts))
    assert [one.duration for one in times[:-1]] == [None] * (len(times) - 1)
    duration = times[-1].duration
    assert duration is not None
    assert 0 < duration <= DAY_S
    assert starts[-1] + duration == lasts_s
    assert len(times) <= max(2, min(most or MOST_ENTRIES, MOST_ENTRIES))
