"""Capture files: pcap and pcapng become packets, one after the other.

Both byte orders, micro- and nanoseconds, several interfaces and sections. Nothing but
the packet at hand is held, so a file may be of any size, or a pipe that is still being
written. What is damaged ends the reading; ``broken`` then says where and why.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from pilothat.frozen import dataclass

MOST_PACKET_BYTES = 1 << 20  # our choice: four times the longest that tools record
MAGIC_BYTES = 4

_PCAP: Mapping[bytes, tuple[str, float]] = {  # byte order, seconds a tick
    bytes.fromhex("a1b2c3d4"): (">", 1e-6),
    bytes.fromhex("d4c3b2a1"): ("<", 1e-6),
    bytes.fromhex("a1b23c4d"): (">", 1e-9),
    bytes.fromhex("4d3cb2a1"): ("<", 1e-9),
}
_SECTION_HEADER = bytes.fromhex("0a0d0d0a")  # the same in both byte orders
_ORDERS: Mapping[bytes, str] = {
    bytes.fromhex("1a2b3c4d"): ">",
    bytes.fromhex("4d3c2b1a"): "<",
}
_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET = 1, 2, 3, 6  # types of blocks
_OPTION_END, _OPTION_RESOLUTION, _OPTION_OFFSET = 0, 9, 14
_LINK_BITS = 0xFFFF  # what is above tells of checksums
_SKIP_BYTES = 1 << 16


class Source(Protocol):
    """Octets one after the other, as a binary file gives them."""

    def read(self, count: int, /) -> bytes:
        """Return so many octets; fewer only at the end."""


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet. at_s: since 1970, None if not recorded; length: on the wire."""

    at_s: float | None
    link: int
    data: bytes
    length: int


@dataclass(frozen=True, slots=True)
class _Interface:
    link: int
    tick_s: float = 1e-6
    offset_s: int = 0


class _DamagedError(Exception):
    """The file cannot be followed any further."""


def is_capture(head: bytes) -> bool:
    """Tell whether a file begins like one that can be read here."""
    return head[:MAGIC_BYTES] in _PCAP or head[:MAGIC_BYTES] == _SECTION_HEADER


class CaptureReader:
    """Iterate over it once. ``broken``: why it ended early; empty if it did not."""

    def __init__(self, source: Source) -> None:
        self.broken = ""
        self._source = source
        self._at = 0  # octets read
        self._count = 0  # packets

    def __iter__(self) -> Iterator[Packet]:
        try:
            yield from self._packets()
        except _DamagedError as damage:
            self.broken = f"{damage} (packet {self._count + 1}, octet {self._at})"

    def _packets(self) -> Iterator[Packet]:
        magic = self._take(MAGIC_BYTES)
        if magic in _PCAP:
            yield from self._pcap(*_PCAP[magic])
        elif magic == _SECTION_HEADER:
            yield from self._pcapng()
        else:
            raise _DamagedError("no capture file: neither pcap nor pcapng")

    def _take(self, count: int) -> bytes:
        data = self._read(count)
        if len(data) < count:
            raise _DamagedError("the file is cut short")
        return data

    def _begins(self, count: int) -> bytes:
        """Return the first octets of a record; none at the end of the file."""
        data = self._read(count)
        if data and len(data) < count:
            raise _DamagedError("the file is cut short")
        return data

    def _read(self, count: int) -> bytes:
        try:
            data = self._source.read(count)
        except (OSError, EOFError, zlib.error) as error:  # of what unpacks it
            raise _DamagedError(f"the file cannot be read: {error}") from error
        self._at += len(data)
        return data

    def _pcap(self, order: str, tick_s: float) -> Iterator[Packet]:
        fields = struct.unpack(f"{order}HHiIII", self._take(20))
        link = fields[-1] & _LINK_BITS
        record = struct.Struct(f"{order}IIII")
        while head := self._begins(record.size):
            seconds, ticks, held, length = record.unpack(head)
            data = self._take(_sane(held))
            self._count += 1
            yield Packet(seconds + ticks * tick_s, link, data, max(length, held))

    def _pcapng(self) -> Iterator[Packet]:
        order = self._section()
        interfaces: list[_Interface] = []
        while kind_octets := self._begins(4):
            if kind_octets == _SECTION_HEADER:
                order, interfaces = self._section(), []
                continue
            (kind,) = struct.unpack(f"{order}I", kind_octets)
            (length,) = struct.unpack(f"{order}I", self._take(4))
            if length < 12 or length % 4:
                raise _DamagedError(f"a block of {length} octets")
            if kind not in (_INTERFACE, _OLD_PACKET, _SIMPLE_PACKET, _PACKET):
                self._skip(length - 8)
                continue
            body = self._take(_sane(length - 8))[:-4]
            if kind == _INTERFACE:
                interfaces.append(_interface(order, body))
            else:
                packet = _packet(order, kind, body, interfaces)
                self._count += 1
                yield packet

    def _section(self) -> str:
        """Read the rest of a section's header; return its byte order."""
        length_octets, magic = self._take(4), self._take(4)
        order = _ORDERS.get(magic)
        if order is None:
            raise _DamagedError("a section without byte order")
        (length,) = struct.unpack(f"{order}I", length_octets)
        if length < 28 or length % 4:
            raise _DamagedError(f"a section header of {length} octets")
        self._skip(length - 12)
        return order

    def _skip(self, count: int) -> None:
        while count > 0:
            count -= len(self._take(min(count, _SKIP_BYTES)))


def _sane(count: int) -> int:
    if count > MOST_PACKET_BYTES:
        raise _DamagedError(f"a packet of {count} octets")
    return count


def _interface(order: str, body: bytes) -> _Interface:
    if len(body) < 8:
        raise _DamagedError("an interface that is cut short")
    (link,) = struct.unpack_from(f"{order}H", body)
    tick_s, offset_s = 1e-6, 0
    at = 8
    while at + 4 <= len(body):
        code, length = struct.unpack_from(f"{order}HH", body, at)
        value = body[at + 4 : at + 4 + length]
        if code == _OPTION_END:
            break
        if code == _OPTION_RESOLUTION and len(value) == 1:
            base, power = (
                (2.0, value[0] & 0x7F) if value[0] & 0x80 else (10.0, value[0])
            )
            tick_s = base**-power
        if code == _OPTION_OFFSET and len(value) == 8:
            (offset_s,) = struct.unpack(f"{order}q", value)
        at += 4 + length + -length % 4
    return _Interface(link, tick_s, offset_s)


def _packet(order: str, kind: int, body: bytes, interfaces: list[_Interface]) -> Packet:
    if kind == _SIMPLE_PACKET:
        if len(body) < 4 or not interfaces:
            raise _DamagedError("a packet without interface")
        (length,) = struct.unpack_from(f"{order}I", body)
        return Packet(None, interfaces[0].link, body[4 : 4 + length], length)
    if len(body) < 20:
        raise _DamagedError("a packet that is cut short")
    number, high, low, held, length = struct.unpack_from(f"{order}IIIII", body)
    if kind == _OLD_PACKET:  # a 16-bit number, then a count of drops
        (number,) = struct.unpack_from(f"{order}H", body)
    if number >= len(interfaces) or held > len(body) - 20:
        raise _DamagedError("a packet that does not fit its block")
    interface = interfaces[number]
    at_s = (high << 32 | low) * interface.tick_s + interface.offset_s
    return Packet(at_s, interface.link, body[20 : 20 + held], max(length, held))
