"""A Raspberry Pi 3, emulated: Debian's kernel and our overlay, asked over its console.

QEMU is the Pi. On it runs no system but ``agent.c``, which makes the calls of a driver
(``PiIo``); what they did is read from outside, in the registers (``Pi.registers``).
The kernel is Debian's, kept in a cache outside the repository by its version
(PILOTHAT_CACHE, else ~/.cache/pilothat); the newest that is there is taken.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import lzma
import os
import shutil
import socket
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from string import Template

import pytest

from pilothat.board.kernelio import TwinIo
from pilothat.board.kernelwire import REPLY, REQUEST, Call
from pilothat.board.overlay import source
from pilothat.board.revision import Revision

HERE = Path(__file__).parent
TOOLS = {
    "qemu-system-aarch64": "qemu-system-arm",
    "aarch64-linux-gnu-gcc": "gcc-aarch64-linux-gnu",
    "dtc": "device-tree-compiler",
    "fdtoverlay": "device-tree-compiler",
    "apt-get": "apt",
    "dpkg-deb": "dpkg",
}
LIBC = Path("/usr/aarch64-linux-gnu/lib/libc.a")
AGENT = HERE / "agent.c"
DTB = "bcm2837-rpi-3-b.dtb"
MODULES = ("bcm2835_wdt.ko", "pwm-bcm2835.ko", "spi-bcm2835.ko", "spi-bcm2835aux.ko")
PACKAGE = "package.deb"  # all of it, for a whole system (card.py)
PARTS = ("vmlinuz", DTB, *MODULES, PACKAGE)
XZ = b"\xfd7zXZ\0"  # newer kernels pack their modules
# One thread for the four processors: in their own they keep as many of ours busy.
MODEL = (
    "-M", "raspi3b", "-m", "1G", "-accel", "tcg,thread=single", "-display", "none",
)  # fmt: skip
CONSOLE = "console=ttyS1,115200 quiet"
BOOT_S = 90.0  # patience; it takes 5 to 10
REPLY_S = 20.0
LIFE_S = 300  # no emulator lives longer, whatever becomes of the test


def lacking() -> str:
    """Return the tools that are not there, each with its package; empty if all are."""
    wanted = {one: package for one, package in TOOLS.items() if not shutil.which(one)}
    if not LIBC.exists():
        wanted[LIBC.name] = "libc6-dev-arm64-cross"
    return ", ".join(f"{one} (Debian: {package})" for one, package in wanted.items())


def run(*command: str | Path) -> str:
    """Run a program to its end; return what it says."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]}: {done.stderr}"
    return done.stdout


# --- the kernel


def cache() -> Path:
    home = os.environ.get("PILOTHAT_CACHE") or Path.home() / ".cache" / "pilothat"
    made = Path(home)
    made.mkdir(parents=True, exist_ok=True)
    return made


def kernel() -> Path:
    """Return the folder of a kernel. Skips the test where none can be had."""
    folder = cache() / "arm64-kernel"
    folder.mkdir(exist_ok=True)
    there = [one for one in folder.glob("*/complete") if one.read_text() == str(PARTS)]
    there.sort(key=lambda one: one.stat().st_mtime)
    return there[-1].parent if there else _fetched(folder)


def _fetched(folder: Path) -> Path:
    """Fetch the newest kernel, by lists of packages of its own: no root, no traces."""
    lists = folder / "apt"
    (lists / "lists" / "partial").mkdir(parents=True, exist_ok=True)
    (lists / "status").touch()
    own = [
        f"Dir::State={lists}", f"Dir::State::status={lists}/status",
        f"Dir::Cache={lists}", "APT::Architecture=arm64", "APT::Architectures=arm64",
        "Acquire::Languages=none", "Acquire::http::Timeout=20", "APT::Sandbox::User=",
    ]  # fmt: skip
    options = [word for one in own for word in ("-o", one)]
    try:
        run("apt-get", *options, "update", "-qq")
        told = run("apt-cache", *options, "depends", "linux-image-arm64")
        name = told.split("Depends: ")[1].split()[0]
        version = run("apt-cache", *options, "show", name).split("Version: ")[1]
        made = folder / f"{name}_{version.split()[0]}"
        made.mkdir(exist_ok=True)
        command = ["apt-get", *options, "download", "-qq", name]
        subprocess.run(command, cwd=made, check=True, capture_output=True)
    except (AssertionError, IndexError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no kernel for arm64 can be had from Debian: {error}")
    shutil.rmtree(lists)
    _unpack(next(made.glob("*.deb")))
    (made / "complete").write_text(str(PARTS))
    return made


def _unpack(deb: Path) -> None:
    """Put what we need of a package beside it."""
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    with tar, tarfile.open(fileobj=tar.stdout, mode="r|") as members:
        for member in members:
            name = Path(member.name).name.removesuffix(".xz")
            name = "vmlinuz" if name.startswith("vmlinuz-") else name
            content = members.extractfile(member) if name in PARTS else None
            if content:
                packed = content.read()
                is_xz = packed.startswith(XZ)
                plain = lzma.decompress(packed) if is_xz else packed
                (deb.parent / name).write_bytes(plain)
    deb.rename(deb.with_name(PACKAGE))


# --- what it is started with


def tree(folder: Path, base: Path, board: Revision) -> Path:
    """Return Debian's device tree with our overlay merged as the firmware does it."""
    pins = {name: str(value) for name, value in asdict(board.pins).items()}
    firmware = Template((HERE / "firmware.dts").read_text()).substitute(pins)
    there = run("dtc", "-q", "-I", "dtb", "-O", "dts", base)
    # evse-hat,kernel_pwm: the firmware wakes the fragment that sleeps
    overlay = source(board).replace("__dormant__", "__overlay__")
    for name, text in (("base", there + firmware), ("hat", overlay)):
        (folder / f"{name}.dts").write_text(text)
        made, words = folder / f"{name}.dtb", folder / f"{name}.dts"
        run("dtc", "-@", "-q", "-O", "dtb", "-o", made, words)
    whole = folder / "whole.dtb"
    run("fdtoverlay", "-i", folder / "base.dtb", "-o", whole, folder / "hat.dtb")
    return whole


def initramfs(folder: Path, source: Path, modules: Sequence[Path]) -> Path:
    """Return an archive with a program, and modules in the order they are loaded."""
    program = folder / source.stem
    flags = ("-Wall", "-Wextra", "-Werror", "-O2", "-static")
    run("aarch64-linux-gnu-gcc", *flags, source, "-o", program)
    folders = ("dev", "proc", "sys", "root", "modules")
    packed = b"".join(_entry(name) for name in folders)
    packed += _entry("init", program.read_bytes())
    for number, module in enumerate(modules):
        packed += _entry(f"modules/{number:02}-{module.name}", module.read_bytes())
    made = folder / "initramfs"
    made.write_bytes(packed + _entry("TRAILER!!!", b""))
    return made


def _entry(name: str, content: bytes | None = None) -> bytes:
    """Return a file of a cpio archive ("newc"); a folder if it has no content."""
    mode = 0o040755 if content is None else 0o100755
    content = content or b""
    # inode, mode, owner, group, links, time, size, four devices, length of the name
    numbers = (0, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(name) + 1, 0)
    head = "070701" + "".join(f"{number:08x}" for number in numbers)
    return _padded(head.encode() + name.encode() + b"\0") + _padded(content)


def _padded(part: bytes) -> bytes:
    return part + bytes(-len(part) % 4)


# --- the Pi


class Pi:
    """An emulated Pi that runs."""

    def __init__(self, console: socket.socket, monitor: socket.socket) -> None:
        self._console = console.makefile("rwb", buffering=0)
        self._monitor = monitor.makefile("rwb", buffering=0)
        console.settimeout(BOOT_S)
        monitor.settimeout(BOOT_S)
        self._monitor.readline()  # its greeting
        self._order("qmp_capabilities")
        self._wait_until_ready()
        console.settimeout(REPLY_S)

    def registers(self, address: int, count: int = 1) -> Sequence[int]:
        """Return words of the physical address space, as the emulator has them."""
        told = self._order(
            "human-monitor-command",
            {"command-line": f"xp /{count}xw {address:#x}"},
        )
        lines = [line.partition(":")[2] for line in str(told).splitlines()]
        return [int(word, 16) for line in lines for word in line.split()]

    def ask(self, packet: bytes) -> bytes:
        """Let the agent make a call; return its reply."""
        self._console.write(packet.hex().encode() + b"\n")
        line = self._line()
        assert line.startswith("@"), f"not an answer: {line}"
        return bytes.fromhex(line[1:])

    def _wait_until_ready(self) -> None:
        lines = [""]
        while not lines[-1].endswith("@ready"):  # the UART may start with a broken byte
            try:
                lines.append(self._line())
            except TimeoutError as error:
                said = "\n".join(lines)
                raise AssertionError(f"not ready in time:\n{said}") from error

    def _line(self) -> str:
        line = self._console.readline()
        assert line, "the emulated Pi has ended"
        return bytes(line).decode("latin-1").strip()

    def _order(self, name: str, arguments: dict[str, str] | None = None) -> object:
        order = {"execute": name, "arguments": arguments or {}}
        self._monitor.write(json.dumps(order).encode() + b"\n")
        while True:  # events come between
            told = json.loads(self._monitor.readline())
            assert "error" not in told, told
            if "return" in told:
                return told["return"]


class PiIo(TwinIo):
    """The calls of the driver, made by the agent on the emulated Pi."""

    def __init__(self, pi: Pi) -> None:
        self._pi = pi
        self._number = 0
        self._held: set[int] = set()

    def leave(self) -> None:
        """Let go of everything, as a kernel does for a program that ends."""
        for handle in tuple(self._held):
            self.close(handle)

    def lines(self, chip: int, request: bytes) -> int:
        handle = super().lines(chip, request)
        self._held.add(handle)
        return handle

    def _ask(
        self, call: Call, handle: int = 0, request: int = 0, data: bytes = b""
    ) -> tuple[int, bytes]:
        self._number += 1
        head = REQUEST.pack(self._number, call, handle, request)
        answer = self._pi.ask(head + data)
        number, result = REPLY.unpack_from(answer)
        assert number == self._number
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        if call is Call.OPEN:
            self._held.add(result)
        if call is Call.CLOSE:
            self._held.discard(handle)
        return result, answer[REPLY.size :]


@contextlib.contextmanager
def running(folder: Path, board: Revision) -> Iterator[Pi]:
    """Run a Pi with the board's overlay; only one at a time on a machine."""
    with (cache() / "pi.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        parts = kernel()
        started = (
            "-kernel", parts / "vmlinuz", "-append", CONSOLE,
            "-initrd", initramfs(folder, AGENT, [parts / name for name in MODULES]),
            "-dtb", tree(folder, parts / DTB, board),
        )  # fmt: skip
        console, its_console = socket.socketpair()
        monitor, its_monitor = socket.socketpair()
        ends = its_console.fileno(), its_monitor.fileno()
        talked_to = (
            "-chardev", f"socket,id=console,fd={ends[0]}",
            "-chardev", f"socket,id=monitor,fd={ends[1]}",
            "-serial", "null", "-serial", "chardev:console",
            "-mon", "chardev=monitor,mode=control",
        )  # fmt: skip
        command = ("qemu-system-aarch64", *MODEL, *started, *talked_to, "-no-reboot")
        polite = ("timeout", str(LIFE_S), "nice", "-n", "10")
        with console, monitor, its_console, its_monitor:
            emulator = subprocess.Popen((*polite, *command), pass_fds=ends)
            its_console.close()
            its_monitor.close()
            try:
                yield Pi(console, monitor)
            finally:
                emulator.terminate()
                emulator.wait(10)
