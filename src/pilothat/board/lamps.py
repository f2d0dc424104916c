"""What a board has for people: two LEDs, and the motor of a socket's lock."""

from __future__ import annotations

from typing import Protocol


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
