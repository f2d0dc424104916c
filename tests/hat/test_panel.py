"""The panel: what it shows, when its bolt moves, and that its failures stay its own."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pigpio
import pytest
from gpiozero.pins.mock import MockFactory
from tests.hat.twin import PATIENCE_S, Running, running
from tests.hat.twin import until as wait

from pilothat.board.lamps import Sensed
from pilothat.board.revision import revision
from pilothat.errors import BoardError, ConfigError
from pilothat.faults import Fault
from pilothat.guard import GuardFact
from pilothat.plant import PlantFact, Ratings
from pilothat.runtime.benchtalk import DaemonFault
from pilothat.runtime.lamps import Devices, factory_of
from pilothat.runtime.panel import (
    DEAD_S,
    LIGHTS,
    REPEAT_S,
    SILENT_S,
    TICK_S,
    UNSEEN,
    Light,
    PanelLoop,
    Reading,
    Shown,
    parse,
    reading_of,
)
from pilothat.runtime.panellink import PanelLink, shown_of
from pilothat.runtime.panelproc import _heard, _say, _watched
from pilothat.station.phases import WITH_CAR, Phase
from pilothat.station.settings import StationSettings
from pilothat.station.station import Station
from pilothat.twin.bench import BenchFault

REV = revision()
PINS = REV.pins
LEDS = PINS.led_green, PINS.led_red
PULSE_S = REV.lock.pulse_s
IDLE = Shown(Phase.IDLE, has_fault=False, is_dead=True)
MATCHING = Shown(Phase.MATCHING, has_fault=False, is_dead=True)
CHARGING = Shown(Phase.SESSION, has_fault=False, is_dead=False)
LIVE = Shown(Phase.FINISHED, has_fault=False, is_dead=False)
OUT = Shown(Phase.OUT_OF_SERVICE, has_fault=True, is_dead=True)
PRESSED = Sensed(is_closed=False, is_estop_released=False)
RELEASED = Sensed(is_closed=False, is_estop_released=True)
RED, BLINKS_RED = {(False, True)}, {(False, True), (False, False)}
RETRY_S = 0.2
BUTTON = 2  # a GPIO that the board leaves free


@dataclass
class Noted:
    """A panel that notes what it is told, and when."""

    now: float = 0.0
    lit: tuple[bool, bool] = (False, False)
    moves: list[tuple[float, str]] = field(default_factory=list)

    def show(self, *, green: bool, red: bool) -> None:
        self.lit = green, red

    def begin(self, *, locked: bool) -> None:
        self.moves.append((self.now, "out" if locked else "in"))

    def stop(self) -> None:
        self.moves.append((self.now, "stop"))


@dataclass
class Played:
    """A loop in virtual time."""

    panel: Noted = field(default_factory=Noted)
    has_lock: bool = True
    says_again: bool = True

    def __post_init__(self) -> None:
        self.loop = PanelLoop(self.panel, PULSE_S, has_lock=self.has_lock)
        self._told: Shown | None = None
        self._told_at = 0.0

    def take(self, shown: Shown) -> None:
        self._told, self._told_at = shown, self.panel.now
        self.loop.take(shown, self.panel.now)

    def run(self, duration_s: float) -> set[tuple[bool, bool]]:
        """Turn for so long; return all that the LEDs showed."""
        end, seen = self.panel.now + duration_s, set()
        while self.panel.now < end:
            is_due = self.panel.now >= self._told_at + REPEAT_S
            if self.says_again and self._told is not None and is_due:
                self.take(self._told)
            wait_s = self.loop.turn(self.panel.now)
            seen.add(self.panel.lit)
            self.panel.now = min(self.panel.now + wait_s, end)
        return seen

    @property
    def words(self) -> list[str]:
        return [word for _, word in self.panel.moves]


# --- what is shown


def test_every_phase_has_its_lights_and_no_fault_looks_like_none() -> None:
    assert set(LIGHTS) == set(Phase)
    assert LIGHTS[Phase.IDLE] == (Light.ON, Light.OFF)
    for phase in Phase:
        assert Shown(phase, has_fault=True, is_dead=True).lights[1] is not Light.OFF


@pytest.mark.parametrize(
    ("shown", "seen"),
    [
        (IDLE, {(True, False)}),
        (MATCHING, {(True, False), (False, False)}),
        (OUT, {(False, True)}),
        (
            Shown(Phase.IDLE, has_fault=True, is_dead=True),
            {(True, True), (True, False)},
        ),
    ],
)
def test_leds_are_on_off_or_blink(shown: Shown, seen: set[tuple[bool, bool]]) -> None:
    played = Played(has_lock=False)
    played.take(shown)
    assert played.run(4 * TICK_S) == seen
    assert played.words == []


@pytest.mark.parametrize("shown", [IDLE, CHARGING, OUT])
def test_message_is_read_as_it_was_meant(shown: Shown) -> None:
    assert parse(shown.text) == shown


@pytest.mark.parametrize("seen", [PRESSED, RELEASED, Sensed(True, True)])
def test_reading_is_read_as_it_was_meant(seen: Sensed) -> None:
    made = Reading(1234.1 / 3, seen)
    assert reading_of(made.text) == made


# --- what it knows by itself


@pytest.mark.parametrize("phase", Phase)
def test_stop_that_is_seen_pressed_is_red_whatever_main_says(phase: Phase) -> None:
    played = Played()
    played.take(Shown(phase, has_fault=False, is_dead=False))
    played.loop.see(PRESSED)
    assert played.run(5.0) == RED
    played.loop.see(RELEASED)
    assert played.run(5.0) == lit(Shown(phase, has_fault=False, is_dead=False))


def lit(shown: Shown) -> set[tuple[bool, bool]]:
    """Return all that the LEDs show of it."""
    played = Played(has_lock=False)
    played.take(shown)
    return played.run(4 * TICK_S)


def test_stop_is_red_although_nobody_ever_said_anything() -> None:
    played = Played()
    played.loop.see(PRESSED)
    assert played.run(5 * SILENT_S) == RED
    assert played.words == []


@pytest.mark.parametrize("phase", Phase)
def test_main_that_is_silent_is_red_and_not_for_two_missed_words(phase: Phase) -> None:
    shown = Shown(phase, has_fault=False, is_dead=False)
    played = Played(says_again=False)
    played.take(shown)
    assert played.run(3 * REPEAT_S) == lit(shown)  # the third is just due
    played.run(SILENT_S - 3 * REPEAT_S)
    assert played.run(5.0) == BLINKS_RED
    played.take(shown)
    assert played.run(4 * TICK_S) == lit(shown)


def test_main_that_never_says_anything_is_red_after_a_while() -> None:
    played = Played()
    assert played.run(SILENT_S) == {(False, False)}
    assert played.run(5.0) == BLINKS_RED


@pytest.mark.parametrize("shown", [IDLE, MATCHING, CHARGING, LIVE, OUT])
def test_silence_and_stop_move_no_bolt(shown: Shown) -> None:
    played = Played()
    played.take(shown)
    played.run(5.0)
    moves, played.says_again = list(played.words), False
    played.loop.see(PRESSED)
    played.run(5 * SILENT_S)
    played.loop.see(RELEASED)
    played.run(5 * SILENT_S)
    assert played.words == moves


def test_bolt_waits_for_a_main_that_speaks_again() -> None:
    """A pulse was on when the car left; what main thinks now, nobody knows."""
    played = Played(says_again=False)
    played.take(MATCHING)
    assert PULSE_S < SILENT_S
    played.run(SILENT_S + 1.0)
    played.loop.take(MATCHING, 0.0)  # long ago: of a main that hangs since
    played.loop.take(IDLE, 0.0)
    played.run(5.0)
    assert played.words == ["out", "stop"]
    played.take(IDLE)
    played.run(5.0)
    assert played.words[2:] == ["in", "stop"]


# --- the bolt


def test_bolt_goes_out_for_a_car_and_in_when_the_outlet_was_dead_for_a_while() -> None:
    played = Played()
    for shown in (IDLE, MATCHING, CHARGING, LIVE):
        played.take(shown)
        played.run(5.0)
    assert played.words == ["in", "stop", "out", "stop"]  # the first: as at any start
    dead_at = played.panel.now
    played.take(IDLE)
    played.run(5.0)
    assert played.words[4:] == ["in", "stop"]
    assert played.panel.moves[4][0] - dead_at >= DEAD_S


def test_motor_runs_for_its_pulse_and_no_longer() -> None:
    played = Played()
    played.take(MATCHING)
    played.run(5.0)
    (began, _), (ended, _) = played.panel.moves
    assert ended - began == pytest.approx(PULSE_S)


def test_bolt_stays_out_as_long_as_anything_may_be_live() -> None:
    played = Played()
    played.take(MATCHING)
    played.run(5.0)
    for phase in Phase:
        played.take(Shown(phase, has_fault=False, is_dead=False))
        played.run(3.0)
    assert played.words == ["out", "stop"]


@pytest.mark.parametrize("phase", WITH_CAR)
def test_bolt_is_out_in_every_phase_with_a_car(phase: Phase) -> None:
    played = Played()
    played.take(Shown(phase, has_fault=False, is_dead=True))
    played.run(5.0)
    assert played.words == ["out", "stop"]


def test_outlet_that_is_dead_only_for_a_moment_opens_nothing() -> None:
    played = Played()
    played.take(CHARGING)
    played.run(2.0)
    for _ in range(10):
        played.take(IDLE)
        played.run(DEAD_S * 0.8)
        played.take(LIVE)
        played.run(0.1)
    assert played.words == ["out", "stop"]


def test_car_that_leaves_during_the_pulse_waits_for_its_end() -> None:
    played = Played()
    played.take(IDLE)
    played.run(5.0)
    played.take(MATCHING)
    played.run(PULSE_S / 2)
    played.take(IDLE)  # dead for long: the bolt could go in at once
    played.run(5.0)
    assert played.words == ["in", "stop", "out", "stop", "in", "stop"]


def test_panel_that_was_told_nothing_moves_nothing() -> None:
    played = Played()
    played.run(5.0)
    assert played.words == []


def test_motor_is_stopped_when_the_loop_ends_in_a_pulse() -> None:
    played = Played()
    played.take(MATCHING)
    played.run(PULSE_S / 2)
    played.loop.close()
    assert played.words == ["out", "stop"]


# --- what a station lets it know


def station() -> Station:
    settings = StationSettings(host_mac=bytes(6), ratings=Ratings())
    return Station(settings, bytes)


def test_station_says_dead_only_when_everything_is() -> None:
    made = station()
    assert shown_of(made).is_dead
    for guard, plant in (
        (GuardFact(True, False), PlantFact(0, 0, 0)),
        (GuardFact(False, True), PlantFact(0, 0, 0)),
        (GuardFact(False, False), PlantFact(0, 61, 0)),
    ):
        made = station()
        made.guard, made.path.plant = guard, plant
        assert not shown_of(made).is_dead


@pytest.mark.parametrize("fault", UNSEEN)
def test_board_that_nobody_sees_is_not_said_to_be_dead(fault: Fault) -> None:
    made, now = station(), 0.0
    made.handle(GuardFact(False, False, (fault,)), now)
    while made.phase is not Phase.OUT_OF_SERVICE:
        assert made.deadline is not None
        now = made.deadline
        made.tick(now)
    assert made.is_safe
    shown = shown_of(made)
    assert (shown.is_dead, shown.has_fault) == (False, True)


# --- gpiozero


def test_devices_drive_their_pins_on_any_factory() -> None:
    factory = MockFactory()
    devices = Devices(factory, REV, has_lock=True)

    def states() -> list[int]:
        pins = PINS.led_green, PINS.led_red, PINS.lock_in1, PINS.lock_in2
        return [int(factory.pin(pin).state) for pin in pins]

    assert states() == [0, 0, 0, 0]
    devices.show(green=True, red=False)
    assert states() == [1, 0, 0, 0]
    devices.begin(locked=True)
    assert states() == [1, 0, 1, 0]
    devices.begin(locked=False)
    assert states() == [1, 0, 0, 1]
    devices.stop()
    assert states() == [1, 0, 0, 0]
    devices.close()


def test_panel_without_a_lock_leaves_its_pins_alone() -> None:
    factory = MockFactory()
    with contextlib.closing(Devices(factory, REV, has_lock=False)):
        assert factory.pin(PINS.lock_in1).function == "input"


def test_driver_without_leds_is_told() -> None:
    with pytest.raises(ConfigError, match=r"board\.panel"):
        factory_of("wallbox", {})


def test_factory_that_cannot_be_had_is_a_board_error_and_prints_nothing(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(BoardError, match=r"pigpiod .*:1: .* pilothat selftest tells"):
        factory_of("pigpio", {"pigpio_port": "1"})
    assert capfd.readouterr().out == ""


def test_missing_package_is_told_with_what_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "gpiozero.pins.mock", None)
    with pytest.raises(BoardError, match="pip install gpiozero"):
        factory_of("twin", {})


def test_button_to_ground_is_heard_when_it_is_pressed() -> None:
    factory, pressed = MockFactory(), threading.Event()
    with contextlib.closing(Devices(factory, REV, has_lock=False)) as devices:
        devices.hear(BUTTON, pressed.set)
        pin = factory.pin(BUTTON)
        assert pin.pull == "up"
        assert not pressed.is_set()
        pin.drive_low()
        assert pressed.wait(PATIENCE_S)


# --- the process


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def pi(hat: Running) -> Iterator[pigpio.pi]:
    made = pigpio.pi("127.0.0.1", hat.port)
    yield made
    with contextlib.suppress(Exception):  # of a daemon that was broken
        made.stop()


def played(hat: Running, play: Callable[[PanelLink], Awaitable[None]]) -> None:
    """Run a panel on the twin's daemon as long as something is played."""

    async def run() -> None:
        options = {
            "pigpio_port": str(hat.port),
            "lock": "True",
            "button_gpio": str(BUTTON),
        }
        with contextlib.closing(PanelLink("pigpio", options, RETRY_S)) as panel:
            await play(panel)

    asyncio.run(run())


def pid_of(panel: PanelLink) -> int:
    assert panel._process is not None
    return panel._process.pid


async def until(holds: Callable[[], bool], what: str) -> None:
    loop = asyncio.get_running_loop()
    end = loop.time() + PATIENCE_S
    while not holds():
        assert loop.time() < end, what
        await asyncio.sleep(0.01)


def test_process_shows_a_station_and_is_off_when_that_ends(
    hat: Running, pi: pigpio.pi
) -> None:
    def lit() -> tuple[int, int]:
        return pi.read(PINS.led_green), pi.read(PINS.led_red)

    async def play(panel: PanelLink) -> None:
        panel.show(IDLE)
        await until(lambda: lit() == (1, 0), "idle")
        panel.show(OUT)
        await until(lambda: lit() == (0, 1), "out of service")
        os.kill(pid_of(panel), signal.SIGTERM)  # as to all of a unit; main ends later
        pi.write(PINS.led_red, 0)  # as a driver that is opened anew
        await until(lambda: lit() == (0, 1), "shown again")
        panel.show(MATCHING)
        await until(lambda: pi.read(PINS.lock_in1) == 1, "bolt out")
        await until(lambda: pi.read(PINS.lock_in1) == 0, "motor off")

    played(hat, play)
    assert pi.get_mode(PINS.led_green) == pigpio.INPUT
    assert pi.get_mode(PINS.lock_in1) == pigpio.INPUT


def test_process_passes_the_button_on(hat: Running, pi: pigpio.pi) -> None:
    async def play(panel: PanelLink) -> None:
        pressed: list[None] = []
        panel.pressed = lambda: pressed.append(None)
        await until(lambda: panel.is_ready, "ready")
        pi.write(BUTTON, 0)
        await until(lambda: len(pressed) == 1, "pressed")

    played(hat, play)


@pytest.mark.parametrize("fault", [DaemonFault.DEAD, DaemonFault.FROZEN])
def test_failing_daemon_is_logged_once_and_the_panel_comes_back(
    hat: Running, caplog: pytest.LogCaptureFixture, fault: DaemonFault
) -> None:
    caplog.set_level(logging.INFO)

    def count(text: str) -> int:
        return sum(text in one.getMessage() for one in caplog.records)

    def is_red() -> bool:
        return hat.twin.daemon.soc.level(PINS.led_red, time.monotonic()) == 1

    async def play(panel: PanelLink) -> None:
        panel.show(OUT)
        await until(is_red, "shown")
        began = asyncio.get_running_loop().time()
        hat.fail(fault)
        await until(lambda: count("panel failed") == 1, "told")
        for _ in range(20):  # of its tries
            panel.show(OUT)
            panel.show(IDLE)
            await asyncio.sleep(RETRY_S / 5)
        hat.fail(fault, on=False)
        await until(lambda: count("panel is back") == 1, "back")
        assert asyncio.get_running_loop().time() - began < 2 * PATIENCE_S

    played(hat, play)
    assert count("panel failed") == 1


MAIN = (
    "import asyncio, contextlib, sys\n"
    "from pilothat.runtime.panel import Shown\n"
    "from pilothat.runtime.panellink import PanelLink\n"
    "from pilothat.station.phases import Phase\n"
    "async def run():\n"
    "    panel = PanelLink('pigpio', {'pigpio_port': sys.argv[1]})\n"
    "    with contextlib.closing(panel):\n"
    "        panel.show(Shown(Phase.IDLE, False, True))\n"
    "        await asyncio.Event().wait()\n"
    "asyncio.run(run())\n"
)


@contextlib.contextmanager
def main_of(hat: Running) -> Iterator[subprocess.Popen[bytes]]:
    """Run a main with a panel; both end with it."""
    command = [sys.executable, "-c", MAIN, str(hat.port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as main:
        try:
            yield main
        finally:
            main.kill()


def shows(hat: Running) -> tuple[int, ...]:
    """Return what green and red LED show; nothing before a panel drives both."""
    soc, now, leds = hat.twin.daemon.soc, time.monotonic(), LEDS
    is_driven = all(soc.mode(led) == pigpio.OUTPUT for led in leds)
    return tuple(soc.level(led, now) for led in leds) if is_driven else ()


def shown_within(hat: Running, duration_s: float) -> set[tuple[int, ...]]:
    end, seen = time.monotonic() + duration_s, set()
    while time.monotonic() < end:
        seen.add(shows(hat))
        time.sleep(0.02)
    return seen


def test_main_that_hangs_is_seen_at_the_panel_and_so_is_its_return(
    hat: Running,
) -> None:
    with main_of(hat) as main:
        wait(lambda: shows(hat) == (1, 0), "idle")
        shown = shown_within(hat, SILENT_S + 1.0)
        assert not shown & {(0, 1), (0, 0)}  # it says so again
        main.send_signal(signal.SIGSTOP)
        wait(lambda: shows(hat) == (0, 1), "red")
        wait(lambda: shows(hat) == (0, 0), "blinks")
        assert (1, 0) not in shown_within(hat, 4 * TICK_S)
        main.send_signal(signal.SIGCONT)
        wait(lambda: shows(hat) == (1, 0), "idle again")
    wait(lambda: shows(hat) == (), "off")


def test_stop_lights_red_although_main_hangs_and_says_idle(hat: Running) -> None:
    with main_of(hat) as main:
        wait(lambda: shows(hat) == (1, 0), "idle")
        hat.fail(BenchFault.ESTOP)
        wait(lambda: shows(hat) == (0, 1), "red, whatever main says")
        main.send_signal(signal.SIGSTOP)
        wait(lambda: shown_within(hat, SILENT_S + 1.0) == {(0, 1)}, "red, no blinking")
        hat.fail(BenchFault.ESTOP, on=False)
        wait(lambda: shows(hat) == (0, 0), "silent")


def test_main_hears_what_the_panel_sees(hat: Running) -> None:
    seen: list[Reading] = []

    async def play(panel: PanelLink) -> None:
        panel.saw = seen.append
        await until(lambda: bool(seen), "at the start")
        began = time.monotonic()
        assert began - seen[0].at < PATIENCE_S
        await until(lambda: len(seen) > 3, "again and again")
        assert {one.seen for one in seen} == {RELEASED}
        hat.fail(BenchFault.ESTOP)
        await until(lambda: seen[-1].seen == PRESSED, "pressed")
        assert [one.at for one in seen] == sorted(one.at for one in seen)

    played(hat, play)


def test_leds_go_on_where_the_inputs_cannot_be_seen(
    caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """As on a kernel without the device that shows the levels."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs, contextlib.ExitStack() as stack:
        refused = {"pigpio_port": "1"}
        assert _watched(stack, "pigpio", refused, REV, theirs) is None
        assert _watched(stack, "twin", {}, REV, theirs) is None  # nothing to be told
        theirs.close()
        told = ours.recv(256).decode()
        assert ours.recv(256) == b""

    async def run() -> None:
        with contextlib.closing(PanelLink("twin", {}, RETRY_S)) as panel:
            for _ in range(3):
                panel._take(told.encode())
            await until(lambda: panel.is_ready, "ready")

    asyncio.run(run())
    lines = [one.getMessage() for one in caplog.records]
    assert len(lines) == 1
    assert lines[0].startswith(
        "panel does not see contactor and emergency stop: pigpiod"
    )
    assert capfd.readouterr().out == ""


def test_panel_does_not_wait_for_a_main_that_reads_nothing() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        for _ in range(10_000):
            _say(theirs, b"sees 1234567.0 0 1")
        ours.close()  # with all of it unread, which is an error to be heard
        assert _heard(theirs) == b""
        _say(theirs, b"sees 1234567.0 0 1")


def test_panel_that_cannot_begin_says_why_and_main_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def run() -> None:
        with contextlib.closing(PanelLink("wallbox", {}, RETRY_S)) as panel:
            await until(lambda: bool(caplog.records), "told")
            panel.show(IDLE)

    asyncio.run(run())
    assert "has no LEDs and no lock" in caplog.text
