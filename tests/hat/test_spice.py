"""The pilot circuit in ngspice: levels, edges and codes, with the spread of its parts.

Limits: IEC 61851-1 annex A as in docs/hardware.md.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.hat.bench import held, measure, needs_ngspice

from pilothat.board.revision import revision
from pilothat.board.spice import WORST_EDGES, Car, Spread
from pilothat.pilot.levels import PilotSample

pytestmark = needs_ngspice
REV_A = revision("rev_a")
STATES = {
    "A": Car(is_there=False),
    "B": Car(),
    "C": Car(r3_ohm=1300.0),
    "D": Car(r3_ohm=270.0),
}
# volts at the contact (what the state must be classified as), edges in microseconds
BANDS = {"A": (11.0, 13.0), "B": (8.0, 10.0), "C": (5.0, 7.0), "D": (2.0, 4.0)}
RISE_US = {"A": 10.0, "B": 10.0, "C": 7.0, "D": 5.0}
FALL_US, WIDTH_US = 13.0, 5.0


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("duty_pct", [5.0, 50.0, 96.0])
def test_nominal_levels_edges_and_codes(
    state: str, duty_pct: float, tmp_path: Path
) -> None:
    found = measure(REV_A, STATES[state], tmp_path, duty_pct=duty_pct)
    low, high = BANDS[state]
    assert low < found.high_v < high
    assert -12.6 < found.low_v < -11.4
    assert found.rise_s * 1e6 <= RISE_US[state]
    assert found.fall_s * 1e6 <= FALL_US
    assert found.width_s * 1e6 == pytest.approx(duty_pct * 10.0, abs=WIDTH_US)
    assert REV_A.cp_v(found.code_high) == pytest.approx(found.high_v, abs=0.05)
    assert REV_A.cp_v(found.code_low) == pytest.approx(found.low_v, abs=0.05)


@pytest.mark.parametrize("state", ["B", "C", "D"])
def test_edges_hold_with_all_capacitances_at_their_greatest(
    state: str, tmp_path: Path
) -> None:
    car = replace(STATES[state], cv_f=1.4e-9)
    if car.r3_ohm is not None:
        car = replace(car, r2_ohm=2740 * 1.03, r3_ohm=car.r3_ohm * 1.03)
    found = measure(REV_A, car, tmp_path, WORST_EDGES)
    assert found.rise_s * 1e6 <= RISE_US[state]
    assert found.fall_s * 1e6 <= FALL_US


def test_a_coupling_capacitor_of_2_2_nanofarad_would_be_too_much(
    tmp_path: Path,
) -> None:
    """The bench can fail: the value of older circuits breaks the fall time."""
    car = Car(cv_f=2.4e-9)
    spread = replace(WORST_EDGES, coupling_f=2.2e-9)
    assert measure(REV_A, car, tmp_path, spread).fall_s * 1e6 > FALL_US


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize(
    ("rails", "r1", "car"), [(0.98, 1.01, 0.97), (1.02, 0.99, 1.03)]
)
def test_levels_stay_in_their_bands_with_the_spread(
    state: str, rails: float, r1: float, car: float, tmp_path: Path
) -> None:
    nominal = STATES[state]
    spread_car = replace(
        nominal,
        r2_ohm=nominal.r2_ohm * car,
        r3_ohm=None if nominal.r3_ohm is None else nominal.r3_ohm * car,
    )
    up = 1.001 if rails > 1 else 0.999
    spread = Spread(rails=rails, r1=r1, divider=(2 - up, up, 2 - up), vref=2 * up - 1)
    found = measure(REV_A, spread_car, tmp_path, spread)
    low, high = BANDS[state]
    assert low < REV_A.cp_v(found.code_high) < high
    assert REV_A.cp_v(found.code_low) < -10.5


@pytest.mark.parametrize(
    ("fault", "car", "shown"),
    [
        ("diode shorted", Car(diode="shorted"), "B without its low half"),
        ("diode open", Car(diode="open"), "A"),
        ("PE lost", Car(r3_ohm=1300.0, has_pe=False), "A"),
        ("short of 80 ohm", Car(r3_ohm=1300.0, short_ohm=80.0), "E"),
        ("dead short", Car(short_ohm=0.0), "E"),
    ],
)
def test_faults_look_as_the_state_machine_expects(
    fault: str, car: Car, shown: str, tmp_path: Path
) -> None:
    found = measure(REV_A, car, tmp_path)
    sample = PilotSample(REV_A.cp_v(found.code_high), REV_A.cp_v(found.code_low))
    assert sample.low_v is not None
    match shown:
        case "A":
            assert 11.0 < sample.high_v < 13.0
        case "E":
            assert abs(sample.high_v) < 1.0
            assert sample.low_v > -9.0
        case _:
            assert 8.0 < sample.high_v < 10.0
            assert sample.low_v == pytest.approx(-sample.high_v, abs=0.6), fault


@pytest.mark.parametrize(("state", "rf_v"), [("B", 0.0), ("C", 0.0), ("C", 10.0)])
def test_holds_read_the_levels_within_a_tenth_with_powerline_on_the_pilot(
    state: str, rf_v: float, tmp_path: Path
) -> None:
    true = measure(REV_A, STATES[state], tmp_path)
    high_v, low_v, ripple_v = held(REV_A, STATES[state], tmp_path, rf_v)
    assert high_v == pytest.approx(true.high_v, abs=0.1)
    assert low_v == pytest.approx(true.low_v, abs=0.1)
    assert ripple_v < 0.1
