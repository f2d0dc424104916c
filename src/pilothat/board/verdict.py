"""A row of a board's report: what was measured, what a good one measures, the verdict.

A row that failed says what a person does next; the remedies are one table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pilothat.frozen import dataclass

# beginning of a row's name -> what to do when it fails; the longest that fits counts
REMEDIES: Mapping[str, str] = {
    "+12 V rail": "measure it: right there, pilothat calibrate; wrong, see U3",
    "-12 V rail": "measure it: right there, pilothat calibrate; wrong, see U3",
    "emergency stop": "close the chain on J6; a broken wire reads as pressed",
    "RCM": "see what it tripped on; a broken wire reads as tripped",
    "contactor closed": "its mirror contact on J5; a broken wire reads as closed",
    "contactor by": "its mirror contact on J5; a broken wire reads as closed",
    "contactor closes": "coil supply, K1 driver, emergency stop and RCM",
    "contactor opens": "it sticks: change it before anything else",
    "PT1000": "sensor on its terminals, 1000 Ohm at 0 degrees",
    "PP": "resistor between PP and PE in the cable's plug",
    "CP steady": "unplug the car; then rails, driver U5, short at J3",
    "CP held": "track and hold: U10, U11, and their capacitors",
    "CP noise": "powerline modem and cable away, then the reference",
    "CP at": "unplug the car; then driver U5 and its select line",
    "CP floating": "CP_EN through the gate of the watchdog",
    "CP after": "CP_EN through the gate of the watchdog",
    "watchdog": "monostable U12 and C8; do not use this board",
    "lamp": "LED the wrong way round, or its resistor",
    "lock": "motor on its terminals, U17",
    "EEPROM": "write it: scripts/hat --eeprom FILE, JP1 closed while you do",
}


class Verdict(Enum):
    """How a check ended."""

    PASS = "PASS"
    FAIL = "FAIL"
    SKIP = "SKIP"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the report; a measured None was not measured.

    low, high: what a good board measures
    found: what was seen, where that is a word and no number
    """

    name: str
    measured: float | None
    unit: str
    low: float
    high: float
    note: str = ""
    found: str = ""

    @property
    def verdict(self) -> Verdict:
        """Compare."""
        if self.measured is None:
            return Verdict.SKIP
        is_good = self.low <= self.measured <= self.high
        return Verdict.PASS if is_good else Verdict.FAIL

    @property
    def advice(self) -> str:
        """Return the note, and for a failure what to do."""
        if self.verdict is not Verdict.FAIL:
            return self.note
        fits = [one for one in REMEDIES if self.name.startswith(one)]
        remedy = REMEDIES[max(fits, key=len)] if fits else ""
        return "; ".join(text for text in (self.note, remedy) if text)


def skipped(name: str, why: str) -> Row:
    """Return a row that was not measured, and why."""
    return Row(name, None, "", 0, 0, why)


def seen(name: str, found: str, why_bad: str = "") -> Row:
    """Return a row of something that is right or wrong.

    why_bad: what is wrong and what to do; empty for what is right
    """
    return Row(name, float(not why_bad), "", 1, 1, why_bad, found or "-")
