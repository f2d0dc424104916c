"""What this machine is: the Pi, and the HAT by its ID EEPROM; and the driver for both.

The firmware of the Pi reads the EEPROM and shows it in the device tree. Nothing here
drives a pin; one connection tells whether pigpio's daemon is there.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiowire import PORT
from pilothat.board.revision import names, revision
from pilothat.errors import BoardError, ConfigError
from pilothat.frozen import dataclass

ROOT = Path("/")
TREE = "proc/device-tree"
LOCAL = "127.0.0.1"
# what pigpio's daemon knows; a Pi 5 (bcm2712) it does not
PIGPIO_SOCS = ("brcm,bcm2835", "brcm,bcm2836", "brcm,bcm2837", "brcm,bcm2711")
_WHERE = "board.driver"


@dataclass(frozen=True, slots=True)
class HatSeen:
    """What the ID EEPROM of a HAT says, as text; empty where it says nothing.

    serial: the first custom atom, the number that the board was given
    """

    vendor: str
    product: str
    uuid: str
    product_id: str
    product_ver: str
    serial: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A Pi; model is empty where there is none, hat is None where none is told."""

    model: str
    socs: tuple[str, ...]
    hat: HatSeen | None

    @property
    def revision(self) -> str | None:
        """Return the name of our revision that the HAT is of; None for others."""
        if self.hat is None:
            return None
        told = self.hat.vendor, self.hat.product
        boards = {name: revision(name).board for name in names()}
        for name, board in boards.items():
            if told == (board.vendor, board.product):
                return name
        return None

    @property
    def runs_pigpio(self) -> bool:
        """Whether pigpio's daemon knows this Pi."""
        return any(soc in PIGPIO_SOCS for soc in self.socs)


def machine(root: Path = ROOT) -> Machine:
    """Look at the device tree below a root."""
    tree = root / TREE
    socs = tuple(_text(tree / "compatible").split("\0"))
    return Machine(_text(tree / "model"), socs, _hat(tree / "hat"))


def choose(
    options: Mapping[str, str], root: Path = ROOT
) -> tuple[str, Mapping[str, str]]:
    """Return driver and options for the board that is here.

    Our HAT on a Pi that pigpio knows, with its daemon: pigpio. Our HAT otherwise: the
    kernel's interfaces. Raises ConfigError with what was found for anything else.
    """
    found = machine(root)
    name = found.revision
    if name is None:
        raise ConfigError(_found(found), where=_WHERE, remedy=_remedy(found))
    has_daemon = found.runs_pigpio and _answers(options)
    driver = "pigpio" if has_daemon else "kernel"
    return driver, {**options, "revision": name}


def _found(found: Machine) -> str:
    if not found.model:
        return '"auto" found no Raspberry Pi'
    if found.hat is None:
        return f'"auto" found {found.model}, and no ID EEPROM of a HAT'
    hat = f"{found.hat.product} of {found.hat.vendor}"
    return f'"auto" found {found.model}, and the HAT {hat}, which is not ours'


def _remedy(found: Machine) -> str:
    if not found.model:
        return 'Set it to "twin" for a simulated board'
    fits = "pigpio" if found.runs_pigpio else "kernel"
    return f'Set it to "{fits}" where a PilotHAT without EEPROM is fitted'


def _answers(options: Mapping[str, str]) -> bool:
    host = options.get("pigpio_host", LOCAL)
    try:
        with closing(Client(host, int(options.get("pigpio_port", PORT)))):
            return True
    except BoardError:
        return False


def _hat(node: Path) -> HatSeen | None:
    if not node.is_dir():
        return None
    parts = ("vendor", "product", "uuid", "product_id", "product_ver", "custom_0")
    return HatSeen(*(_text(node / part) for part in parts))


def _text(path: Path) -> str:
    """Return a property as text; what is not there is empty."""
    try:
        return path.read_bytes().decode("ascii", "replace").strip("\0\n ")
    except FileNotFoundError:
        return ""
