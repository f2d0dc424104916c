"""Anything that can be declared survives the wire, and nothing else comes off it."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.exi.messages import CURRENT_DEMAND_RES, message, values

from pilothat.exi.codec import Codec, ExiError
from pilothat.v2g.messages import codec, din, sap

APP, DIN = codec("app"), codec("din")
OCTETS = DIN.encode(message(CURRENT_DEMAND_RES))
patient = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)


def settle(codec_: Codec, data: bytes) -> str:
    """Return how decoding ends; a message must be valid and keep its value."""
    try:
        found = codec_.decode(data)
    except ExiError:
        return "error"
    assert codec_.decode(codec_.encode(found)) == found
    assert codec_.from_json(codec_.to_json(found)) == found
    return "message"


@patient
@given(values(din.V2gMessage))
def test_any_din_message_survives_the_wire_and_json(found: object) -> None:
    decoded, notes = DIN.decode_with_notes(DIN.encode(found))
    assert decoded == found
    assert notes == ()
    assert DIN.from_json(DIN.to_json(found)) == found


@pytest.mark.parametrize("cls", din.BODY_ELEMENT.members.values())
@settings(max_examples=10, deadline=None)
@given(data=st.data())
def test_each_din_body_survives_the_wire(cls: type, data: st.DataObject) -> None:
    body = data.draw(values(cls))
    assert isinstance(body, din.BodyElement)
    found = message(body)
    assert DIN.decode(DIN.encode(found)) == found


@patient
@given(values(sap.SupportedAppProtocolReq) | values(sap.SupportedAppProtocolRes))
def test_any_handshake_message_survives_the_wire(found: object) -> None:
    assert APP.decode(APP.encode(found)) == found


@pytest.mark.parametrize("count", range(len(OCTETS)))
def test_message_cut_after_any_octet_is_an_error(count: int) -> None:
    with pytest.raises(ExiError):
        DIN.decode(OCTETS[:count])


@pytest.mark.parametrize("bit", range(len(OCTETS) * 8))
def test_message_with_any_bit_flipped_is_an_error_or_another_message(bit: int) -> None:
    number = int.from_bytes(OCTETS, "big") ^ 1 << bit
    assert settle(DIN, number.to_bytes(len(OCTETS), "big")) in ("error", "message")


@pytest.mark.parametrize("bits", range(len(OCTETS) * 8))
def test_message_cut_after_any_bit_is_an_error_or_another_message(bits: int) -> None:
    rest = len(OCTETS) * 8 - bits
    number = int.from_bytes(OCTETS, "big") >> rest << rest
    data = number.to_bytes(len(OCTETS), "big")[: (bits + 7) // 8]
    assert settle(DIN, data) in ("error", "message")


@patient
@given(st.sampled_from([b"", b"\x80", b"\x80\x9a"]), st.binary(max_size=300))
def test_random_octets_are_an_error_or_a_valid_message(
    start: bytes, rest: bytes
) -> None:
    settle(DIN, start + rest)
    settle(APP, start + rest)


@patient
@given(st.integers(15, len(OCTETS)), st.binary(max_size=200))
def test_random_tail_is_an_error_or_a_valid_message(count: int, tail: bytes) -> None:
    settle(DIN, OCTETS[:count] + tail)
