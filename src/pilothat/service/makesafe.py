"""Make the board safe: contactor open, supply off, pilot in state F.

    pilothat make-safe --config /etc/pilothat/pilothat.toml

For when no station runs: the service manager calls it after every end of the service,
ordered or not, since pigpio's daemon and the kernel leave PWM and outputs as they were.
When the board's driver finds nothing, the kernel's own lines are tried. Exit code 0
when the board is safe by its own word.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

from pilothat.errors import PilotHatError
from pilothat.runtime.boards import open_board
from pilothat.service import config
from pilothat.service.keys import INSTALLED
from pilothat.service.making import with_board

LAST_RESORT = "kernel"
HAS_HAT = ("pigpio", "kernel")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(INSTALLED),
        metavar="FILE",
        help="whose board is meant (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    settings = with_board(config.load(options.config))
    driver = settings.text("board.driver")
    if driver == "twin":
        sys.stdout.write("safe: the board is a simulated one\n")
        return 0
    complaints: list[str] = []
    for name in _ways(driver):
        try:
            with contextlib.closing(open_board(name, settings.section("board"))):
                pass  # opened it is safe, and closed again
        except PilotHatError as error:
            complaints.append(f"{name}: {error}")
            continue
        sys.stdout.write(f"safe: by the driver {name}\n")
        return 0
    raise PilotHatError(
        "; ".join(complaints),
        where="make-safe",
        remedy="The board's own watchdog opens within 0.25 s; check that it has",
    )


def _ways(driver: str) -> Iterator[str]:
    yield driver
    if driver in HAS_HAT and driver != LAST_RESORT:
        yield LAST_RESORT
