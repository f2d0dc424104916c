"""The handshake: the car ranks, the station filters."""

from __future__ import annotations

import pytest

from pilothat.v2g.messages import codec
from pilothat.v2g.messages.sap import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
)
from pilothat.v2g.secc.handshake import DIN, Served, negotiate

DIN_NAME = "urn:din:70121:2012:MsgDef"
ISO_NAME = "urn:iso:15118:2:2013:MsgDef"
ISO = Served(ISO_NAME, 2, 0, "iso2")
OK = ResponseCode.OK_SuccessfulNegotiation
MINOR = ResponseCode.OK_SuccessfulNegotiationWithMinorDeviation
NONE = ResponseCode.Failed_NoNegotiation

Offer = tuple[str, int, int, int, int]  # name, major, minor, schema id, priority


def ask(*offers: Offer) -> SupportedAppProtocolReq:
    return SupportedAppProtocolReq(
        app_protocol=tuple(
            AppProtocol(
                protocol_namespace=name,
                version_number_major=major,
                version_number_minor=minor,
                schema_id=schema_id,
                priority=priority,
            )
            for name, major, minor, schema_id, priority in offers
        )
    )


CASES: list[tuple[str, list[Offer], ResponseCode, int | None]] = [
    ("one that fits", [(DIN_NAME, 2, 0, 7, 1)], OK, 7),
    ("schema id 0", [(DIN_NAME, 2, 0, 0, 1)], OK, 0),
    ("minor differs", [(DIN_NAME, 2, 1, 3, 1)], MINOR, 3),
    ("major differs", [(DIN_NAME, 1, 0, 3, 1)], NONE, None),
    ("major of the future", [(DIN_NAME, 3, 0, 3, 1)], NONE, None),
    ("unknown name", [("urn:maker:own", 2, 0, 1, 1)], NONE, None),
    ("empty name", [("", 2, 0, 1, 1)], NONE, None),
    ("name in capitals", [(DIN_NAME.upper(), 2, 0, 1, 1)], NONE, None),
    (
        "maker's own first",
        [("urn:maker:own", 1, 0, 1, 1), (DIN_NAME, 2, 0, 2, 2)],
        OK,
        2,
    ),
    ("not served here", [(ISO_NAME, 2, 0, 1, 1), (DIN_NAME, 2, 0, 2, 2)], OK, 2),
    ("order means nothing", [(DIN_NAME, 2, 0, 4, 9), (DIN_NAME, 2, 0, 5, 3)], OK, 5),
    ("ties go to the first", [(DIN_NAME, 2, 0, 4, 1), (DIN_NAME, 2, 1, 5, 1)], OK, 4),
    (
        "wrong major is skipped",
        [(DIN_NAME, 1, 0, 4, 1), (DIN_NAME, 2, 0, 5, 2)],
        OK,
        5,
    ),
    (
        "twenty",
        [(f"urn:{n}", 2, 0, n, n) for n in range(1, 20)] + [(DIN_NAME, 2, 0, 20, 20)],
        OK,
        20,
    ),
]


@pytest.mark.parametrize(
    ("offers", "code", "schema_id"), [c[1:] for c in CASES], ids=[c[0] for c in CASES]
)
def test_answer_follows_the_rules(
    offers: list[Offer], code: ResponseCode, schema_id: int | None
) -> None:
    response, chosen = negotiate(ask(*offers), [DIN])
    assert (response.response_code, response.schema_id) == (code, schema_id)
    assert chosen == (None if code is NONE else DIN)
    wire = codec("app")
    assert wire.decode(wire.encode(response)) == response


@pytest.mark.parametrize(
    ("din_priority", "iso_priority", "protocol"),
    [(1, 2, "din"), (2, 1, "iso2"), (5, 5, "din")],
)
def test_car_chooses_among_several_served(
    din_priority: int, iso_priority: int, protocol: str
) -> None:
    request = ask((DIN_NAME, 2, 0, 1, din_priority), (ISO_NAME, 2, 0, 2, iso_priority))
    _, chosen = negotiate(request, [ISO, DIN])
    assert chosen is not None
    assert chosen.protocol == protocol


def test_nothing_served_is_nothing_chosen() -> None:
    response, chosen = negotiate(ask((DIN_NAME, 2, 0, 1, 1)), [])
    assert (response.response_code, chosen) == (NONE, None)
