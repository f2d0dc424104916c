"""List past charges, and draw one.

    pilothat sessions                  the last twenty, newest last
    pilothat sessions show             draws the last one
    pilothat sessions show 17          voltage, current, battery of charge 17
    pilothat sessions --json           all of them, one JSON object a line

They are kept where station.records of the settings file says.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from pilothat.errors import ConfigError, PilotHatError
from pilothat.runtime import records
from pilothat.service import config
from pilothat.service.chart import Point, ceiling, plot, resample
from pilothat.service.console import clock
from pilothat.service.keys import INSTALLED

SHOWN = 20
COLUMNS, ROWS = 64, 5
CURVES = (("voltage", "V"), ("current", "A"), ("battery", "%"))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("what", nargs="?", choices=("list", "show"), default="list")
    parser.add_argument("number", nargs="?", type=int, metavar="N", help="the newest")
    parser.add_argument("--json", action="store_true", help="print JSON lines")
    parser.add_argument("--records", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(INSTALLED),
        metavar="FILE",
        help="whose station.records is read (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    found = records.read(options.records or folder_of(options.config))
    if options.what == "show":
        sys.stdout.writelines(f"{line}\n" for line in drawn(*chosen(found, options)))
    elif options.json:
        sys.stdout.writelines(json.dumps(one) + "\n" for one in found)
    else:
        sys.stdout.writelines(f"{line}\n" for line in listed(found))
    return 0


def folder_of(file: Path) -> Path:
    """Return where a settings file keeps records. Raises ConfigError."""
    folder = config.load(file).text("station.records")
    if not folder:
        raise ConfigError(
            "keeps no records",
            where=str(file),
            remedy="Set station.records to a folder, or give --records",
        )
    return Path(folder)


def chosen(
    found: Sequence[Mapping[str, Any]], options: argparse.Namespace
) -> tuple[int, Mapping[str, Any]]:
    """Return number and record that are asked for. Raises PilotHatError."""
    number = len(found) if options.number is None else options.number
    if not 1 <= number <= len(found):
        raise PilotHatError(
            f"no charge {number}; there are {len(found)}",
            where="sessions",
            remedy="pilothat sessions lists them",
        )
    return number, found[number - 1]


def listed(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Return the newest as a table."""
    yield f"{'N':>5}  {'began':<19}  {'lasted':>8}  {'kWh':>7}  ended by"
    first = max(len(found) - SHOWN, 0)
    for number, one in enumerate(found[first:], first + 1):
        yield (
            f"{number:>5}  {_when(one):<19}  {clock(one['lasted_s']):>8}  "
            f"{one['energy_wh'] / 1000:>7.2f}  {one['reason'] or '-'}"
        )


def drawn(number: int, one: Mapping[str, Any]) -> Iterator[str]:
    """Return a charge as text with its curves."""
    yield (
        f"charge {number}, {_when(one)}: {clock(one['lasted_s'])}, "
        f"{one['energy_wh'] / 1000:.2f} kWh, {one['messages']} messages, "
        f"ended by: {one['reason'] or '-'}"
    )
    curve = one["curve"]
    for place, (name, unit) in enumerate(CURVES, 1):
        points = [Point(p[0], p[place]) for p in curve if p[place] is not None]
        if not points:
            continue
        top = 100.0 if unit == "%" else ceiling(max(p.value for p in points))
        rows = plot(resample(points, COLUMNS * 2), ROWS, top)
        yield f"{name}, 0 to {top:g} {unit}"
        yield from (f"  |{row}" for row in rows)
    if curve:
        yield f"   {clock(curve[0][0])}{clock(curve[-1][0]):>{COLUMNS - 7}}"


def _when(one: Mapping[str, Any]) -> str:
    """Return when it began; a clock that could not be trusted is said so."""
    local = datetime.fromtimestamp(one["began"]).astimezone()
    return f"{local:%Y-%m-%d %H:%M}{'' if one['is_clock_trusted'] else ' (?)'}"
