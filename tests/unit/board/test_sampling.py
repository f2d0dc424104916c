"""How a board is read: what a sample asks for, what it keeps, what is believed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from pilothat.board.plausible import RAILS_BAD
from pilothat.board.revision import revision
from pilothat.board.sampling import FRESH_S, Look, Sampler, code, frame, plans
from pilothat.errors import BoardError

REV = revision()
CHANNELS, PINS = REV.channels, REV.pins


class Board:
    """Answers every look, and keeps what was asked for."""

    def __init__(self) -> None:
        self.now = 0.0
        self.looks: list[Sequence[int]] = []
        self.levels = (1 << 28) - 1
        self.is_lost = False
        self.codes: dict[int, list[int]] = {
            CHANNELS.cp_raw: [REV.cp_code(-12)],
            CHANNELS.cp_high: [REV.cp_code(9)],
            CHANNELS.cp_low: [REV.cp_code(-12)],
            CHANNELS.rail_high: [REV.rail_code(REV.driver.rail_high_v)],
            CHANNELS.rail_low: [REV.cp_code(REV.driver.rail_low_v)],
            CHANNELS.temperature_plus: [1280],
            CHANNELS.temperature_minus: [1280],
        }
        self.sampler = Sampler(REV, self.prepared, lambda: self.now)

    def prepared(self, channels: Sequence[int]) -> Look:
        return lambda: self.look(channels)

    def look(self, channels: Sequence[int]) -> tuple[Sequence[int], int]:
        if self.is_lost:
            raise BoardError("gone", where="test")
        self.looks.append(channels)
        return [self.next(channel) for channel in channels], self.levels

    def next(self, channel: int) -> int:
        """Return a channel's next code; the last one stays."""
        codes = self.codes[channel]
        return codes.pop(0) if len(codes) > 1 else codes[0]

    def samples(self, count: int) -> None:
        for _ in range(count):
            self.sampler.sample(5)


@pytest.fixture
def board() -> Board:
    return Board()


# --- what is asked for


def test_every_moment_of_a_sample_is_read_raw_by_one_of_two_plans() -> None:
    first, second = plans(CHANNELS)
    assert len(first.channels) == len(second.channels)
    raw = [
        {n for n, channel in enumerate(plan.channels) if channel == CHANNELS.cp_raw}
        for plan in (first, second)
    ]
    assert raw[0] | raw[1] == set(range(len(first.channels)))


def test_plans_know_what_they_read_where() -> None:
    for plan, rail in zip(plans(CHANNELS), (3, 4), strict=True):
        read = plan.channels
        assert set(read[plan.raws]) == {CHANNELS.cp_raw}
        assert list(read[plan.holds]) == [CHANNELS.cp_high, CHANNELS.cp_low] * 3
        assert list(read[plan.rails]) == [rail] == [plan.rail]
        assert list(read[plan.sensors]) == [6, 7]


def test_frames_and_codes_are_the_converters() -> None:
    assert [frame(channel) for channel in (0, 3, 4, 7)] == [
        b"\x06\x00\x00", b"\x06\xc0\x00", b"\x07\x00\x00", b"\x07\xc0\x00"
    ]  # fmt: skip
    assert code(b"\xff\xfa\xbc") == 0xABC


# --- what is kept


@pytest.mark.parametrize(
    ("duty_pct", "high_v", "has_low"),
    [(0, -12.0, False), (5, 9.0, True), (96, 9.0, True), (100, 9.0, False)],
)
def test_duty_says_which_hold_counts(
    board: Board, duty_pct: float, high_v: float, has_low: bool
) -> None:
    told = board.sampler.sample(duty_pct)
    assert told.high_v == pytest.approx(high_v, abs=0.01)
    assert told.low_v == (pytest.approx(-12, abs=0.01) if has_low else None)


def test_middle_of_three_readings_of_a_hold_counts(board: Board) -> None:
    board.codes[CHANNELS.cp_high] = [REV.cp_code(volts) for volts in (9, 3, 9.1)]
    board.codes[CHANNELS.cp_low] = [REV.cp_code(volts) for volts in (-12, 3, -12.1)]
    told = board.sampler.sample(5)
    assert told.high_v == pytest.approx(9.0, abs=0.01)
    assert told.low_v == pytest.approx(-12.0, abs=0.01)


def test_one_look_serves_a_whole_turn_and_not_the_next(board: Board) -> None:
    board.sampler.sample(5)
    board.now = FRESH_S
    assert not board.sampler.contactor_is_closed()
    assert board.sampler.interlocks().is_good
    assert len(board.looks) == 1
    board.now = FRESH_S * 1.1
    board.levels = 0
    assert board.sampler.contactor_is_closed()
    assert not board.sampler.interlocks().is_estop_released
    assert board.looks[1:] == [(6, 7)]


def test_changed_output_is_looked_at_anew(board: Board) -> None:
    board.sampler.sample(5)
    board.levels = 0
    board.sampler.outdate()
    assert board.sampler.contactor_is_closed()


def test_failed_sample_leaves_nothing_that_looks_fresh(board: Board) -> None:
    board.sampler.sample(5)
    board.is_lost = True
    calls: tuple[Callable[[], object], ...] = (
        lambda: board.sampler.sample(5),
        board.sampler.contactor_is_closed,
        board.sampler.interlocks,
    )
    for call in calls:
        with pytest.raises(BoardError, match="gone"):
            call()


# --- what is believed


@pytest.mark.parametrize("rail", ["rail_high", "rail_low"])
def test_rail_is_looked_at_with_every_other_sample(board: Board, rail: str) -> None:
    board.codes[getattr(CHANNELS, rail)] = [2048]
    board.samples(2 * RAILS_BAD - 2)
    with pytest.raises(BoardError, match="12 V rail is at"):
        board.samples(2)


def test_pulse_that_is_never_seen_raw_is_a_lost_board(board: Board) -> None:
    with pytest.raises(BoardError, match="no high half wave"):
        board.samples(63)
