"""Run seeded sessions in the twin's world and check what must always hold.

    pilothat sim --seeds 1000 --faults           1000 sessions, each with 1..3 faults
    pilothat sim --first 421 --seeds 1 --faults  one of them again, exactly
    pilothat sim --seeds 50 --car ioniq28        without faults every car must charge

All follows from the seed: car, faults, their moments, noise. After every event the
invariants are checked (contactor closed only with CP in C or D and the lease alive,
set-points inside all limits, every request answered once, ...); at the end the station
must be ready again, and after every tenth seed an honest car must charge. Every
fiftieth seed is run twice: the journal must be the same. Exit code 1 if anything was
violated.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace

from pilothat.service.cars import chosen_car
from pilothat.twin import profile
from pilothat.twin.profile import CarProfile
from pilothat.twin.seeded import Report, play

TWICE_EVERY = 50
CHUNK = 10  # seeds a worker takes at a time
ALL = "all"
PROGRESS_S = 1.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--seeds", type=_count, default=100, metavar="N", help="how many (100)"
    )
    parser.add_argument(
        "--first", type=_seed, default=0, metavar="K", help="the first seed (0)"
    )
    parser.add_argument(
        "--faults", action="store_true", help="let things go wrong, by the seed"
    )
    parser.add_argument(
        "--car",
        "--cars",
        default=ALL,
        metavar="PROFILE",
        help=f"a known car ({', '.join(profile.names())}), a profile file, or "
        f"{ALL}: a known one by the seed (default)",
    )
    parser.add_argument(
        "--jobs", type=_count, default=os.cpu_count() or 1, help="processes at a time"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "-v", "--verbose", action="store_true", help="print a line for each seed"
    )


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is less than 1")
    return number


def _seed(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is less than 0")
    return number


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    if options.car != ALL:
        chosen_car(options.car)  # a mistake is told before anything runs
    seeds = range(options.first, options.first + options.seeds)
    jobs = [(seed, options.car, options.faults) for seed in seeds]
    reports: list[Report] = []
    shown_at = time.monotonic()
    for report in _played(jobs, options.jobs):
        reports.append(report)
        if options.verbose and not options.json:
            sys.stdout.write(_line(report) + "\n")
        if time.monotonic() - shown_at >= PROGRESS_S and not options.verbose:
            shown_at = time.monotonic()
            sys.stderr.write(f"{len(reports)} of {len(jobs)} sessions\n")
    summary = _summary(reports, options)
    if options.json:
        sys.stdout.write(json.dumps(summary) + "\n")
    else:
        sys.stdout.writelines(f"{line}\n" for line in _told(summary))
    return 1 if summary["violations"] else 0


def _played(jobs: Sequence[tuple[int, str, bool]], workers: int) -> Iterator[Report]:
    """Return the reports in the order of the seeds, whoever is ready first."""
    if workers == 1 or len(jobs) <= CHUNK:
        yield from map(play_one, jobs)
        return
    with ProcessPoolExecutor(max_workers=workers) as pool:
        yield from pool.map(play_one, jobs, chunksize=CHUNK)


def play_one(job: tuple[int, str, bool]) -> Report:
    """Play one seed; now and then twice, since it must come out the same."""
    seed, car, has_faults = job
    chosen = _car_of(seed) if car == ALL else chosen_car(car)
    report = play(seed, chosen, has_faults=has_faults)
    if seed % TWICE_EVERY == 0:
        again = play(seed, chosen, has_faults=has_faults)
        if again.journal_sha256 != report.journal_sha256:
            told = (*report.violations, "the same seed gives another journal")
            report = replace(report, violations=told)
    return report


def _car_of(seed: int) -> CarProfile:
    names = profile.names()
    return profile.builtin(names[seed % len(names)])


def _line(report: Report) -> str:
    faults = ", ".join(report.faults) or "no faults"
    mark = "VIOLATED" if report.violations else report.outcome
    return f"{report.seed:6d} {report.car:<14} {mark:<9} {report.stage:<18} {faults}"


def _summary(
    reports: Sequence[Report], options: argparse.Namespace
) -> dict[str, object]:
    """Return everything worth knowing of all seeds."""
    names = (fault.partition(" at ")[0] for r in reports for fault in r.faults)
    return {
        "sessions": len(reports),
        "first": options.first,
        "faults": options.faults,
        "virtual_s": round(sum(r.duration_s for r in reports), 1),
        "events": sum(r.events for r in reports),
        "outcomes": _counted(r.outcome for r in reports),
        "stages": _counted(r.stage for r in reports),
        "faults_drawn": _counted(names),
        "violations": [
            {**asdict(report), "again": _again(report, options)}
            for report in reports
            if report.violations
        ],
    }


def _counted(names: Iterable[str]) -> dict[str, int]:
    return dict(Counter(names).most_common())


def _again(report: Report, options: argparse.Namespace) -> str:
    """Return the command that plays this seed again."""
    faults = " --faults" if options.faults else ""
    car = "" if options.car == ALL else f" --car {options.car}"
    return f"pilothat sim --first {report.seed} --seeds 1{faults}{car} -v"


def _told(summary: Mapping[str, object]) -> Iterator[str]:
    yield (
        f"{summary['sessions']} sessions, {summary['virtual_s']} s of virtual time, "
        f"{summary['events']} events"
    )
    for title, key in (
        ("outcomes", "outcomes"),
        ("how far the car came", "stages"),
        ("faults drawn", "faults_drawn"),
    ):
        counts = summary[key]
        if isinstance(counts, dict) and counts:
            told = ", ".join(f"{name} {count}" for name, count in counts.items())
            yield f"{title}: {told}"
    violated = summary["violations"]
    for row in violated if isinstance(violated, list) else ():
        yield ""
        yield f"seed {row['seed']} ({row['car']}): {', '.join(row['faults'])}"
        yield from (f"  {told}" for told in row["violations"])
        yield f"  again: {row['again']}"
    count = len(violated) if isinstance(violated, list) else 0
    yield f"{count} sessions with violations"
