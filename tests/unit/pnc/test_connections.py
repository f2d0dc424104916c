"""The station's doors on the loopback: TLS and plain, and who does not get through."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import struct
from collections.abc import Awaitable, Callable
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.pnc.doors import HOST, SOON_S, Doors, Fact, has_loopback, played_with
from tests.unit.pnc.tlsline import LIBRARIES, Library, client_context

from pilothat.runtime import pipe
from pilothat.runtime.pipe import TlsPipe
from pilothat.runtime.tlsfiles import Choice, car_tls, station_side
from pilothat.runtime.v2gport import MAX_SHAKING
from pilothat.station.events import TcpClosed, TcpData, TcpOpened

pytestmark = pytest.mark.skipif(not has_loopback(), reason="no IPv6 loopback here")
LIBRARY: ContextVar[Library] = ContextVar("LIBRARY")


@pytest.fixture(autouse=True, params=LIBRARIES)
def library(request: pytest.FixtureRequest) -> None:
    """Let the station speak by each library: nobody shall see a difference."""
    LIBRARY.set(request.param)


def played(
    folder: Path, play: Callable[[Doors], Awaitable[None]], *, is_required: bool = False
) -> Doors:
    """Play with the doors of a station of this folder."""
    start = LIBRARY.get()(station_side(folder))
    tls = replace(Choice(folder).tls(), pick=lambda _: start())
    return played_with(tls, play, is_required=is_required)


def raw(port: int) -> socket.socket:
    """Open a connection that says what the test wants, and no more."""
    return socket.create_connection((HOST, port), timeout=SOON_S)


def test_both_doors_are_open_and_say_which_they_are(folder: Path) -> None:
    async def play(doors: Doors) -> None:
        _, plain = await asyncio.open_connection(HOST, doors.port.port)
        await doors.until(lambda: len(doors.opened) == 1)
        plain.close()
        await doors.until(lambda: doors.closed() == 1)
        tls = client_context(folder)
        _, secure = await asyncio.open_connection(HOST, doors.port.tls_port, ssl=tls)
        await doors.until(lambda: len(doors.opened) == 2)
        secure.close()

    doors = played(folder, play)
    assert doors.opened == [TcpOpened(1, HOST), TcpOpened(2, HOST, is_secure=True)]


def test_where_tls_is_required_there_is_no_plain_door(folder: Path) -> None:
    async def play(doors: Doors) -> None:
        assert doors.port.port == 0
        assert doors.port.tls_port != 0

    played(folder, play, is_required=True)


def test_large_messages_go_both_ways_and_a_goodbye_is_answered(folder: Path) -> None:
    told = bytes(range(256)) * 400

    async def play(doors: Doors) -> None:
        doors.echoes = True
        reader, writer = await asyncio.open_connection(
            HOST, doors.port.tls_port, ssl=client_context(folder)
        )
        writer.write(told)
        async with asyncio.timeout(SOON_S):
            assert await reader.readexactly(len(told)) == told
        writer.close()
        await writer.wait_closed()
        await doors.until(lambda: doors.closed() == 1)

    doors = played(folder, play)
    assert doors.heard() == told
    assert max(len(one.data) for one in doors.facts if isinstance(one, TcpData)) <= 2048


def last_words(folder: Path, port: int) -> bytes:
    """Listen to a station until its goodbye; a mere end of TCP is an error."""
    context = client_context(folder)
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF
    heard = b""
    with raw(port) as link:
        line = context.wrap_socket(link, suppress_ragged_eofs=False)
        with line:
            while piece := line.recv(100):
                heard += piece
    return heard


def test_our_goodbye_is_one_of_tls(folder: Path) -> None:
    async def play(doors: Doors) -> None:
        port = doors.port.tls_port
        car = asyncio.create_task(asyncio.to_thread(last_words, folder, port))
        await doors.until(lambda: bool(doors.opened))
        doors.port.send(1, b"last words")
        doors.port.close(1)
        async with asyncio.timeout(SOON_S):
            assert await car == b"last words"

    assert played(folder, play).closed() == 1


def test_our_car_connects_to_our_station(folder: Path) -> None:
    told: list[Fact] = []

    async def play(doors: Doors) -> None:
        loop = asyncio.get_running_loop()
        car = TlsPipe(7, told.append, car_tls(folder))
        await loop.create_connection(lambda: car, HOST, doors.port.tls_port)
        await doors.until(lambda: bool(told and doors.opened))
        car.send(b"request")
        await doors.until(lambda: doors.heard() == b"request")
        doors.port.send(1, b"response")
        await doors.until(lambda: TcpData(7, b"response") in told)
        car.close()
        await doors.until(lambda: doors.closed() == 1)

    played(folder, play)
    assert told[0] == TcpOpened(7, HOST, is_secure=True)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x01\xfe\x80\x01\x00\x00\x00\x04\x80\x00\x00\x00",  # V2GTP without TLS
        b"\x16\x03\x01\xff\xff",  # a record that is too long
        b"\x16\x03\x01\x00\x04\x01\x00\x00\x00",  # an empty ClientHello
        b"GET / HTTP/1.1\r\n\r\n",
    ],
)
def test_garbage_is_told_in_one_line_and_the_next_car_is_served(
    folder: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def play(doors: Doors) -> None:
        with raw(doors.port.tls_port) as link:
            link.sendall(garbage)
            await doors.until(lambda: doors.closed() == 1)
        tls = client_context(folder)
        _, secure = await asyncio.open_connection(HOST, doors.port.tls_port, ssl=tls)
        await doors.until(lambda: bool(doors.opened))
        secure.close()

    doors = played(folder, play)
    assert [one.connection for one in doors.opened] == [2]
    assert len(caplog.messages) == 1
    assert "connection=1 host=::1 TLS: " in caplog.text


def test_car_that_does_not_trust_us_is_told_in_one_line(
    folder: Path, foreign_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Fact] = []

    async def play(doors: Doors) -> None:
        loop = asyncio.get_running_loop()
        car = TlsPipe(7, told.append, car_tls(foreign_folder))
        await loop.create_connection(lambda: car, HOST, doors.port.tls_port)
        await doors.until(lambda: bool(told) and doors.closed() == 1)

    assert played(folder, play).opened == []
    assert told == [TcpClosed(7)]
    lines = [line.partition(" TLS: ")[2] for line in caplog.messages]
    assert lines == ["certificate verify failed", "tlsv1 alert unknown ca"]


def test_stalled_handshake_is_given_up_and_keeps_nobody_away(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipe, "HANDSHAKE_S", 0.3)

    async def play(doors: Doors) -> None:
        with raw(doors.port.tls_port) as silent, raw(doors.port.tls_port) as slow:
            slow.sendall(b"\x16\x03\x01\x02\x00\x01")
            tls = client_context(folder)
            _, secure = await asyncio.open_connection(
                HOST, doors.port.tls_port, ssl=tls
            )
            await doors.until(lambda: bool(doors.opened))
            await doors.until(lambda: doors.closed() == 2)
            assert silent.recv(1) == b""
            secure.close()

    doors = played(folder, play)
    assert [one.connection for one in doors.opened] == [3]
    assert [line.endswith("not done in 0 s") for line in caplog.messages] == [True] * 2


def test_so_many_stalled_handshakes_are_kept_and_no_more(folder: Path) -> None:
    async def play(doors: Doors) -> None:
        where = HOST, doors.port.tls_port
        links = [await asyncio.open_connection(*where) for _ in range(3 * MAX_SHAKING)]
        await doors.until(lambda: doors.closed() == 2 * MAX_SHAKING)
        assert len(doors.port._pipes) == MAX_SHAKING
        doors.port.listen(on=False)  # no car is awaited any more
        await doors.until(lambda: not doors.port._pipes)
        for _, writer in links:
            writer.close()

    assert played(folder, play).opened == []


def test_second_car_is_turned_away_without_a_handshake(folder: Path) -> None:
    async def play(doors: Doors) -> None:
        tls = client_context(folder)
        _, first = await asyncio.open_connection(HOST, doors.port.tls_port, ssl=tls)
        await doors.until(lambda: bool(doors.opened))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(HOST, doors.port.tls_port, ssl=tls)
        first.close()
        await doors.until(lambda: doors.closed() == 1)
        _, next_ = await asyncio.open_connection(HOST, doors.port.tls_port, ssl=tls)
        await doors.until(lambda: len(doors.opened) == 2)
        next_.close()

    played(folder, play)


def test_failed_handshakes_leave_nothing_behind(folder: Path) -> None:
    async def play(doors: Doors) -> None:
        for count in range(1, 51):
            with raw(doors.port.tls_port) as link:
                link.sendall(b"\x15\x03\x03\x00\x02\x02\x00")
                await doors.until(lambda: doors.closed() == count)  # noqa: B023
        assert doors.port._pipes == {}

    played(folder, play)


def test_car_without_our_suite_is_told_with_what_it_offers(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(doors: Doors) -> None:
        tls = client_context(folder)
        tls.set_ciphers("ECDHE-ECDSA-AES256-SHA384")
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await asyncio.open_connection(HOST, doors.port.tls_port, ssl=tls)
        await doors.until(lambda: doors.closed() == 1)

    played(folder, play)
    (line,) = caplog.messages
    assert "TLS: no shared cipher, offered: c024" in line


def test_cars_that_hang_up_at_once_leave_nothing_behind(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def play(doors: Doors) -> None:
        ports = (doors.port.port, doors.port.tls_port) * 20
        for count, port in enumerate(ports, 1):
            link = raw(port)
            at_once = struct.pack("ii", 1, 0)
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
            link.close()
            await doors.until(lambda: doors.closed() == count)  # noqa: B023
        assert doors.port._pipes == {}

    played(folder, play)
    assert "Traceback" not in caplog.text
