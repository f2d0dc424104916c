"""Calibration: a board that is off is measured, corrected, and then passes."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pytest
from tests.hat.machine import PI_4, REV, MadeUp
from tests.hat.twin import Running, running, until

from pilothat.board.calibration import (
    PATHS,
    Calibration,
    Levels,
    board_of,
    calibrated,
    check,
    corrections_of,
    load,
    save,
    text_of,
    today,
)
from pilothat.board.revision import Correction
from pilothat.errors import BoardError, ConfigError
from pilothat.ports import PilotBackend
from pilothat.runtime.boards import open_board
from pilothat.service import config
from pilothat.service.cli import main
from pilothat.service.making import with_board
from pilothat.twin.hat import OFFSET_CODES, HatFault, driven_cp

DAY = date(2026, 11, 1)
EXACT = {name: Correction() for name in PATHS}
GOOD = Calibration("rev_a", "PH-0007", DAY, 24.5, EXACT)
LIMITS = REV.calibrating


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def instrument() -> str:
    """Return what a person reads off, a line each."""
    cp, driver = driven_cp(REV), REV.driver
    true = driver.rail_high_v, driver.rail_low_v, cp.high_v, cp.low_v
    return "".join(f"{volts:.3f}\n" for volts in true)


class Slow:
    """Somebody who types slower than the watchdog's window is long."""

    def __init__(self, text: str) -> None:
        self._lines = io.StringIO(text)

    def readline(self) -> str:
        time.sleep(2 * REV.watchdog.window_s)
        return self._lines.readline()

    def isatty(self) -> bool:
        return False


@pytest.mark.parametrize("driver", ["pigpio", "kernel"])
def test_board_that_is_off_fails_is_calibrated_and_passes(
    driver: str,
    hat: Running,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = str(tmp_path / "own.toml")
    given = {"pigpio": f"pigpio_port={hat.port}", "kernel": f"kernel_twin={hat.kernel}"}
    there = ["--board", driver, "--option", given[driver]]
    hat.fail(HatFault.ADC_OFFSET)
    assert main(["selftest", *there]) == 1
    told = capsys.readouterr().out
    failed = [line[:10] for line in told.splitlines() if " FAIL " in line]
    assert failed[:2] == ["+12 V rail", "-12 V rail"]
    monkeypatch.setattr("sys.stdin", Slow("what?\n" + instrument()))
    serial = ["--serial", "PH-0007", "--write", file]
    assert main(["calibrate", *there, *serial]) == 0
    found = load(Path(file))
    off_v = OFFSET_CODES * REV.cp_v(1) - OFFSET_CODES * REV.cp_v(0)
    assert found.serial == "PH-0007"
    for name in ("cp_raw", "cp_high", "cp_low", "rail_low"):
        assert found.corrections[name].zero_v == pytest.approx(-off_v, abs=0.02)
    assert main(["calibrate", *there, "--check", file]) == 0
    assert main(["selftest", *there, "--option", f"calibration={file}"]) == 0
    assert "calibration" not in capsys.readouterr().err


@pytest.mark.parametrize("driver", ["pigpio", "kernel"])
def test_driver_reads_with_the_corrections_of_its_board(
    driver: str, hat: Running, tmp_path: Path
) -> None:
    """A station whose board is off and calibrated sees the level as it is."""
    file = tmp_path / "own.toml"
    off_v = OFFSET_CODES * (REV.cp_v(1) - REV.cp_v(0))
    rail_v = OFFSET_CODES * (REV.rail_v(1) - REV.rail_v(0))
    own = dict.fromkeys(PATHS, Correction(-off_v)) | {"rail_high": Correction(-rail_v)}
    save(replace(GOOD, corrections=own), file)
    hat.fail(HatFault.ADC_OFFSET)
    there = {"pigpio_port": str(hat.port), "kernel_twin": hat.kernel}
    options = {**there, "reply_s": "2"}
    with contextlib.closing(
        open_board(driver, {**options, "calibration": str(file)})
    ) as board:
        board.set_pwm(5)
        seen: list[float] = []

        def settles() -> bool:
            board.heartbeat()
            seen.append(board.sample().high_v)
            return abs(seen[-1] - driven_cp(REV).high_v) < 0.02

        until(settles, "the true level")
        for _ in range(10):  # rails and raw readings are believed
            board.heartbeat()
            board.sample()
    with contextlib.closing(open_board(driver, options)) as board:
        until(lambda: is_lost(board), "a rail that is off")


def is_lost(board: PilotBackend) -> bool:
    board.heartbeat()
    try:
        board.sample()
    except BoardError as error:
        return "rail is at" in str(error)
    return False


@pytest.mark.parametrize("typed", ["", "a\nb\nc\n"])
def test_person_who_types_no_voltage_calibrates_nothing(
    hat: Running,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    typed: str,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    there = ["--board", "pigpio", "--option", f"pigpio_port={hat.port}"]
    file = tmp_path / "own.toml"
    command = ["calibrate", *there, "--serial", "1", "--write", str(file)]
    assert main(command) == 2
    assert "no voltage was typed" in capsys.readouterr().err
    assert not file.exists()


def test_implausible_reading_writes_nothing(
    hat: Running,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("12.1\n-12.1\n13.5\n-11.9\n"))
    there = ["--board", "pigpio", "--option", f"pigpio_port={hat.port}"]
    file = tmp_path / "own.toml"
    assert main(["calibrate", *there, "--serial", "1", "--write", str(file)]) == 2
    assert "cp_raw" in capsys.readouterr().err
    assert not file.exists()


def test_twin_is_calibrated_against_its_model(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "twin.toml"
    assert main(["calibrate", "--write", str(file)]) == 0
    assert all(abs(one.zero_v) < 0.02 for one in load(file).corrections.values())
    assert main(["selftest", "--option", f"calibration={file}"]) == 0
    assert main(["calibrate", "--check", str(file)]) == 0
    assert capsys.readouterr().out.endswith(f"{file}: good\n")


def test_board_without_a_number_must_be_given_one(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    command = ["calibrate", "--board", "pigpio", "--root", str(tmp_path)]
    assert main(command) == 2
    assert "Give the one on its label with --serial" in capsys.readouterr().err


# --- the sums


def test_corrections_turn_readings_into_the_true_levels() -> None:
    true = Levels(12.1, -12.1, 11.94, -11.93)
    raw, held = Levels(12.3, -12.0, 12.2, -11.8), Levels(12.3, -12.0, 12.25, -11.85)
    own = corrections_of(true, raw, held)
    for name, seen_v, true_v in (
        ("cp_raw", raw.high_v, true.high_v),
        ("cp_raw", raw.low_v, true.low_v),
        ("cp_high", held.high_v, true.high_v),
        ("cp_low", held.low_v, true.low_v),
        ("rail_high", held.rail_high_v, true.rail_high_v),
        ("rail_low", held.rail_low_v, true.rail_low_v),
    ):
        one = own[name]
        assert one.gain * seen_v + one.zero_v == pytest.approx(true_v)


def test_pilot_that_does_not_move_cannot_be_calibrated() -> None:
    stuck = Levels(12.0, -12.0, 5.0, 5.0)
    with pytest.raises(BoardError, match=r"5\.00 V low and 5\.00 V high"):
        corrections_of(stuck, stuck, stuck)


def test_calibrated_board_has_codes_and_volts_that_belong_together() -> None:
    own = {**EXACT, "cp_high": Correction(0.2, 1.02)}
    board, channel = calibrated(REV, replace(GOOD, corrections=own)), 1
    assert board.channels.cp_high == channel
    assert board.cp_v(3000, channel) == pytest.approx(1.02 * REV.cp_v(3000) + 0.2)
    assert board.cp_code(board.cp_v(3000, channel), channel) == 3000
    assert board.cp_v(3000) == REV.cp_v(3000)


# --- files


def test_what_was_written_is_read(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    for one in (GOOD, replace(GOOD, temperature_c=None)):
        save(one, file)
        assert load(file) == one


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("version = 1", "version = 2", "version 2, not 1"),
        ("[rail_low]", "[rail]", "rail_low"),
        ("zero_v = 0.0000", "zero_v = true", "no number"),
        ("zero_v = 0.0000", 'zero_v = "0"', "no number"),
        ("date = 2026-11-01", "date = 12", "date"),
        ("[cp_raw]", "[cp_raw", "damaged"),
        ('"PH-0007"', "7", "no text"),
    ],
)
def test_damaged_file_is_refused(tmp_path: Path, old: str, new: str, why: str) -> None:
    file = tmp_path / "own.toml"
    file.write_text(text_of(GOOD).replace(old, new, 1))
    with pytest.raises(ConfigError, match=why):
        load(file)


@pytest.mark.parametrize("raw", [b"\xff\xfe", b"x" * 100_000, b"", b"[" * 50_000])
def test_what_is_no_such_file_is_refused(tmp_path: Path, raw: bytes) -> None:
    file = tmp_path / "own.toml"
    file.write_bytes(raw)
    with pytest.raises(ConfigError, match=r"damaged|too large"):
        load(file)


def spoiled(**corrections: Correction) -> Calibration:
    return replace(GOOD, corrections={**EXACT, **corrections})


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (replace(GOOD, revision="rev_b"), "of a rev_b"),
        (replace(GOOD, serial="PH-0008"), "of board PH-0008"),
        (
            replace(GOOD, day=DAY - timedelta(days=LIMITS.valid_days + 1)),
            "732 days old",
        ),
        (spoiled(cp_low=Correction(LIMITS.most_zero_v + 0.01)), "cp_low: zero"),
        (spoiled(cp_raw=Correction(0, 1 - LIMITS.most_gain - 0.01)), "cp_raw: gain"),
        (spoiled(cp_raw=Correction(float("nan"))), "cp_raw: zero"),
        (spoiled(cp_raw=Correction(0, float("inf"))), "cp_raw: gain"),
    ],
)
def test_calibration_that_does_not_fit_is_refused(found: Calibration, why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        check(found, REV, "PH-0007", DAY)


def test_calibration_at_its_limits_is_good() -> None:
    zero = Correction(LIMITS.most_zero_v, 1 + LIMITS.most_gain * 0.999)
    check(spoiled(cp_raw=zero), REV, "PH-0007", DAY)
    check(GOOD, REV, "", DAY + timedelta(days=LIMITS.valid_days))
    check(GOOD, REV, "", date(1970, 1, 1))  # a clock that is not set proves nothing


def test_board_on_a_pi_is_compared_by_the_serial_number_of_its_eeprom(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.toml"
    save(replace(GOOD, day=today()), file)
    made = MadeUp(tmp_path / "root")
    made.pi(PI_4)
    options = {"calibration": str(file)}
    made.hat(custom_0="PH-0007")
    assert board_of(options, made.root).corrections
    made.hat(custom_0="PH-0008")
    with pytest.raises(ConfigError, match="this is board PH-0008"):
        board_of(options, made.root)


def settings(**board: str) -> config.Settings:
    lines = [f'{name} = "{value}"' for name, value in board.items()]
    text = '[station]\ninterface = "x"\n[board]\n' + "\n".join(lines)
    return config.check(text, "station.toml")


@pytest.mark.parametrize("driver", ["twin", "pigpio", "kernel"])
def test_station_with_a_missing_calibration_is_refused_before_it_starts(
    tmp_path: Path, driver: str
) -> None:
    missing = str(tmp_path / "none.toml")
    with pytest.raises(ConfigError, match="cannot be read"):
        with_board(settings(driver=driver, calibration=missing))
    if driver != "twin":
        with pytest.raises(ConfigError, match="cannot be read"):
            open_board(driver, {"calibration": missing})


def test_station_with_auto_needs_a_pi() -> None:
    with pytest.raises(ConfigError, match='"auto" found'):
        with_board(settings(driver="auto"))
    assert with_board(settings(driver="pigpio")).text("board.driver") == "pigpio"
