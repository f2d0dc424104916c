"""One TCP connection: bytes handed up in small pieces, bare or under TLS.

Both ends use it. No peer keeps the loop busy, and one that does not read is given up.
Who is above hears the same events with and without TLS, once a handshake is done.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Protocol

from pilothat.frozen import dataclass
from pilothat.station.events import TcpClosed, TcpData, TcpOpened

log = logging.getLogger(__name__)

PIECE_BYTES = 2048  # at most this is looked at in one turn of the loop
MAX_UNSENT_BYTES = 64 * 1024  # a peer that does not read is given up
CLOSE_S = 5.0  # then a closing connection is cut
HANDSHAKE_S = 4.0  # then a TLS handshake is given up; the set-up time has 18 s

Feed = Callable[[TcpOpened | TcpData | TcpClosed], None]


def host_of(peer: Sequence[object]) -> str:
    """Return the host of a socket's address, without its scope."""
    return str(peer[0]).partition("%")[0]


class Pipe(asyncio.BufferedProtocol):
    """One connection."""

    def __init__(self, number: int, feed: Feed) -> None:
        self.number = number
        self.host = ""
        self._feed = feed
        self._buffer = bytearray(PIECE_BYTES)
        self._transport: asyncio.Transport | None = None
        self._is_open = False

    @property
    def is_usable(self) -> bool:
        """Whether it is open, and nobody is closing it."""
        return (
            self._is_open
            and self._transport is not None
            and not self._transport.is_closing()
        )

    @property
    def is_settled(self) -> bool:
        """Whether messages can go, as far as the connection is concerned."""
        return self.is_usable

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection up."""
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport, self._is_open = transport, True
        link: socket.socket = transport.get_extra_info("socket")
        link.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if peer := transport.get_extra_info("peername"):  # none: it has hung up
            self.host = host_of(peer)
        self._begin()

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's name
        """Return where the next piece goes."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take a piece."""
        self._take(bytes(self._buffer[:nbytes]))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        """Say that it is over, whoever ended it."""
        self._is_open = False
        self._feed(TcpClosed(self.number))

    def send(self, data: bytes) -> None:
        """Send bytes."""
        self._write(data)

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

    def _begin(self) -> None:
        self._feed(TcpOpened(self.number, self.host))

    def _take(self, data: bytes) -> None:
        self._feed(TcpData(self.number, data))

    def _write(self, data: bytes) -> None:
        if self._transport is None or not self._is_open:
            return
        self._transport.write(data)
        if self._transport.get_write_buffer_size() > MAX_UNSENT_BYTES:
            log.warning("connection=%d given up: the peer does not read", self.number)
            self._transport.abort()


class TlsError(Exception):
    """A TLS session failed; its text is OpenSSL's word for it, in small letters."""


class Engine(Protocol):
    """One TLS session on memory, whichever library speaks it.

    The wire is on one side of it, plain octets are on the other. What fails raises
    TlsError.
    """

    def take(self, octets: bytes) -> None:
        """Take octets that have come from the peer."""

    def outgoing(self) -> bytes:
        """Return octets for the peer, each once; empty if there are none."""

    def shake(self) -> bool:
        """Go on with the handshake as far as it goes; tell whether it is done."""

    def read(self, most: int) -> bytes | None:
        """Return plain octets; None: there are none yet, empty: it has said goodbye."""

    def write(self, data: bytes) -> None:
        """Encrypt octets for the peer."""

    def part(self) -> None:
        """Say goodbye; the peer's is not waited for."""


@dataclass(frozen=True, slots=True)
class Tls:
    """What a side speaks TLS with.

    wanted: how many octets of the peer are enough to choose; 0: choose now
    pick: an engine for one connection, by the peer's first octets
    explain: what to say of a failure, by OpenSSL's word and the peer's first octets
    """

    is_server: bool
    wanted: Callable[[bytes], int]
    pick: Callable[[bytes], Engine]
    explain: Callable[[str, bytes], str] = lambda why, _: why


def as_client(start: Callable[[], Engine]) -> Tls:
    """Return what a car speaks TLS with."""
    return Tls(is_server=False, wanted=lambda _: 0, pick=lambda _: start())


class TlsPipe(Pipe):
    """One connection under TLS; it counts as open when the handshake is done.

    OpenSSL works on memory here, so that the ClientHello can be read before it does.
    """

    def __init__(self, number: int, feed: Feed, tls: Tls) -> None:
        super().__init__(number, feed)
        self._how = tls
        self._first = b""
        self._engine: Engine | None = None
        self._is_secure = self._is_shaking = False
        self._alarm: asyncio.TimerHandle | None = None

    @property
    def is_settled(self) -> bool:
        """Whether the handshake is done."""
        return self._is_secure and self.is_usable

    def connection_lost(self, exc: Exception | None) -> None:
        """Say that it is over, whoever ended it."""
        if self._is_shaking:
            self._told("the peer hung up")
        super().connection_lost(exc)

    def send(self, data: bytes) -> None:
        """Send bytes."""
        if self._engine is not None and self.is_settled:
            self._engine.write(data)
            self._flush(self._engine)

    def close(self) -> None:
        """Say goodbye in TLS, and close."""
        if self._engine is not None and self.is_settled:
            self._engine.part()
            self._flush(self._engine)
        super().close()

    def give_up(self, why: str) -> None:
        """End it before it is open, and say so in one line."""
        self._told(why)
        self.abort()

    def _begin(self) -> None:
        self._is_shaking = True
        loop = asyncio.get_running_loop()
        late = f"not done in {HANDSHAKE_S:.0f} s"
        self._alarm = loop.call_later(HANDSHAKE_S, self.give_up, late)
        if not self._how.is_server:
            self._start()

    def _start(self) -> None:
        self._engine = self._how.pick(self._first)
        self._take(self._first)

    def _take(self, data: bytes) -> None:
        engine = self._engine
        if engine is None:
            self._first += data
            if len(self._first) >= self._how.wanted(self._first):
                self._start()
            return
        engine.take(data)
        try:
            self._advance(engine)
        except TlsError as error:
            self._told(self._how.explain(str(error), self._first))
            self._flush(engine)  # what OpenSSL has to say to the peer
            super().close()

    def _advance(self, engine: Engine) -> None:
        if not self._is_secure:
            is_done = engine.shake()
            self._flush(engine)
            if not is_done:
                return
            self._settle()
            self._is_secure, self._first = True, b""
            self._feed(TcpOpened(self.number, self.host, is_secure=True))
        while self.is_usable:
            data = engine.read(PIECE_BYTES)
            if data is None:
                self._flush(engine)
                return
            if not data:  # the peer has said goodbye
                self.close()
                return
            self._feed(TcpData(self.number, data))

    def _flush(self, engine: Engine) -> None:
        if octets := engine.outgoing():
            self._write(octets)

    def _settle(self) -> None:
        self._is_shaking = False
        if self._alarm is not None:
            self._alarm.cancel()

    def _told(self, why: str) -> None:
        log.warning("connection=%d host=%s TLS: %s", self.number, self.host, why)
        self._settle()
