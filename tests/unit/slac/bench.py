"""A hand on the wire: an EVSE machine, a scripted EV and a clock that only we move."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pilothat.homeplug import cm
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.slac.events import (
    LinkChanged,
    SlacAction,
    SlacFailed,
    SlacFailure,
    SlacMatched,
    SlacProgress,
    SlacStart,
    Step,
)
from pilothat.slac.evse import EvseSlac
from pilothat.slac.settings import SlacSettings

EV = bytes.fromhex("02e0e0e0e001")
OTHER_EV = bytes.fromhex("02e0e0e0e002")
EVSE = bytes.fromhex("025e5e5e5e01")
OTHER_EVSE = bytes.fromhex("025e5e5e5e02")
MODEM = bytes.fromhex("00b052a0a001")
OTHER_MODEM = bytes.fromhex("00b052a0a002")
RUN = bytes.fromhex("1122334455667788")
OTHER_RUN = bytes.fromhex("8877665544332211")
NID = bytes.fromhex("a1a2a3a4a5a60b")
NMK = bytes(range(16, 32))
PROFILE_DB = (20,) * 58
KEY = SlacStart(nid=NID, nmk=NMK, modem_mac=MODEM)


def start_ind(
    num_sounds: int = 10, time_out: int = 6, ev_mac: bytes = EV, run_id: bytes = RUN
) -> cm.CmStartAttenCharInd:
    return cm.CmStartAttenCharInd(
        num_sounds=num_sounds, time_out=time_out, forwarding_sta=ev_mac, run_id=run_id
    )


def sound(cnt: int, run_id: bytes = RUN) -> cm.CmMnbcSoundInd:
    return cm.CmMnbcSoundInd(cnt=cnt, run_id=run_id, rnd=bytes(16))


def rsp(ev_mac: bytes = EV, run_id: bytes = RUN) -> cm.CmAttenCharRsp:
    return cm.CmAttenCharRsp(source_address=ev_mac, run_id=run_id)


def match_req(ev_mac: bytes = EV, run_id: bytes = RUN) -> cm.CmSlacMatchReq:
    return cm.CmSlacMatchReq(pev_mac=ev_mac, evse_mac=EVSE, run_id=run_id)


class Bench:
    """An EVSE with 5 % on, at time 0."""

    def __init__(
        self, settings: SlacSettings | None = None, start: SlacStart | None = KEY
    ) -> None:
        self.machine = EvseSlac(EVSE, settings)
        self.now = 0.0
        self.log: list[tuple[float, SlacAction]] = []
        if start is not None:
            self._note(self.machine.handle(start, self.now))

    def send(
        self, mme: Mme, *, source: bytes = EV, to: bytes = EVSE
    ) -> Sequence[SlacAction]:
        """Let a message arrive now."""
        return self._note(self.machine.handle(MmeIn(Frame(to, source, mme)), self.now))

    def broadcast(self, mme: Mme, *, source: bytes = EV) -> Sequence[SlacAction]:
        return self.send(mme, source=source, to=BROADCAST_MAC)

    def link(self, *, up: bool) -> None:
        self._note(self.machine.handle(LinkChanged(up), self.now))

    def wait(self, seconds: float) -> Sequence[SlacAction]:
        """Let time pass, with a tick at each deadline; return what was wanted."""
        end = round(self.now + seconds, 6)
        actions: list[SlacAction] = []
        while self.machine.deadline is not None and self.machine.deadline <= end:
            self.now = max(self.now, self.machine.deadline)
            actions += self._note(self.machine.tick(self.now))
        self.now = end
        return actions

    def request(self, ev_mac: bytes = EV, run_id: bytes = RUN) -> Sequence[SlacAction]:
        return self.broadcast(cm.CmSlacParmReq(run_id=run_id), source=ev_mac)

    def announce(self, ind: cm.CmStartAttenCharInd | None = None) -> None:
        ind = ind or start_ind()
        self.broadcast(ind, source=ind.forwarding_sta)

    def profile(
        self,
        aag_db: tuple[int, ...] = PROFILE_DB,
        *,
        modem_mac: bytes = MODEM,
        ev_mac: bytes = EV,
    ) -> None:
        ind = cm.CmAttenProfileInd(pev_mac=ev_mac, aag_db=aag_db)
        self.broadcast(ind, source=modem_mac)

    def sounds(self, count: int = 10, *, gap_s: float = 0.03) -> None:
        """Sound so often, each with its profile."""
        for cnt in reversed(range(10 - count, 10)):
            self.broadcast(sound(cnt))
            self.profile()
            self.wait(gap_s)

    def reach(self, step: str) -> Bench:
        """Go through the matching up to a step, as a well-behaved EV."""
        plan: dict[str, Callable[[], object]] = {
            "parm": self.request,
            "start": self.announce,
            "sounds": self.sounds,
            "ind": lambda: self.wait(0.1),
            "rsp": lambda: self.send(rsp()),
            "match": lambda: self.send(match_req()),
            "link": lambda: self.link(up=True),
        }
        for name, act in plan.items():
            act()
            if name == step:
                return self
        raise AssertionError(step)

    def sent(self, kind: type[Mme]) -> list[tuple[float, Mme]]:
        """Return when which messages of a kind were sent."""
        return [
            (at, action.mme)
            for at, action in self.log
            if isinstance(action, SendMme) and isinstance(action.mme, kind)
        ]

    def reports(self) -> list[cm.CmAttenCharInd]:
        mmes = (mme for _, mme in self.sent(cm.CmAttenCharInd))
        return [mme for mme in mmes if isinstance(mme, cm.CmAttenCharInd)]

    def failures(self) -> list[tuple[float, SlacFailure]]:
        return [(t, a.reason) for t, a in self.log if isinstance(a, SlacFailed)]

    def matches(self) -> list[SlacMatched]:
        return [a for _, a in self.log if isinstance(a, SlacMatched)]

    def steps(self) -> list[Step]:
        return [a.step for _, a in self.log if isinstance(a, SlacProgress)]

    def _note(self, actions: Sequence[SlacAction]) -> Sequence[SlacAction]:
        self.log += [(self.now, action) for action in actions]
        return actions
