"""Timers and counters of SLAC (ISO 15118-3, annex A): one table, both sides.

The value is the one we use; where the standard leaves a range it stands beside it.
Sources: suite = timer table of the conformance suite, stacks = open EVSE stacks,
cars = seen on real cars, choice = ours, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum

from pilothat.frozen import dataclass


class Who(Enum):
    """The side that runs a timer or counts."""

    EV = "EV"
    EVSE = "EVSE"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Timing:
    """One row: the value we use, its unit, its legal range and where it is from."""

    value: float
    unit: str
    who: Who
    meaning: str
    source: str
    range: tuple[float, float] | None = None


_S = "s"
_N = "count"

TIMINGS: Mapping[str, Timing] = {
    "TT_EVSE_SLAC_init": Timing(
        49.5,
        _S,
        Who.EVSE,
        "ready for matching until the first valid CM_SLAC_PARM.REQ",
        "suite; stacks use 40 and 50; choice: almost the longest, for sleepy cars",
        (20.0, 50.0),
    ),
    "TP_match_response": Timing(
        0.1, _S, Who.EVSE, "an answer must have left within this", "suite"
    ),
    "TT_match_response": Timing(
        0.2, _S, Who.BOTH, "wait for an answer before repeating", "suite, stacks"
    ),
    "TP_match_sequence": Timing(
        0.1, _S, Who.EV, "from one step to the next request, at most", "suite"
    ),
    "TT_match_sequence": Timing(
        0.4,
        _S,
        Who.EVSE,
        "CM_SLAC_PARM.CNF to START; also validation step 2",
        "suite, stacks",
    ),
    "match_sequence_grace": Timing(
        0.1,
        _S,
        Who.EVSE,
        "added to TT_match_sequence: frames cross two modems",
        "choice: cars send START up to 0.31 s after our CNF",
    ),
    "TP_EV_batch_msg_interval": Timing(
        0.04,
        _S,
        Who.EV,
        "pause between START copies and between sounds",
        "suite 30 ms; cars 20..40 ms",
        (0.02, 0.05),
    ),
    "TT_EVSE_match_MNBC": Timing(
        0.6, _S, Who.EVSE, "first START to the end of sounding", "suite, stacks"
    ),
    "match_MNBC_max": Timing(
        1.0,
        _S,
        Who.EVSE,
        "longest TIME_OUT of a START we honour",
        "choice: an old EV stack asks for 1 s",
    ),
    "profile_wait": Timing(
        0.045,
        _S,
        Who.EVSE,
        "pause after the last sound or profile before the report",
        "a C++ stack; profiles follow their sound by up to 8 ms",
    ),
    "TT_EV_atten_results": Timing(
        1.2, _S, Who.EV, "first START until all reports are in", "suite, stacks"
    ),
    "TT_EVSE_match_session": Timing(
        10.0,
        _S,
        Who.EVSE,
        "CM_ATTEN_CHAR.RSP to VALIDATE or MATCH.REQ",
        "suite, stacks",
    ),
    "TP_EV_vald_state_duration": Timing(
        0.3,
        _S,
        Who.EV,
        "each B or C phase of a validation",
        "suite, stacks",
        (0.2, 0.4),
    ),
    "vald_state_grace": Timing(
        0.05,
        _S,
        Who.EVSE,
        "a phase may be this much shorter or longer",
        "suite; the debounce takes 35 ms of it",
    ),
    "TP_EV_vald_toggle": Timing(
        2.0, _S, Who.EV, "window an EV asks for", "suite", (0.6, 3.5)
    ),
    "TT_EVSE_vald_toggle": Timing(
        3.5, _S, Who.EVSE, "longest window we count in", "stacks"
    ),
    "C_vald_nb_toggles": Timing(
        2, _N, Who.EV, "toggles of a validation", "stacks", (1, 3)
    ),
    "TT_match_join": Timing(
        12.0, _S, Who.BOTH, "CM_SLAC_MATCH.CNF to link up", "suite, stacks"
    ),
    "TT_matching_rate": Timing(
        0.4, _S, Who.EV, "pause between two matching attempts", "suite, stacks"
    ),
    "TT_matching_repetition": Timing(
        10.0, _S, Who.EV, "how long an EV goes on repeating", "suite, stacks"
    ),
    "TT_link_status_response": Timing(
        5.0, _S, Who.EVSE, "a request for the state of the link is answered", "suite"
    ),
    "TP_match_leave": Timing(
        1.0, _S, Who.EVSE, "terminate or unplug until the network is left", "suite"
    ),
    "TT_amp_map_exchange": Timing(
        0.2,
        _S,
        Who.BOTH,
        "link up to CM_AMP_MAP.REQ, and from there to its answer",
        "suite",
    ),
    "T_conn_max_comm": Timing(
        8.0, _S, Who.EVSE, "plug-in until SLAC is answered", "suite"
    ),
    "T_conn_resume": Timing(
        6.0, _S, Who.EVSE, "wake-up from a pause until the link is usable", "suite"
    ),
    "T_step_EF": Timing(
        4.1,
        _S,
        Who.EVSE,
        "state E or F that resets a car",
        "suite; choice: a little more than the least, for who measures it",
        (4.0, 8.0),
    ),
    "T_step_X1": Timing(
        3.1,
        _S,
        Who.EVSE,
        "no PWM before another duty",
        "suite, a C++ stack: 3 s at least; choice: as with T_step_EF",
        (3.0, 6.0),
    ),
    "wake_X1": Timing(
        0.75, _S, Who.EVSE, "no PWM after E or F", "a C++ stack: helps older cars"
    ),
    "C_sequ_retry": Timing(
        2, _N, Who.EVSE, "E/F retries when no car asks", "suite, a Python stack"
    ),
    "set_key_answer": Timing(
        1.0, _S, Who.EVSE, "wait for CM_SET_KEY.CNF of our modem", "a C++ stack"
    ),
    "EIM_patience": Timing(
        5.0,
        _S,
        Who.EVSE,
        "authorised (AC) while being matched, until the duty offers the current",
        "choice: a match takes cars up to 2 s, the link up to 3",
    ),
    "C_EV_start_atten_char_inds": Timing(
        3, _N, Who.EV, "copies of START", "suite, cars"
    ),
    "C_EV_match_MNBC": Timing(10, _N, Who.EV, "sounds", "suite, cars"),
    "C_EV_match_retry": Timing(
        2, _N, Who.BOTH, "repetitions after the first try", "suite, stacks"
    ),
    "C_conn_max_match": Timing(3, _N, Who.EV, "complete attempts", "a Python stack"),
}


def _range(name: str) -> tuple[float, float]:
    row = TIMINGS[name]
    return row.range or (row.value, row.value)


TT_EVSE_SLAC_INIT_S = TIMINGS["TT_EVSE_SLAC_init"].value
TT_MATCH_RESPONSE_S = TIMINGS["TT_match_response"].value
TT_MATCH_SEQUENCE_S = TIMINGS["TT_match_sequence"].value
MATCH_SEQUENCE_GRACE_S = TIMINGS["match_sequence_grace"].value
TP_EV_BATCH_MSG_INTERVAL_S = TIMINGS["TP_EV_batch_msg_interval"].value
TT_EVSE_MATCH_MNBC_S = TIMINGS["TT_EVSE_match_MNBC"].value
MATCH_MNBC_MAX_S = TIMINGS["match_MNBC_max"].value
PROFILE_WAIT_S = TIMINGS["profile_wait"].value
TT_EV_ATTEN_RESULTS_S = TIMINGS["TT_EV_atten_results"].value
TT_EVSE_MATCH_SESSION_S = TIMINGS["TT_EVSE_match_session"].value
EV_VALD_STATE_RANGE_S = _range("TP_EV_vald_state_duration")
EV_VALD_STATE_S = TIMINGS["TP_EV_vald_state_duration"].value
VALD_STATE_GRACE_S = TIMINGS["vald_state_grace"].value
TP_EV_VALD_TOGGLE_S = TIMINGS["TP_EV_vald_toggle"].value
TT_EVSE_VALD_TOGGLE_S = TIMINGS["TT_EVSE_vald_toggle"].value
C_VALD_NB_TOGGLES = int(TIMINGS["C_vald_nb_toggles"].value)
TT_MATCH_JOIN_S = TIMINGS["TT_match_join"].value
TT_MATCHING_RATE_S = TIMINGS["TT_matching_rate"].value
TT_MATCHING_REPETITION_S = TIMINGS["TT_matching_repetition"].value
TT_AMP_MAP_EXCHANGE_S = TIMINGS["TT_amp_map_exchange"].value
T_CONN_RESUME_S = TIMINGS["T_conn_resume"].value
T_STEP_EF_S = TIMINGS["T_step_EF"].value
T_STEP_X1_S = TIMINGS["T_step_X1"].value
WAKE_X1_S = TIMINGS["wake_X1"].value
EIM_PATIENCE_S = TIMINGS["EIM_patience"].value
C_SEQU_RETRY = int(TIMINGS["C_sequ_retry"].value)
C_EV_START_ATTEN_CHAR_INDS = int(TIMINGS["C_EV_start_atten_char_inds"].value)
C_EV_MATCH_MNBC = int(TIMINGS["C_EV_match_MNBC"].value)
C_EV_MATCH_RETRY = int(TIMINGS["C_EV_match_retry"].value)
C_CONN_MAX_MATCH = int(TIMINGS["C_conn_max_match"].value)

TIME_OUT_PER_S = 10  # of the field TIME_OUT in PARM.CNF and START: 100 ms
