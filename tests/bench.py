"""Measure: ``make bench`` prints one table of figures with their goals.

Ratios and percentiles of one run on this machine; nothing here fails by the clock.
What needs root (network namespaces) is measured only as root, and says so otherwise.
"""

from __future__ import annotations

import argparse
import os
import re
import select
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import bench_exi, bench_hat, bench_slac, bench_system, bench_v2g
from tests.net.lab import Lab, Process, sh, until

from pilothat.runtime.plcport import open_packet_socket
from pilothat.runtime.twinbench import CableEnd
from pilothat.service.cars import chosen_car
from pilothat.twin.bench import CarElectrics
from pilothat.twin.car import Car, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.circuit import CarPilot
from pilothat.twin.stage import EV_MAC, WorldSettings
from pilothat.twin.world import World

HALF_HOUR_S = 1800.0
HALF_HOURS = 4
FIXED_TURNS = 200_000
SECONDS_IDLE = 10.0
GUARD_TRIES = 5
LOOP_S = 20.0
PILOTHAT = (sys.executable, "-m", "pilothat.service.cli")
BENCH = (sys.executable, "-m", "tests.bench")
_TICKS = os.sysconf("SC_CLK_TCK")


def say(name: str, figure: str, goal: str = "") -> None:
    sys.stdout.write(f"{name:<52} {figure:>26}  {goal}\n")
    sys.stdout.flush()


def half_hour(*, has_exi: bool) -> float:
    """Return the CPU seconds of half an hour of charging in virtual time."""
    world = World(WorldSettings(has_exi=has_exi), 1)
    car = Car(chosen_car("generic"), EV_MAC, Chance(1, "car"), exi=has_exi)
    world.park(car)
    world.drive(Plug())
    world.run(lambda: car.phase_text == "charging", 60.0)
    began, start_s = time.process_time(), world.now
    world.run(lambda: False, start_s + HALF_HOUR_S)
    assert not world.invariants.violations, world.invariants.violations
    return time.process_time() - began


def fixed_loop() -> float:
    """Return the CPU seconds of a piece of work that has nothing to do with ours."""
    began, kept = time.process_time(), {}
    for number in range(FIXED_TURNS):
        kept[number & 0xFF] = (number, f"{number!r}", max(number, 3))
    return time.process_time() - began


def virtual_time() -> None:
    """Print what half an hour costs: the least of some, others only disturb it."""
    for way, has_exi, goal in (
        ("message objects", False, "<= 1 s"),
        ("EXI on the wire", True, "<= 3 s"),
    ):
        spent_s, fixed_s = [], []
        for _ in range(HALF_HOURS):
            fixed_s.append(fixed_loop())
            spent_s.append(half_hour(has_exi=has_exi))
        figure = f"{min(spent_s):.2f} s CPU, worst {max(spent_s):.2f}"
        say(f"half an hour of charging, {way}", figure, goal)
        figure = f"{min(fixed_s):.3f} s CPU, worst {max(fixed_s):.3f}"
        say("a loop that never changes, beside it", figure, "how quick the machine is")


def seeds(count: int) -> None:
    began = time.monotonic()
    done = subprocess.run(
        [*PILOTHAT, "sim", "--seeds", str(count), "--faults"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    took_s = time.monotonic() - began
    verdict = "no violation" if done.returncode == 0 else "VIOLATIONS"
    say(
        f"{count} seeded faulty sessions",
        f"{took_s:.0f} s, {verdict}",
        "1000 in <= 120 s, none",
    )


@contextmanager
def laboratory() -> Iterator[Lab]:
    with tempfile.TemporaryDirectory() as folder:
        lab = Lab(Path(folder), f"phb{os.getpid() % 10_000}")
        try:
            os.environ["PYTHONPYCACHEPREFIX"] = folder
            os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
            lab.build()
            yield lab
        finally:
            lab.tear_down()


def station_at_rest(lab: Lab) -> None:
    lab.segment()
    time.sleep(3.0)  # the address passes its duplicate detection, as after a boot
    lab.station().end()
    began = time.monotonic()
    station = lab.station("again")  # byte code lies ready, as after an installation
    say("pilothat run: start to ready", f"{time.monotonic() - began:.2f} s", "<= 1.0 s")
    time.sleep(12.0)  # the codec's functions are made
    pids = _family(station.popen.pid)
    memory = [_rss_mb(pid) for pid in pids]
    say(
        "resident memory, main + guard",
        f"{' + '.join(f'{m:.0f}' for m in memory)} MB",
        "<= 60 MB",
    )
    before = [_cpu_s(pid) for pid in pids]
    time.sleep(SECONDS_IDLE)
    shares = [
        (_cpu_s(pid) - was) / SECONDS_IDLE * 100
        for pid, was in zip(pids, before, strict=True)
    ]
    say(
        "idle CPU, main + guard",
        f"{' + '.join(f'{s:.1f}' for s in shares)} %",
        "<= 1 %",
    )


def _family(pid: int) -> list[int]:
    children = sh("ps", "-o", "pid=", "--ppid", str(pid)).split()
    return [pid, *map(int, children)]


def _rss_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1024


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def answers_on_the_wire(lab: Lab) -> Process:
    """Time from a request's packet to its answer's, on the station's interface."""
    station = lab.station("second")
    car = lab.car()
    car.wait_for("phase charging", 40)
    sniffer = subprocess.run(
        ["ip", "netns", "exec", f"{lab.name}a", *BENCH, "--sniff"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    times_ms = sorted(float(line) * 1000 for line in sniffer.stdout.split())
    car.end()
    if len(times_ms) < 20:
        say("EVSE answer time in the loop", "too few answers seen")
        return station
    p99 = times_ms[int(len(times_ms) * 0.99)]
    figure = f"median {statistics.median(times_ms):.2f}, p99 {p99:.2f} ms"
    say(f"EVSE answer time in the loop ({len(times_ms)})", figure, "<= 1, <= 5 ms")
    return station


def sniff(interface: str) -> None:
    """Print the seconds from each incoming TCP payload to the next outgoing one."""
    opened = open_packet_socket(interface, 0x0003)
    end, asked_at = time.monotonic() + LOOP_S, None
    while (left_s := end - time.monotonic()) > 0:
        if not select.select([opened], [], [], left_s)[0]:
            break
        frame, address = opened.recvfrom(2048)
        now = time.monotonic()
        is_tcp = len(frame) > 74 and frame[12:14] == b"\x86\xdd" and frame[20] == 6
        if not is_tcp or not _tcp_payload(frame):
            continue
        if address[2] != 4:
            asked_at = now
        elif asked_at is not None:
            sys.stdout.write(f"{now - asked_at:.6f}\n")
            asked_at = None


def _tcp_payload(frame: bytes) -> int:
    (length,) = struct.unpack_from(">H", frame, 18)
    return int(length) - (frame[54 + 12] >> 4) * 4


def guard_opens(lab: Lab, station: Process) -> None:
    """Let CP leave C while main is stopped and both cores are busy."""
    busy = [sys.executable, "-c", "while True: pass"]
    burners = [subprocess.Popen(busy) for _ in range(2)]
    times_ms: list[float] = []
    try:
        for number in range(GUARD_TRIES):
            car = lab.car("--soc", "50", name=f"guard{number}")
            car.wait_for("phase charging", 40)
            time.sleep(1.0)
            os.kill(car.popen.pid, signal.SIGSTOP)
            times_ms.append(_open_time_ms(lab, station.popen.pid))
            car.popen.kill()
            until(lambda: station.phase == "idle", 30, "idle")
    finally:
        for burner in burners:
            burner.kill()
    name = f"guard opens, main stopped, cores busy ({len(times_ms)})"
    worst_ms, median_ms = max(times_ms), statistics.median(times_ms)
    figure = f"median {median_ms:.0f}, worst {worst_ms:.0f} ms"
    say(name, figure, "<= 100 ms (budget 72)")


def _open_time_ms(lab: Lab, main_pid: int) -> float:
    """Take the frozen car's place at the cable, stop main, open S2, see what flows."""
    end = CableEnd(lab.bench)
    end.connect(CarElectrics(CarPilot.C, contactor_closed=True, ocv_v=350.0))
    time.sleep(0.3)
    os.kill(main_pid, signal.SIGSTOP)
    try:
        began = time.monotonic()
        end.connect(CarElectrics(CarPilot.B, contactor_closed=True, ocv_v=350.0))
        while time.monotonic() - began < 2.0:
            select.select([end], [], [], 0.05)
            report = end.report()
            if report is not None and report.current_a < 1.0:
                return (time.monotonic() - began) * 1000
        return 2000.0
    finally:
        os.kill(main_pid, signal.SIGCONT)
        end.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1000, help="faulty sessions")
    parser.add_argument("--matches", type=int, default=2000, help="SLAC matches")
    parser.add_argument("--sessions", type=int, default=20, help="over TLS")
    parser.add_argument("--trials", type=int, default=100, help="of the guard's")
    parser.add_argument("--only-lab", action="store_true", help="only what needs root")
    parser.add_argument("--sniff", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.sniff:
        sniff("evse0")
        return
    if not options.only_lab:
        virtual_time()
        bench_exi.measure(say)
        bench_slac.measure(say, options.matches)
        seeds(options.seeds)
    if os.geteuid() != 0:
        say("run, answers, guard", "not measured: needs root")
        return
    with laboratory() as lab:
        station_at_rest(lab)
        for cores_busy in (0, 1):
            bench_slac.answers_on_the_wire(say, lab, cores_busy=cores_busy)
        lab.processes[-1].end()
        station = answers_on_the_wire(lab)
        guard_opens(lab, station)
    bench_v2g.measure(say, options.sessions)
    for driver in ("pigpio", "kernel"):
        bench_hat.measure(say, options.trials, driver)
    bench_system.measure(say)


if __name__ == "__main__":
    main()
