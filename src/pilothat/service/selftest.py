"""Measure a board: every value with its limits, PASS, FAIL or SKIP.

    pilothat selftest                        the twin: no hardware needed
    pilothat selftest --board auto           the HAT on this Pi
    pilothat selftest --board pigpio --contactor      closes the contactor, too
    pilothat selftest --board auto --report hat-0001.json

First what is around the board (Pi, system, rights, EEPROM), then the board itself, then
what needs a person, if one is at the keyboard. Unplug the car first, or plug in a test
load: the levels of any state are good. The supply is never enabled; contactor and lock
move only after a word was typed. Exit code 0 when nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from pilothat.board import asked, environment, selftest
from pilothat.board.asked import Company
from pilothat.board.detect import machine
from pilothat.board.selftest import Probe
from pilothat.board.verdict import Row, skipped
from pilothat.errors import BoardError, ConfigError
from pilothat.runtime.lamps import Devices, opened_devices, sensed
from pilothat.service import boardat
from pilothat.service.boardat import Choice
from pilothat.service.report import Report, head_of, line

CLOSE, MOVE = "CLOSE", "MOVE"
RELEASED = "emergency stop by gpiozero"
CLOSED = "contactor by gpiozero"
QUESTIONS = {
    CLOSE: "The output contactor will close for a moment. Nothing may be connected to "
    "the supply's side.",
    MOVE: "The bolt of the lock will go out and in. Nobody's fingers may be near it.",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    boardat.add_arguments(parser)
    parser.add_argument(
        "--contactor",
        action="store_true",
        help=f"close and open the output contactor, after {CLOSE} was typed",
    )
    parser.add_argument(
        "--lock",
        action="store_true",
        help=f"move the lock's bolt out and in, after {MOVE} was typed",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--report", type=Path, metavar="FILE", help="write it, too: FILE.json, or text"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    found: list[Row] = []
    lost = ""
    with boardat.choice(options) as choice:
        head = head_of(choice, machine(options.root))
        try:
            for row in _rows(choice, options):
                found.append(row)
                if not options.json:
                    _say(line(row))
        except BoardError as error:
            lost = str(error)
    report = Report(head, found, lost)
    for text in (report.json(),) if options.json else report.closing():
        _say(text)
    if options.report is not None:
        report.save(options.report)
    return 0 if report.is_good else 1


def _rows(choice: Choice, options: argparse.Namespace) -> Iterator[Row]:
    board, at = choice.board, environment.here(options.root)
    yield from environment.rows(at, choice.name, choice.options, board)
    yield from _witnessed(choice)
    with choice.opened() as hat, _company(choice, options) as company:
        probe = Probe(hat, board)
        yield from selftest.rows(probe)
        yield from asked.rows(probe, company)


def _witnessed(choice: Choice) -> Iterator[Row]:
    """Read what the guard lives by in another way than its driver does."""
    choice.check_free()
    try:
        inputs = sensed(choice.driver, choice.options, choice.board)
    except (BoardError, ConfigError) as error:
        for name in (RELEASED, CLOSED):
            yield skipped(name, str(error))
        return
    yield Row(RELEASED, float(inputs.is_estop_released), "", 1, 1)
    yield Row(CLOSED, float(inputs.is_closed), "", 0, 0)


@contextlib.contextmanager
def _company(choice: Choice, options: argparse.Namespace) -> Iterator[Company]:
    """Yield who and what is there; lamps and lock only where somebody can look."""
    closes = options.contactor and _is_confirmed(CLOSE)
    if options.json or not sys.stdin.isatty():
        yield Company(closes=closes)
        return
    moves = options.lock and _is_confirmed(MOVE)
    with contextlib.ExitStack() as stack:
        try:
            there = choice.driver, choice.options, choice.board
            devices = stack.enter_context(opened_devices(*there, has_lock=moves))
        except (BoardError, ConfigError) as error:
            yield Company(_ask, closes, why_not=str(error))
            return
        yield _complete(devices, closes=closes, moves=moves)


def _complete(devices: Devices, *, closes: bool, moves: bool) -> Company:
    why = "moves a bolt: --lock asks you first"
    return Company(_ask, closes, devices, devices if moves else None, why)


def _is_confirmed(word: str) -> bool:
    """Ask; only the very word counts."""
    return _ask(f"{QUESTIONS[word]}\nType {word} to go on: ") == word


def _ask(question: str) -> str:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip()


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()
