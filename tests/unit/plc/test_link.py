"""The link watch: pace, misses, edges, and which query is asked."""

from __future__ import annotations

import pytest

from pilothat.homeplug.cm import (
    CcDiscoverListCnf,
    CmNwStatsCnf,
    CmNwStatsReq,
    Discovered,
    StationRate,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.nwinfo import Station, VsNwInfoCnf
from pilothat.homeplug.qualcomm import VsPlLnkStatusCnf, VsPlLnkStatusReq, VsSwVerReq
from pilothat.plc.events import LinkDown, LinkUp
from pilothat.plc.link import QUERIES, LinkSettings, LinkState, LinkWatch

YES = VsPlLnkStatusCnf(link=1)
NO = VsPlLnkStatusCnf(link=0)
PEER = StationRate(bytes(6), 9, 9)


def watching(*, fast: bool = True) -> LinkWatch:
    watch = LinkWatch(LinkSettings())
    watch.watch(0.0, fast=fast)
    return watch


def up() -> LinkWatch:
    watch = watching()
    assert watch.hear(YES, 0.0) == (LinkUp(),)
    return watch


@pytest.mark.parametrize(("fast", "period_s"), [(True, 0.1), (False, 1.0)])
def test_the_first_poll_is_at_once_the_next_after_the_period(
    period_s: float, *, fast: bool
) -> None:
    watch = watching(fast=fast)
    assert watch.poll(0.0) == VsPlLnkStatusReq()
    assert watch.poll(period_s - 0.001) is None
    assert watch.poll(period_s) == VsPlLnkStatusReq()


def test_nothing_is_polled_without_a_watch() -> None:
    watch = LinkWatch(LinkSettings())
    assert watch.poll(100.0) is None
    assert watch.deadline is None


def test_a_link_that_is_up_is_polled_slowly() -> None:
    watch = up()
    assert watch.deadline == 1.0
    watch.poll(1.0)
    assert watch.deadline == 2.0


def test_nobody_is_asked_while_the_car_talks_and_soon_after_it_is_silent() -> None:
    watch = up()
    for tenth in range(5, 50, 5):
        watch.carried(tenth / 10)
        assert watch.poll(tenth / 10) is None
    assert watch.deadline == 5.5
    assert watch.poll(5.5) == VsPlLnkStatusReq()


def test_talk_is_no_proof_of_a_link_that_is_still_to_come() -> None:
    watch = watching()
    watch.carried(0.0)
    assert watch.poll(0.0) == VsPlLnkStatusReq()


@pytest.mark.parametrize(
    "answer",
    [
        YES,
        CmNwStatsCnf(stations=(PEER,)),
        VsNwInfoCnf(networks=1, stations=(Station(PEER.mac, 2, bytes(6), 9, 9),)),
        CcDiscoverListCnf(stations=(Discovered(PEER.mac, 2, 1, 4),)),
    ],
    ids=["status", "stations", "network", "discovered"],
)
def test_up_is_told_once(answer: Mme) -> None:
    watch = watching()
    assert watch.hear(answer, 0.0) == (LinkUp(),)
    assert watch.hear(answer, 1.0) == ()


@pytest.mark.parametrize("answer", [NO, CmNwStatsCnf(stations=())])
def test_a_no_while_joining_is_no_miss(answer: Mme) -> None:
    watch = watching()
    assert [watch.hear(answer, n / 10) for n in range(10)] == [()] * 10
    assert watch.state is LinkState.JOINING


def test_the_third_no_in_a_row_is_the_loss_and_ends_the_watch() -> None:
    watch = up()
    assert watch.hear(NO, 1.0) == ()
    assert watch.hear(NO, 2.0) == ()
    assert watch.hear(NO, 3.0) == (LinkDown(),)
    assert watch.hear(NO, 4.0) == ()
    assert watch.poll(10.0) is None


def test_a_yes_in_between_forgets_the_misses() -> None:
    watch = up()
    answers = [NO, NO, YES, NO, NO]
    assert [watch.hear(a, 1.0) for a in answers] == [()] * 5


def test_silence_is_neither_yes_nor_no() -> None:
    watch = up()
    polls = [watch.poll(float(n)) for n in range(1, 60)]
    assert None not in polls
    assert watch.state is LinkState.UP


def test_an_unanswered_query_is_replaced_by_the_next_one_in_turn() -> None:
    watch = watching()
    asked = [watch.poll(n * 0.11) for n in range(15)]
    assert asked == [query for query in (*QUERIES, QUERIES[0]) for _ in range(3)]


def test_stations_of_another_network_are_no_link() -> None:
    watch = watching()
    stranger = Discovered(PEER.mac, 2, 0, 4)
    assert watch.hear(CcDiscoverListCnf(stations=(stranger,)), 0.0) == ()
    assert watch.hear(VsNwInfoCnf(networks=1), 0.1) == ()
    assert watch.state is LinkState.JOINING


def test_an_answered_query_is_kept() -> None:
    watch = watching()
    for n in range(4):
        watch.poll(n * 0.11)
    watch.hear(CmNwStatsCnf(stations=()), 0.4)
    assert [watch.poll(n * 0.11) for n in range(4, 7)] == [CmNwStatsReq()] * 3


def test_a_query_the_modem_rejects_is_replaced_at_once() -> None:
    watch = watching()
    watch.poll(0.0)
    assert watch.hear(VsPlLnkStatusCnf(mstatus=1, link=1), 0.0) == ()
    assert watch.poll(0.1) == CmNwStatsReq()


def test_a_frame_of_the_ev_is_the_best_proof() -> None:
    watch = watching()
    assert watch.seen(0.05) == (LinkUp(),)
    assert watch.seen(0.06) == ()


def test_a_frame_of_the_ev_means_nothing_without_a_watch() -> None:
    assert LinkWatch(LinkSettings()).seen(0.0) == ()


def test_a_new_fast_watch_tells_up_again() -> None:
    watch = up()
    watch.watch(5.0, fast=True)
    assert watch.hear(YES, 5.0) == (LinkUp(),)


def test_a_slow_watch_goes_on_with_the_present_one() -> None:
    watch = up()
    watch.watch(5.0, fast=False)
    assert watch.hear(YES, 5.0) == ()
    assert watch.state is LinkState.UP


def test_ignoring_ends_the_watch_in_silence() -> None:
    watch = up()
    watch.ignore()
    assert watch.deadline is None
    assert watch.hear(NO, 1.0) == ()


def test_other_messages_are_no_answer() -> None:
    assert watching().hear(VsSwVerReq(), 0.0) == ()
