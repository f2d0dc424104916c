"""A recorded car is conditional where a real one is, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.twin.captured import Row, charge, message, name, of, rewritten, text

from pilothat.homeplug.cm import CmSlacMatchReq, CmSlacParmReq
from pilothat.service.replay import play
from pilothat.twin.carevents import Plug, SetElectrics, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.recorded import Phase, RecordedCar
from pilothat.twin.recordedmarks import Said, Side
from pilothat.twin.recordedspeech import V2gMessage
from pilothat.twin.recording import parse
from pilothat.twin.stage import EVSE_MAC
from pilothat.v2g import sdp
from pilothat.v2g.messages import codec, din, iso2
from pilothat.v2g.messages.sap import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

DIN = "urn:din:70121:2012:MsgDef"
ISO_2 = "urn:iso:15118:2:2013:MsgDef"
ISO_20 = "urn:iso:std:iso:15118:-20:DC"
CARS = pytest.mark.parametrize("car_name", ["generic", "iso2", "iso2-renegotiating"])


def played(rows: list[Row]) -> RecordedCar:
    """Return the car of these lines after its visit; no rule may be broken."""
    car, violations = play(text(rows), "file")
    assert violations == []
    return car


def at(rows: list[Row], wanted: str) -> int:
    return next(n for n, row in enumerate(rows) if name(row) == wanted)


def last(rows: list[Row], wanted: str) -> int:
    return max(n for n, row in enumerate(rows) if name(row) == wanted)


def shifted(rows: list[Row], delay_s: float) -> list[Row]:
    return [{**row, "t": float(str(row["t"])) + delay_s} for row in rows]


def said(car: RecordedCar, wanted: str, side: Side = Side.CAR) -> list[Said]:
    return [one for one in car.transcript if (one.name, one.side) == (wanted, side)]


def notes(car: RecordedCar) -> str:
    return " | ".join(one.note for one in car.transcript if one.note)


def differences(car: RecordedCar) -> list[str]:
    return [told for one in car.transcript for told in one.differences]


# --- as recorded


@CARS
def test_own_charge_is_played_to_its_end_without_a_difference(car_name: str) -> None:
    car = played(charge(car_name))
    assert car.reached == car.recorded
    assert car.reached.name == "SessionStop"
    assert differences(car) == []
    assert (car.reason, car.is_broken_off) == ("as recorded", False)


@CARS
def test_every_request_is_said_once_and_in_order(car_name: str) -> None:
    rows = charge(car_name)
    recorded = [name(r) for r in rows if r["from"] == "ev" and name(r)]
    v2g = (one for one in played(rows).transcript if one.side is Side.CAR)
    assert [x.name for x in v2g if isinstance(x.message, V2gMessage)] == recorded


def test_match_is_asked_of_our_charger_and_with_the_recorded_run_id() -> None:
    car = played(charge())
    (parm,), (match,) = said(car, "CmSlacParmReq"), said(car, "CmSlacMatchReq")
    assert isinstance(parm.message, CmSlacParmReq)
    assert isinstance(match.message, CmSlacMatchReq)
    assert match.message.evse_mac == EVSE_MAC
    assert match.message.run_id == parm.message.run_id


# --- where our station is slower or faster


@CARS
def test_car_asks_again_while_our_station_is_busy(car_name: str) -> None:
    rows = charge(car_name)
    first, behind = at(rows, "CableCheckReq"), last(rows, "CableCheckRes")
    car = played([*rows[: first + 1], *rows[behind:]])
    assert car.reached.name == car.recorded.name == "SessionStop"
    assert "Ongoing: asked again" in notes(car)
    assert len(said(car, "CableCheckReq")) > 5


@CARS
def test_car_leaves_out_repetitions_that_our_station_makes_needless(
    car_name: str,
) -> None:
    rows = charge(car_name)
    first = at(rows, "CableCheckReq")
    pair = rows[first : first + 2]
    more = [row for n in range(200) for row in shifted(pair, n * 0.1)]
    car = played([*rows[:first], *more, *shifted(rows[first:], 20.0)])
    assert car.reached == car.recorded
    assert "repetitions left out" in notes(car)
    assert len(said(car, "CableCheckReq")) < 100


@CARS
def test_car_waits_in_precharge_for_the_voltage(car_name: str) -> None:
    rows = charge(car_name)
    first, behind = at(rows, "PreChargeReq"), last(rows, "PreChargeReq")
    car = played([*rows[:first], *rows[behind:]])
    assert car.reached.name == "SessionStop"
    assert "V away: asked again" in notes(car)


def test_request_for_slac_is_not_repeated_once_it_was_answered() -> None:
    rows = charge()
    again = [shifted([rows[0]], n * 0.21 - 1.0)[0] for n in range(4)]
    car = played([*again, *rows[1:]])
    assert car.reached.name == "SessionStop"
    assert car.skipped[0] == 3
    assert len(said(car, "CmSlacParmReq")) == 1


def test_request_for_slac_that_comes_doubled_is_sent_twice() -> None:
    rows = charge()
    car = played([rows[0], *shifted([rows[0]], 0.004), *rows[1:]])
    assert car.reached.name == "SessionStop"
    assert len(said(car, "CmSlacParmReq")) == 2


def test_request_for_slac_with_another_run_id_is_no_repetition() -> None:
    rows = charge()
    raw = bytes.fromhex(str(rows[0]["hex"]))
    other = {**rows[0], "hex": (raw[:21] + b"\x99" * 8 + raw[29:]).hex()}
    car = played([*shifted([other], -1.0), *rows])
    assert car.reached.name == "SessionStop"
    assert len(said(car, "CmSlacParmReq")) == 2


def test_car_that_began_anew_without_a_report_does_so_here() -> None:
    rows = charge()
    first_try = shifted(rows[:15], -5.0)
    car = played([*first_try, *rows])
    assert car.reached.name == "SessionStop"
    assert len(said(car, "CmSlacParmReq")) == 2


def test_answer_without_tls_ends_the_requests_for_tls() -> None:
    rows = charge()
    first = rows.index(of(rows, "sdp")[0])
    tls = {**rows[first], "hex": "0000"}
    asked = [shifted([tls], n * 0.25)[0] for n in range(50)]
    car = played([*rows[:first], *asked, *shifted(rows[first:], 12.5)])
    assert car.reached.name == "SessionStop"
    assert car.skipped == (0, 49)
    requests = [one.message for one in said(car, "SDP request")]
    assert requests == [
        sdp.SdpRequest(sdp.Security.TLS),
        sdp.SdpRequest(sdp.Security.NONE),
    ]


# --- what a recording may lack


@pytest.mark.parametrize("layers", [("sdp", "v2gtp", "tcp"), ("v2gtp", "tcp")])
def test_what_was_not_recorded_is_done_by_the_twins_car(
    layers: tuple[str, ...],
) -> None:
    car = played(of(charge(), *layers))
    assert car.reached == car.recorded
    assert car.reached.name == "SessionStop"
    assert car.notes == ["no SLAC is recorded: the twin's own car matches"]


def test_slac_with_gaps_is_done_by_the_twins_car() -> None:
    car = played(charge()[3:])
    assert car.reached.name == "SessionStop"
    assert "gaps" in car.notes[0]


def test_recording_of_slac_alone_ends_with_the_match() -> None:
    car = played(of(charge(), "slac"))
    assert car.reached == car.recorded
    assert car.reached.name == "SLAC matched"


def test_car_whose_charger_gave_a_wrong_run_id_comes_further_here() -> None:
    car = played(charge()[:1])
    assert car.recorded.name == "SLAC requested"
    assert car.reached.name == "SLAC confirmed"
    assert car.reached > car.recorded


def test_recording_up_to_sdp_ends_there() -> None:
    car = played(of(charge(), "slac", "sdp"))
    assert car.reached.name == car.recorded.name == "SDP answered"


def test_stretch_that_was_left_out_does_not_make_the_car_silent() -> None:
    rows = charge()
    first = at(rows, "CurrentDemandReq") + 6
    late = shifted(rows[first:], 500.0)
    gap = [float(str(rows[first - 1]["t"])), float(str(late[0]["t"])), 5000]
    header: Row = {"vehicle": "twin", "omitted": [gap]}
    car, violations = play(text([*rows[:first], *late], header), "file")
    assert (car.reached.name, violations) == ("SessionStop", [])


# --- how a recording may end


@pytest.mark.parametrize(
    ("side", "kind"), [("ev", "FIN"), ("ev", "RST"), ("evse", "FIN")]
)
def test_connection_that_ended_in_the_loop_ends_there(side: str, kind: str) -> None:
    rows = charge()
    cut = at(rows, "CurrentDemandRes") + 5
    closing = {**rows[-1], "from": side, "payload_type": kind}
    car = played([*rows[:cut], closing])
    assert car.reached == car.recorded
    assert (car.reached.name, car.is_broken_off) == ("CurrentDemand", False)


def test_car_that_fell_silent_is_played_silent() -> None:
    rows = charge()
    car = played(rows[: at(rows, "CurrentDemandRes") + 1])
    assert car.reached == car.recorded
    assert (car.reason, car.is_broken_off) == (
        "the station closed the connection",
        False,
    )


def test_request_without_a_recorded_answer_lets_our_station_go_further() -> None:
    rows = charge()
    cut = at(rows, "ChargeParameterDiscoveryReq") + 1
    closing = {**rows[-1], "from": "evse", "payload_type": "RST"}
    car = played([*rows[:cut], *shifted([closing], 0.0)])
    assert car.recorded.name == "ContractAuthentication"
    assert car.reached.name == "ChargeParameterDiscovery"


# --- where our station says no


def _changed(rows: list[Row], wanted: str, change: Callable[[object], object]) -> None:
    number = at(rows, wanted)
    rows[number] = rewritten(rows[number], change)


def _pay_by_contract(message: object) -> object:
    assert isinstance(message, din.V2gMessage)
    assert isinstance(message.body, din.ServicePaymentSelectionReq)
    contract = din.PaymentOption.Contract
    return replace(
        message, body=replace(message.body, selected_payment_option=contract)
    )


def test_refusal_that_was_none_in_the_recording_ends_the_talk() -> None:
    rows = charge()
    _changed(rows, "ServicePaymentSelectionReq", _pay_by_contract)
    car = played(rows)
    assert car.reached.name == "ServiceDiscovery"
    assert car.reached < car.recorded
    assert car.reason == "ServicePaymentSelection: FAILED_PaymentSelectionInvalid"


def test_request_that_nobody_can_read_is_sent_and_not_answered() -> None:
    rows = charge()
    rows[at(rows, "ServiceDiscoveryReq")]["hex"] = "80ffff"
    car = played(rows)
    assert "cannot be decoded" in notes(car)
    assert car.reason == "no answer to unknown"
    assert car.reached.name == "SessionSetup"


def _handshake(offers: list[tuple[str, int]]) -> tuple[str, str]:
    """Return the hex of a handshake that takes the first of the offers."""
    request = SupportedAppProtocolReq(
        app_protocol=tuple(
            AppProtocol(
                protocol_namespace=namespace,
                version_number_major=2,
                version_number_minor=0,
                schema_id=schema_id,
                priority=n,
            )
            for n, (namespace, schema_id) in enumerate(offers, 1)
        )
    )
    taken = SupportedAppProtocolRes(
        response_code=ResponseCode.OK_SuccessfulNegotiation, schema_id=offers[0][1]
    )
    app = codec("app")
    return app.encode(request).hex(), app.encode(taken).hex()


def _with_handshake(rows: list[Row], offers: list[tuple[str, int]]) -> list[Row]:
    first = rows.index(of(rows, "v2gtp")[0])
    rows[first]["hex"], rows[first + 1]["hex"] = _handshake(offers)
    return rows


OTHERS = pytest.mark.parametrize(
    ("offers", "told"),
    [
        ([(ISO_20, 0)], f"protocol not served: {ISO_20}"),
        ([(ISO_20, 0), (DIN, 1)], "took another offer of the car"),
    ],
)


@OTHERS
@pytest.mark.parametrize("payload_type", ["8001", "8002"])
def test_other_protocol_is_told_to_be_not_served(
    offers: list[tuple[str, int]], told: str, payload_type: str
) -> None:
    rows = _with_handshake(charge(), offers)
    for row in of(rows, "v2gtp")[2:]:
        row["payload_type"] = payload_type
    car = played(rows)
    assert car.reached < car.recorded
    assert told in car.reason
    assert "not served" in car.reason


@OTHERS
def test_handshake_alone_is_not_reached_in_another_protocol(
    offers: list[tuple[str, int]], told: str
) -> None:
    rows = _with_handshake(charge(), offers)
    car = played(rows[: rows.index(of(rows, "v2gtp")[2])])
    assert car.recorded.name == "SupportedAppProtocol"
    assert car.reached.name == "TCP connected"
    assert told in car.reason


@pytest.mark.parametrize(
    ("car_name", "other"), [("generic", ISO_2), ("iso2", DIN), ("iso2", ISO_20)]
)
def test_what_the_car_likes_better_is_not_served_where_it_said_nothing_in_it(
    car_name: str, other: str
) -> None:
    """The recorded charger took the second offer."""
    rows = charge(car_name)
    agreed = parse(text(rows), where="file").namespace
    first = rows.index(of(rows, "v2gtp")[0])
    request, _ = _handshake([(other, 7), (agreed, 8)])
    _, answer = _handshake([(agreed, 8)])
    rows[first]["hex"], rows[first + 1]["hex"] = request, answer
    assert played(rows).reached.name == "SessionStop"


def test_makers_own_name_for_din_is_played_as_din() -> None:
    rows = _with_handshake(charge(), [("urn:maker:din:2018", 2), (DIN, 1)])
    assert played(rows).reached.name == "SessionStop"


@pytest.mark.parametrize("car_name", ["generic", "iso2"])
def test_handshake_whose_answer_nobody_can_read_is_made_up_for_by_the_first_request(
    car_name: str,
) -> None:
    rows = charge(car_name)
    rows[rows.index(of(rows, "v2gtp")[1])]["hex"] = "80ff"
    assert played(rows).reached.name == "SessionStop"


def _charge_with_ac(message: object) -> object:
    assert isinstance(message, din.V2gMessage)
    assert isinstance(message.body, din.ChargeParameterDiscoveryReq)
    wanted = din.EvRequestedEnergyTransferType.AC_three_phase_core
    body = replace(message.body, ev_requested_energy_transfer_type=wanted)
    return replace(message, body=body)


def test_energy_that_is_not_served_is_told() -> None:
    rows = charge()
    _changed(rows, "ChargeParameterDiscoveryReq", _charge_with_ac)
    car = played(rows)
    assert car.reached < car.recorded
    assert car.reason == "energy transfer not served: AC_three_phase_core"


# --- what only ISO 15118-2 has


def test_ac_is_played_to_its_end_with_s2_closed_for_power() -> None:
    rows = charge("iso2-ac")
    car = played(rows)
    assert (car.reached, car.reason) == (car.recorded, "as recorded")
    assert car.reached.name == "SessionStop"
    assert car.loops == len([r for r in rows if name(r) == "ChargingStatusReq"]) > 0
    assert differences(car) == []


def _inserted(rows: list[Row], before: int, *bodies: iso2.BodyElement) -> list[Row]:
    """Return the lines with a request and its answer before one of them."""
    like = message(rows[before])
    assert isinstance(like, iso2.V2gMessage)
    at_s = float(str(rows[before]["t"])) - 0.02
    more = [
        {
            **rows[before],
            "t": at_s + n / 100,
            "from": ("ev", "evse")[n],
            "hex": codec("iso2").encode(replace(like, body=body)).hex(),
        }
        for n, body in enumerate(bodies)
    ]
    return [*rows[:before], *more, *rows[before:]]


def test_service_that_our_station_does_not_have_is_not_asked_for() -> None:
    rows = charge("iso2")
    rows = _inserted(
        rows,
        at(rows, "PaymentServiceSelectionReq"),
        iso2.ServiceDetailReq(service_id=3),
        iso2.ServiceDetailRes(response_code=iso2.ResponseCode.OK, service_id=3),
    )
    car = played(rows)
    assert car.reached.name == "SessionStop"
    assert said(car, "ServiceDetailReq") == []
    assert differences(car) == []
    assert "ServiceDetail left out" in notes(car)


def test_receipt_that_our_station_does_not_want_is_not_given() -> None:
    rows = charge("iso2")
    behind = at(rows, "CurrentDemandRes") + 1
    status = iso2.DcEvseStatus(
        notification_max_delay=0,
        evse_notification=iso2.EvseNotification.NONE,
        evse_status_code=iso2.DcEvseStatusCode.EVSE_Ready,
    )
    rows = _inserted(
        rows,
        behind,
        iso2.MeteringReceiptReq(
            session_id=bytes(8), meter_info=iso2.MeterInfo(meter_id="1")
        ),
        iso2.MeteringReceiptRes(response_code=iso2.ResponseCode.OK, evse_status=status),
    )
    car = played(rows)
    assert car.reached.name == "SessionStop"
    assert said(car, "MeteringReceiptReq") == []
    assert differences(car) == []
    assert "MeteringReceipt left out" in notes(car)


# --- the cable


def test_plug_can_be_pulled_at_any_time() -> None:
    car = RecordedCar(parse(text(charge()), where="file"), Chance(1, "car"))
    (plugged,) = car.handle(Plug(), 0.0)
    assert isinstance(plugged, SetElectrics)
    assert car.handle(Unplug(), 1.0) == (SetElectrics(None),)
    assert car.phase is Phase.AWAY
    assert car.deadline is None
