"""What commands that read and print messages share: input, complaints, colours."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from pilothat.errors import ConfigError

STDIN = "-"
MOST_SHOWN = 400  # characters of a complaint: it may quote what it complains about
RED, YELLOW, GREEN, DIM = "1;31", "33", "1;32", "2"


def complain(where: str, what: str) -> None:
    """Say on one line of standard error what is wrong, and where."""
    told = ": ".join(part for part in ("pilothat", where, what) if part)
    line = printable(told)
    if len(line) > MOST_SHOWN:
        line = line[:MOST_SHOWN] + "..."
    sys.stderr.write(line + "\n")


def printable(text: str) -> str:
    """Return a text on one line, without codes a terminal would obey."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def painted(text: str, colour: str) -> str:
    """Return a text in a colour, for a terminal that has them."""
    return f"\x1b[{colour}m{text}\x1b[0m"


def clock(seconds: float) -> str:
    """Return a time as hours, minutes and seconds."""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{rest:02}"


def has_colour() -> bool:
    """Tell whether who looks at standard output wants colours (no-color.org)."""
    is_wanted = not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return is_wanted and sys.stdout.isatty()


def read(source: str) -> bytes:
    """Return what is in a file, or on standard input. Raises ConfigError."""
    try:
        if source == STDIN:
            return sys.stdin.buffer.read()
        return Path(source).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a name no file can have
        raise unreadable(source, error) from error


def unreadable(source: str, error: OSError | ValueError) -> ConfigError:
    """Return the error that says why an argument is no input."""
    shown = source if len(source) < MOST_SHOWN else f"{source[:40]}..."
    reason = getattr(error, "strerror", None) or str(error)
    return ConfigError(f"neither hex nor a readable file ({reason})", where=repr(shown))
