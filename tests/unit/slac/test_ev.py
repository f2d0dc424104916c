"""The EV side: habits, choices, retries."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.unit.slac.bench import EV, EVSE, NID, NMK, OTHER_EVSE

from pilothat.homeplug import cm
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.slac.ev import EvSlac, State
from pilothat.slac.events import (
    EvSlacAction,
    EvSlacFailed,
    EvSlacFailure,
    EvSlacMatched,
    EvSlacStart,
    EvSlacStop,
    ToggleS2,
)
from pilothat.slac.settings import EvSlacSettings, RndStyle, RunIdStyle, StartFrom

RUN = bytes(range(8))  # what the fake entropy draws
DEFAULTS = EvSlacSettings()


class Car:
    """An EV machine, scripted chargers and a clock that only we move."""

    def __init__(self, settings: EvSlacSettings = DEFAULTS) -> None:
        self.drawn = 0
        self.machine = EvSlac(EV, settings, self.entropy)
        self.now = 0.0
        self.log: list[tuple[float, EvSlacAction]] = []
        self._note(self.machine.handle(EvSlacStart(), self.now))

    def entropy(self, count: int) -> bytes:
        self.drawn += 1
        return bytes(range(self.drawn - 1, self.drawn - 1 + count))

    def hear(self, mme: Mme, source: bytes = EVSE) -> Sequence[EvSlacAction]:
        return self._note(self.machine.handle(MmeIn(Frame(EV, source, mme)), self.now))

    def wait(self, seconds: float) -> None:
        end = round(self.now + seconds, 6)
        while self.machine.deadline is not None and self.machine.deadline <= end:
            self.now = max(self.now, self.machine.deadline)
            self._note(self.machine.tick(self.now))
        self.now = end

    def answer(self, evse_mac: bytes = EVSE, run_id: bytes = RUN) -> None:
        self.hear(cnf(run_id), evse_mac)

    def report(self, level_db: int, evse_mac: bytes = EVSE) -> None:
        ind = cm.CmAttenCharInd(
            source_address=EV, run_id=RUN, num_sounds=10, aag_db=(level_db,) * 58
        )
        self.hear(ind, evse_mac)

    def match(self, evse_mac: bytes = EVSE) -> Sequence[EvSlacAction]:
        return self.hear(match_cnf(evse_mac), evse_mac)

    def sound_out(self) -> Car:
        """Get an answer and send all sounds."""
        self.answer()
        self.wait(0.8)
        return self

    def sent(self, kind: type[Mme]) -> list[tuple[float, SendMme]]:
        return [
            (round(at, 6), action)
            for at, action in self.log
            if isinstance(action, SendMme) and isinstance(action.mme, kind)
        ]

    def times(self, kind: type[Mme]) -> list[float]:
        return [at for at, _ in self.sent(kind)]

    def failures(self) -> list[EvSlacFailure]:
        return [a.reason for _, a in self.log if isinstance(a, EvSlacFailed)]

    def _note(self, actions: Sequence[EvSlacAction]) -> Sequence[EvSlacAction]:
        self.log += [(self.now, action) for action in actions]
        return actions


def cnf(run_id: bytes = RUN) -> cm.CmSlacParmCnf:
    return cm.CmSlacParmCnf(num_sounds=10, time_out=6, forwarding_sta=EV, run_id=run_id)


def match_cnf(evse_mac: bytes = EVSE) -> cm.CmSlacMatchCnf:
    return cm.CmSlacMatchCnf(
        pev_mac=EV, evse_mac=evse_mac, run_id=RUN, nid=NID, nmk=NMK
    )


def run_ids(car: Car) -> list[bytes]:
    mmes = [action.mme for _, action in car.sent(cm.CmSlacParmReq)]
    return [mme.run_id for mme in mmes if isinstance(mme, cm.CmSlacParmReq)]


def test_an_ev_finds_its_charger_and_gets_the_key() -> None:
    car = Car().sound_out()
    car.report(20)
    car.wait(0.05)
    assert car.match() == (EvSlacMatched(NID, NMK, EVSE),)
    assert car.machine.state is State.MATCHED
    assert car.machine.deadline is None


# Run ID and random field.


@pytest.mark.parametrize(
    ("style", "run_id"),
    [
        (RunIdStyle.RANDOM, RUN),
        (RunIdStyle.MAC, EV + b"\0\0"),
        (b"TESLA EV", b"TESLA EV"),
    ],
)
def test_the_run_id_is_made_as_that_car_does(
    style: RunIdStyle | bytes, run_id: bytes
) -> None:
    car = Car(replace(DEFAULTS, run_id=style))
    assert run_ids(car) == [run_id]


@pytest.mark.parametrize(
    ("style", "kinds"), [(RndStyle.RANDOM, 10), (RndStyle.SAME, 1), (b"\xff" * 16, 1)]
)
def test_the_random_field_is_as_random_as_that_car_s(
    style: RndStyle | bytes, kinds: int
) -> None:
    car = Car(replace(DEFAULTS, rnd=style)).sound_out()
    mmes = [action.mme for _, action in car.sent(cm.CmMnbcSoundInd)]
    assert len({mme.rnd for mme in mmes if isinstance(mme, cm.CmMnbcSoundInd)}) == kinds


# Requests.


def test_the_request_is_repeated_until_somebody_answers() -> None:
    car = Car()
    car.wait(0.5)
    assert car.times(cm.CmSlacParmReq) == [0, 0.2, 0.4]
    car.answer()
    car.wait(0.1)
    assert len(car.sent(cm.CmSlacParmReq)) == 3


def test_ten_requests_at_their_own_pace() -> None:
    car = Car(replace(DEFAULTS, requests=10, request_spacing_s=0.21))
    car.wait(2.0)
    assert car.times(cm.CmSlacParmReq) == [round(n * 0.21, 6) for n in range(10)]


def test_a_doubled_request_goes_out_twice_even_when_answered_between() -> None:
    car = Car(replace(DEFAULTS, doubled_after_s=0.008))
    car.answer()
    car.wait(0.1)
    assert car.times(cm.CmSlacParmReq) == [0, 0.008]


@pytest.mark.parametrize(
    "bad",
    [
        cnf(EV + b"\0\0"),
        replace(cnf(), application_type=1),
        replace(cnf(), security_type=1),
        replace(cnf(), resp_type=0),
        replace(cnf(), forwarding_sta=bytes(6)),
    ],
)
def test_a_wrong_answer_is_ignored(bad: cm.CmSlacParmCnf) -> None:
    car = Car()
    car.hear(bad)
    assert car.machine.state is State.REQUESTING


def test_a_message_for_somebody_else_is_ignored() -> None:
    car = Car()
    frame = Frame(BROADCAST_MAC, EVSE, cnf())
    assert car.machine.handle(MmeIn(frame), 0) == ()
    assert car.machine.state is State.REQUESTING


# Timing of START and sounds.


@pytest.mark.parametrize(
    ("start_from", "first"), [(StartFrom.REQUEST, 0.24), (StartFrom.CNF, 0.29)]
)
def test_start_counts_from_the_request_or_the_answer(
    start_from: StartFrom, first: float
) -> None:
    car = Car(replace(DEFAULTS, start_from=start_from))
    car.wait(0.05)
    car.answer()
    car.wait(1)
    assert car.times(cm.CmStartAttenCharInd)[0] == first


def test_start_and_sounds_keep_their_spacing() -> None:
    settings = replace(DEFAULTS, start_spacing_s=0.02, sound_spacing_s=0.03)
    car = Car(settings).sound_out()
    starts, sounds = car.times(cm.CmStartAttenCharInd), car.times(cm.CmMnbcSoundInd)
    assert [round(at - starts[0], 6) for at in starts] == [0, 0.02, 0.04]
    assert [round(at - starts[0], 6) for at in sounds] == [
        round(0.07 + 0.03 * n, 6) for n in range(10)
    ]


def test_sounds_count_down_to_zero() -> None:
    car = Car().sound_out()
    mmes = [action.mme for _, action in car.sent(cm.CmMnbcSoundInd)]
    counts = [mme.cnt for mme in mmes if isinstance(mme, cm.CmMnbcSoundInd)]
    assert counts == [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]


# Reports and choice.


def test_every_report_is_acknowledged_also_a_repeated_one() -> None:
    car = Car().sound_out()
    car.report(20)
    car.wait(0.2)
    car.report(20)
    car.wait(0.05)
    assert len(car.sent(cm.CmAttenCharRsp)) == 2


def test_the_charger_that_hears_us_best_is_chosen() -> None:
    car = Car()
    car.answer(OTHER_EVSE)
    car.sound_out()
    car.report(31, OTHER_EVSE)
    car.wait(0.02)
    car.report(25)
    car.wait(0.05)
    assert [a.destination for _, a in car.sent(cm.CmSlacMatchReq)] == [EVSE]
    assert len(car.sent(cm.CmAttenCharRsp)) == 2


def test_a_charger_that_reports_nothing_is_waited_for_1_2_s() -> None:
    car = Car()
    car.answer(OTHER_EVSE)
    car.answer()
    car.wait(0.8)
    car.report(25)
    car.wait(0.24 + 1.199 - 0.8)
    assert car.sent(cm.CmSlacMatchReq) == []
    car.wait(0.001)
    assert [a.destination for _, a in car.sent(cm.CmSlacMatchReq)] == [EVSE]


def test_a_report_of_a_charger_that_never_answered_is_ignored() -> None:
    car = Car().sound_out()
    car.report(5, OTHER_EVSE)
    car.wait(0.05)
    assert car.sent(cm.CmAttenCharRsp) == []


def test_some_cars_refuse_a_report_of_nothing_but_zero() -> None:
    car = Car(replace(DEFAULTS, refuses_zero_db=True, attempts=1)).sound_out()
    car.report(0)
    car.wait(2)
    assert car.failures() == [EvSlacFailure.NO_REPORT]


def test_the_pause_before_the_match_request_is_that_car_s() -> None:
    car = Car(replace(DEFAULTS, rsp_delay_s=0.05, match_delay_s=0.85)).sound_out()
    car.report(20)
    reported_at = car.now
    car.wait(2)
    assert car.times(cm.CmAttenCharRsp)[0] == pytest.approx(reported_at + 0.05)
    assert car.times(cm.CmSlacMatchReq)[0] == pytest.approx(reported_at + 0.9)


# Validation.


def toggling() -> Car:
    car = Car(replace(DEFAULTS, validates=True, attempts=1)).sound_out()
    car.report(20)
    car.wait(0.05)
    car.hear(cm.CmValidateCnf(toggle_num=0, result=1))
    return car


def test_a_ready_charger_gets_the_window_and_then_the_toggles() -> None:
    car = toggling()
    began = car.now
    _, sent = car.sent(cm.CmValidateReq)[-1]
    assert sent.mme == cm.CmValidateReq(timer=19, result=1)
    car.wait(1.9)
    toggles = [(at - began, a.closed) for at, a in car.log if isinstance(a, ToggleS2)]
    assert [closed for _, closed in toggles] == [True, False, True, False]
    assert [at for at, _ in toggles] == pytest.approx([0.3, 0.6, 0.9, 1.2])
    assert car.sent(cm.CmSlacMatchReq) == []
    car.hear(cm.CmValidateCnf(toggle_num=2, result=2))
    assert len(car.sent(cm.CmSlacMatchReq)) == 1


@pytest.mark.parametrize(("count", "result"), [(1, 2), (3, 2), (0, 3)])
def test_a_charger_that_saw_other_toggles_is_not_ours(count: int, result: int) -> None:
    car = toggling()
    car.wait(1.9)
    car.hear(cm.CmValidateCnf(toggle_num=count, result=result))
    car.wait(1.0)
    assert car.sent(cm.CmSlacMatchReq) == []
    assert car.failures() == [EvSlacFailure.NOT_VALIDATED]


def test_a_charger_that_forgets_the_count_is_given_up() -> None:
    car = toggling()
    car.wait(2.3)
    assert car.failures() == [EvSlacFailure.NOT_VALIDATED]


@pytest.mark.parametrize("result", [3, 4])
def test_the_match_follows_whatever_the_charger_says_to_validation(result: int) -> None:
    car = Car(replace(DEFAULTS, validates=True)).sound_out()
    car.report(20)
    car.wait(0.05)
    assert len(car.sent(cm.CmValidateReq)) == 1
    assert car.sent(cm.CmSlacMatchReq) == []
    car.hear(cm.CmValidateCnf(toggle_num=0, result=result))
    assert len(car.sent(cm.CmSlacMatchReq)) == 1


def test_a_charger_that_is_not_ready_to_validate_is_asked_again() -> None:
    car = Car(replace(DEFAULTS, validates=True)).sound_out()
    car.report(20)
    car.wait(0.05)
    car.hear(cm.CmValidateCnf(toggle_num=0, result=0))
    car.wait(0.2)
    assert len(car.sent(cm.CmValidateReq)) == 2


# Retries and attempts.


def test_the_match_request_is_repeated_twice() -> None:
    car = Car(replace(DEFAULTS, attempts=1)).sound_out()
    car.report(20)
    car.wait(1)
    times = car.times(cm.CmSlacMatchReq)
    assert [round(at - times[0], 6) for at in times] == [0, 0.2, 0.4]
    assert car.failures() == [EvSlacFailure.NO_MATCH]


@pytest.mark.parametrize(
    "bad",
    [
        replace(match_cnf(), run_id=bytes(8)),
        replace(match_cnf(), pev_mac=bytes(6)),
        replace(match_cnf(), evse_mac=OTHER_EVSE),
        replace(match_cnf(), mvf_length=0),
        replace(match_cnf(), application_type=1),
    ],
)
def test_a_wrong_match_answer_is_ignored(bad: cm.CmSlacMatchCnf) -> None:
    car = Car().sound_out()
    car.report(20)
    car.wait(0.05)
    assert car.hear(bad) == ()
    assert car.match() == (EvSlacMatched(NID, NMK, EVSE),)


def test_a_new_attempt_has_a_new_run_id_after_its_pause() -> None:
    car = Car(replace(DEFAULTS, requests=1))
    car.wait(0.7)
    assert car.times(cm.CmSlacParmReq) == [0, 0.6]
    first, second = run_ids(car)
    assert first != second


def test_attempts_are_limited_in_number() -> None:
    car = Car(replace(DEFAULTS, requests=1, attempts=3))
    car.wait(20)
    assert car.machine.attempts == 3
    assert car.failures() == [EvSlacFailure.NO_CHARGER]


def test_attempts_are_limited_in_time() -> None:
    car = Car(replace(DEFAULTS, requests=1, attempts=100, repetition_s=1.0))
    car.wait(20)
    assert car.times(cm.CmSlacParmReq) == [0, 0.6]
    assert car.failures() == [EvSlacFailure.NO_CHARGER]


@pytest.mark.parametrize("wait_s", [0.0, 0.3, 0.8, 0.9])
def test_unplugging_ends_everything_at_once(wait_s: float) -> None:
    car = Car()
    car.answer()
    car.wait(wait_s)
    car.machine.handle(EvSlacStop(), car.now)
    assert car.machine.deadline is None
    assert car.machine.state is State.IDLE


def test_the_same_entropy_gives_the_same_ev() -> None:
    assert Car().sound_out().log == Car().sound_out().log


def test_a_charger_that_is_too_far_is_not_taken() -> None:
    car = Car(replace(DEFAULTS, most_db=20.0, attempts=1))
    car.answer(EVSE)
    car.answer(OTHER_EVSE)
    car.wait(0.8)
    car.report(35, OTHER_EVSE)
    car.wait(2.0)
    assert car.sent(cm.CmSlacMatchReq) == []
    assert car.failures() == [EvSlacFailure.NO_REPORT]
