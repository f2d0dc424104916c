"""A PWM chip as the kernel shows it in sysfs: small files, and what they refuse."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence
from dataclasses import dataclass

CLASS = "/sys/class/pwm"
CHANNELS = 4
NS, MILLION = 1_000_000_000, 1_000_000
NORMAL, INVERSED = "normal", "inversed"
FILES = ("duty_cycle", "enable", "period", "polarity")

# Channel, frequency (0 is off), millionths of the period that it is high, the time.
Pulse = Callable[[int, int, int, float], int]


@dataclass
class Channel:
    """What is asked of a channel; it outlives its export."""

    is_exported: bool = False
    period: int = 0  # ns, as its file is called
    duty_cycle: int = 0
    enable: int = 0
    polarity: str = NORMAL


class PwmChip:
    """One chip.

    device: its name on the bus
    pulse:  told what pulses; negative is refused
    """

    def __init__(self, device: str, pulse: Pulse | None = None) -> None:
        self._device = device
        self._pulse = pulse
        self._channels = [Channel() for _ in range(CHANNELS)]

    def target(self, name: str) -> str:
        """Return where the link of the class points."""
        bus = "../../devices/platform/axi/1000120000.pcie"
        return f"{bus}/{self._device}/pwm/{name}"

    def names(self, folder: str) -> Sequence[str]:
        """Return what is in the chip's folder, or in that of a channel."""
        if folder:
            self._channel(folder)
            return FILES
        exported = [
            f"pwm{n}" for n, one in enumerate(self._channels) if one.is_exported
        ]
        return ("export", "npwm", *exported, "unexport")

    def read(self, path: str) -> str:
        """Return what a file says, without its newline."""
        if path == "npwm":
            return str(CHANNELS)
        folder, _, name = path.partition("/")
        channel = self._channel(folder)[1]
        if name not in FILES:
            raise _refused(errno.ENOENT)
        return str(getattr(channel, name))

    def write(self, path: str, text: str, now: float) -> None:
        """Write a file."""
        if path in ("export", "unexport"):
            self._hand_over(_number(text), is_out=path == "export")
            return
        folder, _, name = path.partition("/")
        number, channel = self._channel(folder)
        if name not in FILES:
            raise _refused(errno.ENOENT)
        value = text.strip() if name == "polarity" else _number(text)
        _check(channel, name, value)
        setattr(channel, name, value)
        self._apply(number, channel, now)

    def _hand_over(self, number: int, *, is_out: bool) -> None:
        if not 0 <= number < CHANNELS:
            raise _refused(errno.ENODEV)
        channel = self._channels[number]
        if channel.is_exported is is_out:
            raise _refused(errno.EBUSY if is_out else errno.ENODEV)
        channel.is_exported = is_out  # and goes on as it was: not every driver stops it

    def _channel(self, folder: str) -> tuple[int, Channel]:
        for number, channel in enumerate(self._channels):
            if folder == f"pwm{number}" and channel.is_exported:
                return number, channel
        raise _refused(errno.ENOENT)

    def _apply(self, number: int, channel: Channel, now: float) -> None:
        if self._pulse is None:
            return
        if not channel.enable:
            self._pulse(number, 0, 0, now)
            return
        share = channel.duty_cycle / channel.period
        high = share if channel.polarity == NORMAL else 1 - share
        hz = round(NS / channel.period)
        if hz == 0 or self._pulse(number, hz, round(high * MILLION), now) < 0:
            raise _refused(errno.EINVAL)


def _check(channel: Channel, name: str, value: int | str) -> None:
    """Raise OSError for a value that does not go with the others."""
    wanted = {one: getattr(channel, one) for one in FILES} | {name: value}
    is_good = (
        wanted["period"] > 0
        and 0 <= wanted["duty_cycle"] <= wanted["period"]
        and wanted["enable"] in (0, 1)
        and wanted["polarity"] in (NORMAL, INVERSED)
    )
    if not is_good:
        raise _refused(errno.EINVAL)
    if name == "polarity" and value != channel.polarity and channel.enable:
        raise _refused(errno.EBUSY)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise _refused(errno.EINVAL) from error


def _refused(number: int) -> OSError:
    return OSError(number, errno.errorcode[number])
