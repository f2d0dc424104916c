"""The HAT by the kernel's own interfaces (``PilotBackend``): every Pi, and the Pi 5.

PWM by sysfs, pins by a GPIO chip, the converter by spidev; no daemon. One sample is two
requests: one SPI message of 25 conversions, then the levels. At the table's 1 MHz a
conversion is 24 us of clock and 10 us in which the kernel keeps the chip select
released, so a sample takes some 0.9 ms (reckoned, not measured on a Pi).

A request that fails is a lost board. There is no dead-man script: when the program
ends in whatever way, the board's watchdog opens within its window.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence

from pilothat.board.calibration import board_of
from pilothat.board.kernelio import REPLY_S, KernelIo, MachineIo, TwinIo
from pilothat.board.kernelparts import Converter, Header, Pilot
from pilothat.board.revision import Revision
from pilothat.board.sampling import Look, Sampler
from pilothat.errors import BoardError
from pilothat.pilot.duty import check_drivable
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks

log = logging.getLogger("pilothat.board")


class KernelHat:
    """The board's pins, driven through the kernel.

    The lines come first: whoever holds them is the only one, and with them all
    outputs are low. The pilot's driver is switched on last.
    """

    def __init__(
        self,
        io: KernelIo,
        board: Revision,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._io = io
        self._pins = board.pins
        self._duty_pct = 0.0
        self._beat = 0
        self._is_closed = False
        try:
            self._header = Header(io, board.pins, board.gpio)
            self._pilot = Pilot(io, board.pwm)
            self._converter = Converter(io, board.adc)
            self._sampler = Sampler(board, self._looking, clock)
            self._header.drive(1, self._pins.cp_en)
        except BoardError:
            io.leave()
            raise

    # --- PilotBackend

    def set_pwm(self, duty_pct: float) -> None:
        """Drive 1 kHz with this duty; 100 is steady +12 V, 0 steady -12 V."""
        self._pilot.set_duty(check_drivable(duty_pct))
        self._duty_pct = duty_pct

    def sample(self) -> PilotSample:
        """Return the newest sample. Raises BoardError for one that cannot be true."""
        return self._sampler.sample(self._duty_pct)

    def set_contactor(self, *, closed: bool) -> None:
        """Drive the output contactor."""
        self._sampler.outdate()
        self._header.drive(int(closed), self._pins.k1_req)

    def enable_supply(self, *, on: bool) -> None:
        """Drive the hardware enable line of the supply."""
        self._sampler.outdate()
        self._header.drive(int(on), self._pins.k2_req)

    def contactor_is_closed(self) -> bool:
        """Return what the mirror contact says; a broken wire says closed."""
        return self._sampler.contactor_is_closed()

    def interlocks(self) -> Interlocks:
        """Return the inputs of the safety chain; a broken wire is not good."""
        return self._sampler.interlocks()

    def codes(self, channel: int, count: int = 1) -> Sequence[int]:
        """Return so many conversions of a channel, one right after the other."""
        return self._converter.codes(channel, count)

    def frequency_hz(self) -> float:
        """Return what the kernel has set the PWM to. Raises BoardError."""
        return self._pilot.frequency_hz()

    def heartbeat(self) -> None:
        """Give the watchdog its edge."""
        self._beat ^= 1
        self._header.drive(self._beat, self._pins.wd_hb)

    def close(self) -> None:
        """Make safe and let go; what fails is left to the watchdog."""
        if self._is_closed:
            return
        self._is_closed = True
        steps: tuple[Callable[[], None], ...] = (self._open_all, self._pilot.close)
        for step in steps:
            try:
                step()
            except BoardError as error:
                log.critical("left to the watchdog error=%s", error)
        self._io.leave()

    # --- small things

    def _open_all(self) -> None:
        """Drop both requests; the pilot's driver stays on, for state F."""
        self._header.drive(0, self._pins.k2_req, self._pins.k1_req)

    def _looking(self, channels: Sequence[int]) -> Look:
        message = self._converter.message(channels)
        return lambda: (self._converter.read(message), self._header.levels())


def open_board(options: Mapping[str, str]) -> KernelHat:
    """Open the board.

    Options: ``kernel_twin`` is the socket of a twin's kernel, empty for this machine's
    own; ``revision`` and ``calibration`` are the board's, ``reply_s`` how late a twin's
    answer may be.
    """
    board = board_of(options)
    if path := options.get("kernel_twin", ""):
        reply_s = float(options.get("reply_s", REPLY_S))
        return KernelHat(TwinIo(path, reply_s), board)
    return KernelHat(MachineIo(), board)
