"""The guard process: ``pilothat.guard`` on a board, in real time.

Plain synchronous Python, small, nothing but the board and the link to main. Started by
the main program with one end of the link; when the link or the main program is gone it
makes the board safe and ends. A board that is lost is given up at once: its connection
is closed, main is told, and the board is opened anew until it answers again.
"""

from __future__ import annotations

import collections
import contextlib
import ctypes
import gc
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterable

from pilothat.errors import BoardError, PilotHatError
from pilothat.guard import (
    BoardBack,
    BoardLost,
    DriveContactor,
    DrivePilot,
    DriveSupply,
    Feedback,
    Guard,
    GuardAction,
    GuardFact,
    Lease,
    PilotFact,
)
from pilothat.pilot.duty import DIGITAL_PCT
from pilothat.ports import Interlocks, PilotBackend
from pilothat.runtime.boards import open_board
from pilothat.runtime.guardlink import Alive, GuardLink, LinkLostError
from pilothat.runtime.standstill import Standstill

log = logging.getLogger("pilothat.guard")

PERIOD_S = 0.005  # while power flows or may flow
IDLE_PERIOD_S = 0.15  # contactor open, no car asks for energy; a lease wakes it sooner
ALIVE_S = 1.0  # how often main is told that the guard turns
RETRY_S = 1.0  # between two tries to reach a lost board
PRIORITY = 60  # of 1..99, above everything of ours
_MCL_ALL = 3  # MCL_CURRENT | MCL_FUTURE


def harden() -> str:
    """Take real-time priority and lock the memory; say what was not allowed."""
    gc.collect()
    gc.freeze()
    gc.disable()
    refused = []
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except PermissionError:
        refused.append("SCHED_FIFO (needs CAP_SYS_NICE or an rtprio limit)")
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(_MCL_ALL) != 0:
        refused.append("mlockall (needs CAP_IPC_LOCK or a memlock limit)")
    return ", ".join(refused)


class GuardLoop:
    """Sample, decide, drive; once every period, and when main has something to say."""

    def __init__(self, guard: Guard, board: PilotBackend, link: GuardLink) -> None:
        self._guard = guard
        self._board = board
        self._link = link
        self._is_closed = False
        self._interlocks = Interlocks()
        self._is_called = True  # main may have said something

    @property
    def period_s(self) -> float:
        """The time to the next turn: short whenever something is at stake."""
        guard = self._guard
        is_idle = not (
            guard.driven.is_contactor_closed
            or self._is_closed
            or guard.pilot.state.wants_energy
            or guard.driven.duty_pct == DIGITAL_PCT  # a car may toggle within 200 ms
            or guard.pilot.deadline is not None  # something is about to change
        )
        return IDLE_PERIOD_S if is_idle else PERIOD_S

    def wait(self, duration_s: float) -> None:
        """Sleep, but not longer than main is silent."""
        self._is_called = bool(select.select((self._link,), (), (), duration_s)[0])

    def turn(self, now: float) -> None:
        """Do one period's work. Raises LinkLostError when main is gone."""
        for value in self._link.take() if self._is_called else ():
            if isinstance(value, Lease):
                self._take(value, now)
        try:
            self._look(now)  # what is due at this time is due with the sample
            self._board.heartbeat()
        except BoardError:
            self._give_up(now)
            raise

    def _give_up(self, now: float) -> None:
        """Tell main, and drive what still obeys; the board's watchdog does the rest."""
        for action in self._guard.handle(BoardLost(), now):
            with contextlib.suppress(BoardError):
                self._perform((action,))

    def _take(self, lease: Lease, now: float) -> None:
        try:
            self._perform(self._guard.handle(lease, now))
        except ValueError as error:
            log.warning("lease refused error=%s", error)

    def _look(self, now: float) -> None:
        guard, board = self._guard, self._board
        self._perform(guard.handle(board.sample(), now))
        is_closed = board.contactor_is_closed()
        if is_closed is not self._is_closed:
            self._is_closed = is_closed
            self._perform(guard.handle(Feedback(is_closed), now))
        interlocks = board.interlocks()
        if interlocks != self._interlocks:
            self._interlocks = interlocks
            self._perform(guard.handle(interlocks, now))

    def _perform(self, actions: Iterable[GuardAction]) -> None:
        for action in actions:
            match action:
                case DrivePilot(duty_pct):
                    self._board.set_pwm(duty_pct)
                case DriveContactor(is_closed):
                    self._board.set_contactor(closed=is_closed)
                case DriveSupply(is_on):
                    self._board.enable_supply(on=is_on)
                case PilotFact() | GuardFact():
                    self._link.send(action)


class Keeper:
    """Guard a board as long as main lives; one that is lost is opened anew."""

    def __init__(
        self,
        guard: Guard,
        link: GuardLink,
        opened: Callable[[], PilotBackend],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._guard = guard
        self._link = link
        self._open = opened
        self._clock = clock
        self._is_stopped = False
        self._alive_at = 0.0

    def stop(self) -> None:
        """Make safe and end."""
        self._is_stopped = True

    def run(self, board: PilotBackend) -> None:
        """Guard until told to stop or main is gone; the board is closed then."""
        try:
            found: PilotBackend | None = board
            while found is not None:
                with contextlib.closing(found):
                    self._turn(GuardLoop(self._guard, found, self._link))
                found = None if self._is_stopped else self._found_again()
        except LinkLostError:
            log.info("main is gone")

    def _turn(self, loop: GuardLoop) -> None:
        """Turn the loop until told to stop or the board is lost."""
        standstill = Standstill(log, self._clock)
        while not self._is_stopped:
            began = self._clock()
            try:
                loop.turn(began)
            except BoardError as error:
                log.critical("board lost error=%s", error)
                return
            self._tell_alive(began)
            rest_s = max(0.0, began + loop.period_s - self._clock())
            standstill.look(rest_s)
            loop.wait(rest_s)

    def _tell_alive(self, now: float) -> None:
        if now >= self._alive_at:
            self._alive_at = now + ALIVE_S
            self._link.send(Alive())

    def _found_again(self) -> PilotBackend | None:
        """Open the board anew; None when told to stop. Raises LinkLostError."""
        told = ""
        while not self._is_stopped:
            try:
                board = self._open()
            except BoardError as error:
                if str(error) != told:
                    told = str(error)
                    log.warning("board still lost error=%s", told)
                gc.collect()  # nothing is on: there is time
                self._tell_alive(self._clock())
                self._rest()
                continue
            log.warning("board is back")
            for action in self._guard.handle(BoardBack(), self._clock()):
                if isinstance(action, PilotFact | GuardFact):
                    self._link.send(action)
            return board
        return None

    def _rest(self) -> None:
        """Wait, and forget what main wants meanwhile."""
        until = self._clock() + RETRY_S
        while (left_s := until - self._clock()) > 0 and not self._is_stopped:
            select.select((self._link,), (), (), left_s)
            collections.deque(self._link.take(), maxlen=0)


def main(arguments: list[str]) -> int:
    """Guard a board: ``guardproc LINK_FD DRIVER [OPTION=VALUE...]``."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    fd, driver, *options = arguments
    values = dict(option.split("=", 1) for option in options)
    guard = Guard(has_ventilation=values.pop("ventilation", "no") == "yes")
    link = GuardLink(socket.socket(fileno=int(fd)))
    keeper = Keeper(guard, link, lambda: open_board(driver, values))
    signal.signal(signal.SIGTERM, lambda *_: keeper.stop())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # main stops in order, then us
    try:
        board = open_board(driver, values)
    except PilotHatError as error:
        log.critical("no board error=%s", error)  # one line; main ends with us
        return 1
    refused = harden()
    log.info("guarding board=%s period_ms=%.0f", driver, PERIOD_S * 1000)
    if refused:
        log.warning("not allowed here: %s; timing is best effort", refused)
    keeper.run(board)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
