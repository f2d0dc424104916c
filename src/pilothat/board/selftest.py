"""What a good board measures, check by check; the same on the twin and on hardware.

Nothing here closes the contactor but the one check that is asked for by name, and the
supply is never enabled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from enum import Enum
from statistics import mean, pstdev

from pilothat.board.pigpiohat import PigpioHat
from pilothat.board.revision import Revision
from pilothat.frozen import dataclass
from pilothat.pilot.levels import PilotLevel, classify

SETTLE_S = 0.05
BURST = 16
LONG_BURST, LONG_BURSTS = 100, 100  # for a share: each some periods
TRIES = 3  # of a measurement that was disturbed
SHARE_PCT = 3.0
DUTIES_PCT = (5.0, 10.0, 16.0, 50.0, 96.0)
TRIP_LATE_S = 0.1  # beyond the watchdog's window
FOLLOW_S = 0.3  # the slowest contactor
SEEN = (PilotLevel.A, PilotLevel.B, PilotLevel.C, PilotLevel.D)


class Verdict(Enum):
    """How a check ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report; a measured None was not measured.

    low, high: what a good board measures
    """

    name: str
    measured: float | None
    unit: str
    low: float
    high: float
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        """Compare."""
        if self.measured is None:
            return Verdict.SKIP
        is_good = self.low <= self.measured <= self.high
        return Verdict.PASS if is_good else Verdict.FAIL


class Probe:
    """A board in the hands of a tester."""

    def __init__(self, hat: PigpioHat, board: Revision) -> None:
        self.hat = hat
        self.board = board

    def live(self, duration_s: float = SETTLE_S) -> None:
        """Let time pass with a heartbeat."""
        self.wait(lambda: False, duration_s)

    def wait(self, holds: Callable[[], bool], limit_s: float) -> float | None:
        """Live until something holds; return after how long, None for never."""
        began = time.monotonic()
        while (passed_s := time.monotonic() - began) < limit_s:
            self.hat.sample()
            self.hat.heartbeat()
            if holds():
                return passed_s
        return None

    def volts(self, channel: int) -> float:
        """Return the mean of a burst on a channel that sees CP or the low rail."""
        return self.board.cp_v(mean(self.hat.codes(channel, BURST)))

    def share_pct(self, duty_pct: float) -> float:
        """Drive a duty; return how often the raw input is above the middle.

        Where the program was held up for so long that the board's watchdog may have
        acted in between, all is measured anew.
        """
        share_pct = 0.0
        for _ in range(TRIES):
            self.hat.set_pwm(duty_pct)
            self.live()
            share_pct, longest_s = self._share()
            if longest_s < self.board.watchdog.window_s:
                break
        return share_pct

    def _share(self) -> tuple[float, float]:
        """Return the share, and the longest time between two heartbeats."""
        channels = self.board.channels
        middle_v = (self.volts(channels.cp_high) + self.volts(channels.cp_low)) / 2
        middle = self.board.cp_code(middle_v)
        highs, longest_s, beat_at = 0, 0.0, time.monotonic()
        for _ in range(LONG_BURSTS):
            codes = self.hat.codes(channels.cp_raw, LONG_BURST)
            highs += sum(code > middle for code in codes)
            self.hat.heartbeat()
            was_at, beat_at = beat_at, time.monotonic()
            longest_s = max(longest_s, beat_at - was_at)
        return 100 * highs / LONG_BURSTS / LONG_BURST, longest_s


def rows(probe: Probe, *, with_contactor: bool = False) -> Iterator[Row]:
    """Yield the report, each row when it has been measured. Raises BoardError."""
    probe.live()
    for check in CHECKS:
        yield from check(probe)
    yield from _contactor(probe, with_contactor=with_contactor)
    yield from _watchdog(probe)
    probe.hat.set_pwm(0)


def _rails(probe: Probe) -> Iterator[Row]:
    board, channels = probe.board, probe.board.channels
    part = board.limits.rail_tolerance
    high_v, low_v = board.driver.rail_high_v, board.driver.rail_low_v
    measured = board.rail_v(mean(probe.hat.codes(channels.rail_high, BURST)))
    yield Row("+12 V rail", measured, "V", high_v * (1 - part), high_v * (1 + part))
    measured = probe.volts(channels.rail_low)
    yield Row("-12 V rail", measured, "V", low_v * (1 + part), low_v * (1 - part))


def _inputs(probe: Probe) -> Iterator[Row]:
    chain = probe.hat.interlocks()
    yield Row("emergency stop released", float(chain.is_estop_released), "", 1, 1)
    yield Row("RCM and IMD good", float(chain.is_rcm_good), "", 1, 1)
    is_closed = float(probe.hat.contactor_is_closed())
    yield Row("contactor closed", is_closed, "", 0, 0)


def _temperatures(probe: Probe) -> Iterator[Row]:
    board, channels = probe.board, probe.board.channels
    sensor, top = board.temperature, board.adc.top
    lowest = sensor.ohms(sensor.shorted_below, top) or 0.0
    for name, channel in (
        ("PT1000 at DC+", channels.temperature_plus),
        ("PT1000 at DC-", channels.temperature_minus),
    ):
        ohm = sensor.ohms(mean(probe.hat.codes(channel, BURST)), top)
        note = "no sensor" if ohm is None else ""
        yield Row(name, ohm or 0.0, "Ohm", lowest, sensor.too_hot_ohm, note)


def _proximity(probe: Probe) -> Iterator[Row]:
    code = mean(probe.hat.codes(probe.board.channels.proximity, BURST))
    ohm = probe.board.pp_ohm(code)
    note = "nothing plugged in" if ohm is None else ""
    yield Row("PP", ohm, "Ohm", 60.0, 4500.0, note)


def _steady(probe: Probe) -> Iterator[Row]:
    channels = probe.board.channels
    probe.hat.set_pwm(0)
    probe.live()
    yield Row("CP steady low", probe.volts(channels.cp_low), "V", *PilotLevel.F.value)
    probe.hat.set_pwm(100)
    probe.live()
    yield _seen("CP steady high", probe.volts(channels.cp_high))
    held, raw = (probe.volts(one) for one in (channels.cp_high, channels.cp_raw))
    margin_v = probe.board.limits.raw_margin_v
    yield Row("CP held against raw", held - raw, "V", -margin_v, margin_v)
    codes = probe.hat.codes(channels.cp_high, BURST)
    noise_v = pstdev([probe.board.cp_v(code) for code in codes])
    yield Row("CP noise", noise_v, "V", 0.0, probe.board.limits.noise_v)


def _pulses(probe: Probe) -> Iterator[Row]:
    channels = probe.board.channels
    for duty_pct in DUTIES_PCT:
        probe.hat.set_pwm(duty_pct)
        probe.live()
        name = f"CP at {duty_pct:g} %"
        yield _seen(f"{name}, high", probe.volts(channels.cp_high))
        low_v = probe.volts(channels.cp_low)
        yield Row(f"{name}, low", low_v, "V", *PilotLevel.F.value)
        low, high = duty_pct - SHARE_PCT, duty_pct + SHARE_PCT
        yield Row(f"{name}, duty", probe.share_pct(duty_pct), "%", low, high)


def _seen(name: str, volts: float) -> Row:
    """Return a row for a high level; that of any state is good."""
    level = classify(volts)
    if level is None or level not in SEEN:
        return Row(name, volts, "V", *PilotLevel.A.value, "fits no state")
    return Row(name, volts, "V", *level.value, f"state {level.name}")


def _contactor(probe: Probe, *, with_contactor: bool) -> Iterator[Row]:
    hat = probe.hat
    if not with_contactor:
        yield Row("contactor closes", None, "s", 0, FOLLOW_S, "not asked for")
        return
    hat.set_contactor(closed=True)
    closes_s = probe.wait(hat.contactor_is_closed, FOLLOW_S)
    hat.set_contactor(closed=False)
    opens_s = probe.wait(lambda: not hat.contactor_is_closed(), FOLLOW_S)
    for name, passed_s in (("closes", closes_s), ("opens", opens_s)):
        measured = FOLLOW_S * 2 if passed_s is None else passed_s
        note = "never" if passed_s is None else ""
        yield Row(f"contactor {name}", measured, "s", 0, FOLLOW_S, note)


def _watchdog(probe: Probe) -> Iterator[Row]:
    """Stop the heartbeat and see CP float; then see it come back."""
    hat, window_s = probe.hat, probe.board.watchdog.window_s
    hat.set_pwm(100)
    probe.live()
    began = time.monotonic()
    limit_s = window_s + TRIP_LATE_S
    while (passed_s := time.monotonic() - began) < 2 * limit_s:
        if classify(hat.sample().high_v) is PilotLevel.E:
            break
    yield Row("watchdog trips after", passed_s, "s", window_s * 0.7, limit_s)
    probe.live()
    yield _seen("CP after the watchdog", probe.volts(probe.board.channels.cp_high))


CHECKS = (_rails, _inputs, _temperatures, _proximity, _steady, _pulses)
