"""What the modem machine hears and wants, beside MMEs."""

from __future__ import annotations

from dataclasses import field
from enum import Enum

from pilothat.frozen import dataclass
from pilothat.homeplug.events import MmeIn, SendMme


@dataclass(frozen=True, slots=True)
class SetKey:
    """Program this network; a later SetKey replaces one that is still waiting."""

    nid: bytes
    nmk: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class WatchLink:
    """Watch the link to the other modem.

    fast: begin a new watch for joining, every 100 ms until the link is up; else go
    on with the present watch (or begin one) once a second.
    """

    fast: bool


@dataclass(frozen=True, slots=True)
class IgnoreLink:
    """Stop watching the link; nothing is reported."""


@dataclass(frozen=True, slots=True)
class LinkSeen:
    """A frame of the EV came over the link (IPv6, SDP): it is up, whoever says no."""


@dataclass(frozen=True, slots=True)
class KeyConfirmed:
    """The modem has taken the key and answers again."""

    nid: bytes
    nmk: bytes = field(repr=False)
    modem_mac: bytes


@dataclass(frozen=True, slots=True)
class LinkUp:
    """The link came up; once a watch."""


@dataclass(frozen=True, slots=True)
class LinkDown:
    """The link was lost; the watch has ended."""


class LossReason(Enum):
    """What is wrong with the modem."""

    SILENT = "the modem does not answer"
    REFUSES = "the modem refuses the network key"
    STAYS = "the modem does not leave its network"
    ROLE = (
        "the modem has the role of a car's (PEV); make it a charger's with "
        "`pilothat modem set-role evse`"
    )


@dataclass(frozen=True, slots=True)
class ModemLost:
    """The modem cannot be used; the machine keeps trying."""

    reason: LossReason


@dataclass(frozen=True, slots=True)
class ModemBack:
    """The modem works again; KeyConfirmed follows at once."""


ModemEvent = SetKey | WatchLink | IgnoreLink | LinkSeen | MmeIn
ModemAction = SendMme | KeyConfirmed | LinkUp | LinkDown | ModemLost | ModemBack
