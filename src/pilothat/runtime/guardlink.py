"""The link between the main program and its guard: one datagram, one value.

Both ends never block: a datagram that does not fit is dropped, the next lease or fact
carries the newest truth. The values are those of ``pilothat.guard``, as JSON.
"""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from pilothat.frozen import dataclass
from pilothat.guard import GuardFact, Lease, PilotFact, Want
from pilothat.journal import JournalError, Reading, text_of


@dataclass(frozen=True, slots=True)
class Alive:
    """The guard turns, whether or not it has anything to tell."""


_MAX_BYTES = 4096
_BURST = 32  # datagrams taken in one turn
_READING = Reading((Lease, Want, PilotFact, GuardFact, Alive))


class LinkLostError(Exception):
    """The other end is gone."""


class GuardLink:
    """One end of the link."""

    def __init__(self, end: socket.socket) -> None:
        end.settimeout(0)
        self._end = end

    def fileno(self) -> int:
        """Return the descriptor, readable when there is something to take."""
        return self._end.fileno()

    def send(self, value: Lease | PilotFact | GuardFact | Alive) -> None:
        """Tell the other end. Raises LinkLostError when it is gone."""
        with contextlib.suppress(BlockingIOError):
            try:
                self._end.send(text_of(value).encode())
            except (BrokenPipeError, ConnectionError) as error:
                raise LinkLostError from error

    def take(self) -> Iterator[object]:
        """Yield what has come. Raises LinkLostError when the other end is gone."""
        for _ in range(_BURST):
            try:
                raw = self._end.recv(_MAX_BYTES)
            except BlockingIOError:
                return
            except ConnectionError as error:
                raise LinkLostError from error
            if not raw:
                raise LinkLostError
            with contextlib.suppress(JournalError):
                yield _READING.value(raw.decode(errors="replace"))

    def close(self) -> None:
        """Let go."""
        self._end.close()


def pair() -> tuple[socket.socket, socket.socket]:
    """Return the two ends; closing one is seen at the other."""
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return ends[0], ends[1]
