"""The car's end of the cable: plug, S2, contactor, and the battery behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilothat.twin.battery import Battery, BatterySettings
from pilothat.twin.bench import CarElectrics
from pilothat.twin.carevents import InletReading, SetElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.v2g.evcc.events import InletFact

OCV_STEP_V = 0.2  # the cable hears of the battery's voltage in steps of this


class CarCable:
    """What hangs on the cable, and what the current does to the battery."""

    def __init__(self, settings: BatterySettings, asks: CarPilot) -> None:
        self.battery = Battery(settings)
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

    def set_contactor(self, *, closed: bool) -> Sequence[SetElectrics]:
        """Join battery and inlet, or part them; nothing when unplugged."""
        it = self._electrics
        return self._show(replace(it, contactor_closed=closed)) if it else ()

    def take(self, reading: InletReading, now: float) -> Sequence[SetElectrics]:
        """Let the current of a reading flow since the last one."""
        if self._read_at is not None:
            self.battery.take(reading.current_a, now - self._read_at)
        self._read_at = now
        it = self._electrics
        if it is None or not it.contactor_closed:
            return ()
        has_moved = abs(self.battery.ocv_v - it.ocv_v) >= OCV_STEP_V
        return self._show(it) if has_moved else ()

    def fact(self, reading: InletReading) -> InletFact:
        """Return the reading together with what the battery's own sensors say."""
        battery = self.battery
        battery_v = battery.ocv_v + reading.current_a * battery.r_ohm
        return InletFact(
            reading.voltage_v, reading.current_a, battery.soc_pct, battery_v
        )

    def _show(self, electrics: CarElectrics) -> Sequence[SetElectrics]:
        self._electrics = replace(electrics, ocv_v=self.battery.ocv_v)
        return (SetElectrics(self._electrics),)
