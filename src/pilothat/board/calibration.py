"""The calibration of one board: its own zero and gain of every path that tells volts.

A small TOML file, written by ``pilothat calibrate``. One that is missing, damaged, of
another board, out of date or implausible is a ConfigError, before a pin is driven.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pilothat.board import detect
from pilothat.board.revision import DEFAULT, Correction, Revision, revision
from pilothat.errors import BoardError, ConfigError
from pilothat.frozen import dataclass

VERSION = 1
MAX_BYTES = 65_536
PATHS = ("cp_raw", "cp_high", "cp_low", "rail_high", "rail_low")  # names of channels
LEAST_SPAN_V = 10.0  # between both levels of CP, or nothing moved
REMEDY = "Calibrate the board: pilothat calibrate --help"


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a board was measured to need.

    serial: of the board. temperature_c: at its sensor, None without one
    corrections: by name of the channel, one for each of PATHS
    """

    revision: str
    serial: str
    day: date
    temperature_c: float | None
    corrections: Mapping[str, Correction]


@dataclass(frozen=True, slots=True)
class Levels:
    """One set of levels, in volts: as an instrument shows them, or as they were read.

    high_v, low_v: CP steady; rail_high_v, rail_low_v: both rails
    """

    rail_high_v: float
    rail_low_v: float
    high_v: float
    low_v: float


def corrections_of(true: Levels, raw: Levels, held: Levels) -> Mapping[str, Correction]:
    """Return what turns readings into the true levels.

    The raw path sees both levels of CP, so it has a gain. A hold sees but one of them,
    behind the same divider, reference and converter: it has that gain, and a zero of
    its own. Rails stand still, so a zero is enough. Raises BoardError when CP did not
    move.
    """
    span_v = raw.high_v - raw.low_v
    if span_v < LEAST_SPAN_V:
        raise BoardError(
            f"CP read {raw.low_v:.2f} V low and {raw.high_v:.2f} V high",
            where="calibration",
            remedy="Nothing may be plugged in; pilothat selftest tells what is wrong",
        )
    gain = (true.high_v - true.low_v) / span_v
    return {
        "cp_raw": Correction(true.high_v - gain * raw.high_v, gain),
        "cp_high": Correction(true.high_v - gain * held.high_v, gain),
        "cp_low": Correction(true.low_v - gain * held.low_v, gain),
        "rail_high": Correction(true.rail_high_v - held.rail_high_v),
        "rail_low": Correction(true.rail_low_v - held.rail_low_v),
    }


def calibrated(board: Revision, found: Calibration) -> Revision:
    """Return the revision with the corrections of one board."""
    names = type(board).__slots__
    parts: dict[str, Any] = {name: getattr(board, name) for name in names}
    channels = board.channels
    parts["corrections"] = {
        getattr(channels, name): one for name, one in found.corrections.items()
    }
    return Revision(**parts)


def board_of(options: Mapping[str, str], root: Path = detect.ROOT) -> Revision:
    """Return the board that a driver's options mean: ``revision``, ``calibration``.

    Raises ConfigError.
    """
    board = revision(options.get("revision", DEFAULT))
    path = options.get("calibration", "")
    if not path:
        return board
    hat = detect.machine(root).hat
    found = load(Path(path))
    check(found, board, hat.serial if hat else "", today())
    return calibrated(board, found)


def today() -> date:
    """Return the day, as far as the clock of this machine is right."""
    return datetime.now(tz=UTC).date()


def check(found: Calibration, board: Revision, serial: str, day: date) -> None:
    """Raise ConfigError unless a calibration is plausible, and of this board.

    serial: what the board says; one that says nothing is believed. A day before that
    of the calibration is that of a machine whose clock is not set.
    """
    limits = board.calibrating
    if found.revision != board.board.name:
        raise _bad(f"of a {found.revision}, and this is a {board.board.name}")
    if serial and serial != found.serial:
        raise _bad(f"of board {found.serial}, and this is board {serial}")
    age_days = (day - found.day).days
    if age_days > limits.valid_days:
        raise _bad(f"{age_days} days old, at most {limits.valid_days}")
    for name, one in found.corrections.items():
        # a comparison with a number that is none is never true
        if not abs(one.zero_v) <= limits.most_zero_v:
            raise _bad(f"{name}: zero {one.zero_v:g} V, at most {limits.most_zero_v} V")
        if not abs(one.gain - 1) <= limits.most_gain:
            raise _bad(f"{name}: gain {one.gain:g}, at most 1 +- {limits.most_gain}")


def load(path: Path) -> Calibration:
    """Read a file. Raises ConfigError."""
    try:
        raw = path.read_bytes()[: MAX_BYTES + 1]
    except OSError as error:
        raise _bad(f"cannot be read ({error.strerror})", str(path)) from error
    if len(raw) > MAX_BYTES:
        raise _bad("too large", str(path))
    try:
        return parse(tomllib.loads(raw.decode()))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else f"{error}"
        raise _bad(f"damaged: {what}", str(path)) from error


def parse(table: Mapping[str, Any]) -> Calibration:
    """Take a file's table. Raises KeyError, TypeError and ValueError for a bad one."""
    if table["version"] != VERSION:
        raise ValueError(f"version {table['version']}, not {VERSION}")
    day = table["date"]
    if type(day) is not date:
        raise TypeError("date is none")
    temperature = table.get("temperature_c")
    return Calibration(
        _string(table["revision"]),
        _string(table["serial"]),
        day,
        None if temperature is None else _number(temperature),
        {
            name: Correction(
                _number(table[name]["zero_v"]), _number(table[name]["gain"])
            )
            for name in PATHS
        },
    )


def text_of(found: Calibration) -> str:
    """Return the text of a file."""
    lines = [
        "# written by pilothat calibrate; volts = gain x reading + zero_v",
        f"version = {VERSION}",
        f'revision = "{found.revision}"',
        f'serial = "{found.serial}"',
        f"date = {found.day.isoformat()}",
    ]
    if found.temperature_c is not None:
        lines.append(f"temperature_c = {found.temperature_c:.1f}")
    for name, one in found.corrections.items():
        lines += ["", f"[{name}]", f"zero_v = {one.zero_v:.4f}"]
        lines.append(f"gain = {one.gain:.5f}")
    return "\n".join([*lines, ""])


def save(found: Calibration, path: Path) -> None:
    """Write a file, whole or not at all. Raises ConfigError."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_text(text_of(found), encoding="utf-8")
        beside.replace(path)
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            where=str(path),
            remedy="Give a file in a folder that you may write",
        ) from error


def _string(value: object) -> str:
    if not isinstance(value, str) or not value.isprintable() or '"' in value:
        raise TypeError(f"{value!r} is no text")
    return value


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError(f"{value!r} is no number")
    return float(value)


def _bad(what: str, where: str = "board.calibration") -> ConfigError:
    return ConfigError(f"the calibration is {what}", where=where, remedy=REMEDY)
