"""The HAT's two drivers on the twin: what they believe, and how they lose a board.

What only the driver for pigpio's daemon does is here, too; test_kernel has the other's.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pigpio
import pytest
from tests.hat.twin import PATIENT_S, Running, running, until

from pilothat.board.kernelhat import KernelHat
from pilothat.board.kernelio import TwinIo
from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import REPLY_S, PigpioHat
from pilothat.board.plausible import RAW_BAD, RAW_COUNT, RailCheck, RawCheck
from pilothat.board.revision import revision
from pilothat.board.transfer import Scale
from pilothat.errors import BoardError
from pilothat.pilot.levels import PilotLevel, PilotSample, classify
from pilothat.ports import Interlocks
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.twin.bench import BenchFault
from pilothat.twin.hat import HatFault
from pilothat.twin.pigpio import SPI_HANDLES

REV = revision()
PINS = REV.pins
NOTICED_S = 0.1
REFUSED = {"pigpio": "-25 BAD_HANDLE", "kernel": "Input/output error"}
TRIES = 3  # the machine may be busy with something else

HatBoard = PigpioHat | KernelHat
B = TypeVar("B", PigpioHat, KernelHat)


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def opened(port: int, reply_s: float = PATIENT_S) -> PigpioHat:
    board = PigpioHat(Client(port=port), REV, reply_s)
    return beating(board)


def opened_kernel(path: str, reply_s: float = PATIENT_S) -> KernelHat:
    board = KernelHat(TwinIo(path, reply_s), REV)
    return beating(board)


def beating(board: B) -> B:
    board.heartbeat()
    board.heartbeat()
    return board


@pytest.fixture(params=["pigpio", "kernel"])
def driver(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def opened_by(driver: str, hat: Running, reply_s: float) -> HatBoard:
    if driver == "kernel":
        return opened_kernel(hat.kernel, reply_s)
    return opened(hat.port, reply_s)


@pytest.fixture
def board(hat: Running, driver: str) -> Iterator[HatBoard]:
    with contextlib.closing(opened_by(driver, hat, PATIENT_S)) as made:
        yield made


@pytest.fixture
def strict(hat: Running, driver: str) -> Iterator[HatBoard]:
    """A board with the limit for answers that a station has."""
    with contextlib.closing(opened_by(driver, hat, REPLY_S)) as made:
        yield made


def turn(board: HatBoard) -> None:
    board.sample()
    board.contactor_is_closed()
    board.interlocks()
    board.heartbeat()


def lost(board: HatBoard) -> BoardError:
    """Turn until the board is lost."""
    found: list[BoardError] = []

    def is_lost() -> bool:
        try:
            turn(board)
        except BoardError as error:
            found.append(error)
        return bool(found)

    until(is_lost, "board lost")
    return found[0]


def closed(board: HatBoard) -> Callable[[], bool]:
    def is_closed() -> bool:
        turn(board)
        return board.contactor_is_closed()

    return is_closed


# --- how a daemon is lost


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (DaemonFault.DEAD, "HAT lost"),
        (DaemonFault.FROZEN, "no answer within"),
        (DaemonFault.SLOW, "no answer within"),
        (DaemonFault.WRONG, "got the answer of another"),
        (DaemonFault.REFUSING, ""),
    ],
)
def test_failing_daemon_is_a_lost_board_and_its_watchdog_opens(
    hat: Running, driver: str, strict: HatBoard, fault: DaemonFault, told: str
) -> None:
    strict.set_contactor(closed=True)
    until(closed(strict), "closed")
    hat.fail(fault)
    assert (told or REFUSED[driver]) in str(lost(strict))
    until(lambda: not hat.twin.hat.gates.is_k1_on, "opened by the watchdog")
    with pytest.raises(BoardError, match="HAT lost"):
        strict.sample()


@pytest.mark.parametrize("number", [signal.SIGSTOP, signal.SIGKILL])
def test_frozen_or_killed_daemon_is_noticed_within_a_tenth_of_a_second(
    tmp_path: Path, number: signal.Signals
) -> None:
    path = str(tmp_path / "bench.sock")
    assert min(noticed_s(path, number) for _ in range(TRIES)) <= NOTICED_S


def noticed_s(path: str, number: signal.Signals) -> float:
    """Return how long after a signal to the daemon its loss is told."""
    command = [sys.executable, "-m", "pilothat.service.cli", "hat-twin", "--port", "0"]
    with subprocess.Popen(
        [*command, "--socket", path], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        line = process.stderr.readline()
        board = opened(int(line.partition("port=")[2].split()[0]), REPLY_S)
        turn(board)
        os.kill(process.pid, number)
        began = time.monotonic()
        lost(board)
        took_s = time.monotonic() - began
        board.close()
        process.kill()
    return took_s


def test_late_answer_is_never_taken_for_the_next(
    hat: Running, strict: HatBoard
) -> None:
    hat.fail(DaemonFault.SLOW)
    lost(strict)
    hat.fail(DaemonFault.SLOW, on=False)
    for call in (strict.sample, strict.interlocks, strict.contactor_is_closed):
        with pytest.raises(BoardError):
            call()


def test_close_makes_safe_over_a_new_connection_when_the_old_one_is_lost(
    hat: Running,
) -> None:
    board = opened(hat.port)
    board.set_contactor(closed=True)
    until(closed(board), "closed")
    hat.fail(DaemonFault.WRONG)
    lost(board)
    hat.fail(DaemonFault.WRONG, on=False)
    board.close()
    pi = pigpio.pi("127.0.0.1", hat.port)
    told = pi.read(PINS.k1_req), pi.get_PWM_dutycycle(PINS.cp_pwm)
    pi.stop()
    assert told == (0, 0)


def test_no_daemon_is_told_with_its_address() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(BoardError, match=f"{port}: no daemon answers"):
        Client(port=port)


# --- how it begins


def test_outputs_left_on_by_a_killed_program_are_switched_off_first(
    hat: Running,
) -> None:
    pi = pigpio.pi("127.0.0.1", hat.port)
    for pin in (PINS.k1_req, PINS.k2_req, PINS.cp_en):
        pi.write(pin, 1)
    pi.hardware_PWM(PINS.cp_pwm, 1000, 50_000)
    pi.stop()
    board = opened(hat.port)
    assert not hat.twin.hat.gates.is_k1_on
    assert not hat.twin.hat.gates.is_k2_on
    assert classify(board.sample().high_v) is not PilotLevel.A
    board.close()


def test_a_hundred_killed_programs_leave_enough_for_the_next(hat: Running) -> None:
    for _ in range(SPI_HANDLES + 2):
        Client.close(opened(hat.port)._client)  # as a killed one: nothing is tidied
    board = opened(hat.port)
    turn(board)
    board.close()


def test_dead_man_of_the_daemon_forces_low_what_a_killed_program_left_on(
    hat: Running,
) -> None:
    board = opened(hat.port)
    board.set_pwm(5)
    board.set_contactor(closed=True)
    until(closed(board), "closed")
    board._client.close()
    pi = pigpio.pi("127.0.0.1", hat.port)
    until(lambda: pi.read(PINS.k1_req) == 0, "dead man")
    assert pi.get_PWM_dutycycle(PINS.cp_pwm) == 0
    pi.stop()


# --- what is believed


def test_inputs_are_told_one_by_one(hat: Running, board: HatBoard) -> None:
    assert board.interlocks() == Interlocks()
    for fault, told in (
        (HatFault.RCM_TRIPPED, Interlocks(is_rcm_good=False)),
        (HatFault.HOT, Interlocks(is_temperature_good=False)),
        (HatFault.SENSOR_OPEN, Interlocks(is_temperature_good=False)),
        (BenchFault.ESTOP, Interlocks(is_estop_released=False)),
    ):
        hat.fail(fault)
        until(lambda told=told: board.interlocks() == told, fault.name)  # type: ignore[misc]
        hat.fail(fault, on=False)
        until(lambda: board.interlocks().is_good, "mended")


def test_sagging_rails_are_a_lost_board(hat: Running, board: HatBoard) -> None:
    hat.fail(HatFault.BROWN_OUT)
    assert "12 V rail is at" in str(lost(board))


def test_stuck_pwm_line_is_found_by_the_raw_readings(
    hat: Running, board: HatBoard
) -> None:
    board.set_pwm(5)
    for _ in range(10):
        turn(board)
    hat.fail(HatFault.PWM_STUCK_LOW)
    assert "no high half wave" in str(lost(board))


def test_good_board_is_believed_for_thousands_of_raw_readings(
    board: HatBoard,
) -> None:
    board.set_pwm(5)
    for _ in range(600):
        turn(board)
    assert classify(board.sample().high_v) is PilotLevel.A


def test_rail_must_be_out_of_tolerance_three_times_in_a_row() -> None:
    check = RailCheck("+12 V", 12.0, 0.02, Scale(0.01, 0.0))
    told = [check.take(code) for code in (1170, 1170, 1180, 1170, 1170, 1170)]
    assert [bool(one) for one in told] == [False] * 5 + [True]
    assert "+12 V rail is at 11.70 V" in told[-1]


def test_pwm_without_a_high_half_wave_is_found_although_the_hold_leaks() -> None:
    check, low = RawCheck(REV), REV.cp_code(-12.0)
    leaking = [PilotSample(9.0 - 0.6 * step, -12.0) for step in range(5)]
    told = [check.take(sample, [low] * (RAW_COUNT // 5)) for sample in leaking]
    assert [bool(one) for one in told] == [False] * 4 + [True]


def test_raw_readings_must_reach_the_level_of_the_hold() -> None:
    check, sample = RawCheck(REV), PilotSample(9.0, -12.0)
    low, high, lower = (REV.cp_code(volts) for volts in (-12.0, 9.0, 8.0))
    for _ in range(RAW_BAD * 2):
        assert check.take(sample, [low] * (RAW_COUNT - 1)) == ""
        assert check.take(sample, [high]) == ""
    codes = [low, lower] * (RAW_COUNT // 2)
    assert check.take(sample, codes) == ""
    assert "9.00 V behind its gate and 8.00 V raw" in check.take(sample, codes)


def test_level_that_moves_begins_a_new_count() -> None:
    check = RawCheck(REV)
    high, low = REV.cp_code(9.0), REV.cp_code(6.0)
    assert check.take(PilotSample(9.0, None), [high] * (RAW_COUNT - 1)) == ""
    for _ in range(RAW_BAD):
        assert check.take(PilotSample(6.0, None), [low] * RAW_COUNT) == ""
