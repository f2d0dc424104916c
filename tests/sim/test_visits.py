"""One car after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from tests.sim.short import QUICK, quick_car

from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSlacMatchCnf, CmValidateCnf
from pilothat.slac.settings import SlacSettings, Validates
from pilothat.station.actions import SendFrame
from pilothat.twin.car import Car, Phase, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.stage import EV_MAC
from pilothat.twin.world import World
from pilothat.v2g.evcc.events import Outcome

VISIT_S = 60.0
BETWEEN_S = 3.0


def _keys_of(world: World) -> list[bytes]:
    """Return a list that will hold every key the station hands out."""
    keys: list[bytes] = []

    def watch(_: float, __: object, actions: object) -> None:
        for action in actions if isinstance(actions, list | tuple) else ():
            sent = wire.parse(action.frame) if isinstance(action, SendFrame) else None
            if sent is not None and isinstance(sent.mme, CmSlacMatchCnf):
                keys.append(sent.mme.nmk)

    world.watchers.append(watch)
    return keys


def _visit(world: World, seed: int) -> Car:
    car = Car(quick_car(), EV_MAC, Chance(seed, "car"))
    world.park(car)
    world.drive(Plug())
    world.run(lambda: car.phase is Phase.AWAY, world.now + VISIT_S)
    world.run(lambda: False, world.now + BETWEEN_S)
    return car


def test_each_car_charges_and_gets_a_network_key_of_its_own() -> None:
    world = World(QUICK, 1)
    keys = _keys_of(world)
    world.run(lambda: False, 1.0)
    outcomes = [_visit(world, seed).outcome for seed in range(3)]
    assert outcomes == [Outcome.CHARGED] * 3
    assert len(keys) == len(set(keys)) == 3
    assert world.invariants.violations == []


def test_car_proves_by_toggles_of_the_pilot_whose_cable_it_is() -> None:
    station = replace(QUICK.station, slac=SlacSettings(validates=Validates.ALWAYS))
    world = World(replace(QUICK, station=station), 1)
    profile = quick_car()
    slac = replace(profile.slac, validates=True)
    car = Car(replace(profile, slac=slac), EV_MAC, Chance(1, "car"))
    counts: list[int] = []

    def watch(_: float, __: object, actions: Sequence[object]) -> None:
        sent = [wire.parse(a.frame) for a in actions if isinstance(a, SendFrame)]
        mmes = [frame.mme for frame in sent if frame is not None]
        counts.extend(m.toggle_num for m in mmes if isinstance(m, CmValidateCnf))

    world.watchers.append(watch)
    world.park(car)
    world.drive(Plug())
    world.run(lambda: car.phase is Phase.AWAY and world.now > 1.0, VISIT_S)
    assert counts == [0, 2]
    assert car.outcome is Outcome.CHARGED
    assert world.invariants.violations == []
