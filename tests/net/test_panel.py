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

BUTTON = 2  # a GPIO that the board leaves free
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


def press(lab: Lab, name: str) -> None:
    text = (
        f"import pigpio, time\npi = pigpio.pi('127.0.0.1', {PORT})\n"
        f"pi.write({BUTTON}, 0)\ntime.sleep(0.3)\npi.write({BUTTON}, 1)\n"
    )
    assert lab.start("a", name, PYTHON, "-c", text).popen.wait(10) == 0


def on_the_hat(lab: Lab, settings: str) -> Process:
    """Return a station on the twin of the HAT, with a panel."""
    config = lab.folder / "station.toml"
    text = config.read_text().replace("[station]", f"[station]\n{settings}", 1)
    config.write_text(
        f'{text}driver = "pigpio"\npanel = true\nbutton_gpio = {BUTTON}\n'
    )
    hat = lab.start(
        "a", "hat", PYTHON, "-m", "pilothat.service.cli", "hat-twin",
        "--socket", lab.bench, "--port", str(PORT),
    )  # fmt: skip
    hat.wait_for("ready port=")
    lab.segment()
    return lab.station()


def test_button_lets_a_car_charge_and_ends_its_charge(lab: Lab) -> None:
    station = on_the_hat(lab, 'authorisation = "ask"')
    car = lab.car()
    car.wait_for("phase authorisation", 30)
    press(lab, "allow")
    car.wait_for("phase charging", 30)
    press(lab, "stop")
    assert car.popen.wait(30) == 0, car.text + station.text
    assert '"outcome": "stopped"' in car.text
    until(lambda: station.text.count("phase idle") == 2, 10, "idle again")
    assert station.end() == 0


def test_panel_shows_a_charge_and_its_death_does_not_touch_it(lab: Lab) -> None:
    station = on_the_hat(lab, "")
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
    assert "does not see contactor" not in station.text
    assert "SecondLook" not in station.text  # guard and gpiozero never differed
    assert "Traceback" not in station.text
    assert station.end() == 0
