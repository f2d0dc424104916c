"""How volts and resistances of a board become codes of its converter, and back.

The formulas are here, their constants in ``revisions/*.toml``.
"""

from __future__ import annotations

from pilothat.frozen import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Adc:
    """The converter and how it is reached."""

    bits: int
    vref_v: float
    supply_v: float
    baud: int
    pigpio_channel: int
    pigpio_flags: int
    spidev: str
    kernel_baud: int

    @property
    def top(self) -> int:
        """The greatest code."""
        return (1 << self.bits) - 1

    def code(self, volts: float) -> int:
        """Return what the converter makes of a voltage at its input."""
        return min(max(round(volts / self.vref_v * (self.top + 1)), 0), self.top)

    def volts(self, code: float) -> float:
        """Return the voltage at the input."""
        return code / (self.top + 1) * self.vref_v


@dataclass(frozen=True, slots=True)
class Scale:
    """A straight line from codes to volts."""

    per_code_v: float
    at_zero_v: float

    def volts(self, code: float) -> float:
        """Return the voltage of a code."""
        return self.per_code_v * code + self.at_zero_v


@dataclass(frozen=True, slots=True, kw_only=True)
class Divider:
    """Three resistors to one node: from CP, to ground, to the reference."""

    from_cp_ohm: float
    to_ground_ohm: float
    to_reference_ohm: float
    filter_f: float
    stray_f: float

    @property
    def gain(self) -> float:
        """Return the part of CP that is seen at the node."""
        return 1.0 / self.from_cp_ohm / self._siemens

    def offset_v(self, vref_v: float) -> float:
        """Return what is seen at the node with CP at 0 V."""
        return vref_v / self.to_reference_ohm / self._siemens

    @property
    def _siemens(self) -> float:
        ohms = (self.from_cp_ohm, self.to_ground_ohm, self.to_reference_ohm)
        return sum(1.0 / ohm for ohm in ohms)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rail:
    """Divider of the positive rail."""

    from_rail_ohm: float
    to_ground_ohm: float

    @property
    def gain(self) -> float:
        """Return the part of the rail that is seen."""
        return self.to_ground_ohm / (self.from_rail_ohm + self.to_ground_ohm)


@dataclass(frozen=True, slots=True, kw_only=True)
class PullUp:
    """A resistor to the reference above the one that is measured."""

    pull_up_ohm: float

    def ohms(self, code: float, top: int) -> float | None:
        """Return the resistance below; None when nothing is there."""
        return None if code >= top else self.pull_up_ohm * code / (top + 1 - code)

    def code(self, ohms: float | None, top: int) -> int:
        """Return the code of a resistance; None is open."""
        if ohms is None:
            return top
        return min(round((top + 1) * ohms / (ohms + self.pull_up_ohm)), top)


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature(PullUp):
    """A PT1000, and the codes that none of them has."""

    shorted_below: int
    open_above: int
    too_hot_ohm: float

    def is_good(self, code: float, top: int) -> bool:
        """Tell whether a sensor is there, and not too hot."""
        lowest, beyond = self.good_codes(top)
        return lowest <= code < beyond

    def good_codes(self, top: int) -> tuple[int, int]:
        """Return the codes of a sensor that is there and not too hot: from, below."""
        hot = self.code(self.too_hot_ohm, top)
        return self.shorted_below, min(hot, self.open_above)
