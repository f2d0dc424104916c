"""Turn JSON into EXI or V2GTP, printed as hex.

    pilothat decode 80400040 | pilothat encode
    pilothat decode charge.pcap --json | pilothat encode --v2gtp --binary > talk.bin
    pilothat encode --protocol din --v2gtp message.json

The input is a file or - (standard input) with one message or many, one after the
other: either bare, with one key, the root element; or as `pilothat decode --json`
prints them, with "content", "protocol" and "payload_type". Elements stand by their wire
names, octets in hex. Without --protocol the line or else the root element tells the
grammar. With --fragment elements are encoded by themselves, as a signature covers them:

    pilothat decode --fragment --protocol xmldsig 808112... | pilothat encode --fragment

Exit code 1 if anything could not be encoded.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from pilothat.errors import PilotHatError
from pilothat.service.console import STDIN, complain, read
from pilothat.traffic.piece import Layer
from pilothat.v2g.messages import SCHEMAS, codec
from pilothat.v2g.tp import PayloadType, pack

_SPACE = re.compile(r"\s*")
_TYPES: Mapping[str, int] = {
    "iso20-common": PayloadType.COMMON,
    "iso20-ac": PayloadType.AC,
    "iso20-dc": PayloadType.DC,
    "iso20-acdp": PayloadType.ACDP,
    "iso20-wpt": PayloadType.WPT,
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "input", nargs="?", default=STDIN, metavar="FILE|-", help="(default: -)"
    )
    parser.add_argument(
        "--protocol",
        choices=sorted(SCHEMAS),
        help="grammar of the messages (default: what knows the root element)",
    )
    parser.add_argument(
        "--v2gtp", action="store_true", help="put the V2GTP header in front"
    )
    parser.add_argument(
        "--fragment", action="store_true", help="elements by themselves, not messages"
    )
    parser.add_argument(
        "--binary", action="store_true", help="write octets instead of lines of hex"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    is_good = True
    left_out = 0
    for where, found in _values(read(options.input), options.input):
        try:
            message = _message(found, options.protocol)
            if message is None:
                left_out += 1
                continue
            exi = encoded(message, is_fragment=options.fragment)
            octets = pack(message.payload_type, exi) if options.v2gtp else exi
        except (ValueError, RecursionError) as error:
            is_good = False
            complain(where, str(error))
            continue
        _put(octets, is_binary=options.binary)
    sys.stdout.flush()
    if left_out:
        complain("", f"note: {left_out} lines that hold no V2G message left out")
    return 0 if is_good else 1


class Message(NamedTuple):
    """What is to be encoded."""

    content: Mapping[str, object]
    protocol: str
    payload_type: int


def _message(found: object, protocol: str | None) -> Message | None:
    """Return the message in a JSON value; None for a line about something else.

    Raises ValueError if it is neither.
    """
    match found:
        case {"layer": Layer.V2GTP, "error": str(error)} if error:
            raise ValueError(f"could not be decoded: {error}")
        case {"layer": Layer.V2GTP, "content": dict(content), **rest}:
            chosen = protocol or str(rest.get("protocol", ""))
            kind = str(rest.get("payload_type", ""))
        case {"layer": Layer.V2GTP}:
            raise ValueError('"content" is no object')
        case {"layer": str()}:
            return None
        case dict(content):
            chosen, kind = protocol or "", ""
        case _:
            raise ValueError("a message is an object with one key, its root element")
    chosen = chosen if chosen in SCHEMAS else _protocol_of(content)
    usual = _TYPES.get(chosen, PayloadType.EXI)
    return Message(content, chosen, int(kind, 16) if kind else usual)


def encoded(message: Message, *, is_fragment: bool = False) -> bytes:
    """Return the octets of a message, or of an element alone. Raises ValueError."""
    chosen = codec(message.protocol)
    value = chosen.from_json(message.content)
    if is_fragment:
        return chosen.encode_fragment(value, next(iter(message.content)))
    return chosen.encode(value)


def _put(octets: bytes, *, is_binary: bool) -> None:
    if is_binary:
        sys.stdout.buffer.write(octets)
    else:
        sys.stdout.write(octets.hex() + "\n")


def _protocol_of(found: Mapping[str, object]) -> str:
    """Return the first protocol that has the root element."""
    for protocol in SCHEMAS:
        grammar = codec(protocol).grammar
        roots = (*grammar.roots, *grammar.fragments)
        if any(list(found) == [root.name] for root in roots):
            return protocol
    raise ValueError(f"{', '.join(found)}: no root element of any protocol")


def _values(data: bytes, source: str) -> Iterator[tuple[str, object]]:
    """Return the JSON values that stand one after the other, and their lines."""
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise PilotHatError(f"no text ({error.reason})", where=source) from error
    if not text.strip():
        raise PilotHatError("nothing there to encode", where=source)
    decoder = json.JSONDecoder()
    at = line = 0
    while (start := _start(text, at)) < len(text):
        line += text.count("\n", at, start)
        where = f"line {line + 1}"
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", str(error))
            raise PilotHatError(f"no JSON ({reason})", where=where) from error
        line += text.count("\n", start, at)
        yield where, value


def _start(text: str, at: int) -> int:
    """Return where the next value starts."""
    space = _SPACE.match(text, at)
    return space.end() if space else at
