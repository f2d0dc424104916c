"""The whole chain between two namespaces: real frames, real IPv6, real TCP."""

from __future__ import annotations

import json

import pytest
from tests.net.lab import Lab, Process, until

pytestmark = pytest.mark.net

NEARLY_FULL = ("--soc", "79.95")  # of a goal of 80 %: a few seconds of charging
SETTLED_S = 30.0
PHASES = (
    "matching",
    "joining the network",
    "session setup",
    "cable check",
    "precharge",
    "charging",
    "welding detection",
)


def is_open(lab: Lab) -> bool:
    """Whether the journal's last word about the contactor is open."""
    facts = [
        event
        for entry in lab.journal()
        if isinstance(event := entry["event"], dict) and event["type"] == "GuardFact"
    ]
    return not facts or not facts[-1]["is_contactor_closed"]


def assert_well(station: Process) -> None:
    assert station.popen.poll() is None, station.text
    assert "Traceback" not in station.text, station.text


def test_a_car_charges_to_its_goal_and_the_station_is_idle_again(lab: Lab) -> None:
    lab.segment()
    station = lab.station()
    car = lab.car(*NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    summary = json.loads(car.text.splitlines()[-1])
    assert summary["outcome"] == "charged"
    assert summary["energy_wh"] > 20
    until(lambda: station.text.count("phase idle") == 2, 5, "idle again")
    assert is_open(lab)
    assert_well(station)
    assert "boot_to_pilot_s=-" not in station.text
    assert station.end() == 0


def test_two_cars_charge_one_after_the_other_with_fresh_keys(lab: Lab) -> None:
    lab.segment()
    station = lab.station()
    assert lab.car(*NEARLY_FULL).popen.wait(60) == 0
    assert lab.car(*NEARLY_FULL, name="second").popen.wait(60) == 0
    keys = {
        frame[106:158]
        for entry in lab.journal()
        for action in entry["actions"]  # type: ignore[attr-defined]  # of json
        if (frame := action.get("frame", ""))[24:28] == "88e1"
        and frame[30:34] == "7d60"
    }
    assert len(keys) == 2
    assert_well(station)


def test_sigterm_in_the_charging_loop_stops_in_order(lab: Lab) -> None:
    lab.segment()
    station = lab.station()
    car = lab.car()
    car.wait_for("phase charging", 30)
    assert station.end() == 0
    assert is_open(lab)
    assert "Traceback" not in station.text
    assert "power off" in car.text


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("what", ["pull", "drop", "stop"])
def test_a_mishap_leaves_the_outlet_dead_and_the_next_car_charges(
    lab: Lab, what: str, phase: str
) -> None:
    lab.segment()
    station = lab.station()
    lab.car("--do", f"{what}@{phase}", *NEARLY_FULL).popen.wait(90)
    until(lambda: is_open(lab), 5, "contactor open")
    until(lambda: station.phase == "idle", SETTLED_S, "idle")
    assert lab.car(*NEARLY_FULL, name="next").popen.wait(60) == 0
    assert_well(station)


@pytest.mark.parametrize("phase", PHASES)
def test_a_cut_line_ends_the_session_and_a_mended_one_charges(
    lab: Lab, phase: str
) -> None:
    segment = lab.segment()
    station = lab.station()
    car = lab.car(*NEARLY_FULL)
    car.wait_for(f"phase {phase}", 30)
    segment.send("cut")
    until(lambda: "stopping" in station.text, 70, "stopping")
    until(lambda: is_open(lab), 5, "contactor open")
    car.pull()
    segment.send("mend")
    until(lambda: station.phase == "idle", SETTLED_S, "idle")
    assert lab.car(*NEARLY_FULL, name="next").popen.wait(60) == 0
    assert_well(station)


@pytest.mark.parametrize("phase", PHASES)
def test_a_silent_car_is_given_up_after_its_time(lab: Lab, phase: str) -> None:
    lab.segment()
    station = lab.station()
    lab.car("--do", f"silent@{phase}", *NEARLY_FULL)
    until(lambda: "stopping" in station.text, 80, "stopping")
    until(lambda: is_open(lab), 5, "contactor open")
    assert_well(station)
