"""Recorded sessions of real cars: a file of JSON lines becomes what a car can play.

The first line is a header (vehicle, station, outcome). Every other one is a frame, a
datagram, a message or the end of the connection::

    {"t": 8.07, "from": "ev", "layer": "slac", "payload_type": "...", "hex": "..."}

Layers: ``slac`` whole Ethernet frames, ``sdp`` payloads of datagrams, ``v2gtp`` EXI
bodies, ``tcp`` FIN or RST. Requests and answers are paired to turns; stretches that
the file says to have left out are closed up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from math import isfinite
from statistics import median

from pilothat.errors import ConfigError
from pilothat.exi.codec import ExiError
from pilothat.frozen import dataclass
from pilothat.twin.recordedspeech import (
    HANDSHAKE,
    PLAYED,
    PreChargeReq,
    SessionSetupRes,
    V2gMessage,
    agreed,
    body_of,
    energy_transfer,
    is_busy,
    protocol_of,
    refusal,
    request_name,
)
from pilothat.v2g.messages import codec
from pilothat.v2g.messages.sap import SupportedAppProtocolReq
from pilothat.v2g.tp import PayloadType

SDP_REQUEST_TYPE = f"{PayloadType.SDP_REQUEST:x}"
SDP_RESPONSE_TYPE = f"{PayloadType.SDP_RESPONSE:x}"
USUAL_PACE_S = 0.1  # where a recording does not show how fast the car repeats
SIDES = ("ev", "evse")
CLOSINGS = ("FIN", "RST")


class RecordingError(ConfigError):
    """A capture cannot be read. Nothing has been played."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the first line tells."""

    vehicle: str
    protocol: str
    station: str
    outcome: str
    omitted: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """One recorded event. at: s since the first one."""

    at: float
    is_ev: bool
    layer: str
    kind: str
    data: bytes
    is_modem: bool = False


Pair = tuple[Line, Line | None]
"""A request and its answer, as recorded."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A request and its answer.

    at, answered_at: when, in the recording; no answer is None
    think_s: the car's pause before this request, since the answer before
    request, answer: decoded; None where that is not possible
    flaw: why the recorded answer could not be decoded
    is_finished: EVSEProcessing in the recorded answer, as far as it can be told
    """

    at: float
    raw: bytes
    request: object | None
    think_s: float = USUAL_PACE_S
    answered_at: float | None = None
    answer: object | None = None
    flaw: str = ""
    is_finished: bool = True

    @property
    def name(self) -> str:
        """Return the request's name without Req, power delivery with on or off."""
        return request_name(self.request)

    @property
    def is_answered_well(self) -> bool:
        """Tell whether the recorded station said something else than no."""
        return self.answered_at is not None and not refusal(self.answer)


@dataclass(frozen=True, slots=True)
class Closing:
    """How the connection ended. after_s: since the last message."""

    is_ev: bool
    kind: str
    after_s: float


@dataclass(frozen=True, slots=True)
class Recording:
    """A whole session.

    slac: frames of both hosts, without those of modems
    sdp: datagrams of both
    protocol: codec of the messages behind the handshake; empty when there is none
    closing: None when nobody closed
    """

    header: Header
    slac: tuple[Line, ...] = ()
    sdp: tuple[Line, ...] = ()
    turns: tuple[Turn, ...] = ()
    protocol: str = ""
    closing: Closing | None = None

    @property
    def namespace(self) -> str:
        """Return the protocol that was agreed upon; empty when that is not known."""
        if not self.turns:
            return ""
        return agreed(self.turns[0].request, self.turns[0].answer)

    @property
    def session_id(self) -> bytes:
        """Return the ID the recorded station gave; empty when it is not known."""
        for turn in self.turns:
            answer = turn.answer
            if isinstance(answer, V2gMessage) and isinstance(
                answer.body, SessionSetupRes
            ):
                return answer.header.session_id
        return b""

    @property
    def battery_v(self) -> float:
        """Return the voltage that the car precharged to; 0 when it never did."""
        targets = [
            request.ev_target_voltage.si
            for turn in self.turns
            if isinstance(request := body_of(turn.request), PreChargeReq)
        ]
        return targets[-1] if targets else 0.0

    @property
    def energy_transfer(self) -> str:
        """Return how the car wanted to charge; empty when it never said so."""
        wanted = (energy_transfer(turn.request) for turn in self.turns)
        return next(filter(None, wanted), "")


def parse(text: str, *, where: str) -> Recording:
    """Return the recording in a text. Raises RecordingError with the line's number."""
    rows = _rows(text, where)
    first = next(rows, None)
    if first is None:
        raise RecordingError("the file is empty", where=where)
    header = _header(first[1], f"{where}:{first[0]}")
    lines = sorted((_line(row, f"{where}:{n}") for n, row in rows), key=lambda x: x.at)
    if not lines:
        raise RecordingError("there is nothing after the header", where=where)
    talk, closing = _until_closed(lines)
    pairs = _pairs(talk)
    protocol = _protocol(pairs)
    turns = tuple(_turns(pairs, protocol, header.omitted))
    if turns and not isinstance(turns[0].request, SupportedAppProtocolReq):
        raise RecordingError(
            "the conversation does not begin with supportedAppProtocolReq",
            where=where,
            remedy="Cut the capture so that the application handshake is in it",
        )
    return Recording(
        header=header,
        slac=tuple(x for x in lines if x.layer == "slac" and not x.is_modem),
        sdp=tuple(x for x in lines if x.layer == "sdp"),
        turns=turns,
        protocol=protocol,
        closing=closing,
    )


def _rows(text: str, where: str) -> Iterator[tuple[int, Mapping[str, object]]]:
    """Return the objects of all lines, with their numbers."""
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise _bad("no JSON", f"{where}:{number}") from error
        if not isinstance(row, dict):
            raise _bad("no JSON object", f"{where}:{number}")
        yield number, row


def _bad(what: str, where: str) -> RecordingError:
    return RecordingError(
        what, where=where, remedy="Give a capture as captures/INDEX.md describes it"
    )


def _header(row: Mapping[str, object], where: str) -> Header:
    if "vehicle" not in row or "t" in row:
        raise _bad("no header of a capture (a vehicle is missing)", where)
    omitted = row.get("omitted", [])
    try:
        gaps = tuple((float(gap[0]), float(gap[1])) for gap in _list(omitted))
    except (TypeError, ValueError, LookupError) as error:
        raise _bad("omitted is no list of [from, to, count]", where) from error
    return Header(
        vehicle=str(row["vehicle"]),
        protocol=str(row.get("protocol", "not stated")),
        station=str(row.get("station", "not stated")),
        outcome=str(row.get("outcome", "not stated")),
        omitted=gaps,
    )


def _list(found: object) -> Sequence[Sequence[float]]:
    if not isinstance(found, list):
        raise TypeError("no list")
    return found


def _line(row: Mapping[str, object], where: str) -> Line:
    at, side = row.get("t"), row.get("from")
    layer, kind = row.get("layer"), row.get("payload_type")
    if not isinstance(at, int | float) or isinstance(at, bool) or not isfinite(at):
        raise _bad(f"t is {at!r}, no time in seconds", where)
    if side not in SIDES:
        raise _bad(f"from is {side!r}, neither ev nor evse", where)
    if not isinstance(layer, str) or not isinstance(kind, str):
        raise _bad("layer or payload_type is missing", where)
    text = row.get("hex") or ""
    try:
        data = bytes.fromhex(text) if isinstance(text, str) else None
    except ValueError:
        data = None
    if data is None:
        raise _bad("hex is not hexadecimal", where)
    is_modem = row.get("modem") is True
    return Line(float(at), side == "ev", layer, kind, data, is_modem)


def _until_closed(lines: Sequence[Line]) -> tuple[list[Line], Closing | None]:
    """Return the messages up to the end of their connection, and that end.

    An end behind which the same conversation goes on was that of another connection.
    """
    talk: list[Line] = []
    for n, line in enumerate(lines):
        if _is_message(line):
            talk.append(line)
        elif line.layer == "tcp" and line.kind in CLOSINGS and talk:
            following = next((x for x in lines[n:] if _is_message(x)), None)
            if following is None or _opens_talk(following):
                return talk, Closing(line.is_ev, line.kind, line.at - talk[-1].at)
    return talk, None


def _is_message(line: Line) -> bool:
    return line.layer == "v2gtp"


def _opens_talk(line: Line) -> bool:
    message, _ = _decode(HANDSHAKE, line.data)
    return isinstance(message, SupportedAppProtocolReq)


def _pairs(talk: Sequence[Line]) -> Sequence[Pair]:
    """Return the requests, each with its answer."""
    pairs: list[Pair] = []
    for line in talk:
        if line.is_ev:
            pairs.append((line, None))
        elif pairs and pairs[-1][1] is None:
            pairs[-1] = (pairs[-1][0], line)
    return pairs


def _protocol(pairs: Sequence[Pair]) -> str:
    """Return what is spoken behind the handshake.

    Where the handshake cannot be read, the root element of the first request tells:
    it has another number in each protocol.
    """
    for request, answer, _ in (_decoded(HANDSHAKE, pair) for pair in pairs[:1]):
        if namespace := agreed(request, answer):
            return protocol_of(namespace)
    return next((p for x, _ in pairs[1:2] for p in PLAYED if _decode(p, x.data)[0]), "")


def _turns(
    pairs: Sequence[Pair], protocol: str, omitted: Sequence[tuple[float, float]]
) -> Iterator[Turn]:
    """Decode requests and answers, and tell how long the car thought."""
    decoded = [_decoded(protocol if n else HANDSHAKE, x) for n, x in enumerate(pairs)]
    thinking = list(_thinking(pairs, omitted))
    for n, (request, answer, flaw) in enumerate(decoded):
        asked, told = pairs[n]
        name = request_name(request)
        follower = request_name(decoded[n + 1][0]) if n + 1 < len(decoded) else ""
        busy = is_busy(answer)
        yield Turn(
            at=asked.at,
            raw=asked.data,
            request=request,
            think_s=thinking[n],
            answered_at=told.at if told else None,
            answer=answer,
            flaw=flaw,
            is_finished=follower != name if busy is None else not busy,
        )


def _decoded(protocol: str, pair: Pair) -> tuple[object | None, object | None, str]:
    """Return request, answer, and what is wrong with the answer."""
    request, _ = _decode(protocol, pair[0].data)
    answer, flaw = _decode(protocol, pair[1].data) if pair[1] else (None, "")
    return request, answer, flaw


def _decode(protocol: str, data: bytes) -> tuple[object | None, str]:
    if not protocol:
        return None, "its protocol is not known"
    try:
        return codec(protocol).decode(data), ""
    except ExiError as error:
        return None, str(error)


def _thinking(
    pairs: Sequence[Pair], omitted: Sequence[tuple[float, float]]
) -> Iterator[float]:
    """Return the pause before each request; left-out stretches do not count."""
    since: float | None = None
    usual: list[float] = []
    for asked, told in pairs:
        pause_s = USUAL_PACE_S if since is None else max(asked.at - since, 0.0)
        is_cut = since is not None and any(
            since <= end and start <= asked.at for start, end in omitted
        )
        if is_cut:
            pause_s = median(usual) if usual else USUAL_PACE_S
        elif since is not None:
            usual.append(pause_s)
        since = told.at if told else asked.at
        yield pause_s
