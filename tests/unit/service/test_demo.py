"""pilothat demo: results, exit codes, plain lines, and the terminal given back."""

from __future__ import annotations

import hashlib
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.service.console import Ran, Terminal, ran, ran_into_a_closed_pipe
from tests.unit.service.stage import car_file

from pilothat.faults import Fault
from pilothat.service.demo import PACE_FIRST, PACE_MOST, Pace

HIDDEN_CURSOR, OTHER_SCREEN, SCREEN_BACK = "\x1b[?25l", "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cars")


@pytest.fixture(scope="module")
def car(folder: Path) -> Path:
    return car_file(folder)


@pytest.fixture(scope="module")
def complete(car: Path) -> Ran:
    """A visit that ends well, as JSON."""
    return ran("demo", "--car", car, "--json")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[Terminal]:
    """A terminal of 80 by 24, whose end does not end the tests."""
    was = signal.getsignal(signal.SIGTERM)
    for name, value in {"TERM": "xterm", "COLUMNS": "80", "LINES": "24"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("NO_COLOR", raising=False)
    yield Terminal()
    signal.signal(signal.SIGTERM, was)


def test_complete_visit_is_one_json_object_and_exit_code_0(complete: Ran) -> None:
    told = json.loads(complete.out)
    assert (complete.code, complete.out.count("\n"), complete.err) == (0, 1, "")
    assert (told["outcome"], told["car"], told["seed"]) == ("complete", "quick", 1)
    assert (told["soc_start_pct"], told["faults"]) == (70, [])
    assert told["soc_end_pct"] == pytest.approx(80, abs=1)
    assert told["energy_wh"] == pytest.approx(4000 * 0.1, rel=0.15)
    assert told["messages"]["SessionStopReq"] == 1


def test_phases_follow_each_other_without_gaps(complete: Ran) -> None:
    told = json.loads(complete.out)
    phases = told["phases"]
    ends = [phase["at_s"] + phase["duration_s"] for phase in phases]
    begins = [phase["at_s"] for phase in phases]
    assert begins[0] == 0
    assert ends[:-1] == pytest.approx(begins[1:], abs=0.002)
    assert ends[-1] == pytest.approx(told["duration_s"], abs=0.002)
    names = [phase["name"] for phase in phases]
    assert {"matching", "cable check", "precharge", "charging"} < set(names)


def test_same_seed_gives_the_same_json(car: Path, complete: Ran) -> None:
    assert ran("demo", "--car", car, "--json") == complete


def test_other_seed_gives_another_journal(car: Path, complete: Ran) -> None:
    other = ran("demo", "--car", car, "--json", "--seed", "2")
    hashes = [json.loads(one.out)["journal_sha256"] for one in (other, complete)]
    assert hashes[0] != hashes[1]
    assert json.loads(other.out)["outcome"] == "complete"


def test_journal_is_the_same_whatever_view_and_speed(
    car: Path, complete: Ran, terminal: Terminal
) -> None:
    digest = json.loads(complete.out)["journal_sha256"]
    assert digest in ran("demo", "--car", car).out
    assert digest in ran("demo", "--car", car, "--speed", "500").out
    assert digest in ran("demo", "--car", car, "--speed", "0", out=terminal).out


def test_journal_file_has_the_lines_that_were_hashed(
    car: Path, complete: Ran, tmp_path: Path
) -> None:
    path = tmp_path / "journal.jsonl"
    done = ran("demo", "--car", car, "--json", "--journal", path)
    assert done == complete
    head, *lines = path.read_text().splitlines()
    digest = hashlib.sha256("".join(lines).encode()).hexdigest()
    assert digest == json.loads(done.out)["journal_sha256"]
    assert "settings" in json.loads(head)
    assert json.loads(lines[0])["at"] == 0.0


def test_journal_file_can_be_replayed(car: Path, tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    ran("demo", "--car", car, "--json", "--journal", path)
    assert ran("replay", path, "--quiet").code == 0


def test_user_who_presses_stop_is_stopped_and_exit_code_1(car: Path) -> None:
    done = ran("demo", "--car", car, "--json", "--minutes", "0.4")
    told = json.loads(done.out)
    assert (done.code, told["outcome"], told["faults"]) == (1, "stopped", [])
    assert told["soc_end_pct"] < 80


def test_fault_is_named_with_meaning_and_remedy_and_exit_code_1(folder: Path) -> None:
    car = car_file(folder, "needs_ventilation = true", name="fumes")
    done = ran("demo", "--car", car, "--json")
    told = json.loads(done.out)
    assert (done.code, told["outcome"]) == (1, "fault")
    (fault,) = told["faults"]
    row = Fault[fault["code"]].row
    assert (fault["meaning"], fault["remedy"]) == (row.meaning, row.remedy)
    plain = ran("demo", "--car", car)
    assert fault["remedy"] in plain.out.splitlines()[-1]
    assert plain.code == 1


def test_plain_lines_are_times_and_facts_without_codes(car: Path) -> None:
    done = ran("demo", "--car", car)
    assert done.code == 0
    assert done.out.replace("\n", "").isascii()
    assert done.out.replace("\n", "").isprintable()
    lines = done.out.splitlines()
    assert "     1.00 s  the driver plugs in" in lines
    head = lines.index("complete: the goal is reached")
    times = [float(line.split(" s  ")[0]) for line in lines[: head - 1]]
    assert times == sorted(times)
    assert lines[head + 1] == "  car       quick: a small car"


def test_name_of_a_car_cannot_drive_the_terminal(folder: Path) -> None:
    path = car_file(folder, name="evil")
    path.write_text(path.read_text().replace('"quick"', '"\\u001b[2J"'))
    done = ran("demo", "--car", path)
    assert "\\x1b[2J: a small car" in done.out
    assert "\x1b" not in done.out


def test_terminal_gets_a_screen_of_its_own_and_has_it_back_at_the_end(
    car: Path, terminal: Terminal
) -> None:
    done = ran("demo", "--car", car, "--speed", "0", out=terminal)
    assert done.code == 0
    assert done.out.index(OTHER_SCREEN) < done.out.rindex(SCREEN_BACK)
    after = done.out[done.out.rindex(SCREEN_BACK) :]
    assert HIDDEN_CURSOR not in after
    assert "● leave" in after
    assert "complete: the goal is reached" in after


PLAIN = {"dumb": ("TERM", "dumb"), "unknown": ("TERM", "unknown"), "none": ("TERM", "")}


@pytest.mark.parametrize("kind", PLAIN)
def test_terminal_that_cannot_paint_gets_plain_lines(
    kind: str, car: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, value = PLAIN[kind]
    monkeypatch.setenv(name, value)
    done = ran("demo", "--car", car, "--speed", "0", out=terminal)
    assert "\x1b" not in done.out
    assert "the driver plugs in" in done.out


def test_terminal_without_utf_8_gets_plain_lines(
    car: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Terminal, "encoding", "iso-8859-1")
    assert ran("demo", "--car", car, "--speed", "0", out=terminal).out.isascii()


def test_without_rich_there_are_plain_lines_and_a_hint(
    car: Path, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pilothat.service.view", None)
    done = ran("demo", "--car", car, "--speed", "0", out=terminal)
    assert (done.code, "\x1b" in done.out) == (0, False)
    assert done.err == "pilothat: for the live view: pip install 'pilothat[view]'\n"


def test_json_on_a_terminal_is_indented_and_nothing_else(
    car: Path, terminal: Terminal
) -> None:
    done = ran("demo", "--car", car, "--speed", "0", "--json", out=terminal)
    assert json.loads(done.out)["outcome"] == "complete"
    assert done.out.startswith('{\n  "outcome"')


WRONG = {
    "speed": (("--speed", "-1"), "-1 is not a number of 0 or more"),
    "speed that is none": (("--speed", "nan"), "nan is not a number"),
    "speed without end": (("--speed", "inf"), "inf is not a number"),
    "speed in words": (("--speed", "fast"), "fast is not a number"),
    "minutes": (("--minutes", "-5"), "-5 is not a number"),
    "seed": (("--seed", "x"), "invalid int value"),
}


@pytest.mark.parametrize("option", WRONG)
def test_wrong_option_is_refused_with_exit_code_2(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, told = WRONG[option]
    command = [sys.executable, "-m", "pilothat.service.cli", "demo", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr.splitlines()[-1]


def test_unknown_car_and_unwritable_journal_are_refused_before_anything_runs(
    car: Path, tmp_path: Path
) -> None:
    for done in (
        ran("demo", "--car", "no-such-car"),
        ran("demo", "--car", car, "--journal", tmp_path / "none" / "journal"),
    ):
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full")
def test_full_disk_is_one_line_and_exit_code_1(car: Path) -> None:
    done = ran("demo", "--car", car, "--json", "--journal", "/dev/full")
    assert (done.code, done.err.count("\n")) == (1, 1)
    assert done.err.startswith("pilothat: /dev/full: ")


def test_reader_that_goes_away_is_no_traceback(car: Path) -> None:
    done = ran_into_a_closed_pipe("demo", "--car", str(car))
    assert (done.code, done.err) == (1, "")


def test_ctrl_c_ends_with_a_summary_and_exit_code_1(car: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may ignore it
    command = [sys.executable, "-m", "pilothat.service.cli", "demo"]
    command += ["--car", str(car), "--speed", "1"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert "station: starting" in first
    assert (process.returncode, err) == (1, "")
    assert "stopped: interrupted" in out


def test_asked_speed_counts_in_every_step() -> None:
    pace = Pace(7.0)
    assert {pace.now(step) for step in ("matching", "charging", "idle")} == {7.0}


def test_time_runs_slowly_while_matching_and_faster_and_faster_while_charging() -> None:
    pace = Pace(None)
    assert pace.now("matching") < 1
    first = pace.now("charging")
    assert PACE_FIRST <= first <= pace.now("charging") < PACE_MOST
    assert pace.now("welding check") < 1
