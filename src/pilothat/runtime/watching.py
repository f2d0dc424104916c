"""Pins for gpiozero that write nothing: for what a guard reads, and has, already.

The pins of gpiozero's own factories write function, pull and filter when they are
opened and closed: without its pull a broken wire may say anything. And the kernel gives
a line to one process only. These claim nothing and tell a level, no more; whatever else
is wanted of them is refused by gpiozero's own exceptions. No edges: they are polled.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gpiozero.exc import PinEdgeDetectUnsupported, PinFixedPull, PinInvalidFunction
from gpiozero.pins.pi import PiPin

PULL = "down"  # as every driver of the board sets it


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
