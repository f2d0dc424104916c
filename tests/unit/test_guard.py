"""The guard: power only while pilot, lease and safety chain are good, all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothat.faults import Fault
from pilothat.guard import (
    CALM_LEASE_S,
    CONTACTOR_MOVES_S,
    HOLDOFF_S,
    LEASE_S,
    SAFE,
    BoardBack,
    BoardLost,
    DriveContactor,
    DrivePilot,
    DriveSupply,
    Feedback,
    Guard,
    GuardAction,
    GuardEvent,
    GuardFact,
    Lease,
    PilotFact,
    Want,
)
from pilothat.pilot.levels import PilotLevel, PilotSample, PilotState, classify
from pilothat.ports import Interlocks

VOLTS = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0}
READY = Want(5.0, is_contactor_closed=False, is_supply_enabled=False)
POWER = Want(5.0, is_contactor_closed=True, is_supply_enabled=True)
HELD = Want(5.0, is_contactor_closed=True, is_supply_enabled=False)
ENABLED = Want(5.0, is_contactor_closed=False, is_supply_enabled=True)
SUPPLY_OFF, CONTACTOR_OPEN = DriveSupply(False), DriveContactor(False)
NEW = 10.0


def sample(level: str, low_v: float | None = -12.0) -> PilotSample:
    return PilotSample(VOLTS[level], low_v)


def outputs(actions: Sequence[GuardAction]) -> list[GuardAction]:
    return [a for a in actions if not isinstance(a, PilotFact | GuardFact)]


def faults(actions: Sequence[GuardAction]) -> list[Fault]:
    facts = [a for a in actions if isinstance(a, GuardFact)]
    return list(facts[-1].faults) if facts else []


def wait(guard: Guard, until: float) -> None:
    """Let time pass as a shell does: tick whenever it is due."""
    for _ in range(20):
        if guard.deadline is None or guard.deadline > until:
            return
        guard.tick(guard.deadline)
    raise AssertionError("a deadline that no tick moves")


def lease(guard: Guard, want: Want, *moments: float) -> None:
    """Renew the lease at these moments, and let time pass in between."""
    for now in moments:
        wait(guard, now)
        guard.handle(Lease(want), now)


def guard_in(level: str, *, has_ventilation: bool = False) -> Guard:
    """A guard that has been told to be ready, with a car in this level."""
    guard = Guard(has_ventilation=has_ventilation)
    guard.handle(Lease(READY), 0.0)
    guard.handle(sample(level), 0.0)
    guard.tick(0.1)
    guard.tick(0.2)
    guard.handle(Lease(READY), NEW)
    return guard


def charging(*, has_ventilation: bool = False) -> Guard:
    """A guard that has closed the contactor at ``NEW``."""
    guard = guard_in("C", has_ventilation=has_ventilation)
    guard.handle(Lease(READY), NEW)
    guard.handle(Lease(POWER), NEW)
    guard.handle(Feedback(is_closed=True), NEW + 0.02)
    guard.handle(Lease(POWER), NEW + 0.02)
    assert guard.driven == POWER
    return guard


def test_guard_begins_safe() -> None:
    assert Guard().driven == SAFE == Want(0.0, False, False)
    assert Guard().deadline is None
    assert Guard().handle(Feedback(is_closed=False), 0.0) == []


@pytest.mark.parametrize("level", "ABDE")
def test_contactor_stays_open_unless_the_pilot_is_in_c(level: str) -> None:
    guard = guard_in(level)
    assert outputs(guard.handle(Lease(POWER), NEW)) == []
    assert guard.driven == READY


def test_contactor_closes_in_c_supply_first() -> None:
    guard = guard_in("C")
    assert outputs(guard.handle(Lease(POWER), NEW)) == [
        DriveSupply(True),
        DriveContactor(True),
    ]


def test_state_d_is_served_only_with_ventilation() -> None:
    with_fan, without = guard_in("D", has_ventilation=True), guard_in("D")
    with_fan.handle(Lease(POWER), NEW)
    without.handle(Lease(POWER), NEW)
    assert (with_fan.driven, without.driven) == (POWER, READY)


def test_contactor_is_never_closed_without_pwm() -> None:
    guard = guard_in("C")
    steady = Want(100.0, is_contactor_closed=True, is_supply_enabled=True)
    guard.handle(Lease(Want(100.0, False, False)), NEW)
    guard.handle(Lease(steady), NEW + 0.01)
    assert guard.pilot.state is PilotState.C1
    assert guard.driven == Want(100.0, False, False)


def test_withdrawn_pwm_does_not_open_a_closed_contactor() -> None:
    """From C2 to C1 the car gets time to stop by itself."""
    guard = charging()
    guard.handle(Lease(Want(100.0, True, True)), NEW + 0.1)
    assert guard.pilot.state is PilotState.C1
    assert guard.driven.is_contactor_closed


def test_contactor_is_never_closed_before_the_diode_was_seen() -> None:
    guard = Guard()
    guard.handle(Lease(READY), 0.0)
    guard.handle(sample("C", None), 0.0)
    lease(guard, READY, 0.1)
    lease(guard, POWER, 0.2)
    guard.handle(sample("C", -12.0), 0.2)
    wait(guard, 0.214)
    unproven = guard.driven
    wait(guard, 0.2151)
    assert (unproven, guard.driven) == (READY, POWER)


# --- the lease


@pytest.mark.parametrize(("after_s", "is_closed"), [(0.249, True), (0.25, False)])
def test_supply_is_enabled_as_long_as_the_lease(
    after_s: float, is_closed: bool
) -> None:
    guard = charging()
    guard.tick(NEW + 0.02 + after_s)
    assert guard.driven.is_supply_enabled is is_closed


def test_lost_lease_cuts_the_supply_at_once_and_the_contactor_after_the_holdoff() -> (
    None
):
    guard = charging()
    lost_at = NEW + 0.02 + LEASE_S
    assert guard.deadline == pytest.approx(lost_at)
    actions = guard.tick(lost_at)
    assert outputs(actions) == [SUPPLY_OFF]
    assert faults(actions) == [Fault.LEASE_LOST]
    assert outputs(guard.tick(lost_at + HOLDOFF_S - 0.001)) == []
    assert outputs(guard.tick(lost_at + HOLDOFF_S)) == [CONTACTOR_OPEN, DrivePilot(0.0)]


def test_pilot_lost_during_the_holdoff_opens_at_once() -> None:
    guard = charging()
    lost_at = NEW + 0.02 + LEASE_S
    guard.handle(sample("B"), lost_at - 0.010)
    guard.tick(lost_at)
    assert outputs(guard.tick(lost_at + 0.0051)) == [CONTACTOR_OPEN, DrivePilot(0.0)]


def test_stall_while_nothing_is_on_is_borne_longer_and_only_puts_the_pilot_to_f() -> (
    None
):
    guard = guard_in("B")
    lost_at = NEW + CALM_LEASE_S
    assert outputs(guard.tick(lost_at - 0.001)) == []
    actions = guard.tick(lost_at)
    assert outputs(actions) == [DrivePilot(0.0)]
    assert faults(actions) == [Fault.LEASE_LOST]


@pytest.mark.parametrize("want", [POWER, ENABLED])
def test_lease_that_asks_for_power_is_short_though_nothing_is_on(want: Want) -> None:
    guard = guard_in("B")
    guard.handle(Lease(want), NEW)
    assert guard.driven == READY
    guard.tick(NEW + LEASE_S)
    assert guard.driven == SAFE


def test_lease_that_comes_back_in_the_holdoff_does_not_restore_power() -> None:
    guard = charging()
    lost_at = NEW + 0.02 + LEASE_S
    guard.tick(lost_at)
    guard.handle(Lease(POWER), lost_at + 0.01)
    held = guard.driven
    guard.tick(lost_at + HOLDOFF_S)
    assert (held, guard.driven) == (HELD, READY)


def test_lease_that_comes_too_late_is_a_lost_one_even_before_any_tick() -> None:
    """The guard itself was stalled: the renewal waits in its inbox."""
    guard = charging()
    actions = guard.handle(Lease(POWER), NEW + 0.02 + LEASE_S + 0.1)
    assert SUPPLY_OFF in actions
    assert faults(actions) == [Fault.LEASE_LOST]


@pytest.mark.parametrize("want", [POWER, HELD, ENABLED])
def test_after_a_cut_power_stays_off_until_an_open_contactor_was_asked_for(
    want: Want,
) -> None:
    guard = charging()
    guard.tick(NEW + 0.02 + LEASE_S)
    guard.tick(NEW + 0.02 + LEASE_S + HOLDOFF_S)
    guard.handle(Feedback(is_closed=False), NEW + 1.0)
    lease(guard, want, 20.0)
    guard.handle(sample("C"), 20.0)
    lease(guard, want, 20.1, 20.2)
    refused = guard.driven
    lease(guard, READY, 20.3)
    lease(guard, want, 20.4)
    assert (refused, guard.driven) == (READY, want)


def test_enabled_supply_needs_to_be_asked_for_again_too() -> None:
    guard = guard_in("C")
    guard.handle(Lease(ENABLED), NEW)
    lease(guard, ENABLED, 20.0)
    guard.handle(sample("C"), 20.0)
    lease(guard, ENABLED, 20.1, 20.2)
    assert guard.pilot.state is PilotState.C2
    assert not guard.driven.is_supply_enabled


def test_lost_lease_is_told_until_it_was_rearmed() -> None:
    guard = charging()
    guard.tick(NEW + 0.02 + LEASE_S)
    guard.tick(NEW + 0.5)
    assert faults(guard.handle(Feedback(is_closed=False), NEW + 0.6)) == [
        Fault.LEASE_LOST
    ]
    gone = guard.handle(Lease(READY), NEW + 1.1)
    assert isinstance(gone[-1], GuardFact)
    assert faults(gone) == []


@pytest.mark.parametrize("duty_pct", [2.0, 7.5, 98.0, -1.0, 101.0, float("nan")])
def test_forbidden_duty_is_refused_and_changes_nothing(duty_pct: float) -> None:
    guard = charging()
    with pytest.raises(ValueError, match="duty"):
        guard.handle(Lease(Want(duty_pct, True, True)), NEW + 0.1)
    assert guard.driven == POWER
    assert guard.deadline == pytest.approx(NEW + 0.02 + LEASE_S)


# --- the pilot

LOSSES = [("A", 0.025), ("B", 0.015), ("D", 0.050), ("E", 0.015)]


@pytest.mark.parametrize(("level", "debounce_s"), LOSSES)
def test_pilot_that_leaves_c_opens_supply_first(level: str, debounce_s: float) -> None:
    guard = charging()
    assert guard.handle(sample(level), NEW + 0.1) == []
    assert outputs(guard.tick(NEW + 0.1 + debounce_s - 0.001)) == []
    actions = guard.tick(NEW + 0.1 + debounce_s)
    assert outputs(actions) == [SUPPLY_OFF, CONTACTOR_OPEN]
    assert debounce_s + 0.02 < 0.1  # with the relay


@pytest.mark.parametrize(
    ("high_v", "lasts_s"), [(7.5, 0.1), (float("nan"), 0.015), (-14.8, 0.015)]
)
def test_invalid_pilot_opens(high_v: float, lasts_s: float) -> None:
    guard = charging()
    guard.handle(PilotSample(high_v, -12.0), NEW + 0.1)
    before = outputs(guard.tick(NEW + 0.1 + lasts_s - 0.001))
    actions = outputs(guard.tick(NEW + 0.1 + lasts_s))
    assert (before, actions) == ([], [SUPPLY_OFF, CONTACTOR_OPEN])


@pytest.mark.parametrize(("glitch_s", "is_closed"), [(0.024, True), (0.025, False)])
def test_loss_of_the_pilot_at_both_sides_of_the_debounce(
    glitch_s: float, is_closed: bool
) -> None:
    guard = charging()
    guard.handle(sample("A"), NEW + 0.1)
    guard.tick(NEW + 0.1 + min(glitch_s, 0.025))
    guard.handle(sample("C"), NEW + 0.1 + glitch_s)
    assert guard.driven.is_contactor_closed is is_closed


def test_bad_diode_opens_and_is_told() -> None:
    guard = charging()
    guard.handle(sample("C", -6.0), NEW + 0.1)
    actions = guard.tick(NEW + 0.115)
    assert outputs(actions) == [SUPPLY_OFF, CONTACTOR_OPEN]
    assert faults(actions) == [Fault.CP_DIODE]


def test_ventilation_keeps_power_on_from_c_to_d() -> None:
    guard = charging(has_ventilation=True)
    guard.handle(sample("D"), NEW + 0.1)
    guard.tick(NEW + 0.2)
    assert guard.pilot.state is PilotState.D2
    assert guard.driven == POWER


def test_pilot_that_comes_back_does_not_restore_power() -> None:
    guard = charging()
    guard.handle(sample("B"), NEW + 0.1)
    guard.tick(NEW + 0.115)
    guard.handle(sample("C"), NEW + 0.12)
    guard.handle(Feedback(is_closed=False), NEW + 0.14)
    lease(guard, POWER, NEW + 0.2, NEW + 0.3)
    assert guard.pilot.state is PilotState.C2
    assert guard.driven == READY


# --- the safety chain, the board and the contactor

CHAIN = {
    Interlocks(is_estop_released=False): Fault.EMERGENCY_STOP,
    Interlocks(is_rcm_good=False): Fault.RESIDUAL_CURRENT,
    Interlocks(is_temperature_good=False): Fault.TEMPERATURE,
}


@pytest.mark.parametrize(("inputs", "fault"), CHAIN.items())
def test_broken_safety_chain_opens_at_once_and_stays_open(
    inputs: Interlocks, fault: Fault
) -> None:
    guard = charging()
    actions = guard.handle(inputs, NEW + 0.1)
    assert outputs(actions) == [SUPPLY_OFF, CONTACTOR_OPEN]
    assert faults(actions) == [fault]
    guard.handle(Interlocks(), NEW + 0.11)
    guard.handle(Lease(POWER), NEW + 0.12)
    assert guard.driven == READY


def test_lost_board_opens_and_puts_the_pilot_to_f_last() -> None:
    guard = charging()
    actions = guard.handle(BoardLost(), NEW + 0.1)
    assert outputs(actions) == [SUPPLY_OFF, CONTACTOR_OPEN, DrivePilot(0.0)]
    assert faults(actions) == [Fault.BOARD_LOST]
    guard.handle(Lease(POWER), NEW + 0.2)
    assert guard.driven == SAFE


def test_board_that_is_back_gives_power_only_when_it_is_asked_for_anew() -> None:
    guard = charging()
    guard.handle(Interlocks(is_estop_released=False), NEW + 0.05)
    guard.handle(BoardLost(), NEW + 0.1)
    actions = guard.handle(BoardBack(), NEW + 9.0)
    assert actions == [GuardFact(False, False, ())]
    assert (guard.driven, guard.deadline) == (SAFE, None)
    lease(guard, POWER, 20.0)
    for moment in (20.0, 20.1):
        guard.handle(sample("C"), moment)
    lease(guard, POWER, 20.2)
    refused = guard.driven
    lease(guard, READY, 20.3)
    lease(guard, POWER, 20.4)
    assert (refused, guard.driven) == (READY, POWER)


def test_contactor_that_does_not_close_is_given_up() -> None:
    guard = guard_in("C")
    guard.handle(Lease(POWER), NEW)
    assert outputs(guard.tick(NEW + CONTACTOR_MOVES_S - 0.001)) == []
    actions = guard.tick(NEW + CONTACTOR_MOVES_S)
    assert outputs(actions) == [SUPPLY_OFF, CONTACTOR_OPEN]
    assert faults(actions) == [Fault.CONTACTOR_STUCK_OPEN]


def test_contactor_that_stays_closed_is_welded_and_power_stays_off() -> None:
    guard = charging()
    guard.handle(Lease(READY), NEW + 0.1)
    opened_at = NEW + 0.1 + HOLDOFF_S
    guard.tick(opened_at)
    assert faults(guard.tick(opened_at + CONTACTOR_MOVES_S - 0.001)) == []
    actions = guard.tick(opened_at + CONTACTOR_MOVES_S)
    assert faults(actions) == [Fault.CONTACTOR_WELDED]
    assert outputs(guard.handle(Lease(POWER), NEW + 0.26)) == []
    assert guard.driven == READY


@pytest.mark.parametrize("end", [READY, SAFE, Want(100.0, False, False)])
def test_wish_to_open_cuts_the_supply_first_and_the_pilot_last(end: Want) -> None:
    guard = charging()
    asked_at = NEW + 0.1
    assert outputs(guard.handle(Lease(end), asked_at)) == [SUPPLY_OFF]
    assert outputs(guard.handle(Lease(end), asked_at + HOLDOFF_S / 2)) == []
    assert guard.deadline == pytest.approx(asked_at + HOLDOFF_S)
    pilot = [] if end is READY else [DrivePilot(end.duty_pct)]
    assert outputs(guard.tick(asked_at + HOLDOFF_S)) == [CONTACTOR_OPEN, *pilot]
    assert guard.driven == end


def test_contactor_whose_supply_is_off_opens_at_once() -> None:
    guard = charging()
    guard.handle(Lease(HELD), NEW + 0.1)
    assert outputs(guard.handle(Lease(READY), NEW + 0.2)) == [CONTACTOR_OPEN]


def test_pilot_that_leaves_c_ends_the_holdoff() -> None:
    guard = charging()
    guard.handle(Lease(READY), NEW + 0.1)
    guard.handle(sample("B"), NEW + 0.105)
    assert CONTACTOR_OPEN in outputs(guard.tick(NEW + 0.125))


def test_contactor_that_drops_by_itself_cuts_the_supply() -> None:
    guard = charging()
    guard.handle(Feedback(is_closed=False), NEW + 0.1)
    guard.handle(Lease(POWER), NEW + 0.2)
    actions = guard.tick(NEW + 0.1 + CONTACTOR_MOVES_S)
    assert outputs(actions) == [SUPPLY_OFF, CONTACTOR_OPEN]
    assert faults(actions) == [Fault.CONTACTOR_STUCK_OPEN]


def test_bouncing_feedback_within_the_time_is_no_fault() -> None:
    guard = guard_in("C")
    guard.handle(Lease(POWER), NEW)
    for count in range(1, 6):
        guard.handle(Feedback(is_closed=count % 2 == 1), NEW + 0.02 * count)
    guard.tick(NEW + 0.24)
    assert guard.driven == POWER


# --- anything

WANTS = [SAFE, READY, POWER, HELD, ENABLED, Want(100.0, True, True)]
SAMPLES = [
    PilotSample(v, low_v)
    for v in (12.0, 9.0, 7.5, 6.0, 3.0, 0.0, -12.0)
    for low_v in (-12.0, -6.0, None)
]
events: st.SearchStrategy[GuardEvent] = st.one_of(
    st.sampled_from([Lease(want) for want in WANTS]),
    st.sampled_from([Lease(READY), Lease(POWER), sample("C")]),
    st.sampled_from(SAMPLES),
    st.sampled_from([Feedback(True), Feedback(False)]),
    st.sampled_from([*CHAIN, Interlocks()]),
)
waits = st.sampled_from([0.0, 0.0, 0.005, 0.016, 0.06, 0.12, 0.24, 0.26, 1.0])


@settings(max_examples=150)
@given(st.lists(st.tuples(waits, events), max_size=60))
def test_contactor_is_driven_closed_only_with_pilot_lease_and_chain(
    history: list[tuple[float, GuardEvent]],
) -> None:
    guard = charging()
    now, leased_at, chain = NEW + 0.03, NEW + 0.02, Interlocks()
    wanting_at = now  # when a sample was last in C
    for wait_s, event in history:
        now += wait_s
        wait(guard, now)
        guard.handle(event, now)
        leased_at = now if isinstance(event, Lease) else leased_at
        chain = event if isinstance(event, Interlocks) else chain
        if isinstance(event, PilotSample):
            is_c = classify(event.high_v) is PilotLevel.C
            wanting_at = now if is_c else min(wanting_at, now)
        if guard.driven.is_contactor_closed:
            assert guard.pilot.state in (PilotState.C1, PilotState.C2)
            assert not guard.pilot.is_diode_bad
            assert chain.is_good
            assert now - leased_at < LEASE_S + HOLDOFF_S
        if guard.driven.is_supply_enabled:
            assert now - leased_at < LEASE_S


@settings(max_examples=150)
@given(st.lists(st.tuples(waits, events), max_size=40))
def test_outputs_always_come_supply_contactor_pilot_when_power_ends(
    history: list[tuple[float, GuardEvent]],
) -> None:
    guard = charging()
    now = NEW + 0.03
    order = {DriveSupply: 0, DriveContactor: 1, DrivePilot: 2}
    for wait_s, event in history:
        now += wait_s
        done = [outputs(guard.tick(now)), outputs(guard.handle(event, now))]
        ranks = [[order[type(one)] for one in actions] for actions in done]
        assert ranks == [sorted(one) for one in ranks]
