"""Level changes that pigpio's daemon reports: 32 handles, glitch filter, inactivity.

A pin that pulses by PWM is not reported: its edges are on no clock of ours. The noise
filter is accepted and filters nothing.
"""

from __future__ import annotations

from math import inf

from pilothat.board.pigpiowire import KEEP_ALIVE, RECORD, WATCHDOG, Err
from pilothat.twin.soc import USER_PINS

HANDLES = 32
ALIVE_S = 60.0
HIGHEST_FILTER_US = 300_000
HIGHEST_WATCHDOG_MS = 60_000
U32 = 0xFFFF_FFFF


def tick_of(now: float) -> int:
    """Return the daemon's microseconds, which wrap."""
    return int(now * 1e6) & U32


class _Stream:
    def __init__(self, now: float) -> None:
        self.bits = 0
        self.told_at = now
        self.waiting = bytearray()
        self._sequence = 0

    def add(self, flags: int, levels: int, now: float) -> None:
        self.waiting += RECORD.pack(self._sequence, flags, tick_of(now), levels)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.told_at = now


class Notices:
    """Who wants to hear of which pins, and what they have not yet been told."""

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._levels = 0  # as reported
        self._seen = 0  # as they were at the last look
        self._changed_at = [-inf] * USER_PINS
        self._filters_s: dict[int, float] = {}
        self._watchdogs: dict[int, tuple[float, float]] = {}  # time-out, and since when

    @property
    def is_idle(self) -> bool:
        """Whether nobody listens."""
        return not self._streams

    @property
    def deadline(self) -> float | None:
        """When there is something to tell although no pin moves."""
        settled = [
            self._changed_at[pin] + self._filters_s.get(pin, 0.0)
            for pin in range(USER_PINS)
            if (self._seen ^ self._levels) >> pin & 1
        ]
        silent = [limit_s + since for limit_s, since in self._watchdogs.values()]
        alive = [stream.told_at + ALIVE_S for stream in self._streams.values()]
        return min(settled + silent + alive, default=None)

    def open(self, now: float) -> int:
        """Return a new handle; it hears nothing before ``begin``."""
        free = next((n for n in range(HANDLES) if n not in self._streams), None)
        if free is None:
            return Err.NO_HANDLE
        self._streams[free] = _Stream(now)
        return free

    def begin(self, handle: int, bits: int) -> int:
        """Report these pins; 0 pauses."""
        if handle not in self._streams:
            return Err.BAD_HANDLE
        self._streams[handle].bits = bits
        return 0

    def close(self, handle: int) -> int:
        """Free a handle."""
        return 0 if self._streams.pop(handle, None) else Err.BAD_HANDLE

    def filter(self, pin: int, steady_us: int) -> int:
        """Report a level of this pin when it has lasted so long."""
        if not 0 <= pin < USER_PINS:
            return Err.BAD_USER_GPIO
        if steady_us > HIGHEST_FILTER_US:
            return Err.BAD_FILTER
        self._filters_s[pin] = steady_us * 1e-6
        return 0

    def watch(self, pin: int, limit_ms: int, now: float) -> int:
        """Report a pin that does not move for so long; 0 ends it."""
        if not 0 <= pin < USER_PINS:
            return Err.BAD_USER_GPIO
        if limit_ms > HIGHEST_WATCHDOG_MS:
            return Err.BAD_WDOG_TIMEOUT
        self._watchdogs.pop(pin, None)
        if limit_ms:
            self._watchdogs[pin] = limit_ms * 1e-3, now
        return 0

    def look(self, levels: int, pulsing: int, now: float) -> None:
        """See all levels; tell what has changed.

        pulsing: the pins that are not looked at, as bits
        """
        levels = (levels & ~pulsing) | (self._seen & pulsing)
        for pin in _pins(levels ^ self._seen):
            self._changed_at[pin] = now
        self._seen = levels
        settled = [
            pin
            for pin in _pins(levels ^ self._levels)
            if now - self._changed_at[pin] >= self._filters_s.get(pin, 0.0) - 1e-9
        ]
        if settled:
            bits = sum(1 << pin for pin in settled)
            self._levels ^= bits
            self._tell(bits, 0, now)
        self._watch(settled, now)

    def take(self, handle: int) -> bytes:
        """Return the records of a handle that were not taken before."""
        stream = self._streams.get(handle)
        if stream is None:
            return b""
        records = bytes(stream.waiting)
        stream.waiting.clear()
        return records

    def _watch(self, moved: list[int], now: float) -> None:
        for pin, (limit_s, since) in list(self._watchdogs.items()):
            if pin in moved:
                self._watchdogs[pin] = limit_s, now
            elif now - since >= limit_s:
                self._watchdogs[pin] = limit_s, now
                self._tell(1 << pin, WATCHDOG | pin, now)
        for stream in self._streams.values():
            if now - stream.told_at >= ALIVE_S:
                stream.add(KEEP_ALIVE, self._levels, now)

    def _tell(self, bits: int, flags: int, now: float) -> None:
        for stream in self._streams.values():
            if stream.bits & bits:
                stream.add(flags, self._levels, now)


def _pins(bits: int) -> list[int]:
    return [pin for pin in range(USER_PINS) if bits >> pin & 1]
