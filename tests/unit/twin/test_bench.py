"""The bench: what board, supply and car see of one another, good and broken."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pilothat.pilot.levels import PilotLevel, PilotSample, classify
from pilothat.plant import OFF, SAFE_V, Isolation, PlantFact, Setpoint
from pilothat.twin.bench import (
    Bench,
    BenchFault,
    BenchSettings,
    CarElectrics,
    LoadBreak,
)
from pilothat.twin.circuit import CarPilot

SETTINGS = BenchSettings()
READY = CarElectrics(CarPilot.C, contactor_closed=False, ocv_v=350.0, r_ohm=0.1)
JOINED = CarElectrics(CarPilot.C, contactor_closed=True, ocv_v=350.0, r_ohm=0.1)


def seeded(seed: int = 1) -> Callable[[int], bytes]:
    return Random(seed).randbytes


def bench(settings: BenchSettings = SETTINGS) -> Bench:
    return Bench(settings, seeded())


def charging_bench() -> Bench:
    """A bench that delivers 100 A since 1.0 s; contacts closed, enable on."""
    it = bench()
    it.connect(READY, 0.0)
    it.drive_pilot(5, 0.0)
    it.enable_supply(0.0, on=True)
    it.set_contactor(0.0, closed=True)
    it.set_output(Setpoint(350, 2, is_on=True), 0.0)
    it.connect(JOINED, 0.9)
    it.set_output(Setpoint(400, 100, is_on=True), 1.0)
    return it


def plant(it: Bench, now: float) -> PlantFact:
    fact = it.plant(now)
    assert fact is not None
    return fact


def test_a_new_bench_is_dead_and_open() -> None:
    it = bench()
    assert plant(it, 5.0) == PlantFact(0.0, 0.0, 0.0)
    assert not it.contactor_is_closed(5.0)
    assert it.interlocks(5.0).is_good


@pytest.mark.parametrize(
    ("car", "level"),
    [
        (None, PilotLevel.A),
        (CarElectrics(), PilotLevel.B),
        (READY, PilotLevel.C),
        (CarElectrics(CarPilot.D), PilotLevel.D),
    ],
)
def test_the_board_reads_what_the_car_hangs_on_the_pilot(
    car: CarElectrics | None, level: PilotLevel
) -> None:
    it = bench()
    it.connect(car, 0.0)
    assert classify(it.pilot(0.0).high_v) is level


def test_the_car_sees_the_duty_only_when_plugged() -> None:
    it = bench()
    it.drive_pilot(5, 0.0)
    assert it.pilot_at_inlet(0.0) == (0.0, False)
    it.connect(CarElectrics(), 1.0)
    assert it.pilot_at_inlet(1.0) == (5, True)
    it.drive_pilot(100, 2.0)
    assert it.pilot_at_inlet(2.0) == (100, False)


@pytest.mark.parametrize(("now", "is_closed"), [(1.019, False), (1.02, True)])
def test_the_contactor_closes_after_20_ms(now: float, is_closed: bool) -> None:
    it = bench()
    it.set_contactor(1.0, closed=True)
    assert it.contactor_is_closed(now) is is_closed


def test_current_flows_when_both_contactors_are_closed() -> None:
    it = charging_bench()
    assert plant(it, 5.0) == PlantFact(360.0, 360.0, 100.0)
    assert it.inlet(5.0) == pytest.approx((360.0, 100.0))


def test_an_open_contactor_keeps_the_supply_from_the_outlet() -> None:
    it = bench()
    it.enable_supply(0.0, on=True)
    it.set_output(Setpoint(400, 2, is_on=True), 0.0)
    assert plant(it, 5.0) == PlantFact(400.0, 0.0, 0.0)


def test_the_bleeder_makes_the_outlet_safe_after_opening() -> None:
    it = bench()
    it.connect(READY, 0.0)
    it.enable_supply(0.0, on=True)
    it.set_contactor(0.0, closed=True)
    it.set_output(Setpoint(500, 2, is_on=True), 0.0)
    it.set_contactor(5.0, closed=False)
    assert plant(it, 5.1).outlet_v > SAFE_V
    safe_at = it.deadline
    it.tick(5.2)
    while (deadline := it.deadline) is not None:
        safe_at = deadline
        it.tick(deadline)
    assert safe_at == pytest.approx(5.02 + 0.3 * 2.1203, abs=0.001)
    assert plant(it, 5.7).outlet_v <= SAFE_V


def test_a_joined_battery_is_at_the_outlet_even_without_supply() -> None:
    it = bench()
    it.connect(JOINED, 0.0)
    assert plant(it, 1.0) == PlantFact(0.0, 350.0, 0.0)


def test_supply_enable_collapses_the_current_in_tens_of_milliseconds() -> None:
    it = charging_bench()
    it.enable_supply(5.0, on=False)
    assert plant(it, 5.01).current_a == pytest.approx(75.0)
    assert plant(it, 5.04).current_a == 0.0


def test_opening_under_load_is_remembered() -> None:
    it = charging_bench()
    it.set_contactor(5.0, closed=False)
    it.tick(6.0)
    assert it.load_breaks == [LoadBreak(5.02, 100.0)]


def test_opening_in_order_breaks_no_load() -> None:
    it = charging_bench()
    it.set_output(OFF, 5.0)
    it.set_contactor(6.0, closed=False)
    it.connect(READY, 6.1)
    it.tick(7.0)
    assert it.load_breaks == []


def test_pulling_the_plug_under_load_is_a_load_break_too() -> None:
    it = charging_bench()
    it.connect(None, 5.0)
    assert it.load_breaks == [LoadBreak(5.0, 100.0)]
    assert it.inlet(5.0) == (0.0, 0.0)


def test_a_rising_battery_voltage_does_not_disturb_the_current() -> None:
    it = charging_bench()
    it.connect(CarElectrics(CarPilot.C, True, 360.0, 0.1), 5.0)
    assert plant(it, 5.0) == PlantFact(370.0, 370.0, 100.0)


def test_isolation_is_measured_after_self_test() -> None:
    it = bench()
    it.measure_isolation(1.0, on=True)
    assert plant(it, 3.9).isolation is Isolation.INVALID
    assert plant(it, 4.0).isolation is Isolation.VALID
    it.measure_isolation(5.0, on=False)
    assert plant(it, 5.0).isolation is Isolation.INVALID


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (BenchFault.ISOLATION_FAULT, Isolation.FAULT),
        (BenchFault.ISOLATION_WARNING, Isolation.WARNING),
        (BenchFault.ISOLATION_SILENT, Isolation.INVALID),
    ],
)
def test_isolation_faults_show_in_the_verdict(
    fault: BenchFault, verdict: Isolation
) -> None:
    it = bench()
    it.inject(fault, 0.0)
    it.measure_isolation(1.0, on=True)
    assert plant(it, 4.0).isolation is verdict


def test_a_welded_contactor_stays_closed() -> None:
    it = charging_bench()
    it.inject(BenchFault.CONTACTOR_WELDED, 4.0)
    it.set_contactor(5.0, closed=False)
    assert it.contactor_is_closed(6.0)
    it.inject(BenchFault.CONTACTOR_WELDED, 7.0, on=False)
    assert not it.contactor_is_closed(7.02)


def test_a_stuck_contactor_stays_open() -> None:
    it = bench()
    it.inject(BenchFault.CONTACTOR_STUCK_OPEN, 0.0)
    it.set_contactor(1.0, closed=True)
    assert not it.contactor_is_closed(9.0)


def test_the_emergency_stop_opens_and_disables_in_hardware() -> None:
    it = charging_bench()
    it.inject(BenchFault.ESTOP, 5.0)
    assert not it.interlocks(5.0).is_estop_released
    assert not it.contactor_is_closed(5.02)
    assert plant(it, 5.1).supply_v < SAFE_V


def test_a_silent_supply_reports_nothing() -> None:
    it = charging_bench()
    it.inject(BenchFault.SUPPLY_SILENT, 5.0)
    assert it.plant(5.0) is None
    it.inject(BenchFault.SUPPLY_SILENT, 6.0, on=False)
    assert plant(it, 6.0).current_a == 100.0


@pytest.mark.parametrize(
    ("fault", "volts"),
    [
        (BenchFault.SUPPLY_DEAD, 0.0),
        (BenchFault.SUPPLY_SLOW, 10.0),
        (BenchFault.SUPPLY_OVERSHOOT, 480.0),
    ],
)
def test_supply_faults_show_one_second_after_the_command(
    fault: BenchFault, volts: float
) -> None:
    it = bench()
    it.inject(fault, 0.0)
    it.enable_supply(0.0, on=True)
    it.set_output(Setpoint(400, 2, is_on=True), 0.0)
    assert plant(it, 1.0).supply_v == pytest.approx(volts)


@pytest.mark.parametrize(
    ("fault", "sample"),
    [
        (BenchFault.CP_SHORT, PilotSample(0.0, 0.0)),
        (BenchFault.CP_SHORT_BEHIND_DIODE, PilotSample(0.7, -12.0)),
        (BenchFault.PE_LOST, PilotSample(12.0, -12.0)),
        (BenchFault.ADC_STUCK, PilotSample(-14.8, -14.8)),
    ],
)
def test_pilot_faults_show_in_the_sample(
    fault: BenchFault, sample: PilotSample
) -> None:
    it = bench()
    it.connect(READY, 0.0)
    it.drive_pilot(5, 0.0)
    before = it.pilot(0.0)
    it.inject(fault, 1.0)
    assert it.pilot(1.0) == sample
    it.inject(fault, 2.0, on=False)
    assert it.pilot(2.0) == before


@pytest.mark.parametrize("fault", [BenchFault.DIODE_SHORT, BenchFault.DIODE_MISSING])
def test_a_bad_diode_lifts_the_low_half_wave(fault: BenchFault) -> None:
    it = bench()
    it.connect(CarElectrics(), 0.0)
    it.drive_pilot(5, 0.0)
    it.inject(fault, 0.0)
    assert it.pilot(0.0).low_v == -it.pilot(0.0).high_v


@pytest.mark.parametrize("fault", [BenchFault.CP_SHORT, BenchFault.PE_LOST])
def test_a_broken_pilot_line_hides_the_pwm_from_the_car(fault: BenchFault) -> None:
    it = bench()
    it.connect(READY, 0.0)
    it.drive_pilot(5, 0.0)
    it.inject(fault, 1.0)
    assert it.pilot_at_inlet(1.0) == (0.0, False)


def test_noise_is_the_same_for_the_same_seed_and_stays_in_its_band() -> None:
    settings = BenchSettings(noise_v=0.1)
    first, second, other = (Bench(settings, seeded(s)) for s in (1, 1, 2))
    samples = [first.pilot(0.0).high_v for _ in range(100)]
    assert samples == [second.pilot(0.0).high_v for _ in range(100)]
    assert samples != [other.pilot(0.0).high_v for _ in range(100)]
    assert all(abs(v - 12.0) <= 0.1 for v in samples)


def test_a_noisy_adc_leaves_the_bands() -> None:
    it = bench()
    it.connect(CarElectrics(), 0.0)
    it.inject(BenchFault.ADC_NOISE, 0.0)
    levels = {classify(it.pilot(0.0).high_v) for _ in range(200)}
    assert levels >= {PilotLevel.B, None}


def test_the_report_has_the_resolution_of_the_instrument() -> None:
    it = charging_bench()
    it.connect(CarElectrics(CarPilot.C, True, 350.123, 0.1), 5.0)
    assert plant(it, 6.0).outlet_v == 360.1


def test_the_deadline_is_always_in_the_future_and_runs_out() -> None:
    it = charging_bench()
    it.measure_isolation(1.0, on=True)
    it.tick(1.0)
    times = []
    while (deadline := it.deadline) is not None:
        it.tick(deadline)
        times.append(deadline)
    assert times == sorted(set(times))
    assert times[-1] == pytest.approx(4.0)


commands = st.lists(
    st.tuples(
        st.floats(0.0, 2.0),
        st.sampled_from(
            [
                lambda it, now: it.set_contactor(now, closed=True),
                lambda it, now: it.set_contactor(now, closed=False),
                lambda it, now: it.enable_supply(now, on=True),
                lambda it, now: it.enable_supply(now, on=False),
                lambda it, now: it.set_output(Setpoint(400, 100, is_on=True), now),
                lambda it, now: it.set_output(OFF, now),
                lambda it, now: it.measure_isolation(now, on=True),
                lambda it, now: it.drive_pilot(5, now),
                lambda it, now: it.connect(READY, now),
                lambda it, now: it.connect(JOINED, now),
                lambda it, now: it.connect(None, now),
                lambda it, now: it.inject(BenchFault.ISOLATION_FAULT, now),
                lambda it, now: it.inject(BenchFault.CONTACTOR_WELDED, now),
                lambda it, now: it.inject(BenchFault.ESTOP, now),
            ]
        ),
    ),
    max_size=20,
)


@settings(max_examples=100, deadline=None)
@given(commands)
def test_looking_at_the_bench_changes_nothing(
    told: list[tuple[float, Callable[[Bench, float], None]]],
) -> None:
    watched, left_alone = bench(), bench()
    now = 0.0
    for pause_s, command in told:
        look(watched, now, now + pause_s)
        now += pause_s
        command(watched, now)
        command(left_alone, now)
    look(watched, now, now + 5.0)
    assert views(watched, now + 5.0) == views(left_alone, now + 5.0)
    assert watched.load_breaks == left_alone.load_breaks


def look(it: Bench, begin: float, end: float) -> None:
    for step in range(7):
        views(it, begin + (end - begin) * step / 7)


def views(it: Bench, now: float) -> tuple[object, ...]:
    return it.plant(now), it.inlet(now), it.pilot(now), it.contactor_is_closed(now)
