"""The settings file: one TOML, one table of keys.

Every mistake is found before anything is switched on, all at once, each with its line,
its key, what is allowed and the nearest known key. ``KEYS`` is the only place that
knows a setting; parser, messages and documentation read it.
"""

from __future__ import annotations

import difflib
import math
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass

Value = str | int | float | bool
MAX_BYTES = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Key:
    """One setting.

    kind: str, bool, int or float (which also takes whole numbers)
    low, high: allowed range of a number; choices: allowed values of a string
    default: None makes it mandatory
    """

    section: str
    name: str
    kind: type
    default: Value | None
    why: str
    low: float = -math.inf
    high: float = math.inf
    unit: str = ""
    choices: tuple[str, ...] = ()
    pattern: str = ""

    @property
    def path(self) -> str:
        """Section and name."""
        return f"{self.section}.{self.name}"

    @property
    def allowed(self) -> str:
        """What the value may be, for a person."""
        if self.choices:
            return "one of " + ", ".join(f'"{choice}"' for choice in self.choices)
        if self.kind is bool:
            return "true or false"
        if self.kind is str:
            return f"text like {self.pattern}" if self.pattern else "text"
        kind = "a whole number" if self.kind is int else "a number"
        return f"{kind} from {self.low:g} to {self.high:g} {self.unit}".rstrip()


KEYS: Sequence[Key] = (
    Key(
        "station",
        "interface",
        str,
        None,
        "network interface of the powerline modem; nothing is sent on any other",
        pattern="[A-Za-z0-9._:-]{1,15}",
    ),
    Key(
        "station",
        "evse_id",
        str,
        "49A80737A45678",
        "EVSE ID told to the car, 1 to 32 bytes as hex digits",
        pattern="([0-9A-Fa-f]{2}){1,32}",
    ),
    Key(
        "station",
        "evse_id_iso",
        str,
        "ZZ00000",
        "EVSE ID told by ISO 15118-2, as DE*ABC*E123456; ZZ00000 is none",
        pattern="[A-Za-z0-9*]{7,37}",
    ),
    Key(
        "station",
        "authorisation",
        str,
        "free",
        "free: every car may charge; ask: wait for SIGUSR1 (sent by a button)",
        choices=("free", "ask"),
    ),
    Key(
        "station",
        "journal",
        str,
        "",
        "folder for the journal of all events; empty keeps none",
    ),
    Key(
        "station",
        "outlet",
        str,
        "dc",
        "what the outlet gives: dc (CCS), or ac, mains through a contactor",
        choices=("dc", "ac"),
    ),
    Key("ac", "nominal_v", float, 230.0, "mains, phase to neutral", 100.0, 300.0, "V"),
    Key("ac", "max_a", float, 16.0, "rated current of each phase", 6.0, 80.0, "A"),
    Key("ac", "phases", int, 3, "phases of the outlet", 1, 3),
    Key("limits", "max_v", float, 500.0, "rated voltage", 150.0, 1000.0, "V"),
    Key("limits", "min_v", float, 150.0, "lowest voltage", 0.0, 1000.0, "V"),
    Key("limits", "max_a", float, 125.0, "rated current", 1.0, 500.0, "A"),
    Key("limits", "min_a", float, 1.0, "lowest current", 0.0, 500.0, "A"),
    Key("limits", "max_w", float, 50_000.0, "rated power", 100.0, 400_000.0, "W"),
    Key(
        "pilot",
        "ventilation",
        bool,
        default=False,
        why="the room has ventilation: cars that ask for it (state D) may charge",
    ),
    Key(
        "slac",
        "attn_rx_db",
        int,
        0,
        "what the receive path between socket and modem loses",
        0,
        60,
        "dB",
    ),
    Key(
        "slac",
        "strict_ids",
        bool,
        default=True,
        why="ignore cars that fill the unused ID fields (one vendor's demo does)",
    ),
    Key(
        "slac",
        "validation",
        str,
        "when_needed",
        "count toggles of CP for a car that asks: when_needed is if several cars sound",
        choices=("never", "when_needed", "always"),
    ),
    Key(
        "slac",
        "retries",
        int,
        2,
        "matches tried before a car must be plugged in again",
        0,
        10,
    ),
    Key(
        "v2g",
        "profile",
        str,
        "field",
        "field: tolerate what real cars are known for; conformance: tolerate nothing",
        choices=("field", "conformance"),
    ),
    Key(
        "v2g",
        "protocols",
        str,
        "all",
        "what a car may choose: DIN SPEC 70121, ISO 15118-2, or all of them",
        choices=("all", "din", "iso2"),
    ),
    Key(
        "board",
        "driver",
        str,
        "twin",
        "the HAT that drives the pilot; twin is a simulated one",
        choices=("twin",),
    ),
    Key(
        "board",
        "socket",
        str,
        "/tmp/pilothat-bench.sock",
        "where the twin's bench is reached by a simulated car (pilothat ev --bench)",
    ),
    Key(
        "supply",
        "driver",
        str,
        "twin",
        "the DC supply; twin is the one of the twin's bench",
        choices=("twin",),
    ),
)
_BY_PATH = {key.path: key for key in KEYS}
_SECTIONS = tuple(dict.fromkeys(key.section for key in KEYS))
# pairs that must not cross: (lower, upper)
_ORDERED = (("limits.min_v", "limits.max_v"), ("limits.min_a", "limits.max_a"))


@dataclass(frozen=True, slots=True)
class Settings:
    """A checked settings file: every key has a value."""

    values: Mapping[str, Value] = field(default_factory=dict)

    def text(self, path: str) -> str:
        """Return a string."""
        return str(self.values[path])

    def number(self, path: str) -> float:
        """Return a number."""
        return float(self.values[path])

    def flag(self, path: str) -> bool:
        """Return a switch."""
        return self.values[path] is True


def load(path: Path) -> Settings:
    """Read and check a settings file. Raises ConfigError naming every mistake."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ConfigError(
                f"larger than {MAX_BYTES} bytes",
                where=str(path),
                remedy="This is no settings file of PilotHAT",
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(
            f"cannot be read ({error.strerror})",
            where=str(path),
            remedy="Give an existing file; `pilothat run --example` prints one",
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError("is no UTF-8 text", where=str(path)) from error
    return check(text, str(path))


def check(text: str, where: str) -> Settings:
    """Check the text of a settings file. Raises ConfigError naming every mistake."""
    try:
        found = tomllib.loads(text)
    except ValueError as error:  # TOMLDecodeError, or a number beyond Python's limit
        raise ConfigError(f"no valid TOML: {error}", where=where) from error
    except RecursionError as error:
        raise ConfigError("tables nested too deep", where=where) from error
    lines = _lines_of(text)
    faults = [*_strangers(found, lines)]
    values: dict[str, Value] = {}
    for key in KEYS:
        section = found.get(key.section, {})
        given = section.get(key.name) if isinstance(section, dict) else None
        fault = _fault_of(key, given)
        if fault:
            line = lines.get(key.path, lines.get(key.section, 1))
            faults.append((line, f"{key.path}: {fault}; allowed: {key.allowed}"))
        else:
            values[key.path] = _value_of(key, given)
    faults += _crossings(values, lines)
    if faults:
        listed = "\n".join(f"{where}:{line}: {told}" for line, told in sorted(faults))
        count = f"{len(faults)} mistake" + ("s" if len(faults) > 1 else "")
        raise ConfigError(
            f"{count}\n{listed}", where=where, remedy="Nothing was switched on"
        )
    return Settings(values)


def example() -> str:
    """Return a settings file with every key, its default and its meaning."""
    parts: list[str] = []
    for section in _SECTIONS:
        parts.append(f"[{section}]")
        for key in (key for key in KEYS if key.section == section):
            default = "eth1" if key.default is None else key.default
            parts += [f"# {key.why} ({key.allowed})", f"{key.name} = {_toml(default)}"]
        parts.append("")
    return "\n".join(parts)


def _toml(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else f"{value}"


def _value_of(key: Key, given: object) -> Value:
    value = key.default if given is None else given
    if key.kind is float and isinstance(value, int | float):
        return float(value)
    if not isinstance(value, str | int | float | bool):
        raise TypeError(key.path)
    return value


def _fault_of(key: Key, given: object) -> str:
    """Return what is wrong with a value; empty if nothing is."""
    if given is None:
        return "is missing" if key.default is None else ""
    kinds = (int, float) if key.kind is float else (key.kind,)
    if type(given) not in kinds:
        return f"{_toml_type(given)} instead of {key.allowed.split(' from ')[0]}"
    if isinstance(given, str):
        is_bad = bool(key.pattern) and not re.fullmatch(key.pattern, given)
        is_bad = is_bad or (bool(key.choices) and given not in key.choices)
        return f'"{given[:40]}" is not allowed' if is_bad else ""
    if isinstance(given, int | float) and not key.low <= given <= key.high:
        return f"{str(given)[:40]} is out of range"
    return ""


def _toml_type(given: object) -> str:
    names = {str: "text", bool: "a switch", int: "a number", float: "a number"}
    return names.get(type(given), "a table or list")


def _strangers(
    found: Mapping[str, object], lines: Mapping[str, int]
) -> Iterator[tuple[int, str]]:
    """Yield what is in the file and no key of ours."""
    for section, content in found.items():
        if section not in _SECTIONS:
            near = _nearest(section, _SECTIONS)
            yield lines.get(section, 1), f"[{section}]: unknown section{near}"
        elif not isinstance(content, dict):
            yield lines.get(section, 1), f"{section}: must be a [{section}] section"
        else:
            for name in content:
                path = f"{section}.{name}"
                if path not in _BY_PATH:
                    near = _nearest_key(section, name)
                    yield lines.get(path, 1), f"{path}: unknown key{near}"


def _nearest(name: str, known: Sequence[str]) -> str:
    close = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]}?" if close else f"; known: {', '.join(known)}"


def _nearest_key(section: str, name: str) -> str:
    """Look for a name in its section first, then for one in the wrong section."""
    own = {key.name: key.path for key in KEYS if key.section == section}
    for names in (own, {key.name: key.path for key in KEYS}):
        if close := difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5):
            return f"; did you mean {names[close[0]]}?"
    return f"; known: {', '.join(own.values())}"


def _crossings(
    values: Mapping[str, Value], lines: Mapping[str, int]
) -> Iterator[tuple[int, str]]:
    for lower, upper in _ORDERED:
        if lower in values and upper in values:
            low, high = float(values[lower]), float(values[upper])
            if low > high:
                told = f"{lower}: {low:g} is above {upper} = {high:g}"
                yield lines.get(lower, 1), told


def _lines_of(text: str) -> Mapping[str, int]:
    """Return the line of each section and key, as far as a simple look tells."""
    lines: dict[str, int] = {}
    section = ""
    for number, line in enumerate(text.splitlines(), 1):
        if header := re.match(r"\s*\[\s*([^\[\]]+?)\s*\]", line):
            section = header[1].strip("\"' ")
            lines.setdefault(section, number)
        elif entry := re.match(r"\s*[\"']?([A-Za-z0-9_.-]+)[\"']?\s*=", line):
            path = f"{section}.{entry[1]}" if section else entry[1]
            lines.setdefault(path, number)
    return lines
