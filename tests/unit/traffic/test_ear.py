"""Which grammar a message is read in, and what says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pilothat.traffic.ear import NAMESPACES, PAYLOADS, Ear, Told, wire_name
from pilothat.traffic.piece import Layer, Piece, Side
from pilothat.v2g.messages import SCHEMAS, codec
from pilothat.v2g.messages.sap import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

DIN = "urn:din:70121:2012:MsgDef"
ISO2 = "urn:iso:15118:2:2013:MsgDef"
ISO20 = "urn:iso:std:iso:15118:-20:DC"
SETUP = bytes.fromhex("809a004011d0180b280000000400")
ISO2_START = bytes.fromhex("809802004080c1014181c2")  # V2G_Message of ISO 15118-2


def handshake(*namespaces: str, chosen: int | None = None) -> list[Piece]:
    """Return a handshake that offers namespaces as schemas 1, 2, ..."""
    offers = tuple(
        AppProtocol(
            protocol_namespace=namespace,
            version_number_major=2,
            version_number_minor=0,
            schema_id=number,
            priority=number,
        )
        for number, namespace in enumerate(namespaces, 1)
    )
    app = codec("app")
    code = ResponseCode.OK_SuccessfulNegotiation
    answer = SupportedAppProtocolRes(response_code=code, schema_id=chosen)
    request = SupportedAppProtocolReq(app_protocol=offers)
    return [message(app.encode(request)), message(app.encode(answer), end=1)]


def message(data: bytes, *, end: int = 0, stream: int = 1, kind: int = 0x8001) -> Piece:
    return Piece(data=data, end=end, stream=stream, payload_type=kind)


def last_of(pieces: list[Piece], protocol: str | None = None) -> Told:
    ear = Ear(protocol)
    return [ear.hear(piece) for piece in pieces][-1]


def test_what_was_agreed_on_is_the_grammar() -> None:
    told = last_of([*handshake("urn:other", DIN, chosen=2), message(SETUP)])
    assert (told.protocol, told.name, told.notes) == ("din", "SessionSetupReq", ())


def test_agreement_counts_for_its_own_connection_only() -> None:
    told = last_of([*handshake("urn:other", chosen=1), message(SETUP, stream=2)])
    assert told.protocol == "din"


def test_new_handshake_on_a_connection_replaces_the_old_one() -> None:
    pieces = [*handshake("urn:other", chosen=1), *handshake(DIN, chosen=1)]
    assert last_of([*pieces, message(SETUP)]).protocol == "din"


def test_unknown_agreement_is_told() -> None:
    told = last_of([*handshake("urn:other", chosen=1), message(SETUP)])
    assert told.error == "urn:other was agreed on, which is not spoken here"


def test_payload_type_of_din_after_iso_20_is_told() -> None:
    told = last_of([*handshake(ISO20, chosen=1), message(SETUP)])
    assert "which has no message of payload type 0x8001" in told.error


def test_message_that_is_numbered_like_another_grammar_is_told_and_not_guessed() -> (
    None
):
    told = last_of([*handshake(DIN, chosen=1), message(ISO2_START)])
    assert told.content is None
    assert told.error.endswith("; numbered like iso2")


def test_number_of_the_root_tells_where_no_handshake_was_seen() -> None:
    told = last_of([message(SETUP)])
    assert told.protocol == "din"
    assert told.notes == ("no handshake seen: din by the number of the root element",)
    told = last_of([message(SETUP), message(SETUP)])
    assert told.notes == ()


def test_message_without_any_evidence_says_so() -> None:
    told = last_of([message(b"\x80\xff\x00\x00")])
    assert "no handshake seen, and no number of a V2G message" in told.error


@pytest.mark.parametrize("kind", sorted(PAYLOADS))
def test_payload_type_of_iso_20_stands_for_its_grammar(kind: int) -> None:
    told = last_of([*handshake(ISO20, chosen=1), message(b"\x80", kind=kind)])
    assert told.protocol == PAYLOADS[kind]
    assert told.error


HEADER = {"SessionID": "0102030405060708", "TimeStamp": 0}
SETUP_20 = {"SessionSetupReq": {"Header": HEADER, "EVCCID": "WMIV1234567890ABCDEX"}}


def written(protocol: str, kind: int, content: Mapping[str, object]) -> Piece:
    grammar = codec(protocol)
    return message(grammar.encode(grammar.from_json(content)), kind=kind)


def test_message_of_iso_20_is_read_after_its_handshake() -> None:
    setup = written("iso20-common", 0x8002, SETUP_20)
    told = last_of([*handshake(ISO20, chosen=1), setup])
    assert (told.protocol, told.name) == ("iso20-common", "SessionSetupReq")
    assert (told.body["EVCCID"], told.header) == ("WMIV1234567890ABCDEX", HEADER)
    assert told.notes == ()


def test_message_of_iso_20_where_another_was_agreed_on_is_read_with_a_note() -> None:
    setup = written("iso20-common", 0x8002, SETUP_20)
    told = last_of([*handshake(DIN, chosen=1), setup])
    assert told.name == "SessionSetupReq"
    assert told.notes == (f"{DIN} was agreed on",)


def test_message_of_iso_2_is_told_by_its_number() -> None:
    body = {"SessionSetupReq": {"EVCCID": "02ca00000001"}}
    content = {"V2G_Message": {"Header": {"SessionID": "00"}, "Body": body}}
    told = last_of([written("iso2", 0x8001, content)])
    assert (told.protocol, told.name) == ("iso2", "SessionSetupReq")


def test_unknown_payload_type_is_told() -> None:
    told = last_of([message(b"\x80", kind=0xA123)])
    assert told.error == "V2GTP payload type 0xa123: no message read here"


def test_fixed_protocol_is_used_after_a_recorded_handshake() -> None:
    told = last_of([*handshake("urn:other", chosen=1), message(SETUP)], "din")
    assert (told.protocol, told.error) == ("din", "")


def test_fixed_protocol_is_used_for_a_message_by_itself() -> None:
    alone = replace(handshake(DIN)[0], is_alone=True)
    assert last_of([alone], "din").error


def test_who_asks_is_the_car() -> None:
    ear = Ear()
    first, second = handshake(DIN, chosen=1)
    answer = ear.hear(second)
    assert answer.piece.sender is Side.EVSE
    assert ear.hear(first).piece.sender is Side.EV


def test_broken_message_has_the_name_that_could_be_read() -> None:
    told = last_of([message(SETUP[:8])])
    assert told.name == "SessionSetupReq"
    assert told.error.startswith("V2G_Message/Body/SessionSetupReq/EVCCID: ")


def test_unknown_frame_is_described() -> None:
    raw = bytes(12) + bytes.fromhex("88e1014ea1000000")
    told = Ear().hear(Piece(layer=Layer.SLAC, data=raw))
    assert (told.name, told.error) == ("MME 0xa14e, version 1, 20 octets", "")
    told = Ear().hear(Piece(layer=Layer.SLAC, data=raw[:15]))
    assert told.name == "HomePlug frame of 15 octets"


def test_every_namespace_leads_to_a_protocol() -> None:
    names = set(NAMESPACES.values())
    assert names == {"din", "iso2", "iso20"}
    assert set(SCHEMAS) >= {"app", "din", "iso2", *PAYLOADS.values()}


@pytest.mark.parametrize(
    ("class_name", "name"),
    [
        ("CmSlacParmReq", "CM_SLAC_PARM.REQ"),
        ("VsPlLnkStatusCnf", "VS_PL_LNK_STATUS.CNF"),
    ],
)
def test_frames_are_called_as_on_the_wire(class_name: str, name: str) -> None:
    assert wire_name(class_name) == name
