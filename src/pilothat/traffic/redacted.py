"""Recordings that may be shown to strangers: no key, and nobody's name.

What is told of cars, contracts and the station itself is overwritten field by field and
written anew, so that every reader still reads it: network keys and long octets become
zeros, names become X, and each MAC another one, the same throughout. What cannot be
read, and so not be judged, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any

from pilothat.exi.codec import ExiError
from pilothat.homeplug import frame as homeplug
from pilothat.traffic.ear import Ear, Told
from pilothat.traffic.piece import Layer, Piece
from pilothat.v2g import sdp
from pilothat.v2g.messages import codec

MAC_BYTES = 6
LONGEST_KEPT = 8  # octets of a field: session IDs; longer are keys, chains, signatures
NAMES = frozenset(
    {"emaid", "contract_id", "evse_id", "evcc_id", "meter_id", "x509_issuer_name"}
)
KEYS = frozenset({"nmk"})
SHOWN_ADDRESS = bytes.fromhex("fe80") + bytes(13) + b"\x01"
_MAC = re.compile(r"(?:[0-9a-f]{2}:){5}[0-9a-f]{2}")
_LOCAL = 0x02  # bit of a MAC that nobody has assigned
_FIRST = 0x5A


class Redactor:
    """Overwrite pieces, one after the other."""

    def __init__(self) -> None:
        self._macs: dict[bytes, bytes] = {}

    def piece(self, told: Told) -> Piece | None:
        """Return what may be shown of a piece; None for nothing."""
        piece = told.piece
        if piece.layer is Layer.TCP:
            return piece
        if told.error or piece.flaw:
            return None
        match piece.layer:
            case Layer.SLAC:
                return self._frame(piece)
            case Layer.SDP:
                return replace(piece, data=_datagram(told, piece))
            case Layer.V2GTP:
                return self._message(told, piece)
        return None

    def mac(self, mac: bytes) -> bytes:
        """Return the MAC that stands for one; groups stay what they are."""
        if mac[0] & 1 or not any(mac):
            return mac
        number = len(self._macs) + 1
        shown = bytes((_LOCAL, _FIRST, 0, 0, number >> 8 & 0xFF, number & 0xFF))
        return self._macs.setdefault(mac, shown)

    def text(self, text: str) -> str:
        """Return a line of the log with other MACs in it."""

        def other(found: re.Match[str]) -> str:
            return self.mac(bytes.fromhex(found[0].replace(":", ""))).hex(":")

        return _MAC.sub(other, text)

    def value(self, value: Any, name: str = "") -> Any:
        """Return a value of a message with all that is private overwritten.

        name: of the field it stands in; what stands in a private one is private, too
        """
        if is_dataclass(value) and not isinstance(value, type | Enum):
            inner = name if name in NAMES else ""
            made = {
                one.name: self.value(getattr(value, one.name), inner or one.name)
                for one in fields(value)
            }
            return type(value)(**made)
        if isinstance(value, tuple | list):
            return type(value)(self.value(one, name) for one in value)
        if isinstance(value, bytes):
            return self._octets(value, name)
        if isinstance(value, str) and name in NAMES:
            return "".join("X" if c.isalnum() else c for c in value)
        return value

    def _octets(self, value: bytes, name: str) -> bytes:
        if len(value) == MAC_BYTES and name not in KEYS:
            return self.mac(value)
        is_private = name in NAMES or name in KEYS or len(value) > LONGEST_KEPT
        return bytes(len(value)) if is_private else value

    def _frame(self, piece: Piece) -> Piece | None:
        heard = homeplug.parse(piece.data)
        if heard is None:
            return None
        mme = self.value(heard.mme)
        ends = self.mac(heard.destination), self.mac(heard.source)
        return replace(piece, data=homeplug.build(*ends, mme))

    def _message(self, told: Told, piece: Piece) -> Piece | None:
        grammar = codec(told.protocol)
        try:
            message = self.value(grammar.decode(piece.data))
            return replace(piece, data=grammar.encode(message))
        except ExiError:
            return None


def _datagram(told: Told, piece: Piece) -> bytes:
    """Return the payload of a datagram without the address in it."""
    if isinstance(told.value, sdp.SdpResponse):
        return SHOWN_ADDRESS + piece.data[len(SHOWN_ADDRESS) :]
    return piece.data


def redacted(pieces: Iterator[Piece], redactor: Redactor) -> Iterator[Piece]:
    """Yield what may be shown of pieces, in their order."""
    ear = Ear(None, hears_fragments=False)
    for piece in pieces:
        shown = redactor.piece(ear.hear(piece))
        if shown is not None:
            yield shown
