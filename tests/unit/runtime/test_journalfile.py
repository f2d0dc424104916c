"""The journal on disk: whole, in order, and never waited for."""

from __future__ import annotations

import errno
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest
from tests.hat.twin import until

from pilothat.errors import ConfigError
from pilothat.journal import GAP, Entry
from pilothat.runtime import journalfile
from pilothat.runtime.journalfile import SUFFIX, JournalFile, in_order
from pilothat.station.events import FrameIn

LONG = FrameIn(bytes(20_000))
LONGEST_S = 0.5  # of a call on a busy machine; the stalled disk would take for ever


@pytest.fixture
def names() -> Iterator[str]:
    return (f"{number:04}" for number in count())


def opened(folder: Path, names: Iterator[str]) -> JournalFile:
    return JournalFile(folder, '{"journal":1}', lambda: next(names))


def lines(folder: Path) -> list[str]:
    paths = sorted(folder.glob(f"*{SUFFIX}"))
    return [line for path in paths for line in path.read_text().splitlines()]


def process_of(journal: JournalFile) -> subprocess.Popen[bytes]:
    writer = journal._writer
    assert writer is not None
    return writer.process


def test_all_is_there_in_order_and_nobody_else_may_read_it(
    tmp_path: Path, names: Iterator[str]
) -> None:
    journal = opened(tmp_path, names)
    for number in range(1000):
        journal.write(Entry(float(number), None, ()))
    journal.close()
    assert lines(tmp_path)[0] == '{"journal":1}'
    assert [line.split(",")[0] for line in lines(tmp_path)[1:]] == [
        f'{{"at":{number}.0' for number in range(1000)
    ]
    assert next(tmp_path.iterdir()).stat().st_mode & 0o777 == 0o600


def test_line_is_on_the_disk_soon_though_nothing_follows(
    tmp_path: Path, names: Iterator[str]
) -> None:
    journal = opened(tmp_path, names)
    journal.write(Entry(7.0, None, ()))
    until(lambda: len(lines(tmp_path)) == 2, "written")
    journal.close()


def test_killed_program_loses_nothing_it_has_written(tmp_path: Path) -> None:
    program = (
        "import os, pathlib; from pilothat.runtime.journalfile import JournalFile; "
        "from pilothat.journal import Entry; "
        f"j = JournalFile(pathlib.Path({str(tmp_path)!r}), 'head'); "
        "[j.write(Entry(float(n), None, ())) for n in range(5000)]; "
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    until(lambda: len(lines(tmp_path)) == 5001, "all written")


def test_stalled_disk_is_never_waited_for_and_stops_the_journal_at_last(
    tmp_path: Path, names: Iterator[str], caplog: pytest.LogCaptureFixture
) -> None:
    journal = opened(tmp_path, names)
    process = process_of(journal)
    process.send_signal(signal.SIGSTOP)
    longest_s = 0.0
    with caplog.at_level(logging.ERROR):
        for number in range(200):
            began = time.monotonic()
            journal.write(Entry(float(number), LONG, ()))
            longest_s = max(longest_s, time.monotonic() - began)
    assert longest_s < LONGEST_S
    assert "the disk does not keep up" in caplog.text
    process.send_signal(signal.SIGCONT)
    journal.close()
    process.wait(10)


def test_disk_that_stalls_for_a_while_gets_all_of_it_later(
    tmp_path: Path, names: Iterator[str]
) -> None:
    journal = opened(tmp_path, names)
    process_of(journal).send_signal(signal.SIGSTOP)
    for number in range(60):
        journal.write(Entry(float(number), LONG, ()))
    process_of(journal).send_signal(signal.SIGCONT)
    journal.close()
    assert len(lines(tmp_path)) == 61


def test_long_file_is_left_without_waiting_and_the_oldest_goes(
    tmp_path: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journalfile, "MAX_BYTES", 100_000)
    monkeypatch.setattr(journalfile, "KEEP", 3)
    journal = opened(tmp_path, names)
    for number in range(40):
        journal.write(Entry(float(number), LONG, ()))
        process = process_of(journal)
    journal.close()
    assert process.returncode == 0
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert len(kept) == 3
    until(lambda: lines(tmp_path)[-1].startswith('{"at":39.0'), "all written")


def test_full_disk_stops_the_journal_and_is_told(
    tmp_path: Path, names: Iterator[str], caplog: pytest.LogCaptureFixture
) -> None:
    journal = opened(tmp_path, names)
    process = process_of(journal)
    process.terminate()  # as it ends when it cannot write
    process.wait(10)
    with caplog.at_level(logging.ERROR):
        journal.write(Entry(1.0, None, ()))
        journal.write(Entry(2.0, None, ()))
    assert caplog.text.count("the journal has stopped") == 1
    journal.close()


def test_journal_goes_on_in_a_new_file_when_there_is_room_again(
    tmp_path: Path,
    names: Iterator[str],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(journalfile, "AGAIN_S", 0.0)
    journal = opened(tmp_path, names)
    process = process_of(journal)
    process.terminate()
    process.wait(10)
    room: list[bool] = []
    monkeypatch.setattr(journalfile, "_has_room", lambda _: bool(room))
    with caplog.at_level(logging.WARNING):
        for number in range(3):
            journal.write(Entry(float(number), None, ()))
        room.append(True)
        writer = journal._left
        assert writer is not None
        until(lambda: writer.is_over, "the old file is left")
        journal.write(Entry(7.0, None, ()))
    journal.close()
    assert caplog.text.count("the journal has stopped") == 1
    assert os.strerror(errno.ENOSPC) in caplog.text
    assert caplog.text.count("the journal goes on") == 1
    [_, newest] = in_order(tmp_path)
    assert newest.read_text().startswith(f'{GAP}\n{{"at":7.0')


def test_no_file_is_begun_while_the_disk_has_yet_to_take_the_last(
    tmp_path: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that does not keep up would stall the loop when asked for more."""
    monkeypatch.setattr(journalfile, "AGAIN_S", 0.0)
    journal = opened(tmp_path, names)
    process = process_of(journal)
    process.send_signal(signal.SIGSTOP)
    for number in range(300):
        journal.write(Entry(float(number), LONG, ()))
    assert len(in_order(tmp_path)) == 1
    process.send_signal(signal.SIGCONT)
    until(lambda: process.poll() is not None, "the disk has taken it")


def test_disk_keeps_what_was_written_within_a_second(
    tmp_path: Path, names: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not on the disk when its turn comes is there with the next."""
    monkeypatch.setattr(journalfile, "SYNC_S", 0.05)
    kept: list[bytes] = []

    def keep(handle: int) -> None:
        kept.append(Path(f"/proc/self/fd/{handle}").read_bytes())

    monkeypatch.setattr(os, "fdatasync", keep)
    journal = opened(tmp_path, names)
    journal.write(Entry(7.0, None, ()))
    until(lambda: bool(kept) and b'"at":7.0' in kept[-1], "kept")

    def is_left_alone() -> bool:
        times = len(kept)
        time.sleep(0.2)
        return len(kept) == times

    until(is_left_alone, "a disk is left alone when nothing is new")
    journal.write(Entry(8.0, None, ()))
    journal.close()
    assert b'"at":8.0' in kept[-1]


def test_signal_to_all_of_a_terminal_leaves_the_writer_alone(
    tmp_path: Path, names: Iterator[str]
) -> None:
    journal = opened(tmp_path, names)
    assert os.getpgid(process_of(journal).pid) != os.getpgid(0)
    journal.close()


def test_folder_that_cannot_be_is_told_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write the journal"):
        JournalFile(tmp_path / "file" / "folder", "head")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS])
def test_station_charges_without_a_journal_where_the_disk_has_no_room(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    code: int,
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(Path, "touch", full)
    monkeypatch.setattr(journalfile, "AGAIN_S", 0.0)
    with caplog.at_level(logging.ERROR):
        journal = JournalFile(tmp_path, "head")
    journal.write(Entry(1.0, None, ()))
    journal.close()
    assert "no journal" in caplog.text


def test_newest_file_stays_though_the_clock_is_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journalfile, "KEEP", 3)
    days = ("20260105-000000", "19700101-000000", "19700101-000000", "20260101-000000")
    for day in days:
        JournalFile(tmp_path, "head", lambda day=day: day).close()  # type: ignore[misc]
    kept = [path.name.removesuffix(SUFFIX) for path in in_order(tmp_path)]
    assert kept == [f"{number:06}-{day}" for number, day in enumerate(days, 1)][1:]


def test_numbers_go_on_behind_six_digits_and_names_without_one(tmp_path: Path) -> None:
    for name in ("20260101-000000", "000009-20260101-000000"):
        (tmp_path / f"{name}{SUFFIX}").touch()
    journal = JournalFile(tmp_path, "head")
    journal.close()
    assert journal.file.startswith("000010-")
    assert [path.name[:7] for path in in_order(tmp_path)][:2] == ["2026010", "000009-"]
