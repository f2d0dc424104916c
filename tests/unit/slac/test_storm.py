"""Any messages in any order at any time: nothing breaks, grows or leaks."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from tests.unit.homeplug.samples import SAMPLES
from tests.unit.slac.bench import (
    EV,
    EVSE,
    KEY,
    MODEM,
    NID,
    NMK,
    OTHER_EV,
    OTHER_RUN,
    RUN,
    Bench,
    match_req,
    rsp,
    sound,
    start_ind,
)

from pilothat.homeplug import cm
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.plc.events import IgnoreLink, LinkSeen, SetKey, WatchLink
from pilothat.plc.modem import Modem, ModemSettings
from pilothat.plc.modem import State as ModemState
from pilothat.slac.ev import EvSlac
from pilothat.slac.ev import State as EvState
from pilothat.slac.events import EvSlacStart, EvSlacStop, LinkChanged, SlacStop, Step
from pilothat.slac.evse import EvseSlac, State
from pilothat.slac.settings import EvSlacSettings

RUNS = 60
SEEDS = 8
PAUSES_S = (*(0.0, 0.001, 0.03) * 30, 0.2, 0.7, 12.0, 60.0)
MACS = (EV, OTHER_EV, EVSE, MODEM, BROADCAST_MAC, bytes(6))
CALM = (None, None, None, None)


def messages(draw: random.Random) -> Mme:
    """Draw a message that might well fit, or any other."""
    run_id = draw.choice((RUN, RUN, OTHER_RUN))
    ev_mac = draw.choice((EV, OTHER_EV))
    likely: tuple[Callable[[], Mme], ...] = (
        lambda: cm.CmSlacParmReq(run_id=run_id),
        lambda: start_ind(draw.randrange(256), draw.randrange(12), ev_mac, run_id),
        lambda: sound(draw.randrange(256), run_id),
        lambda: cm.CmAttenProfileInd(
            pev_mac=ev_mac, aag_db=(draw.randrange(256),) * draw.choice((0, 58, 200))
        ),
        lambda: rsp(ev_mac, run_id),
        lambda: match_req(ev_mac, run_id),
        lambda: draw.choice(SAMPLES),
    )
    return draw.choice(likely)()


def good_run() -> Iterator[tuple[float, Mme]]:
    """Yield what a good car sends, each with the pause before it."""
    yield 0.1, cm.CmSlacParmReq(run_id=RUN)
    yield 0.2, start_ind()
    for cnt in reversed(range(10)):
        yield 0.03, sound(cnt)
    yield 0.4, rsp()
    yield 0.01, match_req()


def storm(seed: int) -> Iterator[tuple[random.Random, Frame, float]]:
    """Yield good runs one after the other, with anything lost, doubled or thrown in."""
    draw, now = random.Random(seed), 0.0
    for _ in range(RUNS):
        for pause_s, mme in good_run():
            now += pause_s
            for _ in range(draw.choices((0, 1, 2), (1, 50, 2))[0]):
                yield draw, Frame(EVSE, EV, mme), now
            if draw.random() < 0.2:
                now += draw.choice(PAUSES_S)
                source, to = draw.choice(MACS), draw.choice((EVSE, EV, BROADCAST_MAC))
                yield draw, Frame(to, source, messages(draw)), now


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_charger_side_survives_any_storm(seed: int) -> None:
    machine = EvseSlac(EVSE)
    resting = (State.IDLE, State.MATCHED, State.FAILED)
    for draw, frame, now in storm(seed):
        extra = draw.choice(
            (*CALM * 5, KEY, SlacStop(), LinkChanged(draw.random() < 0.5))
        )
        if extra is not None:
            machine.handle(extra, now)
        machine.handle(MmeIn(frame), now)
        assert machine.runs <= 5
        assert (machine.deadline is None) == (machine.state in resting)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_car_side_survives_any_storm(seed: int) -> None:
    machine = EvSlac(EV, EvSlacSettings(run_id=RUN), random.Random(seed).randbytes)
    resting = (EvState.IDLE, EvState.MATCHED, EvState.FAILED)
    for draw, frame, now in storm(seed):
        extra = draw.choice((*CALM * 5, EvSlacStart(), EvSlacStop()))
        if extra is not None:
            machine.handle(extra, now)
        machine.handle(MmeIn(frame), now)
        assert machine.deadline is not None or machine.state in resting


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_modem_machine_survives_any_storm(seed: int) -> None:
    machine = Modem(EVSE, ModemSettings(), random.Random(seed).randbytes)
    events = (SetKey(NID, NMK), WatchLink(fast=True), IgnoreLink(), LinkSeen())
    for draw, frame, now in storm(seed):
        extra = draw.choice((*CALM * 3, *events))
        if extra is not None:
            machine.handle(extra, now)
        machine.handle(MmeIn(frame), now)
        assert machine.deadline is not None or machine.state is ModemState.OFF


@pytest.mark.parametrize("seed", range(SEEDS))
def test_no_key_leaves_without_an_acknowledged_report(seed: int) -> None:
    bench = Bench()
    for draw, frame, now in storm(seed):
        bench.now = now
        if draw.random() < 0.02:
            bench.machine.handle(KEY, now)
        bench.send(frame.mme, source=frame.source, to=frame.destination)
    acknowledged = bench.steps().count(Step.ACKNOWLEDGED)
    assert 0 < len(bench.matches()) <= acknowledged
    cnfs = [a for _, a in bench.log if isinstance(a, SendMme)]
    keyed = [a for a in cnfs if isinstance(a.mme, cm.CmSlacMatchCnf)]
    assert {a.destination for a in keyed} <= {EV, OTHER_EV}
