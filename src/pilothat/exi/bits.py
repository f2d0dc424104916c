"""Reading and writing of bits, most significant first, nothing aligned.

How it works: the reader holds a window of the input as one integer and counts the bits
that are left in it; reading is a shift and a mask. The window is refilled piecewise, so
a long input costs linear time. The writer is the integer itself: it starts as the
header octet, whose top bit is one, so its bit length is the length of the stream, and
every writing function takes it and returns it longer. Numbers longer than a few octets
are first brought into octets and appended in one step.
"""

from __future__ import annotations

from enum import StrEnum

from pilothat.frozen import dataclass

WINDOW_BYTES = 128  # our choice: nearly every message of a session fits
LONGEST_NUMBER = 10  # groups of seven bits in a number of up to 64 bits
LONGEST_BIG_NUMBER = 40  # groups in an unbounded integer; 23 hold 20 octets


class Tolerance(StrEnum):
    """A form that others write and we only read."""

    TRAILING_OCTETS = "trailing-octets"
    NON_ZERO_FILL = "non-zero-fill"
    EMPTY_AS_END_ELEMENT = "empty-as-end-element"
    STRING_TABLE_HIT = "string-table-hit"
    OVER_LONG_INTEGER = "over-long-integer"
    TYPED_FRAGMENT = "typed-fragment"  # with the content of one type, not relaxed


class PathedError(Exception):
    """Gathers the names of the elements on the way out, innermost first."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.names: list[str] = []

    def path(self, root: str = "") -> str:
        """Return the path of the element from the root."""
        return "/".join(name for name in [root, *reversed(self.names)] if name)


class FlawError(PathedError):
    """The input cannot be decoded."""


class UnfitError(PathedError, ValueError):
    """A value cannot be encoded."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is read at most, whatever a schema allows. Our choice, all of it.

    Nesting needs no limit: no type of V2G holds itself, so the schema is the limit.

    octets: of a whole message; the largest legal ones we know are 20 kB
    entries: of one list
    length: characters of one string, octets of one binary
    """

    octets: int = 64 * 1024
    entries: int = 16 * 1024
    length: int = 32 * 1024


class BitReader:
    """Reads one stream; raises FlawError at its end."""

    __slots__ = (
        "_data",
        "_loaded",
        "_strings",
        "_table",
        "left",
        "limits",
        "most_entries",
        "notes",
        "value",
    )

    def __init__(self, data: bytes, limits: Limits | None = None) -> None:
        self.limits = limits or Limits()
        self.most_entries = self.limits.entries
        self._data = data
        self._loaded = min(len(data), WINDOW_BYTES)  # octets
        self.value = int.from_bytes(data[: self._loaded], "big")
        self.left = self._loaded * 8  # bits of the window not yet read
        self.notes: list[Tolerance] = []
        self._strings: list[str] = []  # every string so far
        self._table: dict[str, list[str]] = {}  # the same by element or attribute name

    @property
    def bit(self) -> int:
        """How many bits have been read."""
        return self._loaded * 8 - self.left

    @property
    def remaining(self) -> int:
        """How many bits are left."""
        return len(self._data) * 8 - self.bit

    def take(self, width: int) -> int:
        """Read ``width`` bits, at most 64."""
        left = self.left - width
        if left < 0:
            left = self._refill(width)
        self.left = left
        return self.value >> left & (1 << width) - 1

    def _refill(self, width: int) -> int:
        """Load more octets; return what will be left after reading ``width`` bits."""
        more = self._data[self._loaded : self._loaded + WINDOW_BYTES]
        kept = self.value & (1 << self.left) - 1
        self.value = kept << len(more) * 8 | int.from_bytes(more, "big")
        self.left += len(more) * 8
        self._loaded += len(more)
        if self.left < width:
            raise FlawError("the message is cut short")
        return self.left - width

    def octets(self, count: int) -> bytes:
        """Read octets, not aligned. Raises FlawError before it allocates."""
        if count * 8 > self.remaining:
            raise FlawError(f"{count} octets announced, {self.remaining // 8} left")
        self._check(count)
        if count * 8 <= self.left:
            self.left -= count * 8
            number = self.value >> self.left & (1 << count * 8) - 1
            return number.to_bytes(count, "big")
        start, skew = divmod(self.bit, 8)
        part = self._data[start : start + count + 1]
        number = int.from_bytes(part, "big") >> len(part) * 8 - skew - count * 8
        self._loaded = start + count
        self.value = self.left = 0
        if skew:
            self.value = part[count]
            self.left = 8 - skew
            self._loaded += 1
        return (number & (1 << count * 8) - 1).to_bytes(count, "big")

    def number(self, longest: int = LONGEST_NUMBER) -> int:
        """Read an unsigned integer of at most ``longest`` groups of seven bits."""
        octet = self.take(8)
        return octet if octet < 0x80 else self.rest_of_number(octet, longest)

    def rest_of_number(self, octet: int, longest: int = LONGEST_NUMBER) -> int:
        """Read what follows a first group that announces another."""
        value = octet & 0x7F
        for shift in range(7, longest * 7, 7):
            octet = self.take(8)
            value |= (octet & 0x7F) << shift
            if octet < 0x80:
                if octet == 0:
                    self.notes.append(Tolerance.OVER_LONG_INTEGER)
                return value
        raise FlawError(f"a number of more than {longest} groups")

    def string(self, name: str) -> str:
        """Read the string of the element or attribute ``name``."""
        number = self.number()
        if number < 2:
            table = self._strings if number else self._table.get(name, [])
            return self._known_string(table)
        text = self._new_string(number - 2)
        if text:
            self._strings.append(text)
            self._table.setdefault(name, []).append(text)
        return text

    def _known_string(self, table: list[str]) -> str:
        """Read an identifier of a string that came before."""
        index = self.take((len(table) - 1).bit_length()) if table else 0
        if index >= len(table):
            raise FlawError(f"string {index} of {len(table)} known")
        self.notes.append(Tolerance.STRING_TABLE_HIT)
        return table[index]

    def _check(self, length: int) -> None:
        if length > self.limits.length:
            raise FlawError(f"{length} long, at most {self.limits.length} allowed")

    def _new_string(self, count: int) -> str:
        if count * 8 > self.remaining:
            raise FlawError(f"{count} characters announced, {self.remaining // 8} left")
        self._check(count)
        mark = self.value, self.left, self._loaded
        raw = self.octets(count)
        if raw.isascii():
            return raw.decode("ascii")
        self.value, self.left, self._loaded = mark
        return "".join([self._character() for _ in range(count)])

    def _character(self) -> str:
        point = self.number()
        if point > 0x10FFFF or 0xD800 <= point <= 0xDFFF:
            raise FlawError(f"code point {point:#x} is no character")
        return chr(point)


def number_octets(value: int) -> bytes:
    """Return the octets of an unsigned integer, in the shortest form."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def put_octets(stream: int, octets: bytes) -> int:
    """Append octets."""
    return stream << len(octets) * 8 | int.from_bytes(octets, "big")


def put_string(stream: int, text: str) -> int:
    """Append a string, always in full."""
    if text.isascii():
        return put_octets(stream, number_octets(len(text) + 2) + text.encode("ascii"))
    points = b"".join([number_octets(ord(character)) for character in text])
    return put_octets(stream, number_octets(len(text) + 2) + points)


def join(stream: int, part: int) -> int:
    """Append a part that was begun as the single bit 1."""
    width = part.bit_length() - 1
    return stream << width | part ^ 1 << width
