"""The shell: what is written down, and when the station is asked again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pilothat.journal import Entry, Recorder
from pilothat.plant import OFF
from pilothat.runtime.shell import Ports, Shell
from pilothat.station.actions import Action, SetOutput
from pilothat.station.events import WakeUp
from pilothat.station.phases import Phase

SOON_S, LATER_S = 0.02, 0.06
PATIENCE_S, A_DAY_S = 10.0, 86_400.0


class Paper:
    """A journal that keeps its entries."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []

    def write(self, entry: Entry) -> None:
        self.entries.append(entry)


class Sleeper:
    """A station that wants one thing at each event, and is asked at its deadline."""

    phase = Phase.STARTING
    talk = SimpleNamespace(protocols=())

    def __init__(self) -> None:
        self.deadline: float | None = None
        self.ticks: list[float] = []
        self.rings: Callable[[], object] = lambda: None

    def handle(self, _event: object, _now: float) -> Sequence[Action]:
        return (SetOutput(OFF),)

    def tick(self, now: float) -> Sequence[Action]:
        self.ticks.append(now)
        self.deadline = None
        self.rings()
        return ()


def shell_of(station: Sleeper, paper: Paper, command: Callable[..., object]) -> Shell:
    """Return a shell with nothing but a supply."""
    ports = SimpleNamespace(
        supply=SimpleNamespace(command=command),
        interface=SimpleNamespace(index=1),
        tls=None,
        watchers=(),
    )
    recorder = Recorder(bytes)
    return Shell(
        cast("Any", station), recorder, cast("Ports", ports), cast("Any", paper)
    )


def test_what_fails_while_it_is_performed_is_in_the_journal() -> None:
    def command(_setpoint: object) -> None:
        raise RuntimeError("the supply has burnt")

    async def go() -> Paper:
        paper = Paper()
        shell = shell_of(Sleeper(), paper, command)
        with pytest.raises(RuntimeError, match="burnt"):
            shell.feed(WakeUp())
        return paper

    (entry,) = asyncio.run(go()).entries
    assert (entry.event, entry.actions) == (WakeUp(), (SetOutput(OFF),))


def test_station_is_asked_at_its_deadline_and_at_none_it_has_given_up() -> None:
    async def go() -> tuple[list[float], float, Paper]:
        station, paper, rung = Sleeper(), Paper(), asyncio.Event()
        station.rings = rung.set
        shell = shell_of(station, paper, lambda _: None)
        now = asyncio.get_running_loop().time()
        for later_s in (LATER_S, SOON_S, LATER_S):
            station.deadline = now + later_s
            shell.feed(WakeUp())
        await asyncio.wait_for(rung.wait(), PATIENCE_S)
        return station.ticks, now + LATER_S, paper

    ticks, due, paper = asyncio.run(go())
    assert len(ticks) == 1
    assert ticks[0] >= due
    assert [entry.event for entry in paper.entries] == [WakeUp()] * 3 + [None]


def test_deadline_that_comes_sooner_is_kept() -> None:
    async def go() -> float:
        station, paper, rung = Sleeper(), Paper(), asyncio.Event()
        station.rings = rung.set
        shell = shell_of(station, paper, lambda _: None)
        now = asyncio.get_running_loop().time()
        for later_s in (A_DAY_S, SOON_S):
            station.deadline = now + later_s
            shell.feed(WakeUp())
        await asyncio.wait_for(rung.wait(), PATIENCE_S)
        return station.ticks[0] - now

    assert asyncio.run(go()) >= SOON_S
