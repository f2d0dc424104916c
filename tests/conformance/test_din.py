"""DIN SPEC 70121 on the station's side, by the tables of its reference sheet.

First every request in every state and both profiles; then the conformance rows, by
their names; then what the rows of robustness ask of a session.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.v2g.secc import car
from tests.unit.v2g.secc.car import (
    ISOLATED,
    OPENED,
    ORDER,
    PRECHARGED,
    REQUESTS,
    SESSION_ID,
    Talk,
    answer,
    answers,
    begun,
    overs,
    talk_after,
    wishes,
)

from pilothat.faults import Fault
from pilothat.pilot.levels import PilotState
from pilothat.plant import (
    CheckCable,
    Deliver,
    Isolation,
    PathPhase,
    PreCharge,
    RampDown,
    Ratings,
)
from pilothat.v2g.messages import codec, din
from pilothat.v2g.plant import Ending, PlantState
from pilothat.v2g.quirks import CONFORMANCE, FIELD, Quirk
from pilothat.v2g.secc.base import SessionAction
from pilothat.v2g.sequence import DinState

Code = din.ResponseCode
Status = din.DcEvseStatusCode
ROWS = list(csv.DictReader((Path(__file__).parent / "din_sequence.csv").open()))
PROFILES = {"field": FIELD, "conformance": CONFORMANCE}


def _legal(row: dict[str, str], profile: str) -> set[str]:
    tolerated = row["tolerated"].split() if profile == "field" else []
    return {*row["legal"].split(), *tolerated}


def _in_state(row: dict[str, str], profile: str) -> Talk:
    talk = talk_after(row["reached_by"], PROFILES[profile])
    assert talk.session.state is DinState[row["state"]]
    return talk


LEGAL = [
    pytest.param(row, profile, name, id=f"{row['state']}-{name}-{profile}")
    for row in ROWS
    for profile in PROFILES
    for name in sorted(_legal(row, profile))
]
ILLEGAL = [
    pytest.param(row, profile, name, id=f"{row['state']}-{name}-{profile}")
    for row in ROWS
    for profile in PROFILES
    for name in sorted(set(REQUESTS) - _legal(row, profile))
]


def _response_of(name: str) -> str:
    return name.rstrip("+-") + "Res"


def test_table_has_every_state_and_the_car_every_request() -> None:
    assert {row["state"] for row in ROWS} | {"ENDED"} == set(DinState.__members__)
    said = {type(request).__name__ for request in REQUESTS.values()}
    assert len(said) == 17
    assert said == {kind.__name__ for kind in din.Request.__subclasses__()}


@pytest.mark.parametrize(("row", "profile", "name"), LEGAL)
def test_legal_request_is_answered_ok(
    row: dict[str, str], profile: str, name: str
) -> None:
    actions = _in_state(row, profile).name(name)
    response = answer(actions)
    assert type(response).__name__ == _response_of(name)
    assert response.response_code in (Code.OK, Code.OK_NewSessionEstablished)
    endings = [over.ending for over in overs(actions)]
    assert endings == ([Ending.STOPPED] if name == "SessionStop" else [])


@pytest.mark.parametrize(("row", "profile", "name"), ILLEGAL)
def test_illegal_request_is_refused_in_its_own_response_and_ends_the_session(
    row: dict[str, str], profile: str, name: str
) -> None:
    talk = _in_state(row, profile)
    actions = talk.name(name)
    response = answer(actions)
    assert type(response).__name__ == _response_of(name)
    assert response.response_code is Code.FAILED_SequenceError
    assert [over.ending for over in overs(actions)] == [Ending.FAILED]
    assert wishes(actions) == []
    assert talk.name(name) == ()
    assert talk.session.deadline is None


@pytest.mark.parametrize("name", REQUESTS)
def test_after_the_end_nothing_is_answered(name: str) -> None:
    talk = talk_after("SessionStop")
    assert talk.session.state is DinState.ENDED
    assert (talk.name(name), talk.session.deadline) == ((), None)


@pytest.mark.parametrize("name", REQUESTS)
def test_every_refusal_survives_the_codec(name: str) -> None:
    wire = codec("din")
    message = din.V2gMessage(
        header=din.MessageHeader(session_id=SESSION_ID),
        body=answer(begun().name(name)),
    )
    assert wire.decode(wire.encode(message)) == message


# --- session ID

WRONG_IDS = [b"", b"\0", bytes(8), SESSION_ID[:7], SESSION_ID[::-1], b"\x11"]


@pytest.mark.parametrize("session_id", WRONG_IDS, ids=bytes.hex)
@pytest.mark.parametrize("name", ORDER[1:])
def test_wrong_session_id_is_refused_in_every_state(
    name: str, session_id: bytes
) -> None:
    talk = talk_after(ORDER[ORDER.index(name) - 1])
    talk.plant(car.PLANTS.get(name, car.AT_REST))
    actions = talk.say(REQUESTS[name], session_id)
    response = answer(actions)
    assert type(response).__name__ == _response_of(name)
    assert response.response_code is Code.FAILED_UnknownSession
    assert [over.ending for over in overs(actions)] == [Ending.FAILED]
    assert wishes(actions) == []


@pytest.mark.parametrize("session_id", [b"", b"\0", bytes(8), b"\xaa" * 8])
def test_session_setup_takes_any_session_id_and_gives_a_new_one(
    session_id: bytes,
) -> None:
    """X-DIN-01, RB-SESSION-09: an ended session is never joined again."""
    talk = begun()
    response = answer(talk.say(car.setup(), session_id))
    assert response.response_code is Code.OK_NewSessionEstablished
    assert talk.session_id == SESSION_ID


def test_session_id_is_never_zero() -> None:
    drawn = iter([bytes(8), bytes(8), SESSION_ID])
    talk = begun(draw=lambda _: next(drawn))
    talk.say(car.setup())
    assert talk.session_id == SESSION_ID


# --- X-DIN rows


@pytest.mark.parametrize("evcc_id", [b"\x02\xca\0\0\0\1", bytes(range(8)), b""])
def test_x_din_01_and_03_session_setup(evcc_id: bytes) -> None:
    actions = begun().say(car.setup(evcc_id))
    response = answer(actions)
    assert isinstance(response, din.SessionSetupRes)
    assert response.evse_id == car.EVSE_ID
    assert car.learned(actions) == {"evcc_id": evcc_id.hex()}


def test_x_din_05_service_discovery() -> None:
    response = answer(talk_after("SessionSetup").name("ServiceDiscovery"))
    assert isinstance(response, din.ServiceDiscoveryRes)
    tag, service = response.charge_service.service_tag, response.charge_service
    assert response.payment_options.payment_option == (
        din.PaymentOption.ExternalPayment,
    )
    assert (tag.service_id, tag.service_category.name) == (1, "EVCharging")
    assert (tag.service_name, tag.service_scope, response.service_list) == (None,) * 3
    assert service.energy_transfer_type.name == "DC_extended"


@pytest.mark.parametrize(
    ("option", "services", "code"),
    [
        (din.PaymentOption.Contract, [1], Code.FAILED_PaymentSelectionInvalid),
        (
            din.PaymentOption.ExternalPayment,
            [1, 2],
            Code.FAILED_ServiceSelectionInvalid,
        ),
        (din.PaymentOption.ExternalPayment, [2], Code.FAILED_ServiceSelectionInvalid),
        (
            din.PaymentOption.ExternalPayment,
            [1, 1],
            Code.FAILED_ServiceSelectionInvalid,
        ),
        (din.PaymentOption.ExternalPayment, [0], Code.FAILED_ServiceSelectionInvalid),
    ],
)
def test_x_din_07_and_09_payment_selection(
    option: din.PaymentOption, services: Sequence[int], code: din.ResponseCode
) -> None:
    talk = talk_after("ServiceDiscovery")
    actions = talk.say(car.payment(option, services))
    assert answer(actions).response_code is code
    assert [over.ending for over in overs(actions)] == [Ending.FAILED]


def _processing(actions: Sequence[SessionAction]) -> tuple[str, str]:
    response = answer(actions)
    assert isinstance(
        response,
        din.ContractAuthenticationRes
        | din.CableCheckRes
        | din.ChargeParameterDiscoveryRes,
    )
    return response.response_code.name, response.evse_processing.name


def test_x_din_10_authorisation_is_ongoing_until_somebody_decides() -> None:
    talk = talk_after("ServicePaymentSelection")
    asked = REQUESTS["ContractAuthentication"]
    talk.plant(replace(car.AT_REST, is_authorised=None))
    waiting = [_processing(talk.say(asked)) for _ in range(1000)]
    talk.plant(replace(car.AT_REST, is_authorised=True))
    assert set(waiting) == {("OK", "Ongoing")}
    assert _processing(talk.say(asked)) == ("OK", "Finished")


@pytest.mark.parametrize(
    ("after_s", "told"), [(54.9, ("OK", "Ongoing")), (55.0, ("FAILED", "Finished"))]
)
def test_authorisation_is_given_up_after_55_s(
    after_s: float, told: tuple[str, str]
) -> None:
    talk = talk_after("ServicePaymentSelection")
    talk.plant(replace(car.AT_REST, is_authorised=None))
    talk.say(REQUESTS["ContractAuthentication"])
    talk.later(after_s)
    actions = talk.say(REQUESTS["ContractAuthentication"])
    assert _processing(actions) == told
    assert len(overs(actions)) == (told[0] == "FAILED")


def test_refused_authorisation_is_told_at_once() -> None:
    talk = talk_after("ServicePaymentSelection")
    talk.plant(replace(car.AT_REST, is_authorised=False))
    actions = talk.say(REQUESTS["ContractAuthentication"])
    assert _processing(actions) == ("FAILED", "Finished")
    assert [over.ending for over in overs(actions)] == [Ending.FAILED]


def test_x_din_12_second_authorisation_is_tolerated_in_the_field_only() -> None:
    again = [
        talk_after("ContractAuthentication", quirks).name("ContractAuthentication")
        for quirks in (FIELD, CONFORMANCE)
    ]
    assert _processing(again[0]) == ("OK", "Finished")
    assert answer(again[1]).response_code is Code.FAILED_SequenceError


def _parameters(talk: Talk) -> din.ChargeParameterDiscoveryRes:
    response = answer(talk.say(car.parameters()))
    assert isinstance(response, din.ChargeParameterDiscoveryRes)
    return response


@pytest.mark.parametrize(
    ("max_w", "p_max"), [(50_000.0, 32_767), (32_767.4, 32_767), (11_040.0, 11_040)]
)
def test_x_din_13_charge_parameters(max_w: float, p_max: int) -> None:
    talk = talk_after("ContractAuthentication")
    talk.plant(replace(car.AT_REST, ratings=Ratings(max_w=max_w)))
    response = _parameters(talk)
    assert response.response_code is Code.OK
    assert isinstance(response.sa_schedules, din.SaScheduleList)
    (offer,) = response.sa_schedules.sa_schedule_tuple
    (entry,) = offer.p_max_schedule.p_max_schedule_entry
    assert (offer.sa_schedule_tuple_id, offer.p_max_schedule.p_max_schedule_id) == (
        1,
        1,
    )
    assert (entry.time_interval.start, entry.time_interval.duration) == (0, 86400)
    assert (entry.p_max, offer.sales_tariff) == (p_max, None)


def test_charge_parameters_tell_the_rated_limits_of_the_moment() -> None:
    talk = talk_after("ContractAuthentication")
    ratings = Ratings(max_v=920.0, min_v=200.0, max_a=60.5, min_a=2.0, max_w=22_000.0)
    talk.plant(replace(car.AT_REST, ratings=ratings))
    limits = _parameters(talk).evse_charge_parameter
    assert isinstance(limits, din.DcEvseChargeParameter)
    assert limits.evse_maximum_power_limit is not None
    told = (
        limits.evse_maximum_voltage_limit.si,
        limits.evse_minimum_voltage_limit.si,
        limits.evse_maximum_current_limit.si,
        limits.evse_minimum_current_limit.si,
        limits.evse_maximum_power_limit.si,
    )
    assert told == (920.0, 200.0, 60.5, 2.0, 22_000.0)
    assert limits.dc_evse_status.evse_status_code is Status.EVSE_Ready


Limit = din.PhysicalValue
BAD_LIMITS = [
    ("voltage below ours", car.volts(100), car.amperes(200), None, False),
    ("voltage at our lowest", car.volts(150), car.amperes(200), None, False),
    ("voltage above our lowest", car.volts(151), car.amperes(200), None, True),
    ("negative voltage", car.volts(-400), car.amperes(200), None, False),
    ("current at our lowest", car.volts(410), car.amperes(1), None, False),
    ("current above our lowest", car.volts(410), car.amperes(1.5), None, True),
    ("negative current", car.volts(410), car.amperes(-10), None, False),
    ("negative power", car.volts(410), car.amperes(200), car.watts(-1), False),
    ("huge limits", car.volts(32_767_000), car.amperes(32_767_000), None, True),
]


@pytest.mark.parametrize(
    ("max_v", "max_a", "max_w", "is_good"),
    [row[1:] for row in BAD_LIMITS],
    ids=[row[0] for row in BAD_LIMITS],
)
def test_x_din_15_limits_of_the_car_are_checked(
    max_v: Limit, max_a: Limit, max_w: Limit | None, is_good: bool
) -> None:
    parameter = replace(
        car.LIMITS,
        ev_maximum_voltage_limit=max_v,
        ev_maximum_current_limit=max_a,
        ev_maximum_power_limit=max_w,
    )
    actions = talk_after("ContractAuthentication").say(car.parameters(parameter))
    wanted = Code.OK if is_good else Code.FAILED_WrongChargeParameter
    assert answer(actions).response_code is wanted
    assert len(overs(actions)) == (not is_good)


@pytest.mark.parametrize(
    "kind",
    [kind for kind in din.EvRequestedEnergyTransferType if kind.name != "DC_extended"],
)
def test_energy_transfer_that_is_not_offered_is_refused(
    kind: din.EvRequestedEnergyTransferType,
) -> None:
    talk = talk_after("ContractAuthentication")
    actions = talk.say(car.parameters(kind=kind))
    assert answer(actions).response_code is Code.FAILED_WrongEnergyTransferType
    assert len(overs(actions)) == 1


def test_parameters_of_an_ac_car_are_refused() -> None:
    parameter = din.AcEvChargeParameter(
        departure_time=0,
        e_amount=car.watts(1),
        ev_max_voltage=car.volts(230),
        ev_max_current=car.amperes(16),
        ev_min_current=car.amperes(6),
    )
    actions = talk_after("ContractAuthentication").say(car.parameters(parameter))
    assert answer(actions).response_code is Code.FAILED_WrongChargeParameter


def test_x_din_18_stop_after_the_parameters_is_legal() -> None:
    talk = talk_after("ChargeParameterDiscovery", CONFORMANCE)
    assert answer(talk.name("SessionStop")).response_code is Code.OK


def test_x_din_20_stop_in_precharge_switches_off_before_it_is_answered() -> None:
    talk = talk_after("PreCharge", CONFORMANCE)
    talk.plant(PRECHARGED)
    actions = talk.say(REQUESTS["SessionStop"])
    assert actions[0] == RampDown()
    assert answer(actions).response_code is Code.OK


def _cable(actions: Sequence[SessionAction]) -> tuple[str, str, str, str]:
    response = answer(actions)
    assert isinstance(response, din.CableCheckRes)
    status = response.dc_evse_status
    assert status.evse_isolation_status is not None
    return (
        response.response_code.name,
        response.evse_processing.name,
        status.evse_status_code.name,
        status.evse_isolation_status.name,
    )


def test_x_din_21_cable_check() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(car.AT_REST, pilot=PilotState.C2))
    first = talk.say(car.cable_check())
    talk.plant(replace(car.AT_REST, pilot=PilotState.C2, phase=PathPhase.CHECKING))
    second = talk.say(car.cable_check())
    talk.plant(ISOLATED)
    last = talk.say(car.cable_check())
    ongoing = ("OK", "Ongoing", "EVSE_IsolationMonitoringActive", "Invalid")
    assert [_cable(one) for one in (first, second, last)] == [
        ongoing,
        ongoing,
        ("OK", "Finished", "EVSE_Ready", "Valid"),
    ]
    assert [wishes(one) for one in (first, second, last)] == [[CheckCable()], [], []]


def test_cable_with_a_warning_is_good_enough() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(ISOLATED, isolation=Isolation.WARNING))
    told = _cable(talk.say(car.cable_check()))
    assert told == ("OK", "Finished", "EVSE_Ready", "Warning")


def test_x_din_23_cable_with_an_earth_fault_is_refused() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    bad = replace(ISOLATED, isolation=Isolation.FAULT, fault=Fault.ISOLATION)
    talk.plant(replace(bad, phase=PathPhase.FAILED))
    actions = talk.say(car.cable_check())
    assert _cable(actions) == ("FAILED", "Finished", "EVSE_Malfunction", "Fault")
    assert [over.ending for over in overs(actions)] == [Ending.FAILED]


@pytest.mark.parametrize(
    ("after_s", "told"),
    [(37.9, ("OK", "Ongoing")), (38.0, ("FAILED", "Finished"))],
)
def test_rb_session_12_cable_check_is_given_up_after_38_s(
    after_s: float, told: tuple[str, str]
) -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(ISOLATED, phase=PathPhase.CHECKING))
    talk.say(car.cable_check())
    talk.later(after_s)
    assert _processing(talk.say(car.cable_check())) == told


@pytest.mark.parametrize("name", ["A2", "B1", "B2"])
def test_rb_session_13_cable_check_waits_for_c_then_fails(name: str) -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(car.AT_REST, pilot=PilotState[name]))
    assert talk.say(car.cable_check()) == ()
    assert talk.later(1.39) == []
    actions = talk.later(0.02)
    assert _processing(actions) == ("FAILED", "Finished")
    assert wishes(actions) == []


def test_cable_check_is_answered_when_the_pilot_comes_to_c_in_time() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(car.AT_REST, pilot=PilotState.B2))
    talk.say(car.cable_check())
    talk.later(1.3)
    actions = talk.plant(replace(car.AT_REST, pilot=PilotState.C2))
    assert _processing(actions) == ("OK", "Ongoing")
    assert wishes(actions) == [CheckCable()]
    assert talk.later(59.0) == []


def test_x_din_25_precharge_follows_each_target_and_reports_what_is_measured() -> None:
    talk = talk_after("CableCheck")
    told = []
    for target_v, outlet_v in ((0.0, 3.1), (380.0, 201.7), (380.0, 379.9)):
        talk.plant(replace(PRECHARGED, outlet_v=outlet_v))
        actions = talk.say(car.precharge(target_v))
        response = answer(actions)
        assert isinstance(response, din.PreChargeRes)
        told.append((wishes(actions), response.evse_present_voltage.si))
    assert told == [
        ([PreCharge(0.0)], 3.1),
        ([PreCharge(380.0)], 201.7),
        ([PreCharge(380.0)], 379.9),
    ]


READY = [
    (380.0, 380.0, True),
    (380.0, 342.0, True),
    (380.0, 341.9, False),
    (380.0, 418.0, True),
    (380.0, 418.1, False),
    (160.0, 140.0, True),
    (160.0, 139.9, False),
    (0.0, 0.0, False),
    (-400.0, 0.0, False),
    (50.0, 50.0, False),
]


@pytest.mark.parametrize(("target_v", "outlet_v", "is_ready"), READY)
def test_x_din_28_power_is_given_only_when_precharge_has_arrived(
    target_v: float, outlet_v: float, is_ready: bool
) -> None:
    talk = talk_after("CableCheck")
    talk.plant(PRECHARGED)
    talk.say(car.precharge(target_v))
    talk.plant(replace(PRECHARGED, outlet_v=outlet_v))
    actions = [*talk.say(car.power(on=True)), *talk.later(1.5)]
    response = answer(actions)
    wanted = Code.OK if is_ready else Code.FAILED_PowerDeliveryNotApplied
    assert response.response_code is wanted
    assert len(overs(actions)) == (not is_ready)


def test_car_that_measures_before_us_has_its_answer_with_our_next_value() -> None:
    talk = talk_after("CableCheck")
    talk.plant(replace(PRECHARGED, outlet_v=352.3))
    talk.say(car.precharge(392.4))
    assert not talk.say(car.power(on=True))
    actions = talk.plant(replace(PRECHARGED, outlet_v=392.4))
    assert answer(actions).response_code is Code.OK


@pytest.mark.parametrize(
    "plant",
    [
        replace(PRECHARGED, pilot=PilotState.B2),
        replace(PRECHARGED, phase=PathPhase.ISOLATED),
        replace(PRECHARGED, phase=PathPhase.OPENING),
        replace(PRECHARGED, fault=Fault.SUPPLY_STALE),
    ],
)
def test_power_is_refused_where_it_cannot_be_given(plant: PlantState) -> None:
    talk = talk_after("PreCharge")
    talk.plant(plant)
    code = answer(talk.say(car.power(on=True))).response_code
    assert code is Code.FAILED_PowerDeliveryNotApplied


def _profile(tuple_id: int, *max_w: int) -> din.ChargingProfile:
    entries = tuple(
        din.ProfileEntry(
            charging_profile_entry_start=0, charging_profile_entry_max_power=power_w
        )
        for power_w in max_w
    )
    return din.ChargingProfile(sa_schedule_tuple_id=tuple_id, profile_entry=entries)


@pytest.mark.parametrize(
    ("profile", "max_w", "field", "strict"),
    [
        (_profile(1, 11_000), 11_040.0, Code.OK, Code.OK),
        (_profile(1, 11_040, 0), 11_040.0, Code.OK, Code.OK),
        (
            _profile(1, 0, 11_041),
            11_040.0,
            Code.OK,
            Code.FAILED_ChargingProfileInvalid,
        ),
        (_profile(1, 32_767), 50_000.0, Code.OK, Code.OK),
        (
            _profile(2, 1),
            50_000.0,
            Code.FAILED_TariffSelectionInvalid,
            Code.FAILED_TariffSelectionInvalid,
        ),
    ],
)
def test_charging_profile_is_checked(
    profile: din.ChargingProfile,
    max_w: float,
    field: din.ResponseCode,
    strict: din.ResponseCode,
) -> None:
    codes = []
    for quirks in (FIELD, CONFORMANCE):
        talk = talk_after("PreCharge", quirks)
        talk.plant(replace(PRECHARGED, ratings=Ratings(max_w=max_w)))
        codes.append(answer(talk.say(car.power(True, profile))).response_code)
    assert codes == [field, strict]


def _demand(actions: Sequence[SessionAction]) -> din.CurrentDemandRes:
    response = answer(actions)
    assert isinstance(response, din.CurrentDemandRes)
    return response


def test_x_din_30_current_demand_tells_what_is_measured_and_all_limits() -> None:
    talk = talk_after("PowerDelivery+")
    for count in range(600):
        talk.now += 0.1
        talk.plant(replace(car.CHARGING, outlet_v=380.0 + count / 100))
        actions = talk.say(car.demand(400.0, 20.0 + count / 10))
        response = _demand(actions)
        told_v = response.evse_present_voltage.si
        assert told_v == pytest.approx(380.0 + count / 100, abs=0.051)
        assert response.evse_present_current.si == 99.5
        assert None not in (
            response.evse_maximum_voltage_limit,
            response.evse_maximum_current_limit,
            response.evse_maximum_power_limit,
        )
        assert wishes(actions) == [Deliver(400.0, car.amperes(20.0 + count / 10).si)]


def test_limits_of_the_moment_stand_in_the_next_response() -> None:
    """RB-POWER-05: the grid takes power away in the loop."""
    talk = talk_after("CurrentDemand")
    talk.plant(replace(car.CHARGING, ratings=Ratings(max_a=10.0, max_w=3_000.0)))
    response = _demand(talk.say(car.demand()))
    assert response.evse_maximum_current_limit is not None
    assert response.evse_maximum_current_limit.si == 10.0
    assert response.evse_current_limit_achieved
    assert response.evse_power_limit_achieved


@pytest.mark.parametrize(
    ("request_", "flags"),
    [
        (car.demand(400, 100), (False, False, False)),
        (car.demand(450, 100), (True, False, False)),
        (car.demand(400, 300), (False, True, False)),
        (car.demand(400, 100, max_a=50), (False, True, False)),
        (car.demand(400, 100, max_v=390), (True, False, False)),
        (car.demand(400, 100, max_w=30_000), (False, False, True)),
        (car.demand(0, 100), (False, False, False)),
        (car.demand(-400, -100), (False, False, False)),
        (car.demand(32_767_000, 32_767_000), (True, True, True)),
    ],
)
def test_rb_session_16_what_limits_is_told(
    request_: din.CurrentDemandReq, flags: tuple[bool, bool, bool]
) -> None:
    talk = talk_after("CurrentDemand")
    response = _demand(talk.say(request_))
    told = (
        response.evse_voltage_limit_achieved,
        response.evse_current_limit_achieved,
        response.evse_power_limit_achieved,
    )
    assert told == flags


ERRORS = [
    error for error in din.DcEvErrorCode if error is not din.DcEvErrorCode.NO_ERROR
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_x_din_32_error_of_the_car_is_answered_ok_with_no_current(
    error: din.DcEvErrorCode,
) -> None:
    talk = talk_after("CurrentDemand")
    actions = talk.say(car.demand(status=car.ev_status(error)))
    assert _demand(actions).response_code is Code.OK
    assert wishes(actions) == [Deliver(400.0, 0.0)]
    assert car.learned(actions)["ev_error"] == error.name


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error.name)
def test_error_of_the_car_in_precharge_takes_the_voltage_away(
    error: din.DcEvErrorCode,
) -> None:
    talk = talk_after("PreCharge")
    actions = talk.say(car.precharge(status=car.ev_status(error)))
    assert answer(actions).response_code is Code.OK
    assert wishes(actions) == [PreCharge(0.0)]


def test_rb_session_19_car_that_is_not_ready_gets_no_current() -> None:
    talk = talk_after("CurrentDemand")
    actions = talk.say(car.demand(status=car.ev_status(ready=False)))
    assert answer(actions).response_code is Code.OK
    assert wishes(actions) == [Deliver(400.0, 0.0)]


DC_REQUESTS = ("CableCheck", "PreCharge", "PowerDelivery+", "CurrentDemand")


def _dc_status(response: din.Response) -> din.DcEvseStatus:
    if isinstance(response, din.PowerDeliveryRes):
        assert isinstance(response.evse_status, din.DcEvseStatus)
        return response.evse_status
    if isinstance(response, din.ChargeParameterDiscoveryRes):
        assert isinstance(response.evse_charge_parameter, din.DcEvseChargeParameter)
        return response.evse_charge_parameter.dc_evse_status
    assert isinstance(
        response,
        din.CableCheckRes
        | din.PreChargeRes
        | din.CurrentDemandRes
        | din.WeldingDetectionRes,
    )
    return response.dc_evse_status


@pytest.mark.parametrize(
    "name",
    [*DC_REQUESTS, "ChargeParameterDiscovery", "PowerDelivery-", "WeldingDetection"],
)
def test_x_din_33_wish_to_stop_is_a_shutdown_without_notification(name: str) -> None:
    talk = talk_after(ORDER[ORDER.index(name) - 1])
    talk.plant(replace(car.PLANTS.get(name, car.AT_REST), wants_stop=True))
    status = _dc_status(answer(talk.say(REQUESTS[name])))
    assert status.evse_status_code is Status.EVSE_Shutdown
    assert status.evse_notification is din.EvseNotification.NONE
    assert status.notification_max_delay == 0


def test_wish_to_stop_is_told_while_the_cable_is_being_checked() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(ISOLATED, phase=PathPhase.CHECKING, wants_stop=True))
    status = _dc_status(answer(talk.say(car.cable_check())))
    assert status.evse_status_code is Status.EVSE_Shutdown


def test_x_din_35_stop_straight_out_of_the_loop() -> None:
    opened = replace(car.CHARGING, pilot=PilotState.B2, phase=PathPhase.OPENING)
    codes = []
    for quirks in (FIELD, CONFORMANCE):
        talk = talk_after("CurrentDemand", quirks)
        talk.plant(opened)
        codes.append(answer(talk.say(REQUESTS["SessionStop"])).response_code)
    assert codes == [Code.OK, Code.FAILED_SequenceError]


@pytest.mark.parametrize("name", ["PowerDelivery-", "SessionStop"])
def test_end_is_answered_when_the_current_is_gone(name: str) -> None:
    """RB-SESSION-21: power off first, then the answer."""
    talk = talk_after("CurrentDemand")
    talk.plant(car.CHARGING)
    assert talk.say(REQUESTS[name]) == (RampDown(),)
    talk.later(0.3)
    assert talk.plant(replace(car.CHARGING, phase=PathPhase.RAMPING)) == ()
    actions = talk.plant(replace(car.CHARGING, phase=PathPhase.OPENING))
    assert answer(actions).response_code is Code.OK


@pytest.mark.parametrize("name", ["PowerDelivery-", "SessionStop"])
def test_end_is_answered_at_the_last_moment_even_if_current_flows(name: str) -> None:
    talk = talk_after("CurrentDemand")
    talk.plant(replace(car.CHARGING, phase=PathPhase.RAMPING))
    talk.say(REQUESTS[name])
    assert talk.later(1.39) == []
    assert answer(talk.later(0.02)).response_code is Code.OK


def test_x_din_36_welding_detection_tells_the_falling_voltage() -> None:
    talk = talk_after("PowerDelivery-")
    told = []
    for outlet_v in (390.0, 200.4, 61.2, 12.0, *[0.0] * 96):  # RB-SESSION-22
        talk.plant(replace(OPENED, outlet_v=outlet_v))
        response = answer(talk.say(car.welding()))
        assert isinstance(response, din.WeldingDetectionRes)
        assert response.response_code is Code.OK
        told.append(response.evse_present_voltage.si)
    assert told[:5] == [390.0, 200.4, 61.2, 12.0, 0.0]
    assert [over.ending for over in overs(talk.later(60.0))] == [Ending.SILENT]


@pytest.mark.parametrize(
    ("quirks", "code"), [(FIELD, Code.OK), (CONFORMANCE, Code.FAILED)]
)
def test_welding_detection_waits_for_b(
    quirks: frozenset[Quirk], code: din.ResponseCode
) -> None:
    talk = talk_after("PowerDelivery-", quirks)
    talk.plant(car.STOPPED)
    assert talk.say(car.welding()) == ()
    assert talk.later(1.39) == []
    assert answer(talk.later(0.02)).response_code is code


def test_welding_detection_is_answered_as_soon_as_the_pilot_is_in_b() -> None:
    talk = talk_after("PowerDelivery-", CONFORMANCE)
    talk.plant(car.STOPPED)
    talk.say(car.welding())
    talk.later(1.0)
    assert answer(talk.plant(OPENED)).response_code is Code.OK


@pytest.mark.parametrize("name", ORDER[:-1])
@pytest.mark.parametrize(("silent_s", "is_over"), [(59.99, False), (60.0, True)])
def test_x_din_39_silence_ends_the_session_after_60_s(
    name: str, silent_s: float, is_over: bool
) -> None:
    talk = talk_after(name)
    talk.now += 7.0  # a plant state and a foreign message are no request
    talk.plant(car.AT_REST)
    talk.now -= 7.0
    endings = [over.ending for over in overs(talk.later(silent_s))]
    assert endings == ([Ending.SILENT] if is_over else [])


def test_silence_before_the_first_request_ends_the_session_too() -> None:
    assert overs(begun().later(59.99)) == []
    assert [over.ending for over in overs(begun().later(60.0))] == [Ending.SILENT]


CUTTING = [fault for fault in Fault if fault is not Fault.MODEM]


@pytest.mark.parametrize("fault", CUTTING, ids=lambda fault: fault.name)
@pytest.mark.parametrize("name", DC_REQUESTS)
def test_x_din_41_fault_is_failed_with_its_status_and_ends_the_session(
    name: str, fault: Fault
) -> None:
    talk = talk_after(ORDER[ORDER.index(name) - 1])
    talk.plant(replace(car.PLANTS[name], phase=PathPhase.FAILED, fault=fault))
    actions = talk.say(REQUESTS[name])
    response = answer(actions)
    assert response.response_code.name.startswith("FAILED")
    assert _dc_status(response).evse_status_code.name == fault.row.evse_status
    assert [over.ending for over in overs(actions)] == [Ending.FAILED]
    assert wishes(actions) == []


@pytest.mark.parametrize("name", ["ContractAuthentication", "ChargeParameterDiscovery"])
def test_fault_before_power_is_failed_too(name: str) -> None:
    talk = talk_after(ORDER[ORDER.index(name) - 1])
    talk.plant(replace(car.AT_REST, fault=Fault.EMERGENCY_STOP))
    actions = talk.say(REQUESTS[name])
    assert answer(actions).response_code is Code.FAILED
    assert len(overs(actions)) == 1


@pytest.mark.parametrize("name", ["PowerDelivery-", "WeldingDetection", "SessionStop"])
def test_car_may_leave_in_order_while_a_fault_stands(name: str) -> None:
    """A refusal would only keep the plug locked; the status tells the fault."""
    talk = talk_after(ORDER[ORDER.index(name) - 1])
    fault = replace(OPENED, phase=PathPhase.FAILED, fault=Fault.ISOLATION)
    talk.plant(fault)
    response = answer(talk.say(REQUESTS[name]))
    assert response.response_code is Code.OK


def test_fault_answers_a_request_that_waits() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(car.AT_REST, pilot=PilotState.B2))
    talk.say(car.cable_check())
    actions = talk.plant(replace(car.AT_REST, fault=Fault.EMERGENCY_STOP))
    assert _cable(actions)[:3] == ("FAILED", "Finished", "EVSE_EmergencyShutdown")


# --- exactly one response a request


def test_requests_sent_ahead_are_answered_in_their_order() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(car.AT_REST, pilot=PilotState.B2))
    assert talk.say(car.cable_check()) == ()
    assert talk.say(car.cable_check()) == ()
    assert talk.say(car.precharge()) == ()
    actions = talk.plant(ISOLATED)
    names = [type(response).__name__ for response in answers(actions)]
    codes = [response.response_code for response in answers(actions)]
    assert names == ["CableCheckRes", "CableCheckRes"]
    assert codes == [Code.OK, Code.FAILED_SequenceError]


def test_message_that_is_no_request_does_not_hold_up_what_waits_behind_it() -> None:
    talk = talk_after("CurrentDemand")
    talk.plant(car.CHARGING)
    talk.say(REQUESTS["PowerDelivery-"])
    talk.say(din.SessionStopRes(response_code=Code.OK))  # type: ignore[arg-type]  # a foreign message
    talk.say(REQUESTS["SessionStop"])
    actions = talk.plant(OPENED)
    names = [type(response).__name__ for response in answers(actions)]
    assert names == ["PowerDeliveryRes", "SessionStopRes"]


def test_car_that_sends_too_far_ahead_is_refused_not_forgotten() -> None:
    talk = talk_after("ChargeParameterDiscovery")
    talk.plant(replace(car.AT_REST, pilot=PilotState.B2))
    told = [list(talk.say(car.cable_check())) for _ in range(9)]
    assert told == [[]] * 9
    assert [over.ending for over in overs(talk.say(car.cable_check()))] == [
        Ending.FAILED
    ]


def test_message_that_is_no_request_is_not_answered_and_extends_nothing() -> None:
    talk = talk_after("SessionSetup")
    talk.now += 59.0
    talk.say(din.SessionStopRes(response_code=Code.OK))  # type: ignore[arg-type]  # a foreign message
    assert [over.ending for over in overs(talk.later(1.0))] == [Ending.SILENT]


def test_measured_values_beyond_the_wire_are_told_as_far_as_it_goes() -> None:
    """A broken driver must not end the program while it is needed most."""
    talk = talk_after("CurrentDemand")
    talk.plant(replace(car.CHARGING, outlet_v=6553.5, current_a=-6553.5))
    response = _demand(talk.say(car.demand()))
    assert response.evse_present_voltage.si == 3276.7
    assert response.evse_present_current.si == -3276.8


@pytest.mark.parametrize("name", ORDER)
def test_every_answer_survives_the_codec(name: str) -> None:
    wire = codec("din")
    before = ORDER[ORDER.index(name) - 1] if name != ORDER[0] else ""
    message = din.V2gMessage(
        header=din.MessageHeader(session_id=SESSION_ID),
        body=answer(talk_after(before).name(name)),
    )
    assert wire.decode(wire.encode(message)) == message
