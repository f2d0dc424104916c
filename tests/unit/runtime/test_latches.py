"""Latched faults outlive a restart."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest
from tests.sim.short import begun

from pilothat.faults import Fault
from pilothat.runtime.latches import FILE, Latches
from pilothat.station.events import FaultCleared
from pilothat.twin.bench import BenchFault


def test_what_is_latched_is_there_in_the_next_life_until_it_is_cleared(
    tmp_path: Path,
) -> None:
    visit = begun()
    world, latches = visit.world, Latches(tmp_path)
    world.watchers.append(
        lambda now, event, _actions: latches.watch(world.station, event, now)
    )
    world.run(lambda: visit.car.phase_text == "charging", 60.0)
    world.inject(BenchFault.CONTACTOR_WELDED)
    world.run(lambda: visit.is_over, 120.0)
    assert Latches(tmp_path).read() == (Fault.CONTACTOR_WELDED,)
    world.inject(BenchFault.CONTACTOR_WELDED, on=False)
    world.run(lambda: False, world.now + 5.0)
    world.tell(FaultCleared(Fault.CONTACTOR_WELDED))
    assert Latches(tmp_path).read() == ()


@pytest.mark.parametrize("text", ["[", "[1]", '["NONE"]', "7", "\xff"])
def test_damaged_file_is_told_and_taken_for_none(
    tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE).write_text(text, encoding="latin-1")
    with caplog.at_level(logging.ERROR):
        assert Latches(tmp_path).read() == ()
    assert "cannot be read" in caplog.text


def test_power_lost_at_any_time_leaves_the_old_file_or_the_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The content is on the disk before its name, and the name before the next step."""
    kept: list[tuple[str, bool]] = []

    def keep(handle: int) -> None:
        path = Path(f"/proc/self/fd/{handle}").readlink()
        kept.append((path.name, (tmp_path / FILE).exists()))

    monkeypatch.setattr(os, "fsync", keep)
    Latches(tmp_path)._write(["CONTACTOR_WELDED"])
    assert kept == [("latched.new", False), (tmp_path.name, True)]


def test_folder_that_is_gone_costs_the_memory_only(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    latches = Latches(tmp_path / "gone")
    with caplog.at_level(logging.ERROR):
        latches._write(["CONTACTOR_WELDED"])
    assert "not kept" in caplog.text
