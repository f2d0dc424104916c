"""What is said at the twin's bench, by cars, supplies and testers: values of JSON."""

from __future__ import annotations

from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.journal import Reading
from pilothat.plant import PlantFact, Setpoint
from pilothat.station.actions import MeasureIsolation, SetOutput
from pilothat.station.events import PlantReport
from pilothat.twin.bench import BenchFault, CarElectrics
from pilothat.twin.hat import HatFault
from pilothat.twin.wallbox import WallboxFault


@dataclass(frozen=True, slots=True)
class Cable:
    """What the car connects; sent again and again while it is plugged in."""

    car: CarElectrics | None


@dataclass(frozen=True, slots=True)
class CarReport:
    """What the car can measure at its inlet."""

    duty_pct: float
    is_pwm: bool
    voltage_v: float
    current_a: float


@dataclass(frozen=True, slots=True)
class Inject:
    """Break something on the bench, or mend it."""

    fault: BenchFault
    on: bool


@dataclass(frozen=True, slots=True)
class InjectHat:
    """Break something on the twin of the board, or mend it."""

    fault: HatFault
    on: bool


class DaemonFault(Enum):
    """How the daemon between program and board can fail; the board goes on."""

    DEAD = auto()  # all connections end, none is taken
    FROZEN = auto()  # nothing is answered any more
    SLOW = auto()  # every answer comes late
    WRONG = auto()  # an answer repeats another request
    REFUSING = auto()  # every answer is an error


@dataclass(frozen=True, slots=True)
class InjectDaemon:
    """Let the daemon misbehave, or behave again."""

    fault: DaemonFault
    on: bool


@dataclass(frozen=True, slots=True)
class InjectWallbox:
    """Break something between an Arduino and its station, or mend it."""

    fault: WallboxFault
    on: bool


@dataclass(frozen=True, slots=True)
class Hello:
    """The supply wants reports from now on."""


READING = Reading(
    (
        Cable,
        CarElectrics,
        CarReport,
        Hello,
        Inject,
        InjectDaemon,
        InjectHat,
        InjectWallbox,
        MeasureIsolation,
        PlantFact,
        PlantReport,
        SetOutput,
        Setpoint,
    )
)


Injection = Inject | InjectHat | InjectDaemon | InjectWallbox
