r"""Decode charging traffic: a capture, a recorded session, or a message in hex.

    pilothat decode charge.pcap                    what was said, one line a message
    tcpdump -i eth1 -U -w - | pilothat decode -    the same while it happens
    pilothat decode charge.pcapng --tree           all of every message
    pilothat decode charge.pcap --json | jq .      for programs, one object a line
    pilothat decode charge.pcap --plot charge.png  voltage, current, SoC over time
    pilothat decode charge.pcap --keylog keys.txt  TLS, decrypted by tshark
    pilothat decode charge.pcap --layers           every frame, layer by layer (scapy)
    pilothat decode 809a02004080c1014181c211600040800001028488f800
    pilothat decode 0x01fe8001... | pilothat encode

The input is hex, a file or - (standard input), told apart by how it begins:

  pcap, pcapng     HomePlug messages (SLAC), discovery, and V2GTP in TCP, put in order
                   again; Ethernet, VLAN, Linux cooked, bare IP; also packed by gzip
  lines of JSON    recorded sessions, a station's journal, or what --json prints
  lines of hex     with or without V2GTP header, blanks, colons, 0x
  octets           V2GTP messages one after the other, or one EXI message

With --layers every packet of a capture is shown, field by field; hex is then a whole
Ethernet frame, one a line.

Without --protocol the handshake decides how messages are read, and for ISO 15118-20
the payload type. Where the handshake was not recorded, the number of the root element
tells DIN SPEC 70121 from ISO 15118-2, and a note says so.

A ! marks what stands out: a response code that is no OK, a status that is not ready,
an error of the car, a message that cannot be read. Messages by themselves, without
time and ends, are printed as bare JSON, which `pilothat encode` turns back, unless
another form is asked for.

Exit code 0 if all could be read, 1 if not, 2 for wrong usage.
"""

from __future__ import annotations

import argparse
import gzip
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from io import BufferedReader, BytesIO, RawIOBase
from pathlib import Path
from string import hexdigits
from typing import cast

from pilothat.errors import ConfigError, PilotHatError
from pilothat.service import layers, plot, tshark
from pilothat.service.console import (
    MOST_SHOWN,
    STDIN,
    complain,
    has_colour,
    printable,
    read,
    unreadable,
)
from pilothat.service.forms import FORMS, Form, Style
from pilothat.traffic.ear import Ear
from pilothat.traffic.piece import Layer, Piece
from pilothat.traffic.recorded import (
    Left,
    Recorded,
    Source,
    digits,
    of_capture,
    of_hex,
    recorded,
)
from pilothat.traffic.trace import Trace
from pilothat.v2g.messages import SCHEMAS

__all__ = ["MOST_SHOWN", "STDIN", "complain", "printable", "read"]

_GZIP = b"\x1f\x8b"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "input", nargs="?", default=STDIN, metavar="HEX|FILE|-", help="(default: -)"
    )
    parser.add_argument(
        "--protocol",
        choices=sorted(SCHEMAS),
        help="grammar of the messages, whatever the handshake says",
    )
    parser.add_argument(
        "--fragment",
        action="store_true",
        help="messages by themselves are EXI fragments, of the grammar of --protocol",
    )
    _add_forms(parser)
    parser.add_argument(
        "--absolute", action="store_true", help="wall time (UTC), where recorded"
    )
    parser.add_argument(
        "--stream", type=int, metavar="N", help="this TCP connection only, from 1"
    )
    parser.add_argument(
        "--keylog", type=Path, metavar="FILE", help="TLS keys (SSLKEYLOGFILE)"
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="draw voltage, current and SoC over time: .png, .svg or .pdf",
    )


def _add_forms(parser: argparse.ArgumentParser) -> None:
    forms = parser.add_mutually_exclusive_group()
    for form, about in (
        ("line", "what matters, one line a message"),
        ("json", "everything, one JSON object a line"),
        ("tree", "everything, indented, with units"),
    ):
        forms.add_argument(
            f"--{form}", dest="form", action="store_const", const=form, help=about
        )
    forms.add_argument(
        "--layers",
        action="store_true",
        help="every frame as scapy shows it, field by field",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.layers:
        return _layers(options)
    if options.fragment and options.protocol is None:
        raise ConfigError("needs --protocol", where="--fragment")
    if options.plot is not None:
        plot.check(options.plot)
    left, trace = Left(), Trace()
    with ExitStack() as stack:
        found = _found(options, left, stack)
        form = _form(options, found)
        count, is_good = _show(options, found, form, trace)
    sys.stdout.flush()
    form.finish()
    _tell(left)
    if not count and not left.others and not found.is_talk:
        raise PilotHatError("nothing there to decode", where=options.input)
    if options.plot is not None:
        plot.draw(trace, options.plot, title=Path(options.input).name)
    return 0 if is_good else 1


def _layers(options: argparse.Namespace) -> int:
    for name in ("protocol", "fragment", "absolute", "stream", "keylog", "plot"):
        if getattr(options, name):
            raise ConfigError(f"does not go with --{name}", where="--layers")
    with ExitStack() as stack:
        text = _hex(options.input).encode()
        source: Source = BufferedReader(cast("RawIOBase", BytesIO(text)))
        if not text:
            source = _source(options.input, stack)
        return layers.show(source, options.input)


def _show(
    options: argparse.Namespace, found: Recorded, form: Form, trace: Trace
) -> tuple[int, bool]:
    """Print all messages; return how many, and whether all could be read."""
    ear = Ear(options.protocol, hears_fragments=options.fragment)
    count, is_good = 0, True
    try:
        for piece in found.pieces:
            told = ear.hear(_explained(piece, options.keylog))
            if options.stream not in (None, piece.stream):
                continue
            count += 1
            is_good = is_good and not told.error
            trace.add(told)
            form.show(told)
            if options.input == STDIN:
                sys.stdout.flush()
    except KeyboardInterrupt:  # that is how one stops to listen
        complain("", "stopped")
    return count, is_good


def _explained(piece: Piece, keylog: Path | None) -> Piece:
    """Say why TLS is not readable."""
    if piece.layer is not Layer.TLS:
        return piece
    if keylog is None:
        return replace(piece, text=f"{piece.text}, not readable without --keylog")
    why = "no key for it in the key log" if tshark.is_there() else "tshark is missing"
    return replace(piece, flaw=f"{piece.text}, not readable: {why}")


def _form(options: argparse.Namespace, found: Recorded) -> Form:
    chosen = options.form or ("line" if found.is_talk else "message")
    if options.absolute and not found.has_clock:
        complain("", "note: no wall time recorded, seconds are shown")
    style = Style(found.is_talk, options.absolute and found.has_clock, has_colour())
    return FORMS[chosen](style)


def _tell(left: Left) -> None:
    """Say what was left out."""
    if left.cut:
        complain("", f"note: {left.cut} packets were not recorded whole")
    if left.others:
        complain("", f"note: {left.others} TCP connections without V2G left out")


def _found(options: argparse.Namespace, left: Left, stack: ExitStack) -> Recorded:
    """Return what the input holds. Raises ConfigError."""
    text = _hex(options.input)
    if text:
        return Recorded(of_hex(text), is_talk=False, has_clock=False)
    opened = _source(options.input, stack)
    found = recorded(opened, left)
    if options.keylog is None:
        return found
    return replace(found, pieces=_with_keys(options, opened, left))


def _hex(given: str) -> str:
    """Return the digits, if the input is hex itself; else nothing."""
    text = digits(given)
    is_hex = not text.strip(hexdigits) and not _is_file(given)
    return text if is_hex else ""


def _source(name: str, stack: ExitStack) -> BufferedReader:
    """Return what is in a file or on standard input, unpacked. Raises ConfigError."""
    try:
        opened = _opened(name, stack)
        head = opened.peek(len(_GZIP))
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise unreadable(name, error) from error
    if head.startswith(_GZIP):
        packed = stack.enter_context(gzip.GzipFile(fileobj=opened))
        return BufferedReader(cast("RawIOBase", packed))
    return opened


def _with_keys(
    options: argparse.Namespace, source: Source, left: Left
) -> Iterator[Piece]:
    """Return the pieces of a capture, those that tshark decrypts among them."""
    path = Path(options.input)
    if options.input == STDIN or not path.is_file():
        raise ConfigError("needs a capture file", where="--keylog")
    if not options.keylog.is_file():
        raise ConfigError("no such file", where=str(options.keylog))
    if not tshark.is_there():
        complain("--keylog", f"tshark is missing. {tshark.INSTALL}")
        return of_capture(source, left)
    return of_capture(source, left, tshark.decrypted(path, options.keylog))


def _is_file(source: str) -> bool:
    try:
        return Path(source).is_file()
    except OSError:  # longer than a name may be
        return False


def _opened(source: str, stack: ExitStack) -> BufferedReader:
    if source != STDIN:
        return stack.enter_context(Path(source).open("rb"))
    octets = sys.stdin.buffer  # without its buffer, where it has one: see who waits
    return BufferedReader(cast("RawIOBase", getattr(octets, "raw", octets)))
