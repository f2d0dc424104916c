"""The car's end of a connection: its octets, the handshake, then the session."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from pilothat.again import again
from pilothat.station.actions import SendMessage, TcpClose, TcpSend
from pilothat.station.events import MessageIn, TcpData
from pilothat.twin.carevents import CarAction
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.handshake import Handshake
from pilothat.v2g.evcc.iso2 import Iso2Session, Paused
from pilothat.v2g.evcc.line import Line
from pilothat.v2g.evcc.protocols import speech
from pilothat.v2g.evcc.session import Session


class CarTalk:
    """One connection after the other.

    exi:      False: message objects instead of TCP octets
    contract: what the car pays with; None: payment is not its business
    """

    def __init__(
        self,
        profile: CarProfile,
        host_mac: bytes,
        contract: Contract | None,
        *,
        exi: bool,
    ) -> None:
        self._given = self._contract = contract
        self._profile = profile
        self._settings = replace(profile.session, evcc_id=host_mac)
        self._exi = exi
        self._line = Line()
        self._envelope: Callable[[object], TcpSend | SendMessage]
        self._connection: int | None = None
        self._paused: Paused | None = None  # to be joined again
        self.dialog: Handshake | Session | None = None
        self.session: Session | None = None  # the dialog from the handshake's end on
        self.requests = self.responses = 0

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        return self.dialog.deadline if self.dialog else None

    def open(self, connection: int) -> None:
        """Begin anew on a fresh connection."""
        self._connection = connection
        self._line = line = Line()
        if self._exi:
            self._envelope = again(lambda m: TcpSend(connection, line.say(m)))
        else:
            self._envelope = again(lambda m: SendMessage(connection, m))
        self.dialog, self.session = Handshake(self._profile.handshake), None

    def begin(self, namespace: str) -> bool:
        """Start the session the handshake has chosen; False when it is not built."""
        begun = speech(namespace, self._settings, self._paused, self._contract)
        if begun is not None:
            self._line.protocol = begun.codec
            self.dialog = self.session = begun.session
        return begun is not None

    def note(self) -> None:
        """Remember of the session that has ended what the next one begins with.

        A contract that was refused is not shown again: payment is external then.
        """
        if isinstance(self.dialog, Iso2Session):
            self._paused = self.dialog.paused
            if self.dialog.has_lost_its_contract:
                self._contract = None

    def forget(self) -> None:
        """Remember nothing: the plug was pulled."""
        self._paused, self._contract = None, self._given

    def say(self, message: object) -> Sequence[CarAction]:
        """Return what puts a message on its way."""
        if self._connection is None:
            return ()
        self.requests += 1
        return (self._envelope(message),)

    def hear(self, event: TcpData | MessageIn) -> Sequence[object]:
        """Return the messages of the station. Raises PeerError for rubbish."""
        if event.connection != self._connection:
            return ()
        if isinstance(event, MessageIn):
            messages = [event.message]
        else:
            messages = self._line.hear(event.data)
        self.responses += len(messages)
        return messages

    def is_on(self, connection: int) -> bool:
        """Whether this is the connection in use."""
        return connection == self._connection

    def lose(self) -> None:
        """Take note that the connection is gone."""
        self._connection = None

    def drop(self) -> None:
        """End the dialog without a word."""
        self.dialog = self.session = None

    def hang_up(self) -> Sequence[CarAction]:
        """Return what closes the connection, if there is one."""
        connection, self._connection = self._connection, None
        return () if connection is None else (TcpClose(connection),)
