"""Contactor and emergency stop by gpiozero beside a guard: seen, nothing written."""

from __future__ import annotations

import contextlib
import os
import signal
import struct
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from gpiozero import LED, DigitalInputDevice
from gpiozero.exc import (
    PinEdgeDetectUnsupported,
    PinFixedPull,
    PinInvalidFunction,
    PinPWMUnsupported,
    PinSetInput,
)
from tests.hat.machine import MODELS, PI_4, PI_5, MadeUp
from tests.hat.twin import PATIENT_S, Running, running, until

from pilothat.board.lamps import Sensed
from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import PigpioHat
from pilothat.board.pigpiowire import Cmd, Mode, Pull
from pilothat.board.revision import revision
from pilothat.board.selftest import Probe
from pilothat.errors import BoardError
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.lamps import Watched, opened_inputs
from pilothat.runtime.watching import LevelFactory, pigpio_factory
from pilothat.twin.bench import BenchFault

REV = revision()
PINS = REV.pins
SEEN = PINS.k1_fb_n, PINS.estop_n
GOOD = Sensed(is_closed=False, is_estop_released=True)
REFUSED: list[tuple[Callable[[Any], object], type[Exception]]] = [
    (lambda pin: setattr(pin, "function", "output"), PinInvalidFunction),
    (lambda pin: setattr(pin, "pull", "up"), PinFixedPull),
    (lambda pin: setattr(pin, "pull", "floating"), PinFixedPull),
    (lambda pin: setattr(pin, "state", 1), PinSetInput),
    (lambda pin: setattr(pin, "frequency", 100), PinPWMUnsupported),
    (lambda pin: setattr(pin, "bounce", 0.01), PinEdgeDetectUnsupported),
    (lambda pin: setattr(pin, "edges", "both"), PinEdgeDetectUnsupported),
    (lambda pin: setattr(pin, "when_changed", print), PinEdgeDetectUnsupported),
    (lambda pin: pin.output_with_state(1), PinInvalidFunction),
    (lambda pin: pin.input_with_pull("up"), PinFixedPull),
    (lambda pin: LED(5, pin_factory=pin.factory), PinInvalidFunction),
    (
        lambda pin: DigitalInputDevice(5, pin_factory=pin.factory),
        PinEdgeDetectUnsupported,
    ),
]
ONLY_READS = {Cmd.READ, Cmd.BR1, Cmd.TICK, Cmd.HWVER, Cmd.NOIB, Cmd.NC}
OPEN_FOR_EVER = (
    "import sys, time\n"
    "from pilothat.board.revision import revision\n"
    "from pilothat.runtime.lamps import opened_inputs\n"
    "options = {'pigpio_port': sys.argv[1]}\n"
    "with opened_inputs('pigpio', options, revision()) as inputs:\n"
    "    print(inputs.look(), flush=True)\n"
    "    time.sleep(60)\n"
)


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def board(hat: Running) -> Iterator[PigpioHat]:
    """Return the board's driver: whose pins they are."""
    made = PigpioHat(Client(port=hat.port), REV, PATIENT_S)
    with contextlib.closing(made) as opened:
        yield opened


@pytest.fixture
def sent(hat: Running, board: PigpioHat) -> list[Cmd]:
    """Return the commands that reach the daemon from now on."""
    commands: list[Cmd] = []
    handle = hat.twin.daemon.handle

    def spy(
        command: int, p1: int, p2: int, extension: bytes, now: float
    ) -> int | bytes:
        commands.append(Cmd(command))
        return handle(command, p1, p2, extension, now)

    hat.twin.daemon.handle = spy  # type: ignore[method-assign]  # what a wire tap does
    assert board is not None
    return commands


def set_up(hat: Running) -> list[tuple[object, ...]]:
    """Return how the inputs are set up in the daemon."""
    soc, notices = hat.twin.daemon.soc, hat.twin.daemon.notices
    return [
        (soc.mode(pin), soc._pulls[pin], notices._filters_s.get(pin)) for pin in SEEN
    ]


def options(hat: Running) -> dict[str, str]:
    return {"pigpio_port": str(hat.port)}


AS_DRIVER = [(Mode.INPUT, Pull.DOWN, None)] * 2


def test_looking_writes_nothing_to_the_daemon(hat: Running, sent: list[Cmd]) -> None:
    assert set_up(hat) == AS_DRIVER
    with opened_inputs("pigpio", options(hat), REV) as inputs:
        assert inputs.look() == GOOD
        assert set_up(hat) == AS_DRIVER
        hat.fail(BenchFault.ESTOP)
        until(lambda: not inputs.look().is_estop_released, "pressed")
    assert set_up(hat) == AS_DRIVER
    assert Cmd.READ in sent
    assert set(sent) <= ONLY_READS


def test_process_that_is_killed_while_it_looks_has_written_nothing(
    hat: Running, sent: list[Cmd]
) -> None:
    clients = hat.twin.clients
    command = [sys.executable, "-c", OPEN_FOR_EVER, str(hat.port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as looking:
        assert looking.stdout is not None
        assert looking.stdout.readline() == f"{GOOD}\n"
        looking.send_signal(signal.SIGKILL)
    until(lambda: hat.twin.clients == clients, "gone")
    assert set_up(hat) == AS_DRIVER
    assert set(sent) <= ONLY_READS


def test_it_sees_what_the_driver_sees(hat: Running, board: PigpioHat) -> None:
    def seen_by_driver() -> Sensed:
        is_released = board.interlocks().is_estop_released
        return Sensed(board.contactor_is_closed(), is_released)

    with opened_inputs("pigpio", options(hat), REV) as inputs:
        assert inputs.look() == GOOD == seen_by_driver()
        board.set_contactor(closed=True)
        assert Probe(board, REV).wait(board.contactor_is_closed, PATIENT_S)
        hat.fail(BenchFault.CONTACTOR_WELDED)
        hat.fail(BenchFault.ESTOP)
        both = Sensed(is_closed=True, is_estop_released=False)
        until(lambda: inputs.look() == both == seen_by_driver(), "both")


@pytest.mark.parametrize(("want", "refused"), REFUSED)
def test_all_but_reading_is_refused_and_not_sent(
    hat: Running,
    sent: list[Cmd],
    want: Callable[[object], object],
    refused: type[Exception],
) -> None:
    factory = pigpio_factory("127.0.0.1", hat.port)
    with contextlib.closing(factory), pytest.raises(refused):
        want(factory.pin(PINS.estop_n))
    assert set_up(hat) == AS_DRIVER
    assert set(sent) <= ONLY_READS


@pytest.mark.parametrize("fault", [DaemonFault.DEAD, DaemonFault.REFUSING])
def test_daemon_that_fails_is_a_board_error(hat: Running, fault: DaemonFault) -> None:
    factory = pigpio_factory("127.0.0.1", hat.port)
    inputs = Watched(factory, REV)
    hat.fail(fault)
    with pytest.raises(BoardError):
        deque((inputs.look() for _ in range(1000)), maxlen=0)
    with contextlib.suppress(BoardError):
        inputs.close()


# --- a Pi's own register, as a plain file

ALL = 0xFFFF_FFFF
REGISTERS = {  # device, offset of the levels, octets that are mapped
    PI_4: ("dev/gpiomem", 0x34, 0x1000),
    PI_5: ("dev/gpiomem0", 0x10008, 0x30000),
}
CODES = {PI_4: 0xB03114, PI_5: 0xC04170}  # as the firmware tells the board


@dataclass
class Registers:
    """The registers of a made-up Pi: a file in which one word is the levels."""

    root: Path
    model: str

    def __post_init__(self) -> None:
        made = MadeUp(self.root)
        made.pi(self.model)
        device, self.offset, size = REGISTERS[self.model]
        made.put(device, "\0" * size)
        self.device = self.root / device

    def show(self, levels: int) -> None:
        """Show levels; every other word says the opposite."""
        with self.device.open("r+b") as file:
            file.write(
                struct.pack("=I", ~levels & ALL) * (self.device.stat().st_size // 4)
            )
            file.seek(self.offset)
            file.write(struct.pack("=I", levels))

    def mappings(self) -> list[str]:
        """Return how this process has it mapped."""
        lines = Path("/proc/self/maps").read_text(encoding="utf-8").splitlines()
        return [line.split()[1] for line in lines if line.endswith(str(self.device))]

    def opened(self) -> list[int]:
        """Return how this process has it open."""
        found = []
        for link in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(FileNotFoundError):  # of the listing itself
                if link.readlink() == self.device:
                    told = Path(f"/proc/self/fdinfo/{link.name}").read_text("ascii")
                    found.append(int(told.split("flags:")[1].split()[0], 8))
        return [flags & os.O_ACCMODE for flags in found]


@pytest.fixture(params=[PI_4, PI_5])
def registers(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Registers:
    code = CODES[request.param]
    monkeypatch.setattr("gpiozero.pins.local.get_pi_revision", lambda: code)
    return Registers(tmp_path, request.param)


@pytest.mark.parametrize("is_closed", [True, False])
@pytest.mark.parametrize("is_released", [True, False])
@pytest.mark.parametrize("others", [0, ALL])
def test_register_shows_both_inputs_and_takes_no_other_for_them(
    registers: Registers, *, is_closed: bool, is_released: bool, others: int
) -> None:
    ours = 1 << PINS.k1_fb_n | 1 << PINS.estop_n
    levels = others & ~ours | (not is_closed) << PINS.k1_fb_n
    levels |= is_released << PINS.estop_n
    registers.show(~levels & ALL)
    with contextlib.closing(Watched(LevelFactory(registers.root), REV)) as inputs:
        assert inputs.look() == Sensed(not is_closed, not is_released)
        registers.show(levels)
        assert inputs.look() == Sensed(is_closed, is_released)


def test_register_is_mapped_for_reading_and_left_as_it_is(registers: Registers) -> None:
    registers.show(1 << PINS.estop_n)
    was = registers.device.read_bytes()
    factory = LevelFactory(registers.root)
    with contextlib.closing(Watched(factory, REV)) as inputs:
        inputs.look()
        assert registers.mappings() == ["r--s"]
        assert registers.opened() == [os.O_RDONLY]
        with pytest.raises(TypeError):
            factory._words[factory._index] = 0
    assert registers.mappings() == []
    assert registers.device.read_bytes() == was
    with pytest.raises(BoardError):
        inputs.look()


@pytest.mark.parametrize(("want", "refused"), REFUSED)
def test_all_but_reading_is_refused_at_a_register(
    registers: Registers,
    want: Callable[[object], object],
    refused: type[Exception],
) -> None:
    registers.show(ALL)
    was = registers.device.read_bytes()
    with (
        contextlib.closing(LevelFactory(registers.root)) as factory,
        pytest.raises(refused),
    ):
        want(factory.pin(PINS.estop_n))
    assert registers.device.read_bytes() == was


@pytest.mark.parametrize("model", MODELS)
def test_every_pi_has_its_register(tmp_path: Path, model: str) -> None:
    is_pi_5 = "bcm2712" in MODELS[model]
    made = MadeUp(tmp_path)
    made.pi(model)
    device, offset, size = REGISTERS[PI_5 if is_pi_5 else PI_4]
    made.put(device, "\0" * size)
    with contextlib.closing(LevelFactory(tmp_path)) as factory:
        assert factory.levels == 0
        assert factory._index == offset // 4


@pytest.mark.parametrize(
    ("model", "size", "told"),
    [
        (None, 0, "this machine shows its levels"),
        (PI_4, None, "dev/gpiomem: cannot be mapped .*No such file"),
        (PI_5, 0x1000, "dev/gpiomem0: cannot be mapped"),
    ],
)
def test_register_that_cannot_be_had_is_a_board_error(
    tmp_path: Path, model: str | None, size: int | None, told: str
) -> None:
    made = MadeUp(tmp_path)
    if model is not None:
        made.pi(model)
        if size is not None:
            made.put(REGISTERS[model][0], "\0" * size)
    with pytest.raises(BoardError, match=told):
        LevelFactory(tmp_path)


def test_kernel_of_a_twin_has_no_register() -> None:
    refused = pytest.raises(BoardError, match="no pins for gpiozero")
    with refused, opened_inputs("kernel", {"kernel_twin": "here"}, REV):
        pass
