"""Disturb a whole charge at every event: nothing may be left on, nothing may hang.

Each case runs a fresh world up to an event, disturbs it, and lets it end. The cable is
pulled at each single event; the other disturbances come at every seventh.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.sim.short import Visit, complaints, gone_safely, idle_and_gentle, whole

from pilothat.station.events import StopCause, StopRequested
from pilothat.twin.bench import BenchFault
from pilothat.twin.car import Unplug
from pilothat.twin.stage import EV
from pilothat.v2g.evcc.events import Outcome

EVENTS = whole().world.events
STEP = 7
PARTS = [range(start, min(start + 48, EVENTS)) for start in range(1, EVENTS, 48)]
COARSE = [
    range(start, EVENTS, STEP * 2)
    for start in (1, 1 + STEP)  # two halves, for two workers
]


def _named(part: range) -> str:
    return f"{part.start}-{part.stop - 1}by{part.step}"


every_event = pytest.mark.parametrize("part", PARTS, ids=_named)
every_seventh = pytest.mark.parametrize("part", COARSE, ids=_named)


def pull(visit: Visit) -> None:
    visit.world.drive(Unplug())


def drop(visit: Visit) -> None:
    visit.world.drop_connection()


def cut(visit: Visit) -> None:
    visit.world.medium.cut(EV)
    visit.world.after(3.0, lambda: visit.world.medium.mend(EV))


def freeze(visit: Visit) -> None:
    visit.held.is_frozen = True


def press(visit: Visit) -> None:
    visit.world.inject(BenchFault.ESTOP)
    visit.world.after(2.0, lambda: visit.world.inject(BenchFault.ESTOP, on=False))


def stall(visit: Visit) -> None:
    visit.world.stall(0.4)


def hiccup(visit: Visit) -> None:
    visit.world.stall(0.04)


def stop(visit: Visit) -> None:
    visit.world.tell(StopRequested(StopCause.USER))


def shut_down(visit: Visit) -> None:
    visit.world.tell(StopRequested(StopCause.SHUTDOWN))


def charged(visit: Visit) -> Iterator[str]:
    """Complain unless the charge went on as if nothing had happened."""
    yield from idle_and_gentle(visit)
    if visit.car.outcome is not Outcome.CHARGED:
        yield f"{visit.car.outcome}: {visit.car.reason}"


def test_undisturbed_visit_charges_and_breaks_no_rule() -> None:
    visit = whole()
    assert visit.car.outcome is Outcome.CHARGED
    assert visit.world.invariants.violations == []
    assert visit.world.bench.load_breaks == []


@every_event
def test_cable_pulled_at_any_event_leaves_an_idle_and_safe_station(part: range) -> None:
    assert complaints(part, pull) == []


@every_seventh
def test_connection_dropped_at_any_time_is_survived(part: range) -> None:
    assert complaints(part, drop) == []


@every_seventh
def test_link_cut_for_a_while_at_any_time_is_survived(part: range) -> None:
    assert complaints(part, cut) == []


@every_seventh
def test_car_that_falls_silent_at_any_time_is_survived(part: range) -> None:
    assert complaints(part, freeze) == []


@every_seventh
def test_emergency_stop_at_any_time_makes_safe_and_can_be_released(part: range) -> None:
    assert complaints(part, press) == []


@every_seventh
def test_main_program_hung_beyond_its_lease_is_survived(part: range) -> None:
    assert complaints(part, stall) == []


@every_seventh
def test_main_program_hung_within_its_lease_does_no_harm(part: range) -> None:
    assert complaints(part, hiccup, charged) == []


@every_seventh
def test_user_stop_at_any_time_ends_in_order(part: range) -> None:
    assert complaints(part, stop, idle_and_gentle) == []


@every_seventh
def test_shutdown_at_any_time_ends_in_order(part: range) -> None:
    assert complaints(part, shut_down, gone_safely) == []
