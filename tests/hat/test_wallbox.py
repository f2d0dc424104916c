"""The driver for an Arduino: bad lines, lost boards, and what is never possible."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from math import inf
from pathlib import Path

import pytest
from serial.tools.list_ports_common import ListPortInfo
from tests.hat.twin import PATIENT_S, RunningWallbox, running_wallbox, until

from pilothat.board import serialport, wallboxtext
from pilothat.board.serialport import SerialPort, find, open_port
from pilothat.board.wallbox import OLDEST_S, Age, Wallbox, open_board
from pilothat.board.wallboxwire import BAUD
from pilothat.errors import BoardError, ConfigError
from pilothat.pilot.levels import PilotLevel, classify
from pilothat.ports import PilotBackend
from pilothat.runtime.twinbench import CableEnd
from pilothat.twin.bench import BenchFault, CarElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.twin.wallbox import WallboxFault

NOTICED_S = OLDEST_S + 0.02
TRIES = 3  # the machine may be busy with something else
LOST_S = 1.0  # the limit for a line, where a test waits until a board is lost


@pytest.fixture
def arduino(tmp_path: Path) -> Iterator[RunningWallbox]:
    with running_wallbox(tmp_path) as made:
        yield made


def opened(arduino: RunningWallbox, oldest_s: float = LOST_S) -> Wallbox:
    return Wallbox(open_port(arduino.twin.link, BAUD), oldest_s)


@pytest.fixture
def board(arduino: RunningWallbox) -> Iterator[Wallbox]:
    with contextlib.closing(opened(arduino, PATIENT_S)) as made:
        yield made


@pytest.fixture
def strict(arduino: RunningWallbox) -> Iterator[Wallbox]:
    with contextlib.closing(opened(arduino)) as made:
        yield made


def turn(board: PilotBackend) -> None:
    board.sample()
    board.contactor_is_closed()
    board.interlocks()
    board.heartbeat()


def lost(board: PilotBackend, do: Callable[[PilotBackend], None] = turn) -> BoardError:
    """Turn until the board is lost."""
    found: list[BoardError] = []

    def is_lost() -> bool:
        try:
            do(board)
        except BoardError as error:
            found.append(error)
        return bool(found)

    until(is_lost, "board lost")
    return found[0]


@contextlib.contextmanager
def charging(arduino: RunningWallbox, board: PilotBackend) -> Iterator[CableEnd]:
    """Have a car that asks, and power."""
    with contextlib.closing(CableEnd(arduino.path)) as cable:
        cable.connect(CarElectrics(CarPilot.C))
        board.set_pwm(5)
        until(lambda: level(board) is PilotLevel.C, "state C")
        board.set_contactor(closed=True)
        board.enable_supply(on=True)
        until(lambda: follows(board, closed=True), "closed")
        yield cable


def level(board: PilotBackend) -> PilotLevel | None:
    turn(board)
    return classify(board.sample().high_v)


def follows(board: PilotBackend, *, closed: bool) -> bool:
    turn(board)
    return board.contactor_is_closed() is closed


def bench_is_open(arduino: RunningWallbox) -> bool:
    return not arduino.twin.port.bench.contactor_is_closed(time.monotonic())


# --- lines


def test_every_other_line_may_be_garbled(
    arduino: RunningWallbox, board: Wallbox
) -> None:
    arduino.fail(WallboxFault.NOISE)
    with charging(arduino, board):
        for _ in range(100):
            turn(board)
        assert board.contactor_is_closed()


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (WallboxFault.CUT, "no good line for"),
        (WallboxFault.WRONG_CRC, "no good line for"),
        (WallboxFault.SILENT, "no good line for"),
        (WallboxFault.DEAF, "does not obey any more"),
        (WallboxFault.UNPLUGGED, "the port is gone"),
        (WallboxFault.RESET, "has been reset"),
    ],
)
def test_broken_line_is_a_lost_board_and_the_sketch_opens_by_itself(
    arduino: RunningWallbox, strict: Wallbox, fault: WallboxFault, told: str
) -> None:
    with charging(arduino, strict):
        arduino.fail(fault)
        assert told in str(lost(strict))
        until(lambda: bench_is_open(arduino), "opened by the sketch")


def test_silence_is_noticed_as_soon_as_a_line_is_too_old(tmp_path: Path) -> None:
    assert min(noticed_s(tmp_path / str(one)) for one in range(TRIES)) <= NOTICED_S


def noticed_s(folder: Path) -> float:
    """Return how long after the last line its want is told, and turns of 5 ms."""
    folder.mkdir()
    with running_wallbox(folder) as arduino:
        board = opened(arduino, OLDEST_S)
        try:
            for _ in range(20):
                turn(board)
                time.sleep(0.005)
        except BoardError:
            return inf  # the machine is busy
        arduino.twin._faults = frozenset({WallboxFault.SILENT})
        began = time.monotonic()
        lost(board)
        took_s = time.monotonic() - began
        board.close()
    return took_s


def test_silence_is_noticed_although_the_driver_is_asked_seldom(
    arduino: RunningWallbox, board: Wallbox
) -> None:
    """What is read late is as old as it is, not as old as its reading."""
    board._oldest_s = 0.4
    turn(board)
    arduino.fail(WallboxFault.SILENT)
    until(lambda: WallboxFault.SILENT in arduino.twin._faults, "silent")
    time.sleep(0.8)
    with pytest.raises(BoardError, match="no good line for"):
        board.sample()


def test_without_heartbeats_the_lease_ends_and_is_not_renewed_by_the_next(
    arduino: RunningWallbox, board: Wallbox
) -> None:
    with charging(arduino, board):

        def is_open() -> bool:
            return not board.contactor_is_closed()

        until(is_open, "lease over")
        for _ in range(50):
            turn(board)
            assert not board.contactor_is_closed()
        board.set_contactor(closed=False)
        board.enable_supply(on=False)
        until(lambda: level(board) is PilotLevel.C, "pilot again")
        board.set_contactor(closed=True)
        until(lambda: follows(board, closed=True), "closed anew")


@pytest.mark.parametrize("pilot", [CarPilot.B, None])
def test_sketch_opens_by_itself_when_the_car_asks_no_more(
    arduino: RunningWallbox, board: Wallbox, pilot: CarPilot | None
) -> None:
    with charging(arduino, board) as cable:
        cable.connect(CarElectrics(pilot) if pilot else None)
        until(lambda: follows(board, closed=False), "opened")
        cable.connect(CarElectrics(CarPilot.C))
        until(lambda: level(board) is PilotLevel.C, "state C again")
        for _ in range(20):
            turn(board)
        assert not board.contactor_is_closed()


def test_shorted_diode_is_no_car_that_asks(
    arduino: RunningWallbox, board: Wallbox
) -> None:
    with charging(arduino, board):
        arduino.fail(BenchFault.DIODE_SHORT)
        until(lambda: follows(board, closed=False), "opened")


def test_arduino_that_was_reset_in_mid_charge_is_open_and_can_be_opened_anew(
    arduino: RunningWallbox, strict: Wallbox
) -> None:
    with charging(arduino, strict):
        arduino.fail(WallboxFault.RESET)
        lost(strict)
        strict._port.close()
        with contextlib.closing(opened(arduino, PATIENT_S)) as board:
            assert not board.contactor_is_closed()
            until(lambda: level(board) is PilotLevel.F, "state F")
            with charging(arduino, board):
                assert board.contactor_is_closed()


def test_port_that_was_unplugged_can_be_opened_again(
    arduino: RunningWallbox, strict: Wallbox
) -> None:
    arduino.fail(WallboxFault.UNPLUGGED)
    lost(strict)
    strict.close()
    with pytest.raises(BoardError, match="cannot open the port"):
        opened(arduino)
    arduino.fail(WallboxFault.UNPLUGGED, on=False)
    until(lambda: Path(arduino.twin.link).exists(), "plugged in")
    with contextlib.closing(opened(arduino, PATIENT_S)) as board:
        turn(board)


def test_port_is_ours_alone(arduino: RunningWallbox, board: Wallbox) -> None:
    with pytest.raises(BoardError, match="does another program use it"):
        opened(arduino)


def test_closing_twice_is_harmless_and_leaves_everything_off(
    arduino: RunningWallbox, board: Wallbox
) -> None:
    with charging(arduino, board):
        board.close()
        board.close()
        until(lambda: bench_is_open(arduino), "open")


# --- how it begins


def test_silent_port_is_told_with_what_to_do(
    arduino: RunningWallbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothat.board.wallbox.START_S", 0.5)
    arduino.fail(WallboxFault.SILENT)
    until(lambda: WallboxFault.SILENT in arduino.twin._faults, "silent")
    with pytest.raises(BoardError, match=r"no line of our sketch.*hat/wallbox flashed"):
        opened(arduino)


def test_deaf_arduino_is_no_board(
    arduino: RunningWallbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pilothat.board.wallbox.START_S", 1.0)
    arduino.fail(WallboxFault.DEAF)
    until(lambda: WallboxFault.DEAF in arduino.twin._faults, "deaf")
    with pytest.raises(BoardError, match="does not hear"):
        opened(arduino)


def test_unknown_dialect_is_told_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="Known: pilothat, text"):
        open_board({"wallbox_dialect": "german"})


def adapter(device: str, vid: int | None) -> ListPortInfo:
    port = ListPortInfo(device)
    port.vid = vid
    return port


@pytest.mark.parametrize(
    ("ports", "told"),
    [
        ([], "0 adapters are plugged in"),
        ([("/dev/ttyS0", None), ("/dev/ttyUSB0", 0x1234)], "0 adapters"),
        (
            [("/dev/ttyACM0", 0x2341), ("/dev/ttyUSB0", 0x1A86)],
            r"/dev/ttyACM0 \(Arduino\), /dev/ttyUSB0 \(CH340\).*by-id",
        ),
    ],
)
def test_automatic_port_must_be_the_only_one(
    ports: list[tuple[str, int | None]], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = [adapter(*port) for port in ports]
    monkeypatch.setattr(serialport, "comports", lambda: found)
    with pytest.raises(BoardError, match=told):
        find()
    monkeypatch.setattr(serialport, "comports", lambda: [adapter("/dev/x", 0x0403)])
    assert find() == "/dev/x"


# --- age


def test_age_is_what_a_line_is_later_than_the_fastest_was() -> None:
    age = Age()
    age.hear(5.0, 100.0)
    assert age.of(100.0) == 0.0
    age.hear(6.0, 101.05)
    assert age.of(101.05) == pytest.approx(0.05, abs=0.011)
    assert age.of(101.25) == pytest.approx(0.25, abs=0.011)


@pytest.mark.parametrize("rate", [0.995, 1.0, 1.005])
def test_age_follows_a_resonator_that_is_half_a_percent_off(rate: float) -> None:
    age = Age()
    for turn_number in range(100_000):
        now = turn_number * 0.15
        age.hear(now * rate, now)
    assert age.of(now) < 0.01
    assert age.of(now + 0.1) == pytest.approx(0.1, abs=0.01)


# --- the published sketch


@pytest.fixture
def published(tmp_path: Path) -> Iterator[RunningWallbox]:
    with running_wallbox(tmp_path, "text") as made:
        yield made


def text_board(arduino: RunningWallbox) -> PilotBackend:
    options = {"wallbox_port": arduino.twin.link, "wallbox_dialect": "text"}
    return open_board(options)


def test_published_sketch_is_looked_at(published: RunningWallbox) -> None:
    with contextlib.closing(text_board(published)) as board:
        assert classify(board.sample().high_v) is PilotLevel.A
        assert board.sample().low_v is None
        with contextlib.closing(CableEnd(published.path)) as cable:
            cable.connect(CarElectrics(CarPilot.B))
            until(lambda: level(board) is PilotLevel.B, "state B")
            until(lambda: board.sample().low_v is not None, "PWM")
            assert not board.contactor_is_closed()


def test_no_power_is_possible_through_the_published_sketch(
    published: RunningWallbox,
) -> None:
    with contextlib.closing(text_board(published)) as board:
        board.set_pwm(5)
        board.set_contactor(closed=False)
        board.enable_supply(on=False)
        with pytest.raises(BoardError, match="takes no commands: no power"):
            board.set_contactor(closed=True)
        with pytest.raises(BoardError, match="no power"):
            board.enable_supply(on=True)


def test_relay_that_the_published_sketch_has_closed_is_told(
    published: RunningWallbox,
) -> None:
    with (
        contextlib.closing(text_board(published)) as board,
        contextlib.closing(CableEnd(published.path)) as cable,
    ):
        cable.connect(CarElectrics(CarPilot.B))
        until(lambda: level(board) is PilotLevel.B, "state B")
        cable.connect(CarElectrics(CarPilot.C))
        until(lambda: follows(board, closed=True), "charging by itself")


def test_arduino_that_opening_does_not_reset_is_known_by_its_levels(
    published: RunningWallbox,
) -> None:
    text_board(published).close()  # its state was told to this one
    with contextlib.closing(text_board(published)) as board:
        assert not board.contactor_is_closed()


class Prints(SerialPort):
    """A port at which an Arduino, for long in one state, tells the same levels."""

    def __init__(self, high_mv: int) -> None:
        self.name = "a port"
        self._line = b"Pilot Voltages high=%d  low=-12000\r\n" % high_mv

    def read(self) -> bytes:
        return self._line

    def wait(self, limit_s: float) -> None: ...

    def close(self) -> None: ...


@pytest.mark.parametrize(("high_mv", "may_be_closed"), [(6000, True), (9000, False)])
def test_relay_is_told_as_closed_unless_the_levels_speak_against_it(
    high_mv: int, *, may_be_closed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wallboxtext, "START_S", 0.05)
    board = wallboxtext.TextWallbox(Prints(high_mv))
    assert board.contactor_is_closed() is may_be_closed


def test_published_sketch_that_says_nothing_more_is_lost(
    published: RunningWallbox,
) -> None:
    with contextlib.closing(text_board(published)) as board:
        published.fail(WallboxFault.SILENT)
        assert "no levels for" in str(lost(board))


def test_port_at_nothing_is_no_board(tmp_path: Path) -> None:
    with pytest.raises(BoardError, match="cannot open the port"):
        open_port(os.fspath(tmp_path / "nothing"), BAUD)
