"""The settings file: one TOML, one table of keys.

Every mistake is found before anything is switched on, all at once, each with its line,
its key, what is allowed and the nearest known key. ``keys.KEYS`` says what can be set.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.service.keys import KEYS, Key, Value

MAX_BYTES = 16 * 1024 * 1024
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

    def section(self, name: str) -> Mapping[str, str]:
        """Return the keys of a section as a driver takes its options: as text."""
        return {
            key.name: f"{self.values[key.path]}" for key in KEYS if key.section == name
        }


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
