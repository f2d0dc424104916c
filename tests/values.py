"""Values of declared message types, drawn from whatever draws: chance or hypothesis."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from pilothat.exi.schema import (
    Binary,
    Boolean,
    El,
    Field,
    Grammar,
    Group,
    Integer,
    Kind,
    Refused,
    Text,
    WireEnum,
    Wrap,
    describe,
)

T = TypeVar("T")
MANY = 3  # entries more than a list must have
LONG = 12  # characters or octets more than a value must have
EDGES = (0, 1, 127, 128, 255, 256, 4095, 4096, 16383, 16384, 1 << 32, (1 << 64) - 1)
LETTERS = "aZ0 -_/:.\u00e4\u20ac\U0001f50c"


class Draw(Protocol):
    """A source of choices."""

    def number(self, low: int, high: int) -> int:
        """Return a whole number of a range, both ends included."""

    def one_of(self, things: Sequence[T]) -> T:
        """Return one of several things."""


class Chance:
    """Choices of a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def number(self, low: int, high: int) -> int:
        if low <= high and self._random.random() < 0.3:
            edges = [edge for edge in EDGES if low <= edge <= high]
            return self._random.choice([*edges, low, high])
        return self._random.randint(low, high)

    def one_of(self, things: Sequence[T]) -> T:
        return self._random.choice(things)


class Data:
    """Choices of hypothesis, which shrinks them."""

    def __init__(self, data: st.DataObject) -> None:
        self._data = data

    def number(self, low: int, high: int) -> int:
        return self._data.draw(st.integers(low, high))

    def one_of(self, things: Sequence[T]) -> T:
        return things[self._data.draw(st.integers(0, len(things) - 1))]


def root_of(grammar: Grammar, draw: Draw) -> object:
    """Return a message, or a fragment where the grammar has nothing else."""
    return value_of(draw.one_of(grammar.roots or grammar.fragments).cls, draw)


def value_of(cls: type, draw: Draw) -> object:
    """Return any value that a declared class allows."""
    parts: dict[str, object] = {}
    chosen = _choices(cls, draw)
    for field in describe(cls):
        tag = field.mark.choice if isinstance(field.mark, El) else ""
        if tag and chosen[tag] != field.attribute:
            parts[field.attribute] = None
        else:
            parts[field.attribute] = _part(field, draw, is_chosen=bool(tag))
    made: object = cls(**parts)
    return made


def _choices(cls: type, draw: Draw) -> Mapping[str, str]:
    """Return which field of each choice is there; none, if that may be."""
    options: dict[str, list[str]] = {}
    for field in describe(cls):
        if isinstance(field.mark, El) and field.mark.choice:
            names = options.setdefault(field.mark.choice, [])
            names.append(field.attribute)
            if field.mark.min_ == 0 and "" not in names:
                names.append("")
    return {tag: draw.one_of(names) for tag, names in options.items()}


def _part(field: Field, draw: Draw, *, is_chosen: bool) -> object:
    kind = field.kind
    if isinstance(kind, Refused):
        return None
    is_optional = (field.min_ == 0 and not is_chosen) or isinstance(field.mark, Wrap)
    if field.is_list:
        count = draw.number(field.min_, min(field.max_, field.min_ + MANY))
        return tuple([_single(field, kind, draw) for _ in range(count)])
    if is_optional and draw.number(0, 1):
        return None
    return _single(field, kind, draw)


def _single(field: Field, kind: Kind, draw: Draw) -> object:
    match field.mark:
        case Group() as group:
            return value_of(draw.one_of(list(group.members.values())), draw)
        case Wrap(group=group):
            return value_of(draw.one_of(list(group.members.values())), draw)
    return _simple(kind, draw)


def _simple(kind: Kind, draw: Draw) -> object:
    match kind:
        case Boolean():
            return draw.number(0, 1) == 1
        case Integer(low, high):
            least = -(1 << 160) if low is None else low
            return draw.number(least, (1 << 160) if high is None else high)
        case Text():
            most = kind.shortest + LONG if kind.longest is None else kind.longest
            length = draw.number(kind.shortest, min(most, kind.shortest + LONG))
            return "".join([draw.one_of(LETTERS) for _ in range(length)])
        case Binary():
            most = kind.shortest + LONG if kind.longest is None else kind.longest
            length = draw.number(kind.shortest, min(most, kind.shortest + LONG))
            return bytes([draw.number(0, 255) for _ in range(length)])
        case Refused():
            raise TypeError("a refused element has no value")
    if issubclass(kind, WireEnum):
        return draw.one_of(list(kind))
    return value_of(kind, draw)
