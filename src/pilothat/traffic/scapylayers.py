"""Scapy layers of our management messages, and of the discovery beside them.

One layer for the header of every HomePlug frame, ``HomePlug``, and one for each message
of ``homeplug``, made from its declaration and called as it is::

    from scapy.layers.l2 import Ether
    from pilothat.traffic.scapylayers import LAYERS, HomePlug

    Ether(src=mac) / HomePlug() / LAYERS["CmSlacParmReq"](run_id="1122334455667788")

Importing this module registers them for EtherType 0x88E1 in front of scapy's own, which
lack half of the messages and are wrong in some; when those are loaded does not matter.
A frame becomes a message exactly if ``homeplug.frame.parse`` reads it; one that is too
short for the wire is filled up when it is built.

What holds a network key, or may hold one, shows as a count of octets; who asks for the
field by its name gets it. Scapy is big and slow, half a second to import and 0.2 ms a
frame on a PC: nothing that a station runs imports this.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import ClassVar

from scapy.config import conf
from scapy.fields import (
    AnyField,
    ByteEnumField,
    ConditionalField,
    IP6Field,
    LenField,
    ShortField,
    XByteField,
    XLEShortField,
    XShortEnumField,
)
from scapy.layers.inet import UDP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import CookedLinux, Dot1Q, Ether
from scapy.packet import Packet, Padding, Raw, bind_bottom_up, bind_top_down

from pilothat.homeplug import cm, lumissil, qualcomm
from pilothat.homeplug.field import MMV_AV_1_0, MMV_AV_1_1, MMV_AV_2_0, Mme
from pilothat.homeplug.frame import ETHERTYPE, MIN_FRAME_BYTES, parse
from pilothat.traffic.ear import wire_name
from pilothat.traffic.scapyfields import Hidden, Octets, fields_of, layer
from pilothat.traffic.slac import facts
from pilothat.v2g import sdp, tp

__all__ = ["LAYERS", "HomePlug", "SdpRequest", "SdpResponse", "V2gtp", "dissected"]

MESSAGES = (*cm.MESSAGES, *qualcomm.MESSAGES, *lumissil.MESSAGES)
_ETHERNET = bytes(12) + ETHERTYPE.to_bytes(2)  # whose does not matter
_VERSIONS = {MMV_AV_1_0: "AV 1.0", MMV_AV_1_1: "AV 1.1", MMV_AV_2_0: "AV 2.0"}


def _in_order(*given: AnyField) -> list[AnyField]:
    return list(given)


class _Told(Packet):
    """Base: a line about it names the ends of the layer ``between`` too."""

    between: ClassVar[type[Packet]] = Ether

    def told(self) -> str:
        """Return what matters."""
        return str(self.name)

    def mysummary(  # type: ignore[override]  # scapy takes both, its hint knows one
        self,
    ) -> tuple[str, list[type[Packet]]]:
        return self.told(), [self.between]


class HomePlug(_Told):
    """Header of a management message: version, type, then FMI or the maker's OUI."""

    name = "HomePlug"
    show_summary = False
    fields_desc = _in_order(
        ByteEnumField("mmv", MMV_AV_1_1, _VERSIONS),
        XLEShortField("mmtype", 0),
        ConditionalField(XLEShortField("fmi", 0), lambda pkt: pkt.mmv != MMV_AV_1_0),
        ConditionalField(
            Octets("oui", qualcomm.OUI, len(qualcomm.OUI)),
            lambda pkt: pkt.mmv == MMV_AV_1_0,
        ),
    )

    def guess_payload_class(self, _payload: bytes) -> type[Packet]:
        frame = parse(_ETHERNET + self.original)
        if frame is not None:
            return LAYERS[type(frame.mme).__name__]
        may_hold_key = self.mmv == MMV_AV_1_0 or self.mmtype in _KEYED
        return Unread if may_hold_key else Raw

    def do_dissect_payload(self, s: bytes) -> None:
        super().do_dissect_payload(s)
        if not s:  # scapy stops here, but some messages have no body
            self.add_payload(self.guess_payload_class(s)())

    def post_build(self, pkt: bytes, pay: bytes) -> bytes:
        """Fill up, unless the frame came with an end of its own."""
        least = 0 if self.haslayer(Padding) else MIN_FRAME_BYTES - len(_ETHERNET)
        return (pkt + pay).ljust(least, b"\0")

    def told(self) -> str:
        return f"MME {self.mmtype:#06x}, version {self.mmv}"


class Unread(Packet):
    """A body that cannot be read here, of a message that may hold a key."""

    name = "unread"
    show_summary = False
    fields_desc = _in_order(Hidden("load", b""))


class MmeLayer(_Told):
    """Base of the bodies of all messages."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s

    def told(self) -> str:
        """Return the name, the run, and the facts of ``traffic.slac``."""
        words = [str(self.name)]
        frame = self.underlayer and parse(_ETHERNET + bytes(self.underlayer))
        if frame:
            words += facts(frame.mme)
            run_id = getattr(frame.mme, "run_id", None)
            if run_id is not None and f"run {run_id.hex()}" not in words:
                words.insert(1, f"run {run_id.hex()}")
        return "  ".join(words)


def _layer(kind: type[Mme]) -> type[Packet]:
    made = layer(kind.__name__, MmeLayer, wire_name(kind.__name__), fields_of(kind))
    head: dict[str, object] = {"mmv": kind.mmvs[0], "mmtype": kind.mmtype}
    if kind.mmvs[0] == MMV_AV_1_0:
        head["oui"] = kind.oui
    bind_top_down(HomePlug, made, head)
    return made


LAYERS: Mapping[str, type[Packet]] = {kind.__name__: _layer(kind) for kind in MESSAGES}
_KEYED = frozenset(
    kind.mmtype
    for kind in MESSAGES
    if any(isinstance(one, Hidden) for one in LAYERS[kind.__name__].fields_desc)
)


class V2gtp(Packet):
    """Header of a V2GTP message in a datagram."""

    name = "V2GTP"
    show_summary = False
    fields_desc = _in_order(
        XByteField("version", tp.VERSION),
        XByteField("inverse_version", tp.INVERSE_VERSION),
        XShortEnumField(
            "payload_type", 0, {one.value: one.name for one in tp.PayloadType}
        ),
        LenField("length", None, fmt="I"),
    )

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return s[: self.length], s[self.length :]


_SECURITY = ByteEnumField(
    "security", sdp.Security.NONE, {one.value: one.name for one in sdp.Security}
)
_TRANSPORT = ByteEnumField(
    "transport", sdp.Transport.TCP, {one.value: one.name for one in sdp.Transport}
)


class SdpRequest(_Told):
    """What the EV asks for."""

    name = "SDP request"
    between = IPv6
    fields_desc = _in_order(_SECURITY, _TRANSPORT)

    def told(self) -> str:
        return self.sprintf("SDP request  security %security%")


class SdpResponse(_Told):
    """Where the SECC listens, and how."""

    name = "SDP response"
    between = IPv6
    fields_desc = _in_order(
        IP6Field("address", "::"), ShortField("port", 0), _SECURITY, _TRANSPORT
    )

    def told(self) -> str:
        return self.sprintf("SDP response  [%address%]:%port%  security %security%")


def dissected(link: int, data: bytes) -> Packet:
    """Return a packet of a capture. link: its LINKTYPE; what fits none is ``Raw``."""
    kind = conf.l2types.num2layer.get(link, Raw) if data else Raw
    try:
        return kind(data)
    except struct.error:  # shorter than its first header
        return Raw(data)


def _register() -> None:
    """Take the EtherType before all others: the first one in scapy's lists gets it."""
    for lower, field in ((Ether, "type"), (Dot1Q, "type"), (CookedLinux, "proto")):
        lower.payload_guess = [({field: ETHERTYPE}, HomePlug), *lower.payload_guess]
        bind_top_down(lower, HomePlug, {field: ETHERTYPE})
    for port in ("sport", "dport"):
        bind_bottom_up(UDP, V2gtp, {port: sdp.PORT})
    bind_top_down(UDP, V2gtp, {"sport": sdp.PORT, "dport": sdp.PORT})
    for payload_type, upper in (
        (tp.PayloadType.SDP_REQUEST, SdpRequest),
        (tp.PayloadType.SDP_RESPONSE, SdpResponse),
    ):
        bind_bottom_up(V2gtp, upper, payload_type=payload_type.value)
        bind_top_down(V2gtp, upper, payload_type=payload_type.value)


_register()
