"""V2GTP: the frame around every V2G message (ISO 15118-2, 7.8.3).

Eight octets of header, big endian, then the payload::

    01 FE | payload type, 2 octets | payload length, 4 octets | payload
"""

from __future__ import annotations

import struct
from enum import IntEnum

from pilothat.frozen import dataclass

VERSION = 0x01
INVERSE_VERSION = 0xFE
HEADER = struct.Struct(">BBHI")
MOST_PAYLOAD_BYTES = 8192 - HEADER.size  # our choice, as one stack in the field has it


class PayloadType(IntEnum):
    """What a payload is. 0xA000 and above belong to the makers."""

    EXI = 0x8001  # application handshake, and every message of DIN and ISO 15118-2
    COMMON = 0x8002  # ISO 15118-20 from here on
    AC = 0x8003
    DC = 0x8004
    ACDP = 0x8005
    WPT = 0x8006
    SCHEDULE_RENEGOTIATION = 0x8101
    METERING_CONFIRMATION = 0x8102
    ACDP_SYSTEM_STATUS = 0x8103
    PARKING_STATUS = 0x8104
    SDP_REQUEST = 0x9000  # UDP only, as all below
    SDP_RESPONSE = 0x9001
    SDP_WIRELESS_REQUEST = 0x9002
    SDP_WIRELESS_RESPONSE = 0x9003


@dataclass(frozen=True, slots=True)
class Frame:
    """One payload, of a known type or another: the receiver decides."""

    payload_type: int
    payload: bytes


def pack(payload_type: int, payload: bytes) -> bytes:
    """Return a payload with its header. Raises ValueError beyond the wire's ranges."""
    try:
        header = HEADER.pack(VERSION, INVERSE_VERSION, payload_type, len(payload))
    except struct.error as error:
        raise ValueError(f"payload type {payload_type}: {error}") from None
    return header + payload


class Reader:
    """Cuts a byte stream into frames.

    ``broken`` says why the stream cannot be followed any more; empty while it can.
    Holds at most one incomplete frame, never what a header merely announces.
    """

    def __init__(self, limit: int = MOST_PAYLOAD_BYTES) -> None:
        self.broken = ""
        self._limit = limit  # octets of payload
        self._held = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Take received octets; return the frames they complete."""
        if self.broken:
            return []
        self._held += data
        frames: list[Frame] = []
        start = 0
        while len(self._held) - start >= HEADER.size:
            _, _, payload_type, length = HEADER.unpack_from(self._held, start)
            self.broken = self._fault(start, length)
            end = start + HEADER.size + length
            if self.broken or end > len(self._held):
                break
            payload = bytes(self._held[start + HEADER.size : end])
            frames.append(Frame(payload_type, payload))
            start = end
        if self.broken:
            self._held.clear()
        del self._held[:start]
        return frames

    def _fault(self, start: int, length: int) -> str:
        version, inverse = self._held[start : start + 2]
        if (version, inverse) != (VERSION, INVERSE_VERSION):
            return f"version {version:02x} {inverse:02x} instead of 01 fe"
        if length > self._limit:
            return f"{length} octets announced, at most {self._limit} allowed"
        return ""
