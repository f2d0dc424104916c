"""The station's side of the conversation: SDP, one TCP connection, one V2G session.

``is_open`` says whether a car may come (its link is up, the set-up time runs); outside
of it SDP stays silent and connections are closed as they come.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from pilothat.again import again
from pilothat.frozen import dataclass
from pilothat.plant import Wish
from pilothat.station.actions import (
    Publish,
    SdpOut,
    SendMessage,
    TcpClose,
    TcpSend,
    Topic,
)
from pilothat.station.conversation import HANDSHAKE, Conversation
from pilothat.station.events import (
    MessageIn,
    NetworkFact,
    SdpIn,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.v2g import sdp
from pilothat.v2g.messages.sap import SupportedAppProtocolReq
from pilothat.v2g.plant import (
    Ending,
    Learned,
    PlantState,
    Respond,
    SessionOver,
    TimeOfDay,
)
from pilothat.v2g.secc.base import RequestIn, Session, SessionAction
from pilothat.v2g.secc.contract import Clock
from pilothat.v2g.secc.handshake import Served, negotiate

AnySession = Session[Any, Any]


@dataclass(frozen=True, slots=True)
class Opening:
    """When and where a session begins.

    is_secure: its connection is under TLS
    clock: the time of day, as far as it was told
    """

    now: float
    is_secure: bool = False
    clock: Clock = Clock()


Opener = Callable[[Opening], AnySession]


@dataclass(frozen=True, slots=True)
class Hung:
    """The connection is gone, or must be given up; why."""

    why: str
    is_ours: bool  # we close it, because nothing sensible can follow


@dataclass(frozen=True, slots=True)
class Heard:
    """A message came: its name, for those who watch."""

    name: str


def _heard(message: object) -> Heard:
    return Heard(type(getattr(message, "body", message)).__name__)


Outward = SdpOut | TcpSend | SendMessage | TcpClose | Publish
TalkAction = Outward | Hung | Heard | SessionOver | Learned | Wish
TalkEvent = SdpIn | TcpOpened | TcpData | MessageIn | TcpClosed | TimeOfDay


class Talk:
    """Find each other, agree on a protocol, and keep one session."""

    def __init__(self, served: Sequence[tuple[Served, Opener]]) -> None:
        self.is_open = False
        self.network = NetworkFact(is_up=False, address=None, tcp_port=0)
        self.plant = PlantState()  # as a message that comes will find it
        self.session: AnySession | None = None
        self._served = {one.protocol: (one, opener) for one, opener in served}
        self.paused_id = b""  # of a session that may be joined again
        self._conversation: Conversation | None = None
        self._clock = Clock()
        self._heard = again(_heard)

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return self.session.deadline if self.session else None

    @property
    def protocols(self) -> Sequence[str]:
        """The names of what is served, as the codec knows them."""
        return tuple(self._served)

    @property
    def is_connected(self) -> bool:
        """Whether a car has a connection."""
        return self._conversation is not None

    @property
    def is_waiting(self) -> bool:
        """Whether a request waits for a change of the plant."""
        session = self.session
        return session is not None and session.is_waiting

    @property
    def is_established(self) -> bool:
        """Whether a session is past its setup."""
        return self.session is not None and bool(self.session.context.session_id)

    def handle(self, event: TalkEvent, now: float) -> Sequence[TalkAction]:
        """Take a datagram, or something of a connection."""
        match event:
            case MessageIn(connection, message):
                return self._take(connection, message, now)
            case TcpData(connection, data):
                return self._read(connection, data, now)
            case SdpIn():
                return self._discover(event)
            case TimeOfDay():
                self._clock = Clock(event, now)
                return ()
            case TcpOpened():
                return self._accept(event)
            case TcpClosed(connection):
                return self._closed(connection)

    def tick(self, now: float) -> Sequence[TalkAction]:
        """Let time pass."""
        return self._of_session(self.session.tick(now)) if self.session else ()

    def tell(self, plant: PlantState, now: float) -> Sequence[TalkAction]:
        """Push the newest state of the plant; it may release an answer."""
        return self._of_session(self.session.handle(plant, now)) if self.session else ()

    def close(self) -> Sequence[TcpClose]:
        """Forget the session and close the connection."""
        conversation, self._conversation, self.session = self._conversation, None, None
        return () if conversation is None else (TcpClose(conversation.number),)

    def _discover(self, event: SdpIn) -> Sequence[TalkAction]:
        request = sdp.parse_request(event.payload)
        address = self.network.address
        if request is None or request.transport is not sdp.Transport.TCP:
            return ()
        if address is None or not self.is_open or self.is_connected:
            return ()
        has_tls, has_plain = self.network.tls_port, self.network.tcp_port
        if has_tls and (request.tls or not has_plain):
            answer = sdp.build_response(address, has_tls, sdp.Security.TLS)
        else:
            answer = sdp.build_response(address, has_plain, sdp.Security.NONE)
        return (SdpOut(answer, event.host, event.port),)

    def _accept(self, opened: TcpOpened) -> Sequence[TalkAction]:
        if self.is_open and not self.is_connected:
            self._conversation = Conversation(opened.connection, opened.is_secure)
            return ()
        gone = TcpClose(opened.connection)
        if self._conversation is None or self._conversation.has_rivals:
            return (gone,)
        self._conversation.has_rivals = True  # told once: there may be thousands
        told = f"{opened.host} turned away: another car is connected"
        return (gone, Publish(Topic.NOTE, told))

    def _closed(self, connection: int) -> Sequence[TalkAction]:
        conversation = self._conversation
        if conversation is None or conversation.number != connection:
            return ()
        self._conversation = None
        had_session, self.session = self.is_established, None
        return (Hung("closed by the car", is_ours=False),) if had_session else ()

    def _read(self, connection: int, data: bytes, now: float) -> Sequence[TalkAction]:
        conversation = self._conversation
        if conversation is None or conversation.number != connection:
            return ()
        actions: list[TalkAction] = []
        for frame in conversation.feed(data):
            message = conversation.decode(frame)
            if message is not None:
                actions += self._message(conversation, message, now)
        return self._unless_broken(conversation, actions)

    def _take(
        self, connection: int, message: object, now: float
    ) -> Sequence[TalkAction]:
        conversation = self._conversation
        if conversation is None or conversation.number != connection:
            return ()
        conversation.is_bytes = False
        actions = self._message(conversation, message, now)
        return self._unless_broken(conversation, actions)

    def _unless_broken(
        self, conversation: Conversation, actions: Sequence[TalkAction]
    ) -> Sequence[TalkAction]:
        why = conversation.broken
        return (*actions, Hung(why, is_ours=True)) if why else actions

    def _message(
        self, conversation: Conversation, message: object, now: float
    ) -> Sequence[TalkAction]:
        if conversation.protocol == HANDSHAKE and not conversation.broken:
            if not isinstance(message, SupportedAppProtocolReq):
                conversation.refuse(type(message).__name__)
                return ()
            return self._shake_hands(conversation, message, now)
        if self.session is None:
            return ()
        self.session.plant = self.plant
        heard = self._heard(message)
        return (heard, *self._of_session(self.session.handle(RequestIn(message), now)))

    def _shake_hands(
        self, conversation: Conversation, request: SupportedAppProtocolReq, now: float
    ) -> Sequence[TalkAction]:
        response, chosen = negotiate(request, [one for one, _ in self._served.values()])
        heard = Heard(type(request).__name__)
        answer = conversation.say(response)
        if chosen is None:
            conversation.broken = "the car speaks no protocol that is served here"
            return (heard, answer)
        conversation.protocol = chosen.protocol
        opening = Opening(now, conversation.is_secure, self._clock)
        session = self._served[chosen.protocol][1](opening)
        session.context = replace(session.context, paused_id=self.paused_id)
        self.session = session
        return (heard, answer)

    def _of_session(self, actions: Iterable[SessionAction]) -> Sequence[TalkAction]:
        done: list[TalkAction] = []
        for action in actions:
            if isinstance(action, Respond):
                if self._conversation is not None:
                    done.append(self._conversation.say(action.message))
                continue
            if isinstance(action, SessionOver) and self.session is not None:
                is_paused = action.ending is Ending.PAUSED
                self.paused_id = self.session.context.session_id if is_paused else b""
                self.session = None
            done.append(action)
        return done
