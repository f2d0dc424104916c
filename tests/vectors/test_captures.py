"""Recorded sessions of real cars against our station.

The recordings lie beside the repository and are no part of it; without them these
tests are skipped.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pilothat.service.replay import play
from pilothat.twin.recordedbytes import with_session_id
from pilothat.twin.recordedmarks import Side
from pilothat.twin.recordedspeech import V2gMessage
from pilothat.twin.recording import Recording, parse

FOLDER = Path(__file__).parents[3] / "shared" / "captures"
FILES = sorted(FOLDER.glob("*.jsonl"))


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _read(path: Path) -> Recording:
    return parse(text(path), where=path.name)


def _with_their_own_id(recording: Recording) -> list[tuple[bytes, bytes]]:
    """Return recorded requests, and what becomes of them with the ID they have."""
    return [
        (turn.raw, with_session_id(turn.raw, message, message.header.session_id)[0])
        for turn in recording.turns
        if isinstance(message := turn.request, V2gMessage)
    ]


def test_recordings_are_there_or_this_test_is_skipped() -> None:
    if not FILES:
        pytest.skip("../shared/captures is not there")
    protocols = {_read(path).protocol for path in FILES}
    assert protocols >= {"din", "iso2"}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_real_car_comes_at_least_as_far_as_recorded_and_is_never_refused(
    path: Path,
) -> None:
    car, violations = play(text(path), path.name)
    answers = (x for x in car.transcript if x.side is Side.STATION)
    assert violations == []
    assert car.reached >= car.recorded
    assert not car.is_broken_off or not car.recording.turns
    assert [x for x in answers if "FAILED" in str(x.message)] == []


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_nothing_but_the_session_id_is_changed_in_a_request(path: Path) -> None:
    pairs = _with_their_own_id(_read(path))
    assert [raw for raw, ours in pairs if raw != ours] == []


def test_charger_that_rebuilds_the_run_id_is_outdone() -> None:
    paths = [path for path in FILES if path.name.startswith("taycan_slac")]
    if not paths:
        pytest.skip("../shared/captures is not there")
    car, _ = play(text(paths[0]), paths[0].name)
    assert (car.recorded.name, car.reached.name) == ("SLAC requested", "SLAC confirmed")
