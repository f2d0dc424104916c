"""Source of functions that write the content of a declared type, made to be fast.

How it works: the stream is one integer ``s`` that grows by shifting. Bits known
beforehand (event codes, the ends of elements) are gathered and join the next value in
one shift. What the code of an event is depends on which optional fields before it were
absent; where that is known only at run time, ``q`` is the number of the state and a
table has its code.

Whatever does not fit raises ValueError or TypeError: the precise writer (``encoder``)
then says what and where.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pilothat.exi.bits import join, number_octets, put_octets
from pilothat.exi.grammar import Form, Item, Option, State, group_options
from pilothat.exi.schema import (
    UNBOUNDED,
    Binary,
    Boolean,
    Group,
    Integer,
    Refused,
    Simple,
    Text,
    is_declared,
    is_simple,
)
from pilothat.exi.source import Names, Numbered, Source, is_inlined
from pilothat.exi.values import few_integers

PIECE = 32  # entries of a list gather before they join the stream
MANY_OPTIONS = 3  # more of them are chosen by a table

Part = tuple[int, int | str]  # a width, and the value or the expression for it
States = Sequence[tuple[int, State]]  # the ones that are possible, with their numbers


def put_number(stream: int, value: int) -> int:
    """Append an unsigned integer of more than fourteen bits."""
    return put_octets(stream, number_octets(value))


def put_signed(stream: int, value: int) -> int:
    """Append the sign and the integer: a negative one, or of more than 14 bits."""
    if value < 0:
        return put_octets(stream << 1 | 1, number_octets(-1 - value))
    return put_octets(stream << 1, number_octets(value))


KNOWN: Mapping[str, object] = {
    "put_number": put_number,
    "put_signed": put_signed,
    "join": join,
}


def source_of(cls: type, names: Names) -> str:
    """Return the source of ``write(s, v)``, which returns the stream."""
    writer = _Writer(names)
    writer.content(cls, "v")
    writer.flush()
    writer.source.add("return s")
    return writer.source.text("def write(s, v):")


class _Writer:
    """Writes the lines that write one type, inlined ones included."""

    def __init__(self, names: Names) -> None:
        self.source = Source()
        self._names, self._depth = names, 0
        self._parts: list[Part] = []  # what was not written yet
        self._number = 0  # of the last state that got one

    def flush(self) -> None:
        """Write what was gathered."""
        if self._parts:
            self.source.add(f"s = {self._longer()}")
        self._parts = []

    def _longer(self, *more: Part) -> str:
        """Return the stream with what was gathered, and with more."""
        parts = [*self._parts, *more]
        left, bits, terms = sum(width for width, _ in parts), 0, []
        stream = f"s << {left}" if left else "s"
        for width, value in parts:
            left -= width
            if isinstance(value, int):
                bits |= value << left
            else:
                terms.append(f"{value} << {left}" if left else value)
        return " | ".join([stream, *terms, *([str(bits)] if bits else [])])

    def _known(self, width: int, bits: int) -> None:
        self._parts.append((width, bits))

    # --- states

    def _new(self, state: State) -> tuple[int, State]:
        self._number += 1
        return self._number, state

    def _code(self, numbered: Numbered, states: States, number: int) -> None:
        """Write the code of an event in the state we are in."""
        codes = {}
        for q, state in states:
            ids = numbered.ids(state)
            if number in ids:
                codes[q] = state.width, ids.index(number)
        if len(codes) == len(states) and len(set(codes.values())) == 1:
            self._known(*next(iter(codes.values())))
            return
        self.flush()
        table = self._names.constant("CODE", codes)
        self.source.add(f"w, c = {table}[q{self._depth}]", "s = s << w | c")

    # --- the content of a type

    def content(self, cls: type, value: str) -> None:
        """Write what writes a value of this class."""
        numbered = Numbered(cls)
        name = self._names.constant(cls.__name__, cls)
        self.source.add(f"if {value}.__class__ is not {name}: raise TypeError")
        states: States = [self._new(numbered.first)]
        is_marked = False  # q tells the state
        for item in numbered.items:
            states, is_marked = self._item(numbered, item, states, value, is_marked)
        self._code(numbered, states, numbered.end)

    def _item(
        self,
        numbered: Numbered,
        item: Item,
        states: States,
        value: str,
        is_marked: bool,  # noqa: FBT001 - goes with the states
    ) -> tuple[States, bool]:
        """Write one item; return the states that are possible behind it."""
        options = [o for o in item.options if not isinstance(o.kind, Refused)]
        if options and options[0].is_list:
            return self._list(numbered, item, states, value, is_marked)
        attributes = dict.fromkeys(o.attribute for o in item.options)
        if not options:
            for attribute in attributes:
                test = f"if {value}.{attribute} is not None: raise TypeError"
                self.source.add(test)
            return states, is_marked
        after = self._new(numbered.after(numbered.find(item), options[0])[0])
        is_wrap = isinstance(options[0].kind, Group)
        if item.min_ > 0 and (len(item.options) == 1 or is_wrap):
            local = f"{value}_{options[0].attribute}"
            self.source.add(f"{local} = {value}.{options[0].attribute}")
            self._code(numbered, states, numbered.id(options[0]))
            self._option(options[0], local)
            return [after], False
        if len(states) > 1 or item.min_ == 0:
            self._mark(states, is_marked=is_marked)
        self._choice(numbered, item, states, value, after[0])
        if item.min_ > 0:
            return [after], False
        return [*states, after], True

    def _mark(self, states: States, *, is_marked: bool) -> None:
        """Write which state this is, where that is known now and will not be."""
        self.flush()
        if not is_marked:
            self.source.add(f"q{self._depth} = {states[0][0]}")

    def _choice(
        self, numbered: Numbered, item: Item, states: States, value: str, then: int
    ) -> None:
        """Write the option whose field is there; nothing, if that may be."""
        options = [o for o in item.options if not isinstance(o.kind, Refused)]
        attributes = dict.fromkeys(o.attribute for o in options)
        self.flush()
        for attribute in attributes:
            local = f"{value}_{attribute}"
            self.source.add(f"{local} = {value}.{attribute}")
        locals_ = [f"{value}_{a}" for a in attributes]
        if len(locals_) > 1:
            count = " + ".join(f"({local} is not None)" for local in locals_)
            wrong = f"{count} != 1" if item.min_ else f"{count} > 1"
            self.source.add(f"if {wrong}: raise ValueError")
        elif item.min_:
            self.source.add(f"if {locals_[0]} is None: raise TypeError")
        for attribute in attributes:
            mine = [o for o in options if o.attribute == attribute]
            local = f"{value}_{attribute}"
            with self.source.block(f"if {local} is not None:"):
                if len(mine) > 1 or mine[0].is_member:
                    self._members(numbered, mine, states, local)
                else:
                    self._code(numbered, states, numbered.id(mine[0]))
                    self._option(mine[0], local)
                self.flush()
                if not item.min_:
                    self.source.add(f"q{self._depth} = {then}")

    def _members(
        self,
        numbered: Numbered,
        options: Sequence[Option],
        states: States,
        local: str,
    ) -> None:
        """Write the member of a group that the value's class chooses."""
        self.flush()
        kinds = {o.kind: numbered.id(o) for o in options if is_declared(o.kind)}
        puts = self._names.table({cls: cls for cls in kinds})
        codes = {}
        for q, state in states:
            ids = numbered.ids(state)
            for cls, number in kinds.items():
                if number in ids:
                    codes[q, cls] = state.width, ids.index(number)
        key = f"q{self._depth}, {local}.__class__"
        if len(states) == 1:
            codes = {cls: code for (_, cls), code in codes.items()}  # type: ignore[misc]
            key = f"{local}.__class__"
        table = self._names.constant("CODE", codes)
        self.source.add(f"w, c = {table}[{key}]")
        self.source.add(f"s = {puts}[{local}.__class__](s << w | c, {local})")

    def _list(
        self,
        numbered: Numbered,
        item: Item,
        states: States,
        value: str,
        is_marked: bool,  # noqa: FBT001 - goes with the states
    ) -> tuple[States, bool]:
        """Write a list: its first entry, the others, and the state behind them."""
        option, source = item.options[0], self.source
        local = f"{value}_{option.attribute}"
        first, full = numbered.after(numbered.find(item), option)
        again = first
        for _ in range(item.min_ - 1):
            again, full = numbered.after(again, option)
        if item.min_ == 0 or len(states) > 1:
            self._mark(states, is_marked=is_marked)
        self.flush()
        source.add(f"{local} = {value}.{option.attribute}")
        source.add(f"if {local}.__class__ is not tuple: raise TypeError")
        most = f" or m > {item.max_}" if item.max_ < UNBOUNDED else ""
        source.add(f"m = n{self._depth} = len({local})")
        source.add(f"if m < {item.min_}{most}: raise ValueError")
        behind = [self._new(again)]
        if item.max_ < UNBOUNDED and full is not None:
            behind.append(self._new(full))
        with source.block(f"if n{self._depth}:"):
            self._code(numbered, states, numbered.id(option))
            source.add(f"e{self._depth} = {local}[0]")
            self._option(option, f"e{self._depth}")
            self.flush()
            self._others(numbered, item, again, local)
            source.add(f"q{self._depth} = {behind[0][0]}")
            if len(behind) > 1:
                full_q = f"q{self._depth} = {behind[1][0]}"
                source.add(f"if n{self._depth} == {item.max_}: {full_q}")
        return ([*behind, *states] if item.min_ == 0 else behind), True

    def _others(self, numbered: Numbered, item: Item, again: State, local: str) -> None:
        """Write the loop over all entries but the first."""
        option, source, d = item.options[0], self.source, self._depth
        code = numbered.ids(again).index(numbered.id(option))
        with source.block(f"if n{d} > 1:"):
            source.add(f"h{d} = s", "s = 1")
            with source.block(f"for i{d} in range(1, n{d}):"):
                source.add(f"e{d} = {local}[i{d}]")
                if item.min_ > 1:
                    wide = f"{again.width} if i{d} >= {item.min_} else 1"
                    source.add(f"s = s << ({wide}){_or(code)}")
                else:
                    self._known(again.width, code)
                self._option(option, f"e{d}")
                self.flush()
                with source.block(f"if not i{d} % {PIECE}:"):
                    source.add(f"h{d} = join(h{d}, s)", "s = 1")
            source.add(f"s = join(h{d}, s)")

    def _option(self, option: Option, local: str) -> None:
        """Write the value of an option."""
        kind = option.kind
        if isinstance(kind, Group):
            self._wrapped(kind, local)
        elif is_simple(kind):
            framed = int(option.form is Form.ELEMENT)
            self._known(framed, 0)
            self._value(kind, local)
            self._known(framed, 0)
        elif is_declared(kind) and is_inlined(kind, self._depth):
            self._depth += 1
            self.content(kind, local)
            self._depth -= 1
        elif isinstance(kind, type):
            self.flush()
            self.source.add(f"s = {self._names.function(kind)}(s, {local})")

    def _wrapped(self, group: Group, local: str) -> None:
        """Write an element with one optional member of a group inside."""
        options = group_options(group)
        width = (len(options) + 1).bit_length()
        self.flush()
        codes = {o.kind: code for code, o in enumerate(options) if is_declared(o.kind)}
        puts = self._names.table({cls: cls for cls in codes})
        table, source = self._names.constant("CODE", codes), self.source
        with source.block(f"if {local} is None:"):
            source.add(f"s = s << {width} | {len(options)}")
        with source.block("else:"):
            source.add(
                f"c = {table}[{local}.__class__]",
                f"s = {puts}[{local}.__class__](s << {width} | c, {local}) << 1",
            )

    # --- values

    def _value(self, kind: Simple, local: str) -> None:
        match kind:
            case Boolean():
                self._check(f"{local} is not True and {local} is not False")
                self._parts.append((1, local))
            case Integer() if few := few_integers(kind):
                width = (len(few) - 1).bit_length()
                bad = f"not {few.start} <= {local} < {few.stop}"
                self._check(f"{local}.__class__ is not int or {bad}")
                shift = f"({local} - {few.start})" if few.start else local
                self._parts.append((width, shift))
            case Integer():
                self._many(kind, local)
            case Text():
                self._text(kind, local)
            case Binary():
                self._binary(kind, local)
            case _:
                name = self._names.constant(kind.__name__, kind)
                self._check(f"{local}.__class__ is not {name}")
                self._parts.append(((len(kind) - 1).bit_length(), local))

    def _check(self, flaw: str) -> None:
        self.source.add(f"if {flaw}: raise ValueError")

    def _many(self, kind: Integer, local: str) -> None:
        low, high = kind.low, kind.high
        bounds = [f"{local} < {low}"] if low is not None else []
        bounds += [f"{local} > {high}"] if high is not None else []
        self._check(" or ".join([f"{local}.__class__ is not int", *bounds]))
        self._groups(local, has_sign=low is None or low < 0)

    def _groups(self, number: str, *, has_sign: bool = False) -> None:
        """Write an integer: seven bits an octet, the lowest first."""
        sign: list[Part] = [(1, 0)] if has_sign else []
        least = "0 <= " if has_sign else ""
        low: Part = 8, f"({number} & 127 | 128)"
        put = "put_signed" if has_sign else "put_number"
        one = self._longer(*sign, (8, number))
        two = self._longer(*sign, low, (8, f"({number} >> 7)"))
        self.source.add(
            f"if {least}{number} < 128: s = {one}",
            f"elif {least}{number} < 16384: s = {two}",
            f"else: s = {put}({self._longer()}, {number})",
        )
        self._parts = []

    def _octets(self, length: str) -> None:
        """Write the length and the octets in ``t``."""
        self.source.add(f"n = {length}")
        self._groups("n")
        self.source.add('s = s << (len(t) << 3) | int.from_bytes(t, "big")')

    def _limits(self, kind: Text | Binary) -> None:
        shortest = kind.shortest
        flaws = [f"len(t) > {kind.longest}"] if kind.longest is not None else []
        flaws += [f"len(t) < {shortest}"] if shortest else []
        if flaws:
            self._check(" or ".join(flaws))

    def _text(self, kind: Text, local: str) -> None:
        self.source.add(f't = {local}.encode("ascii")')
        self._limits(kind)
        self._octets("len(t) + 2")

    def _binary(self, kind: Binary, local: str) -> None:
        self._check(f"{local}.__class__ is not bytes")
        self.source.add(f"t = {local}")
        self._limits(kind)
        self._octets("len(t)")


def _or(bits: int) -> str:
    return f" | {bits}" if bits else ""
