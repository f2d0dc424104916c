"""The application handshake on the car's side (ISO 15118-2, 8.2).

The car lists what it speaks; the station takes one entry by its schema id.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.machine import is_due
from pilothat.v2g.evcc.events import (
    Action,
    Connected,
    Disconnect,
    Disconnected,
    Event,
    Outcome,
    ResponseIn,
    SendRequest,
    SessionEnded,
)
from pilothat.v2g.messages.sap import (
    AppProtocol,
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

V2G_EVCC_MSG_TIMEOUT_S = 2.0  # supportedAppProtocol, v2g_din.md section 4
DIN = "urn:din:70121:2012:MsgDef"
ISO_2 = "urn:iso:15118:2:2013:MsgDef"


@dataclass(frozen=True, slots=True)
class Offer:
    """One protocol of the car; priority 1 is what it likes best."""

    namespace: str
    schema_id: int
    priority: int
    major: int = 2
    minor: int = 0


NAMESPACES: Mapping[str, str] = {"din": DIN, "iso2": ISO_2}


def are_known(names: Sequence[object]) -> bool:
    """Whether these are protocols, at least one, each once."""
    is_each_once = len({*names}) == len(names)
    return bool(names) and is_each_once and {*names} <= {*NAMESPACES}


def offers_of(names: Sequence[str]) -> tuple[Offer, ...]:
    """Return offers of known protocols, best first."""
    return tuple(
        Offer(NAMESPACES[name], schema_id=place, priority=place)
        for place, name in enumerate(names, 1)
    )


DIN_ONLY = offers_of(["din"])


@dataclass(frozen=True, slots=True)
class HandshakeSettings:
    """What the car offers, and how long it thinks before it does."""

    offers: tuple[Offer, ...] = DIN_ONLY
    think_s: float = 0.05
    timeout_s: float = V2G_EVCC_MSG_TIMEOUT_S


@dataclass(frozen=True, slots=True)
class Chosen:
    """The station took this offer."""

    offer: Offer


class State(Enum):
    IDLE = auto()
    THINKING = auto()
    AWAIT_RES = auto()
    DONE = auto()


class Handshake:
    """Offer protocols and hear the choice."""

    def __init__(self, settings: HandshakeSettings) -> None:
        self._settings = settings
        self.state = State.IDLE
        self.deadline: float | None = None

    def handle(self, event: Event, now: float) -> Sequence[Action | Chosen]:
        """Take one event; what concerns other machines is ignored."""
        match self.state, event:
            case State.IDLE, Connected():
                self._enter(State.THINKING, now + self._settings.think_s)
            case State.AWAIT_RES, ResponseIn(SupportedAppProtocolRes() as res):
                return self._conclude(res)
            case State.AWAIT_RES, ResponseIn():
                return self._end(Outcome.ABORTED, "no handshake response")
            case ((State.THINKING | State.AWAIT_RES), Disconnected()):
                return self._end(Outcome.ABORTED, "disconnected during the handshake")
        return ()

    def tick(self, now: float) -> Sequence[Action | Chosen]:
        """Let time pass."""
        if not is_due(self.deadline, now):
            return ()
        if self.state is State.THINKING:
            self._enter(State.AWAIT_RES, now + self._settings.timeout_s)
            return (SendRequest(self._request()),)
        return self._end(Outcome.ABORTED, "no answer to supportedAppProtocolReq")

    def _request(self) -> SupportedAppProtocolReq:
        return SupportedAppProtocolReq(
            app_protocol=tuple(
                AppProtocol(
                    protocol_namespace=offer.namespace,
                    version_number_major=offer.major,
                    version_number_minor=offer.minor,
                    schema_id=offer.schema_id,
                    priority=offer.priority,
                )
                for offer in self._settings.offers
            )
        )

    def _conclude(self, res: SupportedAppProtocolRes) -> Sequence[Action | Chosen]:
        if res.response_code is ResponseCode.Failed_NoNegotiation:
            return self._end(
                Outcome.REFUSED, "the station speaks none of our protocols"
            )
        for offer in self._settings.offers:
            if offer.schema_id == res.schema_id:
                self._enter(State.DONE, None)
                return (Chosen(offer),)
        return self._end(Outcome.ABORTED, f"schema id {res.schema_id} was not offered")

    def _end(self, outcome: Outcome, reason: str) -> Sequence[Action]:
        self._enter(State.DONE, None)
        return (Disconnect(), SessionEnded(outcome, reason))

    def _enter(self, state: State, deadline: float | None) -> None:
        self.state, self.deadline = state, deadline
