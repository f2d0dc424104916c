"""Curves and phases of a charge, as they are drawn."""

from __future__ import annotations

from math import isnan

import pytest
from tests.unit.traffic import wire

from pilothat.traffic.trace import UNITS, Trace


def traced(shots: list[wire.Shot]) -> Trace:
    trace = Trace()
    for told in wire.told_of(wire.pcap(shots)):
        trace.add(told)
    return trace


def test_phases_come_in_the_order_of_a_charge() -> None:
    bands = traced(wire.charge()).bands
    assert [band.phase for band in bands] == [
        "SLAC",
        "SDP",
        "handshake",
        "setup",
        "authorisation",
        "parameters",
        "cable check",
        "precharge",
        "charge",
        "stop",
    ]


def test_phase_lasts_until_the_next_one_begins() -> None:
    bands = traced(wire.charge()).bands
    assert [band.until_s for band in bands[:-1]] == [band.since_s for band in bands[1:]]


def test_curves_hold_what_was_reported() -> None:
    curves = traced(wire.charge()).curves
    assert {quantity for quantity, _ in curves} == set(UNITS)
    soc = [value for value in curves["SoC", "present"].values if not isnan(value)]
    assert (soc[0], soc[-1]) == (70.0, 80.0)
    voltage, current, power = (
        curves[name, "present"].values[-1] for name in ("voltage", "current", "power")
    )
    assert voltage < 100
    assert current == pytest.approx(0.0, abs=2.0)
    assert power < 1.0


def test_power_is_voltage_times_current_in_kilowatts() -> None:
    curves = traced(wire.charge()).curves
    at_s = curves["power", "present"].times_s[10]
    of = {
        name: dict(zip(curve.times_s, curve.values, strict=True))[at_s]
        for (name, kind), curve in curves.items()
        if kind == "present" and at_s in curve.times_s
    }
    assert of["power"] == pytest.approx(of["voltage"] * of["current"] / 1000)


def test_second_session_is_parted_from_the_first() -> None:
    first = wire.charge(connection=wire.Connection(ev_port=50_001))
    second = [
        wire.Shot(shot.at_s + 100, shot.raw)
        for shot in wire.charge(connection=wire.Connection(ev_port=50_002))
    ]
    trace = traced(first + second)
    assert any(isnan(value) for value in trace.curves["voltage", "present"].values)
    assert [band.phase for band in trace.bands].count("charge") == 2


def test_what_has_no_time_is_left_out() -> None:
    trace = Trace()
    for told in wire.told_of(b"809a004011d0180b280000000400"):
        trace.add(told)
    assert (trace.bands, trace.curves) == ([], {})
