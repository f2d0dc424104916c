"""A whole charge in as few events as possible, to be disturbed at each of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from pilothat.plant import SAFE_V
from pilothat.power.regulation import OPEN_A
from pilothat.station.phases import Phase as StationPhase
from pilothat.twin.bench import BenchSettings
from pilothat.twin.car import Car, Phase, Plug, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.faults import Held
from pilothat.twin.plant import IsolationSettings, SupplySettings
from pilothat.twin.profile import CarProfile
from pilothat.twin.stage import EV_MAC, WorldSettings, fitting
from pilothat.twin.world import World

PLUG_AT_S = 0.3
VISIT_S = 90.0  # then the cable is pulled at the latest
BACK_S = 60.0
DISCHARGE_S = 1.5  # an outlet has lost its voltage by then
QUICK = WorldSettings(
    bench=BenchSettings(
        isolation=IsolationSettings(self_test_s=0.2, measure_s=0.2),
        supply=SupplySettings(slew_v_per_s=2000.0, slew_a_per_s=500.0),
    )
)


def quick_car(base: CarProfile | None = None) -> CarProfile:
    """Return a car that is almost full and says little."""
    base = base or CarProfile()
    return replace(
        base,
        battery=replace(base.battery, soc_pct=79.995),
        car=replace(base.car, unplugs_after_s=0.5, wake_s=0.05),
        session=replace(
            base.session, pace=replace(base.session.pace, repeat_s=0.3, loop_s=0.2)
        ),
    )


@dataclass(frozen=True, slots=True)
class Visit:
    """A world with a car that is about to be plugged in."""

    world: World
    car: Car
    held: Held

    @property
    def is_over(self) -> bool:
        return self.car.phase is Phase.AWAY and self.world.now > PLUG_AT_S


Act = Callable[[Visit], None]


def begun(seed: int = 1, profile: CarProfile | None = None) -> Visit:
    """Return a visit at its beginning."""
    kind = quick_car(profile)
    world = World(fitting(kind, QUICK), seed)
    car = Car(kind, EV_MAC, Chance(seed, "car"))
    held = Held(car)
    world.park(held)
    world.after(PLUG_AT_S, lambda: world.drive(Plug()))
    return Visit(world, car, held)


def whole(profile: CarProfile | None = None) -> Visit:
    """Return an undisturbed visit at its end."""
    visit = begun(profile=profile)
    visit.world.run(lambda: visit.is_over, VISIT_S)
    return visit


def disturbed(event: int, act: Act, profile: CarProfile | None = None) -> Visit:
    """Return a visit that was disturbed after so many events, at its end."""
    visit = begun(profile=profile)
    world = visit.world
    world.run(lambda: world.events >= event, VISIT_S)
    act(visit)
    world.run(lambda: visit.is_over, VISIT_S)
    world.drive(Unplug())
    world.run(lambda: world.station.phase is StationPhase.IDLE, world.now + BACK_S)
    world.run(lambda: False, world.now + DISCHARGE_S)
    return visit


def complaints(
    events: Iterable[int],
    act: Act,
    judge: Callable[[Visit], Iterator[str]] | None = None,
    profile: CarProfile | None = None,
) -> list[str]:
    """Return what was wrong after a disturbance at each of these events."""
    return [
        f"event {event}: {told}"
        for event in events
        for told in _wrong(disturbed(event, act, profile), judge or idle)
    ]


def _wrong(visit: Visit, judge: Callable[[Visit], Iterator[str]]) -> Iterator[str]:
    world = visit.world
    yield from world.invariants.violations
    yield from judge(visit)
    if world.bench.contactor_is_closed(world.now):
        yield "the contactor is closed"
    if world.bench.plant(world.now).outlet_v >= SAFE_V:  # type: ignore[union-attr]  # the supply is mended
        yield "there is voltage on the outlet"


def idle(visit: Visit) -> Iterator[str]:
    """Complain unless the station is ready for the next car."""
    station = visit.world.station
    if station.phase is not StationPhase.IDLE:
        faults = [fault.name for fault in station.faults.all]
        yield f"the station is {station.phase.value}, {faults}"


def idle_and_gentle(visit: Visit) -> Iterator[str]:
    """Complain of a contact that opened under current, too."""
    yield from idle(visit)
    yield from _broken(visit)


def gone_safely(visit: Visit) -> Iterator[str]:
    """Complain unless the station is safe to be switched off."""
    if not visit.world.station.is_safe:
        yield f"the station is {visit.world.station.phase.value}"
    yield from _broken(visit)


def _broken(visit: Visit) -> Iterator[str]:
    breaks = visit.world.bench.load_breaks
    return (f"broken: {one}" for one in breaks if one.current_a > OPEN_A)
