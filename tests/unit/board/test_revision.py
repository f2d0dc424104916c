"""The constants of a board, and the formulas that follow from them."""

from __future__ import annotations

from pathlib import Path

import pytest

import pilothat.board
from pilothat.board.revision import names, read, revision
from pilothat.errors import ConfigError

REV_A = revision("rev_a")
TEXT = (Path(pilothat.board.__file__).parent / "revisions" / "rev_a.toml").read_text()

# computed by hand from 220 k, 57.6 k, 45.3 k and 3.000 V
CODES = {-12: 363, -9: 786, 0: 2056, 3: 2479, 6: 2902, 7.5: 3114, 9: 3326, 12: 3749}


@pytest.mark.parametrize(("volts", "code"), CODES.items())
def test_cp_and_code_belong_together(volts: float, code: int) -> None:
    assert REV_A.cp_code(volts) == code
    assert REV_A.cp_v(code) == pytest.approx(volts, abs=0.004)


@pytest.mark.parametrize("code", [0, 1, 363, 2056, 4094, 4095])
def test_codes_survive_the_way_there_and_back(code: int) -> None:
    assert REV_A.cp_code(REV_A.cp_v(code)) == code
    assert REV_A.rail_code(REV_A.rail_v(code)) == code


@pytest.mark.parametrize(("ohms", "code"), [(100, 372), (1500, 2458), (None, 4095)])
def test_proximity_resistor(ohms: float | None, code: int) -> None:
    adc, proximity = REV_A.adc, REV_A.proximity
    assert proximity.code(ohms, adc.top) == code
    found = REV_A.pp_ohm(code)
    assert found == (None if ohms is None else pytest.approx(ohms, rel=0.01))


@pytest.mark.parametrize(("ohms", "code"), [(1000, 1280), (1347, 1555)])
def test_temperature_sensor(ohms: float, code: int) -> None:
    assert REV_A.temperature.code(ohms, REV_A.adc.top) == pytest.approx(code, abs=1)


def test_voltages_beyond_the_converter_stop_at_its_ends() -> None:
    assert REV_A.cp_code(40.0) == 4095
    assert REV_A.cp_code(-40.0) == 0


def test_no_pin_and_no_channel_is_used_twice() -> None:
    pins = [getattr(REV_A.pins, name) for name in type(REV_A.pins).__slots__]
    channels = [
        getattr(REV_A.channels, name) for name in type(REV_A.channels).__slots__
    ]
    assert len(set(pins)) == len(pins)
    assert sorted(channels) == list(range(8))


def test_what_switches_something_on_sits_on_a_pin_with_a_pull_down() -> None:
    pins = REV_A.pins
    for pin in (pins.cp_pwm, pins.cp_en, pins.k1_req, pins.k2_req, pins.wd_hb):
        assert 9 <= pin <= 27


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("cp_en = 13", "", "cp_en is missing"),
        ("cp_en = 13", "cp_en = 13\ncp_on = 14", "cp_on is unknown"),
        ("[hold]", "[holt]", "hol[dt] is"),
        ("[hold]", "[hold", "rev_x.toml"),
    ],
)
def test_mistakes_are_told_by_name(old: str, new: str, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        read(TEXT.replace(old, new, 1), "rev_x.toml")


def test_unknown_revision_names_the_known_ones() -> None:
    assert names() == ["rev_a"]
    with pytest.raises(ConfigError, match="rev_a"):
        revision("rev_z")
