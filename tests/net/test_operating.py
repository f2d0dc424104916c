"""Operating a station as its owner does: asked, told and watched while it runs."""

from __future__ import annotations

import json
import os
import signal
import socket
import time

import pytest
from tests.net.lab import PYTHON, Lab, Process, sh, until
from tests.net.test_charge import NEARLY_FULL, assert_well, is_open

pytestmark = pytest.mark.net

READY = b"READY=1"
CLI = (PYTHON, "-m", "pilothat.service.cli")


def configured(lab: Lab, **more: str) -> None:
    """Let the station keep its control socket and its records in the lab."""
    keys = {"control": f"{lab.folder}/control.sock", "records": f"{lab.folder}/records"}
    lines = "".join(f'{key} = "{value}"\n' for key, value in (keys | more).items())
    path = lab.folder / "station.toml"
    path.write_text(path.read_text().replace("[station]\n", f"[station]\n{lines}"))


def told(lab: Lab, *command: str) -> Process:
    """Run a command of the owner."""
    where = ("--socket", f"{lab.folder}/control.sock")
    process = lab.start("a", f"owner-{time.monotonic_ns()}", *CLI, *command, *where)
    process.popen.wait(20)
    return process


def test_owner_sees_stops_and_finds_the_charge_in_the_list(lab: Lab) -> None:
    configured(lab)
    lab.segment()
    station = lab.station()
    car = lab.car()
    car.wait_for("phase charging", 40)
    until(lambda: " kW" in told(lab, "status").text, 10, "power told")
    status = json.loads(told(lab, "status", "--json").text)
    assert status["is_contactor_closed"]
    assert status["is_guard_alive"]
    assert status["soc_pct"] == 20
    stopped = told(lab, "stop")
    assert stopped.popen.returncode == 0, stopped.text
    until(lambda: is_open(lab), 20, "contactor open")
    car.pull()
    until(lambda: station.phase == "idle", 30, "idle")
    refused = told(lab, "stop")
    assert (refused.popen.returncode, "no car is charging" in refused.text) == (1, True)
    listed = lab.start(
        "a", "sessions", *CLI, "sessions", "--records", f"{lab.folder}/records"
    )
    assert listed.popen.wait(10) == 0
    assert "stopped by the user" in listed.text
    assert_well(station)


def test_car_waits_until_its_owner_authorises_it(lab: Lab) -> None:
    configured(lab, authorisation="ask")
    lab.segment()
    station = lab.station()
    car = lab.car(*NEARLY_FULL)
    station.wait_for("phase session", 40)
    assert told(lab, "authorize").popen.returncode == 0
    assert car.popen.wait(60) == 0, car.text
    assert_well(station)


def test_nobody_there_is_said_in_one_line(lab: Lab) -> None:
    asked = told(lab, "status")
    assert asked.popen.returncode == 1
    assert asked.text.count("\n") == 1
    assert "no station answers" in asked.text


def test_pilot_is_steady_and_manager_content_before_the_interface_is_there(
    lab: Lab,
) -> None:
    manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    manager.bind(str(lab.folder / "notify"))
    manager.settimeout(20)
    configured(lab)
    sh("ip", "-n", f"{lab.name}a", "link", "set", lab.evse, "name", "later0")
    os.environ["NOTIFY_SOCKET"] = str(lab.folder / "notify")
    try:
        station = lab.start(
            "a", "station", *CLI, "run", "--wait",
            "--config", str(lab.folder / "station.toml"),
        )  # fmt: skip
    finally:
        del os.environ["NOTIFY_SOCKET"]
    heard: list[bytes] = []
    until(lambda: READY in (heard.append(manager.recv(200)) or heard), 20, "ready")  # type: ignore[func-returns-value]  # append has none
    assert heard[0] == f"STATUS=waiting for the interface {lab.evse}".encode()
    assert "the pilot is steady, and it waits" in told(lab, "status").text
    car = lab.car(*NEARLY_FULL)  # is plugged in before there is a modem
    car.wait_for("plugged in", 15)
    sh("ip", "-n", f"{lab.name}a", "link", "set", "later0", "down")
    sh("ip", "-n", f"{lab.name}a", "link", "set", "later0", "name", lab.evse)
    sh("ip", "-n", f"{lab.name}a", "link", "set", lab.evse, "up")
    lab.segment()
    station.wait_for("boot_to_pilot_s=", 20)
    assert car.popen.wait(60) == 0, car.text
    assert_well(station)
    assert station.end() == 0
    manager.close()


def test_guard_that_hangs_is_noticed_and_the_board_is_safe(lab: Lab) -> None:
    configured(lab)
    lab.segment()
    station = lab.station()
    guards = sh("pgrep", "-P", str(station.popen.pid)).split()
    os.kill(int(guards[0]), signal.SIGSTOP)
    assert station.popen.wait(30) == 1
    assert "the guard has not turned" in station.text
    assert "fault=GUARD_LOST" in station.text


def test_new_settings_are_taken_when_no_car_is_here_and_bad_ones_never(
    lab: Lab,
) -> None:
    configured(lab)
    lab.segment()
    station = lab.station()
    path = lab.folder / "station.toml"
    good = path.read_text()
    path.write_text(good + "[limits]\nmax_a = 900000\n")
    station.popen.send_signal(signal.SIGHUP)
    station.wait_for("the settings stay as they are", 10)
    car = lab.car(*NEARLY_FULL)
    car.wait_for("phase charging", 40)
    path.write_text(good + "[limits]\nmax_a = 7.0\n")
    station.popen.send_signal(signal.SIGHUP)
    station.wait_for("new settings are taken when no car is here", 10)
    assert car.popen.wait(60) == 0, car.text
    until(lambda: station.text.count(" ready ") == 2, 30, "ready again")
    second = lab.car("--soc", "20", name="second")
    second.wait_for("phase charging", 40)
    until(lambda: ", 7.0 A, " in told(lab, "status").text, 15, "at most 7 A")
    assert_well(station)
    assert station.end() == 0


def test_board_that_cannot_be_opened_is_one_line_and_the_end(lab: Lab) -> None:
    path = lab.folder / "station.toml"
    path.write_text(path.read_text().replace(lab.bench, f"{lab.folder}/none/bench"))
    station = lab.start("a", "station", *CLI, "run", "--config", str(path))
    assert station.popen.wait(20) == 1
    assert "Traceback" not in station.text, station.text
    assert "no board error=" in station.text
