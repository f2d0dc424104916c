"""Guard and panel on the twin of the HAT: two processes read the same two inputs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.hat.twin import PATIENT_S, Running, running

from pilothat.board.pigpiowire import Cmd
from pilothat.board.revision import revision
from pilothat.faults import Fault
from pilothat.journal import Entry, Recorder
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.guardlink import GuardLink, pair
from pilothat.runtime.panellink import PanelLink
from pilothat.runtime.shell import IDLE_RENEW_S, Ports, Shell
from pilothat.station.events import SecondLook
from pilothat.station.settings import StationSettings
from pilothat.station.station import Station
from pilothat.twin.bench import BenchFault

PINS = revision().pins
LONG_S = 5.0  # for a difference to be told, if there were one
RETRY_S = 0.2
PATIENCE_S = 40.0  # on a busy machine the panel comes last, and is late and no witness


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def _ignore(*_args: object, **_options: object) -> None:
    pass


class Both:
    """A station with a guard and a panel, as in a running one, and no car."""

    def __init__(self, hat: Running, link: GuardLink, panel: PanelLink) -> None:
        self.hat = hat
        self.panel = panel
        self.entries: list[Entry] = []
        self.station = Station(StationSettings(host_mac=bytes(6)), bytes)
        nothing = SimpleNamespace(
            command=_ignore, send=_ignore, measure_isolation=_ignore, index=1
        )
        ports = SimpleNamespace(
            guard=link,
            supply=nothing,
            plc=nothing,
            sdp=nothing,
            interface=nothing,
            tls=None,
            watchers=(panel.watch,),
        )
        journal = SimpleNamespace(write=self.entries.append)
        self.shell = Shell(
            self.station, Recorder(bytes), cast("Ports", ports), cast("Any", journal)
        )
        panel.saw = self.shell.witnessed

    @property
    def looks(self) -> list[SecondLook]:
        """What was told of a second look."""
        return [x.event for x in self.entries if isinstance(x.event, SecondLook)]

    async def lives(self) -> None:
        """Renew the lease for ever."""
        while True:
            self.shell._tell_guard()
            await asyncio.sleep(IDLE_RENEW_S)

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        while not holds():
            assert loop.time() < end, (what, self.entries)
            await asyncio.sleep(0.02)

    def lie(self, level: int | None) -> None:
        """Let gpiozero read this of the emergency stop; None is the truth."""
        daemon: Any = self.hat.twin.daemon
        handle = type(daemon).handle

        def lying(command: int, p1: int, *rest: Any) -> Any:
            if command == Cmd.READ and p1 == PINS.estop_n and level is not None:
                return level
            return handle(daemon, command, p1, *rest)

        daemon.handle = lying  # as a bit that is stuck


@contextlib.asynccontextmanager
async def both(hat: Running) -> AsyncIterator[Both]:
    """Run guard and panel until both are heard."""
    ours, theirs = pair()
    options = {"pigpio_port": str(hat.port), "reply_s": str(PATIENT_S)}
    command = [
        sys.executable, "-m", "pilothat.runtime.guardproc", str(theirs.fileno()),
        "pigpio", *(f"{name}={value}" for name, value in options.items()),
    ]  # fmt: skip
    guard = await asyncio.create_subprocess_exec(*command, pass_fds=[theirs.fileno()])
    theirs.close()
    link, loop = GuardLink(ours), asyncio.get_running_loop()
    with contextlib.closing(PanelLink("pigpio", options, RETRY_S)) as panel:
        made = Both(hat, link, panel)
        loop.add_reader(link, made.shell._hear_guard)
        living = asyncio.create_task(made.lives())
        try:
            await made.until(lambda: made.shell.has_heard_guard, "guard")
            await made.until(lambda: panel.is_ready, "panel")
            yield made
        finally:
            living.cancel()
            loop.remove_reader(link)
            link.close()
            await asyncio.wait_for(guard.wait(), PATIENCE_S)


def test_what_both_see_is_no_difference_and_what_one_sees_is_a_lost_board(
    hat: Running, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)

    async def go() -> None:
        async with both(hat) as made:
            faults = made.station.faults
            hat.fail(BenchFault.ESTOP)
            await made.until(lambda: Fault.EMERGENCY_STOP in faults, "seen by guard")
            await asyncio.sleep(LONG_S)
            hat.fail(BenchFault.ESTOP, on=False)
            await made.until(lambda: Fault.EMERGENCY_STOP not in faults, "released")
            await asyncio.sleep(LONG_S)
            assert made.looks == []
            made.lie(0)
            await made.until(lambda: Fault.BOARD_LOST in faults, "contradicted")
            assert made.looks == [SecondLook(False, False, is_estop_released=False)]
            assert not made.shell._want.is_contactor_closed
            await asyncio.sleep(LONG_S)
            assert Fault.BOARD_LOST in faults
            made.lie(None)
            await made.until(lambda: Fault.BOARD_LOST not in faults, "agreed")
            assert made.looks[1:] == [SecondLook(True, False, is_estop_released=True)]

    asyncio.run(go())
    told = [x for x in caplog.records if x.getMessage().startswith("inputs guard=")]
    assert [x.levelno for x in told] == [logging.ERROR, logging.INFO]
    assert "GuardFact(is_contactor_closed=False" in told[0].getMessage()
    assert (
        "gpiozero=Sensed(is_closed=False, is_estop_released=False)"
        in told[0].getMessage()
    )


def test_panel_and_daemon_that_are_started_again_are_no_difference(
    hat: Running,
) -> None:
    async def go() -> None:
        async with both(hat) as made:
            faults = made.station.faults
            await asyncio.sleep(LONG_S / 2)
            hat.fail(BenchFault.ESTOP)
            process = made.panel._process
            assert process is not None
            os.kill(process.pid, signal.SIGKILL)
            await made.until(lambda: not made.panel.is_ready, "gone")
            await made.until(lambda: made.panel.is_ready, "back")
            await asyncio.sleep(LONG_S / 2)
            hat.fail(DaemonFault.DEAD)
            await made.until(lambda: Fault.BOARD_LOST in faults, "lost")
            hat.fail(DaemonFault.DEAD, on=False)
            await made.until(lambda: Fault.BOARD_LOST not in faults, "found")
            await made.until(lambda: made.panel.is_ready, "back again")
            await asyncio.sleep(LONG_S)
            assert made.looks == []
            assert Fault.BOARD_LOST not in faults

    asyncio.run(go())
