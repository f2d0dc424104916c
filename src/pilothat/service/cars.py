"""Which car: one that ships with the program, or a file of one's own."""

from __future__ import annotations

import argparse
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.twin import profile
from pilothat.twin.profile import CarProfile

DEFAULT = "generic"


def add_car_argument(parser: argparse.ArgumentParser) -> None:
    """Say that the command takes a car."""
    parser.add_argument(
        "--car",
        default=DEFAULT,
        metavar="PROFILE",
        help=f"a known car ({', '.join(profile.names())}) or a profile file "
        "(default: %(default)s)",
    )


def chosen_car(name: str) -> CarProfile:
    """Return a car by name or file. Raises ConfigError."""
    if name in profile.names():
        return profile.builtin(name)
    path = Path(name)
    if not path.is_file():
        known = ", ".join(profile.names())
        raise ConfigError(
            f"no car '{name}'",
            where="--car",
            remedy=f"Known: {known}; or give a profile file",
        )
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"cannot be read as text ({error.__class__.__name__})",
            where=name,
            remedy="Give a car profile, a TOML file in UTF-8",
        ) from error
    return profile.parse(text, where=name)
