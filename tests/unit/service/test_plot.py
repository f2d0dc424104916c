"""pilothat decode --plot: the picture, and all that can keep it from being drawn."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from tests.unit.service.console import Ran, ran
from tests.unit.traffic import wire


def drawn(path: Path, data: bytes | None = None) -> Ran:
    pytest.importorskip("matplotlib", reason="the extra 'plot' is not installed")
    return ran("decode", "--plot", path, stdin=data or wire.pcap(wire.charge()))


def test_picture_shows_quantities_units_and_phases(tmp_path: Path) -> None:
    path = tmp_path / "charge.svg"
    assert drawn(path).code == 0
    shown = {
        "".join(text.itertext()).strip() for text in ElementTree.parse(path).iter()
    }
    expected = {"voltage, V", "current, A", "power, kW", "SoC, %", "time, s"}
    assert shown >= expected | {"present", "target", "charge"}
    assert any(text.startswith("cable check ") for text in shown)


def test_picture_is_the_same_every_time(tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    drawn(first)
    drawn(second)
    assert first.read_bytes() == second.read_bytes()


def test_png_is_written_beside_the_lines(tmp_path: Path) -> None:
    done = drawn(tmp_path / "charge.png")
    assert (tmp_path / "charge.png").read_bytes()[:4] == b"\x89PNG"
    assert "CurrentDemandReq" in done.out


def test_ending_that_cannot_be_drawn_is_wrong_usage(tmp_path: Path) -> None:
    done = drawn(tmp_path / "charge.doc")
    assert (done.code, done.out) == (2, "")
    assert ".png, .svg, .pdf" in done.err


def test_place_that_cannot_be_written_is_wrong_usage(tmp_path: Path) -> None:
    assert drawn(tmp_path / "none" / "charge.png").code == 2


def test_nothing_to_draw_is_told(tmp_path: Path) -> None:
    done = drawn(tmp_path / "charge.png", wire.pcap(wire.charge()[:10]))
    assert done.code == 1
    assert "nothing to draw" in done.err


def test_missing_matplotlib_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = ran("decode", "--plot", tmp_path / "x.png", stdin=b"")
    assert done.code == 1
    assert done.err.count("\n") == 1
    assert "pip install 'pilothat[plot]'" in done.err
