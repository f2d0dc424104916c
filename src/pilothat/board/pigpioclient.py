"""A client of pigpio's daemon for what must never hang and never be stale.

Requests are sent as one batch and answered strictly in order. An error, an answer that
is late, negative or not the one that was asked for ends the connection for good: what
comes later could be taken for an answer to something else. It is never used again.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence
from typing import Any

from pilothat.board.pigpiowire import (
    CARRIES_DATA,
    HEAD,
    PORT,
    RESULT,
    Cmd,
    Err,
    request,
)
from pilothat.errors import BoardError
from pilothat.frozen import dataclass

CONNECT_S = 1.0
_ECHO_BYTES = 12
REMEDY = (
    "Look at the daemon: systemctl status pigpiod. It does not run on a Pi 5 and is "
    "not packaged for every system"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One command.

    result: what it must answer, the count of its data if it brings some; None for a
            reading of 32 bits, which may be anything
    data:   how `struct` reads one value from the data, big endian; otherwise it is
            all of them as they are
    """

    command: Cmd
    p1: int = 0
    p2: int = 0
    extension: bytes = b""
    result: int | None = 0
    data: str = ""


class Batch:
    """Requests that are sent together, made once and used often.

    layout: cuts what is to be learnt out of all answers
    """

    def __init__(self, *requests: Request) -> None:
        self.requests = requests
        self.sent = b"".join(
            request(one.command, one.p1, one.p2, one.extension) for one in requests
        )
        self.heads = tuple(_head(one) for one in requests)
        self.layout = struct.Struct(">" + "".join(_layout(one) for one in requests))
        self._known = _number(self._padded(self.heads))
        self._mask = _number(self._padded([b"\xff" * len(one) for one in self.heads]))

    def is_answered_by(self, received: bytes) -> bool:
        """Whether all that is known of the answers beforehand is as it must be."""
        is_whole = len(received) == self.layout.size
        return is_whole and _number(received) & self._mask == self._known

    def _padded(self, heads: Sequence[bytes]) -> bytes:
        """Return heads where they are in the answers, with zeros in between."""
        sizes = [struct.calcsize(">" + _layout(one)) for one in self.requests]
        return b"".join(
            head.ljust(size, b"\0") for head, size in zip(heads, sizes, strict=True)
        )


def _head(one: Request) -> bytes:
    """Return what is known of an answer beforehand."""
    head = HEAD.pack(one.command, one.p1, one.p2, one.result or 0)
    return head[:_ECHO_BYTES] if one.result is None else head


def _layout(one: Request) -> str:
    """Return how an answer is cut: what is known, and what is to be learnt."""
    if one.result is None:
        return f"{_ECHO_BYTES}x4s"
    count = one.result if one.command in CARRIES_DATA else 0
    return f"{RESULT.size}x{one.data or f'{count}s'}"


def _number(data: bytes) -> int:
    return int.from_bytes(data, "little")


_NOTHING = Batch()


class Client:
    """One connection."""

    def __init__(self, host: str = "127.0.0.1", port: int = PORT) -> None:
        self._address = host, port
        self._where = f"pigpiod {host}:{port}"
        try:
            self._socket = socket.create_connection((host, port), CONNECT_S)
        except OSError as error:
            raise BoardError(
                f"no daemon answers ({error})", where=self._where, remedy=REMEDY
            ) from error
        self._socket.settimeout(None)  # the kernel keeps the limit, in fewer calls
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._limit_s = 0.0
        self._awaited = 1  # octets at a time
        self._early = _NOTHING  # waits for the next batch
        self._why_lost = ""

    def exchange(self, batch: Batch, limit_s: float) -> Sequence[Any]:
        """Send a batch; return the data of each answer, or the four bytes it read.

        Raises BoardError when anything is not as it must be.
        """
        early, self._early = self._early, _NOTHING
        self._send(early.sent + batch.sent, limit_s)
        size = early.layout.size
        received = self._receive(size + batch.layout.size)
        self._answers(early, received[:size])
        return self._answers(batch, received[size:])

    def post(self, batch: Batch, limit_s: float) -> None:
        """Send a batch together with the next one, in front of it.

        One more posted meanwhile sends it now. Raises BoardError.
        """
        if self._early is not _NOTHING:
            self.exchange(_NOTHING, limit_s)
        self._early = batch

    def ask(
        self, command: Cmd, p1: int = 0, p2: int = 0, extension: bytes = b""
    ) -> tuple[int, bytes]:
        """Return result and data of one command; it may be an error."""
        batch = Batch(Request(command, p1, p2, extension, None))
        self._send(batch.sent, CONNECT_S)
        received = self._receive(RESULT.size)
        if len(received) < RESULT.size:
            raise self._lost(self._too_late)
        if complaint := _complaint(batch, received):
            raise self._lost(complaint)
        result = _result(received, 0)
        count = max(result, 0) if command in CARRIES_DATA else 0
        data = self._receive(count) if count else b""
        if len(data) < count:
            raise self._lost(self._too_late)
        return result, data

    def again(self) -> Client:
        """Return a new connection to the same daemon. Raises BoardError."""
        return Client(*self._address)

    def close(self) -> None:
        """Let go."""
        self._why_lost = self._why_lost or "closed"
        self._socket.close()

    def _send(self, data: bytes, limit_s: float) -> None:
        if self._why_lost:
            raise self._lost(self._why_lost)
        try:
            if limit_s != self._limit_s:
                self._limit(limit_s)
            self._socket.sendall(data)
        except OSError as error:
            raise self._lost(f"the daemon has gone ({error})") from error

    def _answers(self, batch: Batch, received: bytes) -> Sequence[Any]:
        if batch.is_answered_by(received):
            return batch.layout.unpack(received)
        raise self._lost(_complaint(batch, received) or self._too_late)

    def _receive(self, count: int) -> bytes:
        """Return so many bytes, or fewer: the limit is over, or the daemon is gone.

        The daemon sends each answer by itself; the kernel wakes us for all of them.
        """
        try:
            if count != self._awaited:
                self._awaited = count
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)
            return self._socket.recv(count, socket.MSG_WAITALL)
        except BlockingIOError:
            return b""
        except OSError as error:
            raise self._lost(f"the daemon has gone ({error})") from error

    @property
    def _too_late(self) -> str:
        return f"no answer within {self._limit_s * 1e3:.0f} ms, or none any more"

    def _limit(self, limit_s: float) -> None:
        """Let the kernel end what takes longer."""
        self._limit_s = limit_s
        seconds, part = divmod(limit_s, 1.0)
        value = struct.pack("@ll", int(seconds), round(part * 1e6))
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._socket.setsockopt(socket.SOL_SOCKET, option, value)

    def _lost(self, why: str) -> BoardError:
        """End the connection; return the error to raise."""
        self._why_lost = why
        self._socket.close()
        return BoardError(f"HAT lost: {why}", where=self._where, remedy=REMEDY)


def _complaint(batch: Batch, received: bytes) -> str:
    """Return what is wrong with the answers so far, or nothing."""
    place = 0
    for one, head in zip(batch.requests, batch.heads, strict=True):
        if len(received) < place + RESULT.size:
            return ""
        if not received.startswith(head[:_ECHO_BYTES], place):
            return f"{one.command.name} got the answer of another"
        result = _result(received, place)
        if one.result is not None and result != one.result:
            return f"{one.command.name} was answered by {_name(result)}"
        place += RESULT.size + (result if one.command in CARRIES_DATA else 0)
    return ""


def _result(received: bytes, place: int) -> int:
    return int(RESULT.unpack_from(received, place)[3])


def _name(result: int) -> str:
    known = result in Err.__members__.values()
    return f"{result} {Err(result).name}" if known else str(result)


def words_of(answers: Sequence[bytes]) -> list[int]:
    """Return results that are four bytes as unsigned numbers."""
    return [int.from_bytes(answer, "little") for answer in answers]
