"""A whole ISO 15118-2 DC session of the car against a small honest station."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import groupby

import pytest
from tests.unit.v2g.evcc.honest import SESSION_ID, is_free, story
from tests.unit.v2g.evcc.honest2 import (
    FINISHED,
    OK,
    ONGOING,
    WAITING,
    Iso2Road,
    Iso2Station,
    authorisation,
    discovery,
    parameters,
    schedule,
    status,
    volts,
)

from pilothat.v2g.evcc.events import (
    Disconnect,
    Disconnected,
    LockPlug,
    Outcome,
    PilotSeen,
    ResponseIn,
    SendRequest,
    SessionEnded,
    SetEvContactor,
    SetS2,
    StopWish,
)
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.evcc.states import State
from pilothat.v2g.messages import din, iso2

WAY_IN = [
    "SessionSetup",
    "ServiceDiscovery",
    "PaymentServiceSelection",
    "Authorization",
    "ChargeParameterDiscovery",
    "CableCheck",
    "PreCharge",
    "PowerDelivery",
    "CurrentDemand",
]
WAY_OUT = ["PowerDelivery", "WeldingDetection", "SessionStop"]
TIMEOUTS_S = {"CurrentDemand": 0.25, "PowerDelivery": 5.0}
Code = iso2.DcEvseStatusCode
FAILED = [code for code in iso2.ResponseCode if code >= iso2.ResponseCode.FAILED]


def charging(road: Iso2Road | None = None) -> Iso2Road:
    road = road or Iso2Road()
    road.run_to("CurrentDemand", 50)
    assert road.car.state is State.CHARGING
    return road


def charged(road: Iso2Road | None = None) -> Iso2Road:
    road = charging(road)
    road.measure(soc_pct=80.0)
    road.run()
    return road


def without_repeats(road: Iso2Road) -> list[str]:
    return [name for name, _ in groupby(road.requests())]


def failing(message: str, code: iso2.ResponseCode) -> Iso2Station:
    station = Iso2Station()
    failed = replace(station.honest(message), response_code=code)
    station.special[message] = lambda: failed
    return station


def in_turn(*answers: iso2.Response) -> Callable[[], object]:
    """Return answers one after the other; the last one again and again."""
    left = [*reversed(answers)]
    return lambda: left.pop() if len(left) > 1 else left[0]


def powers(road: Iso2Road) -> list[iso2.ChargeProgress]:
    return [
        body.charge_progress
        for _, body in road.sent_bodies()
        if isinstance(body, iso2.PowerDeliveryReq)
    ]


def test_a_charge_has_all_messages_in_order() -> None:
    road = charged()
    assert without_repeats(road) == [*WAY_IN, *WAY_OUT]
    assert road.ending == SessionEnded(Outcome.CHARGED, "the goal is reached")
    assert powers(road) == [iso2.ChargeProgress.Start, iso2.ChargeProgress.Stop]


def test_every_request_but_the_first_carries_the_stations_session_id() -> None:
    ids = [
        action.message.header.session_id
        for _, action in charged().log
        if isinstance(action, SendRequest)
        and isinstance(action.message, iso2.V2gMessage)
    ]
    assert ids[0] == bytes(8)
    assert set(ids[1:]) == {SESSION_ID}


def test_the_pilot_is_c_from_before_the_cable_check_to_after_power_off() -> None:
    told = story(charged())
    first = told.index(SetS2(closed=True))
    last = told.index(SetS2(closed=False))
    assert told[first - 2 : first + 2] == [
        "ChargeParameterDiscovery",
        LockPlug(locked=True),
        SetS2(closed=True),
        "CableCheck",
    ]
    assert told[last - 2 : last + 2] == [
        "PowerDelivery",
        SetEvContactor(closed=False),
        SetS2(closed=False),
        "WeldingDetection",
    ]
    assert told[-3:] == [
        LockPlug(locked=False),
        Disconnect(),
        SessionEnded(Outcome.CHARGED, "the goal is reached"),
    ]


def test_the_car_asks_for_dc_on_a_combo_connector_and_pays_outside() -> None:
    bodies = [body for _, body in charged().sent_bodies()]
    paying = next(b for b in bodies if isinstance(b, iso2.PaymentServiceSelectionReq))
    asking = next(b for b in bodies if isinstance(b, iso2.ChargeParameterDiscoveryReq))
    assert paying.selected_payment_option is iso2.PaymentOption.ExternalPayment
    assert paying.selected_service_list.selected_service[0].service_id == 1
    mode = asking.requested_energy_transfer_mode
    assert mode is iso2.EnergyTransferMode.DC_extended


@pytest.mark.parametrize(
    "offered",
    [
        discovery(iso2.EnergyTransferMode.DC_core),
        discovery(
            iso2.EnergyTransferMode.DC_extended, payment=iso2.PaymentOption.Contract
        ),
    ],
)
def test_a_station_without_what_the_car_needs_is_left_in_order(
    offered: iso2.ServiceDiscoveryRes,
) -> None:
    road = Iso2Road(station=Iso2Station(special={"ServiceDiscovery": lambda: offered}))
    road.run()
    assert road.requests() == ["SessionSetup", "ServiceDiscovery", "SessionStop"]
    assert road.ending.outcome is Outcome.REFUSED


@pytest.mark.parametrize("processing", [ONGOING, WAITING])
def test_authorisation_is_asked_for_until_it_is_finished(
    processing: iso2.EvseProcessing,
) -> None:
    asked = in_turn(authorisation(processing), authorisation(FINISHED))
    road = charging(Iso2Road(station=Iso2Station(special={"Authorization": asked})))
    assert road.requests().count("Authorization") == 2


@pytest.mark.parametrize(
    ("message", "answer", "limit_s"),
    [
        ("Authorization", authorisation(ONGOING), 60.0),
        ("Authorization", authorisation(WAITING), 60.0),
        ("ChargeParameterDiscovery", parameters(processing=ONGOING), 60.0),
        (
            "CableCheck",
            iso2.CableCheckRes(
                response_code=OK, dc_evse_status=status(), evse_processing=ONGOING
            ),
            40.0,
        ),
        (
            "PreCharge",
            iso2.PreChargeRes(
                response_code=OK, dc_evse_status=status(), evse_present_voltage=volts(0)
            ),
            7.0,
        ),
    ],
)
def test_each_loop_has_its_timer(
    message: str, answer: iso2.Response, limit_s: float
) -> None:
    road = Iso2Road(station=Iso2Station(special={message: lambda: answer}))
    road.measure(voltage_v=0.0)
    road.run()
    times = road.times(message)
    assert times[-1] - times[0] == pytest.approx(limit_s, abs=0.7)
    assert "took too long" in road.ending.reason
    assert road.requests()[-1] == "SessionStop"


@pytest.mark.parametrize("message", [*WAY_IN, "WeldingDetection", "SessionStop"])
def test_silence_ends_the_session_when_the_message_timer_runs_out(message: str) -> None:
    road = Iso2Road(station=Iso2Station(special={message: lambda: None}))
    road.run_to("CurrentDemand")
    road.measure(soc_pct=80.0)
    road.run()
    limit_s = TIMEOUTS_S.get(message, 2.0)
    assert road.requests()[-1] == message
    assert road.now == pytest.approx(road.times(message)[-1] + limit_s)
    assert isinstance(road.ending, SessionEnded)


@pytest.mark.parametrize("says_goodbye", [True, False])
@pytest.mark.parametrize("message", WAY_IN)
def test_a_failed_code_opens_everything(message: str, *, says_goodbye: bool) -> None:
    base = SessionSettings()
    habits = replace(base.habits, says_goodbye_after_failed=says_goodbye)
    station = failing(message, iso2.ResponseCode.FAILED_SequenceError)
    road = Iso2Road(replace(base, habits=habits), station)
    road.run()
    assert road.ending.outcome is Outcome.REFUSED
    assert "FAILED_SequenceError" in road.ending.reason
    assert road.requests()[-1] == ("SessionStop" if says_goodbye else message)
    assert is_free(road)


@pytest.mark.parametrize("code", FAILED)
def test_every_failed_code_is_a_refusal(code: iso2.ResponseCode) -> None:
    road = Iso2Road(station=failing("ChargeParameterDiscovery", code))
    road.run()
    assert road.ending == SessionEnded(
        Outcome.REFUSED, f"charge parameters: the station said {code.literal}"
    )


@pytest.mark.parametrize("message", WAY_IN[1:])
def test_a_wrong_session_id_ends_without_a_word(message: str) -> None:
    road = Iso2Road(station=Iso2Station(special={message: lambda: None}))
    road.run_to(message)
    body = road.station.honest(message)
    road.tell(ResponseIn(road.station.wrap(b"other", body)))
    road.run()
    assert road.ending == SessionEnded(Outcome.ABORTED, "a wrong session id")
    assert road.requests()[-1] == message


@pytest.mark.parametrize(
    "wrong",
    [
        "rubbish",
        iso2.V2gMessage(header=iso2.MessageHeader(session_id=SESSION_ID)),
        Iso2Station().wrap(SESSION_ID, iso2.SessionStopRes(response_code=OK)),
        din.V2gMessage(
            header=din.MessageHeader(session_id=SESSION_ID),
            body=din.SessionStopRes(response_code=din.ResponseCode.OK),
        ),
    ],
)
def test_an_unexpected_message_ends_without_a_word(wrong: object) -> None:
    road = Iso2Road(station=Iso2Station(special={"CableCheck": lambda: None}))
    road.run_to("CableCheck")
    road.tell(ResponseIn(wrong))
    assert road.ending.reason == "a wrong answer to cable check"
    assert SetS2(closed=False) in road.actions()


@pytest.mark.parametrize(
    ("code", "outcome"),
    [
        (Code.EVSE_Shutdown, Outcome.STOPPED),
        (Code.EVSE_UtilityInterruptEvent, Outcome.STOPPED),
        (Code.EVSE_EmergencyShutdown, Outcome.ABORTED),
        (Code.EVSE_Malfunction, Outcome.ABORTED),
        (Code.EVSE_NotReady, Outcome.ABORTED),
    ],
)
def test_the_stations_status_turns_the_power_off_at_once(
    code: iso2.DcEvseStatusCode, outcome: Outcome
) -> None:
    road = charging()
    road.station.evse = status(code)
    began = road.now
    road.run()
    assert road.times("PowerDelivery")[-1] - began < 0.3
    assert road.ending.outcome is outcome
    assert code.literal in road.ending.reason
    assert without_repeats(road)[-3:] == WAY_OUT


@pytest.mark.parametrize("message", ["CableCheck", "PreCharge"])
def test_a_shutdown_before_power_on_opens_s2_before_the_goodbye(message: str) -> None:
    road = Iso2Road()
    road.run_to(message)
    road.station.evse = status(Code.EVSE_Shutdown)
    road.measure(voltage_v=0.0)
    road.run_to("SessionStop")
    assert SetEvContactor(closed=True) not in road.actions()
    assert SetS2(closed=False) in road.actions()


@pytest.mark.parametrize("obeys", [True, False])
def test_stop_charging_is_obeyed_unless_the_car_does_not(*, obeys: bool) -> None:
    base = SessionSettings()
    habits = replace(base.habits, obeys_stop_notification=obeys)
    road = charging(Iso2Road(replace(base, habits=habits)))
    notice = iso2.EvseNotification.StopCharging
    road.station.evse = status(notification=notice)
    road.run_to("CurrentDemand", 100)
    assert (road.car.state is State.CHARGING) is not obeys


@pytest.mark.parametrize("message", WAY_IN[:-1])
def test_the_drivers_wish_ends_the_way_in_from_every_step(message: str) -> None:
    road = Iso2Road()
    road.run_to(message)
    road.tell(StopWish("enough"))
    road.run()
    assert road.ending == SessionEnded(Outcome.STOPPED, "enough")
    assert road.requests()[-1] == "SessionStop"


@pytest.mark.parametrize("loss", [Disconnected(), PilotSeen(100.0, is_pwm=False)])
@pytest.mark.parametrize("message", WAY_IN)
def test_a_loss_at_any_message_leaves_nothing_closed(
    message: str, loss: Disconnected | PilotSeen
) -> None:
    road = Iso2Road()
    road.run_to(message)
    road.tell(loss)
    road.tell(loss)
    road.run()
    assert is_free(road)
    assert road.car.deadline is None
    assert isinstance(road.ending, SessionEnded)


def test_parameters_without_a_schedule_end_the_session() -> None:
    nothing = parameters()
    road = Iso2Road(
        station=Iso2Station(special={"ChargeParameterDiscovery": lambda: nothing})
    )
    road.run()
    assert road.ending.outcome is Outcome.ABORTED
    assert road.requests()[-1] == "ChargeParameterDiscovery"


def test_the_charging_profile_follows_the_steps_of_the_schedule() -> None:
    terms = parameters(schedule(7, (0, 11_000.0), (3600, 5000.0)), schedule(8, (0, 1)))
    road = charging(
        Iso2Road(
            station=Iso2Station(special={"ChargeParameterDiscovery": lambda: terms})
        )
    )
    start = next(
        b for _, b in road.sent_bodies() if isinstance(b, iso2.PowerDeliveryReq)
    )
    assert start.sa_schedule_tuple_id == 7
    assert start.charging_profile is not None
    assert [
        (e.charging_profile_entry_start, e.charging_profile_entry_max_power.si)
        for e in start.charging_profile.profile_entry
    ] == [(0, 11_000.0), (3600, 5000.0)]


def test_a_profile_never_has_more_than_24_entries() -> None:
    steps = [(60 * n, 5000.0 + n) for n in range(40)]
    terms = parameters(schedule(1, *steps))
    road = charging(
        Iso2Road(
            station=Iso2Station(special={"ChargeParameterDiscovery": lambda: terms})
        )
    )
    start = next(
        b for _, b in road.sent_bodies() if isinstance(b, iso2.PowerDeliveryReq)
    )
    assert start.charging_profile is not None
    assert len(start.charging_profile.profile_entry) == 24


def test_a_session_twice_gives_the_same_log() -> None:
    first, second = charged(), charged()
    assert first.log == second.log
