"""LEDs, lock motor, button and feedback by gpiozero, on the pin factory that fits.

gpiozero, pigpio's client and lgpio each fail in ways of their own; here all of them are
a BoardError. What is closed, or never opened, leaves its pins as inputs: LEDs off,
motor off.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from typing import Any

from pilothat.board.lamps import Sensed
from pilothat.board.pigpiowire import PORT
from pilothat.board.revision import Revision
from pilothat.errors import BoardError, ConfigError

LOCAL = "127.0.0.1"
INSTALL = "pip install gpiozero pigpio lgpio"
LOOK = "pilothat selftest tells whether daemon, devices and rights are there"
# driver -> pin factories, the first that can be had; kernel's are of one process each
FACTORIES: Mapping[str, Sequence[str]] = {
    "pigpio": ("gpiozero.pins.pigpio:PiGPIOFactory",),
    "kernel": (
        "gpiozero.pins.lgpio:LGPIOFactory",
        "gpiozero.pins.native:NativeFactory",
    ),
    "twin": ("gpiozero.pins.mock:MockFactory",),
}
# beside the guard, which has these pins; the twin has none
WATCHING: Mapping[str, Sequence[str]] = {
    "pigpio": ("pilothat.runtime.watching:pigpio_factory",),
    "kernel": ("pilothat.runtime.watching:LevelFactory",),
}

BOUNCE_S = 0.05


class Devices:
    """Both LEDs, and the motor where there is a lock; all off at first."""

    def __init__(self, factory: Any, board: Revision, *, has_lock: bool) -> None:
        self._factory = factory
        self._motor: Any = None
        self._button: Any = None
        pins = board.pins
        with _told("panel"):
            zero = import_module("gpiozero")
            lamps = pins.led_green, pins.led_red
            self._leds = [zero.LED(pin, pin_factory=factory) for pin in lamps]
            if has_lock:
                bridge = pins.lock_in1, pins.lock_in2
                self._motor = zero.Motor(*bridge, pwm=False, pin_factory=factory)

    def hear(self, button_gpio: int, pressed: Callable[[], None]) -> None:
        """Take a button to ground at a GPIO; ``pressed`` is called by another thread.

        Raises BoardError.
        """
        with _told("button"):
            zero = import_module("gpiozero")
            self._button = zero.Button(
                button_gpio, bounce_time=BOUNCE_S, pin_factory=self._factory
            )
            self._button.when_pressed = pressed

    def show(self, *, green: bool, red: bool) -> None:
        """Light the LEDs. Raises BoardError."""
        with _told("LEDs"):
            for led, is_on in zip(self._leds, (green, red), strict=True):
                led.value = is_on

    def begin(self, *, locked: bool) -> None:
        """Begin to move the bolt; whoever calls stops it in time. Raises BoardError."""
        with _told("lock"):
            move = self._motor.forward if locked else self._motor.backward
            move()

    def stop(self) -> None:
        """Switch the motor off. Raises BoardError."""
        with _told("lock"):
            self._motor.stop()

    def close(self) -> None:
        """Switch everything off and let go. Raises BoardError."""
        with _told("panel"):
            for device in (self._button, self._motor, *self._leds, self._factory):
                if device is not None:
                    device.close()


class Watched:
    """The inputs of contactor and emergency stop."""

    def __init__(self, factory: Any, board: Revision) -> None:
        pins = board.pins
        with _told("inputs"), contextlib.ExitStack() as stack:
            stack.callback(factory.close)
            zero = import_module("gpiozero")
            self._contactor, self._estop = (
                stack.enter_context(
                    zero.InputDevice(pin, pull_up=False, pin_factory=factory)
                )
                for pin in (pins.k1_fb_n, pins.estop_n)
            )
            self._opened = stack.pop_all()

    def look(self) -> Sensed:
        """Return what they say now. Raises BoardError."""
        with _told("inputs"):
            return Sensed(not self._contactor.value, bool(self._estop.value))

    def close(self) -> None:
        """Let go. Raises BoardError."""
        with _told("inputs"):
            self._opened.close()


def factory_of(
    driver: str,
    options: Mapping[str, str],
    factories: Mapping[str, Sequence[str]] = FACTORIES,
) -> Any:
    """Return gpiozero's way to the pins of a driver. Raises ConfigError, BoardError."""
    if driver not in factories:
        raise ConfigError(
            f"the driver {driver} has no LEDs and no lock",
            where="board.panel",
            remedy="Set it to false",
        )
    if driver == "kernel" and options.get("kernel_twin"):
        raise BoardError(
            "the twin of a kernel has no pins for gpiozero",
            where="kernel_twin",
            remedy="Take the twin behind pigpio's protocol for them",
        )
    where = "panel"
    given: tuple[object, ...] = ()
    if driver == "pigpio":
        host, port = options.get("pigpio_host", LOCAL), options.get("pigpio_port", PORT)
        where, given = f"pigpiod {host}:{port}", (host, int(port))
    refused: list[BoardError] = []
    for name in factories[driver]:
        module, _, factory = name.partition(":")
        try:
            with _told(where):
                return getattr(import_module(module), factory)(*given)
        except BoardError as error:
            refused.append(error)
    raise refused[0]


@contextlib.contextmanager
def opened_devices(
    driver: str, options: Mapping[str, str], board: Revision, *, has_lock: bool
) -> Iterator[Devices]:
    """Open LEDs and lock; off at the end. Raises ConfigError, BoardError."""
    made = Devices(factory_of(driver, options), board, has_lock=has_lock)
    with contextlib.closing(made) as devices:
        yield devices


@contextlib.contextmanager
def opened_inputs(
    driver: str, options: Mapping[str, str], board: Revision
) -> Iterator[Watched]:
    """Open both inputs beside the guard; nothing is written to a pin, ever.

    Raises ConfigError, BoardError.
    """
    made = Watched(factory_of(driver, options, WATCHING), board)
    with contextlib.closing(made) as inputs:
        yield inputs


def sensed(driver: str, options: Mapping[str, str], board: Revision) -> Sensed:
    """Read both inputs before the board's own driver has them.

    Never beside a guard: gpiozero's own factories let go of a pin without its pull, and
    then a broken wire may say anything; a driver that opens sets the pulls again.
    Raises ConfigError, BoardError.
    """
    made = Watched(factory_of(driver, options), board)
    with contextlib.closing(made) as inputs:
        return inputs.look()


@contextlib.contextmanager
def _told(where: str) -> Iterator[None]:
    """Make one kind of all errors, and keep the banner of pigpio's client to us."""
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            yield
    except BoardError:
        raise
    except Exception as error:  # of three libraries, with no common kind
        what = f"{type(error).__name__} {error}".strip()
        remedy = INSTALL if isinstance(error, ImportError) else LOOK
        raise BoardError(what, where=where, remedy=remedy) from error
