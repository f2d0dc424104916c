"""AC charging by the duty alone: who is offered it, and what the pilot then does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pilothat.conformance.road import good
from pilothat.conformance.roads import steps
from pilothat.conformance.rows import Row
from pilothat.conformance.tester import LINK_S, LowerTester
from pilothat.guard import Want
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSlacParmCnf, CmSlacParmReq
from pilothat.plant import AcRatings
from pilothat.station.actions import SendFrame
from pilothat.station.events import Authorised, FrameIn, StopCause, StopRequested
from pilothat.station.phases import Phase
from pilothat.twin.bench import BenchSettings, CarElectrics
from pilothat.twin.carevents import CarAction, CarEvent, Plug, SetElectrics, Unplug
from pilothat.twin.circuit import CarPilot
from pilothat.twin.stage import EV, EV_MAC, EVSE, WorldSettings
from pilothat.twin.world import World
from pilothat.v2g import sdp
from pilothat.v2g.messages.sap import AppProtocol, SupportedAppProtocolReq
from pilothat.v2g.secc.iso2_answers import modes_of

AC = AcRatings(max_a=16.0)
NOMINAL_PCT = 16.0 / 0.6
CHARGING = "in the charge loop"  # where the road to a case leads
CHARGED = Row(
    id="basic", protocol="ISO15118-2", area="", precondition=CHARGING, mode="AC"
)
DRAWN_A = 48.0  # of three phases


class DumbCar:
    """A car that knows the pilot only."""

    deadline = None

    def __init__(self) -> None:
        self.pilot = CarPilot.B

    def handle(self, event: CarEvent, _: float) -> Sequence[CarAction]:
        if isinstance(event, Plug):
            is_c = self.pilot is CarPilot.C
            draws = CarElectrics(self.pilot, contactor_closed=is_c, draw_a=DRAWN_A)
            return (SetElectrics(draws),)
        return (SetElectrics(None),) if isinstance(event, Unplug) else ()

    def tick(self, _: float) -> Sequence[CarAction]:
        return ()


class Place:
    """An AC station and a car in front of it."""

    def __init__(self, *, is_free: bool, ac: AcRatings | None = AC) -> None:
        settings = station_settings(is_free=is_free, ac=ac)
        self.world = World(settings, 1)
        self.car = DumbCar()
        self.world.park(self.car)
        self.duties: list[float] = []
        self.world.watchers.append(self._watch)
        self.wait(2.0)

    def _watch(self, _: float, __: object, actions: Sequence[object]) -> None:
        for action in actions:
            match action:
                case Want(duty_pct) if [duty_pct] != self.duties[-1:]:
                    self.duties.append(duty_pct)

    def wait(self, seconds: float) -> None:
        end = self.world.now + seconds
        self.world.run(lambda: False, end)
        self.world.clock.now = end

    def show(self, pilot: CarPilot, then_s: float = 1.0) -> None:
        self.car.pilot = pilot
        self.world.drive(Plug())
        self.wait(then_s)

    def authorise(self) -> None:
        self.world.tell(Authorised(is_granted=True, by="a test"))

    @property
    def is_closed(self) -> bool:
        return self.world.bench.contactor_is_closed(self.world.now)

    @property
    def phase(self) -> Phase:
        return self.world.station.phase


def station_settings(*, is_free: bool, ac: AcRatings | None = AC) -> WorldSettings:
    settings = WorldSettings()
    station = settings.station
    offer = replace(station.iso2.offer, modes=modes_of(ac))
    iso2 = replace(station.iso2, offer=offer)
    return replace(
        settings,
        station=replace(station, ac=ac, is_free=is_free, iso2=iso2),
        bench=BenchSettings(mains_v=ac.nominal_v if ac else None),
    )


def is_nominal(duty_pct: float) -> bool:
    return duty_pct == pytest.approx(NOMINAL_PCT)


def test_a_car_that_does_not_talk_is_charged_by_the_duty() -> None:
    place = Place(is_free=True)
    place.show(CarPilot.B, 60.0)
    assert place.phase is Phase.BASIC
    five, fault, steady, nominal = place.duties[-4:]
    assert (five, fault, steady) == (5.0, 0.0, 100.0)
    assert is_nominal(nominal)
    assert not place.is_closed
    for _ in range(2):
        place.show(CarPilot.C)
        assert place.is_closed
        assert place.world.bench.inlet(place.world.now) == (230.0, DRAWN_A)
        place.show(CarPilot.B)
        assert not place.is_closed
    place.show(CarPilot.C, 3600.0)
    assert place.is_closed
    place.world.drive(Unplug())
    place.wait(5.0)
    assert (place.phase, place.is_closed) == (Phase.IDLE, False)
    assert place.world.invariants.violations == []


def test_who_is_authorised_before_plugging_in_is_offered_current_at_once() -> None:
    place = Place(is_free=False)
    place.authorise()
    place.show(CarPilot.B)
    assert is_nominal(place.duties[-1])
    assert 5.0 not in place.duties
    assert 0.0 not in place.duties[1:]  # the first is before the start


def test_authorisation_while_nobody_talks_changes_to_current() -> None:
    place = Place(is_free=False)
    place.show(CarPilot.B, 5.0)
    assert place.duties[-1] == 5.0
    place.authorise()
    place.wait(1.0)
    assert place.duties[-1] == 0.0
    place.wait(10.0)
    assert is_nominal(place.duties[-1])


def test_without_authorisation_there_is_no_current() -> None:
    place = Place(is_free=False)
    place.show(CarPilot.C, 400.0)
    assert place.phase is Phase.FINISHED
    assert place.duties[-1] == 100.0
    assert not any(is_nominal(duty_pct) for duty_pct in place.duties)
    assert not place.is_closed


def test_a_dc_outlet_offers_no_current_by_the_duty() -> None:
    place = Place(is_free=True, ac=None)
    place.show(CarPilot.C, 400.0)
    assert not any(is_nominal(duty_pct) for duty_pct in place.duties)
    assert not place.is_closed


def test_ventilation_that_is_not_there_is_not_given() -> None:
    place = Place(is_free=True)
    place.show(CarPilot.B, 60.0)
    place.show(CarPilot.D)
    assert not place.is_closed
    place.show(CarPilot.C)
    assert place.is_closed
    place.show(CarPilot.D)
    assert not place.is_closed


def test_a_car_asks_again_while_the_contactor_opens() -> None:
    place = Place(is_free=True)
    place.show(CarPilot.B, 60.0)
    place.show(CarPilot.C)
    place.show(CarPilot.B, 0.06)
    place.show(CarPilot.C)
    assert place.is_closed
    assert place.world.invariants.violations == []


def test_a_car_may_talk_while_the_duty_offers_current() -> None:
    tester = LowerTester(station_settings(is_free=False))
    tester.wait(2.0)
    tester.world.tell(Authorised(is_granted=True, by="a test"))
    tester.plug()
    assert tester.until(lambda: tester.probe.is_linked, LINK_S)
    assert is_nominal(tester.duties[-1][1])
    tester.pilot(CarPilot.C)
    tester.wait(2.0)
    assert tester.world.bench.contactor_is_closed(tester.now)
    tester.search(sdp.build_request(sdp.Security.NONE))
    assert tester.until(lambda: bool(tester.probe.datagrams), 1.0)
    assert tester.connect()
    offer = AppProtocol(
        protocol_namespace="urn:iso:15118:2:2013:MsgDef",
        version_number_major=2,
        version_number_minor=0,
        schema_id=1,
        priority=1,
    )
    tester.ask(SupportedAppProtocolReq(app_protocol=(offer,)))
    tester.line.protocol = "iso2"
    for name in ("SessionSetupReq", "ServiceDiscoveryReq"):
        good(tester, name)
    assert tester.world.station.phase is Phase.SESSION
    assert is_nominal(tester.duties[-1][1])
    assert tester.world.invariants.violations == []


def test_an_ac_outlet_does_not_serve_din_which_knows_dc_here() -> None:
    assert Place(is_free=True).world.station.talk.protocols == ("iso2",)
    assert "din" in Place(is_free=True, ac=None).world.station.talk.protocols


def matched_at_nominal(*, interrupts: bool) -> LowerTester:
    """Return a car that charges by the duty and has a link, and a session."""
    settings = station_settings(is_free=False)
    station = replace(settings.station, interrupts_on_link_loss=interrupts)
    tester = LowerTester(replace(settings, station=station))
    tester.wait(2.0)
    allow(tester)
    for step in steps(CHARGED) or ():
        step(tester)
    assert tester.world.station.phase is Phase.SESSION
    assert is_nominal(tester.duties[-1][1])
    assert is_closed(tester)
    return tester


def allow(tester: LowerTester) -> None:
    tester.world.tell(Authorised(is_granted=True, by="a test"))


def is_closed(tester: LowerTester) -> bool:
    return tester.world.bench.contactor_is_closed(tester.now)


def test_a_lost_link_ends_the_session_and_not_the_charge_by_the_duty() -> None:
    tester = matched_at_nominal(interrupts=False)
    told = len(tester.duties)
    old_nmk = tester.world.medium.modem(EVSE).nmk
    tester.world.medium.cut(EV)
    tester.wait(30.0)
    assert tester.world.station.phase is Phase.BASIC
    assert len(tester.duties) == told
    assert is_closed(tester)
    assert tester.probe.connection is None
    assert tester.world.medium.modem(EVSE).nmk != old_nmk
    tester.world.medium.mend(EV)
    assert asked(tester) == 1  # SLAC goes on, with a new key
    tester.pilot(CarPilot.B)
    tester.wait(1.0)
    assert not is_closed(tester)
    assert tester.world.invariants.violations == []


def test_a_lost_link_ends_it_all_where_the_owner_wants_so() -> None:
    tester = matched_at_nominal(interrupts=True)
    tester.world.medium.cut(EV)
    tester.wait(5.0)
    assert not is_closed(tester)
    assert tester.duties[-1][1] == 100.0
    tester.wait(10.0)
    assert [duty for _, duty in tester.duties[-3:]][:2] == [0.0, 100.0]
    assert is_nominal(tester.duties[-1][1])
    assert tester.world.station.phase is Phase.BASIC


def asked(tester: LowerTester) -> int:
    """Ask once to be matched; return how often the station has answered."""
    answers: list[object] = []

    def watch(_: float, __: object, actions: Sequence[object]) -> None:
        frames = (wire.parse(a.frame) for a in actions if isinstance(a, SendFrame))
        answers.extend(f for f in frames if f and isinstance(f.mme, CmSlacParmCnf))

    tester.world.watchers.append(watch)
    req = CmSlacParmReq(run_id=bytes(8))
    raw = wire.build(wire.BROADCAST_MAC, EV_MAC, req)
    tester.world.tell(FrameIn(raw))
    tester.world.watchers.remove(watch)
    return len(answers)


def test_slac_is_answered_as_long_as_the_duty_offers_current() -> None:
    tester = LowerTester(station_settings(is_free=False))
    tester.wait(2.0)
    allow(tester)
    tester.world.drive(Plug())
    tester.world.medium.cut(EV)
    tester.wait(600.0)
    assert tester.world.station.phase is Phase.BASIC
    assert asked(tester) == 1


@pytest.mark.parametrize("does_connect", [True, False])
def test_a_car_that_is_being_matched_when_it_is_authorised_may_come_to_its_session(
    *, does_connect: bool
) -> None:
    tester = LowerTester(station_settings(is_free=False))
    tester.wait(2.0)
    tester.plug()
    assert tester.until(lambda: tester.world.station.line.is_matching, LINK_S)
    allow(tester)
    assert tester.until(lambda: tester.world.station.phase is Phase.SETUP, LINK_S)
    tester.wait(4.5)
    assert tester.duties[-1][1] == 5.0
    if does_connect:
        assert tester.connect()
    tester.wait(9.0)
    duties = [duty for _, duty in tester.duties]
    assert 0.0 not in duties[1:]
    assert is_nominal(duties[-1]) is not does_connect
    assert (duties[-1] == 5.0) is does_connect


@pytest.mark.parametrize("patience_s", [0.0, 3.0])
def test_a_car_that_is_not_matched_in_time_is_offered_current(
    patience_s: float,
) -> None:
    settings = station_settings(is_free=False)
    station = replace(settings.station, patience_s=patience_s)
    tester = LowerTester(replace(settings, station=station))
    tester.wait(2.0)
    tester.plug()
    line = tester.world.station.line
    assert tester.until(lambda: line.slac_state == "wait_link", LINK_S)
    tester.world.medium.cut(EV)
    allow(tester)
    began = tester.now
    tester.wait(20.0)
    (at, steady), (on_at, nominal) = tester.duties[-2:]
    assert (at - began, steady) == pytest.approx((patience_s, 100.0))
    assert on_at - at >= 3.0
    assert is_nominal(nominal)
    assert tester.world.station.phase is Phase.BASIC


@pytest.mark.parametrize("waited_s", [5.0, 130.0, 400.0])
def test_authorisation_comes_never_too_late(waited_s: float) -> None:
    place = Place(is_free=False)
    place.show(CarPilot.B, waited_s)
    place.authorise()
    place.wait(10.0)
    assert place.phase is Phase.BASIC
    assert is_nominal(place.duties[-1])


def test_authorisation_at_a_dc_outlet_gives_a_car_that_was_given_up_another_try() -> (
    None
):
    place = Place(is_free=False, ac=None)
    place.show(CarPilot.B, 400.0)
    assert place.duties[-1] == 100.0
    place.authorise()
    place.wait(10.0)
    assert place.duties[-1] == 5.0
    place.wait(400.0)
    assert place.duties[-1] == 100.0
    assert place.phase is Phase.FINISHED


def test_authorisation_after_a_charge_begins_no_other_one() -> None:
    place = Place(is_free=True)
    place.show(CarPilot.B, 60.0)
    assert is_nominal(place.duties[-1])
    place.world.tell(StopRequested(StopCause.USER))
    place.wait(10.0)
    place.authorise()
    place.wait(10.0)
    assert place.phase is Phase.FINISHED
    assert place.duties[-1] == 100.0


@pytest.mark.parametrize("does_stop", [True, False])
def test_a_car_that_is_matched_and_never_talks_is_charged_by_the_duty_at_last(
    *, does_stop: bool
) -> None:
    tester = LowerTester(station_settings(is_free=True))
    tester.wait(2.0)
    tester.plug()
    assert tester.until(lambda: tester.world.station.phase is Phase.SETUP, LINK_S)
    if does_stop:
        tester.world.tell(StopRequested(StopCause.USER))
    tester.wait(300.0)
    assert is_nominal(tester.duties[-1][1]) is not does_stop
    expected = Phase.FINISHED if does_stop else Phase.BASIC
    assert tester.world.station.phase is expected
    assert tester.world.invariants.violations == []
