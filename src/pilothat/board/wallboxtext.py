"""An Arduino with the published sketch WallboxArduino: it is looked at, not driven.

That sketch takes no commands. It makes its own pilot, which never offers 5 % as it is
published, and switches its relay by itself as soon as a car asks. So no power is ever
given through this driver: a contactor that is to close is refused, and a relay that the
sketch has closed is told as closed, which a station takes for a welded one. What is of
use are its levels, in text, every 0.7 s.
"""

from __future__ import annotations

import logging
import re
import time

from pilothat.board.serialport import SerialPort
from pilothat.board.wallboxwire import Lines
from pilothat.errors import BoardError
from pilothat.pilot.duty import check_drivable
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks

log = logging.getLogger("pilothat.board")

BAUD = 115_200
OLDEST_S = 1.6  # it tells its levels every 32 turns of 20 ms, at best
START_S = 5.0
STANDBY, CHARGING = "STANDBY", "READY/CHARGING"
_LEVELS = re.compile(rb"Pilot Voltages high=(-?\d{1,5})  low=(-?\d{1,5})")
_ENTERING = re.compile(
    rb"Entering State (STANDBY|VEHICLE DETECTED|READY/CHARGING|ERROR)"
)
_FLAT_V = 1.0  # levels that are closer are one: no PWM
# An Arduino that is not reset by opening its port has said its state before. At a level
# above C the sketch opens its relay within 0.25 s, so two reports of one tell.
_ABOVE_C_V = 7.5
_CALM_REPORTS = 2


class TextWallbox:
    """The published sketch at the other end of a serial port."""

    def __init__(self, port: SerialPort) -> None:
        self._port = port
        self._lines = Lines()
        self._sample: PilotSample | None = None
        self._heard_at = 0.0
        self._state = ""  # unknown: its relay may be closed
        self._calm_reports = 0  # in a row
        self._is_closed = False
        log.warning("wallbox dialect=text: no command is possible, so no power is")
        try:
            self._start()
        except BoardError:
            port.close()
            raise

    # --- PilotBackend

    def set_pwm(self, duty_pct: float) -> None:
        """Do nothing with a good duty: the sketch drives its own."""
        check_drivable(duty_pct)

    def sample(self) -> PilotSample:
        """Return the newest sample. Raises BoardError for one that is too old."""
        self._hear()
        age_s = time.monotonic() - self._heard_at
        if self._sample is None or age_s > OLDEST_S:
            raise self._lost(f"no levels for {age_s:.1f} s")
        return self._sample

    def set_contactor(self, *, closed: bool) -> None:
        """Raise BoardError for a contactor that is to close."""
        if closed:
            raise self._lost("the published sketch takes no commands: no power")

    def enable_supply(self, *, on: bool) -> None:
        """Raise BoardError for a supply that is to be on."""
        self.set_contactor(closed=on)

    def contactor_is_closed(self) -> bool:
        """Tell whether the sketch may have closed its relay."""
        self._hear()
        return self._state in ("", CHARGING)

    def interlocks(self) -> Interlocks:
        """Return a chain that is good: the sketch has none."""
        return Interlocks()

    def heartbeat(self) -> None:
        """Do nothing: there is no watchdog."""

    def close(self) -> None:
        """Let go."""
        if not self._is_closed:
            self._is_closed = True
            self._port.close()

    # --- lines

    def _start(self) -> None:
        """Wait for levels, and for a state; opening the port may reset the Arduino."""
        end = time.monotonic() + START_S
        while self._sample is None or not self._state:
            left_s = end - time.monotonic()
            if left_s <= 0:
                break
            self._port.wait(left_s)
            self._hear()
        if self._sample is None:
            raise self._lost(f"no levels within {START_S:.0f} s")

    def _hear(self) -> None:
        now = time.monotonic()
        for line in self._lines.take(self._port.read()):
            if found := _LEVELS.fullmatch(line):
                self._take_levels(*(int(text) / 1000 for text in found.groups()))
                self._heard_at = now
            elif found := _ENTERING.fullmatch(line):
                self._state = found[1].decode()
                log.info("wallbox state=%s", self._state)

    def _take_levels(self, high_v: float, low_v: float) -> None:
        is_flat = high_v - low_v < _FLAT_V
        self._sample = PilotSample(high_v, None if is_flat else low_v)
        self._calm_reports = self._calm_reports + 1 if high_v > _ABOVE_C_V else 0
        if not self._state and self._calm_reports >= _CALM_REPORTS:
            self._state = STANDBY

    def _lost(self, what: str) -> BoardError:
        return BoardError(
            what,
            where=f"Arduino at {self._port.name}",
            remedy="To charge, flash hat/wallbox and set board.wallbox_dialect "
            'to "pilothat"',
        )
