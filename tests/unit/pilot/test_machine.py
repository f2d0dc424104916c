"""The pilot machine: what lasts becomes a state, what does not leaves no trace."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pilothat.pilot.levels import PilotLevel, PilotSample, PilotState, classify
from pilothat.pilot.machine import (
    DEBOUNCE_S,
    Driven,
    Kind,
    Pilot,
    PilotChange,
    kind_of,
)

VOLTS = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0}
STATES = {
    "A": PilotState.A2,
    "B": PilotState.B2,
    "C": PilotState.C2,
    "D": PilotState.D2,
    "E": PilotState.E,
}
GAP_V = 7.5
NEW = 10.0  # s, when the tests' event happens


def sample(level: str, low_v: float | None = -12.0) -> PilotSample:
    return PilotSample(VOLTS[level], low_v)


def pilot_in(level: str, duty_pct: float = 5.0) -> Pilot:
    """A pilot that has been in the state of a level for long."""
    pilot = Pilot()
    pilot.handle(Driven(duty_pct), 0.0)
    pilot.handle(sample(level, None if duty_pct == 100.0 else -12.0), 0.0)
    pilot.tick(1.0)
    pilot.tick(2.0)
    assert pilot.deadline is None
    return pilot


def states(changes: Sequence[PilotChange]) -> list[PilotState]:
    return [change.state for change in changes]


CHANGES = [
    ("A", "B", 0.050),
    ("A", "C", 0.050),
    ("A", "D", 0.050),
    ("B", "C", 0.050),
    ("B", "D", 0.050),
    ("C", "D", 0.050),
    ("D", "C", 0.015),
    ("D", "B", 0.015),
    ("C", "B", 0.015),
    ("B", "A", 0.025),
    ("C", "A", 0.025),
    ("D", "A", 0.025),
    ("A", "E", 0.015),
    ("B", "E", 0.015),
    ("C", "E", 0.015),
    ("D", "E", 0.015),
    ("E", "A", 0.015),
    ("E", "B", 0.015),
    ("E", "C", 0.015),
    ("E", "D", 0.015),
]
every_change = pytest.mark.parametrize(("old", "new", "debounce_s"), CHANGES)


def test_table_of_changes_is_whole() -> None:
    pairs = {(old, new) for old in VOLTS for new in VOLTS if old != new}
    assert {(old, new) for old, new, _ in CHANGES} == pairs


@every_change
def test_state_is_entered_when_it_has_lasted(
    old: str, new: str, debounce_s: float
) -> None:
    pilot = pilot_in(old)
    assert list(pilot.handle(sample(new), NEW)) == []
    assert pilot.deadline == NEW + debounce_s
    assert pilot.tick(NEW + debounce_s - 0.001) == []
    assert states(pilot.tick(NEW + debounce_s)) == [STATES[new]]
    assert pilot.state is STATES[new]


@every_change
def test_glitch_shorter_than_the_debounce_changes_nothing(
    old: str, new: str, debounce_s: float
) -> None:
    pilot = pilot_in(old)
    pilot.handle(sample(new), NEW)
    assert pilot.handle(sample(old), NEW + debounce_s - 0.001) == []
    assert pilot.deadline is None
    assert pilot.tick(NEW + 1.0) == []
    assert pilot.state is STATES[old]


@every_change
def test_repeated_samples_neither_restart_nor_shorten_the_debounce(
    old: str, new: str, debounce_s: float
) -> None:
    pilot = pilot_in(old)
    early = [pilot.handle(sample(new), NEW + part * debounce_s) for part in (0, 0.5)]
    assert [list(changes) for changes in early] == [[], []]
    assert states(pilot.handle(sample(new), NEW + debounce_s)) == [STATES[new]]


def test_kinds_are_all_in_the_table_and_fast_enough() -> None:
    assert set(DEBOUNCE_S) == set(Kind)
    assert DEBOUNCE_S[Kind.REQUEST] < 0.06  # 200 ms C pulses must be seen
    assert max(DEBOUNCE_S[Kind.RELEASE], DEBOUNCE_S[Kind.UNPLUG]) < 0.05
    assert kind_of(None, PilotLevel.A) is Kind.PLUG


def test_wake_up_pulse_of_200_ms_is_reported_whole() -> None:
    pilot = pilot_in("B")
    pilot.handle(sample("C"), NEW)
    seen = states(pilot.tick(NEW + 0.05))
    pilot.handle(sample("B"), NEW + 0.2)
    seen += states(pilot.tick(NEW + 0.215))
    assert seen == [PilotState.C2, PilotState.B2]


def test_car_that_was_plugged_in_before_the_start_is_reported() -> None:
    pilot = Pilot()
    pilot.handle(Driven(100.0), 0.0)
    pilot.handle(PilotSample(9.0, None), 0.0)
    assert states(pilot.tick(0.05)) == [PilotState.B1]


# --- between the bands


@pytest.mark.parametrize("level", "ABCD")
def test_gap_keeps_the_state_and_beyond_100_ms_is_a_fault(level: str) -> None:
    pilot = pilot_in(level)
    pilot.handle(PilotSample(GAP_V, -12.0), NEW)
    assert pilot.tick(NEW + 0.099) == []
    assert pilot.state is STATES[level]
    assert states(pilot.tick(NEW + 0.1)) == [PilotState.INVALID]


def test_gap_that_ends_in_time_is_forgotten() -> None:
    pilot = pilot_in("C")
    pilot.handle(PilotSample(GAP_V, -12.0), NEW)
    pilot.handle(sample("C"), NEW + 0.09)
    pilot.handle(PilotSample(GAP_V, -12.0), NEW + 0.1)
    assert pilot.deadline == NEW + 0.2


@pytest.mark.parametrize("high_v", [-1.01, -12.0, -14.8, 13.01, 14.8, float("nan")])
def test_level_outside_all_bands_is_a_fault_as_soon_as_a_short_is(
    high_v: float,
) -> None:
    pilot = pilot_in("C")
    pilot.handle(PilotSample(high_v, -12.0), NEW)
    assert pilot.tick(NEW + 0.014) == []
    assert states(pilot.tick(NEW + 0.015)) == [PilotState.INVALID]


def test_invalid_pilot_comes_back_when_a_level_has_lasted() -> None:
    pilot = pilot_in("C")
    pilot.handle(PilotSample(GAP_V, -12.0), NEW)
    pilot.tick(NEW + 0.1)
    pilot.handle(sample("C"), NEW + 1.0)
    assert pilot.tick(NEW + 1.049) == []
    assert states(pilot.tick(NEW + 1.05)) == [PilotState.C2]


def test_invalid_pilot_does_not_count_what_was_before_a_gap() -> None:
    pilot = pilot_in("C")
    pilot.handle(PilotSample(GAP_V, -12.0), NEW)
    pilot.tick(NEW + 0.1)
    pilot.handle(sample("C"), NEW + 1.0)
    pilot.handle(PilotSample(GAP_V, -12.0), NEW + 1.01)
    pilot.handle(sample("C"), NEW + 5.0)
    assert pilot.deadline == NEW + 5.05


@pytest.mark.parametrize(
    ("high_v", "end"),
    [(9.0, PilotState.B2), (12.0, PilotState.A2), (0.95, PilotState.E)],
)
def test_level_at_the_edge_of_its_band_is_seen_through_the_noise(
    high_v: float, end: PilotState
) -> None:
    """Every other sample falls into a gap; none supports C any more."""
    pilot = pilot_in("C")
    samples = [PilotSample(v, -12.0) for v in (high_v, GAP_V) * 10]
    changes = [
        change
        for count, one in enumerate(samples)
        for change in pilot.handle(one, NEW + count * 0.005)
    ]
    assert states(changes) == [end]
    assert changes[0].duty_pct == 5.0


def test_state_that_no_sample_supports_does_not_outlive_100_ms() -> None:
    """The level flutters between two others, too fast for either."""
    pilot = pilot_in("C")
    for count in range(20):
        pilot.handle(sample("AB"[count % 2]), NEW + count * 0.005)
    assert pilot.state is STATES["C"]
    pilot.handle(sample("A"), NEW + 0.1)
    assert pilot.state is PilotState.INVALID


# --- what we drive ourselves


def test_state_f_is_our_own_and_hides_the_car() -> None:
    pilot = pilot_in("C")
    assert states(pilot.handle(Driven(0.0), NEW)) == [PilotState.F]
    assert pilot.handle(PilotSample(-12.0, None), NEW + 1.0) == ()
    assert pilot.handle(sample("C"), NEW + 2.0) == ()
    assert (pilot.state, pilot.deadline) == (PilotState.F, None)


def test_after_state_f_the_level_is_looked_at_from_scratch() -> None:
    pilot = pilot_in("C")
    pilot.handle(Driven(0.0), NEW)
    assert pilot.handle(Driven(5.0), NEW + 4.0) == ()
    assert pilot.state is PilotState.F
    pilot.handle(sample("C"), NEW + 4.0)
    assert states(pilot.tick(NEW + 4.05)) == [PilotState.C2]


def test_board_may_show_our_own_f_for_100_ms_after_it() -> None:
    pilot, left_over = pilot_in("B"), PilotSample(-12.0, None)
    pilot.handle(Driven(0.0), NEW)
    pilot.handle(Driven(5.0), NEW)
    assert states(pilot.handle(left_over, NEW)) == []
    assert states(pilot.handle(left_over, NEW + 0.099)) == []
    assert states(pilot.handle(left_over, NEW + 0.1)) == [PilotState.INVALID]


def test_steady_minus_12_v_that_is_not_ours_is_a_fault() -> None:
    pilot = pilot_in("B")
    pilot.handle(PilotSample(-12.0, -12.0), NEW)
    assert states(pilot.tick(NEW + 0.015)) == [PilotState.INVALID]


@pytest.mark.parametrize(
    ("level", "steady", "running"),
    [
        ("A", PilotState.A1, PilotState.A2),
        ("B", PilotState.B1, PilotState.B2),
        ("C", PilotState.C1, PilotState.C2),
        ("D", PilotState.D1, PilotState.D2),
    ],
)
def test_digit_follows_the_duty_at_once(
    level: str, steady: PilotState, running: PilotState
) -> None:
    pilot = pilot_in(level)
    assert pilot.state is running
    assert states(pilot.handle(Driven(100.0), NEW)) == [steady]
    assert states(pilot.handle(Driven(53.3), NEW)) == [running]
    assert states(pilot.handle(Driven(5.0), NEW)) == []


def test_short_has_no_digit() -> None:
    assert pilot_in("E").handle(Driven(100.0), NEW) == ()


# --- the diode


def bad(changes: Sequence[PilotChange]) -> list[bool]:
    return [change.is_diode_bad for change in changes]


@pytest.mark.parametrize("level", "BCD")
@pytest.mark.parametrize("low_v", [-9.0, -8.7, 0.0, 9.0, float("nan")])
def test_missing_low_half_wave_is_a_bad_diode_after_15_ms(
    level: str, low_v: float
) -> None:
    pilot = pilot_in(level)
    pilot.handle(sample(level, low_v), NEW)
    assert pilot.tick(NEW + 0.014) == []
    assert bad(pilot.tick(NEW + 0.015)) == [True]
    assert pilot.is_diode_bad


@pytest.mark.parametrize("low_v", [-9.01, -10.49, None])
def test_low_half_wave_in_doubt_decides_nothing(low_v: float | None) -> None:
    pilot = pilot_in("C")
    pilot.handle(sample("C", low_v), NEW)
    assert pilot.deadline is None
    assert not pilot.is_diode_bad


def test_good_low_half_wave_in_between_restarts_the_check() -> None:
    pilot = pilot_in("C")
    pilot.handle(sample("C", -6.0), NEW)
    pilot.handle(sample("C", -12.0), NEW + 0.014)
    assert pilot.deadline is None
    pilot.handle(sample("C", -6.0), NEW + 0.02)
    assert pilot.deadline == NEW + 0.035


def test_diode_that_is_back_is_good_again_after_15_ms() -> None:
    pilot = pilot_in("C")
    pilot.handle(sample("C", -6.0), NEW)
    pilot.tick(NEW + 0.015)
    pilot.handle(sample("C", -10.5), NEW + 1.0)
    assert pilot.tick(NEW + 1.014) == []
    assert bad(pilot.tick(NEW + 1.015)) == [False]


def test_diode_is_proven_only_by_a_low_half_wave_with_a_car() -> None:
    pilot = Pilot()
    pilot.handle(Driven(5.0), 0.0)
    pilot.handle(sample("A"), 0.0)
    pilot.tick(1.0)
    proven = [pilot.is_diode_proven]
    pilot.handle(sample("B"), 1.0)
    pilot.tick(1.05)
    proven.append(pilot.is_diode_proven)
    pilot.tick(1.065)
    proven.append(pilot.is_diode_proven)
    assert proven == [False, False, True]


@pytest.mark.parametrize("end", ["A", "E", "F"])
def test_verdict_on_a_diode_does_not_outlive_its_car(end: str) -> None:
    pilot = pilot_in("C")
    assert pilot.is_diode_proven
    duty_pct = 0.0 if end == "F" else 5.0
    pilot.handle(Driven(duty_pct), NEW)
    pilot.handle(sample("A" if end == "F" else end), NEW)
    pilot.tick(NEW + 1.0)
    assert (pilot.is_diode_proven, pilot.is_diode_bad) == (False, False)


def test_short_to_earth_is_no_bad_diode() -> None:
    pilot = pilot_in("C")
    pilot.handle(PilotSample(0.0, 0.0), NEW)
    pilot.tick(NEW + 0.015)
    assert pilot.tick(NEW + 1.0) == []
    assert (pilot.state, pilot.is_diode_bad) == (PilotState.E, False)


def test_short_behind_the_diode_is_a_short() -> None:
    pilot = pilot_in("B")
    pilot.handle(PilotSample(0.7, -12.0), NEW)
    assert states(pilot.tick(NEW + 0.015)) == [PilotState.E]


# --- storms

voltages = st.one_of(
    st.floats(-15, 15),
    st.sampled_from([12.0, 9.0, 6.0, 3.0, 0.0, -12.0, 7.5, 10.5, 4.5, 1.05]),
    st.just(float("nan")),
)
steps = st.tuples(st.sampled_from([0.0, 0.001, 0.005, 0.02, 0.06, 0.2]), voltages)


@given(st.lists(steps, max_size=40))
def test_no_storm_gives_a_state_that_no_sample_supported(
    storm: list[tuple[float, float]],
) -> None:
    pilot = Pilot()
    pilot.handle(Driven(5.0), 0.0)
    now, supported = 0.0, {PilotState.F, PilotState.INVALID}
    for wait_s, high_v in storm:
        now += wait_s
        pilot.tick(now)
        pilot.handle(PilotSample(high_v, -12.0), now)
        level = classify(high_v)
        if level is not None and level is not PilotLevel.F:
            supported.add(STATES[level.name])
        assert pilot.state in supported


@given(st.lists(steps, max_size=40))
def test_no_storm_keeps_a_state_unsupported_beyond_100_ms(
    storm: list[tuple[float, float]],
) -> None:
    pilot = pilot_in("C")
    now = seen_at = NEW
    for wait_s, high_v in storm:
        now += wait_s
        pilot.tick(now)
        pilot.handle(PilotSample(high_v, -12.0), now)
        level = classify(high_v)
        seen_at = now if level is PilotLevel.C else seen_at
        assert pilot.state is not PilotState.C2 or now - seen_at < 0.2 + 0.1


@given(st.lists(steps, max_size=40))
def test_ticks_before_the_deadline_and_repeated_ones_change_nothing(
    storm: list[tuple[float, float]],
) -> None:
    calm, nervous = pilot_in("B"), pilot_in("B")
    now = NEW
    for wait_s, high_v in storm:
        now += wait_s
        calm.tick(now)
        due_at = nervous.deadline
        nervous.tick(now if due_at is None else due_at - 0.0001)
        nervous.tick(now)
        assert nervous.tick(now) == []
        calm.handle(PilotSample(high_v, -12.0), now)
        nervous.handle(PilotSample(high_v, -12.0), now)
        assert (calm.state, calm.deadline) == (nervous.state, nervous.deadline)
