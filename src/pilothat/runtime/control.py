"""The station's control socket: ask how it is, tell it what to do, on this machine.

One line of JSON is a request, one is its answer: ``{"do": "status"}``. Who may write
to the socket may command the station, so it belongs to the user and group of the
service. A caller that talks nonsense, too much or too slowly is cut off; the station
never waits for one.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

log = logging.getLogger("pilothat.control")

CALLERS_MAX = 8
LINE_MAX = 1024
UNREAD_MAX = 65_536  # of answers that a caller does not take
MODE = 0o660

Deed = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class RefusedError(Exception):
    """A request cannot be done; the caller is told why."""


class ControlServer:
    """Listen on a path. Close removes it.

    deeds: what can be asked for, by name; a deed raises RefusedError
    """

    def __init__(self, path: Path, deeds: Mapping[str, Deed]) -> None:
        self._path = path
        self._deeds = deeds
        self._callers: set[_Caller] = set()
        self._server: asyncio.Server | None = None

    async def open(self) -> None:
        """Begin to listen; what an earlier life left there is removed.

        A place where that cannot be is told and lived without: a station charges
        without being asked.
        """
        try:
            self._path.unlink(missing_ok=True)
            loop = asyncio.get_running_loop()
            made = loop.create_unix_server(self._meet, self._path, backlog=CALLERS_MAX)
            self._server = await made
            os.chmod(self._path, MODE)  # noqa: PTH101 - a socket, not a file
        except OSError as error:
            told = "no control socket path=%s error=%s"
            log.warning(told, self._path, error.strerror or error)

    def close(self) -> None:
        """Stop listening and hang up."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)
        for caller in tuple(self._callers):
            caller.hang_up()

    def _meet(self) -> asyncio.Protocol:
        return _Caller(self)

    # --- what a caller needs

    def join(self, caller: _Caller) -> bool:
        """Take a caller; False when there are too many."""
        if len(self._callers) >= CALLERS_MAX:
            return False
        self._callers.add(caller)
        return True

    def leave(self, caller: _Caller) -> None:
        """Forget a caller."""
        self._callers.discard(caller)

    def answer(self, line: bytes) -> Mapping[str, Any]:
        """Do what a line asks for; return what is answered."""
        try:
            asked = json.loads(line)
            deed = self._deeds[asked["do"]]
        except (ValueError, KeyError, TypeError, RecursionError):
            known = ", ".join(self._deeds)
            return {"error": f'no request; say {{"do": ...}} with one of {known}'}
        try:
            return deed(asked)
        except RefusedError as error:
            return {"error": str(error)}


class _Caller(asyncio.Protocol):
    """One connection."""

    def __init__(self, server: ControlServer) -> None:
        self._server = server
        self._transport: asyncio.Transport | None = None
        self._rest = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(transport)
        self._transport = transport
        if not self._server.join(self):
            transport.abort()

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if max(map(len, (*lines, self._rest))) > LINE_MAX:
            self.hang_up()
            return
        for line in lines:
            self._say(self._server.answer(line))

    def connection_lost(self, _error: Exception | None) -> None:
        self._transport = None
        self._server.leave(self)

    def hang_up(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    def _say(self, answer: Mapping[str, Any]) -> None:
        if self._transport is None:
            return
        self._transport.write(json.dumps(answer).encode() + b"\n")
        if self._transport.get_write_buffer_size() > UNREAD_MAX:
            self.hang_up()
