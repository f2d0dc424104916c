"""Single faults on the driver by the kernel's interfaces, in virtual time."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.hat.kernelrig import KernelRig
from tests.single_faults import on_rig

from pilothat.runtime.benchtalk import DaemonFault
from pilothat.twin.bench import BenchFault
from pilothat.twin.circuit import CarPilot
from pilothat.twin.hat import HatFault

Befall = Callable[[KernelRig], None]


def _stop_guard(rig: KernelRig) -> None:
    rig.is_guard_there = False


def _switch_channel_off(rig: KernelRig) -> None:
    pwm = rig.kernel.pwms["pwmchip2"]
    pwm.write("pwm0/enable", "0", rig.now)


CASES: dict[str, tuple[Befall, float, str]] = {
    "s2-opens": (lambda rig: rig.car(CarPilot.B), 100, ""),
    "plug-torn-out": (lambda rig: rig.car(None), 100, ""),
    "cp-short": (lambda rig: rig.fail(BenchFault.CP_SHORT), 100, ""),
    "diode-short": (lambda rig: rig.fail(BenchFault.DIODE_SHORT), 100, "CP_DIODE"),
    "estop": (lambda rig: rig.fail(BenchFault.ESTOP), 100, "EMERGENCY_STOP"),
    "hot": (lambda rig: rig.fail(HatFault.HOT), 100, "TEMPERATURE"),
    "brown-out": (lambda rig: rig.fail(HatFault.BROWN_OUT), 100, "CP_DIODE"),
    "adc-stuck": (lambda rig: rig.fail(BenchFault.ADC_STUCK), 100, "TEMPERATURE"),
    "pwm-stuck": (lambda rig: rig.fail(HatFault.PWM_STUCK_LOW), 400, "BOARD_LOST"),
    "channel-switched-off": (_switch_channel_off, 400, "BOARD_LOST"),
    "refusing": (lambda rig: rig.fail(DaemonFault.REFUSING), 300, "BOARD_LOST"),
    "guard-gone": (_stop_guard, 300, ""),
}


@pytest.mark.parametrize("name", CASES)
def test_single_fault_makes_safe_through_the_kernel(name: str) -> None:
    befall, limit_ms, told = CASES[name]
    outcome = on_rig(befall, KernelRig)()
    assert outcome.opened_ms is not None
    assert outcome.opened_ms <= limit_ms
    assert list(outcome.told[:1]) == [told] * bool(told)


def test_charge_goes_on_while_nothing_happens() -> None:
    rig = KernelRig()
    rig.charge()
    rig.run(5.0)
    assert rig.opened_at is None
    assert rig.faults == []
    assert rig.lost == ""
