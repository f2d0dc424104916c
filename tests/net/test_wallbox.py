"""The whole chain with an Arduino as the source of the pilot, by its twin."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable

import pytest
from tests.net.lab import PYTHON, Lab, Process, until

from pilothat.runtime.twinbench import CableEnd
from pilothat.twin.bench import CarElectrics
from pilothat.twin.circuit import CarPilot

pytestmark = pytest.mark.net

NEARLY_FULL = ("--soc", "79.95")  # of a goal of 80 %: a few seconds of charging
COMMAND = (PYTHON, "-m", "pilothat.service.cli", "hat-twin")


def flashed(lab: Lab, dialect: str) -> Process:
    """Return an Arduino with this sketch, for a station that knows so."""
    config, link = lab.folder / "station.toml", f"{lab.bench}.tty"
    added = f'driver = "wallbox"\nwallbox_port = "{link}"\n'
    added += f'wallbox_dialect = "{dialect}"\n'
    config.write_text(config.read_text() + added)
    started = lab.start(
        "a", "arduino", *COMMAND, "--wallbox", dialect, "--socket", lab.bench
    )
    started.wait_for("ready wallbox=")
    lab.segment()
    return started


@pytest.fixture
def arduino(lab: Lab) -> Process:
    return flashed(lab, "pilothat")


def closings(arduino: Process) -> list[bool]:
    """Return what the contactor did."""
    lines = [line for line in arduino.text.splitlines() if " k1=" in line]
    return [line.endswith("k1=1") for line in lines]


def test_a_car_charges_to_its_goal_through_an_arduino(
    lab: Lab, arduino: Process
) -> None:
    station = lab.station()
    car = lab.car(*NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text + station.text
    summary = json.loads(car.text.splitlines()[-1])
    assert summary["outcome"] == "charged"
    assert summary["energy_wh"] > 20
    until(lambda: station.text.count("phase idle") == 2, 5, "idle again")
    assert station.popen.poll() is None, station.text
    assert closings(arduino) == [True, False]
    assert station.end() == 0


def test_arduino_that_is_reset_in_mid_charge_opens_and_is_lost(
    lab: Lab, arduino: Process
) -> None:
    station = lab.station()
    car = lab.car()
    car.wait_for("phase charging", 30)
    press = lab.start("a", "press", *COMMAND, "--socket", lab.bench, "--break", "reset")
    assert press.popen.wait(10) == 0, press.text
    until(lambda: closings(arduino)[-1] is False, 5, "contactor open")
    until(lambda: "board lost" in station.text, 10, "lost board told")
    assert "no good line for" in station.text  # its boot loader says nothing
    until(lambda: "board is back" in station.text, 10, "opened anew")


def test_station_with_the_published_sketch_only_looks_and_says_so(lab: Lab) -> None:
    arduino = flashed(lab, "text")
    station = lab.station()
    station.wait_for("no command is possible, so no power is", 10)
    with contextlib.closing(CableEnd(lab.bench)) as cable:
        plugged(cable, CarPilot.B, lambda: "wallbox state=VEHICLE" in station.text)
        plugged(cable, CarPilot.C, lambda: "wallbox state=READY" in station.text)
        until(lambda: "CONTACTOR_WELDED" in station.text, 10, "relay told as closed")
    assert closings(arduino)[0] is True  # the sketch did it
    assert "phase charging" not in station.text


def plugged(cable: CableEnd, pilot: CarPilot, holds: Callable[[], bool]) -> None:
    """Say again and again what hangs on the cable, until it is seen."""

    def is_seen() -> bool:
        cable.connect(CarElectrics(pilot))
        return holds()

    until(is_seen, 20, f"state {pilot.name} seen")
