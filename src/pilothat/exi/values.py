"""Values on the wire: each kind as a function that reads it and one that writes it.

Both are prepared once for a place in the stream: a reader consumes the zero bits in
front of the value (``head``: event codes with one choice) and behind it (``tail``: the
end of a simple element) together with it, a writer begins with the event code that
leads to it. Few values are coded as their number in n bits, other integers in groups of
seven bits, strings and octets with their length in front.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pilothat.exi.bits import (
    LONGEST_BIG_NUMBER,
    LONGEST_NUMBER,
    BitReader,
    FlawError,
    Tolerance,
    UnfitError,
    number_octets,
    put_octets,
    put_string,
)
from pilothat.exi.schema import Binary, Boolean, Integer, Simple, Text
from pilothat.frozen import dataclass

Read = Callable[[BitReader], object]
Put = Callable[[int, object], int]

MOST_BITS_VALUES = 4096  # an integer of at most so many values is coded in n bits
ESCAPE_BITS = 3  # of the code behind an escape, where an element's text should begin
UNEXPECTED = "an event that does not exist here"


@dataclass(frozen=True, slots=True)
class Before:
    """The bits a writer puts in front of its value, and the zero bits behind it."""

    code: int
    width: int
    tail: int


def reader(kind: Simple, name: str, head: int, tail: int) -> Read:
    """Return what reads a value of this kind, in the element or attribute ``name``."""
    match kind:
        case Boolean():
            return _read_few((False, True), head, tail)
        case Integer():
            few = few_integers(kind)
            return _read_few(few, head, tail) if few else _read_many(kind, head, tail)
        case Text() | Binary():
            return _read_long(kind, name, head, tail)
    return _read_few(tuple(kind), head, tail)


def writer(kind: Simple, before: Before) -> Put:
    """Return what appends the bits before a value, the value and the bits behind it."""
    match kind:
        case Boolean():
            return _put_few(bool, range(2), before)
        case Integer():
            few = few_integers(kind)
            return _put_few(int, few, before) if few else _put_many(kind, before)
        case Text():
            return _put_text(kind, before)
        case Binary():
            return _put_binary(kind, before)
    return _put_few(kind, range(len(kind)), before)


def few_integers(kind: Integer) -> range:
    """Return all values of an integer coded in n bits; empty if it is not."""
    if kind.low is None or kind.high is None:
        return range(0)
    count = kind.high - kind.low + 1
    return range(kind.low, kind.high + 1) if count <= MOST_BITS_VALUES else range(0)


def _read_few(values: Sequence[object], head: int, tail: int) -> Read:
    count = len(values)
    width = (count - 1).bit_length()
    total = head + width + tail
    fixed = (1 << total) - 1 ^ ((1 << width) - 1) << tail  # the bits that must be 0

    def read(source: BitReader) -> object:
        bits = source.take(total)
        if bits & fixed:
            raise FlawError(UNEXPECTED)
        index = bits >> tail
        if index >= count:
            raise FlawError(f"code {index} for one of {count} values")
        return values[index]

    return read


def _put_few(cls: type, codes: range, before: Before) -> Put:
    low, count, tail = codes.start, len(codes), before.tail
    shift = (count - 1).bit_length() + tail
    total, lead = before.width + shift, before.code << shift

    def put(stream: int, value: object) -> int:
        if value.__class__ is not cls or not isinstance(value, int):
            raise UnfitError(f"{value!r} is no {cls.__name__}")
        code = value - low
        if not 0 <= code < count:
            raise UnfitError(f"{value!r} is not in {low}..{low + count - 1}")
        return stream << total | lead | code << tail

    return put


def _read_many(kind: Integer, head: int, tail: int) -> Read:
    low, high = kind.low, kind.high
    has_sign = low is None or low < 0
    longest = LONGEST_BIG_NUMBER if high is None else LONGEST_NUMBER
    total = head + has_sign + 8
    limit = 1 << 8 + has_sign  # a greater number has a bit set in the head

    def read(source: BitReader) -> object:
        bits = source.take(total)
        if bits >= limit:
            raise FlawError(UNEXPECTED)
        value = bits & 0xFF
        if value > 0x7F:
            value = source.rest_of_number(value, longest)
        if has_sign and bits & 0x100:
            value = -1 - value
        if (high is not None and value > high) or (low is not None and value < low):
            raise FlawError(f"{value} is not in {low}..{high}")
        if tail and source.take(1):
            raise FlawError(UNEXPECTED)
        return value

    return read


def _put_many(kind: Integer, before: Before) -> Put:
    low, high = kind.low, kind.high
    has_sign = low is None or low < 0
    width, tail = before.width + has_sign, before.tail
    lead = before.code << has_sign

    def put(stream: int, value: object) -> int:
        if value.__class__ is not int or not isinstance(value, int):
            raise UnfitError(f"{value!r} is no integer")
        if (low is not None and value < low) or (high is not None and value > high):
            raise UnfitError(f"{value!r} is not in {low}..{high}")
        stream = stream << width | lead
        if value < 0:
            stream |= 1
            value = -1 - value
        if value <= 0x7F:
            return (stream << 8 | value) << tail
        return put_octets(stream, number_octets(value)) << tail

    return put


def _read_long(kind: Text | Binary, name: str, head: int, tail: int) -> Read:
    shortest, longest = kind.shortest, kind.longest
    is_text = isinstance(kind, Text)

    def read(source: BitReader) -> object:
        bits = source.take(head)
        if bits:
            if bits != 1 or not tail or source.take(ESCAPE_BITS):
                raise FlawError(UNEXPECTED)
            return read_nothing(source, is_text=is_text)
        value = source.string(name) if is_text else source.octets(source.number())
        if longest is not None and len(value) > longest:
            raise FlawError(f"{len(value)} long, at most {longest} allowed")
        if len(value) < shortest:
            raise FlawError(f"{len(value)} long, at least {shortest} wanted")
        if tail and source.take(1):
            raise FlawError(UNEXPECTED)
        return value

    return read


def read_nothing(source: BitReader, *, is_text: bool) -> str | bytes:
    """Take the end of an element where its text should begin for an empty value."""
    source.notes.append(Tolerance.EMPTY_AS_END_ELEMENT)
    return "" if is_text else b""


def _put_text(kind: Text, before: Before) -> Put:
    shortest, longest = kind.shortest, kind.longest

    def put(stream: int, value: object) -> int:
        if not isinstance(value, str):
            raise UnfitError(f"{value!r} is no string")
        if longest is not None and len(value) > longest:
            raise UnfitError(f"{len(value)} characters, at most {longest} allowed")
        if len(value) < shortest:
            raise UnfitError(f"{len(value)} characters, at least {shortest} wanted")
        if any("\ud800" <= character <= "\udfff" for character in value):
            raise UnfitError("half a surrogate pair")
        return put_string(stream << before.width | before.code, value) << before.tail

    return put


def _put_binary(kind: Binary, before: Before) -> Put:
    shortest, longest = kind.shortest, kind.longest

    def put(stream: int, value: object) -> int:
        if not isinstance(value, bytes):
            raise UnfitError(f"{type(value).__name__} instead of bytes")
        if longest is not None and len(value) > longest:
            raise UnfitError(f"{len(value)} octets, at most {longest} allowed")
        if len(value) < shortest:
            raise UnfitError(f"{len(value)} octets, at least {shortest} wanted")
        stream = stream << before.width | before.code
        return put_octets(stream, number_octets(len(value)) + value) << before.tail

    return put
