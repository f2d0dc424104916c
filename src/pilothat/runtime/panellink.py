"""Main's end of the panel: tells it what is shown, and starts it again when it fails.

It tells that again and again: a panel that hears nothing shows that main hangs. What it
sees of contactor and emergency stop is handed on. Nothing here waits and nothing here
raises: a panel that fails never touches a charge. What it failed by is logged once; it
is tried again until it is well.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping

from pilothat.plant import SAFE_V
from pilothat.runtime.panel import (
    BLIND,
    PRESSED,
    READY,
    REPEAT_S,
    SEES,
    UNSEEN,
    Reading,
    Shown,
    reading_of,
)
from pilothat.station.station import Station

log = logging.getLogger("pilothat.panel")

RETRY_S = 5.0
ENDS_S = 1.0
_MAX_BYTES = 256


def shown_of(station: Station) -> Shown:
    """Return what a station shows."""
    guard, outlet_v = station.guard, station.path.plant.outlet_v
    is_seen = not any(fault in station.faults for fault in UNSEEN)
    is_off = station.is_safe and not guard.is_supply_enabled
    is_dead = is_seen and is_off and outlet_v < SAFE_V
    return Shown(station.phase, bool(station.faults), is_dead)


class PanelLink:
    """The panel's process, as long as it is not closed.

    pressed: what to do when somebody presses the button
    saw:     what to do with what it has seen of the inputs
    """

    def __init__(
        self, driver: str, options: Mapping[str, str], retry_s: float = RETRY_S
    ) -> None:
        self._loop = asyncio.get_running_loop()
        given = [f"{name}={value}" for name, value in options.items()]
        self._words = [driver, *given]
        self._retry_s = retry_s
        self._shown: Shown | None = None
        self._socket: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._again: asyncio.TimerHandle | None = None
        self._why = ""
        self._told = self._blind = ""
        self.is_ready = False
        self.pressed: Callable[[], object] = lambda: None
        self.saw: Callable[[Reading], object] = lambda _: None
        self._start()
        self._repeats = self._loop.call_later(REPEAT_S, self._repeat)

    def watch(self, station: Station, _event: object, _now: float) -> None:
        """Let the panel know what a station shows now."""
        self.show(shown_of(station))

    def show(self, shown: Shown) -> None:
        """Let the panel know, if it is news."""
        if shown != self._shown:
            self._shown = shown
            self._send()

    def close(self) -> None:
        """End the panel: LEDs off."""
        self._repeats.cancel()
        if self._again is not None:
            self._again.cancel()
        self._drop()
        if self._process is not None:
            try:
                self._process.wait(ENDS_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _start(self) -> None:
        self._again, self._why = None, ""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)  # noqa: FBT003 - socket's way
        command = [sys.executable, "-m", "pilothat.runtime.panelproc"]
        words = [str(theirs.fileno()), *self._words]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [*command, *words], pass_fds=[theirs.fileno()]
                )
            except OSError as error:
                ours.close()
                self._fail(f"cannot be started ({error.strerror})")
                return
        self._socket = ours
        self._loop.add_reader(ours, self._hear)
        self._send()

    def _repeat(self) -> None:
        self._repeats = self._loop.call_later(REPEAT_S, self._repeat)
        self._send()

    def _send(self) -> None:
        if self._socket is None or self._shown is None:
            return
        try:
            self._socket.send(self._shown.text.encode())
        except BlockingIOError:
            self._lost("it does not listen")
        except OSError:
            self._hear()  # it has gone, and may have said why

    def _hear(self) -> None:
        """Take what it says; at its end, why it ended."""
        if self._socket is None:
            return
        try:
            message = self._socket.recv(_MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            message = b""
        if message:
            self._take(message)
        else:
            self._lost(self._why or "it ended, or hung and was ended")

    def _take(self, message: bytes) -> None:
        text = message.decode(errors="replace")
        if message == READY:
            if self._told:
                log.info("panel is back")
            self._told, self.is_ready = "", True
        elif message == PRESSED:
            self.pressed()
        elif text.startswith(SEES):
            self.saw(reading_of(text))
        elif text.startswith(BLIND):
            self._tell_blind(text.removeprefix(BLIND).strip())
        else:
            self._why = text

    def _tell_blind(self, why: str) -> None:
        if why != self._blind:
            log.warning("panel does not see contactor and emergency stop: %s", why)
        self._blind = why

    def _lost(self, why: str) -> None:
        self._drop()
        if self._process is not None and self._process.poll() is None:
            self._process.kill()  # reaped by the next start, or at the end
        self._fail(why)

    def _fail(self, why: str) -> None:
        if not self._told:
            log.error("panel failed, charging goes on error=%s", why)
        self._told = why
        self._again = self._loop.call_later(self._retry_s, self._restart)

    def _restart(self) -> None:
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0)
        self._start()

    def _drop(self) -> None:
        self.is_ready = False
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None
