"""How far a visit came, what was said in it, and the pauses a recording shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSlacMatchCnf
from pilothat.twin.recordedslac import Progress, Step, recorded_progress
from pilothat.twin.recording import USUAL_PACE_S, Recording

USUAL_SEARCH_S = 0.4  # from the match to SDP, where it is not recorded
ANY_MAC = bytes.fromhex("02ca00000001")


class Stage(IntEnum):
    """How far a visit came before the first message; then turns are counted."""

    NOTHING = 0
    REQUESTED = 1
    CONFIRMED = 2
    REPORTED = 3
    MATCHED = 4
    FOUND = 5
    CONNECTED = 6


_TOLD = {
    Stage.NOTHING: "nothing",
    Stage.REQUESTED: "SLAC requested",
    Stage.CONFIRMED: "SLAC confirmed",
    Stage.REPORTED: "SLAC attenuation reported",
    Stage.MATCHED: "SLAC matched",
    Stage.FOUND: "SDP answered",
    Stage.CONNECTED: "TCP connected",
}


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """How far a conversation came. Later is greater."""

    order: int
    name: str = field(compare=False)


class Side(Enum):
    """Who said something."""

    CAR = "car"
    STATION = "station"


@dataclass(frozen=True, slots=True)
class Said:
    """One line of what was said. message: an MME, an SDP datagram or a V2G message."""

    at: float
    side: Side
    name: str
    message: object | None = None
    note: str = ""
    differences: tuple[str, ...] = ()


def mark(recording: Recording, stage: Stage, turns: int) -> Mark:
    """Return the mark of so many turns; of a stage, where there is none."""
    if turns:
        turn = recording.turns[turns - 1]
        name = f"request {turns}" if turn.request is None else turn.name
        return Mark(Stage.CONNECTED + turns, name)
    return Mark(stage, _TOLD[stage])


def recorded_mark(recording: Recording, script: Sequence[Step]) -> Mark:
    """Return how far the recorded charger let the car come."""
    answered = [n for n, t in enumerate(recording.turns, 1) if t.is_answered_well]
    was_found = any(not line.is_ev for line in recording.sdp)
    was_matched = bool(recording.turns or recording.sdp) or any(
        not x.is_ev and _is_match(x.data) for x in recording.slac
    )
    stage = stage_of(recorded_progress(script, was_matched=was_matched))
    if recording.turns:
        stage = Stage.CONNECTED
    elif was_found:
        stage = Stage.FOUND
    return mark(recording, stage, answered[-1] if answered else 0)


def car_mac(recording: Recording) -> bytes:
    """Return the MAC of the recorded car's host."""
    sources = [x.data[6:12] for x in recording.slac if x.is_ev and len(x.data) >= 14]
    return sources[0] if sources else ANY_MAC


def _is_match(raw: bytes) -> bool:
    heard = wire.parse(raw)
    return heard is not None and isinstance(heard.mme, CmSlacMatchCnf)


def search_after_s(recording: Recording) -> float:
    """Return the pause between match and first SDP request."""
    asked = [x.at for x in recording.sdp if x.is_ev]
    matched = [x.at for x in recording.slac if not x.is_ev and _is_match(x.data)]
    return _pause_s(matched, asked[0] if asked else None, USUAL_SEARCH_S)


def first_message_s(recording: Recording) -> float:
    """Return the pause between SDP answer and first message."""
    told = [x.at for x in recording.sdp if not x.is_ev]
    return _pause_s(told, recording.turns[0].at, USUAL_PACE_S)


def _pause_s(before: Sequence[float], at: float | None, usual_s: float) -> float:
    """Return the time since the last of some moments, where there is one."""
    past = [moment for moment in before if at is not None and moment <= at]
    return at - past[-1] if past and at is not None else usual_s


def stage_of(progress: Progress) -> Stage:
    """Return the stage of a matching."""
    return Stage[progress.name]
