"""What a request is made of: the moment, and numbers in a standard's own values."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Generic, NamedTuple, TypedDict, TypeVar

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
    is_first:    no request was sent in this phase so far
    by_contract: the car pays by its contract, not outside
    challenge:   to be signed then
    meter:       the reading that a receipt is for
    """

    fact: InletFact
    target_a: float = 0.0
    is_ready: bool = False
    is_first: bool = True
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
        self, fact: InletFact, target_a: float, *, is_ready: bool, is_first: bool
    ) -> View:
        """Return the view with what changes from request to request; itself if same."""
        if (
            fact is self.fact
            and target_a == self.target_a
            and is_ready is self.is_ready
            and is_first is self.is_first
        ):
            return self
        return View(
            fact,
            target_a,
            is_ready,
            is_first,
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


class _Wanted(NamedTuple):
    """What the elements of a CurrentDemandReq follow from, as a car finds it."""

    target_a: float
    max_a: float
    full_min: int | None
    bulk_min: int | None
    is_complete: bool
    is_bulk: bool


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
        self._demands = lru_cache(4)(self._make_demand)

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
        is_first = habits.first_precharge_v is not None and view.is_first
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
        """Return what is wanted now; the very same as long as it is the same."""
        vehicle, habits = self._settings.vehicle, self._settings.habits
        soc_pct, bulk_pct = view.fact.soc_pct, vehicle.bulk_soc_pct or 100
        max_a = vehicle.max_a
        if habits.lowers_limits:
            max_a = min(max_a, self._settings.goal.current_at(soc_pct))
        tells_full, tells_bulk = vehicle.sends_time_to_full, vehicle.sends_time_to_bulk
        return self._demands(
            _Wanted(
                view.target_a,
                max_a,
                self._left(view, 100) if tells_full else None,
                self._left(view, bulk_pct) if tells_bulk else None,
                view.is_complete,
                soc_pct >= bulk_pct,
            )
        )

    def _make_demand(self, wanted: _Wanted) -> Demand[Q]:
        vehicle, goal = self._settings.vehicle, self._settings.goal
        max_w, has_limits = vehicle.max_w, vehicle.sends_loop_limits
        if self._settings.habits.lowers_limits and max_w is not None:
            max_w = min(max_w, wanted.max_a * goal.target_v)
        return Demand(
            ev_target_current=self.amperes(wanted.target_a),
            ev_maximum_voltage_limit=self.volts(vehicle.max_v) if has_limits else None,
            ev_maximum_current_limit=self.amperes(wanted.max_a) if has_limits else None,
            ev_maximum_power_limit=self.whole(max_w, "W") if has_limits else None,
            bulk_charging_complete=(
                wanted.is_bulk if vehicle.sends_bulk_complete else None
            ),
            charging_complete=wanted.is_complete,
            remaining_time_to_full_soc=self._time(wanted.full_min),
            remaining_time_to_bulk_soc=self._time(wanted.bulk_min),
            ev_target_voltage=self.volts(goal.target_v),
        )

    def _left(self, view: View, to_pct: int) -> int:
        """Return the minutes to a state of charge at the present power."""
        missing_pct = max(to_pct - view.fact.soc_pct, 0.0)
        missing_wh = (self._settings.vehicle.capacity_wh or 0.0) * missing_pct / 100.0
        power_w = max(view.fact.voltage_v * view.target_a, LEAST_W)
        return math.ceil(missing_wh / power_w * 60.0)

    def _time(self, minutes: int | None) -> Q | None:
        """Return a time in the unit of this car; None where it does not say it."""
        if minutes is None:
            return None
        unit, time_s = self._settings.vehicle.time_unit, min(minutes * 60, MOST_S)
        return self._make(time_s / unit.value, unit.name.lower(), None)
