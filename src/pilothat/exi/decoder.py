"""Reading the content of a declared type.

How it works: each state of the grammar becomes a place with a row for each production:
the field, what reads its value, and the place behind it. Reading walks from place to
place by event codes until the row of the end, then makes the object. Where there is
only one production and its value is simple, the value's reader takes the code along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from typing import NamedTuple, Protocol

from pilothat.exi.bits import BitReader, FlawError
from pilothat.exi.grammar import Form, Option, Production, State, group_options, start
from pilothat.exi.schema import Group, Refused, Text, describe, is_declared, is_simple
from pilothat.exi.values import ESCAPE_BITS, UNEXPECTED, Read, read_nothing, reader


class Decodes(Protocol):
    """What reads another type."""

    decode: Read


Child = Callable[[type], Decodes]


class _Row(NamedTuple):
    name: str
    attribute: str
    read: Read | None  # None: the element ends
    after: _Place
    full: _Place | None  # None: no list
    limit: int


class _Place:
    __slots__ = ("rows", "text", "width")

    def __init__(self) -> None:
        self.width = 0  # 0: the one row reads its code itself
        self.rows: tuple[_Row, ...] = ()
        self.text: Option | None = None  # may be empty as the end of the element


def decoder(cls: type, child: Child, begin: State | None = None) -> Read:
    """Return what reads the content of a declared class."""
    builder = _Builder(child)
    first = builder.place(begin or start(cls))
    lists = [f.attribute for f in describe(cls) if f.is_list]
    # past the check against changes: making objects is most of the work
    new = object.__new__
    slots = [(f.name, getattr(cls, f.name).__set__) for f in fields(cls)]

    def decode(source: BitReader) -> object:
        found: dict[str, object] = {}
        entries: dict[str, list[object]] = {attribute: [] for attribute in lists}
        _walk(source, first, found, entries)
        for attribute in lists:
            found[attribute] = tuple(entries[attribute])
        made: object = new(cls)
        for attribute, put in slots:
            put(made, found.get(attribute))
        return made

    return decode


def _walk(
    source: BitReader,
    place: _Place,
    found: dict[str, object],
    entries: Mapping[str, list[object]],
) -> None:
    """Read from a place to the end of the element."""
    name = attribute = ""
    try:
        while True:
            width = place.width
            code = source.take(width) if width else 0
            if code >= len(place.rows):
                _take_empty_text(source, place, code, found)
                return
            name, attribute, read, after, full, limit = place.rows[code]
            if read is None:
                return
            if full is None:
                found[attribute] = read(source)
                place = after
            else:
                row = entries[attribute]
                _check_room(row, source)
                row.append(read(source))
                place = full if len(row) == limit else after
            name = ""
    except FlawError as flaw:
        if name and attribute in entries:
            name = f"{name}[{len(entries[attribute])}]"
        flaw.names.append(name)
        raise


def _check_room(row: Sequence[object], source: BitReader) -> None:
    if len(row) == source.limits.entries:
        raise FlawError(f"more than {len(row)} entries")


def _take_empty_text(
    source: BitReader, place: _Place, code: int, found: dict[str, object]
) -> None:
    """Take an escape; the only one allowed is the end instead of an empty text."""
    if place.text is None or code > len(place.rows) or source.take(ESCAPE_BITS):
        raise FlawError(UNEXPECTED)
    is_text = isinstance(place.text.kind, Text)
    found[place.text.attribute] = read_nothing(source, is_text=is_text)


class _Builder:
    """Makes the places of one type, and each reader once."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._places: dict[State, _Place] = {}
        self._readers: dict[tuple[Option, int], Read] = {}

    def place(self, state: State) -> _Place:
        """Return the place of a state."""
        known = self._places.get(state)
        if known is None:
            known = self._places[state] = _Place()
            self._fill(known, state)
        return known

    def _fill(self, place: _Place, state: State) -> None:
        is_fused = len(state.productions) == 1 and _is_fusible(state.productions[0])
        place.width = 0 if is_fused else state.width
        place.rows = tuple([self._row(p, place) for p in state.productions])
        for option in [p.option for p in state.productions]:
            if option is not None and option.form is Form.TEXT:
                place.text = option

    def _row(self, production: Production, here: _Place) -> _Row:
        option = production.option
        if option is None:
            return _Row("", "", None, here, None, 0)
        full = None
        if option.is_list and production.full is not None:
            full = self.place(production.full)
        after = self.place(production.after) if production.after else here
        read = self._reader(option, 0 if here.width else 1)
        return _Row(option.name, option.attribute, read, after, full, production.limit)

    def _reader(self, option: Option, head: int) -> Read:
        known = self._readers.get((option, head))
        if known is None:
            known = self._readers[option, head] = _reader(option, head, self._child)
        return known


def _is_fusible(production: Production) -> bool:
    option = production.option
    return (
        option is not None
        and option.form in (Form.ELEMENT, Form.ATTRIBUTE)
        and is_simple(option.kind)
    )


def _reader(option: Option, head: int, child: Child) -> Read:
    """Return what reads an option's value, behind ``head`` bits of event codes."""
    kind = option.kind
    if isinstance(kind, Group):
        return _read_wrapped(kind, child)
    if isinstance(kind, Refused):
        return _refuse(option.name)
    if is_declared(kind):
        return _read_declared(child(kind))
    if is_simple(kind):
        framed = int(option.form is Form.ELEMENT)
        return reader(kind, option.name, head + framed, framed)
    raise TypeError(f"{option.name}: cannot read a {kind}")


def _refuse(name: str) -> Read:
    def read(source: BitReader) -> object:
        del source
        raise FlawError(f"{name} is not supported")

    return read


def _read_declared(codec: Decodes) -> Read:
    def read(source: BitReader) -> object:
        return codec.decode(source)

    return read


def _read_wrapped(group: Group, child: Child) -> Read:
    """Return what reads an element with one optional member of a group inside."""
    options = group_options(group)
    end = len(options)
    width = (end + 1).bit_length()
    rows = tuple([(o.name, _reader(o, 0, child)) for o in options])

    def read(source: BitReader) -> object:
        code = source.take(width)
        if code == end:
            return None
        if code > end:
            raise FlawError(UNEXPECTED)
        name, read_member = rows[code]
        try:
            member = read_member(source)
        except FlawError as flaw:
            flaw.names.append(name)
            raise
        if source.take(1):
            raise FlawError(UNEXPECTED)
        return member

    return read
