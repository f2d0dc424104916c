"""TCP on the powerline interface's link-local address: a door for TLS, a plain one."""

from __future__ import annotations

import asyncio
import logging
import socket
from secrets import randbelow

from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass
from pilothat.runtime.pipe import Feed, Pipe, Tls, TlsPipe, host_of
from pilothat.station.events import TcpClosed, TcpData, TcpOpened
from pilothat.v2g.sdp import TCP_PORTS

log = logging.getLogger(__name__)

BACKLOG = 8
TRIES = 20
MAX_SHAKING = 8  # handshakes at a time; the oldest has had its chance


@dataclass(frozen=True, slots=True)
class TlsOffer:
    """TLS on the station's side.

    is_required: cars without TLS are not served
    """

    tls: Tls
    is_required: bool = False


class V2gPort:
    """Listen while cars are wanted, and keep the connections.

    port, tls_port: where; 0 is a door that there is not
    """

    def __init__(self, index: int, feed: Feed, offer: TlsOffer | None = None) -> None:
        self.port = self.tls_port = 0
        self._index = index
        self._feed = feed
        self._offer = offer
        self._count = 0
        self._address = b""
        self._listeners: list[socket.socket] = []
        self._pipes: dict[int, Pipe] = {}
        self._is_crowd_told = False  # of this car's time

    def bind(self, address: bytes) -> None:
        """Choose free ports on a link-local address."""
        self.listen(on=False)
        self._address = address
        is_plain = self._offer is None or not self._offer.is_required
        self.port = self._free() if is_plain else 0
        self.tls_port = self.port if self._offer else 0
        while self._offer and self.tls_port == self.port:
            self.tls_port = self._free()

    def listen(self, *, on: bool) -> None:
        """Take connections, or refuse them; those there are stay."""
        loop = asyncio.get_running_loop()
        if on and not self._listeners and self._address:
            for port in filter(None, (self.port, self.tls_port)):
                listener = self._bound(port)
                listener.listen(BACKLOG)
                loop.add_reader(listener, self._accept, listener)
                self._listeners.append(listener)
        elif not on:
            for listener in self._listeners:
                loop.remove_reader(listener)
                listener.close()
            self._listeners.clear()
            for pipe in self._shaking():
                pipe.give_up("no car is awaited any more")

    def send(self, connection: int, data: bytes) -> None:
        """Send bytes on a connection; one that is gone swallows them."""
        if pipe := self._pipes.get(connection):
            pipe.send(data)

    def close(self, connection: int) -> None:
        """Close a connection."""
        if pipe := self._pipes.get(connection):
            pipe.close()

    def move(self, index: int) -> None:
        """Close everything; from now on the interface has another number."""
        self.close_all()
        self._index, self._address = index, b""

    def close_all(self) -> None:
        """Close everything."""
        self.listen(on=False)
        for pipe in tuple(self._pipes.values()):
            pipe.close()

    def _shaking(self) -> list[TlsPipe]:
        """Return the handshakes that go on, the oldest first."""
        return [
            pipe
            for pipe in self._pipes.values()
            if isinstance(pipe, TlsPipe) and not pipe.is_settled
        ]

    def _free(self) -> int:
        with self._bound(0) as chosen:
            return int(chosen.getsockname()[1])

    def _bound(self, port: int) -> socket.socket:
        host = socket.inet_ntop(socket.AF_INET6, self._address)
        for _ in range(TRIES):
            listener = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.settimeout(0)
            wanted = port or TCP_PORTS[randbelow(len(TCP_PORTS))]
            try:
                listener.bind((host, wanted, 0, self._index))
            except OSError as error:
                listener.close()
                last = error
                continue
            return listener
        raise PilotHatError(
            f"no TCP port on {host} ({last.strerror})",
            where="interface",
            remedy="Check that the address is still there: `ip -6 addr`",
        )

    def _accept(self, listener: socket.socket) -> None:
        try:
            link, peer = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        is_tls = listener.getsockname()[1] == self.tls_port
        if is_tls and any(pipe.is_settled for pipe in self._pipes.values()):
            link.close()  # one link, one car: a handshake would be in vain
            self._turn_away(host_of(peer))
            return
        link.settimeout(0)
        self._count += 1
        pipe = self._pipe(self._count, is_tls=is_tls)
        pipe.host = host_of(peer)
        self._pipes[pipe.number] = pipe
        for old in self._shaking()[:-MAX_SHAKING]:
            old.give_up("others are waiting")
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            loop.connect_accepted_socket(lambda: pipe, link), name="accept"
        )
        task.add_done_callback(_settled)

    def _turn_away(self, host: str) -> None:
        """Say once in a car's time that others come."""
        if not self._is_crowd_told:
            self._is_crowd_told = True
            log.warning("host=%s TLS: turned away, a car is connected", host)

    def _pipe(self, number: int, *, is_tls: bool) -> Pipe:
        if is_tls and self._offer is not None:
            return TlsPipe(number, self._pass, self._offer.tls)
        return Pipe(number, self._pass)

    def _pass(self, event: TcpOpened | TcpData | TcpClosed) -> None:
        if isinstance(event, TcpClosed):
            self._pipes.pop(event.connection, None)
            self._is_crowd_told = False
        self._feed(event)


def _settled(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.warning("connection lost before it began error=%s", task.exception())
