"""Fields of a management message (MME), declared once and compiled to ``struct``.

An MME is a frozen dataclass whose annotations say where each field stands in the
Ethernet frame, counted from the destination MAC as the data sheets do::

    run_id: Annotated[bytes, octets(21, 8)]

``Layout`` turns the declaration into one ``struct.Struct`` with pad bytes for the
gaps; reading and writing both come from it. Numbers are little endian (HomePlug AV).
At most one field, the last, may vary in length: a ``Tail``.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import ClassVar, Protocol, get_type_hints, runtime_checkable

from pilothat.frozen import dataclass

MMV_AV_1_0 = 0  # vendor messages: no fragmentation info, the OUI comes first
MMV_AV_1_1 = 1  # everything SLAC needs
MMV_AV_2_0 = 2  # sent by some for CM_AMP_MAP and CM_NW_STATS
QUALCOMM_OUI = bytes.fromhex("00b052")


class Mme:
    """Base of all management messages; subclasses are frozen dataclasses.

    mmtype: the 16-bit message type.
    mmvs: header versions accepted when receiving; the first one is sent.
    operation: offset and value of the 16-bit number that tells apart messages which
        share one type; None where the type says it all.
    oui: whose message it is, where the header says that it is a vendor's.
    """

    __slots__ = ()
    mmtype: ClassVar[int]
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_1,)
    operation: ClassVar[tuple[int, int] | None] = None
    oui: ClassVar[bytes] = QUALCOMM_OUI


@dataclass(frozen=True, slots=True)
class At:
    """A field of fixed size: its offset in the frame and its ``struct`` code."""

    offset: int
    code: str


def u8(offset: int) -> At:
    """Declare one byte."""
    return At(offset, "B")


def u16(offset: int) -> At:
    """Declare a little-endian 16-bit number."""
    return At(offset, "H")


def u32(offset: int) -> At:
    """Declare a little-endian 32-bit number."""
    return At(offset, "I")


def octets(offset: int, length: int) -> At:
    """Declare a byte string of fixed length."""
    return At(offset, f"{length}s")


def text(offset: int, length: int) -> At:
    """Declare a length byte followed by a field of ``length`` bytes of text."""
    return At(offset, f"{length + 1}p")


@runtime_checkable
class Tail(Protocol):
    """A last field whose length stands in the frame."""

    @property
    def offset(self) -> int:
        """Return where the field starts, with its count."""

    def read(self, raw: bytes) -> object:
        """Return the value; None when the frame is too short for it."""

    def write(self, value: object) -> bytes:
        """Return the bytes from ``offset`` on."""


@dataclass(frozen=True, slots=True)
class CountedBytes:
    """A count byte, ``gap`` reserved bytes, then one byte for each number."""

    offset: int
    gap: int

    def read(self, raw: bytes) -> tuple[int, ...] | None:
        if len(raw) <= self.offset:
            return None
        start = self.offset + 1 + self.gap
        end = start + raw[self.offset]
        return tuple(raw[start:end]) if end <= len(raw) else None

    def write(self, value: object) -> bytes:
        if not isinstance(value, tuple):
            raise TypeError(f"{value!r} is no tuple of numbers")
        return bytes((len(value), *bytes(self.gap), *value))


@dataclass(frozen=True, slots=True)
class CountedRecords:
    """A count byte, ``gap`` reserved bytes, then records of one ``struct`` format."""

    offset: int
    record: struct.Struct
    make: Callable[..., tuple[object, ...]]
    gap: int = 0

    def read(self, raw: bytes) -> tuple[object, ...] | None:
        if len(raw) <= self.offset:
            return None
        start = self.offset + 1 + self.gap
        end = start + raw[self.offset] * self.record.size
        if end > len(raw):
            return None
        rows = self.record.iter_unpack(raw[start:end])
        return tuple(self.make(*row) for row in rows)

    def write(self, value: object) -> bytes:
        if not isinstance(value, tuple):
            raise TypeError(f"{value!r} is no tuple of records")
        rows = (self.record.pack(*row) for row in value)
        return bytes((len(value), *bytes(self.gap))) + b"".join(rows)


@dataclass(frozen=True, slots=True)
class Nibbles:
    """Packed numbers of 4 bits, as many as the 16-bit number in front says."""

    offset: int

    def read(self, raw: bytes) -> bytes | None:
        count = int.from_bytes(raw[self.offset - 2 : self.offset], "little")
        end = self.offset + (count + 1) // 2
        return raw[self.offset : end] if end <= len(raw) else None

    def write(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"{value!r} is no byte string")
        return value


@dataclass(frozen=True, slots=True)
class Block:
    """A byte string whose 16-bit length stands at ``count_at``, filled up to ``field``.

    field: bytes sent even for a shorter block.
    """

    offset: int
    count_at: int
    field: int = 0

    def read(self, raw: bytes) -> bytes | None:
        count = int.from_bytes(raw[self.count_at : self.count_at + 2], "little")
        end = self.offset + count
        return raw[self.offset : end] if end <= len(raw) else None

    def write(self, value: object) -> bytes:
        if not isinstance(value, bytes):
            raise TypeError(f"{value!r} is no byte string")
        return value.ljust(self.field, b"\0")


class Layout:
    """Where the fields of one MME stand; reads and writes its body."""

    def __init__(self, kind: type[Mme], body: int) -> None:
        """Compile the declaration of ``kind``, whose body starts at offset ``body``.

        Raises TypeError for fields that overlap or carry no place: our own bug.
        """
        self.kind = kind
        self._make: Callable[..., Mme] = kind
        self._body = body
        self._tail: tuple[str, Tail] | None = None
        found = places(kind)
        names, code, end = [], "<", body
        for name, place in sorted(found.items(), key=lambda item: item[1].offset):
            gap = place.offset - end
            if gap < 0 or self._tail is not None:
                raise TypeError(f"{kind.__name__}.{name} overlaps its neighbour")
            if isinstance(place, At):
                code += f"{gap}x{place.code}"
                end = place.offset + struct.calcsize("<" + place.code)
                names.append(name)
            else:
                code, end = code + f"{gap}x", place.offset
                self._tail = (name, place)
        self._names = tuple(names)
        self._struct = struct.Struct(code)
        self.size = end

    def read(self, raw: bytes) -> Mme | None:
        """Return the message in a frame; None when too short, or another operation."""
        if len(raw) < self.size:
            return None
        if self.kind.operation is not None:
            offset, code = self.kind.operation
            if int.from_bytes(raw[offset : offset + 2], "little") != code:
                return None
        numbers = self._struct.unpack_from(raw, self._body)
        values = dict(zip(self._names, numbers, strict=True))
        if self._tail is not None:
            name, tail = self._tail
            value = tail.read(raw)
            if value is None:
                return None
            values[name] = value
        return self._make(**values)

    def write(self, mme: Mme) -> bytes:
        """Return the body of a message, unpadded."""
        head = self._struct.pack(*(getattr(mme, name) for name in self._names))
        if self._tail is None:
            return head
        name, tail = self._tail
        return head + tail.write(getattr(mme, name))


def places(kind: type[Mme]) -> dict[str, At | Tail]:
    """Return where each field of a message stands. Raises TypeError: our own bug."""
    hints = get_type_hints(kind, include_extras=True)
    if not is_dataclass(kind):
        raise TypeError(f"{kind.__name__} is no dataclass")
    found: dict[str, At | Tail] = {}
    for field in fields(kind):
        (place,) = getattr(hints[field.name], "__metadata__", (None,))
        if not isinstance(place, At | Tail):
            raise TypeError(f"{kind.__name__}.{field.name} has no place in the frame")
        found[field.name] = place
    return found
