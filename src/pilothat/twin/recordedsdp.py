"""The search of a recorded car: its SDP requests, until our station answers.

A car repeats an SDP request only while nobody answers; so what it repeated after the
answer of our station is left out. An answer "no TLS" to a request for TLS ends the
requests for TLS; what the car asked for next comes next.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilothat.frozen import dataclass
from pilothat.machine import is_due
from pilothat.twin.recording import SDP_REQUEST_TYPE, Line
from pilothat.v2g import sdp, tp
from pilothat.v2g.evcc.search import (
    SDP_REQUESTS,
    SDP_SPACING_S,
    Ask,
    Found,
    NotFound,
)


@dataclass(frozen=True, slots=True)
class Request:
    """One datagram. pause_s: since the one before."""

    datagram: bytes
    pause_s: float

    @property
    def is_tls(self) -> bool:
        """Tell whether it asks for TLS."""
        asked = sdp.parse_request(self.datagram)
        return asked is not None and asked.tls


def requests(lines: Sequence[Line]) -> tuple[Request, ...]:
    """Return what the car asked; a plain request where nothing is recorded."""
    found = tuple(_requests(lines))
    return found or (Request(sdp.build_request(sdp.Security.NONE), SDP_SPACING_S),)


def _requests(lines: Sequence[Line]) -> Iterator[Request]:
    before: Line | None = None
    for line in lines:
        if line.is_ev and line.kind.lower() == SDP_REQUEST_TYPE:
            pause_s = line.at - before.at if before else 0.0
            yield Request(tp.pack(tp.PayloadType.SDP_REQUEST, line.data), pause_s)
            before = line


class RecordedSearch:
    """Ask as recorded. skipped: requests that were needed no more."""

    def __init__(self, script: Sequence[Request]) -> None:
        self.deadline: float | None = None
        self.skipped = 0
        self._script = script
        self._at = 0
        self._more = 0

    def start(self, now: float) -> None:
        """Begin; the first request follows at once."""
        self._at, self._more = 0, 0
        self.deadline = now

    def stop(self) -> None:
        """Ask no more."""
        self.deadline = None

    def handle(self, datagram: bytes, now: float) -> Sequence[Found]:
        """Take an answer."""
        answer = sdp.parse_response(datagram)
        if self.deadline is None or answer is None or self._at == 0:
            return ()
        while self._at < len(self._script) and self._is_needless():
            self._at += 1
            self.skipped += 1
        if self._at < len(self._script):
            self.deadline = now + self._script[self._at].pause_s
            return ()
        self.stop()
        return (Found(answer.address, answer.port),)

    def tick(self, now: float) -> Sequence[Ask | NotFound]:
        """Let time pass. Behind the last recorded request it is repeated."""
        if not is_due(self.deadline, now):
            return ()
        if self._at < len(self._script):
            asked = self._script[self._at]
            self._at += 1
        else:
            asked = self._script[-1]
            self._more += 1
        if self._more > SDP_REQUESTS:
            self.stop()
            return (NotFound(),)
        has_next = self._at < len(self._script)
        pause_s = self._script[self._at].pause_s if has_next else SDP_SPACING_S
        self.deadline = now + pause_s
        return (Ask(asked.datagram),)

    def _is_needless(self) -> bool:
        """Tell whether the next request only repeats one that was answered."""
        return self._script[self._at].is_tls is self._script[self._at - 1].is_tls
