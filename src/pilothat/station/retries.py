"""The tries that are left to match a car, and the pilot steps before the next one."""

from __future__ import annotations

from pilothat.station.phases import PilotSteps


class Retries:
    """Count the tries with one car."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._used = 0
        self._has_begun_again = self._is_given_up = False
        self._steps: PilotSteps = ()

    @property
    def is_first_try(self) -> bool:
        """Whether this car has had no other try."""
        return self._used == 0 and not self._has_begun_again

    def take(self, steps: PilotSteps, *, counts: bool = True) -> bool:
        """Begin with the steps to another try; False when none is left.

        counts: False leads to something else than another try to match.
        """
        if self._is_given_up or (counts and self._used >= self._allowed):
            return False
        self._used += counts
        self._has_begun_again = True
        self._steps = steps
        return True

    def next_step(self) -> tuple[float, float] | None:
        """Return the next duty and how long it lasts; None when all were taken."""
        if not self._steps:
            return None
        first, *self._steps = self._steps
        return first

    def give_up(self) -> None:
        """Try no more until the car was plugged in again."""
        self._is_given_up = True

    def renew(self) -> None:
        """Begin to count for another car."""
        self._used = 0
        self._has_begun_again = self._is_given_up = False
