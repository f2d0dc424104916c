"""Ask the running station over its control socket, and say what it answers."""

from __future__ import annotations

import argparse
import json
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pilothat.errors import PilotHatError
from pilothat.service.keys import CONTROL

ANSWER_S = 5.0
MAX_BYTES = 65_536


def add_socket(parser: argparse.ArgumentParser) -> None:
    """Say where the station is reached."""
    parser.add_argument(
        "--socket",
        type=Path,
        default=Path(CONTROL),
        help="station.control of the running station (default: %(default)s)",
    )


def ask(path: Path, do: str, **more: object) -> Mapping[str, Any]:
    """Return the answer to a request. Raises PilotHatError with what was refused."""
    answer = _exchange(path, json.dumps({"do": do, **more}).encode() + b"\n")
    if "error" in answer:
        raise PilotHatError(str(answer["error"]), where=do)
    return answer


def answers(path: Path) -> bool:
    """Tell whether a station runs there, ready or not."""
    try:
        _exchange(path, b'{"do": "status"}\n')
    except PilotHatError:
        return False
    return True


def order(path: Path, do: str, **more: object) -> int:
    """Let something be done; say how the station is then. Return the exit code."""
    sys.stdout.write(f"{ask(path, do, **more)['line']}\n")
    return 0


def _exchange(path: Path, line: bytes) -> Mapping[str, Any]:
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(ANSWER_S)
            connection.connect(str(path))
            connection.sendall(line)
            with connection.makefile("rb") as file:
                answer = json.loads(file.readline(MAX_BYTES))
    except OSError as error:
        raise PilotHatError(
            f"no station answers ({error.strerror or error})",
            where=str(path),
            remedy="Is it running (systemctl status pilothatd), and may this user ask "
            "it (group pilothat)? Another socket: --socket",
        ) from error
    except ValueError as error:
        raise PilotHatError("what answers is no station", where=str(path)) from error
    return dict(answer)
