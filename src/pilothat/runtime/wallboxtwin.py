"""The twin of the Arduino in real time: a pseudo terminal, with the bench behind it.

The terminal's name is in a link beside the bench, as a real port has one in
``/dev/serial/by-id``: it stays when the cable is pulled and plugged in again.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pty
import select
import time
import tty
from collections.abc import Callable, Mapping
from pathlib import Path

from pilothat.runtime.benchtalk import InjectWallbox
from pilothat.runtime.twinbench import BenchPort
from pilothat.twin.bench import Bench, BenchSettings
from pilothat.twin.wallbox import (
    Arduino,
    Noise,
    PublishedSketch,
    Sketch,
    WallboxFault,
)

log = logging.getLogger("pilothat.hat")

TURN_S = 0.004
_CHUNK = 4096
SKETCHES: Mapping[str, Callable[[Bench, float], Arduino]] = {
    "pilothat": Sketch,
    "text": PublishedSketch,
}


class WallboxTwin:
    """An Arduino at a pseudo terminal."""

    def __init__(
        self, path: str, dialect: str = "pilothat", mains_v: float | None = None
    ) -> None:
        self.port = BenchPort(path, BenchSettings(mains_v=mains_v))
        self.link = f"{path}.tty"
        self.arduino = SKETCHES[dialect](self.port.bench, time.monotonic())
        self._faults: frozenset[WallboxFault] = frozenset()
        self._to_host, self._to_arduino = Noise(), Noise()
        self._ends: tuple[int, int] | None = None  # of the terminal: ours, theirs
        self._seen: tuple[bool, float] = (False, 0.0)
        self._is_stopped = False
        self._plug_in()

    def run(self) -> None:
        """Serve until ``stop``."""
        while not self._is_stopped:
            self.turn()

    def stop(self) -> None:
        """End ``run`` within a turn; from any thread or signal handler."""
        self._is_stopped = True

    def close(self) -> None:
        """Let go of everything."""
        self._unplug()
        self.port.close()

    def turn(self) -> None:
        """Wait for the next thing to do, and do it."""
        ours = self._ends[0] if self._ends else self.port
        select.select((self.port, ours), (), (), TURN_S)
        now = time.monotonic()
        for value in self.port.serve(now):
            if isinstance(value, InjectWallbox):
                self.inject(value.fault, on=value.on)
        self._hear(now)
        self._tell(self.arduino.advance(now))
        self._show(now)

    def inject(self, fault: WallboxFault, *, on: bool) -> None:
        """Break something, or mend it."""
        log.warning("wallbox fault=%s on=%d", fault.name, on)
        self._faults = self._faults | {fault} if on else self._faults - {fault}
        self._to_host.faults = self._to_arduino.faults = self._faults
        if fault is WallboxFault.RESET and on:
            self.arduino.reset(time.monotonic())
        elif fault is WallboxFault.UNPLUGGED:
            (self._unplug if on else self._plug_in)()

    # --- the terminal

    def _plug_in(self) -> None:
        if self._ends is not None:
            return
        ours, theirs = pty.openpty()  # theirs is kept: a port that nobody has open
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        with contextlib.suppress(FileNotFoundError):
            Path(self.link).unlink()
        Path(self.link).symlink_to(os.ttyname(theirs))

    def _unplug(self) -> None:
        if self._ends is not None:
            for descriptor in self._ends:
                os.close(descriptor)
            self._ends = None
            Path(self.link).unlink()

    def _hear(self, now: float) -> None:
        if self._ends is None:
            return
        try:
            data = os.read(self._ends[0], _CHUNK)
        except BlockingIOError:
            return
        if WallboxFault.DEAF not in self._faults:
            self.arduino.take(self._to_arduino.pass_on(data), now)

    def _tell(self, data: bytes) -> None:
        if self._ends is None or WallboxFault.SILENT in self._faults or not data:
            return
        with contextlib.suppress(BlockingIOError):  # nobody reads
            os.write(self._ends[0], self._to_host.pass_on(data))

    def _show(self, now: float) -> None:
        """Let the car see what has changed; log what the contactor does."""
        is_closed = self.port.bench.contactor_is_closed(now)
        seen = is_closed, self.port.bench.pilot_at_inlet(now)[0]
        if seen == self._seen:
            return
        self.port.report_car(now)
        if is_closed is not self._seen[0]:
            log.info("at=%.3f k1=%d", now, is_closed)
        self._seen = seen
