"""XML schemas, as far as V2G needs them, in a form to compare declarations with.

Schemas and declarations are both brought into ``Shape``: the content of one type, with
all that it inherits, one ``Slot`` for each place. What stands in a slot by a complex
type is compared by itself; ``Schemas.below`` and ``declared_below`` lead there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import NamedTuple
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
    Markup,
    Text,
    WireEnum,
    Wrap,
    describe,
    is_simple,
    markup,
)

XS = "{http://www.w3.org/2001/XMLSchema}"
BUILT_IN: Mapping[str, Kind] = {
    "boolean": Boolean(),
    "byte": Integer(-(2**7), 2**7 - 1),
    "short": Integer(-(2**15), 2**15 - 1),
    "int": Integer(-(2**31), 2**31 - 1),
    "long": Integer(-(2**63), 2**63 - 1),
    "unsignedByte": Integer(0, 2**8 - 1),
    "unsignedShort": Integer(0, 2**16 - 1),
    "unsignedInt": Integer(0, 2**32 - 1),
    "unsignedLong": Integer(0, 2**64 - 1),
    "integer": Integer(None, None),
    "string": Text(),
    "anyURI": Text(),
    "ID": Text(),
    "IDREF": Text(),
    "hexBinary": Binary(),
    "base64Binary": Binary(base64=True),
}
# facets that bound a value, and what a declaration calls them
BOUNDS = {
    "minInclusive": "low",
    "maxInclusive": "high",
    "maxLength": "longest",
    "length": "longest",
}
COMPLEX = "a complex type"
ABSTRACT = "abstract"
Allowed = Kind | tuple[str, ...] | str  # literals; COMPLEX or ABSTRACT


class QName(NamedTuple):
    """A name and its namespace; sorted as event codes are."""

    local: str
    space: str


class Option(NamedTuple):
    """An element that may stand in a slot, or an attribute."""

    name: str
    allowed: Allowed


@dataclass(frozen=True)
class Slot:
    """Elements of which one comes at a place, and how often."""

    options: tuple[Option, ...]
    min_: int
    max_: int


@dataclass(frozen=True)
class Shape:
    """The content of a complex type."""

    attributes: tuple[tuple[Option, bool], ...] = ()  # with: it must be there
    text: Allowed | None = None
    slots: tuple[Slot, ...] = ()
    is_mixed: bool = False
    has_wildcard: bool = False


@dataclass(frozen=True)
class Type:
    """A type of a schema: what it says, and how its names are to be understood."""

    node: ET.Element
    prefixes: Mapping[str, str]
    space: str  # target namespace

    def at(self, node: ET.Element) -> Type:
        """Return a part of this type."""
        return replace(self, node=node)

    def qname(self, text: str) -> QName:
        """Return what a name written in this schema means."""
        prefix, _, local = text.rpartition(":")
        return QName(local, self.prefixes.get(prefix, ""))

    def get(self, name: str) -> str:
        """Return an attribute of the node."""
        return self.node.get(name, "")

    def children(self, *tags: str) -> Iterator[Type]:
        """Yield the parts that have one of these tags."""
        for part in self.node:
            if part.tag.removeprefix(XS) in tags:
                yield self.at(part)


class Schemas:
    """All schema files of one grammar."""

    def __init__(self, paths: list[Path]) -> None:
        self.elements: dict[QName, Type] = {}
        self.types: dict[QName, Type] = {}
        names: set[QName] = set()
        self._qualified: set[str] = set()  # namespaces whose attributes bear them
        self._attribute_spaces: dict[str, set[str]] = {}
        for path in paths:
            schema = _parse(path)
            if schema.get("attributeFormDefault") == "qualified":
                self._qualified.add(schema.space)
            for node in schema.node.iter(XS + "attribute"):
                spaces = self._attribute_spaces.setdefault(node.get("name", ""), set())
                spaces.add(self._space(schema))
            for part in schema.children("element", "complexType", "simpleType"):
                kept = self.elements if part.node.tag == XS + "element" else self.types
                kept[QName(part.get("name"), schema.space)] = part
            names.update(_element_names(schema))
        self.globals = sorted(self.elements)
        self.names = sorted(names)

    def complex_types(self, name: str) -> list[Type]:
        """Return the complex types that elements of a name have, global and local."""
        places = (e for (local, _), e in self.elements.items() if local == name)
        found = [self.type_of(e) for e in (*places, *self._locals(name))]
        kept = {id(t.node): t for t in found if self._allowed(t) is COMPLEX}
        return list(kept.values())

    def type_of(self, element: Type) -> Type:
        """Return the type of an element or attribute."""
        if element.get("ref"):
            element = self._target(element)
        for inner in element.children("complexType", "simpleType"):
            return inner
        return self._named(element, element.get("type"))

    def below(self, found: Type) -> dict[str, Type]:
        """Return the complex types of the elements in the content of a type."""
        elements = [e for s in self._particles(found) for e in s.elements]
        types = {_name(e): self.type_of(e) for e in elements}
        return {n: t for n, t in types.items() if self._allowed(t) is COMPLEX}

    def shape(self, found: Type) -> Shape:
        """Return the content of a complex type."""
        attributes = {
            (Option(a.get("name"), self._allowed(self.type_of(a))), a.get("use"))
            for a in self._attributes(found)
        }
        return Shape(
            attributes=tuple(
                sorted([(o, use == "required") for o, use in attributes], key=str)
            ),
            text=self._text(found),
            slots=tuple(self._slots(found)),
            is_mixed=found.get("mixed") == "true",
            has_wildcard=next(found.node.iter(XS + "any"), None) is not None,
        )

    def spaces(self, found: Type) -> dict[str, str]:
        """Return the short namespaces of attributes whose names occur in several."""
        return {
            a.get("name"): self._space(a).rpartition(":")[2]
            for a in self._attributes(found)
            if len(self._attribute_spaces[a.get("name")]) > 1 and self._space(a)
        }

    def _space(self, here: Type) -> str:
        """Return the namespace of the attributes declared in a schema."""
        return here.space if here.space in self._qualified else ""

    def _slots(self, found: Type) -> Iterator[Slot]:
        for particle in self._particles(found):
            options = [
                Option(_name(e), self._element_allowed(e)) for e in particle.elements
            ]
            yield Slot(tuple(options), particle.min_, particle.max_)

    def _element_allowed(self, element: Type) -> Allowed:
        declared = self._target(element) if element.get("ref") else element
        if declared.get("abstract") == "true":
            return ABSTRACT
        return self._allowed(self.type_of(element))

    def _allowed(self, found: Type) -> Allowed:
        """Return what a type allows."""
        if found.node.tag == XS + "complexType":
            return ABSTRACT if found.get("abstract") == "true" else COMPLEX
        if found.node.tag == XS + "builtIn":
            return BUILT_IN[found.get("name")]
        (restriction,) = found.children("restriction")
        literals = [e.get("value") for e in restriction.children("enumeration")]
        if literals:
            return tuple(literals)
        kind = self._allowed(self._named(restriction, restriction.get("base")))
        bounds = {
            BOUNDS[facet.tag.removeprefix(XS)]: int(facet.get("value", ""))
            for facet in restriction.node
            if facet.tag.removeprefix(XS) in BOUNDS
        }
        assert isinstance(kind, Integer | Text | Binary) or not bounds
        return replace(kind, **bounds) if bounds else kind  # type: ignore[type-var]

    def _named(self, here: Type, name: str) -> Type:
        qname = here.qname(name)
        if qname.space == XS[1:-1]:
            return Type(ET.Element(XS + "builtIn", {"name": qname.local}), {}, "")
        return self.types[qname]

    def _target(self, element: Type) -> Type:
        return self.elements[element.qname(element.get("ref"))]

    def _line(self, found: Type) -> Iterator[Type]:
        """Yield the parts a type is made of, what it inherits first."""
        for content in found.children("complexContent", "simpleContent"):
            (extension,) = content.children("extension")
            base = self._named(extension, extension.get("base"))
            yield from self._line(base)
            yield extension
            return
        yield found

    def _attributes(self, found: Type) -> Iterator[Type]:
        for part in self._line(found):
            yield from part.children("attribute")

    def _text(self, found: Type) -> Allowed | None:
        first = next(self._line(found))
        return self._allowed(first) if first.node.tag != XS + "complexType" else None

    def _particles(self, found: Type) -> Iterator[_Particle]:
        for part in self._line(found):
            for group in part.children("sequence", "choice"):
                yield from self._group(group)

    def _group(self, group: Type) -> Iterator[_Particle]:
        """Yield the particles of a sequence that comes once, or of a choice."""
        if group.node.tag == XS + "choice":
            branches = [e for e in group.children("element") if _occurs(e) == (1, 1)]
            assert len(branches) == len(list(group.children("element", "sequence")))
            members = [member for e in branches for member in self._members(e)]
            yield _Particle(tuple(members), *_occurs(group))
            return
        assert _occurs(group) == (1, 1) or next(group.children("any"), None)
        for part in group.children("element", "choice"):
            if part.node.tag == XS + "element":
                yield _Particle(self._members(part), *_occurs(part))
            else:
                yield from self._group(part)

    def _members(self, element: Type) -> tuple[Type, ...]:
        """Return an element and all that may stand for it, in the order of codes."""
        if not element.get("ref"):
            return (element,)
        found = {element.qname(element.get("ref"))}
        while (
            more := {
                q
                for q, e in self.elements.items()
                if e.qname(e.get("substitutionGroup")) in found
            }
            - found
        ):
            found |= more
        return tuple([self.elements[qname] for qname in sorted(found)])

    def _locals(self, name: str) -> Iterator[Type]:
        for kept in self.types.values():
            for node in kept.node.iter(XS + "element"):
                if node.get("name") == name:
                    yield kept.at(node)


class _Particle(NamedTuple):
    elements: tuple[Type, ...]
    min_: int
    max_: int


def _parse(path: Path) -> Type:
    """Read a file; the document type of xmldsig names a page that is not asked for."""
    prefixes: dict[str, str] = {}
    reader = ET.iterparse(path, events=("start-ns", "end"))
    for event, found in reader:
        if event == "start-ns":
            prefix, uri = found
            prefixes[prefix] = uri
    root: ET.Element = reader.root  # type: ignore[attr-defined]  # there at the end
    return Type(root, prefixes, root.get("targetNamespace", ""))


def _element_names(schema: Type) -> Iterator[QName]:
    """Yield the names of all elements a schema declares, at its top or within."""
    is_qualified = schema.get("elementFormDefault") == "qualified"
    for node in schema.node.iter(XS + "element"):
        is_global = node in list(schema.node)
        if node.get("name"):
            space = schema.space if is_global or is_qualified else ""
            yield QName(node.get("name", ""), space)


def _occurs(part: Type) -> tuple[int, int]:
    most = part.get("maxOccurs") or "1"
    max_ = UNBOUNDED if most == "unbounded" else int(most)
    return int(part.get("minOccurs") or "1"), max_


def _name(element: Type) -> str:
    return (element.get("ref") or element.get("name")).rpartition(":")[2]


# declarations

Declared = type | Group  # a group: an element that holds one optional member of it


def declared_shape(declared: Declared) -> Shape:
    """Return the content of a declared class."""
    if isinstance(declared, Group):
        return Shape(slots=(Slot(_members_of(declared), 0, 1),))
    return shape_of(describe(declared), markup(declared))


def shape_of(described: Sequence[Field], extra: Markup) -> Shape:
    """Return the content that fields make up."""
    attributes = [
        (Option(f.name, _allowed(f.kind)), f.min_ == 1)
        for f in described
        if isinstance(f.mark, Attr)
    ]
    texts = [_allowed(f.kind) for f in described if isinstance(f.mark, Content)]
    return Shape(
        attributes=tuple(sorted(attributes, key=str)),
        text=texts[0] if texts else None,
        slots=tuple(_declared_slots(described)),
        is_mixed=extra.mixed,
        has_wildcard=extra.wildcard,
    )


def declared_below(declared: Declared) -> dict[str, Declared]:
    """Return the declared classes of the elements in the content of a class."""
    if isinstance(declared, Group):
        return dict(declared.members)
    below: dict[str, Declared] = {}
    for f in describe(declared):
        match f.mark:
            case Group(members=members):
                below.update(members)
            case Wrap(name=name, group=group):
                below[name] = group
            case El(name=name) if isinstance(f.kind, type) and not is_simple(f.kind):
                below[name] = f.kind
    return below


def pairs(
    schemas: Schemas, declared: Declared, found: Type
) -> Iterator[tuple[Declared, Type]]:
    """Yield a class and all below it, each with the schema type it declares."""
    waiting = [(declared, found)]
    seen: set[tuple[int, int]] = set()
    while waiting:
        declared, found = waiting.pop()
        if (id(declared), id(found.node)) in seen:
            continue
        seen.add((id(declared), id(found.node)))
        yield declared, found
        theirs = schemas.below(found)
        ours = declared_below(declared)
        waiting += [(ours[name], theirs[name]) for name in ours if name in theirs]


def _declared_slots(described: Sequence[Field]) -> Iterator[Slot]:
    """Yield the slots of elements; neighbours of one choice share theirs."""
    elements = [f for f in described if not isinstance(f.mark, Attr | Content)]
    for (choice, _), found in groupby(elements, _place):
        first, *others = found
        match first.mark:
            case El() if choice:
                yield _choice((first, *others))
            case Group():
                yield Slot(_members_of(first.mark), first.min_, first.max_)
            case _:
                option = Option(first.name, _allowed(first.kind))
                yield Slot((option,), first.min_, first.max_)


def _choice(branches: tuple[Field, ...]) -> Slot:
    """Return the slot of a choice, whose branches must occur alike."""
    occurs = {(f.mark.min_, f.max_) for f in branches if isinstance(f.mark, El)}
    min_, max_ = occurs.pop() if len(occurs) == 1 else (-1, -1)
    options = [Option(f.name, _allowed(f.kind)) for f in branches]
    return Slot(tuple(options), min_, max_)


def _place(f: Field) -> tuple[str, str]:
    """Return what neighbours of one choice have in common."""
    choice = f.mark.choice if isinstance(f.mark, El) else ""
    return choice, "" if choice else f.attribute


def _members_of(group: Group) -> tuple[Option, ...]:
    names = sorted({group.head, *group.members})
    return tuple(
        [Option(n, COMPLEX if n in group.members else ABSTRACT) for n in names]
    )


def _allowed(kind: Kind) -> Allowed:
    if isinstance(kind, type) and issubclass(kind, WireEnum):
        return tuple([member.literal for member in kind])
    return kind if is_simple(kind) else COMPLEX  # a refused element has a type, too
