"""The service manager's view: a line for people, a watchdog, how long the start took.

The watchdog is fed only while both turn, this loop and the guard; a program that hangs
in either is killed and started anew, and the board makes itself safe meanwhile.
"""

from __future__ import annotations

import asyncio
import time

from pilothat.guard import PilotFact
from pilothat.pilot.duty import STEADY_PCT
from pilothat.runtime.notify import Notifier
from pilothat.runtime.shell import Shell
from pilothat.station.events import Event
from pilothat.station.report import report
from pilothat.station.station import Station

BEAT_S = 1.0  # how often the line is looked at, where no watchdog wants more
STARTING_S = 0.05  # the same until the guard has spoken


class Health:
    """Tell the service manager how a station is."""

    def __init__(self, shell: Shell, notifier: Notifier) -> None:
        self._shell = shell
        self._notifier = notifier
        self._loop = asyncio.get_running_loop()
        self._beat_s = min(notifier.alive_s or BEAT_S, BEAT_S)
        self._timer: asyncio.TimerHandle | None = None
        self._beat()

    def close(self) -> None:
        """Say nothing more."""
        if self._timer is not None:
            self._timer.cancel()

    def _beat(self) -> None:
        has_begun = self._shell.has_heard_guard
        wait_s = self._beat_s if has_begun else STARTING_S
        self._timer = self._loop.call_later(wait_s, self._beat)
        if has_begun:  # its board is open, and the pilot is driven
            self._notifier.ready()
        if self._shell.is_guard_alive:
            self._notifier.alive()
        self._notifier.status(report(self._shell.station, self._loop.time()).line)


class BootTimes:
    """Seconds from power-on to a steady pilot and to a station that is ready."""

    def __init__(self) -> None:
        self.pilot_s: float | None = None
        self._steady = asyncio.Event()

    async def steady(self) -> None:
        """Wait until the guard has told of a steady pilot."""
        await self._steady.wait()

    def watch(self, _station: Station, event: Event | None, _now: float) -> None:
        """Take what has just happened."""
        self.hear(event)

    def hear(self, event: object) -> None:
        """Take what the guard has told."""
        is_steady = isinstance(event, PilotFact) and event.duty_pct == STEADY_PCT
        if is_steady and self.pilot_s is None:
            self.pilot_s = uptime_s()
            self._steady.set()

    @property
    def text(self) -> str:
        """Both times, the second being now."""
        pilot = "-" if self.pilot_s is None else f"{self.pilot_s:.1f}"
        return f"boot_to_pilot_s={pilot} boot_to_ready_s={uptime_s():.1f}"


def uptime_s() -> float:
    """Return the time since power-on."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)
