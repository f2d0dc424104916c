"""SLAC on the EVSE side (ISO 15118-3, annex A).

Several EVs may sound at once, since neighbouring cables couple: each has a run of
its own, the charger reports honestly to all of them and the EV chooses. One run:

    WAIT_START --START--> SOUNDING --all in, or window over--> WAIT_RSP
        --RSP--> WAIT_MATCH --MATCH.REQ--> CNF, all other runs are forgotten
                   | ^ VALIDATE, where the EV wants it (``slac.validation``)

A run that is late anywhere is dropped in silence; the EV begins again by itself.
The key handed out is the one the station has already put into its modem.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from pilothat.homeplug.cm import (
    ANY_ID,
    MVF_LENGTH_REQ,
    RESP_TYPE_OTHER,
    RESULT_OK,
    CmAmpMapCnf,
    CmAmpMapReq,
    CmAttenCharRsp,
    CmAttenProfileInd,
    CmMnbcSoundInd,
    CmSlacMatchCnf,
    CmSlacMatchReq,
    CmSlacParmCnf,
    CmSlacParmReq,
    CmStartAttenCharInd,
    CmValidateCnf,
    CmValidateReq,
)
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.machine import earliest, is_due
from pilothat.slac import timing
from pilothat.slac.ampmap import AmpMap
from pilothat.slac.events import (
    LinkChanged,
    PilotToggled,
    SlacAction,
    SlacEvent,
    SlacFailed,
    SlacFailure,
    SlacMatched,
    SlacStart,
    SlacStop,
    Step,
)
from pilothat.slac.run import START_WAIT_S, Run, RunState, is_plain
from pilothat.slac.settings import SlacSettings, Validates
from pilothat.slac.validation import Result, Validation, is_first_step, told

_TIME_OUT = round(timing.TT_EVSE_MATCH_MNBC_S * timing.TIME_OUT_PER_S)
_GROUP_BIT = 1  # of the first MAC byte: no station sends from such an address


class State(Enum):
    """Where the matching as a whole stands."""

    IDLE = auto()
    WAIT_PARM = auto()
    MATCHING = auto()
    WAIT_LINK = auto()
    MATCHED = auto()
    FAILED = auto()


_AFTER_MATCH = (State.WAIT_LINK, State.MATCHED)
_FAILURES = {
    State.WAIT_PARM: SlacFailure.INIT,
    State.MATCHING: SlacFailure.MATCH,
    State.WAIT_LINK: SlacFailure.JOIN,
}


class EvseSlac:
    """Match one EV. Fed with messages and the time; returns what to do."""

    def __init__(self, host_mac: bytes, settings: SlacSettings | None = None) -> None:
        self.state = State.IDLE
        self._host_mac = host_mac
        self._settings = settings or SlacSettings()
        self._deadline: float | None = None
        self._runs: dict[bytes, Run] = {}  # by EV MAC, oldest first
        self._key: SlacStart | None = None
        self._cnf: CmSlacMatchCnf | None = None  # what the matched EV got
        self._is_link_up = False
        self._amp_map = AmpMap(self._settings.weaker_by_db)

    @property
    def deadline(self) -> float | None:
        """Return when ``tick`` is due."""
        first = earliest(self._deadline, self._amp_map.deadline)
        for run in self._runs.values():
            first = earliest(first, run.deadline)
        return first

    @property
    def runs(self) -> int:
        """Return how many EVs are being matched."""
        return len(self._runs)

    def handle(self, event: SlacEvent, now: float) -> Sequence[SlacAction]:
        """Take one event."""
        late = self.tick(now)
        match event:
            case MmeIn(frame):
                return (*late, *self._hear(frame, now))
            case SlacStart():
                self._key = event
                self._restart(State.WAIT_PARM, now + self._settings.init_s)
            case SlacStop():
                self._key = None
                self._restart(State.IDLE, None)
            case PilotToggled(wants_energy):
                self._see(now, wants_energy=wants_energy)
            case LinkChanged(up):
                return (*late, *self._link(now, is_up=up))
        return late

    def tick(self, now: float) -> Sequence[SlacAction]:
        """Let time pass. Harmless when called early or twice."""
        if not is_due(self.deadline, now):
            return ()
        actions = [*self._ask_weaker(self._amp_map.tick(now))]
        for run in tuple(self._runs.values()):
            if is_due(run.deadline, now):
                actions += self._run_is_due(run, now)
        if is_due(self._deadline, now):
            reason = _FAILURES[self.state]
            self._restart(State.FAILED, None)
            actions.append(SlacFailed(reason))
        return actions

    def _hear(self, frame: Frame, now: float) -> Sequence[SlacAction]:
        is_for_us = frame.destination in (self._host_mac, BROADCAST_MAC)
        is_forged = frame.source[0] & _GROUP_BIT or frame.source == self._host_mac
        if not is_for_us or is_forged:
            return ()
        if isinstance(frame.mme, CmSlacParmReq):
            return self._request(frame.source, frame.mme, now)
        if self.state is State.MATCHING:
            return self._hear_run(frame, now)
        if self.state in _AFTER_MATCH:
            return self._hear_matched(frame)
        return ()

    def _request(
        self, ev_mac: bytes, mme: CmSlacParmReq, now: float
    ) -> Sequence[SlacAction]:
        if not is_plain(mme) or not self._serves(ev_mac):
            return ()
        is_first = self.state is not State.MATCHING
        if is_first:
            self._restart(State.MATCHING, None)
        run = self._open_run(ev_mac, mme.run_id, now)
        cnf = CmSlacParmCnf(
            num_sounds=timing.C_EV_MATCH_MNBC,
            time_out=_TIME_OUT,
            forwarding_sta=ev_mac,
            run_id=mme.run_id,
        )
        answer = SendMme(ev_mac, cnf)
        return (answer, run.progress(Step.REQUESTED)) if is_first else (answer,)

    def _serves(self, ev_mac: bytes) -> bool:
        """Tell whether a request of this EV is answered now.

        After a match only the same EV is, and only while there is no link: it has
        begun again.
        """
        if self.state in _AFTER_MATCH:
            return not self._is_link_up and self._is_matched_to(ev_mac)
        return self.state in (State.WAIT_PARM, State.MATCHING)

    def _open_run(self, ev_mac: bytes, run_id: bytes, now: float) -> Run:
        """Begin or begin again with an EV.

        Room for one more is made by the oldest run that has not sounded: a flood of
        requests pushes out itself and not the car that is being measured.
        """
        self._deadline = None
        self._runs.pop(ev_mac, None)
        if len(self._runs) >= self._settings.max_runs:
            waiting = (r for r in self._runs.values() if r.state is RunState.WAIT_START)
            oldest = next(waiting, next(iter(self._runs.values())))
            del self._runs[oldest.ev_mac]
        run = self._runs[ev_mac] = Run(ev_mac, run_id, now + START_WAIT_S)
        return run

    def _hear_run(self, frame: Frame, now: float) -> Sequence[SlacAction]:
        mme = frame.mme
        # A profile comes from our modem, names the EV and carries no run ID.
        ev_mac = mme.pev_mac if isinstance(mme, CmAttenProfileInd) else frame.source
        run = self._runs.get(ev_mac)
        if run is None:
            return ()
        actions: Sequence[SlacAction] = ()
        match run.state, mme:
            case RunState.WAIT_START, CmStartAttenCharInd():
                actions = self._start(run, mme, now)
            case RunState.SOUNDING, CmMnbcSoundInd() | CmAttenProfileInd():
                run.listen(frame, now)
            case RunState.WAIT_RSP, CmAttenCharRsp():
                actions = self._acknowledge(run, mme, now)
            case RunState.WAIT_MATCH, CmValidateReq():
                actions = self._validate(run, mme, now)
            case RunState.VALIDATING, CmValidateReq() if run.validation:
                cnf = run.validation.hear(mme, now)
                actions = self._follow(run, run.validation, cnf, now)
            case RunState.WAIT_MATCH, CmSlacMatchReq():
                actions = self._match(run, mme, now)
        return actions

    def _start(
        self, run: Run, mme: CmStartAttenCharInd, now: float
    ) -> Sequence[SlacAction]:
        is_valid = (
            is_plain(mme)
            and mme.num_sounds > 0
            and mme.time_out > 0
            and mme.resp_type == RESP_TYPE_OTHER
            and mme.forwarding_sta == run.ev_mac
            and mme.run_id == run.run_id
        )
        if not is_valid or self._key is None:
            return ()
        run.start(mme, self._key.modem_mac, now)
        return (run.progress(Step.SOUNDING),)

    def _run_is_due(self, run: Run, now: float) -> Sequence[SlacAction]:
        if run.validation is not None:
            cnf = run.validation.tick(now)
            return self._follow(run, run.validation, cnf, now)
        if run.state is RunState.SOUNDING:
            settings = self._settings
            report = run.sounding.report(
                settings.attn_rx_db, invents=settings.invents_attenuation
            )
            if report is not None:
                ind = SendMme(run.ev_mac, run.indication(report, now))
                return (ind, run.progress(Step.REPORTED))
        elif run.report is not None and self._may_repeat(run):
            return (SendMme(run.ev_mac, run.indication(run.report, now)),)
        return self._drop(run, now)

    def _may_repeat(self, run: Run) -> bool:
        is_unanswered = run.state is RunState.WAIT_RSP
        return is_unanswered and run.tries <= timing.C_EV_MATCH_RETRY

    def _drop(self, run: Run, now: float) -> Sequence[SlacAction]:
        """Forget a run; after the last one the EV has some time to begin again."""
        del self._runs[run.ev_mac]
        if not self._runs:
            self._enter(State.MATCHING, now + timing.TT_MATCHING_REPETITION_S)
        is_worth_telling = run.state is not RunState.WAIT_START
        return (run.progress(Step.DROPPED),) if is_worth_telling else ()

    def _acknowledge(
        self, run: Run, mme: CmAttenCharRsp, now: float
    ) -> Sequence[SlacAction]:
        is_valid = (
            is_plain(mme)
            and mme.source_address == run.ev_mac
            and mme.run_id == run.run_id
            and self._takes_ids(mme.source_id, mme.resp_id)
            and mme.result == RESULT_OK
        )
        if not is_valid:
            return ()
        run.enter(RunState.WAIT_MATCH, now + timing.TT_EVSE_MATCH_SESSION_S)
        return (run.progress(Step.ACKNOWLEDGED),)

    def _validate(
        self, run: Run, mme: CmValidateReq, now: float
    ) -> Sequence[SlacAction]:
        """Take the first step of a validation; a lonely EV has no need of it."""
        if not is_first_step(mme):
            return ()
        policy, others = self._settings.validates, list(self._runs.values())
        result = Result.READY
        if policy is Validates.NEVER:
            result = Result.FAILURE
        elif policy is Validates.WHEN_NEEDED and len(others) == 1:
            result = Result.NOT_REQUIRED
        elif any(other.validation is not None for other in others):
            result = Result.NOT_READY
        else:
            run.validation = Validation(now)
            run.enter(RunState.VALIDATING, run.validation.deadline)
        return (SendMme(run.ev_mac, told(result)),)

    def _see(self, now: float, *, wants_energy: bool) -> None:
        for run in self._runs.values():
            if run.validation is not None:
                run.validation.see(wants_energy=wants_energy, now=now)

    def _follow(
        self, run: Run, validation: Validation, cnf: CmValidateCnf | None, now: float
    ) -> Sequence[SlacAction]:
        """Go on with a validation; say what it says."""
        if validation.is_over:
            return self._drop(run, now)
        run.deadline = validation.deadline
        if cnf is None:
            return ()
        answer = SendMme(run.ev_mac, cnf)
        if not validation.is_done:
            return (answer,)
        run.validation = None
        run.enter(RunState.WAIT_MATCH, now + START_WAIT_S)
        return (answer, run.progress(Step.VALIDATED))

    def _match(self, run: Run, mme: CmSlacMatchReq, now: float) -> Sequence[SlacAction]:
        if self._key is None or not self._is_our_match(run.ev_mac, run.run_id, mme):
            return ()
        cnf = CmSlacMatchCnf(
            pev_mac=run.ev_mac,
            evse_mac=self._host_mac,
            run_id=run.run_id,
            nid=self._key.nid,
            nmk=self._key.nmk,
        )
        self._restart(State.WAIT_LINK, now + timing.TT_MATCH_JOIN_S)
        self._cnf = cnf
        return (SendMme(run.ev_mac, cnf), SlacMatched(run.ev_mac, run.run_id))

    def _hear_matched(self, frame: Frame) -> Sequence[SlacAction]:
        cnf, mme = self._cnf, frame.mme
        if cnf is None or frame.source != cnf.pev_mac:
            return ()
        match mme:
            case CmSlacMatchReq() if self.state is State.WAIT_LINK:
                if self._is_our_match(cnf.pev_mac, cnf.run_id, mme):
                    return (SendMme(frame.source, cnf),)  # the first one was lost
            case CmAmpMapReq(amlen=amlen) if amlen > 0:
                # Whether our modem can do it or not: the EV is told that we agree.
                passed_on = SendMme(LOCAL_MODEM_MAC, mme)
                return (SendMme(frame.source, CmAmpMapCnf()), passed_on)
            case CmAmpMapCnf():
                self._amp_map.end()  # also when it refuses: it was a wish
        return ()

    def _link(self, now: float, *, is_up: bool) -> Sequence[SlacAction]:
        self._amp_map.end()
        self._is_link_up = is_up and self.state in _AFTER_MATCH
        if not is_up or self.state is not State.WAIT_LINK:
            return ()
        self._enter(State.MATCHED, None)
        return self._ask_weaker(self._amp_map.begin(now))

    def _ask_weaker(self, req: CmAmpMapReq | None) -> Sequence[SlacAction]:
        if req is None or self._cnf is None:
            return ()
        return (SendMme(self._cnf.pev_mac, req),)

    def _is_our_match(self, ev_mac: bytes, run_id: bytes, mme: CmSlacMatchReq) -> bool:
        return (
            is_plain(mme)
            and mme.mvf_length == MVF_LENGTH_REQ
            and self._takes_ids(mme.pev_id, mme.evse_id)
            and mme.pev_mac == ev_mac
            and mme.evse_mac == self._host_mac
            and mme.run_id == run_id
        )

    def _takes_ids(self, *ids: bytes) -> bool:
        return not self._settings.strict_ids or all(i == ANY_ID for i in ids)

    def _is_matched_to(self, ev_mac: bytes) -> bool:
        return self._cnf is not None and self._cnf.pev_mac == ev_mac

    def _restart(self, state: State, deadline: float | None) -> None:
        """Forget all EVs and go to a state."""
        self._runs.clear()
        self._cnf = None
        self._is_link_up = False
        self._amp_map.end()
        self._enter(state, deadline)

    def _enter(self, state: State, deadline: float | None) -> None:
        self.state, self._deadline = state, deadline
