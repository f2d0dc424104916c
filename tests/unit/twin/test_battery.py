"""The battery: state of charge, voltage and energy agree with each other."""

from __future__ import annotations

import pytest

from pilothat.twin.battery import Battery, BatterySettings

SETTINGS = BatterySettings(
    capacity_wh=58_000, soc_pct=20, empty_v=300, full_v=410, r_ohm=0.1
)


def test_the_ends_of_the_curve_are_the_stated_voltages() -> None:
    battery = Battery(SETTINGS)
    assert battery.ocv_at(0) == 300
    assert battery.ocv_at(100) == 410


def test_the_voltage_rises_with_every_percent() -> None:
    battery = Battery(SETTINGS)
    volts = [battery.ocv_at(soc) for soc in range(101)]
    assert volts == sorted(set(volts))


def test_one_full_charge_takes_the_stated_energy() -> None:
    battery = Battery(BatterySettings(58_000, 0, 300, 410, r_ohm=0.0))
    for _ in range(1000):
        battery.take(58_000 / 366.0 / 1000 * 3600, 1.0)
    assert battery.soc_pct == pytest.approx(100, abs=1)
    assert battery.energy_wh == pytest.approx(58_000, rel=0.01)


def test_half_an_hour_at_full_power_means_most_of_a_charge() -> None:
    battery = Battery(SETTINGS)
    battery.take(125, 1800)
    assert battery.soc_pct == pytest.approx(59.6, abs=1)


def test_the_internal_resistance_costs_energy_at_the_terminals() -> None:
    lossless = Battery(BatterySettings(r_ohm=0.0))
    lossy = Battery(BatterySettings(r_ohm=0.1))
    lossless.take(100, 360)
    lossy.take(100, 360)
    assert lossy.energy_wh - lossless.energy_wh == pytest.approx(0.1 * 100 * 100 / 10)


def test_a_reverse_current_discharges() -> None:
    battery = Battery(SETTINGS)
    battery.take(-10, 360)
    assert battery.soc_pct < 20
    assert battery.energy_wh < 0


@pytest.mark.parametrize(("current_a", "end_pct"), [(1e6, 100.0), (-1e6, 0.0)])
def test_the_state_of_charge_stays_between_its_ends(
    current_a: float, end_pct: float
) -> None:
    battery = Battery(SETTINGS)
    battery.take(current_a, 3600)
    assert battery.soc_pct == end_pct
