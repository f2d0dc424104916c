"""Whoever is at the other end of the cable: a car, a recording, an attacker."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pilothat.twin.carevents import CarAction, CarEvent


class Driver(Protocol):
    """A machine on the car's side."""

    @property
    def deadline(self) -> float | None: ...

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        """Take one event."""

    def tick(self, now: float) -> Sequence[CarAction]:
        """Let time pass."""
