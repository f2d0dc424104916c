"""Ports: what a driver must offer. Each contract has one test run against all drivers.

A driver is chosen by name in the settings; the twin is one of them.
"""

from __future__ import annotations

from typing import Protocol

from pilothat.frozen import dataclass
from pilothat.pilot.levels import PilotSample
from pilothat.plant import PlantFact, Setpoint


@dataclass(frozen=True, slots=True)
class Interlocks:
    """Inputs of the safety chain; True is good."""

    is_estop_released: bool = True
    is_rcm_good: bool = True
    is_temperature_good: bool = True

    @property
    def is_good(self) -> bool:
        """Whether power may flow as far as the inputs tell."""
        return self.is_estop_released and self.is_rcm_good and self.is_temperature_good


class PilotBackend(Protocol):
    """The CP circuit and the switches of one HAT revision. Only the guard holds it.

    Contract:
      1. ``close`` opens the contactor, drops supply-enable and puts CP to state F.
      2. No call blocks longer than 1 ms.
      3. A lost device raises ``BoardError``; no method returns a stale value.
      4. After construction the contactor is open and supply-enable is off.
      5. A duty other than 0, 3..7, 8..97 or 100 % raises ``ValueError``.
    """

    def set_pwm(self, duty_pct: float) -> None:
        """Drive 1 kHz with this duty; 100 is steady +12 V, 0 steady -12 V."""

    def sample(self) -> PilotSample:
        """Return the newest sample, in volts at the connector (not the ADC)."""

    def set_contactor(self, *, closed: bool) -> None:
        """Drive the output contactor."""

    def enable_supply(self, *, on: bool) -> None:
        """Drive the hardware enable line of the supply."""

    def contactor_is_closed(self) -> bool:
        """Return what the mirror contact says."""

    def interlocks(self) -> Interlocks:
        """Return the inputs of the safety chain."""

    def heartbeat(self) -> None:
        """Give the board's watchdog its edge."""

    def close(self) -> None:
        """Make safe and let go."""


class PowerSupply(Protocol):
    """DC supply with its isolation monitor.

    Contract:
      1. ``command`` never blocks; the newest command wins.
      2. ``reading`` returns a measurement at most once; None when there is no new one.
      3. Reports come at 10 Hz or more while it is on, at 3 Hz or more while it is off.
      4. ``close`` switches the output off.
    """

    def command(self, setpoint: Setpoint) -> None:
        """Ask for an output."""

    def measure_isolation(self, *, on: bool) -> None:
        """Start or stop the isolation monitor."""

    def reading(self) -> PlantFact | None:
        """Return the newest measurement that was not returned before."""

    def close(self) -> None: ...
