"""Seeded sessions with faults, in the size that fits into every test run.

``pilothat sim --seeds 1000 --faults`` is the same with more of them; a seed that fails
here or there is one command to play again.
"""

from __future__ import annotations

import pytest

from pilothat.service.sim import play_one
from pilothat.twin import profile
from pilothat.twin.seeded import Report, Session, play

CHUNKS = [range(start, start + 20) for start in range(0, 200, 20)]


def _violated(seeds: range, *, has_faults: bool) -> list[Report]:
    reports = (play_one((seed, "all", has_faults)) for seed in seeds)
    return [report for report in reports if report.violations]


def _drawn(seeds: range) -> set[str]:
    sessions = (Session(s, profile.builtin("generic"), has_faults=True) for s in seeds)
    return {drawn.row.name for session in sessions for drawn in session.faults}


@pytest.mark.parametrize("seeds", CHUNKS, ids=str)
def test_no_rule_is_broken_whatever_goes_wrong(seeds: range) -> None:
    assert _violated(seeds, has_faults=True) == []


def test_every_known_car_charges_where_nothing_goes_wrong() -> None:
    assert _violated(range(len(profile.names())), has_faults=False) == []


def test_same_seed_gives_the_same_session_and_another_seed_another_one() -> None:
    car = profile.builtin("generic")
    first, again, other = (play(s, car, has_faults=True) for s in (7, 7, 8))
    assert first == again
    assert first.journal_sha256 != other.journal_sha256


def test_seeds_of_one_run_reach_most_of_the_menu() -> None:
    assert len(_drawn(range(200))) >= 35
