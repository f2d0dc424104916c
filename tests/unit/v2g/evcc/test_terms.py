"""New terms while charging, a pause, and what else a car of ISO 15118-2 may do."""

from __future__ import annotations

import pytest
from tests.unit.v2g.evcc.honest2 import (
    Iso2Road,
    Iso2Station,
    current,
    parameters,
    schedule,
    status,
)
from tests.unit.v2g.evcc.test_iso2 import (
    WAY_IN,
    WAY_OUT,
    charging,
    failing,
    in_turn,
    powers,
    without_repeats,
)

from pilothat.v2g.evcc.events import (
    Disconnected,
    Outcome,
    SendRequest,
    SessionEnded,
    SetEvContactor,
    SetS2,
    StopWish,
)
from pilothat.v2g.evcc.iso2 import Iso2DcEvcc, Paused
from pilothat.v2g.evcc.settings import (
    Habits,
    Iso2Habits,
    SessionSettings,
    TimeUnit,
    Vehicle,
)
from pilothat.v2g.evcc.states import State
from pilothat.v2g.messages import iso2

Progress = iso2.ChargeProgress
ASKS = status(notification=iso2.EvseNotification.ReNegotiation)
AGAIN = ["PowerDelivery", *WAY_IN[4:]]


def with_plan(plan: Iso2Habits, station: Iso2Station | None = None) -> Iso2Road:
    return Iso2Road(SessionSettings(iso2=plan), station or Iso2Station())


def with_habits(habits: Habits, station: Iso2Station | None = None) -> Iso2Road:
    return Iso2Road(SessionSettings(habits=habits), station or Iso2Station())


def asked_for_terms(road: Iso2Road | None = None) -> Iso2Road:
    road = charging(road)
    road.station.evse = ASKS
    road.run(lambda: road.car.state is State.RENEGOTIATION)
    road.station.evse = status()
    return road


def car_of(road: Iso2Road) -> Iso2DcEvcc:
    assert isinstance(road.car, Iso2DcEvcc)
    return road.car


def test_the_station_asks_for_new_terms_and_gets_them_on_the_whole_way() -> None:
    road = asked_for_terms()
    road.run_to("CurrentDemand", 200)
    assert without_repeats(road) == [*WAY_IN, *AGAIN]
    assert powers(road) == [Progress.Start, Progress.Renegotiate, Progress.Start]


def test_the_contactor_opens_without_current_and_s2_stays_closed() -> None:
    road = asked_for_terms()
    assert road.fact.current_a < 1.0
    road.run_to("CurrentDemand", 200)
    moves = [a for a in road.actions() if isinstance(a, SetEvContactor | SetS2)]
    assert moves == [
        SetS2(closed=True),
        SetEvContactor(closed=True),
        SetEvContactor(closed=False),
        SetEvContactor(closed=True),
    ]


def test_the_new_terms_hold() -> None:
    terms = in_turn(
        parameters(schedule(1, (0, 50_000.0))),
        parameters(schedule(2, (0, 9000.0)), max_a=20.0),
    )
    special = {"ChargeParameterDiscovery": terms}
    road = asked_for_terms(Iso2Road(station=Iso2Station(special=special)))
    road.run_to("CurrentDemand", 300)
    assert road.car.target_a == 20.0
    start = road.sent_bodies()[-1][1]
    assert isinstance(start, iso2.CurrentDemandReq)
    tuples = [
        body.sa_schedule_tuple_id
        for _, body in road.sent_bodies()
        if isinstance(body, iso2.PowerDeliveryReq)
    ]
    assert tuples == [1, 1, 2]


def test_a_car_may_ignore_the_stations_wish_for_new_terms() -> None:
    road = charging(with_plan(Iso2Habits(obeys_renegotiation=False)))
    road.station.evse = ASKS
    road.run_to("CurrentDemand", 100)
    assert road.car.state is State.CHARGING


def test_a_car_may_ask_for_new_terms_itself_once() -> None:
    road = charging(with_plan(Iso2Habits(renegotiates_after_s=10.0)))
    road.run_to("CurrentDemand", 800)
    assert powers(road) == [Progress.Start, Progress.Renegotiate, Progress.Start]
    on, asked, _ = road.times("PowerDelivery")
    assert asked - on == pytest.approx(11.0, abs=1.0)


def test_the_drivers_wish_ends_a_charge_on_its_way_to_new_terms() -> None:
    road = charging()
    road.station.evse = ASKS
    road.run(lambda: road.car.state is State.EASING)
    road.tell(StopWish("enough"))
    road.run()
    assert road.ending == SessionEnded(Outcome.STOPPED, "enough")
    assert without_repeats(road)[-3:] == WAY_OUT
    assert powers(road)[-1] is Progress.Stop


@pytest.mark.parametrize("state", [State.RENEGOTIATION, State.PARAMETERS])
def test_the_drivers_wish_while_terms_are_discussed_opens_s2_and_says_goodbye(
    state: State,
) -> None:
    road = asked_for_terms()
    road.run(lambda: road.car.state is state)
    road.tell(StopWish("enough"))
    road.run_to("SessionStop")
    assert without_repeats(road)[-2:] == ["PowerDelivery", "SessionStop"]
    assert powers(road)[-1] is Progress.Renegotiate
    moves = [a for a in road.actions() if isinstance(a, SetEvContactor | SetS2)]
    assert moves[-2:] == [SetEvContactor(closed=False), SetS2(closed=False)]


def test_a_current_that_does_not_go_away_ends_the_way_to_new_terms() -> None:
    road = charging()
    road.follows = False
    road.station.evse = ASKS
    road.run()
    assert road.ending.reason == "ramp down for new terms took too long"


# --- pause


def paused(plan: Iso2Habits) -> Iso2Road:
    road = charging(with_plan(plan))
    road.run()
    return road


def test_a_pause_is_told_in_the_session_stop_and_keeps_the_session() -> None:
    road = paused(Iso2Habits(pauses_after_s=10.0))
    stop = road.sent_bodies()[-1][1]
    assert isinstance(stop, iso2.SessionStopReq)
    assert stop.charging_session is iso2.ChargingSession.Pause
    assert road.ending.outcome is Outcome.PAUSED
    assert car_of(road).paused == Paused(road.session_id, 1)


@pytest.mark.parametrize("welds", [True, False])
def test_a_car_may_skip_the_welding_detection_before_a_pause(*, welds: bool) -> None:
    road = paused(Iso2Habits(pauses_after_s=10.0, welds_before_pause=welds))
    assert ("WeldingDetection" in road.requests()) is welds


def test_a_refused_pause_is_no_pause() -> None:
    station = failing("SessionStop", iso2.ResponseCode.FAILED)
    road = charging(with_plan(Iso2Habits(pauses_after_s=10.0), station))
    road.run()
    assert road.ending.outcome is Outcome.REFUSED
    assert car_of(road).paused is None


def test_a_pause_that_is_not_confirmed_is_none() -> None:
    station = Iso2Station(special={"SessionStop": lambda: None})
    road = charging(with_plan(Iso2Habits(pauses_after_s=10.0), station))
    road.run_to("SessionStop")
    road.tell(Disconnected())
    assert road.ending.outcome is Outcome.ABORTED
    assert car_of(road).paused is None


def test_a_session_that_ends_for_good_leaves_nothing_to_join() -> None:
    road = charging()
    road.tell(StopWish("enough"))
    road.run()
    assert car_of(road).paused is None


def test_a_resumed_session_has_its_old_id_and_schedule_and_no_second_pause() -> None:
    old = Paused(bytes(range(8)), 2)
    terms = parameters(schedule(1, (0, 9000.0)), schedule(2, (0, 8000.0)))
    station = Iso2Station(joins=old)
    station.special["ChargeParameterDiscovery"] = lambda: terms
    road = charging(with_plan(Iso2Habits(pauses_after_s=1.0), station))
    road.run_to("CurrentDemand", 100)
    first = next(a for _, a in road.log if isinstance(a, SendRequest))
    assert isinstance(first.message, iso2.V2gMessage)
    assert first.message.header.session_id == old.session_id
    start = next(
        b for _, b in road.sent_bodies() if isinstance(b, iso2.PowerDeliveryReq)
    )
    assert start.sa_schedule_tuple_id == 2
    assert road.car.state is State.CHARGING


# --- deviations


def test_a_car_may_go_on_asking_after_the_authorisation_is_finished() -> None:
    road = charging(with_habits(Habits(extra_authorisations=2)))
    assert road.requests().count("Authorization") == 3


@pytest.mark.parametrize("first_v", [0.0, -10.0, 100.0])
def test_the_first_precharge_may_ask_for_nonsense(first_v: float) -> None:
    road = with_habits(Habits(first_precharge_v=first_v))
    road.measure(voltage_v=0.0)
    road.run_to("PreCharge", 2)
    asked = [
        body.ev_target_voltage.si
        for _, body in road.sent_bodies()
        if isinstance(body, iso2.PreChargeReq)
    ]
    assert asked == [first_v, 350.0]


@pytest.mark.parametrize(("max_a", "max_w"), [(0.0, 50_000.0), (125.0, 0.0)])
@pytest.mark.parametrize("refuses", [True, False])
def test_a_car_may_leave_a_station_that_states_zero(
    max_a: float, max_w: float, *, refuses: bool
) -> None:
    terms = parameters(schedule(1, (0, 50_000.0)), max_a=max_a, max_w=max_w)
    station = Iso2Station(special={"ChargeParameterDiscovery": lambda: terms})
    road = with_habits(Habits(refuses_zero_limits=refuses), station)
    road.run_to("SessionStop" if refuses else "CurrentDemand")
    assert ("CableCheck" in road.requests()) is not refuses


def test_a_car_may_lose_patience_with_a_station_that_gives_nothing() -> None:
    road = charging(with_habits(Habits(nothing_s=20.0)))
    began = road.now
    nothing = current(status(), 350.0, 0.0, max_a=0.0)
    road.station.special["CurrentDemand"] = lambda: nothing
    road.run()
    assert road.now - began == pytest.approx(20.5, abs=1.0)
    assert road.ending == SessionEnded(Outcome.REFUSED, "the station gives nothing")


def test_a_car_may_say_goodbye_in_the_loop() -> None:
    road = charging(with_habits(Habits(stops_from_loop=True)))
    road.tell(StopWish("enough"))
    road.run()
    assert without_repeats(road)[-2:] == ["CurrentDemand", "SessionStop"]
    moves = [a for a in road.actions() if isinstance(a, SetEvContactor | SetS2)]
    assert moves[-2:] == [SetEvContactor(closed=False), SetS2(closed=False)]
    assert road.ending == SessionEnded(Outcome.STOPPED, "enough")


@pytest.mark.parametrize(
    ("unit", "symbol", "value"),
    [
        (TimeUnit.S, iso2.UnitSymbol.s, 18_000.0),
        (TimeUnit.M, iso2.UnitSymbol.m, 300.0),
        (TimeUnit.H, iso2.UnitSymbol.h, 5.0),
    ],
)
def test_a_car_may_tell_the_time_that_is_left_in_another_unit(
    unit: TimeUnit, symbol: iso2.UnitSymbol, value: float
) -> None:
    vehicle = Vehicle(time_unit=unit, capacity_wh=200_000.0)
    road = Iso2Road(SessionSettings(vehicle=vehicle))
    road.run_to("CurrentDemand")
    demand = road.sent_bodies()[-1][1]
    assert isinstance(demand, iso2.CurrentDemandReq)
    left = demand.remaining_time_to_full_soc
    assert left is not None
    assert (left.unit, left.si) == (symbol, value)


def test_a_car_may_promise_what_the_schedule_does_not_allow() -> None:
    road = charging(with_plan(Iso2Habits(profile_w=99_000.0)))
    start = next(
        b for _, b in road.sent_bodies() if isinstance(b, iso2.PowerDeliveryReq)
    )
    assert start.charging_profile is not None
    promised = start.charging_profile.profile_entry[0]
    assert promised.charging_profile_entry_max_power.si == 99_000.0


def test_departure_and_length_of_schedules_are_told_when_the_car_knows_them() -> None:
    road = charging(with_plan(Iso2Habits(departure_s=7200, max_entries=192)))
    asked = next(
        b
        for _, b in road.sent_bodies()
        if isinstance(b, iso2.ChargeParameterDiscoveryReq)
    )
    assert asked.max_entries_sa_schedule_tuple == 192
    assert asked.ev_charge_parameter.departure_time == 7200
