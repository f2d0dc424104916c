"""The whole chain with the HAT's own drivers, against the twin behind their doors."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest
from tests.net.lab import PYTHON, Lab, Process, until

pytestmark = pytest.mark.net

NEARLY_FULL = ("--soc", "79.95")  # of a goal of 80 %: a few seconds of charging
PORT = 8888  # in a network namespace of its own
DRIVERS = ("pigpio", "kernel")


@dataclass
class HatLab:
    """A lab whose station drives a HAT."""

    lab: Lab
    hat: Process

    def do(self, what: str, how: str = "--break") -> None:
        """Break something, or mend it."""
        command = (PYTHON, "-m", "pilothat.service.cli", "hat-twin")
        done = self.lab.start(
            "a", "break", *command, "--socket", self.lab.bench, how, what
        )
        assert done.popen.wait(10) == 0, done.text

    def gates(self) -> list[tuple[float, bool]]:
        """Return when what of K1 was let through, by the twin's clock."""
        lines = [line for line in self.hat.text.splitlines() if " at=" in line]
        words = [dict(word.split("=") for word in _pairs(line)) for line in lines]
        return [(float(one["at"]), one["k1"] == "1") for one in words]


def _pairs(line: str) -> list[str]:
    return [word for word in line.split() if "=" in word]


@pytest.fixture(params=DRIVERS)
def hat_lab(lab: Lab, request: pytest.FixtureRequest) -> HatLab:
    config, kernel = lab.folder / "station.toml", f"{lab.bench}.kernel"
    added = f'driver = "{request.param}"\nkernel_twin = "{kernel}"\n'
    config.write_text(config.read_text() + added)
    doors = {"pigpio": ("--port", str(PORT)), "kernel": ("--kernel", kernel)}
    hat = lab.start(
        "a", "hat", PYTHON, "-m", "pilothat.service.cli", "hat-twin",
        "--socket", lab.bench, *doors[request.param],
    )  # fmt: skip
    hat.wait_for("ready ")
    lab.segment()
    return HatLab(lab, hat)


def test_a_car_charges_to_its_goal_through_the_driver(
    hat_lab: HatLab,
) -> None:
    lab = hat_lab.lab
    station = lab.station()
    car = lab.car(*NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text + station.text
    summary = json.loads(car.text.splitlines()[-1])
    assert summary["outcome"] == "charged"
    assert summary["energy_wh"] > 20
    until(lambda: station.text.count("phase idle") == 2, 5, "idle again")
    assert station.popen.poll() is None, station.text
    assert "Traceback" not in station.text
    assert [is_on for _, is_on in hat_lab.gates()][-1] is False
    assert True in [is_on for _, is_on in hat_lab.gates()]
    assert station.end() == 0


@pytest.mark.parametrize("what", ["dead", "frozen", "wrong"])
def test_daemon_that_fails_in_the_charging_loop_opens_the_contactor(
    hat_lab: HatLab, what: str
) -> None:
    lab = hat_lab.lab
    station = lab.station()
    car = lab.car()
    car.wait_for("phase charging", 30)
    hat_lab.do(what)
    until(lambda: not hat_lab.gates()[-1][1], 5, "contactor open")
    station.wait_for("fault=BOARD_LOST", 5)
    assert "board lost" in station.text
    assert "HAT lost" in station.text
    car.pull()
    hat_lab.do(what, "--mend")
    until(lambda: station.phase == "idle", 30, "idle again")
    assert "board is back" in station.text
    assert lab.car(*NEARLY_FULL, name="next").popen.wait(60) == 0
    assert station.popen.poll() is None, station.text


def test_killed_station_leaves_nothing_closed(hat_lab: HatLab) -> None:
    lab = hat_lab.lab
    station = lab.station()
    car = lab.car()
    car.wait_for("phase charging", 30)
    station.popen.kill()
    until(lambda: not hat_lab.gates()[-1][1], 5, "contactor open")
