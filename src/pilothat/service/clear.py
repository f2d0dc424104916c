"""Clear a fault that keeps the station out of service, once it is understood.

    pilothat status                    tells its name and what helps
    pilothat clear CONTACTOR_WELDED

What still stands cannot be cleared.
"""

from __future__ import annotations

import argparse

from pilothat.service.asking import add_socket, order


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_socket(parser)
    parser.add_argument("fault", metavar="FAULT", help="its name")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return order(options.socket, "clear", fault=options.fault.upper())
