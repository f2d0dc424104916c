"""What the sessions of all standards have in common on the station's side.

A session is a machine: requests and plant states in, answers and wishes out. It walks
the sequence table, checks the session ID, calls one pure handler a request, and keeps
the two timers. A handler that cannot answer yet says ``Later``: it is asked again at
each new plant state, and a last time after ``PATIENCE_S``, when it must answer. So
nothing ever waits, and each request gets exactly one answer.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Generic, Protocol, TypeVar

from pilothat.frozen import dataclass
from pilothat.machine import is_due
from pilothat.plant import EvLimits, Wish
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import Ending, Learned, PlantState, Respond, SessionOver
from pilothat.v2g.secc.contract import Contract
from pilothat.v2g.sequence import Row, Sequences, State

SEQUENCE_TIMEOUT_S = 60.0  # V2G_SECC_Sequence_Timeout
PATIENCE_S = 1.4  # an answer must be out within 1.5 s
MAX_WAITING = 8  # requests a car may have sent ahead


@dataclass(frozen=True, slots=True)
class Context:
    """What the session has learned; replaced, never changed."""

    session_id: bytes = b""
    evcc_id: bytes = b""
    ev: EvLimits = EvLimits()
    soc_pct: int | None = None
    target_v: float = 0.0
    max_w: float = 0.0  # of the schedule that was told
    contract: Contract | None = None
    paused_id: bytes = b""  # of the session that may be joined again


RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


@dataclass(frozen=True, slots=True)
class Ask(Generic[RequestT]):
    """All a handler may know.

    state: of the session, before this request
    waited_s: since the first request of this kind in this state
    is_last_call: the answer must go out now
    signature, session_id: of the message
    """

    request: RequestT
    context: Context
    plant: PlantState
    state: State
    waited_s: float
    is_last_call: bool
    now: float
    signature: Signature | None = None
    session_id: bytes = b""


@dataclass(frozen=True, slots=True)
class Answer(Generic[ResponseT]):
    """What a handler has decided.

    is_done: False keeps the state (EVSEProcessing Ongoing)
    ending: the session is over with this answer
    signature: of the answer
    asks_receipt: the car must confirm the meter reading in it
    """

    response: ResponseT
    context: Context
    wishes: Sequence[Wish] = ()
    is_done: bool = True
    ending: Ending | None = None
    why: str = ""
    learned: Learned | None = None
    signature: Signature | None = None
    asks_receipt: bool = False


@dataclass(frozen=True, slots=True)
class Later:
    """The answer must wait; what to wish meanwhile."""

    wishes: Sequence[Wish] = ()


@dataclass(frozen=True, slots=True)
class Opened(Generic[RequestT]):
    """What is in a message."""

    session_id: bytes
    request: RequestT
    signature: Signature | None = None


class Standard(Protocol[RequestT, ResponseT]):
    """What one standard brings to a session.

    steady: requests of the loop whose answer follows from request, context and plant,
        and from nothing else
    """

    first: State
    ended: State
    sequences: Sequences
    steady: Collection[str]
    handlers: Mapping[
        str, Callable[[Ask[RequestT]], Answer[ResponseT] | Later]
    ]  # by request name

    def open(self, message: object) -> Opened[RequestT] | None:
        """Return what is in a message; None if this is no request."""

    def name(self, request: RequestT) -> tuple[str, str]:
        """Return the request's name without Req, and its variant."""

    def wrap(
        self,
        session_id: bytes,
        response: ResponseT,
        signature: Signature | None = None,
    ) -> object:
        """Return the whole message for a response."""

    def refuse(self, ask: Ask[RequestT], code: str) -> ResponseT:
        """Return the response to a request with this failure code."""


SessionAction = Respond | SessionOver | Learned | Wish


@dataclass(frozen=True, slots=True)
class Exchange:
    """A request of the loop, what it met, and what came of it.

    Values never change here: a car that says the very same to the same station gets
    the very same answer, without anybody looking at it again.
    """

    message: object
    plant: PlantState
    context: Context
    actions: Sequence[SessionAction]

    def is_again(self, message: object, plant: PlantState, context: Context) -> bool:
        """Tell whether it comes again."""
        return (
            message is self.message and plant is self.plant and context is self.context
        )


@dataclass(frozen=True, slots=True)
class RequestIn:
    """A decoded message from the car."""

    message: object


class Session(Generic[RequestT, ResponseT]):
    """One V2G session on the station's side."""

    def __init__(self, standard: Standard[RequestT, ResponseT], now: float) -> None:
        self.state = standard.first
        self.context = Context()
        self.plant = PlantState()
        self._standard = standard
        self._pending: tuple[Opened[RequestT], Row] | None = None
        self._waiting: deque[object] = deque()
        self._patience_at: float | None = None
        self._wished: Sequence[Wish] = ()  # while the pending request waits
        # Until the next request; while one is pending, there is the patience instead.
        self._silent_at: float | None = now + SEQUENCE_TIMEOUT_S
        self._asked: tuple[str, float] = ("", 0.0)
        self._taken: tuple[object, Opened[RequestT] | None] = (None, None)
        self._last: Exchange | None = None  # which may come again

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return self._silent_at if self._patience_at is None else self._patience_at

    @property
    def is_over(self) -> bool:
        """Whether nothing will be answered any more."""
        return self.state is self._standard.ended

    @property
    def is_waiting(self) -> bool:
        """Whether a request waits for a change of the plant."""
        return self._pending is not None

    def handle(
        self, event: RequestIn | PlantState, now: float
    ) -> Sequence[SessionAction]:
        """Take a request, or the newest state of the plant."""
        if isinstance(event, PlantState):
            self.plant = event
            return self._try_pending(now) if self._pending else ()
        if self.is_over:
            return ()
        if self._pending is None:
            return self._take(event.message, now)
        if len(self._waiting) == MAX_WAITING:
            hasty = f"{MAX_WAITING} requests wait already, another one came"
            return (self._end(Ending.FAILED, hasty),)
        self._waiting.append(event.message)
        return ()

    def tick(self, now: float) -> Sequence[SessionAction]:
        """Let time pass."""
        if is_due(self._patience_at, now):
            return self._try_pending(now)
        if is_due(self._silent_at, now):
            silence = f"no request for {SEQUENCE_TIMEOUT_S:.0f} s in {self.state.value}"
            return (self._end(Ending.SILENT, silence),)
        return ()

    def _take(self, message: object, now: float) -> Sequence[SessionAction]:
        last = self._last
        if last and last.is_again(message, self.plant, self.context):
            self._silent_at = now + SEQUENCE_TIMEOUT_S
            return last.actions
        self._last = None
        if message is not self._taken[0]:
            self._taken = (message, self._standard.open(message))
        opened = self._taken[1]
        if opened is None:
            return ()  # no request: ignored, the sequence timer goes on
        name, variant = self._standard.name(opened.request)
        if self._asked[0] != name:
            self._asked = (name, now)
        row = self._standard.sequences.get((self.state, name, variant))
        if row is None:
            return self._refuse(opened, "FAILED_SequenceError", name, now)
        is_first = self.state is self._standard.first
        if not is_first and opened.session_id != self.context.session_id:
            return self._refuse(opened, "FAILED_UnknownSession", name, now)
        self._pending, self._silent_at = (opened, row), None
        self._patience_at = now + PATIENCE_S
        return self._try_pending(now)

    def _try_pending(self, now: float) -> Sequence[SessionAction]:
        """Ask the handler of the pending request (again)."""
        if self._pending is None:
            return ()
        opened, row = self._pending
        ask = self._ask(opened, now, is_last_call=is_due(self._patience_at, now))
        answer = self._standard.handlers[row.request](ask)
        if isinstance(answer, Later):
            if ask.is_last_call:
                raise AssertionError(f"{row.request}: no answer at the last call")
            is_news = answer.wishes != self._wished
            self._wished = answer.wishes
            return answer.wishes if is_news else ()
        self._pending = self._patience_at = None
        self._wished = ()
        return self._give(answer, row, now)

    def _give(
        self, answer: Answer[ResponseT], row: Row, now: float
    ) -> Sequence[SessionAction]:
        is_known = answer.context == self.context
        self.context = self.context if is_known else answer.context
        actions: list[SessionAction] = list(answer.wishes)
        if answer.learned:
            actions.append(answer.learned)
        wrapped = self._standard.wrap(
            self.context.session_id, answer.response, answer.signature
        )
        actions.append(Respond(wrapped))
        if answer.ending:
            actions.append(self._end(answer.ending, answer.why))
            return actions
        if answer.is_done:
            then = row.receipt if answer.asks_receipt else None
            self.state = then or row.then
        self._silent_at = now + SEQUENCE_TIMEOUT_S
        if is_known and row.request in self._standard.steady:
            given = tuple(actions)
            self._last = Exchange(self._taken[0], self.plant, self.context, given)
        while self._waiting and self._pending is None:
            actions += self._take(self._waiting.popleft(), now)
        return actions

    def _refuse(
        self, opened: Opened[RequestT], code: str, name: str, now: float
    ) -> Sequence[SessionAction]:
        response = self._standard.refuse(self._ask(opened, now), code)
        wrapped = self._standard.wrap(self.context.session_id, response)
        why = f"{name} in {self.state.value}: {code}"
        return (Respond(wrapped), self._end(Ending.FAILED, why))

    def _ask(
        self, opened: Opened[RequestT], now: float, *, is_last_call: bool = False
    ) -> Ask[RequestT]:
        waited_s = now - self._asked[1]
        return Ask(
            opened.request,
            self.context,
            self.plant,
            self.state,
            waited_s,
            is_last_call,
            now,
            opened.signature,
            opened.session_id,
        )

    def _end(self, ending: Ending, why: str) -> SessionOver:
        self.state = self._standard.ended
        self._pending = self._patience_at = self._silent_at = None
        self._waiting.clear()
        return SessionOver(ending, why)
