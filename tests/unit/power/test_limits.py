"""Limits: what a car may get is never above any of them, whatever it asks for."""

from __future__ import annotations

from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.plant import OFF, EvLimits, Ratings, Setpoint
from pilothat.power.limits import grant, trip_voltage_v
from pilothat.power.limits import test_voltage_v as check_voltage_v

STATION = Ratings(max_v=500.0, min_v=150.0, max_a=125.0, min_a=1.0, max_w=50_000.0)
CAR = EvLimits(max_v=410.0, max_a=200.0, max_w=60_000.0)
anything = st.floats(allow_nan=True, allow_infinity=True)
limit = st.one_of(st.floats(-1000, 1e6), st.just(inf))
rated = st.floats(1, 1000)
SLACK = 1 + 1e-9


@given(
    anything,
    anything,
    st.builds(Ratings, rated, rated, rated, rated, rated),
    limit,
    limit,
    limit,
)
def test_set_point_is_inside_every_limit(
    voltage_v: float,
    current_a: float,
    ratings: Ratings,
    max_v: float,
    max_a: float,
    max_w: float,
) -> None:
    it = grant(voltage_v, current_a, ratings, EvLimits(max_v, max_a, max_w)).setpoint
    assert 0.0 <= it.voltage_v <= min(ratings.max_v, max(max_v, 0.0))
    assert 0.0 <= it.current_a <= min(ratings.max_a, max(max_a, 0.0))
    power_w = it.voltage_v * it.current_a
    assert power_w <= min(ratings.max_w, max(max_w, 0.0)) * SLACK
    assert it.is_on is (it.voltage_v > 0.0)


@given(st.floats(1, 400), st.floats(0, 100))
def test_wish_inside_all_limits_is_granted_as_it_is(
    voltage_v: float, current_a: float
) -> None:
    granted = grant(voltage_v, current_a, STATION, CAR)
    assert granted.setpoint == Setpoint(voltage_v, current_a, is_on=True)
    flags = granted.is_voltage_limited, granted.is_current_limited
    assert (*flags, granted.is_power_limited) == (False, False, False)


@pytest.mark.parametrize(
    ("wish", "setpoint", "flags"),
    [
        ((450, 100), (410, 100), (True, False, False)),
        ((400, 300), (400, 125), (False, True, False)),
        ((410, 125), (410, 50_000 / 410), (False, False, True)),
        ((900, 900), (410, 50_000 / 410), (True, True, True)),
        ((400, 125), (400, 125), (False, False, False)),
        ((400, -5), (400, 0), (False, False, False)),
    ],
)
def test_each_limit_has_its_flag(
    wish: tuple[float, float],
    setpoint: tuple[float, float],
    flags: tuple[bool, bool, bool],
) -> None:
    granted = grant(*wish, STATION, CAR)
    assert (granted.setpoint.voltage_v, granted.setpoint.current_a) == setpoint
    told = granted.is_voltage_limited, granted.is_current_limited
    assert (*told, granted.is_power_limited) == flags


@pytest.mark.parametrize("voltage_v", [0.0, -0.1, -400.0, nan, inf, -inf])
def test_voltage_that_is_none_switches_off(voltage_v: float) -> None:
    it = grant(voltage_v, 0.0, STATION, CAR).setpoint
    assert it == OFF


@pytest.mark.parametrize("current_a", [-0.1, nan, inf, -inf])
def test_current_that_is_none_is_zero(current_a: float) -> None:
    assert grant(400.0, current_a, STATION, CAR).setpoint == Setpoint(400.0, 0.0, True)


@pytest.mark.parametrize(
    ("station_v", "car_v", "test_v"),
    [
        (1000, 400, 450),
        (1000, 449.9, 499.9),
        (1000, 450, 500),
        (1000, 480, 500),
        (1000, 500, 500),
        (1000, 501, 551.1),
        (1000, 800, 880),
        (1000, 950, 1000),
        (500, 400, 450),
        (500, 460, 500),
        (500, 800, 500),
        (500, inf, 500),
    ],
)
def test_cable_is_checked_with_the_voltage_of_the_rule(
    station_v: float, car_v: float, test_v: float
) -> None:
    ratings = Ratings(max_v=station_v)
    assert check_voltage_v(ratings, EvLimits(max_v=car_v)) == pytest.approx(test_v)


@pytest.mark.parametrize(
    ("station_v", "car_v", "trip_v"),
    [
        (1000, 500, 550),
        (1000, 500.1, 825),
        (1000, 750, 825),
        (1000, 750.1, 935),
        (1000, 850, 935),
        (1000, 850.1, 1100),
        (1000, inf, 1100),
        (500, inf, 550),
        (500, 800, 550),
        (1000, -5, 550),
        (1200, inf, 1320),
    ],
)
def test_power_trips_at_the_voltage_of_the_table(
    station_v: float, car_v: float, trip_v: float
) -> None:
    ratings = Ratings(max_v=station_v)
    assert trip_voltage_v(ratings, EvLimits(max_v=car_v)) == pytest.approx(trip_v)


@given(st.floats(150, 1000), st.floats(150, 1000))
def test_cable_check_never_trips_its_own_protection(
    station_v: float, car_v: float
) -> None:
    ratings, ev = Ratings(max_v=station_v), EvLimits(max_v=car_v)
    assert check_voltage_v(ratings, ev) < 0.985 * trip_voltage_v(ratings, ev)


def test_cable_check_of_a_750_v_car_stays_below_its_trip_voltage() -> None:
    ratings, ev = Ratings(max_v=826.0), EvLimits(max_v=750.0)
    assert check_voltage_v(ratings, ev) == pytest.approx(0.98 * 825.0)
