"""Programs of other people on the twin of the HAT, unchanged."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pigpio
import pytest
from gpiozero import LED, DigitalInputDevice
from gpiozero.pins.pigpio import PiGPIOFactory
from tests.hat.twin import Running, running

from pilothat.board.revision import revision
from pilothat.pilot.levels import PilotLevel, classify
from pilothat.twin.bench import BenchFault

REV = revision()
PINS = REV.pins
PATIENCE_S = 10.0
PIGS = shutil.which("pigs")


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


@pytest.fixture
def pi(hat: Running) -> Iterator[pigpio.pi]:
    made = pigpio.pi("127.0.0.1", hat.port)
    assert made.connected
    yield made
    made.stop()


def test_package_pigpio_reads_and_writes(pi: pigpio.pi) -> None:
    assert pi.get_pigpio_version() == 79
    assert pi.get_hardware_revision() == 0xA02082
    pi.write(PINS.led_red, 1)
    assert (pi.get_mode(PINS.led_red), pi.read(PINS.led_red)) == (1, 1)
    assert pi.read_bank_1() >> PINS.led_red & 1
    with pytest.raises(pigpio.error, match="no permission"):
        pi.write(28, 1)
    with pytest.raises(pigpio.error, match="no hardware PWM"):
        pi.hardware_PWM(5, 1000, 0)


def test_package_pigpio_drives_the_pilot_and_sees_it_by_the_adc(pi: pigpio.pi) -> None:
    pi.write(PINS.cp_en, 1)
    pi.hardware_PWM(PINS.cp_pwm, 1000, 1_000_000)
    assert pi.get_PWM_dutycycle(PINS.cp_pwm) == 1_000_000
    handle = pi.spi_open(0, REV.adc.baud, REV.adc.pigpio_flags)
    level = 0
    for _ in range(20):
        level = 1 - level
        pi.write(PINS.wd_hb, level)
        count, raw = pi.spi_xfer(handle, [0x06, REV.channels.cp_high << 6, 0])
    assert count == 3
    code = (raw[1] & 0x0F) << 8 | raw[2]
    assert classify(REV.cp_v(code)) is PilotLevel.A


def test_package_pigpio_is_called_back_on_both_edges(pi: pigpio.pi) -> None:
    edges: list[int] = []
    both = threading.Event()

    def hear(_pin: int, level: int, _tick: int) -> None:
        edges.append(level)
        if len(edges) == 2:
            both.set()

    pi.callback(PINS.led_red, pigpio.EITHER_EDGE, hear)
    pi.write(PINS.led_red, 1)
    pi.write(PINS.led_red, 0)
    assert both.wait(PATIENCE_S)
    assert edges == [1, 0]


def test_package_pigpio_runs_a_script(pi: pigpio.pi) -> None:
    script = pi.store_script(f"w {PINS.led_red} p0".encode())
    pi.run_script(script, [1])
    assert pi.read(PINS.led_red) == 1
    assert pi.script_status(script)[0] == pigpio.PI_SCRIPT_HALTED
    assert pi.delete_script(script) == 0


def test_what_a_client_set_stays_when_it_leaves(hat: Running) -> None:
    first = pigpio.pi("127.0.0.1", hat.port)
    first.hardware_PWM(PINS.cp_pwm, 1000, 50_000)
    first.write(PINS.k1_req, 1)
    first.stop()
    second = pigpio.pi("127.0.0.1", hat.port)
    told = second.get_PWM_dutycycle(PINS.cp_pwm), second.read(PINS.k1_req)
    second.stop()
    assert told == (50_000, 1)


def test_gpiozero_switches_a_lamp_and_hears_the_emergency_stop(hat: Running) -> None:
    factory = PiGPIOFactory("127.0.0.1", hat.port)
    try:
        lamp = LED(PINS.led_green, pin_factory=factory)
        lamp.on()
        assert lamp.value == 1
        lamp.toggle()
        assert lamp.value == 0
        stop = DigitalInputDevice(
            PINS.estop_n, pull_up=None, active_state=True, pin_factory=factory
        )
        pressed = threading.Event()
        stop.when_deactivated = pressed.set
        assert stop.value == 1
        hat.fail(BenchFault.ESTOP)
        assert pressed.wait(PATIENCE_S)
        assert stop.value == 0
    finally:
        factory.close()


def pigs(hat: Running, *words: str) -> str:
    """Return what the C client prints."""
    environment = {**os.environ, "PIGPIO_PORT": str(hat.port)}
    done = subprocess.run(
        [str(PIGS), *words],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout + done.stderr


@pytest.mark.skipif(PIGS is None, reason="no pigs here (apt install pigpio-tools)")
@pytest.mark.parametrize(
    ("sent", "told"),
    [
        ("pigpv", "79"),
        ("hwver", str(0xA02082)),
        ("w 22 1 r 22 mg 22", "1\n1"),
        ("hp 12 1000 50000 gdc 12 pfg 12", "50000\n1000"),
        ("gdc 20", "-92\nERROR: GPIO is not in use for PWM"),
        ("w 28 1", "-41\nERROR: no permission to update GPIO"),
        ("hp 5 1000 0", "-95\nERROR: GPIO has no hardware PWM"),
        ("spix 0 6 0 0", "-25\nERROR: unknown handle"),
        ("spio 0 500000 0x1C0 spix 0 7 64 0", "0\n3 0 9 154"),
    ],
)
def test_client_in_c_prints_what_it_should(hat: Running, sent: str, told: str) -> None:
    assert pigs(hat, *sent.split()).strip() == told
