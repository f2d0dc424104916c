"""What a good board measures, check by check; the same on the twin and on hardware.

Nothing here closes the contactor or moves the lock; that is ``board.asked``, and for
what is asked for by name. The supply is never enabled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from statistics import mean, median, pstdev
from typing import Protocol, runtime_checkable

from pilothat.board.revision import Revision
from pilothat.board.verdict import Row, skipped
from pilothat.frozen import dataclass
from pilothat.pilot.levels import PilotLevel, classify
from pilothat.ports import PilotBackend

SETTLE_S = 0.05
BURST = 16
LONG_BURST, LONG_BURSTS = 100, 100  # for a share: each some periods
TRIES = 3  # of a measurement that was disturbed
SHARE_PCT = 3.0
DUTIES_PCT = (5.0, 10.0, 16.0, 50.0, 96.0)
TRIP_LATE_S = 0.1  # beyond the watchdog's window
FREQUENCY_HZ = (995.0, 1005.0)  # as it is set; the same table: 1 kHz, half a percent
OPEN_V, LOW_V = (11.4, 12.6), (-12.6, -11.4)  # of a generator, IEC 61851-1 table A.2
SEEN = (PilotLevel.A, PilotLevel.B, PilotLevel.C, PilotLevel.D)
NO_CODES = "this driver tells no codes of the converter"


@runtime_checkable
class Coded(Protocol):
    """A driver that tells what the converter reads, and what the PWM is set to."""

    def codes(self, channel: int, count: int) -> Sequence[int]:
        """Return so many conversions of a channel, one right after the other."""

    def frequency_hz(self) -> float:
        """Return what the PWM's hardware is set to."""


class Probe:
    """A board in the hands of a tester."""

    def __init__(self, hat: PilotBackend, board: Revision) -> None:
        self.hat = hat
        self.board = board
        self.coded = hat if isinstance(hat, Coded) else None

    def live(self, duration_s: float = SETTLE_S) -> None:
        """Let time pass with a heartbeat."""
        self.wait(lambda: False, duration_s)

    def wait(self, holds: Callable[[], bool], limit_s: float) -> float | None:
        """Live until something holds; return after how long, None for never."""
        began = time.monotonic()
        while (passed_s := time.monotonic() - began) < limit_s:
            self._look()
            self.hat.heartbeat()
            if holds():
                return passed_s
        return None

    def codes(self, channel: int, count: int = BURST) -> Sequence[int]:
        """Return conversions of a channel; a driver without them is our mistake."""
        if self.coded is None:
            raise TypeError(NO_CODES)
        return self.coded.codes(channel, count)

    def volts(self, channel: int) -> float:
        """Return the mean of a burst on a channel that sees CP or the low rail."""
        return self.board.cp_v(mean(self.codes(channel)), channel)

    def high_v(self) -> float:
        """Return CP in the high half wave."""
        if self.coded is not None:
            return self.volts(self.board.channels.cp_high)
        return median(self.hat.sample().high_v for _ in range(BURST))

    def low_v(self) -> float:
        """Return CP in the low half wave, or at steady -12 V."""
        if self.coded is not None:
            return self.volts(self.board.channels.cp_low)
        samples = [self.hat.sample() for _ in range(BURST)]
        return median(one.high_v if one.low_v is None else one.low_v for one in samples)

    def _look(self) -> None:
        """Read once: codes, which are not judged, where the driver has them."""
        if self.coded is not None:
            self.coded.codes(self.board.channels.cp_raw, 1)
        else:
            self.hat.sample()

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
        middle = self.board.cp_code(middle_v, channels.cp_raw)
        highs, longest_s, beat_at = 0, 0.0, time.monotonic()
        for _ in range(LONG_BURSTS):
            codes = self.codes(channels.cp_raw, LONG_BURST)
            highs += sum(code > middle for code in codes)
            self.hat.heartbeat()
            was_at, beat_at = beat_at, time.monotonic()
            longest_s = max(longest_s, beat_at - was_at)
        return 100 * highs / LONG_BURSTS / LONG_BURST, longest_s


@dataclass(frozen=True, slots=True)
class Trip:
    """How the watchdog tripped.

    after_s: the last heartbeat. unsure_s: longest time in which nobody looked
    """

    after_s: float
    floating_v: float
    unsure_s: float


def rows(probe: Probe) -> Iterator[Row]:
    """Yield the report, each row when it has been measured. Raises BoardError."""
    probe.live()
    for check in CHECKS:
        yield from check(probe)
    probe.hat.set_pwm(0)


def _rails(probe: Probe) -> Iterator[Row]:
    if probe.coded is None:
        yield skipped("+12 V and -12 V rail", NO_CODES)
        return
    board, channels = probe.board, probe.board.channels
    part = board.limits.rail_tolerance
    high_v, low_v = board.driver.rail_high_v, board.driver.rail_low_v
    high = board.rail_v(mean(probe.codes(channels.rail_high)))
    yield Row("+12 V rail", high, "V", high_v * (1 - part), high_v * (1 + part))
    low = probe.volts(channels.rail_low)
    yield Row("-12 V rail", low, "V", low_v * (1 + part), low_v * (1 - part))
    # what both are off by is no rail's fault, but what they are read with
    share = mean((high_v / high, low_v / low)) if high > 0 > low else None
    vref_v = board.adc.vref_v
    measured = None if share is None else share * vref_v
    limits_v = vref_v * (1 - part), vref_v * (1 + part)
    yield Row("ADC reference", measured, "V", *limits_v, "by both rails")


def _inputs(probe: Probe) -> Iterator[Row]:
    chain = probe.hat.interlocks()
    yield Row("emergency stop released", float(chain.is_estop_released), "", 1, 1)
    yield Row("RCM and IMD good", float(chain.is_rcm_good), "", 1, 1)
    is_closed = float(probe.hat.contactor_is_closed())
    yield Row("contactor closed", is_closed, "", 0, 0)


def _temperatures(probe: Probe) -> Iterator[Row]:
    if probe.coded is None:
        is_good = probe.hat.interlocks().is_temperature_good
        yield Row("temperature good", float(is_good), "", 1, 1)
        return
    board, channels = probe.board, probe.board.channels
    sensor, top = board.temperature, board.adc.top
    lowest = sensor.ohms(sensor.shorted_below, top) or 0.0
    for name, channel in (
        ("PT1000 at DC+", channels.temperature_plus),
        ("PT1000 at DC-", channels.temperature_minus),
    ):
        code = mean(probe.codes(channel))
        ohm = None if code > sensor.open_above else sensor.ohms(code, top)
        note = "no sensor" if ohm is None else ""
        yield Row(name, ohm or 0.0, "Ohm", lowest, sensor.too_hot_ohm, note)


def _proximity(probe: Probe) -> Iterator[Row]:
    if probe.coded is None:
        yield skipped("PP", NO_CODES)
        return
    code = mean(probe.codes(probe.board.channels.proximity))
    ohm = probe.board.pp_ohm(code)
    note = "nothing plugged in" if ohm is None else ""
    yield Row("PP", ohm, "Ohm", 60.0, 4500.0, note)


def _steady(probe: Probe) -> Iterator[Row]:
    probe.hat.set_pwm(0)
    probe.live()
    yield Row("CP steady low", probe.low_v(), "V", *LOW_V)
    probe.hat.set_pwm(100)
    probe.live()
    yield _level("CP steady high", probe.high_v())
    if probe.coded is None:
        yield skipped("CP held against raw", NO_CODES)
        return
    channels = probe.board.channels
    held, raw = (probe.volts(one) for one in (channels.cp_high, channels.cp_raw))
    margin_v = probe.board.limits.raw_margin_v
    yield Row("CP held against raw", held - raw, "V", -margin_v, margin_v)
    codes = probe.codes(channels.cp_high)
    noise_v = pstdev([probe.board.cp_v(code, channels.cp_high) for code in codes])
    yield Row("CP noise", noise_v, "V", 0.0, probe.board.limits.noise_v)


def _pulses(probe: Probe) -> Iterator[Row]:
    for duty_pct in DUTIES_PCT:
        probe.hat.set_pwm(duty_pct)
        probe.live()
        name = f"CP at {duty_pct:g} %"
        yield _level(f"{name}, high", probe.high_v())
        yield Row(f"{name}, low", probe.low_v(), "V", *LOW_V)
        if probe.coded is None:
            yield skipped(f"{name}, duty", NO_CODES)
            yield skipped(f"{name}, frequency", NO_CODES)
            continue
        low, high = duty_pct - SHARE_PCT, duty_pct + SHARE_PCT
        yield Row(f"{name}, duty", probe.share_pct(duty_pct), "%", low, high)
        yield Row(f"{name}, frequency", probe.coded.frequency_hz(), "Hz", *FREQUENCY_HZ)


def _level(name: str, volts: float) -> Row:
    """Return a row for a high level; that of any state is good."""
    level = classify(volts)
    if level is None or level not in SEEN:
        return Row(name, volts, "V", *OPEN_V, "fits no state")
    band_v: tuple[float, float] = OPEN_V if level is PilotLevel.A else level.value
    return Row(name, volts, "V", *band_v, f"state {level.name}")


def _watchdog(probe: Probe) -> Iterator[Row]:
    """Stop the heartbeat and see CP float; then see it come back."""
    if probe.coded is None:
        yield skipped("watchdog trips after", NO_CODES)
        return
    window_s = probe.board.watchdog.window_s
    limit_s = window_s + TRIP_LATE_S
    for _ in range(TRIES):
        trip = _trip(probe, 2 * limit_s)
        if trip.unsure_s < TRIP_LATE_S / 2:
            break
    yield Row("watchdog trips after", trip.after_s, "s", window_s * 0.7, limit_s)
    yield Row("CP floating", trip.floating_v, "V", *PilotLevel.E.value)
    probe.hat.set_pwm(100)
    probe.live()
    yield _level("CP after the watchdog", probe.high_v())


def _trip(probe: Probe, limit_s: float) -> Trip:
    """Beat a last time; see when CP floats, or that it does not."""
    probe.hat.set_pwm(100)
    probe.live()
    began = time.monotonic()
    probe.hat.heartbeat()
    volts, now = probe.high_v(), time.monotonic()
    unsure_s = now - began  # and no later look may take longer
    while now - began < limit_s and classify(volts) is not PilotLevel.E:
        was, volts, now = now, probe.high_v(), time.monotonic()
        unsure_s = max(unsure_s, now - was)
    return Trip(now - began, volts, unsure_s)


CHECKS = (
    _rails,
    _inputs,
    _temperatures,
    _proximity,
    _steady,
    _pulses,
    _watchdog,
)
