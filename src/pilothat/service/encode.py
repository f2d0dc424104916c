"""Turn JSON into EXI or V2GTP, printed as hex.

    pilothat decode 80400040 | pilothat encode
    pilothat encode --protocol din --v2gtp message.json

The input is a file or - (standard input) with one message or many, one after the
other, in the form `pilothat decode` prints: one key, the root element; elements by
their wire names; octets in hex. Without --protocol the root element tells the grammar.
Exit code 1 if anything could not be encoded.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping

from pilothat.errors import PilotHatError
from pilothat.service.decode import STDIN, complain, read
from pilothat.v2g.messages import SCHEMAS, codec
from pilothat.v2g.tp import PayloadType, pack


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


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    is_good = True
    for where, found in _values(read(options.input), options.input):
        try:
            exi = encoded(found, options.protocol)
        except (ValueError, RecursionError) as error:
            is_good = False
            complain(where, str(error))
            continue
        octets = pack(PayloadType.EXI, exi) if options.v2gtp else exi
        sys.stdout.write(octets.hex() + "\n")
    sys.stdout.flush()
    return 0 if is_good else 1


def encoded(found: object, protocol: str | None) -> bytes:
    """Return the octets of a message in neutral JSON. Raises ValueError."""
    match found:
        case dict():
            chosen = codec(protocol or _protocol_of(found))
            return chosen.encode(chosen.from_json(found))
        case _:
            raise ValueError("a message is an object with one key, its root element")


def _protocol_of(found: Mapping[str, object]) -> str:
    """Return the first protocol that has the root element."""
    for protocol in SCHEMAS:
        if any(list(found) == [root.name] for root in codec(protocol).grammar.roots):
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
    while rest := text[at:].lstrip():
        start = len(text) - len(rest)
        line += text.count("\n", at, start)
        where = f"line {line + 1}"
        try:
            value, at = decoder.raw_decode(text, start)
        except (ValueError, RecursionError) as error:
            reason = getattr(error, "msg", str(error))
            raise PilotHatError(f"no JSON ({reason})", where=where) from error
        line += text.count("\n", start, at)
        yield where, value
