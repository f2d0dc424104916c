"""What a request is made of: the moment, and numbers in a standard's own values."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypeVar

from pilothat.frozen import dataclass
from pilothat.v2g.evcc.events import InletFact
from pilothat.v2g.evcc.heard import Schedule, Step
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.evcc.states import Complaint

if TYPE_CHECKING:
    from pilothat.v2g.messages.iso2 import MeterInfo

LEAST_W = 1000.0  # our choice: no car promises days
MOST_S = 18_000.0  # as a Polestar does
ANY_SCHEDULE = Schedule(1, (Step(0, 32_767.0),))

Q = TypeVar("Q")


@dataclass(frozen=True, slots=True)
class View:
    """The moment a request is made.

    service_id:  of the charge service
    schedule:    the one the car has chosen
    count:       requests sent in this phase so far
    by_contract: the car pays by its contract, not outside
    challenge:   to be signed then
    meter:       the reading that a receipt is for
    """

    fact: InletFact
    target_a: float = 0.0
    is_ready: bool = False
    count: int = 0
    is_complete: bool = False
    pauses: bool = False
    error: Complaint = Complaint.NONE
    service_id: int = 1
    schedule: Schedule = ANY_SCHEDULE
    by_contract: bool = False
    challenge: bytes = b""
    meter: MeterInfo | None = None

    @property
    def soc_pct(self) -> int:
        """State of charge as it is told."""
        return min(max(int(self.fact.soc_pct), 0), 100)

    def at(
        self, fact: InletFact, target_a: float, count: int, *, is_ready: bool
    ) -> View:
        """Return the view with what changes from request to request."""
        return View(
            fact,
            target_a,
            is_ready,
            count,
            self.is_complete,
            self.pauses,
            self.error,
            self.service_id,
            self.schedule,
            self.by_contract,
            self.challenge,
            self.meter,
        )


@dataclass(frozen=True, slots=True)
class Demand(Generic[Q]):
    """The numbers of a CurrentDemandReq. None: the car does not send the element."""

    target_v: Q
    target_a: Q
    max_v: Q | None
    max_a: Q | None
    max_w: Q | None
    is_bulk_complete: bool | None
    to_full: Q | None
    to_bulk: Q | None


class Numbers(Generic[Q]):
    """A car's numbers as physical values of one standard.

    make: from value, unit and multiplier (None: the finest)
    """

    def __init__(
        self, settings: SessionSettings, make: Callable[[float, str, int | None], Q]
    ) -> None:
        self._settings = settings
        self._make = lru_cache(256)(make)  # a car says the same for half an hour

    def volts(self, volts: float) -> Q:
        """Return a voltage, as fine as this car says it."""
        return self._make(volts, "V", 0 if self._settings.vehicle.whole_volts else -1)

    def amperes(self, amperes: float) -> Q:
        """Return a current."""
        return self._make(amperes, "A", -1)

    def whole(self, value: float | None, unit: str) -> Q | None:
        """Return a power or an energy; None where there is none."""
        return None if value is None else self._make(round(value), unit, None)

    def precharge_volts(self, view: View) -> Q:
        """Return the battery's voltage; what else some cars say first."""
        first_v = self._settings.habits.first_precharge_v
        if first_v is None or view.count > 0:
            return self.volts(view.fact.battery_v)
        return self.volts(first_v)

    def energy_request(self, view: View) -> Q | None:
        """Return what the car says it wants."""
        vehicle = self._settings.vehicle
        if vehicle.energy_request_wh is not None or vehicle.capacity_wh is None:
            return self.whole(vehicle.energy_request_wh, "Wh")
        missing_wh = vehicle.capacity_wh * (100.0 - view.fact.soc_pct) / 100.0
        return self.whole(missing_wh, "Wh")

    def demand(self, view: View) -> Demand[Q]:
        """Return what is wanted now."""
        vehicle, goal = self._settings.vehicle, self._settings.goal
        max_a, max_w, max_v = vehicle.max_a, vehicle.max_w, self.volts(vehicle.max_v)
        if self._settings.habits.lowers_limits:
            max_a = min(max_a, goal.current_at(view.fact.soc_pct))
            max_w = None if max_w is None else min(max_w, max_a * goal.target_v)
        has_limits, bulk_pct = vehicle.sends_loop_limits, vehicle.bulk_soc_pct or 100
        is_bulk = view.fact.soc_pct >= bulk_pct
        return Demand(
            target_v=self.volts(goal.target_v),
            target_a=self.amperes(view.target_a),
            max_v=max_v if has_limits else None,
            max_a=self.amperes(max_a) if has_limits else None,
            max_w=self.whole(max_w if has_limits else None, "W"),
            is_bulk_complete=is_bulk if vehicle.sends_bulk_complete else None,
            to_full=self._left(view, 100) if vehicle.sends_time_to_full else None,
            to_bulk=self._left(view, bulk_pct) if vehicle.sends_time_to_bulk else None,
        )

    def _left(self, view: View, to_pct: int) -> Q:
        """Return the time to a state of charge at the present power, whole minutes."""
        vehicle = self._settings.vehicle
        missing_pct = max(to_pct - view.fact.soc_pct, 0.0)
        missing_wh = (vehicle.capacity_wh or 0.0) * missing_pct / 100.0
        power_w = max(view.fact.voltage_v * view.target_a, LEAST_W)
        minutes = math.ceil(missing_wh / power_w * 60.0)
        unit = vehicle.time_unit
        return self._make(
            min(minutes * 60, MOST_S) / unit.value, unit.name.lower(), None
        )
