"""The vocabulary of message declarations.

A message type is a frozen dataclass. Each field says with ``Annotated`` what it is on
the wire; all else (grammar, codec, neutral JSON, documentation) follows from it::

    target_a: Annotated[PhysicalValue | None, El("EVTargetCurrent")] = None

* ``El``: a child element, ``Attr``: an attribute, ``Content``: the text of the element
  itself, ``Group``: a substitution group, ``Wrap``: an element around one group.
* ``X | None`` makes it optional, ``tuple[X, ...]`` a list.
* What the value is comes from its type: bool, a ``WireEnum``, another declared class;
  ``int``, ``str`` and ``bytes`` carry an ``Integer``, ``Text`` or ``Binary`` beside.
* ``None`` as the type: the element has an event code, but is refused.

``describe`` reads a declaration; nothing else looks at annotations.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from enum import IntEnum
from functools import cache
from typing import (
    Annotated,
    Self,
    TypeGuard,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from pilothat.frozen import dataclass

UNBOUNDED = 1 << 32
MARKUP = "wire"  # the class variable that may hold a Markup


class WireEnum(IntEnum):
    """An enumeration whose value is the EXI code: members stand in schema order.

    The member's name is the literal on the wire; a literal that is no good Python
    name is given beside the code: ``W_PER_S = 8, "W/s"``.
    """

    literal: str

    def __new__(cls, code: int, literal: str = "") -> Self:
        del literal
        member = int.__new__(cls, code)
        member._value_ = code
        return member

    def __init__(self, code: int, literal: str = "") -> None:
        del code
        self.literal = literal or self.name


@dataclass(frozen=True, slots=True)
class Integer:
    """A whole number; None as a bound means there is none."""

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class Text:
    """A string of ``shortest`` to ``longest`` code points."""

    longest: int | None = None
    shortest: int = 0


@dataclass(frozen=True, slots=True)
class Binary:
    """Octets, ``shortest`` to ``longest``. In the schema hex digits or base 64."""

    longest: int | None = None
    base64: bool = False
    shortest: int = 0


@dataclass(frozen=True, slots=True)
class Boolean:
    """True or false."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An element that V2G never sends; it only occupies an event code."""


Byte = Annotated[int, Integer(-(1 << 7), (1 << 7) - 1)]
Short = Annotated[int, Integer(-(1 << 15), (1 << 15) - 1)]
Int = Annotated[int, Integer(-(1 << 31), (1 << 31) - 1)]
Long = Annotated[int, Integer(-(1 << 63), (1 << 63) - 1)]
UnsignedByte = Annotated[int, Integer(0, (1 << 8) - 1)]
UnsignedShort = Annotated[int, Integer(0, (1 << 16) - 1)]
UnsignedInt = Annotated[int, Integer(0, (1 << 32) - 1)]
UnsignedLong = Annotated[int, Integer(0, (1 << 64) - 1)]
AnyInteger = Annotated[int, Integer(None, None)]


@dataclass(frozen=True, slots=True)
class El:
    """A child element. Neighbours with the same ``choice`` exclude each other."""

    name: str
    min_: int = 1  # of a list; a single element is mandatory unless its type is | None
    max_: int = 1
    choice: str = ""


@dataclass(frozen=True, slots=True)
class Attr:
    """An attribute. Optional if its type is ``| None``.

    space: short name of its namespace, where the schema set has the name in several
    """

    name: str
    space: str = ""


@dataclass(frozen=True, slots=True)
class Content:
    """The text of an element that also has attributes."""


class Group:
    """A substitution group: the abstract head, and the class of each member element."""

    __slots__ = ("head", "members")

    def __init__(self, head: str, **members: type) -> None:
        self.head = head
        self.members: Mapping[str, type] = members


@dataclass(frozen=True, slots=True)
class Wrap:
    """An element whose whole content is one optional member of a group."""

    name: str
    group: Group


@dataclass(frozen=True, slots=True)
class Markup:
    """What a type allows beside its fields; all of it is refused when it comes."""

    mixed: bool = False  # untyped characters between the elements
    wildcard: bool = False  # elements of any other schema


Simple = Integer | Text | Binary | Boolean | type[WireEnum]
Kind = Simple | Refused | type
Mark = El | Attr | Content | Group | Wrap


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a declared class, read from its annotation."""

    attribute: str  # its name in Python
    mark: Mark
    kind: Kind  # a type is a WireEnum or a declared class
    min_: int
    max_: int
    is_list: bool

    @property
    def name(self) -> str:
        """The name on the wire; of a group, that of its head."""
        match self.mark:
            case Group(head=name) | El(name=name) | Attr(name=name) | Wrap(name=name):
                return name
        return "#text"


@dataclass(frozen=True, slots=True)
class Relaxed:
    """The content of a fragment whose element name stands for several types.

    Everything of the whole schema set has an event code in it.

    attribute_names: how many distinct attributes the schema set has
    codes: name and event code of the attributes that are spoken
    """

    attribute_names: int
    codes: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Root:
    """An element that may be a document, with its code among all global elements."""

    code: int
    name: str
    cls: type
    relaxed: Relaxed | None = None


@dataclass(frozen=True, slots=True)
class Grammar:
    """A schema set: how many global elements it has, and the ones we speak.

    A fragment is an element by itself, as it is signed: its code is its place among the
    distinct names of all elements, global and local.
    """

    name: str
    global_elements: int
    roots: tuple[Root, ...]
    element_names: int = 0
    fragments: tuple[Root, ...] = ()


def is_simple(kind: object) -> TypeGuard[Simple]:
    """Tell whether a value of this kind is mere text in the document."""
    if isinstance(kind, type):
        return issubclass(kind, WireEnum)
    return isinstance(kind, Integer | Text | Binary | Boolean)


def is_declared(kind: object) -> TypeGuard[type]:
    """Tell whether this kind is a declared class."""
    return isinstance(kind, type) and is_dataclass(kind)


@cache
def describe(cls: type) -> tuple[Field, ...]:
    """Return the fields of a declared class, in schema order."""
    if not is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a declared message type")
    hints = get_type_hints(cls, include_extras=True)
    return tuple(_describe_field(f.name, hints[f.name]) for f in fields(cls))


@cache
def markup(cls: type) -> Markup:
    """Return what the type of a declared class allows beside its fields."""
    found = getattr(cls, MARKUP, None)
    return found if isinstance(found, Markup) else Markup()


def _describe_field(attribute: str, hint: object) -> Field:
    inner, notes = _peel(hint)
    is_optional = is_list = False
    if get_origin(inner) in (Union, types.UnionType):
        choices = [arg for arg in get_args(inner) if arg is not type(None)]
        is_optional = len(choices) < len(get_args(inner))
        inner, more = _peel(choices[0])
        notes += more
    elif get_origin(inner) is tuple:
        is_list = True
        inner, more = _peel(get_args(inner)[0])
        notes += more
    mark = next(n for n in notes if isinstance(n, Mark))
    kind = _kind(inner, notes, mark)
    min_, max_ = (mark.min_, mark.max_) if isinstance(mark, El) else (1, 1)
    if isinstance(mark, Wrap):
        is_optional = False  # the element stands, its content may lack
    if is_optional or isinstance(kind, Refused):
        min_ = 0
    return Field(attribute, mark, kind, min_, max_, is_list)


def _peel(hint: object) -> tuple[object, tuple[object, ...]]:
    """Split ``Annotated[X, a, b]`` into X and (a, b)."""
    if get_origin(hint) is not Annotated:
        return hint, ()
    inner, *notes = get_args(hint)
    return inner, tuple(notes)


def _kind(inner: object, notes: tuple[object, ...], mark: Mark) -> Kind:
    if isinstance(mark, Group | Wrap):
        return object
    for note in notes:
        if isinstance(note, Integer | Text | Binary):
            return note
    if inner is bool:
        return Boolean()
    if inner is type(None) or inner is None:
        return Refused()
    if isinstance(inner, type) and (issubclass(inner, WireEnum) or is_dataclass(inner)):
        return inner
    raise TypeError(f"no wire type declared for {inner!r}")
