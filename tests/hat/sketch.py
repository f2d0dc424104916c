"""Our sketch compiled for its processor, and that processor simulated (simavr).

``sketch.c`` moves the simulation; its time is the processor's own, so nothing waits.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilothat.board.wallboxwire import Status, Wish, read_status, wish_line

HERE = Path(__file__).parent
SKETCH = HERE.parents[1] / "hat" / "wallbox" / "wallbox.ino"
CORE = Path("/usr/share/arduino/hardware/arduino/avr")
HAS_COMPILER = bool(shutil.which("avr-g++")) and CORE.is_dir()
HAS_SIMULATOR = bool(shutil.which("cc")) and Path("/usr/include/simavr").is_dir()

needs_compiler = pytest.mark.skipif(
    not HAS_COMPILER,
    reason="no compiler; apt install gcc-avr avr-libc arduino-core-avr",
)
needs_simulator = pytest.mark.skipif(
    not (HAS_COMPILER and HAS_SIMULATOR),
    reason="no simulator; apt install gcc-avr avr-libc arduino-core-avr libsimavr-dev",
)

FLAGS = (
    "-mmcu=atmega328p", "-DF_CPU=16000000L", "-DARDUINO=10819",
    "-DDECIMAL_DIG=__DECIMAL_DIG__", "-std=gnu++11", "-Os", "-flto",
    "-ffunction-sections", "-fdata-sections", "-fno-exceptions", "-Wl,--gc-sections",
    f"-I{CORE}/cores/arduino", f"-I{CORE}/variants/standard",
)  # fmt: skip

# what the pilot's divider makes of CP: 220 k to CP, 56 k to 5 V, 100 k to ground
_SIEMENS = 1 / 220e3 + 1 / 56e3 + 1 / 100e3


def adc_mv(cp_v: float) -> int:
    """Return the millivolts at A1."""
    return round((cp_v / 220e3 + 5.0 / 56e3) / _SIEMENS * 1000)


def compiled(folder: Path) -> Path:
    """Return the sketch as a program for the processor; warnings of ours are errors."""
    source, sketch, elf = (folder / name for name in ("s.cpp", "s.o", "sketch.elf"))
    source.write_text(f'#include <Arduino.h>\n#include "{SKETCH}"\n')
    core = sorted((CORE / "cores" / "arduino").glob("*.c*"))
    _do("avr-g++", *FLAGS, "-Wall", "-Wextra", "-Werror", "-c", source, "-o", sketch)
    kinds = {".cpp": "c++", ".c": "c"}
    files = [word for file in core for word in ("-x", kinds[file.suffix], str(file))]
    _do("avr-gcc", *FLAGS, "-w", sketch, *files, "-x", "none", "-lm", "-o", elf)
    return elf


def simulator(folder: Path) -> Path:
    """Return the simulator as a program."""
    made = folder / "simulator"
    _do("cc", "-O2", "-Wall", "-Werror", HERE / "sketch.c", "-o", made, "-lsimavr")
    return made


def _do(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def sizes(elf: Path) -> tuple[int, int]:
    """Return the bytes of flash and of RAM that a program takes."""
    lines = _do("avr-size", elf).splitlines()
    text, data, bss = (int(word) for word in lines[1].split()[:3])
    return text + data, data + bss


@dataclass(frozen=True)
class Event:
    """Something the processor did. at_s: since its start."""

    at_s: float
    what: str
    words: str

    @property
    def status(self) -> Status:
        found = read_status(self.words.encode())
        assert found is not None, self.words
        return found


class Script:
    """What is done to the processor, in order."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._number = 0

    def chain(self, level: int) -> Script:
        """Close (0) or open (1) the safety chain; the mirror contact is open."""
        return self._do(f"pin D 2 {level}", f"pin D 3 {level}", "pin D 4 0")

    def cp(self, high_v: float, low_v: float = -12.0) -> Script:
        return self._do(f"cp {adc_mv(high_v)} {adc_mv(low_v)}")

    def run(self, ms: int) -> Script:
        return self._do(f"run {ms}")

    def wish(
        self, duty_pct: float, *, on: bool = False, supply: bool = False
    ) -> Script:
        self._number += 1
        line = wish_line(Wish(self._number, duty_pct, on, supply))
        return self.say(line.decode().strip())

    def say(self, text: str) -> Script:
        return self._do(f"say {text}")

    def wishing(self, ms: int, duty_pct: float, *, on: bool = False) -> Script:
        """Wish the same every 100 ms."""
        for _ in range(ms // 100):
            self.wish(duty_pct, on=on).run(100)
        return self

    def measure(self) -> Script:
        return self._do("pwm")

    def reset(self) -> Script:
        return self._do("reset")

    def _do(self, *lines: str) -> Script:
        self._lines += lines
        return self

    @property
    def text(self) -> str:
        return "\n".join(self._lines) + "\n"


@dataclass(frozen=True)
class Bench:
    """The simulator with the sketch in it."""

    simulator: Path
    elf: Path

    def play(self, script: Script) -> Sequence[Event]:
        """Return what happened."""
        done = subprocess.run(
            [self.simulator, self.elf],
            input=script.text,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        words = [line.split(" ", 2) for line in done.stdout.splitlines()]
        timed = [one for one in words if len(one) == 3 and one[0].isdigit()]
        return [Event(int(at) / 1e6, what, rest) for at, what, rest in timed]


def said(events: Sequence[Event]) -> Sequence[Status]:
    return [event.status for event in events if event.what == "said"]


def relay(events: Sequence[Event]) -> Sequence[tuple[float, bool]]:
    """Return when the relay's pin changed, and to what."""
    pins = [event for event in events if event.what == "pin"]
    return [(one.at_s, one.words == "B 0 1") for one in pins if one.words[:3] == "B 0"]


def pulses(events: Sequence[Event]) -> Sequence[tuple[float, float]]:
    """Return period and high time in microseconds, where they were measured."""
    found = [event.words.split() for event in events if event.what == "pwm"]
    return [(int(period) / 1e3, int(high) / 1e3) for period, high in found]
