"""Matches by seed: two chargers and two cars near each other on a bad line."""

from __future__ import annotations

from dataclasses import dataclass

from tests.unit.slac.segment import Host, Segment

from pilothat.slac.events import EvSlacFailed, EvSlacMatched, SlacMatched
from pilothat.slac.settings import EvSlacSettings
from pilothat.twin.medium import MediumSettings

OWN_DB, NEIGHBOUR_DB = 10, 35
CAREFUL = EvSlacSettings(most_db=20.0)  # ISO 15118-3: not found above this
MOST_S = 40.0  # three attempts of a car take less
BETWEEN_S = 0.3  # from one car's plug to the other's


@dataclass(frozen=True, slots=True)
class Match:
    """How it went for one car.

    took_s: from plugging in to the key; None if it got none
    is_right: it got the key of its own charger, and that charger took no other car
    is_ended: nothing was left open
    """

    took_s: float | None
    is_right: bool
    is_ended: bool


def matched(seed: int, loss: float) -> tuple[Match, Match]:
    """Let both cars match at a share of lost messages; some come twice or late."""
    line = MediumSettings(
        loss=loss, doubling=0.02 if loss else 0.0, overtaking=0.05 if loss else 0.0
    )
    segment = Segment(line, seed)
    chargers = [segment.charger(number) for number in (1, 2)]
    cars = [segment.car(number, CAREFUL) for number in (1, 2)]
    for charger in chargers:
        for car in cars:
            is_own = charger.mac[5] == car.mac[5]
            level_db = OWN_DB if is_own else NEIGHBOUR_DB
            segment.medium.couple(charger.name, car.name, level_db)
    segment.run(1.0)
    plugged_at = []
    for car in cars:
        segment.plug(car)
        plugged_at.append(segment.now)
        segment.run(BETWEEN_S)
    segment.run(MOST_S)
    pairs = zip(chargers, cars, plugged_at, strict=True)
    first, second = (_judged(*pair) for pair in pairs)
    return first, second


def _judged(charger: Host, car: Host, plugged_at: float) -> Match:
    got = car.first(EvSlacMatched)
    keys = [a for _, a in car.told if isinstance(a, EvSlacMatched)]
    taken = [a for _, a in charger.told if isinstance(a, SlacMatched)]
    is_right = all(key.evse_mac == charger.mac for key in keys)
    is_right = is_right and all(one.ev_mac == car.mac for one in taken)
    is_ended = got is not None or car.first(EvSlacFailed) is not None
    return Match(None if got is None else got - plugged_at, is_right, is_ended)
