"""Numbers with a power of ten: physical values and rational numbers."""

from __future__ import annotations

import pytest

from pilothat.v2g.messages import din, iso2
from pilothat.v2g.messages.iso20_types import RationalNumber

VALUES = {
    "tenth": (398.5, -1, 3985),
    "thousandth": (1.2345, -3, 1234),
    "zero": (0.0, -3, 0),
    "whole": (5, -3, 5000),
    "negative": (-32.768, -3, -32768),
    "just-too-fine": (32.768, -2, 3277),
    "rounds-out-of-range": (32.7676, -2, 3277),
    "kilowatts": (150_000.0, 1, 15000),
    "greatest": (32_767_499.0, 3, 32767),
}
UNFIT = [
    (32_767_500.0, None),
    (-32_768_501.0, None),
    (1e307, None),
    (float("nan"), None),
    (float("inf"), None),
    (400.0, -3),
    (400.0, 4),
]


@pytest.mark.parametrize("name", VALUES)
def test_number_takes_the_finest_power_that_fits(name: str) -> None:
    number, power, value = VALUES[name]
    volts = iso2.PhysicalValue.of(number, iso2.UnitSymbol.V)
    assert din.PhysicalValue.of(number, None) == din.PhysicalValue(
        multiplier=power, value=value
    )
    assert volts == iso2.PhysicalValue(
        multiplier=power, unit=iso2.UnitSymbol.V, value=value
    )
    assert RationalNumber.of(number) == RationalNumber(exponent=power, value=value)


@pytest.mark.parametrize(("number", "multiplier"), UNFIT)
def test_number_that_does_not_fit_is_no_physical_value(
    number: float, multiplier: int | None
) -> None:
    with pytest.raises(ValueError, match=r"physical value|multiplier"):
        din.PhysicalValue.of(number, din.UnitSymbol.V, multiplier)
    with pytest.raises(ValueError, match=r"physical value|multiplier"):
        iso2.PhysicalValue.of(number, iso2.UnitSymbol.V, multiplier)


@pytest.mark.parametrize(
    ("number", "exponent"),
    [
        (32_767_500_000_000.0, None),
        (float("nan"), None),
        (float("-inf"), None),
        (400.0, -3),
        (400.0, -129),
        (400.0, 128),
    ],
)
def test_number_that_does_not_fit_is_no_rational_number(
    number: float, exponent: int | None
) -> None:
    with pytest.raises(ValueError, match=r"rational number|exponent"):
        RationalNumber.of(number, exponent)


def test_wanted_power_is_kept() -> None:
    assert din.PhysicalValue.of(400.4, din.UnitSymbol.V, 0).value == 400
    assert iso2.PhysicalValue.of(400.4, iso2.UnitSymbol.V, 0).value == 400
    assert RationalNumber.of(400.4, 0) == RationalNumber(exponent=0, value=400)
    assert RationalNumber.of(4e20, 20) == RationalNumber(exponent=20, value=4)


@pytest.mark.parametrize(
    ("power", "value", "si"),
    [(-1, 3985, 398.5), (-3, 1, 0.001), (0, -5, -5.0), (3, 60, 60000.0)],
)
def test_number_is_told_in_its_unit(power: int, value: int, si: float) -> None:
    amperes = iso2.PhysicalValue(multiplier=power, unit=iso2.UnitSymbol.A, value=value)
    assert din.PhysicalValue(multiplier=power, value=value).si == si
    assert amperes.si == si
    assert RationalNumber(exponent=power, value=value).si == si


@pytest.mark.parametrize(("exponent", "si"), [(-128, 7e-128), (127, 7e127)])
def test_every_exponent_has_a_value(exponent: int, si: float) -> None:
    assert RationalNumber(exponent=exponent, value=7).si == pytest.approx(si)
