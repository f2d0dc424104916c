"""The power path: every step, every missed step, and power cut before anything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, nan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothat.faults import Fault
from pilothat.plant import (
    OFF,
    SAFE_V,
    CheckCable,
    Cut,
    Deliver,
    EvLimits,
    Isolation,
    LimitsSaid,
    PathPhase,
    PlantFact,
    PreCharge,
    RampDown,
    Ratings,
    Setpoint,
    Wish,
)
from pilothat.power.path import (
    BLIND_S,
    CLOSE_S,
    DISCHARGE_S,
    MEASURE_S,
    OPEN_S,
    PRECHARGE_S,
    RAMP_S,
    STALE_S,
    TEST_RAMP_S,
    WELD_CHECK_S,
    ContactorIs,
    Monitor,
    Output,
    PathAction,
    PathEvent,
    PathFailed,
    PowerPath,
    Switch,
)
from pilothat.power.regulation import LACK_A, LACK_S, OUT_OF_LIMIT_S

RATINGS = Ratings(max_v=500.0, min_v=150.0, max_a=125.0, min_a=1.0, max_w=50_000.0)
CAR = EvLimits(max_v=410.0, max_a=200.0)
TEST_V = 460.0
LIVE, DEAD = Switch(True, True), Switch(False, False)
VALID = Isolation.VALID
P = PathPhase
DC_PHASES = set(PathPhase) - {P.CLOSING}
STEP_S = 0.1
COLD = PlantFact(0.0, 0.0, 0.0)


@dataclass
class Road:
    """A path and the plant around it, a tenth of a second an event."""

    path: PowerPath
    now: float = 0.0
    plant: PlantFact = COLD

    @property
    def phase(self) -> PathPhase:
        return self.path.phase

    def tell(self, event: PathEvent) -> Sequence[PathAction]:
        self.now += STEP_S
        return self.path.handle(event, self.now)

    def measure(
        self, volts: float, amperes: float = 0.0, isolation: Isolation | None = None
    ) -> Sequence[PathAction]:
        verdict = self.plant.isolation if isolation is None else isolation
        self.plant = PlantFact(volts, volts, amperes, verdict)
        return self.tell(self.plant)

    def wait(self, duration_s: float) -> Sequence[PathAction]:
        """Let time pass while the supply repeats what it said."""
        until = self.now + duration_s
        done: list[PathAction] = []
        while self.now + STEP_S < until:
            done += self.tell(self.plant)
            done += self.path.tick(self.now)
        self.now = until
        return [*done, *self.path.handle(self.plant, until), *self.path.tick(until)]


def checking() -> Road:
    road = Road(PowerPath(RATINGS))
    road.tell(LimitsSaid(CAR))
    road.measure(0.0)
    road.tell(CheckCable())
    return road


def under_test() -> Road:
    road = checking()
    road.tell(ContactorIs(True))
    return road


def measuring() -> Road:
    road = under_test()
    road.measure(TEST_V)
    return road


def discharging() -> Road:
    road = measuring()
    road.measure(TEST_V, isolation=VALID)
    return road


def isolated() -> Road:
    road = discharging()
    road.measure(10.0)
    return road


def precharging() -> Road:
    road = isolated()
    road.tell(PreCharge(380.0))
    road.measure(380.0)
    return road


def delivering() -> Road:
    road = precharging()
    road.tell(Deliver(400.0, 100.0))
    road.measure(390.0, 100.0)
    return road


def ramping() -> Road:
    road = delivering()
    road.tell(RampDown())
    return road


def opening() -> Road:
    road = ramping()
    road.measure(390.0, 0.5)
    return road


def weld_checking() -> Road:
    road = opening()
    road.tell(ContactorIs(False))
    return road


ROADS = {
    "checking": (checking, P.CHECKING),
    "under test": (under_test, P.CHECKING),
    "measuring": (measuring, P.CHECKING),
    "discharging": (discharging, P.CHECKING),
    "isolated": (isolated, P.ISOLATED),
    "precharging": (precharging, P.PRECHARGE),
    "delivering": (delivering, P.DELIVERING),
    "ramping": (ramping, P.RAMPING),
    "opening": (opening, P.OPENING),
    "weld checking": (weld_checking, P.WELD_CHECK),
}
POWERED = [name for name in ROADS if name not in ("opening", "weld checking")]


def at(name: str) -> Road:
    return ROADS[name][0]()


@pytest.mark.parametrize("name", ROADS)
def test_road_leads_through_every_phase(name: str) -> None:
    assert at(name).phase is ROADS[name][1]


def test_every_phase_is_on_the_road() -> None:
    reached = {phase for _, phase in ROADS.values()}
    assert reached == DC_PHASES - {P.OFF, P.FAILED}


# --- one charge, step by step


def test_cable_check_closes_then_tests_then_measures_then_discharges() -> None:
    road = Road(PowerPath(RATINGS))
    road.tell(LimitsSaid(CAR))
    road.measure(0.0)
    told = [
        road.tell(CheckCable()),
        road.tell(ContactorIs(True)),
        road.measure(0.95 * TEST_V - 0.1),
        road.measure(0.95 * TEST_V),
        road.measure(TEST_V),
        road.measure(TEST_V, isolation=VALID),
        road.measure(SAFE_V),
        road.measure(SAFE_V - 0.1),
    ]
    assert [list(actions) for actions in told] == [
        [LIVE],
        [Output(Setpoint(TEST_V, 2.0, is_on=True))],
        [],
        [Monitor(on=True)],
        [],
        [Output(OFF)],
        [],
        [],
    ]
    assert (road.phase, road.path.isolation) == (P.ISOLATED, VALID)


def test_precharge_follows_every_target_with_at_most_2_a() -> None:
    road = isolated()
    targets = (380.0, 200.0, 0.0, -10.0, 900.0)
    told = [list(road.tell(PreCharge(target))) for target in targets]
    assert told == [
        [Output(Setpoint(380.0, 2.0, is_on=True))],
        [Output(Setpoint(200.0, 2.0, is_on=True))],
        [Output(Setpoint(0.0, 2.0, is_on=False))],
        [],
        [Output(Setpoint(410.0, 2.0, is_on=True))],
    ]


def test_delivery_tells_the_supply_changes_only() -> None:
    road = precharging()
    first = road.tell(Deliver(400.0, 50.0))
    again = road.tell(Deliver(400.0, 50.0))
    less = road.tell(Deliver(400.0, 20.0))
    assert list(first) == [Output(Setpoint(400.0, 50.0, is_on=True))]
    assert list(again) == []
    assert list(less) == [Output(Setpoint(400.0, 20.0, is_on=True))]


def test_new_limits_of_the_car_bind_the_next_set_point() -> None:
    road = delivering()
    road.tell(LimitsSaid(EvLimits(max_v=395.0, max_a=30.0)))
    assert list(road.tell(Deliver(400.0, 100.0))) == [
        Output(Setpoint(395.0, 30.0, is_on=True))
    ]


@pytest.mark.parametrize(("current_a", "phase"), [(1.0, P.RAMPING), (0.99, P.OPENING)])
def test_contactor_opens_below_1_a(current_a: float, phase: PathPhase) -> None:
    road = delivering()
    assert list(road.tell(RampDown())) == [Output(Setpoint(400.0, 0.0, is_on=True))]
    road.measure(390.0, current_a)
    assert road.phase is phase


def test_opening_switches_everything_off_supply_first() -> None:
    road = ramping()
    assert list(road.measure(390.0, 0.5)) == [Output(OFF), DEAD, Monitor(on=False)]


@pytest.mark.parametrize(
    ("supply_v", "outlet_v", "phase"),
    [
        (390.0, 380.0, P.WELD_CHECK),
        (390.0, 370.0, P.WELD_CHECK),
        (390.0, 369.9, P.OFF),
        (369.9, 390.0, P.OFF),
        (59.9, 59.9, P.OFF),
        (60.0, 60.0, P.WELD_CHECK),
        (0.0, 390.0, P.OFF),
    ],
)
def test_contactor_is_sound_when_its_sides_differ_or_one_is_dead(
    supply_v: float, outlet_v: float, phase: PathPhase
) -> None:
    road = weld_checking()
    road.tell(PlantFact(supply_v, outlet_v, 0.0))
    assert road.phase is phase


def test_second_charge_starts_from_scratch() -> None:
    road = weld_checking()
    road.tell(PlantFact(0.0, 0.0, 0.0))
    road.path.forget()
    assert (road.path.ev, road.path.isolation) == (EvLimits(), Isolation.INVALID)
    road.plant = PlantFact(0.0, 0.0, 0.0)
    road.tell(LimitsSaid(CAR))
    assert list(road.tell(CheckCable())) == [LIVE]
    assert list(road.tell(ContactorIs(True))) == [
        Output(Setpoint(TEST_V, 2.0, is_on=True))
    ]
    assert list(road.measure(TEST_V)) == [Monitor(on=True)]


# --- what goes wrong


def test_limits_are_what_the_sheets_and_we_chose() -> None:
    """The cable check is over within 38 s, the car waits 40 s."""
    assert CLOSE_S + TEST_RAMP_S + MEASURE_S + DISCHARGE_S == 38.0
    assert (CLOSE_S, TEST_RAMP_S, MEASURE_S, DISCHARGE_S) == (0.5, 8.0, 25.0, 4.5)
    assert (RAMP_S, OPEN_S, WELD_CHECK_S, PRECHARGE_S) == (1.0, 0.3, 3.0, 60.0)
    assert (STALE_S, OUT_OF_LIMIT_S, BLIND_S) == (0.5, 0.4, 10.0)


def test_higher_set_point_forgives_an_excess_before_the_next_report() -> None:
    road = precharging()
    road.tell(Deliver(400.0, 50.0))
    road.measure(390.0, 90.0)
    road.tell(Deliver(400.0, 100.0))
    assert failed(road.path.tick(road.now + 0.35)) == []


def failed(actions: Sequence[PathAction]) -> list[Fault]:
    return [action.fault for action in actions if isinstance(action, PathFailed)]


def assert_cut_first(actions: Sequence[PathAction]) -> None:
    """Power is off before anything is told, and nothing switches it on again."""
    assert isinstance(actions[-1], PathFailed)
    assert DEAD in actions
    assert LIVE not in actions
    outputs = [one.setpoint for one in actions if isinstance(one, Output)]
    assert outputs in ([], [OFF])


MISSED = [
    ("checking", CLOSE_S, Fault.CONTACTOR_STUCK_OPEN),
    ("under test", TEST_RAMP_S, Fault.SUPPLY_SLOW),
    ("measuring", MEASURE_S, Fault.ISOLATION_TIMEOUT),
    ("discharging", DISCHARGE_S, Fault.SUPPLY_SLOW),
    ("opening", OPEN_S, Fault.CONTACTOR_WELDED),
    ("weld checking", WELD_CHECK_S, Fault.CONTACTOR_WELDED),
]


@pytest.mark.parametrize(("name", "limit_s", "fault"), MISSED)
def test_missed_deadline_cuts_power_and_names_its_fault(
    name: str, limit_s: float, fault: Fault
) -> None:
    road = at(name)
    entered_at = road.now
    phase = road.phase
    early = road.wait(entered_at + limit_s - 0.001 - road.now)
    assert (failed(early), road.phase) == ([], phase)
    late = road.wait(0.002)
    assert failed(late) == [fault]
    assert_cut_first(late)
    assert road.phase is P.FAILED
    assert road.path.granted.setpoint == OFF


def test_supply_that_does_not_reach_the_precharge_voltage_is_named() -> None:
    road = precharging()
    road.measure(200.0)
    assert failed(road.wait(PRECHARGE_S)) == [Fault.SUPPLY_SLOW]


def test_current_above_the_precharge_limit_is_cut() -> None:
    road = precharging()
    road.measure(380.0, 20.0)
    actions = road.wait(OUT_OF_LIMIT_S + 0.001)
    assert failed(actions) == [Fault.OVERCURRENT]
    assert_cut_first(actions)


@pytest.mark.parametrize("name", ["isolated", "precharging"])
def test_car_that_does_not_go_on_is_given_up(name: str) -> None:
    road = at(name)
    phase = road.phase
    road.wait(PRECHARGE_S - STEP_S - 0.001)
    assert road.phase is phase
    actions = road.wait(STEP_S + 0.002)
    assert failed(actions) == [Fault.CAR_SLOW]
    assert_cut_first(actions)


def test_current_that_does_not_fall_is_cut_after_a_second() -> None:
    road = ramping()
    road.plant = replace(road.plant, current_a=100.0)
    road.wait(RAMP_S - 0.001)
    before = road.phase
    actions = road.wait(0.002)
    assert DEAD in actions
    assert (before, road.phase) == (P.RAMPING, P.OPENING)


@pytest.mark.parametrize("name", ROADS)
@pytest.mark.parametrize(("silent_s", "is_lost"), [(0.499, False), (0.5, True)])
def test_supply_that_stops_reporting_is_lost_after_half_a_second(
    name: str, silent_s: float, is_lost: bool
) -> None:
    """Not later than its own deadline: opening takes less."""
    road = at(name)
    road.path.handle(road.plant, road.now)
    road.path._step_until = None  # so that nothing else is due
    actions = road.path.tick(road.now + silent_s)
    assert failed(actions) == ([Fault.SUPPLY_STALE] if is_lost else [])
    assert STALE_S == 0.5


def test_supply_without_a_recent_report_is_not_switched_on() -> None:
    path = PowerPath(RATINGS)
    assert failed(path.handle(CheckCable(), 0.0)) == [Fault.SUPPLY_STALE]
    path = PowerPath(RATINGS)
    path.handle(PlantFact(0.0, 0.0, 0.0), 0.0)
    path.tick(0.5)
    assert failed(path.handle(CheckCable(), 0.6)) == [Fault.SUPPLY_STALE]


@pytest.mark.parametrize(
    "plant",
    [
        PlantFact(nan, 0.0, 0.0),
        PlantFact(0.0, nan, 0.0),
        PlantFact(0.0, 0.0, nan),
        PlantFact(0.0, inf, 0.0),
    ],
)
@pytest.mark.parametrize("name", ["measuring", "delivering"])
def test_report_that_is_no_number_is_no_report(name: str, plant: PlantFact) -> None:
    road = at(name)
    said_at, before = road.now, road.path.plant
    for _ in range(4):
        assert list(road.tell(plant)) == []
    assert road.path.plant == before
    assert failed(road.path.tick(said_at + STALE_S)) == [Fault.SUPPLY_STALE]


@pytest.mark.parametrize(
    ("supply_v", "outlet_v", "fault"),
    [
        (59.9, 59.9, []),
        (60.0, 0.0, [Fault.OUTLET_LIVE]),
        (0.0, 60.0, [Fault.OUTLET_LIVE]),
    ],
)
def test_cable_check_refuses_a_live_outlet(
    supply_v: float, outlet_v: float, fault: list[Fault]
) -> None:
    path = PowerPath(RATINGS)
    path.handle(PlantFact(supply_v, outlet_v, 0.0), 0.0)
    assert failed(path.handle(CheckCable(), 0.1)) == fault


@pytest.mark.parametrize("name", ROADS)
def test_overvoltage_cuts_at_once_in_every_phase(name: str) -> None:
    road = at(name)
    assert failed(road.measure(550.0)) == []
    if road.phase is not P.OFF:
        actions = at(name).measure(550.1)
        assert failed(actions) == [Fault.OVERVOLTAGE]
        assert_cut_first(actions)


@pytest.mark.parametrize(
    ("verdict", "fault", "phase"),
    [
        (Isolation.VALID, [], P.CHECKING),
        (Isolation.WARNING, [], P.CHECKING),
        (Isolation.FAULT, [Fault.ISOLATION], P.FAILED),
    ],
)
def test_cable_check_judges_the_isolation(
    verdict: Isolation, fault: list[Fault], phase: PathPhase
) -> None:
    road = measuring()
    assert failed(road.measure(TEST_V, isolation=verdict)) == fault
    assert (road.phase, road.path.isolation) == (phase, verdict)


def test_old_result_of_the_monitor_is_not_taken_for_a_new_one() -> None:
    """The monitor still says what it said of the last car."""
    road = Road(PowerPath(RATINGS))
    road.tell(LimitsSaid(CAR))
    road.measure(0.0, isolation=VALID)
    road.tell(CheckCable())
    road.tell(ContactorIs(True))
    road.measure(TEST_V)
    road.measure(TEST_V)
    assert road.path.isolation is Isolation.INVALID
    road.measure(TEST_V, isolation=Isolation.INVALID)
    road.measure(TEST_V, isolation=VALID)
    assert road.path.isolation is VALID


def test_monitor_that_repeats_an_old_result_for_ever_is_late() -> None:
    road = Road(PowerPath(RATINGS))
    road.measure(0.0, isolation=VALID)
    road.tell(CheckCable())
    road.tell(ContactorIs(True))
    road.measure(500.0)
    assert failed(road.wait(MEASURE_S)) == [Fault.ISOLATION_TIMEOUT]


@pytest.mark.parametrize("name", ["isolated", "precharging", "delivering", "ramping"])
def test_isolation_that_gets_lost_later_ends_the_charge(name: str) -> None:
    road = at(name)
    warned = road.measure(road.plant.outlet_v, 5.0, Isolation.WARNING)
    assert failed(warned) == []
    assert road.path.isolation is Isolation.WARNING
    actions = road.measure(road.plant.outlet_v, 5.0, Isolation.FAULT)
    assert failed(actions) == [Fault.ISOLATION]
    assert_cut_first(actions)


def test_monitor_that_falls_silent_in_the_charge_is_a_fault() -> None:
    road = delivering()
    road.plant = replace(road.plant, isolation=Isolation.INVALID)
    road.tell(road.plant)
    assert failed(road.wait(BLIND_S - 0.001)) == []
    assert failed(road.wait(0.002)) == [Fault.ISOLATION_TIMEOUT]


def test_monitor_that_is_silent_for_a_moment_is_forgiven() -> None:
    road = delivering()
    road.measure(390.0, 100.0, Isolation.INVALID)
    road.wait(BLIND_S - 0.2)
    road.measure(390.0, 100.0, VALID)
    assert failed(road.wait(1.0)) == []
    assert road.phase is P.DELIVERING


EXCESS = [
    (390.0, 110.0, False),
    (390.0, 110.1, True),
    (412.0, 100.0, False),
    (412.1, 100.0, True),
    (430.0, 1.0, False),  # without current the battery may be there
]


@pytest.mark.parametrize(("volts", "amperes", "is_excess"), EXCESS)
def test_supply_outside_its_set_point_is_cut_after_400_ms(
    volts: float, amperes: float, is_excess: bool
) -> None:
    road = delivering()
    road.measure(volts, amperes)
    assert failed(road.wait(OUT_OF_LIMIT_S - 0.001)) == []
    assert bool(failed(road.wait(0.002))) is is_excess


def test_small_currents_have_3_a_of_tolerance() -> None:
    road = precharging()
    road.tell(Deliver(400.0, 5.0))
    road.measure(390.0, 8.0)
    assert failed(road.wait(1.0)) == []
    road.measure(390.0, 8.1)
    assert failed(road.wait(OUT_OF_LIMIT_S)) == [Fault.OVERCURRENT]


def test_excess_that_ends_in_time_is_forgotten() -> None:
    road = delivering()
    road.measure(390.0, 120.0)
    road.wait(OUT_OF_LIMIT_S - 0.05)
    road.measure(390.0, 100.0)
    road.measure(390.0, 120.0)
    assert failed(road.wait(OUT_OF_LIMIT_S - 0.05)) == []


@pytest.mark.parametrize(
    ("lag_a", "is_excess"), [(0.0, False), (0.9, False), (15.0, True)]
)
def test_falling_current_has_the_time_of_100_a_a_second(
    lag_a: float, is_excess: bool
) -> None:
    """The set-point goes from 100 A to 0; the current follows, or lags behind."""
    road = delivering()
    road.tell(Deliver(400.0, 0.0))
    told_at, found = road.now, []
    for _ in range(12):
        allowed_a = max(100.0 - 100.0 * (road.now + STEP_S - told_at), 0.0)
        found += failed(road.measure(390.0, allowed_a + lag_a))
        found += failed(road.path.tick(road.now))
    assert bool(found) is is_excess


def test_second_lower_set_point_does_not_restart_the_fall() -> None:
    road = delivering()
    told_at = road.now + STEP_S
    for count in range(8):
        road.tell(Deliver(400.0, 10.0 - count))
    allowed_a = 100.0 - 100.0 * (road.now - told_at)
    assert road.path._supply.allowed_a(road.now) == pytest.approx(max(allowed_a, 3.0))


LACK = [  # the set-point is 400 V, 100 A: measured V, A, and whether that is no supply
    (370.0, 0.0, True),
    (387.9, 9.9, True),
    (387.9, 10.0, False),  # weak, but a supply
    (388.1, 0.0, False),  # as much voltage as told: it is the car that takes nothing
    (400.0, 0.0, False),
]


@pytest.mark.parametrize(("volts", "amperes", "is_dead"), LACK)
def test_supply_that_reports_but_gives_nothing_is_cut_after_10_s(
    volts: float, amperes: float, is_dead: bool
) -> None:
    road = delivering()
    road.measure(volts, amperes)
    assert failed(road.wait(LACK_S - 0.001)) == []
    actions = road.wait(0.002)
    assert failed(actions) == ([Fault.SUPPLY_SLOW] if is_dead else [])
    if is_dead:
        assert_cut_first(actions)


def test_car_that_asks_for_next_to_nothing_may_get_nothing() -> None:
    road = delivering()
    road.tell(Deliver(400.0, LACK_A - 0.1))
    road.measure(370.0, 0.0)
    assert failed(road.wait(2 * LACK_S)) == []


def test_gap_in_the_current_that_ends_in_time_is_forgotten() -> None:
    road = delivering()
    road.measure(370.0, 0.0)
    road.wait(LACK_S - 0.2)
    road.measure(370.0, 80.0)
    road.measure(370.0, 0.0)
    assert failed(road.wait(LACK_S - 0.2)) == []
    assert failed(road.wait(0.3)) == [Fault.SUPPLY_SLOW]


def test_current_may_be_missing_while_it_is_ramped_down() -> None:
    road = delivering()
    road.measure(370.0, 0.0)
    road.wait(LACK_S - 0.2)
    road.tell(RampDown())
    assert failed(road.wait(0.1)) == []


# --- wishes


WISHES: list[Wish] = [
    CheckCable(),
    PreCharge(380.0),
    Deliver(400.0, 100.0),
    RampDown(),
    Cut(),
    LimitsSaid(CAR),
]
HEARD: dict[PathPhase, set[type]] = {
    P.OFF: {CheckCable},
    P.CHECKING: {RampDown, Cut},
    P.ISOLATED: {PreCharge, RampDown, Cut},
    P.PRECHARGE: {PreCharge, Deliver, RampDown, Cut},
    P.DELIVERING: {Deliver, RampDown, Cut},
    P.RAMPING: {Cut},
    P.OPENING: set(),
    P.WELD_CHECK: set(),
    P.FAILED: set(),
}


def road_in(phase: PathPhase) -> Road:
    if phase is P.OFF:
        road = Road(PowerPath(RATINGS))
        road.measure(0.0)
        return road
    if phase is P.FAILED:
        road = delivering()
        road.measure(600.0)
        return road
    return next(make() for make, reached in ROADS.values() if reached is phase)


@pytest.mark.parametrize("phase", [one for one in PathPhase if one in DC_PHASES])
@pytest.mark.parametrize("wish", WISHES, ids=lambda wish: type(wish).__name__)
def test_wish_is_heard_in_its_phases_only(phase: PathPhase, wish: Wish) -> None:
    road = road_in(phase)
    assert road.phase is phase
    told = road.path._supply.told
    actions = list(road.tell(wish))
    if type(wish) not in HEARD[phase]:
        assert actions == []
        assert (road.phase, road.path._supply.told) == (phase, told)
    elif isinstance(wish, RampDown | Cut):
        assert road.phase in (P.RAMPING, P.OPENING, P.OFF)
        assert DEAD in actions or road.phase is P.RAMPING


@pytest.mark.parametrize("name", POWERED)
def test_cut_switches_off_at_once_and_a_second_one_adds_nothing(name: str) -> None:
    road = at(name)
    actions = list(road.tell(Cut()))
    assert actions[-2:] == [DEAD, Monitor(on=False)]
    assert road.path._supply.told == OFF
    assert list(road.tell(Cut())) == []
    assert list(road.tell(RampDown())) == []
    assert road.phase in (P.OPENING, P.WELD_CHECK, P.OFF)


def test_failed_path_stays_off_until_the_car_is_forgotten() -> None:
    road = road_in(P.FAILED)
    road.wait(10.0)
    before = road.phase
    road.path.forget()
    assert (before, road.phase) == (P.FAILED, P.OFF)


def test_forgetting_does_not_end_a_running_charge() -> None:
    road = delivering()
    road.path.forget()
    assert road.phase is P.DELIVERING


# --- anything

facts = st.builds(
    PlantFact,
    st.sampled_from([0.0, 59.0, 300.0, 390.0, 460.0, 600.0, nan]),
    st.sampled_from([0.0, 59.0, 300.0, 390.0, 460.0, 600.0]),
    st.sampled_from([0.0, 0.9, 50.0, 150.0, -20.0, inf]),
    st.sampled_from(Isolation),
)
events: st.SearchStrategy[PathEvent] = st.one_of(
    facts,
    facts,
    st.builds(ContactorIs, st.booleans()),
    st.sampled_from(WISHES),
    st.builds(Deliver, st.floats(-100, 1100), st.floats(-100, 600)),
    st.builds(PreCharge, st.floats(-100, 1100)),
)
waits = st.sampled_from([0.0, 0.02, 0.1, 0.3, 0.6, 5.0])


@settings(max_examples=150)
@given(st.sampled_from(sorted(ROADS)), st.lists(st.tuples(waits, events), max_size=40))
def test_storm_never_sets_power_beyond_limits_or_behind_an_open_contactor(
    name: str, storm: list[tuple[float, PathEvent]]
) -> None:
    road = at(name)
    told, switch = road.path._supply.told, LIVE if road.phase.is_live else DEAD
    if road.phase in (P.OPENING, P.WELD_CHECK):
        switch = DEAD
    for wait_s, event in storm:
        road.now += wait_s
        actions = [
            *road.path.tick(road.now),
            *road.path.handle(event, road.now),
        ]
        for action in actions:
            told = action.setpoint if isinstance(action, Output) else told
            switch = action if isinstance(action, Switch) else switch
        assert 0.0 <= told.voltage_v <= RATINGS.max_v
        assert 0.0 <= told.current_a <= RATINGS.max_a
        assert told.voltage_v * told.current_a <= RATINGS.max_w * 1.000001
        assert switch == LIVE or not told.is_on
        assert not road.phase.is_live or road.path.deadline is not None
        if not road.phase.is_live:
            assert switch == DEAD


HIGH = EvLimits(max_v=900.0, max_a=200.0)
DAILY: Sequence[PathEvent] = (  # few, so that they come again
    Deliver(600.0, 80.0),
    Deliver(600.0, 20.0),
    PlantFact(600.0, 600.0, 80.0, VALID),
    PlantFact(600.0, 600.0, 20.0, VALID),
    PlantFact(600.0, 600.0, 20.0, Isolation.INVALID),
    LimitsSaid(CAR),
    LimitsSaid(HIGH),
)
gaps = st.sampled_from([0.02, 0.1, 0.25, 0.4, 0.6])
days = st.lists(st.tuples(gaps, st.sampled_from(DAILY)), min_size=6, max_size=12)


@settings(max_examples=500)
@given(days, st.integers(0, 24))
def test_very_same_value_again_has_the_effect_of_an_equal_one(
    day: list[tuple[float, PathEvent]], forgotten_at: int
) -> None:
    roads = delivering(), delivering()
    for road in roads:
        road.path._ratings = replace(RATINGS, max_v=1000.0)
        for event in (LimitsSaid(HIGH), DAILY[0], DAILY[0], DAILY[2]):
            road.now += 2.0
            road.path.handle(event, road.now)
    for number, (gap_s, event) in enumerate(day):
        results = []
        for road, told in zip(roads, (event, replace(event)), strict=True):
            road.now += gap_s
            if number == forgotten_at:
                road.path.forget()
                road.path.ev = CAR
            done = [*road.path.tick(road.now), *road.path.handle(told, road.now)]
            results.append((done, road.path.deadline, road.phase))
        assert results[0] == results[1]
