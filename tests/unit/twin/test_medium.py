"""The powerline twin: who hears what, when, and what modems answer."""

from __future__ import annotations

import random

import pytest

from pilothat.homeplug import cm, qualcomm
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, build, parse
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.twin.medium import Medium, MediumSettings
from pilothat.twin.modem import KINDS

HOSTS = {name: bytes((2, 0, 0, 0, 0, n)) for n, name in enumerate(("evse", "ev", "x"))}
MODEMS = {
    name: bytes((0, 0xB0, 0x52, 0, 0xAA, n))
    for n, name in enumerate(("evse", "ev", "x"))
}
RUN = bytes(8)
SOUND = cm.CmMnbcSoundInd(cnt=9, run_id=RUN, rnd=bytes(16))
REQUEST = cm.CmSlacParmReq(run_id=RUN)
QUIET = MediumSettings(noise_db=0, tilt_db=0)
SDP = bytes.fromhex("333300000001 020000000001 86dd") + bytes(50)


def line(
    settings: MediumSettings = QUIET, seed: int = 1, kind: str = "qca7000"
) -> Medium:
    medium = Medium(settings, random.Random(seed).randbytes)
    for name, host_mac in HOSTS.items():
        medium.attach(name, host_mac, MODEMS[name], kind)
    return medium


def send(
    medium: Medium, name: str, mme: Mme, to: bytes = BROADCAST_MAC, now: float = 0.0
) -> None:
    medium.host_sends(name, build(to, HOSTS[name], mme), now)


def arrivals(medium: Medium, now: float = 100.0) -> list[tuple[str, Mme]]:
    frames = [(d.name, parse(d.frame)) for d in medium.tick(now)]
    return [(name, frame.mme) for name, frame in frames if frame is not None]


def ask(medium: Medium, name: str, mme: Mme, now: float) -> list[Mme]:
    """Ask the local modem."""
    send(medium, name, mme, LOCAL_MODEM_MAC, now)
    return [answer for _, answer in arrivals(medium, now + 0.001)]


def set_key(medium: Medium, name: str, nmk: bytes, now: float = 0.0) -> list[Mme]:
    return ask(medium, name, cm.CmSetKeyReq(nid=bytes(7), nmk=nmk), now)


def joined() -> Medium:
    """Return a line on which evse and ev share a key since 0 s."""
    medium = line()
    set_key(medium, "evse", bytes(16))
    set_key(medium, "ev", bytes(16))
    return medium


# Management messages.


def test_a_broadcast_reaches_every_other_host_after_the_latency() -> None:
    medium = line()
    send(medium, "ev", REQUEST)
    assert medium.deadline == 0.003
    assert arrivals(medium, 0.0029) == []
    assert arrivals(medium, 0.003) == [("evse", REQUEST), ("x", REQUEST)]
    assert medium.deadline is None


def test_a_unicast_reaches_only_its_host() -> None:
    medium = line()
    send(medium, "ev", REQUEST, HOSTS["x"])
    assert arrivals(medium) == [("x", REQUEST)]


def test_a_request_to_the_local_modem_never_crosses_the_line() -> None:
    medium = line()
    send(medium, "ev", qualcomm.VsSwVerReq(), LOCAL_MODEM_MAC)
    ((name, answer),) = arrivals(medium)
    assert name == "ev"
    assert isinstance(answer, qualcomm.VsSwVerCnf)


def test_every_modem_answers_a_broadcast_the_local_one_first() -> None:
    medium = line()
    send(medium, "ev", qualcomm.VsSwVerReq())
    answers = [parse(d.frame) for d in medium.tick(1) if d.name == "ev"]
    assert [f.source for f in answers if f] == [
        MODEMS["ev"],
        MODEMS["evse"],
        MODEMS["x"],
    ]


def test_a_far_modem_takes_no_key_from_the_line() -> None:
    medium = line()
    send(medium, "ev", cm.CmSetKeyReq(nid=bytes(7), nmk=bytes(16)), MODEMS["evse"])
    assert arrivals(medium) == []


def test_a_runt_is_swallowed() -> None:
    medium = line()
    medium.host_sends("ev", bytes(13), 0.0)
    assert medium.deadline is None


# Sounds.


def test_each_modem_that_hears_a_sound_reports_it_with_its_attenuation() -> None:
    medium = line()
    medium.couple("ev", "evse", 10)
    medium.couple("x", "ev", 45)
    send(medium, "ev", SOUND)
    profiles = {
        name: mme.aag_db
        for name, mme in arrivals(medium)
        if isinstance(mme, cm.CmAttenProfileInd)
    }
    assert profiles == {"evse": (10,) * 58, "x": (45,) * 58}


def test_a_profile_names_the_sounding_host_and_follows_the_sound() -> None:
    medium = line()
    send(medium, "ev", SOUND)
    first, second = [mme for name, mme in arrivals(medium) if name == "evse"]
    assert first == SOUND
    assert isinstance(second, cm.CmAttenProfileInd)
    assert second.pev_mac == HOSTS["ev"]


def test_higher_groups_are_weaker_and_noise_is_bounded() -> None:
    medium = line(MediumSettings(attenuation_db=20, tilt_db=6, noise_db=2))
    send(medium, "ev", SOUND)
    ((_, profile),) = [
        (name, mme)
        for name, mme in arrivals(medium)
        if name == "evse" and isinstance(mme, cm.CmAttenProfileInd)
    ]
    assert min(profile.aag_db[:5]) >= 18
    assert 24 <= profile.aag_db[57] <= 28
    assert len(set(profile.aag_db)) > 3


def test_some_modems_do_not_measure() -> None:
    medium = line(kind="qca7420")
    send(medium, "ev", SOUND)
    profiles = [m for _, m in arrivals(medium) if isinstance(m, cm.CmAttenProfileInd)]
    assert [profile.aag_db for profile in profiles] == [(), ()]


# Keys and networks.


def test_a_key_is_confirmed_with_the_nonce_of_the_request() -> None:
    medium = line()
    req = cm.CmSetKeyReq(my_nonce=b"abcd", nid=bytes(7), nmk=bytes(16))
    (cnf,) = ask(medium, "ev", req, 0.0)
    assert isinstance(cnf, cm.CmSetKeyCnf)
    assert (cnf.result, cnf.your_nonce) == (1, b"abcd")


def test_a_different_key_silences_the_modem_for_a_moment() -> None:
    medium = line()
    set_key(medium, "ev", bytes(16))
    assert ask(medium, "ev", qualcomm.VsSwVerReq(), 0.29) == []
    assert len(ask(medium, "ev", qualcomm.VsSwVerReq(), 0.31)) == 1


def test_the_same_key_again_changes_nothing() -> None:
    medium = joined()
    set_key(medium, "ev", bytes(16), now=2.0)
    assert medium.can_talk("ev", "evse", 2.0)


@pytest.mark.parametrize(("now", "is_joined"), [(0.49, False), (0.5, True)])
def test_two_modems_with_one_key_join_after_their_time(
    now: float, *, is_joined: bool
) -> None:
    assert joined().can_talk("ev", "evse", now) == is_joined


def test_the_later_of_two_keys_begins_the_joining() -> None:
    medium = line()
    set_key(medium, "evse", bytes(16), now=0.0)
    set_key(medium, "ev", bytes(16), now=5.0)
    assert not medium.can_talk("ev", "evse", 5.4)
    assert medium.can_talk("ev", "evse", 5.5)


def test_other_keys_do_not_join() -> None:
    medium = joined()
    assert not medium.can_talk("ev", "x", 10)
    assert not line().can_talk("ev", "evse", 10)


def test_traffic_crosses_only_within_a_network() -> None:
    medium = joined()
    medium.host_sends("ev", SDP, 0.4)
    assert medium.tick(1) == []
    medium.host_sends("ev", SDP, 0.6)
    assert [d.name for d in medium.tick(1)] == ["evse"]


def test_unicast_traffic_reaches_its_host_alone() -> None:
    medium = joined()
    medium.host_sends("ev", HOSTS["evse"] + SDP[6:], 1.0)
    medium.host_sends("ev", HOSTS["x"] + SDP[6:], 1.0)
    assert [d.name for d in medium.tick(2)] == ["evse"]


def test_link_queries_tell_the_peers() -> None:
    medium = joined()
    before, after = (
        ask(medium, "evse", qualcomm.VsPlLnkStatusReq(), now) for now in (0.4, 0.6)
    )
    assert before == [qualcomm.VsPlLnkStatusCnf(link=0)]
    assert after == [qualcomm.VsPlLnkStatusCnf(link=1)]
    (stats,) = ask(medium, "evse", cm.CmNwStatsReq(), 0.7)
    assert stats == cm.CmNwStatsCnf(stations=(cm.StationRate(MODEMS["ev"], 9, 9),))


def test_the_old_chip_knows_only_the_statistics() -> None:
    medium = line(kind="qca7420")
    assert ask(medium, "ev", qualcomm.VsPlLnkStatusReq(), 0.0) == []
    assert ask(medium, "ev", cm.CmNwStatsReq(), 0.0) == [cm.CmNwStatsCnf(stations=())]


def test_a_reset_forgets_the_key() -> None:
    medium = joined()
    assert ask(medium, "ev", qualcomm.VsRsDevReq(), 1.0) == [qualcomm.VsRsDevCnf()]
    assert ask(medium, "ev", qualcomm.VsSwVerReq(), 2.9) == []
    assert len(ask(medium, "ev", qualcomm.VsSwVerReq(), 3.1)) == 1
    assert not medium.can_talk("ev", "evse", 10)


# Faults.


def test_a_dropped_message_is_heard_by_nobody_and_the_next_one_again() -> None:
    medium = line()
    medium.drop_next(cm.CmSlacParmReq.mmtype)
    send(medium, "ev", REQUEST)
    assert arrivals(medium) == []
    send(medium, "ev", REQUEST)
    assert len(arrivals(medium)) == 2


def test_an_answer_of_a_modem_may_be_dropped() -> None:
    medium = line()
    medium.drop_next(cm.CmSetKeyCnf.mmtype)
    assert set_key(medium, "ev", bytes(16)) == []


def test_a_cut_line_carries_nothing_until_it_is_mended() -> None:
    medium = joined()
    medium.cut()
    send(medium, "ev", REQUEST, now=1.0)
    assert arrivals(medium) == []
    assert not medium.can_talk("ev", "evse", 1.0)
    medium.mend()
    assert medium.can_talk("ev", "evse", 1.0)


def test_a_single_modem_may_be_cut_off() -> None:
    medium = line()
    medium.cut("x")
    send(medium, "ev", REQUEST)
    assert arrivals(medium) == [("evse", REQUEST)]


def test_a_silent_modem_neither_answers_nor_carries() -> None:
    medium = line()
    medium.silence("evse", is_silent=True)
    assert ask(medium, "evse", qualcomm.VsSwVerReq(), 0.0) == []
    send(medium, "ev", REQUEST)
    assert arrivals(medium) == [("x", REQUEST)]
    medium.silence("evse", is_silent=False)
    assert len(ask(medium, "evse", qualcomm.VsSwVerReq(), 200.0)) == 1


def test_keys_may_be_refused() -> None:
    medium = line()
    medium.refuse_keys("ev", 1)
    (first,) = set_key(medium, "ev", bytes(16))
    (second,) = set_key(medium, "ev", bytes(16), now=1.0)
    assert isinstance(first, cm.CmSetKeyCnf)
    assert isinstance(second, cm.CmSetKeyCnf)
    assert (first.result, second.result) == (0, 1)


# Chance.


def counts(settings: MediumSettings, seed: int = 1) -> int:
    medium = line(settings, seed)
    for number in range(1000):
        send(medium, "ev", REQUEST, HOSTS["x"], number / 100)
    return len(medium.tick(100))


def test_loss_and_doubling_have_the_set_probability() -> None:
    assert 850 < counts(MediumSettings(loss=0.1)) < 950
    assert 1050 < counts(MediumSettings(doubling=0.1)) < 1150


def test_the_same_seed_is_the_same_line() -> None:
    lossy = MediumSettings(loss=0.5)
    assert counts(lossy, seed=7) == counts(lossy, seed=7)
    assert counts(lossy, seed=7) != counts(lossy, seed=8)


def test_frames_may_overtake_each_other() -> None:
    medium = line(MediumSettings(overtaking=0.5))
    for number in range(20):
        sound = cm.CmSlacParmReq(run_id=number.to_bytes(8))
        send(medium, "ev", sound, HOSTS["x"], number / 1000)
    order = [m.run_id for _, m in arrivals(medium) if isinstance(m, cm.CmSlacParmReq)]
    assert sorted(order) != order
    assert len(order) == 20


def test_every_kind_of_modem_names_its_chip() -> None:
    texts = {name: kind.version.decode() for name, kind in KINDS.items()}
    assert all(name.upper() in text for name, text in texts.items())
