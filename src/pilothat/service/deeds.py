"""What can be asked of a running station over its control socket."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from pilothat import __version__
from pilothat.faults import Fault
from pilothat.runtime.control import Deed, RefusedError
from pilothat.runtime.shell import Shell
from pilothat.station.events import (
    Authorised,
    Event,
    FaultCleared,
    StopCause,
    StopRequested,
    WakeUp,
)
from pilothat.station.phases import WITH_CAR, Phase
from pilothat.station.report import report

BY = "control"
log = logging.getLogger("pilothat")


class Deeds:
    """What can be done to a station; each answers how it is afterwards."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    @property
    def table(self) -> Mapping[str, Deed]:
        """Every deed by its name."""
        return {
            "status": self.status,
            "stop": self.stop,
            "authorize": self.authorize,
            "wake": self.wake,
            "clear": self.clear,
        }

    def status(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Change nothing."""
        told = report(self._shell.station, asyncio.get_running_loop().time())
        return {
            "version": __version__,
            **asdict(told),
            "power_w": told.power_w,
            "line": told.line,
            "is_guard_alive": self._shell.is_guard_alive,
        }

    def stop(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Stop the charge as its user does. Raises RefusedError."""
        if self._shell.station.phase not in WITH_CAR:
            raise RefusedError("no car is charging")
        return self._tell(StopRequested(StopCause.USER))

    def authorize(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let the car charge, or not (``granted`` is false)."""
        is_granted = asked.get("granted") is not False
        return self._tell(Authorised(is_granted=is_granted, by=BY))

    def press(self) -> None:
        """Do what the button means: let a car charge, wake it, or end its charge."""
        shell, station = self._shell, self._shell.station
        if station.phase not in WITH_CAR:
            log.info("button: nothing to do phase=%s", station.phase.value)
        elif station.phase is Phase.PAUSED:
            shell.feed(WakeUp())
        elif station.visit.is_authorised is None:
            shell.feed(Authorised(is_granted=True, by="button"))
        else:
            shell.feed(StopRequested(StopCause.USER))

    def wake(self, _asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Offer a car that pauses to go on. Raises RefusedError."""
        if self._shell.station.phase is not Phase.PAUSED:
            raise RefusedError("no car sleeps here")
        return self._tell(WakeUp())

    def clear(self, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Clear a latched fault that is understood. Raises RefusedError."""
        faults = self._shell.station.faults
        standing = {one.name: one for one in faults.all}
        fault: Fault | None = standing.get(str(asked.get("fault", "")))
        if fault is None:
            there = ", ".join(standing) or "none"
            raise RefusedError(f"no such fault; those that stand: {there}")
        told = self._tell(FaultCleared(fault))
        if fault in faults:
            raise RefusedError(f"{fault.name} still stands. {fault.row.remedy}")
        return told

    def _tell(self, event: Event) -> Mapping[str, Any]:
        self._shell.feed(event)
        return self.status({})
