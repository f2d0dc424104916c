"""Run EXI vector files against the codec.

    pilothat check-vectors vectors/exi/*.jsonl

A file holds one JSON object a line: protocol, exi (hex) and json must turn into each
other octet by octet; with "canonical" only decoding is asked of exi; with "must" the
octets have to be refused ("reject") or at least survived ("any"); with "fragment" they
are one element in a "grammar". Lines of grammars not spoken here are counted, not
passed. Exit code 1 if a vector fails.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.service.decode import MOST_SHOWN
from pilothat.service.vectors import Report, check_files

MOST_FAILURES = 20  # shown of a file


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    files: Sequence[Path] = options.files
    for path in files:
        if not path.is_file():
            raise ConfigError("no such file", where=str(path))
    passed = failed = 0
    skipped: Counter[str] = Counter()
    for path in files:
        report = _checked(path)
        passed, failed = passed + report.passed, failed + report.failed
        skipped.update(dict(report.skipped))
        _tell(path, report)
    if skipped:
        names = ", ".join(f"{count} {name}" for name, count in sorted(skipped.items()))
        sys.stdout.write(f"skipped, not spoken here: {names}\n")
    sys.stdout.write(f"{passed} passed, {failed} failed\n")
    sys.stdout.flush()
    return 1 if failed else 0


def _checked(path: Path) -> Report:
    try:
        return check_files([path])
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot be read ({error})", where=str(path)) from error


def _tell(path: Path, report: Report) -> None:
    skipped = sum(count for _, count in report.skipped)
    told = f"{report.passed} passed, {report.failed} failed, {skipped} skipped"
    sys.stdout.write(f"{path}: {told}\n")
    for failure in report.failures[:MOST_FAILURES]:
        sys.stdout.write(f"  {failure[:MOST_SHOWN]}\n")
    more = len(report.failures) - MOST_FAILURES
    if more > 0:
        sys.stdout.write(f"  and {more} more\n")
    sys.stdout.flush()
