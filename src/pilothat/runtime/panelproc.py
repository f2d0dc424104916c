"""The panel's process: gpiozero and what it stands on, kept away from main.

A client of a dead daemon keeps a thread busy, one of a frozen daemon blocks for ever;
neither may happen where a charge is run. A turn that takes longer than HUNG_S ends this
process by its alarm. Started by main with one end of the link: states come in, "ready"
goes out, or why not, and what the button does. When main is gone it ends, with its pins
as inputs.
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

from pilothat.board.calibration import board_of
from pilothat.errors import PilotHatError
from pilothat.runtime.lamps import opened_devices
from pilothat.runtime.panel import NO_BUTTON, PRESSED, READY, PanelLoop, parse

HUNG_S = 3.0
NICER = 10
_MAX_BYTES = 256


def run(loop: PanelLoop, link: socket.socket) -> None:
    """Turn until main is gone. Raises BoardError."""
    wait_s = 0.0
    while True:
        signal.setitimer(signal.ITIMER_REAL, HUNG_S)
        if select.select([link], [], [], wait_s)[0]:
            message = link.recv(_MAX_BYTES)
            if not message:
                return
            loop.take(parse(message.decode()), time.monotonic())
        wait_s = loop.turn(time.monotonic())


def _press(link: socket.socket) -> None:
    with contextlib.suppress(BrokenPipeError):  # main is gone, and so are we soon
        link.send(PRESSED)


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
        with opened_devices(driver, options, board, has_lock=has_lock) as devices:
            loop = PanelLoop(devices, board.lock.pulse_s, has_lock=has_lock)
            with contextlib.closing(loop):
                if button_gpio != NO_BUTTON:
                    devices.hear(button_gpio, functools.partial(_press, link))
                link.send(READY)
                run(loop, link)
    except PilotHatError as error:
        with contextlib.suppress(BrokenPipeError):
            link.send(str(error).encode()[:_MAX_BYTES])
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
