"""The Arduino that makes a pilot, with our sketch or the published one, on a bench.

A model of what ``hat/wallbox/wallbox.ino`` does, line by line and millisecond by
millisecond. The sketch itself is tried in a simulated processor, where the same story
must end alike for both (``tests/hat/test_sketch_model.py``). Time is a parameter and
never goes back.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Protocol

from pilothat.board.wallboxwire import (
    Lines,
    Status,
    Why,
    Wish,
    read_wish,
    status_line,
)
from pilothat.pilot.duty import Offer, offer_of
from pilothat.pilot.levels import PilotLevel, PilotSample, classify
from pilothat.twin.bench import Bench

LINE_S = 0.010
CHANGED_LINE_S = 0.004  # after another duty: as soon as both half waves are measured
LEASE_S = 0.5
LOST_S = 0.030  # a pilot that is in neither C nor D, with something on
BOOT_S = 0.3  # the boot loader; a real one takes longer
WANTS_V = (1.5, 7.5)
LOW_BELOW_V = -9.0
STEP_V = 0.0348  # of the converter, at CP


class WallboxFault(Enum):
    """What can go wrong between Arduino and station. All can be taken back."""

    NOISE = auto()  # every other line is garbled, both ways
    CUT = auto()  # every line ends in its middle
    WRONG_CRC = auto()  # every line has another checksum
    SILENT = auto()  # nothing is told
    DEAF = auto()  # nothing is heard
    RESET = auto()  # someone presses the button, once
    UNPLUGGED = auto()  # the USB cable is pulled; the Arduino goes on, from elsewhere


class Arduino(Protocol):
    """What is at the other end of the serial line."""

    def take(self, data: bytes, now: float) -> None:
        """Hear bytes."""

    def advance(self, now: float) -> bytes:
        """Catch up with time; return what is told."""

    def reset(self, now: float) -> None:
        """Start anew."""


class Sketch:
    """Our sketch."""

    def __init__(self, bench: Bench, now: float) -> None:
        self._bench = bench
        self.reset(now)

    def reset(self, now: float) -> None:
        """Start anew: everything off, and kept off until it is wished off."""
        self._lines = Lines()
        self._wish = Wish()
        self._why = Why.START
        self._refused = 0
        self._is_on = False  # relay or enable line
        self._began_at = self._wished_at = self._wanted_at = now + BOOT_S
        self._tells_at = now + BOOT_S + LINE_S
        self._bench.drive_pilot(0.0, now)
        self._drive(now)

    def take(self, data: bytes, now: float) -> None:
        """Hear wishes; a line that is none is counted, and changes nothing."""
        if now < self._began_at:
            return
        for line in self._lines.take(data):
            wish = read_wish(line)
            if wish is None or not _is_drivable(wish.duty_pct):
                self._refused += 1
                continue
            if wish.duty_pct != self._wish.duty_pct:
                self._tells_at = now + CHANGED_LINE_S
            self._wish, self._wished_at = wish, now
            if not (wish.is_contactor_on or wish.is_supply_on):
                self._why = Why.NOTHING
            self._bench.drive_pilot(wish.duty_pct, now)
        self._guard(now)

    def advance(self, now: float) -> bytes:
        """Catch up with time; return what is told."""
        if now < self._began_at:
            return b""
        self._guard(now)
        if now < self._tells_at:
            return b""
        self._tells_at = now + LINE_S
        return status_line(self._status(now))

    def _guard(self, now: float) -> None:
        """Switch off what may not be on."""
        wish = self._wish
        is_wished = wish.is_contactor_on or wish.is_supply_on
        is_wanted = _wants_power(self._bench.pilot(now))
        if is_wanted or not is_wished:
            self._wanted_at = now
        if now - self._wished_at >= LEASE_S:
            self._bench.drive_pilot(0.0, now)
            self._wish = Wish(wish.number, 0.0, wish.is_contactor_on, wish.is_supply_on)
            self._why = Why.LEASE
        elif is_wished and not self._bench.interlocks(now).is_good:
            self._why = Why.CHAIN
        elif is_wished and now - self._wanted_at > LOST_S:
            self._why = Why.PILOT
        may = self._why is Why.NOTHING and (is_wanted or self._is_on)
        self._is_on = may and is_wished
        self._drive(now)

    def _drive(self, now: float) -> None:
        on = self._is_on
        self._bench.set_contactor(now, closed=on and self._wish.is_contactor_on)
        self._bench.enable_supply(now, on=on and self._wish.is_supply_on)

    def _status(self, now: float) -> Status:
        sample, chain = self._bench.pilot(now), self._bench.interlocks(now)
        low_v = sample.high_v if sample.low_v is None else sample.low_v
        return Status(
            up_s=now - self._began_at,
            number=self._wish.number,
            duty_pct=self._wish.duty_pct,
            high_v=_converted(sample.high_v),
            low_v=_converted(low_v),
            is_contactor_on=self._is_on and self._wish.is_contactor_on,
            is_supply_on=self._is_on and self._wish.is_supply_on,
            is_contactor_closed=self._bench.contactor_is_closed(now),
            is_estop_released=chain.is_estop_released,
            is_rcm_good=chain.is_rcm_good,
            lease_s=max(self._wished_at + LEASE_S - now, 0.0),
            refused=self._refused,
            why=self._why,
        )


TURN_S = 0.020
TURNS_A_REPORT = 32
PLUGGED_S, CHANGED_S, ERROR_S = 0.2, 0.25, 10.0
CURRENT_A = 16
DUTY_PCT = CURRENT_A / 0.6
STANDBY, DETECTED = "STANDBY", "VEHICLE DETECTED"
CHARGING, ERROR = "READY/CHARGING", "ERROR"
_RANGES = {  # what it prints of a level, the state it leads to
    PilotLevel.A: ("A: not connected", STANDBY),
    PilotLevel.B: ("B: vehicle detected", DETECTED),
    PilotLevel.C: ("C: ready/charging", CHARGING),
}


class PublishedSketch:
    """The published sketch: it hears nothing, charges by itself, and prints."""

    def __init__(self, bench: Bench, now: float) -> None:
        self._bench = bench
        self._state = ""
        self.reset(now)

    def reset(self, now: float) -> None:
        """Start anew."""
        self._told = b"Starting...\r\n"
        self._turn_at = now
        self._turns = 0
        self._since: tuple[str, float] = (STANDBY, now)  # what is seen, since when
        self._enter(STANDBY, now)

    def take(self, data: bytes, now: float) -> None:
        """Hear nothing."""

    def advance(self, now: float) -> bytes:
        """Catch up with time; return what is told."""
        while self._turn_at <= now:
            self._turn(self._turn_at)
            self._turn_at += TURN_S
        told, self._told = self._told, b""
        return told

    def _turn(self, now: float) -> None:
        sample = self._bench.pilot(now)
        level = classify(sample.high_v)
        is_bad = sample.low_v is not None and sample.low_v > -10.0
        text, seen = _RANGES.get(level, ("error", ERROR)) if level else ("error", ERROR)
        if is_bad or (self._state == STANDBY and seen == CHARGING):
            seen = ERROR
        if seen != self._since[0]:
            self._since = (seen, now)
        self._turns += 1
        if self._turns % TURNS_A_REPORT == 0:
            self._report(sample, text)
        if self._state == ERROR:
            seen = STANDBY
        if seen != self._state and now - self._since[1] >= self._patience_s(seen):
            self._enter(seen, now)

    def _patience_s(self, seen: str) -> float:
        if self._state == ERROR:
            return ERROR_S
        return PLUGGED_S if seen == DETECTED else CHANGED_S

    def _report(self, sample: PilotSample, text: str) -> None:
        high_mv = round(sample.high_v * 1000)
        low_mv = high_mv if sample.low_v is None else round(sample.low_v * 1000)
        self._say(f"Pilot Voltages high={high_mv}  low={low_mv}")
        self._say(f"Range {text}I_Lade_Soll_A={CURRENT_A}")

    def _enter(self, state: str, now: float) -> None:
        self._state = state
        self._since = (self._since[0], now)
        self._say(f"Entering State {state}")
        is_pulsing = state in (DETECTED, CHARGING)
        self._bench.drive_pilot(DUTY_PCT if is_pulsing else 100.0, now)
        self._bench.set_contactor(now, closed=state == CHARGING)

    def _say(self, text: str) -> None:
        self._told += f"{text}\r\n".encode()


class Noise:
    """A serial line that is not what it should be: bytes in, bytes out, in lines."""

    def __init__(self) -> None:
        self.faults: frozenset[WallboxFault] = frozenset()
        self._count = 0

    def pass_on(self, data: bytes) -> bytes:
        """Return what comes out at the other end."""
        return b"".join(map(self._spoiled, data.splitlines(keepends=True)))

    def _spoiled(self, line: bytes) -> bytes:
        self._count += 1
        faults, middle = self.faults, len(line) // 2
        if WallboxFault.CUT in faults:
            return line[:middle] + b"\n"
        if WallboxFault.WRONG_CRC in faults:
            return line.translate(_OTHER_DIGITS)
        if WallboxFault.NOISE in faults and self._count % 2:
            return line[:middle] + b"\xff\x00" + line[middle + 1 :]
        return line


_OTHER_DIGITS = bytes.maketrans(b"0123456789", b"1234567890")


def _is_drivable(duty_pct: float) -> bool:
    return duty_pct <= 100.0 and offer_of(duty_pct) is not Offer.FORBIDDEN


def _wants_power(sample: PilotSample) -> bool:
    low_v, high_v = WANTS_V
    has_low = sample.low_v is None or sample.low_v < LOW_BELOW_V
    return low_v < sample.high_v < high_v and has_low


def _converted(volts: float) -> float:
    return round(volts / STEP_V) * STEP_V
