"""An AC session of the car against a small honest station of ISO 15118-2."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest
from tests.unit.v2g.evcc.honest import Walk, is_free, story
from tests.unit.v2g.evcc.honest2 import (
    AcStation,
    ac_parameters,
    ac_status,
    discovery,
    schedule,
)

from pilothat.v2g.evcc.events import (
    Disconnected,
    DrawCurrent,
    LockPlug,
    Outcome,
    PilotSeen,
    SessionEnded,
    SetEvContactor,
    SetS2,
    StopWish,
)
from pilothat.v2g.evcc.settings import (
    AcVehicle,
    Energy,
    Habits,
    Iso2Habits,
    SessionSettings,
)
from pilothat.v2g.evcc.states import State
from pilothat.v2g.messages import iso2

WAY_IN = [
    "SessionSetup",
    "ServiceDiscovery",
    "PaymentServiceSelection",
    "Authorization",
    "ChargeParameterDiscovery",
    "PowerDelivery",
    "ChargingStatus",
]
THREE = AcVehicle(has_three_phases=True)
Notice = iso2.EvseNotification
Mode = iso2.EnergyTransferMode


def road_of(
    ac: AcVehicle | None = None,
    station: AcStation | None = None,
    plan: Iso2Habits | None = None,
    habits: Habits | None = None,
) -> Walk[AcStation]:
    settings = SessionSettings(
        ac=ac or AcVehicle(),
        iso2=replace(plan or Iso2Habits(), energy=Energy.AC),
        habits=habits or Habits(),
    )
    return Walk(settings, station or AcStation())


def charging(road: Walk[AcStation] | None = None) -> Walk[AcStation]:
    road = road or road_of()
    road.run_to("ChargingStatus", 20)
    assert road.car.state is State.CHARGING
    return road


def charged(road: Walk[AcStation] | None = None) -> Walk[AcStation]:
    road = charging(road)
    road.measure(soc_pct=80.0)
    road.run()
    return road


def without_repeats(road: Walk[AcStation]) -> list[str]:
    return [name for name, _ in groupby(road.requests())]


def asked(road: Walk[AcStation]) -> iso2.ChargeParameterDiscoveryReq:
    road.run_to("ChargeParameterDiscovery")
    body = road.sent_bodies()[-1][1]
    assert isinstance(body, iso2.ChargeParameterDiscoveryReq)
    return body


def with_terms(
    *schedules: iso2.SaScheduleTuple, max_a: float = 16.0
) -> tuple[AcStation, iso2.ChargeParameterDiscoveryRes]:
    terms = ac_parameters(*schedules, max_a=max_a)
    station = AcStation(special={"ChargeParameterDiscovery": lambda: terms})
    return station, terms


def test_a_charge_has_all_messages_in_order() -> None:
    road = charged()
    assert without_repeats(road) == [*WAY_IN, "PowerDelivery", "SessionStop"]
    assert road.ending == SessionEnded(Outcome.CHARGED, "the goal is reached")


def test_s2_closes_with_the_request_for_power_and_opens_with_its_end() -> None:
    told = story(charged())
    on, off = told.index("PowerDelivery"), len(told) - told[::-1].index("PowerDelivery")
    assert told[on : on + 4] == [
        "PowerDelivery",
        LockPlug(locked=True),
        SetS2(closed=True),
        SetEvContactor(closed=True),
    ]
    assert told[off - 1 : off + 3] == [
        "PowerDelivery",
        SetEvContactor(closed=False),
        SetS2(closed=False),
        "SessionStop",
    ]


@pytest.mark.parametrize("after_s", [0.0, 0.05, 0.6])
def test_s2_closes_as_long_after_the_request_as_this_car_takes(after_s: float) -> None:
    road = charging(road_of(AcVehicle(s2_after_s=after_s)))
    closed_at = next(at for at, a in road.log if a == SetS2(closed=True))
    assert closed_at - road.times("PowerDelivery")[0] == pytest.approx(after_s)


def test_s2_stays_open_when_the_power_is_refused_before() -> None:
    station = AcStation()
    refused = iso2.PowerDeliveryRes(
        response_code=iso2.ResponseCode.FAILED, evse_status=ac_status()
    )
    station.special["PowerDelivery"] = lambda: refused
    road = road_of(AcVehicle(s2_after_s=0.6), station)
    road.run()
    assert SetS2(closed=True) not in road.actions()
    assert road.car.deadline is None


def test_the_current_is_gone_before_power_off_is_asked_for() -> None:
    told = story(charged())
    assert told.index(DrawCurrent(16.0)) < told.index(DrawCurrent(0.0))
    last = len(told) - 1 - told[::-1].index("PowerDelivery")
    assert told.index(DrawCurrent(0.0)) < last


def test_a_car_may_open_s2_before_it_asks_for_power_off() -> None:
    told = story(charged(road_of(AcVehicle(opens_s2_first=True))))
    last = len(told) - 1 - told[::-1].index("PowerDelivery")
    assert told[last - 1] == SetS2(closed=False)


@pytest.mark.parametrize(
    ("ac", "mode"),
    [(AcVehicle(), Mode.AC_single_phase_core), (THREE, Mode.AC_three_phase_core)],
)
def test_the_car_asks_for_its_phases_and_tells_its_limits(
    ac: AcVehicle, mode: iso2.EnergyTransferMode
) -> None:
    request = asked(road_of(replace(ac, max_a=20.0, min_a=7.0)))
    told = request.ev_charge_parameter
    assert request.requested_energy_transfer_mode is mode
    assert isinstance(told, iso2.AcEvChargeParameter)
    assert told.ev_max_voltage.si == 260.0
    assert (told.ev_max_current.si, told.ev_min_current.si) == (20.0, 7.0)
    assert told.e_amount.si == pytest.approx(58_000 * 0.4)  # from 40 to 80 %


def test_a_car_may_tell_a_fixed_amount() -> None:
    told = asked(road_of(AcVehicle(wanted_wh=37_000.0))).ev_charge_parameter
    assert isinstance(told, iso2.AcEvChargeParameter)
    assert told.e_amount.si == 37_000.0


def test_a_station_with_fewer_phases_is_left() -> None:
    offered = discovery(Mode.AC_single_phase_core)
    station = AcStation(special={"ServiceDiscovery": lambda: offered})
    road = road_of(THREE, station)
    road.run()
    assert road.ending == SessionEnded(
        Outcome.REFUSED, "the station has no AC_three_phase_core"
    )


@pytest.mark.parametrize(
    ("max_w", "stated_a", "loop_a", "drawn_a"),
    [
        (11_040.0, 16.0, None, 16.0),  # the parameters alone
        (11_040.0, 16.0, 10.0, 10.0),  # the loop limits
        (2300.0, 16.0, 16.0, 10.0),  # the schedule limits
        (11_040.0, 32.0, 32.0, 20.0),  # the car limits
        (11_040.0, 16.0, 5.9, 0.0),  # less than the car's least
        (11_040.0, 16.0, 6.0, 6.0),
    ],
)
def test_the_charger_takes_what_all_allow(
    max_w: float, stated_a: float, loop_a: float | None, drawn_a: float
) -> None:
    station, _ = with_terms(schedule(1, (0, max_w)), max_a=stated_a)
    station.max_a = loop_a
    road = charging(road_of(AcVehicle(max_a=20.0), station))
    assert road.car.target_a == pytest.approx(drawn_a)
    assert road.fact.current_a == pytest.approx(drawn_a)


def test_three_phases_are_drawn_together() -> None:
    road = charging(road_of(THREE))
    assert road.car.target_a == 16.0
    assert road.fact.current_a == 48.0


def test_the_schedule_is_followed_in_time() -> None:
    station, _ = with_terms(schedule(1, (0, 3680.0), (20, 1840.0), (40, 0.0)))
    road = charging(road_of(station=station))
    seen: dict[float, None] = {}
    road.run(lambda: seen.setdefault(road.car.target_a) is not None or road.now > 60)
    assert list(seen) == pytest.approx([16.0, 8.0, 0.0])


def test_a_car_may_refuse_a_schedule_below_its_least_power() -> None:
    station, _ = with_terms(schedule(1, (0, 11_000.0)))
    road = road_of(replace(THREE, min_w=11_040.0), station)
    road.run()
    assert road.requests()[-2:] == ["ChargeParameterDiscovery", "SessionStop"]
    assert road.ending.outcome is Outcome.REFUSED


@pytest.mark.parametrize(
    ("evse", "outcome"),
    [
        (ac_status(Notice.StopCharging), Outcome.STOPPED),
        (ac_status(rcd=True), Outcome.ABORTED),
    ],
)
def test_the_stations_status_turns_the_power_off_at_once(
    evse: iso2.AcEvseStatus, outcome: Outcome
) -> None:
    road = charging()
    road.station.ac = evse
    road.run()
    assert road.ending.outcome is outcome
    assert without_repeats(road)[-3:] == [
        "ChargingStatus",
        "PowerDelivery",
        "SessionStop",
    ]


def test_new_terms_interrupt_the_current_and_not_s2() -> None:
    road = charging()
    road.station.ac = ac_status(Notice.ReNegotiation)
    road.run(lambda: road.car.state is State.RENEGOTIATION)
    road.station.ac = ac_status()
    road.run_to("ChargingStatus", 60)
    assert without_repeats(road) == [
        *WAY_IN,
        "PowerDelivery",
        "ChargeParameterDiscovery",
        "PowerDelivery",
        "ChargingStatus",
    ]
    assert road.actions().count(SetS2(closed=True)) == 1
    assert SetS2(closed=False) not in road.actions()
    assert road.fact.current_a == 16.0


def test_a_pause_works_as_with_dc() -> None:
    road = road_of(plan=Iso2Habits(pauses_after_s=5.0))
    road.run()
    stop = road.sent_bodies()[-1][1]
    assert isinstance(stop, iso2.SessionStopReq)
    assert stop.charging_session is iso2.ChargingSession.Pause
    assert road.ending.outcome is Outcome.PAUSED


def test_a_car_may_lose_patience_with_a_station_that_allows_too_little() -> None:
    road = charging(road_of(habits=Habits(nothing_s=30.0)))
    began, road.station.max_a = road.now, 0.0
    road.run()
    assert road.now - began == pytest.approx(30.5, abs=1.0)
    assert road.ending.outcome is Outcome.REFUSED


@pytest.mark.parametrize("message", WAY_IN)
def test_silence_ends_the_session_when_the_message_timer_runs_out(message: str) -> None:
    road = road_of(station=AcStation(special={message: lambda: None}))
    road.run()
    limit_s = 5.0 if message == "PowerDelivery" else 2.0
    assert road.now == pytest.approx(road.times(message)[-1] + limit_s)
    assert isinstance(road.ending, SessionEnded)


@pytest.mark.parametrize("message", WAY_IN)
def test_a_failed_code_opens_everything(message: str) -> None:
    station = AcStation()
    failed = replace(
        station.honest(message), response_code=iso2.ResponseCode.FAILED_ContactorError
    )
    station.special[message] = lambda: failed
    road = road_of(station=station)
    road.run()
    assert road.ending.outcome is Outcome.REFUSED
    assert is_free(road)


@pytest.mark.parametrize(
    "loss", [Disconnected(), PilotSeen(100.0, is_pwm=False), StopWish("enough")]
)
@pytest.mark.parametrize("message", WAY_IN)
def test_whatever_ends_it_leaves_nothing_closed_and_no_current(
    message: str, loss: Disconnected | PilotSeen | StopWish
) -> None:
    road = road_of()
    road.run_to(message, 1)
    road.run_to(message, 5 if message == "ChargingStatus" else 1)
    road.tell(loss)
    road.run()
    assert is_free(road)
    assert road.car.deadline is None
