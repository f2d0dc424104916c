"""The car from plug to plug, against a scripted charging point."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.twin.booth import ADDRESS, EV_MAC, PORT, Booth, quick
from tests.unit.v2g.evcc.honest import status

from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSetKeyReq, CmSlacParmReq
from pilothat.station.actions import SdpOut, SendFrame, SendMessage, TcpClose, TcpSend
from pilothat.station.events import FrameIn, TcpClosed, TcpData, TcpOpened
from pilothat.twin import profile
from pilothat.twin.car import (
    Car,
    InletReading,
    Phase,
    Plug,
    SetElectrics,
    TcpConnect,
    Unplug,
)
from pilothat.twin.circuit import CarPilot
from pilothat.twin.profile import CarProfile
from pilothat.v2g import sdp
from pilothat.v2g.evcc.events import Outcome, PilotSeen, StopWish
from pilothat.v2g.evcc.handshake import DIN, DIN_ONLY, HandshakeSettings, Offer
from pilothat.v2g.evcc.search import SearchSettings
from pilothat.v2g.evcc.settings import Energy
from pilothat.v2g.messages import din

GENERIC = quick(CarProfile())
X1 = PilotSeen(100.0, is_pwm=False)
FIVE = PilotSeen(5.0, is_pwm=True)


def plugged(car: CarProfile = GENERIC, *, exi: bool = False) -> Booth:
    booth = Booth(car, exi=exi)
    booth.plug()
    return booth


def at_phase(phase: Phase, car: CarProfile = GENERIC) -> Booth:
    booth = plugged(car)
    assert booth.run(60.0, lambda: booth.car.phase is phase)
    return booth


def in_state(text: str) -> Booth:
    booth = plugged(replace(GENERIC, battery=replace(GENERIC.battery, soc_pct=50.0)))
    assert booth.run(60.0, lambda: booth.car.phase_text == text)
    return booth


def is_dc_of_din(name: str) -> bool:
    car = profile.builtin(name)
    is_din = any(offer.namespace == DIN for offer in car.handshake.offers)
    return is_din and car.session.iso2.energy is Energy.DC


def begins_and_loses(booth: Booth) -> bool:
    """Tell whether the car begins to match; then take the pilot away and back."""
    begins = booth.run(booth.now + 5.0, lambda: booth.car.phase is Phase.MATCHING)
    booth.tell(X1)
    booth.tell(FIVE)
    return begins


def is_over(booth: Booth) -> bool:
    return booth.car.phase in (Phase.RESTING, Phase.AWAY)


@pytest.mark.parametrize("exi", [False, True])
def test_a_car_charges_and_leaves(*, exi: bool) -> None:
    booth = plugged(exi=exi)
    assert booth.run(120.0, lambda: booth.car.phase is Phase.AWAY)
    summary = booth.car.summary
    assert summary.outcome is Outcome.CHARGED
    assert summary.soc_pct >= 80.0
    assert summary.requests == summary.responses == len(booth.requests)
    assert booth.electrics is None
    assert [entry.phase for entry in summary.phases] == [
        "plugged in, waiting for 5 %",
        "matching",
        "joining the network",
        "looking for the station",
        "connecting",
        "application handshake",
        "session setup",
        "service discovery",
        "payment selection",
        "authorisation",
        "charge parameters",
        "cable check",
        "precharge",
        "power on",
        "charging",
        "ramp down",
        "power off",
        "welding detection",
        "session stop",
        "done",
        "unplugged",
    ]


def test_octets_and_message_objects_make_the_same_journey() -> None:
    objects, octets = plugged(exi=False), plugged(exi=True)
    objects.run(120.0, lambda: objects.car.phase is Phase.AWAY)
    octets.run(120.0, lambda: octets.car.phase is Phase.AWAY)
    assert objects.car.summary == octets.car.summary


@pytest.mark.parametrize(("exi", "kind"), [(False, SendMessage), (True, TcpSend)])
def test_messages_go_out_in_the_form_that_was_asked_for(
    kind: type, *, exi: bool
) -> None:
    booth = plugged(exi=exi)
    booth.run(10.0)
    assert {type(a) for _, a in booth.log} & {TcpSend, SendMessage} == {kind}


def test_the_same_entropy_gives_the_same_actions() -> None:
    first, second = plugged(), plugged()
    first.run(20.0)
    second.run(20.0)
    assert first.log == second.log


def test_plugging_in_shows_state_b_and_the_battery() -> None:
    booth = Booth(GENERIC)
    booth.tell(Plug())
    assert booth.electrics is not None
    assert booth.electrics.pilot is CarPilot.B
    assert not booth.electrics.contactor_closed
    assert booth.electrics.ocv_v == pytest.approx(392, abs=2)


def test_nothing_is_sent_without_five_percent() -> None:
    booth = Booth(GENERIC)
    booth.tell(Plug())
    booth.tell(PilotSeen(50.0, is_pwm=True))
    booth.run(10.0)
    assert [type(a) for _, a in booth.log] == [SetElectrics]
    assert booth.car.phase is Phase.PLUGGED


def test_slac_begins_when_the_car_has_woken_up() -> None:
    booth = plugged(replace(GENERIC, car=replace(GENERIC.car, wake_s=0.7)))
    booth.run(0.699)
    assert not [a for _, a in booth.log if isinstance(a, SendFrame)]
    booth.run(0.7)
    sent = next(a for _, a in booth.log if isinstance(a, SendFrame))
    frame = wire.parse(sent.frame)
    assert frame is not None
    assert isinstance(frame.mme, CmSlacParmReq)
    assert frame.source == EV_MAC


def test_the_matched_key_goes_to_the_cars_own_modem() -> None:
    booth = at_phase(Phase.SEARCHING)
    frames = [wire.parse(a.frame) for _, a in booth.log if isinstance(a, SendFrame)]
    keys = [f.mme for f in frames if f is not None and isinstance(f.mme, CmSetKeyReq)]
    assert [key.nmk for key in keys] == [bytes(range(16))]


def test_the_search_begins_at_its_time_after_the_match() -> None:
    booth = at_phase(
        Phase.SEARCHING, replace(GENERIC, car=replace(GENERIC.car, search_after_s=4.1))
    )
    at = {entry.phase: entry.at for entry in booth.car.summary.phases}
    assert booth.now - at["joining the network"] == pytest.approx(4.1)


def test_the_car_connects_to_where_sdp_sent_it() -> None:
    booth = at_phase(Phase.HANDSHAKE)
    actions = [a for _, a in booth.log]
    asked = next(a for a in actions if isinstance(a, SdpOut))
    assert (asked.host, asked.port) == ("ff02::1", 15118)
    assert TcpConnect(ADDRESS, PORT) in actions


def test_an_unanswered_search_gives_up() -> None:
    booth = Booth(replace(GENERIC, search=SearchSettings(requests=10)))
    booth.has_sdp = False
    booth.plug()
    assert booth.run(30.0, lambda: is_over(booth))
    assert booth.car.reason == "no station answers SDP"


def test_a_car_that_asks_for_tls_first_takes_plain_tcp_at_last() -> None:
    booth = Booth(replace(GENERIC, search=SearchSettings(tls_requests=3)))
    booth.security = sdp.Security.TLS
    booth.plug()
    booth.run(10.0, lambda: len([a for _, a in booth.log if type(a) is SdpOut]) == 4)
    asked = [sdp.parse_request(a.payload) for _, a in booth.log if type(a) is SdpOut]
    assert [a.tls for a in asked if a] == [True, True, True, False]


def test_a_refused_connection_is_searched_for_again_until_the_setup_time_is_over() -> (
    None
):
    booth = Booth(GENERIC)
    booth.has_tcp = False
    booth.plug()
    assert booth.run(60.0, lambda: is_over(booth))
    at = {entry.phase: entry.at for entry in booth.car.summary.phases[:3]}
    assert booth.car.reason == "no session in time"
    assert booth.now - at["joining the network"] == pytest.approx(20.0)


def test_no_charger_on_the_powerline_ends_the_matching() -> None:
    booth = Booth(replace(GENERIC, slac=replace(GENERIC.slac, attempts=1)))
    booth.has_slac = False
    booth.plug()
    assert booth.run(60.0, lambda: is_over(booth))
    assert booth.car.outcome is Outcome.ABORTED
    assert "CM_SLAC_PARM.CNF" in booth.car.reason


def test_a_protocol_the_twin_lacks_is_hung_up_on() -> None:
    offers = (*DIN_ONLY, Offer("urn:maker", schema_id=0, priority=2))
    booth = Booth(replace(GENERIC, handshake=HandshakeSettings(offers=offers)))
    booth.namespace = "urn:maker"
    booth.plug()
    assert booth.run(60.0, lambda: is_over(booth))
    assert "urn:maker" in booth.car.reason
    assert len(booth.closed()) == 1


@pytest.mark.parametrize(
    "phase",
    [
        Phase.MATCHING,
        Phase.JOINING,
        Phase.SEARCHING,
        Phase.CONNECTING,
        Phase.HANDSHAKE,
    ],
)
def test_a_lost_pilot_before_the_session_starts_over(phase: Phase) -> None:
    booth = at_phase(phase)
    booth.tell(X1)
    assert booth.car.phase is Phase.PLUGGED
    booth.run(booth.now + 3.0)
    assert booth.car.phase is Phase.PLUGGED
    booth.tell(FIVE)
    assert booth.run(booth.now + 5.0, lambda: booth.car.phase is Phase.MATCHING)


def test_a_lost_pilot_in_the_loop_opens_s2_at_once_and_then_the_contactor() -> None:
    booth = in_state("charging")
    booth.run(booth.now + 3.0)
    booth.tell(X1)
    assert booth.electrics is not None
    assert booth.electrics.pilot is CarPilot.B
    assert booth.electrics.contactor_closed
    booth.tell(InletReading(350.0, 0.0))
    assert booth.electrics is not None
    assert not booth.electrics.contactor_closed
    assert booth.car.outcome is Outcome.ABORTED
    assert not booth.car.is_locked


def test_after_a_failure_the_car_tries_again_when_the_station_offers_again() -> None:
    booth = in_state("charging")
    booth.tell(X1)
    assert booth.run(booth.now + 1.5, lambda: is_over(booth))
    booth.tell(FIVE)
    assert booth.run(booth.now + 1.0, lambda: booth.car.phase is Phase.MATCHING)


def test_after_three_tries_it_stays_away() -> None:
    booth = Booth(replace(GENERIC, car=replace(GENERIC.car, tries=3)))
    booth.plug()
    matched = [begins_and_loses(booth) for _ in range(4)]
    assert matched == [True, True, True, False]


def test_after_a_full_charge_a_new_offer_is_declined() -> None:
    booth = plugged()
    assert booth.run(120.0, lambda: booth.car.phase is Phase.RESTING)
    booth.tell(X1)
    booth.tell(FIVE)
    booth.run(booth.now + 5.0)
    assert booth.car.phase is Phase.RESTING


@pytest.mark.parametrize(
    ("unplugs_after_s", "after_s", "is_away"),
    [(10.0, 9.9, False), (10.0, 10.1, True), (None, 500.0, False)],
)
def test_the_car_leaves_at_its_time(
    unplugs_after_s: float | None, after_s: float, *, is_away: bool
) -> None:
    habits = replace(GENERIC.car, unplugs_after_s=unplugs_after_s)
    booth = plugged(replace(GENERIC, car=habits))
    assert booth.run(120.0, lambda: booth.car.phase is Phase.RESTING)
    booth.run(booth.now + after_s)
    assert (booth.car.phase is Phase.AWAY) is is_away


@pytest.mark.parametrize(
    "text",
    [
        "plugged in, waiting for 5 %",
        "matching",
        "joining the network",
        "looking for the station",
        "connecting",
        "application handshake",
        "session setup",
        "cable check",
        "precharge",
        "charging",
    ],
)
def test_pulling_the_plug_at_any_time_leaves_nothing_behind(text: str) -> None:
    booth = in_state(text)
    booth.tell(Unplug())
    assert booth.car.phase is Phase.AWAY
    assert booth.electrics is None
    assert not booth.car.is_locked
    count = len(booth.log)
    booth.run(booth.now + 5.0)
    late = {type(a) for _, a in booth.log[count:]}
    assert late <= {SendFrame, TcpClose}  # the modem's heartbeat, a late connection


def test_after_pulling_it_can_be_plugged_again_and_charges() -> None:
    booth = in_state("precharge")
    booth.tell(Unplug())
    booth.requests.clear()
    booth.slac = Booth().slac
    booth.run(booth.now + 1.0)
    booth.plug()
    assert booth.run(booth.now + 30.0, lambda: booth.car.phase_text == "charging")


def test_s2_and_contactor_follow_the_session() -> None:
    booth = plugged()
    booth.run(120.0, lambda: booth.car.phase is Phase.AWAY)
    seen = [
        (e.pilot, e.contactor_closed) if (e := a.electrics) else None
        for _, a in booth.log
        if isinstance(a, SetElectrics)
    ]
    assert list(dict.fromkeys(seen)) == [
        (CarPilot.B, False),
        (CarPilot.C, False),
        (CarPilot.C, True),
        None,
    ]


def test_a_car_that_needs_ventilation_shows_state_d() -> None:
    booth = plugged(replace(GENERIC, car=replace(GENERIC.car, needs_ventilation=True)))
    booth.run(30.0, lambda: "CableCheck" in booth.requests)
    assert booth.electrics is not None
    assert booth.electrics.pilot is CarPilot.D


def test_the_plug_is_locked_during_the_session() -> None:
    booth = in_state("charging")
    assert booth.car.is_locked
    booth.tell(StopWish("enough"))
    booth.run(booth.now + 10.0, lambda: booth.car.phase is Phase.RESTING)
    assert not booth.car.is_locked
    assert booth.car.outcome is Outcome.STOPPED


def test_current_fills_the_battery_and_raises_its_voltage_on_the_cable() -> None:
    booth = in_state("charging")
    assert booth.electrics is not None
    before_v, before_pct = booth.electrics.ocv_v, booth.car.soc_pct
    booth.run(booth.now + 120.0)
    assert booth.electrics is not None
    assert booth.car.soc_pct > before_pct + 2
    assert booth.electrics.ocv_v > before_v
    assert booth.car.summary.energy_wh == pytest.approx(1555, rel=0.02)


def test_a_station_stop_ends_in_order() -> None:
    booth = in_state("charging")
    booth.station.evse = status(din.DcEvseStatusCode.EVSE_Shutdown)
    assert booth.run(booth.now + 10.0, lambda: booth.car.phase is Phase.RESTING)
    assert booth.car.outcome is Outcome.STOPPED
    assert booth.requests[-3:] == ["PowerDelivery", "WeldingDetection", "SessionStop"]


def test_a_closed_connection_ends_the_session() -> None:
    booth = in_state("cable check")
    booth.tell(TcpClosed(1))
    assert booth.car.phase is Phase.RESTING
    assert booth.car.outcome is Outcome.ABORTED


def test_a_broken_stream_ends_the_session_and_closes() -> None:
    booth = plugged(exi=True)
    assert booth.run(30.0, lambda: booth.car.phase_text == "cable check")
    booth.tell(TcpData(1, b"GET / HTTP/1.1\r\n"))
    assert booth.car.phase is Phase.RESTING
    assert booth.closed() == [TcpClose(1)]
    assert "V2GTP" in booth.car.reason


def test_a_late_or_foreign_connection_is_closed_or_ignored() -> None:
    booth = in_state("cable check")
    booth.tell(TcpOpened(9, "fe80::9"))
    assert booth.closed() == [TcpClose(9)]
    booth.tell(TcpClosed(9))
    booth.tell(TcpData(9, b"x"))
    assert booth.car.phase is Phase.SESSION


@pytest.mark.parametrize("raw", [b"", b"\xff" * 60, bytes(60), bytes(1500)])
def test_rubbish_on_the_powerline_is_ignored(raw: bytes) -> None:
    booth = at_phase(Phase.MATCHING)
    before = booth.car.phase
    booth.tell(FrameIn(raw))
    assert booth.car.phase is before


@pytest.mark.parametrize("name", [n for n in profile.names() if is_dc_of_din(n)])
def test_every_known_car_charges_at_an_honest_station(name: str) -> None:
    car = profile.builtin(name)
    booth = plugged(quick(car, car.session.goal.target_soc_pct - 0.2))
    assert booth.run(300.0, lambda: booth.car.phase is Phase.AWAY)
    assert booth.car.outcome is Outcome.CHARGED


def test_an_idle_car_has_no_deadline() -> None:
    assert Car(GENERIC, EV_MAC, bytes).deadline is None
