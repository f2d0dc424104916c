"""What was recorded: one message, datagram, frame or event of a conversation.

Every kind of input becomes a row of these; whoever reads them needs to know no more.
"""

from __future__ import annotations

from enum import StrEnum

from pilothat.frozen import dataclass
from pilothat.v2g.tp import PayloadType


class Side(StrEnum):
    """Who sent it."""

    EV = "ev"
    EVSE = "evse"


class Layer(StrEnum):
    """What it is; the names are those of recorded sessions."""

    SLAC = "slac"  # a whole Ethernet frame with a HomePlug message
    SDP = "sdp"  # payload of a datagram, without the V2GTP header
    V2GTP = "v2gtp"  # payload of a V2GTP message, that is EXI
    TCP = "tcp"  # a connection opens or closes
    TLS = "tls"  # a connection that cannot be read


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One recorded thing, or the reason why there is none.

    at_s: seconds of the recording's own clock; None if it has none
    stream: number of its connection, from 1; 0 outside of any
    end: which end of the connection sent it, 0 or 1; to find out who that is
    sender: None if that is not known yet
    text: what happened, for TCP and TLS
    where: place in the input; empty where time and stream tell it
    flaw: why it cannot be read; data is what there is of it
    is_alone: no conversation around it; nobody will tell the grammar
    """

    layer: Layer = Layer.V2GTP
    at_s: float | None = None
    stream: int = 0
    end: int = 0
    sender: Side | None = None
    payload_type: int = PayloadType.EXI
    data: bytes = b""
    text: str = ""
    where: str = ""
    flaw: str = ""
    is_alone: bool = False
