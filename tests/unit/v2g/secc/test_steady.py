"""The answer of the loop that is given again: never when another one is due."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pilothat.faults import Fault
from pilothat.plant import EvLimits, Isolation, PathPhase, Ratings
from pilothat.v2g.messages import din, din_types, iso2, iso2_types
from pilothat.v2g.plant import Learned, PlantState, Respond, SessionOver
from pilothat.v2g.secc import din as secc_din
from pilothat.v2g.secc import iso2 as secc_iso2
from pilothat.v2g.secc.base import SEQUENCE_TIMEOUT_S, Context, RequestIn, Session
from pilothat.v2g.secc.contract import Contract
from pilothat.v2g.secc.iso2_answers import Offer
from pilothat.v2g.secc.iso2_meter import RECEIPT_EVERY_S
from pilothat.v2g.secc.iso2_power import Iso2Settings
from pilothat.v2g.sequence import DinState, Iso2State, State

SESSION_ID = bytes(range(1, 9))
METERED = Iso2Settings(offer=Offer(meter_id="M1"))
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

Loop = tuple[Session[Any, Any], Callable[[float], object]]


def entropy(count: int) -> bytes:
    return bytes(range(count))


def din_loop() -> Loop:
    """Return a session in the loop, and what makes its requests."""
    session = secc_din.session(secc_din.DinSettings(), entropy, 0.0)
    return in_loop(session, DinState.CHARGING), of_din


def iso2_loop() -> Loop:
    return of_settings(Iso2Settings()), of_iso2


def of_settings(settings: Iso2Settings) -> Session[Any, Any]:
    return in_loop(secc_iso2.session(settings, entropy, 0.0), Iso2State.CHARGING)


def in_loop(session: Session[Any, Any], state: State) -> Session[Any, Any]:
    session.state = state
    contract = Contract(b"leaf", b"challenge")
    session.context = Context(session_id=SESSION_ID, contract=contract)
    session.plant = PLANT
    return session


def of_din(current_a: float) -> object:
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
    return din.V2gMessage(header=din.MessageHeader(session_id=SESSION_ID), body=request)


def of_iso2(current_a: float) -> object:
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
    return iso2.V2gMessage(
        header=iso2.MessageHeader(session_id=SESSION_ID), body=request
    )


def of_power_off(request: object) -> object:
    if isinstance(request, din.V2gMessage):
        off = din.PowerDeliveryReq(ready_to_charge_state=False)
        return din.V2gMessage(header=request.header, body=off)
    assert isinstance(request, iso2.V2gMessage)
    stop = iso2.PowerDeliveryReq(
        charge_progress=iso2_types.ChargeProgress.Stop, sa_schedule_tuple_id=1
    )
    return iso2.V2gMessage(header=request.header, body=stop)


def fresh(like: Session[Any, Any], loop: Loop) -> Session[Any, Any]:
    """Return a session that stands where another does, and remembers nothing."""
    other = loop[0]
    other.state, other.context, other.plant = like.state, like.context, like.plant
    return other


BOTH = pytest.mark.parametrize("loop", [din_loop, iso2_loop])


@BOTH
def test_the_same_request_gets_the_very_same_answer(loop: Callable[[], Loop]) -> None:
    session, request_of = loop()
    request = request_of(100.0)
    first = session.handle(RequestIn(request), 1.0)
    before = session.handle(RequestIn(request), 2.0)
    assert [one for one in first if isinstance(one, Learned)]
    assert not [one for one in before if isinstance(one, Learned)], "told twice"
    again = session.handle(RequestIn(request), 3.0)
    assert tuple(again) == tuple(before)
    assert again[-1] is before[-1]
    assert session.deadline == 3.0 + SEQUENCE_TIMEOUT_S


@BOTH
@pytest.mark.parametrize("plant", CHANGED)
def test_what_the_car_must_hear_of_is_heard_at_once(
    loop: Callable[[], Loop], plant: PlantState
) -> None:
    session, request_of = loop()
    request = request_of(100.0)
    for now in (1.0, 2.0):
        before = session.handle(RequestIn(request), now)
    session.handle(plant, 2.5)
    expected = fresh(session, loop()).handle(RequestIn(request), 3.0)
    assert response_of(expected) != response_of(before), "it shows in no answer"
    assert response_of(session.handle(RequestIn(request), 3.0)) == response_of(expected)


@BOTH
def test_another_wish_and_another_car_are_another_question(
    loop: Callable[[], Loop],
) -> None:
    session, request_of = loop()
    first, other = request_of(100.0), request_of(20.0)
    for now in (1.0, 2.0):
        before = session.handle(RequestIn(first), now)
    expected = fresh(session, loop()).handle(RequestIn(other), 3.0)
    assert list(session.handle(RequestIn(other), 3.0)) == list(expected) != list(before)
    session, request_of = loop()
    for now in (1.0, 2.0):
        session.handle(RequestIn(first), now)
    session.context = replace(session.context, ev=EvLimits(max_a=10.0))
    expected = fresh(session, loop()).handle(RequestIn(first), 4.0)
    assert list(session.handle(RequestIn(first), 4.0)) == list(expected) != list(before)


@BOTH
def test_a_request_that_came_before_the_end_of_power_is_no_loop_after_it(
    loop: Callable[[], Loop],
) -> None:
    session, request_of = loop()
    request = request_of(100.0)
    for now in (1.0, 2.0):
        session.handle(RequestIn(request), now)
    session.plant = replace(PLANT, phase=PathPhase.PRECHARGE, current_a=0.0)
    session.handle(RequestIn(of_power_off(request)), 3.0)
    session.plant = PLANT
    over = session.handle(RequestIn(request), 4.0)
    assert any(isinstance(action, SessionOver) for action in over)


def test_a_meter_that_is_told_goes_on() -> None:
    session, request = of_settings(METERED), of_iso2(100.0)
    before = [session.handle(RequestIn(request), now) for now in (1.0, 2.0)][-1]
    session.handle(replace(PLANT, energy_wh=1000.0), 2.5)
    assert session.handle(RequestIn(request), 3.0) != before


def test_a_receipt_is_asked_for_when_it_is_time() -> None:
    session = of_settings(replace(METERED, wants_receipts=True))
    request, asked_at = of_iso2(100.0), []
    for now in range(1, 200):
        if asks_receipt(session.handle(RequestIn(request), float(now))):
            asked_at.append(float(now))
            session.state = Iso2State.CHARGING  # it was given
    assert asked_at == [1.0 + number * RECEIPT_EVERY_S for number in range(4)]


def response_of(actions: Sequence[object]) -> Any:
    (response,) = (one.message for one in actions if isinstance(one, Respond))
    return response


def asks_receipt(actions: Sequence[object]) -> bool:
    return bool(response_of(actions).body.receipt_required)
