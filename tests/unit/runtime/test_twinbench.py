"""The supply's end of the twin's bench: hasty cars, and a bench that is busy."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pilothat.journal import text_of
from pilothat.plant import OFF, Setpoint
from pilothat.runtime import twinbench
from pilothat.runtime.benchtalk import READING
from pilothat.runtime.twinbench import TwinSupply
from pilothat.station.actions import MeasureIsolation, SetOutput

A_DAY_S = 86_400.0
FULL = 10_000  # more than any system lets a socket hold
READING_NOTHING = text_of(MeasureIsolation(on=False)).encode()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[socket.socket]:
    """Yield the bench's end, which hears nothing by itself."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as end:
        end.bind(str(tmp_path / "bench"))
        end.settimeout(0)
        yield end


@pytest.fixture
def supply(tmp_path: Path, bench: socket.socket) -> Iterator[TwinSupply]:
    assert bench
    with closing(TwinSupply(str(tmp_path / "bench"))) as supply:
        yield supply


def heard(bench: socket.socket) -> list[Setpoint]:
    """Return the set-points that have come."""
    found: list[Setpoint] = []
    while True:
        try:
            value = READING.value(bench.recv(4096).decode())
        except BlockingIOError:
            return found
        if isinstance(value, SetOutput):
            found.append(value.setpoint)


def some_a(current_a: float) -> Setpoint:
    return Setpoint(400.0, current_a, is_on=True)


def test_of_many_set_points_at_once_the_newest_goes_with_the_next_reading(
    bench: socket.socket, supply: TwinSupply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twinbench, "PACE_S", A_DAY_S)
    monkeypatch.setattr(time, "monotonic", lambda: 2 * A_DAY_S)
    for current_a in (1.0, 2.0, 3.0):
        supply.command(some_a(current_a))
    assert heard(bench) == [some_a(1.0)]
    supply.reading()
    supply.reading()
    assert heard(bench) == [some_a(3.0)]


def test_switching_off_waits_for_nothing(
    bench: socket.socket, supply: TwinSupply, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(twinbench, "PACE_S", A_DAY_S)
    monkeypatch.setattr(time, "monotonic", lambda: 2 * A_DAY_S)
    for setpoint in (some_a(1.0), some_a(2.0), OFF):
        supply.command(setpoint)
    supply.reading()
    assert heard(bench) == [some_a(1.0), OFF]


def test_what_a_busy_bench_had_no_room_for_is_told_again(
    bench: socket.socket, supply: TwinSupply, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.settimeout(0)
        with contextlib.suppress(BlockingIOError):
            for _ in range(FULL):
                other.sendto(READING_NOTHING, str(tmp_path / "bench"))
    supply.command(OFF)
    assert heard(bench) == []
    supply.reading()
    assert heard(bench) == [OFF]
