"""SLAC on the EV side (ISO 15118-3, annex A), with the habits of real cars as settings.

One attempt: ask all chargers in reach, announce, sound, collect their reports,
acknowledge each, then ask the one that hears us best for its key. What leaves later
than now waits in an outbox with its time; a new attempt empties it.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from pilothat.homeplug.cm import (
    MVF_LENGTH_CNF,
    RESP_TYPE_OTHER,
    CmAmpMapCnf,
    CmAmpMapReq,
    CmAttenCharInd,
    CmAttenCharRsp,
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
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC, Frame
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.machine import Entropy, earliest, is_due
from pilothat.slac import timing
from pilothat.slac.events import (
    EvSlacAction,
    EvSlacEvent,
    EvSlacFailed,
    EvSlacFailure,
    EvSlacMatched,
    EvSlacStart,
    EvSlacStop,
    ToggleS2,
)
from pilothat.slac.settings import EvSlacSettings, RndStyle, RunIdStyle, StartFrom
from pilothat.slac.validation import TIMER_S, Result

RUN_ID_BYTES = 8
RND_BYTES = 16


class State(Enum):
    """Where the EV stands."""

    IDLE = auto()
    REQUESTING = auto()  # CM_SLAC_PARM.REQ is out
    ANSWERED = auto()  # somebody answered; START follows
    SOUNDING = auto()  # START, sounds and reports
    VALIDATING = auto()  # asked whether the charger is ready to count
    TOGGLING = auto()  # S2, while the charger counts
    MATCHING = auto()  # CM_SLAC_MATCH.REQ is out
    PAUSING = auto()  # between two attempts
    MATCHED = auto()
    FAILED = auto()


_UNHEARD = {
    State.REQUESTING: EvSlacFailure.NO_CHARGER,
    State.TOGGLING: EvSlacFailure.NOT_VALIDATED,
}


class EvSlac:
    """Find the charger we are plugged into."""

    def __init__(
        self, host_mac: bytes, settings: EvSlacSettings, entropy: Entropy
    ) -> None:
        self.state = State.IDLE
        self._host_mac = host_mac
        self._settings = settings
        self._entropy = entropy
        self._deadline: float | None = None
        self._outbox: list[tuple[float, SendMme | ToggleS2]] = []  # in order of time
        self._run_id = bytes(RUN_ID_BYTES)
        self._attempts = 0
        self._began_at = 0.0  # the first attempt
        self._tries = 0  # of the present request
        self._requested_at = 0.0
        self._mean_db: dict[bytes, float | None] = {}  # by EVSE MAC; None: no report
        self._chosen = b""

    @property
    def deadline(self) -> float | None:
        """Return when ``tick`` is due."""
        return earliest(self._deadline, self._outbox[0][0] if self._outbox else None)

    @property
    def attempts(self) -> int:
        """Return how many whole matchings were begun."""
        return self._attempts

    def handle(self, event: EvSlacEvent, now: float) -> Sequence[EvSlacAction]:
        """Take one event."""
        late = self.tick(now)
        match event:
            case MmeIn(frame):
                return (*late, *self._hear(frame, now))
            case EvSlacStart():
                self._attempts = 0
                self._began_at = now
                return (*late, *self._attempt(now))
            case EvSlacStop():
                self._outbox.clear()
                self._enter(State.IDLE, None)
        return late

    def tick(self, now: float) -> Sequence[EvSlacAction]:
        """Let time pass. Harmless when called early or twice."""
        if not is_due(self.deadline, now):
            return ()
        actions: list[EvSlacAction] = []
        while self._outbox and is_due(self._outbox[0][0], now):
            actions.append(self._outbox.pop(0)[1])
        if is_due(self._deadline, now):
            actions += self._is_due(now)
        return actions

    def _is_due(self, now: float) -> Sequence[EvSlacAction]:
        """Take the deadline of the present state."""
        match self.state:
            case State.REQUESTING if self._tries < self._settings.requests:
                return self._request(now)
            case State.REQUESTING | State.TOGGLING:
                return self._give_up(_UNHEARD[self.state], now)
            case State.ANSWERED:
                return self._sound(now)
            case State.SOUNDING:
                return self._choose(now)
            case State.VALIDATING | State.MATCHING:
                return self._ask_again(now)
        return self._attempt(now)

    def _hear(self, frame: Frame, now: float) -> Sequence[EvSlacAction]:
        if frame.destination != self._host_mac:
            return ()
        actions: Sequence[EvSlacAction] = ()
        match self.state, frame.mme:
            case State.REQUESTING | State.ANSWERED, CmSlacParmCnf() as cnf:
                self._answered(frame.source, cnf, now)
            case State.SOUNDING | State.VALIDATING | State.MATCHING, CmAttenCharInd():
                self._reported(frame.source, frame.mme, now)
            case State.VALIDATING | State.TOGGLING, CmValidateCnf() as validate_cnf:
                if frame.source == self._chosen:
                    actions = self._validated(validate_cnf, now)
            case State.MATCHING, CmSlacMatchCnf() as match_cnf:
                actions = self._matched(match_cnf)
            case State.MATCHED, CmAmpMapReq() if frame.source == self._chosen:
                actions = (
                    SendMme(frame.source, CmAmpMapCnf()),
                    SendMme(LOCAL_MODEM_MAC, frame.mme),
                )
        return actions

    # One attempt, step by step.

    def _attempt(self, now: float) -> Sequence[EvSlacAction]:
        self._attempts += 1
        self._tries = 0
        self._mean_db.clear()
        self._run_id = self._new_run_id()
        self._outbox.clear()
        return self._request(now)

    def _new_run_id(self) -> bytes:
        match self._settings.run_id:
            case RunIdStyle.RANDOM:
                return self._entropy(RUN_ID_BYTES)
            case RunIdStyle.MAC:
                return self._host_mac.ljust(RUN_ID_BYTES, b"\0")
            case fixed:
                return fixed

    def _request(self, now: float) -> Sequence[EvSlacAction]:
        request = SendMme(BROADCAST_MAC, CmSlacParmReq(run_id=self._run_id))
        self._tries += 1
        self._requested_at = now
        self._enter(State.REQUESTING, now + self._settings.request_spacing_s)
        if self._settings.doubled_after_s is not None:
            self._post(now + self._settings.doubled_after_s, request)
        return (request,)

    def _answered(self, evse_mac: bytes, cnf: CmSlacParmCnf, now: float) -> None:
        """Take one charger's answer; the first one fixes the time of START."""
        is_valid = (
            cnf.run_id == self._run_id
            and cnf.application_type == cnf.security_type == 0
            and cnf.resp_type == RESP_TYPE_OTHER
            and cnf.forwarding_sta == self._host_mac
        )
        if not is_valid:
            return
        self._mean_db.setdefault(evse_mac, None)
        if self.state is State.REQUESTING:
            settings = self._settings
            is_from_cnf = settings.start_from is StartFrom.CNF
            start = now if is_from_cnf else self._requested_at
            self._enter(State.ANSWERED, max(now, start + settings.start_delay_s))

    def _sound(self, now: float) -> Sequence[EvSlacAction]:
        """Announce, sound, and listen for the reports all the while."""
        settings = self._settings
        self._outbox.clear()
        self._enter(State.SOUNDING, now + timing.TT_EV_ATTEN_RESULTS_S)
        start = CmStartAttenCharInd(
            num_sounds=settings.sounds,
            time_out=settings.time_out,
            forwarding_sta=self._host_mac,
            run_id=self._run_id,
        )
        at = now
        for _ in range(timing.C_EV_START_ATTEN_CHAR_INDS):
            self._post(at, SendMme(BROADCAST_MAC, start))
            at += settings.start_spacing_s
        at += settings.sound_spacing_s - settings.start_spacing_s
        rnd = settings.rnd if isinstance(settings.rnd, bytes) else None
        for cnt in reversed(range(settings.sounds)):
            if rnd is None or settings.rnd is RndStyle.RANDOM:
                rnd = self._entropy(RND_BYTES)
            sound = CmMnbcSoundInd(cnt=cnt, run_id=self._run_id, rnd=rnd)
            self._post(at, SendMme(BROADCAST_MAC, sound))
            at += settings.sound_spacing_s
        return self.tick(now)

    def _reported(self, evse_mac: bytes, ind: CmAttenCharInd, now: float) -> None:
        """Acknowledge a report, also a repeated one; decide after the last."""
        is_valid = (
            ind.run_id == self._run_id
            and ind.source_address == self._host_mac
            and ind.application_type == ind.security_type == 0
            and evse_mac in self._mean_db
            and len(ind.aag_db) > 0
        )
        if not is_valid:
            return
        rsp = CmAttenCharRsp(source_address=self._host_mac, run_id=self._run_id)
        self._post(now + self._settings.rsp_delay_s, SendMme(evse_mac, rsp))
        if self.state is not State.SOUNDING:
            return
        mean_db = sum(ind.aag_db) / len(ind.aag_db)
        if self._is_credible(mean_db):
            self._mean_db[evse_mac] = mean_db
        if None not in self._mean_db.values():
            settings = self._settings
            decide_at = now + settings.rsp_delay_s + settings.match_delay_s
            self._enter(State.SOUNDING, decide_at)

    def _is_credible(self, mean_db: float) -> bool:
        settings = self._settings
        is_near = settings.most_db is None or mean_db <= settings.most_db
        return is_near and (mean_db > 0 or not settings.refuses_zero_db)

    def _choose(self, now: float) -> Sequence[EvSlacAction]:
        """Take the charger that hears us best."""
        reports = ((db, mac) for mac, db in self._mean_db.items() if db is not None)
        best = min(reports, default=None)
        if best is None:
            return self._give_up(EvSlacFailure.NO_REPORT, now)
        _, self._chosen = best
        is_next = State.VALIDATING if self._settings.validates else State.MATCHING
        return self._ask(is_next, now)

    def _ask(self, state: State, now: float) -> Sequence[EvSlacAction]:
        self._tries = 0
        self._enter(state, now)
        return self._ask_again(now)

    def _ask_again(self, now: float) -> Sequence[EvSlacAction]:
        """Send the request of this state, as often as C_EV_match_retry allows."""
        if self._tries > timing.C_EV_MATCH_RETRY:
            return self._give_up(EvSlacFailure.NO_MATCH, now)
        self._tries += 1
        self._enter(self.state, now + timing.TT_MATCH_RESPONSE_S)
        mme: Mme = CmValidateReq(timer=0, result=Result.READY)
        if self.state is State.MATCHING:
            mme = CmSlacMatchReq(
                pev_id=self._settings.pev_id,
                pev_mac=self._host_mac,
                evse_mac=self._chosen,
                run_id=self._run_id,
            )
        return (SendMme(self._chosen, mme),)

    def _validated(self, cnf: CmValidateCnf, now: float) -> Sequence[EvSlacAction]:
        """Toggle S2 where the charger is ready to count, else go on without."""
        if self.state is State.TOGGLING:
            is_ours = cnf.toggle_num == timing.C_VALD_NB_TOGGLES
            if cnf.result == Result.READY:
                return ()  # said again while our request was under way
            if cnf.result == Result.SUCCESS and is_ours:
                return self._ask(State.MATCHING, now)
            failed = self._give_up(EvSlacFailure.NOT_VALIDATED, now)
            return (ToggleS2(closed=False), *failed)
        if cnf.result == Result.NOT_READY:
            return ()
        if cnf.result != Result.READY:
            return self._ask(State.MATCHING, now)
        return self._toggle(now)

    def _toggle(self, now: float) -> Sequence[EvSlacAction]:
        """Announce toggles of S2 and post them."""
        window_s = timing.TP_EV_VALD_TOGGLE_S
        answer_s = timing.TT_MATCH_RESPONSE_S
        self._enter(State.TOGGLING, now + window_s + answer_s)
        at = now
        for change in range(2 * timing.C_VALD_NB_TOGGLES):
            at += timing.EV_VALD_STATE_S
            self._post(at, ToggleS2(closed=change % 2 == 0))
        timer = round(window_s / TIMER_S) - 1
        return (SendMme(self._chosen, CmValidateReq(timer=timer, result=Result.READY)),)

    def _matched(self, cnf: CmSlacMatchCnf) -> Sequence[EvSlacAction]:
        is_valid = (
            cnf.run_id == self._run_id
            and cnf.pev_mac == self._host_mac
            and cnf.evse_mac == self._chosen
            and cnf.mvf_length == MVF_LENGTH_CNF
            and cnf.application_type == cnf.security_type == 0
        )
        if not is_valid:
            return ()
        self._enter(State.MATCHED, None)
        return (EvSlacMatched(cnf.nid, cnf.nmk, cnf.evse_mac),)

    def _give_up(self, reason: EvSlacFailure, now: float) -> Sequence[EvSlacAction]:
        """End the attempt; begin another one after a pause, unless it was the last."""
        settings = self._settings
        self._outbox.clear()
        again_at = now + settings.attempt_pause_s
        is_last = self._attempts >= settings.attempts
        if is_last or again_at - self._began_at > settings.repetition_s:
            self._enter(State.FAILED, None)
            return (EvSlacFailed(reason),)
        self._enter(State.PAUSING, again_at)
        return ()

    def _post(self, at: float, action: SendMme | ToggleS2) -> None:
        self._outbox.append((at, action))
        self._outbox.sort(key=lambda entry: entry[0])

    def _enter(self, state: State, deadline: float | None) -> None:
        self.state, self._deadline = state, deadline
