"""Reading the content of a declared type.

How it works: each state of the grammar becomes a place with a row for each production:
the field, what reads its value, and the place behind it. Reading walks from place to
place by event codes until the row of the end, then makes the object. Where there is
only one production and its value is simple, the value's reader takes the code along.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple, NoReturn, Protocol

from pilothat.exi.bits import BitReader, FlawError
from pilothat.exi.grammar import Form, Option, Production, State, group_options, start
from pilothat.exi.schema import Group, Refused, Text, describe, is_declared, is_simple
from pilothat.exi.values import ESCAPE_BITS, UNEXPECTED, Read, read_nothing, reader


class Decodes(Protocol):
    """What reads another type, by itself or as an entry of a list."""

    decode: Read
    entry: Read


Child = Callable[[type], Decodes]


Entries = Mapping[int, list[object]]  # of the lists, by the field's number

_NO_ENTRIES: Entries = MappingProxyType({})


class _Row(NamedTuple):
    name: str
    at: int  # the field's number
    read: Read | None  # None: the element ends
    after: _Place
    full: _Place | None  # None: no list
    limit: int


class _Place:
    __slots__ = ("count", "rows", "text", "width")

    def __init__(self) -> None:
        self.width = 0  # 0: the one row reads its code itself
        self.count = 0
        self.rows: tuple[_Row, ...] = ()
        # field number, and whether it is a string, of what may be empty as the end
        self.text: tuple[int, bool] | None = None


def decoder(cls: type, child: Child, begin: State | None = None) -> Read:
    """Return what reads the content of a declared class."""
    described = describe(cls)
    at = {f.attribute: number for number, f in enumerate(described)}
    first = _Builder(child, at).place(begin or start(cls))
    lists = [number for number, f in enumerate(described) if f.is_list]
    blank: list[object] = [None] * len(described)
    # past the check against changes: making objects is most of the work
    new = object.__new__
    puts = [getattr(cls, f.attribute).__set__ for f in described]

    def decode(source: BitReader) -> object:
        parts = blank.copy()
        entries: Entries = {number: [] for number in lists} if lists else _NO_ENTRIES
        _walk(source, first, parts, entries)
        for number in lists:
            parts[number] = tuple(entries[number])
        made: object = new(cls)
        for put, part in zip(puts, parts, strict=True):
            put(made, part)
        return made

    return decode


def _walk(
    source: BitReader, place: _Place, parts: list[object], entries: Entries
) -> None:
    """Read from a place to the end of the element."""
    name, at = "", 0
    try:
        while True:
            width = place.width
            code = source.take(width) if width else 0
            if code >= place.count:
                _take_empty_text(source, place, code, parts)
                return
            name, at, read, after, full, limit = place.rows[code]
            if read is None:
                return
            if full is None:
                parts[at] = read(source)
                place = after
            else:
                row = entries[at]
                if len(row) == source.most_entries:
                    _refuse_entry(len(row))
                row.append(read(source))
                place = full if len(row) == limit else after
            name = ""
    except FlawError as flaw:
        if name and at in entries:
            name = f"{name}[{len(entries[at])}]"
        flaw.names.append(name)
        raise


def _refuse_entry(count: int) -> NoReturn:
    raise FlawError(f"more than {count} entries")


def _take_empty_text(
    source: BitReader, place: _Place, code: int, parts: list[object]
) -> None:
    """Take an escape; the only one allowed is the end instead of an empty text."""
    if place.text is None or code > place.count or source.take(ESCAPE_BITS):
        raise FlawError(UNEXPECTED)
    at, is_text = place.text
    parts[at] = read_nothing(source, is_text=is_text)


class _Builder:
    """Makes the places of one type, and each reader once."""

    def __init__(self, child: Child, at: Mapping[str, int]) -> None:
        self._child, self._at = child, at
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
        place.count = len(place.rows)
        for option in [p.option for p in state.productions]:
            if option is not None and option.form is Form.TEXT:
                is_text = isinstance(option.kind, Text)
                place.text = self._at[option.attribute], is_text

    def _row(self, production: Production, here: _Place) -> _Row:
        option = production.option
        if option is None:
            return _Row("", 0, None, here, None, 0)
        full = None
        if option.is_list and production.full is not None:
            full = self.place(production.full)
        after = self.place(production.after) if production.after else here
        read = self._reader(option, 0 if here.width else 1)
        at = self._at.get(option.attribute, 0)  # what is refused fills none
        return _Row(option.name, at, read, after, full, production.limit)

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
        return (_read_entry if option.is_list else _read_declared)(child(kind))
    if is_simple(kind):
        framed = int(option.form is Form.ELEMENT)
        return reader(kind, option.full_name, head + framed, framed)
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


def _read_entry(codec: Decodes) -> Read:
    def read(source: BitReader) -> object:
        return codec.entry(source)

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
