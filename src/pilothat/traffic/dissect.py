"""Packets become pieces: HomePlug messages, the discovery, and V2G conversations."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from itertools import count

from pilothat.traffic.capture import Packet
from pilothat.traffic.link import Clear, Datagram, Endpoint, Homeplug, Segment, find
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.traffic.talk import Talk
from pilothat.v2g import sdp, tp

MOST_TALKS = 1024  # held at a time; the one that was silent longest is given up
MOST_ANNOUNCED = 1024
_Ends = tuple[Endpoint, Endpoint]
_SDP_TYPES = (
    tp.PayloadType.SDP_REQUEST,
    tp.PayloadType.SDP_RESPONSE,
    tp.PayloadType.SDP_WIRELESS_REQUEST,
    tp.PayloadType.SDP_WIRELESS_RESPONSE,
)


class Dissector:
    """Fed with packets in the order of the file; returns pieces.

    others: TCP connections that carried something else than V2G
    cut: packets of which the recording holds only a part
    """

    def __init__(self) -> None:
        self.others = 0
        self.cut = 0
        self._talks: OrderedDict[_Ends, Talk] = OrderedDict()
        self._announced: OrderedDict[Endpoint, sdp.SdpResponse] = OrderedDict()
        self._numbers: Iterator[int] = count(1)

    def feed(self, packet: Packet) -> list[Piece]:
        """Take a packet."""
        found = find(packet)
        if found is not None and packet.length > len(packet.data):
            self.cut += 1
        match found:
            case Homeplug(raw):
                return [Piece(layer=Layer.SLAC, at_s=packet.at_s, data=raw)]
            case Datagram():
                return self._datagram(found, packet.at_s)
            case Segment():
                return self._segment(found, packet.at_s)
            case Clear(source, target, data):
                return self._talk(source, target).feed_clear(source, data, packet.at_s)
        return []

    def close(self) -> list[Piece]:
        """Return what is left: nothing more comes."""
        pieces: list[Piece] = []
        while self._talks:
            pieces += self._drop()
        return pieces

    def _segment(self, segment: Segment, at_s: float | None) -> list[Piece]:
        talk = self._talk(segment.source, segment.target)
        pieces: list[Piece] = []
        if talk.is_begun_anew(segment):
            self._talks.move_to_end(_key(*talk.ends), last=False)
            pieces = self._drop()
            talk = self._talk(segment.source, segment.target)
        pieces += talk.feed(segment, at_s)
        if len(self._talks) > MOST_TALKS:
            pieces += self._drop()
        return pieces

    def _talk(self, source: Endpoint, target: Endpoint) -> Talk:
        ends = _key(source, target)
        talk = self._talks.get(ends)
        if talk is None:
            known = map(self._announced.get, ends)
            announced = next((one for one in known if one is not None), None)
            talk = self._talks[ends] = Talk(ends, announced, self._numbers)
        self._talks.move_to_end(ends)
        return talk

    def _drop(self) -> list[Piece]:
        """Give up the connection that was silent longest."""
        _, talk = self._talks.popitem(last=False)
        self.others += talk.octets > 0 and not talk.number
        return talk.close()

    def _datagram(self, datagram: Datagram, at_s: float | None) -> list[Piece]:
        ports = datagram.source.port, datagram.target.port
        if sdp.PORT not in ports:
            return []
        payload_type, data, flaw = _discovery(datagram.data)
        answer = sdp.parse_response(datagram.data)
        if answer is not None:
            self._announced[Endpoint(answer.address, answer.port)] = answer
            if len(self._announced) > MOST_ANNOUNCED:
                self._announced.popitem(last=False)
        is_answer = datagram.source.port == sdp.PORT
        piece = Piece(
            layer=Layer.SDP,
            at_s=at_s,
            sender=Side.EVSE if is_answer else Side.EV,
            payload_type=payload_type,
            data=data,
            flaw=flaw,
        )
        return [piece]


def _discovery(raw: bytes) -> tuple[int, bytes, str]:
    """Return type and payload of a datagram, and what is wrong with its frame."""
    if len(raw) < tp.HEADER.size:
        return 0, raw, f"{len(raw)} octets are no SDP message"
    version, inverse, payload_type, length = tp.HEADER.unpack_from(raw)
    data = raw[tp.HEADER.size :]
    if (version, inverse) != (tp.VERSION, tp.INVERSE_VERSION):
        return 0, raw, f"version {version:02x} {inverse:02x} instead of 01 fe"
    if payload_type not in _SDP_TYPES:
        return payload_type, data, f"payload type {payload_type:#06x} is not of SDP"
    if length != len(data):
        return payload_type, data, f"{length} octets announced, {len(data)} there"
    return payload_type, data, ""


def _key(one: Endpoint, other: Endpoint) -> _Ends:
    return (one, other) if one <= other else (other, one)
