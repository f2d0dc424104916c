"""The keeper of a board: a lost one is told, left, and opened anew."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest
from tests.hat.twin import until

from pilothat.errors import BoardError
from pilothat.faults import Fault
from pilothat.guard import Guard, GuardFact, Lease, Want
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks
from pilothat.runtime.guardlink import GuardLink, pair
from pilothat.runtime.guardproc import Keeper

READY = Want(100.0, is_contactor_closed=False, is_supply_enabled=False)
POWER = Want(5.0, is_contactor_closed=True, is_supply_enabled=True)


class Board:
    """A board with a car in state C, or in none; it is lost when told."""

    def __init__(self) -> None:
        self.is_lost = self.is_closed = self.is_shut = False
        self.duty_pct = 0.0
        self.high_v = 12.0

    def set_pwm(self, duty_pct: float) -> None:
        self._check()
        self.duty_pct = duty_pct

    def sample(self) -> PilotSample:
        self._check()
        if self.duty_pct == 0:
            return PilotSample(-12.0, None)
        return PilotSample(self.high_v, None if self.duty_pct == 100 else -12.0)

    def set_contactor(self, *, closed: bool) -> None:
        self._check()
        self.is_closed = closed

    def enable_supply(self, *, on: bool) -> None:
        self._check()

    def contactor_is_closed(self) -> bool:
        self._check()
        return self.is_closed

    def interlocks(self) -> Interlocks:
        self._check()
        return Interlocks()

    def heartbeat(self) -> None:
        self._check()

    def close(self) -> None:
        self.is_shut, self.is_closed = True, False

    def _check(self) -> None:
        if self.is_lost:
            raise BoardError("no answer", where="board", remedy="Wait")


@dataclass
class Kept:
    """A keeper in a thread, main's end of its link, and what it has opened."""

    main: GuardLink
    boards: list[Board] = field(default_factory=list)
    stop: Callable[[], None] = lambda: None
    refusals: int = 0
    facts: list[GuardFact] = field(default_factory=list)

    def heard(self) -> GuardFact | None:
        """Return the newest fact about the outputs."""
        self.facts += [one for one in self.main.take() if isinstance(one, GuardFact)]
        return self.facts[-1] if self.facts else None

    def faults(self) -> tuple[Fault, ...]:
        fact = self.heard()
        return fact.faults if fact else ()

    def open(self) -> Board:
        if self.refusals:
            self.refusals -= 1
            raise BoardError("refused", where="board", remedy="Wait")
        self.boards.append(Board())
        return self.boards[-1]

    def want(self, want: Want, what: str, board: Board) -> None:
        """Renew the lease until the board does something."""

        def does() -> bool:
            self.main.send(Lease(want))
            return board.duty_pct == want.duty_pct

        until(does, what)


@pytest.fixture
def kept() -> Iterator[Kept]:
    ours, theirs = pair()
    made = Kept(GuardLink(ours))
    keeper = Keeper(Guard(), GuardLink(theirs), made.open)
    made.stop = keeper.stop
    thread = threading.Thread(target=keeper.run, args=(made.open(),))
    thread.start()
    yield made
    keeper.stop()
    thread.join(5)
    made.main.close()
    assert not thread.is_alive()


def charge(kept: Kept, board: Board) -> None:
    kept.want(READY, "ready", board)
    board.high_v = 6.0
    kept.want(Want(5.0, False, False), "5 %", board)

    def is_closed() -> bool:
        kept.main.send(Lease(POWER))
        return board.is_closed

    until(is_closed, "closed")


def test_board_that_is_lost_is_told_left_and_opened_anew(kept: Kept) -> None:
    first = kept.boards[0]
    charge(kept, first)
    first.is_lost = True
    until(lambda: len(kept.boards) == 2, "opened anew")
    assert first.is_shut
    until(lambda: kept.heard() == GuardFact(False, False, ()), "told that it is back")
    told = [one.faults for one in kept.facts if one.faults]
    assert set(told) == {(Fault.BOARD_LOST,)}


def test_power_that_was_wanted_before_is_not_given_by_the_board_that_is_back(
    kept: Kept,
) -> None:
    kept.refusals = 1
    charge(kept, kept.boards[0])
    kept.boards[0].is_lost = True
    until(lambda: Fault.BOARD_LOST in kept.faults(), "told")

    def is_back() -> bool:
        kept.main.send(Lease(POWER))
        return len(kept.boards) == 2

    until(is_back, "opened anew")
    second = kept.boards[1]
    second.high_v = 6.0
    kept.want(POWER, "5 %", second)
    for _ in range(100):
        kept.main.send(Lease(POWER))
        until(lambda: kept.heard() is not None, "a fact")
        assert not second.is_closed
    charge(kept, second)


def test_main_that_goes_while_the_board_is_lost_ends_the_guard(kept: Kept) -> None:
    kept.refusals = 1000
    kept.boards[0].is_lost = True
    until(lambda: Fault.BOARD_LOST in kept.faults(), "told")
    kept.main.close()  # the fixture sees that the thread ends


def test_told_to_stop_it_closes_the_board(kept: Kept) -> None:
    charge(kept, kept.boards[0])
    kept.stop()
    until(lambda: kept.boards[0].is_shut, "closed")
