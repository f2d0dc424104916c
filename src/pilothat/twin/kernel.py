"""The kernel of a Pi 5 as a driver of the HAT sees it, on the twin's pins and board.

Pure: a call and the time go in, the result comes out, and what is refused is an OSError
with the kernel's number; ``tests/system/test_registers.py`` puts the same calls to a
real one. Where kernels differ it is the stricter one: a polarity does not change while
its channel is on, outputs stay as they are when their program ends, and so does a
channel that is given back. Not here: events of lines, other attributes than flags and
values.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from pilothat.board import kernelabi as abi
from pilothat.board.kernelwire import SPI_HEAD, Call
from pilothat.board.pigpiowire import Mode, Pull
from pilothat.board.revision import Revision
from pilothat.frozen import dataclass
from pilothat.twin.hat import Hat
from pilothat.twin.kernelpwm import CLASS, PwmChip
from pilothat.twin.pigpio import convert
from pilothat.twin.soc import Soc

DEV = "/dev"
FIRST_HANDLE = 3
LINES = 54
OTHER_CHIP, OTHER_LABEL, OTHER_LINES = "gpiochip0", "gpio-brcmstb@107d508500", 32
CHIP = "gpiochip4"
OTHER_PWM, OTHER_DEVICE = "pwmchip0", "1f0009c000.pwm"  # of the fan
PWM = "pwmchip2"
BUFFER_BYTES = 4096  # of spidev
CS_OFF_S = 10e-6  # between two descriptors
MODE_BITS = 0xFF
PULLS = {1 << 8: Pull.UP, 1 << 9: Pull.DOWN, 1 << 10: Pull.OFF}

T = TypeVar("T")
Result = tuple[int, bytes]  # a handle or nothing, and data


@dataclass(frozen=True, slots=True)
class Chip:
    """An open chip of pins."""

    name: str
    label: str
    lines: int


@dataclass(frozen=True, slots=True)
class Held:
    """Lines that a program holds; bit n of values is the n-th."""

    chip: str
    offsets: Sequence[int]
    outputs: int  # as a mask


class Spi:
    """An open SPI device."""


CHIPS: Mapping[str, tuple[str, int]] = {OTHER_CHIP: (OTHER_LABEL, OTHER_LINES)}


class Kernel:
    """What all programs share: chips, who holds which line, the time of the SPI."""

    def __init__(self, hat: Hat, revision: Revision, soc: Soc) -> None:
        self.hat = hat
        self.revision = revision
        self.soc = soc
        label = revision.gpio.kernel_labels[0]
        self.chips = {**CHIPS, CHIP: (label, LINES)}
        # The header's pins that drivers of the kernel hold.
        self.held = {(CHIP, revision.pins.adc_ce), (CHIP, revision.pins.plc_int)}
        device = revision.pwm.kernel_devices[0]
        self.pwms = {
            OTHER_PWM: PwmChip(OTHER_DEVICE),
            PWM: PwmChip(device, self._pulse),
        }
        self.spi_ends = 0.0  # when the transfer that was asked for last will be over

    def advance(self, now: float) -> None:
        """Catch up with time."""
        self.hat.advance(now)
        self.spi_ends = now

    def _pulse(self, channel: int, hz: int, millionths: int, now: float) -> int:
        """Let a channel pulse; the overlay leads one to a pin."""
        if channel != self.revision.pwm.kernel_channel:
            return 0
        pin = self.revision.pins.cp_pwm
        result = self.soc.set_hardware_pwm(pin, hz, millionths, now)
        self.hat.follow(self.soc, now)
        return result


class Program:
    """One program, and what it has open."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._open: dict[int, Chip | Held | Spi] = {}
        self._next = FIRST_HANDLE
        self._requests: Mapping[int, Callable[[int, bytes, float], Result]] = {
            abi.GPIO_GET_CHIPINFO: self._tell_chip,
            abi.GPIO_GET_LINES: self._take_lines,
            abi.GPIO_GET_VALUES: self._levels,
            abi.GPIO_SET_VALUES: self._drive,
            abi.SPI_SET_MODE: self._set_spi,
            abi.SPI_SET_BITS: self._set_spi,
        }

    def answer(
        self, call: Call, handle: int, request: int, data: bytes, now: float
    ) -> Result:
        """Perform a call. Raises OSError for what the kernel refuses."""
        match call:
            case Call.OPEN:
                return self._keep(self._opened(data.decode())), b""
            case Call.CLOSE:
                self._release(self._of(handle, object))
                del self._open[handle]
                return 0, b""
            case Call.IOCTL:
                return self._request(handle, request, data, now)
            case Call.TRANSFER:
                return 0, self._transfer(handle, request, data, now)
            case _:
                return 0, self._file(call, data.decode(), now).encode()

    def end(self) -> None:
        """Let go of everything; what was driven stays as it is."""
        for one in self._open.values():
            self._release(one)
        self._open.clear()

    # --- files

    def _file(self, call: Call, words: str, now: float) -> str:
        path, _, text = words.partition("\0")
        folder, _, name = path.rpartition("/")
        if call is Call.NAMES and path == DEV:
            spidev = self._kernel.revision.adc.spidev.rpartition("/")[2]
            return "\n".join((*self._kernel.chips, spidev))
        if call is Call.NAMES and path == CLASS:
            return "\n".join(self._kernel.pwms)
        if call is Call.TARGET and folder == CLASS and name in self._kernel.pwms:
            return self._kernel.pwms[name].target(name)
        chip, _, rest = path.removeprefix(f"{CLASS}/").partition("/")
        if not path.startswith(CLASS) or chip not in self._kernel.pwms:
            raise _refused(errno.ENOENT)
        pwm = self._kernel.pwms[chip]
        if call is Call.NAMES:
            return "\n".join(pwm.names(rest))
        if call is Call.READ:
            return pwm.read(rest) + "\n"
        pwm.write(rest, text, now)
        return ""

    # --- devices

    def _opened(self, path: str) -> Chip | Spi:
        if path == self._kernel.revision.adc.spidev:
            return Spi()
        name = path.removeprefix(f"{DEV}/")
        if name not in self._kernel.chips:
            raise _refused(errno.ENOENT)
        return Chip(name, *self._kernel.chips[name])

    def _keep(self, one: Chip | Held | Spi) -> int:
        self._open[self._next] = one
        self._next += 1
        return self._next - 1

    def _of(self, handle: int, kind: type[T]) -> T:
        """Return what a handle is of. Raises OSError for another kind."""
        if handle not in self._open:
            raise _refused(errno.EBADF)
        one = self._open[handle]
        if not isinstance(one, kind):
            raise _unknown(one)
        return one

    def _release(self, one: object) -> None:
        if isinstance(one, Held):
            self._kernel.held -= {(one.chip, offset) for offset in one.offsets}

    def _request(self, handle: int, request: int, data: bytes, now: float) -> Result:
        if request not in self._requests:
            raise _unknown(self._of(handle, object))
        if len(data) != abi.size_of(request):
            raise _refused(errno.EFAULT)
        return self._requests[request](handle, data, now)

    # --- lines

    def _tell_chip(self, handle: int, _data: bytes, _now: float) -> Result:
        chip = self._of(handle, Chip)
        words = chip.name.encode(), chip.label.encode(), chip.lines
        return 0, abi.CHIP_INFO.pack(*words)

    def _take_lines(self, handle: int, data: bytes, now: float) -> Result:
        chip = self._of(handle, Chip)
        try:
            lines = abi.lines(data)
        except ValueError as error:
            raise _refused(errno.EINVAL) from error
        directions = abi.INPUT | abi.OUTPUT
        one_way = all(
            lines.flags[one] & directions in (abi.INPUT, abi.OUTPUT)
            for one in lines.offsets
        )
        if not one_way or max(lines.offsets) >= chip.lines:
            raise _refused(errno.EINVAL)
        wanted = {(chip.name, offset) for offset in lines.offsets}
        if wanted & self._kernel.held or len(wanted) < len(lines.offsets):
            raise _refused(errno.EBUSY)
        self._kernel.held |= wanted
        if chip.name == CHIP:
            self._set_up(lines, now)
        outputs = sum(
            1 << place
            for place, offset in enumerate(lines.offsets)
            if lines.flags[offset] & abi.OUTPUT
        )
        descriptor = self._keep(Held(chip.name, lines.offsets, outputs))
        return 0, abi.with_descriptor(data, descriptor)

    def _set_up(self, lines: abi.Lines, now: float) -> None:
        soc = self._kernel.soc
        for offset in lines.offsets:
            flags = lines.flags[offset]
            for flag, pull in PULLS.items():
                if flags & flag:
                    soc.set_pull(offset, pull)
            if flags & abi.OUTPUT:
                soc.write(offset, int(offset in lines.high))
            else:
                soc.set_mode(offset, Mode.INPUT)
        self._kernel.hat.follow(soc, now)

    def _levels(self, handle: int, data: bytes, now: float) -> Result:
        held, _, mask = self._values(handle, data)
        soc = self._kernel.soc
        soc.outside = self._kernel.hat.inputs(now)
        bits = sum(
            soc.level(offset, now) << place
            for place, offset in enumerate(held.offsets)
            if mask >> place & 1 and held.chip == CHIP
        )
        return 0, abi.LINE_VALUES.pack(bits, mask)

    def _drive(self, handle: int, data: bytes, now: float) -> Result:
        held, bits, mask = self._values(handle, data)
        if mask & ~held.outputs:
            raise _refused(errno.EPERM)
        for place, offset in enumerate(held.offsets):
            if mask >> place & 1 and held.chip == CHIP:
                self._kernel.soc.write(offset, bits >> place & 1)
        self._kernel.hat.follow(self._kernel.soc, now)
        return 0, data

    def _values(self, handle: int, data: bytes) -> tuple[Held, int, int]:
        """Return the lines that are meant, bits and mask."""
        held = self._of(handle, Held)
        bits, mask = abi.LINE_VALUES.unpack(data)
        mask &= (1 << len(held.offsets)) - 1
        if mask == 0:
            raise _refused(errno.EINVAL)
        return held, bits, mask

    # --- SPI

    def _set_spi(self, handle: int, data: bytes, _now: float) -> Result:
        self._of(handle, Spi)
        return 0, data

    def _transfer(self, handle: int, request: int, data: bytes, now: float) -> bytes:
        """Convert frame by frame, as far apart as the clock makes them."""
        self._of(handle, Spi)
        speed_hz, size = SPI_HEAD.unpack_from(data)
        sent = data[SPI_HEAD.size :]
        count = abi.size_of(request) // abi.DESCRIPTOR_BYTES
        if count == 0 or speed_hz == 0 or count * size != len(sent):
            raise _refused(errno.EINVAL)
        if len(sent) > BUFFER_BYTES:
            raise _refused(errno.EMSGSIZE)
        at = max(now, self._kernel.spi_ends)
        received = b""
        for place in range(0, len(sent), size):
            at += 8 * size / speed_hz
            received += convert(sent[place : place + size], self._code_at(at))
            at += CS_OFF_S
        self._kernel.spi_ends = at
        return received

    def _code_at(self, at: float) -> Callable[[int], int]:
        return lambda channel: self._kernel.hat.code(channel, at)


def _unknown(one: object) -> OSError:
    """Return what a device says to a request that it does not know."""
    return _refused(errno.ENOTTY if isinstance(one, Spi) else errno.EINVAL)


def _refused(number: int) -> OSError:
    return OSError(number, errno.errorcode[number])
