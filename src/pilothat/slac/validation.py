"""CM_VALIDATE on the EVSE side: an EV proves by its pilot that the cable is ours.

Two requests. The first asks whether we are ready. The second opens a window; the EV
then closes and opens S2 some times, and we say how often the pilot went B-C-B::

    step 1 --> CNF ready --> step 2 --> count --> window over --> CNF with the count
                  |no step 2: said again, twice at most, then over

Phases outside the time an EV may take for them do not count (ISO 15118-3 A.9.3).
"""

from __future__ import annotations

from enum import IntEnum

from pilothat.homeplug.cm import CmValidateCnf, CmValidateReq
from pilothat.slac import timing

SIGNAL_S2 = 0  # toggles of S2 on CP; no other signal is known
TIMER_S = 0.1  # of one step of the field Timer, which counts from 0


class Result(IntEnum):
    """The field Result of request and answer."""

    NOT_READY = 0
    READY = 1
    SUCCESS = 2
    FAILURE = 3
    NOT_REQUIRED = 4


def is_first_step(mme: CmValidateReq) -> bool:
    """Tell whether a request asks if we are ready."""
    is_ready = mme.result == Result.READY and mme.signal_type == SIGNAL_S2
    return is_ready and mme.timer == 0


def told(result: Result, toggles: int = 0) -> CmValidateCnf:
    """Return an answer."""
    return CmValidateCnf(toggle_num=toggles, result=result)


class Validation:
    """One EV that is being validated; always with a deadline.

    is_over: it came to nothing, and so does the EV's run
    is_done: the EV has got its count; CM_SLAC_MATCH.REQ is awaited
    """

    def __init__(self, now: float) -> None:
        self.deadline = now + timing.TT_MATCH_SEQUENCE_S
        self.is_over = self.is_done = False
        self._repeats = timing.C_EV_MATCH_RETRY
        self._is_counting = False
        self._toggles = 0
        self._is_toggling = False  # in C, since a change we count from
        self._changed_at: float | None = None

    def hear(self, mme: CmValidateReq, now: float) -> CmValidateCnf | None:
        """Take a further request; return the answer to it, if there is one."""
        if self._is_counting or mme.signal_type != SIGNAL_S2:
            return None
        if is_first_step(mme):
            self.deadline = now + timing.TT_MATCH_SEQUENCE_S
            return told(Result.READY)
        if mme.result != Result.READY:
            self.is_over = True
            return None
        self._is_counting = True
        window_s = (mme.timer + 1) * TIMER_S
        self.deadline = now + min(window_s, timing.TT_EVSE_VALD_TOGGLE_S)
        return None

    def see(self, *, wants_energy: bool, now: float) -> None:
        """Take a change of the pilot between B and C."""
        if not self._is_counting:
            return
        since, self._changed_at = self._changed_at, now
        is_good = since is None or _is_phase(now - since)
        if not wants_energy and self._is_toggling and is_good:
            self._toggles += 1
        self._is_toggling = wants_energy and is_good

    def tick(self, now: float) -> CmValidateCnf | None:
        """Take the deadline; return what is to be said."""
        if self._is_counting:
            self.is_done = True
            result = Result.SUCCESS if self._toggles else Result.FAILURE
            return told(result, self._toggles)
        if self._repeats == 0:
            self.is_over = True
            return None
        self._repeats -= 1
        self.deadline = now + timing.TT_MATCH_SEQUENCE_S
        return told(Result.READY)


def _is_phase(duration_s: float) -> bool:
    low_s, high_s = timing.EV_VALD_STATE_RANGE_S
    grace_s = timing.VALD_STATE_GRACE_S
    return low_s - grace_s <= duration_s <= high_s + grace_s
