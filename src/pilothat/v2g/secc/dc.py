"""What DC means on the station's side, whatever the standard calls it.

Decisions only, on the plant, the limits a car says, and time; the messages around them
are built by the standards. Numbers: v2g_iso2.md section 7, which DIN shares.
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf
from typing import Any, Protocol

from pilothat.machine import Entropy
from pilothat.plant import SAFE_V, EvLimits, PathPhase, Ratings
from pilothat.power.limits import is_precharged
from pilothat.v2g.plant import PlantState
from pilothat.v2g.secc.base import Ask

CABLE_CHECK_S = 38.0  # the car waits 40 s
SESSION_ID_BYTES = 8

AnyAsk = Ask[Any]


class Verdict(Enum):
    """What to say to a request that has to wait for the plant."""

    REFUSED = auto()
    LATER = auto()
    ONGOING = auto()
    DONE = auto()


class Quantity(Protocol):
    """A physical value of any standard."""

    @property
    def si(self) -> float:
        """Return the number in its unit."""


class Said(Protocol):
    """A message in which a car says its limits, some of them perhaps."""

    @property
    def ev_maximum_voltage_limit(self) -> Quantity | None: ...
    @property
    def ev_maximum_current_limit(self) -> Quantity | None: ...
    @property
    def ev_maximum_power_limit(self) -> Quantity | None: ...


def limits(said: Said, before: EvLimits) -> EvLimits:
    """Return the limits of a car; what it left out stays as it was."""
    return EvLimits(
        max_v=si_or(said.ev_maximum_voltage_limit, before.max_v),
        max_a=si_or(said.ev_maximum_current_limit, before.max_a),
        max_w=si_or(said.ev_maximum_power_limit, before.max_w),
    )


def si_or(value: Quantity | None, default: float) -> float:
    """Return a value in its unit, or the default where the car left it out."""
    return default if value is None else value.si


def first_limits(said: Said) -> EvLimits:
    """Return the limits a car opens with."""
    return limits(said, EvLimits(inf, inf, inf))


def is_plausible(ev: EvLimits, ratings: Ratings) -> bool:
    """Tell whether a car of these limits can be charged here at all."""
    return ev.max_v > ratings.min_v and ev.max_a > ratings.min_a and ev.max_w >= 0


def cable_check(ask: AnyAsk) -> Verdict:
    """Judge CableCheck: the car closes S2 within 1.5 s, the check ends in 38 s."""
    if ask.plant.fault or ask.waited_s >= CABLE_CHECK_S:
        return Verdict.REFUSED
    if not ask.plant.pilot.wants_energy:
        return Verdict.REFUSED if ask.is_last_call else Verdict.LATER
    is_done = ask.plant.phase is PathPhase.ISOLATED
    return Verdict.DONE if is_done else Verdict.ONGOING


def start(ask: AnyAsk) -> Verdict:
    """Judge the start of the loop: the outlet has the voltage the car asked for.

    A car that looks at its own inlet is ahead of us: our supply says ten times a second
    what it measures, and precharge changes that by up to 50 V meanwhile.
    """
    plant, target_v = ask.plant, ask.context.target_v
    is_coming = (
        plant.fault is None
        and target_v >= SAFE_V  # a car that asks for nothing has not precharged
        and plant.pilot.wants_energy
        and plant.phase is PathPhase.PRECHARGE
    )
    if is_coming and is_precharged(plant.outlet_v, target_v):
        return Verdict.DONE
    return Verdict.LATER if is_coming and not ask.is_last_call else Verdict.REFUSED


def is_delivering(plant: PlantState) -> bool:
    """Tell whether current may flow; RAMPING is left below 1 A."""
    return plant.phase in (PathPhase.DELIVERING, PathPhase.RAMPING)


def authorisation(ask: AnyAsk, limit_s: float) -> Verdict:
    """Judge the request for authorisation: somebody decides, or time does."""
    plant = ask.plant
    is_late = plant.is_authorised is None and ask.waited_s >= limit_s
    if plant.is_authorised is False or is_late or plant.fault:
        return Verdict.REFUSED
    return Verdict.DONE if plant.is_authorised else Verdict.ONGOING


def new_session_id(entropy: Entropy) -> bytes:
    """Return 8 random bytes; zero is what cars send when they have none."""
    session_id = bytes(SESSION_ID_BYTES)
    while not any(session_id):
        session_id = entropy(SESSION_ID_BYTES)
    return session_id
