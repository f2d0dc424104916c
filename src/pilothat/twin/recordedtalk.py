"""The conversation of a recorded car: its requests, byte for byte but the session ID.

The car is conditional where a real one is: it repeats a request while our station is
still busy, leaves out repetitions that are needed no more, and waits in precharge for
the voltage. Everything else comes as recorded, at the recorded pace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.machine import is_due
from pilothat.twin.recordedbytes import with_session_id
from pilothat.twin.recordedkinds import differences
from pilothat.twin.recordedspeech import (
    CHECKED,
    NEW_TERMS,
    POWER_OFF,
    POWER_ON,
    PreChargeReq,
    PreChargeRes,
    SessionSetupReq,
    SessionSetupRes,
    V2gMessage,
    agreed,
    body_of,
    energy_transfer,
    is_busy,
    is_needless,
    is_unserved,
    protocol_of,
    refusal,
)
from pilothat.twin.recording import USUAL_PACE_S, Closing, Recording, Turn
from pilothat.v2g.evcc.events import Disconnect, SetEvContactor, SetS2
from pilothat.v2g.messages.sap import SupportedAppProtocolRes

ONGOING_S = 60.0  # authentication, charge parameters, cable check: how long a car asks
MESSAGE_S = 5.0  # our choice: longer than every answer may take
SILENCE_S = 65.0  # a recorded car that fell silent: longer than the sequence time
MORE_PRECHARGE = 100
PRECHARGE_GAP_V = 20.0
PARTING_S = 0.1  # where the recorded station closed
_LOOPS = ("CurrentDemand", "ChargingStatus")


@dataclass(frozen=True, slots=True)
class Say:
    """Send this EXI body; ``message`` is what it says, None if nobody can tell."""

    payload: bytes
    message: object | None
    note: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """An answer was taken; how it differs in kind, and how the car went on."""

    message: object
    differences: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class TalkOver:
    """The script has ended; why. ``is_early``: our station broke it off."""

    reason: str
    is_early: bool


TalkAction = Say | Heard | TalkOver | SetS2 | SetEvContactor | Disconnect


_APART = SetEvContactor(closed=False), SetS2(closed=False)
_GRIPS: Mapping[str, Sequence[SetS2 | SetEvContactor]] = {  # at the answer to what
    POWER_ON: (SetEvContactor(closed=True),),
    NEW_TERMS: (SetEvContactor(closed=False),),
    POWER_OFF: _APART,
    "SessionStop": _APART,
}


class State(Enum):
    IDLE = auto()
    THINKING = auto()
    AWAITING = auto()
    PARTING = auto()  # all is said; the connection is closed as recorded
    DONE = auto()


class RecordedTalk:
    """Play the turns of a recording. reached: turns that were answered with OK."""

    def __init__(self, recording: Recording) -> None:
        self.state = State.IDLE
        self.deadline: float | None = None
        self.reached = 0
        self.loops = 0
        self._recording = recording
        self._turns = recording.turns
        self._at = 0
        self._more = 0  # repetitions beyond the recorded ones
        self._since = 0.0  # of the first request of this kind
        self._session_id = b""
        self._was_session_id = recording.session_id
        names = [turn.name for turn in self._turns]
        self._has_cable_check = "CableCheck" in names
        self._is_ac = recording.energy_transfer.startswith("AC")

    def begin(self, now: float, pause_s: float) -> None:
        """Start with the handshake after a while."""
        self._since = now
        self._enter(State.THINKING, now + pause_s)

    def handle(self, message: object, now: float) -> Sequence[TalkAction]:
        """Take an answer of the station."""
        if self.state is not State.AWAITING:
            return (Heard(message, (), "not asked for"),)
        turn = self._turns[self._at]
        code = refusal(message)
        if code:
            return self._take_refusal(message, code, now)
        unserved = self._unserved(message)
        if unserved:
            told = _compare(message, turn)
            return (Heard(message, told), *self._break_off(unserved))
        self._learn(message)
        following, note = self._following(message, now)
        last = self._turns[max(following - 1, self._at)]
        compared = last if last.name == turn.name else turn
        told = () if following == self._at else _compare(message, compared)
        self.reached = max(self.reached, following)
        heard = Heard(message, told, note)
        return (heard, *self._grip(message), *self._go_on(following, now))

    def hung_up(self) -> Sequence[TalkAction]:
        """Take the end of the connection."""
        if self.state is State.DONE:
            return ()
        is_early = self.state is not State.PARTING
        reason = "the station closed the connection"
        if is_early and self._at < len(self._turns):
            reason += f" before {self._turns[self._at].name}"
        self._enter(State.DONE, None)
        return (TalkOver(reason, is_early=is_early),)

    def tick(self, now: float) -> Sequence[TalkAction]:
        """Let time pass."""
        if not is_due(self.deadline, now):
            return ()
        match self.state:
            case State.THINKING:
                return self._say(now)
            case State.AWAITING:
                return self._unanswered(now)
            case State.PARTING:
                self._enter(State.DONE, None)
                reason = "as recorded" if self._recording.closing else "fell silent"
                return (Disconnect(), TalkOver(reason, is_early=False))
        self.deadline = None
        return ()

    def _enter(self, state: State, deadline: float | None) -> None:
        self.state, self.deadline = state, deadline

    # --- saying

    def _say(self, now: float) -> Sequence[TalkAction]:
        turn = self._turns[self._at]
        payload, note = self._payload(turn)
        if turn.name in _LOOPS:
            self.loops += 1
        is_first = self._is_ac and turn.name == POWER_ON
        grip = (SetS2(closed=True),) if is_first else ()
        self._enter(State.AWAITING, now + self._patience_s(turn))
        return (*grip, Say(payload, turn.request, note))

    def _patience_s(self, turn: Turn) -> float:
        """Return how long the answer may take: as long as the recorded car waited."""
        if turn.answered_at is not None:
            return max(MESSAGE_S, 2 * (turn.answered_at - turn.at))
        if self._at + 1 < len(self._turns):
            return self._turns[self._at + 1].think_s
        closing = self._recording.closing
        return closing.after_s if closing and closing.is_ev else MESSAGE_S

    def _payload(self, turn: Turn) -> tuple[bytes, str]:
        """Return the request's bytes with the ID of this session."""
        request = turn.request
        if request is None:
            return turn.raw, "cannot be decoded: sent as recorded"
        if not isinstance(request, V2gMessage):
            return turn.raw, ""
        was = request.header.session_id
        is_old = was == self._was_session_id if self._was_session_id else True
        is_setup = isinstance(request.body, SessionSetupReq)
        if is_setup or not is_old or not self._session_id:
            return turn.raw, ""
        return with_session_id(turn.raw, request, self._session_id)

    # --- hearing

    def _take_refusal(
        self, message: object, code: str, now: float
    ) -> Sequence[TalkAction]:
        """Take a no: the end, unless the recorded station said no as well."""
        turn = self._turns[self._at]
        heard = Heard(message, _compare(message, turn))
        if refusal(turn.answer):
            return (heard, *self._go_on(self._at + 1, now))
        reason = f"{turn.name}: {code}"
        if is_unserved(code):
            wanted = energy_transfer(turn.request)
            what = f"energy transfer not served: {wanted}"
            reason = what if wanted else f"protocol not served: {self._namespace}"
        return (heard, *self._break_off(reason))

    @property
    def _namespace(self) -> str:
        recording = self._recording
        return recording.namespace or recording.protocol or "an unknown protocol"

    def _unserved(self, message: object) -> str:
        """Return why the talk cannot go on as recorded after a handshake."""
        if not isinstance(message, SupportedAppProtocolRes):
            return ""
        ours = agreed(self._turns[self._at].request, message)
        if protocol_of(ours) == self._recording.protocol:
            return ""
        return (
            f"protocol not served: the recording is in {self._namespace}; the station "
            "took another offer of the car, and what the car says then is not recorded"
        )

    def _learn(self, message: object) -> None:
        if isinstance(message, V2gMessage) and isinstance(
            message.body, SessionSetupRes
        ):
            self._session_id = message.header.session_id

    def _following(self, message: object, now: float) -> tuple[int, str]:
        """Return the turn that comes next, and how that is not as recorded."""
        turn = self._turns[self._at]
        body = body_of(message)
        busy = is_busy(message)
        if turn.name in CHECKED and busy is not None:
            return self._after_processing(turn, now, is_busy=busy)
        if isinstance(body, PreChargeRes):
            return self._after_precharge(turn, body)
        return self._after_plain(message)

    def _after_plain(self, message: object) -> tuple[int, str]:
        """Leave out what the car would not ask our station."""
        following = first = self._at + 1
        while following < len(self._turns) and is_needless(
            self._turns[following].request, message
        ):
            following += 1
        left_out = ", ".join(turn.name for turn in self._turns[first:following])
        return following, f"{left_out} left out" if left_out else ""

    def _after_processing(
        self, turn: Turn, now: float, *, is_busy: bool
    ) -> tuple[int, str]:
        is_answered = turn.answered_at is not None
        if is_busy and turn.is_finished and is_answered:
            if now - self._since >= ONGOING_S:
                return self._at + 1, f"still Ongoing after {ONGOING_S:.0f} s"
            self._more += 1
            return self._at, "Ongoing: asked again"
        if is_busy or turn.is_finished:
            return self._at + 1, ""
        last = self._at
        while not self._turns[last].is_finished and self._next_name(last) == turn.name:
            last += 1
        left_out = last - self._at
        note = f"Finished: {left_out} repetitions left out" if left_out else ""
        return last + 1, note

    def _after_precharge(self, turn: Turn, answer: PreChargeRes) -> tuple[int, str]:
        request = body_of(turn.request)
        is_last = self._next_name(self._at) == POWER_ON
        if not is_last or not isinstance(request, PreChargeReq):
            return self._at + 1, ""
        gap_v = abs(answer.evse_present_voltage.si - request.ev_target_voltage.si)
        if gap_v <= PRECHARGE_GAP_V:
            return self._at + 1, ""
        if self._more >= MORE_PRECHARGE:
            return self._at + 1, f"still {gap_v:.1f} V away"
        self._more += 1
        return self._at, f"{gap_v:.1f} V away: asked again"

    def _next_name(self, at: int) -> str:
        return self._turns[at + 1].name if at + 1 < len(self._turns) else ""

    def _grip(self, message: object) -> Sequence[TalkAction]:
        """Return what the car does with S2 and contactor at this answer."""
        name = self._turns[self._at].name
        if name == "ChargeParameterDiscovery" and self._has_cable_check:
            return () if is_busy(message) else (SetS2(closed=True),)
        grips = _GRIPS.get(name, ())
        if self._is_ac:  # no battery is joined to the cable
            return [grip for grip in grips if isinstance(grip, SetS2)]
        return grips

    # --- going on

    def _go_on(self, following: int, now: float) -> Sequence[TalkAction]:
        """Think about the next turn; behind the last one the end is played."""
        was, self._at = self._at, following
        if following >= len(self._turns):
            self._enter(State.PARTING, now + self._parting_s())
            return ()
        turn = self._turns[following]
        if turn.name != self._turns[was].name:
            self._since, self._more = now, 0
        think_s = turn.think_s if following != was else self._repeat_s(turn)
        self._enter(State.THINKING, now + think_s)
        return ()

    def _repeat_s(self, turn: Turn) -> float:
        """Return the pace at which the recorded car repeated this request."""
        is_repeat = self._at > 0 and self._turns[self._at - 1].name == turn.name
        return turn.think_s if is_repeat else USUAL_PACE_S

    def _parting_s(self) -> float:
        closing: Closing | None = self._recording.closing
        if closing is None:
            return SILENCE_S
        return closing.after_s if closing.is_ev else PARTING_S

    def _unanswered(self, now: float) -> Sequence[TalkAction]:
        """Take that no answer came; a recorded car that had none goes on."""
        turn = self._turns[self._at]
        if turn.answered_at is not None:
            return self._break_off(f"no answer to {turn.name}")
        following = self._at + 1
        if following >= len(self._turns):
            self._enter(State.PARTING, now)
            return ()
        self._at = following
        self._enter(State.THINKING, now)
        return ()

    def _break_off(self, reason: str) -> Sequence[TalkAction]:
        self._enter(State.DONE, None)
        return (Disconnect(), TalkOver(reason, is_early=True))


def _compare(message: object, turn: Turn) -> tuple[str, ...]:
    """Return how an answer differs in kind from the recorded one."""
    if turn.flaw:
        return (f"the recorded answer is malformed ({turn.flaw})",)
    if turn.answer is None:
        return ("recorded: no answer",)
    return differences(message, turn.answer)
