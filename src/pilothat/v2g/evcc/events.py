"""What a session on the car's side is told, and what it wants done."""

from __future__ import annotations

from enum import Enum

from pilothat.frozen import dataclass

# --- events


@dataclass(frozen=True, slots=True)
class Connected:
    """The way to the station is open: begin."""


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The station closed the connection, or it broke."""


@dataclass(frozen=True, slots=True)
class ResponseIn:
    """A decoded message of the station."""

    message: object


@dataclass(frozen=True, slots=True)
class InletFact:
    """The car's own measurements. Current into the battery is positive.

    voltage_v: at the inlet, before the car's contactor
    battery_v: behind it
    """

    voltage_v: float = 0.0
    current_a: float = 0.0
    soc_pct: float = 50.0
    battery_v: float = 350.0


@dataclass(frozen=True, slots=True)
class PilotSeen:
    """What the car measures on CP."""

    duty_pct: float
    is_pwm: bool

    @property
    def is_digital(self) -> bool:
        """Whether the station offers communication: 3 to 7 %."""
        return self.is_pwm and 3 <= self.duty_pct <= 7


@dataclass(frozen=True, slots=True)
class StopWish:
    """The driver, or the car itself, wants to end."""

    reason: str


Event = Connected | Disconnected | ResponseIn | InletFact | PilotSeen | StopWish

# --- actions


@dataclass(frozen=True, slots=True)
class SendRequest:
    """A message for the station."""

    message: object


@dataclass(frozen=True, slots=True)
class SetS2:
    """Ask for energy on CP (state C), or not (state B)."""

    closed: bool


@dataclass(frozen=True, slots=True)
class SetEvContactor:
    """Join the battery to the inlet, or part it."""

    closed: bool


@dataclass(frozen=True, slots=True)
class DrawCurrent:
    """Let the on-board charger take a current, all phases together (AC)."""

    current_a: float


@dataclass(frozen=True, slots=True)
class LockPlug:
    """Hold the plug, or let it go."""

    locked: bool


@dataclass(frozen=True, slots=True)
class Disconnect:
    """Close the connection."""


class Outcome(Enum):
    """How a session ended, in the eyes of the car."""

    CHARGED = "charged"  # the goal is reached
    STOPPED = "stopped"  # in order, by station or driver
    PAUSED = "paused"  # to be joined again
    REFUSED = "refused"  # the station said no
    ABORTED = "aborted"  # something broke, or took too long


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The last action of a session."""

    outcome: Outcome
    reason: str


Action = (
    SendRequest
    | SetS2
    | SetEvContactor
    | DrawCurrent
    | LockPlug
    | Disconnect
    | SessionEnded
)
