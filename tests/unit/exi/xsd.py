"""XML schemas as rows that can be compared with declarations.

Both sides are brought into the same rows, one for each thing in the content of a type;
``None`` as the kind stands for a complex type, which is compared by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from pilothat.exi.schema import (
    UNBOUNDED,
    Attr,
    Binary,
    Boolean,
    Content,
    El,
    Field,
    Group,
    Integer,
    Kind,
    Text,
    WireEnum,
    Wrap,
    describe,
    is_simple,
)

XS = "{http://www.w3.org/2001/XMLSchema}"
SIGNED = 1 << 63
BUILT_IN: dict[str, Kind] = {
    "boolean": Boolean(),
    "byte": Integer(-128, 127),
    "short": Integer(-32768, 32767),
    "int": Integer(-(2**31), 2**31 - 1),
    "long": Integer(-SIGNED, SIGNED - 1),
    "unsignedByte": Integer(0, 255),
    "unsignedShort": Integer(0, 65535),
    "unsignedInt": Integer(0, 2**32 - 1),
    "integer": Integer(None, None),
    "string": Text(),
    "anyURI": Text(),
    "ID": Text(),
    "IDREF": Text(),
    "hexBinary": Binary(),
    "base64Binary": Binary(base64=True),
}


@dataclass(frozen=True)
class Row:
    """A child element, an attribute (``@``), the text (``#text``) or a group."""

    name: str
    min_: int
    max_: int
    in_choice: bool = False
    kind: Kind | tuple[str, ...] | None = None  # literals, or members of a group


class Schemas:
    """All schema files of one set, read together."""

    def __init__(self, paths: list[Path]) -> None:
        roots = [ET.parse(path).getroot() for path in paths]
        self.elements = {
            (e.get("name", ""), root.get("targetNamespace", "")): e
            for root in roots
            for e in root.findall(XS + "element")
        }
        self._elements = {name: e for (name, _), e in self.elements.items()}
        self.types = {
            e.get("name", ""): e
            for root in roots
            for e in root
            if e.tag in (XS + "complexType", XS + "simpleType")
        }

    def codes(self) -> dict[str, int]:
        """Return the code of each global element."""
        return {name: code for code, (name, _) in enumerate(sorted(self.elements))}

    def type_of(self, element: ET.Element) -> ET.Element | str:
        """Return the type of an element or attribute; a built-in one by its name."""
        ref = element.get("ref")
        if ref is not None:
            element = self._elements[_local(ref)]
        inner = element.find(XS + "complexType")
        if inner is not None:
            return inner
        name = element.get("type", "")
        return _local(name) if _is_built_in(name, self) else self.types[_local(name)]

    def members(self, head: str) -> tuple[str, ...]:
        """Return all that may stand for an abstract element."""
        return tuple(
            sorted(
                name
                for name, e in self._elements.items()
                if _local(e.get("substitutionGroup", "")) == head
                and not self.is_abstract(e)
            )
        )

    def is_abstract(self, element: ET.Element) -> bool:
        """Tell whether the element can only be stood for by others."""
        found = self.type_of(element)
        return isinstance(found, ET.Element) and found.get("abstract") == "true"

    def kind(self, found: ET.Element | str) -> Kind | tuple[str, ...] | None:
        """Return what a simple type allows; None for a complex one."""
        if isinstance(found, str):
            return BUILT_IN[found]
        if found.tag == XS + "complexType":
            return None
        restriction = found.find(XS + "restriction")
        assert restriction is not None
        literals = [e.get("value", "") for e in restriction.findall(XS + "enumeration")]
        if literals:
            return tuple(literals)
        name = restriction.get("base", "")
        base = _local(name) if _is_built_in(name, self) else self.types[_local(name)]
        return _restrict(self.kind(base), restriction)

    def rows(self, found: ET.Element) -> Iterator[Row]:
        """Yield the content of a complex type, what it inherits first."""
        for part in found:
            match part.tag.removeprefix(XS):
                case "complexContent" | "simpleContent" | "sequence":
                    yield from self.rows(part)
                case "extension":
                    yield from self._inherited(part)
                    yield from self.rows(part)
                case "choice":
                    yield from self._choice(part)
                case "element":
                    yield self.row(part)
                case "attribute":
                    is_due = int(part.get("use") == "required")
                    kind = self.kind(self.type_of(part))
                    yield Row("@" + part.get("name", ""), is_due, 1, kind=kind)

    def row(self, element: ET.Element) -> Row:
        """Return the row of a child element."""
        name = _name(element)
        min_ = int(element.get("minOccurs", "1"))
        most = element.get("maxOccurs", "1")
        max_ = UNBOUNDED if most == "unbounded" else int(most)
        kind = self.kind(self.type_of(element))
        if element.get("ref") and self.is_abstract(self._elements[name]):
            return Row(name, min_, max_, kind=self.members(name))
        return Row(name, min_, max_, kind=kind)

    def child(self, found: ET.Element, name: str) -> ET.Element:
        """Return a child element of a complex type, own or inherited."""
        for element in found.iter(XS + "element"):
            if _name(element) == name:
                return element
        extension = next(found.iter(XS + "extension"))
        return self.child(self.types[_local(extension.get("base", ""))], name)

    def root(self, name: str) -> ET.Element | str:
        """Return the type of a global element."""
        return self.type_of(self._elements[name])

    def _inherited(self, extension: ET.Element) -> Iterator[Row]:
        name = extension.get("base", "")
        if _is_built_in(name, self):
            yield Row("#text", 1, 1, kind=BUILT_IN[_local(name)])
        else:
            yield from self.rows(self.types[_local(name)])

    def _choice(self, choice: ET.Element) -> Iterator[Row]:
        """Yield the branches; a repeated choice is a list of each of its branches."""
        repeats = choice.get("maxOccurs") == "unbounded"
        for element in choice.findall(XS + "element"):
            row = self.row(element)
            most = UNBOUNDED if repeats else row.max_
            yield Row(row.name, 0, most, not repeats, row.kind)


def declared_rows(cls: type) -> Iterator[Row]:
    """Yield the content of a declared class in the same form."""
    for f in describe(cls):
        yield Row(_key(f), f.min_, f.max_, _in_choice(f), _declared_kind(f))


def in_order(rows: Iterator[Row]) -> list[Row]:
    """Return rows with the attributes first, by name: their order means nothing."""
    return sorted(rows, key=lambda row: row.name if row.name[0] == "@" else "~")


def is_open(found: ET.Element) -> tuple[bool, bool]:
    """Tell whether a type is mixed, and whether it has a wildcard."""
    return found.get("mixed") == "true", next(found.iter(XS + "any"), None) is not None


def _declared_kind(f: Field) -> Kind | tuple[str, ...] | None:
    if isinstance(f.mark, Group):
        return tuple(sorted(f.mark.members))
    if isinstance(f.kind, type) and issubclass(f.kind, WireEnum):
        return tuple(member.literal for member in f.kind)
    return f.kind if is_simple(f.kind) else None


def _key(f: Field) -> str:
    match f.mark:
        case Attr(name=name):
            return "@" + name
        case Content():
            return "#text"
    return f.name


def _in_choice(f: Field) -> bool:
    return isinstance(f.mark, El) and bool(f.mark.choice)


def _restrict(kind: Kind | tuple[str, ...] | None, by: ET.Element) -> Kind:
    facets = {e.tag.removeprefix(XS): int(e.get("value", "")) for e in by}
    match kind:
        case Integer(low=low, high=high):
            return Integer(
                facets.get("minInclusive", low), facets.get("maxInclusive", high)
            )
        case Text(longest=longest):
            return Text(facets.get("maxLength", longest))
        case Binary(longest=longest, base64=base64):
            return Binary(facets.get("maxLength", longest), base64)
    raise AssertionError(kind)


def pairs(
    schemas: Schemas, cls: type, found: ET.Element | str
) -> Iterator[tuple[type, ET.Element]]:
    """Yield each declared class below a class, with the type it declares."""
    waiting: list[tuple[type, ET.Element | str]] = [(cls, found)]
    seen: list[type] = []
    while waiting:
        cls, found = waiting.pop()
        if cls in seen or isinstance(found, str):
            continue
        seen.append(cls)
        yield cls, found
        for f in describe(cls):
            waiting += _below(schemas, f, found)


def _below(
    schemas: Schemas, f: Field, found: ET.Element
) -> Iterator[tuple[type, ET.Element | str]]:
    match f.mark:
        case Group(members=members) | Wrap(group=Group(members=members)):
            for name, cls in members.items():
                yield cls, schemas.root(name)
        case El(name=name) if isinstance(f.kind, type) and not is_simple(f.kind):
            yield f.kind, schemas.type_of(schemas.child(found, name))


def _name(element: ET.Element) -> str:
    return _local(element.get("ref") or element.get("name") or "")


def _local(name: str) -> str:
    return name.rpartition(":")[2]


def _is_built_in(name: str, schemas: Schemas) -> bool:
    return _local(name) in BUILT_IN and _local(name) not in schemas.types
