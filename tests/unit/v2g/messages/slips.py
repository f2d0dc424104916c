"""Every slip of the pen that one field of a declaration can have, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from pilothat.exi.schema import (
    Attr,
    Binary,
    El,
    Field,
    Group,
    Integer,
    Kind,
    Mark,
    Refused,
    Text,
    WireEnum,
    Wrap,
)

Fields = tuple[Field, ...]
Slip = tuple[str, Fields]


def slips(described: Fields) -> Iterator[Slip]:
    """Yield what was slipped, and the fields with it."""
    for at, f in enumerate(described):
        before, after = described[:at], described[at + 1 :]
        yield f"{f.attribute} is missing", (*before, *after)
        for told, slipped in _of_field(f):
            yield f"{f.attribute}: {told}", (*before, slipped, *after)
        if (
            after
            and not isinstance(f.mark, Attr)
            and not isinstance(after[0].mark, Attr)
        ):
            yield f"{f.attribute} is too late", (*before, after[0], f, *after[1:])


def _of_field(f: Field) -> Iterator[tuple[str, Field]]:
    for told, mark in _of_mark(f.mark):
        yield told, replace(f, mark=mark)
    if not isinstance(f.mark, Group | Wrap):  # their members say what they hold
        for told, kind in _of_kind(f.kind):
            yield told, replace(f, kind=kind)
    if isinstance(f.mark, Attr | Group) or _is_plain(f):
        yield "as optional as it should not be", replace(f, min_=1 - f.min_)
    if isinstance(f.mark, El):
        yield "one more", replace(f, max_=f.max_ + 1)


def _is_plain(f: Field) -> bool:
    is_branch = isinstance(f.mark, El) and f.mark.choice
    return isinstance(f.mark, El) and not is_branch and f.min_ < 2


def _of_mark(mark: Mark) -> Iterator[tuple[str, Mark]]:
    match mark:
        case El(name=name, choice=choice):
            yield "another name", replace(mark, name=name + "s")
            if choice:
                yield "another choice", replace(mark, choice=choice + "s")
                yield "a choice less", replace(mark, choice="")
                yield "an optional choice", replace(mark, min_=1 - mark.min_)
            else:
                yield "in a choice", replace(mark, choice="any", min_=3)
        case Attr(name=name):
            yield "another name", Attr(name.swapcase())
            yield "an element", El(name)
        case Group(head=head, members=members):
            kept = dict(members)
            kept.popitem()
            yield "a member less", Group(head, **kept)
            yield "a member more", Group(head, **members, Another=Field)
            yield "another head", Group(head + "s", **members)
        case Wrap(name=name, group=group):
            yield "another name", Wrap(name.lower(), group)


def _of_kind(kind: Kind) -> Iterator[tuple[str, Kind]]:
    match kind:
        case Integer(low=low, high=high):
            yield "begins too late", Integer((low or 0) + 1, high)
            yield "ends too early", Integer(low, (high or 0) - 1)
        case Text(longest=longest):
            yield "longer", Text((longest or 0) + 1)
            yield "octets", Binary(longest)
        case Binary(longest=longest, base64=base64):
            yield "longer", Binary((longest or 0) + 1, base64)
            yield "another notation", Binary(longest, not base64)
        case type() if issubclass(kind, WireEnum):
            literals = [member.literal for member in kind]
            yield "literals in another order", _enumeration(literals[::-1])
            yield "a literal less", _enumeration(literals[:-1])
            yield "a literal misspelt", _enumeration([*literals[:-1], "x"])
            yield "a number", Integer(0, len(literals) - 1)
        case type() | Refused():
            yield "a number", Integer(0, 255)


def _enumeration(literals: list[str]) -> Kind:
    rows = [(f"M{code}", (code, literal)) for code, literal in enumerate(literals)]
    made: object = WireEnum("Slipped", rows)  # type: ignore[arg-type]  # makes a class
    assert isinstance(made, type)
    return made
