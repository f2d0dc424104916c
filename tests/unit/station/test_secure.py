"""What TLS changes for a car: where it is sent, and what it may pay with."""

from __future__ import annotations

import pytest
from tests.unit.v2g.secc import car

from pilothat.conformance import purse
from pilothat.station.actions import SdpOut, SendMessage
from pilothat.station.events import MessageIn, NetworkFact, SdpIn, TcpOpened
from pilothat.station.serving import served
from pilothat.station.settings import StationSettings
from pilothat.station.talk import Talk
from pilothat.v2g import sdp
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import PaymentOption
from pilothat.v2g.messages.sap import AppProtocol, SupportedAppProtocolReq

TLS, NONE = sdp.Security.TLS, sdp.Security.NONE
PLAIN_PORT, TLS_PORT = 61341, 64109
OFFER = AppProtocol(
    protocol_namespace="urn:iso:15118:2:2013:MsgDef",
    version_number_major=2,
    version_number_minor=0,
    schema_id=1,
    priority=1,
)


def talk(plain: int = PLAIN_PORT, tls: int = TLS_PORT) -> Talk:
    contracts = purse.contracts(is_strict=True, is_issuing=False)
    settings = StationSettings(host_mac=bytes(6), contracts=contracts)
    made = Talk(served(settings, car.entropy))
    made.is_open, made.network = True, NetworkFact(True, bytes(16), plain, tls)
    return made


@pytest.mark.parametrize(
    ("ports", "asked", "answer"),
    [
        ((PLAIN_PORT, TLS_PORT), TLS, (TLS_PORT, TLS)),
        ((PLAIN_PORT, TLS_PORT), NONE, (PLAIN_PORT, NONE)),
        ((PLAIN_PORT, 0), TLS, (PLAIN_PORT, NONE)),  # the car may fall back
        ((0, TLS_PORT), NONE, (TLS_PORT, TLS)),
    ],
)
def test_a_car_is_sent_to_the_door_it_can_use(
    ports: tuple[int, int], asked: sdp.Security, answer: tuple[int, sdp.Security]
) -> None:
    asking = SdpIn(sdp.build_request(asked), "fe80::1", 5000)
    (told,) = talk(*ports).handle(asking, 0.0)
    assert isinstance(told, SdpOut)
    found = sdp.parse_response(told.payload)
    assert found is not None
    assert (found.port, found.security) == answer


def ask(line: Talk, session_id: bytes, body: iso2.Request) -> iso2.V2gMessage:
    header = iso2.MessageHeader(session_id=session_id)
    event = MessageIn(1, iso2.V2gMessage(header=header, body=body))
    (sent,) = [a for a in line.handle(event, 1.0) if isinstance(a, SendMessage)]
    assert isinstance(sent.message, iso2.V2gMessage)
    return sent.message


@pytest.mark.parametrize("is_secure", [True, False])
def test_contracts_are_offered_under_tls_only(is_secure: bool) -> None:
    line = talk()
    line.handle(TcpOpened(1, "fe80::1", is_secure), 0.0)
    line.handle(MessageIn(1, SupportedAppProtocolReq(app_protocol=(OFFER,))), 0.5)
    opened = ask(line, b"\0", iso2.SessionSetupReq(evcc_id=bytes(6)))
    told = ask(line, opened.header.session_id, iso2.ServiceDiscoveryReq())
    assert isinstance(told.body, iso2.ServiceDiscoveryRes)
    options = told.body.payment_option_list.payment_option
    assert (PaymentOption.Contract in options) is is_secure
    assert PaymentOption.ExternalPayment in options
