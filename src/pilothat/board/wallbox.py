"""An Arduino that makes the pilot, with our sketch on it (``PilotBackend``).

The sketch (``hat/wallbox``) tells its whole state every 10 ms and is told the whole
wish with every change and every heartbeat. No call waits: each reads what has come, and
believes the newest line as long as it is young, by the Arduino's own clock. What is on
goes off in the sketch itself when wishes stop, the pilot leaves C and D, or the Arduino
is reset; a board that was lost is opened anew, by who lost it.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from math import inf

from pilothat.board.serialport import SerialPort, open_port
from pilothat.board.wallboxtext import BAUD as TEXT_BAUD
from pilothat.board.wallboxtext import TextWallbox
from pilothat.board.wallboxwire import (
    AUTO,
    BAUD,
    DIALECTS,
    NUMBERS,
    PILOTHAT,
    TEXT,
    Lines,
    Status,
    Why,
    Wish,
    read_status,
    wish_line,
)
from pilothat.errors import BoardError, ConfigError
from pilothat.pilot.duty import check_drivable
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks, PilotBackend

log = logging.getLogger("pilothat.board")

# Our choice: what must be fast, the sketch does by itself; and Linux may pass on what a
# serial port has said late, on a busy machine.
OLDEST_S = 0.3
HEARD_S = 0.4  # a wish must be answered; one lost line of two may be
START_S = 5.0  # opening the port resets the Arduino, and its boot loader takes a while
REPEAT_S = 0.2
DRIFT = 0.01  # of the Arduino's resonator and our clock against each other
APART = 1000  # of our numbers from those of an earlier life


class Age:
    """How old a line is, by the clock of who told it.

    The shortest way a line has taken is taken for none; since both clocks drift, it is
    forgotten bit by bit.
    """

    def __init__(self) -> None:
        self._shortest_s = inf
        self._told_at = self._heard_at = 0.0

    def hear(self, told_at: float, now: float) -> None:
        """Take the teller's time of its newest line, in s."""
        forgotten_s = DRIFT * (now - self._heard_at)
        self._shortest_s = min(now - told_at, self._shortest_s + forgotten_s)
        self._told_at, self._heard_at = told_at, now

    def of(self, now: float) -> float:
        """Return the age in s."""
        return now - self._told_at - self._shortest_s


class Wallbox:
    """The Arduino at the other end of a serial port."""

    def __init__(self, port: SerialPort, oldest_s: float = OLDEST_S) -> None:
        self._port = port
        self._oldest_s = oldest_s
        self._lines = Lines()
        self._status: Status | None = None
        self._age = Age()
        self._wish = Wish()
        self._unheard: deque[tuple[int, float]] = deque()  # wishes: number, sent at
        self._why = Why.START
        self._is_closed = False
        try:
            self._start()
        except BoardError:
            port.close()
            raise

    # --- PilotBackend

    def set_pwm(self, duty_pct: float) -> None:
        """Drive 1 kHz with this duty; 100 is steady +12 V, 0 steady -12 V."""
        self._change(replace(self._wish, duty_pct=check_drivable(duty_pct)))

    def sample(self) -> PilotSample:
        """Return the newest sample. Raises BoardError for one that is too old."""
        return self._newest().sample

    def set_contactor(self, *, closed: bool) -> None:
        """Drive the output contactor."""
        self._change(replace(self._wish, is_contactor_on=closed))

    def enable_supply(self, *, on: bool) -> None:
        """Drive the hardware enable line of the supply."""
        self._change(replace(self._wish, is_supply_on=on))

    def contactor_is_closed(self) -> bool:
        """Return what the mirror contact says; a broken wire says closed."""
        return self._newest().is_contactor_closed

    def interlocks(self) -> Interlocks:
        """Return the inputs of the safety chain; temperature has none."""
        status = self._newest()
        return Interlocks(
            is_estop_released=status.is_estop_released, is_rcm_good=status.is_rcm_good
        )

    def heartbeat(self) -> None:
        """Renew the lease of all that is on."""
        self._send(self._wish)

    def close(self) -> None:
        """Make safe and let go; a lost Arduino lets go by itself."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._send(Wish())
        except BoardError as lost:
            log.critical("closing a lost board error=%s", lost)
        finally:
            self._port.close()

    # --- how it begins

    def _start(self) -> None:
        """Wait until the sketch speaks, then until it has heard that all is off."""
        end = time.monotonic() + START_S
        repeat_at = 0.0
        while not self._is_met():
            now = time.monotonic()
            if now >= end:
                raise self._lost(self._silence())
            if self._status is not None and now >= repeat_at:
                self._begin_anew(self._status)
                repeat_at = now + REPEAT_S
            self._port.wait(min(REPEAT_S, end - now))
            self._hear(time.monotonic(), is_new=True)
        log.info("wallbox port=%s refused=%d", self._port.name, self._met.refused)

    def _is_met(self) -> bool:
        status = self._status
        return status is not None and status.number == self._wish.number != 0

    def _begin_anew(self, status: Status) -> None:
        """Wish all off, with a number of which nobody has heard yet."""
        self._unheard.clear()
        self._wish = Wish((status.number + APART) % NUMBERS)
        self._send(Wish())

    def _silence(self) -> str:
        if self._status is None:
            return f"no line of our sketch within {START_S:.0f} s"
        return "it speaks, and does not hear"

    # --- lines

    @property
    def _met(self) -> Status:
        if self._status is None:
            raise self._lost("nothing heard yet")
        return self._status

    def _newest(self) -> Status:
        """Return the state, if it is young. Raises BoardError."""
        now = time.monotonic()
        self._hear(now)
        age_s = self._age.of(now)
        if age_s > self._oldest_s:
            raise self._lost(f"no good line for {age_s * 1e3:.0f} ms")
        if self._unheard and now - age_s - self._unheard[0][1] > self._patience_s:
            raise self._lost("it does not obey any more")
        return self._met

    @property
    def _patience_s(self) -> float:
        return max(HEARD_S, self._oldest_s)

    def _hear(self, now: float, *, is_new: bool = False) -> None:
        """Take the newest good line of what has come."""
        lines = self._lines.take(self._port.read())
        found = (read_status(line) for line in reversed(lines))
        status = next((one for one in found if one is not None), None)
        if status is None:
            return
        before = self._status
        if before is not None and status.up_s < before.up_s:
            self._age = Age()
            if not is_new:
                raise self._lost("the Arduino has been reset")
        self._status = status
        self._age.hear(status.up_s, now)
        self._settle(status.number)
        self._watch(status.why)

    def _settle(self, number: int) -> None:
        """Forget the wishes up to the one that is obeyed."""
        unheard = self._unheard
        while unheard and (number - unheard[0][0]) % NUMBERS < NUMBERS // 2:
            unheard.popleft()

    def _watch(self, why: Why) -> None:
        """Log when the sketch has switched off by itself."""
        if why is not self._why and why not in (Why.NOTHING, Why.START):
            log.warning("the Arduino has switched off by itself why=%s", why.value)
        self._why = why

    def _change(self, wish: Wish) -> None:
        if wish != self._wish:
            self._send(wish)

    def _send(self, wish: Wish) -> None:
        number = (self._wish.number + 1) % NUMBERS
        self._wish = replace(wish, number=number)
        self._unheard.append((number, time.monotonic()))
        self._port.write(wish_line(self._wish))

    def _lost(self, what: str) -> BoardError:
        return BoardError(
            what,
            where=f"Arduino at {self._port.name}",
            remedy="Is hat/wallbox flashed, and board.wallbox_dialect right? "
            "hat/wallbox/README.md",
        )


def open_board(options: Mapping[str, str]) -> PilotBackend:
    """Open the board. Raises BoardError, ConfigError.

    Options: ``wallbox_port`` is its port, ``wallbox_dialect`` what is flashed,
    ``reply_s`` how old a line may be where nothing is at stake.
    """
    dialect = options.get("wallbox_dialect", PILOTHAT)
    name = options.get("wallbox_port", AUTO)
    if dialect == TEXT:
        return TextWallbox(open_port(name, TEXT_BAUD))
    if dialect != PILOTHAT:
        raise ConfigError(
            f"no dialect '{dialect}'",
            where="board.wallbox_dialect",
            remedy=f"Known: {', '.join(DIALECTS)}",
        )
    return Wallbox(open_port(name, BAUD), float(options.get("reply_s", OLDEST_S)))
