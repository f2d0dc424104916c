"""A session of ISO 15118-2 that pauses: the car sleeps, wakes, and joins it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilothat.conformance.road import ask, good
from pilothat.conformance.roads import steps
from pilothat.conformance.rows import Row
from pilothat.conformance.tester import LowerTester
from pilothat.pilot.duty import DIGITAL_PCT, STEADY_PCT
from pilothat.plant import AcRatings
from pilothat.station.events import WakeUp
from pilothat.station.phases import Phase
from pilothat.twin.bench import BenchSettings
from pilothat.twin.car import Car
from pilothat.twin.carevents import Plug, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.circuit import CarPilot
from pilothat.twin.profile import builtin
from pilothat.twin.seeded import shortened
from pilothat.twin.stage import EV, EV_MAC, WorldSettings
from pilothat.twin.world import World
from pilothat.v2g.evcc.events import Outcome
from pilothat.v2g.secc.iso2_answers import modes_of

AGAIN = (
    "ServiceDiscoveryReq",
    "PaymentServiceSelectionReq",
    "AuthorizationReq",
    "ChargeParameterDiscoveryReq",
)
BCB_S = 0.25  # of each state
STOPPED = (
    "session is at: PowerDeliveryRes OK for ChargeProgress Stop; CP back in state B."
)


def row(mode: str, words: str = STOPPED) -> Row:
    return Row(
        id="pause",
        protocol="ISO15118-2",
        area="Pause",
        precondition=words,
        mode=mode,
    )


def paused(mode: str) -> LowerTester:
    """Return a tester whose car has gone to sleep."""
    tester = LowerTester(settings(mode))
    tester.wait(2.0)
    for step in steps(row(mode)) or ():
        step(tester)
    good(tester, "SessionStopReq", ChargingSession="Pause")
    tester.wait(5.0)
    assert tester.world.station.phase is Phase.PAUSED
    assert tester.duties[-1][1] == STEADY_PCT
    assert tester.probe.connection is None
    assert tester.world.is_linked()
    return tester


def settings(mode: str) -> WorldSettings:
    made = WorldSettings()
    ac = AcRatings() if mode == "AC" else None
    station = made.station
    iso2 = replace(station.iso2, offer=replace(station.iso2.offer, modes=modes_of(ac)))
    return replace(
        made,
        station=replace(station, ac=ac, iso2=iso2),
        bench=BenchSettings(mains_v=ac.nominal_v if ac else None),
    )


def toggle(tester: LowerTester) -> None:
    for pilot in (CarPilot.C, CarPilot.B):
        tester.pilot(pilot)
        tester.wait(BCB_S)


def come_back(tester: LowerTester) -> None:
    """Search, connect and shake hands again."""
    tester.line = type(tester.line)()
    tester.probe.datagrams.clear()
    for step in (steps(row("", "supportedAppProtocol negotiated")) or ())[1:]:
        step(tester)


@pytest.mark.parametrize("mode", ["DC", "AC"])
@pytest.mark.parametrize("is_ours", [True, False])
def test_a_paused_session_is_joined_again(mode: str, is_ours: bool) -> None:
    tester = paused(mode)
    old_id = tester.session_id
    tester.wait(600.0)
    if is_ours:
        tester.world.tell(WakeUp())
    else:
        toggle(tester)
    tester.wait(1.0)
    assert tester.world.station.phase is Phase.SETUP
    assert tester.duties[-1][1] == DIGITAL_PCT
    come_back(tester)
    answer = good(tester, "SessionSetupReq")
    assert answer.code == "OK_OldSessionJoined"
    assert tester.session_id == old_id
    for name in (
        "ServiceDiscoveryReq",
        "PaymentServiceSelectionReq",
        "AuthorizationReq",
    ):
        good(tester, name)
    good(tester, "ChargeParameterDiscoveryReq")
    assert tester.world.invariants.violations == []


@pytest.mark.parametrize("session_id", [b"\0", bytes(range(1, 9))])
def test_another_id_begins_a_new_session_and_drops_the_old(session_id: bytes) -> None:
    tester = paused("DC")
    old_id = tester.session_id
    toggle(tester)
    come_back(tester)
    tester.session_id = session_id
    answer = good(tester, "SessionSetupReq")
    assert answer.code == "OK_NewSessionEstablished"
    assert tester.session_id not in (old_id, session_id)


def test_unplugging_ends_a_pause() -> None:
    tester = paused("DC")
    tester.world.drive(Unplug())
    tester.wait(5.0)
    assert tester.world.station.phase is Phase.IDLE
    assert tester.world.station.talk.paused_id == b""


def test_a_car_whose_modem_does_not_come_back_is_matched_anew() -> None:
    tester = paused("DC")
    tester.world.medium.cut(EV)
    toggle(tester)
    woken_at = tester.now
    tester.wait(40.0)
    later = [(round(at - woken_at), duty) for at, duty in tester.duties if at > 10.0]
    steady_at, fault_at, again_at = 6, 9, 13  # T_conn_resume, then T_step_X1, T_step_EF
    assert later[-4:-1] == [(steady_at, 100.0), (fault_at, 0.0), (again_at, 100.0)]
    assert tester.world.station.phase is Phase.MATCHING
    assert tester.world.invariants.violations == []


def test_a_car_whose_modem_joins_late_has_its_set_up_time_from_then_on() -> None:
    tester = paused("DC")
    tester.world.medium.cut(EV)
    tester.wait(30.0)  # so that the link is seen to be lost
    toggle(tester)
    tester.wait(4.0)
    tester.world.medium.mend(EV)
    tester.wait(12.0)
    come_back(tester)
    answer = good(tester, "SessionSetupReq")
    assert answer.code == "OK_OldSessionJoined"


def test_a_pause_inside_the_loop_is_out_of_turn() -> None:
    tester = LowerTester(settings("DC"))
    tester.wait(2.0)
    for step in steps(row("DC", "in the charge loop")) or ():
        step(tester)
    answer = ask(tester, "SessionStopReq", ChargingSession="Pause")
    assert answer.code == "FAILED_SequenceError"


def test_our_car_sleeps_calls_and_charges_on_without_a_new_match() -> None:
    profile = builtin("iso2")
    iso2 = replace(profile.session.iso2, pauses_after_s=30.0, pause_s=60.0)
    session = replace(profile.session, iso2=iso2)
    world = World(WorldSettings(), 1)
    car = Car(shortened(replace(profile, session=session)), EV_MAC, Chance(1, "car"))
    world.park(car)
    world.drive(Plug())
    assert world.run(lambda: car.outcome is Outcome.CHARGED, 4000.0)
    texts = [entry.phase for entry in car.summary.phases]
    assert texts.count("matching") == 1
    assert world.invariants.violations == []
