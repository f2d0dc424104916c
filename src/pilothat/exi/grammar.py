"""From a declaration to the states of its content: which event may come next.

How it works: the content of an element is a row of items, each with its options (the
members of a group, the branches of a choice), how often it must and how often it may
come. A state is a place in that row: item number, and how often that item still has to
come. Its productions, numbered from 0, are the options of this item, then those of the
following ones up to the first that must come; if none must, the end of the element.
The code of a production takes as many bits as the *count* of productions has: one
number more than they need is kept for rare events, which V2G never writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto

from pilothat.exi.schema import (
    UNBOUNDED,
    Attr,
    Content,
    El,
    Field,
    Group,
    Kind,
    Markup,
    Refused,
    Relaxed,
    Wrap,
    describe,
    markup,
)


class Form(Enum):
    """How an option appears in the stream."""

    ATTRIBUTE = auto()
    ELEMENT = auto()
    TEXT = auto()  # the text of an element with attributes
    FOREIGN = auto()  # a wildcard or untyped characters: refused


@dataclass(frozen=True, slots=True)
class Option:
    """One event, and the field it fills."""

    form: Form
    attribute: str  # in Python
    name: str  # on the wire
    kind: Kind | Group  # a group: the element wraps one optional member of it
    is_list: bool = False
    is_member: bool = False  # of a substitution group
    space: str = ""  # of an attribute whose name occurs in several

    @property
    def full_name(self) -> str:
        """The name by which the strings of an element or attribute are told apart."""
        return f"{self.space}:{self.name}" if self.space else self.name


@dataclass(frozen=True, slots=True)
class Item:
    """Events that stand at one place of the content, with their occurrence."""

    options: tuple[Option, ...]
    min_: int
    max_: int


@dataclass(slots=True, eq=False)
class State:
    """A place in the content."""

    productions: list[Production] = field(default_factory=list)

    @property
    def width(self) -> int:
        """Bits of an event code here."""
        return len(self.productions).bit_length()


@dataclass(frozen=True, slots=True, eq=False)
class Production:
    """An event and what follows: ``after``, or ``full`` when a list is complete."""

    option: Option | None  # None: the element ends
    after: State | None = None
    full: State | None = None
    limit: int = 0  # of a bounded list; 0 for all others


END = Production(None)
_ANYTHING = Option(Form.FOREIGN, "", "an undeclared element", Refused())
_CHARACTERS = Option(Form.FOREIGN, "", "text between elements", Refused())


def items(cls: type) -> tuple[Item, ...]:
    """Return the content of a declared class; attributes come first, sorted by name."""
    described = describe(cls)
    attributes = sorted(
        (f for f in described if isinstance(f.mark, Attr)), key=lambda f: f.name
    )
    others = [f for f in described if not isinstance(f.mark, Attr)]
    row = [Item(_options(f), f.min_, f.max_) for f in attributes]
    choice = ""
    for f in others:
        tag = f.mark.choice if isinstance(f.mark, El) else ""
        if tag and tag == choice:
            row[-1] = Item(row[-1].options + _options(f), row[-1].min_, 1)
        else:
            row.append(Item(_options(f), _least(f), f.max_))
        choice = tag
    return tuple(row)


def start(cls: type) -> State:
    """Return the first state of the content of a declared class."""
    return _Builder(items(cls), markup(cls)).begin(0)


def relaxed_start(cls: type, relaxed: Relaxed, element_names: int) -> State:
    """Return the first state of a fragment with relaxed content.

    Every attribute and every element of the schema set has a code here; only the
    attributes and the text of the class are spoken, each once.
    """
    options = [option for item in items(cls) for option in item.options]
    spoken = {o.name: o for o in options if o.form is Form.ATTRIBUTE}
    text = next(o for o in options if o.form is Form.TEXT)
    elements = [Production(_ANYTHING)] * (element_names + 1)
    last = State([*elements, END, Production(_CHARACTERS)])

    def state(names: frozenset[str]) -> State:
        """Return the state in which the attributes of these names may still come."""
        made = State([Production(_ANYTHING)] * (relaxed.attribute_names + 1))
        for name, code in relaxed.codes:
            if name in names:
                made.productions[code] = Production(spoken[name], state(names - {name}))
        made.productions += [*elements, Production(_ANYTHING), Production(text, last)]
        return made

    return state(frozenset(spoken))


class _Builder:
    """Makes the states of one row of items, each once."""

    def __init__(self, row: tuple[Item, ...], extra: Markup) -> None:
        self._row, self._extra = row, extra
        self._states: dict[tuple[int, int], State] = {}

    def begin(self, index: int) -> State:
        """Return the state before an item; behind the last one, the end."""
        due = self._row[index].min_ if index < len(self._row) else 0
        return self._state(index, due)

    def _state(self, index: int, due: int) -> State:
        known = self._states.get((index, due))
        if known is None:
            known = self._states[index, due] = State()
            known.productions.extend(self._productions(index, due))
        return known

    def _productions(self, index: int, due: int) -> Iterator[Production]:
        for at in range(index, len(self._row)):
            item = self._row[at]
            still = due if at == index else item.min_
            for option in item.options:
                yield self._production(option, at, still)
            if still > 0:
                if self._extra.mixed and item.options[0].form is not Form.ATTRIBUTE:
                    yield Production(_CHARACTERS)
                return
        if self._extra.wildcard:
            yield Production(_ANYTHING)
        yield END
        if self._extra.mixed:
            yield Production(_CHARACTERS)

    def _production(self, option: Option, at: int, due: int) -> Production:
        item = self._row[at]
        if item.max_ == 1:
            return Production(option, self.begin(at + 1))
        again = self._state(at, max(due - 1, 0))
        limit = 0 if item.max_ >= UNBOUNDED else item.max_
        return Production(option, again, self.begin(at + 1), limit)


def group_options(group: Group, attribute: str = "") -> tuple[Option, ...]:
    """Return the members and the abstract head, in the order of their codes."""
    kinds: dict[str, Kind] = {group.head: Refused(), **group.members}
    return tuple(
        [
            Option(Form.ELEMENT, attribute, name, kinds[name], is_member=True)
            for name in sorted(kinds)
        ]
    )


def _least(f: Field) -> int:
    """Return how often an item must come: a branch of a choice is never due alone."""
    return f.mark.min_ if isinstance(f.mark, El) and f.mark.choice else f.min_


def _options(f: Field) -> tuple[Option, ...]:
    match f.mark:
        case Group():
            return group_options(f.mark, f.attribute)
        case Wrap(group=group):
            return (Option(Form.ELEMENT, f.attribute, f.name, group),)
        case Attr(space=space):
            return (Option(Form.ATTRIBUTE, f.attribute, f.name, f.kind, space=space),)
        case Content():
            return (Option(Form.TEXT, f.attribute, f.name, f.kind),)
        case El():
            return (Option(Form.ELEMENT, f.attribute, f.name, f.kind, f.is_list),)
