"""Check a settings file against this machine: one line a finding, with what to do.

    pilothat check
    pilothat check --config station.toml

Nothing is switched on, and a running station is not disturbed: its board is asked
through it. Exit code 1 when something must be mended before a car can charge.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

from pilothat.errors import PilotHatError
from pilothat.runtime import netwatch
from pilothat.runtime.boards import open_board
from pilothat.runtime.wallclock import WallClock
from pilothat.service import config
from pilothat.service.asking import answers
from pilothat.service.config import Settings
from pilothat.service.findings import Finding, bad, doubtful, failed, good, told
from pilothat.service.keys import INSTALLED
from pilothat.service.making import check as check_together
from pilothat.service.making import with_board
from pilothat.service.securing import choice_of, contracts_of
from pilothat.v2g.sdp import PORT as SDP_PORT

LEAST_FREE = 300 * 1024 * 1024  # bytes: what journals may take, and some
FOLDERS = ("station.journal", "station.records")
CAPABILITIES = (  # bit of CAP_..., what it is for
    (13, "CAP_NET_RAW", "frames of the powerline"),
    (23, "CAP_SYS_NICE", "a guard that comes first"),
    (14, "CAP_IPC_LOCK", "a guard that is never swapped out"),
)
NEEDED = ("CAP_NET_RAW",)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(INSTALLED),
        metavar="FILE",
        help="the settings (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    settings = config.load(options.config)
    check_together(settings)
    return told(findings(settings, str(options.config)))


def findings(settings: Settings, where: str) -> Iterator[Finding]:
    """Look at one thing after the other."""
    yield good("settings", where)
    is_running = answers(Path(settings.text("station.control")))
    yield good("service", "a station runs here" if is_running else "no station runs")
    yield from _interface(settings.text("station.interface"))
    if not is_running:
        yield _port()
        yield from _rights()
    yield _board(settings, is_running=is_running)
    yield from _folders(settings)
    yield from _certificates(settings)
    yield _clock()


def _interface(name: str) -> Iterator[Finding]:
    try:
        netwatch.find(name)
    except PilotHatError as error:
        yield failed("interface", error)
        return
    yield good("interface", name)
    if not netwatch.is_up(name):
        told = f"sudo ip link set {name} up; is the modem powered?"
        yield bad("link", "down or without carrier", told)
    elif netwatch.link_local(name) is None:
        yield bad("address", "no link-local IPv6", netwatch.why_no_address(name))
    else:
        yield good("address", "link-local IPv6 is there")


def _port() -> Finding:
    """Find out whether somebody else answers cars already."""
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as port:
        try:
            port.bind(("::", SDP_PORT))
        except OSError as error:
            return bad(
                "SDP port",
                f"UDP {SDP_PORT}: {error.strerror}",
                f"Who has it: ss -ulpn sport = :{SDP_PORT}",
            )
    return good("SDP port", f"UDP {SDP_PORT} is free")


def _rights() -> Iterator[Finding]:
    held = int(_status_of_self("CapEff"), 16)
    for bit, name, use in CAPABILITIES:
        if held >> bit & 1:
            yield good(name, use)
            continue
        found = bad if name in NEEDED else doubtful
        yield found(name, f"not held: {use}", "Run it as the service or as root does")


def _status_of_self(key: str) -> str:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(line.split()[1] for line in lines if line.startswith(f"{key}:"))


def _board(settings: Settings, *, is_running: bool) -> Finding:
    try:
        wanted = with_board(settings)
        driver = wanted.text("board.driver")
        if is_running:
            return good("board", f"{driver}, held by the running station")
        if driver == "twin":
            return doubtful(
                "board", "a simulated one", "Set board.driver for a real one"
            )
        with contextlib.closing(open_board(driver, wanted.section("board"))) as board:
            sample = board.sample()
    except PilotHatError as error:
        return failed("board", error)
    return good("board", f"{driver} answers, CP {sample.high_v:.1f} V")


def _folders(settings: Settings) -> Iterator[Finding]:
    for key in FOLDERS:
        folder = settings.text(key)
        if not folder:
            yield doubtful(key, "nothing is kept", "Set it to a folder")
        elif not os.access(_there(Path(folder)), os.W_OK):
            yield bad(key, f"{folder} cannot be written", f"Who may: ls -ld {folder}")
        elif (free := shutil.disk_usage(_there(Path(folder))).free) < LEAST_FREE:
            yield doubtful(key, f"{free >> 20} MB are free", "Make room")
        else:
            yield good(key, f"{folder}, {free >> 20} MB are free")


def _there(folder: Path) -> Path:
    """Return the folder, or the nearest above it that exists."""
    return next(one for one in (folder, *folder.parents) if one.exists())


def _certificates(settings: Settings) -> Iterator[Finding]:
    try:
        choice = choice_of(settings)
        contracts_of(settings)
    except PilotHatError as error:
        yield failed("certificates", error)
        return
    if choice is None:
        yield good("certificates", "none needed: no TLS")
        return
    yield good("certificates", "read; pilothat pki check tells when they expire")
    for flaw in choice.flaws():
        yield doubtful("OCSP response", f"{flaw.where}: {flaw.what}", flaw.remedy)


def _clock() -> Finding:
    if WallClock().read().is_trusted:
        return good("clock", "kept by the network or a battery")
    return doubtful(
        "clock",
        "nobody keeps it: certificates cannot be judged by it",
        "Let it have the network for a while, or fit a clock",
    )
