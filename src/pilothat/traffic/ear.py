"""Follow conversations, and read their messages in the grammar they agreed on.

EXI does not say which grammar it is in. What does, in this order:

1. the payload type: those of ISO 15118-20 stand for one grammar each;
2. the number of the root element: the handshake has its own, and ``V2G_Message`` is
   element 77 in DIN SPEC 70121 but element 76 in ISO 15118-2, so a message of one is
   never taken for one of the other;
3. the namespace that was agreed on in the handshake, which must fit.

Where the handshake was not recorded, a note says what the choice rests on.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from pilothat.exi.codec import ExiError
from pilothat.frozen import dataclass
from pilothat.homeplug import frame as homeplug
from pilothat.homeplug.frame import Frame
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.traffic.slac import FROM_EV, FROM_EVSE
from pilothat.v2g import sdp, tp
from pilothat.v2g.messages import SCHEMAS, codec
from pilothat.v2g.tp import PayloadType

HANDSHAKE = "app"
ISO20 = "iso20"  # any of its grammars; the payload type tells which

NAMESPACES: Mapping[str, str] = {
    "urn:din:70121:2012:MsgDef": "din",
    "urn:iso:15118:2:2013:MsgDef": "iso2",
    "urn:iso:std:iso:15118:-20:CommonMessages": ISO20,
    "urn:iso:std:iso:15118:-20:AC": ISO20,
    "urn:iso:std:iso:15118:-20:DC": ISO20,
    "urn:iso:std:iso:15118:-20:WPT": ISO20,
    "urn:iso:std:iso:15118:-20:ACDP": ISO20,
}
PAYLOADS: Mapping[int, str] = {
    PayloadType.COMMON: "iso20-common",
    PayloadType.AC: "iso20-ac",
    PayloadType.DC: "iso20-dc",
    PayloadType.ACDP: "iso20-acdp",
    PayloadType.WPT: "iso20-wpt",
    PayloadType.SCHEDULE_RENEGOTIATION: "iso20-common",
    PayloadType.METERING_CONFIRMATION: "iso20-common",
    PayloadType.ACDP_SYSTEM_STATUS: "iso20-acdp",
    PayloadType.PARKING_STATUS: "iso20-acdp",
}
# number of V2G_Message among the global elements, in the 7 bits behind the header
_MESSAGE_CODES: Mapping[int, str] = {77: "din", 76: "iso2"}
_HANDSHAKE_CODES = 2  # numbers 0 and 1, in the 2 bits behind the header
_MESSAGE = "V2G_Message"
MOST_STREAMS = 1024  # whose agreement is remembered

Json = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a piece says.

    protocol: grammar of the message, or empty
    name: of the message as the standards write it, as far as it could be read
    content: neutral JSON with the root element; None unless it is a V2G message
    value: a HomePlug frame or a datagram of the discovery
    tolerances: what reading it needed
    notes: what the choice of the grammar rests on
    error: why it could not be read
    """

    piece: Piece
    protocol: str = ""
    name: str = ""
    content: Json | None = None
    value: Frame | sdp.SdpRequest | sdp.SdpResponse | None = None
    tolerances: Sequence[str] = ()
    notes: Sequence[str] = ()
    error: str = ""

    @property
    def body(self) -> Json:
        """The content without what stands around it; empty if there is none."""
        if self.content is None:
            return {}
        root = next(iter(self.content.values()))
        if isinstance(root, Mapping) and _MESSAGE in self.content:
            root = root.get("Body", {})
            root = next(iter(root.values()), {}) if isinstance(root, Mapping) else {}
        return root if isinstance(root, Mapping) else {}

    @property
    def header(self) -> Json:
        """The header of a V2G message; empty if there is none."""
        root = next(iter(self.content.values()), None) if self.content else None
        header = root.get("Header") if isinstance(root, Mapping) else None
        return header if isinstance(header, Mapping) else {}


class Ear:
    """Takes pieces in the order of time; tells what they say.

    protocol: what to read messages as, whatever was agreed on; None to follow that
    hears_fragments: what stands by itself is an EXI fragment of that protocol
    """

    def __init__(
        self, protocol: str | None = None, *, hears_fragments: bool = False
    ) -> None:
        self._fixed = protocol
        self._hears_fragments = hears_fragments
        self._conversations: dict[int, _Conversation] = {}
        self._macs: dict[bytes, Side] = {}

    def hear(self, piece: Piece) -> Told:
        """Return what a piece says. Never raises."""
        if piece.flaw:
            return Told(piece=piece, error=piece.flaw)
        match piece.layer:
            case Layer.SLAC:
                return self._frame(piece)
            case Layer.SDP:
                return _discovery(piece)
            case Layer.V2GTP:
                return self._message(piece)
        return Told(piece=piece, name=piece.layer.upper())

    def _message(self, piece: Piece) -> Told:
        if self._hears_fragments and self._fixed is not None and piece.is_alone:
            return _fragment(piece, self._fixed)
        conversation = self._conversations.setdefault(piece.stream, _Conversation())
        if len(self._conversations) > MOST_STREAMS:
            del self._conversations[next(iter(self._conversations))]
        told = conversation.hear(piece, self._fixed)
        sender = piece.sender or conversation.side_of(piece.end, told.name)
        return told if sender is piece.sender else _from(told, sender)

    def _frame(self, piece: Piece) -> Told:
        frame = homeplug.parse(piece.data)
        if frame is None:
            return Told(piece=piece, name=_unknown_frame(piece.data))
        kind = type(frame.mme)
        side = Side.EV if kind in FROM_EV else Side.EVSE if kind in FROM_EVSE else None
        if side is not None and len(self._macs) < MOST_STREAMS:
            self._macs[frame.source] = side
        told = Told(piece=piece, name=wire_name(kind.__name__), value=frame)
        return _from(told, piece.sender or side or self._macs.get(frame.source))


def _from(told: Told, sender: Side | None) -> Told:
    return replace(told, piece=replace(told.piece, sender=sender))


def _fragment(piece: Piece, protocol: str) -> Told:
    """Return the element that was encoded by itself, as a signature covers it."""
    grammar = codec(protocol)
    try:
        value, tolerances = grammar.decode_fragment_with_notes(piece.data)
    except ExiError as error:
        return Told(piece=piece, protocol=protocol, error=str(error))
    content = grammar.to_json(value)
    return Told(
        piece=piece,
        protocol=protocol,
        name=_name(content),
        content=content,
        tolerances=tolerances,
    )


class _Choice(NamedTuple):
    """A grammar, a note on what it rests on, and what speaks against it."""

    protocol: str
    basis: str = ""
    doubt: str = ""


class _Conversation:
    """What one connection has agreed on, and which end of it is the car."""

    def __init__(self) -> None:
        self._offers: dict[int, str] = {}
        self._agreed = ""  # namespace
        self._told: set[str] = set()  # notes that were given
        self._ev_end: int | None = None

    def hear(self, piece: Piece, fixed: str | None) -> Told:
        """Return the message of a piece."""
        if piece.payload_type not in PAYLOADS and piece.payload_type != PayloadType.EXI:
            kind = f"payload type {piece.payload_type:#06x}"
            return Told(piece=piece, error=f"V2GTP {kind}: no message read here")
        protocol, basis, doubt = self._choose(piece, fixed)
        if protocol not in SCHEMAS:
            return Told(piece=piece, error=doubt or f"{protocol} is not spoken here")
        grammar = codec(protocol)
        try:
            message, tolerances = grammar.decode_with_notes(piece.data)
        except ExiError as error:
            told = f"{error}{f'; {doubt}' if doubt else ''}"
            name = _name_in(error.path)
            return Told(piece=piece, protocol=protocol, name=name, error=told)
        content = grammar.to_json(message)
        if protocol == HANDSHAKE:
            self._follow(content)
        is_news = basis and basis not in self._told
        self._told.add(basis)
        return Told(
            piece=piece,
            protocol=protocol,
            name=_name(content),
            content=content,
            tolerances=tolerances,
            notes=(basis,) if is_news else (),
        )

    def side_of(self, end: int, name: str) -> Side | None:
        """Return who is at an end of the connection: the car asks."""
        if self._ev_end is None and name.endswith(("Req", "Res")):
            self._ev_end = end if name.endswith("Req") else 1 - end
        if self._ev_end is None:
            return None
        return Side.EV if end == self._ev_end else Side.EVSE

    def _choose(self, piece: Piece, fixed: str | None) -> _Choice:
        is_handshake = _is_handshake(piece)
        if fixed is not None and not (is_handshake and not piece.is_alone):
            return _Choice(fixed)
        if is_handshake:
            return _Choice(HANDSHAKE)
        agreed = NAMESPACES.get(self._agreed, "")
        if piece.payload_type in PAYLOADS:
            is_odd = self._agreed and agreed != ISO20
            basis = f"{self._agreed} was agreed on" if is_odd else ""
            return _Choice(PAYLOADS[piece.payload_type], basis)
        evidence = _evidence(piece.data)
        if not self._agreed:
            return _guessed(piece, evidence)
        if agreed not in SCHEMAS:
            return _Choice("", doubt=_unspoken(self._agreed, agreed))
        is_odd = evidence not in ("", agreed)
        return _Choice(agreed, doubt=f"numbered like {evidence}" if is_odd else "")

    def _follow(self, content: Json) -> None:
        """Take note of what a handshake offers, and of what it agrees on."""
        for name, body in content.items():
            if not isinstance(body, Mapping):
                continue
            if name.endswith("Req"):
                self._agreed = ""
                offers = body["AppProtocol"]
                self._offers = {
                    one["SchemaID"]: one["ProtocolNamespace"] for one in offers
                }
            elif "SchemaID" in body:
                self._agreed = self._offers.get(body["SchemaID"], "")


def _guessed(piece: Piece, evidence: str) -> _Choice:
    """Return the grammar of a message whose handshake nobody has seen."""
    if not evidence:
        doubt = "no handshake seen, and no number of a V2G message"
        return _Choice("din", doubt=doubt)
    basis = f"no handshake seen: {evidence} by the number of the root element"
    return _Choice(evidence, "" if piece.is_alone else basis)


def _unspoken(namespace: str, agreed: str) -> str:
    told = f"{namespace} was agreed on"
    if agreed == ISO20:
        return f"{told}, which has no message of payload type 0x8001"
    return f"{told}, which is not spoken here"


def _is_handshake(piece: Piece) -> bool:
    is_exi = piece.payload_type == PayloadType.EXI and len(piece.data) > 1
    return is_exi and piece.data[1] >> 6 < _HANDSHAKE_CODES


def _evidence(data: bytes) -> str:
    """Return the grammar in which the root element is ``V2G_Message``."""
    return _MESSAGE_CODES.get(data[1] >> 1, "") if len(data) > 1 else ""


def _name(content: Json) -> str:
    """Return the name of a message: of the element in the body, where there is one."""
    name, root = next(iter(content.items()))
    if name == _MESSAGE and isinstance(root, Mapping):
        body = root.get("Body")
        return next(iter(body), name) if isinstance(body, Mapping) else name
    return name


def _name_in(path: str) -> str:
    """Return the name of a message whose reading ended at a path."""
    steps = path.split("/")
    return steps[2] if steps[0] == _MESSAGE and len(steps) > 2 else steps[0]


def _discovery(piece: Piece) -> Told:
    raw = tp.pack(piece.payload_type, piece.data)
    value = sdp.parse_request(raw) or sdp.parse_response(raw)
    name = _DISCOVERY_NAMES.get(piece.payload_type, "")
    if value is None and piece.payload_type in _WIRED:
        return Told(piece=piece, name=name, error=f"{piece.data.hex()} is no {name}")
    return Told(piece=piece, name=name or "SDP", value=value)


_WIRED = (PayloadType.SDP_REQUEST, PayloadType.SDP_RESPONSE)
_DISCOVERY_NAMES: Mapping[int, str] = {
    PayloadType.SDP_REQUEST: "SDP request",
    PayloadType.SDP_RESPONSE: "SDP response",
    PayloadType.SDP_WIRELESS_REQUEST: "SDP wireless request",
    PayloadType.SDP_WIRELESS_RESPONSE: "SDP wireless response",
}


def wire_name(class_name: str) -> str:
    """Return CM_SLAC_PARM.REQ for CmSlacParmReq."""
    words = "".join(f" {c}" if c.isupper() else c for c in class_name).upper().split()
    return f"{'_'.join(words[:-1])}.{words[-1]}"


def _unknown_frame(raw: bytes) -> str:
    """Return what can be said of a HomePlug frame nobody here knows."""
    if len(raw) < 17:
        return f"HomePlug frame of {len(raw)} octets"
    (mmtype,) = struct.unpack_from("<H", raw, 15)
    return f"MME {mmtype:#06x}, version {raw[14]}, {len(raw)} octets"
