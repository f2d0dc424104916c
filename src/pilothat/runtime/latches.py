"""Latched faults outlive a restart: a welded contactor is not mended by one.

They stand in a small file from the moment they come up until somebody has cleared
them. What cannot be read there is told, and taken for none: the guard sees a contactor
that is still welded by itself.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from pilothat.faults import Fault, Reaction
from pilothat.station.events import Event
from pilothat.station.station import Station

log = logging.getLogger("pilothat")

FILE = "latched.json"


class Latches:
    """Keep what is latched in a folder."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._kept = self.read()

    def read(self) -> Sequence[Fault]:
        """Return what an earlier life has left."""
        try:
            names = json.loads(self._path.read_text(encoding="ascii"))
            return tuple(Fault[name] for name in names)
        except FileNotFoundError:
            return ()
        except (OSError, ValueError, KeyError, TypeError) as error:
            told = "latched faults cannot be read path=%s error=%s"
            log.error(told, self._path, error)  # noqa: TRY400
            return ()

    def watch(self, station: Station, _event: Event | None, _now: float) -> None:
        """Take what has just happened."""
        every = station.faults.all
        found = tuple(one for one in every if one.row.reaction is Reaction.LATCH)
        if found != self._kept:
            self._kept = found
            self._write([one.name for one in found])

    def _write(self, names: Sequence[str]) -> None:
        """Write the file, whole or not at all, down to the disk."""
        beside = self._path.with_suffix(".new")
        try:
            with beside.open("w", encoding="ascii") as file:
                json.dump(names, file)
                file.flush()
                os.fsync(file.fileno())
            beside.replace(self._path)
            _sync(self._path.parent)
        except OSError as error:
            told = "latched faults are not kept path=%s error=%s"
            log.error(told, self._path, error.strerror)  # noqa: TRY400


def _sync(folder: Path) -> None:
    """Have the new name on the disk, too: power may be lost right after it."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
