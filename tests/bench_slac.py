"""Measure SLAC: ``python -m tests.bench_slac --matches 10000``, or ``make bench``."""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable

from tests.bench_exi import of_process
from tests.matches import matched
from tests.unit.slac.bench import Bench
from tests.unit.slac.segment import Segment

from pilothat.slac.events import EvSlacMatched
from pilothat.slac.settings import EvSlacSettings

LOSSES = (0.0, 0.01, 0.02, 0.05, 0.10)
ROUNDS = 200
PATH = (
    "import sys, time; began = time.process_time(); "
    "import pilothat.slac.evse, pilothat.plc.modem, pilothat.runtime.plcport; "
    "print(time.process_time() - began); assert 'scapy' not in sys.modules"
)

Say = Callable[[str, str, str], None]


def measure(say: Say, matches: int) -> None:
    """Print the figures of the matching."""
    say("import of the powerline path", f"{of_process(PATH) * 1e3:.0f} ms", "<= 60 ms")
    say("CPU of a sounding round", f"{_round_ms():.2f} ms", "<= 2 ms")
    pace_s, took_s = _pace_s()
    figure = f"{took_s:.3f} s, pace of the car {pace_s:.3f} s"
    say("CM_SLAC_PARM.REQ to CM_SLAC_MATCH.CNF", figure, "within 5 %")
    for loss in LOSSES:
        _table_row(say, loss, matches // len(LOSSES))


def _round_ms() -> float:
    """Return the CPU time from START to the report, sounds and profiles included."""
    spent_s = 0.0
    for _ in range(ROUNDS):
        bench = Bench().reach("parm")
        began = time.process_time()
        for _ in range(3):
            bench.announce()
        bench.sounds()
        bench.wait(0.1)
        spent_s += time.process_time() - began
        assert bench.reports()
    return spent_s / ROUNDS * 1e3


def _pace_s() -> tuple[float, float]:
    """Return what the car's own pauses add up to, and what a match takes."""
    settings = EvSlacSettings()
    segment = Segment()
    segment.charger(1)
    car = segment.car(1, settings)
    segment.run(1.0)
    began = segment.now
    segment.plug(car)
    segment.run(10.0)
    got = car.first(EvSlacMatched)
    assert got is not None
    pace_s = (
        settings.start_delay_s
        + 3 * settings.start_spacing_s
        + 9 * settings.sound_spacing_s
        + settings.rsp_delay_s
        + settings.match_delay_s
    )
    return pace_s, got - began


def _table_row(say: Say, loss: float, count: int) -> None:
    found = [one for seed in range(count // 2) for one in matched(seed, loss)]
    assert all(one.is_right and one.is_ended for one in found)
    times_s = sorted(one.took_s for one in found if one.took_s is not None)
    share = len(times_s) / len(found)
    p95_s = times_s[int(len(times_s) * 0.95)]
    figure = f"{share:.1%}, {statistics.median(times_s):.2f} / {p95_s:.2f} s"
    name = f"matched at {loss:.0%} loss, median / p95 ({len(found)} cars)"
    say(name, figure, "none wrong, none stuck")


def _print(name: str, figure: str, goal: str) -> None:
    sys.stdout.write(f"{name:<52} {figure:>38}  {goal}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matches", type=int, default=10_000)
    measure(_print, parser.parse_args().matches)
