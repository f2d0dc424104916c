"""The time of day, and whether it can be right.

A Pi has no clock that survives the night; it gets the time from the network some while
after the start. The kernel knows whether anybody (chrony, ntpd, timesyncd) keeps it.
"""

from __future__ import annotations

import ctypes
import logging
import time
from collections.abc import Callable
from pathlib import Path

from pilothat.frozen import dataclass
from pilothat.v2g.plant import TimeOfDay

log = logging.getLogger("pilothat")

EARLIEST_S = 1_767_225_600  # 2026: it cannot be earlier than this program was written
TIME_ERROR = 5  # adjtimex: nobody keeps this clock
TIMEX_OCTETS = 256  # struct timex has 208; with modes 0 it is only written


def kernel_state() -> int:
    """Return what adjtimex says; TIME_ERROR where it cannot be asked."""
    library = ctypes.CDLL(None)
    if not hasattr(library, "adjtimex"):
        return TIME_ERROR
    state = int(library.adjtimex(ctypes.create_string_buffer(TIMEX_OCTETS)))
    return state if state >= 0 else TIME_ERROR


@dataclass(frozen=True, slots=True)
class WallClock:
    """The clock of this computer.

    state: what the kernel says of it
    board: is there if this is a board, which may lack what every PC has
    clocks: holds the clocks that run on while the power is off
    """

    state: Callable[[], int] = kernel_state
    board: Path = Path("/proc/device-tree")
    clocks: Path = Path("/sys/class/rtc")

    def read(self) -> TimeOfDay:
        """Return the time of day, and whether it is to be trusted."""
        now_s = time.time()
        offset_s = time.localtime(now_s).tm_gmtoff
        return TimeOfDay(now_s, self.is_trusted_at(now_s), offset_s)

    def is_trusted_at(self, now_s: float) -> bool:
        """Tell whether the clock can be right when it shows this time."""
        if now_s < EARLIEST_S:
            return False
        return self.state() != TIME_ERROR or self._survives()

    def _survives(self) -> bool:
        """Tell whether the time was kept while the power was off."""
        has_clock = self.clocks.is_dir() and any(self.clocks.iterdir())
        return has_clock or not self.board.exists()


class ToldClock:
    """A clock that says in the log when it cannot be trusted, and when it can again."""

    def __init__(self, read: Callable[[], TimeOfDay]) -> None:
        self._read = read
        self._is_trusted = True
        self.read()

    def read(self) -> TimeOfDay:
        """Return the time of day."""
        today = self._read()
        if today.is_trusted is not self._is_trusted:
            self._is_trusted = today.is_trusted
            if today.is_trusted:
                log.info("the clock is trusted now")
            else:
                log.warning(
                    "the clock is not trusted: certificates are not judged by their "
                    "dates, no tariff is told. It needs the network, or a battery"
                )
        return today
