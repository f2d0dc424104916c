"""The station's small parts: outputs, tries, standing faults, one visit's record."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, nan

import pytest

from pilothat.faults import Fault, Reaction
from pilothat.guard import Want
from pilothat.pilot.levels import PilotState
from pilothat.plant import OFF, PathPhase, PlantFact
from pilothat.station.actions import Publish, SetOutput, TcpClose, TcpSend, Topic
from pilothat.station.outputs import Outputs
from pilothat.station.retries import Retries
from pilothat.station.standing import StandingFaults, judge_pilot
from pilothat.station.stopping import StopReason
from pilothat.station.transaction import Transaction, said

# --- outputs


def test_wants_of_one_event_are_one_want() -> None:
    out = Outputs()
    out.drive(5.0)
    out.switch(closed=True, enabled=True)
    out.switch(closed=False, enabled=True)
    assert out.drain() == [Want(5.0, False, True)]
    assert out.drain() == []


def test_want_that_comes_back_is_not_told() -> None:
    out = Outputs()
    out.drive(5.0)
    out.drive(0.0)
    assert out.drain() == []


def test_actions_keep_their_order_and_a_close_comes_last() -> None:
    out = Outputs()
    send, close = TcpSend(1, b"x"), TcpClose(1)
    out.add(send, close)
    out.extend([SetOutput(OFF)])
    out.publish(Topic.NOTE, "n")
    out.drive(100.0)
    assert out.drain() == [
        send,
        SetOutput(OFF),
        Publish(Topic.NOTE, "n"),
        Want(100.0, False, False),
        close,
    ]


# --- tries


def test_tries_are_counted_down() -> None:
    retries = Retries(2)
    taken = [retries.take(()) for _ in range(3)]
    assert taken == [True, True, False]
    retries.renew()
    assert (retries.is_first_try, retries.take(())) == (True, True)
    assert not retries.is_first_try


def test_no_try_is_left_after_giving_up() -> None:
    retries = Retries(2)
    retries.give_up()
    assert not retries.take(())


def test_steps_come_once_in_their_order() -> None:
    retries = Retries(1)
    retries.take(((100.0, 3.0), (0.0, 4.0)))
    steps = [retries.next_step() for _ in range(3)]
    assert steps == [(100.0, 3.0), (0.0, 4.0), None]


# --- standing faults


def test_faults_stand_in_their_order_and_only_once() -> None:
    faults = StandingFaults()
    assert not faults
    new = [faults.add(f) for f in (Fault.MODEM, Fault.CP_DIODE, Fault.MODEM)]
    assert new == [True, True, False]
    assert faults.all == (Fault.MODEM, Fault.CP_DIODE)
    assert faults.first is Fault.CP_DIODE  # a modem is waited for


def test_fault_of_the_guard_stands_as_long_as_the_guard_says() -> None:
    faults = StandingFaults()
    told = faults.of_guard((Fault.EMERGENCY_STOP,))
    faults.add(Fault.EMERGENCY_STOP)
    faults.clear(Fault.EMERGENCY_STOP)
    kept = faults.all
    again = faults.of_guard((Fault.EMERGENCY_STOP, Fault.CP_DIODE))
    faults.add(Fault.CP_DIODE)
    faults.of_guard(())
    assert told == [Fault.EMERGENCY_STOP]
    assert kept == (Fault.EMERGENCY_STOP,)
    assert again == [Fault.CP_DIODE]
    assert faults.all == ()


def test_doubt_about_the_guards_inputs_stands_until_it_is_not_contradicted() -> None:
    faults = StandingFaults()
    told = faults.of_witness(agrees=False)
    faults.add(Fault.BOARD_LOST)
    faults.clear(Fault.BOARD_LOST)
    faults.forget_car()
    assert (told, faults.lasting) == ((Fault.BOARD_LOST,), [Fault.BOARD_LOST])
    assert not faults.of_witness(agrees=True)
    assert not faults
    assert not faults.lasting


def test_lost_board_stands_as_long_as_guard_or_witness_says_so() -> None:
    faults = StandingFaults()
    kept: list[bool] = []

    def hear(news: Sequence[Fault]) -> None:
        for fault in news:
            faults.add(fault)
        kept.append(Fault.BOARD_LOST in faults)

    hear(faults.of_guard((Fault.BOARD_LOST,)))
    hear(faults.of_witness(agrees=False))
    hear(faults.of_guard(()))
    hear(faults.of_guard((Fault.BOARD_LOST,)))
    hear(faults.of_witness(agrees=True))
    hear(faults.of_guard(()))
    assert kept == [True, True, True, True, True, False]


@pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)
def test_what_concerned_a_car_goes_with_it(fault: Fault) -> None:
    faults = StandingFaults()
    faults.add(fault)
    faults.forget_car()
    assert (fault in faults) is (fault.row.reaction is not Reaction.CUT)
    assert (fault in faults.lasting) is (fault.row.reaction is Reaction.LATCH)


@pytest.mark.parametrize("state", PilotState, ids=lambda state: state.name)
def test_pilot_fault_goes_when_the_pilot_is_seen_well(state: PilotState) -> None:
    faults = StandingFaults()
    faults.add(Fault.CP_SHORTED)
    faults.see_pilot(state)
    is_unseen = state in (PilotState.E, PilotState.F, PilotState.INVALID)
    assert (Fault.CP_SHORTED in faults) is is_unseen


HOLDING = {
    PathPhase.CHECKING,
    PathPhase.ISOLATED,
    PathPhase.PRECHARGE,
    PathPhase.DELIVERING,
    PathPhase.RAMPING,
}
S = PilotState
LEAVING_C = {
    S.A1: StopReason.UNPLUGGED,
    S.A2: StopReason.UNPLUGGED,
    S.B1: StopReason.CAR_OPENED,
    S.B2: StopReason.CAR_OPENED,
    S.C1: None,
    S.D1: Fault.VENTILATION,
    S.D2: Fault.VENTILATION,
    S.E: Fault.CP_SHORTED,
    S.F: None,
    S.INVALID: Fault.CP_INVALID,
}
AT_ANY_TIME = (S.A1, S.A2, S.E, S.F, S.INVALID)


@pytest.mark.parametrize("path", PathPhase, ids=lambda path: path.name)
@pytest.mark.parametrize("state", LEAVING_C, ids=lambda state: state.name)
def test_change_of_the_pilot_means_what_the_table_says(
    state: PilotState, path: PathPhase
) -> None:
    verdict = judge_pilot(S.C2, state, path, has_ventilation=False)
    matters = path in HOLDING or state in AT_ANY_TIME
    assert verdict is (LEAVING_C[state] if matters else None)


@pytest.mark.parametrize("state", [S.D1, S.D2])
def test_ventilation_makes_d_as_good_as_c(state: PilotState) -> None:
    path = PathPhase.DELIVERING
    assert judge_pilot(S.C2, state, path, has_ventilation=True) is None


# --- one visit


def test_energy_is_the_sum_of_trapezoids() -> None:
    visit = Transaction(0.0)
    for now, current_a in ((0.0, 0.0), (36.0, 100.0), (72.0, 100.0), (108.0, -50.0)):
        visit.meter(PlantFact(400.0, 400.0, current_a), now)
    assert visit.energy_wh == pytest.approx(200.0 + 400.0 + 100.0)


@pytest.mark.parametrize("value", [nan, inf, -inf])
def test_report_that_is_no_number_is_not_metered(value: float) -> None:
    visit = Transaction(0.0)
    visit.meter(PlantFact(400.0, 400.0, 100.0), 0.0)
    visit.meter(PlantFact(400.0, 400.0, value), 1.0)
    visit.meter(PlantFact(400.0, 400.0, 100.0), 3.6)
    assert visit.energy_wh == pytest.approx(40.0)


def test_first_message_of_a_name_is_news() -> None:
    visit = Transaction(0.0)
    assert [visit.is_news(n) for n in ("A", "B", "A")] == [True, True, False]
    assert visit.messages == {"A": 2, "B": 1}


def test_id_of_the_car_is_cut_short_in_what_is_said() -> None:
    assert said([("evcc_id", "02ca00000001"), ("soc_pct", "42")]) == (
        "evcc_id=02ca00.. soc_pct=42"
    )
