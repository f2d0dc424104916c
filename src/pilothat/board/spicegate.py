"""The watchdog's gate as a netlist for ngspice: edges in, released or not out.

An XOR of the heartbeat and its delayed self makes a pulse of each edge, rising or
falling; a line that is stuck makes none. The monostable is modelled as what it is: each
pulse empties the timing capacitor, which then fills through its resistor; the output
is high until it has come to the threshold that the factor stands for.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import exp

from pilothat.board.revision import Revision
from pilothat.frozen import dataclass

EDGE_S = 1e-6
EMPTY_OHM = 0.2  # the real one goes on until it is empty, whatever the pulse
STEP_S = 1e-4


@dataclass(frozen=True, slots=True, kw_only=True)
class GateSpread:
    """Factors on what the window hangs on."""

    timing_ohm: float = 1.0
    timing_f: float = 1.0
    factor: float = 1.0


# a resistor of 1 %, a film capacitor of 5 %, the monostable within 10 %
SHORTEST = GateSpread(timing_ohm=0.99, timing_f=0.95, factor=0.9)
LONGEST = GateSpread(timing_ohm=1.01, timing_f=1.05, factor=1.1)
NOMINAL_GATE = GateSpread()


def gate_netlist(
    revision: Revision,
    edges: Sequence[float],
    until_s: float,
    spread: GateSpread = NOMINAL_GATE,
    *,
    is_high: bool = False,
) -> str:
    """Return a deck that writes heartbeat and output, 0..1 V, over time to out.txt.

    edges: times at which the heartbeat changes, s; is_high: how it begins
    """
    gate, supply_v = revision.watchdog, revision.adc.supply_v
    threshold_v = supply_v * (1.0 - exp(-gate.factor * spread.factor))
    half_v = supply_v / 2
    return "\n".join(
        [
            f"{revision.board.product}: gate of the watchdog",
            f"Vcc vcc 0 {supply_v}",
            f"Vhb hb 0 PWL({_steps(edges, supply_v, is_high=is_high)})",
            f"Rlate hb late {gate.edge_ohm}",
            f"Clate late 0 {gate.edge_f}",
            f"Bxor pulse 0 V=(V(hb) > {half_v}) != (V(late) > {half_v}) ? 1 : 0",
            f"Rtime vcc time {gate.timing_ohm * spread.timing_ohm}",
            f"Ctime time 0 {gate.timing_f * spread.timing_f}",
            "Sempty time 0 pulse 0 empty",
            f"Bout out 0 V=V(time) < {threshold_v} ? 1 : 0",
            f".model empty SW(VT=0.5 VH=0.1 RON={EMPTY_OHM} ROFF=1e12)",
            f".ic v(time)={supply_v}",
            ".control",
            f"tran {STEP_S} {until_s} 0 {STEP_S}",
            "set wr_singlescale",
            "wrdata out.txt v(hb) v(out)",
            "quit",
            ".endc",
            ".end",
            "",
        ]
    )


def _steps(edges: Sequence[float], supply_v: float, *, is_high: bool) -> str:
    """Return the heartbeat as points of a piecewise linear source."""
    level_v = supply_v if is_high else 0.0
    points = [(0.0, level_v)]
    for at in edges:
        points.append((at, level_v))
        level_v = supply_v - level_v
        points.append((at + EDGE_S, level_v))
    return " ".join(f"{at:.9g} {volts}" for at, volts in points)
