"""What a session may know of the station, and what it may want of it.

The station pushes a ``PlantState`` before it is needed; no handler asks anybody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import Enum

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.pilot.levels import PilotState
from pilothat.plant import AcRatings, Isolation, PathPhase, Ratings

STOP_WITHIN_S = 10  # what a car that is asked to stop has for it (NotificationMaxDelay)


@dataclass(frozen=True, slots=True)
class PlantState:
    """The station as a session sees it at one moment.

    outlet_v, current_a: measured, never what was asked for
    ratings: what the station can give, never zero
    ac: the same where the outlet is an AC one
    is_authorised: None while nobody has decided
    energy_wh: measured since the car was plugged in, where there is a meter to tell
    wants_stop: somebody on our side wants the charge to end, in order
    fault: power has been cut because of this
    """

    phase: PathPhase = PathPhase.OFF
    outlet_v: float = 0.0
    current_a: float = 0.0
    isolation: Isolation = Isolation.INVALID
    ratings: Ratings = field(default_factory=Ratings)
    ac: AcRatings | None = None
    pilot: PilotState = PilotState.B2
    is_authorised: bool | None = True
    energy_wh: float = 0.0
    wants_stop: bool = False
    fault: Fault | None = None


@dataclass(frozen=True, slots=True)
class TimeOfDay:
    """What the clock of this computer shows, and whether it can be right.

    unix_s: seconds since 1970
    utc_offset_s: of the local time
    """

    unix_s: float
    is_trusted: bool
    utc_offset_s: int = 0


class Ending(Enum):
    """How a session ended, as far as the messages tell."""

    STOPPED = "the car said goodbye"
    PAUSED = "the car will come back"
    FAILED = "we refused a request"
    SILENT = "the car said nothing for too long"


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer the car."""

    message: object


@dataclass(frozen=True, slots=True)
class SessionOver:
    """The session has ended; no request will be answered any more."""

    ending: Ending
    why: str


@dataclass(frozen=True, slots=True)
class Learned:
    """Something the car told that people want to know; values as text by name."""

    values: Sequence[tuple[str, str]]
