"""The journal: what happened to a machine and what it wanted, one JSON object a line.

A journal replayed into a fresh machine gives the same actions, bit for bit; the random
bytes that were drawn stand beside the event that drew them. Values are the frozen
dataclasses of events and actions; their type name stands under ``type``. The first line
of a journal holds the settings of the machine; one without it goes on where another
has ended.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from json.encoder import encode_basestring_ascii
from math import inf, isnan
from typing import Any, Union, get_args, get_origin, get_type_hints

from pilothat.again import again
from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass

Text = Callable[[Any], str]
FORM = 1  # of the lines; another one needs another reader
GAP = (
    f'{{"journal":{FORM},"gap":true}}'  # a file's first line: what came before is lost
)


class JournalError(PilotHatError):
    """A line is no line of a journal."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One event with what came of it.

    at:      time in s, monotonic; since an arbitrary moment
    event:   None is a tick
    entropy: random bytes that were drawn, in hex
    """

    at: float
    event: object
    actions: Sequence[object]
    entropy: str = ""


def line_of(entry: Entry) -> str:
    """Return the entry as one line of JSON, without the line's end."""
    return written(entry.at, entry.event, entry.actions, entry.entropy)


def written(at: float, event: object, actions: Sequence[object], entropy: str) -> str:
    """Return the same for whoever has no entry, and many lines to write."""
    wanted = ",".join(map(text_of, actions))
    drawn = f',"entropy":"{entropy}"' if entropy else ""
    return f'{{"at":{at!r},"event":{text_of(event)},"actions":[{wanted}]{drawn}}}'


def header_of(settings: object) -> str:
    """Return the first line of a journal: its form, and what the machine was given."""
    return f'{{"journal":{FORM},"settings":{text_of(settings)}}}'


def text_of(value: object) -> str:
    """Return a value of events or actions as JSON."""
    return _writer(type(value))(value)  # type: ignore[arg-type]  # a class hashes


def _list_text(value: Sequence[object]) -> str:
    return f"[{','.join(map(text_of, value))}]"


def _set_text(value: Iterable[Enum]) -> str:
    return f"[{','.join(sorted(text_of(member) for member in value))}]"


def _float_text(value: float) -> str:
    """Return a number as JSON; what is none, as Python's reader knows it."""
    if -inf < value < inf:
        return repr(value)
    if isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"


_WRITERS: Mapping[type, Text] = {
    float: _float_text,
    int: repr,
    bool: lambda value: "true" if value else "false",
    str: encode_basestring_ascii,
    bytes: lambda value: f'"{value.hex()}"',
    type(None): lambda _: "null",
    tuple: _list_text,
    list: _list_text,
    frozenset: _set_text,
}


@cache
def _writer(kind: type) -> Text:
    """Return the function that writes values of this class.

    For a dataclass it is made as source: one f-string with all its fields, since a
    world in virtual time writes tens of thousands of lines a second. What comes again
    is not written again.
    """
    if kind in _WRITERS:
        return _WRITERS[kind]
    if issubclass(kind, Enum):
        return lambda member: f'"{member._name_}"'
    if is_dataclass(kind):
        names: dict[str, Any] = {
            "text": text_of,
            "number": _float_text,
            "null": "null",
        }
        parts = [f'{{{{"type":"{kind.__name__}"']
        for name, hint in _hints(kind):
            write = _expression(hint, names).format(f"value.{name}")
            parts.append(f',"{name}":{{{write}}}')
        source = "lambda value: f'" + "".join(parts) + "}}'"
        made: Text = eval(source, names)
        return again(made)
    raise TypeError(f"{kind.__name__} cannot be written to a journal")


def _expression(hint: Any, names: dict[str, Any]) -> str:
    """Return the source that writes a field with this hint; ``{0}`` is its value.

    A class with one form is written without asking the value what it is.
    """
    if hint is float:
        return "number({0})"
    if hint is int:
        return "{0}!r"
    if get_origin(hint) in (Union, types.UnionType):
        rest = [arg for arg in get_args(hint) if arg is not type(None)]
        if len(rest) == 1 and _is_plain(rest[0]):
            return f"null if {{0}} is None else {_direct(rest[0], names)}"
    return _direct(hint, names) if _is_plain(hint) else "text({0})"


def _is_plain(hint: Any) -> bool:
    is_form = hint in _WRITERS or is_dataclass(hint)
    return isinstance(hint, type) and (is_form or issubclass(hint, Enum))


def _direct(kind: type, names: dict[str, Any]) -> str:
    name = f"as_{kind.__name__}"
    names[name], names[kind.__name__] = _writer(kind), kind
    is_it = f"{{0}}.__class__ is {kind.__name__}"
    return f"{name}({{0}}) if {is_it} else text({{0}})"


@cache
def _hints(kind: type) -> Sequence[tuple[str, Any]]:
    """Return name and type of each field; slow to find out, so only once."""
    hints = get_type_hints(kind)
    return [(field.name, hints[field.name]) for field in fields(kind)]


_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError, RecursionError)
_PLAIN: Mapping[type, type | tuple[type, ...]] = {
    float: (float, int),
    int: int,
    str: str,
    bool: bool,
}


class Reading:
    """Read journal lines back into values of these types."""

    def __init__(self, kinds: Iterable[type]) -> None:
        self._kinds = {kind.__name__: kind for kind in kinds}

    def entry(self, line: str, number: int) -> Entry:
        """Return the entry of a line. Raises JournalError."""
        try:
            found = json.loads(line)
            actions = [self._value(action) for action in found["actions"]]
            event = self._value(found["event"])
            at = float(found["at"])
            entropy = bytes.fromhex(found.get("entropy", "")).hex()
            return Entry(at, event, actions, entropy)
        except _UNREADABLE as error:
            raise JournalError(
                f"no journal entry ({error})",
                where=f"line {number}",
                remedy="Give a file that the station wrote",
            ) from error

    def header(self, line: str) -> object | None:
        """Return the settings in a first line; None where it is another line.

        Raises JournalError for a form of another version.
        """
        try:
            found = json.loads(line)
            form, is_gap = found.get("journal"), "gap" in found
            is_head = form == FORM and not is_gap
            settings = self._value(found["settings"]) if is_head else None
        except _UNREADABLE as error:
            raise _bad_header(str(error)) from error
        if form not in (None, FORM):
            raise _bad_header(f"form {form}, known is {FORM}")
        return settings

    def value(self, line: str) -> object:
        """Return the value of a JSON text. Raises JournalError."""
        try:
            return self._value(json.loads(line))
        except _UNREADABLE as error:
            raise JournalError(f"no known value ({error})", where="link") from error

    def _value(self, found: Any) -> object:
        if found is None:
            return None
        kind = self._kinds[found["type"]]
        values = {n: self._convert(found[n], hint) for n, hint in _hints(kind)}
        return kind(**values)

    def _convert(self, found: Any, hint: Any) -> object:
        if get_origin(hint) in (Union, types.UnionType):
            if found is None:
                return None
            hint = next(arg for arg in get_args(hint) if arg is not type(None))
        holds = get_origin(hint)
        if holds in (tuple, frozenset):
            return holds(self._convert(item, get_args(hint)[0]) for item in found)
        if hint is bytes:
            return bytes.fromhex(found)
        if isinstance(hint, type) and issubclass(hint, Enum):
            return hint[found]
        if isinstance(found, dict):
            return self._value(found)
        if not isinstance(found, _PLAIN.get(hint, object)):
            raise TypeError(f"{found!r} is no {hint.__name__}")
        return found


def _bad_header(why: str) -> JournalError:
    return JournalError(
        f"no header of a journal ({why})",
        where="line 1",
        remedy="Replay with the version that wrote the journal",
    )


class Recorder:
    """Draw random bytes for a machine and keep what was drawn, for its journal."""

    def __init__(self, source: Callable[[int], bytes]) -> None:
        self._source = source
        self._drawn = b""

    def __call__(self, count: int) -> bytes:
        drawn = self._source(count)
        self._drawn += drawn
        return drawn

    def take(self) -> str:
        """Return what was drawn since the last call, in hex."""
        if not self._drawn:
            return ""
        drawn, self._drawn = self._drawn, b""
        return drawn.hex()


class Played:
    """Give a machine the random bytes that a journal holds."""

    def __init__(self) -> None:
        self._left = b""

    def load(self, entropy: str) -> None:
        """Take the bytes of the next entry."""
        self._left = bytes.fromhex(entropy)

    def __call__(self, count: int) -> bytes:
        given, self._left = self._left[:count], self._left[count:]
        if len(given) < count:
            raise JournalError(
                "the machine draws more random bytes than were recorded",
                where="replay",
                remedy="Replay with the version that wrote the journal",
            )
        return given
