"""Runs a deck in ngspice and measures what a scope would."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from pilothat.board.revision import Revision
from pilothat.board.spice import (
    NOMINAL,
    PERIOD_S,
    START_S,
    Car,
    Spread,
    hold_netlist,
    netlist,
)

NGSPICE = shutil.which("ngspice")
needs_ngspice = pytest.mark.skipif(
    NGSPICE is None, reason="ngspice is not installed (Debian: ngspice)"
)
Wave = list[tuple[float, float]]


@dataclass(frozen=True)
class Measured:
    """Levels in V, times in s, codes of the converter."""

    high_v: float
    low_v: float
    rise_s: float
    fall_s: float
    width_s: float
    code_high: int
    code_low: int


def measure(
    revision: Revision,
    car: Car,
    folder: Path,
    spread: Spread = NOMINAL,
    duty_pct: float = 5.0,
) -> Measured:
    cp, adc = _run(netlist(revision, car, spread, duty_pct=duty_pct), folder)
    width_s = PERIOD_S * duty_pct / 100.0
    high_at = START_S + 0.9 * width_s
    low_at = min(START_S + width_s + 0.9 * (PERIOD_S - width_s), 0.998 * PERIOD_S)
    high_v, low_v = _at(cp, high_at), _at(cp, low_at)
    top_v, bottom_v = low_v + 0.9 * (high_v - low_v), low_v + 0.1 * (high_v - low_v)
    end = high_at + 0.1 * width_s
    rise = [at for at, v in cp if at < high_at and bottom_v < v < top_v]
    fall = [at for at, v in cp if at >= end - 1e-6 and bottom_v < v < top_v]
    above = [at for at, v in cp if v > 0]
    return Measured(
        high_v,
        low_v,
        _span(rise),
        _span([at for at in fall if at < low_at]),
        _span(above),
        revision.adc.code(_at(adc, high_at)),
        revision.adc.code(_at(adc, low_at)),
    )


def _span(times: list[float]) -> float:
    return times[-1] - times[0] if times else 0.0


def _at(wave: Wave, at: float) -> float:
    return min(wave, key=lambda point: abs(point[0] - at))[1]


def held(
    revision: Revision, car: Car, folder: Path, rf_v: float = 0.0, periods: int = 10
) -> tuple[float, float, float]:
    """Return what the holds show at the end, V at CP, and the ripple of the first."""
    deck = hold_netlist(revision, car, periods=periods, rf_v=rf_v)
    high, low = _run(deck, folder)
    seen = [revision.cp_v(_exact(revision, v)) for _, v in high]
    return seen[-1], revision.cp_v(_exact(revision, low[-1][1])), max(seen) - min(seen)


def _exact(revision: Revision, volts: float) -> float:
    return volts / revision.adc.vref_v * (revision.adc.top + 1)


def _run(deck: str, folder: Path) -> tuple[Wave, Wave]:
    rows = deck_rows(deck, folder)
    start = rows[0][0]
    return [(t - start, v) for t, v, _ in rows], [(t - start, v) for t, _, v in rows]


def deck_rows(deck: str, folder: Path) -> list[tuple[float, float, float]]:
    """Return time and both waves that a deck writes."""
    assert NGSPICE
    (folder / "pilot.cir").write_text(deck)
    done = subprocess.run(
        [NGSPICE, "-b", "pilot.cir"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    out = folder / "out.txt"
    assert out.exists(), done.stdout + done.stderr
    rows = [line.split() for line in out.read_text().splitlines()]
    return [(float(t), float(v), float(w)) for t, v, w in rows]
