"""The EVSE's SLAC against a table of conformance cases: frames in, frames and CP out.

The cases lie beside the repository and are no part of it; without them these tests are
skipped. Each runs on a whole station in virtual time; the tester has the place of the
car. A case that begins in a session, or in its pause, is brought there by a probe that
talks with the station; then the tester takes its place.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import fields, is_dataclass, replace
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pilothat.conformance.road import good
from pilothat.conformance.roads import steps
from pilothat.conformance.rows import Row
from pilothat.conformance.tester import LowerTester
from pilothat.faults import Fault
from pilothat.guard import Want
from pilothat.homeplug import cm
from pilothat.homeplug import frame as wire
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.plant import AcRatings
from pilothat.plc.pib import Role
from pilothat.slac.settings import SlacSettings, Validates
from pilothat.station.actions import Action, Raise, SdpOut, SendFrame
from pilothat.station.events import Authorised, Event, FrameIn, SdpIn, WakeUp
from pilothat.station.phases import LINKED, Phase
from pilothat.twin.bench import BenchSettings, CarElectrics
from pilothat.twin.carevents import CarAction, CarEvent, SetElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.twin.modem import Store, new_pib
from pilothat.twin.stage import (
    EV,
    EV_HOST,
    EV_MAC,
    EVSE,
    EVSE_MAC,
    EVSE_MODEM_MAC,
    WorldSettings,
)
from pilothat.twin.world import World
from pilothat.v2g import sdp
from pilothat.v2g.secc.iso2_answers import modes_of

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "evse_slac.jsonl"
RUN, OTHER_RUN = bytes(range(8)), bytes(range(8, 16))
TOLERANCE_S = 0.25  # a conformance tester grants it on most waits
WATCH_S = 70.0
LONG_S = 200.0  # three times TT_EVSE_SLAC_init, with E/F between
CHANGE_S = 10.0  # from 5 % over F to the nominal duty
FLOW_S = 3.0  # until the next complete matching begins
TOGGLE_S = 0.3
ALLOWED = Authorised(is_granted=True, by="the driver")
QUIETER = "TC_SECC_CMN_VTB_AttenuationCharacterization_020"
QUIETER_DB = 10  # by which the car's second sounding is weaker
OF_A_CAR = "F_SLAC_modem_role_pev"  # the station's modem has the role of a car's
KINDS = {kind.__name__: kind for kind in cm.MESSAGES}
LATENCY = "F_SLAC_latency"
RUNS = 100
ALMOST_ALL_S, MOST_S = 0.02, 0.1  # of 99 % of the answers, and of all
BACK_S = 25.0  # the link lost, and the steps of the pilot before the next match
STOPPED = "PowerDeliveryRes OK for ChargeProgress Stop"  # where a session may pause
CHARGING = "in the charge loop"
ENDS = "TC_SECC_CMN_VTB_PLCLinkStatus_008"
INTERRUPTED = "TC_SECC_AC_VTB_PLCLinkStatus_011"
# cases that begin with a session: the place on its road
SESSIONS: Mapping[str, str] = {ENDS: STOPPED, INTERRUPTED: CHARGING}


def load() -> list[dict[str, Any]]:
    if not CASES.exists():
        return []
    return [json.loads(line) for line in CASES.read_text().splitlines()]


class CarsPlace:
    """Whoever has the place of the car: plays a script, notes what it hears."""

    def __init__(self) -> None:
        self.heard: list[tuple[float, Mme]] = []
        self.answers: Callable[[Mme], CarAction | None] = lambda _: None
        self._script: list[tuple[float, CarAction]] = []

    @property
    def deadline(self) -> float | None:
        return self._script[0][0] if self._script else None

    def plan(self, at: float, action: CarAction) -> None:
        self._script.append((at, action))
        self._script.sort(key=lambda entry: entry[0])

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        heard = wire.parse(event.frame) if isinstance(event, FrameIn) else None
        if heard is None or heard.destination not in (EV_MAC, BROADCAST_MAC):
            return ()
        self.heard.append((now, heard.mme))
        answer = self.answers(heard.mme)
        return () if answer is None else (answer,)

    def tick(self, now: float) -> Sequence[CarAction]:
        due = [action for at, action in self._script if at <= now]
        self._script = [entry for entry in self._script if entry[0] > now]
        return due


class Case:
    """One case on a world of its own."""

    def __init__(self, row: Mapping[str, Any]) -> None:
        self.row = row
        told = str((row.get("applicability") or {}).get("validation"))
        policy = {
            "supported": Validates.ALWAYS,
            "done": Validates.ALWAYS,
            "not supported": Validates.NEVER,
        }.get(told, Validates.WHEN_NEEDED)
        settings = WorldSettings()
        able = row.get("applicability") or {}
        ac = AcRatings() if able.get("current") == "AC" else None
        weaker_by_db = 2 if able.get("amp_map") == "own" else 0
        iso2 = settings.station.iso2
        station = replace(
            settings.station,
            slac=SlacSettings(validates=policy, weaker_by_db=weaker_by_db),
            ac=ac,
            iso2=replace(iso2, offer=replace(iso2.offer, modes=modes_of(ac))),
            is_free=ac is None,  # the cases about AC are about who is authorised
            interrupts_on_link_loss="interrupt" in able.get("option", ""),
        )
        bench = BenchSettings(mains_v=ac.nominal_v if ac else None)
        settings = replace(settings, station=station, bench=bench)
        place = self._place()
        self.talker = LowerTester(settings) if place else None
        self.way = steps(_row_at(place, "AC" if ac else "DC")) or ()
        self.world = self.talker.world if self.talker else World(settings, 1)
        self.tester = CarsPlace()
        if row["id"] == OF_A_CAR:
            image = new_pib("QCA7000", EVSE_MODEM_MAC, Role.PEV)
            self.world.medium.modem(EVSE).store = Store(image)
        if not self.talker:
            self.world.park(self.tester)
        self.duties: list[tuple[float, float]] = [(0.0, 0.0)]
        self.faults: list[Fault] = []
        self.discovered: list[float] = []
        self.sent: list[tuple[float, Mme, bytes]] = []
        self.phases: list[tuple[float, Phase, bool]] = []
        self.world.watchers.append(self._watch)
        self.began = 0.0
        self.at = 0.0  # of the next stimulus
        self.mean_db = 0.0  # of the sounding before

    def _watch(self, now: float, _: object, actions: Sequence[object]) -> None:
        link = self.world.is_linked()
        self.phases.append((now, self.world.station.phase, link))
        for action in actions:
            match action:
                case Want(duty_pct) if duty_pct != self.duties[-1][1]:
                    self.duties.append((now, duty_pct))
                case SdpOut():
                    self.discovered.append(now)
                case Raise(fault):
                    self.faults.append(fault)
                case SendFrame(raw):
                    sent = wire.parse(raw)
                    assert sent is not None
                    self.sent.append((now, sent.mme, raw))

    # --- the way to the start

    def _place(self) -> str:
        """Return where on a session's road the case begins; empty for before one."""
        is_paused = self.row["start"] == "paused"
        return STOPPED if is_paused else SESSIONS.get(self.row["id"], "")

    def run_to(self, at: float) -> None:
        self.world.drive(FrameIn(b""))  # so that the tester's deadline is read
        self.world.run(lambda: False, at)
        self.world.clock.now = at

    def reach(self, start: str) -> None:
        if start == "boot":
            self.at = 0.0
            return
        self.run_to(2.0)
        self.at = self.began = 2.0
        if self.talker:
            self.converse(self.talker, is_to_pause=start == "paused")
        if start == "A" or self.talker:
            return
        cp = (self.row.get("applicability") or {}).get("cp", "B")
        self.set_cp(cp)
        self.settle(1.0)
        assert self.world.station.phase is Phase.MATCHING
        steps: Mapping[str, Callable[[], None]] = {
            "ready": lambda: None,
            "parm": lambda: self.say(request(), 0.1),
            "ind": self.sound_out,
            "rsp": lambda: self.say(KINDS_BUILT["CM_ATTEN_CHAR.RSP"](), 0.05),
            "validated": self.validate if start == "validated" else lambda: None,
            "match": lambda: self.say(KINDS_BUILT["CM_SLAC_MATCH.REQ"](), 0.05),
            "link": self.join,
        }
        for name, step in steps.items():
            step()
            if name == start:
                break
        self.began = self.at = self.world.now
        if start == "link" and not self.row.get("send"):  # the station acts by itself
            self.began = next(
                at for at, phase, _ in self.phases if phase is Phase.SETUP
            )

    def converse(self, talker: LowerTester, *, is_to_pause: bool) -> None:
        """Have a session; the tester takes over where it is, or where it pauses."""
        if "nominal duty" in self.row["precondition"]:
            self.world.tell(ALLOWED)
        for step in self.way:
            step(talker)
        if is_to_pause:
            good(talker, "SessionStopReq", ChargingSession="Pause")
            talker.wait(5.0)
            assert self.world.station.phase is Phase.PAUSED
            self.world.park(self.tester)
        self.began = self.at = self.world.now

    def settle(self, seconds: float) -> None:
        self.run_to(self.world.now + seconds)

    def say(self, mme: Mme, then_s: float) -> None:
        self.tester.plan(self.world.now, self.frame(mme))
        self.settle(then_s)

    def sound_out(self) -> None:
        for mme in sounding():
            self.say(mme, 0.03)
        self.settle(0.2)

    def validate(self) -> None:
        self.say(KINDS_BUILT["CM_VALIDATE.REQ"](), 0.05)
        self.say(cm.CmValidateReq(timer=19, result=1), 0.1)
        self.toggle(2)
        self.settle(2.0)

    def toggle(self, count: int) -> None:
        for number in range(2 * count):
            at = self.world.now + TOGGLE_S * number
            self.tester.plan(at, electrics("C" if number % 2 == 0 else "B"))

    def join(self) -> None:
        self.set_key()
        self.settle(3.0)
        assert self.world.station.phase in (Phase.SETUP, Phase.BASIC)
        assert self.world.is_linked()

    def set_key(self) -> None:
        """Put the key of the last match into the modem of the car."""
        cnf = self.of(cm.CmSlacMatchCnf)[-1][1]
        assert isinstance(cnf, cm.CmSlacMatchCnf)
        key = cm.CmSetKeyReq(nid=cnf.nid, nmk=cnf.nmk)
        self.tester.plan(self.world.now, self.frame(key, LOCAL_MODEM_MAC))

    def set_cp(self, level: str) -> None:
        self.tester.plan(self.at, electrics(level))

    def frame(self, mme: Mme, to: bytes | None = None) -> SendFrame:
        if to is None:
            is_broadcast = isinstance(
                mme, cm.CmSlacParmReq | cm.CmStartAttenCharInd | cm.CmMnbcSoundInd
            )
            to = BROADCAST_MAC if is_broadcast else EVSE_MAC
        return SendFrame(wire.build(to, EV_MAC, mme))

    def of(self, kind: type[Mme], since: float = 0.0) -> list[tuple[float, Mme]]:
        """What the tester has heard of a kind."""
        return [
            (at, m) for at, m in self.tester.heard if type(m) is kind and at >= since
        ]

    def told(self, kind: type[Mme], since: float) -> list[tuple[float, Mme]]:
        """What the station has sent of a kind, to whomever."""
        return [(at, m) for at, m, _ in self.sent if type(m) is kind and at >= since]

    # --- the stimulus

    def stimulate(self) -> None:
        later: Mapping[str, Callable[[], None]] = {
            "eim": self.authorise,
            "sdp": self.discover_later,
            "link": lambda: self.world.medium.cut(EV),
        }
        for one in self.row.get("send") or ():
            if "cp" in one:
                self.set_cp(one["cp"])
                self.at += 0.15
            elif "cp_toggle" in one:
                for number in range(2 * one["cp_toggle"]):
                    level = "C" if number % 2 == 0 else "B"
                    at = self.at + 0.1 + TOGGLE_S * number
                    self.tester.plan(at, electrics(level))
            elif "wait_s" in one:
                self.at += one["wait_s"]
            elif deed := next((later[key] for key in later if key in one), None):
                deed()
            elif one.get("on") == "each IND":
                self.answer_each(self.frame(built(one)))
            else:
                self.send(one)

    def authorise(self) -> None:
        at_s = self.at - self.world.now
        self.world.after(at_s, partial(self.world.tell, ALLOWED))
        self.at += 0.1

    def answer_each(self, rsp: SendFrame) -> None:
        """Say this to every report, the one that was heard already included."""
        self.tester.answers = lambda mme: (
            rsp if isinstance(mme, cm.CmAttenCharInd) else None
        )
        self.tester.plan(self.at, rsp)
        self.at += 1.0

    def send(self, one: Mapping[str, Any]) -> None:
        gap_s = one.get("gap_ms", 0) / 1000 or one.get("every_s", 0.05)
        count = one.get("count", 20 if "every_s" in one else 1)
        for number in range(count):
            mme = built(one)
            if isinstance(mme, cm.CmMnbcSoundInd):
                mme = replace(mme, cnt=9 - number)
            self.tester.plan(self.at, self.frame(mme))
            self.at += gap_s

    def discover_later(self) -> None:
        self.world.after(self.at + 0.5 - self.world.now, self.discover)

    def discover(self) -> None:
        request = sdp.build_request(sdp.Security.NONE)
        self.world.tell(SdpIn(request, EV_HOST, 15118))

    # --- what is expected

    def judge(self) -> None:
        since = self.began
        for one in self.row["expect"]:
            if "none" in one:
                kind = kind_of(one["none"])
                asked = self.at if self.row.get("send") else since
                late = self.of(kind, asked - 0.01)
                late = late if self.row["send"][-1].get("mme") else self.of(kind, since)
                assert not [at for at, _ in late if at <= asked + one["for_s"]], one
            elif "mme" in one:
                since = self._judge_message(one, since)
            elif "cp" in one:
                since = self._judge_cp(one, since)
            else:
                self._judge_outcome(one)

    def _judge_outcome(self, one: Mapping[str, Any]) -> None:
        """Judge what is neither a message nor the duty."""
        if "dlink" in one:
            up = [at for at, phase, link in self.phases if link and phase in LINKED]
            since = [at for at in up if at >= self.began]
            assert since
            assert since[0] <= self.began + one["within_s"]
            assert self.discovered
        elif "network" in one:
            left = [at for at, _, link in self.phases if at > self.began and not link]
            assert left[0] <= self.began + one["within_s"]
        elif self.row["id"] == LATENCY:
            self.judge_latency()
        elif "fault" in one:
            assert Fault.MODEM in self.faults
            assert 5.0 not in [duty for _, duty in self.duties]
        elif one.get("flow") == "atten_delta":
            assert round(_mean_db(self) - self.mean_db) == QUIETER_DB
        elif "flow" in one:
            self.match_fully()
        elif "sdp" in one:
            assert self.discovered
        else:
            raise AssertionError(f"nobody judges {one}")

    def judge_latency(self) -> None:
        """Look at what the station itself needs; ``make bench`` measures the wire."""
        spent_s: list[float] = []
        station = self.world.station

        def timed(event: Event, now: float) -> Sequence[Action]:
            began = time.process_time()
            actions = type(station).handle(station, event, now)
            spent_s.append(time.process_time() - began)
            return actions

        station.handle = timed  # type: ignore[method-assign]
        for _ in range(RUNS):
            self.say(cm.CmSlacParmReq(run_id=RUN), 0.1)
            self.sound_out()
            self.say(KINDS_BUILT["CM_ATTEN_CHAR.RSP"](), 0.05)
            self.say(KINDS_BUILT["CM_SLAC_MATCH.REQ"](), 0.05)
        assert len(self.of(cm.CmSlacMatchCnf)) == RUNS
        assert sorted(spent_s)[int(len(spent_s) * 0.99)] <= ALMOST_ALL_S
        assert max(spent_s) <= MOST_S

    def match_fully(self) -> None:
        """Let a car match from its first request to the link, and find it served."""
        began = self.world.now
        self.say(cm.CmSlacParmReq(run_id=RUN), 0.1)
        assert self.of(cm.CmSlacParmCnf, began)
        self.sound_out()
        if not self.of(cm.CmAttenCharInd, began):
            self.settle(0.2)  # the first one was lost
        reports = self.of(cm.CmAttenCharInd, began)
        assert reports
        assert fits(reports[-1][1], {"num_sounds": 10})
        self.say(KINDS_BUILT["CM_ATTEN_CHAR.RSP"](), 0.05)
        self.say(KINDS_BUILT["CM_SLAC_MATCH.REQ"](), 0.05)
        assert self.of(cm.CmSlacMatchCnf, began)
        self.join()

    def _judge_message(self, one: Mapping[str, Any], since: float) -> float:
        kind = kind_of(one["mme"])
        if kind is cm.CmSetKeyReq:
            found = self.told(kind, 0.0)
            five_pct = [at for at, duty in self.duties if duty == 5.0]
            assert not five_pct or found[0][0] <= five_pct[0]
        else:
            found = self.of(kind, since)
        assert found, f"no {one['mme']}"
        if "repeat" in one:
            first = self.of(kind)[: 1 + one["repeat"] + 1]
            times = [at for at, _ in first]
            gaps = [b - a for a, b in pairwise(times)]
            assert gaps == pytest.approx([one["gap_s"]] * one["repeat"], abs=0.05)
            return since
        if "count" in one:
            evs = {getattr(m, "source_address", at) for at, m in self.told(kind, since)}
            assert len(evs) == one["count"]
            for name in one.get("same", ()):
                assert len({getattr(m, name) for _, m in found}) == 1
        matching = [(at, m) for at, m in found if fits(m, one.get("fields", {}))]
        assert matching, f"{one['mme']}: none of {found} fits"
        if one.get("within_s") is not None and not self.is_late_answer(one):
            assert matching[0][0] <= self.at + one["within_s"] + TOLERANCE_S
        return matching[0][0] + 1e-6 if "fields" in one else since

    @staticmethod
    def is_late_answer(one: Mapping[str, Any]) -> bool:
        return bool(one.get("fields", {}).get("toggle_num"))

    def _judge_cp(self, one: Mapping[str, Any], since: float) -> float:
        """Find a stretch of the duty, return its end."""
        accepts: Mapping[str, Callable[[float], bool]] = {
            "no_pwm": lambda duty: duty in (0.0, 100.0),
            "E_or_F": lambda duty: duty == 0.0,
            "5pct": lambda duty: duty == 5.0,
            "nominal": lambda duty: 10.0 <= duty <= 96.0,
            "X1": lambda duty: duty == 100.0,
        }
        ends = [at for at, _ in self.duties[1:]] + [self.world.now]
        for (at, duty), end in zip(self.duties, ends, strict=True):
            if end <= since or not accepts[one["cp"]](duty):
                continue
            began_s, lasted_s = at - since, end - at
            if "from_s" in one:
                assert one["from_s"] <= began_s <= one["to_s"] + 1e-6, (began_s, one)
            if "min_s" in one:
                assert lasted_s >= one["min_s"] - 1e-6, (lasted_s, one)
            if "max_s" in one:
                assert lasted_s <= one["max_s"], (lasted_s, one)
            return max(at, since)
        raise AssertionError(f"CP never was {one['cp']}: {self.duties}")


def request() -> Mme:
    return cm.CmSlacParmReq(run_id=RUN)


def sounding() -> Iterator[Mme]:
    for _ in range(3):
        yield KINDS_BUILT["CM_START_ATTEN_CHAR.IND"]()
    for cnt in reversed(range(10)):
        yield cm.CmMnbcSoundInd(cnt=cnt, run_id=RUN, rnd=bytes(16))


KINDS_BUILT: Mapping[str, Callable[[], Mme]] = {
    "CM_SLAC_PARM.REQ": request,
    "CM_START_ATTEN_CHAR.IND": lambda: cm.CmStartAttenCharInd(
        num_sounds=10, time_out=6, forwarding_sta=EV_MAC, run_id=RUN
    ),
    "CM_MNBC_SOUND.IND": lambda: cm.CmMnbcSoundInd(cnt=0, run_id=RUN, rnd=bytes(16)),
    "CM_ATTEN_CHAR.RSP": lambda: cm.CmAttenCharRsp(source_address=EV_MAC, run_id=RUN),
    "CM_VALIDATE.REQ": lambda: cm.CmValidateReq(timer=0, result=1),
    "CM_SLAC_MATCH.REQ": lambda: cm.CmSlacMatchReq(
        pev_mac=EV_MAC, evse_mac=EVSE_MAC, run_id=RUN
    ),
    "CM_AMP_MAP.REQ": lambda: cm.CmAmpMapReq(amlen=917, amdata=bytes(459)),
}


def built(one: Mapping[str, Any]) -> Mme:
    """Return the message of a stimulus, with its changes."""
    mme = KINDS_BUILT[one["mme"]]()
    changes = {name: value_of(value) for name, value in one.get("set", {}).items()}
    if one.get("run_id"):
        changes["run_id"] = OTHER_RUN
    if changes.get("amlen") == 0:
        changes["amdata"] = b""
    return changed(mme, **changes)


def changed(mme: Mme, **changes: object) -> Mme:
    """Return a message with other values; every kind of message is a dataclass."""
    values = {name: getattr(mme, name) for name in names_of(mme)}
    return type(mme)(**{**values, **changes})


def names_of(mme: Mme) -> list[str]:
    assert is_dataclass(mme)
    return [field.name for field in fields(mme)]


def value_of(value: object) -> object:
    named = {"EV_MAC": EV_MAC, "EVSE_MAC": EVSE_MAC, "R": RUN, "R_OTHER": OTHER_RUN}
    if not isinstance(value, str):
        return value
    return named[value] if value in named else bytes.fromhex(value.replace(":", ""))


def fits(mme: Mme, wanted: Mapping[str, object]) -> bool:
    names = names_of(mme)
    for name, value in wanted.items():
        if name == "num_groups":
            if not isinstance(mme, cm.CmAttenCharInd) or len(mme.aag_db) != value:
                return False
        elif name not in names or getattr(mme, name) != value_of(value):
            return False
    return True


def kind_of(name: str) -> type[Mme]:
    """Return CmSlacParmReq for CM_SLAC_PARM.REQ."""
    words = name.replace(".", "_").split("_")
    return KINDS["".join(word.capitalize() for word in words)]


def electrics(level: str) -> SetElectrics:
    return SetElectrics(None if level == "A" else CarElectrics(CarPilot[level]))


def _row_at(place: str, mode: str) -> Row:
    return Row(id="road", protocol="ISO15118-2", area="", precondition=place, mode=mode)


def watched_s(row: Mapping[str, Any]) -> float:
    """How long the station is watched before it is judged."""
    is_ac = (row.get("applicability") or {}).get("current") == "AC"
    if is_ac and not row.get("send"):
        return LONG_S
    if any("eim" in one for one in row.get("send") or ()):
        return CHANGE_S
    is_flow = any("flow" in one for one in row["expect"])
    return FLOW_S if is_flow else WATCH_S


ROWS = load()
pytestmark = pytest.mark.skipif(not ROWS, reason=f"{CASES} is not here")


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_station_keeps_the_case(row: Mapping[str, Any]) -> None:
    case = Case(row)
    PREPARED.get(row["id"], _nothing)(case)
    case.reach(row["start"])
    if act := ACTED.get(row["id"]):
        act(case)
    case.stimulate()
    case.run_to(case.at + watched_s(row))
    case.judge()
    assert case.world.invariants.violations == []
    EXTRA.get(row["id"], _nothing)(case)


# What the table says in words only.


def _nothing(_: Case) -> None:
    pass


def _never_answers_keys(case: Case) -> None:
    case.world.medium.drop_next(cm.CmSetKeyCnf.mmtype, 1000)


def _says_after(*steps: tuple[float, Callable[[], Mme]]) -> Callable[[Case], None]:
    def act(case: Case) -> None:
        for delay_s, make in steps:
            case.tester.plan(case.at, case.frame(make()))
            case.at += delay_s

    return act


def _sounds(case: Case, profile: Callable[[], None] = lambda: None) -> None:
    for mme in sounding():
        case.tester.plan(case.at, case.frame(mme))
        if isinstance(mme, cm.CmMnbcSoundInd):
            at = case.at - case.world.now
            case.world.after(at, profile)
        case.at += 0.03


def _tell_profile(case: Case, **changes: Any) -> None:
    given = {"pev_mac": EV_MAC, "aag_db": (60,) * 58, **changes}
    source = given.pop("source", bytes.fromhex("00b052ffffff"))
    raw = wire.build(BROADCAST_MAC, source, cm.CmAttenProfileInd(**given))
    case.world.tell(FrameIn(raw))


def _mean_db(case: Case) -> float:
    _, ind = case.of(cm.CmAttenCharInd)[-1]
    assert isinstance(ind, cm.CmAttenCharInd)
    return sum(ind.aag_db) / len(ind.aag_db)


def _is_own_mean(case: Case) -> None:
    assert 11 <= _mean_db(case) <= 17  # the twin's line, not the other modem's 60 dB


PREPARED: Mapping[str, Callable[[Case], None]] = {
    "F_SLAC_no_profiles": lambda c: c.world.medium.drop_next(
        cm.CmAttenProfileInd.mmtype, 100
    ),
    "F_SLAC_set_key_silent": lambda c: c.world.medium.drop_next(
        cm.CmSetKeyCnf.mmtype, 2
    ),
    "F_SLAC_set_key_never": _never_answers_keys,
}
OTHER_EV = bytes.fromhex("02ca00000099")


def _two_vehicles(case: Case) -> None:
    """Two EVs with the same run ID; the other one speaks through the same modem."""
    for mac in (EV_MAC, OTHER_EV):
        raw = wire.build(BROADCAST_MAC, mac, request())
        case.tester.plan(case.at, SendFrame(raw))
        case.at += 0.01
    case.at += 0.05
    for mme in sounding():
        for mac in (EV_MAC, OTHER_EV):
            told = mme
            if isinstance(mme, cm.CmStartAttenCharInd):
                told = replace(mme, forwarding_sta=mac)
            raw = wire.build(BROADCAST_MAC, mac, told)
            case.tester.plan(case.at, SendFrame(raw))
            case.at += 0.01


def _join_and_discover(case: Case) -> None:
    case.set_key()
    case.world.after(4.0, case.discover)


def _discover_early(case: Case) -> None:
    case.set_key()
    case.world.after(0.2, case.discover)


def _foreign_frames(case: Case) -> None:
    """Hand the station its own frames back, and a neighbour's answers."""
    neighbour = bytes.fromhex("02e5e0000077")
    answer = cm.CmSlacParmCnf(
        num_sounds=10, time_out=6, forwarding_sta=EV_MAC, run_id=RUN
    )
    report = cm.CmAttenCharInd(
        source_address=EV_MAC, run_id=RUN, num_sounds=10, aag_db=(9,) * 58
    )
    told = {EVSE_MAC: (request(), answer, report), neighbour: (answer, report)}
    for source, mmes in told.items():
        for mme in mmes:
            raw = wire.build(BROADCAST_MAC, source, mme)
            case.world.after(0.1, partial(case.world.tell, FrameIn(raw)))
    assert not case.of(cm.CmSlacParmCnf)


def _bounce(case: Case) -> None:
    for number in range(4):
        case.tester.plan(case.at, electrics("AB"[number % 2]))
        case.at += 0.02


def _slow_sounds(case: Case) -> None:
    start = cm.CmStartAttenCharInd(
        num_sounds=10, time_out=10, forwarding_sta=EV_MAC, run_id=RUN
    )
    case.tester.plan(case.at, case.frame(start))
    for cnt in reversed(range(10)):
        case.at += 0.09
        mme = cm.CmMnbcSoundInd(cnt=cnt, run_id=RUN, rnd=bytes(16))
        case.tester.plan(case.at, case.frame(mme))


def _sounds_loud_then_quiet(case: Case) -> None:
    case.say(request(), 0.1)
    case.sound_out()
    case.mean_db = _mean_db(case)
    usual_db = WorldSettings().medium.attenuation_db
    case.world.medium.couple(EVSE, EV, usual_db + QUIETER_DB)
    case.say(request(), 0.1)
    case.sound_out()


def _wake(case: Case) -> None:
    case.world.tell(WakeUp())
    case.world.after(1.0, case.discover)


def _wake_without_modem(case: Case) -> None:
    """Wake a car whose modem is gone; much later it is there and asks anew."""
    case.world.medium.cut(EV)
    case.settle(30.0)
    case.toggle(1)
    case.began = case.world.now
    case.world.after(BACK_S - 1.0, lambda: case.world.medium.mend(EV))
    case.at = case.world.now + BACK_S
    case.tester.plan(case.at, case.frame(request()))


def _end_session(case: Case) -> None:
    """End the session as a car does: its connection is closed after the answer."""
    assert case.talker is not None
    good(case.talker, "SessionStopReq", ChargingSession="Terminate")
    case.world.drop_connection()
    case.began = case.at = case.world.now


ACTED: Mapping[str, Callable[[Case], None]] = {
    ENDS: _end_session,
    "TC_SECC_CMN_VTB_PLCLinkStatus_005": _wake,
    "TC_SECC_CMN_VTB_PLCLinkStatus_006": _wake_without_modem,
    "TC_SECC_CMN_VTB_PLCLinkStatus_010": lambda c: c.world.after(1.5, c.discover),
    QUIETER: _sounds_loud_then_quiet,
    "F_SLAC_foreign_profile": lambda c: _sounds(c, partial(_tell_profile, c)),
    "F_SLAC_profile_other_vehicle": lambda c: _sounds(
        c, partial(_tell_profile, c, pev_mac=OTHER_EV)
    ),
    "F_SLAC_no_profiles": _sounds,
    "F_SLAC_vendor_indication": _sounds,
    "F_SLAC_average_value": _sounds,
    "F_SLAC_fast_match": _says_after(
        (0.002, KINDS_BUILT["CM_ATTEN_CHAR.RSP"]),
        (0.1, KINDS_BUILT["CM_SLAC_MATCH.REQ"]),
    ),
    "F_SLAC_bad_parm_then_good": _says_after(
        (0.05, lambda: cm.CmSlacParmReq(run_id=RUN, application_type=0xFF)),
        (0.05, lambda: cm.CmSlacParmReq(run_id=RUN, security_type=0xFF)),
        (0.05, request),
    ),
    "F_SLAC_trailing_bytes": _says_after((0.05, request)),
    "F_SLAC_timeout_field_honoured": _slow_sounds,
    "F_SLAC_early_sdp": _discover_early,
    "TC_SECC_CMN_VTB_PLCLinkStatus_001": _join_and_discover,
    "F_SLAC_same_runid_two_vehicles": _two_vehicles,
    "F_SLAC_lost_ind": lambda c: c.world.medium.drop_next(cm.CmAttenCharInd.mmtype),
    "F_SLAC_restart_mid_sounding": _says_after(
        *[(0.03, partial(changed, mme)) for mme in list(sounding())[:8]]
    ),
    "F_SLAC_own_frames": _foreign_frames,
    "F_SLAC_cp_bounce": _bounce,
    "F_SLAC_set_key_silent": lambda c: c.set_cp("B"),
}


def _is_framed_well(case: Case) -> None:
    lengths = {"CmAttenCharInd": 129, "CmSlacMatchCnf": 109}
    for _, mme, raw in case.sent:
        assert len(raw) >= 60
        assert len(raw) == lengths.get(type(mme).__name__, len(raw))


def _asks_one_key_at_a_time(case: Case) -> None:
    keys = [at for at, _ in case.told(cm.CmSetKeyReq, 0.0)]
    assert all(b - a >= 0.5 for a, b in pairwise(keys))


def _never_in_f(case: Case) -> None:
    assert 0.0 not in [duty for at, duty in case.duties if at >= case.began]


def _is_another_network(case: Case) -> None:
    """Find nobody in the network of the station's modem, and its key changed."""
    modem = case.world.medium.modem
    assert modem(EVSE).nmk != modem(EV).nmk


EXTRA: Mapping[str, Callable[[Case], None]] = {
    "TC_SECC_AC_VTB_PLCLinkStatus_001": _never_in_f,
    "TC_SECC_AC_VTB_CmSlacParm_004": _never_in_f,
    ENDS: _is_another_network,
    "F_SLAC_frame_length": _is_framed_well,
    "F_SLAC_set_key_silent": _asks_one_key_at_a_time,
    "F_SLAC_cp_bounce": _asks_one_key_at_a_time,
    "F_SLAC_foreign_profile": _is_own_mean,
    "F_SLAC_profile_other_vehicle": _is_own_mean,
}
