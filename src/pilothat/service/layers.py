"""Frames as scapy shows them: layer by layer, or one line each.

Scapy is imported when somebody asks for it, never before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import count
from typing import TYPE_CHECKING

from pilothat.errors import PilotHatError
from pilothat.service.console import complain, printable
from pilothat.traffic.capture import CaptureReader, Packet, is_capture
from pilothat.traffic.pcapng import ETHERNET
from pilothat.traffic.recorded import Source, digits, next_line, peek

if TYPE_CHECKING:
    from scapy.packet import Packet as Layers

    Dissect = Callable[[int, bytes], Layers]

_PADDING = " / Padding"


def dissector(option: str) -> Dissect:
    """Return what makes layers of a packet, given its link type and its octets.

    option: who asks for it. Raises PilotHatError where scapy is missing.
    """
    try:
        from pilothat.traffic.scapylayers import (  # noqa: PLC0415 (big, slow to import)
            dissected,
        )
    except ImportError as error:
        raise PilotHatError(
            f"scapy cannot be used ({error})",
            where=option,
            remedy="Install it: pip install 'scapy>=2.5'",
        ) from error
    return dissected


def summary(dissect: Dissect, raw: bytes) -> str:
    """Return one line about an Ethernet frame."""
    return printable(dissect(ETHERNET, raw).summary().removesuffix(_PADDING))


class HexFrames:
    """Ethernet frames in hex, one a line, read like a capture file."""

    def __init__(self, source: Source) -> None:
        self.broken = ""
        self._source = source

    def __iter__(self) -> Iterator[Packet]:
        for number in count(1):
            found = next_line(self._source)
            if isinstance(found, str) or not found:
                self.broken = str(found or "")
                return
            try:
                data = bytes.fromhex(digits(found.decode(errors="replace")))
            except ValueError:
                self.broken = f"neither a capture nor a frame in hex (line {number})"
                return
            if data:
                yield Packet(None, ETHERNET, data, len(data))


def show(source: Source, where: str) -> int:
    """Print all layers of all packets; return the exit code. where: the input."""
    dissect = dissector("--layers")
    packets = CaptureReader(source) if is_capture(peek(source)) else HexFrames(source)
    number, zero_s = 0, None
    try:
        for number, packet in enumerate(packets, 1):
            zero_s = packet.at_s if zero_s is None else zero_s
            told = f"packet {number}"
            if packet.at_s is not None and zero_s is not None:
                told += f"  {packet.at_s - zero_s:.6f} s"
            layers = dissect(packet.link, packet.data)
            sys.stdout.write(f"{told}\n{layers.show(dump=True)}\n")
            sys.stdout.flush()
    except KeyboardInterrupt:  # that is how one stops to listen
        complain("", "stopped")
    if packets.broken:
        complain(where, packets.broken)
    elif not number:
        raise PilotHatError("nothing there to decode", where=where)
    return 1 if packets.broken else 0
