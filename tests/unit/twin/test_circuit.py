"""The pilot circuit: levels at nominal values and at every corner of the tolerances."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilothat.pilot.levels import (
    LOW_MISSING_V,
    LOW_PRESENT_V,
    PilotLevel,
    PilotSample,
    classify,
)
from pilothat.twin.circuit import (
    NOMINAL,
    CarLoad,
    CarPilot,
    Diode,
    Generator,
    PilotCircuit,
    Wiring,
    cp_levels,
    duty_at_inlet,
)

LOWEST = PilotCircuit(
    Generator(11.4, -11.4, 1030.0), CarLoad(2658.0, 1261.0, 261.9, diode_v=0.55)
)
HIGHEST = PilotCircuit(
    Generator(12.6, -12.6, 970.0), CarLoad(2822.0, 1339.0, 278.1, diode_v=0.85)
)
LEVELS = {
    None: PilotLevel.A,
    CarPilot.B: PilotLevel.B,
    CarPilot.C: PilotLevel.C,
    CarPilot.D: PilotLevel.D,
}


@pytest.mark.parametrize(
    ("pilot", "lowest_v", "nominal_v", "highest_v"),
    [
        (None, 11.40, 12.00, 12.60),
        (CarPilot.B, 8.37, 8.98, 9.59),
        (CarPilot.C, 5.47, 5.99, 6.53),
        (CarPilot.D, 2.59, 2.93, 3.28),
    ],
)
def test_the_high_level_is_that_of_the_tolerance_calculation(
    pilot: CarPilot | None, lowest_v: float, nominal_v: float, highest_v: float
) -> None:
    levels = [cp_levels(5, pilot, c).high_v for c in (LOWEST, NOMINAL, HIGHEST)]
    assert levels == pytest.approx([lowest_v, nominal_v, highest_v], abs=0.006)


@pytest.mark.parametrize("circuit", [LOWEST, NOMINAL, HIGHEST])
@pytest.mark.parametrize("pilot", LEVELS)
def test_every_corner_is_classified_as_what_it_is(
    pilot: CarPilot | None, circuit: PilotCircuit
) -> None:
    assert classify(cp_levels(5, pilot, circuit).high_v) is LEVELS[pilot]


@pytest.mark.parametrize(
    ("pilot", "load", "expected_v"),
    [
        (CarPilot.B, CarLoad(r2_ohm=1870), 8.06),
        (CarPilot.B, CarLoad(r2_ohm=4610), 9.99),
        (CarPilot.C, CarLoad(r3_ohm=909), 5.28),
        (CarPilot.C, CarLoad(r3_ohm=1723), 6.51),
        (CarPilot.C, CarLoad(r2_ohm=1870, r3_ohm=909), 4.99),
        (CarPilot.C, CarLoad(r2_ohm=4610, r3_ohm=1723), 6.99),
    ],
)
def test_the_resistors_of_a_type_test_give_its_levels(
    pilot: CarPilot, load: CarLoad, expected_v: float
) -> None:
    circuit = PilotCircuit(load=load)
    assert cp_levels(5, pilot, circuit).high_v == pytest.approx(expected_v, abs=0.01)


def test_a_duty_of_100_is_steady_high_and_of_0_steady_low() -> None:
    assert cp_levels(100, CarPilot.B).low_v is None
    assert cp_levels(100, CarPilot.B).high_v == pytest.approx(8.98, abs=0.01)
    assert cp_levels(0, CarPilot.B) == PilotSample(-12.0, None)


@pytest.mark.parametrize("pilot", LEVELS)
def test_a_good_diode_leaves_the_low_half_wave_alone(pilot: CarPilot | None) -> None:
    assert cp_levels(5, pilot).low_v == -12.0


@pytest.mark.parametrize("diode", [Diode.SHORTED, Diode.MISSING])
@pytest.mark.parametrize("pilot", CarPilot)
def test_a_bad_diode_mirrors_the_high_level_below_zero(
    pilot: CarPilot, diode: Diode
) -> None:
    circuit = PilotCircuit(load=CarLoad(diode=diode))
    sample = cp_levels(5, pilot, circuit)
    assert sample.low_v == -sample.high_v
    assert sample.low_v > LOW_MISSING_V


def test_a_short_before_the_diode_is_near_zero_on_both_half_waves() -> None:
    dead = cp_levels(5, CarPilot.C, PilotCircuit(wiring=Wiring.SHORT))
    assert dead == PilotSample(0.0, 0.0)


def test_a_short_of_80_ohm_is_still_level_e() -> None:
    circuit = PilotCircuit(wiring=Wiring.SHORT, short_ohm=80.0)
    sample = cp_levels(5, CarPilot.C, circuit)
    assert sample.high_v == pytest.approx(0.889, abs=0.001)
    assert classify(sample.high_v) is PilotLevel.E


def test_a_short_behind_the_diode_is_level_e_with_a_full_low_half_wave() -> None:
    circuit = PilotCircuit(wiring=Wiring.SHORT_BEHIND_DIODE)
    sample = cp_levels(5, CarPilot.B, circuit)
    assert sample == PilotSample(0.7, -12.0)
    assert classify(sample.high_v) is PilotLevel.E
    assert sample.low_v is not None
    assert sample.low_v < LOW_PRESENT_V


def test_a_lost_pe_looks_like_no_car() -> None:
    circuit = replace(NOMINAL, wiring=Wiring.OPEN)
    assert cp_levels(5, CarPilot.C, circuit) == cp_levels(5, None)


@pytest.mark.parametrize(
    ("wiring", "duty_pct", "seen"),
    [
        (Wiring.GOOD, 5.0, (5.0, True)),
        (Wiring.GOOD, 100.0, (100.0, False)),
        (Wiring.GOOD, 0.0, (0.0, False)),
        (Wiring.SHORT_BEHIND_DIODE, 5.0, (5.0, True)),
        (Wiring.SHORT, 5.0, (0.0, False)),
        (Wiring.OPEN, 5.0, (0.0, False)),
    ],
)
def test_the_car_sees_the_pwm_unless_the_line_is_broken(
    wiring: Wiring, duty_pct: float, seen: tuple[float, bool]
) -> None:
    assert duty_at_inlet(duty_pct, PilotCircuit(wiring=wiring)) == seen
