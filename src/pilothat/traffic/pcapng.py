"""Write capture files (pcapng): packets of interfaces, and words beside them.

Pure: each call returns octets. Little endian, microseconds. What has no packet, such as
a change of the pilot, stands on an interface of its own as text (link type USER0), with
the same text as a comment, so that every reader of the format shows it.
"""

from __future__ import annotations

import struct

ETHERNET = 1
USER0 = 147  # link type without a meaning of its own
_SECTION, _INTERFACE, _PACKET = 0x0A0D0D0A, 1, 6
_ORDER = 0x1A2B3C4D
_END, _COMMENT, _NAME, _USER = 0, 1, 2, 4
_UNKNOWN_LENGTH = 0xFFFFFFFFFFFFFFFF


def section(program: str) -> bytes:
    """Return what a file begins with."""
    head = struct.pack("<IHHQ", _ORDER, 1, 0, _UNKNOWN_LENGTH)
    return _block(_SECTION, head + _options((_USER, program)))


def interface(link: int, name: str) -> bytes:
    """Return the next interface; they are counted from 0."""
    return _block(_INTERFACE, struct.pack("<HHI", link, 0, 0) + _options((_NAME, name)))


def packet(number: int, at_s: float, data: bytes, comment: str = "") -> bytes:
    """Return a packet of an interface. at_s: since 1970."""
    high, low = divmod(round(at_s * 1e6), 1 << 32)
    head = struct.pack("<IIIII", number, high, low, len(data), len(data))
    options = _options((_COMMENT, comment)) if comment else b""
    return _block(_PACKET, head + _padded(data) + options)


def _options(*given: tuple[int, str]) -> bytes:
    parts = [
        struct.pack("<HH", code, len(text.encode())) + _padded(text.encode())
        for code, text in given
    ]
    return b"".join(parts) + struct.pack("<HH", _END, 0)


def _block(kind: int, body: bytes) -> bytes:
    size = struct.pack("<I", len(body) + 12)
    return struct.pack("<I", kind) + size + body + size


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)
