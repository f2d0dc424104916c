"""What the station wants done. Shells and the twin's world perform these, in order."""

from __future__ import annotations

from enum import Enum

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.guard import Want
from pilothat.plant import Setpoint


@dataclass(frozen=True, slots=True)
class SetOutput:
    """A set-point for the supply."""

    setpoint: Setpoint


@dataclass(frozen=True, slots=True)
class MeasureIsolation:
    """Start or stop the isolation monitor."""

    on: bool


@dataclass(frozen=True, slots=True)
class SendFrame:
    """An Ethernet frame of EtherType 88E1, whole and padded."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class SdpOut:
    """A datagram from UDP port 15118."""

    payload: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Listen:
    """Whether TCP connections are taken."""

    on: bool


@dataclass(frozen=True, slots=True)
class TcpSend:
    """Bytes for the peer."""

    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class SendMessage:
    """A V2G message, in worlds that leave out EXI and TCP bytes."""

    connection: int
    message: object


@dataclass(frozen=True, slots=True)
class TcpClose:
    """Close the connection; what was sent before still goes out."""

    connection: int


@dataclass(frozen=True, slots=True)
class Raise:
    """A fault came up."""

    fault: Fault


class Topic(Enum):
    """What a ``Publish`` is about."""

    PHASE = "phase"
    PILOT = "pilot"
    SLAC = "slac"
    MESSAGE = "message"
    SESSION = "session"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Publish:
    """One thing a person or another system may want to know."""

    topic: Topic
    text: str


Action = (
    Want
    | SetOutput
    | MeasureIsolation
    | SendFrame
    | SdpOut
    | Listen
    | TcpSend
    | SendMessage
    | TcpClose
    | Raise
    | Publish
)
