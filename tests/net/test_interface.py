"""The interface goes away, comes back, gets another name: cars charge again."""

from __future__ import annotations

import subprocess
from contextlib import suppress

import pytest
from tests.net.lab import Lab, Process, sh, until
from tests.net.test_charge import NEARLY_FULL, assert_well

pytestmark = pytest.mark.net


def ip(lab: Lab, side: str, *command: str) -> None:
    sh("ip", "netns", "exec", f"{lab.name}{side}", "ip", *command)


def assert_charges(lab: Lab, station: Process, name: str) -> None:
    car = lab.car(*NEARLY_FULL, name=name)
    assert car.popen.wait(90) == 0, car.text + station.text
    assert_well(station)


def test_interface_goes_down_and_up(lab: Lab) -> None:
    lab.segment()
    station = lab.station()
    ip(lab, "a", "link", "set", "evse0", "down")
    until(lambda: "up=False" in station.text, 10, "down")
    ip(lab, "a", "link", "set", "evse0", "up")
    until(lambda: station.text.count("up=True address=True") == 2, 15, "up again")
    assert_charges(lab, station, "car")


def test_interface_gets_another_name(lab: Lab) -> None:
    lab.segment()
    station = lab.station()
    ip(lab, "a", "link", "set", "evse0", "down")
    ip(lab, "a", "link", "set", "evse0", "name", "plc7")
    ip(lab, "a", "link", "set", "plc7", "up")
    until(lambda: "interface=plc7 was=evse0" in station.text, 10, "the new name")
    until(lambda: "interface=plc7 up=True address=True" in station.text, 15, "up again")
    assert_charges(lab, station, "car")


def test_adapter_is_unplugged_and_comes_back_with_another_number(lab: Lab) -> None:
    lab.segment()
    station = lab.station()
    ip(lab, "a", "link", "set", "evse0", "netns", f"{lab.name}c")
    until(lambda: "up=False" in station.text, 10, "gone")
    for number in range(2, 30):  # so that the old number is taken
        added = f"link add dev x{number} index {number} type dummy".split()
        with suppress(subprocess.CalledProcessError):  # a number that is in use
            ip(lab, "a", *added)
    ip(lab, "c", "link", "set", "evse0", "netns", f"{lab.name}a")
    ip(lab, "a", "link", "set", "evse0", "up")
    until(lambda: "number=" in station.text, 10, "new sockets")
    until(lambda: station.text.count("up=True address=True") == 2, 15, "up again")
    assert_charges(lab, station, "car")


def test_an_address_that_a_manager_took_away_is_missed_and_the_remedy_named(
    lab: Lab,
) -> None:
    lab.segment()
    station = lab.station()
    ip(lab, "a", "link", "set", "evse0", "addrgenmode", "none")
    ip(lab, "a", "-6", "addr", "flush", "dev", "evse0")
    until(lambda: "has no link-local address" in station.text, 15, "missed")
    assert "nmcli device set evse0 managed no" in station.text
    assert station.text.count("has no link-local address") == 1
    ip(lab, "a", "link", "set", "evse0", "addrgenmode", "eui64")
    ip(lab, "a", "link", "set", "evse0", "down")
    ip(lab, "a", "link", "set", "evse0", "up")
    until(lambda: station.text.count("up=True address=True") == 2, 15, "up again")
    assert_charges(lab, station, "car")


def test_two_stations_on_two_interfaces_of_one_machine(lab: Lab) -> None:
    second = lab.beside()
    for one in (lab, second):
        one.segment()
    stations = [one.station() for one in (lab, second)]
    cars = [one.car(*NEARLY_FULL) for one in (lab, second)]
    for car, station in zip(cars, stations, strict=True):
        assert car.popen.wait(90) == 0, car.text + station.text
        assert_well(station)


def test_nothing_is_heard_on_other_interfaces(lab: Lab) -> None:
    """X-SDP-08, RB-TCP-12: the sockets are bound to the interface of the powerline."""
    lab.segment()
    station = lab.station()
    car = lab.car()
    until(lambda: "phase session" in station.text, 60, "a session")
    told = subprocess.run(
        ["ip", "netns", "exec", f"{lab.name}a", "ss", "-H", "-n", "-l", "-t", "-u"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    bound = {line.split()[4] for line in told.splitlines()}
    assert bound
    assert all("%evse0" in one for one in bound), told
    car.popen.terminate()
    car.popen.wait(30)
