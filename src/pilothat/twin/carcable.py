"""The car's end of the cable: plug, S2, contactor, and the battery behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilothat.slac.events import ToggleS2
from pilothat.twin.battery import Battery, BatterySettings
from pilothat.twin.bench import CarElectrics
from pilothat.twin.carevents import InletReading, SetElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.v2g.evcc.events import (
    DrawCurrent,
    InletFact,
    LockPlug,
    SetEvContactor,
    SetS2,
)
from pilothat.v2g.evcc.settings import Energy

CableAction = SetS2 | ToggleS2 | SetEvContactor | DrawCurrent | LockPlug
OCV_STEP_V = 0.2  # the cable hears of the battery's voltage in steps of this
CHARGER_SHARE = 0.93  # of the AC energy comes into the battery


class CarCable:
    """What hangs on the cable, and what the current does to the battery.

    energy: AC goes through the on-board charger
    """

    def __init__(
        self, settings: BatterySettings, asks: CarPilot, energy: Energy = Energy.DC
    ) -> None:
        self.battery = Battery(settings)
        self._is_ac = energy is Energy.AC
        self.is_locked = False
        self._asks = asks  # for energy: C, or D with ventilation
        self._electrics: CarElectrics | None = None
        self._read_at: float | None = None

    def plug(self) -> Sequence[SetElectrics]:
        """Put the plug in."""
        return self._show(CarElectrics(r_ohm=self.battery.r_ohm))

    def unplug(self) -> Sequence[SetElectrics]:
        """Pull it, whatever is closed."""
        self.is_locked = False
        self._electrics = self._read_at = None
        return (SetElectrics(None),)

    def set_s2(self, *, closed: bool) -> Sequence[SetElectrics]:
        """Ask for energy, or not; nothing when unplugged."""
        it = self._electrics
        pilot = self._asks if closed else CarPilot.B
        return self._show(replace(it, pilot=pilot)) if it else ()

    def perform(self, action: CableAction) -> Sequence[SetElectrics]:
        """Do what the car's machines want of the cable; nothing when unplugged."""
        match action:
            case LockPlug(locked):
                self.is_locked = locked
            case SetS2(closed) | ToggleS2(closed):
                return self.set_s2(closed=closed)
            case SetEvContactor(closed) if self._electrics:
                return self._show(replace(self._electrics, contactor_closed=closed))
            case DrawCurrent(current_a) if self._electrics:
                return self._show(replace(self._electrics, draw_a=current_a))
        return ()

    def take(self, reading: InletReading, now: float) -> Sequence[SetElectrics]:
        """Let the current of a reading flow since the last one."""
        if self._read_at is not None:
            self.battery.take(self._into_battery(reading), now - self._read_at)
        self._read_at = now
        it = self._electrics
        if it is None or not it.contactor_closed:
            return ()
        has_moved = abs(self.battery.ocv_v - it.ocv_v) >= OCV_STEP_V
        return self._show(it) if has_moved else ()

    def fact(self, reading: InletReading) -> InletFact:
        """Return the reading together with what the battery's own sensors say."""
        battery = self.battery
        battery_v = battery.ocv_v + self._into_battery(reading) * battery.r_ohm
        return InletFact(
            reading.voltage_v, reading.current_a, battery.soc_pct, battery_v
        )

    def _into_battery(self, reading: InletReading) -> float:
        """Return the current at the battery's terminals, A."""
        if not self._is_ac:
            return reading.current_a
        power_w = reading.voltage_v * reading.current_a * CHARGER_SHARE
        return power_w / self.battery.ocv_v

    def _show(self, electrics: CarElectrics) -> Sequence[SetElectrics]:
        self._electrics = replace(electrics, ocv_v=self.battery.ocv_v)
        return (SetElectrics(self._electrics),)
