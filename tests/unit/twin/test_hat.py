"""The twin of the board: gates, watchdog, holds, and what the ADC tells."""

from __future__ import annotations

from random import Random

import pytest

from pilothat.board.revision import revision
from pilothat.pilot.levels import PilotLevel, classify
from pilothat.twin.bench import Bench, BenchFault, BenchSettings, CarElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.twin.hat import Hat, HatFault, driven_cp, floating_cp
from pilothat.twin.soc import Wave

REV = revision()
PINS, CHANNELS = REV.pins, REV.channels
FIVE = Wave(1000, 0.05, 0.0)
WINDOW_S = REV.watchdog.window_s
SETTLED_S = 0.05


class Board:
    """A board, and a hand on its heartbeat."""

    def __init__(self) -> None:
        self.bench = Bench(BenchSettings(), Random(1).randbytes)
        self.hat = Hat(self.bench, REV, 0.0)
        self.now = 0.0
        self._level = 0
        self.hat.drive(PINS.wd_hb, 0, 0.0)

    def live(self, duration_s: float) -> Board:
        """Let time pass with a heartbeat every 50 ms."""
        for _ in range(round(duration_s / SETTLED_S)):
            self.now += SETTLED_S
            self.beat()
        return self

    def beat(self) -> None:
        self._level = 1 - self._level
        self.hat.drive(PINS.wd_hb, self._level, self.now)

    def on(self, *pins: int) -> Board:
        for pin in pins:
            self.hat.drive(pin, 1, self.now)
        return self

    def plug(self, pilot: CarPilot | None) -> Board:
        self.hat.advance(self.now)
        self.bench.connect(CarElectrics(pilot) if pilot else None, self.now)
        return self

    def cp_v(self, channel: int) -> float:
        return REV.cp_v(self.hat.code(channel, self.now))

    def is_closed(self) -> bool:
        return self.hat.inputs(self.now)[PINS.k1_fb_n] == 0


def alive(wave: Wave = FIVE) -> Board:
    board = Board()
    board.on(PINS.cp_en)
    board.hat.pulse(wave, 0.0)
    return board.live(0.2)


def test_connector_sees_twelve_volts_with_the_driver_on_and_nearly_none_off() -> None:
    on, off = driven_cp(REV), floating_cp(REV)
    assert on.high_v == pytest.approx(11.94, abs=0.02)
    assert on.low_v == pytest.approx(-11.94, abs=0.05)
    assert 960 < on.r1_ohm < 1003
    assert off.high_v == pytest.approx(0.49, abs=0.01)


@pytest.mark.parametrize(
    ("pilot", "level"),
    [(None, "A"), (CarPilot.B, "B"), (CarPilot.C, "C"), (CarPilot.D, "D")],
)
def test_holds_tell_both_half_waves_at_five_percent(
    pilot: CarPilot | None, level: str
) -> None:
    board = alive().plug(pilot).live(SETTLED_S)
    assert classify(board.cp_v(CHANNELS.cp_high)) is PilotLevel[level]
    assert classify(board.cp_v(CHANNELS.cp_low)) is PilotLevel.F


def test_raw_input_sees_the_pulse_only_while_it_lasts() -> None:
    board = alive()
    start = board.now = 0.2
    seen = []
    for step_us in range(0, 1000, 10):
        board.now = start + step_us * 1e-6 + 1e-9
        seen.append(board.cp_v(CHANNELS.cp_raw))
    assert [classify(v) for v in seen[2:5]] == [PilotLevel.A] * 3
    assert [classify(v) for v in seen[8:]] == [PilotLevel.F] * 92


def test_hold_has_followed_a_car_that_stops_after_ten_milliseconds() -> None:
    board = alive().plug(CarPilot.C).live(SETTLED_S).plug(CarPilot.B)
    board.now += 0.01
    assert classify(board.cp_v(CHANNELS.cp_high)) is PilotLevel.B


def test_hold_whose_gate_stays_shut_goes_stale_and_leaks() -> None:
    board = alive()
    before_v = board.cp_v(CHANNELS.cp_high)
    board.hat.pulse(Wave(1000, 0.0, 0.0), board.now)
    board.plug(CarPilot.B).live(1.0)
    assert before_v - 6 < board.cp_v(CHANNELS.cp_high) < before_v - 3
    assert classify(board.cp_v(CHANNELS.cp_low)) is PilotLevel.F


def test_without_a_heartbeat_everything_is_off() -> None:
    board = Board().on(PINS.cp_en, PINS.k1_req, PINS.k2_req)
    board.hat.pulse(FIVE, 0.0)
    board.now = 1.0
    assert classify(board.cp_v(CHANNELS.cp_high)) is PilotLevel.E
    assert not board.is_closed()


@pytest.mark.parametrize("last", [0, 1])
def test_watchdog_opens_after_its_window_whether_stuck_high_or_low(last: int) -> None:
    board = alive().on(PINS.k1_req, PINS.k2_req).live(0.2 + last * SETTLED_S)
    edge = board.now
    board.now = edge + WINDOW_S - 0.001
    assert board.is_closed()
    assert board.hat.deadline == pytest.approx(edge + WINDOW_S)
    board.now = edge + WINDOW_S + BenchSettings().relay_s + 0.001
    board.hat.advance(board.now)
    assert not board.is_closed()
    assert board.hat.inputs(board.now)[PINS.k2_fb_n] == 1
    board.now += 0.1
    assert classify(board.cp_v(CHANNELS.cp_high)) is PilotLevel.E


def test_heartbeat_that_does_not_change_is_none() -> None:
    board = alive()
    board.now += WINDOW_S - 0.01
    board.hat.drive(PINS.wd_hb, 0, board.now)  # it was low already
    board.now += 0.02
    board.hat.advance(board.now)
    assert not board.hat.gates.is_watched


def test_pressed_emergency_stop_opens_in_hardware_and_is_told() -> None:
    board = alive().on(PINS.k1_req).live(0.2)
    board.bench.inject(BenchFault.ESTOP, board.now)
    board.live(SETTLED_S)
    assert board.hat.inputs(board.now)[PINS.estop_n] == 0
    assert not board.is_closed()


def test_tripped_monitor_opens_in_hardware_and_is_told() -> None:
    board = alive().on(PINS.k1_req, PINS.k2_req).live(0.2)
    board.hat.inject(HatFault.RCM_TRIPPED, board.now)
    board.live(SETTLED_S)
    assert board.hat.inputs(board.now)[PINS.fault_n] == 0
    assert not board.is_closed()
    assert not board.hat.gates.is_k2_on


def test_welded_contactor_is_told_by_its_mirror_contact() -> None:
    board = alive().on(PINS.k1_req).live(0.2)
    board.bench.inject(BenchFault.CONTACTOR_WELDED, board.now)
    board.hat.drive(PINS.k1_req, 0, board.now)
    assert board.live(0.2).is_closed()


def test_slow_channels_tell_rails_cable_and_temperature() -> None:
    board = alive()
    code = board.hat.code
    assert REV.rail_v(code(CHANNELS.rail_high, 1.0)) == pytest.approx(12.1, abs=0.02)
    assert REV.cp_v(code(CHANNELS.rail_low, 1.0)) == pytest.approx(-12.1, abs=0.02)
    assert REV.pp_ohm(code(CHANNELS.proximity, 1.0)) == pytest.approx(1500, rel=0.01)
    assert code(CHANNELS.temperature_plus, 1.0) == pytest.approx(1363, abs=2)


@pytest.mark.parametrize(
    ("fault", "channel", "low", "high"),
    [
        (HatFault.BROWN_OUT, CHANNELS.rail_high, 0, REV.rail_code(11.0)),
        (HatFault.HOT, CHANNELS.temperature_plus, 1575, 1590),
        (HatFault.SENSOR_OPEN, CHANNELS.temperature_minus, 4095, 4095),
    ],
)
def test_fault_of_the_board_shows_at_the_adc_and_goes_when_mended(
    fault: HatFault, channel: int, low: int, high: int
) -> None:
    board = alive()
    good = board.hat.code(channel, board.now)
    board.hat.inject(fault, board.now)
    assert low <= board.hat.code(channel, board.now) <= high
    board.hat.inject(fault, board.now, on=False)
    assert board.hat.code(channel, board.now) == good


def test_stuck_adc_tells_nothing_on_all_channels() -> None:
    board = alive()
    board.bench.inject(BenchFault.ADC_STUCK, board.now)
    assert {board.hat.code(channel, board.now) for channel in range(8)} == {0}


def test_stuck_pwm_line_leaves_the_high_hold_stale() -> None:
    board = alive().plug(CarPilot.C).live(SETTLED_S)
    board.hat.inject(HatFault.PWM_STUCK_LOW, board.now)
    board.live(SETTLED_S)
    assert classify(board.cp_v(CHANNELS.cp_high)) is PilotLevel.C
    assert classify(board.cp_v(CHANNELS.cp_raw)) is PilotLevel.F
