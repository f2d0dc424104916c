"""Source of functions that read the content of a declared type, made to be fast.

How it works: the input is one integer ``V`` and the count ``p`` of bits that are left;
reading is a shift and a mask. Bits that are known to be zero (event codes without a
choice, the ends of simple elements) and values of few bits are gathered and read in one
piece; one mask then tells whether the known ones are right. A shift by a negative count
raises ValueError, which is the end of the data. Where nothing is known, ``k`` is the
number of the option that comes next.

Whatever is not plain raises ValueError: the precise reader (``decoder``) reads it again
and says what is wrong, or tolerates it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache

from pilothat.exi.bits import LONGEST_BIG_NUMBER, LONGEST_NUMBER
from pilothat.exi.grammar import Form, Item, Option, State, group_options
from pilothat.exi.schema import (
    UNBOUNDED,
    Binary,
    Boolean,
    Group,
    Integer,
    Kind,
    Refused,
    Simple,
    Text,
    describe,
    is_declared,
    is_simple,
)
from pilothat.exi.source import Names, Numbered, Source, is_inlined
from pilothat.exi.values import few_integers

MOST_BYTES = 4096  # of an input: V is one integer, and shifting it takes its length
MANY_OPTIONS = 3  # more of them are chosen by a table


def read_number(value: int, left: int, octet: int, longest: int) -> tuple[int, int]:
    """Return a number whose first octet announces more, and the bits left."""
    number = octet & 0x7F
    for shift in range(7, longest * 7, 7):
        left -= 8
        octet = value >> left & 0xFF
        number |= (octet & 0x7F) << shift
        if octet < 0x80:
            if octet == 0:
                raise ValueError("over-long")
            return number, left
    raise ValueError("endless")


KNOWN: Mapping[str, object] = {"read_number": read_number}


@cache
def opened(cls: type) -> type:
    """Return a class of the same layout whose objects are empty and can be filled.

    A filled object then becomes one of ``cls`` and is frozen: to make it that way costs
    half of what the constructor costs, and making objects is most of the work.
    """
    own = {"__slots__": (), "__init__": object.__init__}
    open_ = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    return type(f"Open{cls.__name__}", (cls,), {**own, **open_})


def source_of(cls: type, names: Names) -> str:
    """Return the source of ``read(V, p)``, which returns the value and p."""
    reader = _Reader(names)
    made = reader.content(cls, "")
    reader.flush()
    reader.source.add(f"return {made}, p")
    return reader.source.text("def read(V, p):")


class _Reader:
    """Writes the lines that read one type, inlined ones included."""

    def __init__(self, names: Names) -> None:
        self.source = Source()
        self._names, self._depth = names, 0
        self._zeros = 0  # bits that must be zero, and come next
        self._parts: list[tuple[int, int, str]] = []  # zeros before, width, assignment

    # --- bits that are read in one piece

    def _bits(self, width: int, assignment: str) -> None:
        """Read a value of few bits with what else is known; ``{}`` is the value."""
        self._parts.append((self._zeros, width, assignment))
        self._zeros = 0

    def flush(self) -> None:
        """Write the line that reads what was gathered."""
        total = sum(zeros + width for zeros, width, _ in self._parts) + self._zeros
        if total == 0:
            return
        source, left, mask = self.source, total, (1 << total) - 1
        values = []
        for zeros, width, assignment in self._parts:
            left -= zeros + width
            mask ^= ((1 << width) - 1) << left
            shifted = f"x >> {left}" if left else "x"
            is_top = left + width + zeros == total  # with zeros that were tested
            masked = shifted if is_top else f"{shifted} & {(1 << width) - 1}"
            values.append(assignment.format(masked))
        source.add(f"p -= {total}", f"x = V >> p & {(1 << total) - 1}")
        if mask:
            source.add(f"if x & {mask}: raise ValueError")
        source.add(*values)
        self._parts, self._zeros = [], 0

    # --- the content of a type

    def content(self, cls: type, prefix: str) -> str:
        """Write what reads a type; return the name of the value."""
        numbered = Numbered(cls)
        known = self._enter(numbered, numbered.first, is_alone=True)
        for item in numbered.items:
            known = self._item(numbered, item, known, prefix)
        if known is None:
            self.source.add(f"if k != {numbered.end}: raise ValueError")
        elif known != numbered.end:
            self.source.add("raise ValueError")
        return self._make(cls, prefix)

    def _make(self, cls: type, prefix: str) -> str:
        """Write what makes the object."""
        if self._parts:
            self.flush()
        name, add = f"o_{prefix}", self.source.add
        add(f"{name} = {self._names.constant(f'Open{cls.__name__}', opened(cls))}()")
        for f in describe(cls):
            add(f"{name}.{f.attribute} = {_variable(prefix, f.attribute)}")
        add(f"{name}.__class__ = {self._names.constant(cls.__name__, cls)}")
        return name

    def _enter(self, numbered: Numbered, state: State, *, is_alone: bool) -> int | None:
        """Go to a state: return what comes next, or None and leave it in ``k``."""
        ids = numbered.ids(state)
        if len(ids) == 1:
            self._zeros += 1
            if is_alone:
                return ids[0]
            self.flush()
            self.source.add(f"k = {ids[0]}")
            return None
        table = ids + (-2,) * ((1 << state.width) - len(ids))
        name = self._names.constant("NEXT", table)
        self._bits(state.width, f"k = {name}[{{}}]")
        self.flush()
        return None

    def _item(
        self, numbered: Numbered, item: Item, known: int | None, prefix: str
    ) -> int | None:
        """Write what reads one item; return what is known to come next."""
        ids = [numbered.id(option) for option in item.options]
        options = [o for o in item.options if not isinstance(o.kind, Refused)]
        names = dict.fromkeys(_variable(prefix, o.attribute) for o in item.options)
        empty = "()" if item.options[0].is_list else "None"
        if known is not None and known not in ids:
            self.source.add(*[f"{name} = {empty}" for name in names])
            return known
        if not options:
            self.source.add(*[f"{name} = None" for name in names])
            return known
        if known is None and item.min_ > 0:
            test = _is_one_of(ids)
            self.source.add(f"if not ({test}): raise ValueError")
        elif known is None:
            self.flush()
            self.source.add(*[f"{name} = {empty}" for name in names])
            with self.source.block(f"if {_is_one_of(ids)}:"):
                self._options(numbered, item, options, prefix)
                self._follow(numbered, item, is_alone=False)
            return None
        if len(names) > 1:
            self.source.add(*[f"{name} = None" for name in names])
        self._options(numbered, item, options, prefix)
        return self._follow(numbered, item, is_alone=True)

    def _follow(self, numbered: Numbered, item: Item, *, is_alone: bool) -> int | None:
        if item.options[0].is_list:
            return None  # the loop has left it in k
        state = numbered.find(item)
        option = next(o for o in item.options if numbered.id(o) in numbered.ids(state))
        after, _ = numbered.after(state, option)
        known = self._enter(numbered, after, is_alone=is_alone)
        if not is_alone:
            self.flush()
        return known

    def _options(
        self, numbered: Numbered, item: Item, options: Sequence[Option], prefix: str
    ) -> None:
        """Write what reads the option that has come."""
        if options[0].is_list:
            self._list(numbered, item, options[0], prefix)
        elif len(item.options) == 1:
            self._option(options[0], _variable(prefix, options[0].attribute))
        elif len(options) > MANY_OPTIONS and all(is_declared(o.kind) for o in options):
            kinds = {numbered.id(o): o.kind for o in options}
            self._choose(kinds, "k", _variable(prefix, options[0].attribute))
        else:
            self.flush()
            for number, option in enumerate(options):
                word = "elif" if number else "if"
                with self.source.block(f"{word} k == {numbered.id(option)}:"):
                    self._option(option, _variable(prefix, option.attribute))
                    self.flush()

    def _choose(self, kinds: Mapping[int, Kind | Group], key: str, target: str) -> None:
        """Write the call of the function that a table has for a number."""
        self.flush()
        rows = {number: kind for number, kind in kinds.items() if is_declared(kind)}
        self.source.add(
            f"f = {self._names.table(rows)}.get({key})",
            "if f is None: raise ValueError",
            f"{target}, p = f(V, p)",
        )

    def _list(
        self, numbered: Numbered, item: Item, option: Option, prefix: str
    ) -> None:
        """Write the loop over a list; it leaves what follows in ``k``."""
        if len(item.options) > 1:
            raise TypeError(f"{option.name}: a list of choices is not made here")
        self.flush()
        source, name = self.source, _variable(prefix, option.attribute)
        state = numbered.find(item)
        again, full = numbered.after(state, option)
        for _ in range(item.min_ - 1):
            again, full = numbered.after(again, option)
        source.add(f"{name}_ = []")
        with source.block("while True:"):
            self._option(option, "e")
            self.flush()
            source.add(f"{name}_.append(e)")
            if item.min_ > 1:
                with source.block(f"if len({name}_) < {item.min_}:"):
                    self._zeros += 1
                    self.flush()
                    source.add("continue")
            if item.max_ < UNBOUNDED and full is not None:
                with source.block(f"if len({name}_) == {item.max_}:"):
                    self._enter(numbered, full, is_alone=False)
                    source.add("break")
            self._enter(numbered, again, is_alone=False)
            source.add(f"if k != {numbered.id(option)}: break")
        source.add(f"{name} = tuple({name}_)")

    def _option(self, option: Option, target: str) -> None:
        """Write what reads the value of an option."""
        kind = option.kind
        if isinstance(kind, Group):
            self._wrapped(kind, target)
        elif is_simple(kind):
            framed = int(option.form is Form.ELEMENT)
            self._zeros += framed
            self._value(kind, target)
            self._zeros += framed
        elif is_declared(kind) and is_inlined(kind, self._depth):
            self._depth += 1
            made = self.content(kind, f"{target}_")
            self._depth -= 1
            self.source.add(f"{target} = {made}")
        elif isinstance(kind, type):
            self.flush()
            call = f"{self._names.function(kind)}(V, p)"
            self.source.add(f"{target}, p = {call}")

    def _wrapped(self, group: Group, target: str) -> None:
        """Write what reads an element with one optional member of a group inside."""
        options = group_options(group)
        end = len(options)
        self._bits((end + 1).bit_length(), "w = {}")
        self.flush()
        self.source.add(f"{target} = None")
        with self.source.block(f"if w != {end}:"):
            kinds = {n: o.kind for n, o in enumerate(options) if is_declared(o.kind)}
            self._choose(kinds, "w", target)
            self._zeros += 1
            self.flush()

    # --- values

    def _value(self, kind: Simple, target: str) -> None:
        match kind:
            case Boolean():
                self._bits(1, f"{target} = {{}} == 1")
            case Integer() if few := few_integers(kind):
                self._few(target, tuple(few), "VALUES")
            case Integer():
                self._many(kind, target)
            case Text():
                self._text(kind, target)
            case Binary():
                self._binary(kind, target)
            case _:
                self._few(target, tuple(kind), f"{kind.__name__}_")

    def _few(self, target: str, values: tuple[int, ...], prefix: str) -> None:
        """Write what reads one of few values; a code without one is no index."""
        table = self._names.constant(prefix, values)
        self._bits((len(values) - 1).bit_length(), f"{target} = {table}[{{}}]")

    def _number(self, target: str) -> None:
        self._bits(8, f"{target} = {{}}")
        self.flush()
        with self.source.block(f"if {target} > 127:"):
            self._more(target, LONGEST_NUMBER)

    def _more(self, target: str, longest: int) -> None:
        """Write what reads the further groups of a number."""
        call = f"read_number(V, p + 8, {target}, {longest})"
        self.source.add(
            "p -= 8",
            "y = V >> p & 255",
            f"if 0 < y < 128: {target} += (y << 7) - 128",
            f"else: {target}, p = {call}",
        )

    def _many(self, kind: Integer, target: str) -> None:
        """Write what reads an integer; nearly all have one or two groups."""
        low, high, source = kind.low, kind.high, self.source
        has_sign = low is None or low < 0
        longest = LONGEST_BIG_NUMBER if high is None else LONGEST_NUMBER
        self._bits(8 + has_sign, f"{target} = {{}}")
        self.flush()
        with source.block(f"if {target} > 127:"):
            if has_sign:
                source.add(f"sign = {target} >> 8", f"{target} &= 255")
                with source.block(f"if {target} > 127:"):
                    self._more(target, longest)
                source.add(f"if sign: {target} = -1 - {target}")
            else:
                self._more(target, longest)
            if high is not None:
                source.add(f"if {target} > {high}: raise ValueError")
            if low is not None and has_sign:
                source.add(f"if {target} < {low}: raise ValueError")
        if low and not has_sign:
            source.add(f"if {target} < {low}: raise ValueError")

    def _octets(self, shortest: int, longest: int | None) -> None:
        """Write what reads ``n`` octets into ``t``."""
        most = "" if longest is None else f" or n > {longest}"
        least = f" or n < {shortest}" if shortest else ""
        self.source.add(
            f"if n << 3 > p{most}{least}: raise ValueError",
            "p -= n << 3",
            't = (V >> p & (1 << (n << 3)) - 1).to_bytes(n, "big")',
        )

    def _text(self, kind: Text, target: str) -> None:
        self._number("n")
        self.source.add("n -= 2", "if n < 0: raise ValueError")
        self._octets(kind.shortest, kind.longest)
        self.source.add(f'{target} = t.decode("ascii")')

    def _binary(self, kind: Binary, target: str) -> None:
        self._number("n")
        self._octets(kind.shortest, kind.longest)
        self.source.add(f"{target} = t")


def _variable(prefix: str, attribute: str) -> str:
    return f"{prefix}{attribute}" if prefix else f"v_{attribute}"


def _is_one_of(ids: Sequence[int]) -> str:
    if len(ids) == 1:
        return f"k == {ids[0]}"
    return f"{min(ids)} <= k <= {max(ids)}"
