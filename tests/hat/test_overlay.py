"""The overlay compiles, merges into a tree like the Pi's, and says what it must."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pilothat.board.overlay import source
from pilothat.board.revision import revision

REV_A = revision("rev_a")
BASE = """/dts-v1/;
/ {
	compatible = "brcm,bcm2835";
	soc {
		gpio: gpio@0 { #interrupt-cells = <2>; interrupt-controller; };
		pwm: pwm@1 { status = "disabled"; };
		spi0: spi@2 {
			#address-cells = <1>;
			#size-cells = <0>;
			status = "disabled";
			spidev0: spidev@0 { reg = <0>; status = "okay"; };
		};
	};
};
"""


def tool(name: str, *command: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed (Debian: device-tree-compiler)")
    return subprocess.run(
        [path, *command], check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def merged(tmp_path: Path) -> str:
    """Return the tree with the overlay in it, as source."""
    (tmp_path / "base.dts").write_text(BASE)
    (tmp_path / "hat.dts").write_text(source(REV_A))
    for name, out in (("base", "base.dtb"), ("hat", "hat.dtbo")):
        there, here = str(tmp_path / out), str(tmp_path / f"{name}.dts")
        tool("dtc", "-@", "-q", "-O", "dtb", "-o", there, here)
    whole = str(tmp_path / "whole.dtb")
    base, overlay = str(tmp_path / "base.dtb"), str(tmp_path / "hat.dtbo")
    tool("fdtoverlay", "-i", base, "-o", whole, overlay)
    return tool("dtc", "-q", "-I", "dtb", "-O", "dts", whole)


def test_modem_takes_the_place_of_spidev(merged: str) -> None:
    assert 'compatible = "qca,qca7000"' in merged
    spidev = merged.split("spidev@0 {")[1].split("}", maxsplit=1)[0]
    assert 'status = "disabled"' in spidev


def test_pins_are_those_of_the_table(merged: str) -> None:
    for name, pin in (
        ("plc_pins", REV_A.pins.plc_int),
        ("cp_pwm_pins", REV_A.pins.cp_pwm),
    ):
        group = merged.split(f"{name} {{")[1].split("}", maxsplit=1)[0]
        assert f"brcm,pins = <0x{pin:02x}>" in group
    assert f"interrupts = <0x{REV_A.pins.plc_int:02x} 0x01>" in merged


def test_kernel_pwm_stays_off_until_it_is_asked_for(merged: str) -> None:
    pwm = merged.split("pwm@1 {")[1].split("}", maxsplit=1)[0]
    assert 'status = "disabled"' in pwm
    assert 'kernel_pwm = <0>,"+3"' in source(REV_A)
