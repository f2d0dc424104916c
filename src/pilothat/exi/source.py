"""What the two generators of codec source share: lines, names, states by number.

How it works: the source of a type is one function that goes through its fields in the
order of the schema. ``Numbered`` gives every option of the type a number, in the order
in which they may come, so that "which event comes next" is one small integer. States,
their event codes and what follows are those of ``grammar``; nothing here knows more.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from pilothat.exi.grammar import Form, Item, Option, State, items, start
from pilothat.exi.schema import (
    Binary,
    Refused,
    Text,
    describe,
    is_declared,
    is_simple,
    markup,
)

REFUSED = -1  # an event that exists and that nobody sends
INLINE_ITEMS = 6  # a type of at most so many fields is written into its user
INLINE_DEPTH = 3


class Numbered:
    """The options of one declared class by number; the end has the last one."""

    def __init__(self, cls: type) -> None:
        self.cls = cls
        self.items = items(cls)
        self.first = start(cls)
        self._ids: dict[tuple[str, str], int] = {}
        for item in self.items:
            for option in item.options:
                key = option.attribute, option.name
                self._ids.setdefault(key, len(self._ids))
        self.end = len(self._ids)

    def id(self, option: Option) -> int:
        """Return the number of an option."""
        return self._ids[option.attribute, option.name]

    def ids(self, state: State) -> tuple[int, ...]:
        """Return what each event code of a state stands for."""
        found = []
        for production in state.productions:
            option = production.option
            if option is None:
                found.append(self.end)
            elif option.form is Form.FOREIGN or isinstance(option.kind, Refused):
                found.append(REFUSED)
            else:
                found.append(self.id(option))
        return tuple(found)

    def after(self, state: State, option: Option) -> tuple[State, State | None]:
        """Return the states behind an option: as a rule, and when a list is full."""
        number = self.id(option)
        for code, production in zip(self.ids(state), state.productions, strict=True):
            if code == number and production.after is not None:
                return production.after, production.full
        raise AssertionError(f"{option.name} cannot stand there")

    def find(self, item: Item) -> State:
        """Return the first state in which an item may come."""
        numbers = {self.id(option) for option in item.options}
        seen: list[State] = [self.first]
        for state in seen:
            if not numbers.isdisjoint(self.ids(state)):
                return state
            for production in state.productions:
                behind = (production.after, production.full)
                seen += [s for s in behind if s is not None and s not in seen]
        raise AssertionError(f"{item.options[0].name} never comes")


class Names:
    """What generated functions of one kind know: constants, and each other.

    A function is made when it is first called.
    """

    def __init__(
        self, source_of: Callable[[type, Names], str], known: Mapping[str, object]
    ) -> None:
        self.all: dict[str, Any] = dict(known)
        self._source_of = source_of
        self._constants: dict[tuple[str, Hashable], str] = {}
        self._functions: dict[type, str] = {}
        self._tables: dict[type, list[tuple[dict[Any, Any], object]]] = {}
        self._numbers: dict[str, int] = {}

    def constant(self, prefix: str, thing: object) -> str:
        """Return the name of an object."""
        same = tuple(thing.items()) if isinstance(thing, dict) else thing
        name = self._constants.get((prefix, same))
        if name is None:
            name = self._free(prefix)
            self._constants[prefix, same] = name
            self.all[name] = thing
        return name

    def function(self, cls: type) -> str:
        """Return the name of the function for a class."""
        name = self._functions.get(cls)
        if name is None:
            name = self._functions[cls] = self._free(f"do_{cls.__name__}")
            self.all[name] = self._first_call(cls)
        return name

    def table(self, rows: Mapping[Any, type]) -> str:
        """Return the name of a table of functions."""
        table = {key: self.all[self.function(cls)] for key, cls in rows.items()}
        for key, cls in rows.items():
            self._tables.setdefault(cls, []).append((table, key))
        name = self._free("TABLE")
        self.all[name] = table
        return name

    def make(self, cls: type) -> Callable[..., Any]:
        """Return the function for a class, made from its source."""
        name = self.function(cls)
        made: dict[str, Any] = {}
        source = self._source_of(cls, self)
        exec(compile(source, f"<exi {cls.__name__}>", "exec"), self.all, made)
        function: Callable[..., Any] = next(iter(made.values()))
        self.all[name] = function
        for table, key in self._tables.get(cls, ()):
            table[key] = function
        return function

    def source(self, cls: type) -> str:
        """Return the source of the function for a class, for people."""
        return self._source_of(cls, self)

    def _first_call(self, cls: type) -> Callable[..., Any]:
        def make_and_call(*args: object) -> object:
            return self.make(cls)(*args)

        return make_and_call

    def _free(self, prefix: str) -> str:
        name, number = prefix, 1
        if name in self.all:
            number = self._numbers.get(prefix, 1)
            while f"{prefix}{number}" in self.all:
                number += 1
            name = f"{prefix}{number}"
            self._numbers[prefix] = number + 1
        return name


class Source:
    """Lines of a function."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._depth = 1

    def add(self, *lines: str) -> None:
        """Append lines at the present depth."""
        self._lines += ["    " * self._depth + line for line in lines]

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Append a line and put what is added inside it one step deeper."""
        self.add(head)
        self._depth += 1
        yield
        self._depth -= 1

    def text(self, head: str) -> str:
        """Return the whole function."""
        return "\n".join([head, *self._lines]) + "\n"


def is_inlined(cls: object, depth: int) -> bool:
    """Tell whether a type is so small that it is written into its user.

    Numbers only: texts and octets are long, and rare where they are optional.
    """
    if depth >= INLINE_DEPTH or not is_declared(cls) or markup(cls).mixed:
        return False
    row = items(cls)
    kinds = [option.kind for item in row for option in item.options]
    is_plain = all(is_simple(k) and not isinstance(k, Text | Binary) for k in kinds)
    has_list = any(f.is_list for f in describe(cls))
    return is_plain and not has_list and len(row) <= INLINE_ITEMS
