"""Both sides of SLAC against each other over the powerline twin."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.slac.segment import Host, Segment

from pilothat.homeplug import cm
from pilothat.homeplug.field import Mme
from pilothat.plc.events import LinkUp
from pilothat.slac.events import (
    EvSlacFailed,
    EvSlacMatched,
    SlacFailed,
    SlacMatched,
    SlacProgress,
    Step,
)
from pilothat.slac.evse import State
from pilothat.slac.settings import EvSlacSettings, RndStyle, RunIdStyle, SlacSettings
from pilothat.slac.sounding import INVENTED_DB
from pilothat.twin.medium import MediumSettings

VW = EvSlacSettings()
HYUNDAI = EvSlacSettings(
    run_id=RunIdStyle.MAC,
    rnd=b"\xff" * 16,
    doubled_after_s=0.008,
    start_delay_s=0.2,
    start_spacing_s=0.02,
    sound_spacing_s=0.02,
    rsp_delay_s=0.05,
    match_delay_s=0.85,
    requests=10,
    request_spacing_s=0.21,
    refuses_zero_db=True,
)
TESLA = EvSlacSettings(
    run_id=b"TESLA EV",
    rnd=RndStyle.SAME,
    start_delay_s=0.12,
    start_spacing_s=0.025,
    sound_spacing_s=0.024,
    match_delay_s=0.85,
)
HABITS = {"vw": VW, "hyundai": HYUNDAI, "tesla": TESLA}


def plugged(
    settings: EvSlacSettings = VW,
    medium: MediumSettings | None = None,
    kind: str = "qca7000",
    seed: int = 1,
) -> tuple[Segment, Host, Host]:
    """Return a line with one charger that is ready and one car that has begun."""
    segment = Segment(medium, seed)
    charger, car = segment.charger(1, kind), segment.car(1, settings)
    segment.run(2)
    segment.plug(car)
    return segment, charger, car


@pytest.mark.parametrize("kind", ["qca7000", "qca7005", "qca7420"])
@pytest.mark.parametrize("settings", HABITS.values(), ids=HABITS.keys())
def test_every_known_habit_is_matched_with_every_modem(
    settings: EvSlacSettings, kind: str
) -> None:
    segment, charger, car = plugged(settings, kind=kind)
    segment.run(5)
    assert charger.charger is not None
    assert charger.charger.state is State.MATCHED
    assert segment.medium.can_talk("evse1", "ev1", segment.now)
    assert car.first(EvSlacMatched) is not None


def test_a_fast_car_has_its_link_within_1_5_s_of_its_request() -> None:
    segment, charger, car = plugged()
    segment.run(5)
    matched, linked = car.first(EvSlacMatched), charger.first(LinkUp)
    assert matched is not None
    assert linked is not None
    assert matched - 2 < 0.85
    assert linked - 2 < 1.5


def test_the_report_is_the_attenuation_of_the_line_less_our_own_loss() -> None:
    segment = Segment(MediumSettings(tilt_db=0, noise_db=0))
    charger = segment.charger(1, settings=SlacSettings(attn_rx_db=5))
    car = segment.car(1)
    segment.medium.couple("evse1", "ev1", 23)
    segment.run(2)
    segment.plug(car)
    segment.run(2)
    (mean_db,) = [
        a.mean_db
        for _, a in charger.told
        if isinstance(a, SlacProgress) and a.step is Step.REPORTED
    ]
    assert mean_db == 18


def test_a_modem_that_does_not_measure_is_reported_as_such() -> None:
    segment, charger, _ = plugged(HYUNDAI, kind="qca7420")
    segment.run(5)
    (report,) = [
        a
        for _, a in charger.told
        if isinstance(a, SlacProgress) and a.step is Step.REPORTED
    ]
    assert not report.is_measured
    assert report.mean_db == pytest.approx(sum(INVENTED_DB) / 58)


# Every single loss is survived.


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize(
    "kind",
    [
        cm.CmSlacParmReq,
        cm.CmSlacParmCnf,
        cm.CmStartAttenCharInd,
        cm.CmMnbcSoundInd,
        cm.CmAttenProfileInd,
        cm.CmAttenCharInd,
        cm.CmAttenCharRsp,
        cm.CmSlacMatchReq,
        cm.CmSlacMatchCnf,
        cm.CmSetKeyReq,
        cm.CmSetKeyCnf,
    ],
    ids=lambda kind: kind.__name__,
)
def test_one_or_two_lost_frames_cost_no_session(kind: type[Mme], count: int) -> None:
    segment, charger, car = plugged()
    segment.medium.drop_next(kind.mmtype, count)
    segment.run(8)
    assert charger.charger is not None
    assert charger.charger.state is State.MATCHED
    assert car.car is not None
    assert car.car.attempts == 1


@pytest.mark.parametrize("seed", range(10))
def test_a_bad_line_is_survived(seed: int) -> None:
    bad = MediumSettings(loss=0.05, doubling=0.05, overtaking=0.05)
    segment, charger, _ = plugged(medium=bad, seed=seed)
    segment.run(20)
    assert charger.charger is not None
    assert charger.charger.state is State.MATCHED


def test_a_line_that_is_cut_fails_on_both_sides() -> None:
    segment, charger, car = plugged()
    segment.run(0.5)
    segment.medium.cut()
    segment.run(60)
    assert charger.first(SlacFailed) is not None
    assert car.first(EvSlacFailed) is not None
    assert charger.first(SlacMatched) is None


# Neighbours.


def test_the_car_takes_the_charger_it_is_plugged_into() -> None:
    segment = Segment()
    near, far, car = segment.charger(1), segment.charger(2), segment.car(1)
    segment.medium.couple("evse1", "ev1", 12)
    segment.medium.couple("evse2", "ev1", 35)
    segment.run(2)
    segment.plug(car)
    segment.run(4)
    assert near.first(SlacMatched) is not None
    assert far.first(SlacMatched) is None
    assert segment.medium.can_talk("evse1", "ev1", segment.now)


def test_a_car_that_is_asked_to_transmit_weaker_agrees_at_once() -> None:
    segment = Segment()
    charger = segment.charger(1, settings=SlacSettings(weaker_by_db=6))
    car = segment.car(1)
    segment.run(2)
    segment.plug(car)
    while charger.first(LinkUp) is None:
        segment.run(0.01)
    segment.run(0.05)
    assert charger.charger is not None
    assert charger.charger.deadline is None  # nothing is said again


def test_the_charger_that_was_not_chosen_drops_its_run_after_10_s() -> None:
    segment = Segment()
    segment.charger(1)
    far, car = segment.charger(2), segment.car(1)
    segment.medium.couple("evse2", "ev1", 35)
    segment.run(2)
    segment.plug(car)
    segment.run(12)
    assert far.charger is not None
    assert far.charger.runs == 0
    assert far.charger.state is State.MATCHING


@pytest.mark.parametrize("gap_s", [0.0, 0.005, 0.1, 0.4])
def test_two_cars_at_two_chargers_find_their_own(gap_s: float) -> None:
    segment = Segment()
    chargers = [segment.charger(n) for n in (1, 2)]
    cars = [segment.car(n) for n in (1, 2)]
    for evse, ev, level_db in ((1, 1, 12), (2, 2, 14), (1, 2, 40), (2, 1, 38)):
        segment.medium.couple(f"evse{evse}", f"ev{ev}", level_db)
    segment.run(2)
    segment.plug(cars[0])
    segment.run(gap_s)
    segment.plug(cars[1])
    segment.run(6)
    partners = [
        action.ev_mac
        for charger in chargers
        for _, action in charger.told
        if isinstance(action, SlacMatched)
    ]
    assert partners == [car.mac for car in cars]


def test_the_same_seed_gives_the_same_matching() -> None:
    bad = MediumSettings(loss=0.1, doubling=0.1, overtaking=0.1)
    stories = []
    for _ in range(2):
        segment, charger, car = plugged(replace(VW, attempts=5), bad, seed=3)
        segment.run(20)
        stories.append((charger.told, car.told))
    assert stories[0] == stories[1]
