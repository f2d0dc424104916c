"""Tell when a loop was held up, and by whom: by its own work, or by the machine.

A machine that is overloaded, throttled or stopped by what it runs on holds up programs
for longer than a lease lasts or a car waits. What follows then is right, and looks like
a fault of the program; so it is said. A look that comes late although the program has
hardly run in between was late for lack of a processor.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

LATE_S = 0.1  # contactors may open for it
_OWN_SHARE = 0.5  # of the time: more than that it ran itself


class Standstill:
    """Look at the time at even intervals."""

    def __init__(
        self,
        log: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
        ran: Callable[[], float] = time.process_time,
    ) -> None:
        self._log = log
        self._clock = clock
        self._ran = ran
        self._due: float | None = None
        self._ran_s = 0.0

    def look(self, next_s: float) -> None:
        """Compare with what was promised; the next look comes so much later."""
        now, ran_s = self._clock(), self._ran()
        if self._due is not None and now - self._due > LATE_S:
            late_ms, own_ms = (now - self._due) * 1e3, (ran_s - self._ran_s) * 1e3
            if own_ms > late_ms * _OWN_SHARE:
                self._log.warning("the loop was busy for %.0f ms", own_ms)
            else:
                self._log.warning("the machine stood still for %.0f ms", late_ms)
        self._due, self._ran_s = now + next_s, ran_s
