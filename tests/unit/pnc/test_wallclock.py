"""The time of day is trusted only where it can be right."""

from __future__ import annotations

import logging
import time
from pathlib import Path

import pytest

from pilothat.runtime.wallclock import (
    EARLIEST_S,
    TIME_ERROR,
    ToldClock,
    WallClock,
    kernel_state,
)
from pilothat.v2g.plant import TimeOfDay


@pytest.mark.parametrize(
    ("state", "is_board", "has_clock", "is_trusted"),
    [
        (0, True, False, True),  # a Pi that has heard the time
        (TIME_ERROR, True, False, False),  # one that has not
        (TIME_ERROR, True, True, True),  # one with a clock of its own
        (TIME_ERROR, False, False, True),  # a PC
    ],
)
def test_board_without_a_clock_has_to_hear_the_time(
    tmp_path: Path, state: int, is_board: bool, has_clock: bool, is_trusted: bool
) -> None:
    board = tmp_path if is_board else tmp_path / "none"
    (tmp_path / "with" / "rtc0").mkdir(parents=True)
    clocks = tmp_path / ("with" if has_clock else "without")
    clock = WallClock(lambda: state, board, clocks)
    assert clock.is_trusted_at(EARLIEST_S) is is_trusted


def test_time_before_the_program_was_written_is_wrong() -> None:
    kept = WallClock(lambda: 0)
    assert not kept.is_trusted_at(EARLIEST_S - 1)
    assert not kept.is_trusted_at(0)


def test_moment_is_now() -> None:
    before = time.time()
    found = WallClock(lambda: 0).read()
    assert before <= found.unix_s <= time.time()
    assert found.is_trusted


def test_kernel_says_one_of_its_six_states() -> None:
    assert kernel_state() in range(TIME_ERROR + 1)


def test_clock_that_is_not_trusted_is_told_once_and_so_is_its_end(
    caplog: pytest.LogCaptureFixture,
) -> None:
    trusted = iter((False, False, True, True))
    with caplog.at_level(logging.INFO):
        clock = ToldClock(lambda: TimeOfDay(7.0, is_trusted=next(trusted)))
        assert [clock.read().is_trusted for _ in range(3)] == [False, True, True]
    assert caplog.text.count("the clock is not trusted") == 1
    assert caplog.text.count("the clock is trusted now") == 1
