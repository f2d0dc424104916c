"""The sketch of ``hat/wallbox`` in a simulated ATmega328P: times, levels, the relay."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from tests.hat.sketch import (
    Bench,
    Script,
    compiled,
    needs_compiler,
    needs_simulator,
    pulses,
    relay,
    said,
    simulator,
    sizes,
)

from pilothat.board.wallboxwire import Why

FLASH_BYTES, RAM_BYTES = 32_256, 2_048  # without the boot loader
SHARE = 0.8
LEASE_S = 0.5
OPENS_S = 0.05
LSB_V = 0.05  # of the converter, with its rounding
EDGE_US = 0.25  # the simulator moves a pin between two instructions


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("sketch")
    return Bench(simulator(folder), compiled(folder))


def started() -> Script:
    """Return a processor that runs, with a good chain and a car in state C."""
    return Script().cp(6.0).run(1).chain(0).run(20)


def charging() -> Script:
    """Return one whose relay is closed."""
    return started().wishing(100, 5).wishing(100, 5, on=True)


@needs_compiler
def test_sketch_compiles_without_a_warning_and_leaves_a_fifth_free(
    tmp_path: Path,
) -> None:
    flash, ram = sizes(compiled(tmp_path))
    assert flash < SHARE * FLASH_BYTES
    assert ram < SHARE * RAM_BYTES


@needs_simulator
@pytest.mark.parametrize(("high_v", "low_v"), [(9.0, -12.0), (3.0, -11.0)])
@pytest.mark.parametrize("duty_pct", [3, 5, 7, 8, 16.65, 50, 96, 97])
def test_pulse_has_its_width_and_both_half_waves_are_measured(
    bench: Bench, duty_pct: float, high_v: float, low_v: float
) -> None:
    script = Script().run(1).chain(0).cp(high_v, low_v)
    events = bench.play(script.wishing(100, duty_pct).measure())
    period_us, high_us = pulses(events)[0]
    assert period_us == pytest.approx(1000.0, abs=EDGE_US)
    assert high_us == pytest.approx(duty_pct * 10, abs=EDGE_US)
    status = said(events)[-1]
    assert status.duty_pct == pytest.approx(duty_pct)
    assert status.high_v == pytest.approx(high_v, abs=LSB_V)
    assert status.low_v == pytest.approx(low_v, abs=LSB_V)


@needs_simulator
@pytest.mark.parametrize(("duty_pct", "cp_v"), [(100, 9.0), (0, -12.0)])
def test_steady_levels_have_no_edges(
    bench: Bench, duty_pct: float, cp_v: float
) -> None:
    script = started().cp(9.0).wishing(100, 5).wishing(200, duty_pct).measure()
    events = bench.play(script.run(5).measure())
    assert pulses(events)[0] == pulses(events)[1]
    status = said(events)[-1]
    assert status.sample.high_v == pytest.approx(cp_v, abs=LSB_V)
    assert status.sample.low_v is None


@needs_simulator
def test_state_is_told_every_ten_milliseconds(bench: Bench) -> None:
    statuses = said(bench.play(started().wishing(1000, 5)))
    assert 90 <= len(statuses) <= 103
    gaps_s = [later.up_s - one.up_s for one, later in pairwise(statuses)]
    assert max(gaps_s) <= 0.016


@needs_simulator
def test_relay_closes_when_wished_with_a_car_that_asks(bench: Bench) -> None:
    events = bench.play(charging())
    assert [is_on for _, is_on in relay(events)] == [False, True]
    assert said(events)[-1].is_contactor_on


@needs_simulator
@pytest.mark.parametrize(
    ("high_v", "low_v"),
    [(9.0, -12.0), (12.0, -12.0), (0.0, 0.0), (0.8, -12.0), (6.0, -6.0)],
    ids=["car asks no more", "unplugged", "short", "short behind diode", "no diode"],
)
def test_relay_opens_within_50_ms_when_the_pilot_leaves_c_and_stays_open(
    bench: Bench, high_v: float, low_v: float
) -> None:
    script = charging().cp(high_v, low_v).wishing(100, 5, on=True)
    events = bench.play(script.cp(6.0).wishing(200, 5, on=True))
    changes = relay(events)
    assert [is_on for _, is_on in changes] == [False, True, False]
    left_at_s = 0.221 + 0.002  # a wish takes a little
    assert changes[-1][0] - left_at_s < OPENS_S
    assert said(events)[-1].why is Why.PILOT


@needs_simulator
def test_pilot_may_leave_c_for_20_ms(bench: Bench) -> None:
    script = charging().cp(9.0).run(20).cp(6.0).wishing(100, 5, on=True)
    assert [is_on for _, is_on in relay(bench.play(script))] == [False, True]


@needs_simulator
def test_relay_opens_when_wishes_stop_and_the_pilot_goes_to_f(bench: Bench) -> None:
    events = bench.play(charging().run(450))
    opened_s = relay(events)[-1]
    assert opened_s[1] is False
    assert opened_s[0] == pytest.approx(0.121 + LEASE_S, abs=0.02)
    assert said(events)[-1].why is Why.LEASE
    assert said(events)[-1].duty_pct == 0


@needs_simulator
def test_relay_stays_open_after_the_lease_until_it_has_been_wished_off(
    bench: Bench,
) -> None:
    script = charging().run(600).wishing(300, 5, on=True)
    assert [is_on for _, is_on in relay(bench.play(script))] == [False, True, False]
    again = script.wishing(100, 5).wishing(100, 5, on=True)
    assert [is_on for _, is_on in relay(bench.play(again))][-1] is True


@needs_simulator
def test_open_chain_opens_at_once(bench: Bench) -> None:
    events = bench.play(charging().chain(1).wishing(100, 5, on=True))
    assert relay(events)[-1][1] is False
    assert relay(events)[-1][0] < 0.221 + 0.01
    assert said(events)[-1].why is Why.CHAIN
    assert not said(events)[-1].is_estop_released


@needs_simulator
def test_reset_in_mid_charge_leaves_the_relay_open(bench: Bench) -> None:
    script = charging().reset().run(1).chain(0).wishing(500, 5, on=True)
    events = bench.play(script)
    assert relay(events)[-1][1] is False
    assert not any(one.is_contactor_on for one in said(events)[-40:])
    assert said(events)[-1].why is Why.START


@needs_simulator
@pytest.mark.parametrize(
    "line",
    [
        "W 9 100 1 0 ffff",  # another checksum
        "W 9 100 1 0",
        "",
        "rubbish",
        "x" * 60,  # longer than any
        "W 9 20 0 0 5a4b",  # 1 % is no duty
    ],
)
def test_line_that_is_none_changes_nothing_and_is_counted(
    bench: Bench, line: str
) -> None:
    events = bench.play(charging().say(line).run(30))
    status = said(events)[-1]
    assert status.refused == 1
    assert (status.number, status.duty_pct) == (2, 5)


@needs_simulator
def test_no_line_is_lost_when_each_turn_of_a_guard_brings_three(bench: Bench) -> None:
    script = started()
    for _ in range(60):
        script.wish(5).wish(5).wish(5).run(4)
    events = bench.play(script.run(30))
    assert said(events)[-1].refused == 0
    assert said(events)[-1].number == 180
