"""What one kind of car is: battery, powerline habits, what it says and when.

A profile is a TOML file. Its sections are the settings of the car's parts, its keys
their fields: nothing is listed twice. ``"none"`` stands for an element or a habit the
car does not have. All mistakes of a file are reported at once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import field, fields, replace
from difflib import get_close_matches
from enum import Enum
from importlib.resources import files
from typing import TYPE_CHECKING, TypeVar, get_args, get_type_hints

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.plc.modem import ModemSettings
from pilothat.slac.settings import EvSlacSettings
from pilothat.twin.battery import BatterySettings
from pilothat.v2g.evcc.handshake import (
    NAMESPACES,
    HandshakeSettings,
    Offer,
    are_known,
    offers_of,
)
from pilothat.v2g.evcc.search import SearchSettings
from pilothat.v2g.evcc.settings import SessionSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


@dataclass(frozen=True, slots=True)
class CarHabits:
    """What the car does outside the session.

    wake_s:         from 5 % seen to the first SLAC message
    search_after_s: from the match to the first SDP request
    setup_s:        from the match to the first session response, at most
    connect_s:      patience with a TCP connection
    tries:          how often it begins anew when the station offers it again
    unplugs_after_s: after the end; None: it stays
    """

    wake_s: float = 0.5
    search_after_s: float = 0.5
    setup_s: float = 20.0
    connect_s: float = 2.0
    tries: int = 3
    unplugs_after_s: float | None = 10.0
    needs_ventilation: bool = False


@dataclass(frozen=True, slots=True)
class CarProfile:
    """One kind of car."""

    name: str = "generic"
    about: str = "an honest car"
    car: CarHabits = field(default_factory=CarHabits)
    battery: BatterySettings = field(default_factory=BatterySettings)
    slac: EvSlacSettings = field(default_factory=EvSlacSettings)
    modem: ModemSettings = field(
        default_factory=lambda: ModemSettings(judges_role=False)
    )
    search: SearchSettings = field(default_factory=SearchSettings)
    handshake: HandshakeSettings = field(default_factory=HandshakeSettings)
    session: SessionSettings = field(default_factory=SessionSettings)


NONE = "none"
_BAD = object()
_FOLDER = files("pilothat.twin") / "profiles"
_RANGES: Sequence[tuple[str, float, float]] = (  # by unit; the first that fits counts
    ("_a_per_s", 0.1, 10_000),
    ("_pct", 0, 100),
    ("first_precharge_v", -1000, 1000),
    ("profile_w", -1_000_000, 1_000_000),
    ("departure_s", 0, 0xFFFF_FFFF),
    ("max_entries", 0, 0xFFFF),
    ("_ohm", 0.001, 10),
    ("_wh", 0, 300_000),
    ("_w", 0, 1_000_000),
    ("_v", 0, 1000),
    ("_a", 0, 1000),
    ("_s", 0, 3600),
    ("schema_id", 0, 255),
    ("priority", 1, 20),
    ("", 0, 1000),  # everything that is counted
)
_SECTIONS = ("car", "battery", "slac", "search", "handshake")
_SESSION_SECTIONS = ("timers", "pace", "vehicle", "goal", "habits", "iso2", "ac")
_TOP = ("name", "about", "offers", "protocols", *_SECTIONS, *_SESSION_SECTIONS)
_Settings = TypeVar("_Settings", bound="DataclassInstance")


def names() -> tuple[str, ...]:
    """Return the names of the profiles that come with the program."""
    stems = (item.name.removesuffix(".toml") for item in _FOLDER.iterdir())
    return tuple(sorted(stems))


def builtin(name: str) -> CarProfile:
    """Return a profile that comes with the program. Raises ConfigError."""
    if name not in names():
        remedy = f"Known profiles: {', '.join(names())}"
        raise ConfigError(f"no car named {name}", where="car profile", remedy=remedy)
    return parse((_FOLDER / f"{name}.toml").read_text(encoding="utf-8"), where=name)


def parse(text: str, *, where: str) -> CarProfile:
    """Return the profile in a TOML text; what it leaves out is the generic car's.

    Raises ConfigError that lists all mistakes.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(error), where=where) from error
    reader = _Reader()
    profile = reader.profile(table)
    if reader.mistakes:
        raise ConfigError("\n  ".join(["mistakes:", *reader.mistakes]), where=where)
    return profile


class _Reader:
    """Reads sections and remembers what is wrong with them."""

    def __init__(self) -> None:
        self.mistakes: list[str] = []

    def profile(self, table: Mapping[str, object]) -> CarProfile:
        self._known("", table, _TOP)
        base = CarProfile()
        battery = self._section(base.battery, "battery", table)
        if battery.empty_v >= battery.full_v:
            self.mistakes.append("[battery] empty_v must be less than full_v")
        handshake = self._section(base.handshake, "handshake", table)
        return replace(
            base,
            name=self._text("name", table, base.name),
            about=self._text("about", table, base.about),
            car=self._section(base.car, "car", table),
            battery=battery,
            slac=self._section(base.slac, "slac", table),
            search=self._section(base.search, "search", table),
            handshake=replace(handshake, offers=self._offers(table, handshake.offers)),
            session=self._session(base.session, table),
        )

    def _session(
        self, base: SessionSettings, table: Mapping[str, object]
    ) -> SessionSettings:
        return replace(
            base,
            timers=self._section(base.timers, "timers", table),
            pace=self._section(base.pace, "pace", table),
            vehicle=self._section(base.vehicle, "vehicle", table),
            goal=self._section(base.goal, "goal", table),
            habits=self._section(base.habits, "habits", table),
            iso2=self._section(base.iso2, "iso2", table),
            ac=self._section(base.ac, "ac", table),
        )

    def _text(self, key: str, table: Mapping[str, object], default: str) -> str:
        value = table.get(key, default)
        if isinstance(value, str):
            return value
        self.mistakes.append(f"{key} = {value!r} is no text")
        return default

    def _offers(
        self, table: Mapping[str, object], default: tuple[Offer, ...]
    ) -> tuple[Offer, ...]:
        rows = table.get("offers")
        if rows is None:
            return self._protocols(table, default)
        if "protocols" in table:
            self.mistakes.append("give protocols or [[offers]], not both")
        if not isinstance(rows, list) or not 1 <= len(rows) <= 20:
            self.mistakes.append("[[offers]] must be 1..20 tables")
            return default
        return tuple(self._fill(default[0], "[[offers]]", row) for row in rows)

    def _protocols(
        self, table: Mapping[str, object], default: tuple[Offer, ...]
    ) -> tuple[Offer, ...]:
        names = table.get("protocols")
        if names is None:
            return default
        if not isinstance(names, list) or not are_known([*map(str, names)]):
            known = ", ".join(NAMESPACES)
            self.mistakes.append(f"protocols = {names!r} must be a list of {known}")
            return default
        return offers_of(names)

    def _section(
        self, default: _Settings, name: str, table: Mapping[str, object]
    ) -> _Settings:
        return self._fill(default, f"[{name}]", table.get(name, {}))

    def _fill(self, default: _Settings, at: str, values: object) -> _Settings:
        """Return the settings with the values of a table."""
        if not isinstance(values, dict):
            self.mistakes.append(f"{at} must be a table")
            return default
        hints = get_type_hints(type(default))
        keys = [f.name for f in fields(default) if f.name != "offers"]
        self._known(at, values, keys)
        changes = {
            key: self._value(f"{at} {key}", hints[key], values[key])
            for key in keys
            if key in values
        }
        good = {key: value for key, value in changes.items() if value is not _BAD}
        return replace(default, **good)

    def _known(
        self, at: str, values: Mapping[str, object], keys: Sequence[str]
    ) -> None:
        for key in values:
            if key not in keys:
                near = get_close_matches(key, keys, 1)
                hint = f"; do you mean {near[0]}?" if near else ""
                self.mistakes.append(f"{at} {key} is unknown{hint}".strip())

    def _value(self, at: str, hint: object, raw: object) -> object:
        """Return one value as its field wants it; _BAD where it cannot be."""
        kinds = get_args(hint) or (hint,)
        if raw == NONE and type(None) in kinds:
            return None
        for kind in kinds:
            if isinstance(kind, type):
                found = _convert(kind, raw)
                if found is not None:
                    return self._ranged(at, found)
        wanted = ", ".join(_wanted(kind) for kind in kinds)
        self.mistakes.append(f"{at} = {raw!r} must be {wanted}")
        return _BAD

    def _ranged(self, at: str, value: object) -> object:
        if isinstance(value, int | float) and not isinstance(value, bool):
            low, high = next((lo, hi) for end, lo, hi in _RANGES if at.endswith(end))
            if not low <= value <= high:
                self.mistakes.append(f"{at} = {value} is outside {low}..{high}")
        return value


def _convert(kind: type, raw: object) -> object | None:
    """Return a raw value as this kind; None where it is of another."""
    if issubclass(kind, Enum):
        known = {member.name.lower(): member for member in kind}
        return known.get(raw.lower()) if isinstance(raw, str) else None
    if kind is float and type(raw) in (int, float):
        return raw
    if kind is bytes and isinstance(raw, str):
        return _octets(raw)
    return raw if type(raw) is kind else None


def _octets(text: str) -> bytes | None:
    """Return hex digits as octets: 0, 1, 8 or 16, all that a field may have."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        return None
    return found if len(found) in (0, 1, 8, 16) else None


def _wanted(kind: object) -> str:
    """Return how a person calls a kind of value."""
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " | ".join(member.name.lower() for member in kind)
    words = {float: "a number", int: "a whole number", bool: "true | false"}
    words |= {str: "a text", bytes: "hex digits", type(None): f'"{NONE}"'}
    return words[kind] if isinstance(kind, type) else str(kind)
