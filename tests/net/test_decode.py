"""A charge as tcpdump records it, against what the station's journal says of it."""

from __future__ import annotations

import shutil
import signal
from pathlib import Path

import pytest
from tests.net.lab import Lab, Process
from tests.net.test_charge import NEARLY_FULL
from tests.unit.service.console import ran
from tests.unit.traffic import wire

pytestmark = pytest.mark.net


def listening(lab: Lab, path: Path) -> Process:
    """Return a tcpdump that records everything at the station."""
    if shutil.which("tcpdump") is None:
        pytest.skip("tcpdump is not installed")
    command = ("tcpdump", "-i", "evse0", "-Z", "root", "-U", "-w", str(path))
    process = lab.start("a", "tcpdump", *command)
    process.wait_for("listening on")
    return process


def test_recorded_charge_holds_every_message_of_the_journal(
    lab: Lab, tmp_path: Path
) -> None:
    path = tmp_path / "charge.pcap"
    lab.segment()
    tcpdump = listening(lab, path)
    station = lab.station()
    car = lab.car(*NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    assert station.end() == 0
    assert tcpdump.end(signal.SIGINT) == 0
    said: list[tuple[bool, bytes]] = []
    for entry in lab.journal():
        rows = [entry["event"], *entry["actions"]]  # type: ignore[misc]  # JSON
        said += [
            (row["type"] == "TcpData", bytes.fromhex(row["data"]))
            for row in rows
            if isinstance(row, dict) and row["type"] in ("TcpData", "TcpSend")
        ]
    assert wire.spoken(path.read_bytes()) == said
    done = ran("decode", path)
    assert (done.code, done.err) == (0, "")
    assert "CM_SLAC_MATCH.CNF" in done.out
    assert "SDP response" in done.out
    assert "SessionStopRes" in done.out
