"""Measure the guard on the twin's HAT: ``python -m tests.bench_hat --trials 1000``.

A guard process with a driver (``--driver kernel``), the twin in another, both cores
busy. A car opens S2 at a chance moment; what counts is the twin's own clock when its
gate stops driving the contactor.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path

from pilothat.guard import Lease, Want
from pilothat.pilot.duty import DIGITAL_PCT
from pilothat.runtime.guardlink import GuardLink, LinkLostError, pair
from pilothat.runtime.shell import RENEW_S
from pilothat.runtime.twinbench import CableEnd
from pilothat.twin.bench import CarElectrics
from pilothat.twin.circuit import CarPilot

PYTHON = sys.executable
TWIN = (PYTHON, "-m", "pilothat.service.cli", "hat-twin", "--port", "0")
GUARD = (PYTHON, "-m", "pilothat.runtime.guardproc")
CHARGE = Want(DIGITAL_PCT, is_contactor_closed=True, is_supply_enabled=True)
READY = Want(DIGITAL_PCT, is_contactor_closed=False, is_supply_enabled=False)
LIMIT_S = 5.0
WATCHED_S = 5.0
DAEMON_TRIALS = 20
WATCHER = 40  # real-time priority; below guard and twin
_TICKS = os.sysconf("SC_CLK_TCK")

Say = Callable[[str, str, str], None]


class Bench:
    """Guard, twin, and this program as station and car at once."""

    def __init__(self, folder: Path, stack: ExitStack, driver: str) -> None:
        path, kernel = str(folder / "bench"), str(folder / "kernel")
        self._log = folder / "twin.log"
        doors = ("--socket", path, "--kernel", kernel)
        self.twin = _started(stack, self._log, *TWIN, *doors)
        self.wait(lambda: "ready port=" in self._log.read_text())
        port = self._log.read_text().partition("port=")[2].split()[0]
        ours, theirs = pair()
        self.guard_log = folder / "guard.log"
        fd = theirs.fileno()
        options = f"pigpio_port={port}", f"kernel_twin={kernel}"
        command = (*GUARD, str(fd), driver, *options)
        self.guard = _started(stack, self.guard_log, *command, fd=fd)
        theirs.close()
        self.link = GuardLink(ours)
        stack.enter_context(closing(self.link))
        self._cable = stack.enter_context(closing(CableEnd(path)))

    def wait(self, holds: Callable[[], bool]) -> None:
        end = time.monotonic() + LIMIT_S
        while not holds():
            assert time.monotonic() < end, self._log.read_text()[-500:]
            time.sleep(0.005)

    def live(self, want: Want, pilot: CarPilot, holds: Callable[[], bool]) -> None:
        """Renew lease and plug, as often as a station does, until something holds."""
        renew_at = 0.0

        def turn() -> bool:
            nonlocal renew_at
            if time.monotonic() >= renew_at:
                renew_at = time.monotonic() + RENEW_S
                with suppress(LinkLostError):
                    list(self.link.take())
                    self.link.send(Lease(want))
                self._cable.connect(CarElectrics(pilot))
            return holds()

        self.wait(turn)

    def is_driven(self) -> bool:
        return self._last()[1]

    def charging(self) -> None:
        """Come to a closed contactor."""
        self.live(READY, CarPilot.B, lambda: not self.is_driven())
        self._pass(READY, CarPilot.B, 0.2)
        self._pass(READY, CarPilot.C, 0.2)
        self.live(CHARGE, CarPilot.C, self.is_driven)
        self._pass(CHARGE, CarPilot.C, 0.1 + random.random() * 0.05)

    def opens_ms(self, *, is_main_stopped: bool) -> float:
        """Return how long after S2 the contactor is driven no more."""
        self.charging()
        began = time.monotonic()
        self._cable.connect(CarElectrics(CarPilot.B))
        if is_main_stopped:
            self.wait(lambda: not self.is_driven())
        else:
            self.live(CHARGE, CarPilot.B, lambda: not self.is_driven())
        return (self._last()[0] - began) * 1e3

    def rests(self, seconds: float) -> None:
        self._pass(CHARGE, CarPilot.C, seconds)

    def _pass(self, want: Want, pilot: CarPilot, seconds: float) -> None:
        end = time.monotonic() + seconds
        self.live(want, pilot, lambda: time.monotonic() >= end)

    def _last(self) -> tuple[float, bool]:
        lines = [line for line in self._log.read_text().splitlines() if " k1=" in line]
        if not lines:
            return 0.0, False
        words = dict(word.split("=") for word in lines[-1].split() if "=" in word)
        return float(words["at"]), words["k1"] == "1"


def _started(
    stack: ExitStack, log: Path, *command: str, fd: int | None = None
) -> subprocess.Popen[bytes]:
    file = stack.enter_context(log.open("wb"))
    passed = [] if fd is None else [fd]
    process = subprocess.Popen(command, stderr=file, pass_fds=passed)
    stack.callback(process.wait)
    stack.callback(process.kill)
    return process


@contextmanager
def bench(driver: str, *, cores_busy: int) -> Iterator[Bench]:
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        for number in range(cores_busy):
            log = Path(folder) / f"busy{number}"
            _started(stack, log, PYTHON, "-c", "while True: pass")
        yield Bench(Path(folder), stack, driver)


def measure(say: Say, trials: int, driver: str = "pigpio") -> None:
    """Print the figures of the guard on the HAT."""
    for is_stopped, what in ((False, "main runs"), (True, "main is stopped")):
        with bench(driver, cores_busy=os.cpu_count() or 1) as made:
            spent = [made.opens_ms(is_main_stopped=is_stopped) for _ in range(trials)]
        p99 = statistics.quantiles(spent, n=100)[98]
        figure = (
            f"p50 {statistics.median(spent):.0f} p99 {p99:.0f} max {max(spent):.0f} ms"
        )
        say(f"C to B, contactor released, {what}", figure, "p99 <= 60, max <= 100")
    with bench(driver, cores_busy=0) as made:
        made.charging()
        before = _cpu_s(made.guard.pid)
        made.rests(WATCHED_S)
        share = (_cpu_s(made.guard.pid) - before) / WATCHED_S * 100
        memory = _rss_mb(made.guard.pid)
    say("guard on the HAT, charging", f"{share:.1f} % CPU", "<= 10 %")
    say("guard on the HAT, resident", f"{memory:.1f} MB", "<= 30 MB")
    for number in (signal.SIGSTOP, signal.SIGKILL):
        spent = [_noticed_ms(driver, number) for _ in range(DAEMON_TRIALS)]
        say(
            f"daemon gone by {number.name}, noticed",
            f"max {max(spent):.0f} ms",
            "<= 100",
        )


def _noticed_ms(driver: str, number: signal.Signals) -> float:
    """Return how long after a signal to the twin the guard says so."""
    with bench(driver, cores_busy=os.cpu_count() or 1) as made:
        made.charging()
        with suppress(PermissionError):  # who watches the clock must not wait his turn
            os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(WATCHER))
        began = time.monotonic()
        made.twin.send_signal(number)
        made.wait(lambda: "board lost" in made.guard_log.read_text())
        took_ms = (time.monotonic() - began) * 1e3
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
        return took_ms


def _cpu_s(pid: int) -> float:
    values = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(values[11]) + int(values[12])) / _TICKS


def _rss_mb(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(x for x in lines if x.startswith("VmRSS")).split()[1]) / 1024


def _say(name: str, figure: str, goal: str) -> None:
    sys.stdout.write(f"{name:<52} {figure:>30}  {goal}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--driver", choices=("pigpio", "kernel"), default="pigpio")
    chosen = parser.parse_args()
    measure(_say, chosen.trials, chosen.driver)
