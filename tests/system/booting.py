"""A card that boots on an emulated Pi 3; the Pi's console, as it comes."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from types import TracebackType

from tests.system.card import Card, tell
from tests.system.pi import DTB

FILES = ("kernel8.img", "initramfs8", DTB, "cmdline.txt")
# 500 million instructions a second for all four processors; where all wait, time jumps.
PACE = ("-icount", "shift=1,sleep=off")
MODEL = (
    "qemu-system-aarch64", "-M", "raspi3b", "-m", "1G", "-accel", "tcg",
    "-display", "none", *PACE,
)  # fmt: skip
# What the firmware makes of the kernel's line, and what lets us see the system's log.
SERIAL = "serial0", "ttyS1"
MORE = "console=ttyS1,115200 systemd.journald.forward_to_console=1"
LIFE_S = 1800  # no emulator lives longer, whatever becomes of the test
SILENT_S = 240.0  # nothing said for so long: it hangs
UP = "Reached target sysinit.target"  # nothing of ours has been started before
STAMP = re.compile(r"\[ *(\d+\.\d+)\] ")
LAST_LINES = 40


class Boot:
    """A Pi from power-on to its end, with what it says.

    at_s: the last line's time, of the Pi's own clock since power-on
    """

    def __init__(self, card: Card, words: str = "") -> None:
        self.at_s = 0.0
        self._card, self._words = card, words
        self._said: list[str] = []
        self._has_hung = False

    def __enter__(self) -> Boot:
        self._folder = TemporaryDirectory()
        self._start()
        try:
            self.wait_for(UP)
        except AssertionError:
            if not self._has_hung:
                raise
            # seen once in seventeen boots, not again with the same card
            tell("it has hung before the system was up; once more")
            self._popen.communicate()
            self._start()
        return self

    def _start(self) -> None:
        self._began_s = time.monotonic()
        self._said.clear()
        self._popen = subprocess.Popen(
            self._command(Path(self._folder.name)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error:
            self._popen.terminate()
        self._popen.communicate()  # a Pi that is told to ends by itself
        self._folder.cleanup()

    @property
    def text(self) -> str:
        """All that it has said."""
        return "\n".join(self._said)

    @property
    def took_s(self) -> float:
        """Time since power-on, of our clock."""
        return time.monotonic() - self._began_s

    def wait_for(self, text: str) -> str:
        """Return the next line with a text. Fails when the Pi ends before."""
        for line in iter(self._line, ""):
            self._said.append(line.rstrip())
            if stamp := STAMP.search(line):
                self.at_s = float(stamp[1])
            if text in line:
                tell(f"{self.took_s:4.0f} s, {self.at_s:4.0f} s of the Pi: {text}")
                return self._said[-1]
        last = "\n".join(self._said[-LAST_LINES:])
        raise AssertionError(f"the Pi has ended without '{text}':\n{last}")

    def _line(self) -> str:
        """Return the next line; empty when it has ended, as it is when it hangs."""
        assert self._popen.stdout is not None
        watch = Timer(SILENT_S, self._give_up)
        watch.start()
        try:
            return self._popen.stdout.readline()
        finally:
            watch.cancel()

    def _give_up(self) -> None:
        self._has_hung = True
        tell(f"nothing said for {SILENT_S:.0f} s")
        self.cut()

    def cut(self) -> None:
        """Take the power away."""
        os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def _command(self, folder: Path) -> Sequence[str | Path]:
        """Start from what is on the card, as the firmware does."""
        self._card.take(folder, *FILES)
        kernel, initramfs, tree, cmdline = (folder / name for name in FILES)
        line = f"{cmdline.read_text().strip().replace(*SERIAL)} {MORE} {self._words}"
        return (
            *("timeout", str(LIFE_S), "nice", "-n", "10", *MODEL),
            *("-kernel", kernel, "-initrd", initramfs, "-dtb", tree, "-append", line),
            *("-drive", f"file={self._card.path},if=sd,format=raw"),
            *("-serial", "null", "-serial", "stdio", "-no-reboot"),
        )
