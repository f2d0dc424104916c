"""The car speaks ISO 15118-2 from plug to plug, sleeps, and wakes the station."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.twin.booth import Booth, quick
from tests.unit.v2g.evcc.honest import SESSION_ID
from tests.unit.v2g.evcc.honest2 import Iso2Station
from tests.unit.v2g.evcc.test_contract import PncStation, contract

from pilothat.station.actions import SendMessage
from pilothat.twin import profile
from pilothat.twin.car import Phase, SetElectrics, Unplug
from pilothat.twin.circuit import CarPilot
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.events import Outcome, PilotSeen
from pilothat.v2g.messages import iso2

ISO2 = profile.builtin("iso2")
X1 = PilotSeen(100.0, is_pwm=False)
FIVE = PilotSeen(5.0, is_pwm=True)


def sleeper(pause_s: float = 60.0) -> CarProfile:
    plan = replace(ISO2.session.iso2, pauses_after_s=2.0, pause_s=pause_s)
    return replace(ISO2, session=replace(ISO2.session, iso2=plan))


def booth_of(car: CarProfile, *, exi: bool = False) -> Booth:
    booth = Booth(car, answers=Iso2Station(), exi=exi)
    booth.plug()
    return booth


def asleep() -> Booth:
    booth = booth_of(sleeper())
    assert booth.run(120.0, lambda: booth.car.phase is Phase.ASLEEP)
    booth.tell(X1)
    return booth


def setups(booth: Booth) -> list[bytes]:
    """Return the session ids of the set-up requests."""
    messages = [a.message for _, a in booth.log if isinstance(a, SendMessage)]
    return [
        message.header.session_id
        for message in messages
        if isinstance(message, iso2.V2gMessage)
        and isinstance(message.body, iso2.SessionSetupReq)
    ]


def pilots(booth: Booth, since: float) -> Sequence[tuple[float, CarPilot]]:
    return [
        (at, action.electrics.pilot)
        for at, action in booth.log
        if isinstance(action, SetElectrics) and action.electrics and at >= since
    ]


@pytest.mark.parametrize("exi", [False, True])
def test_a_car_charges_and_leaves(*, exi: bool) -> None:
    booth = booth_of(quick(ISO2), exi=exi)
    assert booth.run(120.0, lambda: booth.car.phase is Phase.AWAY)
    assert booth.car.summary.outcome is Outcome.CHARGED
    assert booth.electrics is None
    assert booth.requests[:2] == ["SupportedAppProtocol", "SessionSetup"]
    assert "PaymentServiceSelection" in booth.requests


def test_octets_and_message_objects_make_the_same_journey() -> None:
    objects, octets = booth_of(quick(ISO2)), booth_of(quick(ISO2), exi=True)
    objects.run(120.0, lambda: objects.car.phase is Phase.AWAY)
    octets.run(120.0, lambda: octets.car.phase is Phase.AWAY)
    assert objects.car.summary == octets.car.summary


def test_a_car_that_pauses_stays_plugged_in() -> None:
    booth = asleep()
    assert booth.car.outcome is Outcome.PAUSED
    assert booth.electrics is not None
    assert booth.electrics.pilot is CarPilot.B
    assert not booth.run(booth.now + 59.0, lambda: booth.car.phase is not Phase.ASLEEP)


def test_it_wakes_the_station_by_one_toggle_of_a_quarter_second() -> None:
    booth = asleep()
    slept_at = booth.now
    assert booth.run(200.0, lambda: booth.car.phase is Phase.CALLING)
    booth.run(booth.now + 1.0)
    (up_at, up), (down_at, down) = pilots(booth, slept_at + 1.0)
    assert (up, down) == (CarPilot.C, CarPilot.B)
    assert up_at - slept_at == pytest.approx(60.0, abs=0.1)
    assert down_at - up_at == pytest.approx(0.25)


@pytest.mark.parametrize("phase", [Phase.ASLEEP, Phase.CALLING])
def test_at_five_percent_it_joins_its_session_again_without_a_match(
    phase: Phase,
) -> None:
    booth = asleep()
    assert booth.run(200.0, lambda: booth.car.phase is phase)
    booth.tell(FIVE)
    assert booth.run(booth.now + 20.0, lambda: booth.car.phase_text == "charging")
    first, again = setups(booth)
    assert first == bytes(8)
    assert again == SESSION_ID
    matches = [e for e in booth.car.summary.phases if e.phase == Phase.MATCHING.value]
    assert len(matches) == 1


def test_a_station_that_does_not_wake_up_is_given_up_after_six_seconds() -> None:
    booth = asleep()
    assert booth.run(200.0, lambda: booth.car.phase is Phase.CALLING)
    called_at = booth.now
    assert booth.run(200.0, lambda: booth.car.phase is Phase.RESTING)
    assert booth.now - called_at == pytest.approx(6.25)
    assert booth.car.reason == "the station does not wake up"


def test_a_plug_that_was_pulled_ends_a_pause() -> None:
    booth = asleep()
    booth.tell(Unplug())
    booth.plug()
    assert booth.run(booth.now + 60.0, lambda: len(setups(booth)) == 2)
    assert setups(booth) == [bytes(8), bytes(8)]


def test_a_contract_that_was_refused_is_not_shown_again() -> None:
    refused = iso2.PaymentDetailsRes(
        response_code=iso2.ResponseCode.FAILED_ContractCanceled,
        gen_challenge=bytes(16),
        evse_time_stamp=0,
    )
    station = PncStation(special={"PaymentDetails": lambda: refused})
    booth = Booth(quick(ISO2), answers=station, contract=contract())
    booth.plug()
    assert booth.run(60.0, lambda: booth.car.phase is Phase.RESTING)
    assert "FAILED_ContractCanceled" in booth.car.reason
    booth.tell(X1)
    booth.tell(FIVE)
    assert booth.run(booth.now + 90.0, lambda: booth.car.phase is Phase.AWAY)
    assert booth.car.outcome is Outcome.CHARGED
    assert booth.requests.count("PaymentDetails") == 1
