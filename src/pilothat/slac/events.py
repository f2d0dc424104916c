"""What the two SLAC machines hear and want, beside MMEs."""

from __future__ import annotations

from dataclasses import field
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.homeplug.events import MmeIn, SendMme


@dataclass(frozen=True, slots=True, kw_only=True)
class SlacStart:
    """CP is in B, C or D, 5 % is on and our modem has confirmed this key.

    nid, nmk: 7 and 16 bytes, what a matched EV will get.
    modem_mac: our modem, whose profiles count; None when it is not known yet.
    """

    nid: bytes
    nmk: bytes = field(repr=False)
    modem_mac: bytes | None = None


@dataclass(frozen=True, slots=True)
class SlacStop:
    """CP left B, C, D or the network was left: forget everything, stay silent."""


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The powerline link to the EV came up or went down."""

    up: bool


@dataclass(frozen=True, slots=True)
class PilotToggled:
    """The pilot went from B to C (the car wants energy), or back."""

    wants_energy: bool


class Step(Enum):
    """How far one EV has come."""

    REQUESTED = auto()  # the first CM_SLAC_PARM.REQ of this matching
    SOUNDING = auto()
    REPORTED = auto()  # CM_ATTEN_CHAR.IND sent
    ACKNOWLEDGED = auto()  # CM_ATTEN_CHAR.RSP received
    VALIDATED = auto()  # the toggles of its pilot were counted
    DROPPED = auto()  # after its sounding had begun


@dataclass(frozen=True, slots=True, kw_only=True)
class SlacProgress:
    """One step of one EV, for log and display.

    sounds: sounds heard so far. mean_db: average of the report, before that None.
    is_measured: False when the modem gave no profile and a constant was reported.
    """

    step: Step
    ev_mac: bytes
    run_id: bytes
    sounds: int = 0
    mean_db: float | None = None
    is_measured: bool = True


@dataclass(frozen=True, slots=True)
class SlacMatched:
    """CM_SLAC_MATCH.CNF was sent; TT_match_join runs until LinkChanged(True)."""

    ev_mac: bytes
    run_id: bytes


class SlacFailure(Enum):
    """Why matching failed on our side."""

    INIT = "no request within TT_EVSE_SLAC_init"
    MATCH = "no EV completed the matching"
    JOIN = "no link within TT_match_join"


@dataclass(frozen=True, slots=True)
class SlacFailed:
    """Matching is over; nothing is answered until the next SlacStart."""

    reason: SlacFailure


SlacEvent = SlacStart | SlacStop | LinkChanged | PilotToggled | MmeIn
SlacAction = SendMme | SlacProgress | SlacMatched | SlacFailed


@dataclass(frozen=True, slots=True)
class EvSlacStart:
    """The EV sees 5 % and looks for its charger."""


@dataclass(frozen=True, slots=True)
class EvSlacStop:
    """The EV was unplugged or gives up."""


@dataclass(frozen=True, slots=True)
class EvSlacMatched:
    """The EV has a network; its modem needs this key now."""

    nid: bytes
    nmk: bytes = field(repr=False)
    evse_mac: bytes


class EvSlacFailure(Enum):
    """What was missing in the last attempt of the EV."""

    NO_CHARGER = "no usable CM_SLAC_PARM.CNF"
    NO_REPORT = "no usable CM_ATTEN_CHAR.IND"
    NO_MATCH = "no CM_SLAC_MATCH.CNF"
    NOT_VALIDATED = "the charger has not seen the toggles of S2"


@dataclass(frozen=True, slots=True)
class EvSlacFailed:
    """All attempts of the EV were in vain."""

    reason: EvSlacFailure


@dataclass(frozen=True, slots=True)
class ToggleS2:
    """Close or open S2, for the charger to see on CP whose cable it is."""

    closed: bool


EvSlacEvent = EvSlacStart | EvSlacStop | MmeIn
EvSlacAction = SendMme | ToggleS2 | EvSlacMatched | EvSlacFailed
