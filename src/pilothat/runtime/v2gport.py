"""TCP on the powerline interface's link-local address: one listener, few connections.

Both ends of a connection use ``Pipe``: it hands bytes up in small pieces, so that no
peer can keep the loop busy, and gives up a peer that does not read.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from secrets import randbelow

from pilothat.errors import PilotHatError
from pilothat.station.events import TcpClosed, TcpData, TcpOpened
from pilothat.v2g.sdp import TCP_PORTS

log = logging.getLogger(__name__)

PIECE_BYTES = 2048  # at most this is looked at in one turn of the loop
MAX_UNSENT_BYTES = 64 * 1024  # a peer that does not read is given up
CLOSE_S = 5.0  # then a closing connection is cut
BACKLOG = 8
TRIES = 20

Feed = Callable[[TcpOpened | TcpData | TcpClosed], None]


class Pipe(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, number: int, feed: Feed) -> None:
        self.number = number
        self._feed = feed
        self._buffer = bytearray(PIECE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._is_open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection up."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport, self._is_open = transport, True
        link: socket.socket = transport.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        host = str(transport.get_extra_info("peername")[0])
        self._feed(TcpOpened(self.number, host.partition("%")[0]))

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's name
        """Return where the next piece goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take a piece."""
        self._feed(TcpData(self.number, bytes(self._buffer[:nbytes])))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Say that it is over, whoever ended it."""
        self._is_open = False
        self._feed(TcpClosed(self.number))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self._transport is None or not self._is_open:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("connection=%d given up: the peer does not read", self.number)
            self._transport.abort()

    def close(self) -> None:
        """Close; what was sent still goes out, but not for ever."""
        if self._transport is None or not self._is_open:
            return
        self._transport.close()
        asyncio.get_running_loop().call_later(CLOSE_S, self._transport.abort)

    def abort(self) -> None:
        """Break the connection off: the peer sees a reset."""
        if self._transport is not None:
            self._transport.abort()


class V2gPort:
    """Listen while cars are wanted, and keep the connections."""

    def __init__(self, index: int, feed: Feed) -> None:
        self.port = 0
        self._index = index
        self._feed = feed
        self._count = 0
        self._address = b""
        self._listener: socket.socket | None = None
        self._pipes: dict[int, Pipe] = {}

    def bind(self, address: bytes) -> int:
        """Choose a free port on a link-local address; return it."""
        self.listen(on=False)
        self._address = address
        with self._bound(0) as chosen:
            self.port = chosen.getsockname()[1]
        return self.port

    def listen(self, *, on: bool) -> None:
        """Take connections, or refuse them; those there are stay."""
        loop = asyncio.get_running_loop()
        if on and self._listener is None and self._address:
            self._listener = self._bound(self.port)
            self._listener.listen(BACKLOG)
            loop.add_reader(self._listener, self._accept, self._listener)
        elif not on and self._listener is not None:
            loop.remove_reader(self._listener)
            self._listener.close()
            self._listener = None

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
            link, _ = listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        link.settimeout(0)
        self._count += 1
        pipe = Pipe(self._count, self._pass)
        self._pipes[pipe.number] = pipe
        loop = asyncio.get_running_loop()
        task = loop.create_task(
            loop.connect_accepted_socket(lambda: pipe, link), name="accept"
        )
        task.add_done_callback(_settled)

    def _pass(self, event: TcpOpened | TcpData | TcpClosed) -> None:
        if isinstance(event, TcpClosed):
            self._pipes.pop(event.connection, None)
        self._feed(event)


def _settled(task: asyncio.Task[object]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.warning("connection lost before it began error=%s", task.exception())
