"""The second witness: a difference that lasts is told, and nothing else ever is."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import inf
from random import Random

import pytest

from pilothat.board.lamps import Sensed
from pilothat.faults import Fault
from pilothat.guard import GuardFact, PilotFact
from pilothat.pilot.levels import PilotState
from pilothat.runtime.guardlink import Alive
from pilothat.runtime.panel import TICK_S, Reading
from pilothat.runtime.witness import Witness, word_of
from pilothat.station.events import SecondLook

OPEN, CLOSED = Sensed(False, True), Sensed(True, True)
PRESSED = Sensed(False, False)
BOTH = (False, True)
EVERY = [Sensed(closed, released) for closed in BOTH for released in BOTH]
ALIVE_S = 1.0  # of the guard
# what is promised, not what is written
SETTLED_S, LASTS_S, READINGS = 1.0, 1.0, 3
LATE_S, GAP_S = 0.5, 2.0


def fact_of(word: Sensed, *faults: Fault) -> GuardFact:
    stop = () if word.is_estop_released else (Fault.EMERGENCY_STOP,)
    return GuardFact(word.is_closed, False, (*faults, *stop))


def told(agrees: bool, seen: Sensed) -> SecondLook:
    return SecondLook(agrees, seen.is_closed, seen.is_estop_released)


@dataclass
class Played:
    """A witness in virtual time: a guard that says what it likes, and a panel."""

    fact: GuardFact = field(default_factory=lambda: fact_of(OPEN))
    sees: Sensed = OPEN
    now: float = 100.0
    late_s: float = 0.002  # from a look to main
    tick_s: float = TICK_S
    turns: bool = True  # the guard
    looks: bool = True  # the panel

    def __post_init__(self) -> None:
        self.witness = Witness()
        self._alive_at = self._look_at = self.now

    def says(self, fact: GuardFact) -> None:
        self.fact = fact
        self.witness.hear(fact, self.now)

    def run(self, duration_s: float) -> list[tuple[float, SecondLook]]:
        """Let time pass; return what is told, and how long after the beginning."""
        began, end, news = self.now, self.now + duration_s, []
        while min(self._alive_at, self._look_at) < end:
            if self._alive_at <= self._look_at:
                self.now, self._alive_at = self._alive_at, self._alive_at + ALIVE_S
                if self.turns:
                    self.witness.hear(Alive(), self.now)
                continue
            at, self._look_at = self._look_at, self._look_at + self.tick_s
            self.now = at + self.late_s
            if self.looks and (look := self.look(at)) is not None:
                news.append((self.now - began, look))
        self.now = end
        return news

    def look(self, at: float) -> SecondLook | None:
        return self.witness.saw(Reading(at, self.sees), self.fact, self.now)


def of(news: Sequence[tuple[float, SecondLook]]) -> list[SecondLook]:
    return [look for _, look in news]


# --- what is told


@pytest.mark.parametrize("word", EVERY)
@pytest.mark.parametrize("seen", EVERY)
def test_difference_that_lasts_is_told_once_and_so_is_its_end(
    word: Sensed, seen: Sensed
) -> None:
    played = Played(fact_of(word), word)
    assert played.run(10.0) == []
    played.sees = seen
    expected = [] if seen == word else [told(False, seen)]
    assert of(played.run(60.0)) == expected
    played.sees = word
    assert of(played.run(60.0)) == [replace(told(True, word)) for _ in expected]


def test_it_takes_no_longer_than_it_must() -> None:
    played = Played()
    played.run(10.0)
    played.sees = PRESSED
    ((after_s, _),) = played.run(60.0)
    assert LASTS_S <= after_s <= LASTS_S + ALIVE_S + TICK_S


def test_guard_that_errs_is_told_as_well_as_a_panel_that_does() -> None:
    played = Played()
    played.run(10.0)
    played.says(fact_of(PRESSED))
    ((after_s, look),) = played.run(60.0)
    assert look == told(False, OPEN)
    assert SETTLED_S + LASTS_S <= after_s <= SETTLED_S + LASTS_S + ALIVE_S + TICK_S


def test_word_of_the_guard_is_the_contact_and_the_stop_as_it_read_them() -> None:
    assert word_of(fact_of(CLOSED, Fault.CONTACTOR_WELDED)) == CLOSED
    assert word_of(fact_of(PRESSED, Fault.LEASE_LOST)) == PRESSED
    assert word_of(GuardFact(True, is_supply_enabled=True)) == CLOSED
    assert word_of(fact_of(OPEN, Fault.BOARD_LOST)) is None
    assert word_of(GuardFact(False, False, (Fault.GUARD_LOST,))) is None


# --- what is not


def test_welded_contactor_that_both_see_is_no_difference() -> None:
    played = Played()
    played.run(10.0)
    played.sees = CLOSED
    played.says(fact_of(CLOSED, Fault.CONTACTOR_WELDED))
    assert played.run(60.0) == []


def test_contactor_that_moves_or_bounces_is_no_difference() -> None:
    played = Played()
    played.run(10.0)
    for number in range(100):
        played.sees = (CLOSED, OPEN)[number % 2]  # the panel is first
        assert played.run(0.3 + 0.05 * (number % 3)) == []
        played.says(fact_of(played.sees))
        assert played.run(TICK_S * (number % 4)) == []


def test_word_that_moves_between_two_readings_has_not_stood() -> None:
    """A wire that chatters: each looks at another moment, and both are right."""
    played = Played(sees=PRESSED)
    for _ in range(100):
        assert played.run(TICK_S) == []
        played.says(fact_of(PRESSED))
        played.says(fact_of(OPEN))


def test_two_readings_are_too_few_however_long_they_last() -> None:
    played = Played(tick_s=1.5)
    played.run(9.0)
    for _ in range(20):
        played.sees = PRESSED
        assert played.run(1.5 * (READINGS - 1)) == []
        played.sees = OPEN
        assert played.run(1.5) == []


def test_many_readings_at_once_do_not_last_long_enough() -> None:
    played = Played(tick_s=LASTS_S / 20)
    played.run(10.0)
    for _ in range(20):
        played.sees = PRESSED
        assert played.run(LASTS_S * 0.9) == []
        played.sees = OPEN
        assert played.run(LASTS_S * 0.3) == []


@pytest.mark.parametrize(
    "spoil",
    [
        lambda played: setattr(played, "looks", False),  # dead
        lambda played: setattr(played, "late_s", LATE_S + 0.01),  # slow
        lambda played: setattr(played, "tick_s", GAP_S + 0.1),  # it hardly runs
        lambda played: setattr(played, "turns", False),  # the guard hangs
        lambda played: played.says(fact_of(OPEN, Fault.BOARD_LOST)),
        lambda played: played.says(GuardFact(False, False, (Fault.GUARD_LOST,))),
    ],
)
def test_who_is_no_witness_tells_nothing(spoil: Callable[[Played], None]) -> None:
    played = Played()
    played.run(10.0)
    spoil(played)
    played.sees = PRESSED
    assert played.run(120.0) == []


def test_guard_that_was_not_heard_yet_has_no_word() -> None:
    """It has not opened its board: the pins are not even pulled."""
    played = Played(turns=False, sees=PRESSED)
    assert played.run(60.0) == []
    played.turns, played.sees = True, OPEN
    assert played.run(60.0) == []


def test_stop_that_was_pressed_when_the_guard_began_is_no_difference() -> None:
    played = Played(turns=False, sees=PRESSED)
    played.run(30.0)
    played.witness.hear(PilotFact(PilotState.A1, 12.0, None, 100.0), played.now)
    played.turns = True
    assert played.run(0.01) == []
    played.says(fact_of(PRESSED))
    assert played.run(60.0) == []


def test_board_that_comes_back_is_compared_anew() -> None:
    """Daemon started again: the guard knows nothing until it has looked."""
    played = Played(fact_of(PRESSED), PRESSED)
    played.run(10.0)
    for _ in range(5):
        played.says(fact_of(PRESSED, Fault.BOARD_LOST))
        played.looks = False  # the panel lost the daemon, too
        assert played.run(1.3) == []
        played.says(fact_of(OPEN))  # nothing is known to be bad
        played.looks = True
        assert played.run(SETTLED_S * 0.9) == []
        played.says(fact_of(PRESSED))
        assert played.run(SETTLED_S * 0.9) == []
    assert played.run(60.0) == []


def test_panel_that_is_started_again_goes_on_and_a_difference_stands_meanwhile() -> (
    None
):
    played = Played()
    played.run(10.0)
    played.sees = PRESSED
    assert of(played.run(10.0)) == [told(False, PRESSED)]
    played.looks = False
    assert played.run(60.0) == []
    played.looks = True
    assert played.run(60.0) == []
    played.sees = OPEN
    assert of(played.run(10.0)) == [told(True, OPEN)]


def test_difference_stands_while_the_guard_has_no_board() -> None:
    played = Played()
    played.run(10.0)
    played.sees = PRESSED
    played.run(10.0)
    played.says(fact_of(OPEN, Fault.BOARD_LOST))
    assert played.run(10.0) == []
    played.says(fact_of(OPEN))
    assert played.run(10.0) == []
    played.sees = OPEN
    assert of(played.run(10.0)) == [told(True, OPEN)]


def test_a_single_agreement_ends_no_difference() -> None:
    played = Played()
    played.run(10.0)
    played.sees = PRESSED
    played.run(10.0)
    for _ in range(20):
        played.sees = OPEN
        assert played.run(TICK_S * (READINGS - 1)) == []
        played.sees = PRESSED
        assert played.run(TICK_S * 2) == []


# --- three processes, each of which may stall, and two inputs that do what they like

Stalls = Sequence[tuple[float, float]]  # from, until


def stalls(chance: Random, end: float) -> Stalls:
    """Return when a process stands still."""
    found, at = [], 0.0
    while at < end:
        at += chance.expovariate(0.3)
        until = at + chance.choice((0.0, 0.02, 0.2, 0.6, 1.5, 4.0)) * chance.random()
        found.append((at, until))
        at = until
    return found


def on(at: float, stalled: Stalls) -> float:
    """Return when a process that would run at a time does."""
    index = bisect_right(stalled, (at, inf)) - 1
    return max(at, stalled[index][1]) if index >= 0 else at


@dataclass
class Truth:
    """Both inputs: quiet, moving now and then, chattering."""

    chance: Random
    end: float

    def __post_init__(self) -> None:
        at, now = 0.0, OPEN
        self.times, self.states = [0.0], [now]
        while at < self.end:
            at += (
                self.chance.choice((0.003, 0.1, 0.5, 4.0, 12.0)) * self.chance.random()
            )
            self.times.append(at)
            self.states.append(self.chance.choice(EVERY))

    def at(self, time: float) -> Sensed:
        return self.states[bisect_right(self.times, time) - 1]


Said = tuple[float, object]


def guard_says(truth: Truth, chance: Random, stalled: Stalls) -> Iterator[Said]:
    """Yield what a guard sends: news of a look, then that it turns."""
    at, word, alive_at = 0.0, OPEN, 0.0
    while at < truth.end:
        seen = truth.at(at)
        sent = on(at + 0.001, stalled)
        if seen != word:
            word = seen
            yield sent, fact_of(seen)
        if sent >= alive_at:
            sent = on(sent, stalled)
            alive_at = sent + ALIVE_S
            yield sent, Alive()
        at = on(sent + chance.choice((0.005, 0.15)), stalled)


def panel_says(truth: Truth, chance: Random, stalled: Stalls) -> Iterator[Said]:
    """Yield what a panel sends: its time is of before it looked."""
    at = chance.random()
    while at < truth.end:
        looked = on(at + 0.002, stalled)
        sent = on(looked + 0.001, stalled)
        yield sent, Reading(at, truth.at(looked))
        at = on(sent + TICK_S * chance.choice((0.05, 1.0)), stalled)


def heard_by_main(
    guard: list[Said], panel: list[Said], stalled: Stalls
) -> Iterator[Said]:
    """Yield in the worst order: a reading, then all of the guard, in each turn."""
    now = 0.0
    while guard or panel:
        now = on(
            max(now, min(queue[0][0] for queue in (guard, panel) if queue)), stalled
        )
        if panel and panel[0][0] <= now:
            yield now, panel.pop(0)[1]
        while guard and guard[0][0] <= now:
            yield now, guard.pop(0)[1]


@pytest.mark.parametrize("seed", range(60))
def test_two_that_read_the_same_never_differ_whatever_stalls(seed: int) -> None:
    chance, end = Random(seed), 120.0
    truth = Truth(chance, end)
    guard = list(guard_says(truth, chance, stalls(chance, end)))
    panel = list(panel_says(truth, chance, stalls(chance, end)))
    witness, fact, readings = Witness(), fact_of(OPEN), 0
    for now, said in heard_by_main(guard, panel, stalls(chance, end)):
        if isinstance(said, Reading):
            readings += 1
            assert witness.saw(said, fact, now) is None, (now, said, fact)
            continue
        fact = said if isinstance(said, GuardFact) else fact
        witness.hear(said, now)
    assert readings > 100
