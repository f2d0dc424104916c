"""The application handshake of the car."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pilothat.v2g.evcc.events import (
    Connected,
    Disconnect,
    Disconnected,
    Outcome,
    ResponseIn,
    SendRequest,
    SessionEnded,
)
from pilothat.v2g.evcc.handshake import (
    DIN,
    ISO_2,
    Chosen,
    Handshake,
    HandshakeSettings,
    Offer,
    State,
)
from pilothat.v2g.messages import din
from pilothat.v2g.messages.sap import (
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

TWO = HandshakeSettings(
    offers=(Offer(DIN, 1, 2), Offer(ISO_2, 0, 1)), think_s=0.5, timeout_s=2.0
)
TAKEN = ResponseCode.OK_SuccessfulNegotiation


def asked(settings: HandshakeSettings = TWO) -> Handshake:
    handshake = Handshake(settings)
    handshake.handle(Connected(), 0.0)
    handshake.tick(0.5)
    return handshake


def chosen(schema_id: int) -> ResponseIn:
    return ResponseIn(SupportedAppProtocolRes(response_code=TAKEN, schema_id=schema_id))


def test_the_car_thinks_before_it_offers() -> None:
    handshake = Handshake(TWO)
    handshake.handle(Connected(), 0.0)
    assert handshake.tick(0.49) == ()
    assert len(handshake.tick(0.5)) == 1


def test_every_offer_is_listed_as_set() -> None:
    handshake = Handshake(TWO)
    handshake.handle(Connected(), 0.0)
    (action,) = handshake.tick(0.5)
    assert isinstance(action, SendRequest)
    assert isinstance(action.message, SupportedAppProtocolReq)
    assert [
        (a.protocol_namespace, a.schema_id, a.priority, a.version_number_major)
        for a in action.message.app_protocol
    ] == [(DIN, 1, 2, 2), (ISO_2, 0, 1, 2)]


@pytest.mark.parametrize(("schema_id", "namespace"), [(1, DIN), (0, ISO_2)])
def test_the_schema_id_chooses(schema_id: int, namespace: str) -> None:
    (action,) = asked().handle(chosen(schema_id), 0.6)
    assert isinstance(action, Chosen)
    assert action.offer.namespace == namespace


def test_a_minor_deviation_is_a_choice_too() -> None:
    code = ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation
    res = SupportedAppProtocolRes(response_code=code, schema_id=1)
    assert isinstance(asked().handle(ResponseIn(res), 0.6)[0], Chosen)


@pytest.mark.parametrize(
    ("message", "outcome"),
    [
        (
            SupportedAppProtocolRes(response_code=ResponseCode.Failed_NoNegotiation),
            Outcome.REFUSED,
        ),
        (SupportedAppProtocolRes(response_code=TAKEN, schema_id=7), Outcome.ABORTED),
        (SupportedAppProtocolRes(response_code=TAKEN), Outcome.ABORTED),
        (
            din.V2gMessage(header=din.MessageHeader(session_id=b"")),
            Outcome.ABORTED,
        ),
        ("rubbish", Outcome.ABORTED),
    ],
)
def test_no_usable_answer_ends_the_session(message: object, outcome: Outcome) -> None:
    handshake = asked()
    disconnect, ended = handshake.handle(ResponseIn(message), 0.6)
    assert disconnect == Disconnect()
    assert isinstance(ended, SessionEnded)
    assert ended.outcome is outcome
    assert handshake.deadline is None


def test_silence_is_waited_for_two_seconds() -> None:
    handshake = asked()
    assert handshake.tick(2.49) == ()
    assert [type(a) for a in handshake.tick(2.5)] == [Disconnect, SessionEnded]
    assert handshake.state is State.DONE


def test_a_lost_connection_ends_it() -> None:
    ended = asked().handle(Disconnected(), 1.0)[-1]
    assert isinstance(ended, SessionEnded)
    assert ended.outcome is Outcome.ABORTED


def test_an_answer_before_the_question_is_ignored() -> None:
    handshake = Handshake(replace(TWO, think_s=1.0))
    handshake.handle(Connected(), 0.0)
    assert handshake.handle(chosen(1), 0.1) == ()
    assert handshake.state is State.THINKING
