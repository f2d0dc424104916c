"""One EV on its way through the matching, as the EVSE follows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto

from pilothat.homeplug.cm import (
    CmAttenCharInd,
    CmAttenCharRsp,
    CmAttenProfileInd,
    CmMnbcSoundInd,
    CmSlacMatchReq,
    CmSlacParmReq,
    CmStartAttenCharInd,
)
from pilothat.homeplug.frame import Frame
from pilothat.slac import timing
from pilothat.slac.events import SlacProgress, Step
from pilothat.slac.sounding import Report, Sounding
from pilothat.slac.validation import Validation

START_WAIT_S = timing.TT_MATCH_SEQUENCE_S + timing.MATCH_SEQUENCE_GRACE_S

Typed = (
    CmSlacParmReq
    | CmStartAttenCharInd
    | CmMnbcSoundInd
    | CmAttenCharRsp
    | CmSlacMatchReq
)


def is_plain(mme: Typed) -> bool:
    """Tell whether a message is EV-EVSE matching without security."""
    return mme.application_type == 0 and mme.security_type == 0


class RunState(Enum):
    """Where one EV stands."""

    WAIT_START = auto()
    SOUNDING = auto()
    WAIT_RSP = auto()
    WAIT_MATCH = auto()
    VALIDATING = auto()


@dataclass(slots=True)
class Run:
    """One EV; always with a deadline."""

    ev_mac: bytes
    run_id: bytes
    deadline: float
    state: RunState = RunState.WAIT_START
    sounding: Sounding = field(default_factory=lambda: Sounding(0, None))
    window_end: float = 0.0
    report: Report | None = None
    tries: int = 0
    validation: Validation | None = None

    def start(
        self, mme: CmStartAttenCharInd, modem_mac: bytes | None, now: float
    ) -> None:
        """Open the window for the sounds a valid START announces.

        An absurd TIME_OUT is cut to what we honour; no run listens for ever.
        """
        window_s = mme.time_out / timing.TIME_OUT_PER_S
        window_s = min(window_s, timing.MATCH_MNBC_MAX_S)
        expected = min(mme.num_sounds, timing.C_EV_MATCH_MNBC)
        self.sounding = Sounding(expected, modem_mac)
        self.window_end = now + window_s
        self.enter(RunState.SOUNDING, self.window_end)

    def listen(self, frame: Frame, now: float) -> None:
        """Take a sound, or what the modem measured of it.

        The report leaves soon after the last one, never after the window.
        """
        match frame.mme:
            case CmMnbcSoundInd() as mme if is_plain(mme) and mme.run_id == self.run_id:
                self.sounding.add_sound(mme.cnt)
            case CmAttenProfileInd(aag_db=aag_db):
                self.sounding.add_profile(frame.source, aag_db)
        if self.sounding.is_complete:
            wait_s = 0.0 if self.sounding.is_full else timing.PROFILE_WAIT_S
            self.deadline = min(self.window_end, now + wait_s)

    def indication(self, report: Report, now: float) -> CmAttenCharInd:
        """Return the report as a message; its acknowledgement is awaited from now."""
        self.report = report
        self.tries += 1
        self.enter(RunState.WAIT_RSP, now + timing.TT_MATCH_RESPONSE_S)
        return CmAttenCharInd(
            source_address=self.ev_mac,
            run_id=self.run_id,
            num_sounds=report.sounds,
            aag_db=report.aag_db,
        )

    def progress(self, step: Step) -> SlacProgress:
        """Return where this EV stands, for log and display."""
        return SlacProgress(
            step=step,
            ev_mac=self.ev_mac,
            run_id=self.run_id,
            sounds=self.sounding.sounds,
            mean_db=self.report.mean_db if self.report else None,
            is_measured=self.report.is_measured if self.report else True,
        )

    def enter(self, state: RunState, deadline: float) -> None:
        """Go to a state, to be left at ``deadline`` at the latest."""
        self.state, self.deadline = state, deadline
