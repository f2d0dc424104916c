"""The one stopping path: the list of every reason, its order, and who takes over.

The table beside this file is the contract: control_pilot (F at least 300 ms, E/F at
least 4 s, X1 at least 3 s), v2g_din section 3 (answer, oscillator off, TCP close) and
V2G-DC-672 (the oscillator is retained after a good end).
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from pilothat.plant import PathPhase
from pilothat.station.phases import Phase
from pilothat.station.stopping import PLANS, Effect, Stopper, StopReason, StopView

ROWS = list(csv.DictReader((Path(__file__).parent / "stopping.csv").open()))
every_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["reason"])
DONE = StopView(False, False, PathPhase.OFF, False)
STUCK = StopView(True, True, PathPhase.DELIVERING, True)
LIMITS_S = {
    "announce": 12.0,
    "ramp down": 1.5,
    "open": 0.5,
    "welding check": 4.0,
    "hear the car out": 10.0,
    "notice": 1.0,
    "retain PWM": 1.5,
    "hold fault": 1.0,
    "linger": 0.3,
}
HELD_S = {  # waits that nothing shortens
    StopReason.REFUSED: 0.3,
    StopReason.SILENT: 0.3,
    StopReason.SETUP_TIMEOUT: 0.3,
    StopReason.CONNECTION_LOST: 0.3,
    StopReason.LINK_LOST: 0.3,
    StopReason.FAULT: 1.3,
}


def walk(stopper: Stopper, view: StopView, now: float) -> list[Effect]:
    """Go on until nothing more happens at this moment."""
    effects: list[Effect] = []
    while more := stopper.handle(view, now):
        effects += more
    return effects


def walk_late(stopper: Stopper, view: StopView) -> tuple[list[Effect], float]:
    """Miss every deadline; return what was done and how long it took."""
    effects, now = walk(stopper, view, 0.0), 0.0
    for _ in range(20):
        if stopper.deadline is None:
            return effects, now
        now = stopper.deadline
        effects += walk(stopper, view, now)
    raise AssertionError("the walk does not end")


def test_table_has_every_reason() -> None:
    assert {row["reason"] for row in ROWS} == set(StopReason.__members__)
    assert set(PLANS) == set(StopReason)


@every_row
def test_plan_has_the_steps_of_its_row(row: dict[str, str]) -> None:
    plan = PLANS[StopReason[row["reason"]]]
    assert "|".join(step.name for step in plan.steps) == row["steps"]
    assert plan.then is Phase[row["then"]]
    if row["retry"]:
        steps = [tuple(map(float, one.split(":"))) for one in row["retry"].split()]
        assert list(plan.retry) == steps


@every_row
def test_steps_have_their_limits(row: dict[str, str]) -> None:
    for step in PLANS[StopReason[row["reason"]]].steps:
        assert step.limit_s == LIMITS_S.get(step.name, 0.0)


@every_row
def test_walk_ends_where_its_row_says_when_all_goes_well(row: dict[str, str]) -> None:
    stopper = Stopper()
    first = list(stopper.begin(StopReason[row["reason"]], 0.0))
    effects, took_s = walk_late(stopper, DONE)
    wanted = [step.effect for step in PLANS[StopReason[row["reason"]]].steps]
    acts = [effect for effect in first + effects if effect is not Effect.NOTHING]
    assert acts == [effect for effect in wanted if effect is not Effect.NOTHING]
    assert stopper.finish() is Phase[row["then"]]
    assert stopper.finish() is None
    assert took_s == pytest.approx(HELD_S.get(StopReason[row["reason"]], 0.0))


@every_row
def test_walk_ends_and_cuts_power_even_if_nothing_does_what_it_should(
    row: dict[str, str],
) -> None:
    stopper = Stopper()
    effects = list(stopper.begin(StopReason[row["reason"]], 0.0))
    late, took_s = walk_late(stopper, STUCK)
    assert stopper.finish() is Phase[row["then"]]
    assert took_s < 30.0
    if row["reason"] not in ("NOT_MATCHED", "AUTHORISED"):  # no power was ever on
        assert Effect.CUT in effects + late


@every_row
def test_pilot_is_off_before_the_connection_closes(row: dict[str, str]) -> None:
    steps = row["steps"].split("|")
    if "close" in steps and row["reason"] != "UNPLUGGED":
        off = next(s for s in steps if s in ("pilot off", "pilot fault"))
        assert steps.index(off) < steps.index("close")


@every_row
def test_power_goes_before_the_pilot(row: dict[str, str]) -> None:
    """But where the pilot is gone already, or power never was."""
    steps = row["steps"].split("|")
    if row["reason"] not in ("UNPLUGGED", "NOT_MATCHED", "AUTHORISED"):
        power = min(steps.index(s) for s in ("cut", "ramp down") if s in steps)
        pilot = min(steps.index(s) for s in ("pilot off", "pilot fault") if s in steps)
        assert power < steps.index("open") < pilot


@pytest.mark.parametrize("reason", StopReason, ids=lambda reason: reason.name)
@pytest.mark.parametrize("other", StopReason, ids=lambda reason: reason.name)
def test_only_a_graver_reason_takes_over(reason: StopReason, other: StopReason) -> None:
    stopper = Stopper()
    stopper.begin(reason, 0.0)
    effects = stopper.begin(other, 1.0)
    takes_over = PLANS[other].gravity > PLANS[reason].gravity
    assert bool(effects) is takes_over
    assert stopper.reason is (other if takes_over else reason)


def test_order_of_gravity() -> None:
    by_gravity = sorted({plan.gravity for plan in PLANS.values()})
    names = [
        {reason.name for reason, plan in PLANS.items() if plan.gravity == gravity}
        for gravity in by_gravity
    ]
    assert names[0] == {"CAR_DONE", "PAUSED", "USER", "SHUTDOWN"}
    assert names[-2:] == [{"FAULT"}, {"UNPLUGGED"}]


@pytest.mark.parametrize(
    ("reason", "limit_s", "view"),
    [
        (StopReason.USER, 12.0, StopView(True, True, PathPhase.DELIVERING, True)),
        (StopReason.CAR_DONE, 1.5, StopView(False, True, PathPhase.RAMPING, True)),
    ],
)
def test_missed_deadline_about_power_cuts(
    reason: StopReason, limit_s: float, view: StopView
) -> None:
    stopper = Stopper()
    stopper.begin(reason, 0.0)
    assert walk(stopper, view, limit_s - 0.001) == []
    assert walk(stopper, view, limit_s)[0] is Effect.CUT


@pytest.mark.parametrize(
    ("phase", "is_closed", "is_open"),
    [
        (PathPhase.FAILED, False, True),
        (PathPhase.OFF, False, True),
        (PathPhase.WELD_CHECK, False, True),
        (PathPhase.FAILED, True, False),
        (PathPhase.OFF, True, False),
        (PathPhase.OPENING, False, False),
        (PathPhase.DELIVERING, False, False),
    ],
)
def test_pilot_goes_to_f_only_when_path_and_contactor_are_open(
    phase: PathPhase, is_closed: bool, is_open: bool
) -> None:
    stopper = Stopper()
    stopper.begin(StopReason.FAULT, 0.0)
    effects = walk(stopper, StopView(True, True, phase, is_closed), 0.0)
    assert (Effect.PILOT_FAULT in effects) is is_open


def test_nothing_to_stop_is_nothing_to_do() -> None:
    stopper = Stopper()
    assert (stopper.step, stopper.deadline, stopper.finish()) == (None, None, None)
    assert list(stopper.handle(DONE, 1.0)) == []
