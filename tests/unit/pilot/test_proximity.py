"""The proximity machine: a cable counts when it has lasted 50 ms."""

from __future__ import annotations

from pilothat.pilot.proximity import Cable, Proximity, ProximityFact


def test_cable_is_reported_when_it_has_lasted() -> None:
    proximity = Proximity()
    assert proximity.handle(220.0, 0.0) == ()
    assert proximity.tick(0.049) == ()
    assert proximity.tick(0.05) == (ProximityFact(Cable.A32),)
    assert proximity.cable is Cable.A32
    assert proximity.tick(1.0) == ()


def test_short_break_is_ignored() -> None:
    proximity = Proximity()
    proximity.handle(220.0, 0.0)
    proximity.tick(0.05)
    proximity.handle(9999.0, 1.0)
    proximity.handle(220.0, 1.049)
    assert proximity.deadline is None
    assert proximity.tick(2.0) == ()


def test_broken_cable_is_reported_in_the_middle_of_a_charge() -> None:
    proximity = Proximity()
    proximity.handle(220.0, 0.0)
    proximity.tick(0.05)
    proximity.handle(9999.0, 1.0)
    assert proximity.handle(9999.0, 1.05) == (ProximityFact(None),)


def test_other_cable_restarts_the_debounce() -> None:
    proximity = Proximity()
    proximity.handle(220.0, 0.0)
    proximity.handle(680.0, 0.04)
    assert proximity.deadline == 0.09
    assert proximity.tick(0.09) == (ProximityFact(Cable.A20),)
