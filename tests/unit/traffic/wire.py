"""A writer of capture files, and a whole charge of the twin's world to be put in them.

Written against the formats, not against our reader: agreeing with oneself is no proof.
"""

from __future__ import annotations

import io
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from tests.unit.service.stage import quick

from pilothat.service.demo import staged
from pilothat.traffic.ear import Ear, Told
from pilothat.traffic.piece import Piece
from pilothat.traffic.recorded import Left, recorded
from pilothat.v2g import tp

START_S = 1_700_000_000.0  # when the charge begins, since 1970
EV_MAC = bytes.fromhex("02ca00000001")
EVSE_MAC = bytes.fromhex("02e5e0000001")
EV_IP = bytes.fromhex("fe8000000000000000ca00fffe000001")
EVSE_IP = bytes.fromhex("fe8000000000000000e5e0fffe000001")
EV_PORT, EVSE_PORT, SDP_PORT = 50_000, 61_341, 15_118
IPV4, IPV6 = 0x0800, 0x86DD
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
ETHERNET, RAW, SLL, SLL2 = 1, 101, 113, 276


@dataclass(frozen=True)
class Shot:
    """A recorded packet. length: on the wire, if more than was recorded."""

    at_s: float
    raw: bytes
    length: int = 0


# --- packets


def ethernet(at_s: float, payload: bytes, *, from_ev: bool, kind: int = IPV6) -> Shot:
    source, target = (EV_MAC, EVSE_MAC) if from_ev else (EVSE_MAC, EV_MAC)
    return Shot(at_s, target + source + struct.pack(">H", kind) + payload)


def ipv6(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    head = struct.pack(">IHBB", 6 << 28, len(payload), protocol, 64)
    return head + source + target + payload


def ipv4(source: bytes, target: bytes, protocol: int, payload: bytes) -> bytes:
    length = 20 + len(payload)
    head = struct.pack(">BBHHHBBH", 0x45, 0, length, 1, 0x4000, 64, protocol, 0)
    return head + source + target + payload


def udp(from_port: int, to_port: int, payload: bytes) -> bytes:
    return struct.pack(">HHHH", from_port, to_port, 8 + len(payload), 0) + payload


def tcp(ports: tuple[int, int], seq: int, ack: int, flags: int, data: bytes) -> bytes:
    head = struct.pack(">HHIIBB", *ports, seq % 2**32, ack % 2**32, 5 << 4, flags)
    return head + struct.pack(">HHH", 0xFFFF, 0, 0) + data


@dataclass
class Connection:
    """A TCP connection between car and station, packet by packet."""

    ev_port: int = EV_PORT
    evse_port: int = EVSE_PORT
    ev_ip: bytes = EV_IP
    evse_ip: bytes = EVSE_IP
    seqs: dict[bool, int] = field(
        default_factory=lambda: {True: 1000, False: 2**32 - 40}
    )

    def shot(
        self, at_s: float, *, from_ev: bool, flags: int, data: bytes = b""
    ) -> Shot:
        ends = (self.ev_ip, self.evse_ip) if from_ev else (self.evse_ip, self.ev_ip)
        ports = (self.ev_port, self.evse_port)
        ports = ports if from_ev else (ports[1], ports[0])
        seq, ack = self.seqs[from_ev], self.seqs[not from_ev]
        self.seqs[from_ev] = seq + len(data) + bool(flags & (SYN | FIN))
        segment = tcp(ports, seq, ack, flags, data)
        is_old = len(self.ev_ip) == 4
        packet = (ipv4 if is_old else ipv6)(*ends, 6, segment)
        kind = IPV4 if is_old else IPV6
        return ethernet(at_s, packet, from_ev=from_ev, kind=kind)

    def opened(self, at_s: float) -> list[Shot]:
        return [
            self.shot(at_s, from_ev=True, flags=SYN),
            self.shot(at_s + 1e-4, from_ev=False, flags=SYN | ACK),
            self.shot(at_s + 2e-4, from_ev=True, flags=ACK),
        ]

    def said(
        self, at_s: float, data: bytes, *, from_ev: bool, most: int = 1400
    ) -> list[Shot]:
        """Say something in segments of so many octets; the other side acknowledges."""
        parts = [data[at : at + most] for at in range(0, len(data), most)]
        shots = [
            self.shot(at_s + n * 1e-5, from_ev=from_ev, flags=PSH | ACK, data=part)
            for n, part in enumerate(parts)
        ]
        return [*shots, self.shot(at_s + 1e-3, from_ev=not from_ev, flags=ACK)]

    def closed(self, at_s: float) -> list[Shot]:
        return [
            self.shot(at_s, from_ev=True, flags=FIN | ACK),
            self.shot(at_s + 1e-4, from_ev=False, flags=FIN | ACK),
            self.shot(at_s + 2e-4, from_ev=True, flags=ACK),
        ]


# --- the charge


@cache
def journal() -> Sequence[dict[str, object]]:
    """Return what the station of a short charge heard and said."""
    world, story = staged(quick(), seed=1, keeps_lines=True)
    assert world.run(lambda: story.is_over, 300.0)
    rows: list[dict[str, object]] = []
    for line in world.lines[1:]:
        entry = json.loads(line)
        for one in (entry["event"], *entry["actions"]):
            rows += [{"at": entry["at"], **one}] if one else []
    return rows


@cache
def messages() -> Sequence[tuple[bool, bytes]]:
    """Return the V2GTP messages of that charge: whether the car's, and octets."""
    kinds = {"TcpData": True, "TcpSend": False}
    return [
        (kinds[str(row["type"])], bytes.fromhex(str(row["data"])))
        for row in journal()
        if row["type"] in kinds
    ]


def charge(most: int = 1400, connection: Connection | None = None) -> list[Shot]:
    """Return the packets of that charge, in segments of so many octets."""
    talk = connection or Connection()
    shots: list[Shot] = []
    for row in journal():
        shots += _shots(row, START_S + float(str(row["at"])), talk, most)
    return shots


def _shots(
    row: dict[str, object], at_s: float, talk: Connection, most: int
) -> list[Shot]:
    match row:
        case {"type": "FrameIn" | "SendFrame", "frame": str(digits)}:
            return [Shot(at_s, bytes.fromhex(digits))]
        case {"type": "SdpIn" | "SdpOut" as kind, "payload": str(digits)}:
            return [discovery(at_s, bytes.fromhex(digits), from_ev=kind == "SdpIn")]
        case {"type": "TcpOpened"}:
            return talk.opened(at_s)
        case {"type": "TcpData" | "TcpSend" as kind, "data": str(digits)}:
            data = bytes.fromhex(digits)
            return talk.said(at_s, data, from_ev=kind == "TcpData", most=most)
        case {"type": "TcpClosed"}:
            return talk.closed(at_s)
    return []


def discovery(at_s: float, data: bytes, *, from_ev: bool) -> Shot:
    ends = (EV_IP, EVSE_IP) if from_ev else (EVSE_IP, EV_IP)
    ports = (40_000, SDP_PORT) if from_ev else (SDP_PORT, 40_000)
    return ethernet(at_s, ipv6(*ends, 17, udp(*ports, data)), from_ev=from_ev)


# --- the same in other wrappings


def tagged(shot: Shot, *tags: int) -> Shot:
    """Put VLAN tags into an Ethernet frame."""
    between = b"".join(struct.pack(">HH", tag, 5) for tag in tags)
    return replace(shot, raw=shot.raw[:12] + between + shot.raw[12:])


def cooked(shot: Shot) -> Shot:
    """Make LINKTYPE_LINUX_SLL of an Ethernet frame."""
    head = struct.pack(">HHH", 0, 1, 6) + shot.raw[6:12] + bytes(2)
    return replace(shot, raw=head + shot.raw[12:])


def cooked2(shot: Shot) -> Shot:
    """Make LINKTYPE_LINUX_SLL2 of an Ethernet frame."""
    head = shot.raw[12:14] + struct.pack(">HIHBB", 0, 3, 1, 0, 6)
    return replace(shot, raw=head + shot.raw[6:12] + bytes(2) + shot.raw[14:])


def bare(shot: Shot) -> Shot:
    """Make a bare IP packet of an Ethernet frame."""
    return replace(shot, raw=shot.raw[14:])


def snapped(shot: Shot, most: int) -> Shot:
    """Record so many octets only."""
    return Shot(shot.at_s, shot.raw[:most], len(shot.raw))


# --- files


def pcap(
    shots: Iterable[Shot], order: str = "<", *, is_nano: bool = False, link: int = 1
) -> bytes:
    magic, ticks = (0xA1B23C4D, 1e9) if is_nano else (0xA1B2C3D4, 1e6)
    parts = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, 262_144, link)]
    for shot in shots:
        seconds = int(shot.at_s)
        fraction = round((shot.at_s - seconds) * ticks)
        held, length = len(shot.raw), shot.length or len(shot.raw)
        parts.append(struct.pack(f"{order}IIII", seconds, fraction, held, length))
        parts.append(shot.raw)
    return b"".join(parts)


def block(order: str, kind: int, body: bytes) -> bytes:
    body += bytes(-len(body) % 4)
    length = struct.pack(f"{order}I", 12 + len(body))
    return struct.pack(f"{order}I", kind) + length + body + length


def section(order: str = "<") -> bytes:
    return block(order, 0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1))


def interface(order: str = "<", link: int = 1, options: bytes = b"") -> bytes:
    return block(order, 1, struct.pack(f"{order}HHI", link, 0, 0) + options)


def enhanced(
    shot: Shot, order: str = "<", number: int = 0, tick: float = 1e-6
) -> bytes:
    ticks = round(shot.at_s / tick)
    sizes = len(shot.raw), shot.length or len(shot.raw)
    head = struct.pack(f"{order}IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, *sizes)
    return block(order, 6, head + shot.raw)


def pcapng(shots: Iterable[Shot], order: str = "<", *, link: int = 1) -> bytes:
    statistics = block(order, 5, bytes(12))  # a block that nobody here reads
    packets = b"".join(enhanced(shot, order) for shot in shots)
    return section(order) + interface(order, link) + packets + statistics


# --- reading


def pieces_of(data: bytes, left: Left | None = None) -> list[Piece]:
    source = io.BufferedReader(io.BytesIO(data))
    return list(recorded(source, left or Left()).pieces)


def told_of(data: bytes, protocol: str | None = None) -> list[Told]:
    ear = Ear(protocol)
    return [ear.hear(piece) for piece in pieces_of(data)]


def spoken(data: bytes) -> list[tuple[bool, bytes]]:
    """Return the V2GTP messages of a file, in the form of ``messages``."""
    pieces = [told.piece for told in told_of(data)]
    return [
        (piece.sender == "ev", tp.pack(piece.payload_type, piece.data))
        for piece in pieces
        if piece.layer == "v2gtp" and not piece.flaw
    ]


def flaws(data: bytes) -> list[str]:
    return [piece.flaw for piece in pieces_of(data) if piece.flaw]
