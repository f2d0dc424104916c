"""The phases of a station, which may follow which, and the ways back to a new match.

Data only: the station asserts on it, the diagrams in ``docs`` are drawn from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from pilothat.pilot.duty import DIGITAL_PCT, FAULT_PCT, STEADY_PCT
from pilothat.slac.timing import T_STEP_EF_S, T_STEP_X1_S, WAKE_X1_S


class Phase(Enum):
    """Where the station stands."""

    STARTING = "starting"  # the modem has no confirmed key, or there is no network
    IDLE = "idle"  # ready for a car
    MATCHING = "matching"  # 5 % on, SLAC
    BASIC = "basic charging"  # AC: the duty offers the current, SLAC is answered too
    SETUP = "setup"  # link up: SDP, TCP, handshake, session setup
    SESSION = "session"  # a V2G session runs
    STOPPING = "stopping"  # the one stopping path
    RETRY = "retry"  # pilot steps that wake the car for another match
    PAUSED = "paused"  # the car sleeps; the network is kept
    FINISHED = "finished"  # done with this car; it may unplug
    OUT_OF_SERVICE = "out of service"  # a fault stands


_P = Phase
FOLLOWS: Mapping[Phase, tuple[Phase, ...]] = {
    _P.STARTING: (_P.IDLE, _P.MATCHING, _P.BASIC, _P.STOPPING),
    _P.IDLE: (_P.STARTING, _P.MATCHING, _P.BASIC, _P.STOPPING),
    _P.BASIC: (_P.BASIC, _P.SESSION, _P.STOPPING),
    _P.MATCHING: (_P.SETUP, _P.STOPPING),
    _P.SETUP: (_P.SETUP, _P.SESSION, _P.STOPPING),
    _P.SESSION: (_P.BASIC, _P.STOPPING),
    _P.STOPPING: (
        _P.STARTING,
        _P.IDLE,
        _P.RETRY,
        _P.PAUSED,
        _P.FINISHED,
        _P.OUT_OF_SERVICE,
    ),
    _P.PAUSED: (_P.SETUP, _P.STOPPING),
    _P.RETRY: (_P.STARTING, _P.IDLE, _P.MATCHING, _P.FINISHED, _P.STOPPING),
    _P.FINISHED: (_P.STARTING, _P.IDLE, _P.STOPPING),
    _P.OUT_OF_SERVICE: (_P.FINISHED, _P.STARTING, _P.IDLE),
}

DUTY_PCT = {
    _P.STARTING: STEADY_PCT,
    _P.IDLE: STEADY_PCT,
    _P.MATCHING: DIGITAL_PCT,
    _P.SETUP: DIGITAL_PCT,
    _P.SESSION: DIGITAL_PCT,
    _P.PAUSED: STEADY_PCT,
    _P.FINISHED: STEADY_PCT,
    _P.OUT_OF_SERVICE: FAULT_PCT,
}
WITH_CAR = (
    _P.MATCHING,
    _P.BASIC,
    _P.SETUP,
    _P.SESSION,
    _P.STOPPING,
    _P.RETRY,
    _P.PAUSED,
)
POWERED = (_P.SESSION, _P.BASIC)  # where something may be switched on
OPEN = (_P.SETUP, _P.BASIC)  # where a session may begin
LINKED = (_P.SETUP, _P.SESSION, _P.BASIC)  # where a link may be lost
WITHOUT_CAR = (_P.STARTING, _P.IDLE)

PilotSteps = Sequence[tuple[float, float]]
"""Pilot steps before the next match, as (duty %, seconds)."""

WAKE_STEPS: PilotSteps = ((FAULT_PCT, T_STEP_EF_S), (STEADY_PCT, WAKE_X1_S))
X1_STEPS: PilotSteps = ((STEADY_PCT, T_STEP_X1_S),)
RESET_STEPS: PilotSteps = (*X1_STEPS, *WAKE_STEPS)
SETUP_S = 18.0  # V2G_SECC_CommunicationSetup_Performance_Time
LOOK_S = 1.0  # how often a set-up is looked at that a handshake has prolonged
