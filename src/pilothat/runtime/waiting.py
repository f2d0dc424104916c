"""Before there is an interface: a steady pilot, and patience.

A modem on USB or SPI may come late, or be plugged in tomorrow. Who asks meanwhile is
told so; what the guard tells of pilot and board is kept for the station.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable
from pathlib import Path

from pilothat.errors import BoardError, PilotHatError
from pilothat.guard import GuardFact, Lease, PilotFact, Want
from pilothat.pilot.duty import STEADY_PCT
from pilothat.runtime import netwatch
from pilothat.runtime.control import ControlServer, RefusedError
from pilothat.runtime.guardlink import GuardLink, LinkLostError
from pilothat.runtime.health import BootTimes
from pilothat.runtime.notify import Notifier
from pilothat.runtime.shell import Shell

log = logging.getLogger("pilothat")

LOOK_S = 0.5  # between two looks; the lease of a calm guard is longer
STEADY = Want(STEADY_PCT, is_contactor_closed=False, is_supply_enabled=False)


class Waiting:
    """Wait for an interface."""

    def __init__(
        self, name: str, guard: GuardLink, notifier: Notifier, boot: BootTimes
    ) -> None:
        self._name = name
        self._guard = guard
        self._notifier = notifier
        self._boot = boot
        self.is_restarting = False
        self._facts: dict[type, PilotFact | GuardFact] = {}  # the newest of each

    async def run(self, control: Path, reread: Callable[[], bool]) -> bool:
        """Return when it is there; False if told to stop. Raises BoardError.

        reread: asked at SIGHUP; when it finds new settings, ``is_restarting`` is set
        """
        told = asyncio.Event()
        loop = asyncio.get_running_loop()

        def restart() -> None:
            if reread():
                self.is_restarting = True
                told.set()

        loop.add_signal_handler(signal.SIGHUP, restart)
        loop.add_signal_handler(signal.SIGTERM, told.set)
        loop.add_signal_handler(signal.SIGINT, told.set)
        with contextlib.closing(
            ControlServer(control, {"status": self._status})
        ) as asked:
            why = ""
            while not told.is_set():
                try:
                    netwatch.find(self._name)
                except PilotHatError as error:
                    if not why:
                        why = str(error)
                        log.warning("waiting error=%s", why)
                        await asked.open()
                else:
                    return True
                self._hold()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(told.wait(), LOOK_S)
        return False

    def pass_on(self, shell: Shell) -> None:
        """Let the station know what it has missed."""
        for fact in self._facts.values():
            shell.feed(fact)

    def _hold(self) -> None:
        """Keep the pilot steady, and the service manager content."""
        try:
            self._guard.send(Lease(STEADY))
            for value in self._guard.take():
                self._notifier.ready()  # its board is open
                self._boot.hear(value)
                if isinstance(value, PilotFact | GuardFact):
                    self._facts[type(value)] = value
        except LinkLostError as error:
            raise BoardError(
                "the guard has ended", where="board", remedy="See the log before this"
            ) from error
        self._notifier.status(f"waiting for the interface {self._name}")
        self._notifier.alive()

    def _status(self, _asked: object) -> dict[str, object]:
        raise RefusedError(
            f"no interface {self._name} yet: the pilot is steady, and it waits"
        )
