"""Run the station: headless, until SIGTERM, which stops in order first.

    pilothat run --example > station.toml     every setting with its meaning
    pilothat run --config station.toml

SIGTERM or Ctrl-C stops a charge in order, a second one at once. SIGUSR1 authorises the
car that waits (station.authorisation = "ask"), SIGUSR2 stops the charge as a user does.
SIGHUP reads the settings anew: bad ones are told and not taken, good ones as soon as no
car is here.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from pilothat.errors import ConfigError, PilotHatError
from pilothat.frozen import dataclass
from pilothat.journal import Recorder, header_of
from pilothat.power.nopower import SIMULATED
from pilothat.runtime import netwatch
from pilothat.runtime.boards import open_supply
from pilothat.runtime.control import ControlServer
from pilothat.runtime.guardlink import GuardLink, pair
from pilothat.runtime.health import BootTimes, Health
from pilothat.runtime.journalfile import NO_ROOM, JournalFile
from pilothat.runtime.latches import Latches
from pilothat.runtime.notify import Notifier
from pilothat.runtime.onlyone import alone_with, board_of
from pilothat.runtime.panellink import PanelLink
from pilothat.runtime.plcport import PlcPort
from pilothat.runtime.records import Records
from pilothat.runtime.sdpport import SdpPort
from pilothat.runtime.shell import RESTART, Ports, Shell, Watcher
from pilothat.runtime.v2gport import TlsOffer
from pilothat.runtime.waiting import Waiting
from pilothat.runtime.wallclock import ToldClock, WallClock
from pilothat.service import config
from pilothat.service.config import Settings
from pilothat.service.deeds import Deeds
from pilothat.service.making import (
    ac_ratings,
    check,
    station_settings,
    with_board,
)
from pilothat.service.securing import contracts_of, tls_of
from pilothat.station.events import Authorised, FaultKept, StopCause, StopRequested
from pilothat.station.settings import ContractSettings, StationSettings
from pilothat.station.station import Station

log = logging.getLogger("pilothat")

GUARD_ENDS_S = 2.0


@dataclass(frozen=True, slots=True)
class Wanted:
    """Everything that was read and found good before anything is switched on."""

    settings: Settings
    tls: TlsOffer | None
    contracts: ContractSettings | None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="settings (TOML)")
    parser.add_argument(
        "--example", action="store_true", help="print a settings file and end"
    )
    parser.add_argument("--check", action="store_true", help="check the file and end")
    parser.add_argument(
        "--wait",
        action="store_true",
        help="wait for an interface that is not there yet, with a steady pilot",
    )
    parser.add_argument("-v", "--verbose", action="store_true", help="log everything")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.example:
        sys.stdout.write(config.example())
        return 0
    if options.config is None:
        sys.stderr.write("pilothat run: --config FILE is needed, or --example\n")
        return 2
    level = logging.DEBUG if options.verbose else logging.INFO
    logging.basicConfig(
        level=level, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    wanted = _read(options.config)
    if options.check:
        sys.stdout.write(f"{options.config}: good\n")
        return 0
    while (code := asyncio.run(_serve(options, wanted))) == RESTART:
        wanted = _read(options.config)
    return code


def _read(path: Path) -> Wanted:
    """Read and check everything. Raises ConfigError, before anything is on."""
    settings = config.load(path)
    check(settings)
    settings = with_board(settings)
    if settings.flag("supply.simulate_precharge"):
        log.warning("supply.simulate_precharge is on. %s", SIMULATED)
    return Wanted(settings, tls_of(settings), contracts_of(settings))


async def _serve(options: argparse.Namespace, wanted: Wanted) -> int:
    """Bring everything up, run, and take it down whatever happens.

    The guard comes first: the pilot is steady before there is any network.
    """
    settings, notifier, boot = wanted.settings, Notifier(), BootTimes()
    with contextlib.ExitStack() as stack:
        name = settings.text("station.interface")
        stack.enter_context(_only_one(settings))
        guard = stack.enter_context(_guard(settings))
        waiting = Waiting(name, guard, notifier, boot)
        path, is_good = _control_of(settings), partial(_is_good, options.config)
        if options.wait and not await waiting.run(path, is_good):
            return RESTART if waiting.is_restarting else 0
        panel = stack.enter_context(_panel(settings))
        shown = () if panel is None else (panel.watch,)
        shell = _shell(stack, wanted, guard, (boot.watch, *shown))
        waiting.pass_on(shell)
        _recall(shell, settings)
        _hear_signals(shell, options.config)
        deeds = Deeds(shell)
        if panel is not None:
            panel.pressed, panel.saw = deeds.press, shell.witnessed
        control = ControlServer(path, deeds.table)
        stack.enter_context(contextlib.closing(control))
        await control.open()
        stack.enter_context(contextlib.closing(Health(shell, notifier)))
        announcing = asyncio.create_task(_announce(shell, name, boot))
        try:
            code = await shell.run()
        finally:
            announcing.cancel()
        if code != RESTART:  # told so, the manager waits for an end, and kills
            notifier.stopping()
        return code


def _shell(
    stack: contextlib.ExitStack,
    wanted: Wanted,
    guard: GuardLink,
    watchers: Sequence[Watcher],
) -> Shell:
    """Open all ports and make the station; the stack closes them."""
    settings = wanted.settings
    interface = netwatch.find(settings.text("station.interface"))
    plc = stack.enter_context(contextlib.closing(PlcPort(interface.name)))
    sdp = stack.enter_context(
        contextlib.closing(SdpPort(interface.name, interface.index))
    )
    made = station_settings(settings, interface.mac)
    made = replace(made, contracts=wanted.contracts)
    journal = _journal(settings, made)
    if journal is not None:
        stack.enter_context(contextlib.closing(journal))
    driver, chosen = settings.text("supply.driver"), settings.section("board")
    supply = stack.enter_context(contextlib.closing(open_supply(driver, chosen)))
    entropy = Recorder(os.urandom)
    needs_clock = bool(wanted.contracts or made.iso2.tariff)
    clock = ToldClock(WallClock().read).read if needs_clock else None
    watching = (*watchers, *stack.enter_context(_watchers(settings, journal)))
    ports = Ports(guard, supply, plc, sdp, interface, wanted.tls, clock, watching)
    return Shell(Station(made, entropy), entropy, ports, journal)


async def _announce(shell: Shell, interface: str, boot: BootTimes) -> None:
    await shell.ready()
    await boot.steady()
    log.info("ready interface=%s %s", interface, boot.text)


def _control_of(settings: Settings) -> Path:
    return Path(settings.text("station.control"))


@contextlib.contextmanager
def _watchers(
    settings: Settings, journal: JournalFile | None
) -> Iterator[Sequence[Watcher]]:
    """Return who else wants to know what happens."""
    with contextlib.ExitStack() as stack:
        found: list[Watcher] = []
        folder = settings.text("station.records")
        if folder and _is_folder(folder, "station.records"):
            file = (lambda: journal.file) if journal else str
            records = Records(Path(folder), WallClock().read, file)
            stack.callback(lambda: records.close(time.monotonic()))
            found += records.watch, Latches(Path(folder)).watch
        yield found


def _recall(shell: Shell, settings: Settings) -> None:
    """Let faults stand that were latched in an earlier life."""
    if folder := settings.text("station.records"):
        for fault in Latches(Path(folder)).read():
            shell.feed(FaultKept(fault))


def _is_folder(path: str, key: str) -> bool:
    """Make a folder; False where the disk has no room for it. Raises ConfigError."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
        if os.statvfs(path).f_flag & os.ST_RDONLY:
            log.error("%s can only be read: no charge is recorded", path)
    except OSError as error:
        if error.errno in NO_ROOM:
            log.error("nothing is kept in %s error=%s", path, error.strerror)  # noqa: TRY400
            return False
        raise ConfigError(
            f"{path}: cannot be made ({error.strerror})",
            where=key,
            remedy="Give a folder that may be written",
        ) from error
    return True


@contextlib.contextmanager
def _panel(settings: Settings) -> Iterator[PanelLink | None]:
    """Run the panel's process, where there is one, as long as we need it."""
    if not settings.flag("board.panel"):
        yield None
        return
    driver, options = settings.text("board.driver"), settings.section("board")
    with contextlib.closing(PanelLink(driver, options)) as panel:
        yield panel


def _hear_signals(shell: Shell, path: Path) -> None:
    loop = asyncio.get_running_loop()
    user_stop = StopRequested(StopCause.USER)
    allowed = Authorised(is_granted=True, by="signal")
    loop.add_signal_handler(signal.SIGTERM, shell.stop)
    loop.add_signal_handler(signal.SIGINT, shell.stop)
    loop.add_signal_handler(signal.SIGUSR1, shell.feed, allowed)
    loop.add_signal_handler(signal.SIGUSR2, shell.feed, user_stop)
    loop.add_signal_handler(signal.SIGHUP, _reread, shell, path)


def _reread(shell: Shell, path: Path) -> None:
    """Take new settings as soon as no car is here; bad ones are not taken."""
    if _is_good(path):
        log.info("new settings are taken when no car is here")
        shell.restart()


def _is_good(path: Path) -> bool:
    """Tell whether settings can be taken; bad ones are told."""
    try:
        _read(path)
    except PilotHatError as error:
        log.error("the settings stay as they are error=%s", error)  # noqa: TRY400
        return False
    return True


def _journal(settings: Settings, made: StationSettings) -> JournalFile | None:
    """Open the journal; it is told whose contracts are accepted, and no key."""
    folder = settings.text("station.journal")
    if not folder:
        return None
    if made.contracts is not None:
        made = replace(made, contracts=replace(made.contracts, issuer=None))
    return JournalFile(Path(folder), header_of(made))


@contextlib.contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    """Have interface and board: two stations on one would fight over it."""
    board = board_of(settings.text("board.driver"), settings.section("board"))
    with contextlib.ExitStack() as stack:
        stack.enter_context(alone_with(settings.text("station.interface")))
        if board:
            stack.enter_context(alone_with(board))
        yield


@contextlib.contextmanager
def _guard(settings: Settings) -> Iterator[GuardLink]:
    """Run the guard process as long as we need it."""
    ours, theirs = pair()
    ac = ac_ratings(settings)
    ventilation = "yes" if settings.flag("pilot.ventilation") else "no"
    command = [
        sys.executable,
        "-m",
        "pilothat.runtime.guardproc",
        str(theirs.fileno()),
        settings.text("board.driver"),
        *(f"{name}={value}" for name, value in settings.section("board").items()),
        f"ventilation={ventilation}",
        f"mains_v={ac.nominal_v if ac else ''}",
    ]
    process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
    theirs.close()
    link = GuardLink(ours)
    try:
        yield link
    finally:
        link.close()
        try:
            process.wait(GUARD_ENDS_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
