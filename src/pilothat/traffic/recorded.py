"""Every kind of input becomes pieces: capture files, recorded sessions, hex, octets.

What kind it is shows in the first octets. All is read as it comes, so that an input
may be larger than the memory, or a pipe that is still being written.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import merge
from typing import Protocol

from pilothat.traffic.capture import CaptureReader, Packet, is_capture
from pilothat.traffic.dissect import Dissector
from pilothat.traffic.framing import Framer
from pilothat.traffic.journaled import Journal
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.v2g.tp import VERSION, Frame, PayloadType

MOST_LINE_BYTES = 1 << 20
MOST_EXI_BYTES = 1 << 17
_CHUNK_BYTES = 1 << 16
_SEPARATORS = str.maketrans("", "", " \t\r\n:")
_DISCOVERY = range(PayloadType.SDP_REQUEST, PayloadType.SDP_WIRELESS_RESPONSE + 1)
_SIDES: Mapping[object, Side] = {side.value: side for side in Side}
_LAYERS: Mapping[object, Layer] = {layer.value: layer for layer in Layer}
_READ_ERRORS = (OSError, EOFError, zlib.error)  # of a file, or of what unpacks it


class Source(Protocol):
    """A binary file that can be looked into, such as ``io.BufferedReader``."""

    def peek(self, count: int, /) -> bytes:
        """Return the next octets without taking them; none at the end."""

    def read(self, count: int, /) -> bytes:
        """Return so many octets; fewer only at the end."""

    def read1(self, count: int, /) -> bytes:
        """Return what is there; none only at the end."""

    def readline(self, count: int, /) -> bytes:
        """Return a line, or so many octets of it."""


@dataclass(slots=True)
class Left:
    """What was left out, for a word at the end. others: TCP without V2G."""

    others: int = 0
    cut: int = 0


@dataclass(frozen=True, slots=True)
class Recorded:
    """An input. pieces: in the order of time.

    is_talk: the pieces belong to conversations, in contrast to messages by themselves
    has_clock: their times count from 1970
    """

    pieces: Iterator[Piece]
    is_talk: bool
    has_clock: bool


def recorded(source: Source, left: Left) -> Recorded:
    """Return what is in a file or a pipe. left: takes what is left out."""
    head = peek(source)
    if is_capture(head):
        return Recorded(of_capture(source, left), is_talk=True, has_clock=True)
    if head[:1] == bytes((VERSION,)):
        return Recorded(_of_frames(source), is_talk=False, has_clock=False)
    if head and not _is_text(head):
        return Recorded(_of_exi(source), is_talk=False, has_clock=False)
    is_talk = head.lstrip()[:1] == b"{"
    return Recorded(_of_lines(source), is_talk, has_clock=False)


def of_hex(text: str, where: str = "") -> Iterator[Piece]:
    """Return the messages in hex, with or without V2GTP headers."""
    try:
        data = bytes.fromhex(digits(text))
    except ValueError:
        told = "no hex: an even number of the digits 0-9 a-f is due"
        yield Piece(where=where, flaw=told, is_alone=True)
        return
    if data[:1] != bytes((VERSION,)):
        yield Piece(data=data, where=where, is_alone=True)
        return
    framer = Framer()
    found = [*framer.feed(data), *framer.end()]
    for number, one in enumerate(found, 1):
        yield _alone(one, where or (f"message {number}" if len(found) > 1 else ""))


def digits(text: str) -> str:
    """Return hex without what people put around and between the digits."""
    return text.translate(_SEPARATORS).removeprefix("0x")


def of_capture(
    source: Source, left: Left, more: Iterable[Packet] = ()
) -> Iterator[Piece]:
    """Return what is in a capture file. more: packets of the same time, in order."""
    reader, dissector = CaptureReader(source), Dissector()
    for packet in merge(reader, more, key=lambda one: one.at_s or 0.0):
        yield from dissector.feed(packet)
    yield from dissector.close()
    left.others, left.cut = dissector.others, dissector.cut
    if reader.broken:
        yield Piece(where="file", flaw=reader.broken, is_alone=True)


def peek(source: Source) -> bytes:
    """Return how an input begins; nothing, if it cannot be read."""
    try:
        return source.peek(4)
    except _READ_ERRORS:
        return b""  # reading will say what is wrong


def _is_text(head: bytes) -> bool:
    return head.isascii() and all(c >= 0x20 or chr(c).isspace() for c in head[:64])


def _of_frames(source: Source) -> Iterator[Piece]:
    framer = Framer()
    number = 0
    data = b"-"
    while data:
        data = source.read1(_CHUNK_BYTES)
        for one in framer.feed(data) if data else framer.end():
            number += 1
            yield _alone(one, f"message {number}")


def _of_exi(source: Source) -> Iterator[Piece]:
    yield Piece(data=source.read(MOST_EXI_BYTES), is_alone=True)


def _alone(one: Frame | str, where: str) -> Piece:
    if isinstance(one, str):
        return Piece(where=where, flaw=f"V2GTP: {one}", is_alone=True)
    layer = Layer.SDP if one.payload_type in _DISCOVERY else Layer.V2GTP
    return Piece(
        layer=layer,
        payload_type=one.payload_type,
        data=one.payload,
        where=where,
        is_alone=True,
    )


def _of_lines(source: Source) -> Iterator[Piece]:
    number, journal = 0, Journal()
    while octets := next_line(source):
        if isinstance(octets, str):
            yield Piece(where="file", flaw=octets, is_alone=True)
            return
        number += 1
        where, line = f"line {number}", octets.decode(errors="replace").strip()
        if line.startswith("{"):
            yield from _of_record(where, line, journal)
        elif line:
            yield from of_hex(line, where)


def next_line(source: Source) -> bytes | str:
    """Return a line; a text says why there is none."""
    try:
        octets = source.readline(MOST_LINE_BYTES)
    except _READ_ERRORS as error:
        return f"cannot be read ({error})"
    is_long = len(octets) == MOST_LINE_BYTES and not octets.endswith(b"\n")
    return f"a line of more than {MOST_LINE_BYTES} octets" if is_long else octets


def _of_record(where: str, line: str, journal: Journal) -> Iterator[Piece]:
    """Return what one line of a recording holds; nothing for its head."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield Piece(where=where, flaw=f"no JSON ({error})", is_alone=True)
        return
    layer = _LAYERS.get(_text(record.get("layer")))
    if layer is not None:
        yield _record(where, layer, record)
    elif journal.is_entry(record):
        yield from journal.pieces(where, record)
    elif not _is_head(record):
        told = 'no record of a session: "layer" is missing'
        yield Piece(where=where, flaw=told, is_alone=True)


def _is_head(record: Mapping[str, object]) -> bool:
    has_title = "vehicle" in record or "protocol" in record
    return has_title and "hex" not in record


def _record(where: str, layer: Layer, record: Mapping[str, object]) -> Piece:
    kind, at_s = _text(record.get("payload_type")), record.get("t")
    sender = _SIDES.get(_text(record.get("from")))
    data, flaw = b"", ""
    try:
        data = bytes.fromhex(_text(record.get("hex")))
    except ValueError:
        flaw = "no hex: an even number of the digits 0-9 a-f is due"
    is_numbered = layer in (Layer.V2GTP, Layer.SDP)
    stream = record.get("stream", 1 if layer in (Layer.V2GTP, Layer.TCP) else 0)
    return Piece(
        layer=layer,
        at_s=float(at_s) if isinstance(at_s, int | float) else None,
        stream=stream if isinstance(stream, int) else 0,
        end=int(sender is Side.EVSE),
        sender=None if record.get("modem") is True else sender,
        payload_type=_number(kind, PayloadType.EXI) if is_numbered else 0,
        data=data,
        text="" if is_numbered else kind,
        where=where,
        flaw=flaw,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(text: str, otherwise: int) -> int:
    try:
        number = int(text, 16)
    except ValueError:
        return otherwise
    return number if 0 <= number <= 0xFFFF else otherwise
