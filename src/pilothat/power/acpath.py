"""The AC power path of one outlet: a contactor between mains and car.

The car draws what the pilot or the messages allow; nothing is regulated here. Told when
to close and to open, it watches that the contactor follows. Numbers: ISO 15118-2
(V2G2-862: closed 3 s after C), IEC 61851-1 (open within 100 ms, the guard's job).
"""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.faults import Fault
from pilothat.machine import is_due
from pilothat.plant import (
    Cut,
    Energise,
    EvLimits,
    Isolation,
    PathPhase,
    PlantFact,
    RampDown,
    Wish,
)
from pilothat.power.path import (
    ContactorIs,
    PathAction,
    PathEvent,
    PathFailed,
    Switch,
)

CLOSE_S = 3.0
OPEN_S = 0.3
_CLOSE = Switch(is_contactor_closed=True, is_supply_enabled=False)
_OPEN = Switch(is_contactor_closed=False, is_supply_enabled=False)


class AcPath:
    """Drive the contactor of an AC outlet, with the face of ``PowerPath``."""

    isolation = Isolation.INVALID  # nothing is measured on AC

    def __init__(self) -> None:
        self.phase = PathPhase.OFF
        self.plant = PlantFact(0.0, 0.0, 0.0)
        self.ev = EvLimits()
        self.deadline: float | None = None
        self._is_closed = False

    def handle(self, event: PathEvent, now: float) -> Sequence[PathAction]:
        """Take a wish of the session or a fact of the plant."""
        match event:
            case PlantFact():
                self.plant = event
            case ContactorIs(is_closed):
                self._is_closed = is_closed
                return self._advance()
            case _:
                return self._wished(event, now)
        return ()

    def tick(self, now: float) -> Sequence[PathAction]:
        """Let time pass."""
        if not is_due(self.deadline, now):
            return ()
        is_stuck = self.phase is PathPhase.CLOSING
        fault = Fault.CONTACTOR_STUCK_OPEN if is_stuck else Fault.CONTACTOR_WELDED
        self._enter(PathPhase.FAILED, None)
        return (_OPEN, PathFailed(fault))

    def forget(self) -> None:
        """Start a new session."""
        if self.phase is PathPhase.FAILED:
            self._enter(PathPhase.OFF, None)

    def _wished(self, wish: Wish, now: float) -> Sequence[PathAction]:
        match wish:
            case Energise() if self.phase is PathPhase.OFF:
                self._enter(PathPhase.CLOSING, now + CLOSE_S)
                return (_CLOSE,)
            case RampDown() | Cut() if self.phase in (
                PathPhase.CLOSING,
                PathPhase.DELIVERING,
            ):
                self._enter(PathPhase.OPENING, now + OPEN_S)
                return (_OPEN, *self._advance())
        return ()

    def _advance(self) -> Sequence[PathAction]:
        """Go on when the contactor has followed, or was opened by the guard."""
        match self.phase:
            case PathPhase.CLOSING if self._is_closed:
                self._enter(PathPhase.DELIVERING, None)
            case PathPhase.OPENING if not self._is_closed:
                self._enter(PathPhase.OFF, None)
            case PathPhase.DELIVERING if not self._is_closed:
                self._enter(PathPhase.OFF, None)
                return (_OPEN,)
        return ()

    def _enter(self, phase: PathPhase, deadline: float | None) -> None:
        self.phase, self.deadline = phase, deadline
