"""What the service manager is told: ready, alive, and one line for a person.

The protocol of sd_notify(3): datagrams to the socket that NOTIFY_SOCKET names; without
one, nothing is sent. A manager that does not listen must not end a charge, so what
cannot be sent is dropped.
"""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Mapping

_MILLION = 1e6


class Notifier:
    """Tell the service manager.

    alive_s: how often it wants a sign of life; None when it wants none. It is the half
             of what it allows, as its manual says.
    """

    def __init__(self, environment: Mapping[str, str] = os.environ) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._status = ""
        self._is_ready = False
        self._socket: socket.socket | None = None
        if address:
            kind = socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK
            self._socket = socket.socket(socket.AF_UNIX, kind)
        allowed = environment.get("WATCHDOG_USEC", "")
        is_ours = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        is_watched = allowed.isdecimal() and is_ours
        self.alive_s = int(allowed) / _MILLION / 2 if is_watched else None

    def ready(self) -> None:
        """Say that the start is over, once."""
        if not self._is_ready:
            self._is_ready = True
            self._send("READY=1")

    def status(self, line: str) -> None:
        """Say how it is, if that is news."""
        if line != self._status:
            self._status = line
            self._send(f"STATUS={line}")

    def alive(self) -> None:
        """Give a sign of life."""
        self._send("WATCHDOG=1")

    def stopping(self) -> None:
        """Say that the end has begun."""
        self._send("STOPPING=1")

    def _send(self, text: str) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.sendto(text.encode(), self._address)
