"""The panel beside a whole charge on the twin of the HAT."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.net.lab import PYTHON, Lab, Process, until

from pilothat.board.revision import revision

pytestmark = pytest.mark.net

PORT = 8888  # in a network namespace of its own
PINS = revision().pins
LOOK = (
    "import pigpio, time\n"
    f"pi, lamps = pigpio.pi('127.0.0.1', {PORT}), ({PINS.led_green}, {PINS.led_red})\n"
    "while True:\n"
    "    print('lamps', *(pi.read(pin) for pin in lamps), flush=True)\n"
    "    time.sleep(0.1)\n"
)


def lamps(looking: Process) -> str:
    """Return what green and red showed last."""
    lines = [x for x in looking.text.splitlines() if x.startswith("lamps ")]
    return lines[-1] if lines else ""


def descendants(process: int) -> Iterator[int]:
    for task in Path(f"/proc/{process}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield int(child)
            yield from descendants(int(child))


def panel_of(station: Process) -> int | None:
    for one in descendants(station.popen.pid):
        if b"panelproc" in Path(f"/proc/{one}/cmdline").read_bytes():
            return one
    return None


def test_panel_shows_a_charge_and_its_death_does_not_touch_it(lab: Lab) -> None:
    config = lab.folder / "station.toml"
    config.write_text(config.read_text() + 'driver = "pigpio"\npanel = true\n')
    hat = lab.start(
        "a", "hat", PYTHON, "-m", "pilothat.service.cli", "hat-twin",
        "--socket", lab.bench, "--port", str(PORT),
    )  # fmt: skip
    hat.wait_for("ready port=")
    lab.segment()
    station = lab.station()
    looking = lab.start("a", "looking", PYTHON, "-c", LOOK)
    until(lambda: lamps(looking) == "lamps 1 0", 15, "idle is green")
    car = lab.car("--soc", "79.9")
    car.wait_for("phase charging", 30)
    until(lambda: lamps(looking) == "lamps 0 0", 5, "charging blinks")
    panel = panel_of(station)
    assert panel is not None
    os.kill(panel, signal.SIGKILL)
    station.wait_for("panel failed, charging goes on", 5)
    station.wait_for("panel is back", 15)
    assert car.popen.wait(90) == 0, car.text + station.text
    until(lambda: station.text.count("phase idle") == 2, 10, "idle again")
    until(lambda: lamps(looking) == "lamps 1 0", 5, "green again")
    assert station.text.count("panel failed") == 1
    assert "Traceback" not in station.text
    assert station.end() == 0
