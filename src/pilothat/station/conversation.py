"""One TCP connection: bytes to messages and back, in the grammar that was agreed."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.again import again
from pilothat.exi.codec import ExiError
from pilothat.station.actions import SendMessage, TcpSend
from pilothat.v2g.messages import codec
from pilothat.v2g.tp import Frame, PayloadType, Reader, pack

HANDSHAKE = "app"
MAX_BAD = 5  # messages in a row that cannot be decoded, then the connection is given up


class Conversation:
    """The state of one connection.

    protocol: grammar of what comes next; first the handshake's
    is_secure: it is under TLS
    has_rivals: another car has been turned away for it
    broken: why nothing more can be read; empty while all is well
    """

    def __init__(self, number: int, is_secure: bool = False) -> None:  # noqa: FBT001, FBT002 - as the event
        self.number = number
        self.is_secure = is_secure
        self.protocol = HANDSHAKE
        self.broken = ""
        self.has_rivals = False
        self.is_bytes = True  # False: messages come and go as objects
        self._reader = Reader()
        self._bad = 0
        # The last message heard: a car in the loop says the same for hours.
        self._heard: tuple[tuple[str, bytes], object] = (("", b""), None)
        self._envelope = again(self._enclose)

    def feed(self, data: bytes) -> Sequence[Frame]:
        """Return the frames that are now complete."""
        frames = self._reader.feed(data)
        self.broken = self.broken or self._reader.broken
        return frames

    def decode(self, frame: Frame) -> object | None:
        """Return the message of a frame; None for one that is to be ignored."""
        if frame.payload_type != PayloadType.EXI or not frame.payload:
            return None
        heard = (self.protocol, frame.payload)
        if heard == self._heard[0]:
            self._bad = 0
            return self._heard[1]
        try:
            message = codec(self.protocol).decode(frame.payload)
        except ExiError as error:
            self._bad += 1
            if self.protocol == HANDSHAKE:
                self.refuse(str(error))
            elif self._bad >= MAX_BAD:
                self.broken = (
                    f"{self._bad} messages in a row could not be decoded: {error}"
                )
            return None
        self._bad = 0
        self._heard = (heard, message)
        return message

    def refuse(self, why: str) -> None:
        """Give the connection up: nothing can be agreed on with this car."""
        self.broken = f"the first message is no supportedAppProtocolReq: {why}"

    def say(self, message: object) -> TcpSend | SendMessage:
        """Return what sends a message: framed bytes, or the object."""
        return self._envelope(message)

    def _enclose(self, message: object) -> TcpSend | SendMessage:
        if not self.is_bytes:
            return SendMessage(self.number, message)
        octets = codec(self.protocol).encode(message)
        return TcpSend(self.number, pack(PayloadType.EXI, octets))
