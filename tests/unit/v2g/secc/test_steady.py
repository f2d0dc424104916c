"""The answer of the loop that is given again: never when another one is due."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from pilothat.faults import Fault
from pilothat.plant import Isolation, PathPhase, Ratings
from pilothat.v2g.messages import din, din_types, iso2, iso2_types
from pilothat.v2g.plant import PlantState
from pilothat.v2g.secc import din as secc_din
from pilothat.v2g.secc.base import Ask, Context
from pilothat.v2g.secc.dc import Steady
from pilothat.v2g.secc.iso2_answers import Offer
from pilothat.v2g.secc.iso2_power import Iso2Settings, Power
from pilothat.v2g.sequence import DinState, Iso2State

Handler = Callable[[Ask[Any]], Any]
PLANT = PlantState(
    phase=PathPhase.DELIVERING,
    outlet_v=400.0,
    current_a=100.0,
    isolation=Isolation.VALID,
)
CHANGED = (
    replace(PLANT, outlet_v=401.0),
    replace(PLANT, current_a=99.0),
    replace(PLANT, isolation=Isolation.WARNING),
    replace(PLANT, ratings=Ratings(max_a=50.0)),
    replace(PLANT, wants_stop=True),
    replace(PLANT, fault=Fault.EMERGENCY_STOP),
)
POWER = Power(Iso2Settings())


def of_din(current_a: float) -> Ask[Any]:
    units, value = din_types.UnitSymbol, din_types.PhysicalValue.of
    request = din.CurrentDemandReq(
        dc_ev_status=din_types.DcEvStatus(
            ev_ready=True,
            ev_error_code=din_types.DcEvErrorCode.NO_ERROR,
            ev_ress_soc=50,
        ),
        ev_target_current=value(current_a, units.A, -1),
        ev_target_voltage=value(400.0, units.V, -1),
        charging_complete=False,
    )
    return ask_of(request, DinState.CHARGING)


def of_iso2(current_a: float) -> Ask[Any]:
    units, value = iso2_types.UnitSymbol, iso2_types.PhysicalValue.of
    request = iso2.CurrentDemandReq(
        dc_ev_status=iso2_types.DcEvStatus(
            ev_ready=True,
            ev_error_code=iso2_types.DcEvErrorCode.NO_ERROR,
            ev_ress_soc=50,
        ),
        ev_target_current=value(current_a, units.A, -1),
        ev_target_voltage=value(400.0, units.V, -1),
        charging_complete=False,
    )
    return ask_of(request, Iso2State.CHARGING)


def ask_of(request: object, state: Any) -> Ask[Any]:
    return Ask(request, Context(), PLANT, state, 0.0, False, 0.0)


BOTH = pytest.mark.parametrize(
    ("ask", "handler"),
    [(of_din, secc_din._current_demand), (of_iso2, POWER.current_demand)],
)


@BOTH
@pytest.mark.parametrize("plant", CHANGED)
def test_what_the_car_must_hear_of_is_heard_at_once(
    ask: Callable[[float], Ask[Any]], handler: Handler, plant: PlantState
) -> None:
    steady, first = Steady(handler), ask(100.0)
    before = steady(first)
    assert steady(first) is before
    now = replace(first, plant=plant)
    assert handler(now) != before, "the change shows in no answer: a test of nothing"
    assert steady(now) == handler(now)
    assert steady(first) == before


@BOTH
def test_another_wish_and_another_car_are_another_question(
    ask: Callable[[float], Ask[Any]], handler: Handler
) -> None:
    steady, first = Steady(handler), ask(100.0)
    steady(first)
    other = ask(20.0)
    assert steady(other) == handler(other) != handler(first)
    known = replace(first, context=Context(session_id=b"other", soc_pct=50))
    assert steady(known) == handler(known) != steady(first)


def test_a_meter_that_is_told_goes_on() -> None:
    power = Power(Iso2Settings(offer=Offer(meter_id="M1")))
    first = of_iso2(100.0)
    later = replace(first, plant=replace(PLANT, energy_wh=1000.0))
    assert power.demand(first) != power.demand(later)
