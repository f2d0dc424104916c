"""Guard, driver, daemon, board and car in virtual time: nothing waits for anything.

What an exchange with the daemon costs is an estimate for a Pi; what the board's
watchdog does is seen to a millisecond.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from math import inf
from typing import Any
from unittest import mock

from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import PigpioHat
from pilothat.board.pigpiowire import HEAD, Cmd, Err
from pilothat.board.revision import Revision, revision
from pilothat.errors import BoardError
from pilothat.faults import Fault
from pilothat.guard import Guard, GuardFact, Lease, PilotFact, Want
from pilothat.pilot.duty import DIGITAL_PCT
from pilothat.ports import PilotBackend
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.doors import SLOW_S
from pilothat.runtime.guardlink import Alive, GuardLink
from pilothat.runtime.guardproc import GuardLoop
from pilothat.runtime.pigpiod import encode
from pilothat.runtime.shell import RENEW_S
from pilothat.twin.bench import Bench, BenchFault, BenchSettings, CarElectrics
from pilothat.twin.chance import Chance
from pilothat.twin.circuit import CarPilot
from pilothat.twin.hat import Hat, HatFault
from pilothat.twin.pigpio import Daemon

STEP_S = 0.001
EXCHANGE_S = 0.0003  # there and back, and what the daemon does; a Pi's estimate
READING_S = 0.00006  # a conversion on the SPI
READY = Want(DIGITAL_PCT, is_contactor_closed=False, is_supply_enabled=False)
CHARGE = Want(DIGITAL_PCT, is_contactor_closed=True, is_supply_enabled=True)
BATTERY_V = 350.0

Failure = BenchFault | HatFault | DaemonFault


class Link(GuardLink):
    """The guard's end of its link; main's end are the two lists."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.leases: list[object] = []
        self.facts: list[tuple[float, GuardFact]] = []
        self._clock = clock

    def take(self) -> Iterator[object]:
        taken, self.leases = self.leases, []
        return iter(taken)

    def send(self, value: Lease | PilotFact | GuardFact | Alive) -> None:
        if isinstance(value, GuardFact):
            self.facts.append((self._clock(), value))


class Wire:
    """What stands for the socket of the client: the daemon itself, and its time."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._answers = bytearray()
        self._before = b""
        self._limit_s = inf

    def settimeout(self, _limit_s: float | None) -> None:
        """Take no heed: the limit comes as an option."""

    def setsockopt(self, level: int, option: int, value: Any) -> None:
        if (level, option) == (socket.SOL_SOCKET, socket.SO_RCVTIMEO):
            seconds, micros = (
                int.from_bytes(value[n : n + 8], "little") for n in (0, 8)
            )
            self._limit_s = seconds + micros / 1e6

    def sendall(self, data: bytes) -> None:
        rig = self._rig
        if DaemonFault.DEAD in rig.failures:
            raise BrokenPipeError
        rig.spend(EXCHANGE_S)
        place = 0
        while place < len(data):
            command, p1, p2, size = HEAD.unpack_from(data, place)
            extension = data[place + HEAD.size : place + HEAD.size + size]
            place += HEAD.size + size
            if DaemonFault.FROZEN in rig.failures:
                continue
            result = rig.daemon.handle(command, p1, p2, extension, rig.now)
            if DaemonFault.REFUSING in rig.failures:
                result = int(Err.BAD_HANDLE)
            rig.spend(READING_S * (command == Cmd.SPIX))
            self._answer(encode((command, p1, p2), result))

    def recv(self, count: int, _flags: int) -> bytes:
        if DaemonFault.SLOW in self._rig.failures or len(self._answers) < count:
            self._rig.spend(min(self._limit_s, SLOW_S))
            raise BlockingIOError
        taken = bytes(self._answers[:count])
        del self._answers[:count]
        return taken

    def close(self) -> None:
        """Let go of nothing."""

    def _answer(self, answer: bytes) -> None:
        is_wrong = DaemonFault.WRONG in self._rig.failures and self._before
        self._answers += self._before if is_wrong else answer
        self._before = answer


class Rig:
    """A charge that runs, and what can befall it.

    opened_at: when the contactor opened after it was closed last; None while closed
    """

    def __init__(self) -> None:
        board = revision()
        self.now = 0.0
        self.failures: frozenset[DaemonFault] = frozenset()
        self.is_guard_there = self.is_main_there = True
        self.opened_at: float | None = 0.0
        self.lost = ""
        self.bench = Bench(BenchSettings(), Chance(1, "bench"))
        self.hat = Hat(self.bench, board, self.now)
        self.daemon = Daemon(self.hat, board)
        self.link = Link(lambda: self.now)
        self._want = READY
        self._renew_at = 0.0
        self.board = self.opened(board)
        self._loop = GuardLoop(Guard(), self.board, self.link)
        self._turn_at = 0.0

    def opened(self, board: Revision) -> PilotBackend:
        """Return the driver."""
        with mock.patch("socket.create_connection", return_value=Wire(self)):
            return PigpioHat(Client(), board, clock=lambda: self.now)

    # --- time

    def spend(self, duration_s: float) -> None:
        """Let time pass; the board goes on by itself, the daemon if it lives."""
        until = self.now + duration_s
        while self.now < until:
            self.now = min(self.now + STEP_S, until)
            self.hat.advance(self.now)
            if not self.failures & {DaemonFault.DEAD, DaemonFault.FROZEN}:
                self.daemon.advance(self.now)
            self.bench.tick(self.now)
            self._watch()

    def run(self, duration_s: float) -> None:
        """Let guard and main do what they do."""
        until = self.now + duration_s
        while self.now < until:
            if self.is_main_there and self.now >= self._renew_at:
                self._renew_at = self.now + RENEW_S
                self.link.leases.append(Lease(self._want))
                self._turn_at = min(self._turn_at, self.now)
            if self.is_guard_there and self.now >= self._turn_at:
                self._turn()
            self.spend(STEP_S)

    def _turn(self) -> None:
        try:
            self._loop.turn(self.now)
        except BoardError as error:
            self.is_guard_there, self.lost = False, str(error)
        self._turn_at = self.now + self._loop.period_s

    def _watch(self) -> None:
        is_closed = self.bench.contactor_is_closed(self.now)
        if is_closed:
            self.opened_at = None
        elif self.opened_at is None:
            self.opened_at = self.now

    # --- what happens

    def charge(self) -> None:
        """Come to a closed contactor, with the main program and the car content."""
        self.car(CarPilot.B)
        self.run(0.3)
        self.car(CarPilot.C)
        self.run(0.2)
        self._want = CHARGE
        self.run(0.3)
        assert self.opened_at is None, self.faults

    def car(self, pilot: CarPilot | None) -> None:
        """Let the car change its end of the cable; None pulls the plug."""
        car = CarElectrics(pilot, ocv_v=BATTERY_V) if pilot else None
        self.bench.connect(car, self.now)
        self.hat.advance(self.now)

    def fail(self, failure: Failure) -> None:
        """Break something."""
        match failure:
            case BenchFault():
                self.hat.advance(self.now)
                self.bench.inject(failure, self.now)
            case HatFault():
                self.hat.inject(failure, self.now)
            case DaemonFault():
                self.failures |= {failure}

    def want(self, want: Want) -> None:
        """Let main want something else."""
        self._want = want

    @property
    def faults(self) -> list[tuple[float, Fault]]:
        """Every fault the guard has told, and when first."""
        told: dict[Fault, float] = {}
        for at, fact in self.link.facts:
            for fault in fact.faults:
                told.setdefault(fault, at)
        return [(at, fault) for fault, at in told.items()]
