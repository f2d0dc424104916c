"""IP between station and car: datagrams and one TCP connection, over the powerline.

What is sent while the line is cut is sent again until it arrives or the connection is
gone, as TCP does; datagrams are lost.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from pilothat.station.actions import SendMessage, TcpSend
from pilothat.station.events import MessageIn, TcpData, TcpOpened
from pilothat.twin.clockwork import Call, Clockwork

ONE_WAY_S = 0.003
RETRANSMIT_S = 0.25

Said = TcpData | MessageIn
E = TypeVar("E", TcpOpened, Said)


class Network:
    """Carry what both sides say.

    is_linked: whether the two modems are in one network now
    """

    def __init__(self, clock: Clockwork, is_linked: Callable[[], bool]) -> None:
        self.is_listening = False
        self._clock = clock
        self._is_linked = is_linked
        self._count = 0
        self._open = 0  # number of the connection there is; 0 is none

    @property
    def connection(self) -> int:
        """Return the number of the connection there is; 0 for none."""
        return self._open

    def datagram(self, deliver: Call) -> None:
        """Carry a datagram, if there is a way."""
        if self._is_linked():
            self._clock.after(ONE_WAY_S, deliver)

    def connect(
        self, opened: Callable[[int], None], refused: Callable[[int], None]
    ) -> None:
        """Open a connection from the car."""

        def arrive() -> None:
            self._count += 1
            if self.is_listening and self._is_linked():
                self._open = self._count
                opened(self._count)
            else:
                refused(self._count)

        self._clock.after(ONE_WAY_S, arrive)

    def carry(self, event: E, deliver: Callable[[E], None]) -> None:
        """Deliver over the connection what happens to it."""
        self._clock.after(ONE_WAY_S, partial(self._arrive, event, deliver))

    def _arrive(self, event: E, deliver: Callable[[E], None]) -> None:
        if self._open != event.connection:
            return
        if self._is_linked():
            deliver(event)
        else:
            self._clock.after(RETRANSMIT_S, partial(self._arrive, event, deliver))

    def hang_up(self, number: int, closed: Callable[[int], None]) -> None:
        """Close the connection, behind what was sent before."""

        def close() -> None:
            if self._open == number:
                self._open = 0
                closed(number)

        self._clock.after(1.5 * ONE_WAY_S, close)


def arriving(action: TcpSend | SendMessage) -> Said:
    """Return what the other side hears of what is sent."""
    if isinstance(action, TcpSend):
        return TcpData(action.connection, action.data)
    return MessageIn(action.connection, action.message)
