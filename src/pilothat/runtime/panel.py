"""What the panel shows of a station, and what its lock does: tables, and one loop.

The loop runs in a process of its own (``runtime.panelproc``). It is told by main what
the station shows, and drives both LEDs and, where a socket has one, the motor of the
lock: the bolt goes out when a car is there, and in when nothing in the outlet has been
live for a second. Told nothing, it moves nothing.

Whatever main says, an emergency stop that the panel sees pressed is red; and so is main
when it is silent, since it says again and again what it shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Protocol

from pilothat.board.lamps import Lamps, Motor, Sensed
from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.station.phases import WITH_CAR, Phase

READY = b"ready"  # what the process says first
PRESSED = b"pressed"  # the button
SEES = "sees"  # begins what it sees of the inputs
BLIND = "blind"  # begins why it will not
NO_BUTTON = -1
UNSEEN = (Fault.GUARD_LOST, Fault.BOARD_LOST)  # nobody knows what is on
TICK_S = 0.5  # half a blink; how often the LEDs are driven, changed or not
DEAD_S = 1.0  # so long it must have been dead before the bolt goes in
REPEAT_S = 1.0  # how often main says what it shows, changed or not
SILENT_S = 3.5 * REPEAT_S  # three are missing


class Light(Enum):
    """What an LED does."""

    OFF = "off"
    ON = "on"
    BLINK = "blinks"


_P, _OFF, _ON, _BLINK = Phase, Light.OFF, Light.ON, Light.BLINK
# phase -> green, red; a fault beside it makes red blink
LIGHTS: Mapping[Phase, tuple[Light, Light]] = {
    _P.STARTING: (_BLINK, _BLINK),
    _P.IDLE: (_ON, _OFF),
    _P.MATCHING: (_BLINK, _OFF),
    _P.BASIC: (_BLINK, _OFF),
    _P.SETUP: (_BLINK, _OFF),
    _P.SESSION: (_BLINK, _OFF),
    _P.STOPPING: (_BLINK, _ON),
    _P.RETRY: (_BLINK, _OFF),
    _P.PAUSED: (_ON, _BLINK),
    _P.FINISHED: (_ON, _ON),
    _P.OUT_OF_SERVICE: (_OFF, _ON),
}
# what the panel knows by itself, in place of what main says; the first that holds
STOPPED = (_OFF, _ON)
SILENT = (_OFF, _BLINK)
UNTOLD = (_OFF, _OFF)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a station lets the panel know.

    is_dead: nothing in the outlet is live, as far as guard and supply tell
    """

    phase: Phase
    has_fault: bool
    is_dead: bool

    @property
    def lights(self) -> tuple[Light, Light]:
        """What the green and the red LED do."""
        green, red = LIGHTS[self.phase]
        return green, Light.BLINK if self.has_fault and red is Light.OFF else red

    @property
    def text(self) -> str:
        """Return it as a message."""
        return f"{self.phase.name} {self.has_fault:d} {self.is_dead:d}"


def parse(text: str) -> Shown:
    """Read a message. Raises ValueError, KeyError."""
    name, fault, dead = text.split()
    return Shown(Phase[name], fault == "1", dead == "1")


@dataclass(frozen=True, slots=True)
class Reading:
    """What the panel has seen of contactor and emergency stop.

    at: CLOCK_MONOTONIC before it looked, s; it is the same in all processes
    """

    at: float
    seen: Sensed

    @property
    def text(self) -> str:
        """Return it as a message."""
        seen = self.seen
        return f"{SEES} {self.at!r} {seen.is_closed:d} {seen.is_estop_released:d}"


def reading_of(text: str) -> Reading:
    """Read a message. Raises ValueError."""
    _, at, closed, released = text.split()
    return Reading(float(at), Sensed(closed == "1", released == "1"))


class Panel(Lamps, Motor, Protocol):
    """LEDs and motor."""


class PanelLoop:
    """Drive a panel. Fed with what is shown and the time."""

    def __init__(self, panel: Panel, pulse_s: float, *, has_lock: bool) -> None:
        self._panel = panel
        self._pulse_s = pulse_s
        self._has_lock = has_lock
        self._shown: Shown | None = None
        self._heard_at: float | None = None
        self._seen: Sensed | None = None  # what the inputs say; None is not watched
        self._dead_since: float | None = None
        self._is_out: bool | None = None  # where the bolt was sent; None is unknown
        self._until: float | None = None  # while the motor runs

    def take(self, shown: Shown, now: float) -> None:
        """Take what the station shows from now on."""
        self._shown, self._heard_at = shown, now
        if not shown.is_dead:
            self._dead_since = None
        elif self._dead_since is None:
            self._dead_since = now

    def see(self, seen: Sensed) -> None:
        """Take what the inputs say."""
        self._seen = seen

    def turn(self, now: float) -> float:
        """Drive LEDs and motor; return the time to the next turn. Raises BoardError."""
        if self._heard_at is None:
            self._heard_at = now
        if self._until is not None and now >= self._until:
            self._until = None
            self._panel.stop()
        is_silent = now - self._heard_at >= SILENT_S
        lights = self._lights(is_silent=is_silent)
        green, red = (_is_lit(light, now) for light in lights)
        self._panel.show(green=green, red=red)
        wants_out = None if is_silent else self._wants_out(now)
        if self._until is None and wants_out not in (None, self._is_out):
            self._is_out = wants_out
            self._until = now + self._pulse_s
            self._panel.begin(locked=bool(wants_out))
        return TICK_S if self._until is None else min(TICK_S, self._until - now)

    def close(self) -> None:
        """Stop the motor, wherever the bolt is. Raises BoardError."""
        if self._until is not None:
            self._panel.stop()

    def _lights(self, *, is_silent: bool) -> tuple[Light, Light]:
        if self._seen is not None and not self._seen.is_estop_released:
            return STOPPED
        if is_silent:
            return SILENT
        return UNTOLD if self._shown is None else self._shown.lights

    def _wants_out(self, now: float) -> bool | None:
        """Return where the bolt belongs; None leaves it where it is."""
        if not self._has_lock or self._shown is None:
            return None
        if self._shown.phase in WITH_CAR:
            return True
        is_dead = self._dead_since is not None and now - self._dead_since >= DEAD_S
        return False if is_dead else None


def _is_lit(light: Light, now: float) -> bool:
    is_first_half = int(now / TICK_S) % 2 == 0
    return light is Light.ON or (light is Light.BLINK and is_first_half)
