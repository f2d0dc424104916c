"""The library for certificates: there, and new enough, or told plainly."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version

from pilothat.errors import ConfigError

NAME, LEAST = "cryptography", 43  # as in setup.cfg; Debian 12 has 38


def need_library(where: str, wish: str) -> None:
    """Raise ConfigError where the library is missing or too old for a wish."""
    try:
        found = version(NAME)
    except PackageNotFoundError:
        found = ""
    if not found or int(found.partition(".")[0]) < LEAST:
        told = f"{found} is installed" if found else "none is installed"
        raise ConfigError(
            f"{wish} needs {NAME} {LEAST} or newer, {told}",
            where=where,
            remedy="Install it: pip install 'pilothat[pnc]'",
        )
