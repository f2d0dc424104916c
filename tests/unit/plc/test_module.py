"""Reading, writing, surveying: whole conversations with the twin's modem."""

from __future__ import annotations

import random
from typing import TypeVar

import pytest

from pilothat.errors import PilotHatError
from pilothat.homeplug import frame as wire
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.lumissil import NscmGetVersionCnf, NscmGetVersionReq
from pilothat.homeplug.qualcomm import (
    ModuleCommitCnf,
    ModuleCommitReq,
    ModuleReadCnf,
    ModuleReadReq,
    ModuleWriteReq,
)
from pilothat.plc.dialogue import Dialogue, Ended, ModemError, Script, Tell
from pilothat.plc.module import factory_reset, read_pib, reset, set_key, write_pib
from pilothat.plc.pib import PibError, Role
from pilothat.plc.survey import Found, chosen, survey
from pilothat.twin.medium import Medium, MediumSettings
from pilothat.twin.modem import Modem

Result = TypeVar("Result")
HOST, CAR = bytes.fromhex("025e5e5e5e01"), bytes.fromhex("02e0e0e0e001")
OURS, THEIRS = bytes.fromhex("00b052a0a001"), bytes.fromhex("00b052a0a002")
LUMISSIL = bytes.fromhex("0016e8a0a001")
SESSION = 7
LIMIT_S = 400.0


class Bench:
    """A host with its modem, a car's modem beyond the line, and virtual time."""

    def __init__(self, kind: str = "qca7000", role: Role = Role.PEV) -> None:
        self.medium = Medium(MediumSettings(), random.Random(1).randbytes)
        self.medium.attach("evse", HOST, OURS, kind, role)
        self.medium.attach("ev", CAR, THEIRS, kind, Role.PEV)
        self.now = 0.0
        self.sent: list[SendMme] = []
        self.told: list[Tell] = []
        self.has_lumissil = False
        self.loses_commit = False

    @property
    def modem(self) -> Modem:
        return self.medium.modem("evse")

    def count(self, kind: type) -> int:
        return sum(isinstance(action.mme, kind) for action in self.sent)

    def run(self, script: Script[Result]) -> Result:
        dialogue = Dialogue(script, HOST, self.now)
        while self.now < LIMIT_S:
            if self._perform(dialogue, dialogue.tick(self.now)):
                return dialogue.results[0]
            for delivery in self.medium.tick(self.now):
                frame = wire.parse(delivery.frame)
                if delivery.name != "evse" or frame is None:
                    continue
                if self._perform(dialogue, dialogue.handle(MmeIn(frame), self.now)):
                    return dialogue.results[0]
            deadlines = (dialogue.deadline, self.medium.deadline)
            self.now = min(at for at in deadlines if at is not None)
        raise AssertionError("the dialogue does not end")

    def _perform(self, dialogue: Dialogue[Result], actions: object) -> bool:
        assert isinstance(actions, tuple)
        is_over = False
        for action in actions:
            match action:
                case SendMme(destination, mme):
                    self.sent.append(action)
                    raw = wire.build(destination, HOST, mme)
                    self.medium.host_sends("evse", raw, self.now)
                    if self.has_lumissil and isinstance(mme, NscmGetVersionReq):
                        cnf = NscmGetVersionCnf(major=1, minor=4, patch=0, build=9)
                        frame = wire.Frame(HOST, LUMISSIL, cnf)
                        dialogue.handle(MmeIn(frame), self.now)
                case Tell():
                    self.told.append(action)
                    if action.what == "store" and self.loses_commit:
                        self.medium.drop_next(ModuleCommitCnf.mmtype)
                case Ended(error):
                    if error is not None:
                        raise error
                    is_over = True
        return is_over


def test_a_block_is_read_in_blocks_of_1400_bytes() -> None:
    bench = Bench()
    pib = bench.run(read_pib(OURS))
    assert pib.image == bench.modem.store.image
    reads = [a.mme for a in bench.sent if isinstance(a.mme, ModuleReadReq)]
    assert [req.offset for req in reads] == list(range(0, 9040, 1400))


@pytest.mark.parametrize("kind", ["qca7000", "qca7005", "qca7420"])
def test_what_is_written_is_what_is_read_afterwards(kind: str) -> None:
    bench = Bench(kind)
    pib = bench.run(read_pib(OURS))
    new = pib.with_role(Role.EVSE, kind.upper())
    stored = bench.run(write_pib(OURS, new, SESSION))
    assert stored.image == new.image == bench.modem.store.image
    assert bench.modem.store.factory == new.image  # a factory reset keeps the role


def test_lost_frames_are_asked_again() -> None:
    bench = Bench()
    for kind in (ModuleReadReq, ModuleReadCnf):
        bench.medium.drop_next(kind.mmtype)
    pib = bench.run(read_pib(OURS))
    bench.medium.drop_next(ModuleWriteReq.mmtype, 1)
    new = pib.with_role(Role.EVSE, "QCA7000")
    assert bench.run(write_pib(OURS, new, SESSION)).role is Role.EVSE


def test_a_commit_whose_answer_is_lost_is_judged_by_what_is_stored() -> None:
    bench = Bench()
    new = bench.run(read_pib(OURS)).with_role(Role.EVSE, "QCA7000")
    bench.loses_commit = True
    assert bench.run(write_pib(OURS, new, SESSION)).role is Role.EVSE
    assert bench.count(ModuleCommitReq) == 1


def test_a_refused_write_leaves_the_modem_as_it_was() -> None:
    bench = Bench()
    pib = bench.run(read_pib(OURS))
    before = bench.modem.store.image
    bench.modem.store.refusals = 1
    with pytest.raises(ModemError, match="refused"):
        bench.run(write_pib(OURS, pib.with_role(Role.EVSE, "QCA7000"), SESSION))
    assert bench.modem.store.image == before


def test_a_damaged_reading_is_noticed() -> None:
    bench = Bench()
    bench.modem.store.flips_reads = True
    with pytest.raises(PibError):
        bench.run(read_pib(OURS))


def test_from_the_commit_on_nothing_may_stop_it() -> None:
    bench = Bench()
    pib = bench.run(read_pib(OURS))
    bench.told.clear()
    bench.run(write_pib(OURS, pib.with_role(Role.EVSE, "QCA7000"), SESSION))
    stored = [told.what for told in bench.told].index("store")
    assert all(told.may_stop for told in bench.told[:stored])
    assert not any(told.may_stop for told in bench.told[stored:])


@pytest.mark.parametrize("script", [reset, factory_reset])
def test_a_restart_is_waited_for(script: object) -> None:
    bench = Bench()
    assert callable(script)
    assert bench.run(script(OURS)).firmware.startswith("MAC-QCA7000")
    assert bench.now > 2.0


def test_a_silent_modem_is_an_error_that_names_it() -> None:
    bench = Bench()
    bench.medium.silence("evse", is_silent=True)
    with pytest.raises(ModemError, match="00:b0:52:a0:a0:01"):
        bench.run(read_pib(OURS))
    assert bench.count(ModuleReadReq) == 3


def test_a_refused_key_is_an_error() -> None:
    bench = Bench()
    bench.medium.refuse_keys("evse", 1)
    with pytest.raises(ModemError, match="refused with result 0"):
        bench.run(set_key(OURS, bytes(16)))
    bench.run(set_key(OURS, bytes(16)))


def found(bench: Bench) -> list[Found]:
    return bench.run(survey())


def test_the_survey_tells_near_from_far_and_the_roles() -> None:
    near, far = found(Bench(role=Role.EVSE))
    assert (near.mac, near.is_local, near.role) == (OURS, True, Role.EVSE)
    assert (far.mac, far.is_local, far.role) == (THEIRS, False, Role.PEV)
    assert near.chip == "QCA7000"
    assert near.is_coordinator
    assert not far.is_coordinator
    assert near.nid != far.nid


def test_a_modem_that_does_not_tell_its_role_is_judged_by_its_network() -> None:
    bench = Bench(role=Role.EVSE)
    bench.modem.store.refusals = 1
    near, _ = found(bench)
    assert (near.role, near.role_words) == (None, "unknown, coordinator")


def test_a_lumissil_modem_is_listed() -> None:
    bench = Bench()
    bench.has_lumissil = True
    last = found(bench)[-1]
    assert (last.mac, last.chip, last.firmware) == (LUMISSIL, "CG5317", "1.4.0.9")
    assert last.role_words == "unknown"


def test_one_modem_is_chosen_or_named() -> None:
    bench = Bench()
    assert bench.run(chosen(None)).mac == OURS
    assert bench.run(chosen(THEIRS)).mac == THEIRS
    bench.medium.silence("evse", is_silent=True)
    with pytest.raises(PilotHatError, match="no powerline modem answers"):
        bench.run(chosen(None))
