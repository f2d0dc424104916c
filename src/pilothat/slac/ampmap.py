"""CM_AMP_MAP on the EVSE side: the matched EV is asked to transmit weaker.

Only where the owner wants it. Asked once the link is up, and said again twice when no
answer comes; then all goes on as if it had been answered (ISO 15118-3, annex A).
"""

from __future__ import annotations

from pilothat.homeplug.cm import CmAmpMapReq
from pilothat.machine import is_due
from pilothat.slac import timing

CARRIERS = 917  # of the HomePlug AV band
STEP_DB = 2  # of one number of the map; 0 changes nothing
_NIBBLE = 0x11  # the same number twice in one byte


def weaker(by_db: int) -> CmAmpMapReq:
    """Return the request to send all carriers weaker, by 2 to 30 dB in steps of 2."""
    data = bytes((by_db // STEP_DB * _NIBBLE,)) * ((CARRIERS + 1) // 2)
    return CmAmpMapReq(amlen=CARRIERS, amdata=data)


class AmpMap:
    """Ask one EV. by_db: 0 asks nothing."""

    def __init__(self, by_db: int) -> None:
        self.deadline: float | None = None
        self._request = weaker(by_db) if by_db >= STEP_DB else None
        self._tries_left = 0

    def begin(self, now: float) -> CmAmpMapReq | None:
        """Ask; return what is to be sent."""
        self._tries_left = 1 + timing.C_EV_MATCH_RETRY
        self.deadline = None if self._request is None else now
        return self.tick(now)

    def tick(self, now: float) -> CmAmpMapReq | None:
        """Let time pass; return what is to be said again."""
        if not is_due(self.deadline, now):
            return None
        if self._tries_left == 0:
            self.end()
            return None
        self._tries_left -= 1
        self.deadline = now + timing.TT_AMP_MAP_EXCHANGE_S
        return self._request

    def end(self) -> None:
        """Wait for no answer: it has come, or the EV is gone."""
        self.deadline = None
