"""Offer a car that pauses to go on.

pilothat wake
"""

from __future__ import annotations

import argparse

from pilothat.service.asking import add_socket, order


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_socket(parser)


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    return order(options.socket, "wake")
