"""A station that answers anything at any time: the car ends, and lets go."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.v2g.evcc.honest import (
    OK,
    ONGOING,
    SESSION_ID,
    Road,
    Station,
    parameters,
    status,
)

from pilothat.v2g.evcc.events import (
    Disconnected,
    Event,
    LockPlug,
    PilotSeen,
    ResponseIn,
    SetEvContactor,
    SetS2,
    StopWish,
)
from pilothat.v2g.messages import din

NAMES = (
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
BODIES = [
    *(Station().honest(name) for name in NAMES),
    *(
        Station(evse=status(code)).honest("CurrentDemand")
        for code in din.DcEvseStatusCode
    ),
    din.ContractAuthenticationRes(response_code=OK, evse_processing=ONGOING),
    din.SessionStopRes(response_code=din.ResponseCode.FAILED),
    parameters(max_a=-300.0),
    parameters(ONGOING),
    None,
]
answers = st.builds(
    lambda body, session_id: ResponseIn(
        din.V2gMessage(header=din.MessageHeader(session_id=session_id), body=body)
    ),
    st.sampled_from(BODIES),
    st.sampled_from([SESSION_ID, SESSION_ID, SESSION_ID, b""]),
)
rare = st.sampled_from(
    [
        ResponseIn("rubbish"),
        Disconnected(),
        PilotSeen(100.0, is_pwm=False),
        StopWish("enough"),
    ]
)
events = st.lists(st.one_of(answers, answers, answers, rare), max_size=12)


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(NAMES[:9]), events)
def test_whatever_the_station_says_the_car_ends_and_lets_go(
    request: str, said: list[Event]
) -> None:
    road = Road()
    road.run_to(request, 1)
    for event in said:
        road.tell(event)
        road.step()
    road.tell(Disconnected())
    road.measure(current_a=0.0)
    road.run()
    done = road.actions()
    assert road.car.deadline is None
    assert done.count(SetS2(closed=True)) == done.count(SetS2(closed=False))
    assert done.count(LockPlug(locked=True)) == done.count(LockPlug(locked=False))
    assert done.count(SetEvContactor(closed=True)) == done.count(
        SetEvContactor(closed=False)
    )
