"""One direction of a TCP connection, put in order again.

Segments come as they were recorded: twice, overlapping, in any order, cut short, or
not at all. Out come the octets in order and, where some were not recorded, a ``Gap``.
A hole is waited for until the other side acknowledges what lies behind it, or until
too much or too old data waits: then nothing will fill it any more.
"""

from __future__ import annotations

from pilothat.frozen import dataclass

MOST_HELD_BYTES = 1 << 16
MOST_HELD_SEGMENTS = 256
PATIENCE_S = 2.0  # our choice: ten times the usual time of a retransmission
FAR_BYTES = 1 << 20  # a jump beyond is another connection on the same ports
_SEQ = 1 << 32


@dataclass(frozen=True, slots=True)
class Gap:
    """So many octets were not recorded; None: nobody knows how many."""

    count: int | None


Chunk = bytes | Gap


class Direction:
    """Takes segments and acknowledgements, gives octets and gaps."""

    def __init__(self) -> None:
        self._next: int | None = None  # sequence number of the octet that is due
        self._acked: int | None = None  # what the other side has, up to here
        self._held: dict[int, bytes] = {}
        self._waits_since = 0.0

    @property
    def is_known(self) -> bool:
        """Whether anything was seen of it."""
        return self._next is not None

    def start(self, seq: int) -> None:
        """Begin behind a SYN with this number."""
        self._next = (seq + 1) % _SEQ

    def feed(self, seq: int, data: bytes, now: float) -> list[Chunk]:
        """Take a segment; return what is in order now. now: s of the recording."""
        if self._next is None:
            self._next = seq
        if not data:
            return self._settle(now)
        ahead = self._ahead(seq)
        if abs(ahead) > FAR_BYTES:
            chunks: list[Chunk] = [*self.flush(), Gap(None), data]
            self._next, self._acked = (seq + len(data)) % _SEQ, None
            return chunks
        if ahead > 0:
            self._hold(seq, data, now)
            return self._settle(now)
        fresh = data[-ahead:]
        if not fresh:
            return self._settle(now)  # a retransmission
        self._next = (self._next + len(fresh)) % _SEQ
        return [fresh, *self._drain(), *self._settle(now)]

    def acknowledge(self, ack: int, now: float) -> list[Chunk]:
        """Let the other side say what it has; return what is in order now."""
        self._acked = ack
        return self._settle(now)

    def flush(self) -> list[Chunk]:
        """Return all that waits: nothing more will come."""
        chunks: list[Chunk] = []
        while self._held:
            chunks += self._give_up()
        return chunks

    def _ahead(self, seq: int) -> int:
        """Return how far a number lies ahead of what is due; negative if behind."""
        return (seq - (self._next or 0) + _SEQ // 2) % _SEQ - _SEQ // 2

    def _hole(self) -> int:
        return min(self._ahead(seq) for seq in self._held)

    def _hold(self, seq: int, data: bytes, now: float) -> None:
        if not self._held:
            self._waits_since = now
        if len(data) > len(self._held.get(seq, b"")):
            self._held[seq] = data

    def _settle(self, now: float) -> list[Chunk]:
        """Return what is behind holes that nothing will fill any more."""
        chunks: list[Chunk] = []
        while self._held and self._is_hopeless(now):
            chunks += self._give_up()
        return chunks

    def _is_hopeless(self, now: float) -> bool:
        is_acked = self._acked is not None and self._ahead(self._acked) >= self._hole()
        return (
            is_acked
            or now - self._waits_since > PATIENCE_S
            or len(self._held) > MOST_HELD_SEGMENTS
            or sum(map(len, self._held.values())) > MOST_HELD_BYTES
        )

    def _give_up(self) -> list[Chunk]:
        """Call the first hole a gap; return what follows it."""
        missing = self._hole()
        self._next = ((self._next or 0) + missing) % _SEQ
        gap: list[Chunk] = [Gap(missing)]
        return gap + self._drain()

    def _drain(self) -> list[Chunk]:
        """Return what has become due of what waited."""
        chunks: list[Chunk] = []
        while self._held:
            seq = min(self._held, key=self._ahead)
            ahead = self._ahead(seq)
            if ahead > 0:
                break
            fresh = self._held.pop(seq)[-ahead:]
            if fresh:
                self._next = ((self._next or 0) + len(fresh)) % _SEQ
                chunks.append(fresh)
        return chunks
