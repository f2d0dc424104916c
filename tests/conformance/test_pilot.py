"""Levels, duty cycles and cable codes (IEC 61851-1, annexes A and B), row by row."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pilothat.pilot.duty import check_drivable, current_of, duty_for, offer_of
from pilothat.pilot.levels import classify
from pilothat.pilot.proximity import cable_of


def _rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader((Path(__file__).parent / name).open()))


def _clause(row: dict[str, str]) -> str:
    return row["clause"]


@pytest.mark.parametrize("row", _rows("pilot_levels.csv"), ids=_clause)
def test_cp_voltage_has_the_level_of_its_band(row: dict[str, str]) -> None:
    level = classify(float(row["cp_v"]))
    assert (level.name if level else "none") == row["level"]


@pytest.mark.parametrize("row", _rows("pilot_duty.csv"), ids=_clause)
def test_duty_offers_what_its_band_says(row: dict[str, str]) -> None:
    duty_pct = float(row["duty_pct"])
    offered_a = float(row["current_a"]) if row["current_a"] else None
    assert offer_of(duty_pct).name == row["offer"]
    assert current_of(duty_pct) == pytest.approx(offered_a)


@pytest.mark.parametrize(
    "duty_pct",
    [
        float(r["duty_pct"])
        for r in _rows("pilot_duty.csv")
        if r["offer"] != "FORBIDDEN"
    ],
)
def test_allowed_duty_may_be_driven(duty_pct: float) -> None:
    assert check_drivable(duty_pct) == duty_pct


@pytest.mark.parametrize(
    "duty_pct",
    [
        *(
            float(r["duty_pct"])
            for r in _rows("pilot_duty.csv")
            if r["offer"] == "FORBIDDEN"
        ),
        -0.001,
        -1.0,
        100.001,
        float("nan"),
        float("inf"),
    ],
)
def test_forbidden_duty_is_never_driven(duty_pct: float) -> None:
    with pytest.raises(ValueError, match="duty"):
        check_drivable(duty_pct)


@pytest.mark.parametrize(
    "current_a", [6.0, 6.1, 10.0, 16.0, 32.0, 51.0, 52.6, 63.0, 80.0]
)
def test_duty_for_a_current_offers_that_current(current_a: float) -> None:
    duty_pct = check_drivable(duty_for(current_a))
    assert current_of(duty_pct) == pytest.approx(current_a)


@pytest.mark.parametrize("current_a", [51.1, 52.0, 52.5])
def test_current_between_the_two_slopes_is_never_exceeded(current_a: float) -> None:
    offered_a = current_of(check_drivable(duty_for(current_a)))
    assert offered_a is not None
    assert 50.0 < offered_a <= current_a


@pytest.mark.parametrize("current_a", [5.99, 80.01, 0.0, -6.0, float("nan")])
def test_current_that_no_duty_can_offer_is_an_error(current_a: float) -> None:
    with pytest.raises(ValueError, match="cannot be offered"):
        duty_for(current_a)


@pytest.mark.parametrize("row", _rows("pilot_cable.csv"), ids=_clause)
def test_resistance_means_its_cable_and_in_a_gap_the_smaller(
    row: dict[str, str],
) -> None:
    cable = cable_of(float(row["pp_ohm"]))
    rating_a = float(row["rating_a"]) if row["rating_a"] else None
    assert (cable.rating_a if cable else None) == rating_a
