"""A station's doors on the loopback, and all they tell."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable

from pilothat.runtime.pipe import Tls
from pilothat.runtime.v2gport import TlsOffer, V2gPort
from pilothat.station.events import TcpClosed, TcpData, TcpOpened

LOOPBACK = socket.inet_pton(socket.AF_INET6, "::1")
HOST = "::1"
SOON_S = 5.0
Fact = TcpOpened | TcpData | TcpClosed


def has_loopback() -> bool:
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as probe:
        try:
            probe.bind((HOST, 0))
        except OSError:
            return False
    return True


class Doors:
    """A port that listens, and all it has told."""

    def __init__(self, tls: Tls, *, is_required: bool = False) -> None:
        self.facts: list[Fact] = []
        self.echoes = False
        self.port = V2gPort(0, self._hear, TlsOffer(tls, is_required=is_required))
        self.port.bind(LOOPBACK)
        self.port.listen(on=True)

    def _hear(self, fact: Fact) -> None:
        self.facts.append(fact)
        if self.echoes and isinstance(fact, TcpData):
            self.port.send(fact.connection, fact.data)

    @property
    def opened(self) -> list[TcpOpened]:
        return [fact for fact in self.facts if isinstance(fact, TcpOpened)]

    def heard(self) -> bytes:
        return b"".join(fact.data for fact in self.facts if isinstance(fact, TcpData))

    def closed(self) -> int:
        return sum(isinstance(fact, TcpClosed) for fact in self.facts)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(SOON_S):
            while not holds():  # noqa: ASYNC110 - both ends are watched
                await asyncio.sleep(0.005)


def played_with(
    tls: Tls, play: Callable[[Doors], Awaitable[None]], *, is_required: bool = False
) -> Doors:
    """Play with the doors of a station, and close them."""

    async def whole() -> Doors:
        doors = Doors(tls, is_required=is_required)
        try:
            await play(doors)
        finally:
            doors.port.close_all()
            await asyncio.sleep(0.02)
        return doors

    return asyncio.run(whole())
