"""Ethernet frames of type 0x88E1: bytes to messages and back.

``parse`` never raises: whatever is unknown, too short or not ours is None. Bytes
beyond the declared end are ignored, real cars leave rubbish there. The
fragmentation info is not looked at: no message used here is ever fragmented.
"""

from __future__ import annotations

import struct
from functools import lru_cache

from pilothat.frozen import dataclass
from pilothat.homeplug import cm, lumissil, qualcomm
from pilothat.homeplug.field import MMV_AV_1_0, Layout, Mme

ETHERTYPE = 0x88E1
BROADCAST_MAC = b"\xff" * 6
MIN_FRAME_BYTES = 60  # a shorter one is a runt, and one EV program drops it
_HEADER = struct.Struct("!6s6sHB")  # destination, source, EtherType, MMV
_TYPE = struct.Struct("<H")
_TYPE_OFFSET = 15
_KEPT = 32  # frames: hosts and modems ask each other the same for hours
_FMI = bytes(2)  # not fragmented
_BODY_OFFSET = 19  # with fragmentation info
_VENDOR_BODY_OFFSET = 20  # without, but with an OUI
_OUI_AT = slice(17, 20)


@dataclass(frozen=True, slots=True)
class Frame:
    """One received message and the MACs it travelled between."""

    destination: bytes
    source: bytes
    mme: Mme


def mac_text(mac: bytes) -> str:
    """Return a MAC as people write it."""
    return mac.hex(":")


@lru_cache(maxsize=_KEPT)
def parse(raw: bytes) -> Frame | None:
    """Return the message in an Ethernet frame; None for anything else."""
    if len(raw) < _BODY_OFFSET:
        return None
    destination, source, ethertype, mmv = _HEADER.unpack_from(raw)
    if ethertype != ETHERTYPE:
        return None
    (mmtype,) = _TYPE.unpack_from(raw, _TYPE_OFFSET)
    for kind in _BY_TYPE.get((mmv, mmtype), ()):
        if mmv == MMV_AV_1_0 and raw[_OUI_AT] != kind.oui:
            continue
        mme = _LAYOUTS[kind].read(raw)
        if mme is not None:
            return Frame(destination, source, mme)
    return None


@lru_cache(maxsize=_KEPT)
def build(destination: bytes, source: bytes, mme: Mme) -> bytes:
    """Return the Ethernet frame of a message, padded to 60 bytes."""
    kind = type(mme)
    mmv = kind.mmvs[0]
    head = _HEADER.pack(destination, source, ETHERTYPE, mmv)
    filler = kind.oui if mmv == MMV_AV_1_0 else _FMI
    body = _LAYOUTS[kind].write(mme)
    raw = head + _TYPE.pack(kind.mmtype) + filler + body
    return raw.ljust(MIN_FRAME_BYTES, b"\0")


class _Layouts(dict[type[Mme], Layout]):
    """The layouts of messages, each made when it is first met."""

    def __missing__(self, kind: type[Mme]) -> Layout:
        is_vendor = kind.mmvs[0] == MMV_AV_1_0
        layout = Layout(kind, _VENDOR_BODY_OFFSET if is_vendor else _BODY_OFFSET)
        self[kind] = layout
        return layout


def _by_type() -> dict[tuple[int, int], tuple[type[Mme], ...]]:
    """Return the messages of each type; more than one where operations share it."""
    found: dict[tuple[int, int], tuple[type[Mme], ...]] = {}
    for kind in (*cm.MESSAGES, *qualcomm.MESSAGES, *lumissil.MESSAGES):
        for mmv in kind.mmvs:
            key = (mmv, kind.mmtype)
            found[key] = (*found.get(key, ()), kind)
    return found


_BY_TYPE = _by_type()
_LAYOUTS = _Layouts()
