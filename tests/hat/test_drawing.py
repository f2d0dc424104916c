"""The drawings of the board: whole, right, and nothing lies on something else."""

from __future__ import annotations

import re
import tomllib
from itertools import combinations, pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from pilothat.board.circuit import FIXED, HEADER, read
from pilothat.board.drawing import (
    GROUNDS,
    GROUPS,
    PURPOSES,
    SUPPLIES,
    blocks,
    colour_of,
    pin_map,
    pin_names,
)
from pilothat.board.revision import revision
from pilothat.errors import ConfigError

ROOT = Path(__file__).parents[2]
HAT = ROOT / "hat" / "rev-a"
HARDWARE = (ROOT / "docs" / "hardware.md").read_text()
REV_A = revision("rev_a")
TEXT = (HAT / "blocks.toml").read_text()
TABLE = tomllib.loads(TEXT)
PINS = pin_names(REV_A)


def words(svg: str) -> list[str]:
    """Return the texts of a drawing, which must be XML."""
    return [one.text or "" for one in ElementTree.fromstring(svg).iter() if one.text]


def test_every_part_of_the_circuit_is_in_one_block() -> None:
    circuit = read((HAT / "circuit.toml").read_text(), REV_A)
    drawn = [ref for box in TABLE["boxes"] for ref in box["parts"].split()]
    assert sorted(drawn) == sorted(circuit.parts)


def test_blocks_do_not_lie_on_each_other() -> None:
    for one, other in combinations(TABLE["boxes"], 2):
        assert apart(one, other), (one["words"], other["words"])


def apart(one: dict[str, Any], other: dict[str, Any]) -> bool:
    (x, y, width, height), (u, v, wide, high) = one["at"], other["at"]
    return bool(x + width <= u or u + wide <= x or y + height <= v or v + high <= y)


def test_wires_are_straight_and_end_at_a_block() -> None:
    for wire in TABLE["wires"]:
        points = wire["points"]
        steps = pairwise(points)
        assert all(here[0] == there[0] or here[1] == there[1] for here, there in steps)
        assert any(at_edge(points[-1], box["at"]) for box in TABLE["boxes"]), points


def at_edge(point: list[int], at: list[int]) -> bool:
    (px, py), (x, y, width, height) = point, at
    is_beside = px in (x, x + width) and y <= py <= y + height
    return is_beside or (py in (y, y + height) and x <= px <= x + width)


def test_drawing_shows_the_constants_of_the_board() -> None:
    seen = " ".join(words(blocks(TEXT, REV_A)))
    assert f"watchdog {REV_A.watchdog.window_s:g} s" in seen
    assert "@" not in seen


def test_unknown_constant_is_told() -> None:
    with pytest.raises(ConfigError, match="no such constant"):
        blocks(TEXT.replace("@watchdog.window_s", "@watchdog.mood"), REV_A)


def test_header_has_forty_pins_each_with_its_group() -> None:
    assert sorted(PINS) == list(range(1, 41))
    assert len(HEADER) + len(GROUNDS) + len(SUPPLIES) == 40
    for _, name in PINS.values():
        assert colour_of(name) in [colour for _, colour, _ in GROUPS]


def test_every_pin_that_is_used_tells_what_for() -> None:
    ours = set(type(REV_A.pins).__slots__) | set(FIXED)
    assert set(PURPOSES) == ours
    assert ours <= {name for _, name in PINS.values()}
    assert {*ours, "GPIO12"} <= set(words(pin_map(REV_A)))


@pytest.mark.parametrize("name", type(REV_A.pins).__slots__)
def test_name_stands_at_the_pin_of_its_gpio(name: str) -> None:
    gpio = getattr(REV_A.pins, name)
    assert PINS[HEADER[gpio]] == (f"GPIO{gpio}", name)


def test_wires_of_the_breadboard_are_those_of_the_table() -> None:
    told = re.findall(r"^\| (\w+) \| GPIO(\d+) \|", HARDWARE, re.MULTILINE)
    ours = {name: getattr(REV_A.pins, name) for name in type(REV_A.pins).__slots__}
    assert len(told) == 13
    assert all(ours[name] == int(gpio) for name, gpio in told)


def test_values_of_the_breadboard_are_those_of_the_table() -> None:
    divider, rail, hold = REV_A.divider, REV_A.rail, REV_A.hold
    kilo = [
        divider.from_cp_ohm, divider.to_ground_ohm, divider.to_reference_ohm,
        rail.from_rail_ohm, rail.to_ground_ohm, hold.series_ohm,
        REV_A.proximity.pull_up_ohm, REV_A.temperature.pull_up_ohm,
        REV_A.driver.r1_ohm,
    ]  # fmt: skip
    assert [one for one in kilo if f"{one / 1e3:g} k" not in HARDWARE] == []
    pico = [divider.filter_f * 1e12, REV_A.driver.cs_f * 1e12]
    assert [one for one in pico if f"{one:g} pF" not in HARDWARE] == []
    assert f"{hold.hold_f * 1e9:g} nF" in HARDWARE
    assert f"{REV_A.driver.rail_high_v:.1f} V" in HARDWARE
    assert f"{REV_A.adc.vref_v:.3f} V" in HARDWARE


@pytest.mark.parametrize("ref", ["J2", "J3", "J4", "J5", "J6", "J7", "J8", "J9"])
def test_every_terminal_is_in_the_table_of_wires(ref: str) -> None:
    assert f"| {ref} |" in HARDWARE
