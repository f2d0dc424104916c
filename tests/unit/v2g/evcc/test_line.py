"""Messages over one connection, octet by octet and hostile."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothat.errors import PeerError
from pilothat.v2g import tp
from pilothat.v2g.evcc.line import Line
from pilothat.v2g.messages import codec, din
from pilothat.v2g.messages.sap import ResponseCode, SupportedAppProtocolRes

TAKEN = SupportedAppProtocolRes(
    response_code=ResponseCode.OK_SuccessfulNegotiation, schema_id=1
)
STOP = din.V2gMessage(
    header=din.MessageHeader(session_id=b"12345678"),
    body=din.SessionStopRes(response_code=din.ResponseCode.OK),
)


def packed(protocol: str, message: object) -> bytes:
    return tp.pack(tp.PayloadType.EXI, codec(protocol).encode(message))


def test_the_first_messages_are_the_handshakes() -> None:
    assert Line().hear(packed("app", TAKEN)) == [TAKEN]


def test_the_protocol_can_be_changed_within_a_stream() -> None:
    line = Line()
    line.hear(packed("app", TAKEN))
    line.protocol = "din"
    assert line.hear(packed("din", STOP)) == [STOP]
    assert line.say(STOP) == packed("din", STOP)


def test_single_octets_make_one_message() -> None:
    line = Line()
    heard = [m for octet in packed("app", TAKEN) for m in line.hear(bytes([octet]))]
    assert heard == [TAKEN]


def test_other_payloads_and_empty_ones_are_skipped() -> None:
    other = tp.pack(0xA123, b"whatever")
    empty = tp.pack(tp.PayloadType.EXI, b"")
    assert Line().hear(other + empty + packed("app", TAKEN)) == [TAKEN]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda data: b"\x02" + data[1:],
        lambda data: data[:4] + b"\x7f\xff\xff\xff" + data[8:],
        lambda data: data[:8] + b"\xff" * (len(data) - 8),
    ],
    ids=["version", "length", "exi"],
)
def test_a_broken_stream_is_the_stations_fault(spoil: Callable[[bytes], bytes]) -> None:
    with pytest.raises(PeerError):
        Line().hear(spoil(packed("app", TAKEN)))


@settings(max_examples=50)
@given(st.binary(max_size=200))
def test_random_exi_is_heard_or_refused(payload: bytes) -> None:
    line = Line()
    line.protocol = "din"
    heard: list[object] = []
    try:
        heard = line.hear(tp.pack(tp.PayloadType.EXI, payload))
    except PeerError:
        heard = []
    assert len(heard) <= 1
