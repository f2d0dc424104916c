"""How a board is read, whatever reaches it: plans, holds, and what is believed.

A driver gives one function that makes of channels a ``Look``: one exchange that returns
their codes and all levels. What a sample has seen besides CP holds for the rest of its
turn, so that a turn of the guard costs one look and not three.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from math import inf

from pilothat.board.plausible import RailCheck, RawCheck
from pilothat.board.revision import Channels, Revision
from pilothat.errors import BoardError
from pilothat.frozen import dataclass
from pilothat.pilot.duty import STEADY_PCT
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks

FRESH_S = 0.002  # what a sample has seen besides CP holds for the rest of its turn
READINGS = 3  # of each hold; the middle one counts
_MIDDLE = READINGS // 2
RAW_READINGS = 16  # with each sample; two plans see the whole of a period
FRAME_BYTES = 3  # of a conversion
CODE_DATA = "xH"  # the code is in the low bits of its last two

# Codes of the channels in their order; then the levels of the pins, GPIO n in bit n.
Look = Callable[[], tuple[Sequence[int], int]]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sample reads, and where in the answers what is.

    Samples come in step with the PWM, so chance does not help: two plans take turns,
    with raw readings at their beginning or at their end, that together see a whole
    period where all conversions of a sample take about one.
    """

    rail: int
    channels: Sequence[int]
    raws: slice
    holds: slice
    rails: slice
    sensors: slice


def plans(channels: Channels) -> Sequence[Plan]:
    """Return the two plans; each looks after one rail."""
    return (
        _plan(channels, channels.rail_high, is_raw_first=True),
        _plan(channels, channels.rail_low, is_raw_first=False),
    )


def _plan(channels: Channels, rail: int, *, is_raw_first: bool) -> Plan:
    raws = (channels.cp_raw,) * RAW_READINGS
    holds = (channels.cp_high, channels.cp_low) * READINGS
    rest = (*holds, rail, *_sensors(channels))
    first = RAW_READINGS if is_raw_first else 0
    rail_at = first + len(holds)
    raws_at = 0 if is_raw_first else len(rest)
    return Plan(
        rail=rail,
        channels=(*raws, *rest) if is_raw_first else (*rest, *raws),
        raws=slice(raws_at, raws_at + RAW_READINGS),
        holds=slice(first, rail_at),
        rails=slice(rail_at, rail_at + 1),
        sensors=slice(rail_at + 1, first + len(rest)),
    )


def _sensors(channels: Channels) -> Sequence[int]:
    return channels.temperature_plus, channels.temperature_minus


class Sampler:
    """The readings of a board that are worth believing."""

    def __init__(
        self,
        board: Revision,
        prepared: Callable[[Sequence[int]], Look],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare all looks.

        prepared: makes a look at channels; done once for each plan
        """
        self._board = board
        self._clock = clock
        channels = board.channels
        self._high = board.cp_scale(channels.cp_high)
        self._low = board.cp_scale(channels.cp_low)
        self._good_codes = board.temperature.good_codes(board.adc.top)
        self._rails = _rail_checks(board)
        self._raw = RawCheck(board)
        ways = [(plan, prepared(plan.channels)) for plan in plans(board.channels)]
        self._ways = cycle(ways)
        self._look_at_sensors = prepared(_sensors(board.channels))
        self._levels = 0
        self._sensors: Sequence[int] = ()
        self._seen_at = -inf

    def sample(self, duty_pct: float) -> PilotSample:
        """Return the newest sample of CP, driven with a duty.

        Raises BoardError for one that cannot be true.
        """
        self.outdate()
        plan, look = next(self._ways)
        codes, levels = look()
        self._see(codes[plan.sensors], levels)
        sample = self._held(codes[plan.holds], duty_pct)
        self._judge_rail(plan.rail, *codes[plan.rails])
        self._believe(self._raw.take(sample, codes[plan.raws]))
        return sample

    def contactor_is_closed(self) -> bool:
        """Return what the mirror contact says; a broken wire says closed."""
        self._look_around()
        return not self._is_high(self._board.pins.k1_fb_n)

    def interlocks(self) -> Interlocks:
        """Return the inputs of the safety chain; a broken wire is not good."""
        self._look_around()
        pins = self._board.pins
        lowest, beyond = self._good_codes
        return Interlocks(
            is_estop_released=self._is_high(pins.estop_n),
            is_rcm_good=self._is_high(pins.fault_n),
            is_temperature_good=lowest <= min(self._sensors)
            and max(self._sensors) < beyond,
        )

    def outdate(self) -> None:
        """Look anew with the next question: an output has changed."""
        self._seen_at = -inf

    # --- inside

    def _held(self, holds: Sequence[int], duty_pct: float) -> PilotSample:
        high_v = self._high.volts(sorted(holds[::2])[_MIDDLE])
        low_v = self._low.volts(sorted(holds[1::2])[_MIDDLE])
        if duty_pct <= 0:
            return PilotSample(low_v, None)
        return PilotSample(high_v, None if duty_pct >= STEADY_PCT else low_v)

    def _look_around(self) -> None:
        """See levels and temperatures, unless the sample's are fresh."""
        if self._clock() - self._seen_at > FRESH_S:
            self._see(*self._look_at_sensors())

    def _see(self, sensors: Sequence[int], levels: int) -> None:
        self._sensors, self._levels = sensors, levels
        self._seen_at = self._clock()

    def _is_high(self, pin: int) -> bool:
        return bool(self._levels >> pin & 1)

    def _judge_rail(self, channel: int, code: int) -> None:
        self._believe(self._rails[channel].take(code))

    def _believe(self, complaint: str) -> None:
        if complaint:
            raise BoardError(
                complaint,
                where="HAT",
                remedy="Check the board's supply and the ADC; pilothat selftest tells",
            )


def _rail_checks(board: Revision) -> Mapping[int, RailCheck]:
    driver, channels = board.driver, board.channels
    tolerance, low = board.limits.rail_tolerance, board.cp_scale(channels.rail_low)
    return {
        channels.rail_high: RailCheck(
            "+12 V", driver.rail_high_v, tolerance, board.rail_scale()
        ),
        channels.rail_low: RailCheck("-12 V", driver.rail_low_v, tolerance, low),
    }


def frame(channel: int) -> bytes:
    """Return what the converter is sent for one single-ended conversion."""
    return bytes((0x06 | channel >> 2, (channel & 3) << 6, 0))


def code(answer: bytes) -> int:
    """Return the code in an answer to ``frame``."""
    return (answer[1] & 0x0F) << 8 | answer[2]
