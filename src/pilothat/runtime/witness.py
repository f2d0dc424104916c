"""The second witness: what gpiozero sees of two inputs, against the guard's word.

Two libraries in two processes read the mirror contact and the emergency stop. Each
looks in its own time, so that they may differ for a moment. A difference is believed
when

  * the guard's word had stood for ``SETTLED_S`` when the panel looked,
  * ``READINGS`` in a row say so, over ``LASTS_S`` at least, and
  * the guard has said that it turns later than that: it looked, and would have told.

A panel that is dead, starting or slow is no witness: a reading that comes late, and a
gap between two, begin anew. That both agree again is found in the same way. What cannot
be compared changes nothing: a difference stands until it is seen to be none.
"""

from __future__ import annotations

from math import inf

from pilothat.board.lamps import Sensed
from pilothat.faults import Fault
from pilothat.guard import GuardFact
from pilothat.runtime.guardlink import Alive
from pilothat.runtime.panel import UNSEEN, Reading
from pilothat.station.events import SecondLook

SETTLED_S = 1.0  # longer than the slowest look of the guard, and of main
LASTS_S = 1.0
READINGS = 3
# less than LASTS_S: if main hung so long that a guard's old word could be taken for a
# new one, the readings of that time are too old
LATE_S = 0.5
GAP_S = 2.0


def word_of(fact: GuardFact) -> Sensed | None:
    """Return what the guard says of the inputs, as read; None if it sees no board."""
    if any(fault in fact.faults for fault in UNSEEN):
        return None
    is_released = Fault.EMERGENCY_STOP not in fact.faults
    return Sensed(fact.is_contactor_closed, is_released)


class Witness:
    """Compare readings with the guard's word. All times are of CLOCK_MONOTONIC, s."""

    def __init__(self) -> None:
        self._agrees = True  # as told last
        self._word: Sensed | None = None
        self._word_since = -inf
        self._turned_at: float | None = None
        self._seems = True  # what the readings in a row say
        self._count = 0
        self._began = self._last = -inf  # the first and the last of them

    def hear(self, said: object, now: float) -> None:
        """Take anything the guard says: its word, or that it turns.

        It says so behind a look at the inputs, and behind what was new in that.
        """
        match said:
            case GuardFact():
                self._hold(word_of(said), now)
            case Alive():
                self._turned_at = now

    def saw(self, reading: Reading, fact: GuardFact, now: float) -> SecondLook | None:
        """Take a reading, with what the guard told last; return what is news.

        A guard that was not heard to turn may have told nothing yet.
        """
        word = None if self._turned_at is None else word_of(fact)
        self._hold(word, now)
        has_settled = reading.at - self._word_since >= SETTLED_S
        if word is None or not has_settled or now - reading.at > LATE_S:
            self._count = 0
            return None
        self._take(reading.at, agrees=reading.seen == word)
        if self._seems is self._agrees or not self._is_sure:
            return None
        self._agrees, seen = self._seems, reading.seen
        return SecondLook(self._agrees, seen.is_closed, seen.is_estop_released)

    def _hold(self, word: Sensed | None, now: float) -> None:
        if word != self._word:
            self._word, self._word_since = word, now

    def _take(self, at: float, *, agrees: bool) -> None:
        is_next = self._count > 0 and at - self._last <= GAP_S
        if not is_next or agrees is not self._seems:
            self._seems, self._count, self._began = agrees, 0, at
        self._count += 1
        self._last = at

    @property
    def _is_sure(self) -> bool:
        has_lasted = self._last - self._began >= LASTS_S
        has_turned = (
            self._turned_at is not None and self._turned_at - self._began >= LASTS_S
        )
        return self._count >= READINGS and has_lasted and has_turned
