"""The twin of the HAT in real time: pigpio's daemon, with a board and a car behind it.

One TCP port speaks the daemon's protocol, so that any client of it works here: the
driver, the package pigpio, gpiozero, ``pigs``. One UNIX socket is the twin's bench,
where supply and car plug in, and where everything can be broken and mended. The daemon
may die or hang; the board goes on, as a real one does, until its watchdog acts.
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
from pilothat.runtime.twinbench import (
    BenchPort,
    DaemonFault,
    InjectDaemon,
    InjectHat,
)
from pilothat.twin.bench import BenchSettings
from pilothat.twin.hat import Hat
from pilothat.twin.pigpio import Daemon

log = logging.getLogger("pilothat.hat")

TURN_S = 0.02  # how often the bench is served at least
SLOW_S = 0.4  # how late answers come with SLOW
_CHUNK = 65_536
_U32 = 0xFFFF_FFFF


class _Client:
    """A connection: what has come, what must go, the notifications it hears."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.incoming = bytearray()
        self.outgoing = bytearray()
        self.late: list[tuple[float, bytes]] = []
        self.before = b""  # the answer to the request before
        self.handle = -1

    def flush(self) -> None:
        """Send what can be sent. Raises OSError when the other end is gone."""
        if self.outgoing:
            with contextlib.suppress(BlockingIOError):
                del self.outgoing[: self.connection.send(self.outgoing)]


class HatTwin:
    """The daemon and its sockets."""

    def __init__(
        self,
        path: str,
        address: tuple[str, int],
        revision: Revision,
        mains_v: float | None = None,
    ) -> None:
        now = time.monotonic()
        self.port = BenchPort(path, BenchSettings(mains_v=mains_v))
        self.hat = Hat(self.port.bench, revision, now)
        self.daemon = Daemon(self.hat, revision)
        self._faults: frozenset[DaemonFault] = frozenset()
        self._clients: list[_Client] = []
        self._selector = selectors.DefaultSelector()
        self._selector.register(self.port, selectors.EVENT_READ)
        self._listener: socket.socket | None = None
        self._changes = self.hat.changes
        self._gates = self.hat.gates
        self._is_stopped = False
        try:
            self.address = self._listen(address)
        except OSError as error:
            self.close()
            raise BoardError(
                f"cannot listen on port {address[1]} ({error.strerror})",
                where="twin of the HAT",
                remedy="Another daemon runs there; choose another port",
            ) from error

    @property
    def clients(self) -> int:
        """How many connections there are."""
        return len(self._clients)

    def run(self) -> None:
        """Serve until ``stop``."""
        while not self._is_stopped:
            self.turn()

    def stop(self) -> None:
        """End ``run`` within a turn; from any thread or signal handler."""
        self._is_stopped = True

    def close(self) -> None:
        """Let go of all sockets; the board has lost its Pi."""
        self._hang_up()
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
            for one in ready:
                self._attend(one)
        self._write(now)
        self._tell(now)

    @property
    def is_out(self) -> bool:
        """Whether the daemon does nothing at the moment."""
        return bool(self._faults & {DaemonFault.DEAD, DaemonFault.FROZEN})

    def _wait(self, limit_s: float) -> Sequence[object]:
        """Wait for sockets; a daemon that is out looks at the bench only."""
        if self.is_out:
            select.select((self.port,), (), (), limit_s)
            return ()
        return [key.fileobj for key, _ in self._selector.select(limit_s)]

    def _wait_s(self) -> float:
        late = (client.late[0][0] for client in self._clients if client.late)
        deadline = self.hat.deadline if self.is_out else self.daemon.deadline
        due = earliest(deadline, *late)
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

    # --- connections

    def _listen(self, address: tuple[str, int]) -> tuple[str, int]:
        listener = socket.create_server(address, backlog=16)
        listener.settimeout(0)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)
        host, port = listener.getsockname()[:2]
        return host, port

    def _hang_up(self) -> None:
        for client in list(self._clients):
            self._drop(client)
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None

    def _attend(self, ready: object) -> None:
        if ready is self._listener:
            self._accept()
        for client in [one for one in self._clients if one.connection is ready]:
            try:
                self._receive(client)
            except OSError:
                self._drop(client)

    def _accept(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(BlockingIOError):
                client = _Client(self._listener.accept()[0])
                self._clients.append(client)
                self._selector.register(client.connection, selectors.EVENT_READ)

    def _drop(self, client: _Client) -> None:
        self._clients.remove(client)
        self._selector.unregister(client.connection)
        client.connection.close()
        self.daemon.notices.close(client.handle)

    def _receive(self, client: _Client) -> None:
        """Answer all whole requests. Raises OSError when the client is gone."""
        with contextlib.suppress(BlockingIOError):
            chunk = client.connection.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError
            client.incoming += chunk
        while len(client.incoming) >= HEAD.size:
            command, p1, p2, size = HEAD.unpack_from(client.incoming)
            if size > MAX_EXTENSION:
                raise ConnectionAbortedError
            end = HEAD.size + size
            if len(client.incoming) < end:
                break
            extension = bytes(client.incoming[HEAD.size : end])
            del client.incoming[:end]
            self._answer(client, (command, p1, p2), extension)
        client.flush()

    def _answer(
        self, client: _Client, words: tuple[int, int, int], extension: bytes
    ) -> None:
        now = time.monotonic()
        command, p1, p2 = words
        result = self.daemon.handle(command, p1, p2, extension, now)
        if command == Cmd.NOIB and isinstance(result, int):
            client.handle = result
        if DaemonFault.REFUSING in self._faults:
            result = int(Err.BAD_HANDLE)
        answer = encode(words, result)
        if DaemonFault.WRONG in self._faults:
            answer, client.before = client.before or answer, answer
        else:
            client.before = answer
        if DaemonFault.SLOW in self._faults:
            client.late.append((now + SLOW_S, answer))
        else:
            client.outgoing += answer

    def _write(self, now: float) -> None:
        """Send notifications, late answers, and what did not fit before."""
        for client in list(self._clients):
            client.outgoing += self.daemon.notices.take(client.handle)
            while client.late and client.late[0][0] <= now:
                client.outgoing += client.late.pop(0)[1]
            try:
                client.flush()
            except OSError:
                self._drop(client)

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
            self._hang_up()
            self.daemon.restart()
        elif self._listener is None:
            self._listen(self.address)


def encode(words: Sequence[int], result: int | bytes) -> bytes:
    """Return an answer: the request's first words, the result, data if it is some."""
    if isinstance(result, bytes):
        return RESULT.pack(*words, len(result)) + result
    return HEAD.pack(*words, result & _U32)
