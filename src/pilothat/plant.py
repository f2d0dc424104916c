"""What the power plant of a DC station measures, can do and is told.

Values only: drivers report them, machines decide on them. Volts and amperes are those
of the DC output; current into the car is positive.
"""

from __future__ import annotations

from enum import Enum
from math import inf, isfinite

from pilothat.frozen import dataclass


class Isolation(Enum):
    """Result of the newest insulation measurement of this session."""

    INVALID = "invalid"  # nothing measured yet
    VALID = "valid"
    WARNING = "warning"  # charging may go on
    FAULT = "fault"  # charging must not go on


@dataclass(frozen=True, slots=True)
class PlantFact:
    """One report of supply and isolation monitor.

    supply_v:  voltage at the supply, before the output contactor
    outlet_v:  voltage at the connector, behind the output contactor
    current_a: current into the car
    isolation_ohm: newest insulation resistance; None before the first measurement
    """

    supply_v: float
    outlet_v: float
    current_a: float
    isolation: Isolation = Isolation.INVALID
    isolation_ohm: float | None = None

    @property
    def is_measured(self) -> bool:
        """Whether these are numbers; a broken driver may report others."""
        return isfinite(self.supply_v + self.outlet_v + self.current_a)


@dataclass(frozen=True, slots=True)
class Ratings:
    """What the station can deliver, rated. Limits of the moment are in ``Limits``."""

    max_v: float = 500.0
    min_v: float = 150.0
    max_a: float = 125.0
    min_a: float = 1.0
    max_w: float = 50_000.0


@dataclass(frozen=True, slots=True)
class AcRatings:
    """What an AC outlet can deliver.

    nominal_v: phase to neutral. max_a: of each phase. phases: 1 or 3
    """

    nominal_v: float = 230.0
    max_a: float = 16.0
    phases: int = 3

    def max_w(self, phases: int) -> float:
        """Return the power of so many phases: 11,040 W of 3 at 16 A."""
        return self.nominal_v * self.max_a * min(phases, self.phases)


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What the supply shall do: hold this voltage, at most this current."""

    voltage_v: float = 0.0
    current_a: float = 0.0
    is_on: bool = False


OFF = Setpoint()
SAFE_V = 60.0  # below this a DC outlet may be touched (IEC 61851-23)


class PathPhase(Enum):
    """Where the power path stands."""

    OFF = "off"  # contactor open, supply off
    CLOSING = "closing"  # AC
    CHECKING = "cable check"
    ISOLATED = "isolation good"  # contactor closed, no voltage
    PRECHARGE = "precharge"
    DELIVERING = "delivering"
    RAMPING = "ramping down"
    OPENING = "opening"
    WELD_CHECK = "welding check"
    FAILED = "failed"  # off, after a fault of this session

    @property
    def is_live(self) -> bool:
        """Whether the contactor may be closed or voltage be on the outlet."""
        return self not in (PathPhase.OFF, PathPhase.FAILED)


@dataclass(frozen=True, slots=True)
class EvLimits:
    """What the car may get, as it last said. Infinite until it has spoken."""

    max_v: float = inf
    max_a: float = inf
    max_w: float = inf


@dataclass(frozen=True, slots=True)
class CheckCable:
    """Check the insulation, with the contactor closed and test voltage on."""


@dataclass(frozen=True, slots=True)
class PreCharge:
    """Bring the outlet to this voltage with little current."""

    voltage_v: float


@dataclass(frozen=True, slots=True)
class Deliver:
    """Charge: hold at most this voltage and this current."""

    voltage_v: float
    current_a: float


@dataclass(frozen=True, slots=True)
class Energise:
    """Give the car mains voltage (AC)."""


@dataclass(frozen=True, slots=True)
class RampDown:
    """Stop in order: current to zero, contactor open, welding check."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Everything off, now."""


@dataclass(frozen=True, slots=True)
class LimitsSaid:
    """The car told its limits, or new ones."""

    ev: EvLimits


Wish = CheckCable | PreCharge | Deliver | Energise | RampDown | Cut | LimitsSaid
"""What a session, or the station itself, wants of the power path."""
ForPower = CheckCable | PreCharge | Deliver | Energise  # what switches something on
