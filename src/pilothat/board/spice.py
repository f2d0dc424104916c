"""The pilot circuit as a netlist for ngspice: board, cable and car, with their spread.

The bench measures at the contact: levels in the middle of each half wave, edges from
10 to 90 %, the width at 0 V, and the voltage at the converter's input.
"""

from __future__ import annotations

from pilothat.board.revision import Revision
from pilothat.frozen import dataclass

PERIOD_S = 1e-3
STEP_S = 20e-9
HOLD_STEP_S, RF_STEP_S = 0.5e-6, 50e-9
START_S = 1e-6  # of the high half wave
SECTIONS = 5  # of the cable
NEVER_OHM = 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """The car's end.

    r3_ohm: None with S2 open. diode: good, shorted or open. short_ohm: CP to PE at the
        contact, None without. is_there: False is a bare contact. has_pe: PE reaches it
    """

    r2_ohm: float = 2740.0
    r3_ohm: float | None = None
    cv_f: float = 0.4e-9
    diode: str = "good"
    short_ohm: float | None = None
    is_there: bool = True
    has_pe: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Factors on what the board, the cable and the car are made of."""

    rails: float = 1.0
    r1: float = 1.0
    cs_f: float | None = None
    cable_f: float = 1.0e-9
    coupling_f: float | None = None
    divider: tuple[float, float, float] = (1.0, 1.0, 1.0)
    vref: float = 1.0


NOMINAL = Spread()
WORST_EDGES = Spread(r1=1.02, cs_f=560e-12, cable_f=1.5e-9)


def netlist(
    revision: Revision,
    car: Car,
    spread: Spread = NOMINAL,
    *,
    duty_pct: float = 5.0,
    path: str = "out.txt",
) -> str:
    """Return a deck for batch mode; it writes contact and ADC node over time."""
    parts = [
        f"{revision.board.product}: control pilot",
        *_board(revision, spread, duty_pct),
        *_divider(revision, spread),
        *_cable(spread),
        *_car(revision, car),
    ]
    if car.short_ohm is not None:
        parts.append(f"Rshort cp 0 {max(car.short_ohm, 1e-3)}")
    return _deck(parts, ("cp", "adc"), (2, STEP_S), path)


def hold_netlist(
    revision: Revision,
    car: Car,
    *,
    periods: int = 8,
    rf_v: float = 0.0,
    path: str = "out.txt",
) -> str:
    """Return a deck that writes both held voltages over the last period to path.

    The holds begin empty and have so many periods to follow. rf_v: amplitude of the
    car's powerline modem, at 4 MHz behind 50 ohm.
    """
    modem = f"Rtc pc3 0 {NEVER_OHM}\nRrf pc3 rf 50\nVrf rf 0 SIN(0 {rf_v} 4meg)"
    car_lines = [
        modem if line.startswith("Rtc ") and rf_v else line
        for line in _car(revision, car)
    ]
    parts = [
        f"{revision.board.product}: track and hold",
        *_board(revision, NOMINAL, 5.0),
        *_divider(revision, NOMINAL),
        *_cable(NOMINAL),
        *car_lines,
        *_holds(revision),
        ".ic v(high)=1.5 v(low)=1.5",
    ]
    step_s = RF_STEP_S if rf_v else HOLD_STEP_S
    return _deck(parts, ("high", "low"), (periods, step_s), path)


def _deck(
    parts: list[str], nodes: tuple[str, str], time: tuple[int, float], path: str
) -> str:
    """Return the deck of these parts that writes two nodes over the last period.

    time: periods, and the step in s
    """
    periods, step_s = time
    until_s, seen = periods * PERIOD_S, " ".join(f"v({node})" for node in nodes)
    return "\n".join(
        [
            *parts,
            ".model pilotdiode D(IS=4.35n N=1.906 RS=0.65)",
            ".model gate SW(VT=0.5 VH=0.1 RON=5 ROFF=1e11)",
            ".options reltol=1e-4 method=gear",
            ".control",
            f"tran {step_s} {until_s} {until_s - PERIOD_S} {step_s}",
            f"linearize {seen}",
            "set wr_singlescale",
            f"wrdata {path} {seen}",
            "quit",
            ".endc",
            ".end",
            "",
        ]
    )


def _holds(revision: Revision) -> list[str]:
    """Return buffer, gates, capacitors and what leaks out of them."""
    hold, width_s = revision.hold, PERIOD_S * 0.05
    halves = (
        ("high", START_S + hold.gate_delay_high_s, width_s - hold.gate_delay_high_s),
        (
            "low",
            START_S + width_s + hold.gate_delay_low_s,
            PERIOD_S - width_s - hold.gate_delay_low_s - START_S,
        ),
    )
    lines = ["Ebuffer buffer 0 adc 0 1"]
    for name, delay_s, open_s in halves:
        lines += [
            f"Vg{name} g{name} 0 PULSE(0 1 {delay_s} 0.5u 0.5u {open_s} {PERIOD_S})",
            f"Rh{name} buffer t{name} {hold.series_ohm}",
            f"S{name} t{name} {name} g{name} 0 gate",
            f"Ch{name} {name} 0 {hold.hold_f}",
            f"Il{name} {name} 0 {hold.leakage_a}",
        ]
    return lines


def _board(revision: Revision, spread: Spread, duty_pct: float) -> list[str]:
    driver = revision.driver
    high_v, low_v = driver.rail_high_v * spread.rails, driver.rail_low_v * spread.rails
    width_s = PERIOD_S * duty_pct / 100.0
    cs_f = driver.cs_f if spread.cs_f is None else spread.cs_f
    coupling_f = spread.coupling_f or driver.coupling_f
    return [
        f"Vgen gen 0 PULSE({low_v} {high_v} {START_S} 0.1u 0.1u {width_s} {PERIOD_S})",
        f"Rswitch gen sw {driver.switch_ohm}",
        f"R1 sw cp {driver.r1_ohm * spread.r1}",
        f"Cs cp 0 {cs_f}",
        f"Cesd cp 0 {driver.esd_f}",
        f"Rbleed cp 0 {driver.bleed_ohm}",
        *_modem("cp", "b", "0", coupling_f, driver.coupling_ohm),
    ]


def _divider(revision: Revision, spread: Spread) -> list[str]:
    divider = revision.divider
    a, b, c = spread.divider
    return [
        f"Vref ref 0 {revision.adc.vref_v * spread.vref}",
        f"Ra cp adc {divider.from_cp_ohm * a}",
        f"Rb adc 0 {divider.to_ground_ohm * b}",
        f"Rc adc ref {divider.to_reference_ohm * c}",
        f"Cf adc 0 {divider.filter_f + divider.stray_f}",
    ]


def _cable(spread: Spread) -> list[str]:
    """Six microhenry and a nanofarad, in sections that do not ring for ever."""
    lines = []
    for number in range(SECTIONS):
        here = "cp" if number == 0 else f"w{number}"
        there = "inlet" if number == SECTIONS - 1 else f"w{number + 1}"
        lines += [
            f"Lw{number} {here} {there} {6e-6 / SECTIONS}",
            f"Rw{number} {here} {there} 1k",
            f"Cw{number} {there} 0 {spread.cable_f / SECTIONS}",
        ]
    return lines


def _car(revision: Revision, car: Car) -> list[str]:
    if not car.is_there:
        return []
    driver = revision.driver
    pe = "0" if car.has_pe else "pecar"
    return [
        f"Cv inlet {pe} {car.cv_f}",
        *_modem("inlet", "c", pe, driver.coupling_f, driver.coupling_ohm),
        {
            "good": "D1 inlet load pilotdiode",
            "shorted": "D1 inlet load pilotdiode\nRd inlet load 1",
            "open": f"Rd inlet load {NEVER_OHM}",
        }[car.diode],
        f"R2 load {pe} {car.r2_ohm}",
        f"R3 load {pe} {car.r3_ohm or NEVER_OHM}",
        *([] if car.has_pe else [f"Rpe pecar 0 {NEVER_OHM}"]),
    ]


def _modem(node: str, name: str, pe: str, c_f: float, r_ohm: float) -> list[str]:
    """Return the powerline branch: coupling, transformer, 50 ohm."""
    return [
        f"Cp{name} {node} p{name}1 {c_f}",
        f"Rp{name} p{name}1 p{name}2 {r_ohm}",
        f"Lp{name} p{name}2 p{name}3 0.2u",
        f"Lt{name} p{name}3 {pe} 30u",
        f"Rt{name} p{name}3 {pe} 50",
    ]
