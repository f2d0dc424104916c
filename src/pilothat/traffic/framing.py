"""V2GTP messages in a stream with flaws: after each, go on at the next header.

``v2g.tp.Reader`` gives up at the first octet that is wrong, as a station has to. Who
looks at a recording wants what comes after it.
"""

from __future__ import annotations

from pilothat.traffic.order import Chunk, Gap
from pilothat.v2g.tp import HEADER, INVERSE_VERSION, VERSION, Frame, PayloadType

MOST_PAYLOAD_BYTES = 1 << 16  # our choice: certificate chains of -20 fit twice
START = bytes((VERSION, INVERSE_VERSION))
_MAKERS = 0xA000  # payload types from here on are the makers' own
_TYPES = frozenset(PayloadType)


class Framer:
    """Takes octets and gaps, gives messages and words about what is wrong.

    frames: how many were found
    is_lost: the start of the next message has to be searched for
    """

    def __init__(self, *, is_lost: bool = False) -> None:
        self.frames = 0
        self.is_lost = is_lost
        self._held = bytearray()
        self._skipped = 0

    def feed(self, chunk: Chunk) -> list[Frame | str]:
        """Take what comes next; return what it completes."""
        if isinstance(chunk, Gap):
            return [self._gap(chunk)]
        self._held += chunk
        found: list[Frame | str] = []
        while True:
            if self.is_lost:
                found += self._search()
            one = None if self.is_lost else self._cut()
            if one is None:
                return found
            found.append(one)

    def end(self) -> list[Frame | str]:
        """Return what is wrong with the rest, if that is news: nothing more comes."""
        rest = len(self._held)
        self._held.clear()
        is_news = rest and not self.is_lost
        return [f"the last {rest} octets are no whole message"] if is_news else []

    def _gap(self, gap: Gap) -> str:
        size = "unknown size" if gap.count is None else f"{gap.count} octets"
        begun = self._skipped + len(self._held)
        self._held.clear()
        self._skipped, self.is_lost = 0, True
        return f"gap of {size}" + (f" after {begun} of a message" if begun else "")

    def _cut(self) -> Frame | str | None:
        """Take a message off the front; None if it is not there as a whole."""
        if len(self._held) < HEADER.size:
            return None
        version, inverse, payload_type, length = HEADER.unpack_from(self._held)
        if (version, inverse) != (VERSION, INVERSE_VERSION):
            self.is_lost = True
            return f"version {version:02x} {inverse:02x} instead of 01 fe"
        if length > MOST_PAYLOAD_BYTES:
            self.is_lost = True
            self._drop(1)  # or it would be found again
            most = MOST_PAYLOAD_BYTES
            return f"{length} octets announced, at most {most} allowed"
        end = HEADER.size + length
        if len(self._held) < end:
            return None
        frame = Frame(payload_type, bytes(self._held[HEADER.size : end]))
        del self._held[:end]
        self.frames += 1
        return frame

    def _search(self) -> list[str]:
        """Go to the next plausible header; stay lost if there is none yet."""
        at = self._held.find(START)
        while at >= 0 and len(self._held) - at >= HEADER.size:
            if self._is_plausible(at):
                self._drop(at)
                told = f"{self._skipped} octets skipped, up to the next header"
                is_told = self._skipped > 0
                self._skipped, self.is_lost = 0, False
                return [told] if is_told else []
            at = self._held.find(START, at + 1)
        keeps = len(self._held) - at if at >= 0 else int(self._held[-1:] == b"\x01")
        self._drop(len(self._held) - keeps)
        return []

    def _drop(self, count: int) -> None:
        self._skipped += count
        del self._held[:count]

    def _is_plausible(self, at: int) -> bool:
        payload_type: int
        length: int
        _, _, payload_type, length = HEADER.unpack_from(self._held, at)
        is_known = payload_type in _TYPES or payload_type >= _MAKERS
        return is_known and length <= MOST_PAYLOAD_BYTES
