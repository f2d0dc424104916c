"""The journal on disk: one line an event, out of our hands at once.

Each file is written by a small process of its own (``cat``) at the end of a pipe: a
card that stalls for a second must not stall the loop, whose lease would end meanwhile.
What is in the pipe survives a killed station, so it loses at most the event in flight.
A file that grows too long is left and the next begun, the oldest goes; a disk that is
full or does not keep up stops the journal, never the station. Only the first file of a
run begins with a header: to replay a later one, put it behind those before it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import subprocess
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
PIPE_BYTES = 1 << 20  # what Linux lets anybody have
MOST_WAITING = 4 * 1024 * 1024  # bytes beyond a full pipe, a minute of events
ENDS_S = 5.0  # for a disk to take the rest
# A disk may be so at any start; a station without a journal charges all the same.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)


class Writer:
    """A file, and the process that writes it. Raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        with file:
            self.process = subprocess.Popen(
                ["cat"], stdin=subprocess.PIPE, stdout=file, start_new_session=True
            )
        if self.process.stdin is None:
            raise AssertionError("a pipe was asked for")
        self._pipe = self.process.stdin
        os.set_blocking(self._pipe.fileno(), False)
        with contextlib.suppress(OSError):  # a smaller one does, too
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._waiting = bytearray()

    @property
    def is_behind(self) -> bool:
        """Whether not all has been handed over."""
        return bool(self._waiting)

    def write(self, data: bytes) -> None:
        """Hand over; what does not fit goes with the next."""
        self._waiting += data
        with contextlib.suppress(BlockingIOError):
            del self._waiting[: os.write(self._pipe.fileno(), self._waiting)]
        if len(self._waiting) > MOST_WAITING:
            raise OSError(errno.ENOBUFS, "the disk does not keep up")

    def leave(self) -> None:
        """Let the process end when it has written all; nobody waits for it."""
        self._pipe.close()

    def close(self) -> None:
        """Hand over the rest, and wait for the disk; not for ever."""
        os.set_blocking(self._pipe.fileno(), True)
        try:
            if self._waiting:
                os.write(self._pipe.fileno(), self._waiting)
        except OSError as error:
            log.error("the journal's end is lost error=%s", error)  # noqa: TRY400
        self._pipe.close()
        try:
            self.process.wait(ENDS_S)
        except subprocess.TimeoutExpired:
            log.warning("the disk is slow: the journal's end is still being written")


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
        self._writer: Writer | None = None
        self._size = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open()
            self._put(header)
        except OSError as error:
            if error.errno in NO_ROOM:
                told = "no journal folder=%s error=%s"
                log.error(told, folder, error.strerror)  # noqa: TRY400
                self._writer = None
                return
            raise ConfigError(
                f"cannot write the journal ({error.strerror})",
                where=str(folder),
                remedy="Set station.journal to a folder that may be written",
            ) from error

    def write(self, entry: Entry) -> None:
        """Write one entry."""
        if self._writer is None:
            return
        try:
            self._put(line_of(entry))
            if self._size >= MAX_BYTES and not self._writer.is_behind:
                self._writer.leave()
                self._open()
        except OSError as error:
            told = "the journal has stopped folder=%s error=%s"
            log.error(told, self._folder, error.strerror or error)  # noqa: TRY400
            self._writer.leave()
            self._writer = None

    def _put(self, line: str) -> None:
        if self._writer is not None:
            data = line.encode() + b"\n"
            self._size += len(data)
            self._writer.write(data)

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _open(self) -> None:
        path, count = self._folder / (self._name() + SUFFIX), 0
        while path.exists():
            count += 1
            path = self._folder / f"{self._name()}-{count}{SUFFIX}"
        path.touch(mode=0o600, exist_ok=False)  # it holds network keys and car IDs
        self._writer, self._size = Writer(path.open("wb", buffering=0)), 0
        # by their names; but a clock that is behind names the newest like an old one
        others = sorted(set(self._folder.glob(f"*{SUFFIX}")) - {path})
        for old in others[: max(len(others) + 1 - KEEP, 0)]:
            old.unlink(missing_ok=True)


def _time_name() -> str:
    return time.strftime("%Y%m%d-%H%M%S")
