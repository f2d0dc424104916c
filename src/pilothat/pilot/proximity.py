"""Proximity pilot: what the cable in an AC socket can carry (IEC 61851-1, annex B).

A tethered CCS2 plug holds 1.5 kOhm for the car; there the station only notices a cut
cable. Resistances are PP against PE in the plug.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

from pilothat.frozen import dataclass

PP_DEBOUNCE_S = 0.05  # our choice: as long as the pilot's


class Cable(Enum):
    """Cable coding: (rated current A, lowest ohm, highest ohm)."""

    A13 = (13.0, 1100.0, 2460.0)
    A20 = (20.0, 400.0, 936.0)
    A32 = (32.0, 164.0, 308.0)
    A63 = (63.0, 80.0, 140.0)

    @property
    def rating_a(self) -> float:
        """The current the cable may carry."""
        return self.value[0]


SHORT_OHM = 60.0
OPEN_OHM = 4500.0


def cable_of(pp_ohm: float) -> Cable | None:
    """Return the cable; None for none. A value in a gap counts as the smaller one."""
    if not SHORT_OHM <= pp_ohm <= OPEN_OHM:
        return None
    fitting = (cable for cable in reversed(Cable) if pp_ohm <= cable.value[2])
    return next(fitting, Cable.A13)


@dataclass(frozen=True, slots=True)
class ProximityFact:
    """The debounced cable; None when there is none or it is broken."""

    cable: Cable | None


class Proximity:
    """Debounce the proximity pilot."""

    def __init__(self) -> None:
        self.cable: Cable | None = None
        self.deadline: float | None = None
        self._candidate: Cable | None = None

    def handle(self, pp_ohm: float, now: float) -> Sequence[ProximityFact]:
        """Take one measurement (ohm)."""
        cable = cable_of(pp_ohm)
        if cable is self.cable:
            self.deadline = None
        elif self.deadline is None or cable is not self._candidate:
            self._candidate, self.deadline = cable, now + PP_DEBOUNCE_S
        return self.tick(now)

    def tick(self, now: float) -> Sequence[ProximityFact]:
        """Let time pass."""
        if self.deadline is None or now < self.deadline:
            return ()
        self.cable, self.deadline = self._candidate, None
        return (ProximityFact(self.cable),)
