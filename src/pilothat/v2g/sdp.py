"""SDP, the SECC discovery protocol: two UDP datagrams (ISO 15118-2, 7.10.1).

The EV asks ``ff02::1``, port 15118, for security and transport; the SECC answers with
address and port. Whether it answers at all is for the station to decide.
"""

from __future__ import annotations

import struct
from enum import IntEnum

from pilothat.frozen import dataclass
from pilothat.v2g import tp

PORT = 15118
MULTICAST_GROUP = "ff02::1"
TCP_PORTS = range(49152, 65536)  # where the SECC may listen

_REQUEST = struct.Struct(">BB")
_RESPONSE = struct.Struct(">16sHBB")


class Security(IntEnum):
    TLS = 0x00
    NONE = 0x10


class Transport(IntEnum):
    TCP = 0x00
    UDP = 0x10  # reserved, never answered


_SECURITIES = frozenset(Security)
_TRANSPORTS = frozenset(Transport)


@dataclass(frozen=True, slots=True)
class SdpRequest:
    """What the EV asks for."""

    security: Security
    transport: Transport = Transport.TCP

    @property
    def tls(self) -> bool:
        """Whether the EV wants TLS."""
        return self.security is Security.TLS


@dataclass(frozen=True, slots=True)
class SdpResponse:
    """Where the SECC listens, and how. The address is 16 octets."""

    address: bytes
    port: int
    security: Security
    transport: Transport = Transport.TCP

    @property
    def tls(self) -> bool:
        """Whether the port speaks TLS."""
        return self.security is Security.TLS


def build_request(security: Security, transport: Transport = Transport.TCP) -> bytes:
    """Return the datagram of the EV."""
    return tp.pack(tp.PayloadType.SDP_REQUEST, _REQUEST.pack(security, transport))


def parse_request(datagram: bytes) -> SdpRequest | None:
    """Return what an EV asks for; None for anything that is no request."""
    payload = _payload(datagram, tp.PayloadType.SDP_REQUEST, _REQUEST.size)
    if payload is None:
        return None
    security, transport = _REQUEST.unpack(payload)
    if security not in _SECURITIES or transport not in _TRANSPORTS:
        return None
    return SdpRequest(Security(security), Transport(transport))


def build_response(address: bytes, port: int, security: Security) -> bytes:
    """Return the datagram of the SECC. address: 16 octets. TCP always."""
    if len(address) != 16:
        raise ValueError(f"{len(address)} octets are no IPv6 address")
    if not 0 < port <= 0xFFFF:
        raise ValueError(f"{port} is no TCP port")
    payload = _RESPONSE.pack(address, port, security, Transport.TCP)
    return tp.pack(tp.PayloadType.SDP_RESPONSE, payload)


def parse_response(datagram: bytes) -> SdpResponse | None:
    """Return where the SECC listens; None for anything that is no response."""
    payload = _payload(datagram, tp.PayloadType.SDP_RESPONSE, _RESPONSE.size)
    if payload is None:
        return None
    address, port, security, transport = _RESPONSE.unpack(payload)
    if security not in _SECURITIES or transport not in _TRANSPORTS or not port:
        return None
    return SdpResponse(address, port, Security(security), Transport(transport))


def _payload(datagram: bytes, payload_type: int, length: int) -> bytes | None:
    """Return the payload of a datagram that is exactly one frame of this form."""
    payload = datagram[tp.HEADER.size :]
    if len(payload) != length or datagram != tp.pack(payload_type, payload):
        return None
    return payload
