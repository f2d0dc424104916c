"""What a board has for people: LEDs, a lock's motor, and what can be watched of it."""

from __future__ import annotations

from typing import Protocol

from pilothat.frozen import dataclass


class Lamps(Protocol):
    """The LEDs."""

    def show(self, *, green: bool, red: bool) -> None:
        """Light them. Raises BoardError."""


class Motor(Protocol):
    """The motor of the lock; whoever begins stops it after the board's pulse."""

    def begin(self, *, locked: bool) -> None:
        """Begin to move the bolt, out or in. Raises BoardError."""

    def stop(self) -> None:
        """Switch off. Raises BoardError."""


@dataclass(frozen=True, slots=True)
class Sensed:
    """What the inputs of contactor and emergency stop say; a broken wire says no good.

    is_closed: the contactor, by its mirror contact
    """

    is_closed: bool
    is_estop_released: bool


class Inputs(Protocol):
    """Both inputs."""

    def look(self) -> Sensed:
        """Return what they say now. Raises BoardError."""
