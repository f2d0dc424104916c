"""The control pilot circuit, computed (IEC 61851-1, annex A).

::

    +/-12 V --[R1]--+--- CP ---+--|>|--+--[R2]------- PE
                    |          |       +--S2--[R3]--- PE
                 station     cable          car

The car loads only the positive half wave, because of its diode. Everything settles
well inside the 50 us of a 5 % pulse, so a level is all there is to compute.
"""

from __future__ import annotations

from enum import Enum, auto
from math import inf

from pilothat.frozen import dataclass
from pilothat.pilot.levels import PilotSample


class CarPilot(Enum):
    """What the car asks for on CP."""

    B = auto()  # present, S2 open
    C = auto()  # S2 closed on 1.3 kOhm: energy
    D = auto()  # S2 closed on 270 Ohm: energy with ventilation


class Diode(Enum):
    """The car's pilot diode."""

    GOOD = auto()
    SHORTED = auto()  # the junction is gone, conducts both ways
    MISSING = auto()  # never fitted: bare resistors, as in home-made adapters


class Wiring(Enum):
    """The way of CP and PE between station and car."""

    GOOD = auto()
    SHORT = auto()  # CP to PE, in cable or plug
    SHORT_BEHIND_DIODE = auto()  # how some test adapters make state E
    OPEN = auto()  # CP broken or PE lost: the two look the same


@dataclass(frozen=True, slots=True)
class Generator:
    """The station's end. Tolerance of the rails 11.4..12.6 V, of R1 3 %."""

    high_v: float = 12.0
    low_v: float = -12.0
    r1_ohm: float = 1000.0


@dataclass(frozen=True, slots=True)
class CarLoad:
    """The car's end. Tolerance of the resistors 3 %, diode 0.55..0.85 V."""

    r2_ohm: float = 2740.0
    r3_ohm: float = 1300.0
    r3_ventilation_ohm: float = 270.0
    diode_v: float = 0.7
    diode: Diode = Diode.GOOD

    def resistance_ohm(self, pilot: CarPilot) -> float:
        """Return what lies behind the diode."""
        if pilot is CarPilot.B:
            return self.r2_ohm
        r3 = self.r3_ohm if pilot is CarPilot.C else self.r3_ventilation_ohm
        return self.r2_ohm * r3 / (self.r2_ohm + r3)


@dataclass(frozen=True, slots=True)
class PilotCircuit:
    """Both ends and the wiring between them.

    short_ohm: resistance of a short, 0 is dead; type tests use 80
    """

    generator: Generator = Generator()
    load: CarLoad = CarLoad()
    wiring: Wiring = Wiring.GOOD
    short_ohm: float = 0.0


NOMINAL = PilotCircuit()
SHORTED_DIODE_V = 0.1  # what a broken junction still drops


def cp_levels(
    duty_pct: float, pilot: CarPilot | None, circuit: PilotCircuit = NOMINAL
) -> PilotSample:
    """Return the levels at the station's CP contact.

    duty_pct: 0 is steady low, 100 steady high
    pilot:    None when nothing is plugged in
    """
    generator = circuit.generator
    low_v = _level(generator.low_v, pilot, circuit)
    if duty_pct <= 0:
        return PilotSample(low_v, None)
    high_v = _level(generator.high_v, pilot, circuit)
    return PilotSample(high_v, None if duty_pct >= 100 else low_v)


def duty_at_inlet(
    duty_pct: float, circuit: PilotCircuit = NOMINAL
) -> tuple[float, bool]:
    """Return what the car measures: duty in percent, and whether it pulses.

    A line that is broken or shorted before the diode shows the car a dead 0 %.
    """
    if circuit.wiring in (Wiring.OPEN, Wiring.SHORT):
        return 0.0, False
    return duty_pct, 0 < duty_pct < 100


def _level(source_v: float, pilot: CarPilot | None, circuit: PilotCircuit) -> float:
    """Return the level at CP for one half wave."""
    r1_ohm = circuit.generator.r1_ohm
    if circuit.wiring is Wiring.SHORT:
        return source_v * circuit.short_ohm / (circuit.short_ohm + r1_ohm)
    if pilot is None or circuit.wiring is Wiring.OPEN:
        return source_v
    forward_v, backward_v = _drops(circuit.load)
    load_ohm = circuit.load.resistance_ohm(pilot)
    if circuit.wiring is Wiring.SHORT_BEHIND_DIODE:
        load_ohm = circuit.short_ohm
    drop_v = min(max(source_v, -backward_v), forward_v)
    if drop_v == source_v:  # the diode blocks
        return source_v
    return drop_v + (source_v - drop_v) * load_ohm / (load_ohm + r1_ohm)


def _drops(load: CarLoad) -> tuple[float, float]:
    """Return the drop forward and backward; infinite where the diode blocks."""
    match load.diode:
        case Diode.GOOD:
            return load.diode_v, inf
        case Diode.SHORTED:
            return SHORTED_DIODE_V, SHORTED_DIODE_V
        case Diode.MISSING:
            return 0.0, 0.0
