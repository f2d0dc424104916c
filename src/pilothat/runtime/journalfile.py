"""The journal on disk: one line an event, out of our hands at once.

Each file is written by a small process of its own (``cat``) at the end of a pipe: a
card that stalls for a second must not stall the loop, whose lease would end meanwhile.
What is in the pipe survives a killed station, so it loses at most the event in flight;
a loss of power takes the last second besides, for the disk is made to keep what it has
once a second. More often would wear a card out.

A file that grows too long is left and the next begun, the oldest goes. Files are
numbered: a clock that is wrong, or jumps, changes no order and overwrites nothing. A
disk that is full or does not keep up stops the journal, never the station; when there
is room again it goes on in a new file, which begins with a line that tells of the gap.
Only the first file of a run begins with a header: to replay a later one, put it behind
those before it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import logging
import os
import re
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO

from pilothat.errors import ConfigError
from pilothat.journal import GAP, Entry, line_of

log = logging.getLogger(__name__)

MAX_BYTES = 16 * 1024 * 1024
KEEP = 16
SUFFIX = ".journal.jsonl"
PIPE_BYTES = 1 << 20  # what Linux lets anybody have
MOST_WAITING = 4 * 1024 * 1024  # bytes beyond a full pipe, a minute of events
ROOM_BYTES = 512 * 1024  # that a disk must have before a file is begun
SYNC_S = 1.0  # what a loss of power may take
ENDS_S = 3.0  # for a disk to take the rest; less than the watchdog
AGAIN_S = 3.0  # between two looks whether there is room again
# A disk may be so at any start; a station without a journal charges all the same.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO)
_NUMBER = re.compile(r"(\d{6,7})-")


class Writer:
    """A file, and the process that writes it. Raises OSError."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.process = subprocess.Popen(
            ["cat"], stdin=subprocess.PIPE, stdout=file, start_new_session=True
        )
        if self.process.stdin is None:
            raise AssertionError("a pipe was asked for")
        with contextlib.suppress(OSError):  # it never goes before a charge, if allowed
            os.sched_setscheduler(self.process.pid, os.SCHED_BATCH, os.sched_param(0))
        self._pipe = self.process.stdin
        self._fd = self._pipe.fileno()
        os.set_blocking(self._fd, False)
        with contextlib.suppress(OSError):  # a smaller one does, too
            fcntl.fcntl(self._pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
        self._waiting = bytearray()
        self._has_news, self._is_left = threading.Event(), threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)
        self._keeper.start()

    @property
    def is_behind(self) -> bool:
        """Whether not all has been handed over."""
        return bool(self._waiting)

    @property
    def is_over(self) -> bool:
        """Whether it was left, and the disk has all that it takes."""
        return not self._keeper.is_alive()

    def write(self, data: bytes) -> None:
        """Hand over; what does not fit goes with the next."""
        data = bytes(self._waiting) + data if self._waiting else data
        try:
            handed = os.write(self._fd, data)
        except BlockingIOError:
            handed = 0
        if handed < len(data) or self._waiting:
            self._waiting[:] = data[handed:]
        if not self._has_news.is_set():
            self._has_news.set()
        if len(self._waiting) > MOST_WAITING:
            raise OSError(errno.ENOBUFS, "the disk does not keep up")

    def drop(self) -> None:
        """Leave it, and what could not be handed over."""
        self._waiting.clear()
        self.leave()

    def leave(self) -> None:
        """Let the process end when it has written all; nobody waits for it."""
        self._is_left.set()
        self._has_news.set()

    def close(self) -> None:
        """Leave it, and wait for the disk; not for ever."""
        self.leave()
        self._keeper.join(ENDS_S)
        if self._keeper.is_alive():
            log.warning("the disk is slow: the journal's end is still being written")

    def _keep(self) -> None:
        """Have the disk keep what is written, in a thread: that takes its time."""
        with self._file:
            while not self._is_left.is_set():
                self._has_news.wait()
                self._has_news.clear()
                self._is_left.wait(SYNC_S)
                self._sync()
            self._hand_over_the_rest()
            self.process.wait()
            self._sync()

    def _sync(self) -> None:
        try:
            os.fdatasync(self._file.fileno())
        except OSError as error:
            log.error("the disk does not keep the journal error=%s", error)  # noqa: TRY400

    def _hand_over_the_rest(self) -> None:
        os.set_blocking(self._pipe.fileno(), True)
        try:
            while self._waiting:
                del self._waiting[: os.write(self._pipe.fileno(), self._waiting)]
        except OSError as error:
            log.error("the journal's end is lost error=%s", error)  # noqa: TRY400
        self._pipe.close()


class JournalFile:
    """Write entries to numbered files in a folder.

    name: what stands behind the number in a file's name
    file: the name of the newest; empty when there was never room for one
    """

    def __init__(
        self,
        folder: Path,
        header: str,
        name: Callable[[], str] | None = None,
    ) -> None:
        self._folder = folder
        self._name = name or _time_name
        self._writer: Writer | None = None
        self._left: Writer | None = None  # the one before, which may still write
        self._size, self.file = 0, ""
        self._look_at = time.monotonic() + AGAIN_S
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._open()
            self._put(header)
        except OSError as error:
            if error.errno in NO_ROOM:
                told = "no journal folder=%s error=%s"
                log.error(told, folder, error.strerror)  # noqa: TRY400
                return
            raise ConfigError(
                f"cannot write the journal ({error.strerror})",
                where=str(folder),
                remedy="Set station.journal to a folder that may be written",
            ) from error

    def write(self, entry: Entry) -> None:
        """Write one entry."""
        if self._writer is None and not self._goes_on():
            return
        try:
            self._put(line_of(entry))
            if self._writer and self._size >= MAX_BYTES and not self._writer.is_behind:
                self._writer.leave()
                self._open()
        except OSError as error:
            self._stop(error)

    def close(self) -> None:
        """Close the file."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def _put(self, line: str) -> None:
        if self._writer is not None:
            data = line.encode() + b"\n"
            self._size += len(data)
            self._writer.write(data)

    def _stop(self, error: OSError) -> None:
        """Leave the file; what comes until there is room again is lost."""
        why = error.strerror or str(error)
        if error.errno == errno.EPIPE:  # the writer has ended, and said why
            why = os.strerror(errno.ENOSPC) if not _has_room(self._folder) else why
        log.error("the journal has stopped folder=%s error=%s", self._folder, why)
        self._left, self._writer = self._writer, None
        if self._left is not None:
            self._left.drop()
        self._look_at = time.monotonic() + AGAIN_S

    def _goes_on(self) -> bool:
        """Begin a file where the disk has room again; it was told that it had none."""
        now = time.monotonic()
        if now < self._look_at or (self._left and not self._left.is_over):
            return False
        self._look_at = now + AGAIN_S
        try:
            self._open()
            self._put(GAP)
        except OSError:
            return False
        log.warning("the journal goes on folder=%s", self._folder)
        return True

    def _open(self) -> None:
        others = in_order(self._folder)
        for old in others[: max(len(others) + 1 - KEEP, 0)]:
            old.unlink(missing_ok=True)
        if not _has_room(self._folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        number = _number(others[-1]) + 1 if others else 1
        path = self._folder / f"{number:06}-{self._name()}{SUFFIX}"
        path.touch(mode=0o600, exist_ok=False)  # it holds network keys and car IDs
        self._writer = Writer(path.open("wb", buffering=0))
        self._size, self.file = 0, path.name


def in_order(folder: Path) -> Sequence[Path]:
    """Return the files of a folder as they were written, whatever the clock said."""
    return sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: (_number(path), path))


def _number(path: Path) -> int:
    found = _NUMBER.match(path.name)
    return int(found[1]) if found else 0


def _has_room(folder: Path) -> bool:
    """Tell whether a disk has room; one that can only be read says so by itself."""
    disk = os.statvfs(folder)
    is_read_only = bool(disk.f_flag & os.ST_RDONLY)
    return is_read_only or disk.f_bavail * disk.f_frsize >= ROOM_BYTES


def _time_name() -> str:
    return time.strftime("%Y%m%d-%H%M%S")
