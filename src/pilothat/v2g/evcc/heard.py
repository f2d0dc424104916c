"""What a station says, in words that DIN SPEC 70121 and ISO 15118-2 share."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from pilothat.frozen import dataclass

if TYPE_CHECKING:
    from pilothat.v2g.messages.iso2 import MeterInfo


class StationCode(Enum):
    """EVSEStatusCode, by its names on the wire."""

    EVSE_NotReady = 0
    EVSE_Ready = 1
    EVSE_Shutdown = 2
    EVSE_UtilityInterruptEvent = 3
    EVSE_IsolationMonitoringActive = 4
    EVSE_EmergencyShutdown = 5
    EVSE_Malfunction = 6
    Reserved_8 = 7
    Reserved_9 = 8
    Reserved_A = 9
    Reserved_B = 10
    Reserved_C = 11


class Isolation(Enum):
    """EVSEIsolationStatus; UNSAID where the element is missing."""

    UNSAID = -1
    Invalid = 0
    Valid = 1
    Warning = 2
    Fault = 3
    No_IMD = 4


class Notice(Enum):
    """EVSENotification."""

    NONE = 0
    StopCharging = 1
    ReNegotiation = 2


@dataclass(frozen=True, slots=True)
class Status:
    """What the station says about itself. code: None at an AC station.

    has_rcd_tripped: AC only
    """

    code: StationCode | None = None
    isolation: Isolation = Isolation.UNSAID
    notice: Notice = Notice.NONE
    has_rcd_tripped: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """What the station can give now; None: it does not say."""

    max_a: float | None = None
    max_w: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """The greatest power from a time on, counted from the offer."""

    start_s: int
    max_w: float


@dataclass(frozen=True, slots=True)
class Schedule:
    """One schedule of the station. steps: at least one, in order of time."""

    id: int
    steps: tuple[Step, ...]

    def max_w_at(self, gone_s: float) -> float:
        """Return the greatest power so long after the offer."""
        known = [step.max_w for step in self.steps if step.start_s <= gone_s]
        return known[-1] if known else self.steps[0].max_w


@dataclass(frozen=True, slots=True)
class Services:
    """What can be had. modes: None where the standard cannot list them all."""

    service_id: int
    can_pay_outside: bool = True
    takes_contracts: bool = False
    modes: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """The station's limits and schedules. nominal_v: of an AC station."""

    limits: Limits
    schedules: tuple[Schedule, ...]
    nominal_v: float | None = None


@dataclass(frozen=True, slots=True)
class Output:
    """What the station measures and can give."""

    present_v: float = 0.0
    present_a: float | None = None
    limits: Limits = Limits()


@dataclass(frozen=True, slots=True)
class Challenge:
    """What the car has to sign to prove its contract."""

    octets: bytes


Detail = Services | Challenge | Terms | Output


@dataclass(frozen=True, slots=True)
class Said:
    """The body of a response. meter: the reading, where a receipt is required."""

    is_ongoing: bool = False
    status: Status | None = None
    detail: Detail | None = None
    meter: MeterInfo | None = None


@dataclass(frozen=True, slots=True)
class Heard:
    """A response. code: the response code as the wire names it."""

    session_id: bytes
    code: str
    is_failed: bool
    said: Said
