"""A whole DIN session of the car against a small honest station."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from tests.unit.v2g.evcc.honest import (
    FINISHED,
    OK,
    ONGOING,
    SESSION_ID,
    Road,
    Station,
    amperes,
    current,
    is_free,
    parameters,
    status,
    volts,
)

from pilothat.v2g.evcc.events import (
    Action,
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
from pilothat.v2g.messages import din

WAY_IN = [
    "SessionSetup",
    "ServiceDiscovery",
    "ServicePaymentSelection",
    "ContractAuthentication",
    "ChargeParameterDiscovery",
    "CableCheck",
    "PreCharge",
    "PowerDelivery",
    "CurrentDemand",
]
TAKE: list[Action] = [
    LockPlug(locked=True),
    SetS2(closed=True),
    SetEvContactor(closed=True),
]
LET_GO: list[Action] = [
    LockPlug(locked=False),
    SetS2(closed=False),
    SetEvContactor(closed=False),
]
Code = din.DcEvseStatusCode


def charging(road: Road | None = None) -> Road:
    road = road or Road()
    road.run_to("CurrentDemand", 50)
    assert road.car.state is State.CHARGING
    return road


def once_ongoing(
    first: din.Response, then: din.Response
) -> Callable[[], din.Response | None]:
    answers = [then, first]
    return lambda: answers.pop() if len(answers) > 1 else answers[0]


def test_a_charge_has_all_messages_in_order() -> None:
    road = charging()
    road.measure(soc_pct=80.0)
    road.run()
    names = [
        n for i, n in enumerate(road.requests()) if [n] != road.requests()[i - 1 : i]
    ]
    assert names == [*WAY_IN, "PowerDelivery", "WeldingDetection", "SessionStop"]
    assert road.ending == SessionEnded(Outcome.CHARGED, "the goal is reached")


def test_pilot_lock_and_contactor_move_in_their_order() -> None:
    road = charging()
    road.measure(soc_pct=80.0)
    road.run()
    assert road.actions() == [
        *TAKE,
        *reversed(LET_GO),
        Disconnect(),
        road.ending,
    ]


def test_s2_closes_after_the_parameters_and_before_the_cable_check() -> None:
    road = Road()
    road.run_to("CableCheck")
    at = {
        type(action).__name__: at
        for at, action in road.log
        if not isinstance(action, SendRequest)
    }
    assert road.times("ChargeParameterDiscovery")[0] < at["SetS2"]
    assert at["SetS2"] < road.times("CableCheck")[0]


@pytest.mark.parametrize(
    ("state", "outcome"),
    [
        (State.RAMP_DOWN, Outcome.ABORTED),
        (State.POWER_OFF, Outcome.ABORTED),
        (State.WELDING, Outcome.CHARGED),
        (State.GOODBYE, Outcome.CHARGED),
    ],
)
def test_a_loss_after_power_off_does_not_spoil_the_charge(
    state: State, outcome: Outcome
) -> None:
    road = charging()
    road.measure(soc_pct=80.0)
    road.run(lambda: road.car.state is state)
    road.tell(Disconnected())
    road.run()
    assert road.ending.outcome is outcome


def test_the_first_request_carries_the_setup_id_and_the_rest_the_stations() -> None:
    road = charging()
    ids = [
        action.message.header.session_id
        for _, action in road.log
        if isinstance(action, SendRequest)
        and isinstance(action.message, din.V2gMessage)
    ]
    assert ids[0] == bytes(8)
    assert set(ids[1:]) == {SESSION_ID}


def test_the_current_ramps_up_to_what_the_station_gives() -> None:
    road = charging()
    targets = [
        body.ev_target_current.si
        for _, body in road.sent_bodies()
        if isinstance(body, din.CurrentDemandReq)
    ]
    assert targets[:3] == pytest.approx([0.0, 4.8, 9.6])
    assert max(targets) == 125.0


def test_power_goes_off_only_when_the_current_is_gone() -> None:
    road = charging()
    road.follows = False
    road.measure(soc_pct=80.0)
    road.run(lambda: road.car.state is State.RAMP_DOWN)
    road.run(lambda: road.car.target_a == 0.0)
    road.measure(current_a=1.0)
    began = road.now
    road.run(lambda: road.now > began + 1.0)
    assert road.requests().count("PowerDelivery") == 1
    road.measure(current_a=0.9)
    road.run()
    assert road.requests().count("PowerDelivery") == 2


def test_a_current_that_stays_is_not_waited_for_longer_than_five_seconds() -> None:
    road = charging()
    road.follows = False
    road.measure(soc_pct=80.0)
    road.run(lambda: road.car.state is State.RAMP_DOWN)
    began = road.now
    road.run()
    assert road.times("PowerDelivery")[-1] - began == pytest.approx(5.1, abs=0.15)


@pytest.mark.parametrize(
    ("message", "special"),
    [
        (
            "ContractAuthentication",
            din.ContractAuthenticationRes(response_code=OK, evse_processing=ONGOING),
        ),
        ("ChargeParameterDiscovery", parameters(ONGOING)),
        (
            "CableCheck",
            din.CableCheckRes(
                response_code=OK,
                dc_evse_status=status(Code.EVSE_IsolationMonitoringActive),
                evse_processing=ONGOING,
            ),
        ),
    ],
)
def test_ongoing_is_asked_again_until_finished(
    message: str, special: din.Response
) -> None:
    station = Station()
    finished = station.honest(message)
    station.special[message] = once_ongoing(special, finished)
    road = charging(Road(station=station))
    assert road.requests().count(message) == 2


@pytest.mark.parametrize(
    ("message", "special", "limit_s"),
    [
        (
            "ContractAuthentication",
            din.ContractAuthenticationRes(response_code=OK, evse_processing=ONGOING),
            60.0,
        ),
        ("ChargeParameterDiscovery", parameters(ONGOING), 60.0),
        (
            "CableCheck",
            din.CableCheckRes(
                response_code=OK, dc_evse_status=status(), evse_processing=ONGOING
            ),
            40.0,
        ),
        (
            "PreCharge",
            din.PreChargeRes(
                response_code=OK,
                dc_evse_status=status(),
                evse_present_voltage=volts(0),
            ),
            7.0,
        ),
    ],
)
def test_each_loop_has_its_timer(
    message: str, special: din.Response, limit_s: float
) -> None:
    station = Station(special={message: lambda: special})
    road = Road(station=station)
    road.measure(voltage_v=0.0)
    road.run()
    times = road.times(message)
    assert times[-1] - times[0] == pytest.approx(limit_s, abs=0.7)
    assert road.ending.outcome is Outcome.ABORTED
    assert "took too long" in road.ending.reason
    assert road.requests()[-1] == "SessionStop"


def test_slow_authorisation_and_parameters_end_at_ready_to_charge() -> None:
    station = Station()
    silent = [0]

    def wait_140_s() -> din.Response:
        silent[0] += 1
        return din.ContractAuthenticationRes(
            response_code=OK, evse_processing=ONGOING if silent[0] < 450 else FINISHED
        )

    station.special["ContractAuthentication"] = wait_140_s
    station.special["ChargeParameterDiscovery"] = lambda: parameters(ONGOING)
    timers = replace(SessionSettings().timers, ready_to_charge_s=100.0)
    road = Road(replace(SessionSettings(), timers=timers), station)
    road.run()
    assert road.now == pytest.approx(100.0, abs=0.3)
    assert road.ending.reason == "not ready to charge in time"


@pytest.mark.parametrize(
    ("message", "limit_s"),
    [(name, 0.25 if name == "CurrentDemand" else 2.0) for name in WAY_IN]
    + [("WeldingDetection", 2.0), ("SessionStop", 2.0)],
)
def test_silence_ends_the_session_when_the_message_timer_runs_out(
    message: str, limit_s: float
) -> None:
    road = Road(station=Station(special={message: lambda: None}))
    road.run_to("CurrentDemand")
    road.measure(soc_pct=80.0)
    road.run()
    assert road.requests()[-1] == message
    assert road.now == pytest.approx(road.times(message)[-1] + limit_s)
    assert isinstance(road.ending, SessionEnded)


@pytest.mark.parametrize("message", WAY_IN)
def test_a_failed_code_opens_everything_and_says_goodbye(message: str) -> None:
    station = Station()
    failed = replace(
        station.honest(message), response_code=din.ResponseCode.FAILED_SequenceError
    )
    station.special[message] = lambda: failed
    road = Road(station=station)
    road.run()
    assert road.ending.outcome is Outcome.REFUSED
    assert "FAILED_SequenceError" in road.ending.reason
    assert road.requests()[-2:] == [message, "SessionStop"]


@pytest.mark.parametrize("message", WAY_IN[1:])
def test_a_wrong_session_id_ends_without_a_word(message: str) -> None:
    station = Station(special={message: lambda: None})
    road = Road(station=station)
    road.run_to(message)
    header = din.MessageHeader(session_id=b"other")
    answer = din.V2gMessage(header=header, body=station.honest(message))
    road.tell(ResponseIn(answer))
    road.run()
    assert road.ending == SessionEnded(Outcome.ABORTED, "a wrong session id")
    assert road.requests()[-1] == message


@pytest.mark.parametrize(
    "wrong", [None, "rubbish", din.SessionStopRes(response_code=OK)]
)
def test_a_wrong_answer_ends_without_a_word(wrong: object) -> None:
    road = Road(station=Station(special={"CableCheck": lambda: None}))
    road.run_to("CableCheck")
    header = din.MessageHeader(session_id=SESSION_ID)
    body = wrong if isinstance(wrong, din.Response) else None
    message = (
        wrong if isinstance(wrong, str) else din.V2gMessage(header=header, body=body)
    )
    road.tell(ResponseIn(message))
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
    code: din.DcEvseStatusCode, outcome: Outcome
) -> None:
    road = charging()
    road.station.evse = status(code)
    began = road.now
    road.run()
    assert road.times("PowerDelivery")[-1] - began < 0.3
    assert road.ending.outcome is outcome
    assert code.literal in road.ending.reason
    assert road.requests()[-2:] == ["WeldingDetection", "SessionStop"]


@pytest.mark.parametrize(
    "evse",
    [
        status(notification=din.EvseNotification.StopCharging),
        status(isolation=din.IsolationLevel.Fault),
    ],
)
def test_stop_charging_and_an_isolation_fault_are_obeyed(
    evse: din.DcEvseStatus,
) -> None:
    road = charging()
    road.station.evse = evse
    road.run()
    assert road.requests()[-2:] == ["WeldingDetection", "SessionStop"]


def test_an_isolation_warning_goes_on() -> None:
    road = charging()
    road.station.evse = status(isolation=din.IsolationLevel.Warning)
    road.run_to("CurrentDemand", 100)
    assert road.car.state is State.CHARGING


@pytest.mark.parametrize("message", ["CableCheck", "PreCharge"])
def test_a_shutdown_before_power_on_never_closes_the_contactor(message: str) -> None:
    road = Road()
    road.run_to(message)
    road.station.evse = status(Code.EVSE_Shutdown)
    road.measure(voltage_v=0.0)
    road.run()
    assert SetEvContactor(closed=True) not in road.actions()
    assert road.ending.outcome is Outcome.STOPPED
    assert road.requests()[-1] == "SessionStop"


def test_the_drivers_wish_ramps_down_and_ends_in_order() -> None:
    road = charging()
    road.tell(StopWish("the driver pressed stop"))
    road.run()
    assert road.ending == SessionEnded(Outcome.STOPPED, "the driver pressed stop")
    assert road.requests()[-3:] == ["PowerDelivery", "WeldingDetection", "SessionStop"]


@pytest.mark.parametrize("message", WAY_IN[:-1])
def test_the_drivers_wish_ends_the_way_in_from_every_step(message: str) -> None:
    road = Road()
    road.run_to(message)
    road.tell(StopWish("enough"))
    road.run()
    assert road.ending == SessionEnded(Outcome.STOPPED, "enough")
    assert road.requests()[-1] == "SessionStop"


LOSSES = [
    Disconnected(),
    PilotSeen(100.0, is_pwm=False),
    PilotSeen(0.0, is_pwm=False),
    PilotSeen(50.0, is_pwm=True),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_under_current_opens_s2_first_and_the_contactor_when_it_is_gone(
    loss: Disconnected | PilotSeen,
) -> None:
    road = charging()
    road.tell(loss)
    assert road.actions()[-1] == SetS2(closed=False)
    road.measure(current_a=1.0)
    assert road.actions()[-1] == SetS2(closed=False)
    road.measure(current_a=0.5)
    assert road.actions()[-4:] == [
        SetEvContactor(closed=False),
        LockPlug(locked=False),
        Disconnect(),
        road.ending,
    ]
    assert road.ending.outcome is Outcome.ABORTED


def test_a_current_that_never_stops_is_broken_after_a_second() -> None:
    road = charging()
    road.tell(Disconnected())
    began = road.now
    road.run()
    assert road.now == pytest.approx(began + 1.0)
    assert SetEvContactor(closed=False) in road.actions()


@pytest.mark.parametrize("message", WAY_IN)
@pytest.mark.parametrize("loss", LOSSES)
def test_a_loss_at_any_message_leaves_nothing_closed(
    message: str, loss: Disconnected | PilotSeen
) -> None:
    road = Road()
    road.run_to(message)
    road.tell(loss)
    road.tell(loss)
    road.run()
    assert is_free(road)
    assert road.car.deadline is None
    assert isinstance(road.ending, SessionEnded)


def test_the_contactor_stays_open_when_the_inlet_voltage_is_gone_at_power_on() -> None:
    road = Road()
    road.run_to("PowerDelivery")
    road.measure(voltage_v=300.0)
    road.run()
    assert SetEvContactor(closed=True) not in road.actions()
    off = road.sent_bodies()[-2][1]
    assert isinstance(off, din.PowerDeliveryReq)
    assert off.ev_power_delivery_parameter is not None
    error = off.ev_power_delivery_parameter.dc_ev_status.ev_error_code
    assert error is din.DcEvErrorCode.FAILED_ChargingVoltageOutOfRange


@pytest.mark.parametrize(("gap_v", "closes"), [(20.0, True), (20.1, False)])
def test_precharge_ends_within_twenty_volts(gap_v: float, *, closes: bool) -> None:
    road = Road()
    road.measure(voltage_v=350.0 - gap_v)
    road.run_to("CurrentDemand")
    assert (SetEvContactor(closed=True) in road.actions()) is closes


def test_ev_ready_spans_cable_check_to_power_off() -> None:
    road = charging()
    road.measure(soc_pct=80.0)
    road.run()
    ready = {
        type(body).__name__: body.dc_ev_status.ev_ready
        for _, body in road.sent_bodies()
        if isinstance(
            body,
            din.CableCheckReq
            | din.PreChargeReq
            | din.CurrentDemandReq
            | din.WeldingDetectionReq,
        )
    }
    assert ready == {
        "CableCheckReq": True,
        "PreChargeReq": True,
        "CurrentDemandReq": True,
        "WeldingDetectionReq": False,
    }


def test_lower_limits_of_the_station_are_followed_within_the_loop() -> None:
    road = charging()
    lower = replace(
        current(status(), 350.0, 60.0), evse_maximum_current_limit=amperes(60.0)
    )
    road.station.special["CurrentDemand"] = lambda: lower
    road.run_to("CurrentDemand", 60)
    assert road.car.target_a == 60.0


def test_welding_detection_asks_until_the_voltage_is_low() -> None:
    volts_left = [20.0, 90.0, 200.0]
    station = Station()

    def falling() -> din.Response:
        return din.WeldingDetectionRes(
            response_code=OK,
            dc_evse_status=status(),
            evse_present_voltage=volts(volts_left.pop()),
        )

    station.special["WeldingDetection"] = falling
    road = charging(Road(station=station))
    road.measure(soc_pct=80.0)
    road.run()
    assert road.requests().count("WeldingDetection") == 3


def test_a_voltage_that_stays_is_asked_for_ten_times() -> None:
    stuck = din.WeldingDetectionRes(
        response_code=OK, dc_evse_status=status(), evse_present_voltage=volts(350)
    )
    road = charging(Road(station=Station(special={"WeldingDetection": lambda: stuck})))
    road.measure(soc_pct=80.0)
    road.run()
    assert road.requests().count("WeldingDetection") == 10
    assert road.requests()[-1] == "SessionStop"


def test_nothing_is_said_before_the_connection_or_after_the_end() -> None:
    road = charging()
    road.tell(StopWish("enough"))
    road.run()
    count = len(road.log)
    road.tell(ResponseIn("late"))
    road.tell(Disconnected())
    road.tell(PilotSeen(100.0, is_pwm=False))
    assert road.car.tick(road.now + 100) == ()
    assert len(road.log) == count


def test_a_session_twice_gives_the_same_log() -> None:
    first, second = charging(), charging()
    assert first.log == second.log


def test_the_loops_period_is_latency_plus_think_time() -> None:
    times = charging().times("CurrentDemand")
    assert times[-1] - times[0] == pytest.approx((len(times) - 1) * (0.02 + 0.1))
