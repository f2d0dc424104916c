"""One TCP connection of a recording: who speaks, and what they say.

It is V2G if the discovery announced its port, or if V2GTP messages turn up in it; TLS
if it begins like that between the right ends. Until that is known it says nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Enum, auto

from pilothat.traffic.framing import START, Framer
from pilothat.traffic.link import ACK, FIN, RST, SYN, Endpoint, Segment
from pilothat.traffic.order import Chunk, Direction, Gap
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.v2g import sdp
from pilothat.v2g.tp import Frame

MOST_SEARCHED_BYTES = 1 << 18  # without any V2GTP message: something else
_TLS_RECORDS = range(0x14, 0x18)
_TLS_MAJOR = 3


class Kind(Enum):
    """What a connection carries."""

    UNKNOWN = auto()
    V2G = auto()
    TLS = auto()
    OTHER = auto()


class Talk:
    """A connection. Fed with its segments; returns pieces.

    ends: both ends; a piece's ``end`` is an index into them
    number: of this connection among those that matter; 0 until it does
    octets: how many it carried
    announced: what the discovery said of one of the ends, if it did
    numbers: where a connection that matters gets its number from
    """

    def __init__(
        self,
        ends: tuple[Endpoint, Endpoint],
        announced: sdp.SdpResponse | None,
        numbers: Iterator[int],
    ) -> None:
        self.ends = ends
        self.kind = Kind.UNKNOWN
        self.octets = 0
        self._numbers = numbers
        self.number = 0
        self._announced = announced
        self._server = announced and Endpoint(announced.address, announced.port)
        self._is_clear = False  # TLS that somebody decrypts for us
        self._start: tuple[int, int] | None = None  # end and number of its SYN
        self._at_s: float | None = None
        self._directions = (Direction(), Direction())
        self._framers = (Framer(is_lost=True), Framer(is_lost=True))
        self._is_fresh = [True, True]  # nothing came from this end yet
        self._has_ended = [False, False]

    def is_begun_anew(self, segment: Segment) -> bool:
        """Tell whether a segment opens another connection on the same ports."""
        if segment.flags & (SYN | ACK) != SYN:
            return False
        start = (self.ends.index(segment.source), segment.seq)
        return self._start != start and (self._start is not None or self.octets > 0)

    def feed(self, segment: Segment, at_s: float | None) -> list[Piece]:
        """Take a segment. at_s: seconds of the recording."""
        self._at_s, now = at_s, at_s or 0.0
        end = self.ends.index(segment.source)
        if segment.flags & SYN:
            self._open(end, segment)
            return []
        pieces: list[Piece] = []
        if segment.flags & ACK:
            acked = self._directions[1 - end].acknowledge(segment.ack, now)
            pieces += self._chunks(1 - end, acked)
        fresh = self._directions[end].feed(segment.seq, segment.data, now)
        pieces += self._chunks(end, fresh)
        if segment.flags & (FIN | RST):
            pieces += self._finish(end, is_reset=bool(segment.flags & RST))
        return pieces

    def feed_clear(
        self, source: Endpoint, data: bytes, at_s: float | None
    ) -> list[Piece]:
        """Take decrypted octets, in order; from now on the others are ignored."""
        self._at_s = at_s
        if not self._is_clear:
            self._is_clear = True
            for framer in self._framers:
                framer.is_lost = False
            if self.kind is not Kind.V2G:
                self.kind = Kind.UNKNOWN
        end = self.ends.index(source)
        return self._framed(end, self._framers[end].feed(data))

    def close(self) -> list[Piece]:
        """Return what is left: nothing more comes."""
        pieces: list[Piece] = []
        for end, direction in enumerate(self._directions):
            pieces += self._chunks(end, direction.flush())
            if self.kind is Kind.V2G:
                pieces += self._framed(end, self._framers[end].end())
        if self.kind is Kind.TLS:
            pieces.append(self._piece(0, Layer.TLS, f"TLS, {self.octets} octets"))
        self.kind = Kind.OTHER
        return pieces

    def _open(self, end: int, segment: Segment) -> None:
        is_answer = bool(segment.flags & ACK)
        if not is_answer:
            self._start = (end, segment.seq)
        if self._server is None:
            self._server = self.ends[end if is_answer else 1 - end]
        if not self._directions[end].is_known:
            self._directions[end].start(segment.seq)
            self._framers[end].is_lost = False

    def _finish(self, end: int, *, is_reset: bool) -> list[Piece]:
        if self._has_ended[end]:
            return []
        self._has_ended[end] = True
        pieces: list[Piece] = []
        is_v2g = self.kind is Kind.V2G
        if is_reset or all(self._has_ended):
            self._has_ended = [True, True]
            pieces = self.close()
        if is_v2g:
            pieces.append(self._piece(end, Layer.TCP, "RST" if is_reset else "FIN"))
        return pieces

    def _chunks(self, end: int, chunks: Iterable[Chunk]) -> list[Piece]:
        pieces: list[Piece] = []
        for chunk in chunks:
            if self._is_clear:
                break
            pieces += self._judge(end, chunk)
            if self.kind in (Kind.UNKNOWN, Kind.V2G):
                pieces += self._framed(end, self._framers[end].feed(chunk))
        return pieces

    def _judge(self, end: int, chunk: Chunk) -> list[Piece]:
        """Find out what this connection carries, from what came so far."""
        is_fresh, self._is_fresh[end] = self._is_fresh[end], False
        if isinstance(chunk, Gap):
            return []
        self.octets += len(chunk)
        if self.kind is not Kind.UNKNOWN:
            return []
        if self._is_tls(chunk, is_fresh=is_fresh):
            self.kind = Kind.TLS
            self.number = next(self._numbers)
        elif self._announced is not None and not self._is_clear:
            return self._recognise(end)
        elif self.octets > MOST_SEARCHED_BYTES:
            self.kind = Kind.OTHER
        return []

    def _is_tls(self, chunk: bytes, *, is_fresh: bool) -> bool:
        if self._announced is not None and self._announced.tls:
            return not chunk.startswith(START)
        begins = len(chunk) > 1 and chunk[0] in _TLS_RECORDS and chunk[1] == _TLS_MAJOR
        is_near = all(end.is_link_local for end in self.ends)
        return is_fresh and begins and (is_near or self._announced is not None)

    def _recognise(self, end: int) -> list[Piece]:
        """Take it for V2G; return the piece that says so."""
        self.kind = Kind.V2G
        self.number = self.number or next(self._numbers)
        client = self.ends[end]
        if client == self._server:
            client = self.ends[1 - end]
        server = self.ends[1 - self.ends.index(client)]
        told = f"{client} -> {server}"
        return [self._piece(self.ends.index(client), Layer.TCP, told)]

    def _framed(self, end: int, found: Iterable[Frame | str]) -> list[Piece]:
        pieces: list[Piece] = []
        for one in found:
            if isinstance(one, Frame) and self.kind is Kind.UNKNOWN:
                pieces += self._recognise(end)
            if isinstance(one, Frame):
                pieces.append(self._message(end, one))
            elif self.kind is Kind.V2G:
                pieces.append(self._piece(end, Layer.V2GTP, flaw=one))
        return pieces

    def _message(self, end: int, frame: Frame) -> Piece:
        return Piece(
            at_s=self._at_s,
            stream=self.number,
            end=end,
            sender=self._sender(end),
            payload_type=frame.payload_type,
            data=frame.payload,
        )

    def _piece(self, end: int, layer: Layer, text: str = "", flaw: str = "") -> Piece:
        return Piece(
            layer=layer,
            at_s=self._at_s,
            stream=self.number,
            end=end,
            sender=self._sender(end) if layer is not Layer.TLS else None,
            text=text,
            flaw=flaw,
        )

    def _sender(self, end: int) -> Side | None:
        if self._server is None:
            return None
        return Side.EVSE if self.ends[end] == self._server else Side.EV
