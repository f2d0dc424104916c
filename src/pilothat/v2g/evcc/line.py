"""Messages over one connection: V2GTP and EXI, as the car speaks them."""

from __future__ import annotations

from pilothat.errors import PeerError
from pilothat.v2g import tp
from pilothat.v2g.messages import codec

HANDSHAKE_PROTOCOL = "app"


class Line:
    """Octets to messages and back. ``protocol`` is the key of the codec in use."""

    def __init__(self) -> None:
        self.protocol = HANDSHAKE_PROTOCOL
        self._reader = tp.Reader()
        self._said: tuple[object, bytes] = (None, b"")  # in the loop it is the same
        self._heard: tuple[tuple[str, bytes], object] = (("", b""), None)

    def say(self, message: object) -> bytes:
        """Return a message as it goes into the stream."""
        if message is not self._said[0]:
            octets = codec(self.protocol).encode(message)
            self._said = (message, tp.pack(tp.PayloadType.EXI, octets))
        return self._said[1]

    def hear(self, data: bytes) -> list[object]:
        """Return the messages that these octets complete.

        Raises PeerError when the station's stream cannot be understood. Payloads of
        other types are skipped.
        """
        frames = self._reader.feed(data)
        if self._reader.broken:
            raise PeerError(self._reader.broken, where="V2GTP stream of the station")
        exi = tp.PayloadType.EXI
        messages = (f.payload for f in frames if f.payload_type == exi and f.payload)
        return [self._decoded(payload) for payload in messages]

    def _decoded(self, payload: bytes) -> object:
        heard = (self.protocol, payload)
        if heard != self._heard[0]:
            self._heard = (heard, codec(self.protocol).decode(payload))
        return self._heard[1]
