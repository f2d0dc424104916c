"""A card as Raspberry Pi OS's, of Debian's packages: no loop device, nothing mounted.

Its system is made by mmdebstrap once, with an emulated processor, and kept
(``machine.cached``). Kernel and first program are put beside it by us: a Debian that
installs its own spends more time in mkinitramfs than in all the rest. It is a stand-in:
Raspberry Pi's kernel and firmware are not on it, and nobody reads its config.txt.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.system import pi
from tests.system.machine import ROOT, Tree
from tests.system.pi import DTB, HERE, run

RELEASE = "bookworm"
# More than the package needs: what its maker installs, or what makes a kernel's system.
OPTIONS = ("--architectures=arm64", "--mode=root", "--include=python3-venv,kmod")
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "depmod": "kmod",
    "mcopy": "mtools",
    "mkfs.vfat": "dosfstools",
    "sfdisk": "fdisk",
    "mke2fs": "e2fsprogs",
    "debugfs": "e2fsprogs",
    "dpkg-buildpackage": "dpkg-dev",
}
BINFMT = Path("/proc/sys/fs/binfmt_misc")
RULE = Path("/usr/lib/binfmt.d/qemu-aarch64.conf")

SECTOR = 512
FAT_AT, ROOT_AT = 16384, 16384 + (1 << 20)  # sectors, as on the card of the system
CARD_BYTES = 2 << 30  # QEMU takes powers of two
TABLE = (
    f"label: dos\nstart={FAT_AT}, size={ROOT_AT - FAT_AT}, type=c\n"
    f"start={ROOT_AT}, type=83\n"
)
CMDLINE = (
    "console=serial0,115200 console=tty1 root=/dev/mmcblk0p2 rootfstype=ext4 "
    "fsck.repair=yes rootwait\n"
)
FSTAB = """\
/dev/mmcblk0p2 / ext4 defaults,noatime 0 1
/dev/mmcblk0p1 /boot/firmware vfat defaults 0 0
"""
# The emulator takes the watchdog that is started for one that has bitten.
NO_WATCHDOG = "[Manager]\nRuntimeWatchdogSec=0\nRebootWatchdogSec=0\n"
MODULES = ("crc32c_generic", "ext4", "bcm2835", "sdhci-iproc")  # the last two: cards
UNITS = "etc/systemd/system"


def lacking() -> str:
    """Return what is missing to make a card and boot it; empty if nothing is."""
    if os.geteuid() != 0:
        return "root (sudo make image-test)"
    wanted = dict.fromkeys(TOOLS[one] for one in TOOLS if not shutil.which(one))
    if not (BINFMT / "qemu-aarch64").exists() and not RULE.exists():
        wanted["qemu-user-static"] = None
    told = f"sudo apt install {' '.join(wanted)}" if wanted else ""
    return told or pi.lacking()


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Tell what is done, and what it took: of our clock, and of our processors."""
    began_s, had_s = time.monotonic(), _cpu_s()
    tell(f"{what} ...")
    yield
    took_s = time.monotonic() - began_s
    tell(f"{what}: {took_s:.0f} s, {_cpu_s() - had_s:.0f} s of CPU")


def _cpu_s() -> float:
    """Return the time of the processors that ended programs have had."""
    used = os.times()
    return used.children_user + used.children_system


def tell(line: str) -> None:
    """Print what a person who waits for minutes wants to know."""
    sys.stdout.write(f"image-test: {line}\n")
    sys.stdout.flush()


@dataclass
class Card:
    """An image with two partitions, read and written as files."""

    path: Path

    @classmethod
    def made(cls, folder: Path) -> Card:
        """Make the card of a system that knows nothing of ours."""
        parts = pi.kernel()
        _emulate_processor()
        with timed("root"):
            tree = Tree.unpacked(RELEASE, folder / "root", *OPTIONS)
        with timed("card"):
            version = _put_kernel(tree, parts)
            _put_bench(tree)
            initrd = pi.initramfs(folder, HERE / "init.c", _modules(tree, version))
            made = cls(folder / "debian.img")
            made._write(_boot(folder / "boot", parts, initrd), tree.path)
        shutil.rmtree(tree.path)
        return made

    def edited(self, *options: str | Path) -> Card:
        """Return a copy with PilotHAT on it, as `make image` makes it."""
        out = self.path.with_name("pilothat.img")
        run(ROOT / "scripts" / "image", self.path, "--out", out, *options)
        return Card(out)

    def read(self, name: str) -> str:
        """Return a file of the first partition."""
        return run("mtype", "-i", self._fat, f"::{name}")

    def take(self, folder: Path, *names: str) -> None:
        """Copy files of the first partition."""
        for name in names:
            run("mcopy", "-n", "-i", self._fat, f"::{name}", folder)

    def dump(self, name: str, folder: Path) -> None:
        """Copy a folder of the second partition, as its last clean end left it."""
        run("debugfs", "-R", f"rdump {name} {folder}", self._root)

    @property
    def _fat(self) -> str:
        return f"{self.path}@@{FAT_AT * SECTOR}"

    @property
    def _root(self) -> str:
        return f"{self.path}?offset={ROOT_AT * SECTOR}"

    def _write(self, boot: Path, root: Path) -> None:
        with self.path.open("wb") as file:
            file.truncate(CARD_BYTES)
        subprocess.run(("sfdisk", "-q", self.path), input=TABLE, text=True, check=True)
        # the tools count sectors, bytes and blocks of 1 KiB
        start, blocks = ("--offset", str(FAT_AT)), (ROOT_AT - FAT_AT) // 2
        run("mkfs.vfat", "-F", "32", "-n", "BOOTFS", *start, self.path, str(blocks))
        run("mcopy", "-i", self._fat, *boot.iterdir(), "::")
        start = ("-E", f"offset={ROOT_AT * SECTOR}")
        made = ("mke2fs", "-q", "-t", "ext4", "-L", "rootfs", *start, "-d", root)
        run(*made, self.path, f"{(CARD_BYTES - ROOT_AT * SECTOR) // 1024}k")


def _emulate_processor() -> None:
    """Let programs for arm64 run; where systemd runs it has done so."""
    if not BINFMT.joinpath("register").exists():
        run("mount", "-t", "binfmt_misc", "binfmt_misc", BINFMT)
    if not BINFMT.joinpath("qemu-aarch64").exists():
        BINFMT.joinpath("register").write_text(RULE.read_text())


def _put_kernel(tree: Tree, parts: Path) -> str:
    """Unpack the kernel and its modules as they are; return its version."""
    with subprocess.Popen(
        ("dpkg-deb", "--fsys-tarfile", parts / pi.PACKAGE), stdout=subprocess.PIPE
    ) as tar:
        # /lib is a link on a merged system
        command = ("tar", "-x", "-C", tree.path, "--keep-directory-symlink")
        subprocess.run(command, stdin=tar.stdout, check=True)
    version = next(tree.path.glob("boot/vmlinuz-*")).name.removeprefix("vmlinuz-")
    run("depmod", "-b", tree.path, version)
    return version


def _modules(tree: Tree, version: str) -> Sequence[Path]:
    """Return the modules that the first program loads, each behind what it needs."""
    folder = tree.path / "lib/modules" / version
    needs = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        name, _, rest = line.partition(":")
        needs[Path(name).stem] = (*reversed(rest.split()), name)
    every = dict.fromkeys(one for name in MODULES for one in needs[name])
    return [folder / one for one in every]


def _boot(folder: Path, parts: Path, initrd: Path) -> Path:
    """Return the files that the firmware of a Pi would read."""
    folder.mkdir()
    named = {"kernel8.img": parts / "vmlinuz", "initramfs8": initrd, DTB: parts / DTB}
    for name, source in named.items():
        shutil.copy(source, folder / name)
    (folder / "cmdline.txt").write_text(CMDLINE)
    (folder / "config.txt").write_text("dtparam=audio=on\n[all]\n")
    return folder


def _put_bench(tree: Tree) -> None:
    """Put what the card boots from, and the car that will come."""
    (tree.path / "boot/firmware").mkdir()
    tree.write("etc/fstab", FSTAB)
    tree.write("etc/systemd/system.conf.d/zz-emulated.conf", NO_WATCHDOG)
    shutil.copy(HERE / "bench/bench", tree.path / "usr/local/lib/bench")
    shutil.copy(HERE / "bench/bench.service", tree.path / UNITS)
    wants = tree.path / UNITS / "multi-user.target.wants"
    wants.mkdir(exist_ok=True)
    (wants / "bench.service").symlink_to(f"/{UNITS}/bench.service")
