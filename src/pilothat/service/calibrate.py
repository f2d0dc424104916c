"""Calibrate a board: its own zero and gain of every path, against an instrument.

    pilothat calibrate                                 the twin, against its model
    pilothat calibrate --board auto --write hat-0007.toml
    pilothat calibrate --check hat-0007.toml --board auto      is it good for this board

Unplug the car. The board is put into each state; type what a voltmeter of 0.1 % or
better shows. Beyond what a board of this design can need nothing is written. Then set
board.calibration to the file. Nothing is closed, moved or enabled.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import mean

from pilothat.board import calibration, detect
from pilothat.board.calibration import Calibration, Levels
from pilothat.board.revision import Revision
from pilothat.board.selftest import NO_CODES, Probe
from pilothat.errors import BoardError, ConfigError
from pilothat.service import boardat
from pilothat.service.boardat import Choice
from pilothat.twin.hat import driven_cp

COUNT = 256  # readings of each level
TRIES = 3  # at typing a number
PATIENCE_S = 600.0  # with a person
BEAT_S = 0.02
TWIN_SERIAL = "twin"
ALPHA = 3.85e-3  # of a platinum sensor, per degree
STEPS = (  # what is driven, in per cent; what is asked for
    (100.0, ("+12 V rail against PE", "-12 V rail against PE", "CP (J3), steady high")),
    (0.0, ("CP (J3), steady low",)),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    boardat.add_arguments(parser)
    parser.add_argument(
        "--write", type=Path, metavar="FILE", help="file for the calibration"
    )
    parser.add_argument(
        "--check", type=Path, metavar="FILE", help="check a file, and measure nothing"
    )
    parser.add_argument(
        "--serial", default="", help="of the board, where its EEPROM tells none"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    with boardat.choice(options) as choice:
        uncalibrated = {**choice.options, "calibration": ""}
        bare = replace(choice, options=uncalibrated)
        board, serial = bare.board, _serial(choice, options)
        if options.check is not None:
            found = calibration.load(options.check)
        else:
            found = _measured(bare, serial)
    sys.stdout.write(calibration.text_of(found))
    calibration.check(found, board, serial, calibration.today())
    if options.write is not None:
        calibration.save(found, options.write)
        sys.stdout.write(f'written; set board.calibration = "{options.write}"\n')
    elif options.check is not None:
        sys.stdout.write(f"{options.check}: good\n")
    return 0


def _serial(choice: Choice, options: argparse.Namespace) -> str:
    """Return the board's number; a file that is checked may be of any unknown one."""
    hat = detect.machine(options.root).hat
    told = TWIN_SERIAL if choice.is_twin else hat.serial if hat else ""
    if told and options.serial not in ("", told):
        raise ConfigError(
            f"the board says that it is {told}", where=f"--serial {options.serial}"
        )
    serial = str(told or options.serial)
    if not serial and options.check is None:
        raise ConfigError(
            "the board tells no serial number",
            where="calibrate",
            remedy="Give the one on its label with --serial",
        )
    return serial


def _measured(choice: Choice, serial: str) -> Calibration:
    """Go through the steps. Raises BoardError, ConfigError."""
    board = choice.board
    asked = _model(board) if choice.is_twin else _typed
    with choice.opened() as hat:
        probe = Probe(hat, board)
        if probe.coded is None:
            raise BoardError(
                NO_CODES,
                where=choice.name,
                remedy="Only a HAT is calibrated",
            )
        true: list[float] = []
        seen: dict[str, float] = {}
        for duty_pct, questions in STEPS:
            probe.hat.set_pwm(duty_pct)
            probe.live()
            true += [asked(probe, question) for question in questions]
            seen |= _seen(probe, duty_pct)
        ohm = _ohm(probe)
        hat.set_pwm(0)
    rails = seen["rail_high"], seen["rail_low"]
    raw = Levels(*rails, seen["cp_raw 100"], seen["cp_raw 0"])
    held = Levels(*rails, seen["cp_high 100"], seen["cp_low 0"])
    corrections = calibration.corrections_of(Levels(*true), raw, held)
    celsius = None if ohm is None else (ohm / 1000 - 1) / ALPHA
    day = calibration.today()
    return Calibration(board.board.name, serial, day, celsius, corrections)


def _seen(probe: Probe, duty_pct: float) -> dict[str, float]:
    """Return what is read at a level, by channel, as the design reads it."""
    board, channels = probe.board, probe.board.channels
    names = ("cp_raw", "cp_high") if duty_pct else ("cp_raw", "cp_low")
    codes = {name: _mean(probe, getattr(channels, name)) for name in names}
    told = {f"{one} {duty_pct:g}": board.cp_v(code) for one, code in codes.items()}
    if duty_pct:
        told["rail_high"] = board.rail_v(_mean(probe, channels.rail_high))
        told["rail_low"] = board.cp_v(_mean(probe, channels.rail_low))
    return told


def _mean(probe: Probe, channel: int) -> float:
    probe.hat.heartbeat()
    return mean(probe.codes(channel, COUNT))


def _ohm(probe: Probe) -> float | None:
    """Return the sensor at DC+; None without one."""
    sensor, top = probe.board.temperature, probe.board.adc.top
    code = _mean(probe, probe.board.channels.temperature_plus)
    return sensor.ohms(code, top) if sensor.is_good(code, top) else None


def _model(board: Revision) -> Callable[[Probe, str], float]:
    """Return the instrument on the twin: it shows what the model makes."""
    driver, cp = board.driver, driven_cp(board)
    shown = (driver.rail_high_v, driver.rail_low_v, cp.high_v, cp.low_v)
    questions = [question for _, asked in STEPS for question in asked]
    table = dict(zip(questions, shown, strict=True))
    return lambda _, question: table[question]


def _typed(probe: Probe, question: str) -> float:
    """Ask a person for a voltage, which stands meanwhile. Raises ConfigError."""
    for _ in range(TRIES):
        sys.stderr.write(f"{question}, V: ")
        sys.stderr.flush()
        line = _line(probe)
        try:
            return float(line.strip().replace(",", "."))
        except ValueError:
            sys.stderr.write("a number, please, as -11.98\n")
        if not line:
            break
    raise ConfigError("no voltage was typed", where=question)


def _line(probe: Probe) -> str:
    """Return the next line, empty for none; the board's watchdog is fed meanwhile."""
    lines: list[str] = []
    reader = threading.Thread(
        target=lambda: lines.append(sys.stdin.readline()), daemon=True
    )
    reader.start()

    def is_there() -> bool:
        reader.join(BEAT_S)
        return bool(lines)

    probe.wait(is_there, PATIENCE_S)
    return lines[0] if lines else ""
