"""Whether the EV's modem is in our network: polls, misses, edges.

Modems differ in what they answer, so the queries are tried in turn until one is
answered. An answer "no" while the link is up is a miss, three in a row mean lost.
Silence is no answer: some firmware is silent while it restarts. What comes over the
link says more than the modem: while a car talks, nobody is asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.homeplug.cm import (
    CcDiscoverListCnf,
    CcDiscoverListReq,
    CmNwStatsCnf,
    CmNwStatsReq,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.nwinfo import VsNwInfoCnf, VsNwInfoReq
from pilothat.homeplug.qualcomm import (
    MSTATUS_OK,
    VsPlLnkStatusCnf,
    VsPlLnkStatusReq,
)
from pilothat.machine import is_due
from pilothat.plc.events import LinkDown, LinkUp

# Best first. Who answers a broadcast VS_SW_VER is no query: every modem on the line
# does, joined or not.
QUERIES: tuple[Mme, ...] = (
    VsPlLnkStatusReq(),
    CmNwStatsReq(),
    VsNwInfoReq(),
    CcDiscoverListReq(),
)
_LINKED = 1  # VS_PL_LNK_STATUS
_UNANSWERED_MAX = 3  # polls without any answer before another query is tried


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkSettings:
    """How often to ask, and how many times "no" is believed."""

    joining_s: float = 0.1
    matched_s: float = 1.0
    misses_max: int = 3


class LinkState(Enum):
    """Where the watch stands."""

    OFF = auto()
    JOINING = auto()
    UP = auto()


class LinkWatch:
    """Watch one link. The owner sends what ``poll`` returns to the modem."""

    def __init__(self, settings: LinkSettings) -> None:
        self.state = LinkState.OFF
        self.deadline: float | None = None
        self._settings = settings
        self._period_s = settings.matched_s
        self._query = 0
        self._unanswered = 0
        self._misses = 0

    def watch(self, now: float, *, fast: bool) -> None:
        """Begin a watch for joining, or go on slowly with the present one."""
        settings = self._settings
        if fast or self.state is LinkState.OFF:
            self._enter(LinkState.JOINING, now)
        self._period_s = settings.joining_s if fast else settings.matched_s

    def ignore(self) -> None:
        """End the watch."""
        self._enter(LinkState.OFF, None)

    def poll(self, now: float) -> Mme | None:
        """Return the query that is due now."""
        if not is_due(self.deadline, now):
            return None
        if self._unanswered >= _UNANSWERED_MAX:
            self._next_query()
        self._unanswered += 1
        self.deadline = now + self._period_s
        return QUERIES[self._query]

    def hear(self, mme: Mme, now: float) -> Sequence[LinkUp | LinkDown]:
        """Take an answer of the modem; other messages are no matter."""
        match mme:
            case VsPlLnkStatusCnf(mstatus=status) if status != MSTATUS_OK:
                self._next_query()
            case VsPlLnkStatusCnf(link=link):
                return self._learn(now, is_up=link == _LINKED)
            case CmNwStatsCnf(stations=stations) | VsNwInfoCnf(stations=stations):
                return self._learn(now, is_up=bool(stations))
            case CcDiscoverListCnf(stations=stations):
                is_up = any(one.is_same_network for one in stations)
                return self._learn(now, is_up=is_up)
        return ()

    def seen(self, now: float) -> Sequence[LinkUp | LinkDown]:
        """Take a frame that came over the link for the best of answers."""
        return self._learn(now, is_up=True)

    def carried(self, now: float) -> None:
        """Take a message of the car for as good as an answer to the next poll."""
        if self.state is LinkState.UP:
            self.deadline = now + self._period_s

    def _learn(self, now: float, *, is_up: bool) -> Sequence[LinkUp | LinkDown]:
        self._unanswered = 0
        if self.state is LinkState.OFF:
            return ()
        if is_up:
            self._misses = 0
            if self.state is LinkState.UP:
                return ()
            self._period_s = self._settings.matched_s
            self._enter(LinkState.UP, now + self._period_s)
            return (LinkUp(),)
        self._misses += self.state is LinkState.UP
        if self._misses < self._settings.misses_max:
            return ()
        self._enter(LinkState.OFF, None)
        return (LinkDown(),)

    def _next_query(self) -> None:
        self._query = (self._query + 1) % len(QUERIES)
        self._unanswered = 0

    def _enter(self, state: LinkState, deadline: float | None) -> None:
        self.state, self.deadline = state, deadline
        self._misses = 0
