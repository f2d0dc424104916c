"""A bench without a supply: a car is talked with, and nothing is ever switched on."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilothat.conformance import road
from pilothat.conformance.roads import steps
from pilothat.conformance.rows import Row
from pilothat.conformance.tester import LowerTester
from pilothat.guard import Want
from pilothat.power.nopower import SIMULATED
from pilothat.station.actions import Publish, SetOutput, Topic
from pilothat.twin.stage import WorldSettings

LOOP = {
    "iso2": "Session is in the charge loop.",
    "din": "DIN session is at: CurrentDemand loop.",
}


@pytest.mark.parametrize("protocol", LOOP)
def test_car_gets_to_the_loop_and_no_power_is_switched(protocol: str) -> None:
    settings = WorldSettings()
    simulating = replace(settings.station, simulates_precharge=True)
    tester = LowerTester(replace(settings, station=simulating), protocol=protocol)
    seen: list[object] = []
    tester.world.watchers.append(lambda _, __, actions: seen.extend(actions))
    row = Row(
        id="made-here",
        protocol="DIN70121" if protocol == "din" else "ISO15118-2",
        area="CurrentDemand",
        precondition=LOOP[protocol],
    )
    for step in steps(row) or ():
        step(tester)
    answer = road.good(tester, "CurrentDemandReq")
    assert answer.body.evse_present_voltage.si == pytest.approx(400.0, abs=15.0)
    assert answer.body.evse_present_current.si == 0.0
    road.good(tester, "PowerDeliveryReq", ChargeProgress="Stop")
    road.open_contactor(tester)
    road.good(tester, "WeldingDetectionReq")
    road.good(tester, "SessionStopReq")
    tester.wait(10.0)
    wants = [one for one in seen if isinstance(one, Want)]
    assert wants
    assert not any(one.is_contactor_closed or one.is_supply_enabled for one in wants)
    assert not [one for one in seen if isinstance(one, SetOutput)]
    assert Publish(Topic.NOTE, SIMULATED) in seen
    assert tester.world.invariants.violations == []
