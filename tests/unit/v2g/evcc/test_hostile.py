"""A station that answers anything at any time: the car ends, and lets go."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.v2g.evcc import honest, honest2
from tests.unit.v2g.evcc.honest import SESSION_ID, Answers, Station, Walk, is_free
from tests.unit.v2g.evcc.honest2 import AcStation, Iso2Station

from pilothat.v2g.evcc.events import (
    Disconnected,
    DrawCurrent,
    Event,
    PilotSeen,
    ResponseIn,
    StopWish,
)
from pilothat.v2g.evcc.settings import Energy, Iso2Habits, SessionSettings
from pilothat.v2g.messages import din, iso2

AC = SessionSettings(iso2=Iso2Habits(energy=Energy.AC))
DC = SessionSettings()
DIN_NAMES = (
    "SessionSetup",
    "ServiceDiscovery",
    "ServicePaymentSelection",
    "ContractAuthentication",
    "ChargeParameterDiscovery",
    "CableCheck",
    "PreCharge",
    "PowerDelivery",
    "CurrentDemand",
    "WeldingDetection",
    "SessionStop",
)
ISO2_NAMES = (
    *DIN_NAMES[:2],
    "PaymentServiceSelection",
    "Authorization",
    *DIN_NAMES[4:],
)
AC_NAMES = (*ISO2_NAMES[:5], "PowerDelivery", "ChargingStatus", "SessionStop")
DIN_BODIES = [
    *(Station().honest(name) for name in DIN_NAMES),
    *(
        Station(evse=honest.status(code)).honest("CurrentDemand")
        for code in din.DcEvseStatusCode
    ),
    din.ContractAuthenticationRes(
        response_code=honest.OK, evse_processing=honest.ONGOING
    ),
    din.SessionStopRes(response_code=din.ResponseCode.FAILED),
    honest.parameters(max_a=-300.0),
    honest.parameters(honest.ONGOING),
    None,
]
ISO2_BODIES = [
    *(Iso2Station().honest(name) for name in ISO2_NAMES),
    *(AcStation().honest(name) for name in AC_NAMES),
    *(
        Iso2Station(evse=honest2.status(code)).honest("CurrentDemand")
        for code in iso2.DcEvseStatusCode
    ),
    *(
        Iso2Station(evse=honest2.status(notification=notice)).honest("CurrentDemand")
        for notice in iso2.EvseNotification
    ),
    *(
        honest2.charging(honest2.ac_status(notice, rcd=rcd), max_a=-5.0)
        for notice in iso2.EvseNotification
        for rcd in (False, True)
    ),
    replace(
        honest2.current(honest2.status(), 350.0, 10.0),
        receipt_required=True,
        meter_info=iso2.MeterInfo(meter_id="M"),
    ),
    replace(
        honest2.charging(honest2.ac_status()),
        receipt_required=True,
        meter_info=iso2.MeterInfo(meter_id="M"),
    ),
    iso2.MeteringReceiptRes(response_code=honest2.OK, evse_status=honest2.status()),
    iso2.PaymentDetailsRes(
        response_code=honest2.OK, gen_challenge=bytes(16), evse_time_stamp=0
    ),
    honest2.authorisation(honest2.ONGOING),
    honest2.parameters(honest2.schedule(3, (10, -5000.0)), max_a=-300.0),
    honest2.parameters(processing=honest2.ONGOING),
    honest2.ac_parameters(honest2.schedule(3, (10, 0.0)), max_a=-300.0),
    iso2.SessionStopRes(response_code=iso2.ResponseCode.FAILED),
    None,
]
rare = st.sampled_from(
    [
        ResponseIn("rubbish"),
        Disconnected(),
        PilotSeen(100.0, is_pwm=False),
        StopWish("enough"),
    ]
)


def said_by(
    station: Answers, bodies: Sequence[object]
) -> st.SearchStrategy[list[Event]]:
    answers = st.builds(
        lambda body, session_id: ResponseIn(station.wrap(session_id, body)),
        st.sampled_from(bodies),
        st.sampled_from([SESSION_ID, SESSION_ID, SESSION_ID, b""]),
    )
    return st.lists(st.one_of(answers, answers, answers, rare), max_size=12)


def ends_and_lets_go(walk: Walk[Answers], request: str, said: list[Event]) -> None:
    walk.run_to(request, 1)
    for event in said:
        walk.tell(event)
        walk.step()
    walk.tell(Disconnected())
    walk.measure(current_a=0.0)
    walk.run()
    done = walk.actions()
    assert walk.car.deadline is None
    assert is_free(walk)
    drawn = [action.current_a for action in done if isinstance(action, DrawCurrent)]
    assert min(drawn, default=0.0) >= 0.0


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(DIN_NAMES[:9]), said_by(Station(), DIN_BODIES))
def test_whatever_a_din_station_says(request: str, said: list[Event]) -> None:
    ends_and_lets_go(Walk(DC, Station()), request, said)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(ISO2_NAMES[:9]), said_by(Iso2Station(), ISO2_BODIES))
def test_whatever_a_dc_station_says(request: str, said: list[Event]) -> None:
    ends_and_lets_go(Walk(DC, Iso2Station()), request, said)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(AC_NAMES[:-1]), said_by(Iso2Station(), ISO2_BODIES))
def test_whatever_an_ac_station_says(request: str, said: list[Event]) -> None:
    ends_and_lets_go(Walk(AC, AcStation()), request, said)
