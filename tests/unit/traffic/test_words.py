"""What of a message is shown, in which units, and how loud."""

from __future__ import annotations

import json
from collections.abc import Mapping

import pytest
from tests.unit.service.console import shared

from pilothat.traffic.ear import Told
from pilothat.traffic.fields import FIELDS, STATES, Tone
from pilothat.traffic.piece import Piece
from pilothat.traffic.words import Word, number_of, tree, unit_of, value_text, words


def volts(value: int, exponent: int = 0) -> dict[str, object]:
    return {"Multiplier": exponent, "Unit": "V", "Value": value}


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("EVTargetVoltage", volts(3980, -1), "398.0 V"),
        ("EVTargetVoltage", volts(4, 2), "400 V"),
        ("EVTargetVoltage", {"Multiplier": 0, "Value": 7}, "7 V"),
        ("EVTargetVoltage", {"Exponent": -2, "Value": 39_805}, "398.05 V"),
        ("EVMaximumPowerLimit", {"Multiplier": 3, "Unit": "W", "Value": 98}, "98 kW"),
        ("EVMaximumPowerLimit", {"Multiplier": 0, "Unit": "W", "Value": 98}, "98 W"),
        ("EAmount", {"Multiplier": 1, "Unit": "Wh", "Value": 2058}, "20.58 kWh"),
        ("EVRESSSOC", 45, "45 %"),
        ("NotificationMaxDelay", 0, "0 s"),
        ("ServiceID", 3, "3"),
        ("NumberOfPriceLevels", 3, "3"),
        ("EVReady", True, "yes"),
        ("EVReady", False, "no"),
        ("SessionID", "00ff", "00ff"),
    ],
)
def test_value_is_shown_as_people_read_it(name: str, value: object, text: str) -> None:
    assert value_text(name, value) == text


@pytest.mark.parametrize(
    ("value", "number"),
    [(volts(3980, -1), 398.0), (7, 7.0), (True, None), ("7", None), ({}, None)],
)
def test_number_is_in_si(value: object, number: float | None) -> None:
    assert number_of(value) == pytest.approx(number)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("EVPresentReactivePower_L2", "var"),
        ("EVSEMaximumChargePower", "W"),
        ("CapacitiveEnergyReadingVARh", "varh"),
        ("EVSENominalFrequency", "Hz"),
        ("EnergyFee", ""),
        ("Id", ""),
    ],
)
def test_unit_follows_from_the_name(name: str, unit: str) -> None:
    assert unit_of(name) == unit


def told(name: str, body: Mapping[str, object], header: str = "00") -> Told:
    message = {"Header": {"SessionID": header}, "Body": {name: body}}
    return Told(piece=Piece(), name=name, content={"V2G_Message": message})


def texts(one: Told) -> list[str]:
    return [word.text for word in words(one)]


def test_fields_stand_in_the_order_of_the_table() -> None:
    body = {
        "DC_EVStatus": {"EVRESSSOC": 45, "EVReady": True, "EVErrorCode": "NO_ERROR"},
        "EVTargetCurrent": {"Multiplier": 0, "Unit": "A", "Value": 120},
        "ChargingComplete": False,
        "EVTargetVoltage": volts(398),
    }
    assert texts(told("CurrentDemandReq", body)) == [
        "target 398 V",
        "120 A",
        "SoC 45 %",
    ]


def test_what_is_not_there_is_left_out() -> None:
    assert texts(told("CurrentDemandReq", {})) == []


def test_many_values_of_one_field_stand_together() -> None:
    services = [{"ServiceID": 1}, {"ServiceID": 3}]
    body = {"SelectedServiceList": {"SelectedService": services}}
    assert texts(told("PaymentServiceSelectionReq", body)) == ["service 1, 3"]


def test_long_value_is_cut() -> None:
    (text,) = texts(told("ServiceDiscoveryReq", {"ServiceCategory": "x" * 500}))
    assert (len(text), text[-3:]) == (60, "...")


def test_message_without_wrapper_is_its_own_body() -> None:
    content = {
        "DC_ChargeLoopReq": {
            "Header": {"SessionID": "01"},
            "DisplayParameters": {"PresentSOC": 61},
            "EVPresentVoltage": {"Exponent": -1, "Value": 4001},
            "Scheduled_DC_CLReqControlMode": {
                "EVTargetCurrent": {"Exponent": 0, "Value": 50},
                "EVTargetVoltage": {"Exponent": 0, "Value": 410},
            },
        }
    }
    one = Told(piece=Piece(), name="DC_ChargeLoopReq", content=content)
    assert texts(one) == ["present 400.1 V", "target 410 V", "50 A", "SoC 61 %"]


def test_state_is_heard_wherever_it_stands() -> None:
    body = {"DC_EVSEStatus": {"EVSEStatusCode": "EVSE_EmergencyShutdown"}}
    alarm = Word("EVSE_EmergencyShutdown", Tone.ALARM)
    assert words(told("CableCheckRes", body)) == [alarm]


@pytest.mark.parametrize(
    ("name", "value", "tone"),
    [
        ("EVSEStatusCode", "EVSE_Ready", None),
        ("EVSEStatusCode", "EVSE_NotReady", Tone.CAUTION),
        ("EVSEStatusCode", "EVSE_Malfunction", Tone.ALARM),
        ("EVSENotification", "None", None),
        ("EVSENotification", "StopCharging", Tone.CAUTION),
        ("EVSEIsolationStatus", "Valid", None),
        ("EVSEIsolationStatus", "Fault", Tone.ALARM),
        ("EVErrorCode", "NO_ERROR", None),
        ("EVErrorCode", "FAILED_RESSTemperatureInhibit", Tone.ALARM),
        ("EVSEProcessing", "Ongoing", Tone.PLAIN),
        ("ResponseCode", "OK", None),
        ("ResponseCode", "OK_OldSessionJoined", Tone.PLAIN),
        ("ResponseCode", "WARNING_NoCertificateAvailable", Tone.CAUTION),
        ("ResponseCode", "FAILED", Tone.ALARM),
        ("ResponseCode", "Failed_NoNegotiation", Tone.ALARM),
        ("RCD", True, Tone.ALARM),
        ("RCD", False, None),
    ],
)
def test_how_loud_a_state_is(name: str, value: object, tone: Tone | None) -> None:
    found = words(told("CableCheckRes", {name: value}))
    assert [word.tone for word in found] == ([] if tone is None else [tone])


def test_every_row_of_the_tables_can_be_used() -> None:
    paths = [path for rows in FIELDS.values() for _, path in rows]
    assert all(part for path in paths for part in path.split("."))
    assert all(
        Tone.SILENT in tones.values() or "" in tones for _, tones in STATES.values()
    )


def test_tree_shows_lists_entry_by_entry() -> None:
    rows = list(
        tree(told("X", {"Service": [{"ServiceID": 1}, {"ServiceID": 2}], "Y": []}))
    )
    assert rows[5:] == [
        (3, "Service", ""),
        (4, "ServiceID", "1"),
        (3, "Service", ""),
        (4, "ServiceID", "2"),
    ]


@pytest.mark.parametrize(
    "file", ["din", "iso2", "iso20-common", "iso20-dc", "iso20-ac"]
)
def test_every_message_of_the_public_vectors_has_words_and_a_tree(file: str) -> None:
    path = shared(f"vectors/exi/{file}.jsonl")
    vectors = [json.loads(line) for line in path.read_text().splitlines()]
    for vector in vectors:
        content = vector["json"]
        one = Told(piece=Piece(), name=vector["message"], content=content)
        assert all(word.text for word in words(one))
        assert len(list(tree(one))) > 1
    assert len(vectors) > 400
