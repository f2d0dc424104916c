"""Pieces as packets of a capture file: frames as they are, the rest in IPv6.

What a recording has lost, it gets anew: Ethernet, IPv6, UDP and TCP around it, with
made-up addresses, true sequence numbers and checksums. For people who like to look at
it in Wireshark.
"""

from __future__ import annotations

import struct

from pilothat.frozen import dataclass
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.v2g import tp

SDP_PORT = 15118
EV_PORT, EVSE_PORT = 50_000, 60_000  # of a connection; its number is added to the first
MACS = {
    Side.EV: bytes.fromhex("025a000000e1"),
    Side.EVSE: bytes.fromhex("025a000000e2"),
}
_IP = {side: bytes.fromhex("fe80") + bytes(8) + mac for side, mac in MACS.items()}
_ETHERTYPE = b"\x86\xdd"
_UDP, _TCP, _HOPS = 17, 6, 255
_FIN, _SYN, _PUSH, _ACK = 1, 2, 8, 16
_WINDOW = 65_535


@dataclass(frozen=True, slots=True)
class Way:
    """From where to where: a side, and both ports."""

    sender: Side
    source: int
    destination: int

    @property
    def receiver(self) -> Side:
        """Return the other side."""
        return Side.EVSE if self.sender is Side.EV else Side.EV


class Wrapper:
    """Make packets of pieces, one after the other."""

    def __init__(self) -> None:
        self._next: dict[tuple[int, Side], int] = {}  # sequence number of a direction

    def packets(self, piece: Piece) -> list[bytes]:
        """Return the Ethernet frames of a piece."""
        sender = piece.sender or Side.EV
        match piece.layer:
            case Layer.SLAC:
                return [piece.data]
            case Layer.SDP:
                is_asked = sender is Side.EV
                ports = (EV_PORT, SDP_PORT) if is_asked else (SDP_PORT, EV_PORT)
                payload = tp.pack(piece.payload_type, piece.data)
                return [_udp(Way(sender, *ports), payload)]
            case Layer.V2GTP:
                payload = tp.pack(piece.payload_type, piece.data)
                return [self._tcp(piece.stream, sender, _PUSH | _ACK, payload)]
            case Layer.TCP if piece.text == "opened":
                return self._shake_hands(piece.stream)
            case Layer.TCP:
                return [self._tcp(piece.stream, sender, _FIN | _ACK)]
        return []

    def _shake_hands(self, stream: int) -> list[bytes]:
        self._next[stream, Side.EV] = self._next[stream, Side.EVSE] = 0
        return [
            self._tcp(stream, Side.EV, _SYN),
            self._tcp(stream, Side.EVSE, _SYN | _ACK),
            self._tcp(stream, Side.EV, _ACK),
        ]

    def _tcp(
        self, stream: int, sender: Side, flags: int, payload: bytes = b""
    ) -> bytes:
        ports = EV_PORT + stream, EVSE_PORT
        way = Way(sender, *(ports if sender is Side.EV else ports[::-1]))
        sent = self._next.setdefault((stream, sender), 1)
        heard = self._next.setdefault((stream, way.receiver), 1)
        counted = len(payload) + bool(flags & (_SYN | _FIN))
        self._next[stream, sender] = sent + counted
        acknowledged = heard if flags & _ACK else 0
        head = struct.pack("!HHII", way.source, way.destination, sent, acknowledged)
        rest = struct.pack("!BBHHH", 5 << 4, flags, _WINDOW, 0, 0)
        return _packet(way, _TCP, head + rest + payload, 16)


def _udp(way: Way, payload: bytes) -> bytes:
    length = 8 + len(payload)
    head = struct.pack("!HHHH", way.source, way.destination, length, 0)
    return _packet(way, _UDP, head + payload, 6)


def _packet(way: Way, protocol: int, body: bytes, checksum_at: int) -> bytes:
    """Return a frame around a segment, whose checksum is filled in."""
    source, destination = _IP[way.sender], _IP[way.receiver]
    pseudo = source + destination + struct.pack("!II", len(body), protocol)
    checksum = struct.pack("!H", _checksum(pseudo + body))
    body = body[:checksum_at] + checksum + body[checksum_at + 2 :]
    head = struct.pack("!IHBB", 6 << 28, len(body), protocol, _HOPS)
    macs = MACS[way.receiver] + MACS[way.sender]
    return macs + _ETHERTYPE + head + source + destination + body


def _checksum(data: bytes) -> int:
    """Return the Internet checksum (RFC 1071)."""
    data += bytes(len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF or 0xFFFF
