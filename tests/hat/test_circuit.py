"""The circuit as data: electrical rules hold, mistakes are found, files are current."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from pathlib import Path

import pytest

from pilothat.board.circuit import HEADER, bill, complaints, netlist, read
from pilothat.board.revision import revision
from pilothat.errors import ConfigError

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "hat" / "rev-a" / "circuit.toml").read_text()
REV_A = revision("rev_a")
CIRCUIT = read(TEXT, REV_A)


def test_electrical_rules_hold() -> None:
    assert list(complaints(CIRCUIT)) == []


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ('"CP_ON" = ["U13.Y", "U5.EN"]', '"CP_ON" = ["U13.Y"]', "only one pin"),
        ('"WD_OK" = ["U12.Q", ', '"WD_OK" = ["U12.Q", "U9.Y1", ', "on 2 nets"),
        ('"SAFE" = ["U14.Y", ', '"SAFE" = [', "nothing drives it"),
        ('"SAFE" = ["U14.Y", ', '"SAFE" = ["U14.Y", "U13.Y", ', "2 pins drive it"),
        ('"+12V" = ["U3.OUTP", ', '"+12V" = [', "nothing feeds it"),
        ('"gpio.cp_en" = ["J1.cp_en", ', '"gpio.cp_en" = ["J1.cp_pwm", ', "its pin"),
        ('"CP_ON" = ["U13.Y", "U5.EN"]\n', "", "U5.EN is on no net"),
    ],
)
def test_mistakes_in_the_nets_are_found(old: str, new: str, why: str) -> None:
    assert old in TEXT
    found = list(complaints(read(TEXT.replace(old, new, 1), REV_A)))
    assert any(why in one for one in found), found


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("@hold.hold_f", "@hold.gold_f", "no such constant"),
        ('pins = "A:1:p B:2:p"', 'pins = "A:1 B:2:p"', "cannot read"),
        ('"U13.Y", "U5.EN"', '"U13.Y", "U5.ON"', "no such pin"),
    ],
)
def test_mistakes_in_the_file_are_told(old: str, new: str, why: str) -> None:
    assert old in TEXT
    with pytest.raises(ConfigError, match=why):
        list(complaints(read(TEXT.replace(old, new, 1), REV_A)))


def test_what_switches_is_off_while_nobody_drives_it() -> None:
    """Pilot, its enable, heartbeat and both requests have a resistor to ground."""
    ground = {ref for ref, name in CIRCUIT.nets["GND"] if ref == "RN3"}
    for name in ("cp_pwm", "cp_en", "wd_hb", "k1_req", "k2_req"):
        assert ground & {ref for ref, _ in CIRCUIT.nets[f"gpio.{name}"]}


def test_no_software_stands_between_the_chain_and_the_contactors() -> None:
    chain = {ref for ref, _ in CIRCUIT.nets["gpio.estop_n"]}
    assert "U14" in chain & {ref for ref, _ in CIRCUIT.nets["WD_OK"]}
    assert {"U15", "U16"} <= {ref for ref, _ in CIRCUIT.nets["SAFE"]}


def test_every_part_is_on_the_bill_once() -> None:
    rows = list(csv.DictReader(io.StringIO(bill(CIRCUIT))))
    refs = [ref for row in rows for ref in row["references"].split()]
    assert sorted(refs) == sorted(CIRCUIT.parts)
    assert all(row["part"] for row in rows)


def test_netlist_holds_every_connection() -> None:
    nodes = re.findall(r'\(node \(ref "(\w+)"\)', netlist(CIRCUIT))
    assert len(nodes) == sum(map(len, CIRCUIT.nets.values()))
    assert netlist(CIRCUIT) == netlist(read(TEXT, REV_A))


def test_header_has_each_gpio_once() -> None:
    assert sorted(HEADER) == list(range(28))
    assert len(set(HEADER.values())) == 28


def test_files_of_the_board_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "hat"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_no_constant_of_the_board_has_a_copy_in_the_code() -> None:
    """The numbers that only this board has stand in its table alone."""
    telling = ("220_000", "57_600", "45_300", "57.6k", "0x1C0", "1f00098000")
    table = ROOT / "src" / "pilothat" / "board" / "revisions"
    copies = [
        f"{path}: {number}"
        for path in (ROOT / "src").rglob("*.py")
        if table not in path.parents
        for number in telling
        if number in path.read_text()
    ]
    assert copies == []
