"""What a request is made of: the moment, and numbers in a standard's own values."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, TypedDict, TypeVar

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


class DcWish(TypedDict, Generic[Q]):
    """Elements of a DC car's charge parameters, as both standards name them.

    None: the car does not send the element
    """

    ev_maximum_current_limit: Q
    ev_maximum_power_limit: Q | None
    ev_maximum_voltage_limit: Q
    ev_energy_capacity: Q | None
    ev_energy_request: Q | None
    full_soc: int | None
    bulk_soc: int | None


class Demand(TypedDict, Generic[Q]):
    """Elements of a CurrentDemandReq."""

    ev_target_current: Q
    ev_maximum_voltage_limit: Q | None
    ev_maximum_current_limit: Q | None
    ev_maximum_power_limit: Q | None
    bulk_charging_complete: bool | None
    charging_complete: bool
    remaining_time_to_full_soc: Q | None
    remaining_time_to_bulk_soc: Q | None
    ev_target_voltage: Q


class Target(TypedDict, Generic[Q]):
    """Elements of a PreChargeReq."""

    ev_target_voltage: Q
    ev_target_current: Q


class Progress(TypedDict):
    """Elements that say how far the car is when power goes on or off."""

    bulk_charging_complete: bool | None
    charging_complete: bool


class Numbers(Generic[Q]):
    """A car's numbers as physical values of one standard.

    make: from value, unit and multiplier (None: the finest)
    """

    def __init__(
        self, settings: SessionSettings, make: Callable[[float, str, int | None], Q]
    ) -> None:
        self._settings = settings
        self._make = lru_cache(256)(make)  # a car says the same for half an hour
        vehicle = settings.vehicle
        self._limits = self._loop_limits(vehicle.max_a, vehicle.max_w)

    def volts(self, volts: float) -> Q:
        """Return a voltage, as fine as this car says it."""
        return self._make(volts, "V", 0 if self._settings.vehicle.whole_volts else -1)

    def amperes(self, amperes: float) -> Q:
        """Return a current."""
        return self._make(amperes, "A", -1)

    def whole(self, value: float | None, unit: str) -> Q | None:
        """Return a power or an energy; None where there is none."""
        return None if value is None else self._make(round(value), unit, None)

    def wish(self, view: View) -> DcWish[Q]:
        """Return limits, battery and wish."""
        vehicle = self._settings.vehicle
        return DcWish(
            ev_maximum_current_limit=self.amperes(vehicle.max_a),
            ev_maximum_power_limit=self.whole(vehicle.max_w, "W"),
            ev_maximum_voltage_limit=self.volts(vehicle.max_v),
            ev_energy_capacity=self.whole(vehicle.capacity_wh, "Wh"),
            ev_energy_request=self._energy_request(view),
            full_soc=vehicle.full_soc_pct,
            bulk_soc=vehicle.bulk_soc_pct,
        )

    def target(self, view: View) -> Target[Q]:
        """Return the battery's voltage; what else some cars say first."""
        habits = self._settings.habits
        is_first = habits.first_precharge_v is not None and view.count == 0
        target_v = habits.first_precharge_v if is_first else None
        return Target(
            ev_target_voltage=self.volts(
                view.fact.battery_v if target_v is None else target_v
            ),
            ev_target_current=self.amperes(habits.precharge_a),
        )

    def progress(self, view: View) -> Progress:
        """Return how far the car is."""
        tells = self._settings.vehicle.sends_bulk_complete
        return Progress(
            bulk_charging_complete=False if tells else None,
            charging_complete=view.is_complete,
        )

    def _energy_request(self, view: View) -> Q | None:
        vehicle = self._settings.vehicle
        if vehicle.energy_request_wh is not None or vehicle.capacity_wh is None:
            return self.whole(vehicle.energy_request_wh, "Wh")
        missing_wh = vehicle.capacity_wh * (100.0 - view.fact.soc_pct) / 100.0
        return self.whole(missing_wh, "Wh")

    def demand(self, view: View) -> Demand[Q]:
        """Return what is wanted now."""
        vehicle, goal = self._settings.vehicle, self._settings.goal
        max_v, max_a, max_w = self._limits
        if self._settings.habits.lowers_limits:
            max_v, max_a, max_w = self._lowered_limits(view.fact.soc_pct)
        bulk_pct = vehicle.bulk_soc_pct or 100
        is_bulk = view.fact.soc_pct >= bulk_pct
        tells_full, tells_bulk = vehicle.sends_time_to_full, vehicle.sends_time_to_bulk
        return Demand(
            ev_target_current=self.amperes(view.target_a),
            ev_maximum_voltage_limit=max_v,
            ev_maximum_current_limit=max_a,
            ev_maximum_power_limit=max_w,
            bulk_charging_complete=is_bulk if vehicle.sends_bulk_complete else None,
            charging_complete=view.is_complete,
            remaining_time_to_full_soc=self._left(view, 100) if tells_full else None,
            remaining_time_to_bulk_soc=(
                self._left(view, bulk_pct) if tells_bulk else None
            ),
            ev_target_voltage=self.volts(goal.target_v),
        )

    def _loop_limits(
        self, max_a: float, max_w: float | None
    ) -> tuple[Q | None, Q | None, Q | None]:
        """Return voltage, current and power, where the car says them in the loop."""
        vehicle = self._settings.vehicle
        if not vehicle.sends_loop_limits:
            return None, None, None
        return self.volts(vehicle.max_v), self.amperes(max_a), self.whole(max_w, "W")

    def _lowered_limits(self, soc_pct: float) -> tuple[Q | None, Q | None, Q | None]:
        """Return the limits of a car that lowers them as its battery fills."""
        vehicle, goal = self._settings.vehicle, self._settings.goal
        max_a, max_w = min(vehicle.max_a, goal.current_at(soc_pct)), vehicle.max_w
        by_current_w = max_a * goal.target_v
        return self._loop_limits(
            max_a, None if max_w is None else min(max_w, by_current_w)
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
