"""The twin of the HAT in a thread of its own, or as the command."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pilothat.board.revision import revision
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.pigpiod import HatTwin
from pilothat.runtime.twinbench import inject
from pilothat.runtime.wallboxtwin import WallboxTwin
from pilothat.service.hattwin import message
from pilothat.twin.bench import BenchFault
from pilothat.twin.hat import HatFault
from pilothat.twin.wallbox import WallboxFault

PATIENCE_S = 10.0
PATIENT_S = 2.0  # for an answer, where a test is not about time: machines are busy


@dataclass
class Running:
    """A twin that runs."""

    twin: HatTwin
    path: str

    def is_left(self) -> bool:
        """Whether every client has gone, or is not listened to."""
        return self.twin.clients == 0 or self.twin.is_out

    @property
    def port(self) -> int:
        return self.twin.address[1]

    @property
    def kernel(self) -> str:
        return f"{self.path}.kernel"

    def fail(
        self, fault: BenchFault | HatFault | DaemonFault, *, on: bool = True
    ) -> None:
        assert inject(self.path, message(fault, on=on))


def until(holds: Callable[[], bool], what: str) -> None:
    """Wait for something that happens in another thread or process."""
    end = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.005)


@dataclass
class RunningWallbox:
    """The twin of an Arduino that runs."""

    twin: WallboxTwin
    path: str

    def fail(self, fault: BenchFault | WallboxFault, *, on: bool = True) -> None:
        assert inject(self.path, message(fault, on=on))


@contextlib.contextmanager
def running_wallbox(
    folder: Path, dialect: str = "pilothat"
) -> Iterator[RunningWallbox]:
    """Run an Arduino at a pseudo terminal."""
    path = str(folder / "bench.sock")
    with contextlib.closing(WallboxTwin(path, dialect)) as twin:
        thread = threading.Thread(target=twin.run)
        thread.start()
        try:
            yield RunningWallbox(twin, path)
        finally:
            twin.stop()
            thread.join()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Run a twin on a free port, and a kernel beside it."""
    path, address = str(folder / "bench.sock"), ("127.0.0.1", 0)
    made = HatTwin(path, address, revision(), kernel=f"{path}.kernel")
    with contextlib.closing(made) as twin:
        thread = threading.Thread(target=twin.run)
        thread.start()
        try:
            hat = Running(twin, path)
            yield hat
            until(hat.is_left, "all clients gone")
        finally:
            twin.stop()
            thread.join()
