"""Messages as neutral JSON: wire names, no namespaces, whole numbers, hex for octets.

The form: child elements by their name, attributes as ``@name``, the text of an element
that has attributes as ``#text``, a list always as an array, a member of a substitution
group under its own name, an enumeration as its literal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from pilothat.exi.bits import UnfitError
from pilothat.exi.schema import (
    Attr,
    Binary,
    Boolean,
    Field,
    Group,
    Integer,
    Kind,
    Refused,
    Text,
    WireEnum,
    Wrap,
    describe,
)

Json: TypeAlias = "bool | int | str | list[Json] | dict[str, Json]"


def dump(value: object) -> Json:
    """Return the neutral JSON of a value of a declared class, or of a simple one."""
    if isinstance(value, WireEnum):
        return value.literal
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, bool | int | str):
        return value
    cls: type = type(value)
    out: dict[str, Json] = {}
    for f in describe(cls):
        out.update(_dump_field(f, getattr(value, f.attribute)))
    return out


def _dump_field(f: Field, part: object) -> Iterator[tuple[str, Json]]:
    match f.mark:
        case Wrap(name=name, group=group):
            yield name, {} if part is None else {_member(group, part): dump(part)}
        case _ if part is None or part == ():
            return
        case Group():
            yield _member(f.mark, part), dump(part)
        case _ if isinstance(part, tuple):
            yield key(f), [dump(entry) for entry in part]
        case _:
            yield key(f), dump(part)


def key(f: Field) -> str:
    """Return the key of a field that is no group."""
    return f"@{f.name}" if isinstance(f.mark, Attr) else f.name


def _member(group: Group, part: object) -> str:
    for name, cls in group.members.items():
        if type(part) is cls:
            return name
    raise UnfitError(f"a {type(part).__name__} cannot stand here")


def load(kind: Kind, found: object) -> object:
    """Return the value of a kind; raises UnfitError if the JSON does not fit it."""
    match kind:
        case Boolean():
            return _expect(bool, found)
        case Integer():
            return _expect(int, found)
        case Text():
            return _expect(str, found)
        case Binary():
            return _load_octets(_expect(str, found))
        case Refused():
            raise UnfitError("this element is not supported")
    if issubclass(kind, WireEnum):
        return _load_literal(kind, _expect(str, found))
    return _load_declared(kind, found)


def _expect(cls: type[bool] | type[int] | type[str], found: object) -> str | int:
    if type(found) is not cls:
        raise UnfitError(f"{found!r} is no {cls.__name__}")
    return found


def _load_octets(found: str | int) -> bytes:
    try:
        return bytes.fromhex(str(found))
    except ValueError:
        raise UnfitError(f"{found!r} is not hexadecimal") from None


def _load_literal(kind: type[WireEnum], found: str | int) -> WireEnum:
    for member in kind:
        if member.literal == found:
            return member
    raise UnfitError(f"{found!r} is no literal of {kind.__name__}")


def _load_declared(cls: type, found: object) -> object:
    if not isinstance(found, Mapping):
        raise UnfitError(f"{found!r} is no object")
    rest = dict(found)
    parts: dict[str, object] = {}
    for f in describe(cls):
        _load_field(f, rest, parts)
    if rest:
        raise UnfitError(f"{next(iter(rest))} is not known here")
    try:
        made: object = cls(**parts)
    except TypeError as error:
        raise UnfitError(str(error)) from None
    return made


def _load_field(f: Field, rest: dict[str, object], parts: dict[str, object]) -> None:
    """Move what belongs to a field from ``rest`` to ``parts``."""
    match f.mark:
        case Wrap(name=name, group=group):
            inner = rest.pop(name, None)
            inner = dict(inner) if isinstance(inner, Mapping) else {}
            _load_member(f, group, inner, parts)
            if inner:
                raise UnfitError(f"{next(iter(inner))} is not known here")
        case Group():
            _load_member(f, f.mark, rest, parts)
        case _ if key(f) in rest:
            found = rest.pop(key(f))
            parts[f.attribute] = _load_entries(f, found)


def _load_member(
    f: Field, group: Group, rest: dict[str, object], parts: dict[str, object]
) -> None:
    name = next((name for name in group.members if name in rest), None)
    if name is not None:
        cls, found = group.members[name], rest.pop(name)
        parts[f.attribute] = _within(name, cls, found)


def _load_entries(f: Field, found: object) -> object:
    if not f.is_list:
        return _within(key(f), f.kind, found)
    if not isinstance(found, list):
        unfit = UnfitError("a list is expected")
        unfit.names.append(key(f))
        raise unfit
    entries = enumerate(found)
    return tuple([_within(f"{key(f)}[{at}]", f.kind, one) for at, one in entries])


def _within(name: str, kind: Kind, found: object) -> object:
    try:
        return load(kind, found)
    except UnfitError as unfit:
        unfit.names.append(name)
        raise
