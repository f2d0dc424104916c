"""An AC outlet asks a car by DIN how full it is, then lets it charge by the duty."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sim.test_basic import is_nominal, station_settings

from pilothat.conformance import road
from pilothat.conformance.tester import LowerTester
from pilothat.station.events import Authorised
from pilothat.station.phases import Phase
from pilothat.twin.circuit import CarPilot
from pilothat.v2g import sdp

TO_THE_QUESTION = (
    road.link,
    road.find,
    road.connect,
    road.shake_hands,
    road.well("SessionSetupReq"),
    road.well("ServiceDiscoveryReq"),
    road.select_payment,
    road.authorise,
)
GAP_S = 12.0  # X1, F as if the plug was pulled, X1 again


def outlet(*, is_free: bool = True, protocol: str = "din") -> LowerTester:
    settings = station_settings(is_free=is_free)
    reading = replace(settings.station, reads_soc=True)
    tester = LowerTester(replace(settings, station=reading), protocol=protocol)
    tester.wait(2.0)
    return tester


def is_found(tester: LowerTester) -> bool:
    before = len(tester.probe.datagrams)
    tester.search(sdp.build_request(tester.security))
    return tester.until(lambda: len(tester.probe.datagrams) > before, 2.0)


def charge(tester: LowerTester) -> bool:
    """Ask for energy; tell whether it comes."""
    tester.pilot(CarPilot.C)
    tester.wait(3.5)
    return tester.world.bench.contactor_is_closed(tester.now)


def test_car_is_read_refused_plugged_in_anew_and_charges() -> None:
    tester = outlet()
    for step in TO_THE_QUESTION:
        step(tester)
    answer = road.ask(tester, "ChargeParameterDiscoveryReq")
    assert answer.code == "FAILED_WrongEnergyTransferType"
    tester.wait(GAP_S)
    station = tester.world.station
    assert station.transaction.learned["soc_pct"] == "40"
    assert station.phase is Phase.BASIC
    duties = [duty for _, duty in tester.duties]
    assert duties[-4:-1] == [100.0, 0.0, 100.0]
    assert is_nominal(duties[-1])
    assert charge(tester)
    assert not is_found(tester)
    assert station.phase is Phase.BASIC
    assert tester.world.invariants.violations == []


@pytest.mark.parametrize(
    "then", ["says goodbye", "hangs up", "speaks another language"]
)
def test_car_that_tells_nothing_charges_too(then: str) -> None:
    tester = outlet(protocol="iso2" if "language" in then else "din")
    for step in TO_THE_QUESTION[:4]:
        step(tester)
    if then == "says goodbye":
        road.good(tester, "SessionSetupReq")
        road.good(tester, "SessionStopReq")
    elif then == "hangs up":
        road.good(tester, "SessionSetupReq")
        tester.hang_up()
    tester.wait(GAP_S + 6.0)
    assert tester.world.station.phase is Phase.BASIC
    assert charge(tester)
    assert tester.world.invariants.violations == []


def test_car_that_does_not_match_charges_after_one_try() -> None:
    tester = outlet()
    tester.world.medium.cut("ev")
    tester.plug()
    assert tester.until(lambda: tester.world.station.phase is Phase.BASIC, 80.0)
    assert charge(tester)


def test_reading_does_not_authorise() -> None:
    tester = outlet(is_free=False)
    for step in TO_THE_QUESTION[:7]:
        step(tester)
    tester.hang_up()
    tester.wait(GAP_S + 6.0)
    assert not charge(tester)
    tester.pilot(CarPilot.B)
    tester.world.tell(Authorised(is_granted=True, by="card"))
    tester.wait(GAP_S)
    assert tester.world.station.phase is Phase.BASIC
    assert charge(tester)


def test_next_car_is_read_again() -> None:
    tester = outlet()
    tester.world.medium.cut("ev")
    tester.plug()
    assert tester.until(lambda: tester.world.station.phase is Phase.BASIC, 80.0)
    assert not tester.world.station.visit.may_talk(Phase.SETUP)
    tester.world.station.visit.unplugged()
    assert tester.world.station.visit.may_talk(Phase.SETUP)
    assert tester.world.station.visit.first_phase() is Phase.MATCHING
