"""States of small declarations: which events, in which order, how many bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

import pytest

from pilothat.exi.grammar import State, start
from pilothat.exi.schema import (
    UNBOUNDED,
    Attr,
    Binary,
    Content,
    El,
    Group,
    Markup,
    Text,
    UnsignedByte,
)

Names = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Optional, optional, mandatory."""

    a: Annotated[bool | None, El("a")] = None
    b: Annotated[bool | None, El("b")] = None
    c: Annotated[bool, El("c")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """Mandatory, then two that may lack."""

    a: Annotated[bool, El("a")]
    b: Annotated[bool | None, El("b")] = None
    c: Annotated[bool | None, El("c")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Some:
    """One to three, then something optional."""

    item: Annotated[tuple[UnsignedByte, ...], El("item", max_=3)]
    after: Annotated[bool | None, El("after")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """At least two."""

    item: Annotated[tuple[UnsignedByte, ...], El("item", min_=2, max_=UNBOUNDED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Marked:
    """Attributes declared in another order than they are sent."""

    uri: Annotated[str | None, Text(), Attr("URI")] = None
    id: Annotated[str | None, Text(), Attr("Id")] = None
    type: Annotated[str, Text(), Attr("Type")]
    value: Annotated[bytes, Binary(), Content()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loose:
    """Attribute, then mixed content with a wildcard."""

    wire: ClassVar[Markup] = Markup(mixed=True, wildcard=True)
    algorithm: Annotated[str, Text(), Attr("Algorithm")]
    length: Annotated[UnsignedByte | None, El("Length")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Either:
    """One of two, then something mandatory."""

    left: Annotated[bool | None, El("left", choice="side")] = None
    right: Annotated[bool | None, El("right", choice="side")] = None
    end: Annotated[bool, El("end")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Perhaps:
    """None or one of two, then something mandatory."""

    left: Annotated[bool | None, El("left", min_=0, choice="side")] = None
    right: Annotated[bool | None, El("right", min_=0, choice="side")] = None
    end: Annotated[bool, El("end")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An optional member of a group, whose head sorts between the others."""

    side: Annotated[Row | Tail | None, Group("Head", Zone=Row, AC_Head=Tail)] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Empty:
    """Nothing."""


def names(state: State) -> Names:
    """Return the events of a state; ``/`` is the end of the element."""
    return tuple(p.option.name if p.option else "/" for p in state.productions)


def walk(cls: type, *codes: int) -> State:
    """Return the state after some event codes, none of which fills a list."""
    state = start(cls)
    for code in codes:
        after = state.productions[code].after
        assert after is not None
        state = after
    return state


STATES: dict[str, tuple[type, tuple[int, ...], Names, int]] = {
    "optionals-start": (Row, (), ("a", "b", "c"), 2),
    "optionals-after-first": (Row, (0,), ("b", "c"), 2),
    "optionals-after-second": (Row, (1,), ("c",), 1),
    "optionals-end": (Row, (2,), ("/",), 1),
    "tail-start": (Tail, (), ("a",), 1),
    "tail-after-mandatory": (Tail, (0,), ("b", "c", "/"), 2),
    "tail-after-last": (Tail, (0, 1), ("/",), 1),
    "list-first-is-forced": (Some, (), ("item",), 1),
    "list-goes-on": (Some, (0,), ("item", "after", "/"), 2),
    "list-left": (Some, (0, 1), ("/",), 1),
    "two-forced-first": (Pairs, (), ("item",), 1),
    "two-forced-second": (Pairs, (0,), ("item",), 1),
    "two-forced-then-open": (Pairs, (0, 0), ("item", "/"), 2),
    "two-forced-stays-open": (Pairs, (0, 0, 0), ("item", "/"), 2),
    "attributes-by-name": (Marked, (), ("Id", "Type"), 2),
    "attribute-after-the-first": (Marked, (0,), ("Type",), 1),
    "attribute-behind-a-required-one": (Marked, (1,), ("URI", "#text"), 2),
    "text-with-attributes": (Marked, (1, 0), ("#text",), 1),
    "text-then-end": (Marked, (1, 1), ("/",), 1),
    "mixed-waits-for-the-attribute": (Loose, (), ("Algorithm",), 1),
    "mixed-content": (
        Loose,
        (0,),
        ("Length", "an undeclared element", "/", "text between elements"),
        3,
    ),
    "mixed-after-the-element": (
        Loose,
        (0, 0),
        ("an undeclared element", "/", "text between elements"),
        2,
    ),
    "choice": (Either, (), ("left", "right"), 2),
    "choice-made": (Either, (0,), ("end",), 1),
    "optional-choice": (Perhaps, (), ("left", "right", "end"), 2),
    "optional-choice-made": (Perhaps, (1,), ("end",), 1),
    "group-sorted-with-its-head": (Member, (), ("AC_Head", "Head", "Zone", "/"), 3),
    "nothing": (Empty, (), ("/",), 1),
}


@pytest.mark.parametrize("name", STATES)
def test_state_offers_its_events_in_order(name: str) -> None:
    cls, codes, expected, width = STATES[name]
    state = walk(cls, *codes)
    assert names(state) == expected
    assert state.width == width


def test_full_list_is_no_longer_offered() -> None:
    again = walk(Some, 0)
    production = again.productions[0]
    assert production.limit == 3
    assert production.after is again
    assert production.full is not None
    assert names(production.full) == ("after", "/")


def test_unbounded_list_has_no_limit() -> None:
    assert walk(Pairs, 0, 0).productions[0].limit == 0


@pytest.mark.parametrize(
    ("count", "width"),
    [(1, 1), (2, 2), (3, 2), (4, 3), (7, 3), (8, 4), (15, 4), (31, 5), (36, 6)],
)
def test_width_leaves_room_for_the_escape(count: int, width: int) -> None:
    state = State(list(start(Empty).productions) * count)
    assert state.width == width
