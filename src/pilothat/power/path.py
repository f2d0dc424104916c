"""The DC power path of one outlet: supply, isolation monitor, output contactor.

Told what the session wants (check the cable, precharge, deliver, stop) and what the
plant measures; returns set-points and contactor wishes. Each step has a deadline; a
missed one is a fault, and every fault cuts power before it is reported.
Order and numbers: IEC 61851-23 annex CC as implemented by stations in the field.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.machine import earliest, is_due
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
from pilothat.power.limits import (
    PRECHARGE_A,
    TEST_A,
    Granted,
    grant,
    is_precharged,
    test_voltage_v,
    trip_voltage_v,
)
from pilothat.power.regulation import OPEN_A, Regulation

STALE_S = 0.5  # no measurement for longer: the supply is lost
CLOSE_S = 0.5  # contactor closed, at the latest
TEST_RAMP_S = 8.0  # test voltage reached
MEASURE_S = 25.0  # isolation monitor, self-test included
BLIND_S = 10.0  # our choice: no result while voltage is on, a few of its cycles
DISCHARGE_S = 4.5  # below 60 V again; all of the cable check within 38 s
PRECHARGE_S = 60.0  # the car gives up after 7 s; some poll longer
RAMP_S = 1.0  # current below OPEN_A
OPEN_S = 0.3  # contactor open
WELD_CHECK_S = 3.0
WELD_GAP_V = 20.0  # both sides of an open contactor differ by more


@dataclass(frozen=True, slots=True)
class ContactorIs:
    """What the mirror contact says."""

    is_closed: bool


PathEvent = Wish | ContactorIs | PlantFact


@dataclass(frozen=True, slots=True)
class Output:
    """A set-point for the supply."""

    setpoint: Setpoint


@dataclass(frozen=True, slots=True)
class Switch:
    """What the guard shall do with contactor and supply-enable."""

    is_contactor_closed: bool
    is_supply_enabled: bool


@dataclass(frozen=True, slots=True)
class Monitor:
    """Start or stop the isolation monitor."""

    on: bool


@dataclass(frozen=True, slots=True)
class PathFailed:
    """Power has been cut because of this."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class Note:
    """Something that people must know."""

    text: str


PathAction = Output | Switch | Monitor | PathFailed | Note

_BLINDABLE = (PathPhase.PRECHARGE, PathPhase.DELIVERING, PathPhase.RAMPING)
_LEAVING = (PathPhase.OPENING, PathPhase.WELD_CHECK)
_LIVE = Switch(is_contactor_closed=True, is_supply_enabled=True)
_DEAD = Switch(is_contactor_closed=False, is_supply_enabled=False)


class PowerPath:
    """Drive the power path of one outlet through one session after the other."""

    def __init__(self, ratings: Ratings) -> None:
        self.phase = PathPhase.OFF
        self.plant = PlantFact(0.0, 0.0, 0.0)
        self.granted = Granted(OFF)
        self._deal = ((0.0, 0.0, EvLimits()), Granted(OFF))  # the last wish, its grant
        self.isolation = Isolation.INVALID
        self.ev = EvLimits()
        self._ratings = ratings
        self._is_closed = False
        self._is_measuring = False
        self._has_tested = False
        self._is_fresh = False  # the monitor has let go of its last result
        self._step_until: float | None = None
        self._blind_at: float | None = None
        self._stale_at: float | None = None
        self._supply = Regulation()
        self._wish: Deliver | None = None  # the last one
        self._judged_for: EvLimits | None = None  # the measurement, in this phase
        self._is_steady = False

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return earliest(
            self._step_until, self._stale_at, self._supply.deadline, self._blind_at
        )

    def handle(self, event: PathEvent, now: float) -> Sequence[PathAction]:
        """Take a wish of the session or a fact of the plant."""
        if self._is_steady and (event is self.plant or event is self._wish):
            if event is self.plant:
                self._stale_at = now + STALE_S
            return ()
        actions = self._take(event, now)
        self._is_steady = self._has_settled()
        return actions

    def _has_settled(self) -> bool:
        """Tell whether the very same wish and measurement again change nothing."""
        return (
            self.phase is PathPhase.DELIVERING
            and self._judged_for is self.ev
            and self._supply.has_fallen
        )

    def _take(self, event: PathEvent, now: float) -> Sequence[PathAction]:
        match event:
            case PlantFact():
                return self._measured(event, now)
            case ContactorIs(is_closed):
                self._is_closed = is_closed
                return self._advance(now)
        return self._wished(event, now)

    def tick(self, now: float) -> Sequence[PathAction]:
        """Let time pass."""
        if is_due(self._stale_at, now):
            self._stale_at = None
            if self.phase.is_live:
                return self._fail(Fault.SUPPLY_STALE, now)
        if (fault := self._supply.tick(now)) is not None:
            return self._fail(fault, now)
        if is_due(self._blind_at, now):
            return self._fail(Fault.ISOLATION_TIMEOUT, now)
        if is_due(self._step_until, now):
            return self._missed(now)
        return ()

    def forget(self) -> None:
        """Start a new session: limits and isolation of the last car do not count."""
        self.ev, self.isolation = EvLimits(), Isolation.INVALID
        self._is_steady = False
        if self.phase is PathPhase.FAILED:
            self.phase = PathPhase.OFF

    def _wished(self, wish: Wish, now: float) -> Sequence[PathAction]:
        match wish:
            case Deliver():
                return self._deliver(wish, now)
            case PreCharge(voltage_v):
                return self._precharge(voltage_v, now)
            case LimitsSaid(ev):
                self.ev = ev
            case CheckCable():
                return self._check_cable(now)
            case RampDown():
                return self._ramp_down(now)
            case Cut() if self.phase.is_live and self.phase not in _LEAVING:
                return self._open(now)
        return ()

    def _check_cable(self, now: float) -> Sequence[PathAction]:
        if self.phase is not PathPhase.OFF:
            return ()
        if self._stale_at is None:
            return self._fail(Fault.SUPPLY_STALE, now)
        if max(self.plant.outlet_v, self.plant.supply_v) >= SAFE_V:
            return self._fail(Fault.OUTLET_LIVE, now)
        self.isolation = Isolation.INVALID
        self._is_measuring = self._has_tested = self._is_fresh = False
        self._enter(PathPhase.CHECKING, now + CLOSE_S)
        return (_LIVE,)

    def _precharge(self, voltage_v: float, now: float) -> Sequence[PathAction]:
        if self.phase not in (PathPhase.ISOLATED, PathPhase.PRECHARGE):
            return ()
        if self.phase is PathPhase.ISOLATED:
            self._enter(PathPhase.PRECHARGE, now + PRECHARGE_S)
        self.granted = grant(voltage_v, PRECHARGE_A, self._ratings, self._without_a())
        return self._set(self.granted.setpoint)

    def _deliver(self, wanted: Deliver, now: float) -> Sequence[PathAction]:
        if self.phase not in (PathPhase.PRECHARGE, PathPhase.DELIVERING):
            return ()
        if self.phase is PathPhase.PRECHARGE:
            self._enter(PathPhase.DELIVERING, None)
        self._wish, voltage_v, current_a = wanted, wanted.voltage_v, wanted.current_a
        wish = (voltage_v, current_a, self.ev)
        if wish != self._deal[0]:
            self._deal = (wish, grant(voltage_v, current_a, self._ratings, self.ev))
        self.granted = self._deal[1]
        self._supply.turn(now)
        actions = self._set(self.granted.setpoint)
        self._supply.judge(self.plant, self.phase, now)
        return actions

    def _ramp_down(self, now: float) -> Sequence[PathAction]:
        if self.phase in (PathPhase.CHECKING, PathPhase.ISOLATED, PathPhase.PRECHARGE):
            return self._open(now)  # there is no current to speak of
        if self.phase is not PathPhase.DELIVERING:
            return ()
        self._enter(PathPhase.RAMPING, now + RAMP_S)
        self._supply.forget()
        told = self._supply.told
        held = Setpoint(told.voltage_v, 0.0, is_on=told.is_on)
        return (*self._set(held), *self._advance(now))

    def _measured(self, plant: PlantFact, now: float) -> Sequence[PathAction]:
        if not plant.is_measured:
            return ()  # soon the supply counts as lost
        self.plant, self._stale_at = plant, now + STALE_S
        if not self.phase.is_live:
            return ()
        if plant.outlet_v > trip_voltage_v(self._ratings, self.ev):
            return self._fail(Fault.OVERVOLTAGE, now)
        self._watch_isolation(plant.isolation, now)
        if self.isolation is Isolation.FAULT:
            return self._fail(Fault.ISOLATION, now)
        self._judged_for = self.ev
        self._supply.judge(plant, self.phase, now)
        return self._advance(now)

    def _watch_isolation(self, verdict: Isolation, now: float) -> None:
        """Take the monitor's verdict, and note whether it has one."""
        is_blind = verdict is Isolation.INVALID
        self._is_fresh |= is_blind
        if self._has_tested and not is_blind:
            self.isolation = verdict
        if is_blind and self.phase in _BLINDABLE:
            self._blind_at = earliest(self._blind_at, now + BLIND_S)
        else:
            self._blind_at = None

    def _advance(self, now: float) -> Sequence[PathAction]:
        """Go on when what the present step waits for has come."""
        match self.phase:
            case PathPhase.CHECKING if self._is_closed:
                return self._advance_check(now)
            case PathPhase.RAMPING if abs(self.plant.current_a) < OPEN_A:
                return self._open(now)
            case PathPhase.OPENING if not self._is_closed:
                self._enter(PathPhase.WELD_CHECK, now + WELD_CHECK_S)
                return self._advance(now)
            case PathPhase.WELD_CHECK if self._contactor_separates():
                self._enter(PathPhase.OFF, None)
        return ()

    def _advance_check(self, now: float) -> Sequence[PathAction]:
        """Cable check: test voltage on, measure, discharge."""
        test_v = test_voltage_v(self._ratings, self.ev)
        if self._has_tested:
            if self.plant.outlet_v < SAFE_V:
                self._enter(PathPhase.ISOLATED, now + PRECHARGE_S)
        elif self._supply.told == OFF:
            self._step_until = now + TEST_RAMP_S
            return self._set(Setpoint(test_v, TEST_A, is_on=True))
        elif not self._is_measuring:
            if self.plant.outlet_v >= 0.95 * test_v:
                self._is_measuring, self._step_until = True, now + MEASURE_S
                return (Monitor(on=True),)
        elif self._is_fresh and self.plant.isolation is not Isolation.INVALID:
            return self._judge_isolation(now)
        return ()

    def _judge_isolation(self, now: float) -> Sequence[PathAction]:
        self.isolation, self._has_tested = self.plant.isolation, True
        if self.isolation is Isolation.FAULT:
            return self._fail(Fault.ISOLATION, now)
        self._step_until = now + DISCHARGE_S
        return self._set(OFF)

    def _contactor_separates(self) -> bool:
        supply_v, outlet_v = self.plant.supply_v, self.plant.outlet_v
        return min(supply_v, outlet_v) < SAFE_V or abs(supply_v - outlet_v) > WELD_GAP_V

    def _missed(self, now: float) -> Sequence[PathAction]:
        """Take the end of the time a step has."""
        if self.phase is PathPhase.RAMPING:
            self._step_until = None
            return self._cut(PathPhase.OPENING, now)
        return self._fail(self._fault_of_step(), now)

    def _fault_of_step(self) -> Fault:
        """Return what it means that the present step was not done in time."""
        match self.phase:
            case PathPhase.CHECKING if not self._is_closed:
                return Fault.CONTACTOR_STUCK_OPEN
            case PathPhase.CHECKING if self._is_measuring and not self._has_tested:
                return Fault.ISOLATION_TIMEOUT
            case PathPhase.OPENING | PathPhase.WELD_CHECK:
                return Fault.CONTACTOR_WELDED
            case PathPhase.ISOLATED:
                return Fault.CAR_SLOW
            case PathPhase.PRECHARGE if is_precharged(
                self.plant.outlet_v, self._supply.told.voltage_v
            ):
                return Fault.CAR_SLOW
        return Fault.SUPPLY_SLOW

    def _fail(self, fault: Fault, now: float) -> Sequence[PathAction]:
        actions = self._cut(PathPhase.FAILED, now)
        self._step_until = None
        return (*actions, PathFailed(fault))

    def _open(self, now: float) -> Sequence[PathAction]:
        return self._cut(PathPhase.OPENING, now)

    def _cut(self, phase: PathPhase, now: float) -> Sequence[PathAction]:
        self._enter(phase, now + OPEN_S)
        self._blind_at = None
        self._supply.forget()
        self.granted = Granted(OFF)
        return (*self._set(OFF), _DEAD, Monitor(on=False), *self._advance(now))

    def _set(self, setpoint: Setpoint) -> Sequence[PathAction]:
        if setpoint == self._supply.told:
            return ()
        self._supply.told = setpoint
        return (Output(setpoint),)

    def _without_a(self) -> EvLimits:
        return EvLimits(max_v=self.ev.max_v)

    def _enter(self, phase: PathPhase, deadline: float | None) -> None:
        self.phase, self._step_until = phase, deadline
        self._judged_for, self._is_steady = None, False
