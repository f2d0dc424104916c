"""Measure SLAC: ``python -m tests.bench_slac --matches 10000``, or ``make bench``."""

from __future__ import annotations

import argparse
import select
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing

from tests.bench_exi import of_process
from tests.matches import matched
from tests.net.lab import Lab
from tests.unit.slac.bench import Bench
from tests.unit.slac.segment import Segment

from pilothat.homeplug import cm
from pilothat.homeplug import frame as wire
from pilothat.homeplug.frame import ETHERTYPE
from pilothat.runtime import netwatch
from pilothat.runtime.plcport import open_packet_socket
from pilothat.runtime.twinbench import CableEnd
from pilothat.slac.events import EvSlacMatched
from pilothat.slac.settings import EvSlacSettings
from pilothat.twin.bench import CarElectrics
from pilothat.twin.circuit import CarPilot

LOSSES = (0.0, 0.01, 0.02, 0.05, 0.10)
ROUNDS = 200
ASKED, FRAMES_PER_ASK = 200, 10
_FOREIGN = bytes.fromhex("00b052ffffff")
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
    wrong = sum(not one.is_right for one in found)
    stuck = sum(not one.is_ended for one in found)
    times_s = sorted(one.took_s for one in found if one.took_s is not None)
    share = len(times_s) / len(found)
    ranks = [times_s[int(len(times_s) * part)] for part in (0.5, 0.95, 0.99)]
    took = " / ".join(f"{time_s:.2f}" for time_s in ranks)
    figure = f"{share:.2%}, {wrong} wrong, {stuck} stuck, {took} s"
    name = f"matched at {loss:.0%} loss, p50/p95/p99 ({len(found)} cars)"
    say(name, figure, "none wrong, none stuck")
    assert (wrong, stuck) == (0, 0)


def answers_on_the_wire(say: Say, lab: Lab, *, cores_busy: int) -> None:
    """Print the time from CM_SLAC_PARM.REQ to .CNF, 100 other frames a second beside.

    The other frames are profiles of foreign modems and sounds of foreign cars.
    """
    busy = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(busy) for _ in range(cores_busy)]
    program = [sys.executable, "-m", "tests.bench_slac"]
    car = ["ip", "netns", "exec", f"{lab.name}b", *program, "--ask", lab.ev]
    ear = ["ip", "netns", "exec", f"{lab.name}a", *program, "--sniff", lab.evse]
    try:
        with closing(CableEnd(lab.bench)) as cable:
            sniffer = subprocess.Popen(ear, stdout=subprocess.PIPE, text=True)
            asker = subprocess.Popen(car)
            while sniffer.poll() is None:
                cable.connect(CarElectrics(CarPilot.B))  # the bench wants to hear it
                time.sleep(0.1)
            asker.wait()
    finally:
        for burner in burners:
            burner.kill()
    assert sniffer.stdout is not None
    times_ms = sorted(float(line) * 1000 for line in sniffer.stdout)
    p99_ms = times_ms[int(len(times_ms) * 0.99)]
    figure = f"median {statistics.median(times_ms):.2f}, p99 {p99_ms:.2f} ms"
    loaded = f", {cores_busy} busy" if cores_busy else ""
    name = f"SLAC answer, 100 frames/s beside{loaded} ({len(times_ms)})"
    say(name, figure, f"p99 <= {20 if cores_busy else 5} ms")


def _ask(interface: str) -> None:
    """Ask again and again to be matched, in a crowd."""
    time.sleep(3.0)  # until the pilot has said 5 %
    opened = open_packet_socket(interface, ETHERTYPE)
    mac = netwatch.find(interface).mac
    profile = cm.CmAttenProfileInd(pev_mac=_FOREIGN, aag_db=(20,) * cm.GROUPS)
    sound = cm.CmMnbcSoundInd(cnt=1, run_id=bytes(8), rnd=bytes(16))
    for number in range(ASKED * FRAMES_PER_ASK):
        mme = profile if number % 2 else sound
        opened.send(wire.build(wire.BROADCAST_MAC, _FOREIGN, mme))
        if number % FRAMES_PER_ASK == 0:
            req = cm.CmSlacParmReq(run_id=number.to_bytes(8))
            opened.send(wire.build(wire.BROADCAST_MAC, mac, req))
        time.sleep(0.01)


def _sniff(interface: str) -> None:
    """Print the seconds from each request to its answer on the station's interface."""
    opened = open_packet_socket(interface, 0x0003)
    asked_at: dict[bytes, float] = {}
    end = time.monotonic() + ASKED * FRAMES_PER_ASK * 0.011 + 5.0
    while (left_s := end - time.monotonic()) > 0:
        if not select.select([opened], [], [], left_s)[0]:
            break
        raw = opened.recv(2048)
        now, frame = time.monotonic(), wire.parse(raw)
        match frame and frame.mme:
            case cm.CmSlacParmReq(run_id=run_id):
                asked_at[run_id] = now
            case cm.CmSlacParmCnf(run_id=run_id) if run_id in asked_at:
                sys.stdout.write(f"{now - asked_at.pop(run_id):.6f}\n")


def _print(name: str, figure: str, goal: str) -> None:
    sys.stdout.write(f"{name:<52} {figure:>38}  {goal}\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--matches", type=int, default=10_000)
    parser.add_argument("--ask", help=argparse.SUPPRESS)
    parser.add_argument("--sniff", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ask:
        _ask(options.ask)
    elif options.sniff:
        _sniff(options.sniff)
    else:
        measure(_print, options.matches)


if __name__ == "__main__":
    main()
