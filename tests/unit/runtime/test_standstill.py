"""Whether a loop was late by its own work, or for lack of a processor."""

from __future__ import annotations

import logging

import pytest

from pilothat.runtime.standstill import Standstill

log = logging.getLogger("pilothat.test")


@pytest.mark.parametrize(
    ("took_s", "ran_s", "told"),
    [
        (0.05, 0.001, []),
        (0.149, 0.149, []),
        (0.35, 0.01, ["the machine stood still for 300 ms"]),
        (0.35, 0.34, ["the loop was busy for 340 ms"]),
    ],
)
def test_late_look_is_told_with_who_was_to_blame(
    took_s: float, ran_s: float, told: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    times, runs = iter([10.0, 10.0 + took_s]), iter([1.0, 1.0 + ran_s])
    standstill = Standstill(log, lambda: next(times), lambda: next(runs))
    standstill.look(0.05)
    standstill.look(0.05)
    assert [record.message for record in caplog.records] == told
