"""Measure a board: every value with its limits, PASS, FAIL or SKIP.

    pilothat selftest --board twin               no hardware needed
    pilothat selftest --board pigpio             the HAT on this Pi
    pilothat selftest --board pigpio --contactor     closes the contactor, too

Unplug the car first, or plug in a test load: the levels of any state are good. The
supply is never enabled. Exit code 0 when nothing failed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import PigpioHat
from pilothat.board.pigpiowire import PORT
from pilothat.board.revision import DEFAULT, revision
from pilothat.board.selftest import Probe, Row, Verdict, rows
from pilothat.errors import BoardError
from pilothat.runtime.pigpiod import HatTwin

LOCAL = "127.0.0.1"
WORD = "CLOSE"
REPLY_S = 1.0  # nothing is at stake


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--board", choices=("twin", "pigpio"), default="twin")
    parser.add_argument("--host", default=LOCAL, help="of pigpio's daemon")
    parser.add_argument("--port", type=int, default=PORT, help="of pigpio's daemon")
    parser.add_argument("--revision", default=DEFAULT, help="of the board")
    parser.add_argument(
        "--contactor",
        action="store_true",
        help=f"close and open the output contactor, after {WORD} was typed",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    board = revision(options.revision)
    with_contactor = options.contactor and _is_confirmed()
    found: list[Row] = []
    lost = ""
    with _address(options) as (host, port):
        try:
            with contextlib.closing(
                PigpioHat(Client(host, port), board, REPLY_S)
            ) as hat:
                for row in rows(Probe(hat, board), with_contactor=with_contactor):
                    found.append(row)
                    if not options.json:
                        _say(_line(row))
        except BoardError as error:
            lost = str(error)
    return _report(found, lost, as_json=options.json)


@contextlib.contextmanager
def _address(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Return where the daemon is; the twin's runs in a thread as long as needed."""
    if options.board == "pigpio":
        yield options.host, options.port
        return
    with tempfile.TemporaryDirectory() as folder:
        made = HatTwin(
            str(Path(folder) / "bench"), (LOCAL, 0), revision(options.revision)
        )
        with contextlib.closing(made) as twin:
            thread = threading.Thread(target=twin.run)
            thread.start()
            try:
                yield twin.address
            finally:
                twin.stop()
                thread.join()


def _is_confirmed() -> bool:
    """Ask; only the very word counts."""
    sys.stderr.write(
        "The output contactor will close for a moment. Nothing may be connected to the "
        f"supply's side.\nType {WORD} to go on: "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip() == WORD


def _report(found: Sequence[Row], lost: str, *, as_json: bool) -> int:
    counts = {one: sum(row.verdict is one for row in found) for one in Verdict}
    is_good = not lost and counts[Verdict.FAIL] == 0
    if as_json:
        told = {"good": is_good, "error": lost, "checks": [_json(row) for row in found]}
        _say(json.dumps(told))
    else:
        if lost:
            _say(f"{'board':<26} {lost}  FAIL")
        _say(", ".join(f"{count} {one.value}" for one, count in counts.items()))
    return 0 if is_good else 1


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _line(row: Row) -> str:
    value = "-" if row.measured is None else f"{row.measured:.3f}"
    limits = f"{row.low:g} .. {row.high:g} {row.unit}".rstrip()
    return (
        f"{row.name:<26} {value:>9}   {limits:<26} {row.verdict.value}  {row.note}"
    ).rstrip()


def _json(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "measured": row.measured,
        "unit": row.unit,
        "low": row.low,
        "high": row.high,
        "result": row.verdict.value,
        "note": row.note,
    }
