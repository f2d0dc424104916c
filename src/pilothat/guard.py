"""The guard: the second of three nets that keep the contactor open when in doubt.

It alone decides what the pins do. The contactor may be closed and the supply enabled
only while

  * the main program renews its lease (``LEASE_S``; while nothing is on and nothing is
    asked for only the pilot hangs on it, and it lasts ``CALM_LEASE_S``), and
  * the pilot is in C (or D, where there is ventilation) with a good diode, and
  * every input of the safety chain is good.

To begin, PWM must run and the diode must have been seen to work; a charge that runs may
lose the PWM, so that the car can stop by itself.

When one of these ends, power is cut and stays cut: the main program must first ask for
an open contactor before it may ask for a closed one again. Losing the pilot or the
safety chain cuts supply and contactor at once; losing the lease, or a wish to open
while the supply is on, cuts the supply at once and the contactor after ``HOLDOFF_S``,
because nothing is wrong outside and the current has then fallen. The pilot changes only
after the contactor was told to open.

The same machine runs in the guard process on a board and in the twin's world.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.machine import earliest, is_due
from pilothat.pilot.duty import FAULT_PCT, check_drivable
from pilothat.pilot.levels import PilotSample, PilotState
from pilothat.pilot.machine import Driven, Pilot, PilotChange
from pilothat.ports import Interlocks

LEASE_S = 0.25  # main renews every 50 ms
CALM_LEASE_S = 1.0  # our choice: a stall shorter than a car notices is no fault
HOLDOFF_S = 0.05  # our choice: the supply's enable line acts in 20..30 ms
CONTACTOR_MOVES_S = 0.15  # our choice: three times the slowest relay allowed


@dataclass(frozen=True, slots=True)
class Want:
    """What the guard shall drive, as long as the lease is renewed.

    duty_pct: 0 is state F, 5 digital communication, 100 no PWM (X1)
    """

    duty_pct: float
    is_contactor_closed: bool
    is_supply_enabled: bool


@dataclass(frozen=True, slots=True)
class Lease:
    """The main program lives, has finished a loop turn, and wants this."""

    want: Want


@dataclass(frozen=True, slots=True)
class Feedback:
    """What the mirror contact of the output contactor says."""

    is_closed: bool


@dataclass(frozen=True, slots=True)
class BoardLost:
    """The board's driver reported an error: nothing measured is true any more."""


@dataclass(frozen=True, slots=True)
class BoardBack:
    """The board was opened anew: its contactor is open, and its pilot in state F."""


GuardEvent = PilotSample | Lease | Feedback | Interlocks | BoardLost | BoardBack


@dataclass(frozen=True, slots=True)
class DrivePilot:
    """Drive this duty on CP."""

    duty_pct: float


@dataclass(frozen=True, slots=True)
class DriveContactor:
    """Drive the output contactor."""

    is_closed: bool


@dataclass(frozen=True, slots=True)
class DriveSupply:
    """Drive the enable line of the supply."""

    is_on: bool


@dataclass(frozen=True, slots=True)
class PilotFact:
    """The guard's debounced view of the pilot.

    duty_pct: the duty that is driven, not the one wanted
    """

    state: PilotState
    high_v: float
    low_v: float | None
    duty_pct: float


@dataclass(frozen=True, slots=True)
class GuardFact:
    """The guard's outputs as they are, and the faults it sees.

    is_contactor_closed: what the mirror contact says, not what is driven
    """

    is_contactor_closed: bool
    is_supply_enabled: bool
    faults: tuple[Fault, ...] = ()


GuardAction = DrivePilot | DriveContactor | DriveSupply | PilotFact | GuardFact
SAFE = Want(FAULT_PCT, is_contactor_closed=False, is_supply_enabled=False)


class Guard:
    """Decide what the pins do. Fed with samples, leases and inputs."""

    def __init__(self, *, has_ventilation: bool = False) -> None:
        self.pilot = Pilot()
        self._has_ventilation = has_ventilation
        self._want = SAFE
        self._driven = SAFE
        self._lease_until: float | None = None
        self._cut_at: float | None = None  # contactor, after the supply was cut
        self._must_rearm = False
        self._lease_lost = False
        self._is_board_lost = False
        self._interlocks = Interlocks()
        self._is_closed = False
        self._moved_by: float | None = None  # the contactor must have followed by then
        self._contactor_fault: Fault | None = None
        self._told = GuardFact(is_contactor_closed=False, is_supply_enabled=False)

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return earliest(
            self.pilot.deadline, self._lease_until, self._cut_at, self._moved_by
        )

    @property
    def driven(self) -> Want:
        """What the pins are told now."""
        return self._driven

    @property
    def _is_live(self) -> bool:
        return self._driven.is_contactor_closed or self._driven.is_supply_enabled

    def handle(self, event: GuardEvent, now: float) -> Sequence[GuardAction]:
        """Take one event."""
        changes: Sequence[PilotChange] = ()
        self._expire(now)  # a renewal that comes too late is none
        if self._is_mere_renewal(event):
            self._lease_until = now + self._lease_s(self._want)
            return ()
        match event:
            case PilotSample():
                changes = self.pilot.handle(event, now)
            case Lease(want):
                check_drivable(want.duty_pct)
                self._take_lease(want, now)
            case Feedback(is_closed):
                self._is_closed = is_closed
            case Interlocks():
                self._interlocks = event
            case BoardLost():
                self._is_board_lost = True
            case BoardBack():
                self._begin_anew()
        return self._settle(changes, now)

    def tick(self, now: float) -> Sequence[GuardAction]:
        """Let time pass."""
        self._expire(now)
        return self._settle(self.pilot.tick(now), now)

    def _expire(self, now: float) -> None:
        if is_due(self._lease_until, now):
            self._lease_until, self._lease_lost = None, True
            self._must_rearm |= self._is_live
            if self._driven.is_contactor_closed:
                self._cut_at = now + HOLDOFF_S

    def _is_mere_renewal(self, event: GuardEvent) -> bool:
        """Tell whether a lease wants nothing but to go on with what is driven."""
        return (
            self._lease_until is not None
            and not self._lease_lost
            and isinstance(event, Lease)
            and event.want == self._want == self._driven
        )

    def _take_lease(self, want: Want, now: float) -> None:
        if not (want.is_contactor_closed or want.is_supply_enabled):
            self._must_rearm = False
        if not self._must_rearm:
            self._lease_lost = False
            self._cut_at = None if want.is_contactor_closed else self._cut_at
        self._want, self._lease_until = want, now + self._lease_s(want)

    def _begin_anew(self) -> None:
        """Know nothing of what is driven or wanted: power must be asked for again."""
        self._is_board_lost = self._lease_lost = False
        self._must_rearm = True
        self._want = self._driven = SAFE
        self._is_closed, self._interlocks = False, Interlocks()
        self._lease_until = self._cut_at = self._moved_by = None

    def _lease_s(self, want: Want) -> float:
        is_at_stake = (
            self._is_live or want.is_contactor_closed or want.is_supply_enabled
        )
        return LEASE_S if is_at_stake else CALM_LEASE_S

    def _settle(
        self, changes: Sequence[PilotChange], now: float
    ) -> Sequence[GuardAction]:
        actions: list[GuardAction] = [_fact(change) for change in changes]
        self._watch_contactor(now)
        actions += self._drive(now)
        fact = GuardFact(
            self._is_closed, self._driven.is_supply_enabled, self._faults()
        )
        if fact != self._told:
            self._told = fact
            actions.append(fact)
        return actions

    def _drive(self, now: float) -> Sequence[GuardAction]:
        """Drive what is wanted and allowed: first what makes safe, the pilot last."""
        is_allowed, is_closed = (
            self._is_power_allowed(),
            self._driven.is_contactor_closed,
        )
        if is_closed or self._driven.is_supply_enabled:
            self._must_rearm |= self._lease_lost or not is_allowed
        may_close = is_allowed and not self._must_rearm and not self._lease_lost
        may_close = may_close and (is_closed or self._may_begin())
        if self._driven.is_supply_enabled and not self._want.is_contactor_closed:
            self._cut_at = now + HOLDOFF_S
        is_held = is_allowed and self._cut_at is not None and now < self._cut_at
        closed = (may_close and self._want.is_contactor_closed) or is_held
        enabled = may_close and self._want.is_supply_enabled
        if not closed:
            self._cut_at = None
        goal = Want(self._duty(closed), closed, enabled)
        return self._apply(self._want if goal == self._want else goal, now)

    def _duty(self, closed: bool) -> float:  # noqa: FBT001 - one private caller
        if closed and self._cut_at is not None:
            return self._driven.duty_pct
        is_leased = self._lease_until is not None and not self._is_board_lost
        return self._want.duty_pct if is_leased else FAULT_PCT

    def _apply(self, goal: Want, now: float) -> Sequence[GuardAction]:
        actions: list[GuardAction] = []
        was, self._driven = self._driven, goal
        if goal.is_supply_enabled != was.is_supply_enabled:
            actions.append(DriveSupply(goal.is_supply_enabled))
        if goal.is_contactor_closed != was.is_contactor_closed:
            actions.append(DriveContactor(goal.is_contactor_closed))
            self._moved_by = now + CONTACTOR_MOVES_S
        if goal.duty_pct != was.duty_pct:
            actions.append(DrivePilot(goal.duty_pct))
            changes = self.pilot.handle(Driven(goal.duty_pct), now)
            actions += [_fact(change) for change in changes]
        return actions

    def _is_power_allowed(self) -> bool:
        state = self.pilot.state
        is_ventilated = self._has_ventilation or state not in (
            PilotState.D1,
            PilotState.D2,
        )
        return (
            state.wants_energy
            and is_ventilated
            and not self.pilot.is_diode_bad
            and not self._is_board_lost
            and self._interlocks.is_good
            and self._contactor_fault is None
        )

    def _may_begin(self) -> bool:
        """Tell whether a car offers what closing needs: PWM answered, diode seen."""
        is_running = self.pilot.state in (PilotState.C2, PilotState.D2)
        return is_running and self.pilot.is_diode_proven

    def _watch_contactor(self, now: float) -> None:
        follows = self._is_closed == self._driven.is_contactor_closed
        if follows:
            self._moved_by = self._contactor_fault = None
        elif self._moved_by is None and self._contactor_fault is None:
            self._moved_by = now + CONTACTOR_MOVES_S
        elif is_due(self._moved_by, now):
            self._moved_by = None
            self._contactor_fault = (
                Fault.CONTACTOR_WELDED
                if self._is_closed
                else Fault.CONTACTOR_STUCK_OPEN
            )

    def _faults(self) -> tuple[Fault, ...]:
        chain = self._interlocks
        found = (
            (self.pilot.is_diode_bad, Fault.CP_DIODE),
            (not chain.is_estop_released, Fault.EMERGENCY_STOP),
            (not chain.is_rcm_good, Fault.RESIDUAL_CURRENT),
            (not chain.is_temperature_good, Fault.TEMPERATURE),
            (self._lease_lost, Fault.LEASE_LOST),
            (self._is_board_lost, Fault.BOARD_LOST),
        )
        faults = tuple(fault for is_there, fault in found if is_there)
        return faults + ((self._contactor_fault,) if self._contactor_fault else ())


def _fact(change: PilotChange) -> PilotFact:
    sample = change.sample
    return PilotFact(change.state, sample.high_v, sample.low_v, change.duty_pct)
