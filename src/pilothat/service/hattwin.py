"""Be the HAT: pigpio's daemon, or a kernel, with a simulated board and car behind it.

    pilothat hat-twin --socket /tmp/pilothat-bench.sock --port 8888
    pilothat run --config station.toml       with board.driver = "pigpio"
    pilothat ev --interface eth1 --bench /tmp/pilothat-bench.sock

Any client of the daemon works on it: pigs, the package pigpio, gpiozero. With --kernel
it is a Pi without the daemon, for the driver kernel; with --port as well it is both:

    pilothat hat-twin --kernel /tmp/pilothat-kernel.sock
    pilothat run --config station.toml       with board.driver = "kernel" and
                                             board.kernel_twin = the same socket

With --wallbox it is an Arduino with our sketch, or with the published one, at a pseudo
terminal, whose name it tells; the link to it stays when the cable is pulled:

    pilothat hat-twin --wallbox
    pilothat run --config station.toml       with board.driver = "wallbox" and
                            board.wallbox_port = "/tmp/pilothat-bench.sock.tty"

What is broken while it runs, by name, with a second command on the same bench:

    pilothat hat-twin --socket /tmp/pilothat-bench.sock --break dead
    pilothat hat-twin --socket /tmp/pilothat-bench.sock --mend dead
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from pilothat.board.pigpiowire import PORT
from pilothat.board.revision import DEFAULT, revision
from pilothat.board.wallboxwire import DIALECTS, PILOTHAT
from pilothat.errors import BoardError
from pilothat.runtime.benchtalk import (
    DaemonFault,
    Inject,
    InjectDaemon,
    InjectHat,
    Injection,
    InjectWallbox,
)
from pilothat.runtime.pigpiod import HatTwin
from pilothat.runtime.twinbench import DEFAULT_SOCKET, inject
from pilothat.runtime.wallboxtwin import WallboxTwin
from pilothat.twin.bench import BenchFault
from pilothat.twin.hat import HatFault
from pilothat.twin.wallbox import WallboxFault

log = logging.getLogger("pilothat.hat")

PRIORITY = 50  # of 1..99; below the guard

Fault = BenchFault | HatFault | DaemonFault | WallboxFault
FAULTS: Mapping[str, Fault] = {
    fault.name.lower(): fault
    for fault in (*DaemonFault, *HatFault, *WallboxFault, *BenchFault)
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--socket", default=DEFAULT_SOCKET, metavar="BENCH")
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on")
    parser.add_argument(
        "--port",
        type=int,
        metavar="N",
        help=f"of the daemon, 0 takes a free one; {PORT}, or none with --kernel",
    )
    parser.add_argument(
        "--kernel", default="", metavar="SOCKET", help="serve a kernel there"
    )
    parser.add_argument(
        "--wallbox",
        nargs="?",
        choices=DIALECTS,
        const=PILOTHAT,
        help=f"be an Arduino with this sketch; {PILOTHAT} without a word",
    )
    parser.add_argument("--revision", default=DEFAULT, help="of the board")
    parser.add_argument(
        "--mains-v", type=float, metavar="V", help="be an AC outlet of this voltage"
    )
    names = ", ".join(FAULTS)
    parser.add_argument(
        "--break", dest="broken", metavar="WHAT", help=f"one of {names}"
    )
    parser.add_argument("--mend", dest="mended", metavar="WHAT", help="the same")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.broken or options.mended:
        return _inject(options)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    if options.wallbox:
        return _be_wallbox(options)
    board, port = revision(options.revision), options.port
    if port is None and not options.kernel:
        port = PORT
    address = None if port is None else (options.host, port)
    made = HatTwin(options.socket, address, board, options.mains_v, options.kernel)
    with contextlib.closing(made) as twin:
        _prepare(twin.stop)
        ports = f"port={twin.address[1]}" if address else ""
        kernel = f"kernel={options.kernel}" if options.kernel else ""
        log.info("ready %s bench=%s", f"{ports} {kernel}".strip(), options.socket)
        twin.run()
    return 0


def _be_wallbox(options: argparse.Namespace) -> int:
    made = WallboxTwin(options.socket, options.wallbox, options.mains_v)
    with contextlib.closing(made) as twin:
        _prepare(twin.stop)
        name = Path(twin.link).readlink()
        log.info("ready wallbox=%s link=%s bench=%s", name, twin.link, options.socket)
        twin.run()
    return 0


def _prepare(stop: Callable[[], None]) -> None:
    """End when told to. Take real-time priority where allowed: hardware never waits."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop())
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))


def _inject(options: argparse.Namespace) -> int:
    for name, on in ((options.broken, True), (options.mended, False)):
        if name is None:
            continue
        if name not in FAULTS:
            sys.stderr.write(f"pilothat: no fault '{name}'; see --help\n")
            return 2
        if not inject(options.socket, message(FAULTS[name], on=on)):
            raise BoardError("nobody answers", where=options.socket)
    return 0


def message(fault: Fault, *, on: bool) -> Injection:
    """Return what a bench must be told to break or mend something."""
    match fault:
        case BenchFault():
            return Inject(fault, on)
        case HatFault():
            return InjectHat(fault, on)
        case DaemonFault():
            return InjectDaemon(fault, on)
        case WallboxFault():
            return InjectWallbox(fault, on)
