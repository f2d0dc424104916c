"""One connection, byte by byte: what hostile streams can do to a talk."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.station.post import offer
from tests.unit.v2g.secc import car

from pilothat.station.actions import TcpClose, TcpSend
from pilothat.station.conversation import MAX_BAD
from pilothat.station.events import NetworkFact, TcpClosed, TcpData, TcpOpened
from pilothat.station.talk import Hung, Talk, TalkAction
from pilothat.v2g import tp
from pilothat.v2g.messages import codec, din, sap
from pilothat.v2g.plant import SessionOver
from pilothat.v2g.secc import din as sessions
from pilothat.v2g.secc.handshake import DIN

EXI = tp.PayloadType.EXI
HELLO = tp.pack(EXI, codec("app").encode(offer()))
OTHER = tp.pack(EXI, codec("app").encode(offer("urn:other")))
GARBAGE = tp.pack(EXI, b"\xff" * 12)


def framed(request: din.BodyElement, session_id: bytes = b"\0") -> bytes:
    header = din.MessageHeader(session_id=session_id)
    message = din.V2gMessage(header=header, body=request)
    return tp.pack(EXI, codec("din").encode(message))


SETUP = framed(car.setup())
DISCOVERY = framed(car.REQUESTS["ServiceDiscovery"], car.SESSION_ID)


class Line:
    """A talk with one connection."""

    def __init__(self) -> None:
        settings_ = sessions.DinSettings()
        self.talk = Talk(
            [(DIN, lambda o: sessions.session(settings_, car.entropy, o.now))]
        )
        self.talk.is_open = True
        self.talk.network = NetworkFact(True, bytes(16), 61341)
        self.talk.handle(TcpOpened(1, "fe80::1"), 0.0)

    def send(self, *parts: bytes) -> list[TalkAction]:
        actions: list[TalkAction] = []
        for part in parts:
            actions += self.talk.handle(TcpData(1, part), 0.0)
        return actions


def names(actions: Sequence[TalkAction], first: str = "app") -> list[str]:
    """Return what was answered: the handshake's code, then names of responses."""
    told, protocol = [], first
    for action in actions:
        if isinstance(action, TcpSend):
            (frame,) = tp.Reader().feed(action.data)
            message = codec(protocol).decode(frame.payload)
            if isinstance(message, sap.SupportedAppProtocolRes):
                told.append(message.response_code.name)
                protocol = "din"
            else:
                assert isinstance(message, din.V2gMessage)
                told.append(type(message.body).__name__)
    return told


def hung(actions: Sequence[TalkAction]) -> list[str]:
    return [action.why for action in actions if isinstance(action, Hung)]


BOTH = ["OK_SuccessfulNegotiation", "SessionSetupRes", "ServiceDiscoveryRes"]


def test_requests_in_one_segment_are_answered_in_order() -> None:
    """RB-TCP-10."""
    assert names(Line().send(HELLO + SETUP + DISCOVERY)) == BOTH


def test_requests_byte_by_byte_are_answered_once_complete() -> None:
    """RB-TCP-09."""
    stream = HELLO + SETUP + DISCOVERY
    parts = [stream[at : at + 1] for at in range(len(stream))]
    assert names(Line().send(*parts)) == BOTH


@settings(max_examples=40)
@given(st.lists(st.integers(0, len(HELLO + SETUP + DISCOVERY)), max_size=6))
def test_requests_cut_anywhere_are_answered_alike(cuts: list[int]) -> None:
    stream, ends = HELLO + SETUP + DISCOVERY, sorted(cuts)
    starts = zip([0, *ends], [*ends, len(HELLO + SETUP + DISCOVERY)], strict=True)
    assert names(Line().send(*(stream[low:high] for low, high in starts))) == BOTH


@pytest.mark.parametrize(
    "frame",
    [
        tp.pack(EXI, b""),
        *(
            tp.pack(kind, b"\x80\x00")
            for kind in (0, 0x7FFF, 0x8002, 0x8005, 0x8101, 0x9000, 0xA000, 0xFFFF)
        ),
    ],
)
@pytest.mark.parametrize("count", [1, 20])
def test_rb_v2gtp_other_payloads_are_skipped_however_many(
    frame: bytes, count: int
) -> None:
    line = Line()
    told = line.send(frame * count + HELLO + frame * count + SETUP + frame * count)
    assert names(told) == BOTH[:2]
    assert hung(told) == []


@pytest.mark.parametrize(
    "stream",
    [
        bytes.fromhex("02fd800100000000"),
        bytes.fromhex("01ff800100000000"),
        bytes.fromhex("01fe8001ffffffff") + bytes(100),
        bytes.fromhex("01fe800100002000"),
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(range(256)) * 4096,
    ],
    ids=range(6),
)
def test_rb_v2gtp_stream_that_cannot_be_followed_is_given_up(stream: bytes) -> None:
    line = Line()
    line.send(HELLO + SETUP)
    told = line.send(stream)
    assert names(told) == []
    assert len(hung(told)) == 1
    assert names(line.send(DISCOVERY)) == []


def test_undecodable_messages_in_a_row_are_ignored_up_to_a_limit() -> None:
    line = Line()
    line.send(HELLO + SETUP)
    ignored = line.send(GARBAGE * (MAX_BAD - 1))
    given_up = line.send(GARBAGE)
    assert ignored == []
    assert len(hung(given_up)) == 1


def test_a_good_message_forgives_the_bad_ones_before_it() -> None:
    line = Line()
    line.send(HELLO + SETUP)
    line.send(GARBAGE * (MAX_BAD - 1))
    served = line.send(DISCOVERY)
    ignored = line.send(GARBAGE * (MAX_BAD - 1))
    assert (names(served, "din"), ignored) == (["ServiceDiscoveryRes"], [])


def test_message_of_another_schema_is_not_decoded_with_this_one() -> None:
    """RB-V2GTP-06: a handshake in a session, a request before it."""
    assert names(Line().send(HELLO + HELLO + SETUP)) == BOTH[:2]
    line = Line()
    told = line.send(SETUP)
    assert (names(told), len(hung(told))) == ([], 1)
    assert names(line.send(HELLO)) == []


def test_refused_handshake_is_the_end_even_within_one_segment() -> None:
    line = Line()
    told = line.send(OTHER + HELLO + SETUP)
    assert names(told) == ["Failed_NoNegotiation"]
    assert len(hung(told)) == 1
    assert line.talk.session is None


def test_nothing_is_answered_after_the_session_is_over() -> None:
    line = Line()
    line.send(HELLO + SETUP)
    stop = framed(car.REQUESTS["SessionStop"], car.SESSION_ID)
    told = line.send(stop + DISCOVERY + SETUP)
    assert names(told, "din") == ["SessionStopRes"]
    assert [a for a in told if isinstance(a, SessionOver)] != []
    assert line.send(SETUP) == []


def test_bytes_of_another_connection_are_nobodys() -> None:
    line = Line()
    assert line.talk.handle(TcpData(2, HELLO), 0.0) == ()
    assert line.talk.handle(TcpClosed(2), 0.0) == ()
    assert line.talk.is_connected


def test_car_may_connect_again_before_its_session_began() -> None:
    line = Line()
    line.send(HELLO)
    assert line.talk.handle(TcpClosed(1), 0.0) == ()
    assert line.talk.handle(TcpOpened(2, "fe80::1"), 0.0) == ()
    told = line.talk.handle(TcpData(2, HELLO + SETUP), 0.0)
    assert names(told) == BOTH[:2]


def test_connection_lost_in_a_session_is_told() -> None:
    line = Line()
    line.send(HELLO + SETUP)
    told = line.talk.handle(TcpClosed(1), 0.0)
    assert told == (Hung("closed by the car", is_ours=False),)
    assert line.talk.session is None


def test_closing_twice_closes_once() -> None:
    line = Line()
    assert line.talk.close() == (TcpClose(1),)
    assert line.talk.close() == ()


@settings(max_examples=60)
@given(st.binary(max_size=300))
def test_no_stream_raises(stream: bytes) -> None:
    line = Line()
    line.send(stream)
    line = Line()
    line.send(HELLO + SETUP, stream, DISCOVERY)


@settings(max_examples=150)
@given(st.integers(0, len(DISCOVERY + SETUP) * 8 - 1))
def test_no_flipped_bit_raises_or_gets_two_answers(bit: int) -> None:
    line = Line()
    line.send(HELLO)
    stream = bytearray(SETUP + DISCOVERY)
    stream[bit // 8] ^= 1 << bit % 8
    told = line.send(bytes(stream))
    assert sum(isinstance(action, TcpSend) for action in told) <= 2
