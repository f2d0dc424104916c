"""What a machine needs to be a station: one row a change, with its reason.

What is put is data (`placing`); which machine it fits, a row's function decides from
what was `Seen` there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from importlib.resources import files
from pathlib import Path

from pilothat.board import bootconfig, detect
from pilothat.board.detect import Machine
from pilothat.board.revision import Revision, names, revision
from pilothat.frozen import dataclass
from pilothat.service.placing import Block, Placed, Whole, cut, read

BOOT = ("boot/firmware", "boot")  # since bookworm, and before
PIGPIOD = ("usr/bin/pigpiod", "usr/local/bin/pigpiod")
HAS_HAT = ("pigpio", "kernel")
MODEM_NAME = "plc0"  # what the modem on the HAT is called, if the settings say so
NO_MASK = ("plc_int",)  # pins that the daemon leaves alone
OVERLAYS = files("pilothat.board") / "overlays"
NM = "etc/NetworkManager"
NM_CONF = f"{NM}/conf.d/pilothat.conf"
DHCPCD = "etc/dhcpcd.conf"
JOURNAL = "etc/systemd/journald.conf.d/pilothat.conf"
WATCHDOG = "etc/systemd/system.conf.d/pilothat.conf"
MODULES = "etc/modules-load.d/pilothat.conf"
PLC_LINK = "etc/systemd/network/70-pilothat-plc.link"
DEVICE_RULES = "etc/udev/rules.d/80-pilothat-devices.rules"
PLC_RULES = "etc/udev/rules.d/85-pilothat-plc.rules"
STATION_UNIT = "etc/systemd/system/pilothatd.service.d/pigpiod.conf"
CLOCK_UNIT = "etc/systemd/system/pilothatd.service.d/clock.conf"
# They set the clock to a time that they have saved, where no other clock survives.
KEEPERS = (
    "systemd-timesyncd.service",
    "fake-hwclock.service",
    "fake-hwclock-load.service",
)
REFUSED = 0x200  # RTF_REJECT: a route to nowhere, which the kernel has by itself
UNITS = ("usr/lib/systemd/system", "lib/systemd/system", "etc/systemd/system")
PIGPIOD_UNIT = "etc/systemd/system/pigpiod.service.d/pilothat.conf"


@dataclass(frozen=True, slots=True)
class Seen:
    """A machine as `pilothat setup` sees it, and what it is to be.

    interface: of the modem; empty is not known. boot: folder of the firmware's files,
    None where there is none
    """

    root: Path
    machine: Machine
    driver: str
    interface: str
    boot: str | None
    pigpiod: str | None

    @property
    def board(self) -> Revision:
        """The revision of the HAT, or the first there is."""
        name = self.machine.revision
        return revision(name) if name else revision()

    @property
    def has_hat(self) -> bool:
        """Whether a driver of the HAT is wanted on a Pi whose firmware we know."""
        return self.driver in HAS_HAT and bool(self.machine.model and self.boot)

    def has(self, path: str) -> bool:
        """Tell whether something is there."""
        return (self.root / path).exists()


def look(root: Path, driver: str, interface: str) -> Seen:
    """Look at a machine; driver "auto" goes by the HAT, the Pi and the daemon."""
    found = detect.machine(root)
    boots = (one for one in BOOT if (root / one / "config.txt").is_file())
    pigpiod = next((one for one in PIGPIOD if (root / one).exists()), None)
    # the daemon needs Raspberry Pi's own kernel, which alone has this device
    can_daemon = found.runs_pigpio and pigpiod and (root / "dev/vcio").exists()
    if driver == "auto":
        fits = "pigpio" if can_daemon else "kernel"
        driver = fits if found.revision else "none"
    return Seen(root, found, driver, interface, next(boots, None), pigpiod)


@dataclass(frozen=True, slots=True)
class Change:
    """A row of the table.

    what: the files for a machine, none where it does not fit
    then: commands that make a running system take note; empty: a restart does
    lacks: what only a person can add; empty when nothing is lacking
    """

    name: str
    why: str
    what: Callable[[Seen], Sequence[Placed]]
    then: Sequence[str] = ()
    lacks: Callable[[Seen], str] = lambda _: ""

    @property
    def needs_restart(self) -> bool:
        """Whether only a restart of the machine makes it real."""
        return not self.then


def _config(seen: Seen) -> Sequence[Placed]:
    if not seen.has_hat:
        return ()
    path = f"{seen.boot}/config.txt"
    rest = cut(read(seen.root / path) or b"")[0].decode("latin-1")
    needed = bootconfig.wanted(
        seen.driver, runs_pigpio=seen.machine.runs_pigpio, board=seen.board
    )
    lines = bootconfig.block(rest, seen.machine.model, needed)
    return (Block(path, lines),) if lines else ()


def _overlay(seen: Seen) -> Sequence[Placed]:
    if not seen.has_hat:
        return ()
    name = f"{seen.board.board.overlay}.dtbo"
    compiled = (OVERLAYS / name).read_bytes()
    return (Whole(f"{seen.boot}/overlays/{name}", compiled),)


def _pigpiod(seen: Seen) -> Sequence[Placed]:
    if seen.driver != "pigpio" or seen.pigpiod is None:
        return ()
    pins, board = seen.board.pins, type(seen.board.pins)
    mask = sum(1 << getattr(pins, n) for n in board.__slots__ if n not in NO_MASK)
    # -n makes it IPv4: -l alone is ::1 only; -x: no pin but the HAT's
    start = f"/{seen.pigpiod} -g -l -n 127.0.0.1 -x 0x{mask:08x}"
    return (
        _text(
            PIGPIOD_UNIT,
            *("[Service]", "Type=simple", "PIDFile=", "ExecStart="),
            *(f"ExecStart={start}", "ExecStop=", "Restart=always", "RestartSec=1"),
        ),
        _text(
            STATION_UNIT,
            *("[Unit]", "Wants=pigpiod.service", "After=pigpiod.service"),
        ),
    )


def _network(seen: Seen) -> Sequence[Placed]:
    """Return what keeps managers of networks away from the modem, and it up.

    Nobody else brings an interface up that they leave alone.
    """
    name = seen.interface
    if not name or _is_the_way_out(seen):
        return ()
    made: list[Placed] = [
        _text(
            PLC_RULES,
            f'ACTION=="add|move", SUBSYSTEM=="net", ENV{{INTERFACE}}=="{name}", '
            f'SYSCTL{{net/ipv6/conf/{name}/accept_ra}}="0", '
            f'RUN+="/usr/bin/ip link set dev {name} addrgenmode eui64 up"',
        )
    ]
    if seen.has(NM):
        unmanaged = f"unmanaged-devices+=interface-name:{name}"
        made.append(_text(NM_CONF, "[keyfile]", unmanaged))
    if seen.has(DHCPCD):
        # before all others: behind an `interface` line it would be that one's
        made.append(Block(DHCPCD, (f"denyinterfaces {name}",), is_first=True))
    if seen.has_hat and name == MODEM_NAME:
        match = ("[Match]", "Driver=qcaspi", "[Link]", f"Name={name}")
        made.append(
            _text(
                PLC_LINK,
                *(*match, "MACAddressPolicy=persistent"),
            )
        )
    return made


def _devices(seen: Seen) -> Sequence[Placed]:
    if seen.driver not in HAS_HAT:
        return ()
    rules = (("spidev", "*", "spi"), ("gpio", "gpiochip*", "gpio"))
    lines = (
        f'SUBSYSTEM=="{kind}", KERNEL=="{which}", GROUP="{group}", MODE="0660"'
        for kind, which, group in rules
    )
    return (_text(DEVICE_RULES, *lines),)


def _modules(seen: Seen) -> Sequence[Placed]:
    modules = {"kernel": ("spidev",), "wallbox": ("usbserial", "cdc_acm")}
    needed = modules.get(seen.driver, ())
    return (_text(MODULES, *needed),) if needed else ()


def _watchdog(seen: Seen) -> Sequence[Placed]:
    if not seen.machine.model:
        return ()
    settings = ("[Manager]", "RuntimeWatchdogSec=10", "RebootWatchdogSec=2min")
    return (_text(WATCHDOG, *settings),)


def _journal(seen: Seen) -> Sequence[Placed]:
    if not seen.machine.model:
        return ()
    settings = ("[Journal]", "Storage=volatile", "RuntimeMaxUse=16M")
    return (_text(JOURNAL, *settings),)


def _has_no_clock(seen: Seen) -> bool:
    """Tell whether this is a board that forgets the time without power."""
    return bool(seen.machine.model) and not seen.has("sys/class/rtc/rtc0")


def _keepers(seen: Seen) -> Sequence[str]:
    return [
        unit
        for unit in KEEPERS
        if any(seen.has(f"{folder}/{unit}") for folder in UNITS)
    ]


def _clock(seen: Seen) -> Sequence[Placed]:
    """Return what has the saved time set before a journal is dated by it."""
    keepers = _keepers(seen)
    if not keepers or not _has_no_clock(seen):
        return ()
    wants = f"Wants={' '.join(keepers)}"
    return (_text(CLOCK_UNIT, "[Unit]", wants, "After=time-set.target"),)


def _clock_lacks(seen: Seen) -> str:
    if not _has_no_clock(seen) or _keepers(seen):
        return ""
    return "nothing saves the time over a restart: sudo apt install systemd-timesyncd"


def _text(path: str, *lines: str) -> Whole:
    head = "# of pilothat setup; `sudo pilothat setup --remove` takes it away"
    return Whole(path, "".join(f"{line}\n" for line in (head, *lines)).encode())


RELOAD = "systemctl daemon-reload"
UDEV = "udevadm control --reload"
TRIGGER = "udevadm trigger --subsystem-match=spidev --subsystem-match=gpio"
CHANGES: Sequence[Change] = (
    Change("overlay", "the firmware loads it: modem on SPI0, pilot's pin", _overlay),
    Change("config", "the HAT's overlay; nobody else at its pins and PWM", _config),
    Change(
        "pigpiod",
        "only this machine may drive pins, and only the HAT's",
        _pigpiod,
        (RELOAD, "systemctl try-restart pigpiod.service"),
    ),
    Change(
        "network",
        "DHCP and router solicitation on the modem's interface disturb cars",
        _network,
        (UDEV, "systemctl try-reload-or-restart NetworkManager.service"),
    ),
    Change(
        "devices",
        "the station runs without root: its groups own pins",
        _devices,
        (UDEV, TRIGGER),
    ),
    Change("modules", "devices are there before the station starts", _modules),
    Change("watchdog", "a machine that hangs starts again", _watchdog),
    Change(
        "clock",
        "no clock survives without power: the time that was saved last is set first",
        _clock,
        (RELOAD,),
        _clock_lacks,
    ),
    Change(
        "journal",
        "no wear of the card: the system's log is kept in memory only",
        _journal,
        ("systemctl try-restart systemd-journald.service",),
    ),
)
NAMES = tuple(change.name for change in CHANGES)
# What the record of a setup may name: it lies where the service may write, and what it
# says is done as root.
OUR_BLOCKS = (*(f"{boot}/config.txt" for boot in BOOT), DHCPCD)
OUR_FILES = (
    *(
        f"{boot}/overlays/{revision(one).board.overlay}.dtbo"
        for boot in BOOT
        for one in names()
    ),
    *(PIGPIOD_UNIT, STATION_UNIT, PLC_RULES, NM_CONF, PLC_LINK),
    *(DEVICE_RULES, MODULES, WATCHDOG, CLOCK_UNIT, JOURNAL),
)


def may_be_ours(path: str, kind: str) -> bool:
    """Tell whether a record names what some setup can have put."""
    return path in {"file": OUR_FILES, "block": OUR_BLOCKS}.get(kind, ())


def rivals(seen: Seen, placed: Sequence[Placed]) -> Iterator[tuple[str, str]]:
    """Yield place and reason of what is in the way and not ours; nobody edits it.

    placed: what is going to be put
    """
    if _is_the_way_out(seen):
        yield (
            seen.interface,
            "this machine's way to the network, no modem: it is left alone. "
            "Set station.interface to the modem's",
        )
    path = f"{seen.boot}/config.txt"
    for one in placed:
        if isinstance(one, Block) and one.path == path:
            text = one.put_into(read(seen.root / path) or b"").decode("latin-1")
            model, driver = seen.machine.model, seen.driver
            for line, why in bootconfig.rivals(text, model, driver, one.lines):
                told = f"{line.text}: {why}. Take it out, or put it before our lines"
                yield f"/{path} line {line.number}", told


def _is_the_way_out(seen: Seen) -> bool:
    """Tell whether a default route goes over the interface that is said to be it."""
    old, new = (_rows(seen, f"proc/net/{name}") for name in ("route", "ipv6_route"))
    every = [0] * 2  # destination and prefix of a default route
    return any(one[:2] == [seen.interface, "00000000"] for one in old) or any(
        one[-1] == seen.interface
        and [int(part, 16) for part in one[:2]] == every
        and not int(one[8], 16) & REFUSED
        for one in new
    )


def _rows(seen: Seen, path: str) -> Sequence[Sequence[str]]:
    """Return the fields of each line that the kernel shows."""
    text = (read(seen.root / path) or b"").decode("latin-1")
    return [line.split() for line in text.splitlines()]
