"""The machine fails the station: its disk, its clock, its power. The next car charges.

What a container shares with the machine below it is made fairly: the disk is a file
system of its own, the clock is set for the program that asks it (clock.c), and the
power is lost by killing all at once and booting from what the disk had by then.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.net.lab import Lab, Process, sh, unique_name, until
from tests.system.conftest import SETTINGS
from tests.system.machine import Machine, Tree
from tests.system.test_container import car

from pilothat.runtime.journalfile import in_order
from pilothat.service.cli import main as cli

pytestmark = pytest.mark.system

CAR = "etc/pilothat/quick.toml"
STATE = "/var/lib/pilothat"
# It is at its goal in seconds, and leaves at once.
QUICK = """\
name = "quick"
about = "an honest car that is nearly full and leaves soon"
[battery]
soc_pct = 79.98
empty_v = 300
full_v = 410
[car]
unplugs_after_s = 0.5
"""
FILL = f"dd if=/dev/zero bs=4k of={STATE}/fill; dd if=/dev/zero bs=1 of={STATE}/rest"
MAKE_ROOM = f"rm {STATE}/fill {STATE}/rest"
PKI = "etc/pilothat/pki"
MAKE_PKI = f"pilothat pki make /{PKI} && chown -R pilothat /{PKI}"
PNC = {
    'tls = "off"': 'tls = "offered"',
    'pki = ""': f'pki = "/{PKI}"',
}
CLOCK = "etc/clock-offset"
PRELOADED = "[Service]\nEnvironment=LD_PRELOAD=/usr/lib/clock.so\n"
LISTED = ("pilothat", "sessions", "--json")
READ_ONLY = "--read-only"
LOG = "/var/log/journal"  # of the system, read from outside
LOG_ALL_THE_SAME = f"mount -o remount,bind,rw {LOG} && journalctl --flush"
DISK_BYTES = 24 << 20
LOST_S = 3.0  # the second that it may take, on a busy machine
NO_ROOM = "No space left on device"


def furnished(made: Tree, deb: Path) -> Tree:
    """Install the package; it gets its settings, and a car at the far end its own."""
    made.install(deb)
    settings = (made.path / SETTINGS).read_text()
    made.write(SETTINGS, settings.replace('"eth1"', '"evse0"'))
    made.write(CAR, QUICK)
    return made


@pytest.fixture(scope="module")
def tree(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """Return a machine with the package."""
    path = tmp_path_factory.mktemp("recovery") / "bookworm"
    return furnished(Tree.unpacked("bookworm", path), deb)


@pytest.fixture
def late(deb: Path, tmp_path: Path) -> Tree:
    """Return a machine with Plug & Charge, whose programs ask a clock of ours."""
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc")
    made = furnished(Tree.unpacked("trixie", tmp_path / "trixie"), deb)
    source, library = (
        Path(__file__).with_name("clock.c"),
        made.path / "usr/lib/clock.so",
    )
    offset = f'-DOFFSET="/{CLOCK}"'
    sh("gcc", "-O2", "-shared", "-fPIC", offset, str(source), "-o", str(library))
    pki = made.run("sh", "-c", MAKE_PKI)
    assert pki.returncode == 0, pki.stderr
    settings = (made.path / SETTINGS).read_text()
    for line, wanted in PNC.items():
        assert line in settings
        settings = settings.replace(line, wanted)
    made.write(SETTINGS, settings)
    made.write("etc/systemd/system/pilothatd.service.d/clock.conf", PRELOADED)
    return made


@dataclass
class Place:
    """A machine at the end of a line, where cars come."""

    machine: Machine
    lab: Lab

    def car(self, *options: str) -> Process:
        return car(self.lab, self.machine, f"car{len(self.lab.processes)}", *options)

    def charges(self, meanwhile: Callable[[], object] = bool) -> None:
        """Let a car charge to its end; something may happen on the way."""
        charged = self.car("--car", f"/{CAR}")
        charged.wait_for("phase cable check", 20)
        meanwhile()
        assert charged.popen.wait(60) == 0, charged.text
        until(lambda: "idle" in self.machine.shown("StatusText"), 20, "idle again")
        assert self.machine.count("Traceback") == 0


@contextlib.contextmanager
def booted(tree: Tree, folder: Path, *options: str) -> Iterator[Place]:
    """Boot a machine with its modem at a line; the system's journal begins anew."""
    for old in (tree.path / "var/log/journal").glob("*/*"):
        old.unlink()
    folder.mkdir(exist_ok=True)
    lab = Lab(folder, unique_name())
    machine = Machine.booted(tree, *options)
    try:
        lab.build()
        lab.segment()
        machine.plug(lab.evse, f"{lab.name}a")
        if READ_ONLY in options:
            told(machine, "sh", "-c", LOG_ALL_THE_SAME)
        machine.wait_for("boot_to_ready_s=")
        yield Place(machine, lab)
    finally:
        machine.halt()
        lab.tear_down()


def told(machine: Machine, *command: str) -> str:
    done = machine.run(*command)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_full_disk_costs_journal_and_record_and_no_charge(
    tree: Tree, tmp_path: Path
) -> None:
    with booted(tree, tmp_path, f"--tmpfs={STATE}:size=2M") as place:
        machine = place.machine
        machine.run("sh", "-c", FILL)
        machine.run("systemctl", "restart", "pilothatd")
        machine.wait_for("boot_to_ready_s=", 2)
        machine.wait_for(f"no journal folder={STATE}/journal error={NO_ROOM}")
        charging = place.car()
        charging.wait_for("phase charging", 40)
        told(machine, "sh", "-c", MAKE_ROOM)
        machine.wait_for("the journal goes on")
        machine.run("sh", "-c", FILL)
        machine.wait_for("the journal has stopped")
        assert "charging" in charging.phase
        charging.pull()
        machine.wait_for("a charge is not recorded")
        told(machine, "sh", "-c", MAKE_ROOM)
        machine.wait_for("the journal goes on", 2)
        place.charges()
        assert told(machine, "pilothat", "sessions").count("\n") == 2
        told(machine, "pilothat", "export", "/tmp/charge.zip")
        assert machine.started == 2


def test_root_that_can_only_be_read_costs_the_records_and_no_charge(
    tree: Tree, tmp_path: Path
) -> None:
    log = f"--bind={tree.path}{LOG}:{LOG}"
    with booted(tree, tmp_path, READ_ONLY, log) as place:
        place.charges()
        machine = place.machine
        assert machine.run("touch", f"{STATE}/file").returncode == 1
        assert machine.count("no journal folder=") == 1
        assert machine.count("nothing is kept in") == 1
        assert machine.started == 1
        assert "no charge" in machine.run("pilothat", "sessions", "show").stderr


def test_clock_in_1970_that_jumps_costs_no_charge_and_no_record(
    late: Tree, tmp_path: Path
) -> None:
    in_1970 = f"-{time.time() - 60:.0f}"
    late.write(CLOCK, in_1970)
    with booted(late, tmp_path / "line") as place:
        machine = place.machine
        machine.wait_for("the clock is not trusted")
        by_contract = place.car("--tls", "--contract", "--pki", f"/{PKI}")
        by_contract.wait_for("phase charge parameters", 20)
        by_contract.end(signal.SIGKILL)
        machine.wait_for("phase idle", 2)
        place.charges(meanwhile=lambda: late.write(CLOCK, "0"))
        [_, record] = map(json.loads, told(machine, *LISTED).splitlines())
        assert record["is_clock_trusted"]
        told(machine, "pilothat", "export", "/tmp/charge.zip")
        folder = late.path / STATE[1:] / "journal"
        [first] = folder.iterdir()
        before = first.read_bytes()
        late.write(CLOCK, in_1970)
        machine.run("systemctl", "restart", "pilothatd")
        machine.wait_for("the clock is not trusted", 2)
        assert [path.name[:15] for path in in_order(folder)] == [
            "000001-19700101",
            "000002-19700101",
        ]
        assert first.read_bytes().startswith(before)


@dataclass
class Disk:
    """A disk of a machine; it may lose its power at any time."""

    image: Path
    mount: Path

    @classmethod
    def made(cls, folder: Path) -> Disk:
        made = cls(folder / "disk", folder / "mount")
        with made.image.open("wb") as file:
            file.truncate(DISK_BYTES)
        sh("mkfs.ext4", "-q", "-F", str(made.image))
        made.mount.mkdir()
        sh("mount", "-o", "loop", str(made.image), str(made.mount))
        return made

    def loses_power(self) -> None:
        """What was not handed to it by now is gone for ever."""
        kept = self.image.with_suffix(".kept")
        shutil.copyfile(self.image, kept)
        sh("umount", str(self.mount))
        kept.replace(self.image)
        sh("mount", "-o", "loop", str(self.image), str(self.mount))


def tears(disk: Disk) -> None:
    """Leave files as a cut in the middle of writing them does."""
    with in_order(disk.mount / "journal")[-1].open("a") as file:
        file.write('{"at": 17')
    folder = disk.mount / "records"
    for name in ("sessions.jsonl", "latched.json", "latched.new"):
        (folder / name).write_text('["CONTACTOR')
        shutil.chown(folder / name, folder.stat().st_uid, folder.stat().st_gid)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    made = Disk.made(tmp_path)
    try:
        yield made
    finally:
        sh("umount", str(made.mount))


def is_whole(disk: Disk, until_s: float) -> None:
    """Check that the last journal is whole, but for the end that was in flight."""
    path = in_order(disk.mount / "journal")[-1]
    lines = path.read_text(errors="replace").splitlines()
    *_, last = (json.loads(one) for one in lines[:-1])
    assert until_s - last["at"] <= LOST_S
    assert cli(["replay", str(path)]) == 0


def test_power_that_is_lost_takes_a_second_of_the_journal_and_no_charge(
    tree: Tree, disk: Disk, tmp_path: Path
) -> None:
    state = f"--bind={disk.mount}:{STATE}"
    for phase in ("matching", "cable check", "charging"):
        with booted(tree, tmp_path, state) as place:
            caught = place.car()
            caught.wait_for(f"phase {phase}", 40)
            time.sleep(1.0)
            lost_at = time.monotonic()
            place.machine.lose_power()
            disk.loses_power()
            caught.end(signal.SIGKILL)
        is_whole(disk, lost_at)
    tears(disk)
    with booted(tree, tmp_path, state) as place:
        place.machine.wait_for("latched faults cannot be read")
        place.charges()
        assert told(place.machine, "pilothat", "sessions").count("\n") == 2
        told(place.machine, "pilothat", "export", "/tmp/charge.zip")
