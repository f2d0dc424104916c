"""The driver on this machine's own calls: files in a folder, requests to a fake."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
import struct
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pilothat.board import kernelabi as abi
from pilothat.board.kernelhat import KernelHat
from pilothat.board.kernelio import MachineIo, TwinIo
from pilothat.board.revision import revision
from pilothat.errors import BoardError
from pilothat.twin.pigpio import convert

REV = revision()
PINS, CHANNELS = REV.pins, REV.channels
PERIOD = "1000000"
RESTING = 1 << PINS.estop_n | 1 << PINS.fault_n | 1 << PINS.k1_fb_n | 1 << PINS.k2_fb_n
GOOD = {
    CHANNELS.cp_raw: REV.cp_code(-12),
    CHANNELS.cp_high: REV.cp_code(12),
    CHANNELS.cp_low: REV.cp_code(-12),
    CHANNELS.rail_high: REV.rail_code(REV.driver.rail_high_v),
    CHANNELS.rail_low: REV.cp_code(REV.driver.rail_low_v),
    CHANNELS.temperature_plus: 1280,
    CHANNELS.temperature_minus: 1280,
}


Call = Callable[[KernelHat], object]


class Requests:
    """The kernel behind ``ioctl``: knows files by their names, and what was driven."""

    def __init__(self) -> None:
        self.made: list[int] = []
        self.lines: abi.Lines | None = None
        self.driven: dict[int, int] = {}
        self.levels = RESTING
        self.spi: list[bytes] = []
        self.refused: dict[int, int] = {}  # by request, with what
        self.short = 0  # bytes that an SPI message lacks

    def __call__(self, handle: int, request: int, data: bytearray) -> int:
        self.made.append(request)
        if request in self.refused:
            raise OSError(self.refused[request], os.strerror(self.refused[request]))
        match request:
            case abi.GPIO_GET_CHIPINFO:
                label = Path(f"/proc/self/fd/{handle}").read_bytes()
                data[:] = abi.CHIP_INFO.pack(b"gpiochip", label, 54)
            case abi.GPIO_GET_LINES:
                self.lines = abi.lines(bytes(data))
                data[:] = abi.with_descriptor(bytes(data), os.dup(handle))
            case abi.GPIO_GET_VALUES:
                data[:] = self._values(*abi.LINE_VALUES.unpack(data))
            case abi.GPIO_SET_VALUES:
                self._drive(*abi.LINE_VALUES.unpack(data))
            case abi.SPI_SET_MODE | abi.SPI_SET_BITS:
                self.spi.append(bytes(data))
            case _:
                return self._exchange(data) - self.short
        return 0

    def _values(self, _bits: int, mask: int) -> bytes:
        assert self.lines is not None
        places = enumerate(self.lines.offsets)
        bits = sum((self.levels >> pin & 1) << place for place, pin in places)
        return abi.LINE_VALUES.pack(bits & mask, mask)

    def _drive(self, bits: int, mask: int) -> None:
        assert self.lines is not None
        for place, pin in enumerate(self.lines.offsets):
            if mask >> place & 1:
                self.driven[pin] = bits >> place & 1

    def _exchange(self, data: bytearray) -> int:
        total = 0
        for place in range(0, len(data), abi.DESCRIPTOR_BYTES):
            tx, rx, count = struct.unpack_from("<QQI", data, place)
            sent = ctypes.string_at(tx, count)
            ctypes.memmove(rx, convert(sent, GOOD.__getitem__), count)
            total += count
        return total


class Machine:
    """A folder that looks like a Pi 5."""

    def __init__(self, root: Path, device: str = REV.pwm.kernel_devices[0]) -> None:
        self.root = root
        self.requests = Requests()
        for path, text in (
            ("dev/gpiochip0", "gpio-brcmstb@107d508500"),
            ("dev/gpiochip4", REV.gpio.kernel_labels[0]),
            ("dev/spidev1.0", ""),
        ):
            self.file(path).write_text(text)
        for number, name in ((0, "1f0009c000.pwm"), (2, device)):
            chip = f"sys/devices/platform/axi/{name}/pwm/pwmchip{number}"
            self.file(f"{chip}/export").touch()
            self.file(f"{chip}/unexport").touch()
            link = self.file(f"sys/class/pwm/pwmchip{number}")
            link.symlink_to(f"../../devices/platform/axi/{name}/pwm/pwmchip{number}")
        self.chip = root / "sys/class/pwm/pwmchip2"

    def file(self, path: str) -> Path:
        made = self.root / path
        made.parent.mkdir(parents=True, exist_ok=True)
        return made

    def export(
        self, period: str = "0", duty: str = "0", polarity: str = "normal"
    ) -> None:
        """Do what the kernel does when a channel is asked for."""
        files = ("period", period), ("duty_cycle", duty), ("polarity", polarity)
        for name, text in (*files, ("enable", "0")):
            path = self.chip / "pwm0" / name
            path.parent.mkdir(exist_ok=True)
            path.write_text(f"{text}\n")

    def pwm(self, name: str) -> str:
        return (self.chip / "pwm0" / name).read_text().rstrip("\n")

    def io(self) -> MachineIo:
        return MachineIo(self.root, self.requests)


class Watched(MachineIo):
    """Keeps what is written; a file may refuse for a while, as before udev's rules."""

    def __init__(self, machine: Machine, refusals: int = 0) -> None:
        super().__init__(machine.root, machine.requests)
        self._machine = machine
        self._refusals = refusals
        self.written: list[str] = []
        self.waited_s = 0.0

    def write(self, path: str, text: str) -> None:
        if self._refusals:
            self._refusals -= 1
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        name = path.rpartition("/")[2]
        self.written.append(f"{name}={text}")
        super().write(path, text)
        if name == "export":
            self._machine.export()

    def wait(self, duration_s: float) -> None:
        self.waited_s += duration_s


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.fixture
def board(machine: Machine) -> Iterator[KernelHat]:
    machine.export()
    with contextlib.closing(KernelHat(machine.io(), REV)) as made:
        yield made


# --- how it begins


def test_all_lines_are_held_by_one_request_and_outputs_begin_low(
    machine: Machine, board: KernelHat
) -> None:
    assert machine.requests.made.count(abi.GPIO_GET_LINES) == 1
    lines = machine.requests.lines
    assert lines is not None
    outputs = {PINS.cp_en, PINS.k1_req, PINS.k2_req, PINS.wd_hb}
    inputs = {PINS.estop_n, PINS.fault_n, PINS.k1_fb_n, PINS.k2_fb_n}
    assert set(lines.offsets) == outputs | inputs
    assert {pin for pin in outputs if lines.flags[pin] == abi.OUTPUT} == outputs
    pulled = abi.INPUT | abi.PULL_DOWN
    assert {pin for pin in inputs if lines.flags[pin] == pulled} == inputs
    assert list(lines.high) == []
    assert machine.requests.driven == {PINS.cp_en: 1}
    assert machine.requests.spi == [b"\x00", b"\x08"]


def test_pwm_is_found_by_its_device_and_begins_steady_low(
    machine: Machine, board: KernelHat
) -> None:
    told = [machine.pwm(name) for name in ("period", "duty_cycle", "enable")]
    assert told == [PERIOD, "0", "1"]
    assert (machine.chip / "export").read_text() == ""


@pytest.mark.parametrize("device", REV.pwm.kernel_devices)
def test_pwm_of_every_pi_is_known(tmp_path: Path, device: str) -> None:
    machine = Machine(tmp_path, device)
    machine.export()
    KernelHat(machine.io(), REV).close()
    assert machine.pwm("period") == PERIOD


def test_channel_is_exported_first_and_a_new_one_gets_a_period_before_a_duty(
    machine: Machine,
) -> None:
    io = Watched(machine)
    KernelHat(io, REV)
    assert io.written == [
        "export=0", f"period={PERIOD}", "duty_cycle=0", "enable=1"
    ]  # fmt: skip


def test_channel_left_by_another_program_is_made_low_before_its_period_changes(
    machine: Machine,
) -> None:
    machine.export(period="20000000", duty="15000000", polarity="inversed")
    io = Watched(machine)
    KernelHat(io, REV)
    assert io.written == [
        "duty_cycle=0", f"period={PERIOD}", "enable=0", "polarity=normal",
        "duty_cycle=0", "enable=1",
    ]  # fmt: skip


def test_new_files_are_waited_for_until_udev_gives_them_away(machine: Machine) -> None:
    io = Watched(machine, refusals=10)
    KernelHat(io, REV)
    assert io.waited_s == pytest.approx(0.2)
    assert machine.pwm("enable") == "1"


def test_files_that_are_never_ours_end_in_the_name_of_the_group(
    machine: Machine,
) -> None:
    io = Watched(machine, refusals=10_000)
    with pytest.raises(BoardError, match=r"pwmchip2: .*Permission denied.* gpio"):
        KernelHat(io, REV)
    assert 1.0 < io.waited_s < 5.0


# --- how it drives


@pytest.mark.parametrize(
    ("duty_pct", "duty_ns"),
    [(0, "0"), (5, "50000"), (16.7, "167000"), (96, "960000"), (100, PERIOD)],
)
def test_duty_is_written_in_nanoseconds(
    machine: Machine, board: KernelHat, duty_pct: float, duty_ns: str
) -> None:
    board.set_pwm(duty_pct)
    assert machine.pwm("duty_cycle") == duty_ns
    assert machine.pwm("enable") == "1"


def test_outputs_and_heartbeat_are_one_request_each(
    machine: Machine, board: KernelHat
) -> None:
    requests = machine.requests
    steps: list[tuple[Call, int, int]] = [
        (lambda hat: hat.set_contactor(closed=True), PINS.k1_req, 1),
        (lambda hat: hat.enable_supply(on=True), PINS.k2_req, 1),
        (KernelHat.heartbeat, PINS.wd_hb, 1),
        (KernelHat.heartbeat, PINS.wd_hb, 0),
        (lambda hat: hat.set_contactor(closed=False), PINS.k1_req, 0),
    ]
    for call, pin, level in steps:
        requests.made.clear()
        requests.driven.clear()
        call(board)
        assert requests.made == [abi.GPIO_SET_VALUES]
        assert requests.driven == {pin: level}


def test_sample_is_one_spi_message_and_one_look_at_the_lines(
    machine: Machine, board: KernelHat
) -> None:
    board.set_pwm(5)
    machine.requests.made.clear()
    sample = board.sample()
    message, levels = machine.requests.made
    assert abi.size_of(message) == 25 * 32
    assert levels == abi.GPIO_GET_VALUES
    assert sample.high_v == pytest.approx(12, abs=0.01)
    assert sample.low_v == pytest.approx(-12, abs=0.01)


@pytest.mark.parametrize("count", [1, 100, 511, 512, 1200])
def test_codes_come_in_as_many_messages_as_the_kernel_needs(
    machine: Machine, board: KernelHat, count: int
) -> None:
    machine.requests.made.clear()
    codes = board.codes(CHANNELS.rail_high, count)
    assert list(codes) == [GOOD[CHANNELS.rail_high]] * count
    assert len(machine.requests.made) == -(-count // 511)


def test_inputs_are_told_by_their_pins(machine: Machine, board: KernelHat) -> None:
    def told() -> tuple[bool, bool, bool]:
        board._sampler.outdate()
        chain = board.interlocks()
        closed = board.contactor_is_closed()
        return chain.is_estop_released, chain.is_rcm_good, closed

    assert told() == (True, True, False)
    for pin, seen in (
        (PINS.estop_n, (False, True, False)),
        (PINS.fault_n, (True, False, False)),
        (PINS.k1_fb_n, (True, True, True)),
        (PINS.k2_fb_n, (True, True, False)),
    ):
        machine.requests.levels = RESTING & ~(1 << pin)
        assert told() == seen


def test_close_opens_all_puts_the_pilot_low_and_lets_go(machine: Machine) -> None:
    machine.export()
    board = KernelHat(machine.io(), REV)
    before = open_files()
    board.set_pwm(100)
    board.set_contactor(closed=True)
    board.enable_supply(on=True)
    board.close()
    board.close()
    driven = machine.requests.driven
    assert (driven[PINS.k1_req], driven[PINS.k2_req]) == (0, 0)
    assert (driven[PINS.cp_en], machine.pwm("duty_cycle")) == (1, "0")
    assert (machine.chip / "unexport").read_text() == "0"
    assert before - open_files() == 2


def test_levels_are_looked_at_anew_after_an_output_has_changed(
    machine: Machine, board: KernelHat
) -> None:
    drives: list[Call] = [
        lambda hat: hat.set_contactor(closed=True),
        lambda hat: hat.enable_supply(on=True),
    ]
    for drive in drives:
        board.sample()
        drive(board)
        machine.requests.levels = RESTING & ~(1 << PINS.k1_fb_n)
        assert board.contactor_is_closed()
        machine.requests.levels = RESTING


# --- how it is lost


CALLS: dict[str, tuple[int, Call]] = {
    "sample": (abi.SpiMessage([b"abc"] * 25, 1).request, KernelHat.sample),
    "levels": (abi.GPIO_GET_VALUES, KernelHat.contactor_is_closed),
    "interlocks": (abi.GPIO_GET_VALUES, KernelHat.interlocks),
    "heartbeat": (abi.GPIO_SET_VALUES, KernelHat.heartbeat),
    "contactor": (abi.GPIO_SET_VALUES, lambda hat: hat.set_contactor(closed=True)),
    "supply": (abi.GPIO_SET_VALUES, lambda hat: hat.enable_supply(on=True)),
}


@pytest.mark.parametrize("name", CALLS)
def test_refused_request_is_a_lost_board(
    machine: Machine, board: KernelHat, name: str
) -> None:
    request, call = CALLS[name]
    call(board)
    board._sampler.outdate()
    machine.requests.refused = {request: errno.EIO}
    for _ in range(2):
        with pytest.raises(BoardError, match="HAT lost: Input/output error"):
            call(board)
    machine.requests.refused.clear()


def test_answer_that_is_too_short_is_not_taken_for_the_one_before(
    machine: Machine, board: KernelHat
) -> None:
    board.sample()
    machine.requests.short = 3
    with pytest.raises(BoardError, match="HAT lost: 72 of 75 bytes"):
        board.sample()


def test_vanished_channel_is_a_lost_board(machine: Machine, board: KernelHat) -> None:
    (machine.chip / "pwm0/duty_cycle").unlink()
    with pytest.raises(BoardError, match=r"pwm0: HAT lost: No such file"):
        board.set_pwm(5)


def test_what_can_still_be_opened_is_opened_when_the_rest_is_lost(
    machine: Machine, board: KernelHat
) -> None:
    board.set_contactor(closed=True)
    (machine.chip / "pwm0/duty_cycle").unlink()
    board.close()
    assert machine.requests.driven[PINS.k1_req] == 0


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("dev/gpiochip4", "/dev: HAT lost: no chip of pins labelled pinctrl-rp1 or"),
        ("dev/spidev1.0", "/dev/spidev1.0: HAT lost: No such file.*overlays"),
        ("sys/class/pwm/pwmchip2", "/sys/class/pwm: .*no PWM of 1f00098000.pwm or"),
    ],
)
def test_missing_device_is_named(machine: Machine, gone: str, told: str) -> None:
    machine.export()
    (machine.root / gone).unlink()
    with pytest.raises(BoardError, match=told):
        KernelHat(machine.io(), REV)


def test_lines_of_another_program_are_told(machine: Machine) -> None:
    machine.export()
    machine.requests.refused = {abi.GPIO_GET_LINES: errno.EBUSY}
    with pytest.raises(BoardError, match=r"gpiochip4: .*busy.* Another program"):
        KernelHat(machine.io(), REV)


def test_board_that_does_not_open_keeps_nothing_open(machine: Machine) -> None:
    machine.export()
    (machine.root / "dev/spidev1.0").unlink()
    before = open_files()
    with pytest.raises(BoardError):
        KernelHat(machine.io(), REV)
    assert open_files() == before


def test_request_goes_to_the_kernel_and_its_answer_comes_back() -> None:
    """The one request that any kernel has: how many bytes wait in a pipe."""
    reading, writing = os.pipe()
    os.write(writing, b"seven..")
    told = MachineIo().ioctl(reading, termios.FIONREAD, bytes(4))
    os.close(writing)
    os.close(reading)
    assert int.from_bytes(told, sys.byteorder) == 7


# --- the twin's end of the line


@pytest.fixture
def line(tmp_path: Path) -> Iterator[tuple[TwinIo, socket.socket]]:
    """A driver's end, and the other in the hands of the test."""
    path = str(tmp_path / "kernel.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener:
        listener.bind(path)
        listener.listen(1)
        io = TwinIo(path, reply_s=0.05)
        with listener.accept()[0] as other:
            yield io, other
        io.leave()


def test_calls_are_numbered_and_answers_taken_by_their_number(
    line: tuple[TwinIo, socket.socket],
) -> None:
    io, other = line
    other.send(struct.pack("<Ii", 1, 0) + b"1000000\n")
    assert io.read("/x/period") == "1000000"
    assert other.recv(100) == struct.pack("<IBiI", 1, 3, 0, 0) + b"/x/period"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        (struct.pack("<Ii", 7, 0), "READ got the answer of another"),
        (b"abc", "the twin has gone"),
        (b"", "no answer within 50 ms"),
    ],
)
def test_odd_answer_ends_the_line_for_good(
    line: tuple[TwinIo, socket.socket], answer: bytes, told: str
) -> None:
    io, other = line
    if answer:
        other.send(answer)
    with pytest.raises(OSError, match=told):
        io.read("/x")
    with pytest.raises(OSError, match=told):
        io.open("/x")


def test_refusal_is_the_kernels_own_and_the_line_stays(
    line: tuple[TwinIo, socket.socket],
) -> None:
    io, other = line
    other.send(struct.pack("<Ii", 1, -errno.ENOENT))
    with pytest.raises(FileNotFoundError):
        io.open("/dev/x")
    other.send(struct.pack("<Ii", 2, 5))
    assert io.open("/dev/y") == 5


def test_no_twin_is_told_with_its_socket(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match=r"k\.sock: no twin answers"):
        TwinIo(str(tmp_path / "k.sock"))
