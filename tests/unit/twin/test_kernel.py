"""The twin's kernel: what it answers, and what it refuses, by the kernel's numbers."""

from __future__ import annotations

import errno
from random import Random

import pytest

from pilothat.board import kernelabi as abi
from pilothat.board.kernelwire import SPI_HEAD, Call
from pilothat.board.revision import revision
from pilothat.twin.bench import Bench, BenchSettings
from pilothat.twin.hat import Hat
from pilothat.twin.kernel import Kernel, Program
from pilothat.twin.soc import Soc

REV = revision()
PINS = REV.pins
PWM = "/sys/class/pwm/pwmchip2"
CHIP = "/dev/gpiochip4"
SPI = REV.adc.spidev
OUT, IN = abi.OUTPUT, abi.INPUT | abi.PULL_DOWN
NOTHING = abi.LINE_VALUES.pack(0, 0)


class Pi:
    """A kernel with its clock, and one program."""

    def __init__(self) -> None:
        bench = Bench(BenchSettings(), Random(1).randbytes)
        self.hat = Hat(bench, REV, 0.0)
        self.soc = Soc()
        self.kernel = Kernel(self.hat, REV, self.soc)
        self.program = Program(self.kernel)
        self.now = 0.0

    def do(
        self, call: Call, data: str | bytes, handle: int = 0, request: int = 0
    ) -> tuple[int, bytes]:
        raw = data.encode() if isinstance(data, str) else data
        return self.program.answer(call, handle, request, raw, self.now)

    def names(self, folder: str) -> list[str]:
        return self.do(Call.NAMES, folder)[1].decode().split("\n")

    def read(self, path: str) -> str:
        return self.do(Call.READ, path)[1].decode()

    def write(self, path: str, text: str) -> None:
        self.do(Call.WRITE, f"{path}\0{text}")

    def open(self, path: str) -> int:
        return self.do(Call.OPEN, path)[0]

    def ask(self, handle: int, request: int, data: bytes) -> bytes:
        return self.do(Call.IOCTL, data, handle, request)[1]

    def take(self, flags: dict[int, int], *high: int, chip: str = CHIP) -> int:
        request = abi.Lines(list(flags), flags, "test", high).packed()
        told = self.ask(self.open(chip), abi.GPIO_GET_LINES, request)
        return abi.descriptor_of(told)

    def convert(self, *channels: int) -> bytes:
        frames = [bytes((6 | one >> 2, (one & 3) << 6, 0)) for one in channels]
        message = abi.SpiMessage(frames, 1_000_000)
        data = SPI_HEAD.pack(1_000_000, 3) + message.sent
        return self.do(Call.TRANSFER, data, self.open(SPI), message.request)[1]


@pytest.fixture
def pi() -> Pi:
    return Pi()


@pytest.fixture
def pwm(pi: Pi) -> Pi:
    """A Pi whose channel runs at 1 kHz and 5 %."""
    pi.write(f"{PWM}/export", "0")
    pi.write(f"{PWM}/pwm0/period", "1000000")
    pi.write(f"{PWM}/pwm0/duty_cycle", "50000")
    pi.write(f"{PWM}/pwm0/enable", "1")
    return pi


# --- the PWM's files


def test_tree_has_the_chip_of_the_fan_too_and_links_tell_which_is_which(
    pi: Pi,
) -> None:
    assert pi.names("/sys/class/pwm") == ["pwmchip0", "pwmchip2"]
    links = [pi.do(Call.TARGET, f"/sys/class/pwm/pwmchip{n}")[1] for n in (0, 2)]
    assert b"/1f0009c000.pwm/pwm/pwmchip0" in links[0]
    assert b"/1f00098000.pwm/pwm/pwmchip2" in links[1]
    assert pi.read(f"{PWM}/npwm") == "4\n"


def test_channel_appears_with_its_export_and_goes_with_it(pi: Pi) -> None:
    assert "pwm0" not in pi.names(PWM)
    pi.write(f"{PWM}/export", "0")
    assert "pwm0" in pi.names(PWM)
    files = ("period", "duty_cycle", "enable", "polarity")
    assert [pi.read(f"{PWM}/pwm0/{one}") for one in files] == [
        "0\n", "0\n", "0\n", "normal\n"
    ]  # fmt: skip
    pi.write(f"{PWM}/unexport", "0")
    assert "pwm0" not in pi.names(PWM)


def test_running_channel_pulses_at_its_pin(pwm: Pi) -> None:
    wave = pwm.soc.wave(PINS.cp_pwm)
    assert wave is not None
    assert (wave.frequency_hz, wave.share) == (1000, 0.05)
    pwm.write(f"{PWM}/pwm0/duty_cycle", "1000000")
    assert pwm.soc.level(PINS.cp_pwm, 0.7) == 1


def test_channel_that_is_off_is_low(pwm: Pi) -> None:
    pwm.write(f"{PWM}/pwm0/enable", "0")
    assert pwm.soc.level(PINS.cp_pwm, 0.0) == 0


def test_channel_that_is_given_back_goes_on_and_is_found_as_it_was(pwm: Pi) -> None:
    pwm.write(f"{PWM}/unexport", "0")
    wave = pwm.soc.wave(PINS.cp_pwm)
    assert wave is not None
    assert (wave.frequency_hz, wave.share) == (1000, 0.05)
    pwm.write(f"{PWM}/export", "0")
    assert pwm.read(f"{PWM}/pwm0/enable") == "1\n"


def test_inversed_channel_is_high_for_the_rest_of_its_period(pwm: Pi) -> None:
    for name, text in (("enable", "0"), ("polarity", "inversed"), ("enable", "1")):
        pwm.write(f"{PWM}/pwm0/{name}", text)
    wave = pwm.soc.wave(PINS.cp_pwm)
    assert wave is not None
    assert wave.share == pytest.approx(0.95)


@pytest.mark.parametrize(
    ("path", "text", "number"),
    [
        ("export", "0", errno.EBUSY),
        ("export", "4", errno.ENODEV),
        ("export", "x", errno.EINVAL),
        ("unexport", "1", errno.ENODEV),
        ("pwm1/period", "1000000", errno.ENOENT),
        ("pwm0/capture", "1", errno.ENOENT),
        ("pwm0/period", "49999", errno.EINVAL),
        ("pwm0/period", "0", errno.EINVAL),
        ("pwm0/duty_cycle", "1000001", errno.EINVAL),
        ("pwm0/duty_cycle", "-1", errno.EINVAL),
        ("pwm0/enable", "2", errno.EINVAL),
        ("pwm0/polarity", "inverted", errno.EINVAL),
        ("pwm0/polarity", "inversed", errno.EBUSY),
    ],
)
def test_file_refuses_and_nothing_changes(
    pwm: Pi, path: str, text: str, number: int
) -> None:
    with pytest.raises(OSError, match=errno.errorcode[number]) as told:
        pwm.write(f"{PWM}/{path}", text)
    assert told.value.errno == number
    files = ("period", "duty_cycle", "enable", "polarity")
    assert [pwm.read(f"{PWM}/pwm0/{one}").rstrip() for one in files] == [
        "1000000", "50000", "1", "normal"
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["duty_cycle", "enable", "polarity"])
def test_nothing_is_taken_before_there_is_a_period(pi: Pi, name: str) -> None:
    pi.write(f"{PWM}/export", "0")
    with pytest.raises(OSError, match="EINVAL"):
        pi.write(f"{PWM}/pwm0/{name}", "normal" if name == "polarity" else "0")


@pytest.mark.parametrize(
    ("call", "path"),
    [
        (Call.NAMES, "/etc"),
        (Call.NAMES, f"{PWM}/pwm0"),
        (Call.NAMES, "/sys/class/pwm/pwmchip7"),
        (Call.READ, "/etc/passwd"),
        (Call.READ, f"{PWM}/pwm0/period"),
        (Call.READ, f"{PWM}/export"),
        (Call.TARGET, "/sys/class/pwm/pwmchip7"),
        (Call.OPEN, "/dev/gpiochip9"),
        (Call.OPEN, "/dev/spidev0.0"),
        (Call.OPEN, ""),
    ],
)
def test_what_is_not_there_is_not_found(pi: Pi, call: Call, path: str) -> None:
    with pytest.raises(FileNotFoundError):
        pi.do(call, path)


# --- lines


def test_chips_tell_their_labels(pi: Pi) -> None:
    assert pi.names("/dev") == ["gpiochip0", "gpiochip4", "spidev1.0"]
    told = pi.ask(pi.open(CHIP), abi.GPIO_GET_CHIPINFO, bytes(68))
    name, label, count = abi.CHIP_INFO.unpack(told)
    assert name.rstrip(b"\0") == b"gpiochip4"
    assert (label.rstrip(b"\0"), count) == (b"pinctrl-rp1", 54)


def test_outputs_begin_as_asked_and_are_driven_together(pi: Pi) -> None:
    held = pi.take({PINS.k1_req: OUT, PINS.cp_en: OUT, PINS.led_red: OUT}, PINS.led_red)
    pins = PINS.k1_req, PINS.cp_en, PINS.led_red
    assert [pi.soc.level(pin, 0.0) for pin in pins] == [0, 0, 1]
    pi.ask(held, abi.GPIO_SET_VALUES, abi.LINE_VALUES.pack(0b011, 0b111))
    assert [pi.soc.level(pin, 0.0) for pin in pins] == [1, 1, 0]
    pi.ask(held, abi.GPIO_SET_VALUES, abi.LINE_VALUES.pack(0b100, 0b001))
    assert [pi.soc.level(pin, 0.0) for pin in pins] == [0, 1, 0]


def test_levels_are_those_of_the_board_and_only_what_is_asked_for(pi: Pi) -> None:
    flags = {PINS.estop_n: IN, PINS.fault_n: IN, PINS.led_red: IN}
    held = pi.take(flags)
    told = pi.ask(held, abi.GPIO_GET_VALUES, abi.LINE_VALUES.pack(0, 0b111))
    assert abi.LINE_VALUES.unpack(told) == (0b011, 0b111)
    told = pi.ask(held, abi.GPIO_GET_VALUES, abi.LINE_VALUES.pack(0, 0b010))
    assert abi.LINE_VALUES.unpack(told)[0] == 0b010


@pytest.mark.parametrize(
    ("flags", "number"),
    [
        ({54: OUT}, errno.EINVAL),
        ({22: OUT | IN}, errno.EINVAL),
        ({22: 0}, errno.EINVAL),
        ({PINS.adc_ce: OUT}, errno.EBUSY),
        ({PINS.led_red: OUT}, errno.EBUSY),
    ],
)
def test_lines_that_cannot_be_had(pi: Pi, flags: dict[int, int], number: int) -> None:
    pi.take({PINS.led_red: OUT})
    with pytest.raises(OSError, match=errno.errorcode[number]):
        pi.take({22: OUT, **flags})


def test_line_of_another_program_is_busy_until_that_ends_and_its_level_stays(
    pi: Pi,
) -> None:
    pi.take({PINS.k1_req: OUT}, PINS.k1_req)
    other = Program(pi.kernel)
    first, pi.program = pi.program, other
    with pytest.raises(OSError, match="EBUSY"):
        pi.take({PINS.k1_req: IN})
    first.end()
    assert pi.soc.level(PINS.k1_req, 0.0) == 1
    pi.take({PINS.k1_req: OUT})
    assert pi.soc.level(PINS.k1_req, 0.0) == 0


def test_closed_lines_are_free_and_the_handle_is_gone(pi: Pi) -> None:
    held = pi.take({22: OUT})
    pi.do(Call.CLOSE, b"", held)
    pi.take({22: OUT})
    with pytest.raises(OSError, match="EBADF"):
        pi.ask(held, abi.GPIO_SET_VALUES, NOTHING)


def test_requests_refuse_what_is_wrong_with_them(pi: Pi) -> None:
    chip, spi = pi.open(CHIP), pi.open(SPI)
    held = pi.take({22: OUT, 4: IN})
    values = abi.LINE_VALUES.pack(0, 0b10)
    for handle, request, data, number in (
        (held, abi.GPIO_SET_VALUES, values, errno.EPERM),
        (held, abi.GPIO_SET_VALUES, NOTHING, errno.EINVAL),
        (held, abi.GPIO_GET_VALUES, NOTHING, errno.EINVAL),
        (held, abi.GPIO_GET_VALUES, values[:-1], errno.EFAULT),
        (chip, abi.GPIO_GET_LINES, bytes(591), errno.EFAULT),
        (chip, abi.GPIO_GET_LINES, bytes(592), errno.EINVAL),
        (chip, abi.GPIO_GET_VALUES, values, errno.EINVAL),
        (held, 0xDEAD, b"", errno.EINVAL),
        (spi, abi.GPIO_GET_VALUES, values, errno.ENOTTY),
        (spi, 0xDEAD, b"", errno.ENOTTY),
        (99, abi.GPIO_GET_VALUES, values, errno.EBADF),
    ):
        with pytest.raises(OSError, match=errno.errorcode[number]):
            pi.ask(handle, request, data)


def test_lines_of_another_chip_are_not_the_headers(pi: Pi) -> None:
    pi.take({PINS.k1_req: OUT}, PINS.k1_req, chip="/dev/gpiochip0")
    assert pi.soc.level(PINS.k1_req, 0.0) == 0


# --- SPI


def test_conversions_are_those_of_the_board(pi: Pi) -> None:
    told = pi.convert(REV.channels.rail_high, REV.channels.proximity)
    codes = [(told[n + 1] & 0xF) << 8 | told[n + 2] for n in (0, 3)]
    high = REV.rail_code(REV.driver.rail_high_v)
    assert codes == [high, REV.proximity.code(1500, REV.adc.top)]


def test_conversions_of_a_message_see_the_whole_pulse_pass(pwm: Pi) -> None:
    """At 34 us each, thirty of them pass a period once, and 5 % of it are high."""
    held = pwm.take({PINS.cp_en: OUT, PINS.wd_hb: OUT}, PINS.cp_en)
    pwm.ask(held, abi.GPIO_SET_VALUES, abi.LINE_VALUES.pack(0b10, 0b10))  # a heartbeat
    told = pwm.convert(*[REV.channels.cp_raw] * 30)
    codes = [(told[n + 1] & 0xF) << 8 | told[n + 2] for n in range(0, 90, 3)]
    highs = [code > REV.cp_code(0) for code in codes]
    assert 1 <= sum(highs) <= 3
    assert pwm.kernel.spi_ends == pytest.approx(30 * 34e-6)
    pwm.convert(*[REV.channels.cp_raw] * 30)  # at the same time: behind the others
    assert pwm.kernel.spi_ends == pytest.approx(60 * 34e-6)
    pwm.kernel.advance(0.5)
    assert pwm.kernel.spi_ends == 0.5


@pytest.mark.parametrize(
    ("count", "speed_hz", "size", "sent", "number"),
    [
        (2, 1_000_000, 3, 3, errno.EINVAL),
        (0, 1_000_000, 3, 0, errno.EINVAL),
        (1, 0, 3, 3, errno.EINVAL),
        (3, 1_000_000, 2000, 6000, errno.EMSGSIZE),
    ],
)
def test_message_of_a_wrong_size_is_refused(
    pi: Pi, count: int, speed_hz: int, size: int, sent: int, number: int
) -> None:
    request = abi.SPI_MESSAGE | count * abi.DESCRIPTOR_BYTES << 16
    data = SPI_HEAD.pack(speed_hz, size) + bytes(sent)
    with pytest.raises(OSError, match=errno.errorcode[number]):
        pi.do(Call.TRANSFER, data, pi.open(SPI), request)
