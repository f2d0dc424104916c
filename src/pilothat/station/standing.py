"""The faults that stand, and what a change of the pilot means."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.faults import Fault, Reaction
from pilothat.pilot.levels import PilotState
from pilothat.plant import PathPhase
from pilothat.station.stopping import StopReason

_PILOT_FAULTS = {
    PilotState.E: Fault.CP_SHORTED,
    PilotState.INVALID: Fault.CP_INVALID,
}
_VENTILATED = (PilotState.D1, PilotState.D2)
_CAR_MUST_HOLD_C = (
    PathPhase.CHECKING,
    PathPhase.ISOLATED,
    PathPhase.PRECHARGE,
    PathPhase.DELIVERING,
    PathPhase.RAMPING,
)


# What the mirror contact tells; a lost board tells nothing, and nobody is to be blamed.
_SEEN_BY_BOARD = (Fault.CONTACTOR_WELDED, Fault.CONTACTOR_STUCK_OPEN)


class StandingFaults:
    """Every fault that came up and has not been cleared, in their order.

    Those of the guard stand as long as the guard says so, a doubt about its inputs as
    long as it is contradicted, latched ones until an operator clears them, the others
    until the car is gone.
    """

    def __init__(self) -> None:
        self._faults: dict[Fault, None] = {}
        self._of_guard: Sequence[Fault] = ()
        self._of_witness: Sequence[Fault] = ()

    def __bool__(self) -> bool:
        return bool(self._faults)

    def __contains__(self, fault: Fault) -> bool:
        return fault in self._faults

    @property
    def all(self) -> Sequence[Fault]:
        """The faults, oldest first."""
        return tuple(self._faults)

    @property
    def first(self) -> Fault | None:
        """The fault that began it."""
        for fault in self._faults:
            if fault.row.reaction is not Reaction.WAIT:
                return fault
        return None

    @property
    def lasting(self) -> Sequence[Fault]:
        """Those that keep the station out of service."""
        return [
            fault
            for fault in self._faults
            if fault.row.reaction is Reaction.LATCH or self._is_seen(fault)
        ]

    def add(self, fault: Fault) -> bool:
        """Add a fault; tell whether it is new, and can be known."""
        if fault in _SEEN_BY_BOARD and Fault.BOARD_LOST in self._of_guard:
            return False
        is_new = fault not in self._faults
        self._faults[fault] = None
        return is_new

    def clear(self, fault: Fault) -> None:
        """Drop a fault, unless it is still seen."""
        if not self._is_seen(fault):
            self._faults.pop(fault, None)

    def of_guard(self, faults: Sequence[Fault]) -> Sequence[Fault]:
        """Take what the guard sees; return what it has not seen before."""
        was, self._of_guard = self._of_guard, faults
        for fault in was:
            if fault.row.reaction is not Reaction.LATCH:
                self.clear(fault)
        return [fault for fault in faults if fault not in was]

    def of_witness(self, *, agrees: bool) -> Sequence[Fault]:
        """Take whether a second reader of the guard's inputs agrees with it."""
        self._of_witness = () if agrees else (Fault.BOARD_LOST,)
        self.clear(Fault.BOARD_LOST)
        return self._of_witness

    def _is_seen(self, fault: Fault) -> bool:
        return fault in self._of_guard or fault in self._of_witness

    def forget_car(self) -> None:
        """Drop what concerned a car that is gone."""
        lasting = self.lasting
        for fault in tuple(self._faults):
            if fault.row.reaction is Reaction.CUT and fault not in lasting:
                del self._faults[fault]

    def see_pilot(self, state: PilotState) -> None:
        """Drop the pilot's faults when it is in a state it may be in."""
        if state not in _PILOT_FAULTS and state is not PilotState.F:
            for fault in _PILOT_FAULTS.values():
                self.clear(fault)


def judge_pilot(
    was: PilotState, state: PilotState, path: PathPhase, *, has_ventilation: bool
) -> Fault | StopReason | None:
    """Return what a change of the pilot means for a charge."""
    if state in _PILOT_FAULTS:
        return _PILOT_FAULTS[state]
    if not state.is_plugged:  # F is our own doing
        return None if state is PilotState.F else StopReason.UNPLUGGED
    if path in _CAR_MUST_HOLD_C:
        if state in _VENTILATED and not has_ventilation:
            return Fault.VENTILATION
        if was.wants_energy and not state.wants_energy:
            return StopReason.CAR_OPENED
    return None
