"""What can be set on the two SLAC machines.

The EV side has a setting for everything in which real cars differ, so a known car
is a row of values.
"""

from __future__ import annotations

from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.homeplug.cm import ANY_ID
from pilothat.slac import timing


class Validates(Enum):
    """When an EV that asks for it is validated by toggles of its pilot."""

    NEVER = auto()  # says so: "failure"
    WHEN_NEEDED = auto()  # several EVs in sight; else "not required"
    ALWAYS = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class SlacSettings:
    """The EVSE side.

    attn_rx_db: what our own receive path loses between socket and modem.
    strict_ids: ignore messages whose unused ID fields are not zero, as the standard
        says; False lets Qualcomm's demo EV in, which sends AA x 17.
    invents_attenuation: report a constant when the modem measures nothing; without
        it such a modem matches no car.
    weaker_by_db: the matched EV is asked to transmit so much weaker (CM_AMP_MAP), in
        steps of 2; 0 asks nothing, which is the rule.
    max_runs: EVs that are matched side by side.
    """

    init_s: float = timing.TT_EVSE_SLAC_INIT_S
    attn_rx_db: int = 0
    strict_ids: bool = True
    invents_attenuation: bool = True
    validates: Validates = Validates.WHEN_NEEDED
    weaker_by_db: int = 0
    max_runs: int = 8


class RunIdStyle(Enum):
    """How an EV makes its run ID."""

    RANDOM = auto()
    MAC = auto()  # own MAC and 00 00


class RndStyle(Enum):
    """What an EV puts into the random field of its sounds."""

    RANDOM = auto()
    SAME = auto()  # one random value for all sounds of a run


class StartFrom(Enum):
    """The moment from which an EV counts to its first START."""

    REQUEST = auto()  # of the CM_SLAC_PARM.REQ: collects the answers of all chargers
    CNF = auto()  # of the first CM_SLAC_PARM.CNF


@dataclass(frozen=True, slots=True, kw_only=True)
class EvSlacSettings:
    """The EV side; the defaults are those of a car with random run IDs.

    run_id, rnd: a style, or fixed bytes (8 and 16).
    requests: CM_SLAC_PARM.REQ of one attempt until somebody answers.
    doubled_after_s: every request is sent again after this; None is once.
    time_out: what START announces, in 100 ms.
    match_delay_s: from the last CM_ATTEN_CHAR.RSP to CM_SLAC_MATCH.REQ.
    attempts, attempt_pause_s, repetition_s: whole matchings, the pause between two,
        and how long after the first one a new one may begin.
    refuses_zero_db: takes a report of nothing but 0 dB for nonsense.
    most_db: takes no charger that hears it weaker than this; real cars differ, some
        match at 36 dB, so None takes any.
    """

    run_id: RunIdStyle | bytes = RunIdStyle.RANDOM
    rnd: RndStyle | bytes = RndStyle.RANDOM
    pev_id: bytes = ANY_ID
    requests: int = 1 + timing.C_EV_MATCH_RETRY
    request_spacing_s: float = timing.TT_MATCH_RESPONSE_S
    doubled_after_s: float | None = None
    start_from: StartFrom = StartFrom.REQUEST
    start_delay_s: float = 0.24
    start_spacing_s: float = timing.TP_EV_BATCH_MSG_INTERVAL_S
    sound_spacing_s: float = timing.TP_EV_BATCH_MSG_INTERVAL_S
    sounds: int = timing.C_EV_MATCH_MNBC
    time_out: int = 6
    rsp_delay_s: float = 0.007
    match_delay_s: float = 0.01
    attempts: int = timing.C_CONN_MAX_MATCH
    attempt_pause_s: float = timing.TT_MATCHING_RATE_S
    repetition_s: float = timing.TT_MATCHING_REPETITION_S
    validates: bool = False
    refuses_zero_db: bool = False
    most_db: float | None = None
