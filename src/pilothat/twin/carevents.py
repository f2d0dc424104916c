"""What a car hears and wants beside the transport events it shares with the station."""

from __future__ import annotations

from enum import Enum

from pilothat.frozen import dataclass
from pilothat.station.actions import (
    SdpOut,
    SendFrame,
    SendMessage,
    TcpClose,
    TcpSend,
)
from pilothat.station.events import (
    FrameIn,
    MessageIn,
    SdpIn,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.twin.bench import CarElectrics
from pilothat.v2g.evcc import events as ev

# --- events


@dataclass(frozen=True, slots=True)
class Plug:
    """The driver plugs in."""


@dataclass(frozen=True, slots=True)
class Unplug:
    """The plug is pulled, lock or not."""


@dataclass(frozen=True, slots=True)
class InletReading:
    """The car's measurement at its inlet. Current into the battery is positive."""

    voltage_v: float
    current_a: float


CarEvent = (
    Plug
    | Unplug
    | InletReading
    | ev.PilotSeen
    | ev.StopWish
    | FrameIn
    | SdpIn
    | TcpOpened
    | TcpData
    | MessageIn
    | TcpClosed
)

# --- actions


@dataclass(frozen=True, slots=True)
class TcpConnect:
    """Open a TCP connection; TcpOpened or TcpClosed follows. address: 16 octets.

    is_secure: under TLS
    """

    address: bytes
    port: int
    is_secure: bool = False


@dataclass(frozen=True, slots=True)
class SetElectrics:
    """Change the car's end of the cable; None: unplugged."""

    electrics: CarElectrics | None


CarAction = (
    SendFrame | SdpOut | TcpConnect | TcpSend | SendMessage | TcpClose | SetElectrics
)


class Phase(Enum):
    AWAY = "unplugged"
    PLUGGED = "plugged in, waiting for 5 %"
    MATCHING = "matching"
    JOINING = "joining the network"
    SEARCHING = "looking for the station"
    CONNECTING = "connecting"
    HANDSHAKE = "application handshake"
    SESSION = "session"
    ASLEEP = "paused"
    CALLING = "waking the station"
    RESTING = "done"


BCB_S = 0.25  # each part of the wake-up, ISO 15118-3
BCB_TOGGLES = 2  # B to C, and back
CONN_RESUME_S = 6.0  # T_conn_resume: then the station shows 5 %
UNDERWAY = (
    Phase.MATCHING,
    Phase.JOINING,
    Phase.SEARCHING,
    Phase.CONNECTING,
    Phase.HANDSHAKE,
)  # to a session, without one yet


@dataclass(frozen=True, slots=True)
class PhaseEntry:
    """A phase and when it began."""

    at: float
    phase: str


@dataclass(frozen=True, slots=True)
class Summary:
    """A visit to the station, for a person to read."""

    phases: tuple[PhaseEntry, ...]
    requests: int
    responses: int
    energy_wh: float
    soc_pct: float
    outcome: ev.Outcome | None
    reason: str
