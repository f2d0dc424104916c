"""Two network namespaces joined by a powerline segment, and the programs in them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = sys.executable
READY_S = 15.0
LAST_LINES = 25  # of a log, told when a test fails
# As its service unit starts it: before the programs beside it, after its guard.
FIRST = ("nice", "-n", "-10")
# An honest car that does not stay longer than somebody looks.
QUICK_CAR = """\
name = "quick"
about = "an honest car that leaves soon"
[battery]
soc_pct = 20
empty_v = 300
full_v = 410
[car]
unplugs_after_s = 1.0
"""


def sh(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@dataclass
class Process:
    """A program with its output in a file."""

    popen: subprocess.Popen[str]
    log: Path

    @property
    def text(self) -> str:
        return self.log.read_text()

    @property
    def phase(self) -> str:
        """The phase it told last."""
        _, _, rest = self.text.rpartition(" phase ")
        return rest.partition("\n")[0]

    def wait_for(self, text: str, limit_s: float = READY_S) -> None:
        until(lambda: text in self.text, limit_s, f"'{text}' in {self.log}")

    def send(self, line: str) -> None:
        assert self.popen.stdin is not None
        self.popen.stdin.write(line + "\n")
        self.popen.stdin.flush()

    def pull(self) -> None:
        """Let the driver stop, and pull the plug if that is not enough."""
        for _ in range(2):
            if self.popen.poll() is None:
                self.popen.send_signal(signal.SIGTERM)
                time.sleep(0.5)
        self.popen.wait(15)

    def end(self, number: int = signal.SIGTERM, limit_s: float = 15.0) -> int:
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        return self.popen.wait(limit_s)


def until(holds: Callable[[], bool], limit_s: float, what: str) -> None:
    """Wait for something that happens in another process."""
    end = time.monotonic() + limit_s
    while not holds():
        if time.monotonic() > end:
            raise AssertionError(f"not within {limit_s:.0f} s: {what}")
        time.sleep(0.02)


@dataclass
class Lab:
    """A station in one namespace, a car in another, a line between."""

    folder: Path
    name: str
    number: int = 0  # of the line; its interfaces end in it
    processes: list[Process] = field(default_factory=list)

    @property
    def bench(self) -> str:
        return str(self.folder / "bench.sock")

    def build(self) -> None:
        for side in "abc":
            sh("ip", "netns", "add", f"{self.name}{side}")
            self._ip(side, "link", "set", "lo", "up")
        off = "net.ipv6.conf.default.disable_ipv6=1"
        sh("ip", "netns", "exec", f"{self.name}c", "sysctl", "-qw", off)
        self._connect()

    def beside(self) -> Lab:
        """Return a second line between the same machines, with a folder of its own."""
        folder = self.folder / "beside"
        folder.mkdir()
        second = Lab(folder, self.name, self.number + 1, self.processes)
        second._connect()
        return second

    @property
    def evse(self) -> str:
        return f"evse{self.number}"

    @property
    def ev(self) -> str:
        return f"ev{self.number}"

    def _connect(self) -> None:
        sides = (("a", self.evse, self._far("a")), ("b", self.ev, self._far("b")))
        for side, near, far in sides:
            self._ip(
                side, "link", "add", near, "type", "veth",
                "peer", "name", far, "netns", f"{self.name}c",
            )  # fmt: skip
            self._ip(side, "link", "set", near, "up")
            self._ip("c", "link", "set", far, "up")
        (self.folder / "station.toml").write_text(
            f'[station]\ninterface = "{self.evse}"\njournal = "{self.folder}/journal"\n'
            f'[board]\nsocket = "{self.bench}"\n'
        )

    def _far(self, side: str) -> str:
        return f"seg{side}{self.number}"

    def tear_down(self) -> None:
        for process in reversed(self.processes):
            if process.popen.poll() is None:
                process.popen.kill()
                process.popen.wait()
        for side in "abc":
            subprocess.run(["ip", "netns", "del", f"{self.name}{side}"], check=False)

    def start(self, side: str, name: str, *command: str) -> Process:
        log = self.folder / f"{name}.log"
        popen = subprocess.Popen(
            ["ip", "netns", "exec", f"{self.name}{side}", *command],
            stdin=subprocess.PIPE,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )
        process = Process(popen, log)
        self.processes.append(process)
        return process

    def segment(self, *options: str) -> Process:
        process = self.start(
            "c", "segment", PYTHON, "-m", "pilothat.runtime.segment",
            "--evse", self._far("a"), "--ev", self._far("b"), *options,
        )  # fmt: skip
        process.wait_for("carrying")
        return process

    def station(self, name: str = "station") -> Process:
        config = str(self.folder / "station.toml")
        process = self.start(
            "a", name,
            *FIRST, PYTHON, "-m", "pilothat.service.cli", "run", "--config", config,
        )  # fmt: skip
        process.wait_for(" ready ")
        return process

    def car(self, *options: str, name: str = "car") -> Process:
        if "--car" not in options:
            quick = self.folder / "quick.toml"
            quick.write_text(QUICK_CAR)
            options = ("--car", str(quick), *options)
        return self.start(
            "b", name, PYTHON, "-m", "pilothat.service.cli", "ev",
            "--interface", self.ev, "--bench", self.bench, "--json", *options,
        )  # fmt: skip

    def told(self) -> str:
        """Return the end of what every program said."""
        ends = [
            "\n".join((f"-- {one.log.name}", *one.text.splitlines()[-LAST_LINES:]))
            for one in self.processes
        ]
        return "\n".join(ends)

    def journal(self) -> Iterator[dict[str, object]]:
        for path in sorted((self.folder / "journal").glob("*.jsonl")):
            for line in path.read_text().splitlines():
                entry = json.loads(line)
                if "event" in entry:  # the first line holds the settings
                    yield entry

    def _ip(self, side: str, *command: str) -> None:
        sh("ip", "-n", f"{self.name}{side}", *command)


def unique_name() -> str:
    """Return a short name no other run uses: an interface's fits 15 characters."""
    return f"ph{os.getpid() % 100_000}"
