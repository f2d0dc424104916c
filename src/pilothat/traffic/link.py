"""From a recorded packet to what matters in it: a HomePlug frame, UDP, or TCP.

Ethernet with VLAN tags, the cooked forms of Linux, bare IP, and what tshark exports
of decrypted TLS. All else, and what is cut short before its header ends, is None.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from ipaddress import ip_address
from typing import NamedTuple

from pilothat.frozen import dataclass
from pilothat.homeplug.frame import ETHERTYPE as HOMEPLUG
from pilothat.traffic.capture import Packet

_IPV4, _IPV6 = 0x0800, 0x86DD
_VLANS = (0x8100, 0x88A8, 0x9100)
_MOST_TAGS = 4
_TCP, _UDP = 6, 17
_EXTENSIONS = (0, 43, 60)  # IPv6: hop by hop, routing, destination
_FRAGMENT = 44
_MOST_EXTENSIONS = 8
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10


class Endpoint(NamedTuple):
    """An address, 4 or 16 octets, and a port."""

    address: bytes
    port: int

    def __str__(self) -> str:
        host = ip_address(self.address)
        return f"[{host}]:{self.port}" if host.version == 6 else f"{host}:{self.port}"

    @property
    def is_link_local(self) -> bool:
        """Tell whether it is reached on the same link only."""
        return ip_address(self.address).is_link_local


@dataclass(frozen=True, slots=True)
class Homeplug:
    """A whole Ethernet frame, without VLAN tags."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class Datagram:
    """A UDP datagram."""

    source: Endpoint
    target: Endpoint
    data: bytes


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment. data: what was recorded of it, perhaps not all."""

    source: Endpoint
    target: Endpoint
    seq: int
    ack: int
    flags: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Clear:
    """Decrypted octets of a TLS connection, in order."""

    source: Endpoint
    target: Endpoint
    data: bytes


Found = Homeplug | Datagram | Segment | Clear


def find(packet: Packet) -> Found | None:
    """Return what matters in a packet; None if nothing does."""
    opener = _LINKS.get(packet.link)
    try:
        return None if opener is None else opener(packet.data)
    except (struct.error, IndexError):  # shorter than its own headers say
        return None


def _ethernet(raw: bytes) -> Found | None:
    (ethertype,) = struct.unpack_from(">H", raw, 12)
    return _network(ethertype, raw[14:], raw[:12])


def _cooked(raw: bytes) -> Found | None:
    """Open LINKTYPE_LINUX_SLL: the sender's MAC, but not the receiver's."""
    (ethertype,) = struct.unpack_from(">H", raw, 14)
    return _network(ethertype, raw[16:], bytes(6) + raw[6:12])


def _cooked2(raw: bytes) -> Found | None:
    (ethertype,) = struct.unpack_from(">H", raw)
    return _network(ethertype, raw[20:], bytes(6) + raw[12:18])


def _null(raw: bytes) -> Found | None:
    """Open a loopback of BSD: four octets of address family, in whatever order."""
    return _bare(raw[4:])


def _bare(raw: bytes) -> Found | None:
    return _network(_IPV4 if raw[0] >> 4 == 4 else _IPV6, raw, b"")


def _network(ethertype: int, raw: bytes, macs: bytes) -> Found | None:
    for _ in range(_MOST_TAGS):
        if ethertype not in _VLANS:
            break
        (ethertype,) = struct.unpack_from(">H", raw, 2)
        raw = raw[4:]
    match ethertype:
        case 0x88E1:
            return Homeplug(macs + HOMEPLUG.to_bytes(2, "big") + raw)
        case 0x0800:
            return _ipv4(raw)
        case 0x86DD:
            return _ipv6(raw)
    return None


def _ipv4(raw: bytes) -> Found | None:
    size, fragment = (raw[0] & 0xF) * 4, raw[6] & 0x3F | raw[7]
    (length,) = struct.unpack_from(">H", raw, 2)
    if fragment or size < 20:
        return None
    length = length or len(raw)  # 0: the network card has cut it up later
    return _transport(raw[9], raw[12:16], raw[16:20], raw[size:length])


def _ipv6(raw: bytes) -> Found | None:
    length, kind = struct.unpack_from(">HB", raw, 4)
    rest = raw[40 : 40 + length] if length else raw[40:]
    for _ in range(_MOST_EXTENSIONS):
        if kind not in _EXTENSIONS:
            break
        kind, rest = rest[0], rest[8 + rest[1] * 8 :]
    if kind == _FRAGMENT:
        (offset,) = struct.unpack_from(">H", rest, 2)
        if offset & 0xFFF9:  # a part of something longer
            return None
        kind, rest = rest[0], rest[8:]
    return _transport(kind, raw[8:24], raw[24:40], rest)


def _transport(
    kind: int, source: bytes, target: bytes, raw: bytes
) -> Datagram | Segment | None:
    if kind not in (_TCP, _UDP):
        return None
    from_port, to_port = struct.unpack_from(">HH", raw)
    ends = Endpoint(source, from_port), Endpoint(target, to_port)
    if kind == _UDP:
        (length,) = struct.unpack_from(">H", raw, 4)
        return Datagram(*ends, raw[8 : max(length, 8)])
    seq, ack, offset, flags = struct.unpack_from(">IIBB", raw, 4)
    return Segment(*ends, seq, ack, flags, raw[(offset >> 4) * 4 :])


_END_OF_TAGS, _IPV4_FROM, _IPV4_TO, _IPV6_FROM, _IPV6_TO = 0, 20, 21, 22, 23
_PORT_FROM, _PORT_TO = 25, 26


def _exported(raw: bytes) -> Clear | None:
    """Open LINKTYPE_WIRESHARK_UPPER_PDU: tags with both ends, then the octets."""
    tags: dict[int, bytes] = {}
    at = 0
    while True:
        tag, length = struct.unpack_from(">HH", raw, at)
        at += 4
        if tag == _END_OF_TAGS:
            break
        tags[tag] = raw[at : at + length]
        at += length
    source = tags.get(_IPV6_FROM) or tags.get(_IPV4_FROM)
    target = tags.get(_IPV6_TO) or tags.get(_IPV4_TO)
    ports = tags.get(_PORT_FROM, b""), tags.get(_PORT_TO, b"")
    if not source or not target or not all(ports):
        return None
    near, far = (int.from_bytes(port, "big") for port in ports)
    return Clear(Endpoint(source, near), Endpoint(target, far), raw[at:])


_LINKS: Mapping[int, Callable[[bytes], Found | None]] = {
    0: _null,
    1: _ethernet,
    12: _bare,
    14: _bare,
    101: _bare,
    108: _null,
    113: _cooked,
    228: _bare,
    229: _bare,
    252: _exported,
    276: _cooked2,
}
