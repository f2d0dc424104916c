"""SDP datagrams."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.v2g.sdp import (
    SdpRequest,
    SdpResponse,
    Security,
    Transport,
    build_request,
    build_response,
    parse_request,
    parse_response,
)

ADDRESS = bytes.fromhex("fe80000000000000021122fffe334455")
RESPONSE = bytes.fromhex(f"01fe900100000014{ADDRESS.hex()}c0001000")

REQUESTS = {
    "tls": ("01fe9000000000020000", SdpRequest(Security.TLS)),
    "plain": ("01fe9000000000021000", SdpRequest(Security.NONE)),
    "udp": ("01fe9000000000021010", SdpRequest(Security.NONE, Transport.UDP)),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_request_is_read_and_built(name: str) -> None:
    octets, request = REQUESTS[name]
    assert parse_request(bytes.fromhex(octets)) == request
    assert build_request(request.security, request.transport).hex() == octets


def test_request_says_whether_it_wants_tls() -> None:
    assert SdpRequest(Security.TLS).tls
    assert not SdpRequest(Security.NONE).tls


NO_REQUESTS = {
    "nothing": "",
    "version": "02fe9000000000021000",
    "inverse": "01ff9000000000021000",
    "another-type": "01fe9001000000021000",
    "length-field": "01fe9000000000031000",
    "too-short": "01fe90000000000210",
    "too-long": "01fe900000000002100000",
    "reserved-security": "01fe9000000000020100",
    "reserved-transport": "01fe9000000000021001",
    "a-response": RESPONSE.hex(),
}


@pytest.mark.parametrize("name", NO_REQUESTS)
def test_anything_else_is_no_request(name: str) -> None:
    assert parse_request(bytes.fromhex(NO_REQUESTS[name])) is None


def test_response_is_28_octets_with_address_and_port() -> None:
    assert build_response(ADDRESS, 49152, Security.NONE) == RESPONSE
    assert len(RESPONSE) == 28


def test_response_is_read() -> None:
    response = parse_response(RESPONSE)
    assert response == SdpResponse(ADDRESS, 49152, Security.NONE)
    assert response is not None
    assert not response.tls
    assert SdpResponse(ADDRESS, 49152, Security.TLS).tls


NO_RESPONSES = {
    "cut": RESPONSE[:-1],
    "longer": RESPONSE + b"\0",
    "port-0": RESPONSE[:24] + b"\0\0" + RESPONSE[26:],
    "reserved-security": RESPONSE[:26] + b"\x01\0",
    "reserved-transport": RESPONSE[:26] + b"\x10\x01",
    "a-request": build_request(Security.TLS),
}


@pytest.mark.parametrize("name", NO_RESPONSES)
def test_anything_else_is_no_response(name: str) -> None:
    assert parse_response(NO_RESPONSES[name]) is None


@pytest.mark.parametrize(
    ("address", "port"), [(b"", 49152), (ADDRESS, 0), (ADDRESS, 0x10000)]
)
def test_response_with_an_impossible_address_or_port_is_refused(
    address: bytes, port: int
) -> None:
    with pytest.raises(ValueError, match=r"is no TCP port|are no IPv6 address"):
        build_response(address, port, Security.NONE)


@given(st.binary(max_size=40))
def test_random_datagrams_are_never_taken_for_more_than_they_are(data: bytes) -> None:
    request = parse_request(data)
    assert request is None or build_request(request.security, request.transport) == data
