"""The driver by the kernel's interfaces on the twin: what is found, taken and left."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pigpio
import pytest
from tests.hat.test_driver import closed, lost, opened, opened_kernel, turn
from tests.hat.twin import Running, running, until

from pilothat.board.kernelhat import KernelHat
from pilothat.board.kernelio import TwinIo
from pilothat.board.revision import revision
from pilothat.errors import BoardError
from pilothat.pilot.levels import PilotLevel, classify
from pilothat.runtime.benchtalk import DaemonFault

REV = revision()
PINS = REV.pins
PWM = "/sys/class/pwm/pwmchip2"


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


@contextlib.contextmanager
def stranger(hat: Running) -> Iterator[TwinIo]:
    """Another program at the same kernel."""
    io = TwinIo(hat.kernel, 2.0)
    yield io
    io.leave()


def sees(board: KernelHat, level: PilotLevel) -> bool:
    turn(board)
    return classify(board.sample().high_v) is level


def test_second_program_finds_the_lines_taken_and_disturbs_nothing(
    hat: Running,
) -> None:
    with contextlib.closing(opened_kernel(hat.kernel)) as board:
        board.set_pwm(100)
        board.set_contactor(closed=True)
        until(closed(board), "closed")
        with pytest.raises(BoardError, match=r"gpiochip4: .*busy.* Another program"):
            KernelHat(TwinIo(hat.kernel, 2.0), REV)
        assert closed(board)()
        assert sees(board, PilotLevel.A)


def test_killed_program_leaves_its_outputs_to_the_watchdog(hat: Running) -> None:
    board = opened_kernel(hat.kernel)
    board.set_pwm(5)
    board.set_contactor(closed=True)
    until(closed(board), "closed")
    board._io.leave()  # as a killed one: nothing is tidied
    assert hat.twin.hat.gates.is_k1_on
    until(lambda: not hat.twin.hat.gates.is_k1_on, "opened by the watchdog")


def test_next_program_switches_off_first_what_a_killed_one_left_on(
    hat: Running,
) -> None:
    first = opened_kernel(hat.kernel)
    first.set_pwm(100)
    first.set_contactor(closed=True)
    first.enable_supply(on=True)
    first._io.leave()
    until(lambda: hat.twin.clients == 0, "gone")
    with contextlib.closing(opened_kernel(hat.kernel)) as board:
        assert not hat.twin.hat.gates.is_k1_on
        assert not hat.twin.hat.gates.is_k2_on
        until(lambda: sees(board, PilotLevel.F), "state F")


def test_channel_of_a_stranger_becomes_ours(hat: Running) -> None:
    with stranger(hat) as io:
        io.write(f"{PWM}/export", "0")
        io.write(f"{PWM}/pwm0/period", "20000000")
        io.write(f"{PWM}/pwm0/polarity", "inversed")
        io.write(f"{PWM}/pwm0/duty_cycle", "15000000")
        io.write(f"{PWM}/pwm0/enable", "1")
        with contextlib.closing(opened_kernel(hat.kernel)) as board:
            files = ("period", "duty_cycle", "polarity", "enable")
            told = [io.read(f"{PWM}/pwm0/{name}") for name in files]
            assert told == ["1000000", "0", "normal", "1"]
            board.set_pwm(5)
            until(lambda: sees(board, PilotLevel.A), "state A")


def test_channel_that_is_taken_away_is_a_lost_board_with_the_next_duty(
    hat: Running,
) -> None:
    with (
        stranger(hat) as io,
        contextlib.closing(opened_kernel(hat.kernel)) as board,
    ):
        board.set_pwm(5)
        until(lambda: sees(board, PilotLevel.A), "state A")
        io.write(f"{PWM}/unexport", "0")
        assert sees(board, PilotLevel.A)  # the pilot goes on, until it is to change
        with pytest.raises(BoardError, match="pwm0: HAT lost: No such file"):
            board.set_pwm(100)


def test_channel_that_is_switched_off_is_a_lost_board(hat: Running) -> None:
    with (
        stranger(hat) as io,
        contextlib.closing(opened_kernel(hat.kernel)) as board,
    ):
        board.set_pwm(5)
        until(lambda: sees(board, PilotLevel.A), "state A")
        io.write(f"{PWM}/pwm0/enable", "0")
        assert "no high half wave" in str(lost(board))


def test_closed_board_gives_everything_back(hat: Running) -> None:
    board = opened_kernel(hat.kernel)
    board.set_pwm(5)
    board.set_contactor(closed=True)
    board.close()
    assert not hat.twin.hat.gates.is_k1_on
    with stranger(hat) as io:
        assert "pwm0" not in io.names(PWM)
    with contextlib.closing(opened_kernel(hat.kernel)) as again:
        turn(again)


def test_both_drivers_move_the_same_pins(hat: Running) -> None:
    with contextlib.closing(opened(hat.port)) as board:
        board.set_contactor(closed=True)
        until(closed(board), "closed")
    with contextlib.closing(opened_kernel(hat.kernel)) as kernel:
        kernel.set_contactor(closed=True)
        pi = pigpio.pi("127.0.0.1", hat.port)
        assert pi.read(PINS.k1_req) == 1
        pi.stop()


def test_machine_that_died_and_is_back_takes_a_new_driver(hat: Running) -> None:
    board = opened_kernel(hat.kernel)
    hat.fail(DaemonFault.DEAD)
    lost(board)
    board.close()
    with pytest.raises(BoardError, match="no twin answers"):
        TwinIo(hat.kernel)
    hat.fail(DaemonFault.DEAD, on=False)

    def is_back() -> bool:
        with contextlib.suppress(BoardError):
            opened_kernel(hat.kernel).close()
            return True
        return False

    until(is_back, "back")


def test_odd_packets_do_not_disturb_the_twin(hat: Running) -> None:
    with stranger(hat) as io:
        for packet in (b"x", bytes(13), b"\xff" * 40, bytes(60_000)):
            with contextlib.closing(TwinIo(hat.kernel, 2.0)._socket) as other:
                other.send(packet)
        assert "pwmchip2" in io.names("/sys/class/pwm")


def test_command_serves_a_kernel_without_a_daemon(tmp_path: Path) -> None:
    bench, kernel = str(tmp_path / "bench"), str(tmp_path / "kernel")
    command = (
        sys.executable, "-m", "pilothat.service.cli", "hat-twin",
        "--socket", bench, "--kernel", kernel,
    )  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        board = opened_kernel(kernel)
        began = time.monotonic()
        turn(board)
        board.close()
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0
    assert "port=" not in line
    assert f"ready kernel={kernel} bench={bench}" in line
    assert time.monotonic() - began < 10
