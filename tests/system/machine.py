"""A Debian machine in a container: a tree from a cache, a package in it, booted.

The trees are made by mmdebstrap and kept as archives in a cache outside the repository,
one for each release and list of packages (PILOTHAT_CACHE, else ~/.cache/pilothat).
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.net.lab import sh, until

ROOT = Path(__file__).parents[2]
RELEASES = ("bookworm", "trixie")
# What a small Debian has, what the package depends on, and what Debian gives for TLS.
INCLUDED = (
    "systemd-sysv", "dbus", "udev", "iproute2", "adduser",
    "python3", "python3-serial", "python3-cryptography",
)  # fmt: skip
TOOLS = {
    "systemd-nspawn": "systemd-container",
    "mmdebstrap": "mmdebstrap",
    "lintian": "lintian",
    "dh": "debhelper",
    "dh_python3": "dh-python",
}
BOOT_S = 30.0
UNIT = "pilothatd.service"
NOISE = "Attempted to remove disk file system"  # of systemd-nspawn, when it ends
PLAIN = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"}
KEPT = """\
[Journal]
Storage=persistent
RateLimitBurst=0
"""
LINE = re.compile(r"\[ *(\d+\.\d+)\] \S+ (.*)")


def lacking() -> str:
    """Return what is missing for these tests; empty if nothing is."""
    if os.geteuid() != 0:
        return "root (sudo make test-system)"
    return ", ".join(
        f"{name} (Debian: {package})"
        for name, package in TOOLS.items()
        if shutil.which(name) is None
    )


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Let one worker after the other make what they all use; path: what is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def cached(release: str, *options: str) -> Path:
    """Return the archive of a release; made when it is not there.

    options: more for mmdebstrap, as for another processor
    """
    home = os.environ.get("PILOTHAT_CACHE") or Path.home() / ".cache" / "pilothat"
    key = hashlib.sha256(",".join((*INCLUDED, *options)).encode()).hexdigest()[:12]
    path = Path(home) / f"{release}-{key}.tar"
    with alone(path):
        if not path.exists():
            _make(release, path, *options)
    return path


def _make(release: str, path: Path, *options: str) -> None:
    part = path.with_suffix(".part")
    command = (
        "mmdebstrap", "--quiet", "--variant=minbase", "--format=tar",
        f"--include={','.join(INCLUDED)}", *options, release, str(part),
    )  # fmt: skip
    try:
        subprocess.run(command, check=True, env=os.environ | PLAIN)
        part.rename(path)
    finally:
        part.unlink(missing_ok=True)


@dataclass
class Tree:
    """The files of a machine that does not run."""

    path: Path

    @classmethod
    def unpacked(cls, release: str, path: Path, *options: str) -> Tree:
        path.mkdir()
        command = ("tar", "-C", str(path), "-xf", str(cached(release, *options)))
        subprocess.run(command, check=True)
        return cls(path)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it, without a service manager."""
        inside = (
            "systemd-nspawn", "-q", "-D", str(self.path), "--register=no",
            "--keep-unit", "--private-network", "--console=pipe", "--", *command,
        )  # fmt: skip
        done = subprocess.run(
            inside,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=PLAIN,
        )
        lines = done.stderr.splitlines(keepends=True)
        done.stderr = "".join(line for line in lines if not line.startswith(NOISE))
        return done

    def install(self, deb: Path) -> None:
        """Install a package file, without a network."""
        here = self.path / "root" / deb.name  # /tmp is another one inside
        shutil.copy(deb, here)
        done = self.run("dpkg", "-i", f"/root/{deb.name}")
        here.unlink()
        assert done.returncode == 0, done.stdout + done.stderr

    def write(self, name: str, text: str) -> None:
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _read(process: int, name: str) -> str:
    """Return what the kernel tells of a process; nothing when it has gone."""
    try:
        return Path(f"/proc/{process}/{name}").read_text()
    except OSError:
        return ""


def _children(process: int) -> list[int]:
    return [int(x) for x in _read(process, f"task/{process}/children").split()]


def _name(process: int) -> str:
    return _read(process, "comm").strip()


def _command(process: int) -> str:
    return _read(process, "cmdline")


def _number_inside(process: int) -> int:
    """Return the number that a process has in its own namespace."""
    for line in _read(process, "status").splitlines():
        if line.startswith("NSpid:"):
            return int(line.split()[-1])
    return 0


@dataclass
class Machine:
    """A tree that has been booted. Its journal is read from outside."""

    tree: Tree
    popen: subprocess.Popen[bytes]
    leader: int = 0  # its first process, as we see it
    began_s: float = field(default_factory=time.monotonic)

    @classmethod
    def booted(cls, tree: Tree, *options: str) -> Machine:
        """Start it; options are those of systemd-nspawn."""
        tree.write("etc/systemd/journald.conf.d/kept.conf", KEPT)
        (tree.path / "var/log/journal").mkdir(parents=True, exist_ok=True)
        command = (
            "systemd-nspawn", "-q", "-D", str(tree.path), "--register=no",
            "--keep-unit", "--private-network", "--console=pipe", *options, "-b",
        )  # fmt: skip
        log = tree.path.with_suffix(".console").open("wb")
        made = cls(tree, subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=PLAIN
        ))  # fmt: skip
        until(made._is_there, BOOT_S, "the container's first process")
        return made

    def _is_there(self) -> bool:
        pid = self.popen.pid
        assert self.popen.poll() is None, "systemd-nspawn has ended"
        for child in _children(pid):
            if _number_inside(child) == 1 and _name(child) == "systemd":
                self.leader = child
        return bool(self.leader)

    def plug(self, interface: str, space: str) -> None:
        """Give it an interface, out of a network namespace."""
        sh("ip", "-n", space, "link", "set", interface, "netns", str(self.leader))
        up = self.run("ip", "link", "set", interface, "up")
        assert up.returncode == 0, up.stderr

    def halt(self) -> None:
        """Tell it to power off; end it if it does not."""
        if self.popen.poll() is None:
            try:
                os.kill(self.leader, signal.SIGRTMIN + 4)
                self.popen.wait(60)
            except subprocess.TimeoutExpired:
                os.kill(self.leader, signal.SIGKILL)
                self.popen.wait(10)

    def lose_power(self) -> None:
        """End all of it at once."""
        os.kill(self.leader, signal.SIGKILL)
        self.popen.wait(10)

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command in it."""
        return subprocess.run(
            ("nsenter", "-t", str(self.leader), "-a", *command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            env=PLAIN,
        )

    def shown(self, name: str) -> str:
        """Return a property of the service."""
        return self.run("systemctl", "show", "--value", "-p", name, UNIT).stdout.strip()

    @property
    def main(self) -> int:
        """The service's main process, as we see it."""
        return self._outside(int(self.shown("MainPID")))

    @property
    def guard(self) -> int:
        """The guard's process, as we see it."""
        guards = (x for x in _children(self.main) if "guardproc" in _command(x))
        return next(guards, 0)

    def _outside(self, inner: int) -> int:
        """Return the number of a process of the container as we see it."""
        below, found = [self.leader], 0
        while below and not found:
            process = below.pop()
            found = process if _number_inside(process) == inner else 0
            below += _children(process)
        return found

    def journal(self, unit: str = UNIT) -> list[tuple[float, str]]:
        """Return what was told of a unit, each with its time (s, of our clock)."""
        folder = self.tree.path / "var/log/journal"
        selected = ("-u", unit) if unit else ()
        command = (
            "journalctl",
            "-D",
            str(folder),
            "-o",
            "short-monotonic",
            "--no-pager",
        )
        told = subprocess.run(
            (*command, *selected), capture_output=True, text=True, check=False
        ).stdout
        found = map(LINE.match, told.splitlines())
        return [(float(one[1]), one[2]) for one in found if one]

    def count(self, text: str) -> int:
        """Return how many lines about the service have a text."""
        return sum(text in line for _, line in self.journal())

    def wait_for(self, text: str, times: int = 1, limit_s: float = BOOT_S) -> None:
        what = f"'{text}' {times} times in the journal"
        try:
            until(lambda: self.count(text) >= times, limit_s, what)
        except AssertionError:
            lines = "\n".join(line for _, line in self.journal()[-40:])
            raise AssertionError(f"not within {limit_s} s: {what}\n{lines}") from None

    @property
    def started(self) -> int:
        """How often the service has been started."""
        return self.count("systemd[1]: Started pilothatd")
