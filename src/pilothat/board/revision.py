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

from pilothat.board.transfer import Adc, Divider, PullUp, Rail, Scale, Temperature
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
        return self.cp_scale(channel).volts(code)

    def cp_scale(self, channel: int = AS_DESIGNED) -> Scale:
        """Return how a channel's codes are volts at CP, or on the negative rail."""
        divider, own = self.divider, self.corrections.get(channel, EXACT)
        gain = own.gain / divider.gain
        at_zero_v = own.zero_v - gain * divider.offset_v(self.adc.vref_v)
        return Scale(gain * self.adc.volts(1), at_zero_v)

    def cp_code(self, volts: float, channel: int = AS_DESIGNED) -> int:
        """Return the code of a voltage at CP on a channel."""
        divider, vref_v = self.divider, self.adc.vref_v
        own = self.corrections.get(channel, EXACT)
        seen_v = (volts - own.zero_v) / own.gain
        return self.adc.code(seen_v * divider.gain + divider.offset_v(vref_v))

    def rail_v(self, code: float) -> float:
        """Return the voltage of the positive rail."""
        return self.rail_scale().volts(code)

    def rail_scale(self) -> Scale:
        """Return how codes are volts of the positive rail."""
        own = self.corrections.get(self.channels.rail_high, EXACT)
        return Scale(own.gain * self.adc.volts(1) / self.rail.gain, own.zero_v)

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
