"""The twin of the HAT in real time: pigpio's daemon, with a board and a car behind it.

One TCP port speaks the daemon's protocol, so that any client of it works here: the
driver, the package pigpio, gpiozero, ``pigs``. A UNIX socket is the kernel of a Pi 5
for the driver ``kernel``. Another is the twin's bench, where supply and car plug in,
and where everything can be broken and mended. Daemon and kernel may die or hang; the
board goes on, as a real one does, until its watchdog acts.
"""

from __future__ import annotations

import contextlib
import logging
import select
import selectors
import socket
import time
from collections.abc import Sequence

from pilothat.board.pigpiowire import (
    HEAD,
    MAX_EXTENSION,
    RESULT,
    Cmd,
    Err,
)
from pilothat.board.revision import Revision
from pilothat.errors import BoardError
from pilothat.machine import earliest
from pilothat.runtime.benchtalk import DaemonFault, InjectDaemon, InjectHat
from pilothat.runtime.doors import Caller, Door, Faults
from pilothat.runtime.kerneldoor import KernelDoor
from pilothat.runtime.twinbench import BenchPort
from pilothat.twin.bench import BenchSettings
from pilothat.twin.hat import Hat
from pilothat.twin.kernel import Kernel
from pilothat.twin.pigpio import Daemon

log = logging.getLogger("pilothat.hat")

TURN_S = 0.02  # how often the bench is served at least
_CHUNK = 65_536
_U32 = 0xFFFF_FFFF
NOWHERE = ("", 0)
_OUT = frozenset({DaemonFault.DEAD, DaemonFault.FROZEN})


class PigpioCaller(Caller):
    """A client of the daemon: what has come, the notifications it hears."""

    def __init__(self, connection: socket.socket) -> None:
        super().__init__(connection)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.handle = -1


class PigpioDoor(Door[PigpioCaller]):
    """The daemon's port."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        address: tuple[str, int],
        daemon: Daemon,
    ) -> None:
        where = f"twin of the HAT, port {address[1]}"
        super().__init__(selector, where, self._listen, PigpioCaller)
        self._daemon = daemon
        self.address = address  # the same port again, once it is known

    def hear(self, caller: PigpioCaller, faults: Faults) -> None:
        """Answer all whole requests. Raises OSError when the client is gone."""
        with contextlib.suppress(BlockingIOError):
            chunk = caller.connection.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError
            caller.incoming += chunk
        while len(caller.incoming) >= HEAD.size:
            command, p1, p2, size = HEAD.unpack_from(caller.incoming)
            if size > MAX_EXTENSION:
                raise ConnectionAbortedError
            end = HEAD.size + size
            if len(caller.incoming) < end:
                break
            extension = bytes(caller.incoming[HEAD.size : end])
            del caller.incoming[:end]
            now = time.monotonic()
            result = self._daemon.handle(command, p1, p2, extension, now)
            if command == Cmd.NOIB and isinstance(result, int):
                caller.handle = result
            if DaemonFault.REFUSING in faults:
                result = int(Err.BAD_HANDLE)
            caller.answer(encode((command, p1, p2), result), faults, now)
        self._flush(caller, time.monotonic())

    def send(self, caller: PigpioCaller, now: float) -> None:
        """Send notifications, and what is due or did not fit before."""
        caller.outgoing += self._daemon.notices.take(caller.handle)
        self._flush(caller, now)

    def lost(self, caller: PigpioCaller) -> None:
        """Free its notifications; the rest stays."""
        self._daemon.notices.close(caller.handle)

    def _listen(self) -> socket.socket:
        listener = socket.create_server(self.address, backlog=16)
        host, port = listener.getsockname()[:2]
        self.address = host, port
        return listener

    @staticmethod
    def _flush(caller: PigpioCaller, now: float) -> None:
        caller.outgoing += b"".join(caller.due(now))
        if caller.outgoing:
            with contextlib.suppress(BlockingIOError):
                del caller.outgoing[: caller.connection.send(caller.outgoing)]


class HatTwin:
    """The board on its bench, and the doors to it.

    address: of the daemon's port; None for a machine without the daemon
    kernel:  path of the kernel's socket; empty for none
    """

    def __init__(
        self,
        path: str,
        address: tuple[str, int] | None,
        revision: Revision,
        mains_v: float | None = None,
        kernel: str = "",
    ) -> None:
        now = time.monotonic()
        self.port = BenchPort(path, BenchSettings(mains_v=mains_v))
        self.hat = Hat(self.port.bench, revision, now)
        self.daemon = Daemon(self.hat, revision)
        self._kernel = Kernel(self.hat, revision, self.daemon.soc)
        self._faults: frozenset[DaemonFault] = frozenset()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.port, selectors.EVENT_READ)
        self._pigpio = PigpioDoor(self._selector, address or NOWHERE, self.daemon)
        doors: list[PigpioDoor | KernelDoor] = [self._pigpio] if address else []
        if kernel:
            doors.append(KernelDoor(self._selector, kernel, self._kernel))
        self._doors = tuple(doors)
        self._changes = self.hat.changes
        self._gates = self.hat.gates
        self._is_stopped = False
        try:
            self._open()
        except BoardError:
            self.close()
            raise

    @property
    def address(self) -> tuple[str, int]:
        """Where the daemon's port is."""
        return self._pigpio.address

    @property
    def clients(self) -> int:
        """How many connections there are."""
        return sum(len(door.callers) for door in self._doors)

    def run(self) -> None:
        """Serve until ``stop``."""
        while not self._is_stopped:
            self.turn()

    def stop(self) -> None:
        """End ``run`` within a turn; from any thread or signal handler."""
        self._is_stopped = True

    def close(self) -> None:
        """Let go of all sockets; the board has lost its Pi."""
        self._shut()
        self._selector.close()
        self.port.close()

    def turn(self) -> None:
        """Wait for the next thing to do, and do it."""
        ready = self._wait(self._wait_s())
        now = time.monotonic()
        self.hat.advance(now)  # before the bench changes
        for value in self.port.serve(now):
            self._hear(value, now)
        if not self.is_out:
            self.daemon.advance(now)
            self._kernel.advance(now)
            for one in ready:
                self._attend(one)
        for door in self._doors:
            door.write(now)
        self._tell(now)

    @property
    def is_out(self) -> bool:
        """Whether the daemon does nothing at the moment."""
        return bool(self._faults & _OUT)

    def _wait(self, limit_s: float) -> Sequence[object]:
        """Wait for sockets; a daemon that is out looks at the bench only."""
        if self.is_out:
            select.select((self.port,), (), (), limit_s)
            return ()
        return [key.fileobj for key, _ in self._selector.select(limit_s)]

    def _wait_s(self) -> float:
        deadline = self.hat.deadline if self.is_out else self.daemon.deadline
        due = earliest(deadline, *(door.deadline for door in self._doors))
        if due is None:
            return TURN_S
        return min(max(due - time.monotonic(), 0.0), TURN_S)

    def _tell(self, now: float) -> None:
        """Let the car see what has changed; log what the gates let through."""
        if self.hat.changes != self._changes:
            self._changes = self.hat.changes
            self.port.report_car(now)
        gates = self.hat.gates
        if gates != self._gates:
            self._gates = gates
            log.info(
                "at=%.3f watchdog=%d driver=%d k1=%d k2=%d",
                now,
                gates.is_watched,
                gates.is_driver_on,
                gates.is_k1_on,
                gates.is_k2_on,
            )

    # --- doors

    def _attend(self, ready: object) -> None:
        for door in self._doors:
            door.attend(ready, self._faults)

    def _open(self) -> None:
        for door in self._doors:
            door.open()

    def _shut(self) -> None:
        for door in self._doors:
            door.shut()

    # --- faults

    def _hear(self, value: object, now: float) -> None:
        match value:
            case InjectHat(fault, on):
                self.hat.inject(fault, now, on=on)
            case InjectDaemon(failure, on):
                self._misbehave(failure, on=on)

    def _misbehave(self, fault: DaemonFault, *, on: bool) -> None:
        log.warning("daemon fault=%s on=%d", fault.name, on)
        self._faults = self._faults | {fault} if on else self._faults - {fault}
        if fault is not DaemonFault.DEAD:
            return
        if on:
            self._shut()
            self.daemon.restart()
        else:
            self._open()


def encode(words: Sequence[int], result: int | bytes) -> bytes:
    """Return an answer: the request's first words, the result, data if it is some."""
    if isinstance(result, bytes):
        return RESULT.pack(*words, len(result)) + result
    return HEAD.pack(*words, result & _U32)
