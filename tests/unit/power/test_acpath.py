"""The AC outlet: closes when told, opens at once, names a contactor that is stuck."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pilothat.faults import Fault
from pilothat.plant import (
    CheckCable,
    Cut,
    Deliver,
    Energise,
    PathPhase,
    PlantFact,
    PreCharge,
    RampDown,
    Wish,
)
from pilothat.power.acpath import CLOSE_S, OPEN_S, AcPath
from pilothat.power.path import ContactorIs, PathAction, PathFailed, Switch

CLOSE = Switch(is_contactor_closed=True, is_supply_enabled=False)
OPEN = Switch(is_contactor_closed=False, is_supply_enabled=False)
CLOSED, OPENED = ContactorIs(is_closed=True), ContactorIs(is_closed=False)


def delivering() -> AcPath:
    path = AcPath()
    path.handle(Energise(), 0.0)
    path.handle(CLOSED, 0.1)
    assert path.phase is PathPhase.DELIVERING
    return path


def in_phase(phase: PathPhase) -> AcPath:
    path = AcPath()
    if phase is not PathPhase.OFF:
        path.handle(Energise(), 0.0)
    if phase in (PathPhase.DELIVERING, PathPhase.OPENING):
        path.handle(CLOSED, 0.1)
    if phase is PathPhase.OPENING:
        path.handle(RampDown(), 0.2)
    if phase is PathPhase.FAILED:
        path.tick(CLOSE_S)
    assert path.phase is phase
    return path


def test_it_closes_and_opens() -> None:
    path = AcPath()
    assert path.handle(Energise(), 0.0) == (CLOSE,)
    assert (path.phase, path.deadline) == (PathPhase.CLOSING, CLOSE_S)
    assert path.handle(CLOSED, 0.1) == ()
    assert (path.phase, path.deadline) == (PathPhase.DELIVERING, None)
    assert path.handle(RampDown(), 5.0) == (OPEN,)
    assert (path.phase, path.deadline) == (PathPhase.OPENING, 5.0 + OPEN_S)
    path.handle(OPENED, 5.1)
    assert (path.phase, path.deadline) == (PathPhase.OFF, None)


def test_contactor_that_does_not_close_is_let_go_and_named() -> None:
    path = in_phase(PathPhase.CLOSING)
    assert path.tick(CLOSE_S - 0.001) == ()
    assert path.tick(CLOSE_S) == (OPEN, PathFailed(Fault.CONTACTOR_STUCK_OPEN))
    assert path.phase is PathPhase.FAILED
    path.forget()
    assert path.phase.value == "off"


def test_contactor_that_does_not_open_is_named() -> None:
    path = in_phase(PathPhase.OPENING)
    late = path.tick(0.2 + OPEN_S)
    assert late == (OPEN, PathFailed(Fault.CONTACTOR_WELDED))


def test_a_contactor_the_guard_has_opened_is_not_wanted_closed() -> None:
    path = delivering()
    assert path.handle(OPENED, 3.0) == (OPEN,)
    assert path.phase is PathPhase.OFF


LIVE = (PathPhase.CLOSING, PathPhase.DELIVERING)
HEARD: Sequence[tuple[Wish, tuple[PathPhase, ...], tuple[PathAction, ...]]] = (
    (Energise(), (PathPhase.OFF,), (CLOSE,)),
    (RampDown(), LIVE, (OPEN,)),
    (Cut(), LIVE, (OPEN,)),
    (CheckCable(), (), ()),
    (PreCharge(400.0), (), ()),
    (Deliver(400.0, 10.0), (), ()),
)
PHASES = (
    PathPhase.OFF,
    *LIVE,
    PathPhase.OPENING,
    PathPhase.FAILED,
)


@pytest.mark.parametrize(("wish", "phases", "actions"), HEARD)
@pytest.mark.parametrize("phase", PHASES)
def test_a_wish_is_heard_in_its_phases_only(
    phase: PathPhase,
    wish: Wish,
    phases: tuple[PathPhase, ...],
    actions: tuple[PathAction, ...],
) -> None:
    told = in_phase(phase).handle(wish, 1.0)
    # an outlet that closes has an open contactor: to open it again is done at once
    assert told == (actions if phase in phases else ())


def test_what_is_measured_is_kept() -> None:
    path = AcPath()
    fact = PlantFact(0.0, 230.0, 16.0)
    assert path.handle(fact, 0.0) == ()
    assert path.plant == fact
