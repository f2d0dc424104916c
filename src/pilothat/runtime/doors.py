"""Doors of the twin: sockets that programs call at, and how they may be treated there.

What is answered may be late or wrong on purpose; whoever calls must notice.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator, Set
from typing import Generic, TypeVar

from pilothat.errors import BoardError
from pilothat.machine import earliest
from pilothat.runtime.benchtalk import DaemonFault

SLOW_S = 0.4  # how late answers come with SLOW

Faults = Set[DaemonFault]


class Caller:
    """A connection, and the answers that are on their way to it."""

    def __init__(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        self.connection = connection
        self._answers: deque[tuple[float, bytes]] = deque()
        self._before = b""  # the answer to the request before

    @property
    def deadline(self) -> float | None:
        """When the next answer is due."""
        return self._answers[0][0] if self._answers else None

    def answer(self, answer: bytes, faults: Faults, now: float) -> None:
        """Give an answer, as well as the faults let it."""
        given = answer
        if DaemonFault.WRONG in faults:
            given = self._before or answer
        self._before = answer
        late_s = SLOW_S if DaemonFault.SLOW in faults else 0.0
        self._answers.append((now + late_s, given))

    def due(self, now: float) -> Iterator[bytes]:
        """Take the answers that are due."""
        while self._answers and self._answers[0][0] <= now:
            yield self._answers.popleft()[1]


C = TypeVar("C", bound=Caller)


class Door(ABC, Generic[C]):
    """A listening socket and its callers, on the selector of the twin.

    where:     as errors name it
    listening: makes the socket
    met:       makes a caller of a connection
    """

    def __init__(
        self,
        selector: selectors.BaseSelector,
        where: str,
        listening: Callable[[], socket.socket],
        met: Callable[[socket.socket], C],
    ) -> None:
        self._selector = selector
        self._where = where
        self._listening = listening
        self._met = met
        self._listener: socket.socket | None = None
        self.callers: list[C] = []

    # --- what each kind of door does in its way

    @abstractmethod
    def hear(self, caller: C, faults: Faults) -> None:
        """Take what a caller has sent. Raises OSError when it has gone."""

    @abstractmethod
    def send(self, caller: C, now: float) -> None:
        """Send what is due. Raises OSError when the caller has gone."""

    @abstractmethod
    def lost(self, caller: C) -> None:
        """Tidy up behind a caller that has gone."""

    # --- what all do

    @property
    def deadline(self) -> float | None:
        """When the next answer is due."""
        return earliest(*(caller.deadline for caller in self.callers))

    def open(self) -> None:
        """Let callers in, unless that is so. Raises BoardError."""
        if self._listener is not None:
            return
        try:
            listener = self._listening()
        except OSError as error:
            raise BoardError(
                f"cannot listen ({error.strerror})",
                where=self._where,
                remedy="Another one runs there; choose another port or socket",
            ) from error
        listener.settimeout(0)
        self._listener = listener
        self._selector.register(listener, selectors.EVENT_READ)

    def shut(self) -> None:
        """Take no more connections and end all there are."""
        if self._listener is not None:
            self._selector.unregister(self._listener)
            self._listener.close()
            self._listener = None
        for caller in tuple(self.callers):
            self._drop(caller)

    def attend(self, ready: object, faults: Faults) -> None:
        """See to a socket that is ready, if it is one of ours."""
        if ready is self._listener:
            self._let_in()
        for caller in [one for one in self.callers if one.connection is ready]:
            try:
                self.hear(caller, faults)
            except OSError:
                self._drop(caller)

    def write(self, now: float) -> None:
        """Send to all callers what is due."""
        for caller in tuple(self.callers):
            try:
                self.send(caller, now)
            except OSError:
                self._drop(caller)

    def _let_in(self) -> None:
        if self._listener is not None:
            with contextlib.suppress(BlockingIOError):
                caller = self._met(self._listener.accept()[0])
                self.callers.append(caller)
                self._selector.register(caller.connection, selectors.EVENT_READ)

    def _drop(self, caller: C) -> None:
        self.callers.remove(caller)
        self._selector.unregister(caller.connection)
        caller.connection.close()
        self.lost(caller)
