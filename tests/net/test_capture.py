"""A charge recorded by our own command, read by ours and by others' programs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from pathlib import Path

import pytest
from tests.net.lab import PYTHON, Lab, until
from tests.net.test_charge import NEARLY_FULL
from tests.unit.service.console import ran

pytestmark = pytest.mark.net


def recorded(lab: Lab, path: Path) -> str:
    """Record a whole charge at the station; return what was told meanwhile."""
    lab.segment()
    station = lab.station()
    command = (PYTHON, "-m", "pilothat.service.cli", "capture", "--interface", "evse0")
    journal = ("--journal", str(lab.folder / "journal"))
    capture = lab.start("a", "capture", *command, *journal, "--live", str(path))
    capture.wait_for("recording evse0")
    car = lab.car(*NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    until(lambda: b"CP A" in path.read_bytes(), 10, "the end of the visit")
    assert capture.end(signal.SIGINT) == 0
    assert station.end() == 0
    return capture.text


def test_capture_holds_the_charge_and_the_pilot(lab: Lab, tmp_path: Path) -> None:
    path = tmp_path / "charge.pcapng"
    told = recorded(lab, path)
    assert "CM_SLAC_MATCH.CNF  run " in told
    assert "SDP response  [fe80::" in told
    done = ran("decode", path)
    assert (done.code, done.err) == (0, "")
    for word in ("CM_SLAC_MATCH.CNF", "SDP response", "SessionStopRes"):
        assert word in done.out
    words = path.read_bytes()
    for state in (b"CP B2", b"CP C2", b"CP A"):
        assert state in words


def test_wireshark_has_nothing_to_say_against_our_frames(
    lab: Lab, tmp_path: Path
) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    path = tmp_path / "charge.pcapng"
    recorded(lab, path)
    shown = subprocess.run(
        [
            "tshark", "-r", str(path), "-Y", "homeplug-av", "-T", "fields",
            "-e", "homeplug_av.mmhdr.mmtype", "-e", "_ws.expert.message",
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    rows = [line.split("\t") for line in shown.stdout.splitlines()]
    assert len(rows) > 20
    assert [row for row in rows if len(row) > 1 and row[1]] == []
