"""The board's parts as the kernel offers them: lines, the pilot's PWM, the converter.

Chips are found by label and by device, never by number. Every failure is a BoardError
that names the file and what a person can do about it.
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator, Mapping, Sequence

from pilothat.board import sampling
from pilothat.board.kernelabi import (
    CHIP_INFO,
    GPIO_GET_CHIPINFO,
    GPIO_GET_VALUES,
    GPIO_SET_VALUES,
    INPUT,
    LINE_VALUES,
    OUTPUT,
    PULL_DOWN,
    SPI_MOST,
    SPI_SET_BITS,
    SPI_SET_MODE,
    Lines,
    SpiMessage,
)
from pilothat.board.kernelio import KernelIo
from pilothat.board.revision import Gpio, Pins, Pwm
from pilothat.board.transfer import Adc
from pilothat.errors import BoardError

DEV = "/dev"
PWM_CLASS = "/sys/class/pwm"
CONSUMER = "pilothat"
UDEV_S = 2.0  # until the rules of the system have given away a new file
UDEV_STEP_S = 0.02
NS = 1_000_000_000

OVERLAYS = "Load the board's overlays; hat/README.md names them"
GROUPS = "Its user must be in the groups gpio and spi, and udev must know gpio for PWM"
REMEDIES: Mapping[int, str] = {
    errno.EACCES: GROUPS,
    errno.EPERM: GROUPS,
    errno.EBUSY: "Another program or an overlay holds it; stop it first",
    errno.ENOENT: OVERLAYS,
    errno.ENODEV: OVERLAYS,
}


@contextlib.contextmanager
def telling(where: str) -> Iterator[None]:
    """Raise BoardError for what the kernel refuses."""
    try:
        yield
    except OSError as error:
        remedy = REMEDIES.get(error.errno or 0, "")
        what = f"HAT lost: {error.strerror or error}"
        raise BoardError(what, where=where, remedy=remedy) from error


class Header:
    """The pins between Pi and board, held together: all outputs begin low."""

    def __init__(self, io: KernelIo, pins: Pins, gpio: Gpio) -> None:
        outputs = (pins.cp_en, pins.k1_req, pins.k2_req, pins.wd_hb)
        inputs = (pins.estop_n, pins.fault_n, pins.k1_fb_n, pins.k2_fb_n)
        self._io = io
        self._bits = {pin: 1 << n for n, pin in enumerate((*outputs, *inputs))}
        self._inputs = tuple((self._bits[pin], 1 << pin) for pin in inputs)
        mask = sum(self._bits[pin] for pin in inputs)
        self._question = LINE_VALUES.pack(0, mask)
        self._where = self._chip(gpio.kernel_labels)
        flags = dict.fromkeys(outputs, OUTPUT)
        flags.update(dict.fromkeys(inputs, INPUT | PULL_DOWN))
        request = Lines((*outputs, *inputs), flags, CONSUMER).packed()
        with telling(self._where):
            chip = io.open(self._where)
            self._handle = io.lines(chip, request)
            io.close(chip)

    def drive(self, level: int, *pins: int) -> None:
        """Set outputs, all with one request."""
        mask = sum(self._bits[pin] for pin in pins)
        with telling(self._where):
            values = LINE_VALUES.pack(mask if level else 0, mask)
            self._io.ioctl(self._handle, GPIO_SET_VALUES, values)

    def levels(self) -> int:
        """Return the levels of all inputs, GPIO n in bit n."""
        with telling(self._where):
            told = self._io.ioctl(self._handle, GPIO_GET_VALUES, self._question)
        bits = LINE_VALUES.unpack(told)[0]
        return sum(level for bit, level in self._inputs if bits & bit)

    def _chip(self, labels: Sequence[str]) -> str:
        """Return the chip's path; a chip that is not for us may refuse."""
        refused: OSError | None = None
        with telling(DEV):
            for name in self._io.names(DEV):
                if not name.startswith("gpiochip"):
                    continue
                try:
                    if self._label(f"{DEV}/{name}") in labels:
                        return f"{DEV}/{name}"
                except OSError as error:
                    refused = error
            raise refused or OSError(
                errno.ENODEV, f"no chip of pins labelled {' or '.join(labels)}"
            )

    def _label(self, path: str) -> str:
        chip = self._io.open(path)
        try:
            told = self._io.ioctl(chip, GPIO_GET_CHIPINFO, bytes(CHIP_INFO.size))
        finally:
            self._io.close(chip)
        _, label, _ = CHIP_INFO.unpack(told)
        return str(label.rstrip(b"\0").decode("latin-1"))


class Pilot:
    """The PWM of the pilot's pin; it begins steady low."""

    def __init__(self, io: KernelIo, pwm: Pwm) -> None:
        self._io = io
        self._number = str(pwm.kernel_channel)
        self._period_ns = NS // pwm.frequency_hz
        self._chip = self._found(pwm.kernel_devices)
        self._folder = f"{self._chip}/pwm{self._number}"
        with telling(self._chip):
            self._export()
        with telling(self._folder):
            self._begin()

    def set_duty(self, duty_pct: float) -> None:
        """Let it be high for a part of its period; 0 and 100 are steady."""
        duty_ns = round(self._period_ns * duty_pct / 100)
        with telling(self._folder):
            self._io.write(f"{self._folder}/duty_cycle", str(duty_ns))

    def frequency_hz(self) -> float:
        """Return what is set. Raises BoardError."""
        with telling(self._folder):
            return NS / int(self._io.read(f"{self._folder}/period"))

    def close(self) -> None:
        """Give the channel back, low."""
        self.set_duty(0.0)
        with telling(self._chip):
            self._io.write(f"{self._chip}/unexport", self._number)

    def _found(self, devices: Sequence[str]) -> str:
        with telling(PWM_CLASS):
            for name in self._io.names(PWM_CLASS):
                parts = self._io.target(f"{PWM_CLASS}/{name}").split("/")
                if any(device in parts for device in devices):
                    return f"{PWM_CLASS}/{name}"
            raise OSError(errno.ENODEV, f"no PWM of {' or '.join(devices)}")

    def _export(self) -> None:
        """Ask for the channel, unless a killed program of ours has left it."""
        if f"pwm{self._number}" not in self._io.names(self._chip):
            self._write_early(f"{self._chip}/export", self._number)

    def _begin(self) -> None:
        """Make it steady low, then what we need, whatever it was.

        A period that is shorter than the old duty is refused, and so is a duty before
        there is a period; a polarity may not change while the channel is on.
        """
        if int(self._io.read(f"{self._folder}/period")) > 0:
            self._write_early(f"{self._folder}/duty_cycle", "0")
        self._write_early(f"{self._folder}/period", str(self._period_ns))
        if self._io.read(f"{self._folder}/polarity") != "normal":
            self._write_early(f"{self._folder}/enable", "0")
            self._write_early(f"{self._folder}/polarity", "normal")
        self._write_early(f"{self._folder}/duty_cycle", "0")
        self._write_early(f"{self._folder}/enable", "1")

    def _write_early(self, path: str, text: str) -> None:
        """Write what may be too new for us: udev gives it to our group in its time."""
        for _ in range(round(UDEV_S / UDEV_STEP_S)):
            try:
                self._io.write(path, text)
            except PermissionError:
                self._io.wait(UDEV_STEP_S)
            else:
                return
        self._io.write(path, text)


class Converter:
    """The converter on its SPI."""

    def __init__(self, io: KernelIo, adc: Adc) -> None:
        self._io = io
        self._adc = adc
        with telling(adc.spidev):
            self._handle = io.open(adc.spidev)
            io.ioctl(self._handle, SPI_SET_MODE, bytes((0,)))
            io.ioctl(self._handle, SPI_SET_BITS, bytes((8,)))

    def message(self, channels: Sequence[int]) -> SpiMessage:
        """Return the message that reads channels, one right after the other."""
        frames = [sampling.frame(channel) for channel in channels]
        return SpiMessage(frames, self._adc.kernel_baud)

    def read(self, message: SpiMessage) -> Sequence[int]:
        """Return the codes."""
        with telling(self._adc.spidev):
            told = self._io.transfer(self._handle, message)
        size = sampling.FRAME_BYTES
        return [sampling.code(told[n : n + size]) for n in range(0, len(told), size)]

    def codes(self, channel: int, count: int) -> Sequence[int]:
        """Return so many conversions of a channel, in as few messages as possible."""
        codes: list[int] = []
        while len(codes) < count:
            part = min(count - len(codes), SPI_MOST)
            codes += self.read(self.message((channel,) * part))
        return codes
