"""The station: phases, faults, stops and retries, as the user meets them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from math import nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.station import post as posts
from tests.unit.station.post import (
    ASK,
    HOST,
    MAKE,
    SETTINGS,
    UP,
    USER_STOP,
    Post,
    bodies,
    charging,
    connected,
    finished,
    idle,
    matching,
    offer,
    out_of_service,
    raised,
    retrying,
    session,
    set_up,
    starting,
)
from tests.unit.v2g.secc import car

from pilothat.faults import Fault, Reaction
from pilothat.guard import Want
from pilothat.pilot.levels import PilotState
from pilothat.plant import OFF, Isolation, PathPhase, PlantFact
from pilothat.station.actions import (
    Action,
    Publish,
    SdpOut,
    SendMessage,
    SetOutput,
    TcpClose,
)
from pilothat.station.events import (
    Authorised,
    Event,
    FaultCleared,
    FaultKept,
    MessageIn,
    NetworkFact,
    PlantReport,
    SdpIn,
    SecondLook,
    StopCause,
    StopRequested,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.station.phases import DUTY_PCT, FOLLOWS, SETUP_S, Phase
from pilothat.station.powerline import LineDown, LineLost, LineReady, LineUp, NotMatched
from pilothat.v2g.messages import din

Code = din.ResponseCode
P = Phase
SHUTDOWN = StopRequested(StopCause.SHUTDOWN)
every_phase = pytest.mark.parametrize("phase", MAKE, ids=lambda phase: phase.name)
WITH_CAR = (P.MATCHING, P.SETUP, P.SESSION, P.STOPPING, P.RETRY)


@every_phase
def test_every_phase_can_be_reached(phase: Phase) -> None:
    post = MAKE[phase]()
    assert post.phase is phase
    follows = zip([P.STARTING, *post.phases], post.phases, strict=False)
    assert all(new in FOLLOWS[old] for old, new in follows)


@every_phase
def test_phase_has_its_duty(phase: Phase) -> None:
    post = MAKE[phase]()
    post.later(0.01)
    if phase in DUTY_PCT and phase is not P.STARTING:
        assert post.want.duty_pct == DUTY_PCT[phase]


def test_phase_without_a_successor_or_predecessor_does_not_exist() -> None:
    reachable = {new for follows in FOLLOWS.values() for new in follows}
    assert set(FOLLOWS) == reachable == set(Phase)


def test_step_that_no_row_allows_is_our_own_bug() -> None:
    with pytest.raises(AssertionError, match="cannot be followed"):
        idle().station._enter(P.SESSION, None)


# --- one good charge


def test_whole_charge_ends_finished_and_the_next_car_is_served() -> None:
    post = charging()
    post.name("PowerDelivery-")
    post.later(0.5)
    post.pilot("B")
    answers = [*post.name("WeldingDetection"), *post.name("SessionStop")]
    post.later(0.1)
    post.hang_up()
    post.later(1.0)
    after = post.phase
    post.pilot("A")
    post.later(0.5)
    post.pilot("B")
    codes = [body.response_code for body in bodies(answers)]
    assert codes == [Code.OK, Code.OK]
    assert (after, post.phase) == (P.FINISHED, P.MATCHING)
    assert post.station.faults.all == ()
    assert post.station.transaction.learned == {}


def test_energy_of_a_charge_is_metered() -> None:
    post = charging()
    before = post.station.transaction.energy_wh
    for _ in range(36):
        post.later(1.0)
        post.ask(car.demand())
    gained = post.station.transaction.energy_wh - before
    assert gained == pytest.approx(400.0 * 100.0 * 36 / 3600, rel=0.001)


def test_pilot_stays_on_after_a_good_end_until_the_car_has_hung_up() -> None:
    """V2G-DC-672: the oscillator is retained."""
    post = session()
    post.name("SessionStop")
    post.later(1.4)
    retained = post.want.duty_pct, post.connection != 0
    post.later(0.2)
    assert retained == (5.0, True)
    assert (post.want.duty_pct, post.connection) == (100.0, 0)


def test_hanging_up_ends_the_retention() -> None:
    post = session()
    post.name("SessionStop")
    post.hang_up()
    assert post.want.duty_pct == 100.0


# --- SDP, TCP and the handshake


@every_phase
def test_sdp_is_answered_in_set_up_only(phase: Phase) -> None:
    post = MAKE[phase]()
    answers = [a for a in post.tell(SdpIn(ASK, HOST, 50000)) if isinstance(a, SdpOut)]
    assert len(answers) == (phase is P.SETUP)


def test_sdp_answer_goes_to_who_asked_and_names_our_port() -> None:
    (answer,) = (
        a for a in set_up().tell(SdpIn(ASK, HOST, 4711)) if isinstance(a, SdpOut)
    )
    assert (answer.host, answer.port) == (HOST, 4711)
    header = bytes.fromhex("01fe900100000014")
    assert answer.payload == header + posts.ADDRESS + b"\xef\x9d\x10\x00"


def _answers(post: Post, payload: bytes) -> int:
    told = post.tell(SdpIn(payload, HOST, 50000))
    return sum(isinstance(action, SdpOut) for action in told)


def test_every_sdp_request_is_answered_while_nobody_is_connected() -> None:
    post = set_up()
    assert [_answers(post, ASK) for _ in range(50)] == [1] * 50
    post.connect()
    assert _answers(post, ASK) == 0
    post.hang_up()
    assert _answers(post, ASK) == 1


@pytest.mark.parametrize(
    "payload",
    [
        *(ASK[:count] for count in range(10)),
        ASK + b"\xff",
        bytes.fromhex("01fe9000ffffffff1000"),
        bytes.fromhex("02fd9000000000021000"),
        bytes.fromhex("01fe9001000000021000"),
        bytes.fromhex("01fe9000000000021010"),
        bytes.fromhex("01fe9000000000020100"),
        bytes.fromhex("01fe900100000014") + bytes(20),
    ],
    ids=bytes.hex,
)
def test_rb_sdp_anything_else_is_not_answered_and_does_no_harm(payload: bytes) -> None:
    post = set_up()
    assert _answers(post, payload) == 0
    assert _answers(post, ASK) == 1


def test_sdp_is_silent_without_an_address() -> None:
    post = set_up()
    post.tell(NetworkFact(is_up=True, address=None, tcp_port=0))
    assert _answers(post, ASK) == 0


@pytest.mark.parametrize(("after_s", "phase"), [(17.9, P.SETUP), (18.0, P.STOPPING)])
def test_set_up_ends_after_18_s(after_s: float, phase: Phase) -> None:
    """RB-TCP-02: connected and silent."""
    post = set_up()
    post.connect()
    post.later(after_s)
    assert post.phase is phase
    assert SETUP_S == 18.0


def test_fragments_and_handshakes_do_not_extend_the_set_up() -> None:
    """RB-TCP-03."""
    post = set_up()
    post.connect()
    for count in range(17):
        post.later(1.0)
        post.tell(TcpData(post.connection, b"\x01" if count < 1 else b""))
    assert post.phase is P.SETUP
    post.later(1.0)
    assert post.phase is not P.SETUP


@pytest.mark.parametrize("make", [connected, charging], ids=["set-up", "charging"])
def test_second_connection_is_closed_and_the_first_goes_on(
    make: Callable[[], Post],
) -> None:
    """RB-TCP-05 and 06."""
    post = make()
    first, phase = post.connection, post.phase
    told = post.tell(TcpOpened(99, HOST))
    stolen = post.tell(MessageIn(99, offer()), TcpData(99, b"\x01\xfe"))
    gone = post.tell(TcpClosed(99))
    assert [a for a in told if isinstance(a, TcpClose)] == [TcpClose(99)]
    assert [*stolen, *gone] == []
    assert (post.connection, post.phase) == (first, phase)
    following = "CurrentDemand" if phase is P.SESSION else "SessionSetup"
    assert len(bodies(post.name(following))) == 1


@every_phase
def test_connection_outside_of_set_up_is_closed_at_once(phase: Phase) -> None:
    post = MAKE[phase]()
    told = post.tell(TcpOpened(77, HOST))
    closes = [a for a in told if isinstance(a, TcpClose)]
    assert closes == ([] if phase is P.SETUP else [TcpClose(77)])


def test_connection_that_comes_and_goes_five_hundred_times_leaves_nothing() -> None:
    """RB-TCP-04."""
    post = set_up()
    for _ in range(500):
        post.connect()
        post.hang_up()
    post.connect()
    post.say(offer())
    assert len(bodies(post.name("SessionSetup"))) == 1


def test_request_before_the_handshake_ends_the_connection() -> None:
    """RB-SESSION-03, X-SAP-12."""
    post = set_up()
    post.connect()
    assert bodies(post.ask(car.setup())) == []
    assert post.phase is P.STOPPING


def test_failed_handshake_is_not_followed_by_a_session() -> None:
    post = set_up()
    post.connect()
    post.say(offer("urn:other"))
    assert [a for a in post.say(offer()) if isinstance(a, SendMessage)] == []
    assert post.station.talk.session is None


def _before(actions: list[Action], first: type, second: type) -> bool:
    kinds = [type(action) for action in actions]
    return kinds.index(first) < kinds.index(second)


@pytest.mark.parametrize(
    "request_", [car.payment(services=[2]), car.REQUESTS["PaymentDetails"]]
)
def test_refusal_switches_the_pilot_off_before_it_closes(request_: din.Request) -> None:
    """V2G-DC-665: answer, oscillator off, TCP close."""
    post = session(name="ServiceDiscovery")
    actions = post.ask(request_)
    assert bodies(actions)[0].response_code.name.startswith("FAILED")
    assert _before(actions, SendMessage, Want)
    assert _before(actions, Want, TcpClose)
    assert post.want == Want(100.0, False, False)


def test_connection_lost_in_the_charge_cuts_power_at_once() -> None:
    """RB-TCP-07."""
    post = charging()
    actions = post.hang_up()
    assert SetOutput(OFF) in actions
    assert not post.want.is_contactor_closed
    assert post.setpoint == OFF
    post.later(15.0)
    assert P.RETRY in post.phases


@pytest.mark.parametrize(("silent_s", "is_over"), [(59.9, False), (60.0, True)])
def test_silent_car_is_given_up_after_60_s(silent_s: float, is_over: bool) -> None:
    """RB-SESSION-10."""
    post = charging()
    post.name("CurrentDemand")
    count = len(post.done)
    post.later(silent_s)
    assert (TcpClose(1) in post.since(count)) is is_over
    assert post.want.is_contactor_closed is not is_over


def test_answer_that_waits_goes_out_when_the_pilot_has_changed() -> None:
    post = session(name="ChargeParameterDiscovery")
    assert bodies(post.ask(car.cable_check())) == []
    (told,) = bodies(post.pilot("C"))
    assert isinstance(told, din.CableCheckRes)
    assert told.response_code is Code.OK


# --- retries


def _duties(post: Post) -> list[tuple[float, float]]:
    wants = [(now, a.duty_pct) for now, a in post.done if isinstance(a, Want)]
    ends = [now for now, _ in wants[1:]] + [post.now]
    pairs = zip(wants, ends, strict=True)
    return [(duty, round(end - since, 2)) for (since, duty), end in pairs]


def test_refused_car_is_woken_by_x1_f_and_x1() -> None:
    post = set_up()
    post.connect()
    post.say(offer("urn:other"))
    post.later(10.0)
    assert post.phase is P.MATCHING
    assert _duties(post)[2:5] == [(100.0, 3.4), (0.0, 4.1), (100.0, 0.75)]


def test_car_that_cannot_be_matched_is_woken_by_f_and_x1() -> None:
    post = matching()
    post.line_says(NotMatched("no sounds"))
    post.later(5.0)
    assert post.phase is P.MATCHING
    assert _duties(post)[2:4] == [(0.0, 4.1), (100.0, 0.75)]


@pytest.mark.parametrize("retries", [0, 1, 2])
def test_car_is_tried_as_often_as_allowed(retries: int) -> None:
    post = matching(replace(SETTINGS, retries=retries))
    for _ in range(4):
        if post.phase is P.MATCHING:
            post.line_says(NotMatched("no sounds"))
        post.later(10.0)
    assert post.line.told.count("match") == retries + 1
    assert post.phase is P.FINISHED
    assert post.want.duty_pct == 100.0


def test_car_that_was_plugged_in_again_gets_all_its_tries_again() -> None:
    post = matching(replace(SETTINGS, retries=0))
    post.line_says(NotMatched("no sounds"))
    post.later(1.0)
    post.pilot("A")
    post.later(0.5)
    post.pilot("B")
    assert post.phase is P.MATCHING


def test_second_try_knows_nothing_of_the_first_but_who_allowed_it() -> None:
    post = session(replace(SETTINGS, is_free=False))
    post.tell(Authorised(True, "card"))
    for name in car.ORDER[1:7]:
        post.name(name)
    verdicts = [post.station.path.isolation]
    post.hang_up()
    post.pilot("B")
    post.later(12.0)
    verdicts.append(post.station.path.isolation)
    assert post.phase is P.MATCHING
    assert verdicts == [Isolation.VALID, Isolation.INVALID]
    assert post.station.path.ev.max_v > 1e9
    assert post.station.visit.is_authorised is True


def test_next_car_needs_its_own_authorisation() -> None:
    post = session(replace(SETTINGS, is_free=False))
    post.tell(Authorised(True, "card"))
    post.pilot("A")
    post.later(6.0)
    assert post.phase is P.IDLE
    assert post.station.visit.is_authorised is None


# --- stops


@pytest.mark.parametrize("stop", [USER_STOP, SHUTDOWN], ids=["user", "shutdown"])
@pytest.mark.parametrize("phase", WITH_CAR, ids=lambda phase: phase.name)
def test_stop_in_any_phase_leads_to_finished_and_no_new_try(
    phase: Phase, stop: StopRequested
) -> None:
    post = MAKE[phase]()
    post.tell(stop)
    post.later(60.0)
    assert post.phase is P.FINISHED
    assert post.want == Want(100.0, False, False)
    assert post.phases.count(P.MATCHING) == 1


@pytest.mark.parametrize("stop", [USER_STOP, SHUTDOWN], ids=["user", "shutdown"])
def test_car_that_just_hangs_up_after_a_stop_is_not_tried_again(
    stop: StopRequested,
) -> None:
    post = charging()
    post.tell(stop)
    post.hang_up()
    post.later(60.0)
    assert post.phase is P.FINISHED
    assert post.phases.count(P.MATCHING) == 1


def test_stop_is_told_to_the_car_and_power_goes_when_it_leaves() -> None:
    post = charging()
    post.tell(USER_STOP)
    (told,) = bodies(post.name("CurrentDemand"))
    assert isinstance(told, din.CurrentDemandRes)
    assert told.dc_evse_status.evse_status_code.name == "EVSE_Shutdown"
    assert post.want.is_contactor_closed
    post.name("PowerDelivery-")
    post.later(0.5)
    post.pilot("B")
    post.name("SessionStop")
    post.hang_up()
    post.later(0.1)
    assert post.phase is P.FINISHED


@pytest.mark.parametrize(("after_s", "is_closed"), [(11.9, True), (12.1, False)])
def test_car_that_ignores_the_stop_is_cut_after_12_s(
    after_s: float, is_closed: bool
) -> None:
    post = charging()
    post.tell(USER_STOP)
    for _ in range(round(after_s / 0.1)):
        post.later(0.1)
        post.ask(car.demand())
    assert post.want.is_contactor_closed is is_closed


@pytest.mark.parametrize(
    "phase", [P.STARTING, P.IDLE, P.FINISHED], ids=lambda phase: phase.name
)
def test_shutdown_without_a_car_takes_no_new_one(phase: Phase) -> None:
    post = MAKE[phase]()
    post.tell(SHUTDOWN)
    post.pilot("A")
    post.tell(UP)
    post.pilot("B")
    post.later(30.0)
    assert P.MATCHING not in post.phases[2:]
    assert post.station.is_safe


# --- the cable is pulled


@pytest.mark.parametrize("phase", WITH_CAR, ids=lambda phase: phase.name)
def test_unplugged_in_any_phase_ends_safe_and_idle(phase: Phase) -> None:
    post = MAKE[phase]()
    post.pilot("A")
    assert not post.want.is_contactor_closed
    post.later(20.0)
    rested = post.phase
    assert (post.want, post.setpoint) == (Want(100.0, False, False), OFF)
    assert post.connection == 0
    post.pilot("B")
    assert (rested, post.phase) == (P.IDLE, P.MATCHING)


def test_unplugged_under_power_cuts_first_and_answers_nothing() -> None:
    post = charging()
    actions = post.pilot("A")
    assert SetOutput(OFF) in actions
    assert bodies(actions) == []
    assert _before(actions, SetOutput, Want)
    assert TcpClose(1) in actions


# --- faults

AT_GUARD = (Fault.EMERGENCY_STOP, Fault.LEASE_LOST, Fault.CP_DIODE, Fault.TEMPERATURE)


@every_phase
@pytest.mark.parametrize("fault", AT_GUARD, ids=lambda fault: fault.name)
def test_fault_in_any_phase_makes_safe_and_holds_out_of_service(
    phase: Phase, fault: Fault
) -> None:
    post = MAKE[phase]()
    assert fault in raised(post.guard_sees(fault))
    assert not post.want.is_contactor_closed
    post.later(10.0)
    assert post.phase is P.OUT_OF_SERVICE
    assert post.want == Want(0.0, False, False)
    assert not post.station.is_ready


@pytest.mark.parametrize("fault", AT_GUARD, ids=lambda fault: fault.name)
def test_fault_that_has_gone_needs_a_new_car(fault: Fault) -> None:
    post = charging()
    post.guard_sees(fault)
    post.later(10.0)
    post.guard_sees()
    post.later(10.0)
    before = post.phase
    post.pilot("A")
    post.later(1.0)
    assert (before, post.phase) == (P.FINISHED, P.IDLE)


@pytest.mark.parametrize(
    "fault", [Fault.CP_DIODE, Fault.CONTACTOR_STUCK_OPEN, Fault.EMERGENCY_STOP]
)
def test_car_hears_of_a_fault_that_the_guard_takes_back_at_once(fault: Fault) -> None:
    """The diode is not seen in state F; a stuck contactor matches when it is open."""
    post = charging()
    post.guard_sees(fault)
    post.guard_sees()
    (told,) = bodies(post.name("CurrentDemand"))
    assert isinstance(told, din.CurrentDemandRes)
    assert told.response_code is Code.FAILED
    assert told.dc_evse_status.evse_status_code.name == fault.row.evse_status


def test_fault_puts_the_pilot_to_f_for_300_ms_and_then_to_x1() -> None:
    post = charging()
    post.guard_sees(Fault.EMERGENCY_STOP)
    post.guard_sees()
    post.later(10.0)
    held = [lasted for duty, lasted in _duties(post) if duty == 0.0]
    assert len(held) == 1
    assert held[0] >= 0.3
    assert post.want.duty_pct == 100.0


def test_fault_while_power_flows_cuts_before_the_pilot_goes_to_f() -> None:
    post = charging()
    post.is_following = False  # the contactor takes its time
    post.guard_sees(Fault.EMERGENCY_STOP)
    assert post.want == Want(5.0, False, False)
    post.is_following = True
    post.later(0.1)
    assert post.want == Want(0.0, False, False)


def test_contactor_that_no_board_tells_about_is_not_called_welded() -> None:
    post = charging()
    post.is_following = False
    told = raised([*post.guard_sees(Fault.BOARD_LOST), *post.later(30.0)])
    lost_in = post.phase
    post.is_following, post.is_closed = True, False
    post.guard_sees()
    post.pilot("A")
    post.later(1.0)
    assert told == [Fault.BOARD_LOST]
    assert (lost_in, post.phase) == (P.OUT_OF_SERVICE, P.IDLE)


def test_contactor_that_the_board_tells_is_closed_when_it_is_back_is_welded() -> None:
    post = charging()
    post.is_following = False
    post.guard_sees(Fault.BOARD_LOST)
    post.later(30.0)
    assert raised(post.guard_sees(Fault.CONTACTOR_WELDED)) == [Fault.CONTACTOR_WELDED]
    post.pilot("A")
    post.later(1.0)
    assert post.phase is P.OUT_OF_SERVICE


CONTRADICTED = SecondLook(False, is_contactor_closed=False, is_estop_released=True)
CONFIRMED = SecondLook(True, is_contactor_closed=False, is_estop_released=True)


@pytest.mark.parametrize("make", [idle, matching, session, charging, finished])
def test_inputs_that_are_contradicted_open_until_both_readers_agree(
    make: Callable[[], Post],
) -> None:
    post = make()
    actions = post.tell(CONTRADICTED)
    assert raised(actions) == [Fault.BOARD_LOST]
    assert not post.want.is_contactor_closed
    assert not post.want.is_supply_enabled
    assert raised(post.tell(CONTRADICTED)) == []
    post.later(60.0)
    assert post.want == Want(0.0, False, False)
    post.pilot("A")
    post.later(60.0)
    lost_in = post.phase
    post.tell(CONFIRMED)
    post.pilot("A")
    post.later(1.0)
    assert (lost_in, post.phase) == (P.OUT_OF_SERVICE, P.IDLE)


def test_readers_that_agree_change_nothing() -> None:
    post = charging()
    assert post.tell(CONFIRMED) == []
    assert post.want.is_contactor_closed


def test_contactor_that_the_guard_calls_welded_is_told_whoever_contradicts() -> None:
    post = charging()
    post.is_following = False
    post.tell(CONTRADICTED)
    assert raised(post.guard_sees(Fault.CONTACTOR_WELDED)) == [Fault.CONTACTOR_WELDED]
    post.later(60.0)
    post.tell(CONFIRMED)
    post.later(10.0)
    assert post.phase is P.OUT_OF_SERVICE


@pytest.mark.parametrize(
    ("level", "fault"), [("E", Fault.CP_SHORTED), ("X", Fault.CP_INVALID)]
)
@pytest.mark.parametrize(
    "phase",
    [P.IDLE, P.MATCHING, P.SETUP, P.SESSION, P.STOPPING, P.FINISHED],
    ids=lambda phase: phase.name,
)
def test_pilot_fault_in_any_phase_is_told_and_ends_the_visit(
    phase: Phase, level: str, fault: Fault
) -> None:
    post = MAKE[phase]()
    assert fault in raised(post.pilot(level))
    assert not post.want.is_contactor_closed
    post.later(20.0)
    before = post.phase
    post.pilot("A")
    post.later(1.0)
    assert (before, post.phase) == (P.FINISHED, P.IDLE)


def test_state_d_while_energy_flows_is_a_fault_without_ventilation() -> None:
    assert raised(charging().pilot("D")) == [Fault.VENTILATION]
    with_fan = charging(replace(SETTINGS, has_ventilation=True))
    assert raised(with_fan.pilot("D")) == []
    assert with_fan.want.is_contactor_closed


def test_state_d_from_the_start_is_told_as_such_and_not_as_a_stuck_contactor() -> None:
    post = session(name="ChargeParameterDiscovery")
    post.pilot("D")
    told = post.ask(car.cable_check())
    assert raised(told) == [Fault.VENTILATION]
    assert not post.want.is_contactor_closed


def test_car_that_opens_s2_under_power_is_cut_and_still_heard() -> None:
    """X-DIN-27 and 35."""
    post = charging()
    actions = post.pilot("B")
    assert SetOutput(OFF) in actions
    assert not post.want.is_contactor_closed
    (told,) = bodies(post.name("SessionStop"))
    assert told.response_code is Code.OK
    post.hang_up()
    post.later(5.0)
    assert post.phase is P.FINISHED


LATCHED = [fault for fault in Fault if fault.row.reaction is Reaction.LATCH]


@pytest.mark.parametrize("fault", LATCHED, ids=lambda fault: fault.name)
def test_latched_fault_outlives_its_cause_and_its_car(fault: Fault) -> None:
    post = charging()
    post.guard_sees(fault)
    post.guard_sees()
    post.later(10.0)
    post.pilot("A")
    post.later(10.0)
    kept = post.phase
    post.tell(FaultCleared(fault))
    post.later(1.0)
    assert (kept, post.phase) == (P.OUT_OF_SERVICE, P.IDLE)


@pytest.mark.parametrize(
    "phase", [P.STARTING, P.IDLE, P.MATCHING, P.SESSION], ids=lambda phase: phase.name
)
def test_latched_fault_of_an_earlier_life_keeps_it_out_of_service_until_cleared(
    phase: Phase,
) -> None:
    post = MAKE[phase]()
    told = raised(post.tell(FaultKept(Fault.CONTACTOR_WELDED)))
    post.later(20.0)
    post.pilot("A")
    post.later(1.0)
    out = post.phase
    post.tell(FaultCleared(Fault.CONTACTOR_WELDED))
    post.later(1.0)
    assert told == [Fault.CONTACTOR_WELDED]
    assert out is P.OUT_OF_SERVICE
    assert post.phase in (P.STARTING, P.IDLE)  # as there is a network or not


def test_fault_that_the_guard_still_sees_cannot_be_cleared() -> None:
    post = out_of_service()
    post.tell(FaultCleared(Fault.CONTACTOR_WELDED))
    post.later(1.0)
    kept = post.phase
    post.guard_sees()
    post.tell(FaultCleared(Fault.CONTACTOR_WELDED))
    post.later(1.0)
    assert (kept, post.phase) == (P.OUT_OF_SERVICE, P.IDLE)


def test_second_fault_is_told_and_the_first_stays_the_cause() -> None:
    post = charging()
    post.guard_sees(Fault.EMERGENCY_STOP)
    told = raised(post.guard_sees(Fault.EMERGENCY_STOP, Fault.CP_DIODE))
    (answer,) = bodies(post.name("CurrentDemand"))
    assert isinstance(answer, din.CurrentDemandRes)
    assert told == [Fault.CP_DIODE]
    assert answer.dc_evse_status.evse_status_code.name == "EVSE_EmergencyShutdown"


def test_supply_that_falls_silent_is_a_fault() -> None:
    post = charging()
    post.is_reporting = False
    told = raised(post.later(0.6))
    assert told == [Fault.SUPPLY_STALE]
    assert not post.want.is_supply_enabled


def test_report_that_is_no_number_neither_counts_nor_is_metered() -> None:
    post = charging()
    post.is_reporting = False
    for _ in range(6):
        post.tell(PlantReport(PlantFact(400.0, nan, 100.0)))
        post.later(0.1)
    assert Fault.SUPPLY_STALE in post.station.faults
    assert post.station.transaction.energy_wh < 1e6


def test_contactor_that_does_not_close_ends_the_cable_check() -> None:
    post = session(name="ChargeParameterDiscovery")
    post.is_following = False
    post.pilot("C")
    post.ask(car.cable_check())
    assert raised(post.later(0.6)) == [Fault.CONTACTOR_STUCK_OPEN]


# --- the powerline


@pytest.mark.parametrize(
    ("phase", "after"),
    [
        (P.IDLE, P.STARTING),
        (P.MATCHING, P.STARTING),
        (P.SETUP, P.SETUP),
        (P.SESSION, P.SESSION),
        (P.FINISHED, P.FINISHED),
    ],
    ids=lambda phase: phase.name,
)
def test_lost_modem_is_waited_for(phase: Phase, after: Phase) -> None:
    post = MAKE[phase]()
    told = post.line_says(LineLost("silent"))
    assert raised(told) == [Fault.MODEM]
    assert "silent" in [a.text for a in told if isinstance(a, Publish)]
    post.later(5.0)
    assert post.phase is after
    post.line_says(LineReady())
    assert Fault.MODEM not in post.station.faults


def test_car_is_served_when_the_modem_is_back() -> None:
    post = idle()
    post.line_says(LineLost("silent"))
    post.pilot("B")
    before = post.phase
    post.line_says(LineReady())
    assert (before, post.phase) == (P.STARTING, P.MATCHING)


@pytest.mark.parametrize("make", [connected, charging], ids=["set-up", "charging"])
def test_lost_link_cuts_power_and_tries_again(make: Callable[[], Post]) -> None:
    post = make()
    post.line_says(LineDown())
    assert not post.want.is_contactor_closed
    post.later(12.0)
    assert P.RETRY in post.phases


@pytest.mark.parametrize("make", [starting, idle, finished, retrying])
def test_old_link_news_mean_nothing(make: Callable[[], Post]) -> None:
    post = make()
    phase = post.phase
    post.line_says(LineDown(), LineUp())
    assert post.phase is phase


@pytest.mark.parametrize("make", [idle, set_up, charging, finished])
def test_failed_match_beside_a_matched_car_means_nothing(
    make: Callable[[], Post],
) -> None:
    """State F without cutting power is for a car that has none."""
    post = make()
    phase, want = post.phase, post.want
    post.line_says(NotMatched("another car"))
    assert (post.phase, post.want) == (phase, want)


def test_car_that_was_there_before_the_start_is_matched() -> None:
    post = starting()
    post.pilot("B")
    post.tell(UP)
    post.pilot("B")
    assert post.phase is P.MATCHING


# --- anything

LEVELS = "AABBCCDEX"
ANYTHING: list[Event] = [
    USER_STOP,
    SHUTDOWN,
    Authorised(True, "card"),
    Authorised(False, "card"),
    UP,
    NetworkFact(is_up=False, address=None, tcp_port=0),
    CONTRADICTED,
    CONFIRMED,
    SdpIn(ASK, HOST, 50000),
    SdpIn(b"\xff" * 30, HOST, 50000),
    TcpData(1, b"\x01\xfe\x80\x01\0\0\0\0"),
    TcpData(1, bytes(40)),
    TcpData(2, b"\x02"),
    TcpClosed(1),
    TcpClosed(2),
    TcpOpened(50, HOST),
    PlantReport(PlantFact(0.0, 0.0, 0.0)),
    PlantReport(PlantFact(700.0, 700.0, 5.0)),
    PlantReport(PlantFact(nan, nan, nan)),
    *(FaultCleared(fault) for fault in LATCHED),
]
GUARDS = [(), (), (), (Fault.LEASE_LOST,), (Fault.CONTACTOR_WELDED,)]
LINES = [LineUp(), LineDown(), LineReady(), LineLost("x"), NotMatched("x")]
steps = st.one_of(
    st.tuples(st.just("tell"), st.sampled_from(ANYTHING)),
    st.tuples(st.just("pilot"), st.sampled_from(LEVELS)),
    st.tuples(st.just("name"), st.sampled_from(sorted(car.REQUESTS))),
    st.tuples(st.just("guard"), st.sampled_from(GUARDS)),
    st.tuples(st.just("line"), st.sampled_from(LINES)),
    st.tuples(st.just("later"), st.sampled_from([0.01, 0.3, 2.0, 20.0])),
    st.tuples(st.just("offer"), st.sampled_from(["urn:din:70121:2012:MsgDef", "x"])),
    st.tuples(st.just("connect"), st.none()),
)
TIMED = (P.SETUP, P.SESSION, P.STOPPING, P.RETRY)


def _do(post: Post, kind: str, value: object) -> None:
    calls = {
        "tell": lambda: post.tell(value),  # type: ignore[arg-type]  # drawn to fit
        "pilot": lambda: post.pilot(str(value)),
        "name": lambda: post.ask(car.REQUESTS[str(value)]),
        "guard": lambda: post.guard_sees(*value),  # type: ignore[misc]  # drawn to fit
        "line": lambda: post.line_says(value),  # type: ignore[arg-type]  # drawn to fit
        "later": lambda: post.later(float(str(value))),
        "offer": lambda: post.say(offer(str(value))),
        "connect": post.connect,
    }
    calls[kind]()


@settings(max_examples=120, deadline=None)
@given(st.sampled_from([idle, set_up, session, charging]), st.lists(steps, max_size=25))
def test_no_storm_of_facts_breaks_the_station(
    make: Callable[[], Post], storm: list[tuple[str, object]]
) -> None:
    post = make()
    for kind, value in storm:
        _do(post, kind, value)
        station = post.station
        assert station.phase not in TIMED or station.deadline is not None
        if post.want.is_contactor_closed:
            assert station.phase in (P.SESSION, P.STOPPING)
            assert station.path.phase.is_live
            assert post.want.duty_pct == 5.0
        if station.phase in (P.STARTING, P.IDLE, P.OUT_OF_SERVICE):
            assert station.is_safe
            assert not post.setpoint.is_on
    post.guard_sees()
    post.tell(*(FaultCleared(fault) for fault in LATCHED), CONFIRMED, UP)
    post.line_says(LineReady())
    post.later(100.0)
    assert not post.want.is_contactor_closed or post.phase is P.SESSION
    post.pilot("A")
    post.later(60.0)
    is_going = post.station._is_going
    assert post.phase is (P.STARTING if is_going else P.IDLE)


def test_what_is_published_holds_no_whole_car_id() -> None:
    post = charging()
    texts = " ".join(a.text for _, a in post.done if isinstance(a, Publish))
    assert car.setup().evcc_id.hex() not in texts
    assert car.SESSION_ID.hex() not in texts


def test_pilot_state_is_published_with_its_voltage() -> None:
    post = idle()
    told = [a.text for a in post.pilot("B") if isinstance(a, Publish)]
    assert "B1 9.0 V" in told
    assert post.station.pilot.state is PilotState.B2
    assert post.station.path.phase is PathPhase.OFF
