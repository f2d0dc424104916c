"""Contactor and emergency stop by gpiozero beside a guard: seen, nothing written."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from gpiozero import LED, DigitalInputDevice
from gpiozero.exc import (
    PinEdgeDetectUnsupported,
    PinFixedPull,
    PinInvalidFunction,
    PinPWMUnsupported,
    PinSetInput,
)
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
from pilothat.runtime.watching import pigpio_factory
from pilothat.twin.bench import BenchFault

REV = revision()
PINS = REV.pins
SEEN = PINS.k1_fb_n, PINS.estop_n
GOOD = Sensed(is_closed=False, is_estop_released=True)
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


@pytest.mark.parametrize(
    ("want", "refused"),
    [
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
    ],
)
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
