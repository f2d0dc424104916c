"""The modem machine: one request at a time, one repair ladder, a quiet heartbeat."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from pilothat.homeplug.cm import (
    CmNwStatsCnf,
    CmNwStatsReq,
    CmSetKeyCnf,
    CmSetKeyReq,
    StationRate,
)
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.homeplug.qualcomm import (
    LOCAL_MODEM_MAC,
    ModuleReadCnf,
    ModuleReadReq,
    VsPlLnkStatusCnf,
    VsPlLnkStatusReq,
    VsRsDevReq,
    VsSwVerCnf,
    VsSwVerReq,
)
from pilothat.plc.events import (
    IgnoreLink,
    KeyConfirmed,
    LinkDown,
    LinkSeen,
    LinkUp,
    LossReason,
    ModemAction,
    ModemBack,
    ModemEvent,
    ModemLost,
    SetKey,
    WatchLink,
)
from pilothat.plc.modem import Modem, ModemSettings, State
from pilothat.plc.pib import Role
from pilothat.twin.modem import Store, new_pib

HOST = bytes.fromhex("025e5e5e5e01")
MODEM = bytes.fromhex("00b052a0a001")
STRANGER = bytes.fromhex("00b052a0a009")
KEY = SetKey(b"network", bytes(range(16)))
NEW_KEY = SetKey(b"another", bytes(range(16, 32)))
VERSION = VsSwVerCnf(device_class=0x22, version=b"MAC-QCA7000-1", ident=0x1B58DC)
PROBE = SendMme(LOCAL_MODEM_MAC, VsSwVerReq())
DEFAULTS = ModemSettings()


def set_key(key: SetKey = KEY, nonce: bytes = bytes(4)) -> SendMme:
    mme = CmSetKeyReq(my_nonce=nonce, nid=key.nid, nmk=key.nmk)
    return SendMme(LOCAL_MODEM_MAC, mme)


def key_cnf(result: int = 1, your_nonce: bytes = bytes(4)) -> CmSetKeyCnf:
    return CmSetKeyCnf(result=result, my_nonce=b"mynn", your_nonce=your_nonce)


class Cable:
    """A modem machine, a scripted modem and a clock that only we move."""

    def __init__(self, settings: ModemSettings = DEFAULTS) -> None:
        self.machine = Modem(HOST, settings, lambda count: b"\x07" * count)
        self.now = 0.0
        self.log: list[tuple[float, ModemAction]] = []
        self.answers_version = False
        self.store: Store | None = None  # of a modem that lets its block be read

    def want(self, event: ModemEvent) -> Sequence[ModemAction]:
        return self._note(self._told(self.machine.handle(event, self.now)))

    def _told(self, actions: Sequence[ModemAction]) -> Sequence[ModemAction]:
        """Answer what is read of the block; return the rest."""
        rest: list[ModemAction] = []
        for action in actions:
            match action:
                case SendMme(mac, ModuleReadReq(offset=offset) as req):
                    refused = ModuleReadCnf(
                        mstatus=1, data_length=18, length=0, offset=offset, data=b""
                    )
                    cnf = self.store.operate(req) if self.store else refused
                    assert cnf is not None
                    heard = MmeIn(Frame(HOST, mac, cnf))
                    rest += self._told(self.machine.handle(heard, self.now))
                case _:
                    rest.append(action)
        return tuple(rest)

    def hear(
        self, mme: Mme, source: bytes = MODEM, to: bytes = HOST
    ) -> Sequence[ModemAction]:
        return self.want(MmeIn(Frame(to, source, mme)))

    def wait(self, seconds: float) -> None:
        end = round(self.now + seconds, 6)
        while self.machine.deadline is not None and self.machine.deadline <= end:
            self.now = max(self.now, self.machine.deadline)
            actions = self._note(self._told(self.machine.tick(self.now)))
            if self.answers_version and PROBE in actions:
                self.hear(VERSION)
        self.now = end

    def ready(self) -> Cable:
        """Get a key confirmed, as with a healthy modem."""
        self.want(KEY)
        self.hear(key_cnf())
        self.wait(0.3)
        self.hear(VERSION)
        assert self.state() is State.READY
        return self

    def times(self, kind: type[Mme]) -> list[float]:
        return [
            round(at, 6)
            for at, action in self.log
            if isinstance(action, SendMme) and isinstance(action.mme, kind)
        ]

    def state(self) -> State:
        return self.machine.state

    def told(self) -> list[ModemAction]:
        """Return everything that is not a frame."""
        return [action for _, action in self.log if not isinstance(action, SendMme)]

    def _note(self, actions: Sequence[ModemAction]) -> Sequence[ModemAction]:
        self.log += [(self.now, action) for action in actions]
        return actions


# The key.


def test_a_key_is_sent_to_the_local_modem_with_the_standard_s_nonce() -> None:
    cable = Cable()
    assert cable.want(KEY) == (set_key(),)


def test_a_key_is_confirmed_when_it_was_taken_and_the_modem_answers_again() -> None:
    cable = Cable()
    cable.want(KEY)
    assert cable.hear(key_cnf()) == ()
    cable.wait(0.3)
    assert cable.times(VsSwVerReq) == [0.3]
    assert cable.hear(VERSION) == (KeyConfirmed(KEY.nid, KEY.nmk, MODEM),)
    assert cable.machine.modem_mac == MODEM


def test_a_modem_that_restarts_for_seconds_is_waited_for() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.hear(key_cnf())
    cable.wait(6)
    cable.hear(VERSION)
    assert cable.told() == [KeyConfirmed(KEY.nid, KEY.nmk, MODEM)]


def test_a_modem_that_never_comes_back_from_its_restart_is_lost() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.hear(key_cnf())
    cable.wait(16)
    assert cable.told() == [ModemLost(LossReason.SILENT)]


def test_the_accepted_result_belongs_to_the_kind_of_modem() -> None:
    cable = Cable(ModemSettings(accepted_result=0))
    cable.want(KEY)
    cable.hear(key_cnf(result=1))
    assert cable.state() is State.SETTING
    cable.hear(key_cnf(result=0))
    assert cable.state() is State.SETTLING


def test_an_answer_to_another_request_is_ignored() -> None:
    cable = Cable(ModemSettings(draws_nonce=True))
    assert cable.want(KEY) == (set_key(nonce=b"\x07" * 4),)
    cable.hear(key_cnf(your_nonce=bytes(4)))
    assert cable.state() is State.SETTING
    cable.hear(key_cnf(your_nonce=b"\x07" * 4))
    assert cable.state() is State.SETTLING


@pytest.mark.parametrize(("source", "to"), [(STRANGER, HOST), (MODEM, BROADCAST_MAC)])
def test_an_answer_of_or_for_somebody_else_is_ignored(source: bytes, to: bytes) -> None:
    cable = Cable().ready()
    cable.want(NEW_KEY)
    cable.hear(key_cnf(), source, to)
    assert cable.state() is State.SETTING


def test_an_unasked_confirmation_is_ignored() -> None:
    cable = Cable().ready()
    assert cable.hear(key_cnf()) == ()
    assert cable.state() is State.READY


def test_only_one_key_request_is_out_and_the_latest_key_wins() -> None:
    cable = Cable()
    cable.want(KEY)
    assert cable.want(SetKey(b"between", bytes(16))) == ()
    assert cable.want(NEW_KEY) == ()
    cable.hear(key_cnf())
    cable.wait(0.3)
    assert cable.hear(VERSION) == (set_key(NEW_KEY),)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    assert cable.told() == [KeyConfirmed(NEW_KEY.nid, NEW_KEY.nmk, MODEM)]


def test_a_repetition_carries_the_latest_key() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.want(NEW_KEY)
    cable.wait(1)
    assert cable.log[-1][1] == set_key(NEW_KEY)


def test_wanting_the_same_key_twice_sends_it_once() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.want(SetKey(KEY.nid, KEY.nmk))
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    assert len(cable.times(CmSetKeyReq)) == 1


def test_the_key_shows_in_no_text() -> None:
    secret = SetKey(b"network", b"a secret of 16 b")
    cable = Cable()
    cable.want(secret)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    assert cable.told() == [KeyConfirmed(secret.nid, secret.nmk, MODEM)]
    assert "secret" not in repr((secret, cable.log))


# The repair ladder.


@pytest.mark.parametrize(("wait_s", "requests"), [(0.99, 1), (1.0, 2), (2.0, 3)])
def test_a_silent_modem_is_asked_again_every_second(
    wait_s: float, requests: int
) -> None:
    cable = Cable()
    cable.want(KEY)
    cable.wait(wait_s)
    assert len(cable.times(CmSetKeyReq)) == requests


def test_a_refused_key_is_tried_again_when_its_second_is_over() -> None:
    cable = Cable()
    cable.want(KEY)
    assert cable.hear(key_cnf(result=0)) == ()
    cable.wait(1)
    assert cable.times(CmSetKeyReq) == [0, 1]
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    assert cable.told() == [KeyConfirmed(KEY.nid, KEY.nmk, MODEM)]


def test_after_three_tries_the_modem_is_reset_and_tried_again() -> None:
    cable = Cable()
    cable.answers_version = True
    cable.want(KEY)
    cable.wait(6)
    assert cable.times(VsRsDevReq) == [3]
    assert cable.times(CmSetKeyReq)[:4] == [0, 1, 2, 5]


def test_a_modem_that_never_takes_a_key_is_lost_and_still_tried() -> None:
    cable = Cable()
    cable.answers_version = True
    cable.want(KEY)
    cable.wait(60)
    assert cable.told() == [ModemLost(LossReason.SILENT)]
    assert max(cable.times(CmSetKeyReq)) > 50


def test_a_modem_that_refuses_is_lost_for_that_reason() -> None:
    cable = Cable()
    cable.answers_version = True
    cable.want(KEY)
    for _ in range(12):
        cable.hear(key_cnf(result=0))
        cable.wait(1)
    assert cable.told() == [ModemLost(LossReason.REFUSES)]


def test_a_missing_modem_is_told_once_within_20_s() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.wait(20)
    assert cable.told() == [ModemLost(LossReason.SILENT)]
    cable.wait(600)
    assert len(cable.told()) == 1


def test_a_modem_that_comes_back_gets_the_latest_key_and_is_told() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.wait(60)
    cable.want(NEW_KEY)
    assert cable.hear(VERSION, STRANGER) == (set_key(NEW_KEY),)
    cable.hear(key_cnf(), STRANGER)
    cable.wait(0.3)
    cable.hear(VERSION, STRANGER)
    confirmed = KeyConfirmed(NEW_KEY.nid, NEW_KEY.nmk, STRANGER)
    assert cable.told()[1:] == [ModemBack(), confirmed]


def test_another_modem_may_take_the_place_of_a_lost_one() -> None:
    cable = Cable().ready()
    cable.wait(17)
    assert cable.hear(VERSION, STRANGER) == (set_key(),)


def test_a_lost_modem_is_reset_again_in_every_round() -> None:
    cable = Cable()
    cable.answers_version = True
    cable.want(KEY)
    cable.wait(60)
    assert len(cable.times(VsRsDevReq)) > 3


def test_a_modem_that_refused_before_its_reset_and_is_mute_now_is_silent() -> None:
    cable = Cable()
    cable.answers_version = True
    cable.want(KEY)
    cable.hear(key_cnf(result=0))
    cable.wait(12)
    assert cable.told() == [ModemLost(LossReason.SILENT)]


def test_an_answer_after_5_s_still_leads_to_a_confirmed_key() -> None:
    cable = Cable()
    cable.want(KEY)
    cable.wait(5)
    cable.hear(key_cnf())  # to a request long repeated, the modem is being reset
    cable.hear(VERSION)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    assert cable.told() == [KeyConfirmed(KEY.nid, KEY.nmk, MODEM)]


# The heartbeat.


def test_nothing_is_sent_before_a_key_is_wanted() -> None:
    cable = Cable()
    assert cable.machine.deadline is None
    assert cable.hear(VERSION) == ()


def test_a_healthy_modem_is_asked_every_10_s() -> None:
    cable = Cable().ready()
    cable.answers_version = True
    cable.wait(60)
    assert cable.times(VsSwVerReq)[1:] == [10.3, 20.3, 30.3, 40.3, 50.3, 60.3]
    assert len(cable.told()) == 1


def test_three_missed_beats_are_a_loss() -> None:
    cable = Cable().ready()
    cable.wait(15.9)
    assert len(cable.told()) == 1
    cable.wait(0.2)
    assert cable.told()[1:] == [ModemLost(LossReason.SILENT)]


def test_two_missed_beats_are_forgotten() -> None:
    cable = Cable().ready()
    cable.wait(13)
    cable.hear(VERSION)
    cable.wait(15.9)
    assert len(cable.told()) == 1


def test_the_key_is_set_again_after_a_loss() -> None:
    cable = Cable().ready()
    cable.wait(17)
    assert cable.hear(VERSION) == (set_key(),)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    confirmed = KeyConfirmed(KEY.nid, KEY.nmk, MODEM)
    assert cable.told() == [
        confirmed,
        ModemLost(LossReason.SILENT),
        ModemBack(),
        confirmed,
    ]


def test_a_recovered_modem_may_miss_two_beats_again() -> None:
    cable = Cable().ready()
    cable.wait(17)
    cable.hear(VERSION)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    before = len(cable.told())
    cable.wait(13)
    assert len(cable.told()) == before


# The link.


def test_the_link_is_polled_and_its_edges_told_once() -> None:
    cable = Cable().ready()
    cable.want(WatchLink(fast=True))
    cable.wait(0.35)
    assert len(cable.times(VsPlLnkStatusReq)) == 3
    cable.hear(VsPlLnkStatusCnf(link=1))
    cable.hear(VsPlLnkStatusCnf(link=1))
    for _ in range(5):
        cable.hear(VsPlLnkStatusCnf(link=0))
    assert cable.told()[1:] == [LinkUp(), LinkDown()]


def test_the_answer_of_a_foreign_modem_is_no_link() -> None:
    cable = Cable().ready()
    cable.want(WatchLink(fast=True))
    cable.wait(0.01)
    assert cable.hear(VsPlLnkStatusCnf(link=1), STRANGER) == ()


def test_answered_polls_stand_for_the_heartbeat() -> None:
    cable = Cable().ready()
    cable.want(WatchLink(fast=False))
    for _ in range(30):
        cable.wait(1)
        cable.hear(VsPlLnkStatusCnf(link=1))
    assert cable.times(VsSwVerReq) == [0.3]


def test_another_query_is_tried_on_a_modem_that_knows_only_that() -> None:
    cable = Cable().ready()
    cable.want(WatchLink(fast=True))
    cable.wait(0.5)
    assert len(cable.times(CmNwStatsReq)) > 0


def test_the_link_is_watched_while_a_new_key_settles_but_not_while_it_is_set() -> None:
    cable = Cable()
    cable.want(WatchLink(fast=True))
    cable.want(KEY)
    cable.wait(0.5)
    assert cable.times(VsPlLnkStatusReq) == []
    cable.hear(key_cnf())
    cable.wait(0.2)
    assert cable.times(VsPlLnkStatusReq) != []


def test_a_frame_of_the_ev_and_an_end_of_interest_are_passed_on() -> None:
    cable = Cable().ready()
    cable.want(WatchLink(fast=True))
    assert LinkUp() in cable.want(LinkSeen())
    cable.want(IgnoreLink())
    cable.wait(5)
    assert cable.want(LinkSeen()) == ()


def test_an_idle_modem_costs_next_to_nothing() -> None:
    cable = Cable().ready()
    cable.answers_version = True
    before = len(cable.log)
    cable.wait(3600)
    assert len(cable.log) - before == 360


# The role.


def keyed(role: Role) -> Cable:
    """Bring a modem that tells its role to where its key is confirmed, or not."""
    cable = Cable()
    cable.store = Store(new_pib("QCA7000", MODEM, role))
    cable.want(KEY)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    return cable


def test_a_modem_in_the_role_of_an_evse_is_taken() -> None:
    cable = keyed(Role.EVSE)
    assert cable.told() == [KeyConfirmed(KEY.nid, KEY.nmk, MODEM)]


def test_a_modem_in_the_role_of_a_pev_is_refused_and_the_remedy_named() -> None:
    cable = keyed(Role.PEV)
    assert cable.told() == [ModemLost(LossReason.ROLE)]
    assert "pilothat modem set-role evse" in LossReason.ROLE.value


def test_a_refused_modem_gets_no_key_until_its_role_is_right() -> None:
    cable = keyed(Role.PEV)
    cable.answers_version = True
    cable.wait(30.0)
    assert cable.times(CmSetKeyReq) == [0.0]
    cable.store = Store(new_pib("QCA7000", MODEM, Role.EVSE))
    cable.wait(2.0)
    assert len(cable.times(CmSetKeyReq)) == 2
    cable.hear(key_cnf())
    cable.wait(1.0)
    assert cable.told()[1:] == [ModemBack(), KeyConfirmed(KEY.nid, KEY.nmk, MODEM)]


def joined_then_keyed() -> Cable:
    """Return a modem that has taken a new key after a car was linked."""
    cable = Cable().ready()
    cable.want(WatchLink(fast=True))
    cable.wait(0.1)
    cable.hear(VsPlLnkStatusCnf(link=1))
    cable.want(IgnoreLink())
    cable.want(NEW_KEY)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    return cable


CAR_IS_THERE = CmNwStatsCnf(stations=(StationRate(STRANGER, 9, 9),))


def test_after_a_link_a_new_key_is_confirmed_when_the_car_has_left() -> None:
    cable = joined_then_keyed()
    assert cable.state() is State.JUDGING
    cable.hear(CAR_IS_THERE)
    cable.wait(0.4)
    assert cable.state() is State.JUDGING
    cable.hear(CmNwStatsCnf(stations=()))
    assert cable.told()[-1] == KeyConfirmed(NEW_KEY.nid, NEW_KEY.nmk, MODEM)
    assert len(cable.times(CmSetKeyReq)) == 2


def test_a_modem_that_stays_in_its_network_gets_the_key_again_then_a_reset() -> None:
    cable = joined_then_keyed()
    for _ in range(3):
        for _ in range(3):
            cable.hear(CAR_IS_THERE)
            cable.wait(0.41)
        if not cable.times(VsRsDevReq):
            cable.hear(key_cnf())
            cable.wait(0.3)
            cable.hear(VERSION)
    assert len(cable.times(CmSetKeyReq)) == 1 + 3
    assert len(cable.times(VsRsDevReq)) == 1
    assert cable.state() is State.RESETTING
    assert [KeyConfirmed(NEW_KEY.nid, NEW_KEY.nmk, MODEM)] != cable.told()[-1:]


def test_a_modem_that_does_not_say_who_is_in_its_network_is_believed() -> None:
    cable = joined_then_keyed()
    cable.wait(0.6)
    assert cable.state() is State.READY


def test_a_role_changed_between_sessions_is_noticed() -> None:
    cable = keyed(Role.EVSE)
    cable.store = Store(new_pib("QCA7000", MODEM, Role.PEV))
    cable.want(NEW_KEY)
    cable.hear(key_cnf())
    cable.wait(0.3)
    cable.hear(VERSION)
    assert cable.told()[-1] == ModemLost(LossReason.ROLE)


def test_a_car_takes_its_modem_as_it_is() -> None:
    cable = Cable(ModemSettings(judges_role=False))
    cable.store = Store(new_pib("QCA7000", MODEM, Role.PEV))
    cable.ready()
    assert cable.told() == [KeyConfirmed(KEY.nid, KEY.nmk, MODEM)]
