"""Defects that simulation has found, each in the smallest world that shows it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import pytest
from tests.sim.short import begun

from pilothat.pilot.levels import PilotSample, PilotState
from pilothat.pilot.machine import Driven, Pilot
from pilothat.plant import PathPhase
from pilothat.station.actions import TcpSend
from pilothat.station.events import StopCause, StopRequested, TcpData
from pilothat.twin import profile
from pilothat.twin.bench import BenchFault
from pilothat.twin.car import Car
from pilothat.twin.carevents import CarAction, CarEvent
from pilothat.twin.seeded import play
from pilothat.twin.world import World
from pilothat.v2g import tp
from pilothat.v2g.messages import codec, din


def _charging_pilot() -> Pilot:
    pilot = Pilot()
    pilot.handle(Driven(5.0), 0.0)
    pilot.handle(PilotSample(6.0, -12.0), 0.0)
    pilot.tick(0.1)
    return pilot


def test_level_below_all_bands_is_a_fault_as_soon_as_a_short_is() -> None:
    pilot = _charging_pilot()
    pilot.handle(PilotSample(-14.8, -14.8), 1.0)
    assert pilot.deadline == 1.015
    pilot.tick(1.015)
    assert pilot.state is PilotState.INVALID


def test_level_between_two_bands_keeps_the_state_for_100_ms() -> None:
    pilot = _charging_pilot()
    pilot.handle(PilotSample(7.5, -12.0), 1.0)
    states = [pilot.tick(now) or pilot.state for now in (1.099, 1.1)]
    assert states[0] is PilotState.C2
    assert pilot.state is PilotState.INVALID


def test_gap_that_falls_below_all_bands_does_not_wait_for_the_rest_of_the_gap() -> None:
    pilot = _charging_pilot()
    pilot.handle(PilotSample(7.5, -12.0), 1.0)
    pilot.handle(PilotSample(-14.8, -14.8), 1.02)
    assert pilot.deadline == 1.035


def test_dead_adc_opens_the_contactor_within_100_ms() -> None:
    visit = begun()
    world = visit.world
    world.run(lambda: world.bench.contactor_is_closed(world.now), 20.0)
    world.inject(BenchFault.ADC_STUCK)
    world.run(lambda: False, world.now + 0.1)
    assert not world.bench.contactor_is_closed(world.now)


class Listener:
    """A car whose answers are listened to."""

    def __init__(self, car: Car) -> None:
        self.heard: list[bytes] = []
        self._car = car

    @property
    def deadline(self) -> float | None:
        return self._car.deadline

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        self.heard += [event.data] if isinstance(event, TcpData) else []
        return self._car.handle(event, now)

    def tick(self, now: float) -> Sequence[CarAction]:
        return self._car.tick(now)


@pytest.mark.parametrize("fault", [None, BenchFault.ISOLATION_FAULT])
def test_refusal_reaches_the_car_before_the_station_leaves_the_network(
    fault: BenchFault | None,
) -> None:
    visit = begun()
    world, listener = visit.world, Listener(visit.car)
    world.park(listener)
    sent: list[bytes] = []
    world.watchers.append(
        lambda _, __, actions: sent.extend(
            action.data for action in actions if isinstance(action, TcpSend)
        )
    )
    world.run(lambda: world.station.path.phase is PathPhase.CHECKING, 20.0)
    disturb = partial(world.inject, fault) if fault else partial(refuse, world)
    disturb()
    world.run(lambda: world.station.talk.session is None, 30.0)
    world.run(lambda: False, world.now + 1.0)
    assert listener.heard == sent


def refuse(world: World) -> None:
    """Let a request with a wrong session ID be refused."""
    stop = din.V2gMessage(
        header=din.MessageHeader(session_id=b"\xee" * 8), body=din.SessionStopReq()
    )
    payload = codec("din").encode(stop)
    data = tp.pack(tp.PayloadType.EXI, payload)
    world.invariants.asked(data)
    world.tell(TcpData(world.network.connection, data))


def test_stalled_program_hears_what_it_missed_in_order_and_at_once() -> None:
    visit = begun()
    world = visit.world
    world.run(lambda: False, 0.2)
    heard: list[tuple[float, object]] = []
    world.watchers.append(lambda now, event, _: heard.append((now, event)))
    goes_on_at = world.now + 0.5
    world.stall(0.5)
    missed = [StopRequested(StopCause.USER), StopRequested(StopCause.SHUTDOWN)]
    world.tell(missed[0])
    world.run(lambda: False, 0.21)
    world.tell(missed[1])
    world.run(lambda: False, 0.75)
    told = [(now, e) for now, e in heard if isinstance(e, StopRequested)]
    assert told == [(goes_on_at, missed[0]), (goes_on_at, missed[1])]


def test_stall_that_begins_within_another_lasts_until_the_later_end() -> None:
    visit = begun()
    world = visit.world
    world.run(lambda: False, 0.1)
    world.stall(1.0)
    world.stall(0.2)
    world.run(lambda: False, 1.05)
    assert world.is_main_stalled
    world.run(lambda: False, 1.15)
    assert not world.is_main_stalled


def test_car_that_opens_s2_just_after_the_supply_was_cut_breaks_no_rule() -> None:
    report = play(293, profile.builtin("tesla_modely"), has_faults=True)
    assert report.violations == ()
