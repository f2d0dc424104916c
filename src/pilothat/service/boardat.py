"""Boards for commands that measure: by name, file or options; twins are made here."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

from pilothat.board import detect
from pilothat.board.calibration import board_of
from pilothat.board.detect import ROOT
from pilothat.board.pigpiowire import PORT
from pilothat.board.revision import Revision
from pilothat.errors import BoardError, ConfigError
from pilothat.frozen import dataclass
from pilothat.ports import PilotBackend
from pilothat.runtime.boards import AUTO, BOARDS, open_board
from pilothat.runtime.pigpiod import HatTwin
from pilothat.service import config
from pilothat.service.keys import KEYS

TWIN = "twin"
LOCAL = "127.0.0.1"
REPLY_S = 1.0  # nothing is at stake
# driver -> what tells its boards from each other, as a guard's command line has it
_AT: Mapping[str, Mapping[str, str]] = {
    "pigpio": {"pigpio_port": str(PORT)},
    "kernel": {"kernel_twin": ""},
    "wallbox": {"wallbox_port": ""},
}


@dataclass(frozen=True, slots=True)
class Choice:
    """A driver, with what it is given.

    driver: what drives it. is_twin: whether the HAT behind it is simulated
    root: where the files of the machine are
    """

    driver: str
    options: Mapping[str, str]
    root: Path
    is_twin: bool = False

    @property
    def name(self) -> str:
        """Return what a person calls it."""
        return TWIN if self.is_twin else self.driver

    @property
    def board(self) -> Revision:
        """Return revision and calibration. Raises ConfigError."""
        return board_of(self.options, self.root)

    def check_free(self) -> None:
        """See that no station's guard drives the same board. Raises BoardError.

        To be asked before anything touches a pin: some ways to one ask nobody.
        """
        if number := _guard_on(self.driver, self.options):
            raise BoardError(
                f"a station drives it (process {number})",
                where="board",
                remedy="Stop the station first",
            )

    @contextlib.contextmanager
    def opened(self) -> Iterator[PilotBackend]:
        """Open the board, and make it safe at the end. Raises BoardError."""
        self.check_free()
        patient = {**self.options, "reply_s": str(REPLY_S)}
        with contextlib.closing(open_board(self.driver, patient)) as hat:
            yield hat


def _guard_on(driver: str, options: Mapping[str, str]) -> int | None:
    """Return the process of a guard that drives a HAT by this daemon or kernel."""
    given = {
        name: options.get(name, default)
        for name, default in _AT.get(driver, {}).items()
    }
    words = [f"{name}={value}" for name, value in given.items() if value]
    wanted = {one.encode() for one in ("pilothat.runtime.guardproc", driver, *words)}
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if wanted <= set(file.read_bytes().split(b"\0")):
                return int(file.parent.name)
    return None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what such a command takes."""
    parser.add_argument(
        "--board",
        choices=(*BOARDS, AUTO),
        help="how the board is driven (that of --config, else twin: no hardware)",
    )
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="settings (TOML), for its [board]"
    )
    parser.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a setting of [board], as pigpio_port=8888; may be given several times",
    )
    parser.add_argument(
        "--root", type=Path, default=ROOT, help="where /proc, /sys and /etc are"
    )


@contextlib.contextmanager
def choice(options: argparse.Namespace) -> Iterator[Choice]:
    """Yield what was chosen; a twin runs in a thread as long as it is needed.

    Raises ConfigError.
    """
    name, given = TWIN, {}
    if options.config is not None:
        settings = config.load(options.config)
        name, given = settings.text("board.driver"), dict(settings.section("board"))
    given |= dict(_pair(text) for text in options.option)
    name = options.board or name
    if name == TWIN:
        with _twin(given, options.root) as choice:
            yield choice
        return
    there: Mapping[str, str] = given
    if name == AUTO:
        name, there = detect.choose(given, options.root)
    yield Choice(name, there, options.root)


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    known = [key.name for key in KEYS if key.section == "board"]
    if not equals or name not in known:
        raise ConfigError(
            "is no setting of the board, as KEY=VALUE",
            where=f"--option {text}",
            remedy=f"Known: {', '.join(known)}",
        )
    return name, value


@contextlib.contextmanager
def _twin(given: Mapping[str, str], root: Path) -> Iterator[Choice]:
    """Run the HAT behind pigpio's protocol, and be driven like one."""
    board = board_of({name: given[name] for name in given if name == "revision"})
    with tempfile.TemporaryDirectory() as folder:
        made = HatTwin(str(Path(folder) / "bench"), (LOCAL, 0), board)
        with contextlib.closing(made) as twin:
            thread = threading.Thread(target=twin.run)
            thread.start()
            host, port = twin.address
            there = {"pigpio_host": host, "pigpio_port": str(port)}
            try:
                yield Choice("pigpio", {**given, **there}, root, is_twin=True)
            finally:
                twin.stop()
                thread.join()
