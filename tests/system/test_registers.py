"""The driver of the kernel's interfaces on a real kernel, seen in a Pi's registers.

The kernel is Debian's, the Pi is emulated: what is proved is what the driver, the
overlay and the kernel write, not what a pin does with it.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest
from tests.hat.twin import until
from tests.system import pi as emulated
from tests.system.pi import Pi, PiIo

from pilothat.board import kernelabi as abi
from pilothat.board.kernelhat import KernelHat
from pilothat.board.kernelio import KernelIo, TwinIo
from pilothat.board.kernelwire import Call
from pilothat.board.revision import revision
from pilothat.errors import BoardError
from pilothat.twin.bench import Bench, BenchSettings
from pilothat.twin.hat import Hat
from pilothat.twin.kernel import Kernel, Program
from pilothat.twin.soc import Soc

pytestmark = pytest.mark.system

REV = revision()
PINS = REV.pins
OUTPUTS = (PINS.cp_en, PINS.k1_req, PINS.k2_req, PINS.wd_hb)
INPUTS = (PINS.estop_n, PINS.fault_n, PINS.k1_fb_n, PINS.k2_fb_n)
SPI = (PINS.adc_miso, PINS.adc_mosi, PINS.adc_sclk)
UNIT = Path(__file__).parents[2] / "packaging" / "systemd" / "pilothatd.service"
DEVICE = "3f20c000.pwm"

# Registers of the BCM2835 and its like (BCM2835 ARM Peripherals, 5.2, 6.1, 6.3, 9.6).
GPFSEL, GPLEV0, CM_PWM, PWM = 0x3F20_0000, 0x3F20_0034, 0x3F10_10A0, 0x3F20_C000
CTL, RNG1, DAT1 = 0, 4, 5  # words of the PWM
IS_ON, IS_MARK_SPACE, IS_INVERTED = 1 << 0, 1 << 7, 1 << 4
IN, OUT, ALT0, ALT4 = 0, 1, 4, 3
PLLD, PLLD_HZ, FRACTION = 6, 500e6, 1 << 12


@pytest.fixture(scope="module")
def pi(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pi]:
    if missing := emulated.lacking():
        pytest.skip(f"needs {missing}")
    with emulated.running(tmp_path_factory.mktemp("pi"), REV) as made:
        until(lambda: REV.adc.spidev in nodes(made), "all drivers there")
        yield made


@pytest.fixture
def io(pi: Pi) -> Iterator[PiIo]:
    """A program on the Pi; when it has ended, the channel is given back."""
    made = PiIo(pi)
    yield made
    made.leave()
    if "pwm0" in made.names(chip(made)):
        made.write(f"{chip(made)}/unexport", "0")


def nodes(pi: Pi) -> Sequence[str]:
    return [f"/dev/{name}" for name in PiIo(pi).names("/dev")]


def chip(io: KernelIo) -> str:
    """Return the folder of the pilot's PWM."""
    for name in io.names("/sys/class/pwm"):
        device = io.target(f"/sys/class/pwm/{name}").split("/")[-3]
        if device in REV.pwm.kernel_devices:
            return f"/sys/class/pwm/{name}"
    pytest.fail("no PWM")


def function(pi: Pi, pin: int) -> int:
    """Return what a pin is for."""
    word = pi.registers(GPFSEL + pin // 10 * 4)[0]
    return word >> pin % 10 * 3 & 7


def high(pi: Pi) -> set[int]:
    """Return the outputs that are high."""
    levels = pi.registers(GPLEV0)[0]
    return {pin for pin in OUTPUTS if levels >> pin & 1}


@dataclass(frozen=True)
class Wave:
    """What the registers of the PWM say."""

    is_on: bool
    is_inverted: bool
    frequency_hz: float
    share: float


def wave(pi: Pi) -> Wave:
    """Return the wave that a PWM with these registers makes at its pin."""
    control, divider = pi.registers(CM_PWM, 2)
    assert control & 0xF == PLLD
    words = pi.registers(PWM, 6)
    on = words[CTL] & (IS_ON | IS_MARK_SPACE) == IS_ON | IS_MARK_SPACE
    clock_hz = PLLD_HZ * FRACTION / (divider & 0xFF_FFFF)
    return Wave(
        on,
        bool(words[CTL] & IS_INVERTED),
        clock_hz / words[RNG1],
        words[DAT1] / words[RNG1],
    )


def steady_low() -> Wave:
    return Wave(True, False, 1000.0, 0.0)


# --- the overlay


def test_overlay_makes_the_devices_of_the_board(pi: Pi) -> None:
    io = PiIo(pi)
    assert {REV.adc.spidev, "/dev/watchdog0"} <= set(nodes(pi))
    assert DEVICE in io.target(chip(io))
    assert DEVICE in REV.pwm.kernel_devices


def test_service_may_write_where_this_kernel_has_the_pwm(pi: Pi) -> None:
    io = PiIo(pi)
    device = io.target(chip(io)).partition("/pwm/")[0].replace("../..", "/sys")
    assert f"ReadWritePaths=-{device}\n" in UNIT.read_text()


def test_overlay_gives_the_modem_the_place_of_spidev(pi: Pi) -> None:
    io = PiIo(pi)
    modem = "/sys/bus/spi/devices/spi0.0"
    assert io.read(f"{modem}/modalias") == "spi:qca7000"
    assert "/dev/spidev0.0" not in nodes(pi)


def test_pilots_pin_is_the_pwms(pi: Pi) -> None:
    assert function(pi, PINS.cp_pwm) == ALT0


# --- the driver


def test_open_board_is_safe_with_every_pin_what_it_is_for(pi: Pi, io: PiIo) -> None:
    KernelHat(io, REV)
    assert wave(pi) == steady_low()
    assert high(pi) == {PINS.cp_en}
    assert {function(pi, pin) for pin in OUTPUTS} == {OUT}
    assert {function(pi, pin) for pin in INPUTS} == {IN}
    assert {function(pi, pin) for pin in SPI} == {ALT4}
    assert function(pi, PINS.cp_pwm) == ALT0


@pytest.mark.parametrize("duty_pct", [5, 50, 0, 100, 8, 16.65, 96])
def test_duty_is_in_the_registers(pi: Pi, io: PiIo, duty_pct: float) -> None:
    KernelHat(io, REV).set_pwm(duty_pct)
    made = wave(pi)
    assert made.is_on
    assert not made.is_inverted
    assert made.frequency_hz == 1000.0
    assert made.share == pytest.approx(duty_pct / 100, abs=1e-5)


def test_outputs_go_high_and_low_one_by_one(pi: Pi, io: PiIo) -> None:
    board = KernelHat(io, REV)
    board.set_contactor(closed=True)
    assert high(pi) == {PINS.cp_en, PINS.k1_req}
    board.enable_supply(on=True)
    assert high(pi) == {PINS.cp_en, PINS.k1_req, PINS.k2_req}
    board.set_contactor(closed=False)
    assert high(pi) == {PINS.cp_en, PINS.k2_req}
    board.heartbeat()
    assert high(pi) == {PINS.cp_en, PINS.k2_req, PINS.wd_hb}
    board.heartbeat()
    assert high(pi) == {PINS.cp_en, PINS.k2_req}


def test_closed_board_is_left_low_and_its_channel_given_back(pi: Pi, io: PiIo) -> None:
    board = KernelHat(io, REV)
    board.set_pwm(100)
    board.set_contactor(closed=True)
    board.enable_supply(on=True)
    board.close()
    assert wave(pi).share == 0.0
    assert not high(pi) & {PINS.k1_req, PINS.k2_req}
    assert "pwm0" not in io.names(chip(io))


def test_second_program_is_refused_and_disturbs_nothing(pi: Pi, io: PiIo) -> None:
    KernelHat(io, REV).set_pwm(5)
    before = wave(pi), high(pi)
    with pytest.raises(BoardError, match=r"gpiochip\d: .*busy.* Another program"):
        KernelHat(PiIo(pi), REV)
    assert (wave(pi), high(pi)) == before


def test_pilot_of_a_killed_program_goes_on_and_the_next_begins_low(
    pi: Pi, io: PiIo
) -> None:
    KernelHat(io, REV).set_pwm(50)
    io.leave()
    assert wave(pi).share == 0.5
    KernelHat(io, REV)
    assert wave(pi) == steady_low()


def test_what_another_program_left_inverted_and_slow_is_made_ours(
    pi: Pi, io: PiIo
) -> None:
    folder = chip(io)
    io.write(f"{folder}/export", "0")
    for name, text in (
        ("period", "20000000"),
        ("duty_cycle", "15000000"),
        ("polarity", "inversed"),
        ("enable", "1"),
    ):
        io.write(f"{folder}/pwm0/{name}", text)
    assert wave(pi) == Wave(True, True, 50.0, 0.75)
    KernelHat(io, REV)
    assert wave(pi) == steady_low()


# --- the twin's kernel against this one


class OfTwin(TwinIo):
    """The same calls, made by the twin's kernel."""

    def __init__(self) -> None:
        hat = Hat(Bench(BenchSettings(), Random(1).randbytes), REV, 0.0)
        self._program = Program(Kernel(hat, REV, Soc()))

    def _ask(
        self, call: Call, handle: int = 0, request: int = 0, data: bytes = b""
    ) -> tuple[int, bytes]:
        return self._program.answer(call, handle, request, data, 0.0)


FRESH = 1  # a channel that no board of ours has: as it was when the kernel started
WRITES = (
    "export x", "unexport 1", "pwm1/period 1000000", "export 1", "export 1",
    "pwm1/duty_cycle 0", "pwm1/enable 1", "pwm1/enable 0", "pwm1/polarity normal",
    "pwm1/period 0", "pwm1/period 1000000", "pwm1/duty_cycle 50000", "pwm1/enable 1",
    "pwm1/period 49999", "pwm1/period 0", "pwm1/duty_cycle 1000001",
    "pwm1/duty_cycle -1", "pwm1/enable 2", "pwm1/polarity inverted",
    "pwm7/period 1000000", "unexport 7", "export 7", "unexport 1", "unexport 1",
    "pwm1/period 1000000", "export 1",
)  # fmt: skip
FILES = ("period", "duty_cycle", "enable", "polarity")


def said(io: KernelIo, write: str) -> str:
    """Return what a kernel says to a write."""
    path, _, text = write.partition(" ")
    try:
        io.write(f"{chip(io)}/{path}", text)
    except OSError as error:
        return f"{write}: {errno.errorcode[error.errno or 0]}"
    return f"{write}: taken"


def test_twins_pwm_takes_and_refuses_what_this_kernel_does(io: PiIo) -> None:
    twin = OfTwin()
    assert [said(io, one) for one in WRITES] == [said(twin, one) for one in WRITES]
    for name in FILES:
        path = f"pwm{FRESH}/{name}"
        assert io.read(f"{chip(io)}/{path}") == twin.read(f"{chip(twin)}/{path}"), path
    io.write(f"{chip(io)}/unexport", str(FRESH))


def lines(*offsets: int, flags: int) -> bytes:
    return abi.Lines(offsets, dict.fromkeys(offsets, flags), "test").packed()


def answers(io: KernelIo) -> Sequence[str]:
    """Return what a kernel says to requests that are wrong, or of a wrong time."""
    path = next(
        f"/dev/{name}"
        for name in io.names("/dev")
        if name.startswith("gpiochip") and is_header(io, f"/dev/{name}")
    )
    chip, spi = io.open(path), io.open(REV.adc.spidev)
    held = io.lines(chip, lines(PINS.led_red, flags=abi.OUTPUT))
    other = io.lines(chip, lines(PINS.estop_n, flags=abi.INPUT | abi.PULL_DOWN))
    take, put, get = abi.GPIO_GET_LINES, abi.GPIO_SET_VALUES, abi.GPIO_GET_VALUES
    one, none = abi.LINE_VALUES.pack(0, 1), abi.LINE_VALUES.pack(0, 0)
    asked = (
        (chip, take, lines(PINS.led_red, flags=abi.OUTPUT)),  # ours already
        (chip, take, lines(PINS.adc_ce, flags=abi.OUTPUT)),  # the SPI's
        (chip, take, lines(54, flags=abi.OUTPUT)),
        (chip, take, lines(PINS.k1_req, flags=abi.OUTPUT | abi.INPUT)),
        (chip, take, bytes(abi.LINES_BYTES)),
        (chip, get, one),
        (held, put, one),
        (held, put, none),
        (held, get, none),
        (other, put, one),
        (spi, get, one),
        (spi, abi.SPI_SET_MODE, b"\0"),
        (chip, 0xDEAD, none),
        (held, 0xDEAD, none),
        (spi, 0xDEAD, none),
        (99, get, one),
    )
    told = []
    for handle, request, data in asked:
        try:
            io.ioctl(handle, request, data)
        except OSError as error:
            told.append(errno.errorcode[error.errno or 0])
        else:
            told.append("done")
    return told


def is_header(io: KernelIo, path: str) -> bool:
    chip = io.open(path)
    told = io.ioctl(chip, abi.GPIO_GET_CHIPINFO, bytes(abi.CHIP_INFO.size))
    io.close(chip)
    label = abi.CHIP_INFO.unpack(told)[1].rstrip(b"\0").decode()
    return label in REV.gpio.kernel_labels


def test_twins_lines_and_spi_refuse_what_this_kernel_does(io: PiIo) -> None:
    assert answers(io) == answers(OfTwin())
