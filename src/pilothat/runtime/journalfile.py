"""The journal on disk: one line an event, handed to the system at once.

A killed process loses at most the event in flight. A file that grows too long is closed
and the next begun, the oldest goes; a disk that is full stops the journal, never the
station. Only the first file of a run begins with a header: to replay a later one, put
it behind those before it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from pilothat.errors import ConfigError
from pilothat.journal import Entry, line_of

log = logging.getLogger(__name__)

MAX_BYTES = 16 * 1024 * 1024
KEEP = 16
SUFFIX = ".journal.jsonl"


class JournalFile:
    """Write entries to numbered files in a folder."""

    def __init__(
        self,
        folder: Path,
        header: str,
        name: Callable[[], str] | None = None,
    ) -> None:
        self._folder = folder
        self._name = name or _time_name
        self._file: BinaryIO | None = None
        self._size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open()
            self._put(header)
        except OSError as error:
            raise ConfigError(
                f"cannot write the journal ({error.strerror})",
                where=str(folder),
                remedy="Set station.journal to a folder that may be written",
            ) from error

    def write(self, entry: Entry) -> None:
        """Write one entry."""
        if self._file is None:
            return
        try:
            self._put(line_of(entry))
            if self._size >= MAX_BYTES:
                self._file.close()
                self._open()
        except OSError:
            log.exception("the journal has stopped folder=%s", self._folder)
            self._file = None

    def _put(self, line: str) -> None:
        if self._file is not None:
            self._size += self._file.write(line.encode() + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> None:
        path, count = self._folder / (self._name() + SUFFIX), 0
        while path.exists():
            count += 1
            path = self._folder / f"{self._name()}-{count}{SUFFIX}"
        path.touch(mode=0o600, exist_ok=False)  # it holds network keys and car IDs
        self._file, self._size = path.open("wb", buffering=0), 0
        for old in sorted(self._folder.glob(f"*{SUFFIX}"))[:-KEEP]:
            old.unlink(missing_ok=True)


def _time_name() -> str:
    return time.strftime("%Y%m%d-%H%M%S")
