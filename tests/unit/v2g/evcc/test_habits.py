"""Each habit of real cars, seen from outside (captures/INDEX.md, quirks)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.v2g.evcc.honest import (
    FINISHED,
    OK,
    Road,
    Station,
    current,
    status,
    volts,
)

from pilothat.v2g.evcc.events import Outcome, SendRequest, SetEvContactor, StopWish
from pilothat.v2g.evcc.settings import (
    ChargeGoal,
    Habits,
    Pace,
    SessionSettings,
    Timers,
    Trust,
    Vehicle,
)
from pilothat.v2g.evcc.states import State
from pilothat.v2g.messages import din

Code = din.DcEvseStatusCode
NOT_READY = status(Code.EVSE_NotReady, isolation=None)


def with_habits(habits: Habits, station: Station | None = None) -> Road:
    settings = replace(SessionSettings(), habits=habits)
    return Road(settings, station or Station())


def with_vehicle(vehicle: Vehicle) -> Road:
    return Road(replace(SessionSettings(), vehicle=vehicle))


def unsure_station() -> Station:
    unsure = din.CableCheckRes(
        response_code=OK, dc_evse_status=NOT_READY, evse_processing=FINISHED
    )
    return Station(special={"CableCheck": lambda: unsure})


def first(road: Road, kind: type[din.BodyElement]) -> din.BodyElement:
    return next(body for _, body in road.sent_bodies() if isinstance(body, kind))


def parameters_of(road: Road) -> din.DcEvChargeParameter:
    road.run_to("CableCheck")
    request = first(road, din.ChargeParameterDiscoveryReq)
    assert isinstance(request, din.ChargeParameterDiscoveryReq)
    assert isinstance(request.ev_charge_parameter, din.DcEvChargeParameter)
    return request.ev_charge_parameter


def demand_of(road: Road, count: int = 5) -> din.CurrentDemandReq:
    road.run_to("CurrentDemand", count)
    request = road.sent_bodies()[-1][1]
    assert isinstance(request, din.CurrentDemandReq)
    return request


@pytest.mark.parametrize("session_id", [bytes(8), b"\0"])
def test_the_session_id_of_the_first_request(session_id: bytes) -> None:
    road = with_habits(Habits(setup_session_id=session_id))
    road.run_to("SessionSetup")
    sent = road.log[-1][1]
    assert isinstance(sent, SendRequest)
    assert isinstance(sent.message, din.V2gMessage)
    assert sent.message.header.session_id == session_id


def test_a_car_may_turn_the_power_off_right_after_authentication() -> None:
    road = with_habits(Habits(aborts_after_auth=True))
    road.run()
    assert road.requests()[3:] == [
        "ContractAuthentication",
        "PowerDelivery",
        "SessionStop",
    ]


def test_an_unsure_cable_check_is_asked_again_for_forty_seconds() -> None:
    road = with_habits(Habits(), unsure_station())
    road.run()
    times = road.times("CableCheck")
    assert times[-1] - times[0] == pytest.approx(40.0, abs=0.6)
    assert road.requests()[-1] == "SessionStop"


def test_a_car_may_not_mind_an_unsure_cable_check() -> None:
    road = with_habits(Habits(needs_valid_cable_check=False), unsure_station())
    road.run_to("CurrentDemand")
    assert road.requests().count("CableCheck") == 1


def test_a_car_may_brood_for_a_minute_and_then_turn_off() -> None:
    road = with_habits(Habits(doubt_s=59.5), unsure_station())
    road.run()
    (asked,), (off,) = road.times("CableCheck"), road.times("PowerDelivery")
    assert off - asked == pytest.approx(59.5, abs=0.2)
    assert road.ending.outcome is Outcome.ABORTED


@pytest.mark.parametrize("target_a", [0.0, 1.0, 2.0])
def test_the_current_of_the_precharge(target_a: float) -> None:
    road = with_habits(Habits(precharge_a=target_a))
    road.run_to("PreCharge")
    request = first(road, din.PreChargeReq)
    assert isinstance(request, din.PreChargeReq)
    assert request.ev_target_current.si == target_a
    assert request.ev_target_voltage.si == 350.0


@pytest.mark.parametrize(
    ("trust", "reported_v", "measured_v", "goes_on"),
    [
        (Trust.REPORT, 350.0, 0.0, True),
        (Trust.REPORT, 0.0, 350.0, False),
        (Trust.INLET, 350.0, 0.0, False),
        (Trust.INLET, 0.0, 350.0, True),
        (Trust.BOTH, 350.0, 0.0, False),
        (Trust.BOTH, 0.0, 350.0, False),
        (Trust.BOTH, 350.0, 350.0, True),
    ],
)
def test_whose_voltage_ends_the_precharge(
    trust: Trust, reported_v: float, measured_v: float, *, goes_on: bool
) -> None:
    road = with_habits(Habits(precharge_trust=trust), Station(reported_v=reported_v))
    road.measure(voltage_v=measured_v)
    road.run(lambda: road.now > 30 or road.car.state is State.CHARGING)
    assert (SetEvContactor(closed=True) in road.actions()) is goes_on


def test_a_car_may_count_its_precharge_requests() -> None:
    road = with_habits(Habits(precharge_max=5))
    road.measure(voltage_v=0.0)
    road.run()
    assert road.requests().count("PreCharge") == 5
    assert road.requests()[-2:] == ["PowerDelivery", "SessionStop"]


def test_a_car_may_leave_straight_out_of_the_precharge_after_its_own_time() -> None:
    settings = replace(
        SessionSettings(),
        habits=Habits(leaves_precharge_by_power_off=False),
        timers=Timers(precharge_s=12.0),
    )
    road = Road(settings)
    road.measure(voltage_v=0.0)
    road.run()
    times = road.times("PreCharge")
    assert times[-1] - times[0] == pytest.approx(12.0, abs=0.3)
    assert road.requests()[-2:] == ["PreCharge", "SessionStop"]


def test_a_car_may_skip_welding_detection() -> None:
    road = with_habits(Habits(welding_max=0))
    road.run_to("CurrentDemand", 5)
    road.tell(StopWish("enough"))
    road.run()
    assert road.requests()[-2:] == ["PowerDelivery", "SessionStop"]


@pytest.mark.parametrize("left_v", [20.0, 300.0])
def test_a_car_may_weld_twice_whatever_it_hears(left_v: float) -> None:
    heard = din.WeldingDetectionRes(
        response_code=OK, dc_evse_status=status(), evse_present_voltage=volts(left_v)
    )
    station = Station(special={"WeldingDetection": lambda: heard})
    road = with_habits(Habits(welding_min=2, welding_max=2), station)
    road.run_to("CurrentDemand", 5)
    road.tell(StopWish("enough"))
    road.run()
    assert road.requests()[-3:] == [
        "WeldingDetection",
        "WeldingDetection",
        "SessionStop",
    ]


@pytest.mark.parametrize("ramps", [False, True], ids=["at once", "by a ramp"])
def test_a_station_stop_is_answered_at_once_or_by_a_ramp(*, ramps: bool) -> None:
    road = with_habits(Habits(ramps_on_station_stop=ramps))
    road.run_to("CurrentDemand", 30)
    road.station.evse = status(Code.EVSE_Shutdown)
    road.run(lambda: road.car.state in (State.RAMP_DOWN, State.POWER_OFF))
    before = road.requests().count("CurrentDemand")
    road.run()
    after = road.requests().count("CurrentDemand")
    assert (after > before) is ramps


def test_a_car_may_ignore_not_ready_and_stop_charging_in_the_loop() -> None:
    habits = Habits(obeys_not_ready=False, obeys_stop_notification=False)
    evse = status(Code.EVSE_NotReady, notification=din.EvseNotification.StopCharging)
    road = with_habits(habits)
    road.run_to("CurrentDemand", 5)
    road.station.evse = evse
    road.run_to("CurrentDemand", 50)
    assert road.car.state is State.CHARGING


@pytest.mark.parametrize(
    ("mismatch_s", "goes_on"), [(None, True), (6.0, True), (5.0, False)]
)
def test_patience_with_a_current_that_is_not_the_measured_one(
    mismatch_s: float | None, *, goes_on: bool
) -> None:
    road = with_habits(Habits(mismatch_s=mismatch_s))
    road.follows = False
    road.run_to("CurrentDemand")
    began = road.now
    reports = current(status(), 350.0, 10.0)
    road.station.special["CurrentDemand"] = lambda: reports
    road.run(lambda: road.now > began + 5.9)
    assert (road.car.state is State.CHARGING) is goes_on


def test_a_lost_patience_is_told_and_ends_without_welding_detection() -> None:
    road = with_habits(Habits(mismatch_s=5.0))
    road.follows = False
    reports = current(status(), 350.0, 10.0)
    road.station.special["CurrentDemand"] = lambda: reports
    road.run()
    names, bodies = road.requests(), road.sent_bodies()
    assert names[-3:] == ["CurrentDemand", "PowerDelivery", "SessionStop"]
    demand = bodies[-3][1]
    assert isinstance(demand, din.CurrentDemandReq)
    assert demand.ev_target_current.si == 0.0
    assert demand.dc_ev_status.ev_ready is False
    error = din.DcEvErrorCode.FAILED_ChargingCurrentdifferential
    assert demand.dc_ev_status.ev_error_code is error


def test_a_current_that_matches_again_restores_the_patience() -> None:
    road = with_habits(Habits(mismatch_s=5.0))
    road.follows = False
    wrong = current(status(), 350.0, 10.0)
    right = current(status(), 350.0, 0.0)
    road.station.special["CurrentDemand"] = lambda: wrong
    road.run(lambda: road.now > 5.0)
    road.station.special["CurrentDemand"] = lambda: right
    road.run(lambda: road.now > 6.0)
    road.station.special["CurrentDemand"] = lambda: wrong
    road.run(lambda: road.now > 10.5)
    assert road.car.state is State.CHARGING


def test_a_car_may_say_nothing_after_a_failed_code() -> None:
    failed = din.CableCheckRes(
        response_code=din.ResponseCode.FAILED,
        dc_evse_status=status(),
        evse_processing=FINISHED,
    )
    road = with_habits(
        Habits(says_goodbye_after_failed=False),
        Station(special={"CableCheck": lambda: failed}),
    )
    road.run()
    assert road.requests()[-1] == "CableCheck"
    assert road.ending.outcome is Outcome.REFUSED


def test_think_times_differ_for_a_new_request_and_the_same_again() -> None:
    pace = Pace(change_s=0.25, repeat_s=0.08, loop_s=0.12)
    road = Road(replace(SessionSettings(), pace=pace))
    road.measure(voltage_v=0.0)
    road.run_to("PreCharge", 3)
    (payment,), (auth,) = (
        road.times("ServicePaymentSelection"),
        road.times("ContractAuthentication"),
    )
    precharge = road.times("PreCharge")
    assert auth - payment == pytest.approx(0.02 + 0.25)
    assert precharge[2] - precharge[1] == pytest.approx(0.02 + 0.08)
    road.measure(voltage_v=350.0)
    road.run_to("CurrentDemand", 3)
    demands = road.times("CurrentDemand")
    assert demands[2] - demands[1] == pytest.approx(0.02 + 0.12)


@pytest.mark.parametrize(("latency_s", "period_s"), [(0.02, 0.22), (0.2, 0.3)])
def test_a_grid_hides_the_stations_latency_until_it_is_too_long(
    latency_s: float, period_s: float
) -> None:
    pace = Pace(loop_s=0.1, grid_s=0.22)
    road = Road(replace(SessionSettings(), pace=pace), latency_s=latency_s)
    road.run_to("CurrentDemand", 5)
    times = road.times("CurrentDemand")
    assert times[4] - times[3] == pytest.approx(period_s)


@pytest.mark.parametrize(
    ("vehicle", "present"),
    [
        (Vehicle(), (True, True, True, True, True)),
        (
            Vehicle(max_w=None, capacity_wh=None, full_soc_pct=None, bulk_soc_pct=None),
            (False, False, False, False, False),
        ),
        (
            Vehicle(capacity_wh=None, energy_request_wh=5300),
            (True, False, True, True, True),
        ),
    ],
)
def test_charge_parameters_carry_what_the_car_tells(
    vehicle: Vehicle, present: tuple[bool, ...]
) -> None:
    told = parameters_of(with_vehicle(vehicle))
    assert present == (
        told.ev_maximum_power_limit is not None,
        told.ev_energy_capacity is not None,
        told.ev_energy_request is not None,
        told.full_soc is not None,
        told.bulk_soc is not None,
    )


def test_the_energy_request_is_what_is_missing() -> None:
    told = parameters_of(with_vehicle(Vehicle(capacity_wh=28_000)))
    assert told.ev_energy_request is not None
    assert told.ev_energy_request.si == 28_000 * 0.6


@pytest.mark.parametrize("flags", [True, False])
def test_conditioning_flags_come_and_go(*, flags: bool) -> None:
    told = parameters_of(with_vehicle(Vehicle(sends_conditioning=flags)))
    assert (told.dc_ev_status.ev_cabin_conditioning is not None) is flags
    assert (told.dc_ev_status.ev_ress_conditioning is not None) is flags


def test_a_car_may_be_ready_from_the_start() -> None:
    assert not parameters_of(Road()).dc_ev_status.ev_ready
    road = with_vehicle(Vehicle(is_always_ready=True))
    assert parameters_of(road).dc_ev_status.ev_ready


def test_optional_fields_of_the_loop_come_and_go() -> None:
    full = demand_of(with_vehicle(Vehicle(sends_time_to_bulk=True)))
    bare = demand_of(
        with_vehicle(
            Vehicle(
                sends_bulk_complete=False,
                sends_time_to_full=False,
                sends_loop_limits=False,
            )
        )
    )
    for name in (
        "ev_maximum_voltage_limit",
        "ev_maximum_current_limit",
        "ev_maximum_power_limit",
        "bulk_charging_complete",
        "remaining_time_to_full_soc",
        "remaining_time_to_bulk_soc",
    ):
        assert getattr(full, name) is not None
        assert getattr(bare, name) is None


def test_a_car_may_lower_its_limits_to_what_it_takes() -> None:
    settings = replace(
        SessionSettings(),
        habits=Habits(lowers_limits=True),
        goal=ChargeGoal(current_a=26.0, target_v=423.0),
    )
    demand = demand_of(Road(settings))
    assert demand.ev_maximum_current_limit is not None
    assert demand.ev_maximum_current_limit.si == 26.0
    assert demand.ev_maximum_power_limit is not None
    assert demand.ev_maximum_power_limit.si == pytest.approx(26 * 423)


def test_a_car_may_send_whole_volts_and_no_service_category() -> None:
    road = with_vehicle(Vehicle(whole_volts=True, asks_category=False))
    road.measure(battery_v=350.4)
    road.run_to("PreCharge")
    request = first(road, din.PreChargeReq)
    assert isinstance(request, din.PreChargeReq)
    assert (request.ev_target_voltage.multiplier, request.ev_target_voltage.si) == (
        0,
        350.0,
    )
    discovery = first(road, din.ServiceDiscoveryReq)
    assert isinstance(discovery, din.ServiceDiscoveryReq)
    assert discovery.service_category is None


@pytest.mark.parametrize("sends", [True, False])
def test_the_charging_profile_comes_and_goes(*, sends: bool) -> None:
    road = with_vehicle(Vehicle(sends_profile=sends))
    road.run_to("PowerDelivery")
    request = first(road, din.PowerDeliveryReq)
    assert isinstance(request, din.PowerDeliveryReq)
    assert (request.charging_profile is not None) is sends


@pytest.mark.parametrize(
    ("ramp_a_per_s", "targets"),
    [(10.0, [1.0, 2.2, 3.4, 4.6]), (100.0, [1.0, 13.0, 25.0, 37.0])],
)
def test_the_ramp_and_its_first_step(ramp_a_per_s: float, targets: list[float]) -> None:
    goal = ChargeGoal(start_a=1.0, ramp_up_a_per_s=ramp_a_per_s)
    road = Road(replace(SessionSettings(), goal=goal))
    road.run_to("CurrentDemand", 4)
    assert [
        body.ev_target_current.si
        for _, body in road.sent_bodies()
        if isinstance(body, din.CurrentDemandReq)
    ] == pytest.approx(targets)


@pytest.mark.parametrize(
    ("soc_pct", "amperes"), [(20, 100.0), (80, 100.0), (90, 55.0), (100, 10.0)]
)
def test_the_current_tapers_to_the_end(soc_pct: float, amperes: float) -> None:
    goal = ChargeGoal(current_a=100.0, taper_from_pct=80.0, taper_to_a=10.0)
    assert goal.current_at(soc_pct) == pytest.approx(amperes)
