"""Pins for gpiozero that write nothing: for what a guard reads, and has, already.

The pins of gpiozero's own factories write function, pull and filter when they are
opened and closed: without its pull a broken wire may say anything. And the kernel gives
a line to one process only. These claim nothing and tell a level, no more; whatever else
is wanted of them is refused by gpiozero's own exceptions. No edges: they are polled.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from gpiozero.exc import PinEdgeDetectUnsupported, PinFixedPull, PinInvalidFunction
from gpiozero.pins.pi import PiFactory, PiPin

from pilothat.board.detect import PIGPIO_SOCS, ROOT, machine
from pilothat.errors import BoardError
from pilothat.frozen import dataclass

PULL = "down"  # as every driver of the board sets it
WORD_BYTES = 4


@dataclass(frozen=True, slots=True)
class LevelRegister:
    """Where a Pi shows the levels of its header: bit n of a word is GPIO n.

    device: of the kernel, which maps the registers of the pins
    offset: of the word, in octets
    length: to map, in octets
    """

    device: str
    offset: int
    length: int


# By SoC as the device tree calls it. GPLEV0 is from the data sheet of the BCM2835 and
# where it was in all before the Pi 5. There, RP1 has the pins: the device begins at
# IO_BANK0 (0xd0000 in RP1), SYS_RIO0 is at 0xe0000 and its IN at 0x08, as in its data
# sheet. Both were checked against Linux and other public drivers, none on a Pi.
LEVELS: Mapping[str, LevelRegister] = {
    **dict.fromkeys(PIGPIO_SOCS, LevelRegister("dev/gpiomem", 0x34, 0x1000)),
    "brcm,bcm2712": LevelRegister("dev/gpiomem0", 0x1_0008, 0x3_0000),
}


class ReadPin(PiPin):  # type: ignore[misc]  # gpiozero has no types
    """An input that the board's driver has set up; what PiPin refuses, it refuses."""

    def _get_function(self) -> str:
        return "input"

    def _set_function(self, value: str) -> None:
        if value != "input":
            raise PinInvalidFunction(f"{self!r} is only read, it is no {value}")

    def _get_pull(self) -> str:
        return PULL

    def _set_pull(self, value: str) -> None:
        if value != PULL:
            raise PinFixedPull(f"{self!r} is pulled {PULL} by the board's driver")

    def _enable_event_detect(self) -> None:
        raise PinEdgeDetectUnsupported(f"{self!r} is only read, it has no edges")


class DaemonPin(ReadPin):
    """A pin of pigpio's daemon."""

    def _get_state(self) -> bool:
        return bool(self.factory.connection.read(self._number))


def pigpio_factory(host: str, port: int) -> Any:
    """Return gpiozero's factory for a daemon, with pins of ours."""
    factory = import_module("gpiozero.pins.pigpio").PiGPIOFactory(host, port)
    factory.pin_class = DaemonPin
    return factory


class LevelPin(ReadPin):
    """A pin of a Pi, by the register with the levels."""

    def _get_state(self) -> bool:
        return bool(self.factory.levels >> self._number & 1)


class LevelFactory(PiFactory):  # type: ignore[misc]  # gpiozero has no types
    """The pins of this Pi, by a mapping of their levels that cannot be written.

    The device is opened for reading and mapped for reading: the processor's own memory
    protection keeps us from changing a pin, not our care. Raises BoardError.
    """

    def __init__(self, root: Path = ROOT) -> None:
        super().__init__()
        self.pin_class = LevelPin
        register = _register(root)
        self._index = register.offset // WORD_BYTES
        with contextlib.ExitStack() as stack:
            # let go of the view before the mapping under it
            mapped = stack.enter_context(_mapped(root / register.device, register))
            view = stack.enter_context(memoryview(mapped))
            self._words = stack.enter_context(view.cast("I"))
            self._opened = stack.pop_all()

    @property
    def levels(self) -> int:
        """The levels of all pins, GPIO n in bit n: one access to one register."""
        return self._words[self._index]

    @staticmethod
    def ticks() -> float:
        """Return the time, s."""
        return time.monotonic()

    @staticmethod
    def ticks_diff(later: float, earlier: float) -> float:
        """Return what is between two times, s."""
        return later - earlier

    def close(self) -> None:
        """Let go."""
        super().close()
        self._opened.close()

    def _get_revision(self) -> int:
        found: int = import_module("gpiozero.pins.local").get_pi_revision()
        return found


def _register(root: Path) -> LevelRegister:
    found = machine(root)
    for soc in found.socs:
        if soc in LEVELS:
            return LEVELS[soc]
    raise BoardError(
        f"nobody knows where {found.model or 'this machine'} shows its levels",
        where="panel",
        remedy="A Pi Zero to 5 does; charging goes on without",
    )


def _mapped(path: Path, register: LevelRegister) -> mmap.mmap:
    try:
        device = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            return mmap.mmap(device, register.length, access=mmap.ACCESS_READ)
        finally:
            os.close(device)
    except (OSError, ValueError) as error:  # a file that is too short is a ValueError
        raise BoardError(
            f"cannot be mapped ({error})",
            where=str(path),
            remedy="Raspberry Pi OS has it; its user must be in the group gpio",
        ) from error
