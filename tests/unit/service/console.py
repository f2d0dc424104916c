"""Run a command of ``pilothat`` as a user does, and keep what it printed."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilothat.service.cli import main

SHARED = Path(__file__).parents[4] / "shared"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a command did."""

    code: int
    out: str
    err: str


class Terminal(io.StringIO):
    """Standard output that a person looks at."""

    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def ran(
    *arguments: str | Path,
    stdin: bytes = b"",
    out: io.StringIO | None = None,
) -> Ran:
    """Run a command in this process."""
    out, err = out or io.StringIO(), io.StringIO()
    was, sys.stdin = sys.stdin, io.TextIOWrapper(io.BytesIO(stdin))
    try:
        with redirect_stdout(out), redirect_stderr(err):
            code = main([str(argument) for argument in arguments])
    finally:
        sys.stdin = was
    return Ran(code, out.getvalue(), err.getvalue())


def ran_into_a_closed_pipe(*arguments: str) -> Ran:
    """Run a command in a process whose reader is gone before it starts."""
    reads, writes = os.pipe()
    os.close(reads)
    command: Sequence[str] = (sys.executable, "-m", "pilothat.service.cli", *arguments)
    try:
        done = subprocess.run(
            command, stdout=writes, stderr=subprocess.PIPE, text=True, check=False
        )
    finally:
        os.close(writes)
    return Ran(done.returncode, "", done.stderr)


def shared(path: str) -> Path:
    """Return a file of the reference material; skip the test where there is none."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"no ../shared/{path}")
    return found
