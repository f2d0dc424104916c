"""A session's journal, fed to a fresh station, gives the same actions bit for bit."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.sim.short import QUICK, quick_car, whole

from pilothat.service.replayjournal import replay
from pilothat.station.events import SecondLook
from pilothat.twin import profile
from pilothat.twin.car import Car, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.seeded import Session
from pilothat.twin.stage import EV_MAC
from pilothat.twin.world import World


def _lines() -> list[str]:
    world = World(replace(QUICK, keeps_lines=True), 1)
    world.park(Car(quick_car(), EV_MAC, Chance(1, "car")))
    world.after(0.3, lambda: world.drive(Plug()))
    world.run(lambda: False, 10.0)
    return world.lines


def test_same_seed_gives_the_same_hash() -> None:
    assert whole().world.journal_sha256 == whole().world.journal_sha256


def test_journal_of_a_charge_replays() -> None:
    lines = _lines()
    outcome = replay("\n".join(lines))
    assert (outcome.line, outcome.entries) == (0, len(lines) - 1)


def test_journal_of_a_charge_that_a_second_look_ended_replays() -> None:
    world = World(replace(QUICK, keeps_lines=True), 1)
    car = Car(quick_car(), EV_MAC, Chance(1, "car"))
    world.park(car)
    world.drive(Plug())
    world.run(lambda: car.phase_text == "charging", 60.0)
    world.tell(SecondLook(False, is_contactor_closed=False, is_estop_released=True))
    world.run(lambda: False, world.now + 10.0)
    world.tell(SecondLook(True, is_contactor_closed=False, is_estop_released=True))
    world.run(lambda: False, world.now + 1.0)
    lines = world.lines
    assert sum('"type":"SecondLook"' in line for line in lines) == 2
    assert any('"type":"Raise","fault":"BOARD_LOST"' in line for line in lines)
    outcome = replay("\n".join(lines))
    assert (outcome.line, outcome.entries) == (0, len(lines) - 1)


@pytest.mark.parametrize("seed", range(12))
def test_journal_of_a_faulty_session_replays(seed: int) -> None:
    car = profile.builtin("generic")
    session = Session(seed, car, has_faults=True, keeps_lines=True)
    session.run()
    assert replay("\n".join(session.world.lines)).line == 0


def test_changed_action_is_found_with_its_line() -> None:
    lines = _lines()
    at = next(n for n, line in enumerate(lines) if '"duty_pct":5.0' in line)
    lines[at] = lines[at].replace('"duty_pct":5.0', '"duty_pct":6.0')
    outcome = replay("\n".join(lines))
    assert outcome.line == at + 1
    assert '"duty_pct":5.0' in outcome.now


def test_line_that_was_cut_off_when_the_program_died_is_no_difference() -> None:
    lines = _lines()
    text = "\n".join([*lines[:50], lines[50][:40]])
    assert replay(text).line == 0
