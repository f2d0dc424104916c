"""Supply, relay and isolation monitor of the twin.

Everything is a closed formula between two changes: a straight line or an exponential.
So half an hour costs as much as a second, and a value can be read at any time.
"""

from __future__ import annotations

from math import exp, inf, log

from pilothat.frozen import dataclass
from pilothat.plant import OFF, Isolation, Setpoint


@dataclass(frozen=True, slots=True)
class Ramp:
    """A straight line towards a target, then the target. ``rate`` is per second."""

    start: float
    since: float
    target: float
    rate: float

    def at(self, now: float) -> float:
        """Return the value at a time."""
        if now >= self.ends_at:
            return self.target
        gone = self.rate * (now - self.since)
        return self.start + (gone if self.target > self.start else -gone)

    @property
    def ends_at(self) -> float:
        """When the target is reached."""
        return self.since + abs(self.target - self.start) / self.rate


_REST = Ramp(0.0, 0.0, 0.0, 1.0)


@dataclass(frozen=True, slots=True)
class Decay:
    """A voltage that a bleeder takes away."""

    start_v: float
    since: float
    tau_s: float

    def at(self, now: float) -> float:
        """Return the voltage at a time."""
        return self.start_v * exp((self.since - now) / self.tau_s)

    def reaches_at(self, voltage_v: float) -> float:
        """When it has fallen to a voltage."""
        if self.start_v <= voltage_v:
            return self.since
        return self.since + self.tau_s * log(self.start_v / voltage_v)


@dataclass(frozen=True, slots=True)
class SupplySettings:
    """What the supply can do.

    cut_*:    how fast the output collapses when supply-enable is off (hardware path)
    step_*:   resolution of its report
    overshoot_share, slow_share: how wrong it is with these faults injected
    """

    max_v: float = 500.0
    max_a: float = 125.0
    max_w: float = 50_000.0
    slew_v_per_s: float = 500.0
    slew_a_per_s: float = 200.0
    cut_v_per_s: float = 5000.0
    cut_a_per_s: float = 2500.0
    step_v: float = 0.1
    step_a: float = 0.1
    overshoot_share: float = 1.2
    slow_share: float = 0.02


@dataclass(frozen=True, slots=True)
class Load:
    """A battery on the output."""

    ocv_v: float
    r_ohm: float


class Supply:
    """A current-limited voltage source with a diode at its output: it never sinks."""

    def __init__(self, settings: SupplySettings) -> None:
        self._settings = settings
        self._setpoint = OFF
        self._load: Load | None = None
        self._is_enabled = False
        self.is_dead = False
        self.is_slow = False
        self.is_overshooting = False
        self._voltage = _REST
        self._current = _REST

    @property
    def settles_at(self) -> float:
        """When nothing moves any more."""
        track = self._voltage if self._load is None else self._current
        return track.ends_at

    def command(self, setpoint: Setpoint, now: float) -> None:
        """Take a set-point."""
        self._setpoint = setpoint
        self.refresh(now)

    def enable(self, now: float, *, on: bool) -> None:
        """Drive the enable line."""
        self._is_enabled = on
        self.refresh(now)

    def attach(self, load: Load | None, now: float) -> None:
        """Connect a battery to the output, or nothing."""
        before_v, before_a = self.voltage_v(now), self.current_a(now)
        self._load = load
        self._aim(before_v, before_a, now)

    def refresh(self, now: float) -> None:
        """Aim anew: set-point, enable line or a fault has changed."""
        self._aim(self.voltage_v(now), self.current_a(now), now)

    def voltage_v(self, now: float) -> float:
        """Return the voltage at the terminals."""
        if self._load is None:
            return self._voltage.at(now)
        return self._load.ocv_v + self._current.at(now) * self._load.r_ohm

    def current_a(self, now: float) -> float:
        """Return the current into the load."""
        return 0.0 if self._load is None else self._current.at(now)

    def _aim(self, voltage_v: float, current_a: float, now: float) -> None:
        target_v, limit_a = self._targets()
        settings = self._settings
        is_cut = self.is_dead or not self._is_enabled
        share = settings.slow_share if self.is_slow and not is_cut else 1.0
        rate_v = settings.cut_v_per_s if is_cut else settings.slew_v_per_s * share
        rate_a = settings.cut_a_per_s if is_cut else settings.slew_a_per_s * share
        self._voltage = Ramp(voltage_v, now, target_v, rate_v)
        if self._load is not None:
            target_a = (target_v - self._load.ocv_v) / self._load.r_ohm
            target_a = min(max(target_a, 0.0), limit_a)
            self._current = Ramp(current_a, now, target_a, rate_a)

    def _targets(self) -> tuple[float, float]:
        """Return the voltage and the highest current it works for."""
        wanted, settings = self._setpoint, self._settings
        if self.is_dead or not (self._is_enabled and wanted.is_on):
            return 0.0, 0.0
        share = settings.overshoot_share if self.is_overshooting else 1.0
        voltage_v = min(wanted.voltage_v, settings.max_v) * share
        current_a = min(wanted.current_a, settings.max_a) * share
        if self._load is not None and self._load.ocv_v > 0:
            current_a = min(current_a, settings.max_w / self._load.ocv_v)
        return voltage_v, max(current_a, 0.0)


class Relay:
    """A contactor with its mirror contact: follows its coil after a delay."""

    def __init__(self, delay_s: float) -> None:
        self._delay_s = delay_s
        self._is_driven = False
        self.is_closed = False
        self.is_welded = False
        self.is_stuck_open = False
        self.moves_at: float | None = None

    def drive(self, now: float, *, closed: bool) -> None:
        """Drive the coil."""
        self._is_driven = closed
        self.refresh(now)

    def refresh(self, now: float) -> None:
        """Start to move where the coil, or a fault, wants it."""
        if self._goal() == self.is_closed:
            self.moves_at = None
        elif self.moves_at is None:
            self.moves_at = now + self._delay_s

    def move(self) -> None:
        """Arrive."""
        self.is_closed = self._goal()
        self.moves_at = None

    def _goal(self) -> bool:
        if self.is_closed and self.is_welded:
            return True
        return self._is_driven and not self.is_stuck_open


@dataclass(frozen=True, slots=True)
class IsolationSettings:
    """The insulation and who measures it.

    rated_v: the limits are ohm per volt of this voltage
    """

    self_test_s: float = 2.0
    measure_s: float = 1.0
    rated_v: float = 500.0
    good_ohm: float = 2_000_000.0
    warning_ohm: float = 150_000.0
    fault_ohm: float = 20_000.0


WARNING_OHM_PER_V = 500.0  # IEC 61851-23
FAULT_OHM_PER_V = 100.0


class IsolationMonitor:
    """Self-test, then a measurement that follows the circuit with a delay."""

    def __init__(self, settings: IsolationSettings) -> None:
        self._settings = settings
        self._ohm = settings.good_ohm
        self._old_ohm: float | None = None
        self._fresh_at = inf
        self.is_silent = False

    @property
    def fresh_at(self) -> float:
        """When the newest circuit shows in the result."""
        return self._fresh_at

    def measure(self, now: float, *, on: bool) -> None:
        """Start, or stop and forget."""
        if on and self._fresh_at < inf:
            return
        times = self._settings
        self._old_ohm = None
        self._fresh_at = now + times.self_test_s + times.measure_s if on else inf

    def set_resistance(self, ohm: float, now: float) -> None:
        """Change the circuit under measurement."""
        if ohm == self._ohm:
            return
        if self._fresh_at < inf:
            self._old_ohm = self.result(now)[1]
            self._fresh_at = max(self._fresh_at, now + self._settings.measure_s)
        self._ohm = ohm

    def result(self, now: float) -> tuple[Isolation, float | None]:
        """Return the verdict and the resistance behind it."""
        ohm = self._ohm if now >= self._fresh_at else self._old_ohm
        if ohm is None or self.is_silent:
            return Isolation.INVALID, None
        if ohm < FAULT_OHM_PER_V * self._settings.rated_v:
            return Isolation.FAULT, ohm
        if ohm < WARNING_OHM_PER_V * self._settings.rated_v:
            return Isolation.WARNING, ohm
        return Isolation.VALID, ohm
