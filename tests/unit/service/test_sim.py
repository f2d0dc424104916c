"""The command sim: its summary, its exit codes, and how it tells a violation."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pilothat.service import sim
from pilothat.service.cli import main
from pilothat.twin.seeded import Report


def bad(seed: int) -> Report:
    return Report(
        seed=seed,
        car="generic",
        faults=("estop at 1.00 s",),
        outcome="aborted",
        stage="charging",
        violations=("t=1.0000 s: contactor closed",),
        journal_sha256="00",
        duration_s=1.0,
        events=10,
    )


def test_summary_counts_everything(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seeds", "3", "--faults", "--jobs", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("3 sessions, ")
    assert lines[-1] == "0 sessions with violations"
    assert any(line.startswith("faults drawn: ") for line in lines)


def test_json_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sim", "--seeds", "2", "--json", "--car", "generic"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["sessions"] == 2
    assert told["outcomes"] == {"charged": 2}
    assert told["violations"] == []
    assert told["faults_drawn"] == {}


def test_several_processes_give_the_same_as_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ["sim", "--first", "1", "--seeds", "11", "--json"]
    main([*common, "--jobs", "1"])
    one = capsys.readouterr().out
    main([*common, "--jobs", "2"])
    assert capsys.readouterr().out == one


def test_each_seed_has_a_line_when_asked(capsys: pytest.CaptureFixture[str]) -> None:
    main(["sim", "--first", "5", "--seeds", "2", "-v", "--faults"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["5", "6"]


def test_violation_is_told_with_the_command_that_shows_it_again(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sim, "play_one", lambda job: bad(job[0]))
    assert main(["sim", "--first", "7", "--seeds", "1", "--faults"]) == 1
    out = capsys.readouterr().out
    assert "seed 7 (generic): estop at 1.00 s" in out
    assert "t=1.0000 s: contactor closed" in out
    assert "again: pilothat sim --first 7 --seeds 1 --faults -v" in out


def test_seed_that_comes_out_otherwise_the_second_time_is_a_violation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reports = iter([bad(100), replace(bad(100), journal_sha256="01")])
    monkeypatch.setattr(sim, "play", lambda *_, **__: next(reports))
    assert "another journal" in sim.play_one((100, "generic", True)).violations[-1]


@pytest.mark.parametrize(
    "arguments",
    [
        ["--seeds", "0"],
        ["--seeds", "x"],
        ["--first", "-1"],
        ["--jobs", "0"],
        ["--wrong"],
    ],
)
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["sim", *arguments])
    assert caught.value.code == 2


def test_unknown_car_is_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["sim", "--car", "nocar"]) == 2
    assert "no car 'nocar'" in capsys.readouterr().err
