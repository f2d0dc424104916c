"""Charts: what is drawn, column by column and dot by dot."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pilothat.service.chart import Point, ceiling, plot, resample


def points(*values: float) -> Sequence[Point]:
    """Return points a second apart."""
    return [Point(float(at_s), value) for at_s, value in enumerate(values)]


def test_no_points_and_no_columns_give_nothing() -> None:
    assert resample((), 5) == ()
    assert resample(points(1.0), 0) == ()


def test_column_is_the_mean_of_its_points() -> None:
    assert resample(points(1, 3, 10, 20, 7), 2) == [2.0, 7]


def test_column_without_points_holds_the_value_before() -> None:
    sparse = [Point(0.0, 5.0), Point(9.0, 1.0)]
    assert resample(sparse, 4) == [5.0, 5.0, 5.0, 1.0]


def test_sudden_end_is_seen_in_the_last_column() -> None:
    assert resample(points(8, 8, 8, 8, 8, 8, 8, 0), 2)[-1] == 0


def test_points_of_one_moment_are_one_value() -> None:
    assert resample([Point(3.0, 2.0), Point(3.0, 4.0)], 3) == [3.0, 3.0, 4.0]


def test_points_are_taken_where_they_stand_in_time() -> None:
    late = [Point(100.0, 1.0), Point(101.0, 1.0), Point(110.0, 9.0)]
    assert resample(late, 10) == [1.0] * 9 + [9.0]


DRAWN = {
    "floor": ([0, 0], 1, "⣀"),
    "top": ([4, 4], 1, "⠉"),
    "steps": ([0, 1, 3, 4], 1, "⣠⠞"),
    "rise is joined": ([0, 4], 1, "⣸"),
    "odd number of values": ([4], 1, "⠁"),
    "beyond the top": ([9, 9], 1, "⠉"),
    "below zero": ([-9, -9], 1, "⣀"),
    "two rows": ([4, 4, 0, 0], 2, "⠉⡇ ⠀⣇".replace(" ", "\n")),
    "nothing": ([], 2, "\n"),
}


@pytest.mark.parametrize("name", DRAWN)
def test_values_become_dots(name: str) -> None:
    values, rows, drawn = DRAWN[name]
    assert "\n".join(plot(values, rows, 4.0)) == drawn


def test_axis_without_height_is_a_floor() -> None:
    assert list(plot([1.0, 2.0], 1, 0.0)) == ["⣀"]


ROUND = [
    (0, 1),
    (-3, 1),
    (0.07, 0.08),
    (1, 1),
    (122, 150),
    (401.5, 500),
    (10_001, 15e3),
]


@pytest.mark.parametrize(("value", "top"), ROUND)
def test_axis_ends_at_a_round_number(value: float, top: float) -> None:
    assert ceiling(value) == pytest.approx(top)
