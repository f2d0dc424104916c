"""Writing the content of a declared type.

How it works: each state of the grammar becomes a place, which knows for each field what
writes it and the place behind it. Writing walks through the fields of the object in the
order of the schema; absent ones are passed over. A field that has no row at the present
place cannot come there: something mandatory before it lacks, or a list is too long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple, Protocol

from pilothat.exi.bits import UnfitError, join
from pilothat.exi.grammar import (
    Form,
    Option,
    Production,
    State,
    group_options,
    items,
    start,
)
from pilothat.exi.schema import Group, Refused, is_declared, is_simple
from pilothat.exi.values import Before, Put, writer

PIECE = 32  # entries of a list gather before they join the stream


class Encodes(Protocol):
    """What writes another type."""

    encode: Put


Child = Callable[[type], Encodes]


class _Row(NamedTuple):
    put: Put
    after: _Place
    full: _Place | None  # None: no list
    limit: int


class _Place(dict[str, _Row]):
    """The rows by attribute, and what the complaint needs when there is none."""

    __slots__ = ("end", "wanted")

    def __init__(self) -> None:
        super().__init__()
        self.end: tuple[int, int] | None = None  # code and width, if it may end here
        self.wanted = "the end"  # what must come here

    def __missing__(self, attribute: str) -> _Row:
        raise UnfitError(f"it cannot stand here; {self.wanted} is wanted")


class _Slot(NamedTuple):
    name: str  # for the path; empty of a group, whose member says it
    attribute: str
    is_list: bool
    puts_none: bool


def encoder(cls: type, child: Child, begin: State | None = None) -> Put:
    """Return what appends the content of a declared class."""
    first = _Builder(child).place(begin or start(cls))
    slots = _slots(cls)
    parts_of = _getter([slot.attribute for slot in slots])

    def encode(stream: int, value: object) -> int:
        if value.__class__ is not cls:
            raise UnfitError(f"{type(value).__name__} instead of {cls.__name__}")
        place, name = first, ""
        try:
            for slot, part in zip(slots, parts_of(value), strict=True):
                name, attribute, is_list, puts_none = slot
                if is_list:
                    name = ""
                    stream, place = _put_list(stream, place, slot, part)
                elif part is not None or puts_none:
                    row = place[attribute]
                    stream, place = row.put(stream, part), row.after
        except UnfitError as unfit:
            unfit.names.append(name)
            raise
        if place.end is None:
            raise UnfitError(f"{place.wanted} is missing")
        code, width = place.end
        return stream << width | code

    return encode


def _put_list(
    stream: int, place: _Place, slot: _Slot, entries: object
) -> tuple[int, _Place]:
    """Append a list; return the stream and the place behind it."""
    count = 0
    if not isinstance(entries, tuple):
        unfit = UnfitError(f"{type(entries).__name__} instead of a tuple")
        unfit.names.append(slot.name)
        raise unfit
    try:
        for first in range(0, len(entries), PIECE):
            part = 1
            for entry in entries[first : first + PIECE]:
                row = place[slot.attribute]
                part = row.put(part, entry)
                count += 1
                place = row.after
                if row.full is not None and count == row.limit:
                    place = row.full
            stream = join(stream, part)
    except UnfitError as unfit:
        unfit.names.append(f"{slot.name}[{count}]")
        raise
    return stream, place


def _slots(cls: type) -> tuple[_Slot, ...]:
    """Return the fields in the order they are written."""
    slots: dict[str, _Slot] = {}
    for option in [o for item in items(cls) for o in item.options]:
        name = "" if option.is_member else option.name
        wraps = isinstance(option.kind, Group)
        slots[option.attribute] = _Slot(name, option.attribute, option.is_list, wraps)
    return tuple(slots.values())


def _getter(attributes: Sequence[str]) -> Callable[[object], tuple[object, ...]]:
    """Return what reads several attributes at once."""
    if len(attributes) > 1:
        return attrgetter(*attributes)
    return lambda value: tuple([getattr(value, a) for a in attributes])


class _Builder:
    """Makes the places of one type."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self._places: dict[State, _Place] = {}

    def place(self, state: State) -> _Place:
        """Return the place of a state."""
        known = self._places.get(state)
        if known is None:
            known = self._places[state] = _Place()
            self._fill(known, state)
        return known

    def _fill(self, place: _Place, state: State) -> None:
        members: dict[str, dict[type, tuple[str, Put]]] = {}
        options = [p.option for p in state.productions if p.option is not None]
        if options:
            place.wanted = options[0].name
        for code, production in enumerate(state.productions):
            option = production.option
            if option is None:
                place.end = code, state.width
            elif not isinstance(option.kind, Refused):
                put = _writer(option, code, state.width, self._child)
                if option.is_member and is_declared(option.kind):
                    group = members.setdefault(option.attribute, {})
                    group[option.kind] = option.name, put
                    put = _put_member(group)
                place[option.attribute] = self._row(put, production, place)

    def _row(self, put: Put, production: Production, here: _Place) -> _Row:
        full = self.place(production.full) if production.full else None
        after = self.place(production.after) if production.after else here
        return _Row(put, after, full, production.limit)


def _writer(option: Option, code: int, width: int, child: Child) -> Put:
    """Return what writes the event code of an option and its value."""
    kind = option.kind
    if isinstance(kind, Group):
        return _put_wrapped(kind, code, width, child)
    if is_declared(kind):
        return _put_declared(child(kind), code, width)
    if is_simple(kind):
        framed = int(option.form is Form.ELEMENT)  # a code 0 in front and one behind
        return writer(kind, Before(code << framed, width + framed, framed))
    raise TypeError(f"{option.name}: cannot write a {kind}")


def _put_declared(codec: Encodes, code: int, width: int) -> Put:
    def put(stream: int, value: object) -> int:
        return codec.encode(stream << width | code, value)

    return put


def _put_member(members: Mapping[type, tuple[str, Put]]) -> Put:
    """Return what writes the member of a group that the value's class chooses."""

    def put(stream: int, value: object) -> int:
        member = members.get(value.__class__)
        if member is None:
            raise UnfitError(f"a {type(value).__name__} cannot stand here")
        name, put_member = member
        try:
            return put_member(stream, value)
        except UnfitError as unfit:
            unfit.names.append(name)
            raise

    return put


def _put_wrapped(group: Group, code: int, width: int, child: Child) -> Put:
    """Return what writes an element with one optional member of a group inside."""
    options = group_options(group)
    inner = (len(options) + 1).bit_length()
    put_member = _put_member(
        {
            o.kind: (o.name, _writer(o, at, inner, child))
            for at, o in enumerate(options)
            if is_declared(o.kind)
        }
    )

    def put(stream: int, value: object) -> int:
        stream = stream << width | code
        if value is None:
            return stream << inner | len(options)
        return put_member(stream, value) << 1

    return put
