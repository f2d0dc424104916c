"""AC charging by the duty alone: who is offered it, and what the pilot then does."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from pilothat.conformance.road import good
from pilothat.conformance.tester import LINK_S, Tester
from pilothat.guard import Want
from pilothat.plant import AcRatings
from pilothat.station.events import Authorised
from pilothat.station.phases import Phase
from pilothat.twin.bench import BenchSettings, CarElectrics
from pilothat.twin.carevents import CarAction, CarEvent, Plug, SetElectrics, Unplug
from pilothat.twin.circuit import CarPilot
from pilothat.twin.stage import WorldSettings
from pilothat.twin.world import World
from pilothat.v2g import sdp
from pilothat.v2g.messages.sap import AppProtocol, SupportedAppProtocolReq
from pilothat.v2g.secc.iso2_answers import modes_of

AC = AcRatings(max_a=16.0)
NOMINAL_PCT = 16.0 / 0.6
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
    tester = Tester(station_settings(is_free=False))
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
