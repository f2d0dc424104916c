"""What one station has, no second one takes: a modem's interface, a board.

The lock is an abstract socket: its name is the same for every user, in every sandbox
with a /tmp of its own, and is free again when its process has ended, however it did. It
belongs to a network namespace, as interfaces do. Who holds it, the kernel tells.
"""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from pilothat.errors import PilotHatError

_PEER = struct.Struct("3i")  # process, user, group; of socket(7), SO_PEERCRED
# What tells boards of a driver from each other; the twin's bench looks after itself.
_BOARD_AT: Mapping[str, Sequence[str]] = {
    "pigpio": ("pigpio_host", "pigpio_port"),
    "kernel": ("kernel_twin",),
    "wallbox": ("wallbox_port",),
}


@contextlib.contextmanager
def alone_with(what: str) -> Iterator[None]:
    """Have something for this station alone. Raises PilotHatError."""
    name = f"\0pilothat {sha256(what.encode()).hexdigest()}"  # of any length
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as lock:
        try:
            lock.bind(name)
        except OSError as error:
            raise PilotHatError(
                f"another station (process {_holder(name)}) runs here",
                where=what,
                remedy="Stop it first; the service: sudo systemctl stop pilothatd",
            ) from error
        lock.listen()
        yield


def board_of(driver: str, options: Mapping[str, str]) -> str:
    """Return the name of a board; empty when it needs no lock."""
    if driver not in _BOARD_AT:
        return ""
    at = [options[name] for name in _BOARD_AT[driver] if options.get(name)]
    return " ".join(("board", driver, *at))


def _holder(name: str) -> str:
    """Return the number of the process that has it."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        asking.settimeout(0)
        try:
            asking.connect(name)
        except OSError:
            return "?"
        peer = asking.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size)
    return str(_PEER.unpack(peer)[0])
