"""What a board needs around it: the Pi, its system, overlay, rights, and the EEPROM.

Everything is read below a root, so that a test can show a made-up machine. Drivers that
need other things have other rows; where there is no Pi all are a SKIP.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

from pilothat.board import detect
from pilothat.board.detect import HatSeen
from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import OLDEST
from pilothat.board.pigpiowire import PORT, Cmd
from pilothat.board.revision import Revision
from pilothat.board.verdict import Row, seen, skipped
from pilothat.errors import BoardError
from pilothat.frozen import dataclass

PRIORITY = 60  # of the guard
OLDEST_OS = 12.0  # of Debian: the first with Python 3.11
NO_PI = "no Pi"
NAMES = ("Pi model", "system", "overlay", "SPI1", "PWM", "daemon", "groups", "priority")
EEPROM_NAMES = ("vendor", "product", "uuid", "version")
# driver -> groups that its devices belong to; pigpio's daemon needs none of us
GROUPS: Mapping[str, tuple[str, ...]] = {
    "pigpio": (),
    "kernel": ("gpio", "spi"),
    "wallbox": ("dialout",),
}
ON_HAT = ("pigpio", "kernel")  # drivers of a HAT on this very Pi
CONFIG = "/boot/firmware/config.txt"


@dataclass(frozen=True, slots=True)
class Here:
    """The machine, and the rights that this program has on it.

    groups: numbers. priority: the highest real-time priority that is allowed
    """

    root: Path
    is_root: bool
    groups: frozenset[int]
    priority: int


def here(root: Path = detect.ROOT) -> Here:
    """Return this machine, with the files below a root."""
    groups = frozenset((*os.getgroups(), os.getegid()))
    limit = resource.getrlimit(resource.RLIMIT_RTPRIO)[0]
    return Here(root, os.geteuid() == 0, groups, limit if limit >= 0 else 99)


def rows(
    at: Here, driver: str, options: Mapping[str, str], board: Revision
) -> Iterator[Row]:
    """Yield the rows of environment and EEPROM for a driver.

    options: of the driver, for the address of pigpio's daemon
    """
    found = detect.machine(at.root)
    if not found.model or driver == "twin":
        for name in (*NAMES, *(f"EEPROM {one}" for one in EEPROM_NAMES)):
            yield skipped(name, NO_PI)
        return
    yield seen("Pi model", found.model, _unfit(found, driver))
    yield _system(at)
    if driver in ON_HAT:
        yield _overlay(at, board)
        yield _spi1(at, driver, board)
        yield _pwm(at, driver)
        yield _daemon(at, driver, options)
    yield _groups(at, driver)
    yield _priority(at)
    if driver in ON_HAT:
        yield from _eeprom(found.hat, board)


def _unfit(found: detect.Machine, driver: str) -> str:
    if driver == "pigpio" and not found.runs_pigpio:
        return 'pigpio does not run on it; set board.driver = "kernel"'
    return ""


def _system(at: Here) -> Row:
    """Return the release of the system; 32 bits are slower, and no failure."""
    text = _read(at.root / "etc/os-release")
    told = dict(line.split("=", 1) for line in text.splitlines() if "=" in line)
    name = told.get("PRETTY_NAME", "").strip('"')
    bits = 64 if sys.maxsize > 1 << 32 else 32
    try:
        number = float(told.get("VERSION_ID", "").strip('"'))
    except ValueError:
        return skipped("system", f"{name or 'it'} tells no release")
    return Row("system", number, "", OLDEST_OS, 99, f"{name}, {bits} bit")


def _overlay(at: Here, board: Revision) -> Row:
    """See the modem's node, which the overlay makes."""
    nodes = (at.root / detect.TREE).glob("**/spi@*/ethernet@0/compatible")
    name, is_there = board.board.overlay, any("qca" in _read(one) for one in nodes)
    why = f"add dtoverlay={name} to {CONFIG}, restart"
    return seen("overlay", name if is_there else "", "" if is_there else why)


def _spi1(at: Here, driver: str, board: Revision) -> Row:
    """See SPI1 in the right hands: the kernel's device, or pigpio's daemon alone."""
    device = board.adc.spidev
    is_there = (at.root / device.lstrip("/")).exists()
    if driver == "kernel":
        why = f"no {device}: add dtoverlay=spi1-1cs to {CONFIG}, restart"
        return seen("SPI1", device, "" if is_there else why)
    why = f"{device} takes it from the daemon: no spi1 overlay in {CONFIG}"
    return seen("SPI1", "daemon's", why if is_there else "")


def _pwm(at: Here, driver: str) -> Row:
    """See nobody else at the PWM: sound, or an exported channel under pigpio."""
    if "Headphones" in _read(at.root / "proc/asound/cards"):
        return seen("PWM", "sound", f"dtparam=audio=off in {CONFIG}, restart")
    chips = (at.root / "sys/class/pwm").glob("pwmchip*/pwm[0-9]*")
    taken = [f"{one.parent.name}/{one.name}" for one in chips]
    if driver == "pigpio" and taken:
        return seen("PWM", taken[0], "exported: somebody drives it by the kernel")
    return seen("PWM", "free")


def _daemon(at: Here, driver: str, options: Mapping[str, str]) -> Row:
    if driver == "kernel":
        processes = (at.root / "proc").glob("[0-9]*/comm")
        runs = any(_read(one) == "pigpiod" for one in processes)
        why = "pigpiod drives the same pins: systemctl disable --now pigpiod"
        return seen("daemon", "none", why if runs else "")
    host = options.get("pigpio_host", detect.LOCAL)
    try:
        with closing(Client(host, int(options.get("pigpio_port", PORT)))) as client:
            version = client.ask(Cmd.PIGPV)[0]
    except BoardError as error:
        return seen("daemon", "none", str(error))
    return Row("daemon", float(version), "", OLDEST, 999, "version of pigpio")


def _groups(at: Here, driver: str) -> Row:
    wanted = GROUPS.get(driver, ())
    if not wanted:
        return skipped("groups", "pigpio's daemon needs none")
    lines = [line.split(":") for line in _read(at.root / "etc/group").splitlines()]
    ours = {
        line[0]
        for line in lines
        if len(line) > 2 and line[2].isdigit() and int(line[2]) in at.groups
    }
    lacking = [] if at.is_root else [one for one in wanted if one not in ours]
    why = f"sudo usermod -aG {','.join(lacking)} $USER, log in again"
    return seen(
        "groups", "root" if at.is_root else " ".join(wanted), why * bool(lacking)
    )


def _priority(at: Here) -> Row:
    allowed = 99 if at.is_root else at.priority
    note = "" if allowed >= PRIORITY else "LimitRTPRIO= in the unit, or CAP_SYS_NICE"
    return Row("priority", float(allowed), "", PRIORITY, 99, note)


def _eeprom(hat: HatSeen | None, board: Revision) -> Iterator[Row]:
    if hat is None:
        yield seen("EEPROM vendor", "none", "the firmware saw no EEPROM")
        for name in EEPROM_NAMES[1:]:
            yield skipped(f"EEPROM {name}", "no EEPROM")
        return
    wanted = board.board
    pairs = (
        ("vendor", hat.vendor, wanted.vendor),
        ("product", hat.product, wanted.product),
        ("uuid", hat.uuid, wanted.uuid),
        ("version", hat.product_ver, f"0x{wanted.product_ver:04x}"),
    )
    for name, found, right in pairs:
        yield seen(f"EEPROM {name}", found, "" if found == right else f"not {right}")


def _read(path: Path) -> str:
    """Return a small file's text; what is not there, or went away, is empty."""
    try:
        return path.read_bytes().decode("utf-8", "replace").strip("\0\n ")
    except (FileNotFoundError, ProcessLookupError):
        return ""
