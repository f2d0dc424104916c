"""The car looks for its station: SDP, repeated until answered (ISO 15118-2, 7.10.1)."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.frozen import dataclass
from pilothat.machine import is_due
from pilothat.v2g import sdp

SDP_SPACING_S = 0.25
SDP_REQUESTS = 50


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """How the car asks.

    tls_requests: so many times it asks for TLS first
    requests:     then so many times for plain TCP
    has_tls:      it can speak TLS; without, an answer that insists on it is none
    """

    spacing_s: float = SDP_SPACING_S
    tls_requests: int = 0
    requests: int = SDP_REQUESTS
    has_tls: bool = False


@dataclass(frozen=True, slots=True)
class Ask:
    """Send this datagram to all stations."""

    datagram: bytes


@dataclass(frozen=True, slots=True)
class Found:
    """The station listens here, for TLS or without. address: 16 octets."""

    address: bytes
    port: int
    is_secure: bool = False


@dataclass(frozen=True, slots=True)
class NotFound:
    """Nobody answered."""


class Search:
    """Ask, and take the first answer that the car can use."""

    def __init__(self, settings: SearchSettings) -> None:
        self._settings = settings
        self._asked = 0
        self.deadline: float | None = None

    def start(self, now: float) -> None:
        """Begin to ask; at once."""
        self._asked = 0
        self.deadline = now

    def stop(self) -> None:
        """Ask no more."""
        self.deadline = None

    def handle(self, datagram: bytes) -> Sequence[Found]:
        """Take a datagram."""
        answer = sdp.parse_response(datagram)
        if self.deadline is None or answer is None:
            return ()
        if answer.tls and not self._settings.has_tls:
            return ()
        self.stop()
        return (Found(answer.address, answer.port, answer.tls),)

    def tick(self, now: float) -> Sequence[Ask | NotFound]:
        """Let time pass."""
        if not is_due(self.deadline, now):
            return ()
        settings = self._settings
        if self._asked >= settings.tls_requests + settings.requests:
            self.stop()
            return (NotFound(),)
        is_tls = self._asked < settings.tls_requests
        security = sdp.Security.TLS if is_tls else sdp.Security.NONE
        self._asked += 1
        self.deadline = now + settings.spacing_s
        return (Ask(sdp.build_request(security)),)
