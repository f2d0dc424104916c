"""``config.txt`` of the Pi's firmware: what holds for a model, and what we need in it.

Sections filter by model; ``[all]`` ends a filter. Of one setting the last value wins,
overlays add up. What is not a model's filter (``[EDID=...]``, a serial number) may hold
or not: its lines are taken as holding, for a warning too many costs least. Source:
Raspberry Pi's documentation of ``config.txt``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from pilothat.board.revision import Revision
from pilothat.frozen import dataclass

# filter -> what the device tree calls the models that it holds for
FILTERS: Mapping[str, str] = {
    "pi1": r"Raspberry Pi Model [AB]",
    "pi2": r"Raspberry Pi 2",
    "pi3": r"Raspberry Pi (3|Compute Module 3)",
    "pi3+": r"Raspberry Pi (3 Model [AB] Plus|Compute Module 3 Plus)",
    "pi4": r"Raspberry Pi (4|Compute Module 4)",
    "pi400": r"Raspberry Pi 400",
    "cm4": r"Raspberry Pi Compute Module 4",
    "cm4s": r"Raspberry Pi Compute Module 4S",
    "pi5": r"Raspberry Pi (5|Compute Module 5)",
    "pi500": r"Raspberry Pi 500",
    "cm5": r"Raspberry Pi Compute Module 5",
    "pi0": r"Raspberry Pi Zero",
    "pi0w": r"Raspberry Pi Zero W",
    "pi02": r"Raspberry Pi Zero 2",
    "none": r"(?!)",
}
# what pigpio's daemon and the kernel share
COMMON = ("dtoverlay={overlay}",)
SILENT = ("dtparam=audio=off",)
# (driver, whether pigpio knows the Pi) -> lines; a Pi 5 has no sound at the PWM
LINES: Mapping[tuple[str, bool], Sequence[str]] = {
    ("pigpio", True): (*SILENT, *COMMON),
    ("kernel", True): (*SILENT, "dtoverlay={overlay},kernel_pwm", "dtoverlay=spi1-1cs"),
    ("kernel", False): (
        *COMMON,
        "dtoverlay=pwm,pin={cp_pwm},func=4",
        "dtoverlay=spi1-1cs",
    ),
}


@dataclass(frozen=True, slots=True)
class Rival:
    """A line that takes what the HAT needs; drivers: those that it is in the way of."""

    pattern: str
    why: str
    drivers: tuple[str, ...] = ("pigpio", "kernel")


RIVALS: Sequence[Rival] = (
    Rival(r"dtparam=i2s=on|dtoverlay=i2s-", "I2S takes the converter's pins"),
    Rival(
        r"dtoverlay=(hifiberry|iqaudio|allo|justboom|googlevoicehat)",
        "a sound card takes the converter's pins",
    ),
    Rival(r"dtoverlay=spi1-", "the kernel takes SPI1 from the daemon", ("pigpio",)),
    Rival(
        r"dtoverlay=spi1-[23]cs", "its chip selects are pins of the HAT", ("kernel",)
    ),
    Rival(r"dtoverlay=spi0-", "SPI0 belongs to the modem"),
    Rival(r"dtoverlay=qca7000", "the HAT's overlay has the modem already"),
    Rival(r"dtoverlay=(pwm|audremap)", "it takes the pilot's PWM", ("pigpio",)),
    Rival(r"dtoverlay=(pwm-2chan|audremap)", "it takes the pilot's PWM", ("kernel",)),
    Rival(r"dtparam=audio=on", "sound takes the pilot's PWM"),
    Rival(r"dtoverlay=w1-gpio(,gpiopin=4)?$", "1-wire takes the pin of the E-stop"),
)


@dataclass(frozen=True, slots=True)
class Line:
    """A setting with its place; number counts from 1."""

    number: int
    text: str

    @property
    def key(self) -> str:
        """What of several lines only the last one sets; overlays add up."""
        name, _, value = self.text.partition("=")
        if name == "dtparam":
            return f"{name}={value.partition('=')[0]}"
        return self.text if name == "dtoverlay" else name


def holding(text: str, model: str) -> Iterator[Line]:
    """Yield the settings that hold for a model, in their order; model as text."""
    does_hold = True
    for number, raw in enumerate(text.splitlines(), 1):
        line = re.sub(r"\s+", "", raw.partition("#")[0])
        if line.startswith("["):
            does_hold = _holds(line.strip("[]").lower(), model, before=does_hold)
        elif line and does_hold:
            yield Line(number, line)


def _holds(name: str, model: str, *, before: bool) -> bool:
    """Tell whether lines hold after a filter; one of the model replaces the last."""
    if name == "all":
        return True
    if name in FILTERS:
        return re.match(FILTERS[name], model) is not None
    return before


def effective(text: str, model: str) -> Mapping[str, Line]:
    """Return what holds for a model in the end, by `Line.key`: the last value wins."""
    return {line.key: line for line in holding(text, model)}


def wanted(driver: str, *, runs_pigpio: bool, board: Revision) -> Sequence[str]:
    """Return the lines that a driver needs; none for drivers without a HAT."""
    lines = LINES.get((driver, runs_pigpio), ())
    fill = {"overlay": board.board.overlay, "cp_pwm": board.pins.cp_pwm}
    return [line.format(**fill) for line in lines]


def block(rest: str, model: str, needed: Sequence[str]) -> Sequence[str]:
    """Return the lines to add behind the rest of a file; none when all hold there.

    A bare ``dtoverlay=`` ends the parameters of an overlay before, and ours for lines
    that somebody adds later.
    """
    there = {line.text for line in effective(rest, model).values()}
    lacking = [line for line in needed if line not in there]
    return ["[all]", "dtoverlay=", *lacking, "dtoverlay="] if lacking else []


def rivals(
    text: str, model: str, driver: str, ours: Sequence[str]
) -> Iterator[tuple[Line, str]]:
    """Yield the lines that are in the way of a driver, with the reason.

    text: with our own lines where they stand, for they may win
    """
    overlays = {_overlay(line) for line in ours} - {""}
    for line in sorted(effective(text, model).values(), key=lambda one: one.number):
        if line.text in ours:
            continue
        if _overlay(line.text) in overlays:
            yield line, "the same overlay is loaded a second time"
            continue
        found = (one for one in RIVALS if driver in one.drivers)
        why = next((one.why for one in found if re.match(one.pattern, line.text)), "")
        if why:
            yield line, why


def _overlay(line: str) -> str:
    """Return the name of the overlay that a line loads; empty for other lines."""
    key, _, value = line.partition("=")
    return value.partition(",")[0] if key == "dtoverlay" else ""
