"""The record of each charge: one line of JSON a visit, kept for years.

A record is made when a car has left, or when the service stops with one plugged in:
when it came, how long and why it ended, the energy, and a curve of at most ``POINTS``
points. Whose car it was is not in it. A line is handed to the disk in a thread of its
own, so that the loop does not wait for a card; a disk that is full costs the record,
never a charge: what it was stands in the log then.
"""

from __future__ import annotations

import errno
import json
import logging
import os
import threading
from collections.abc import Callable, Sequence
from io import FileIO
from pathlib import Path
from typing import Any

from pilothat.errors import PilotHatError
from pilothat.plant import PlantFact
from pilothat.station.events import Event, PlantReport
from pilothat.station.phases import WITH_CAR, Phase
from pilothat.station.report import BY_CAR
from pilothat.station.station import Station
from pilothat.station.transaction import Transaction
from pilothat.v2g.plant import TimeOfDay

log = logging.getLogger("pilothat")

FILE = "sessions.jsonl"
NEEDED = frozenset(
    {
        "began",
        "is_clock_trusted",
        "lasted_s",
        "energy_wh",
        "reason",
        "messages",
        "curve",
    }
)
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
    journal: the name of the file that is written now; with a time by the clock that no
             one sets it leads to the journal of a charge, whatever the time of day was
    """

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], TimeOfDay],
        journal: Callable[[], str] = str,
    ) -> None:
        self._path = folder / FILE
        self._clock = clock
        self._journal = journal
        self._file = ""
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
                self._file = self._journal()
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
            "at": round(visit.started_at, 1),
            "journal": self._file,
            "curve": self._curve.points,
        }


def append(path: Path, record: dict[str, Any]) -> None:
    """Write a record, down to the disk."""
    line = json.dumps(record, separators=(",", ":")) + "\n"
    try:
        if path.exists() and path.stat().st_size > MAX_BYTES:
            path.replace(path.with_suffix(".old"))
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o666)
        with os.fdopen(handle, "r+b", buffering=0) as file:
            _put(file, line.encode("ascii"))
    except OSError as error:
        told = {key: value for key, value in record.items() if key != "curve"}
        why = error.strerror
        log.error("a charge is not recorded path=%s error=%s %s", path, why, told)  # noqa: TRY400


def _put(file: FileIO, line: bytes) -> None:
    """Add a line whole or not at all, on a line of its own. Raises OSError."""
    size = file.seek(0, os.SEEK_END)
    if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
        line = b"\n" + line  # behind one that a power loss has cut
    try:
        is_whole = file.write(line) == len(line)
        os.fsync(file.fileno())
    except OSError:
        file.truncate(size)
        raise
    if not is_whole:
        file.truncate(size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def read(folder: Path) -> Sequence[dict[str, Any]]:
    """Return all records, oldest first; a line that was cut by a power loss is none.

    Raises PilotHatError for a file that may not be read.
    """
    found: list[dict[str, Any]] = []
    for path in (folder / FILE).with_suffix(".old"), folder / FILE:
        try:
            text = path.read_text(encoding="ascii", errors="replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            raise PilotHatError(
                f"cannot be read ({error.strerror})",
                where=str(path),
                remedy="sudo, or join the group that owns it",
            ) from error
        found += filter(None, map(_read_one, text.split("\n")))
    return found


def _read_one(line: str) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    is_record = isinstance(found, dict) and found.keys() >= NEEDED
    return found if is_record else None
