"""The constants of a board revision and what follows from them.

``revisions/*.toml`` is the one place that knows pins, channels, dividers and times of
a board. What reads a voltage and what makes one up (a twin) use the same formulas.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import field, fields
from functools import lru_cache
from importlib.resources import files
from typing import Any, TypeVar, cast

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass

DEFAULT = "rev_a"
AS_DESIGNED = -1  # no channel of a board's own
_FOLDER = files("pilothat.board") / "revisions"
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """What the board says of itself in its EEPROM."""

    name: str
    vendor: str
    product: str
    uuid: str
    product_id: int
    product_ver: int
    overlay: str
    supplies_pi_ma: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Pins:
    """GPIO numbers of the SoC."""

    cp_pwm: int
    cp_en: int
    k1_req: int
    k2_req: int
    wd_hb: int
    estop_n: int
    k1_fb_n: int
    k2_fb_n: int
    fault_n: int
    led_green: int
    led_red: int
    lock_in1: int
    lock_in2: int
    plc_int: int
    adc_ce: int
    adc_miso: int
    adc_mosi: int
    adc_sclk: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Adc:
    """The converter and how it is reached."""

    bits: int
    vref_v: float
    supply_v: float
    baud: int
    pigpio_channel: int
    pigpio_flags: int
    spidev: str
    kernel_baud: int

    @property
    def top(self) -> int:
        """The greatest code."""
        return (1 << self.bits) - 1

    def code(self, volts: float) -> int:
        """Return what the converter makes of a voltage at its input."""
        return min(max(round(volts / self.vref_v * (self.top + 1)), 0), self.top)

    def volts(self, code: float) -> float:
        """Return the voltage at the input."""
        return code / (self.top + 1) * self.vref_v


@dataclass(frozen=True, slots=True, kw_only=True)
class Channels:
    """Inputs of the converter."""

    cp_raw: int
    cp_high: int
    cp_low: int
    rail_high: int
    rail_low: int
    proximity: int
    temperature_plus: int
    temperature_minus: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Divider:
    """Three resistors to one node: from CP, to ground, to the reference."""

    from_cp_ohm: float
    to_ground_ohm: float
    to_reference_ohm: float
    filter_f: float
    stray_f: float

    @property
    def gain(self) -> float:
        """Return the part of CP that is seen at the node."""
        return 1.0 / self.from_cp_ohm / self._siemens

    def offset_v(self, vref_v: float) -> float:
        """Return what is seen at the node with CP at 0 V."""
        return vref_v / self.to_reference_ohm / self._siemens

    @property
    def _siemens(self) -> float:
        ohms = (self.from_cp_ohm, self.to_ground_ohm, self.to_reference_ohm)
        return sum(1.0 / ohm for ohm in ohms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """Divider of the positive rail."""

    from_rail_ohm: float
    to_ground_ohm: float

    @property
    def gain(self) -> float:
        """Return the part of the rail that is seen."""
        return self.to_ground_ohm / (self.from_rail_ohm + self.to_ground_ohm)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullUp:
    """A resistor to the reference above the one that is measured."""

    pull_up_ohm: float

    def ohms(self, code: float, top: int) -> float | None:
        """Return the resistance below; None when nothing is there."""
        return None if code >= top else self.pull_up_ohm * code / (top + 1 - code)

    def code(self, ohms: float | None, top: int) -> int:
        """Return the code of a resistance; None is open."""
        if ohms is None:
            return top
        return min(round((top + 1) * ohms / (ohms + self.pull_up_ohm)), top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature(PullUp):
    """A PT1000, and the codes that none of them has."""

    shorted_below: int
    open_above: int
    too_hot_ohm: float

    def is_good(self, code: float, top: int) -> bool:
        """Tell whether a sensor is there, and not too hot."""
        hot = self.code(self.too_hot_ohm, top)
        return self.shorted_below <= code < min(hot, self.open_above)


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """What makes CP."""

    rail_high_v: float
    rail_low_v: float
    switch_ohm: float
    r1_ohm: float
    bleed_ohm: float
    cs_f: float
    esd_f: float
    coupling_f: float
    coupling_ohm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """The track and hold of a half wave."""

    series_ohm: float
    hold_f: float
    gate_delay_high_s: float
    gate_delay_low_s: float
    leakage_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a good reading keeps."""

    rail_tolerance: float
    noise_v: float
    raw_margin_v: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Watchdog:
    """The monostable between heartbeat and drivers.

    timing: what its window hangs on, with its factor; edge: delay of the XOR before it,
    which makes a pulse of every edge
    """

    window_s: float
    timing_ohm: float
    timing_f: float
    factor: float
    edge_ohm: float
    edge_f: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The motor of the socket's lock."""

    pulse_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Pwm:
    """The pilot's oscillator."""

    frequency_hz: int
    kernel_channel: int
    kernel_devices: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpio:
    """The kernel's chip with the pins, by its label."""

    kernel_labels: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrating:
    """How far a board may be from its design, and how long a calibration holds."""

    most_zero_v: float
    most_gain: float
    valid_days: int


@dataclass(frozen=True, slots=True)
class Correction:
    """What a board's own channel needs: volts = gain x what the design reads + zero."""

    zero_v: float = 0.0
    gain: float = 1.0


EXACT = Correction()


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A board revision; with corrections, by channel, it is one board of it."""

    board: Board
    pins: Pins
    adc: Adc
    channels: Channels
    divider: Divider
    rail: Rail
    proximity: PullUp
    temperature: Temperature
    driver: Driver
    hold: Hold
    limits: Limits
    watchdog: Watchdog
    lock: Lock
    pwm: Pwm
    gpio: Gpio
    calibrating: Calibrating
    corrections: Mapping[int, Correction] = field(default_factory=dict)

    def cp_v(self, code: float, channel: int = AS_DESIGNED) -> float:
        """Return the voltage at CP, or on the negative rail, from a channel's code."""
        divider, vref_v = self.divider, self.adc.vref_v
        volts = (self.adc.volts(code) - divider.offset_v(vref_v)) / divider.gain
        own = self.corrections.get(channel, EXACT)
        return own.gain * volts + own.zero_v

    def cp_code(self, volts: float, channel: int = AS_DESIGNED) -> int:
        """Return the code of a voltage at CP on a channel."""
        divider, vref_v = self.divider, self.adc.vref_v
        own = self.corrections.get(channel, EXACT)
        seen_v = (volts - own.zero_v) / own.gain
        return self.adc.code(seen_v * divider.gain + divider.offset_v(vref_v))

    def rail_v(self, code: float) -> float:
        """Return the voltage of the positive rail."""
        own = self.corrections.get(self.channels.rail_high, EXACT)
        return own.gain * self.adc.volts(code) / self.rail.gain + own.zero_v

    def rail_code(self, volts: float) -> int:
        """Return the code of the positive rail."""
        return self.adc.code(volts * self.rail.gain)

    def pp_ohm(self, code: float) -> float | None:
        """Return the resistance between PP and PE; None when nothing is plugged in."""
        return self.proximity.ohms(code, self.adc.top)


@lru_cache
def revision(name: str = DEFAULT) -> Revision:
    """Return a revision by name. Raises ConfigError for one that nobody knows."""
    path = _FOLDER / f"{name}.toml"
    if not path.is_file():
        raise ConfigError(
            f"no board revision {name}",
            where="board.revision",
            remedy=f"Known: {', '.join(names())}",
        )
    return read(path.read_text(encoding="utf-8"), f"{name}.toml")


def names() -> list[str]:
    """Return the names of all revisions."""
    found = (one.name for one in _FOLDER.iterdir())
    return sorted(name[:-5] for name in found if name.endswith(".toml"))


def read(text: str, where: str) -> Revision:
    """Read a revision from TOML. Raises ConfigError with section and key."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(error), where=where) from error
    kinds = dict(_SECTIONS)
    _compare(set(table), set(kinds), where)
    made: dict[str, Any] = {
        name: _section(kinds[name], table[name], f"{where}: {name}") for name in table
    }
    return Revision(**made)


_SECTIONS: tuple[tuple[str, type], ...] = (
    ("board", Board),
    ("pins", Pins),
    ("adc", Adc),
    ("channels", Channels),
    ("divider", Divider),
    ("rail", Rail),
    ("proximity", PullUp),
    ("temperature", Temperature),
    ("driver", Driver),
    ("hold", Hold),
    ("limits", Limits),
    ("watchdog", Watchdog),
    ("lock", Lock),
    ("pwm", Pwm),
    ("gpio", Gpio),
    ("calibrating", Calibrating),
)


def _section(kind: type[T], table: dict[str, Any], where: str) -> T:
    _compare(set(table), {one.name for one in fields(cast("Any", kind))}, where)
    return kind(**table)


def _compare(found: set[str], wanted: set[str], where: str) -> None:
    """Raise ConfigError unless exactly what is wanted is there."""
    if odd := sorted(found ^ wanted):
        is_missing = odd[0] in wanted
        raise ConfigError(
            f"{odd[0]} is {'missing' if is_missing else 'unknown'}", where=where
        )
