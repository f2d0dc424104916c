"""What a person wants to know of a station, as plain values."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.frozen import dataclass
from pilothat.station.station import Station

BY_CAR = "soc_pct"  # as the session has learned it


@dataclass(frozen=True, slots=True)
class StandingFault:
    """A fault with what helps."""

    name: str
    meaning: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Report:
    """A station at one moment.

    low_v:    of CP; None without PWM
    message:  what the session waits for; empty without one
    soc_pct:  what the car said last; None when it said nothing
    energy_wh, charging_s: of this car's visit, or of the last one
    reason:   why its charge has ended; empty while it has not
    """

    phase: str
    pilot: str
    high_v: float
    low_v: float | None
    duty_pct: float
    slac: str
    message: str
    voltage_v: float
    current_a: float
    soc_pct: int | None
    energy_wh: float
    visit_s: float
    reason: str
    is_contactor_closed: bool
    is_supply_enabled: bool
    is_network_up: bool
    has_address: bool
    faults: Sequence[StandingFault]

    @property
    def power_w(self) -> float:
        """What flows now."""
        return self.voltage_v * self.current_a

    @property
    def line(self) -> str:
        """Return what matters in one line."""
        if self.faults:
            fault = self.faults[0]
            return f"{self.phase}: FAULT {fault.name}: {fault.meaning}. {fault.remedy}"
        if not self.is_network_up:
            return f"{self.phase}: the powerline interface is down"
        if not self.is_contactor_closed:
            return f"{self.phase}, pilot {self.pilot}"
        soc = "" if self.soc_pct is None else f", {self.soc_pct} %"
        return (
            f"{self.phase}: {self.voltage_v:.0f} V, {self.current_a:.1f} A, "
            f"{self.power_w / 1000:.1f} kW, {self.energy_wh / 1000:.2f} kWh{soc}"
        )


def report(station: Station, now: float) -> Report:
    """Look at a station."""
    pilot, guard, plant = station.pilot, station.guard, station.path.plant
    visit, session = station.transaction, station.talk.session
    network, soc = station.talk.network, visit.learned.get(BY_CAR)
    return Report(
        phase=station.phase.value,
        pilot=pilot.state.value,
        high_v=pilot.high_v,
        low_v=pilot.low_v,
        duty_pct=pilot.duty_pct,
        slac=station.line.slac_state.replace("_", " "),
        message=session.state.value if session else "",
        voltage_v=plant.outlet_v,
        current_a=plant.current_a,
        soc_pct=None if soc is None else int(soc),
        energy_wh=visit.energy_wh,
        visit_s=max(now - visit.started_at, 0.0),
        reason=visit.reason,
        is_contactor_closed=guard.is_contactor_closed,
        is_supply_enabled=guard.is_supply_enabled,
        is_network_up=network.is_up,
        has_address=network.address is not None,
        faults=tuple(
            StandingFault(one.name, one.row.meaning, one.row.remedy)
            for one in station.faults.all
        ),
    )
