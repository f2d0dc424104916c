"""Play conformance cases against a station in virtual time, and report.

    pilothat conformance secc_v2g.jsonl
    pilothat conformance secc_v2g.jsonl --profile field --json

A file holds one case a line. The station is a whole one, from the control pilot up,
and the case plays the car: it matches, connects and says what the case says. A case
that is about something this station has not is told as not applicable, with the reason.
Exit codes: 0 none failed, 1 a case failed, 2 wrong usage or no such file.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from pathlib import Path

from pilothat.conformance import rows
from pilothat.conformance.run import Outcome, Result
from pilothat.conformance.run import run as run_case

PROFILES = ("conformance", "field")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="cases")
    parser.add_argument(
        "--profile", choices=PROFILES, default=PROFILES[0], help="of the station"
    )
    parser.add_argument("--only", metavar="TEXT", help="cases with this in their id")
    parser.add_argument("--verbose", action="store_true", help="tell every case")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    is_strict = options.profile == "conformance"
    results = []
    for path in options.files:
        for row in rows.load(path):
            if options.only and options.only not in row.id:
                continue
            results.append(run_case(row, is_strict=is_strict))
            if not options.json:
                _tell(results[-1], is_verbose=options.verbose)
    counts = Counter(result.outcome for result in results)
    if options.json:
        sys.stdout.write(json.dumps(_summary(results)) + "\n")
    else:
        _report(results)
    return 1 if counts[Outcome.FAILED] else 0


def _tell(result: Result, *, is_verbose: bool) -> None:
    if is_verbose or result.outcome is Outcome.FAILED:
        why = f": {result.why}" if result.why else ""
        sys.stdout.write(f"{result.outcome.value}  {result.row.id}{why}\n")
        sys.stdout.flush()


def _report(results: list[Result]) -> None:
    for area in sorted({result.row.area for result in results}):
        here = Counter(r.outcome for r in results if r.row.area == area)
        sys.stdout.write(f"{area:<28} {_counted(here)}\n")
    sys.stdout.write(f"{_counted(Counter(r.outcome for r in results))}\n")


def _counted(counts: Counter[Outcome]) -> str:
    return ", ".join(f"{counts[outcome]} {outcome.value}" for outcome in Outcome)


def _summary(results: list[Result]) -> dict[str, object]:
    return {
        **{o.name.lower(): sum(r.outcome is o for r in results) for o in Outcome},
        "cases": [
            {"id": r.row.id, "outcome": r.outcome.value, "why": r.why} for r in results
        ],
    }
