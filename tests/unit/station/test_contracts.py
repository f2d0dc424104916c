"""Contracts that are not what they seem, in octets on a connection under TLS.

Each is answered with its code, the session ends and says why, and the next car with a
good contract is let in by the same talk.
"""

from __future__ import annotations

import pytest
from tests.unit.pnc.test_requests import details
from tests.unit.pnc.world import DAY_S, NOW_S, chain, chain_with, pki, reissued

from pilothat.pnc.signature import sign
from pilothat.station.actions import Publish, TcpClose, TcpSend
from pilothat.station.events import NetworkFact, TcpClosed, TcpData, TcpOpened
from pilothat.station.serving import served
from pilothat.station.settings import ContractSettings, StationSettings
from pilothat.station.talk import Talk, TalkAction
from pilothat.twin.chance import Chance
from pilothat.v2g import tp
from pilothat.v2g.messages import codec, iso2, sap
from pilothat.v2g.messages.iso2_types import (
    PaymentOption,
    SelectedService,
    SelectedServiceList,
)
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import SessionOver, TimeOfDay

GOOD = chain("contract")
KEY = pki()["contract"].key
OLD = chain_with("contract", reissued("contract", days=1, now_s=NOW_S - 3 * DAY_S))
OFFER = sap.AppProtocol(
    protocol_namespace="urn:iso:15118:2:2013:MsgDef",
    version_number_major=2,
    version_number_minor=0,
    schema_id=1,
    priority=1,
)
CONTRACT = iso2.PaymentServiceSelectionReq(
    selected_payment_option=PaymentOption.Contract,
    selected_service_list=SelectedServiceList(
        selected_service=(SelectedService(service_id=1),)
    ),
)


def opened() -> Talk:
    """Return a talk that knows the time and trusts the roots of the PKI."""
    root = {name: (pki()[name].certificate.der,) for name in ("v2g_root", "mo_root")}
    trusted = ContractSettings(v2g=root["v2g_root"], mo=root["mo_root"])
    settings = StationSettings(host_mac=bytes(6), contracts=trusted)
    talk = Talk(served(settings, Chance(1, "station")))
    talk.is_open = True
    talk.network = NetworkFact(True, bytes(16), 0, 64109)
    talk.handle(TimeOfDay(NOW_S, is_trusted=True), 0.0)
    return talk


class Payer:
    """A car that pays by contract, on one connection."""

    def __init__(self, talk: Talk, number: int) -> None:
        self._talk, self._number = talk, number
        self.session_id = b"\0"
        self.last: list[TalkAction] = []
        talk.handle(TcpOpened(number, "fe80::1", is_secure=True), 0.0)
        self._send("app", sap.SupportedAppProtocolReq(app_protocol=(OFFER,)))
        self.ask(iso2.SessionSetupReq(evcc_id=bytes(6)))
        self.ask(iso2.ServiceDiscoveryReq())
        self.ask(CONTRACT)

    def ask(
        self, body: iso2.Request, signature: Signature | None = None
    ) -> iso2.Response:
        """Send a request; return the answer."""
        header = iso2.MessageHeader(session_id=self.session_id, signature=signature)
        self._send("iso2", iso2.V2gMessage(header=header, body=body))
        (sent,) = [one for one in self.last if isinstance(one, TcpSend)]
        told = codec("iso2").decode(sent.data[tp.HEADER.size :])
        assert isinstance(told, iso2.V2gMessage)
        assert isinstance(told.body, iso2.Response)
        self.session_id = told.header.session_id
        return told.body

    def pay(self, ders: tuple[bytes, ...] = GOOD) -> str:
        """Show a contract; return the code."""
        return self.ask(details(ders=ders)).response_code.name

    def sign_challenge(self) -> tuple[iso2.AuthorizationReq, Signature]:
        """Show a good contract, and sign what comes."""
        told = self.ask(details())
        assert isinstance(told, iso2.PaymentDetailsRes)
        request = iso2.AuthorizationReq(id="id1", gen_challenge=told.gen_challenge)
        return request, sign((request,), KEY)

    def why(self) -> str:
        """Return why the session has ended."""
        (over,) = [one for one in self.last if isinstance(one, SessionOver)]
        return over.why

    def told(self) -> str:
        """Return what is in the journal besides."""
        return " ".join(str(one) for one in self.last)

    def leave(self) -> None:
        self._talk.close()
        self._talk.handle(TcpClosed(self._number), 2.0)

    def _send(self, protocol: str, message: object) -> None:
        payload = codec(protocol).encode(message)
        data = tp.pack(tp.PayloadType.EXI, payload)
        self.last = list(self._talk.handle(TcpData(self._number, data), 1.0))


def assert_a_good_contract_is_taken(talk: Talk, number: int) -> None:
    payer = Payer(talk, number)
    request, signature = payer.sign_challenge()
    assert payer.ask(request, signature).response_code.name == "OK"


BAD = {
    "none": ((b"", *GOOD[1:]), "FAILED_CertChainError", "certificate"),
    "one octet": ((b"\x30", *GOOD[1:]), "FAILED_CertChainError", "certificate"),
    "noise": ((bytes(range(200)) * 4, *GOOD[1:]), "FAILED_CertChainError", ""),
    "no certificate": ((b"\x30\x03\x02\x01\x05",), "FAILED_CertChainError", ""),
    "largest of all": ((GOOD[0], *(bytes(800),) * 4), "FAILED_CertChainError", ""),
    "expired": (OLD, "FAILED_CertificateExpired", "expired"),
    "foreign": (chain("contract", 2), "FAILED_CertChainError", "no trusted"),
    "swapped": ((GOOD[0], GOOD[2], GOOD[1]), "FAILED_CertChainError", ""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_contract_has_its_code_and_the_next_is_taken(name: str) -> None:
    ders, code, why = BAD[name]
    talk = opened()
    payer = Payer(talk, 1)
    assert payer.pay(ders) == code
    assert code in payer.why()
    assert why in payer.told()
    payer.leave()
    assert_a_good_contract_is_taken(talk, 2)


def in_bits(octets: bytes) -> str:
    return "".join(f"{octet:08b}" for octet in octets)


def counted(octets: bytes) -> str:
    """Return octets as EXI has them, their number before them, in bits."""
    size = len(octets)
    return in_bits(bytes([size & 0x7F | 0x80, size >> 7]) + octets)


def with_leaf(message: iso2.V2gMessage, leaf: bytes, other: bytes) -> bytes:
    """Return a message with another certificate in it, which no encoder would write."""
    bits = in_bits(codec("iso2").encode(message))
    assert bits.count(counted(leaf)) == 1
    bits = bits.replace(counted(leaf), counted(other))
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8)


@pytest.mark.parametrize(("size", "is_read"), [(800, True), (801, False)])
def test_oversized_certificate_is_no_message(size: int, *, is_read: bool) -> None:
    talk = opened()
    payer = Payer(talk, 1)
    leaf, header = bytes(700), iso2.MessageHeader(session_id=payer.session_id)
    message = iso2.V2gMessage(header=header, body=details(ders=(leaf, *GOOD[1:])))
    spoilt = with_leaf(message, leaf, bytes(size))
    told = talk.handle(TcpData(1, tp.pack(tp.PayloadType.EXI, spoilt)), 1.0)
    assert bool(told) is is_read
    assert is_read or payer.pay() == "OK"  # the session goes on


def test_signature_of_an_earlier_session_is_refused() -> None:
    talk = opened()
    first = Payer(talk, 1)
    request, signature = first.sign_challenge()
    assert first.ask(request, signature).response_code.name == "OK"
    first.leave()
    second = Payer(talk, 2)
    fresh, _ = second.sign_challenge()
    assert fresh.gen_challenge != request.gen_challenge
    told = second.ask(request, signature)
    assert told.response_code.name == "FAILED_ChallengeInvalid"
    assert "FAILED_ChallengeInvalid" in second.why()
    second.leave()
    third = Payer(talk, 3)
    fresh, _ = third.sign_challenge()
    told = third.ask(fresh, signature)  # the old signature on the new challenge
    assert told.response_code.name == "FAILED_SignatureError"
    third.leave()
    assert_a_good_contract_is_taken(talk, 4)


def test_second_car_is_turned_away_and_that_is_told_once() -> None:
    talk = opened()
    payer = Payer(talk, 1)
    first = talk.handle(TcpOpened(2, "fe80::2", is_secure=True), 1.0)
    again = talk.handle(TcpOpened(3, "fe80::3", is_secure=True), 1.0)
    assert first[0] == TcpClose(2)
    assert isinstance(first[1], Publish)
    assert first[1].text == "fe80::2 turned away: another car is connected"
    assert again == (TcpClose(3),)
    assert payer.pay() == "OK"
