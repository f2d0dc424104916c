"""The record of each charge: one line of JSON a visit, kept for years.

A record is made when a car has left, or when the service stops with one plugged in:
when it came, how long and why it ended, the energy, and a curve of at most ``POINTS``
points. Whose car it was is not in it. A line is handed to the disk in a thread of its
own, so that the loop does not wait for a card; a disk that is full costs the record,
never a charge.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pilothat.plant import PlantFact
from pilothat.station.events import Event, PlantReport
from pilothat.station.phases import WITH_CAR, Phase
from pilothat.station.report import BY_CAR
from pilothat.station.station import Station
from pilothat.station.transaction import Transaction
from pilothat.v2g.plant import TimeOfDay

log = logging.getLogger("pilothat")

FILE = "sessions.jsonl"
POINTS = 600  # of a curve; when there are more, every second one goes
FIRST_STEP_S = 1.0
MAX_BYTES = 32 * 1024 * 1024
VISIT = (*WITH_CAR, Phase.PAUSED, Phase.FINISHED)

Point = tuple[float, float, float, int | None]  # s, V, A, %


class Curve:
    """Voltage, current and state of charge over a visit, never too many points."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._step_s = FIRST_STEP_S

    def take(self, at_s: float, plant: PlantFact, soc_pct: int | None) -> None:
        """Take a measurement, unless it is too close to the last one."""
        if self.points and at_s - self.points[-1][0] < self._step_s:
            return
        point = at_s, round(plant.outlet_v, 1), round(plant.current_a, 1), soc_pct
        self.points.append(point)
        if len(self.points) > POINTS:
            del self.points[1::2]
            self._step_s *= 2


class Records:
    """Watch a station; write a record of each visit.

    clock: the time of day, however wrong it is; a record says whether it was trusted
    """

    def __init__(self, folder: Path, clock: Callable[[], TimeOfDay]) -> None:
        self._path = folder / FILE
        self._clock = clock
        self._visit: Transaction | None = None
        self._curve = Curve()
        self._writing: list[threading.Thread] = []

    def watch(self, station: Station, event: Event | None, now: float) -> None:
        """Take what has just happened."""
        visit = station.transaction
        if station.phase in VISIT:
            if self._visit is not visit:
                self._end(now)
                self._visit, self._curve = visit, Curve()
            if isinstance(event, PlantReport) and station.guard.is_contactor_closed:
                soc = visit.learned.get(BY_CAR)
                soc_pct = None if soc is None else int(soc)
                self._curve.take(now - visit.started_at, event.plant, soc_pct)
        else:
            self._end(now)

    def close(self, now: float) -> None:
        """Write the record of a car that is still there; wait for the disk."""
        self._end(now)
        for thread in self._writing:
            thread.join()

    def _end(self, now: float) -> None:
        visit, self._visit = self._visit, None
        if visit is None or not (visit.messages or visit.energy_wh > 0):
            return
        lasted_s = now - visit.started_at
        record = self._record(visit, lasted_s)
        self._writing = [one for one in self._writing if one.is_alive()]
        thread = threading.Thread(target=append, args=(self._path, record))
        thread.start()
        self._writing.append(thread)

    def _record(self, visit: Transaction, lasted_s: float) -> dict[str, Any]:
        today = self._clock()
        return {
            "began": round(today.unix_s - lasted_s, 1),
            "is_clock_trusted": today.is_trusted,
            "lasted_s": round(lasted_s, 1),
            "energy_wh": round(visit.energy_wh, 1),
            "reason": visit.reason,
            "messages": sum(visit.messages.values()),
            "curve": self._curve.points,
        }


def append(path: Path, record: dict[str, Any]) -> None:
    """Write a record, down to the disk."""
    line = json.dumps(record, separators=(",", ":")) + "\n"
    try:
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".old"))
        with path.open("a", encoding="ascii") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        log.error("a charge is not recorded path=%s error=%s", path, error.strerror)  # noqa: TRY400


def read(folder: Path) -> Sequence[dict[str, Any]]:
    """Return all records, oldest first; a line that was cut by a power loss is none."""
    found: list[dict[str, Any]] = []
    for path in (folder / FILE).with_suffix(".old"), folder / FILE:
        if not path.exists():
            continue
        for line in path.read_text(encoding="ascii", errors="replace").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
    return found
