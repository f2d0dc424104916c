"""Errors with their place, notes, limits, and what cannot be encoded."""

from __future__ import annotations

import re
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.exi.messages import CURRENT_DEMAND_RES, STATUS, message

from pilothat.errors import PeerError
from pilothat.exi.codec import Codec, ExiError, Limits, Tolerance, parts
from pilothat.v2g.messages import SCHEMAS, codec, din, sap

DIN = codec("din")
PATH = "V2G_Message/Body/CurrentDemandRes/"
ENTRY = sap.AppProtocol(
    protocol_namespace="urn:x",
    version_number_major=2,
    version_number_minor=0,
    schema_id=1,
    priority=1,
)


def profile(count: int) -> din.V2gMessage:
    """Return a message with a list of ``count`` entries."""
    entry = din.ProfileEntry(
        charging_profile_entry_start=1, charging_profile_entry_max_power=2
    )
    return message(
        din.PowerDeliveryReq(
            ready_to_charge_state=True,
            charging_profile=din.ChargingProfile(
                sa_schedule_tuple_id=1, profile_entry=(entry,) * count
            ),
        )
    )


def test_error_tells_path_bit_and_reason() -> None:
    data = DIN.encode(message(CURRENT_DEMAND_RES))[:30]
    with pytest.raises(ExiError) as caught:
        DIN.decode(data)
    error = caught.value
    assert isinstance(error, PeerError)
    assert error.path == PATH + "EVSEMaximumPowerLimit/Value"
    assert error.reason == "the message is cut short"
    assert 230 < error.bit <= 240
    assert str(error).startswith(error.path + ": the message is cut short (bit ")


def test_input_above_the_limit_is_refused_unread() -> None:
    with pytest.raises(ExiError, match="at most 65536"):
        DIN.decode(bytes(Limits().octets + 1))


def test_limit_can_be_set() -> None:
    small = Codec(din.GRAMMAR, limits=Limits(octets=10))
    with pytest.raises(ExiError, match="at most 10"):
        small.decode(DIN.encode(message(CURRENT_DEMAND_RES)))


def test_announced_length_allocates_nothing() -> None:
    bits = "100000001001101000" + "11111111" * 4 + "00000111" + "0" * 806
    data = int(bits, 2).to_bytes(len(bits) // 8, "big")
    tracemalloc.start()
    tracemalloc.reset_peak()
    before, _ = tracemalloc.get_traced_memory()
    with pytest.raises(ExiError, match="2147483647 octets announced"):
        DIN.decode(data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak - before < 50_000


@pytest.mark.parametrize("count", [1, 2, 31, 32, 33, 64, 65, 300])
def test_list_of_any_length_survives(count: int) -> None:
    assert DIN.decode(DIN.encode(profile(count))) == profile(count)


def test_empty_body_survives() -> None:
    assert DIN.decode(DIN.encode(message(None))) == message(None)


def test_tolerances_are_told_beside_the_message() -> None:
    data = DIN.encode(message(CURRENT_DEMAND_RES))
    found, notes = DIN.decode_with_notes(data + b"\0")
    assert found == message(CURRENT_DEMAND_RES)
    assert notes == (Tolerance.TRAILING_OCTETS,)
    assert notes == ("trailing-octets",)
    assert DIN.decode_with_notes(data)[1] == ()


@pytest.mark.parametrize("count", [1, 19, 20])
def test_bounded_list_may_be_filled(count: int) -> None:
    request = sap.SupportedAppProtocolReq(app_protocol=(ENTRY,) * count)
    assert codec("app").decode(codec("app").encode(request)) == request


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "AppProtocol is missing"), (21, r"AppProtocol\[20\]: it cannot stand here")],
)
def test_bounded_list_may_not_be_empty_or_overfull(count: int, words: str) -> None:
    request = sap.SupportedAppProtocolReq(app_protocol=(ENTRY,) * count)
    with pytest.raises(ValueError, match=words):
        codec("app").encode(request)


MISFITS: dict[str, tuple[dict[str, Any], str]] = {
    "enumeration": (
        {"response_code": 0},
        PATH + "ResponseCode: 0 is no ResponseCode",
    ),
    "boolean": (
        {"evse_power_limit_achieved": 1},
        PATH + "EVSEPowerLimitAchieved: 1 is no bool",
    ),
    "missing": (
        {"evse_present_voltage": None},
        PATH + "EVSEPresentCurrent: it cannot stand here; EVSEPresentVoltage is wanted",
    ),
    "class": (
        {"dc_evse_status": CURRENT_DEMAND_RES},
        PATH + "DC_EVSEStatus: CurrentDemandRes instead of DcEvseStatus",
    ),
    "n-bit-range": (
        {"evse_present_voltage": din.PhysicalValue(multiplier=4, value=1)},
        PATH + "EVSEPresentVoltage/Multiplier: 4 is not in -3..3",
    ),
    "range": (
        {"evse_present_voltage": din.PhysicalValue(multiplier=0, value=32768)},
        PATH + "EVSEPresentVoltage/Value: 32768 is not in -32768..32767",
    ),
    "float": (
        {"evse_present_voltage": din.PhysicalValue(multiplier=0, value=1.0)},  # type: ignore[arg-type]  # the point of the test
        PATH + "EVSEPresentVoltage/Value: 1.0 is no integer",
    ),
    "bool-as-int": (
        {"dc_evse_status": replace(STATUS, notification_max_delay=True)},
        PATH + "DC_EVSEStatus/NotificationMaxDelay: True is no integer",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_value_that_does_not_fit_is_refused_with_its_path(name: str) -> None:
    change, words = MISFITS[name]
    body = replace(CURRENT_DEMAND_RES, **change)
    with pytest.raises(ValueError, match=f"^{re.escape(words)}$"):
        DIN.encode(message(body))


BODIES: dict[str, tuple[din.BodyElement, str]] = {
    "abstract": (din.BodyElement(), "Body: a BodyElement cannot stand here"),
    "octets": (
        din.SessionSetupReq(evcc_id=bytes(9)),
        "Body/SessionSetupReq/EVCCID: 9 octets, at most 8 allowed",
    ),
    "string": (
        din.ServiceDiscoveryReq(service_scope="x" * 33),
        "Body/ServiceDiscoveryReq/ServiceScope: 33 characters, at most 32 allowed",
    ),
    "surrogate": (
        din.ServiceDiscoveryReq(service_scope="\ud800"),
        "Body/ServiceDiscoveryReq/ServiceScope: half a surrogate pair",
    ),
}


@pytest.mark.parametrize("name", BODIES)
def test_body_that_does_not_fit_is_refused_with_its_path(name: str) -> None:
    body, words = BODIES[name]
    with pytest.raises(ValueError, match=f"^V2G_Message/{re.escape(words)}$"):
        DIN.encode(message(body))


NO_VALUE = din.Parameter(name="p", value_type=din.ValueType.INT)


@pytest.mark.parametrize(
    ("parameter", "words"),
    [
        (NO_VALUE, "boolValue is missing"),
        (replace(NO_VALUE, int_value=1, string_value="1"), "the end is wanted"),
    ],
)
def test_parameter_has_exactly_one_value(parameter: din.Parameter, words: str) -> None:
    variant = din.ParameterSet(parameter_set_id=1, parameter=(parameter,))
    body = din.ServiceDetailRes(
        response_code=din.ResponseCode.OK,
        service_id=1,
        service_parameter_list=din.ServiceParameterList(parameter_set=(variant,)),
    )
    with pytest.raises(ValueError, match=words):
        DIN.encode(message(body))


def test_object_that_is_no_root_is_refused() -> None:
    with pytest.raises(ValueError, match="no message of din"):
        DIN.encode(CURRENT_DEMAND_RES)


def test_prepared_codec_knows_all_types_and_still_agrees() -> None:
    ready = Codec(din.GRAMMAR)
    data = DIN.encode(message(CURRENT_DEMAND_RES))
    assert ready.decode(data) == message(CURRENT_DEMAND_RES)  # some types are ready
    ready.prepare()
    assert [codec_.is_ready for codec_ in ready._types.values()] == [True] * 80
    assert ready.decode(data) == message(CURRENT_DEMAND_RES)
    assert ready.encode(message(CURRENT_DEMAND_RES)) == data


JSON_MISFITS: dict[str, tuple[dict[str, object], str]] = {
    "no-root": ({}, "no message of din"),
    "other-root": ({"supportedAppProtocolReq": {}}, "no message of din"),
    "no-object": ({"V2G_Message": 1}, "V2G_Message: 1 is no object"),
    "missing": ({"V2G_Message": {"Body": {}}}, "missing 1 required"),
    "unknown-key": (
        {"V2G_Message": {"Header": {"SessionID": ""}, "Body": {}, "Tail": {}}},
        "Tail is not known here",
    ),
    "unknown-body": (
        {"V2G_Message": {"Header": {"SessionID": ""}, "Body": {"Hello": {}}}},
        "Hello is not known here",
    ),
    "not-hex": (
        {"V2G_Message": {"Header": {"SessionID": "x"}}},
        "V2G_Message/Header/SessionID: 'x' is not hexadecimal",
    ),
    "no-text": (
        {"V2G_Message": {"Header": {"SessionID": 1}}},
        "V2G_Message/Header/SessionID: 1 is no str",
    ),
    "literal": (
        {
            "V2G_Message": {
                "Header": {"SessionID": "", "Notification": {"FaultCode": "?"}}
            }
        },
        "Notification/FaultCode: '\\?' is no literal of FaultCode",
    ),
    "refused": (
        {"V2G_Message": {"Header": {"SessionID": "", "Signature": {"KeyInfo": {}}}}},
        "Signature/KeyInfo: this element is not supported",
    ),
    "no-list": (
        {
            "V2G_Message": {
                "Header": {"SessionID": ""},
                "Body": {
                    "ServiceDiscoveryRes": {
                        "ResponseCode": "OK",
                        "PaymentOptions": {"PaymentOption": "Contract"},
                    }
                },
            }
        },
        "PaymentOptions/PaymentOption: a list is expected",
    ),
    "bool-as-int": (
        {
            "V2G_Message": {
                "Header": {"SessionID": ""},
                "Body": {"ServiceDetailReq": {"ServiceID": True}},
            }
        },
        "ServiceDetailReq/ServiceID: True is no int",
    ),
}


@pytest.mark.parametrize("name", JSON_MISFITS)
def test_json_that_does_not_fit_is_refused_with_its_path(name: str) -> None:
    found, words = JSON_MISFITS[name]
    with pytest.raises(ValueError, match=words):
        DIN.from_json(found)


def test_lists_and_texts_have_a_limit_of_ours() -> None:
    few = Codec(sap.GRAMMAR, limits=Limits(entries=2))
    two = sap.SupportedAppProtocolReq(app_protocol=(ENTRY,) * 2)
    assert few.decode(few.encode(two)) == two
    three = sap.SupportedAppProtocolReq(app_protocol=(ENTRY,) * 3)
    with pytest.raises(ExiError, match=r"AppProtocol\[2\]: more than 2 entries"):
        few.decode(few.encode(three))
    short = Codec(sap.GRAMMAR, limits=Limits(length=4))
    with pytest.raises(ExiError, match=r"ProtocolNamespace: .* long, at most 4"):
        short.decode(short.encode(two))


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_type_holds_itself(name: str) -> None:
    """So nesting is bounded by the schema."""
    grammar = codec(name).grammar
    roots = [root.cls for root in (*grammar.roots, *grammar.fragments)]
    assert max(depth(cls, ()) for cls in roots) <= 12


def depth(cls: type, around: tuple[type, ...]) -> int:
    """Return how deep a declared class nests."""
    assert cls not in around
    return 1 + max((depth(part, (*around, cls)) for part in parts(cls)), default=0)
