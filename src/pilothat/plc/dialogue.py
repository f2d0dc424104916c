"""One conversation with a modem: ask, wait for the answer, ask again when it is silent.

What is asked stands in a script: a generator that yields steps and is sent the frames
that answered. ``Dialogue`` runs a script; all time and all tries are here.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from enum import Enum, auto
from typing import Generic, TypeVar

from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame, mac_text
from pilothat.machine import is_due

Result = TypeVar("Result")
ANSWER_S = 0.5
TRIES = 3


class ModemError(PilotHatError):
    """The modem was silent, or said no."""


class SilentError(ModemError):
    """The modem was silent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """Send a request until a frame answers; the script is sent it, or nothing."""

    destination: bytes
    mme: Mme
    is_answer: Callable[[Frame], bool]
    answer_s: float = ANSWER_S
    tries: int = TRIES


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Send a request; the script is sent all that came within the window."""

    destination: bytes
    mme: Mme
    kind: type[Mme]
    window_s: float


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass."""

    pause_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """Report how far it went.

    may_stop: False from where stopping would leave the modem half changed.
    """

    what: str
    done: int = 0
    total: int = 0
    may_stop: bool = True


@dataclass(frozen=True, slots=True)
class Ended:
    """The script has ended; its error, if there was one."""

    error: PilotHatError | None = None


Step = Ask | Gather | Wait | Tell
Answers = tuple[Frame, ...]
Script = Generator[Step, Answers, Result]
DialogueAction = SendMme | Tell | Ended


class State(Enum):
    """What the dialogue waits for."""

    NEW = auto()
    ASKING = auto()
    GATHERING = auto()
    WAITING = auto()
    OVER = auto()


class Dialogue(Generic[Result]):
    """Run one script. ``handle`` and ``tick`` as in every machine; begin with tick."""

    def __init__(self, script: Script[Result], host_mac: bytes, now: float) -> None:
        self.state = State.NEW
        self.deadline: float | None = now
        self.results: list[Result] = []  # one when it ended well
        self._script = script
        self._host_mac = host_mac
        self._step: Step | None = None
        self._sent = 0
        self._heard: list[Frame] = []

    def handle(self, event: MmeIn, now: float) -> Sequence[DialogueAction]:
        """Take a received message."""
        late = self.tick(now)
        frame = event.frame
        if frame.destination not in (self._host_mac, BROADCAST_MAC):
            return late
        match self.state, self._step:
            case State.ASKING, Ask(is_answer=is_answer) if is_answer(frame):
                return (*late, *self._advance((frame,), now))
            case State.GATHERING, Gather(kind=kind) if isinstance(frame.mme, kind):
                self._heard.append(frame)
        return late

    def tick(self, now: float) -> Sequence[DialogueAction]:
        """Let time pass. Harmless when called early or twice."""
        if not is_due(self.deadline, now):
            return ()
        match self._step:
            case Ask(tries=tries) as ask if self._sent < tries:
                return (self._send(ask, now),)
        return self._advance(tuple(self._heard), now)

    def _advance(self, answers: Answers, now: float) -> Sequence[DialogueAction]:
        """Hand the script its answers; go on to the next step that takes time."""
        actions: list[DialogueAction] = []
        try:
            step = self._next(answers)
            while isinstance(step, Tell):
                actions.append(step)
                step = self._next(())
        except StopIteration as end:
            self.results.append(end.value)
            self._enter(State.OVER, None)
            return (*actions, Ended())
        except PilotHatError as error:
            self._enter(State.OVER, None)
            return (*actions, Ended(error))
        return (*actions, *self._begin(step, now))

    def _next(self, answers: Answers) -> Step:
        if self.state is State.NEW:
            self.state = State.WAITING
            return next(self._script)
        return self._script.send(answers)

    def _begin(self, step: Step, now: float) -> Sequence[DialogueAction]:
        self._step, self._sent, self._heard = step, 0, []
        match step:
            case Ask():
                return (self._send(step, now),)
            case Gather(destination=destination, mme=mme, window_s=window_s):
                self._enter(State.GATHERING, now + window_s)
                return (SendMme(destination, mme),)
            case Wait(pause_s):
                self._enter(State.WAITING, now + pause_s)
        return ()

    def _send(self, ask: Ask, now: float) -> SendMme:
        self._sent += 1
        self._enter(State.ASKING, now + ask.answer_s)
        return SendMme(ask.destination, ask.mme)

    def _enter(self, state: State, deadline: float | None) -> None:
        self.state, self.deadline = state, deadline


def silent(mac: bytes, what: str) -> SilentError:
    """Return the error of a modem that does not answer."""
    return SilentError(
        f"no answer to {what}",
        where=f"modem {mac_text(mac)}",
        remedy="Is it powered? Switch it off and on and try again",
    )
