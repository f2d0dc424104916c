"""Turn EXI or V2GTP into JSON.

    pilothat decode 809a02004080c1014181c211600040800001028488f800
    pilothat decode 01fe80010000000480400040        a V2GTP header is taken off
    pilothat decode session.jsonl                   a recorded session
    pilothat decode message.exi                     octets as they are
    tcpflow ... | pilothat decode -                 from standard input

The input is hex, a file or - (standard input). A file holds octets (EXI, or any number
of V2GTP messages), lines of hex, or lines of JSON with "layer" and "hex" as recorded
sessions have them, of which all but the layer v2gtp is left out.

EXI does not say which grammar it is in. Without --protocol the handshake is told by
the number of its root element, which no other message has; what follows it is read as
the protocol that was agreed there, and a message that stands alone as din.

Prints one message a line, or indented on a terminal; `pilothat encode` reads both.
What only a tolerant reader accepts is noted on standard error.
Exit code 1 if anything could not be decoded.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import hexdigits
from typing import NamedTuple

from pilothat.errors import ConfigError, PilotHatError
from pilothat.exi.codec import ExiError, Tolerance
from pilothat.v2g.messages import SCHEMAS, codec
from pilothat.v2g.messages.sap import (
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)
from pilothat.v2g.secc.handshake import DIN
from pilothat.v2g.tp import HEADER, VERSION, PayloadType, Reader

HANDSHAKE = "app"
STDIN = "-"
MOST_SHOWN = 400  # characters of a complaint: it may quote what it complains about
_V2G_LAYER = "v2gtp"
_SEPARATORS = str.maketrans("", "", " \t:\r")


@dataclass(frozen=True, slots=True)
class Piece:
    """One EXI message, or the reason why there is none.

    where: line or number in the input; empty for one that stands alone
    """

    where: str
    exi: bytes = b""
    flaw: str = ""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "input", nargs="?", default=STDIN, metavar="HEX|FILE|-", help="(default: -)"
    )
    parser.add_argument(
        "--protocol",
        choices=sorted(SCHEMAS),
        help="grammar of the messages (default: follow the handshake, else din)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    skipped: Counter[str] = Counter()
    ear = Ear(options.protocol)
    done = [_decode(ear, piece) for piece in pieces(options.input, skipped)]
    for layer, count in skipped.items():
        complain("", f"note: {count} of layer {layer} left out")
    sys.stdout.flush()
    return 0 if all(done) else 1


def _decode(ear: Ear, piece: Piece) -> bool:
    """Print one message; tell whether there was one."""
    if piece.flaw:
        complain(piece.where, piece.flaw)
        return False
    try:
        heard = ear.hear(piece.exi)
    except ExiError as error:
        complain(piece.where, str(error))
        return False
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(heard.found, indent=indent) + "\n")
    if heard.notes:
        complain(piece.where, f"note: needed tolerance: {', '.join(heard.notes)}")
    return True


def complain(where: str, what: str) -> None:
    """Say on one line of standard error what is wrong, and where."""
    told = ": ".join(part for part in ("pilothat", where, what) if part)
    line = printable(told)
    if len(line) > MOST_SHOWN:
        line = line[:MOST_SHOWN] + "..."
    sys.stderr.write(line + "\n")


def printable(text: str) -> str:
    """Return a text on one line, without codes a terminal would obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class Heard(NamedTuple):
    """A message, as an object and as neutral JSON, and what reading it needed."""

    message: object
    found: Mapping[str, object]
    notes: Sequence[Tolerance]


class Ear:
    """Follow a conversation, to know the grammar of each message."""

    def __init__(self, protocol: str | None) -> None:
        self._fixed = protocol
        self._agreed = DIN.namespace
        self._offers: Mapping[int, str] = {}

    def hear(self, exi: bytes) -> Heard:
        """Return a message. Raises ExiError; PilotHatError if no more can be read."""
        if self._fixed is not None:
            return _read(self._fixed, exi)
        try:
            heard = _read(HANDSHAKE, exi)
        except ExiError as error:
            if error.path:  # it is a handshake, but a broken one
                raise
            return self._after_handshake(exi)
        self._follow(heard.message)
        return heard

    def _after_handshake(self, exi: bytes) -> Heard:
        if self._agreed != DIN.namespace:
            raise PilotHatError(
                f"the rest is in {self._agreed}, which is not spoken here",
                where="handshake",
                remedy="With --protocol it is read as another",
            )
        return _read(DIN.protocol, exi)

    def _follow(self, message: object) -> None:
        """Take note of what a handshake offers, and of what it agrees on."""
        match message:
            case SupportedAppProtocolReq(app_protocol=offers):
                self._offers = {one.schema_id: one.protocol_namespace for one in offers}
            case SupportedAppProtocolRes(schema_id=int(schema_id)):
                self._agreed = self._offers.get(schema_id, DIN.namespace)


def _read(protocol: str, exi: bytes) -> Heard:
    grammar = codec(protocol)
    message, notes = grammar.decode_with_notes(exi)
    return Heard(message, grammar.to_json(message), notes)


# --- input


def pieces(source: str, skipped: Counter[str]) -> Iterator[Piece]:
    """Return the messages of hex, a file or standard input.

    skipped: takes the layers that are left out, and how often
    """
    digits = _digits(source)
    if digits and not digits.strip(hexdigits) and not Path(source).is_file():
        return _of_hex("", digits)
    data = read(source)
    if not data.strip():
        raise PilotHatError("nothing there to decode", where=source)
    try:
        text = data.decode()
    except UnicodeDecodeError:  # so starts every EXI and every V2GTP message
        return _of_octets("", data)
    return _of_lines(text, skipped)


def read(source: str) -> bytes:
    """Return what is in a file, or on standard input. Raises ConfigError."""
    try:
        if source == STDIN:
            return sys.stdin.buffer.read()
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        shown = source if len(source) < MOST_SHOWN else f"{source[:40]}..."
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError(
            f"neither hex nor a readable file ({reason})",
            where=repr(shown),
        ) from error


def _of_lines(text: str, skipped: Counter[str]) -> Iterator[Piece]:
    for number, line in enumerate(text.splitlines(), 1):
        where, content = f"line {number}", line.strip()
        if content.startswith("{"):
            yield from _of_record(where, content, skipped)
        elif content:
            yield from _of_hex(where, content)


def _of_record(where: str, line: str, skipped: Counter[str]) -> Iterator[Piece]:
    """Return the message of one line of a recorded session, if it holds one."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        yield Piece(where, flaw=f"no JSON ({error})")
        return
    layer, digits = record.get("layer"), record.get("hex")
    if layer == _V2G_LAYER:
        yield from _of_hex(where, digits if isinstance(digits, str) else "")
    elif isinstance(layer, str):
        skipped[layer] += 1
    elif digits is not None or not _is_header(record):
        yield Piece(where, flaw='no record of a session: "layer" is missing')


def _is_header(record: Mapping[str, object]) -> bool:
    """Tell whether a record is the head of a recorded session."""
    return "vehicle" in record or "protocol" in record


def _of_hex(where: str, text: str) -> Iterator[Piece]:
    try:
        data = bytes.fromhex(_digits(text))
    except ValueError:
        yield Piece(where, flaw="no hex: an even number of the digits 0-9 a-f is due")
        return
    yield from _of_octets(where, data)


def _digits(text: str) -> str:
    """Return hex without what people put around and between the digits."""
    return text.translate(_SEPARATORS).removeprefix("0x")


def _of_octets(where: str, data: bytes) -> Iterator[Piece]:
    if data[:1] != bytes((VERSION,)):
        yield Piece(where, data)
        return
    reader = Reader()
    rest = len(data)
    for number, frame in enumerate(reader.feed(data), 1):
        rest -= HEADER.size + len(frame.payload)
        at = where or f"message {number}"
        if frame.payload_type == PayloadType.EXI:
            yield Piece(at, frame.payload)
        else:
            kind = f"V2GTP payload type {frame.payload_type:#06x}"
            yield Piece(at, flaw=f"{kind}: only 0x8001 holds a message read here")
    if rest:
        why = reader.broken or f"the last {rest} octets are no whole message"
        yield Piece(where, flaw=f"V2GTP: {why}")
