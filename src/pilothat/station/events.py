"""Facts that reach the station. All of them; the journal records each one.

Transport events (frames, datagrams, TCP) are the same for the car's twin.
"""

from __future__ import annotations

from enum import Enum

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.guard import GuardFact, PilotFact
from pilothat.plant import PlantFact
from pilothat.v2g.plant import TimeOfDay


@dataclass(frozen=True, slots=True)
class PlantReport:
    """A measurement of supply and isolation monitor."""

    plant: PlantFact


@dataclass(frozen=True, slots=True)
class FrameIn:
    """An Ethernet frame of EtherType 88E1, from the destination MAC on."""

    frame: bytes


@dataclass(frozen=True, slots=True)
class SdpIn:
    """A datagram on UDP port 15118.

    host: sender's address as text, without scope; port: its UDP port
    """

    payload: bytes
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class TcpOpened:
    """A TCP connection exists. ``connection`` numbers grow and are never reused.

    is_secure: it is under TLS, and the handshake is done
    """

    connection: int
    host: str
    is_secure: bool = False


@dataclass(frozen=True, slots=True)
class TcpData:
    """Bytes from the peer."""

    connection: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MessageIn:
    """A decoded V2G message, in worlds that leave out EXI and TCP bytes."""

    connection: int
    message: object


@dataclass(frozen=True, slots=True)
class TcpClosed:
    """The connection is gone, whoever closed it."""

    connection: int


@dataclass(frozen=True, slots=True)
class Authorised:
    """Somebody allowed (or refused) charging: card, button, backend."""

    is_granted: bool
    by: str


class StopCause(Enum):
    """Who wants to end the charge from our side; each is a ``StopReason``."""

    USER = "user"
    SHUTDOWN = "shutdown"  # SIGTERM: the station is going away


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody on our side wants the charge to end, in order."""

    cause: StopCause


@dataclass(frozen=True, slots=True)
class FaultCleared:
    """An operator has dealt with a latched fault."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class FaultKept:
    """A latched fault of an earlier life, with which nobody has dealt."""

    fault: Fault


@dataclass(frozen=True, slots=True)
class NetworkFact:
    """State of the powerline interface.

    address: our link-local IPv6 address as 16 bytes, usable; None while there is none
    tcp_port, tls_port: where cars are awaited, without and with TLS; 0 is nowhere
    """

    is_up: bool
    address: bytes | None
    tcp_port: int
    tls_port: int = 0


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What a second reader of the guard's inputs finds, when that is news.

    agrees: False when it has contradicted the guard for long enough to be believed
    is_contactor_closed, is_estop_released: the inputs as it sees them
    """

    agrees: bool
    is_contactor_closed: bool
    is_estop_released: bool


@dataclass(frozen=True, slots=True)
class WakeUp:
    """A car that pauses shall come back: there is energy for it."""


Command = Authorised | StopRequested | FaultCleared | FaultKept | WakeUp
"""What people decide, at the post or far away."""

Event = (
    PilotFact
    | GuardFact
    | PlantReport
    | FrameIn
    | SdpIn
    | TcpOpened
    | TcpData
    | MessageIn
    | TcpClosed
    | Authorised
    | WakeUp
    | StopRequested
    | FaultCleared
    | FaultKept
    | NetworkFact
    | SecondLook
    | TimeOfDay
)
