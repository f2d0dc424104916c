"""The SLAC of a recorded car: its frames as recorded, where a real car would send them.

Each frame waits for the answer that it waited for in the recording, then for the same
pause. A request that was only repeated because nobody answered is left out once ours
has. What a new charger makes different is put in: its MAC.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import (
    CmAttenCharInd,
    CmAttenCharRsp,
    CmMnbcSoundInd,
    CmSetKeyReq,
    CmSlacMatchCnf,
    CmSlacMatchReq,
    CmSlacParmCnf,
    CmSlacParmReq,
    CmStartAttenCharInd,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.machine import is_due
from pilothat.slac.events import EvSlacMatched
from pilothat.traffic.ear import wire_name
from pilothat.twin.recording import Line

DOUBLED_S = 0.05  # seen on real cars: a request sent twice, whoever answers
ANSWER_S = 12.0  # our choice: longer than every SLAC timer that makes us answer
_ANSWERS = (CmSlacParmCnf, CmAttenCharInd, CmSlacMatchCnf)
_ASKING = (CmSlacParmReq, CmSlacMatchReq)
_WHOLE = (CmSlacParmReq, CmStartAttenCharInd, CmAttenCharRsp, CmSlacMatchReq)


@dataclass(frozen=True, slots=True)
class Step:
    """One frame of the car.

    awaits: the answer it waits for; None is none
    pause_s: since that answer, or since the frame before
    is_retry: repeats the frame before it, which had no answer yet
    """

    raw: bytes
    mme: Mme | None
    awaits: type[Mme] | None
    pause_s: float
    is_retry: bool


@dataclass(frozen=True, slots=True)
class SendRaw:
    """Send a frame."""

    raw: bytes


@dataclass(frozen=True, slots=True)
class SlacStuck:
    """The script cannot go on; why."""

    reason: str


SlacAction = SendRaw | EvSlacMatched | SlacStuck


class Progress(Enum):
    """How far matching has come, judged by the car's side."""

    NOTHING = auto()
    REQUESTED = auto()
    CONFIRMED = auto()
    REPORTED = auto()
    MATCHED = auto()


def steps(lines: Sequence[Line]) -> tuple[Step, ...]:
    """Return what the car sent over the line, one step a frame."""
    return tuple(_steps(lines))


def _steps(lines: Sequence[Line]) -> Iterator[Step]:
    own_at = since = lines[0].at if lines else 0.0
    awaits: type[Mme] | None = None
    before: bytes = b""
    for line in lines:
        mme = _mme(line)
        if not line.is_ev:
            if isinstance(mme, _ANSWERS):
                awaits, since = type(mme), line.at
            continue
        if line.data[:6] == LOCAL_MODEM_MAC or isinstance(mme, CmSetKeyReq):
            continue  # between the car and its own modem
        is_first_word = isinstance(mme, CmSlacParmReq)  # waits for nobody
        if is_first_word or not before:
            awaits, since = None, own_at if before else line.at
        pause_s = line.at - since
        is_repeated = line.data == before and isinstance(mme, _ASKING)
        is_retry = is_repeated and line.at - own_at > DOUBLED_S
        yield Step(line.data, mme, awaits, pause_s, is_retry)
        awaits, since = None, line.at
        before, own_at = line.data, line.at


def _mme(line: Line) -> Mme | None:
    heard = wire.parse(line.data)
    return heard.mme if heard else None


def is_whole(script: Sequence[Step]) -> bool:
    """Tell whether a matching stands in the recording from end to end."""
    return all(any(isinstance(s.mme, kind) for s in script) for kind in _WHOLE)


def recorded_progress(script: Sequence[Step], *, was_matched: bool) -> Progress:
    """Return how far the recorded charger came: what the car took for an answer."""
    signs: Sequence[tuple[Progress, type[Mme] | tuple[type[Mme], ...]]] = (
        (Progress.REPORTED, CmAttenCharRsp),
        (Progress.CONFIRMED, (CmStartAttenCharInd, CmMnbcSoundInd)),
        (Progress.REQUESTED, CmSlacParmReq),
    )
    if was_matched:
        return Progress.MATCHED
    for progress, kind in signs:
        if any(isinstance(step.mme, kind) for step in script):
            return progress
    return Progress.NOTHING


class RecordedSlac:
    """Play the script. A machine: frames in, frames out."""

    def __init__(self, script: Sequence[Step]) -> None:
        self.progress = Progress.NOTHING
        self.deadline: float | None = None
        self.skipped = 0
        self._script = script
        self._at = 0
        self._since = 0.0
        self._heard_at: dict[type[Mme], float] = {}
        self._answered = False  # since the first of a row of equal requests
        self._run_id = b""
        self._evse_mac: bytes | None = None
        self._chosen = _chosen_charger(script)

    @property
    def is_over(self) -> bool:
        """Whether all frames are sent."""
        return self._at >= len(self._script)

    def start(self, now: float) -> None:
        """Begin; the first frame follows at once."""
        self._since = now
        self._plan(now)

    def stop(self) -> None:
        """Say nothing more."""
        self._at, self.deadline = len(self._script), None

    def handle(self, frame: Frame, now: float) -> Sequence[SlacAction]:
        """Take a frame of a charger."""
        mme = frame.mme
        if not isinstance(mme, _ANSWERS) or mme.run_id != self._run_id:
            return ()
        self._heard_at[type(mme)] = now
        self._answered = True
        self._evse_mac = frame.source
        reached = {
            CmSlacParmCnf: Progress.CONFIRMED,
            CmAttenCharInd: Progress.REPORTED,
            CmSlacMatchCnf: Progress.MATCHED,
        }[type(mme)]
        if reached.value > self.progress.value:
            self.progress = reached
        if isinstance(mme, CmSlacMatchCnf):
            self.stop()
            return (EvSlacMatched(mme.nid, mme.nmk, frame.source),)
        self._plan(now)
        return ()

    def tick(self, now: float) -> Sequence[SlacAction]:
        """Let time pass."""
        if not is_due(self.deadline, now):
            return ()
        if self.is_over:
            self.deadline = None
            return (SlacStuck("the charger does not confirm the match"),)
        step = self._script[self._at]
        if step.awaits is not None and step.awaits not in self._heard_at:
            self.stop()
            return (SlacStuck(f"no {wire_name(step.awaits.__name__)} for this car"),)
        self._at += 1
        self._since = now
        self._note(step)
        self._plan(now)
        return (SendRaw(self._readdressed(step)),)

    def _note(self, step: Step) -> None:
        """Remember what an answer must fit to."""
        if isinstance(step.mme, CmSlacParmReq):
            if step.mme.run_id != self._run_id:
                self._heard_at.clear()  # what was heard belongs to another run
            self._run_id = step.mme.run_id
            if self.progress is Progress.NOTHING:
                self.progress = Progress.REQUESTED
        if not step.is_retry:
            self._answered = False
        if isinstance(step.mme, CmStartAttenCharInd):
            self._heard_at.pop(CmAttenCharInd, None)

    def _plan(self, now: float) -> None:
        """Find the next frame and when it is due."""
        while self._is_needless():
            self._at += 1
            self.skipped += 1
        if self.is_over:
            self.deadline = now + ANSWER_S
            return
        step = self._script[self._at]
        if step.awaits is None:
            self.deadline = self._since + step.pause_s
        elif step.awaits in self._heard_at:
            heard_at = max(self._heard_at[step.awaits], self._since)
            self.deadline = heard_at + step.pause_s
        else:
            self.deadline = now + ANSWER_S

    def _is_needless(self) -> bool:
        """Tell whether the next frame only repeats a request that was answered."""
        if self.is_over or not self._answered or not self._script[self._at].is_retry:
            return False
        kind = type(self._script[self._at].mme)
        rest = self._script[self._at :]
        return any(type(step.mme) is not kind for step in rest)

    def _readdressed(self, step: Step) -> bytes:
        """Put the MAC of our charger where the recorded one's was."""
        ours, was = self._evse_mac, self._chosen
        if ours is None or was is None or step.raw[:6] != was:
            return step.raw
        if isinstance(step.mme, CmSlacMatchReq):
            mme = replace(step.mme, evse_mac=ours)
            return wire.build(ours, step.raw[6:12], mme)
        return ours + step.raw[6:]


def _chosen_charger(script: Sequence[Step]) -> bytes | None:
    """Return the MAC of the charger that the recorded car turned to last."""
    targets = [s.raw[:6] for s in script if s.raw[:6] != BROADCAST_MAC]
    return targets[-1] if targets else None
