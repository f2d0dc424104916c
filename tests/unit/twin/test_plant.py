"""The parts of the bench: lines, relay, supply, isolation monitor."""

from __future__ import annotations

import pytest

from pilothat.plant import Isolation, Setpoint
from pilothat.twin.plant import (
    Decay,
    IsolationMonitor,
    IsolationSettings,
    Load,
    Ramp,
    Relay,
    Supply,
    SupplySettings,
)

SUPPLY = SupplySettings(
    max_v=500, max_a=125, max_w=50_000, slew_v_per_s=500, slew_a_per_s=100
)
ON = Setpoint(400, 100, is_on=True)


def supply_on(settings: SupplySettings = SUPPLY) -> Supply:
    supply = Supply(settings)
    supply.enable(0.0, on=True)
    return supply


@pytest.mark.parametrize(
    ("now", "value"), [(1.0, 10.0), (1.5, 15.0), (2.0, 20.0), (9.0, 20.0)]
)
def test_a_ramp_goes_straight_to_its_target_and_stays(now: float, value: float) -> None:
    assert Ramp(10.0, 1.0, 20.0, 10.0).at(now) == value


def test_a_ramp_downwards_ends_at_its_time() -> None:
    ramp = Ramp(20.0, 1.0, 10.0, 5.0)
    assert ramp.ends_at == 3.0
    assert ramp.at(2.0) == 15.0


def test_a_decay_reaches_a_voltage_when_it_says() -> None:
    decay = Decay(500.0, 10.0, 0.3)
    assert decay.at(decay.reaches_at(60.0)) == pytest.approx(60.0)
    assert Decay(50.0, 10.0, 0.3).reaches_at(60.0) == 10.0


@pytest.mark.parametrize(("now", "volts"), [(0.0, 0), (0.4, 200), (0.8, 400), (5, 400)])
def test_the_unloaded_output_slews_to_its_set_point(now: float, volts: float) -> None:
    supply = supply_on()
    supply.command(ON, 0.0)
    assert supply.voltage_v(now) == pytest.approx(volts)


def test_a_supply_without_its_enable_line_gives_nothing() -> None:
    supply = Supply(SUPPLY)
    supply.command(ON, 0.0)
    assert supply.voltage_v(5.0) == 0.0


def test_a_battery_draws_current_up_to_the_limit() -> None:
    supply = supply_on()
    supply.command(ON, 0.0)
    supply.attach(Load(350.0, 0.1), 1.0)
    assert supply.current_a(1.5) == pytest.approx(50.0)
    assert supply.current_a(9.0) == pytest.approx(100.0)
    assert supply.voltage_v(9.0) == pytest.approx(360.0)


def test_near_the_set_point_voltage_the_current_tapers() -> None:
    supply = supply_on()
    supply.command(ON, 0.0)
    supply.attach(Load(398.0, 0.1), 1.0)
    assert supply.current_a(9.0) == pytest.approx(20.0)
    assert supply.voltage_v(9.0) == pytest.approx(400.0)


def test_a_set_point_below_the_battery_draws_nothing_back() -> None:
    supply = supply_on()
    supply.command(ON, 0.0)
    supply.attach(Load(420.0, 0.1), 1.0)
    assert supply.current_a(9.0) == 0.0
    assert supply.voltage_v(9.0) == 420.0


def test_power_and_current_ratings_limit_any_set_point() -> None:
    supply = supply_on(SupplySettings(max_w=20_000))
    supply.command(Setpoint(900, 900, is_on=True), 0.0)
    assert supply.voltage_v(9.0) == 500.0
    supply.attach(Load(400.0, 0.1), 9.0)
    assert supply.current_a(20.0) == pytest.approx(50.0)


def test_the_enable_line_collapses_the_current_at_its_hardware_rate() -> None:
    supply = supply_on(SupplySettings(cut_a_per_s=2500))
    supply.command(ON, 0.0)
    supply.attach(Load(350.0, 0.1), 1.0)
    supply.enable(9.0, on=False)
    assert supply.current_a(9.02) == pytest.approx(50.0)
    assert supply.current_a(9.04) == 0.0


def test_an_overshooting_supply_goes_above_its_set_point() -> None:
    supply = supply_on()
    supply.is_overshooting = True
    supply.command(ON, 0.0)
    assert supply.voltage_v(9.0) == pytest.approx(480.0)


def test_a_slow_supply_is_fifty_times_slower() -> None:
    supply = supply_on()
    supply.is_slow = True
    supply.command(ON, 0.0)
    assert supply.voltage_v(1.0) == pytest.approx(10.0)


def test_a_relay_moves_after_its_delay() -> None:
    relay = Relay(0.02)
    relay.drive(1.0, closed=True)
    assert relay.moves_at == 1.02
    assert not relay.is_closed
    relay.move()
    assert relay.is_closed
    assert relay.moves_at is None


def test_a_relay_that_is_called_back_stays_where_it_is() -> None:
    relay = Relay(0.02)
    relay.drive(1.0, closed=True)
    relay.drive(1.01, closed=False)
    assert relay.moves_at is None


def test_a_welded_relay_does_not_open_and_an_open_one_cannot_weld() -> None:
    relay = Relay(0.0)
    relay.is_welded = True
    relay.refresh(0.0)
    assert not relay.is_closed
    relay.drive(1.0, closed=True)
    relay.move()
    relay.drive(2.0, closed=False)
    assert relay.moves_at is None
    assert relay.is_closed


def test_a_stuck_relay_does_not_close() -> None:
    relay = Relay(0.0)
    relay.is_stuck_open = True
    relay.drive(1.0, closed=True)
    assert relay.moves_at is None


MONITOR = IsolationSettings(self_test_s=2.0, measure_s=1.0, rated_v=500)


@pytest.mark.parametrize(
    ("ohm", "verdict"),
    [
        (250_000, Isolation.VALID),
        (249_999, Isolation.WARNING),
        (50_000, Isolation.WARNING),
        (49_999, Isolation.FAULT),
    ],
)
def test_the_verdict_follows_ohm_per_volt(ohm: float, verdict: Isolation) -> None:
    monitor = IsolationMonitor(MONITOR)
    monitor.set_resistance(ohm, 0.0)
    monitor.measure(0.0, on=True)
    assert monitor.result(3.0) == (verdict, ohm)


def test_nothing_is_known_before_self_test_and_measurement() -> None:
    monitor = IsolationMonitor(MONITOR)
    assert monitor.result(99.0) == (Isolation.INVALID, None)
    monitor.measure(100.0, on=True)
    assert monitor.result(102.99) == (Isolation.INVALID, None)
    assert monitor.result(103.0)[0] is Isolation.VALID


def test_asking_again_does_not_restart_the_measurement() -> None:
    monitor = IsolationMonitor(MONITOR)
    monitor.measure(0.0, on=True)
    monitor.measure(2.0, on=True)
    assert monitor.result(3.0)[0] is Isolation.VALID


def test_a_new_earth_fault_shows_after_the_measuring_time() -> None:
    monitor = IsolationMonitor(MONITOR)
    monitor.measure(0.0, on=True)
    monitor.set_resistance(1000.0, 10.0)
    assert monitor.result(10.99)[0] is Isolation.VALID
    assert monitor.result(11.0)[0] is Isolation.FAULT


def test_a_stopped_monitor_forgets() -> None:
    monitor = IsolationMonitor(MONITOR)
    monitor.measure(0.0, on=True)
    monitor.measure(10.0, on=False)
    assert monitor.result(20.0) == (Isolation.INVALID, None)


def test_a_silent_monitor_never_has_a_verdict() -> None:
    monitor = IsolationMonitor(MONITOR)
    monitor.is_silent = True
    monitor.measure(0.0, on=True)
    assert monitor.result(99.0) == (Isolation.INVALID, None)
