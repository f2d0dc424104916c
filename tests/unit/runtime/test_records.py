"""The record of each charge, and how it is shown."""

from __future__ import annotations

import errno
import json
import os
from io import FileIO
from pathlib import Path
from typing import Any

import pytest
from tests.sim.short import begun

from pilothat.plant import PlantFact
from pilothat.runtime import records
from pilothat.runtime.records import POINTS, Curve, Records, append, read
from pilothat.service import sessions
from pilothat.service.cli import main
from pilothat.station.events import Event, StopCause, StopRequested
from pilothat.v2g.plant import TimeOfDay

NOON = TimeOfDay(1_800_000_000.0, is_trusted=True)


def recorded(folder: Path, *, stops: bool = False) -> list[dict[str, object]]:
    """Let a car charge; return what was recorded of it."""
    visit = begun()
    world, kept = visit.world, Records(folder, lambda: NOON)

    def watch(now: float, event: Event | None, _actions: object) -> None:
        kept.watch(world.station, event, now)

    world.watchers.append(watch)
    if stops:
        world.run(lambda: visit.car.phase_text == "charging", 60.0)
        world.tell(StopRequested(StopCause.USER))
    world.run(lambda: visit.is_over, 120.0)
    kept.close(world.now)
    return list(read(folder))


def test_charge_leaves_one_record_with_its_curve(tmp_path: Path) -> None:
    [one] = recorded(tmp_path)
    assert one["reason"] == "the car ended the session"
    assert isinstance(one["energy_wh"], float)
    assert one["energy_wh"] > 0
    assert one["is_clock_trusted"] is True
    curve = one["curve"]
    assert isinstance(curve, list)
    assert curve
    assert max(point[2] for point in curve) > 10


def test_stop_by_the_user_is_its_reason(tmp_path: Path) -> None:
    [one] = recorded(tmp_path, stops=True)
    assert one["reason"] == "stopped by the user"


def test_curve_keeps_the_whole_of_a_long_charge_in_few_points() -> None:
    curve = Curve()
    for second in range(100_000):
        curve.take(float(second), PlantFact(0.0, 400.0, 10.0), 50)
    times = [point[0] for point in curve.points]
    assert POINTS / 2 <= len(times) <= POINTS
    assert times[0] == 0
    assert times[-1] > 99_000
    assert times == sorted(times)


def test_line_that_a_power_loss_has_cut_is_none(tmp_path: Path) -> None:
    recorded(tmp_path)
    path = tmp_path / records.FILE
    path.write_text(path.read_text() + '{"began": 17')
    assert len(read(tmp_path)) == 1


def test_record_behind_a_line_that_was_cut_has_a_line_of_its_own(
    tmp_path: Path,
) -> None:
    recorded(tmp_path)
    path = tmp_path / records.FILE
    [before] = read(tmp_path)
    path.write_text(path.read_text() + '{"began": 17')
    append(path, before)
    assert list(read(tmp_path)) == [before, before]


@pytest.mark.parametrize("line", ["7", "{}", "\0\0\0", "[" * 100_000, '{"began": 1}'])
def test_line_that_is_no_record_is_none(tmp_path: Path, line: str) -> None:
    (tmp_path / records.FILE).write_text(f"{line}\n")
    assert read(tmp_path) == []
    assert main(["sessions", "--records", str(tmp_path)]) == 0


@pytest.mark.parametrize("written", [0, 5])
def test_record_that_does_not_fit_leaves_nothing_and_is_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    written: int,
) -> None:
    """A full disk takes some of it first; what it was is in the log then."""

    class Full(FileIO):
        def write(self, data: Any) -> int:
            super().write(data[:written])
            if not written:
                raise OSError(errno.ENOSPC, "no room")
            return written

    def opened(handle: int, *_: object, **__: object) -> FileIO:
        return Full(handle, "r+")

    path = tmp_path / records.FILE
    path.write_text("{}\n")
    monkeypatch.setattr(os, "fdopen", opened)
    append(path, {"energy_wh": 17.5, "curve": [1, 2, 3]})
    assert path.read_text() == "{}\n"
    assert "'energy_wh': 17.5}" in caplog.text


def test_file_that_grows_too_long_makes_room_and_both_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MAX_BYTES", 100)
    for number in range(4):
        filling = dict.fromkeys(records.NEEDED, "x" * 80)
        append(tmp_path / records.FILE, {**filling, "n": number})
    assert [one["n"] for one in read(tmp_path)] == [2, 3]


def test_disk_that_is_full_costs_the_record_only(tmp_path: Path) -> None:
    append(tmp_path / "none" / "sessions.jsonl", {"n": 1})


def test_sessions_are_listed_and_drawn(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recorded(tmp_path)
    where = ("--records", str(tmp_path))
    assert main(["sessions", *where]) == 0
    assert "the car ended the session" in capsys.readouterr().out
    assert main(["sessions", "show", *where]) == 0
    drawn = capsys.readouterr().out
    assert "voltage, 0 to" in drawn
    assert "battery, 0 to 100 %" in drawn
    assert main(["sessions", "--json", *where]) == 0
    assert json.loads(capsys.readouterr().out)["messages"] > 10
    assert main(["sessions", "show", "2", *where]) == 1
    assert "no charge 2; there are 1" in capsys.readouterr().err


def test_clock_that_is_not_trusted_is_said_so() -> None:
    one: dict[str, Any] = {"began": 0.0, "is_clock_trusted": False, "lasted_s": 61.0}
    one |= {"energy_wh": 1000.0, "reason": "", "messages": 3, "curve": []}
    [head, line] = sessions.listed([one])
    assert "(?)" in line
    assert "0:01:01" in line
    assert head.split()[:3] == ["N", "began", "lasted"]
