"""A client of pigpio's daemon for what must never hang and never be stale.

Requests are sent as one batch and answered strictly in order. An error, an answer that
is late, negative or not the one that was asked for ends the connection for good: what
comes later could be taken for an answer to something else. It is never used again.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Sequence

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
_CHUNK = 4096
_ECHO_BYTES = 12
REMEDY = (
    "Look at the daemon: systemctl status pigpiod. It does not run on a Pi 5 and is "
    "not packaged for every system"
)


@dataclass(frozen=True, slots=True)
class Request:
    """One command.

    data_bytes: what must follow the answer; None is whatever the result says
    """

    command: Cmd
    p1: int = 0
    p2: int = 0
    extension: bytes = b""
    data_bytes: int | None = None


class Batch:
    """Requests that are sent together, made once and used often."""

    def __init__(self, *requests: Request) -> None:
        self.requests = requests
        self.sent = b"".join(
            request(one.command, one.p1, one.p2, one.extension) for one in requests
        )
        self.echoes = [
            HEAD.pack(one.command, one.p1, one.p2, 0)[:_ECHO_BYTES] for one in requests
        ]


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
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._why_lost = ""
        self._received = bytearray()
        self._deadline = 0.0

    @property
    def is_lost(self) -> bool:
        """Whether the connection is no more."""
        return bool(self._why_lost)

    def exchange(self, batch: Batch, limit_s: float) -> list[bytes]:
        """Send a batch; return the data of each answer, its result where it has none.

        A result is four bytes. Raises BoardError when anything is not as it must be.
        """
        answers = []
        for one, (result, data) in zip(
            batch.requests, self._answers(batch, limit_s), strict=True
        ):
            if result < 0 and one.command not in _UNSIGNED:
                raise self._lost(f"{one.command.name} was answered by {_name(result)}")
            if one.data_bytes is not None and len(data) != one.data_bytes:
                raise self._lost(f"{one.command.name} brought {len(data)} bytes")
            answers.append(data or result.to_bytes(4, "little", signed=True))
        return answers

    def ask(
        self, command: Cmd, p1: int = 0, p2: int = 0, extension: bytes = b""
    ) -> tuple[int, bytes]:
        """Return result and data of one command; it may be an error."""
        batch = Batch(Request(command, p1, p2, extension))
        return self._answers(batch, CONNECT_S)[0]

    def again(self) -> Client:
        """Return a new connection to the same daemon. Raises BoardError."""
        return Client(*self._address)

    def close(self) -> None:
        """Let go."""
        self._why_lost = self._why_lost or "closed"
        self._socket.close()

    def _answers(self, batch: Batch, limit_s: float) -> list[tuple[int, bytes]]:
        if self.is_lost:
            raise self._lost(self._why_lost)
        self._deadline = time.monotonic() + limit_s
        try:
            self._socket.settimeout(limit_s)
            self._socket.sendall(batch.sent)
            return self._take(batch)
        except OSError as error:
            what = "late" if isinstance(error, TimeoutError) else str(error)
            raise self._lost(f"no answer within {limit_s * 1e3:.0f} ms ({what})") from (
                error
            )

    def _take(self, batch: Batch) -> list[tuple[int, bytes]]:
        answers, place, received = [], 0, self._received
        for one, echo in zip(batch.requests, batch.echoes, strict=True):
            end = place + RESULT.size
            if len(received) < end:
                self._fill(end)
            if not received.startswith(echo, place):
                raise self._lost(f"{one.command.name} got the answer of another")
            result = RESULT.unpack_from(received, place)[3]
            place = end
            if one.command in CARRIES_DATA and result > 0:
                place += result
                if len(received) < place:
                    self._fill(place)
            answers.append((result, bytes(received[end:place])))
        del received[:place]
        if received:
            raise self._lost("answers that nobody asked for")
        return answers

    def _fill(self, count: int) -> None:
        """Receive until so many bytes are there. Raises OSError."""
        while len(self._received) < count:
            left_s = self._deadline - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            self._socket.settimeout(left_s)
            chunk = self._socket.recv(_CHUNK)
            if not chunk:
                raise ConnectionResetError("the daemon has gone")
            self._received += chunk

    def _lost(self, why: str) -> BoardError:
        """End the connection; return the error to raise."""
        self._why_lost = why
        self._socket.close()
        return BoardError(f"HAT lost: {why}", where=self._where, remedy=REMEDY)


_UNSIGNED = frozenset({Cmd.BR1, Cmd.TICK, Cmd.HWVER})


def _name(result: int) -> str:
    known = result in Err.__members__.values()
    return f"{result} {Err(result).name}" if known else str(result)


def words_of(answers: Sequence[bytes]) -> list[int]:
    """Return results that are four bytes as unsigned numbers."""
    return [int.from_bytes(answer, "little") for answer in answers]
