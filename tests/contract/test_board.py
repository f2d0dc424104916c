"""One suite for every board driver: the contract of ``ports.PilotBackend``."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

import pytest
from tests.hat.twin import PATIENT_S, running, running_wallbox, until

from pilothat.errors import BoardError
from pilothat.pilot.levels import PilotLevel, classify
from pilothat.ports import PilotBackend
from pilothat.runtime.benchtalk import Inject
from pilothat.runtime.boards import open_board
from pilothat.runtime.twinbench import CableEnd, inject
from pilothat.twin.bench import BenchFault, CarElectrics
from pilothat.twin.circuit import CarPilot

SAMPLES = 60
CALL_S = 0.001
F, E = PilotLevel.F, PilotLevel.E


@dataclass
class Subject:
    """A board, a car's plug in it, and how it is broken."""

    board: PilotBackend
    path: str
    again: Callable[[], PilotBackend]

    def turn(self) -> None:
        """Do what the guard does every turn."""
        self.board.sample()
        self.board.heartbeat()

    def level(self) -> PilotLevel | None:
        return classify(self.board.sample().high_v)

    def settle(self, level: PilotLevel | None) -> None:
        """Turn until the board sees a level."""

        def sees() -> bool:
            self.turn()
            return self.level() is level

        until(sees, f"level {level}")

    def settle_low(self, level: PilotLevel) -> None:
        """Turn until the board sees a level in the lower half wave."""

        def sees() -> bool:
            self.turn()
            low_v = self.board.sample().low_v
            return low_v is not None and classify(low_v) is level

        until(sees, f"low {level}")

    def follow(self, *, closed: bool) -> None:
        def follows() -> bool:
            self.turn()
            return self.board.contactor_is_closed() is closed

        until(follows, f"contactor closed={closed}")

    def fail(self, fault: BenchFault, *, on: bool = True) -> None:
        assert inject(self.path, Inject(fault, on))

    @contextlib.contextmanager
    def car(self, pilot: CarPilot) -> Iterator[CableEnd]:
        with contextlib.closing(CableEnd(self.path)) as cable:
            cable.connect(CarElectrics(pilot))
            yield cable

    @contextlib.contextmanager
    def car_that_asks(self) -> Iterator[CableEnd]:
        """Plug in a car in state C: without one, some boards close nothing."""
        self.board.set_pwm(5)
        with self.car(CarPilot.C) as cable:
            self.settle(PilotLevel.C)
            yield cable


@contextlib.contextmanager
def twin_board(folder: Path) -> Iterator[Subject]:
    path = str(folder / "bench.sock")
    board = open_board("twin", {"socket": path})
    subject = Subject(board, path, lambda: open_board("twin", {"socket": path}))
    yield subject
    subject.board.close()


@contextlib.contextmanager
def hat_board(driver: str, folder: Path) -> Iterator[Subject]:
    with running(folder) as twin:
        options = {
            "pigpio_port": str(twin.port),
            "kernel_twin": twin.kernel,
            "reply_s": str(PATIENT_S),
        }
        board = open_board(driver, options)
        board.heartbeat()
        board.heartbeat()
        subject = Subject(board, twin.path, lambda: open_board(driver, options))
        yield subject
        subject.board.close()


@contextlib.contextmanager
def wallbox_board(folder: Path) -> Iterator[Subject]:
    with running_wallbox(folder) as arduino:
        options = {"wallbox_port": arduino.twin.link, "reply_s": str(PATIENT_S)}
        board = open_board("wallbox", options)
        subject = Subject(board, arduino.path, lambda: open_board("wallbox", options))
        yield subject
        subject.board.close()


BOARDS = {
    "twin": twin_board,
    "pigpio": partial(hat_board, "pigpio"),
    "kernel": partial(hat_board, "kernel"),
    "wallbox": wallbox_board,
}


@pytest.fixture(params=list(BOARDS.values()), ids=list(BOARDS))
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Subject]:
    with request.param(tmp_path) as made:
        yield made


def test_new_board_is_open_off_and_in_state_f(subject: Subject) -> None:
    assert not subject.board.contactor_is_closed()
    assert subject.board.interlocks().is_good
    subject.settle(F)
    assert subject.board.sample().low_v is None


@pytest.mark.parametrize("duty_pct", [-1.0, 1.0, 2.9, 7.5, 97.5, 99.9, 101.0])
def test_forbidden_duty_is_refused_and_changes_nothing(
    subject: Subject, duty_pct: float
) -> None:
    subject.board.set_pwm(100)
    subject.settle(PilotLevel.A)
    with pytest.raises(ValueError, match="duty"):
        subject.board.set_pwm(duty_pct)
    assert subject.level() is PilotLevel.A


@pytest.mark.parametrize("duty_pct", [3, 5, 10, 50, 96])
def test_pwm_has_two_levels(subject: Subject, duty_pct: float) -> None:
    subject.board.set_pwm(duty_pct)
    subject.settle(PilotLevel.A)
    subject.settle_low(F)  # a short half wave takes a few to charge the hold


def test_steady_levels_have_no_low_half_wave(subject: Subject) -> None:
    for duty_pct, level in ((100, PilotLevel.A), (0, F)):
        subject.board.set_pwm(duty_pct)
        subject.settle(level)
        assert subject.board.sample().low_v is None


@pytest.mark.parametrize("pilot", list(CarPilot))
@pytest.mark.parametrize("duty_pct", [5, 100])
def test_car_is_seen_with_its_level(
    subject: Subject, pilot: CarPilot, duty_pct: float
) -> None:
    subject.board.set_pwm(duty_pct)
    with subject.car(pilot):
        subject.settle(PilotLevel[pilot.name])


@pytest.mark.parametrize(
    ("fault", "level"),
    [
        (BenchFault.CP_SHORT, PilotLevel.E),
        (BenchFault.CP_SHORT_BEHIND_DIODE, PilotLevel.E),
        (BenchFault.PE_LOST, PilotLevel.A),
    ],
)
def test_broken_cable_is_seen_and_so_is_a_mended_one(
    subject: Subject, fault: BenchFault, level: PilotLevel
) -> None:
    subject.board.set_pwm(5)
    with subject.car(CarPilot.C) as cable:
        subject.settle(PilotLevel.C)
        subject.fail(fault)
        subject.settle(level)
        subject.fail(fault, on=False)
        cable.connect(CarElectrics(CarPilot.C))
        subject.settle(PilotLevel.C)


@pytest.mark.parametrize("fault", [BenchFault.DIODE_SHORT, BenchFault.DIODE_MISSING])
def test_bad_diode_shows_in_the_low_half_wave(
    subject: Subject, fault: BenchFault
) -> None:
    subject.board.set_pwm(5)
    with subject.car(CarPilot.B):
        subject.settle(PilotLevel.B)
        subject.fail(fault)

        def shows() -> bool:
            subject.turn()
            low_v = subject.board.sample().low_v
            return low_v is not None and low_v > -9.0

        until(shows, "low half wave gone")


def test_contactor_moves_as_it_is_told(subject: Subject) -> None:
    with subject.car_that_asks():
        for closed in (True, False):
            subject.board.set_contactor(closed=closed)
            subject.follow(closed=closed)


def test_pressed_emergency_stop_is_told_and_opens_in_hardware(
    subject: Subject,
) -> None:
    with subject.car_that_asks():
        subject.board.set_contactor(closed=True)
        subject.follow(closed=True)
        subject.fail(BenchFault.ESTOP)
        subject.follow(closed=False)
        assert not subject.board.interlocks().is_estop_released


def test_welded_contactor_is_told_as_closed(subject: Subject) -> None:
    with subject.car_that_asks():
        subject.board.set_contactor(closed=True)
        subject.follow(closed=True)
        subject.fail(BenchFault.CONTACTOR_WELDED)
        subject.turn()
        subject.board.set_contactor(closed=False)
        for _ in range(SAMPLES):
            subject.turn()
        assert subject.board.contactor_is_closed()


def test_dead_adc_is_a_level_that_fits_no_state_or_a_lost_board(
    subject: Subject,
) -> None:
    subject.board.set_pwm(5)
    subject.settle(PilotLevel.A)
    subject.fail(BenchFault.ADC_STUCK)

    def is_noticed() -> bool:
        try:
            subject.turn()
            return subject.level() is None
        except BoardError:
            return True

    until(is_noticed, "dead ADC noticed")


def test_close_opens_the_contactor_and_a_new_driver_finds_it_open(
    subject: Subject,
) -> None:
    with subject.car_that_asks():
        subject.board.enable_supply(on=True)
        subject.board.set_contactor(closed=True)
        subject.follow(closed=True)
        subject.board.close()
        subject.board = subject.again()
        subject.follow(closed=False)
        subject.settle(F)


def test_calls_take_less_than_a_millisecond(subject: Subject) -> None:
    board, spent_s = subject.board, []
    for _ in range(SAMPLES):
        for call in (board.sample, board.interlocks, board.heartbeat):
            began = time.perf_counter()
            call()
            spent_s.append(time.perf_counter() - began)
    assert median(spent_s) < CALL_S
