"""Let the car that waits charge; needed where station.authorisation is "ask".

pilothat authorize
pilothat authorize --refuse
"""

from __future__ import annotations

import argparse

from pilothat.service.asking import add_socket, order


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_socket(parser)
    parser.add_argument("--refuse", action="store_true", help="the car may not charge")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return order(options.socket, "authorize", granted=not options.refuse)
