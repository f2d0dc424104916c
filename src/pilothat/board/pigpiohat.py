"""The HAT on a Pi Zero to 4, by pigpio's daemon (``PilotBackend``).

The guard's hot path: every call is one batch on one connection. A daemon that dies,
hangs, answers late or wrongly is a lost board; the guard then ends, and the board's
watchdog opens whatever stays closed. Inside the daemon a dead-man script forces all
outputs low when the heartbeat stops, for the case that only this program is gone.

The daemon is ours alone: what an earlier life left in it is made safe and removed.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import Any

from pilothat.board.calibration import board_of
from pilothat.board.pigpioclient import (
    REMEDY,
    Batch,
    Client,
    Request,
    words_of,
)
from pilothat.board.pigpiowire import PORT, Cmd, Err, Mode, Pull, words
from pilothat.board.revision import Revision
from pilothat.board.sampling import CODE_DATA, FRAME_BYTES, Look, Sampler, frame
from pilothat.errors import BoardError
from pilothat.pilot.duty import check_drivable
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks

log = logging.getLogger("pilothat.board")

REPLY_S = 0.08  # our choice: a dead daemon must be noticed within 100 ms
OLDEST = 78  # version of the daemon
SCRIPTS = SPI_HANDLES = 32
DEAD_MAN_S = 0.5
DEAD_MAN_TICK_S = 0.02
BEATS = 64  # even, so that each is an edge; more than the script can miss in a tick
MILLION = 1_000_000  # full duty
# p0 heartbeats, p1 ticks without one, p2 pilot, p3 and p4 contactor and enable line.
DEAD_MAN = (
    "ld v0 0 ld v1 0 tag 1 mils 20 lda p0 cmp v0 jnz 2 inr v1 lda v1 cmp p1 jm 1 "
    "hp p2 {hz} 0 w p3 0 w p4 0 jmp 1 tag 2 sta v0 ld v1 0 jmp 1"
)
_PROCP_PINS = slice(12, 24)  # of a script's status: its parameters 2 to 4


class PigpioHat:
    """The board's pins, driven through the daemon."""

    def __init__(
        self,
        client: Client,
        board: Revision,
        reply_s: float = REPLY_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._reply_s = reply_s
        self._board = board
        self._duty_pct = 0.0
        self._is_closed = False
        pins = board.pins
        self._safe = Batch(
            _write(pins.k2_req, 0), _write(pins.k1_req, 0), self._pulse(0.0)
        )
        try:
            self._check_daemon()
            self._start_safe()
            self._spi = self._open_adc()
            self._script = self._start_dead_man()
        except BoardError:
            client.close()
            raise
        self._sampler = Sampler(board, self._looking, clock)
        self._beats = cycle([self._beat(number) for number in range(BEATS)])
        self._do(Batch(_write(pins.cp_en, 1)))

    # --- PilotBackend

    def set_pwm(self, duty_pct: float) -> None:
        """Drive 1 kHz with this duty; 100 is steady +12 V, 0 steady -12 V."""
        check_drivable(duty_pct)
        self._do(Batch(self._pulse(duty_pct)))
        self._duty_pct = duty_pct

    def sample(self) -> PilotSample:
        """Return the newest sample. Raises BoardError for one that cannot be true."""
        return self._sampler.sample(self._duty_pct)

    def set_contactor(self, *, closed: bool) -> None:
        """Drive the output contactor."""
        self._do(Batch(_write(self._board.pins.k1_req, int(closed))))
        self._sampler.outdate()

    def enable_supply(self, *, on: bool) -> None:
        """Drive the hardware enable line of the supply."""
        self._do(Batch(_write(self._board.pins.k2_req, int(on))))
        self._sampler.outdate()

    def contactor_is_closed(self) -> bool:
        """Return what the mirror contact says; a broken wire says closed."""
        return self._sampler.contactor_is_closed()

    def interlocks(self) -> Interlocks:
        """Return the inputs of the safety chain; a broken wire is not good."""
        return self._sampler.interlocks()

    def codes(self, channel: int, count: int = 1) -> Sequence[int]:
        """Return so many conversions of a channel, one right after the other."""
        words = self._do(Batch(*(self._read(channel),) * count))
        return [word & self._board.adc.top for word in words]

    def frequency_hz(self) -> float:
        """Return what the daemon has set the PWM to. Raises BoardError."""
        frequency_hz, _ = self._client.ask(Cmd.PFG, self._board.pins.cp_pwm)
        return float(frequency_hz)

    def heartbeat(self) -> None:
        """Give the watchdog its edge, and the dead-man script its number.

        They go out with what is asked next: every exchange costs the guard as much as
        all it does with the answers.
        """
        self._client.post(next(self._beats), self._reply_s)

    def close(self) -> None:
        """Make safe and let go; a lost daemon is tried once more, anew."""
        if self._is_closed:
            return
        self._is_closed = True
        try:
            self._do(self._safe)
            self._client.ask(Cmd.PROCD, self._script)
            self._client.ask(Cmd.SPIC, self._spi)
        except BoardError as lost:
            log.critical("closing a lost board error=%s", lost)
            self._close_anew()
        finally:
            self._client.close()

    def _close_anew(self) -> None:
        try:
            with contextlib.closing(self._client.again()) as client:
                client.exchange(self._safe, self._reply_s)
        except BoardError as error:
            log.critical("left to the watchdog error=%s", error)

    # --- how it begins

    def _check_daemon(self) -> None:
        version, hardware = self._client.ask(Cmd.PIGPV)[0], self._client.ask(Cmd.HWVER)
        log.info("daemon version=%d hardware=%x", version, hardware[0])
        if version < OLDEST:
            raise BoardError(
                f"version {version} of the daemon, {OLDEST} is needed",
                where="pigpiod",
                remedy=REMEDY,
            )
        if hardware[0] == 0:
            raise BoardError("not a Raspberry Pi", where="pigpiod", remedy=REMEDY)

    def _start_safe(self) -> None:
        """Look at what is there, then make it safe before anything else.

        ``write`` sets the level before it makes the pin an output, so nothing glitches.
        """
        pins = self._board.pins
        levels, *modes = words_of(
            self._do(
                Batch(
                    _LEVELS,
                    *(
                        Request(Cmd.MODEG, pin, result=None)
                        for pin in (pins.k1_req, pins.k2_req)
                    ),
                )
            )
        )
        if Mode.OUTPUT in modes and levels & (1 << pins.k1_req | 1 << pins.k2_req):
            log.warning("an earlier program left the outputs on levels=%08x", levels)
        lows = (pins.cp_en, pins.wd_hb, pins.led_green, pins.led_red)
        inputs = (pins.estop_n, pins.fault_n, pins.k1_fb_n, pins.k2_fb_n)
        self._do(self._safe)
        self._do(
            Batch(
                *(_write(pin, 0) for pin in lows),
                *(Request(Cmd.MODES, pin, Mode.INPUT) for pin in inputs),
                *(Request(Cmd.PUD, pin, Pull.DOWN) for pin in inputs),
            )
        )

    def _open_adc(self) -> int:
        adc = self._board.adc
        wanted = Cmd.SPIO, adc.pigpio_channel, adc.baud, words(adc.pigpio_flags)
        handle, _ = self._client.ask(*wanted)
        if handle == Err.NO_HANDLE:  # of programs that were killed
            for number in range(SPI_HANDLES):
                self._client.ask(Cmd.SPIC, number)
            handle, _ = self._client.ask(*wanted)
        if handle < 0:
            raise BoardError(f"cannot open the ADC ({handle})", where="pigpiod")
        return handle

    def _start_dead_man(self) -> int:
        """Store and start the script; those of earlier lives would fight us."""
        pins = self._board.pins
        ours = (pins.cp_pwm, pins.k1_req, pins.k2_req)
        for number in range(SCRIPTS):
            _, told = self._client.ask(Cmd.PROCP, number)
            if told[_PROCP_PINS] == words(*ours):
                self._client.ask(Cmd.PROCD, number)
        text = DEAD_MAN.format(hz=self._board.pwm.frequency_hz).encode()
        number, _ = self._client.ask(Cmd.PROC, extension=text)
        ticks = round(DEAD_MAN_S / DEAD_MAN_TICK_S)
        started = number
        if number >= 0:
            parameters = words(0, ticks, *ours)
            started, _ = self._client.ask(Cmd.PROCR, number, extension=parameters)
        if started < 0:
            raise BoardError(f"cannot start a script ({started})", where="pigpiod")
        return number

    # --- small things

    def _do(self, batch: Batch) -> Sequence[Any]:
        return self._client.exchange(batch, self._reply_s)

    def _pulse(self, duty_pct: float) -> Request:
        board = self._board
        duty = words(round(duty_pct / 100 * MILLION))
        return Request(Cmd.HP, board.pins.cp_pwm, board.pwm.frequency_hz, duty)

    def _looking(self, channels: Sequence[int]) -> Look:
        batch = Batch(*(self._read(channel) for channel in channels), _LEVELS)
        top = self._board.adc.top

        def look() -> tuple[Sequence[int], int]:
            *words, levels = self._do(batch)
            return [word & top for word in words], int.from_bytes(levels, "little")

        return look

    def _beat(self, number: int) -> Batch:
        return Batch(
            _write(self._board.pins.wd_hb, number & 1),
            Request(Cmd.PROCU, self._script, extension=words(number)),
        )

    def _read(self, channel: int) -> Request:
        sent = frame(channel)
        return Request(Cmd.SPIX, self._spi, 0, sent, FRAME_BYTES, CODE_DATA)


_LEVELS = Request(Cmd.BR1, result=None)


def _write(pin: int, level: int) -> Request:
    return Request(Cmd.WRITE, pin, level)


def open_board(options: Mapping[str, str]) -> PigpioHat:
    """Open the board.

    Options: ``pigpio_host`` and ``pigpio_port`` are the daemon's address, ``revision``
    and ``calibration`` the board's, ``reply_s`` how late an answer may be where nothing
    is at stake.
    """
    board = board_of(options)
    client = Client(
        options.get("pigpio_host", "127.0.0.1"),
        int(options.get("pigpio_port", PORT)),
    )
    return PigpioHat(client, board, float(options.get("reply_s", REPLY_S)))
