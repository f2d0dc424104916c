"""The panel's process: gpiozero and what it stands on, kept away from main.

A client of a dead daemon keeps a thread busy, one of a frozen daemon blocks for ever;
neither may happen where a charge is run. A turn that takes longer than HUNG_S ends this
process by its alarm. Started by main with one end of the link: states come in, "ready"
goes out, or why not, what the button does, and what the inputs of contactor and
emergency stop say. When main is gone it ends, with its pins as inputs.
"""

from __future__ import annotations

import contextlib
import functools
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Mapping

from pilothat.board.calibration import board_of
from pilothat.board.lamps import Inputs
from pilothat.board.revision import Revision
from pilothat.errors import BoardError, PilotHatError
from pilothat.runtime.lamps import WATCHING, opened_devices, opened_inputs
from pilothat.runtime.panel import (
    BLIND,
    NO_BUTTON,
    PRESSED,
    READY,
    PanelLoop,
    Reading,
    parse,
)

HUNG_S = 3.0
NICER = 10
_MAX_BYTES = 256


def run(loop: PanelLoop, link: socket.socket, inputs: Inputs | None) -> None:
    """Turn until main is gone. Raises BoardError."""
    wait_s = 0.0
    while True:
        signal.setitimer(signal.ITIMER_REAL, HUNG_S)
        if select.select([link], [], [], wait_s)[0]:
            message = _heard(link)
            if not message:
                return
            loop.take(parse(message.decode()), time.monotonic())
        if inputs is not None:
            reading = Reading(time.monotonic(), inputs.look())
            loop.see(reading.seen)
            _say(link, reading.text.encode())
        wait_s = loop.turn(time.monotonic())


def _heard(link: socket.socket) -> bytes:
    """Return what main says; nothing when it is gone, maybe without hearing us out."""
    try:
        return link.recv(_MAX_BYTES)
    except ConnectionError:
        return b""


def _say(link: socket.socket, message: bytes) -> None:
    """Tell main; one that hangs hears nothing, and we never wait for it."""
    with contextlib.suppress(BlockingIOError, ConnectionError):  # gone: so are we soon
        link.send(message[:_MAX_BYTES], socket.MSG_DONTWAIT)


def _watched(
    stack: contextlib.ExitStack,
    driver: str,
    options: Mapping[str, str],
    board: Revision,
    link: socket.socket,
) -> Inputs | None:
    """Open the inputs; without them the LEDs show what main says."""
    if driver not in WATCHING:
        return None
    try:
        return stack.enter_context(opened_inputs(driver, options, board))
    except BoardError as error:
        _say(link, f"{BLIND} {error}".encode())
        return None


def main(arguments: list[str]) -> int:
    """Drive a panel: ``panelproc LINK_FD DRIVER [OPTION=VALUE...]``."""
    fd, driver, *given = arguments
    options = dict(one.split("=", 1) for one in given)
    link = socket.socket(fileno=int(fd))
    for number in (signal.SIGINT, signal.SIGTERM):  # main ends in order, then us
        signal.signal(number, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_REAL, HUNG_S * 2)  # to open: imports take a while
    os.nice(NICER)
    try:
        board = board_of({**options, "calibration": ""})
        has_lock = options.get("lock") == "True"
        button_gpio = int(options.get("button_gpio", NO_BUTTON))
        with contextlib.ExitStack() as stack:
            opened = opened_devices(driver, options, board, has_lock=has_lock)
            devices = stack.enter_context(opened)
            loop = PanelLoop(devices, board.lock.pulse_s, has_lock=has_lock)
            stack.enter_context(contextlib.closing(loop))
            inputs = _watched(stack, driver, options, board, link)
            if button_gpio != NO_BUTTON:
                devices.hear(button_gpio, functools.partial(_say, link, PRESSED))
            _say(link, READY)
            run(loop, link, inputs)
    except PilotHatError as error:
        _say(link, str(error).encode())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
