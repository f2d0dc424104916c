"""Pins of a Raspberry Pi 3 as pigpio's daemon handles them: levels, modes, both PWMs.

Every method returns the daemon's result: 0 or a value, negative for an error. What a
pin reads that nobody here drives is given by the board. Outputs, PWM and modes belong
to no client: they stay as they are until somebody changes them.
"""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.board.pigpiowire import Err, Mode, Pull
from pilothat.frozen import dataclass

PINS = 54
USER_PINS = 32
UPDATABLE = 0x0FFF_FFFC  # GPIO 2..27
PULLED_UP_AT_RESET = range(9)
HARDWARE_PWM: Mapping[int, tuple[int, Mode]] = {  # channel and function
    12: (0, Mode.ALT0),
    13: (1, Mode.ALT0),
    18: (0, Mode.ALT5),
    19: (1, Mode.ALT5),
    40: (0, Mode.ALT0),
    41: (1, Mode.ALT0),
    45: (1, Mode.ALT0),
}
CLOCK_HZ = 250_000_000  # of the hardware PWM
MAX_HZ = 125_000_000
FULL_DUTY = 1_000_000
# Software PWM on the daemon's grid of 5 us: frequencies and the steps of each.
GRID = (
    (8000, 25), (4000, 50), (2000, 100), (1600, 125), (1000, 200), (800, 250),
    (500, 400), (400, 500), (320, 625), (250, 800), (200, 1000), (160, 1250),
    (100, 2000), (80, 2500), (50, 4000), (40, 5000), (20, 10000), (10, 20000),
)  # fmt: skip
STEPS = dict(GRID)
DEFAULT_HZ, DEFAULT_RANGE = 800, 255
LOWEST_RANGE, HIGHEST_RANGE = 25, 40_000


@dataclass(frozen=True, slots=True)
class Wave:
    """A pulse that repeats since ``began``; the share of its time it is high."""

    frequency_hz: int
    share: float
    began: float

    def level(self, now: float) -> int:
        """Return the level now."""
        return int(self.phase(now) < self.share)

    def phase(self, now: float) -> float:
        """Return the part of the period that has passed, 0..1."""
        return ((now - self.began) * self.frequency_hz) % 1.0


@dataclass(frozen=True, slots=True)
class SoftPwm:
    """Software PWM of a pin: what is asked for, and whether it runs."""

    duty: int = 0
    range: int = DEFAULT_RANGE
    frequency_hz: int = DEFAULT_HZ
    is_running: bool = False


class Soc:
    """All pins."""

    def __init__(self) -> None:
        self._modes = [Mode.INPUT] * PINS
        self._latches = [0] * PINS
        self._pulls = [
            Pull.UP if pin in PULLED_UP_AT_RESET else Pull.DOWN for pin in range(PINS)
        ]
        self._soft: dict[int, SoftPwm] = {}
        self._channels: dict[int, tuple[Wave, int]] = {}  # with the duty of a million
        self.outside: Mapping[int, int] = {}  # what the board drives

    # --- levels

    def level(self, pin: int, now: float) -> int:
        """Return what a pin is at."""
        wave = self.wave(pin)
        if wave is not None:
            return wave.level(now)
        if self._modes[pin] is Mode.OUTPUT:
            return self._latches[pin]
        return self.outside.get(pin, int(self._pulls[pin] is Pull.UP))

    def levels(self, now: float) -> int:
        """Return GPIO 0..31 as bits."""
        return sum(self.level(pin, now) << pin for pin in range(USER_PINS))

    def wave(self, pin: int) -> Wave | None:
        """Return what pulses at a pin."""
        soft = self._soft.get(pin)
        if soft is not None and soft.is_running:
            return Wave(soft.frequency_hz, soft.duty / soft.range, 0.0)
        channel, function = HARDWARE_PWM.get(pin, (-1, Mode.INPUT))
        if channel not in self._channels or self._modes[pin] is not function:
            return None
        return self._channels[channel][0]

    # --- commands; the daemon's arguments in the daemon's order

    def set_mode(self, pin: int, mode: int) -> int:
        """Choose the function of a pin; with it comes the old latch."""
        if not 0 <= pin < PINS:
            return Err.BAD_GPIO
        if not 0 <= mode <= Mode.ALT3:
            return Err.BAD_MODE
        self._stop_soft(pin)
        self._modes[pin] = Mode(mode)
        return 0

    def mode(self, pin: int) -> int:
        """Return the function of a pin."""
        return self._modes[pin] if 0 <= pin < PINS else Err.BAD_GPIO

    def set_pull(self, pin: int, pull: int) -> int:
        """Choose the resistor of a pin."""
        if not 0 <= pin < PINS:
            return Err.BAD_GPIO
        if not 0 <= pull <= Pull.UP:
            return Err.BAD_PUD
        self._pulls[pin] = Pull(pull)
        return 0

    def read(self, pin: int, now: float) -> int:
        """Return the level of a pin."""
        return self.level(pin, now) if 0 <= pin < PINS else Err.BAD_GPIO

    def write(self, pin: int, level: int) -> int:
        """Make a pin an output of this level."""
        if not 0 <= pin < PINS:
            return Err.BAD_GPIO
        if level not in (0, 1):
            return Err.BAD_LEVEL
        self._stop_soft(pin)
        self._latches[pin] = level
        self._modes[pin] = Mode.OUTPUT
        return 0

    def write_bits(self, bits: int, level: int) -> int:
        """Set the latches of many pins; their functions stay."""
        for pin in range(USER_PINS):
            if (bits & UPDATABLE) >> pin & 1:
                self._latches[pin] = level
        if bits & ~UPDATABLE == 0:
            return 0
        return Err.SOME_PERMITTED if bits & UPDATABLE else Err.NOT_PERMITTED

    def set_hardware_pwm(
        self, pin: int, frequency_hz: int, duty: int, now: float
    ) -> int:
        """Start, change or stop (0 Hz) the hardware PWM of a pin's channel."""
        if pin not in HARDWARE_PWM:
            return Err.NOT_HPWM_GPIO if 0 <= pin < PINS else Err.BAD_GPIO
        if frequency_hz > MAX_HZ:
            return Err.BAD_HPWM_FREQUENCY
        if duty > FULL_DUTY:
            return Err.BAD_HPWM_DUTY
        self._stop_soft(pin)
        channel, function = HARDWARE_PWM[pin]
        if frequency_hz == 0:
            self._channels.pop(channel, None)
            self._latches[pin], self._modes[pin] = 0, Mode.OUTPUT
            return 0
        was = self._channels.get(channel)
        goes_on = was is not None and was[0].frequency_hz == frequency_hz
        began = was[0].began if was is not None and goes_on else now
        self._channels[channel] = Wave(frequency_hz, duty / FULL_DUTY, began), duty
        self._modes[pin] = function
        return 0

    # --- software PWM, and what is told about both

    def set_duty(self, pin: int, duty: int) -> int:
        """Start software PWM."""
        if not 0 <= pin < USER_PINS:
            return Err.BAD_USER_GPIO
        soft = self._soft.get(pin, SoftPwm())
        if duty > soft.range:
            return Err.BAD_DUTY
        self._soft[pin] = SoftPwm(duty, soft.range, soft.frequency_hz, is_running=True)
        self._modes[pin] = Mode.OUTPUT
        return 0

    def set_range(self, pin: int, steps: int) -> int:
        """Choose what a full duty is called; returns the real steps."""
        if not 0 <= pin < USER_PINS:
            return Err.BAD_USER_GPIO
        if not LOWEST_RANGE <= steps <= HIGHEST_RANGE:
            return Err.BAD_DUTY_RANGE
        soft = self._soft.get(pin, SoftPwm())
        duty = soft.duty * steps // soft.range
        self._soft[pin] = SoftPwm(duty, steps, soft.frequency_hz, soft.is_running)
        return STEPS[soft.frequency_hz]

    def set_frequency(self, pin: int, frequency_hz: int) -> int:
        """Choose the nearest frequency there is, and return it."""
        if not 0 <= pin < USER_PINS:
            return Err.BAD_USER_GPIO
        found = min(STEPS, key=lambda one: abs(one - frequency_hz))
        soft = self._soft.get(pin, SoftPwm())
        self._soft[pin] = SoftPwm(soft.duty, soft.range, found, soft.is_running)
        return found

    def duty(self, pin: int) -> int:
        """Return the duty of what pulses at a pin."""
        return self._told(pin, Err.NOT_PWM_GPIO)[0]

    def range(self, pin: int) -> int:
        """Return what a full duty is called."""
        return self._told(pin, self._soft.get(pin, SoftPwm()).range)[1]

    def frequency(self, pin: int) -> int:
        """Return the frequency of a pin's PWM."""
        return self._told(pin, self._soft.get(pin, SoftPwm()).frequency_hz)[2]

    def real_range(self, pin: int) -> int:
        """Return in how many steps a period is divided."""
        steps = STEPS[self._soft.get(pin, SoftPwm()).frequency_hz]
        return self._told(pin, steps)[3]

    def _told(self, pin: int, otherwise: int) -> tuple[int, int, int, int]:
        """Return duty, range, frequency and real range; four times otherwise."""
        if not 0 <= pin < USER_PINS:
            return (Err.BAD_USER_GPIO,) * 4
        soft = self._soft.get(pin)
        if soft is not None and soft.is_running:
            steps = STEPS[soft.frequency_hz]
            return soft.duty, soft.range, soft.frequency_hz, steps
        if self.wave(pin) is None:
            return (otherwise,) * 4
        wave, duty = self._channels[HARDWARE_PWM[pin][0]]
        return duty, FULL_DUTY, wave.frequency_hz, CLOCK_HZ // wave.frequency_hz

    def _stop_soft(self, pin: int) -> None:
        soft = self._soft.get(pin)
        if soft is not None and soft.is_running:
            self._soft[pin] = SoftPwm(soft.duty, soft.range, soft.frequency_hz)
