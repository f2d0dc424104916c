"""The EVSE side: what is answered, when, and what is not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.slac.bench import (
    EV,
    EVSE,
    KEY,
    NID,
    NMK,
    OTHER_EV,
    OTHER_EVSE,
    OTHER_MODEM,
    OTHER_RUN,
    PROFILE_DB,
    RUN,
    Bench,
    match_req,
    rsp,
    sound,
    start_ind,
)

from pilothat.homeplug import cm
from pilothat.homeplug.events import SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import Frame, build, parse
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.slac.ampmap import weaker
from pilothat.slac.events import (
    LinkChanged,
    PilotToggled,
    SlacFailure,
    SlacMatched,
    SlacProgress,
    SlacStart,
    SlacStop,
    Step,
)
from pilothat.slac.evse import State
from pilothat.slac.settings import SlacSettings, Validates
from pilothat.slac.sounding import INVENTED_DB

WRONG_ID = bytes(16) + b"\x01"


def parm_cnf(ev_mac: bytes = EV, run_id: bytes = RUN) -> SendMme:
    cnf = cm.CmSlacParmCnf(
        num_sounds=10, time_out=6, forwarding_sta=ev_mac, run_id=run_id
    )
    return SendMme(ev_mac, cnf)


# The whole way.


def test_an_ev_is_matched_and_gets_the_key_of_the_station() -> None:
    bench = Bench().reach("rsp")
    sent, matched = bench.send(match_req())
    cnf = cm.CmSlacMatchCnf(pev_mac=EV, evse_mac=EVSE, run_id=RUN, nid=NID, nmk=NMK)
    assert sent == SendMme(EV, cnf)
    assert matched == SlacMatched(EV, RUN)
    assert bench.machine.state is State.WAIT_LINK


def test_the_link_ends_the_matching() -> None:
    bench = Bench().reach("link")
    assert bench.machine.state is State.MATCHED
    assert bench.machine.deadline is None
    assert bench.failures() == []


def test_progress_is_told_once_a_step() -> None:
    bench = Bench().reach("link")
    assert bench.steps() == [
        Step.REQUESTED,
        Step.SOUNDING,
        Step.REPORTED,
        Step.ACKNOWLEDGED,
    ]


def test_the_report_is_told_with_sounds_and_mean() -> None:
    bench = Bench().reach("ind")
    progress = [a for _, a in bench.log if isinstance(a, SlacProgress)][-1]
    assert progress == SlacProgress(
        step=Step.REPORTED, ev_mac=EV, run_id=RUN, sounds=10, mean_db=20.0
    )


# CM_SLAC_PARM.REQ.


def test_a_request_is_answered_at_once_with_its_run_id() -> None:
    assert parm_cnf() in Bench().request()


def test_a_doubled_request_is_answered_twice() -> None:
    bench = Bench()
    bench.request()
    bench.wait(0.008)
    assert bench.request() == (parm_cnf(),)
    assert bench.machine.runs == 1


@pytest.mark.parametrize(
    "bad",
    [
        cm.CmSlacParmReq(run_id=RUN, application_type=0xFF),
        cm.CmSlacParmReq(run_id=RUN, security_type=0xFF),
    ],
    ids=["application", "security"],
)
def test_a_request_of_another_type_is_ignored_and_the_init_timer_goes_on(
    bad: cm.CmSlacParmReq,
) -> None:
    bench = Bench()
    assert bench.broadcast(bad) == ()
    bench.wait(50)
    assert bench.failures() == [(49.5, SlacFailure.INIT)]


def test_a_good_request_after_bad_ones_is_answered() -> None:
    bench = Bench()
    bench.broadcast(cm.CmSlacParmReq(run_id=RUN, application_type=0xFF))
    bench.broadcast(cm.CmSlacParmReq(run_id=RUN, security_type=0xFF))
    assert parm_cnf() in bench.request()


@pytest.mark.parametrize("source", [EVSE, bytes.fromhex("03e0e0e0e001")])
def test_our_own_frames_and_group_addresses_are_ignored(source: bytes) -> None:
    assert Bench().request(ev_mac=source) == ()


def test_a_request_to_another_charger_is_ignored() -> None:
    bench = Bench()
    assert bench.send(cm.CmSlacParmReq(run_id=RUN), to=OTHER_EVSE) == ()


@pytest.mark.parametrize(
    "mme",
    [
        parm_cnf().mme,
        cm.CmAttenCharInd(
            source_address=EV, run_id=RUN, num_sounds=10, aag_db=PROFILE_DB
        ),
        cm.CmSetKeyReq(nid=NID, nmk=NMK),
        cm.CmNwInfoReq(),
    ],
)
def test_foreign_messages_are_no_matter(mme: Mme) -> None:
    bench = Bench().reach("start")
    assert bench.broadcast(mme, source=OTHER_EVSE) == ()
    bench.sounds()
    bench.wait(0.1)
    assert len(bench.reports()) == 1


# Silence outside the matching.


def test_nothing_is_answered_before_the_start() -> None:
    bench = Bench(start=None)
    assert bench.request() == ()
    assert bench.machine.deadline is None


@pytest.mark.parametrize(
    "step", ["parm", "start", "sounds", "ind", "rsp", "match", "link"]
)
def test_leaving_cp_forgets_everything_at_every_step(step: str) -> None:
    bench = Bench().reach(step)
    assert bench.machine.handle(SlacStop(), bench.now) == ()
    assert bench.machine.deadline is None
    before = len(bench.log)
    bench.request()
    bench.announce()
    bench.sounds()
    bench.send(rsp())
    bench.send(cm.CmValidateReq(timer=0, result=1))
    bench.send(match_req())
    bench.send(cm.CmAmpMapReq(amlen=2, amdata=b"\x00"))
    bench.wait(60)
    assert len(bench.log) == before


def test_the_next_plug_in_starts_clean_with_its_own_key() -> None:
    bench = Bench().reach("match")
    bench.machine.handle(SlacStop(), bench.now)
    bench.machine.handle(replace(KEY, nmk=bytes(16)), bench.now)
    bench.reach("match")
    (_, first), (_, second) = bench.sent(cm.CmSlacMatchCnf)
    assert isinstance(first, cm.CmSlacMatchCnf)
    assert isinstance(second, cm.CmSlacMatchCnf)
    assert (first.nmk, second.nmk) == (NMK, bytes(16))


# Timers, both sides.


@pytest.mark.parametrize(("wait_s", "is_late"), [(49.49, False), (49.5, True)])
def test_tt_evse_slac_init_ends_the_wait_for_a_request(
    wait_s: float, *, is_late: bool
) -> None:
    bench = Bench()
    bench.wait(wait_s)
    assert bool(bench.failures()) == is_late
    assert (bench.request() == ()) == is_late


@pytest.mark.parametrize(("wait_s", "is_late"), [(0.49, False), (0.5, True)])
def test_a_run_without_start_is_dropped(wait_s: float, *, is_late: bool) -> None:
    bench = Bench().reach("parm")
    bench.wait(wait_s)
    bench.announce()
    assert (Step.SOUNDING not in bench.steps()) == is_late


def test_missing_sounds_are_reported_when_the_window_closes() -> None:
    bench = Bench().reach("start")
    bench.sounds(9)
    bench.wait(0.599 - bench.now)
    assert bench.reports() == []
    bench.wait(0.001)
    (report,) = bench.reports()
    assert (report.num_sounds, report.aag_db) == (9, PROFILE_DB)


def test_a_sounding_of_which_all_is_known_is_reported_at_once() -> None:
    bench = Bench().reach("start")
    bench.sounds(10, gap_s=0.03)
    last = bench.now - 0.03
    bench.wait(1)
    ((at, _),) = bench.sent(cm.CmAttenCharInd)[:1]
    assert at == pytest.approx(last)


def test_a_profile_that_lacks_is_waited_for_45_ms_after_the_last_frame() -> None:
    bench = Bench().reach("start")
    bench.sounds(9, gap_s=0.03)
    bench.broadcast(sound(0))
    last = bench.now
    bench.wait(1)
    ((at, _),) = bench.sent(cm.CmAttenCharInd)[:1]
    assert at == pytest.approx(last + 0.045)


def test_a_late_profile_may_not_move_the_report_beyond_the_window() -> None:
    bench = Bench().reach("start")
    bench.sounds(9)
    bench.wait(0.59 - bench.now)
    bench.broadcast(sound(0))
    bench.wait(0.01)
    assert bench.sent(cm.CmAttenCharInd)[0][0] == pytest.approx(0.6)


def test_an_unacknowledged_report_is_repeated_twice_then_dropped() -> None:
    bench = Bench().reach("sounds")
    bench.wait(2)
    times = [at for at, _ in bench.sent(cm.CmAttenCharInd)]
    assert [round(at - times[0], 6) for at in times] == [0, 0.2, 0.4]
    assert bench.steps()[-1] is Step.DROPPED
    bench.send(rsp())
    assert Step.ACKNOWLEDGED not in bench.steps()


def test_the_repetitions_are_identical() -> None:
    bench = Bench().reach("sounds")
    bench.wait(2)
    first, second, third = bench.reports()
    assert first == second == third


@pytest.mark.parametrize(("wait_s", "is_late"), [(9.99, False), (10.0, True)])
def test_tt_evse_match_session_ends_the_wait_for_the_match(
    wait_s: float, *, is_late: bool
) -> None:
    bench = Bench().reach("rsp")
    bench.wait(wait_s)
    bench.send(match_req())
    assert (bench.matches() == []) == is_late


@pytest.mark.parametrize(("wait_s", "is_late"), [(11.99, False), (12.0, True)])
def test_tt_match_join_ends_the_wait_for_the_link(
    wait_s: float, *, is_late: bool
) -> None:
    bench = Bench().reach("match")
    bench.wait(wait_s)
    bench.link(up=True)
    failed = [reason for _, reason in bench.failures()]
    assert failed == [SlacFailure.JOIN] * is_late
    assert (bench.machine.state is State.FAILED) == is_late


@pytest.mark.parametrize(("wait_s", "is_late"), [(9.99, False), (10.0, True)])
def test_after_the_last_run_the_ev_may_begin_again_for_10_s(
    wait_s: float, *, is_late: bool
) -> None:
    bench = Bench().reach("parm")
    bench.wait(0.5)
    bench.wait(wait_s)
    assert (parm_cnf() not in bench.request()) == is_late
    assert [r for _, r in bench.failures()] == [SlacFailure.MATCH] * is_late


def test_an_ev_that_began_again_has_all_the_time_of_a_first_one() -> None:
    bench = Bench().reach("parm")
    bench.wait(0.5 + 9.9)
    bench.reach("rsp")
    bench.wait(5)
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


def test_a_failed_matching_stays_silent_until_the_next_start() -> None:
    bench = Bench()
    bench.wait(50)
    assert bench.request() == ()
    bench.machine.handle(KEY, bench.now)
    assert parm_cnf() in bench.request()


def test_a_late_event_finds_the_time_already_passed() -> None:
    bench = Bench().reach("rsp")
    bench.now += 10.5  # no tick in between
    bench.send(match_req())
    assert bench.matches() == []


# CM_START_ATTEN_CHAR.IND.


@pytest.mark.parametrize(
    "bad",
    [
        replace(start_ind(), application_type=0xFF),
        replace(start_ind(), security_type=0xFF),
        start_ind(num_sounds=0),
        start_ind(time_out=0),
        replace(start_ind(), resp_type=0),
        replace(start_ind(), forwarding_sta=OTHER_EV),
        start_ind(run_id=OTHER_RUN),
    ],
    ids=lambda ind: "",
)
def test_an_invalid_start_is_ignored_and_the_run_dies(
    bad: cm.CmStartAttenCharInd,
) -> None:
    bench = Bench().reach("parm")
    bench.broadcast(bad)
    bench.sounds()
    bench.wait(1.2)
    assert bench.reports() == []
    assert bench.machine.runs == 0


def test_later_copies_of_start_change_nothing() -> None:
    bench = Bench().reach("start")
    bench.sounds(5)
    bench.announce(start_ind(num_sounds=3, time_out=10))
    bench.wait(1)
    (report, *_) = bench.reports()
    assert report.num_sounds == 5
    assert bench.sent(cm.CmAttenCharInd)[0][0] == pytest.approx(0.6)


@pytest.mark.parametrize(
    ("time_out", "window_s"), [(1, 0.1), (6, 0.6), (10, 1.0), (11, 1.0), (0xFF, 1.0)]
)
def test_the_window_is_what_start_asks_for_within_reason(
    time_out: int, window_s: float
) -> None:
    bench = Bench().reach("parm")
    bench.announce(start_ind(time_out=time_out))
    bench.profile()
    bench.wait(1.2)
    assert bench.sent(cm.CmAttenCharInd)[0][0] == pytest.approx(window_s)


def test_an_absurd_number_of_sounds_is_taken_for_ten() -> None:
    bench = Bench().reach("parm")
    bench.announce(start_ind(num_sounds=0xFF))
    bench.sounds()
    bench.wait(0.1)
    assert bench.reports()[0].num_sounds == 10


# CM_ATTEN_CHAR.RSP.


@pytest.mark.parametrize(
    "bad",
    [
        replace(rsp(), application_type=0xFF),
        replace(rsp(), security_type=0xFF),
        replace(rsp(), source_address=OTHER_EV),
        rsp(run_id=OTHER_RUN),
        replace(rsp(), source_id=WRONG_ID),
        replace(rsp(), resp_id=WRONG_ID),
        replace(rsp(), result=0xFF),
    ],
    ids=lambda mme: "",
)
def test_a_wrong_response_counts_as_none(bad: cm.CmAttenCharRsp) -> None:
    bench = Bench().reach("ind")
    bench.send(bad)
    bench.send(match_req())
    bench.wait(2)
    assert len(bench.reports()) == 3
    assert bench.matches() == []


def test_a_response_after_a_repetition_is_taken() -> None:
    bench = Bench().reach("ind")
    bench.wait(0.2)
    bench.send(rsp())
    bench.send(match_req())
    assert len(bench.reports()) == 2
    assert bench.matches() == [SlacMatched(EV, RUN)]


def test_a_repeated_response_is_harmless() -> None:
    bench = Bench().reach("rsp")
    assert bench.send(rsp()) == ()
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


def test_the_response_to_a_neighbour_is_not_ours() -> None:
    bench = Bench().reach("ind")
    bench.send(rsp(), to=OTHER_EVSE)
    bench.send(match_req())
    assert bench.matches() == []


# CM_SLAC_MATCH.REQ.


@pytest.mark.parametrize(
    "bad",
    [
        replace(match_req(), application_type=0xFF),
        replace(match_req(), security_type=0xFF),
        replace(match_req(), mvf_length=0),
        replace(match_req(), pev_id=WRONG_ID),
        replace(match_req(), evse_id=WRONG_ID),
        replace(match_req(), pev_mac=bytes(6)),
        replace(match_req(), evse_mac=bytes(6)),
        match_req(run_id=OTHER_RUN),
    ],
    ids=lambda mme: "",
)
def test_a_wrong_match_request_is_ignored_and_a_right_one_still_served(
    bad: cm.CmSlacMatchReq,
) -> None:
    bench = Bench().reach("rsp")
    assert bench.send(bad) == ()
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


def test_unused_ids_may_be_set_when_the_owner_allows_it() -> None:
    bench = Bench(SlacSettings(strict_ids=False)).reach("rsp")
    bench.send(replace(match_req(), pev_id=b"\xaa" * 17))
    assert bench.matches() == [SlacMatched(EV, RUN)]


@pytest.mark.parametrize("step", ["parm", "start", "sounds", "ind"])
def test_no_key_is_given_away_before_the_acknowledgement(step: str) -> None:
    bench = Bench().reach(step)
    assert bench.send(match_req()) == ()


def test_a_third_party_can_neither_acknowledge_nor_match() -> None:
    bench = Bench().reach("ind")
    assert bench.send(rsp(), source=OTHER_EV) == ()
    bench.send(rsp())
    assert bench.send(match_req(), source=OTHER_EV) == ()


def test_a_repeated_match_request_gets_the_identical_answer() -> None:
    bench = Bench().reach("match")
    bench.wait(0.2)
    bench.send(match_req())
    (_, first), (_, second) = bench.sent(cm.CmSlacMatchCnf)
    assert first == second
    assert len(bench.matches()) == 1


def test_a_repeated_match_request_does_not_prolong_the_join() -> None:
    bench = Bench().reach("match")
    bench.wait(11)
    bench.send(match_req())
    bench.wait(1)
    assert [reason for _, reason in bench.failures()] == [SlacFailure.JOIN]


def test_an_established_link_gives_no_key_away() -> None:
    assert Bench().reach("link").send(match_req()) == ()


# Restarts.


def test_a_new_run_of_the_same_ev_drops_the_old_one() -> None:
    bench = Bench().reach("start")
    bench.sounds(5)
    bench.request(run_id=OTHER_RUN)
    assert bench.machine.runs == 1
    bench.announce(start_ind(run_id=OTHER_RUN))
    for cnt in reversed(range(10)):
        bench.broadcast(sound(cnt, OTHER_RUN))
        bench.profile()
    bench.wait(0.1)
    assert [(r.run_id, r.num_sounds) for r in bench.reports()] == [(OTHER_RUN, 10)]


def test_a_request_with_the_same_run_id_restarts_the_run() -> None:
    bench = Bench().reach("ind")
    bench.request()
    bench.wait(0.4)
    assert len(bench.reports()) == 1  # no repetition of the old report
    bench.announce()
    bench.sounds()
    bench.wait(0.1)
    assert len(bench.reports()) == 2


def test_the_matched_ev_may_begin_again_while_there_is_no_link() -> None:
    bench = Bench().reach("match")
    bench.wait(3)
    bench.reach("link")
    assert len(bench.matches()) == 2
    assert bench.machine.state is State.MATCHED


def test_the_matched_ev_may_begin_again_after_the_link_was_lost() -> None:
    bench = Bench().reach("link")
    bench.link(up=False)
    assert parm_cnf(run_id=OTHER_RUN) in bench.request(run_id=OTHER_RUN)


@pytest.mark.parametrize("step", ["match", "link"])
def test_another_ev_is_not_answered_after_the_match(step: str) -> None:
    bench = Bench().reach(step)
    assert bench.request(OTHER_EV, OTHER_RUN) == ()


def test_nobody_is_answered_while_the_link_is_up() -> None:
    assert Bench().reach("link").request(run_id=OTHER_RUN) == ()


# Several EVs.


def test_two_evs_with_the_same_run_id_have_a_run_each() -> None:
    bench = Bench()
    bench.request()
    bench.request(OTHER_EV)
    bench.announce()
    bench.announce(start_ind(ev_mac=OTHER_EV))
    for cnt in reversed(range(10)):
        bench.broadcast(sound(cnt))
        bench.profile((10,) * 58)
        bench.broadcast(sound(cnt), source=OTHER_EV)
        bench.profile((40,) * 58, ev_mac=OTHER_EV)
    bench.wait(0.1)
    reported = {r.source_address: r.aag_db[0] for r in bench.reports()}
    assert reported == {EV: 10, OTHER_EV: 40}


def test_the_first_match_ends_the_runs_of_the_others() -> None:
    bench = Bench()
    bench.request(OTHER_EV, OTHER_RUN)
    bench.reach("match")
    assert bench.machine.runs == 0
    assert bench.machine.state is State.WAIT_LINK


def test_the_oldest_run_that_is_not_sounding_makes_room() -> None:
    bench = Bench().reach("start")
    strangers = [bytes((2, 0, 0, 0, 0, n)) for n in range(8)]
    for stranger in strangers:
        bench.request(stranger)
    assert bench.machine.runs == 8
    bench.sounds()
    bench.wait(0.1)
    assert [r.source_address for r in bench.reports()] == [EV]


def test_the_oldest_run_makes_room_when_all_are_sounding() -> None:
    bench = Bench()
    evs = [bytes((2, 0, 0, 0, 0, n)) for n in range(8)]
    for ev_mac in evs:
        bench.request(ev_mac)
        bench.announce(start_ind(ev_mac=ev_mac))
    bench.request()
    for ev_mac in evs:
        bench.profile(ev_mac=ev_mac)
    bench.wait(0.6)
    assert {r.source_address for r in bench.reports()} == {*evs[1:]}


def test_a_flood_of_requests_neither_grows_nor_stops_us() -> None:
    bench = Bench().reach("start")
    for number in range(20_000):
        bench.request(b"\x02\x00" + number.to_bytes(4), number.to_bytes(8))
        bench.now += 0.00001
    assert bench.machine.runs == 8
    bench.sounds()
    bench.wait(0.1)
    bench.send(rsp())
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


# Profiles.


def test_only_our_own_modem_counts() -> None:
    bench = Bench().reach("start")
    for cnt in reversed(range(10)):
        bench.broadcast(sound(cnt))
        bench.profile((60,) * 58, modem_mac=OTHER_MODEM)
        bench.profile()
    bench.wait(0.1)
    assert bench.reports()[0].aag_db == PROFILE_DB


def test_an_unknown_own_modem_is_taken_to_be_the_first_heard() -> None:
    bench = Bench(start=SlacStart(nid=NID, nmk=NMK)).reach("start")
    for _ in range(10):
        bench.profile()
        bench.profile((60,) * 58, modem_mac=OTHER_MODEM)
    bench.wait(0.1)
    assert bench.reports()[0].aag_db == PROFILE_DB


def test_the_profile_of_an_unknown_ev_is_ignored() -> None:
    bench = Bench().reach("start")
    bench.profile((60,) * 58, ev_mac=OTHER_EV)
    bench.sounds()
    bench.wait(0.1)
    assert bench.reports()[0].aag_db == PROFILE_DB


def test_sounds_of_another_run_are_not_counted() -> None:
    bench = Bench().reach("start")
    for cnt in range(10):
        bench.broadcast(sound(cnt, OTHER_RUN))
    bench.wait(0.6)
    assert bench.reports() == []
    assert bench.machine.runs == 0


def test_the_receive_path_is_taken_off_and_never_below_zero() -> None:
    bench = Bench(SlacSettings(attn_rx_db=6)).reach("start")
    for _ in range(10):
        bench.profile((4,) * 29 + (20,) * 29)
    bench.wait(0.1)
    assert bench.reports()[0].aag_db == (0,) * 29 + (14,) * 29


def test_profiles_alone_are_enough() -> None:
    bench = Bench().reach("start")
    for _ in range(10):
        bench.profile()
    bench.wait(0.1)
    assert bench.reports()[0].num_sounds == 10


def test_empty_profiles_are_answered_with_a_plausible_constant() -> None:
    bench = Bench().reach("start")
    for cnt in reversed(range(10)):
        bench.broadcast(sound(cnt))
        bench.profile(())
    bench.wait(0.05)
    (report,) = bench.reports()
    assert (report.num_sounds, report.aag_db) == (10, INVENTED_DB)
    progress = [a for _, a in bench.log if isinstance(a, SlacProgress)][-1]
    assert not progress.is_measured


def test_a_modem_without_profiles_is_waited_for_until_the_window_closes() -> None:
    bench = Bench().reach("start")
    for cnt in reversed(range(10)):
        bench.broadcast(sound(cnt))
    bench.wait(0.599)
    assert bench.reports() == []
    bench.wait(0.001)
    (report,) = bench.reports()
    assert (report.num_sounds, report.aag_db) == (10, INVENTED_DB)


def test_nothing_is_invented_when_the_owner_forbids_it() -> None:
    bench = Bench(SlacSettings(invents_attenuation=False)).reach("start")
    for cnt in reversed(range(10)):
        bench.broadcast(sound(cnt))
        bench.profile(())
    bench.wait(1)
    assert bench.reports() == []


def test_no_sound_at_all_ends_the_run_without_a_report() -> None:
    bench = Bench().reach("start")
    bench.wait(0.6)
    assert bench.reports() == []
    assert bench.machine.runs == 0
    assert parm_cnf() in bench.request()


# CM_VALIDATE and CM_AMP_MAP.


def test_validation_is_not_required_when_one_ev_is_in_sight() -> None:
    bench = Bench().reach("rsp")
    (sent,) = bench.send(cm.CmValidateReq(timer=0, result=1))
    assert sent == SendMme(EV, cm.CmValidateCnf(toggle_num=0, result=4))
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


def test_station_that_does_not_validate_says_so() -> None:
    bench = Bench(SlacSettings(validates=Validates.NEVER)).reach("rsp")
    (sent,) = bench.send(cm.CmValidateReq(timer=0, result=1))
    assert sent == SendMme(EV, cm.CmValidateCnf(toggle_num=0, result=3))
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


READY = SendMme(EV, cm.CmValidateCnf(toggle_num=0, result=1))
STEP_2 = cm.CmValidateReq(timer=19, result=1)


def validating() -> Bench:
    """A bench that is ready to count the toggles of an EV, with another in sight."""
    bench = Bench().reach("rsp")
    bench.request(OTHER_EV, OTHER_RUN)
    assert bench.send(cm.CmValidateReq(timer=0, result=1)) == (READY,)
    return bench


def toggle(bench: Bench, *phases_s: float) -> None:
    """Go to C, and after each phase to the other state."""
    wants_energy = True
    for phase_s in phases_s:
        bench.machine.handle(PilotToggled(wants_energy), bench.now)
        bench.wait(phase_s)
        wants_energy = not wants_energy
    bench.machine.handle(PilotToggled(wants_energy), bench.now)


@pytest.mark.parametrize(
    ("phases_s", "count"),
    [
        ((0.2,), 1),
        ((0.4, 0.2, 0.4), 2),
        ((0.3, 0.3, 0.3, 0.3, 0.3), 3),
        ((0.149,), 0),
        ((0.451,), 0),
        ((0.3, 0.5, 0.3), 1),  # B in between was too long
        ((), 0),
    ],
)
def test_toggles_of_the_pilot_are_counted(
    phases_s: Sequence[float], count: int
) -> None:
    bench = validating()
    assert bench.send(STEP_2) == ()
    began = bench.now
    bench.wait(0.1)
    toggle(bench, *phases_s)
    bench.wait(began + 2.0 - bench.now)
    at, cnf = bench.sent(cm.CmValidateCnf)[-1]
    result = 2 if count else 3
    assert at == pytest.approx(began + 2.0)
    assert cnf == cm.CmValidateCnf(toggle_num=count, result=result)
    bench.wait(0.49)
    bench.send(match_req())
    assert bench.matches() == [SlacMatched(EV, RUN)]


def test_match_that_comes_late_after_a_validation_is_not_answered() -> None:
    bench = validating()
    bench.send(STEP_2)
    bench.wait(2.0)
    bench.wait(0.501)
    assert bench.send(match_req()) == ()


def test_readiness_is_said_again_twice_then_the_run_is_over() -> None:
    bench = validating()
    began = bench.now
    bench.wait(5.0)
    times = [at - began for at, _ in bench.sent(cm.CmValidateCnf)]
    assert times == pytest.approx([0.0, 0.4, 0.8])
    assert bench.send(STEP_2) == ()
    assert bench.send(match_req()) == ()


def test_the_first_step_may_be_repeated() -> None:
    bench = validating()
    bench.wait(0.3)
    assert bench.send(cm.CmValidateReq(timer=0, result=1)) == (READY,)


@pytest.mark.parametrize("result", [0, 2, 4])
def test_second_step_of_an_ev_that_is_not_ready_ends_its_run(result: int) -> None:
    bench = validating()
    bench.send(cm.CmValidateReq(timer=19, result=result))
    bench.wait(5.0)
    assert len(bench.sent(cm.CmValidateCnf)) == 1
    assert bench.send(match_req()) == ()


def test_another_signal_is_ignored_while_the_second_step_is_awaited() -> None:
    bench = validating()
    odd = cm.CmValidateReq(timer=19, result=1, signal_type=1)
    assert bench.send(odd) == ()
    bench.send(STEP_2)
    bench.wait(2.0)
    assert len(bench.sent(cm.CmValidateCnf)) == 2


def test_one_ev_at_a_time_is_validated() -> None:
    bench = validating()
    bench.announce(start_ind(num_sounds=1, ev_mac=OTHER_EV, run_id=OTHER_RUN))
    bench.broadcast(sound(0, OTHER_RUN), source=OTHER_EV)
    bench.profile(ev_mac=OTHER_EV)
    bench.wait(0.1)
    bench.send(rsp(OTHER_EV, OTHER_RUN), source=OTHER_EV)
    first = cm.CmValidateReq(timer=0, result=1)
    busy = SendMme(OTHER_EV, cm.CmValidateCnf(toggle_num=0, result=0))
    assert bench.send(first, source=OTHER_EV) == (busy,)


def test_toggles_before_the_window_and_without_a_validation_do_not_count() -> None:
    bench = validating()
    toggle(bench, 0.3)
    bench.send(STEP_2)
    bench.wait(2.0)
    _, cnf = bench.sent(cm.CmValidateCnf)[-1]
    assert cnf == cm.CmValidateCnf(toggle_num=0, result=3)


@pytest.mark.parametrize(
    "bad",
    [
        cm.CmValidateReq(timer=0, result=0),
        cm.CmValidateReq(timer=19, result=2),
        cm.CmValidateReq(timer=0, result=1, signal_type=1),
    ],
)
def test_an_odd_validation_is_not_answered(bad: cm.CmValidateReq) -> None:
    assert Bench().reach("rsp").send(bad) == ()


def test_validation_before_the_acknowledgement_is_not_answered() -> None:
    assert Bench().reach("ind").send(cm.CmValidateReq(timer=0, result=1)) == ()


@pytest.mark.parametrize("step", ["match", "link"])
def test_an_amplitude_map_is_confirmed_after_the_match(step: str) -> None:
    bench = Bench().reach(step)
    request = cm.CmAmpMapReq(amlen=917, amdata=bytes(459))
    done = (SendMme(EV, cm.CmAmpMapCnf(result=0)), SendMme(LOCAL_MODEM_MAC, request))
    assert bench.send(request) == done
    assert bench.send(request) == done


def test_an_amplitude_map_is_ignored_from_others_when_empty_or_early() -> None:
    request = cm.CmAmpMapReq(amlen=2, amdata=b"\x00")
    assert Bench().reach("rsp").send(request) == ()
    assert Bench().reach("link").send(request, source=OTHER_EV) == ()
    empty = cm.CmAmpMapReq(amlen=0, amdata=b"")
    assert Bench().reach("link").send(empty) == ()


WEAKER = SlacSettings(weaker_by_db=7)


def test_no_amplitude_map_is_asked_for_by_default() -> None:
    bench = Bench().reach("link")
    bench.wait(10)
    assert not bench.sent(cm.CmAmpMapReq)


def test_an_ev_is_asked_three_times_to_transmit_weaker_and_then_no_more() -> None:
    bench = Bench(WEAKER).reach("link")
    bench.wait(10)
    asked = bench.sent(cm.CmAmpMapReq)
    began = asked[0][0]
    assert [at - began for at, _ in asked] == pytest.approx([0.0, 0.2, 0.4])
    assert {mme for _, mme in asked} == {weaker(6)}
    assert bench.machine.state is State.MATCHED
    assert bench.machine.deadline is None


@pytest.mark.parametrize("result", [0, 1])
def test_an_answer_ends_the_asking(result: int) -> None:
    bench = Bench(WEAKER).reach("link")
    bench.send(cm.CmAmpMapCnf(result=result), source=OTHER_EV)
    bench.wait(0.25)
    assert len(bench.sent(cm.CmAmpMapReq)) == 2
    bench.send(cm.CmAmpMapCnf(result=result))
    bench.wait(10)
    assert len(bench.sent(cm.CmAmpMapReq)) == 2


@pytest.mark.parametrize("is_lost", [True, False])
def test_an_ev_that_is_gone_is_not_asked(*, is_lost: bool) -> None:
    bench = Bench(WEAKER).reach("link")
    event = LinkChanged(up=False) if is_lost else SlacStop()
    bench.machine.handle(event, bench.now)
    assert bench.wait(10) == []


@pytest.mark.parametrize(("by_db", "octet"), [(2, 0x11), (6, 0x33), (30, 0xFF)])
def test_every_carrier_is_described(by_db: int, octet: int) -> None:
    request = weaker(by_db)
    assert (request.amlen, request.amdata) == (917, bytes((octet,)) * 459)
    assert parse(build(EV, EVSE, request)) == Frame(EV, EVSE, request)


# Every state has a deadline.


@pytest.mark.parametrize("step", ["parm", "start", "sounds", "ind", "rsp", "match"])
def test_an_ev_that_falls_silent_is_given_up_at_every_step(step: str) -> None:
    bench = Bench().reach(step)
    bench.wait(60)
    assert bench.machine.state is State.FAILED
    assert len(bench.failures()) == 1


def test_the_key_shows_in_no_text() -> None:
    bench = Bench(start=SlacStart(nid=NID, nmk=b"a secret of 16 b")).reach("match")
    assert "secret" not in repr((KEY, bench.log))
    assert "secret" not in repr(SlacStart(nid=NID, nmk=b"a secret of 16 b"))


def test_an_early_or_repeated_tick_is_harmless() -> None:
    bench = Bench().reach("ind")
    assert bench.machine.tick(bench.now) == ()
    assert bench.machine.tick(bench.now) == ()
