"""The board between the Pi's pins and the cable: driver, watchdog, gates, ADC.

::

    CP_PWM --[+-12 V switch]--+-- CP          WD_HB edges --[monostable]-- WD_OK
    CP_EN & WD_OK -- enable   |
                              +--[divider]--+-- raw
                                            +--[gate high]-- hold
                                            +--[gate low]--- hold

CP driver on: CP_EN and WD_OK. A coil or the enable line on: its request, WD_OK, and
good inputs. All constants are those of the board's revision. Time is a parameter and
never goes back; before anything outside changes, ``advance`` must have been called.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum, auto
from math import exp, inf

from pilothat.board.revision import Revision
from pilothat.frozen import dataclass
from pilothat.twin.bench import Bench, BenchFault
from pilothat.twin.circuit import Generator
from pilothat.twin.soc import Soc, Wave

PP_OHM = 1_500.0  # a fixed cable's resistor
SENSOR_OHM = 1_097.0  # PT1000 at 25 degrees
HOT_OHM = 1_385.0  # at 100 degrees
BROWN_OUT = 0.75  # what is left of the rails
OFFSET_CODES = 60  # of a converter that is off: 0.4 V at CP


class HatFault(Enum):
    """What can go wrong on the board itself. All can be taken back."""

    BROWN_OUT = auto()  # both rails sag
    HOT = auto()
    SENSOR_OPEN = auto()
    RCM_TRIPPED = auto()
    PWM_STUCK_LOW = auto()  # the line between the Pi and the driver
    ADC_OFFSET = auto()  # every code is too high


@dataclass(frozen=True, slots=True)
class Gates:
    """What the watchdog and the inputs let through."""

    is_watched: bool = False
    is_driver_on: bool = False
    is_k1_on: bool = False
    is_k2_on: bool = False


@dataclass(frozen=True, slots=True)
class Levels:
    """CP in both phases of CP_PWM, and the shares of time its gates are open."""

    high_v: float
    low_v: float
    open_high: float
    open_low: float


LOW, HIGH = Wave(0, 0.0, 0.0), Wave(0, 1.0, 0.0)


class Hat:
    """The board, with the bench behind it."""

    def __init__(self, bench: Bench, revision: Revision, now: float) -> None:
        self._bench = bench
        self._revision = revision
        pins = revision.pins
        self._lines = dict.fromkeys((pins.cp_en, pins.k1_req, pins.k2_req), 0)
        self._heart: int | None = None
        self._watched_until = -inf
        self._wave = LOW
        self._faults: frozenset[HatFault] = frozenset()
        self._held_high_v = self._held_low_v = 0.0
        self._now = now
        self.gates = Gates()
        self.changes = 0  # of what a car can see; whoever serves it compares
        self._apply(now)

    # --- from the Pi

    def follow(self, soc: Soc, now: float) -> None:
        """Take all outputs from the pins of the Pi."""
        pins = self._revision.pins
        wave = soc.wave(pins.cp_pwm)
        if wave is None:
            wave = HIGH if soc.level(pins.cp_pwm, now) else LOW
        self.pulse(wave, now)
        for pin in (pins.cp_en, pins.k1_req, pins.k2_req, pins.wd_hb):
            self.drive(pin, soc.level(pin, now), now)

    def drive(self, pin: int, level: int, now: float) -> None:
        """Take the level of an output."""
        if pin == self._revision.pins.wd_hb:
            self._beat(level, now)
        elif self._lines.get(pin, level) != level:
            self.advance(now)
            self._lines[pin] = level
            self._apply(now)

    def pulse(self, wave: Wave, now: float) -> None:
        """Take what comes on CP_PWM."""
        if wave != self._wave:
            self.advance(now)
            self._wave = wave
            self._apply(now)

    def _beat(self, level: int, now: float) -> None:
        if self._heart is not None and level != self._heart:
            self.advance(now)
            self._watched_until = now + self._revision.watchdog.window_s
            if not self.gates.is_watched:
                self._apply(now)
        self._heart = level

    # --- to the Pi

    def inputs(self, now: float) -> Mapping[int, int]:
        """Return the levels of the board's own outputs, by pin."""
        pins = self._revision.pins
        return {
            pins.estop_n: int(self._bench.interlocks(now).is_estop_released),
            pins.fault_n: int(HatFault.RCM_TRIPPED not in self._faults),
            pins.k1_fb_n: int(not self._bench.contactor_is_closed(now)),
            pins.k2_fb_n: int(not self.gates.is_k2_on),
        }

    def code(self, channel: int, now: float) -> int:
        """Return what the ADC makes of a channel."""
        self.advance(now)
        if BenchFault.ADC_STUCK in self._bench.faults:
            return 0
        off = OFFSET_CODES if HatFault.ADC_OFFSET in self._faults else 0
        return min(self._exact_code(channel, now) + off, self._revision.adc.top)

    def _exact_code(self, channel: int, now: float) -> int:
        revision, channels = self._revision, self._revision.channels
        if channel == channels.cp_raw:
            return revision.cp_code(self._raw_v(now))
        if channel == channels.cp_high:
            return revision.cp_code(self._held_high_v)
        if channel == channels.cp_low:
            return revision.cp_code(self._held_low_v)
        return self._slow_code(channel)

    def _slow_code(self, channel: int) -> int:
        revision, channels, faults = (
            self._revision,
            self._revision.channels,
            self._faults,
        )
        share = BROWN_OUT if HatFault.BROWN_OUT in faults else 1.0
        if channel == channels.rail_high:
            return revision.rail_code(revision.driver.rail_high_v * share)
        if channel == channels.rail_low:
            return revision.cp_code(revision.driver.rail_low_v * share)
        if channel == channels.proximity:
            return revision.proximity.code(PP_OHM, revision.adc.top)
        ohm = HOT_OHM if HatFault.HOT in faults else SENSOR_OHM
        sensor = None if HatFault.SENSOR_OPEN in faults else ohm
        return revision.temperature.code(sensor, revision.adc.top)

    # --- time and faults

    @property
    def deadline(self) -> float | None:
        """When the watchdog will expire."""
        return self._watched_until if self.gates.is_watched else None

    def advance(self, now: float) -> None:
        """Catch up with time: holds follow, the watchdog expires."""
        if self.gates.is_watched and self._watched_until <= now:
            self._follow(self._watched_until)
            self._apply(self._watched_until)
        self._follow(now)

    def inject(self, fault: HatFault, now: float, *, on: bool = True) -> None:
        """Break something, or mend it."""
        self.advance(now)
        self._faults = self._faults | {fault} if on else self._faults - {fault}
        self._apply(now)

    # --- inside

    def _apply(self, now: float) -> None:
        """Pass on what the gates let through."""
        self.changes += 1
        pins, lines = self._revision.pins, self._lines
        is_watched = now < self._watched_until
        is_good = is_watched and HatFault.RCM_TRIPPED not in self._faults
        is_good = is_good and self._bench.interlocks(now).is_good
        self.gates = gates = Gates(
            is_watched=is_watched,
            is_driver_on=is_watched and bool(lines[pins.cp_en]),
            is_k1_on=is_good and bool(lines[pins.k1_req]),
            is_k2_on=is_good and bool(lines[pins.k2_req]),
        )
        share = BROWN_OUT if HatFault.BROWN_OUT in self._faults else 1.0
        driven = driven_cp(self._revision, share)
        self._bench.power_pilot(
            driven if gates.is_driver_on else floating_cp(self._revision), now
        )
        duty_pct = self._share * 100 if gates.is_driver_on else 0.0
        self._bench.drive_pilot(duty_pct, now)
        self._bench.enable_supply(now, on=gates.is_k2_on)
        self._bench.set_contactor(now, closed=gates.is_k1_on)

    @property
    def _share(self) -> float:
        is_stuck = HatFault.PWM_STUCK_LOW in self._faults
        return 0.0 if is_stuck else self._wave.share

    def _levels(self, now: float) -> Levels:
        sample, hold, share = self._bench.pilot(now), self._revision.hold, self._share
        low_v = sample.high_v if sample.low_v is None else sample.low_v
        rate_hz = self._wave.frequency_hz
        high = share - hold.gate_delay_high_s * rate_hz if share < 1 else 1.0
        low = 1 - share - hold.gate_delay_low_s * rate_hz if share > 0 else 1.0
        return Levels(sample.high_v, low_v, max(high, 0.0), max(low, 0.0))

    def _follow(self, now: float) -> None:
        """Let both holds follow CP, or leak, up to now."""
        duration_s, self._now = max(now - self._now, 0.0), max(now, self._now)
        levels = self._levels(now)
        self._held_high_v = self._follows(
            self._held_high_v, levels.high_v, levels.open_high * duration_s
        )
        self._held_low_v = self._follows(
            self._held_low_v, levels.low_v, levels.open_low * duration_s
        )
        droop_v = self._droop_v(duration_s)
        self._held_high_v -= 0.0 if levels.open_high else droop_v
        self._held_low_v -= 0.0 if levels.open_low else droop_v

    def _follows(self, held_v: float, target_v: float, open_s: float) -> float:
        hold = self._revision.hold
        return target_v + (held_v - target_v) * exp(
            -open_s / hold.series_ohm / hold.hold_f
        )

    def _droop_v(self, duration_s: float) -> float:
        hold = self._revision.hold
        return hold.leakage_a * duration_s / hold.hold_f / self._revision.divider.gain

    def _raw_v(self, now: float) -> float:
        """Return CP as the raw input sees it, a little after an edge still old."""
        levels, share, wave = self._levels(now), self._share, self._wave
        if not 0 < share < 1:
            return levels.high_v if share >= 1 else levels.low_v
        phase = wave.phase(now)
        is_high = phase < share
        since_s = (phase if is_high else phase - share) / wave.frequency_hz
        target_v, before_v = levels.high_v, levels.low_v
        if not is_high:
            target_v, before_v = before_v, target_v
        return target_v + (before_v - target_v) * exp(-since_s / self._settling_s)

    @property
    def _settling_s(self) -> float:
        """Time constant of an edge at the raw input."""
        driver, divider = self._revision.driver, self._revision.divider
        line_s = driver.r1_ohm * (driver.cs_f + driver.esd_f + driver.coupling_f)
        node_ohm = divider.gain * divider.from_cp_ohm
        return line_s + node_ohm * (divider.filter_f + divider.stray_f)


def driven_cp(revision: Revision, share: float = 1.0) -> Generator:
    """Return the station's end of CP with its driver on.

    share: of the nominal rails
    """
    driver = revision.driver
    source_s = 1.0 / (driver.r1_ohm + driver.switch_ohm)
    load_s, load_a = _load(revision)
    sum_s = source_s + load_s
    return Generator(
        high_v=(driver.rail_high_v * share * source_s + load_a) / sum_s,
        low_v=(driver.rail_low_v * share * source_s + load_a) / sum_s,
        r1_ohm=1.0 / sum_s,
    )


def floating_cp(revision: Revision) -> Generator:
    """Return the station's end of CP with its driver off: bleed and divider."""
    load_s, load_a = _load(revision)
    rest_v = load_a / load_s
    return Generator(high_v=rest_v, low_v=rest_v, r1_ohm=1.0 / load_s)


def _load(revision: Revision) -> tuple[float, float]:
    """Return what hangs on CP: conductance, and the current it gives at 0 V."""
    divider, vref_v = revision.divider, revision.adc.vref_v
    foot_s = 1.0 / divider.to_ground_ohm + 1.0 / divider.to_reference_ohm
    foot_v = vref_v / divider.to_reference_ohm / foot_s
    branch_s = 1.0 / (divider.from_cp_ohm + 1.0 / foot_s)
    return branch_s + 1.0 / revision.driver.bleed_ohm, foot_v * branch_s
