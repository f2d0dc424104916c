"""What the power plant of a DC station measures, can do and is told.

Values only: drivers report them, machines decide on them. Volts and amperes are those
of the DC output; current into the car is positive.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


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


@dataclass(frozen=True, slots=True)
class Ratings:
    """What the station can deliver, rated. Limits of the moment are in ``Limits``."""

    max_v: float = 500.0
    min_v: float = 150.0
    max_a: float = 125.0
    min_a: float = 1.0
    max_w: float = 50_000.0


@dataclass(frozen=True, slots=True)
class Setpoint:
    """What the supply shall do: hold this voltage, at most this current."""

    voltage_v: float = 0.0
    current_a: float = 0.0
    is_on: bool = False


OFF = Setpoint()
SAFE_V = 60.0  # below this a DC outlet may be touched (IEC 61851-23)
