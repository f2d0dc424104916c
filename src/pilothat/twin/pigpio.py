"""The commands of pigpio's daemon, on the twin's pins and board.

Pure: a request and the time go in, the result comes out; sockets are somebody else's.
What a client set up stays when it leaves, but for its notifications. Conversions that
are asked for together are as far apart as the clock of the SPI makes them, although the
answers come sooner. Waves, I2C, serial lines and files are not here: unknown command.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence

from pilothat.board.pigpiowire import (
    AUX_SPI,
    CE_IS_FREE,
    Cmd,
    Err,
    ScriptStatus,
)
from pilothat.board.revision import Revision
from pilothat.machine import earliest
from pilothat.twin.hat import Hat
from pilothat.twin.notices import Notices, tick_of
from pilothat.twin.script import PARAMETERS, Script, ScriptError, parse
from pilothat.twin.soc import PINS, UPDATABLE, USER_PINS, Soc

VERSION = 79
HARDWARE = 0xA02082  # a Pi 3 B
SPI_HANDLES = SCRIPTS = 32
AUX_CE_PINS = (18, 17, 16)
LOWEST_BAUD, HIGHEST_BAUD = 32_000, 125_000_000
FLAG_BITS = 22
HIGHEST_PULSE_US = 100

Result = int | bytes
# Refused for a pin that is not on the header.
GUARDED = frozenset(
    {Cmd.MODES, Cmd.PUD, Cmd.WRITE, Cmd.PWM, Cmd.PRS, Cmd.PFS, Cmd.TRIG, Cmd.HP}
)
MOVING = GUARDED | {Cmd.BC1, Cmd.BS1, Cmd.SPIO}


class Daemon:
    """All commands, and what they leave behind."""

    def __init__(self, hat: Hat, revision: Revision) -> None:
        self._hat = hat
        self._revision = revision
        self.soc = Soc()
        self.notices = Notices()
        self._spi: dict[int, tuple[bool, int]] = {}  # is the ADC on it, and its baud
        self._spi_ends = 0.0  # when the transfer that was asked for last will be over
        self._scripts: dict[int, Script] = {}
        self._table = self._commands()

    def restart(self) -> None:
        """Be a new process: pins and PWM stay, handles and scripts are gone."""
        self.notices = Notices()
        self._spi.clear()
        self._scripts.clear()
        self._table = self._commands()

    @property
    def deadline(self) -> float | None:
        """When something happens that nobody asks for."""
        scripts = (script.resumes_at for script in self._scripts.values())
        return earliest(self._hat.deadline, self.notices.deadline, *scripts)

    def advance(self, now: float) -> None:
        """Catch up with time."""
        self._hat.advance(now)
        self._spi_ends = now
        for script in self._scripts.values():
            script.run(lambda cmd, values: self._from_script(cmd, values, now), now)
        if not self.notices.is_idle:
            self._look(now)

    def handle(
        self, command: int, p1: int, p2: int, extension: bytes, now: float
    ) -> Result:
        """Perform a request; bytes are data, whose length is the result."""
        function = self._table.get(command)
        if function is None:
            return Err.UNKNOWN_COMMAND
        if command in GUARDED and p1 < PINS and not UPDATABLE >> p1 & 1:
            return Err.NOT_PERMITTED
        result = function(p1, p2, extension, now)
        if command in MOVING:
            self._settle(now)
        return result

    def _from_script(self, command: Cmd, values: Sequence[int], now: float) -> int:
        p1, p2, *rest = *values, 0, 0
        extension = struct.pack("<I", rest[0]) if len(values) > 2 else b""
        result = self.handle(command, p1, p2, extension, now)
        return result if isinstance(result, int) else len(result)

    def _commands(self) -> Mapping[int, Callable[[int, int, bytes, float], Result]]:
        return {
            **self._pin_commands(),
            **self._pwm_commands(),
            **self._notice_commands(),
            Cmd.TICK: lambda _a, _b, _e, now: tick_of(now),
            Cmd.HWVER: lambda *_: HARDWARE,
            Cmd.PIGPV: lambda *_: VERSION,
            Cmd.WVCLR: lambda *_: 0,
            Cmd.WVBSY: lambda *_: 0,
            Cmd.WVHLT: lambda *_: 0,
            Cmd.SPIO: self._open_spi,
            Cmd.SPIC: lambda handle, *_: (
                Err.BAD_HANDLE if self._spi.pop(handle, None) is None else 0
            ),
            Cmd.SPIX: lambda handle, _b, sent, now: self._transfer(handle, sent, now),
            Cmd.SPIR: lambda handle, count, _e, now: self._transfer(
                handle, bytes(count & 0xFFFF), now
            ),
            Cmd.SPIW: self._send_spi,
            Cmd.PROC: self._store,
            Cmd.PROCD: lambda number, *_: (
                0 if self._scripts.pop(number, None) else Err.BAD_SCRIPT_ID
            ),
            Cmd.PROCR: self._start,
            Cmd.PROCS: self._stop,
            Cmd.PROCP: self._status,
            Cmd.PROCU: self._update,
        }

    # --- pins

    def _pin_commands(self) -> Mapping[int, Callable[[int, int, bytes, float], Result]]:
        soc = self.soc
        return {
            Cmd.MODES: lambda pin, mode, *_: soc.set_mode(pin, mode),
            Cmd.MODEG: lambda pin, *_: soc.mode(pin),
            Cmd.PUD: lambda pin, pull, *_: soc.set_pull(pin, pull),
            Cmd.READ: self._read,
            Cmd.WRITE: lambda pin, level, *_: soc.write(pin, level),
            Cmd.BR1: self._read_all,
            Cmd.BC1: lambda bits, *_: soc.write_bits(bits, 0),
            Cmd.BS1: lambda bits, *_: soc.write_bits(bits, 1),
            Cmd.TRIG: self._trigger,
        }

    def _pwm_commands(self) -> Mapping[int, Callable[[int, int, bytes, float], Result]]:
        soc = self.soc
        return {
            Cmd.PWM: lambda pin, duty, *_: soc.set_duty(pin, duty),
            Cmd.PRS: lambda pin, steps, *_: soc.set_range(pin, steps),
            Cmd.PFS: lambda pin, hz, *_: soc.set_frequency(pin, hz),
            Cmd.GDC: lambda pin, *_: soc.duty(pin),
            Cmd.PRG: lambda pin, *_: soc.range(pin),
            Cmd.PFG: lambda pin, *_: soc.frequency(pin),
            Cmd.PRRG: lambda pin, *_: soc.real_range(pin),
            Cmd.HP: lambda pin, hz, extension, now: soc.set_hardware_pwm(
                pin, hz, _word(extension), now
            ),
        }

    def _notice_commands(
        self,
    ) -> Mapping[int, Callable[[int, int, bytes, float], Result]]:
        notices = self.notices
        return {
            Cmd.NO: lambda _a, _b, _e, now: notices.open(now),
            Cmd.NOIB: lambda _a, _b, _e, now: notices.open(now),
            Cmd.NB: self._begin,
            Cmd.NP: lambda handle, *_: notices.begin(handle, 0),
            Cmd.NC: lambda handle, *_: notices.close(handle),
            Cmd.FG: lambda pin, steady, *_: notices.filter(pin, steady),
            Cmd.FN: lambda pin, steady, *_: (
                Err.BAD_USER_GPIO
                if pin >= USER_PINS
                else Err.BAD_FILTER * (steady > 300_000)
            ),
            Cmd.WDOG: lambda pin, ms, _e, now: notices.watch(pin, ms, now),
        }

    def _read(self, pin: int, _b: int, _e: bytes, now: float) -> int:
        self.soc.outside = self._hat.inputs(now)
        return self.soc.read(pin, now)

    def _read_all(self, _a: int, _b: int, _e: bytes, now: float) -> int:
        self.soc.outside = self._hat.inputs(now)
        return self.soc.levels(now)

    def _begin(self, handle: int, bits: int, _e: bytes, now: float) -> int:
        self._look(now)
        return self.notices.begin(handle, bits)

    def _trigger(self, pin: int, length_us: int, extension: bytes, now: float) -> int:
        level = _word(extension)
        if pin >= USER_PINS:
            return Err.BAD_USER_GPIO
        if level > 1:
            return Err.BAD_LEVEL
        if not 0 < length_us <= HIGHEST_PULSE_US:
            return Err.BAD_PULSE_LENGTH
        self.soc.write(pin, level)
        self._settle(now)
        return self.soc.write(pin, 1 - level)

    def _look(self, now: float) -> None:
        soc = self.soc
        soc.outside = self._hat.inputs(now)
        pulsing = sum(1 << pin for pin in range(USER_PINS) if soc.wave(pin))
        self.notices.look(soc.levels(now), pulsing, now)

    def _settle(self, now: float) -> None:
        """Let the board see the pins that go to it, and listeners see all."""
        self._hat.follow(self.soc, now)
        if not self.notices.is_idle:
            self._look(now)

    # --- SPI

    def _open_spi(self, channel: int, baud: int, extension: bytes, _n: float) -> int:
        flags = _word(extension)
        is_aux = bool(flags & AUX_SPI)
        if channel > (2 if is_aux else 1):
            return Err.BAD_SPI_CHANNEL
        if not LOWEST_BAUD <= baud <= HIGHEST_BAUD:
            return Err.BAD_SPI_SPEED
        if flags >> FLAG_BITS:
            return Err.BAD_FLAGS
        free = next((n for n in range(SPI_HANDLES) if n not in self._spi), None)
        if free is None:
            return Err.NO_HANDLE
        if is_aux:  # chip selects that are not kept back become outputs, high
            for pin, bit in zip(AUX_CE_PINS, CE_IS_FREE, strict=True):
                if not flags & bit:
                    self.soc.write(pin, 1)
        adc = self._revision.adc
        is_adc = channel == adc.pigpio_channel and is_aux == bool(
            adc.pigpio_flags & AUX_SPI
        )
        self._spi[free] = is_adc, baud
        return free

    def _transfer(self, handle: int, sent: bytes, now: float) -> Result:
        if handle not in self._spi:
            return Err.BAD_HANDLE
        if not sent:
            return Err.BAD_SPI_COUNT
        is_adc, baud = self._spi[handle]
        at = self._spi_ends = max(now, self._spi_ends) + 8 * len(sent) / baud
        if not is_adc:
            return bytes(len(sent))
        return convert(sent, lambda channel: self._hat.code(channel, at))

    def _send_spi(self, handle: int, _b: int, sent: bytes, now: float) -> int:
        result = self._transfer(handle, sent, now)
        return result if isinstance(result, int) else len(result)

    # --- scripts

    def _store(self, _a: int, _b: int, extension: bytes, _n: float) -> int:
        free = next((n for n in range(SCRIPTS) if n not in self._scripts), None)
        if free is None:
            return Err.NO_SCRIPT_ROOM
        try:
            self._scripts[free] = Script(parse(extension.decode("latin-1")))
        except ScriptError as error:
            return error.number
        return free

    def _start(self, number: int, _b: int, extension: bytes, now: float) -> int:
        result = self._update(number, 0, extension, now)
        if result == 0:
            self._scripts[number].start((), now)
            self.advance(now)
        return result

    def _update(self, number: int, _b: int, extension: bytes, _n: float) -> int:
        script = self._scripts.get(number)
        if script is None:
            return Err.BAD_SCRIPT_ID
        count = len(extension) // 4
        if count > PARAMETERS:
            return Err.TOO_MANY_PARAM
        script.update(struct.unpack_from(f"<{count}i", extension))
        return 0

    def _stop(self, number: int, _b: int, _e: bytes, _n: float) -> int:
        script = self._scripts.get(number)
        if script is None:
            return Err.BAD_SCRIPT_ID
        script.stop()
        return 0

    def _status(self, number: int, _b: int, _e: bytes, _n: float) -> Result:
        script = self._scripts.get(number)
        if script is None:
            return Err.BAD_SCRIPT_ID
        is_waiting = script.status is ScriptStatus.RUNNING
        status = ScriptStatus.WAITING if is_waiting else script.status
        return struct.pack(f"<{1 + PARAMETERS}i", status, *script.parameters)


def convert(sent: bytes, code_of: Callable[[int], int]) -> bytes:
    """Return what an MCP3208 answers: 12 bits, seven clocks after the start bit.

    Start bit, single-ended bit, three bits of channel, sampling, a null bit, the code.
    A differential reading is that of its first channel: the board uses none.
    """
    count = 8 * len(sent)
    bits = int.from_bytes(sent, "big")
    start = count - bits.bit_length()
    if start + 4 >= count:
        return bytes(len(sent))
    channel = bits >> (count - start - 5) & 7
    shift = count - start - 19
    code = code_of(channel)
    answer = code << shift if shift >= 0 else code >> -shift
    return answer.to_bytes(len(sent), "big")


def _word(extension: bytes) -> int:
    """Return the first word of an extension; none is 0."""
    return struct.unpack_from("<I", extension)[0] if len(extension) >= 4 else 0
