"""The electrics of one charging point: pilot, supply, contactor, cable, car's end.

::

    supply --[contactor]--+-- outlet -- cable -- inlet --[car's contactor]-- battery
                          |
                       bleeder          isolation monitor from both lines to PE

The same bench stands behind the guard in the virtual world and behind a real-time
twin board. Between two changes everything is a formula (see ``twin.plant``).
"""

from __future__ import annotations

from dataclasses import field, replace
from enum import Enum, auto
from math import inf

from pilothat.frozen import dataclass
from pilothat.machine import Entropy, earliest
from pilothat.pilot.levels import PilotSample
from pilothat.plant import SAFE_V, PlantFact, Setpoint
from pilothat.ports import Interlocks
from pilothat.twin.circuit import (
    NOMINAL,
    CarPilot,
    Diode,
    Generator,
    PilotCircuit,
    Wiring,
    cp_levels,
    duty_at_inlet,
)
from pilothat.twin.plant import (
    Decay,
    IsolationMonitor,
    IsolationSettings,
    Load,
    Relay,
    Supply,
    SupplySettings,
)


class BenchFault(Enum):
    """What can be made to go wrong. All can be taken back."""

    CONTACTOR_WELDED = auto()
    CONTACTOR_STUCK_OPEN = auto()
    SUPPLY_DEAD = auto()
    SUPPLY_SLOW = auto()
    SUPPLY_OVERSHOOT = auto()
    SUPPLY_SILENT = auto()
    ISOLATION_FAULT = auto()
    ISOLATION_WARNING = auto()
    ISOLATION_SILENT = auto()
    CP_SHORT = auto()
    CP_SHORT_BEHIND_DIODE = auto()
    DIODE_SHORT = auto()
    DIODE_MISSING = auto()
    PE_LOST = auto()
    ADC_STUCK = auto()
    ADC_NOISE = auto()
    ESTOP = auto()


@dataclass(frozen=True, slots=True)
class CarElectrics:
    """What the car connects to the cable at this moment."""

    pilot: CarPilot = CarPilot.B
    contactor_closed: bool = False
    ocv_v: float = 0.0
    r_ohm: float = 0.1
    draw_a: float = 0.0  # from an AC outlet, all phases together


@dataclass(frozen=True, slots=True)
class BenchSettings:
    """The circuit.

    mains_v:     an AC outlet of this voltage; None is a DC outlet
    relay_s:     time the output contactor takes to close or open
    bleeder_s:   time constant of the outlet when nothing feeds it
    noise_v:     amplitude of the noise on a pilot sample
    adc_noise_v: the same with ADC_NOISE injected
    adc_stuck_v: what an ADC that returns 0 on every channel reads
    """

    circuit: PilotCircuit = NOMINAL
    supply: SupplySettings = field(default_factory=SupplySettings)
    isolation: IsolationSettings = field(default_factory=IsolationSettings)
    mains_v: float | None = None
    relay_s: float = 0.02
    bleeder_s: float = 0.3
    noise_v: float = 0.0
    adc_noise_v: float = 2.5
    adc_stuck_v: float = -14.8


_WIRING = (  # the first that is injected wins
    (BenchFault.CP_SHORT, Wiring.SHORT),
    (BenchFault.CP_SHORT_BEHIND_DIODE, Wiring.SHORT_BEHIND_DIODE),
    (BenchFault.PE_LOST, Wiring.OPEN),
)
_DIODE = (
    (BenchFault.DIODE_SHORT, Diode.SHORTED),
    (BenchFault.DIODE_MISSING, Diode.MISSING),
)


@dataclass(frozen=True, slots=True)
class LoadBreak:
    """A contact that opened under current: wear, and a flaw of who opened it."""

    at: float
    current_a: float


class Bench:
    """Board side, supply side and car side of one circuit."""

    def __init__(self, settings: BenchSettings, entropy: Entropy) -> None:
        self._settings = settings
        self._entropy = entropy
        self._now = 0.0
        self._duty_pct = 100.0
        self._car: CarElectrics | None = None
        self._faults: frozenset[BenchFault] = frozenset()
        self._generator = settings.circuit.generator
        self._circuit = settings.circuit
        self._supply = Supply(settings.supply)
        self._relay = Relay(settings.relay_s)
        self._monitor = IsolationMonitor(settings.isolation)
        self._decay = Decay(0.0, 0.0, settings.bleeder_s)
        self._is_contactor_wanted = False
        self._is_enable_wanted = False
        self._levels: PilotSample | None = None  # kept until CP changes
        self._rest: PlantFact | None = None  # kept while nothing moves
        self._inlet_rest: tuple[float, float] | None = None
        self.load_breaks: list[LoadBreak] = []

    # --- board side

    def drive_pilot(self, duty_pct: float, now: float) -> None:
        """Drive 1 kHz with this duty; 100 is steady +12 V, 0 steady -12 V."""
        self._change(now)
        self._duty_pct = duty_pct

    def power_pilot(self, generator: Generator, now: float) -> None:
        """Let another circuit be the station's end of CP: driver off, rails low."""
        self._change(now)
        self._generator = generator
        self._circuit = self._broken_circuit()

    def set_contactor(self, now: float, *, closed: bool) -> None:
        """Drive the output contactor."""
        self._change(now)
        self._is_contactor_wanted = closed
        self._drive(now)

    def enable_supply(self, now: float, *, on: bool) -> None:
        """Drive the enable line; off makes the output collapse in hardware."""
        self._change(now)
        self._is_enable_wanted = on
        self._drive(now)

    def pilot(self, now: float) -> PilotSample:
        """Return what the board's ADC tells about CP."""
        self._advance(now)
        settings, sample = self._settings, self._levels
        if sample is None:
            pilot = self._car.pilot if self._car else None
            sample = self._levels = cp_levels(self._duty_pct, pilot, self._circuit)
        if BenchFault.ADC_STUCK in self._faults:
            stuck_v = settings.adc_stuck_v
            return PilotSample(stuck_v, None if sample.low_v is None else stuck_v)
        is_noisy = BenchFault.ADC_NOISE in self._faults
        noise_v = settings.adc_noise_v if is_noisy else settings.noise_v
        if noise_v <= 0:
            return sample
        low_v = None if sample.low_v is None else sample.low_v + self._noise(noise_v)
        return PilotSample(sample.high_v + self._noise(noise_v), low_v)

    def contactor_is_closed(self, now: float) -> bool:
        """Return what the mirror contact says."""
        self._advance(now)
        return self._relay.is_closed

    def interlocks(self, now: float) -> Interlocks:
        """Return the inputs of the safety chain."""
        self._advance(now)
        is_pressed = BenchFault.ESTOP in self._faults
        return Interlocks(is_estop_released=not is_pressed)

    # --- supply side

    def set_output(self, setpoint: Setpoint, now: float) -> None:
        """Command the supply."""
        self._change(now)
        self._supply.command(setpoint, now)

    def measure_isolation(self, now: float, *, on: bool) -> None:
        """Start the isolation monitor, or stop it; stopped it knows nothing."""
        self._change(now)
        self._monitor.measure(now, on=on)

    def plant(self, now: float) -> PlantFact | None:
        """Return a measurement; None when the supply does not report."""
        self._advance(now)
        if self._rest is not None:
            return self._rest
        if BenchFault.SUPPLY_SILENT in self._faults:
            return None
        fact = self._measure(now)
        if self._is_at_rest(now):
            self._rest = fact
        return fact

    def _measure(self, now: float) -> PlantFact:
        steps = self._settings.supply
        isolation, isolation_ohm = self._monitor.result(now)
        return PlantFact(
            supply_v=_rounded(self._supply.voltage_v(now), steps.step_v),
            outlet_v=_rounded(self._outlet_v(now), steps.step_v),
            current_a=_rounded(self._current_a(now), steps.step_a),
            isolation=isolation,
            isolation_ohm=isolation_ohm,
        )

    # --- car side

    def connect(self, car: CarElectrics | None, now: float) -> None:
        """Let the car change its end of the cable; None pulls the plug."""
        self._change(now)
        self._relink(now, car)

    def inlet(self, now: float) -> tuple[float, float]:
        """Return voltage and current at the car's inlet; unplugged 0 V, 0 A."""
        self._advance(now)
        if self._inlet_rest is not None:
            return self._inlet_rest
        if self._car is None:
            return 0.0, 0.0
        inlet = self._outlet_v(now), self._current_a(now)
        if self._is_fed and now >= self._supply.settles_at:
            self._inlet_rest = inlet
        return inlet

    def pilot_at_inlet(self, now: float) -> tuple[float, bool]:
        """Return the duty in percent the car sees, and whether it is PWM."""
        self._advance(now)
        if self._car is None:
            return 0.0, False
        return duty_at_inlet(self._duty_pct, self._circuit)

    # --- time and faults

    @property
    def deadline(self) -> float | None:
        """When something arrives next: contact, set-point, safe voltage, reading."""
        times = (
            self._relay.moves_at,
            self._supply.settles_at,
            self._monitor.fresh_at,
            self._decay.reaches_at(SAFE_V),
        )
        return earliest(*(t for t in times if t and self._now < t < inf))

    def tick(self, now: float) -> None:
        """Let time pass. Every other call does the same."""
        self._advance(now)

    @property
    def faults(self) -> frozenset[BenchFault]:
        """What is broken."""
        return self._faults

    def inject(self, fault: BenchFault, now: float, *, on: bool = True) -> None:
        """Break something, or mend it."""
        self._change(now)
        self._faults = self._faults | {fault} if on else self._faults - {fault}
        faults = self._faults
        self._supply.is_dead = BenchFault.SUPPLY_DEAD in faults
        self._supply.is_slow = BenchFault.SUPPLY_SLOW in faults
        self._supply.is_overshooting = BenchFault.SUPPLY_OVERSHOOT in faults
        self._relay.is_welded = BenchFault.CONTACTOR_WELDED in faults
        self._relay.is_stuck_open = BenchFault.CONTACTOR_STUCK_OPEN in faults
        self._monitor.is_silent = BenchFault.ISOLATION_SILENT in faults
        self._monitor.set_resistance(self._isolation_ohm(), now)
        self._circuit = self._broken_circuit()
        self._drive(now)

    # --- inside

    def _drive(self, now: float) -> None:
        """Pass the board's outputs on; the E-stop chain cuts both in hardware."""
        is_chain_closed = BenchFault.ESTOP not in self._faults
        self._supply.enable(now, on=self._is_enable_wanted and is_chain_closed)
        self._relay.drive(now, closed=self._is_contactor_wanted and is_chain_closed)

    def _change(self, now: float) -> None:
        """Catch up with time before something changes."""
        self._advance(now)
        self._levels = self._rest = self._inlet_rest = None

    def _is_at_rest(self, now: float) -> bool:
        """Whether all readings stay as they are until the next change."""
        fresh_at = self._monitor.fresh_at
        is_measured = now >= fresh_at or fresh_at == inf
        is_dead = self._decay.at(now) < self._settings.supply.step_v / 2
        is_settled = now >= self._supply.settles_at and is_measured
        return is_settled and (self._is_fed or is_dead)

    @property
    def _is_fed(self) -> bool:
        """Whether something holds the voltage of the outlet."""
        return self._relay.is_closed or self._battery is not None

    def _advance(self, now: float) -> None:
        """Catch up: let the contactor arrive at its time."""
        moves_at = self._relay.moves_at
        if moves_at is not None and moves_at <= now:
            self._rest = self._inlet_rest = None
            outlet_v, current_a = self._outlet_v(moves_at), self._current_a(moves_at)
            self._relay.move()
            self._settle(outlet_v, current_a, moves_at)
        if now > self._now:
            self._now = now

    def _relink(self, now: float, car: CarElectrics | None) -> None:
        outlet_v, current_a = self._outlet_v(now), self._current_a(now)
        self._car = car
        if self._settings.mains_v is not None and car is not None:
            return  # an on-board charger ends its current by itself
        self._settle(outlet_v, current_a, now)

    def _settle(self, outlet_v: float, current_a: float, at: float) -> None:
        """Join supply, outlet and battery as the contacts now stand."""
        self._decay = Decay(outlet_v, at, self._settings.bleeder_s)
        load = self._battery if self._relay.is_closed else None
        if load is None and current_a > 0:
            self.load_breaks.append(LoadBreak(at, current_a))
        self._supply.attach(load, at)

    @property
    def _battery(self) -> Load | None:
        """The battery, where the car's contactor joins it to the cable."""
        if self._car is None or not self._car.contactor_closed:
            return None
        if self._settings.mains_v is not None:
            return None
        return Load(self._car.ocv_v, self._car.r_ohm)

    def _outlet_v(self, now: float) -> float:
        if self._settings.mains_v is not None:
            return self._settings.mains_v if self._relay.is_closed else 0.0
        if self._relay.is_closed:
            return self._supply.voltage_v(now)
        battery = self._battery
        return battery.ocv_v if battery else self._decay.at(now)

    def _current_a(self, now: float) -> float:
        if self._settings.mains_v is not None:
            is_fed = self._relay.is_closed and self._car is not None
            is_joined = is_fed and self._car is not None and self._car.contactor_closed
            return self._car.draw_a if self._car is not None and is_joined else 0.0
        return self._supply.current_a(now)

    def _isolation_ohm(self) -> float:
        settings = self._settings.isolation
        if BenchFault.ISOLATION_FAULT in self._faults:
            return settings.fault_ohm
        if BenchFault.ISOLATION_WARNING in self._faults:
            return settings.warning_ohm
        return settings.good_ohm

    def _broken_circuit(self) -> PilotCircuit:
        circuit = replace(self._settings.circuit, generator=self._generator)
        for fault, wiring in _WIRING:
            if fault in self._faults:
                circuit = replace(circuit, wiring=wiring)
                break
        for fault, diode in _DIODE:
            if fault in self._faults:
                circuit = replace(circuit, load=replace(circuit.load, diode=diode))
                break
        return circuit

    def _noise(self, amplitude_v: float) -> float:
        share = int.from_bytes(self._entropy(2), "big") / 0xFFFF
        return amplitude_v * (2 * share - 1)


def _rounded(value: float, step: float) -> float:
    """Return the value as an instrument of this resolution shows it."""
    return round(round(value / step) * step, 6)
