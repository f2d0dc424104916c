"""The selftest on the twin: it passes on a good board and names what is broken."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.hat.machine import PI_4, MadeUp
from tests.hat.twin import PATIENT_S, Running, running, running_wallbox

from pilothat.board import asked
from pilothat.board.asked import MOVED, SAW, Company
from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import PigpioHat
from pilothat.board.revision import revision
from pilothat.board.selftest import NO_CODES, Probe, rows
from pilothat.board.verdict import Row, Verdict
from pilothat.runtime.boards import open_board
from pilothat.runtime.twinbench import CableEnd
from pilothat.service import selftest as service_selftest
from pilothat.service.boardat import Choice
from pilothat.service.cli import main
from pilothat.service.selftest import CLOSED, RELEASED, _witnessed
from pilothat.twin.bench import BenchFault, CarElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.twin.hat import HatFault

REV = revision()
ROOT = Path(__file__).parents[2]
ALONE = Company()
SEEN_TOO = {RELEASED: "emergency stop released", CLOSED: "contactor closed"}
BEYOND = 1.0  # of a rail that sags, V


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def report(hat: Running, company: Company = ALONE) -> list[Row]:
    with contextlib.closing(PigpioHat(Client(port=hat.port), REV, PATIENT_S)) as board:
        probe = Probe(board, REV)
        return [*rows(probe), *asked.rows(probe, company)]


def answered(hat: Running, company: Company) -> dict[str, Verdict]:
    """Return how the checks with a person end."""
    with contextlib.closing(PigpioHat(Client(port=hat.port), REV, PATIENT_S)) as board:
        found = list(asked.rows(Probe(board, REV), company))
        return {row.name: row.verdict for row in found}


def named(hat: Running, name: str) -> Row:
    """Return a row, and measure no further."""
    with contextlib.closing(PigpioHat(Client(port=hat.port), REV, PATIENT_S)) as board:
        return next(row for row in rows(Probe(board, REV)) if row.name == name)


def failed(found: list[Row]) -> list[str]:
    return [row.name for row in found if row.verdict is Verdict.FAIL]


def test_good_board_passes_and_its_contactor_was_never_closed(hat: Running) -> None:
    found = report(hat)
    assert failed(found) == []
    skipped = [row.name for row in found if row.verdict is Verdict.SKIP]
    assert skipped == [
        "contactor closes",
        "lamp green",
        "lamp red",
        "lock moves",
        "emergency stop opens",
    ]
    assert len(found) == 41


def test_contactor_is_measured_when_that_is_asked_for(hat: Running) -> None:
    found = {row.name: row for row in report(hat, Company(closes=True))}
    for name in ("contactor closes", "contactor opens"):
        assert found[name].verdict is Verdict.PASS
        assert 0.01 < (found[name].measured or 0.0) < 0.3


def test_sagging_rails_are_rows_that_fail_and_say_what_to_do(hat: Running) -> None:
    hat.fail(HatFault.BROWN_OUT)
    row = named(hat, "+12 V rail")
    assert row.verdict is Verdict.FAIL
    assert (row.measured or 0.0) < row.low - BEYOND
    assert "measure it" in row.advice


def test_watchdog_that_never_trips_has_failed(
    hat: Running, monkeypatch: pytest.MonkeyPatch
) -> None:
    with contextlib.closing(PigpioHat(Client(port=hat.port), REV, PATIENT_S)) as board:
        read = board.codes

        def fed(channel: int, count: int = 1) -> Sequence[int]:
            board.heartbeat()  # as if something else fed it
            return read(channel, count)

        monkeypatch.setattr(board, "codes", fed)
        found = {row.name: row for row in rows(Probe(board, REV))}
    assert found["watchdog trips after"].verdict is Verdict.FAIL
    assert "do not use this board" in found["watchdog trips after"].advice
    assert found["CP floating"].verdict is Verdict.FAIL


@dataclass
class Bench:
    """LEDs and lock that note what they are told; the words of a person."""

    told: list[str] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    pressed: Callable[[], None] = lambda: None

    def show(self, *, green: bool, red: bool) -> None:
        self.told.append(f"green={green:d} red={red:d}")

    def begin(self, *, locked: bool) -> None:
        self.told.append("out" if locked else "in")

    def stop(self) -> None:
        self.told.append("stop")

    def ask(self, question: str) -> str:
        if question.startswith("Press"):
            self.pressed()
        return next((w for key, w in self.words.items() if key in question), "")


def test_lamps_and_lock_pass_when_a_person_saw_them(hat: Running) -> None:
    bench = Bench(words={"lamp": SAW, "bolt": MOVED, "Press": "skip"})
    found = answered(hat, Company(bench.ask, lamps=bench, motor=bench))
    assert found == {
        "contactor closes": Verdict.SKIP,
        "lamp green": Verdict.PASS,
        "lamp red": Verdict.PASS,
        "lock moves out": Verdict.PASS,
        "lock moves in": Verdict.PASS,
        "emergency stop opens": Verdict.SKIP,
    }
    off = "green=0 red=0"
    lamps = ["green=1 red=0", off, "green=0 red=1", off]
    assert bench.told == [*lamps, "out", "stop", "in", "stop"]


def test_lamp_that_nobody_saw_has_failed(hat: Running) -> None:
    bench = Bench(words={"lamp": "no", "Press": "skip"})
    found = answered(hat, Company(bench.ask, lamps=bench))
    assert found["lamp green"] is Verdict.FAIL
    assert found["lock moves"] is Verdict.SKIP


def test_emergency_stop_is_seen_to_open_and_to_close(hat: Running) -> None:
    bench = Bench(pressed=lambda: hat.fail(BenchFault.ESTOP))

    def ask(question: str) -> str:
        if question.startswith("Release"):
            hat.fail(BenchFault.ESTOP, on=False)
        return bench.ask(question)

    found = answered(hat, Company(ask))
    assert found["emergency stop opens"] is Verdict.PASS
    assert found["emergency stop closes again"] is Verdict.PASS


def test_driver_by_the_kernel_passes_the_same_rows(
    hat: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    given = ["--board", "kernel", "--option", f"kernel_twin={hat.kernel}"]
    assert main(["selftest", *given]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "36 PASS, 0 FAIL, 19 SKIP"
    skipped = [line for line in lines if "no pins for gpiozero" in line]
    assert len(skipped) == 2
    hat.fail(HatFault.RCM_TRIPPED)
    assert main(["selftest", *given]) == 1
    told = capsys.readouterr().out
    assert (
        next(x[:16] for x in told.splitlines() if " FAIL " in x) == "RCM and IMD good"
    )


def test_driver_without_codes_skips_what_it_cannot_tell_and_measures_the_rest(
    tmp_path: Path,
) -> None:
    with running_wallbox(tmp_path) as arduino:
        options = {"wallbox_port": arduino.twin.link, "reply_s": str(PATIENT_S)}
        with contextlib.closing(open_board("wallbox", options)) as board:
            found = {row.name: row for row in rows(Probe(board, REV))}
    assert failed(list(found.values())) == []
    assert found["CP steady high"].note == "state A"
    assert found["CP at 5 %, low"].verdict is Verdict.PASS
    for name in ("+12 V and -12 V rail", "PP", "watchdog trips after"):
        assert found[name].verdict is Verdict.SKIP
        assert found[name].note == NO_CODES


def test_another_frequency_and_another_reference_are_told(hat: Running) -> None:
    other = replace(REV, adc=replace(REV.adc, vref_v=2.5))
    wrong = replace(REV, pwm=replace(REV.pwm, frequency_hz=2_000))
    for made_for, read_by, name in (
        (REV, other, "ADC reference"),
        (wrong, REV, "CP at 5 %, frequency"),
    ):
        client = Client(port=hat.port)
        with contextlib.closing(PigpioHat(client, made_for, PATIENT_S)) as board:
            found = {row.name: row for row in rows(Probe(board, read_by))}
        assert found[name].verdict is Verdict.FAIL, name


def test_load_on_the_pilot_is_told_as_its_state(hat: Running) -> None:
    with contextlib.closing(CableEnd(hat.path)) as cable:
        cable.connect(CarElectrics(CarPilot.B))
        row = named(hat, "CP steady high")
    assert (row.note, row.verdict) == ("state B", Verdict.PASS)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (BenchFault.ESTOP, "emergency stop released"),
        (HatFault.RCM_TRIPPED, "RCM and IMD good"),
        (HatFault.SENSOR_OPEN, "PT1000 at DC+"),
        (HatFault.HOT, "PT1000 at DC-"),
        (BenchFault.CP_SHORT, "CP steady high"),
    ],
)
def test_what_is_broken_is_named(
    hat: Running, fault: BenchFault | HatFault, name: str
) -> None:
    hat.fail(fault)
    assert named(hat, name).verdict is Verdict.FAIL


def test_command_prints_every_value_with_its_limits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["selftest", "--board", "twin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "38 PASS, 0 FAIL, 17 SKIP"
    assert any("+12 V rail" in line and "PASS" in line for line in lines)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (None, ""),
        (BenchFault.ESTOP, RELEASED),
        (BenchFault.CONTACTOR_WELDED, CLOSED),
    ],
)
def test_gpiozero_sees_stop_and_contactor_as_the_driver_does(
    hat: Running,
    fault: BenchFault | None,
    name: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if fault is BenchFault.CONTACTOR_WELDED:
        with contextlib.closing(
            PigpioHat(Client(port=hat.port), REV, PATIENT_S)
        ) as board:
            board.set_contactor(closed=True)
            assert Probe(board, REV).wait(board.contactor_is_closed, PATIENT_S)
            hat.fail(fault)
    elif fault is not None:
        hat.fail(fault)
    given = ["--board", "pigpio", "--option", f"pigpio_port={hat.port}"]
    assert main(["selftest", *given]) == (1 if fault else 0)
    lines = capsys.readouterr().out.splitlines()
    by_gpiozero = {row: next(x for x in lines if x.startswith(row)) for row in SEEN_TOO}
    for row, by_driver in SEEN_TOO.items():
        verdict = "FAIL" if row == name else "PASS"
        assert f" {verdict}" in by_gpiozero[row]
        told = next(x for x in lines if x[:26].rstrip() == by_driver)
        assert f" {verdict}" in told, told


def test_driver_that_has_no_pins_skips_what_gpiozero_would_see(tmp_path: Path) -> None:
    with running_wallbox(tmp_path) as arduino:
        found = sensed_rows("wallbox", {"wallbox_port": arduino.twin.link})
    assert [row.verdict for row in found] == [Verdict.SKIP] * 2
    assert "no LEDs and no lock" in found[0].note


def sensed_rows(driver: str, options: dict[str, str]) -> list[Row]:
    return list(_witnessed(Choice(driver, options, ROOT)))


def test_command_tells_json_and_does_not_touch_the_contactor_unconfirmed(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    file = tmp_path / "report.json"
    command = ["selftest", "--contactor", "--json", "--report", str(file)]
    assert main(command) == 0
    told = json.loads(capsys.readouterr().out)
    results = {row["name"]: row["result"] for row in told["checks"]}
    assert told["good"] is True
    assert results["contactor closes"] == "SKIP"
    assert json.loads(file.read_text()) == told
    assert told["date"].startswith("20")
    assert (told["driver"], told["revision"]) == ("twin", "rev_a")


def test_report_as_text_has_its_head_and_every_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "report.txt"
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    there = f"pigpio_port={port}"
    command = ["selftest", "--board", "pigpio", "--option", there]
    assert main([*command, "--report", str(file)]) == 1
    assert "no daemon answers" in capsys.readouterr().out
    lines = file.read_text().splitlines()
    assert lines[0].startswith("date ")
    assert any(line.startswith("EEPROM vendor") for line in lines)
    assert lines[-1].startswith("0 PASS")


def test_board_is_that_of_a_settings_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "station.toml"
    file.write_text('[station]\ninterface = "x"\n[board]\ndriver = "auto"\n')
    assert main(["selftest", "--config", str(file)]) == 2
    assert '"auto" found no Raspberry Pi' in capsys.readouterr().err


@pytest.mark.parametrize("driver", ["pigpio", "kernel"])
def test_board_of_a_running_station_is_left_alone(
    hat: Running,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    driver: str,
) -> None:
    monkeypatch.setattr(service_selftest, "sensed", pytest.fail)  # nor by gpiozero
    there = {"pigpio": f"pigpio_port={hat.port}", "kernel": f"kernel_twin={hat.kernel}"}
    words = ["pilothat.runtime.guardproc", driver, there[driver]]
    sleeper = "import sys; sys.stdin.read()"
    command = [sys.executable, "-c", sleeper, *words]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as guard:
        assert main(["selftest", "--board", driver, "--option", there[driver]]) == 1
        guard.kill()
    told = capsys.readouterr().out
    assert f"a station drives it (process {guard.pid})" in told
    assert hat.twin.hat.changes == 1  # nothing was driven


def test_auto_measures_the_hat_that_is_found_and_its_pi(
    hat: Running, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = MadeUp(tmp_path / "root")
    made.pi(PI_4)
    made.hat(custom_0="PH-0007")
    made.overlay()
    there = ["--root", str(made.root), "--option", f"pigpio_port={hat.port}"]
    main(["selftest", "--board", "auto", *there, "--json"])
    told = json.loads(capsys.readouterr().out)
    rows = {row["name"]: row for row in told["checks"]}
    assert (told["driver"], told["serial"]) == ("pigpio", "PH-0007")
    assert told["machine"] == rows["Pi model"]["found"] == PI_4
    assert rows["daemon"]["measured"] == 79
    for name in ("overlay", "SPI1", "PWM", "EEPROM uuid", "CP steady high"):
        assert rows[name]["result"] == "PASS"


class Keyboard(io.StringIO):
    """Somebody who types."""

    def isatty(self) -> bool:
        return True


def test_person_at_the_keyboard_is_asked_and_moves_only_what_was_meant(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = f"CLOSE\nmove\n{SAW}\nno\nskip\n"
    monkeypatch.setattr("sys.stdin", Keyboard(typed))
    assert main(["selftest", "--contactor", "--lock"]) == 1
    told = capsys.readouterr()
    verdicts = {
        line[:26].strip(): next(w for w in line.split() if w in Verdict.__members__)
        for line in told.out.splitlines()[:-1]
    }
    assert verdicts["contactor closes"] == "PASS"
    assert verdicts["lock moves"] == "SKIP"
    assert verdicts["lamp green"] == "PASS"
    assert verdicts["lamp red"] == "FAIL"
    assert verdicts["emergency stop opens"] == "SKIP"
    assert [name for name, word in verdicts.items() if word == "FAIL"] == ["lamp red"]
    assert "Nobody's fingers" in told.err


def test_document_shows_the_rows_that_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["selftest"]) == 0
    told = capsys.readouterr().out.splitlines()
    shown = (ROOT / "docs" / "proving.md").read_text().splitlines()
    begin = next(n for n, line in enumerate(shown) if line.startswith("Pi model"))

    def rows_of(lines: list[str]) -> list[tuple[str, list[str]]]:
        verdicts = {one.value for one in Verdict}
        return [(x[:26], [w for w in x.split() if w in verdicts]) for x in lines]

    assert rows_of(shown[begin : begin + len(told)]) == rows_of(told)


@pytest.mark.parametrize("option", ["port=1", "pigpio_port"])
def test_unknown_option_is_refused(
    capsys: pytest.CaptureFixture[str], option: str
) -> None:
    assert main(["selftest", "--option", option]) == 2
    assert "Known: driver, revision" in capsys.readouterr().err


def test_script_needs_nothing_installed(tmp_path: Path) -> None:
    """It runs with a bare Python: no package of a Pi, none of ours."""
    script = ROOT / "scripts" / "gpio-test"
    command = [sys.executable, "-I", "-S", str(script), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["good"] is True


def test_script_says_which_package_a_driver_needs() -> None:
    script = ROOT / "scripts" / "gpio-test"
    command = [sys.executable, "-I", "-S", str(script), "--board", "wallbox"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "wallbox needs serial, which is not installed here" in done.stdout
    assert "Traceback" not in done.stderr
