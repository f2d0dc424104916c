"""A path that switches nothing: for benches without supply and isolation monitor.

Cable check and precharge are said to have gone well, so that a car, or its modem on a
table, can be talked with up to the charging loop. Contactor and supply stay off
whatever happens, and everybody is told that nothing here was measured.
"""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.plant import (
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
)
from pilothat.power.limits import PRECHARGE_A, grant
from pilothat.power.path import Note, PathAction, PathEvent

SIMULATED = (
    "SIMULATED: cable check and precharge are not measured, no power is switched"
)
_NOTHING = PlantFact(0.0, 0.0, 0.0)


class NoPower:
    """Say that all is well, with the face of ``PowerPath``."""

    deadline: float | None = None

    def __init__(self, ratings: Ratings) -> None:
        self.phase = PathPhase.OFF
        self.plant = _NOTHING
        self.isolation = Isolation.INVALID
        self.ev = EvLimits()
        self._ratings = ratings

    def handle(self, event: PathEvent, now: float) -> Sequence[PathAction]:  # noqa: ARG002 - the path's
        """Take a wish of the session; facts of the plant are no matter."""
        phase = self.phase
        match event:
            case LimitsSaid(ev):
                self.ev = ev
            case CheckCable() if phase is PathPhase.OFF:
                self.phase, self.isolation = PathPhase.ISOLATED, Isolation.VALID
                return (Note(SIMULATED),)
            case PreCharge(voltage_v) if phase in (
                PathPhase.ISOLATED,
                PathPhase.PRECHARGE,
            ):
                self._show(PathPhase.PRECHARGE, voltage_v)
            case Deliver(voltage_v) if phase in (
                PathPhase.PRECHARGE,
                PathPhase.DELIVERING,
            ):
                self._show(PathPhase.DELIVERING, voltage_v)
            case RampDown() | Cut():
                self.phase, self.plant = PathPhase.OFF, _NOTHING
        return ()

    def tick(self, now: float) -> Sequence[PathAction]:  # noqa: ARG002 - the path's
        """Let time pass."""
        return ()

    def forget(self) -> None:
        """Start a new session."""
        self.ev, self.isolation = EvLimits(), Isolation.INVALID

    def _show(self, phase: PathPhase, voltage_v: float) -> None:
        granted = grant(voltage_v, PRECHARGE_A, self._ratings, self.ev)
        shown_v = granted.setpoint.voltage_v
        self.phase, self.plant = phase, PlantFact(shown_v, shown_v, 0.0)
