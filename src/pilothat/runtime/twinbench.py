"""The twin's bench in real time: a board without a HAT, a supply without volts.

The guard process holds the bench and drives its board side directly. The supply driver
of the main program and a car (``pilothat ev``) reach the other sides through a UNIX
datagram socket, each value one JSON datagram; so the three may live in different
processes and network namespaces, joined by nothing but this "cable".
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pilothat.errors import BoardError
from pilothat.journal import JournalError, text_of
from pilothat.pilot.duty import check_drivable
from pilothat.pilot.levels import PilotSample
from pilothat.plant import OFF, SAFE_V, PlantFact, Setpoint
from pilothat.ports import Interlocks
from pilothat.runtime.benchtalk import (
    READING,
    Cable,
    CarReport,
    Hello,
    Inject,
    Injection,
)
from pilothat.station.actions import MeasureIsolation, SetOutput
from pilothat.station.events import PlantReport
from pilothat.twin.bench import Bench, BenchSettings, CarElectrics

DEFAULT_SOCKET = "/tmp/pilothat-bench.sock"
REPORT_S = 0.1
QUIET_REPORT_S = 0.3  # off, and nothing has changed
CAR_REPORT_S = 0.05
CURRENT_JUMP_A = 5.0  # a larger change is reported at once
CAR_GONE_S = 1.0  # a car that says nothing for longer has been unplugged
PACE_S = 0.005  # between two set-points, but for one that switches off
_MAX_BYTES = 4096
_BURST = 16


class _Wire:
    """A bound UNIX datagram socket that never blocks."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.is_full = False  # what was sent last did not fit, and is lost
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        with contextlib.suppress(FileNotFoundError):
            Path(path).unlink()
        try:
            self._socket.bind(path)
        except OSError as error:
            raise BoardError(
                f"cannot make the socket ({error.strerror})",
                where=path,
                remedy="Choose a folder that exists and may be written",
            ) from error

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, value: object, to: str) -> bool:
        """Send a value; False when nobody is there."""
        self.is_full = False
        try:
            self._socket.sendto(text_of(value).encode(), to)
        except (FileNotFoundError, ConnectionError):
            return False
        except BlockingIOError:
            self.is_full = True  # no matter for a report: the next is newer anyway
        return True

    def take(self) -> Iterator[tuple[object, str]]:
        for _ in range(_BURST):
            try:
                raw, sender = self._socket.recvfrom(_MAX_BYTES)
            except (BlockingIOError, ConnectionError):
                return
            with contextlib.suppress(JournalError):
                yield READING.value(raw.decode(errors="replace")), sender or ""

    def close(self) -> None:
        self._socket.close()
        with contextlib.suppress(FileNotFoundError):
            Path(self.path).unlink()


class BenchPort:
    """The bench, with the sockets of supply and car on it."""

    def __init__(self, path: str, settings: BenchSettings) -> None:
        self.bench = Bench(settings, os.urandom)
        self._wire = _Wire(path)
        self._supply = ""  # where to report to
        self._car = ""
        self._car_heard = 0.0
        self._report_at = self._car_report_at = 0.0
        self._car_current_a = 0.0
        self._plant_told: PlantFact | None = None

    def fileno(self) -> int:
        """Return the descriptor, readable when there is something to serve."""
        return self._wire.fileno()

    def serve(self, now: float) -> Sequence[object]:
        """Hear supply and car, and report to them; return what was for others."""
        others = [
            value
            for value, sender in self._wire.take()
            if not self._hear(value, sender, now)
        ]
        if self._car and now - self._car_heard > CAR_GONE_S:
            self._car = ""
            self.bench.connect(None, now)
        if self._car and (now >= self._car_report_at or self._current_jumped(now)):
            self.report_car(now)
        if self._supply and now >= self._report_at:
            self._report_supply(now)
        return others

    def hasten(self) -> None:
        """Report to the car with the next turn: what it sees has changed."""
        self._car_report_at = 0.0

    def close(self) -> None:
        """Let go."""
        self._wire.close()

    def _report_supply(self, now: float) -> None:
        """Report what is new, ten times a second; what is not, less often."""
        plant = self.bench.plant(now)
        if plant is None:
            return
        is_quiet = plant == self._plant_told and plant.supply_v < SAFE_V
        self._plant_told = plant
        self._report_at = now + (QUIET_REPORT_S if is_quiet else REPORT_S)
        if not self._wire.send(PlantReport(plant), self._supply):
            self._supply = ""
            self.bench.set_output(OFF, now)

    def _hear(self, value: object, sender: str, now: float) -> bool:
        """Take a message of supply, car or tester; False when it is none."""
        match value:
            case Hello():
                self._supply = sender
            case SetOutput(setpoint):
                self.bench.set_output(setpoint, now)
            case MeasureIsolation(on):
                self.bench.measure_isolation(now, on=on)
            case Inject(fault, on):
                self.bench.inject(fault, now, on=on)
            case Cable(car):
                self.bench.connect(car, now)
                self._car = sender if car else ""
                self._car_heard = now
            case _:
                return False
        return True

    def _current_jumped(self, now: float) -> bool:
        """Tell whether the car would notice at once."""
        return abs(self.bench.inlet(now)[1] - self._car_current_a) > CURRENT_JUMP_A

    def report_car(self, now: float) -> None:
        """Tell the car what it can measure."""
        self._car_report_at = now + CAR_REPORT_S
        if self._car:
            voltage_v, current_a = self.bench.inlet(now)
            duty_pct, is_pwm = self.bench.pilot_at_inlet(now)
            self._car_current_a = current_a
            report = CarReport(duty_pct, is_pwm, voltage_v, current_a)
            self._wire.send(report, self._car)


class TwinBoard:
    """A board (``PilotBackend``) whose circuit is the twin's bench."""

    def __init__(self, path: str, settings: BenchSettings | None = None) -> None:
        self._port = BenchPort(path, settings or BenchSettings())
        self._bench = self._port.bench
        self._bench.drive_pilot(0.0, self._now())

    def set_pwm(self, duty_pct: float) -> None:
        """Drive 1 kHz with this duty; 100 is steady +12 V, 0 steady -12 V."""
        self._bench.drive_pilot(check_drivable(duty_pct), self._now())
        self._port.hasten()

    def sample(self) -> PilotSample:
        """Return the newest sample, in volts at the connector."""
        now = self._now()
        self._port.serve(now)
        return self._bench.pilot(now)

    def set_contactor(self, *, closed: bool) -> None:
        """Drive the output contactor."""
        self._bench.set_contactor(self._now(), closed=closed)

    def enable_supply(self, *, on: bool) -> None:
        """Drive the hardware enable line of the supply."""
        self._bench.enable_supply(self._now(), on=on)

    def contactor_is_closed(self) -> bool:
        """Return what the mirror contact says."""
        return self._bench.contactor_is_closed(self._now())

    def interlocks(self) -> Interlocks:
        """Return the inputs of the safety chain."""
        return self._bench.interlocks(self._now())

    def heartbeat(self) -> None:
        """Give the board's watchdog its edge; the bench has none."""

    def close(self) -> None:
        """Make safe and let go."""
        now = self._now()
        self._bench.enable_supply(now, on=False)
        self._bench.set_contactor(now, closed=False)
        self._bench.drive_pilot(0.0, now)
        self._port.report_car(now)
        self._port.close()

    @staticmethod
    def _now() -> float:
        return time.monotonic()


class TwinSupply:
    """A supply (``PowerSupply``) on the bench of a twin board."""

    def __init__(self, path: str) -> None:
        self._bench = path
        self._wire = _Wire(f"{path}.supply")
        self._wanted: Setpoint | None = None  # and not yet told
        self._told_at = 0.0
        self._is_met = False

    def command(self, setpoint: Setpoint) -> None:
        """Ask for an output; of many at once the newest goes with the next reading."""
        self._wanted = setpoint
        is_hasty = time.monotonic() - self._told_at < PACE_S
        if not (is_hasty and setpoint.is_on):
            self._tell(setpoint)

    def _tell(self, setpoint: Setpoint) -> None:
        self._wire.send(SetOutput(setpoint), self._bench)
        self._told_at = time.monotonic()
        self._wanted = setpoint if self._wire.is_full else None

    def measure_isolation(self, *, on: bool) -> None:
        """Start or stop the isolation monitor."""
        self._wire.send(MeasureIsolation(on), self._bench)

    def reading(self) -> PlantFact | None:
        """Return the newest measurement that was not returned before."""
        if self._wanted is not None:
            self._tell(self._wanted)
        newest = None
        for value, _ in self._wire.take():
            if isinstance(value, PlantReport):
                newest, self._is_met = value.plant, True
        if not self._is_met:
            self._wire.send(Hello(), self._bench)
        return newest

    def close(self) -> None:
        """Switch the output off and let go."""
        self.command(OFF)
        self._wire.close()


class CableEnd:
    """The car's end of the bench."""

    def __init__(self, path: str) -> None:
        self._bench = path
        self._wire = _Wire(f"{path}.car")
        Path(self._wire.path).chmod(0o666)  # the station may be another user's

    def fileno(self) -> int:
        """Return the descriptor, readable when there is a report."""
        return self._wire.fileno()

    def connect(self, car: CarElectrics | None) -> bool:
        """Tell the bench what the car connects; False when there is no bench."""
        return self._wire.send(Cable(car), self._bench)

    def report(self) -> CarReport | None:
        """Return the newest report that was not returned before."""
        newest = None
        for value, _ in self._wire.take():
            if isinstance(value, CarReport):
                newest = value
        return newest

    def close(self) -> None:
        """Pull the plug and let go."""
        self.connect(None)
        self._wire.close()


def inject(path: str, value: Injection) -> bool:
    """Break or mend something on a bench from outside; False when there is none."""
    wire = _Wire(f"{path}.{os.getpid()}")
    try:
        return wire.send(value, path)
    finally:
        wire.close()


def open_board(options: Mapping[str, str]) -> TwinBoard:
    """Open the twin board.

    Options: ``socket`` is the path of the bench, ``mains_v`` makes an AC outlet of it.
    """
    path = options.get("socket", DEFAULT_SOCKET)
    if Path(path).is_socket() and _answers(path):
        raise BoardError(
            "another station uses this bench", where=path, remedy="Stop it first"
        )
    mains = options.get("mains_v")
    return TwinBoard(path, BenchSettings(mains_v=float(mains) if mains else None))


def _answers(path: str) -> bool:
    """Tell whether somebody listens on a socket; a killed station leaves its file."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(path)
        except OSError:
            return False
    return True


def open_supply(options: Mapping[str, str]) -> TwinSupply:
    """Open the twin supply; option ``socket`` is the path of the bench."""
    return TwinSupply(options.get("socket", DEFAULT_SOCKET))
