"""Whether the supply gives what it was told: not more, and not next to nothing."""

from __future__ import annotations

from pilothat.faults import Fault
from pilothat.machine import earliest, is_due
from pilothat.plant import OFF, PathPhase, PlantFact

FALL_A_PER_S = 100.0  # the slowest fall of current a supply may have
OUT_OF_LIMIT_S = 0.4  # current or voltage above the set-point for longer
OPEN_A = 1.0  # a contactor may open below this; less is no current
LACK_S = 10.0  # our choice: so long a supply may give next to nothing
LACK_A = 5.0  # our choice: told less, it is not judged
LACK_SHARE = 0.1  # our choice: next to nothing is less of what it was told

_DRIVEN = (PathPhase.PRECHARGE, PathPhase.DELIVERING)


class Regulation:
    """Judge a supply by its measurements. Fed with those and with set-points.

    told: the last set-point
    """

    def __init__(self) -> None:
        self.told = OFF
        self._excess_at: float | None = None
        self._lack_at: float | None = None
        # A, s: where and when the allowed current began to fall
        self._fall = (0.0, 0.0)

    @property
    def deadline(self) -> float | None:
        """When it has gone on for too long."""
        return earliest(self._excess_at, self._lack_at)

    @property
    def has_fallen(self) -> bool:
        """Whether the current need not fall any more."""
        return self._fall[0] <= self.told.current_a

    def tick(self, now: float) -> Fault | None:
        """Return what is wrong for too long."""
        if is_due(self._excess_at, now):
            return Fault.OVERCURRENT
        return Fault.SUPPLY_SLOW if is_due(self._lack_at, now) else None

    def forget(self) -> None:
        """Stop to judge, until the next measurement."""
        self._excess_at = self._lack_at = None

    def turn(self, now: float) -> None:
        """Begin to fall, or to rise: another set-point follows."""
        self._fall = (self.allowed_a(now), now)

    def allowed_a(self, now: float) -> float:
        """Return the current it may give: a lower set-point takes its time."""
        from_a, since = self._fall
        return max(self.told.current_a, from_a - FALL_A_PER_S * (now - since))

    def judge(self, plant: PlantFact, phase: PathPhase, now: float) -> None:
        """Start the clocks by a measurement, or stop them."""
        is_driven = phase in _DRIVEN
        is_over = is_driven and self._is_over(plant, now)
        is_short = phase is PathPhase.DELIVERING and self._is_short(plant)
        self._excess_at = _since(self._excess_at, is_over, now + OUT_OF_LIMIT_S)
        self._lack_at = _since(self._lack_at, is_short, now + LACK_S)

    def _is_over(self, plant: PlantFact, now: float) -> bool:
        told, allowed_a = self.told, self.allowed_a(now)
        if plant.current_a > allowed_a + max(3.0, 0.1 * allowed_a):
            return True
        return (
            plant.current_a > OPEN_A
            and allowed_a <= told.current_a
            and plant.outlet_v > told.voltage_v + _slack_v(told.voltage_v)
        )

    def _is_short(self, plant: PlantFact) -> bool:
        """Tell whether current is missing although the voltage leaves room for it."""
        told = self.told
        return (
            told.current_a >= LACK_A
            and plant.current_a < LACK_SHARE * told.current_a
            and plant.outlet_v < told.voltage_v - _slack_v(told.voltage_v)
        )


def _slack_v(voltage_v: float) -> float:
    return max(10.0, 0.03 * voltage_v)


def _since(at: float | None, is_wrong: bool, then: float) -> float | None:  # noqa: FBT001 - a clock
    """Return when the clock of something wrong ends; None while it is right."""
    if not is_wrong:
        return None
    return then if at is None else at
