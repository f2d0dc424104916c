r"""Show a whole charge: a car plugs in, charges and leaves, all in virtual time.

    pilothat demo                       watch it, about half a minute
    pilothat demo --speed 0             as fast as this machine can
    pilothat demo --car ioniq28         another car
    pilothat demo --minutes 5           press stop five minutes after the start
    pilothat demo --json | jq .         for programs: one JSON object

Nothing is switched and nothing is sent: station, guard, electrics, powerline and car
are the real program in a made-up world. The same car, seed and stop give the same
journal, bit for bit, whatever the speed and the view. Its first line holds the
settings of the station; the hash is that of the others, without their ends:

    pilothat demo --journal charge.jsonl
    tail -n +2 charge.jsonl | tr -d '\n' | sha256sum
    pilothat replay charge.jsonl        does a fresh station do the same?

Exit code 0 only if the car reached its goal and no fault came up.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Event
from typing import Protocol, cast

from pilothat.errors import ConfigError, PilotHatError
from pilothat.service.cars import add_car_argument, chosen_car
from pilothat.service.console import clock, printable
from pilothat.service.story import CHARGING, Outcome, Story
from pilothat.station.events import StopCause, StopRequested
from pilothat.twin.car import Car, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.profile import CarProfile
from pilothat.twin.stage import EV_MAC, WorldSettings, fitting
from pilothat.twin.world import World

PLUG_IN_S = 1.0
LEAVES_AFTER_S = 10.0  # a car that would stay for ever
LIMIT_S = 6 * 3600.0
FRAME_S = 0.08
SLICE_S = 60.0  # virtual, when nobody waits for it

# virtual seconds a second when nobody asks for a speed: slow where much happens
PACE: Mapping[str, float] = {
    "matching": 0.6,
    "setup": 0.4,
    "session": 0.4,
    "cable check": 2.5,
    "precharge": 0.5,
    "ramping down": 0.5,
    "opening": 0.5,
    "welding check": 0.5,
    "stopping": 0.5,
    "finished": 5.0,
}
PACE_ELSE = 1.0
PACE_FIRST, PACE_RISE, PACE_MOST = 4.0, 2.0, 320.0  # charging: faster every second


class View(Protocol):
    """Something that shows a story while it goes on."""

    def show(self, story: Story, pace: float, /) -> None:
        """Show what is new. pace: virtual seconds a second; 0 as fast as possible."""

    def close(self) -> None:
        """Leave the screen as it was."""


class Nothing:
    """No view: only the result counts."""

    def show(self, story: Story, pace: float, /) -> None:
        """Show nothing."""

    def close(self) -> None:
        """Do nothing."""


class Lines:
    """Plain lines: when, and what."""

    def __init__(self) -> None:
        self._shown = 0

    def show(self, story: Story, _pace: float, /) -> None:
        """Print the new lines of the log."""
        for line in story.log[self._shown :]:
            sys.stdout.write(f"{line.at_s:9.2f} s  {line.text}\n")
        self._shown = len(story.log)
        sys.stdout.flush()

    def close(self) -> None:
        """Leave a line free before what follows."""
        sys.stdout.write("\n")


class Pace:
    """How fast virtual time goes. asked: a fixed factor; None to show it well."""

    def __init__(self, asked: float | None) -> None:
        self._asked = asked
        self._charging_since: float | None = None

    def now(self, step: str) -> float:
        """Return virtual seconds a second; 0 as fast as possible."""
        if self._asked is not None:
            return self._asked
        if step != CHARGING:
            self._charging_since = None
            return PACE.get(step, PACE_ELSE)
        now = time.monotonic()
        self._charging_since = self._charging_since or now
        rise: float = PACE_RISE ** min(now - self._charging_since, 60.0)
        return min(PACE_FIRST * rise, PACE_MOST)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_car_argument(parser)
    parser.add_argument(
        "--seed", type=int, default=1, metavar="N", help="(default: %(default)s)"
    )
    parser.add_argument(
        "--speed",
        type=_number,
        metavar="FACTOR",
        help="virtual seconds a second, 0 as fast as possible (default: on a terminal "
        "slow where much happens and time lapse while charging, else 0)",
    )
    parser.add_argument(
        "--minutes",
        type=_number,
        metavar="N",
        help="a user presses stop N virtual minutes after the start",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--journal", type=Path, metavar="FILE", help="write the station's journal"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    profile = _profile(chosen_car(options.car))
    is_seen = sys.stdout.isatty() and not options.json
    speed = 0.0 if options.speed is None and not is_seen else options.speed
    world, story = staged(profile, options.seed, keeps_lines=bool(options.journal))
    if options.minutes is not None:
        stop = StopRequested(StopCause.USER)
        world.after(options.minutes * 60, lambda: world.tell(stop))
    with _journal(options.journal, world) as flush:
        is_interrupted = not _play(world, story, _view(options), Pace(speed), flush)
        flush()
    told = result(world, story, options.seed)
    if is_interrupted:
        told |= {"outcome": Outcome.STOPPED.value, "reason": "interrupted"}
    if options.json:
        indent = 2 if sys.stdout.isatty() else None
        sys.stdout.write(json.dumps(told, indent=indent) + "\n")
    else:
        sys.stdout.write(summary(world, story, told))
    sys.stdout.flush()
    for violation in world.invariants.violations:
        sys.stderr.write(f"pilothat: broken invariant, please report: {violation}\n")
    is_good = told["outcome"] == Outcome.COMPLETE.value
    return 0 if is_good and not world.invariants.violations else 1


def staged(
    profile: CarProfile, seed: int, *, keeps_lines: bool = False
) -> tuple[World, Story]:
    """Return a world in which a car is about to plug in, and its story."""
    world = World(fitting(profile, WorldSettings(keeps_lines=keeps_lines)), seed)
    car = Car(profile, EV_MAC, Chance(seed, "car"))
    story = Story(world, car)
    world.park(car)

    def plug_in() -> None:
        story.note("the driver plugs in")
        world.drive(Plug())

    world.after(PLUG_IN_S, plug_in)
    return world, story


def result(world: World, story: Story, seed: int) -> dict[str, object]:
    """Return what a program wants to know of the visit."""
    seen = story.snapshot()
    return {
        "outcome": story.outcome.value,
        "reason": story.ending,
        "car": seen.car,
        "seed": seed,
        "duration_s": round(world.now, 3),
        "energy_wh": round(seen.energy_wh, 1),
        "soc_start_pct": round(story.soc_start_pct, 2),
        "soc_end_pct": round(seen.soc_pct, 2),
        "phases": [
            {
                "name": entry.name,
                "at_s": round(entry.at_s, 3),
                "duration_s": round(length_s, 3),
            }
            for entry, length_s in story.lasted()
        ],
        "messages": dict(story.messages),
        "faults": [
            {
                "code": entry.fault.name,
                "at_s": round(entry.at_s, 3),
                "meaning": entry.fault.row.meaning,
                "remedy": entry.fault.row.remedy,
            }
            for entry in story.faults
        ],
        "journal_sha256": world.journal_sha256,
    }


def summary(world: World, story: Story, told: Mapping[str, object]) -> str:
    """Return the end of the visit as text."""
    seen = story.snapshot()
    mean_kw = seen.energy_wh * 3.6 / seen.charging_s if seen.charging_s else 0.0
    often = sorted(story.messages.items(), key=lambda item: -item[1])[:3]
    most = ", ".join(f"{name} {count}" for name, count in often)
    rows = [
        ("car", f"{seen.car}: {seen.about}"),
        ("energy", f"{seen.energy_wh / 1000:.2f} kWh, {mean_kw:.1f} kW on average"),
        ("battery", f"{story.soc_start_pct:.0f} % to {seen.soc_pct:.0f} %"),
        ("time", f"{clock(world.now)}, {clock(seen.charging_s)} of it charging"),
        ("messages", f"{seen.requests} ({most})" if most else "none"),
        ("sha256", world.journal_sha256),
    ]
    for entry in story.faults:
        row = entry.fault.row
        rows.append(("fault", f"{entry.fault.name}: {row.meaning}. {row.remedy}"))
    head = f"{told['outcome']}: {told['reason']}\n"
    return head + "".join(f"  {name:<9} {text}\n" for name, text in rows)


# --- inside


def _number(text: str) -> float:
    """Return a number of 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise argparse.ArgumentTypeError(f"{text} is not a number of 0 or more")
    return value


def _profile(profile: CarProfile) -> CarProfile:
    """Return a profile of a car that leaves again, with names that can be shown."""
    leaves_s = profile.car.unplugs_after_s
    stays = LEAVES_AFTER_S if leaves_s is None else leaves_s
    return replace(
        profile,
        name=printable(profile.name),
        about=printable(profile.about),
        car=replace(profile.car, unplugs_after_s=stays),
    )


def _view(options: argparse.Namespace) -> View:
    """Return the view that fits what is on the other side of standard output."""
    if options.json:
        return Nothing()
    is_dumb = os.environ.get("TERM", "dumb") in ("", "dumb", "unknown")
    has_dots = "utf" in (sys.stdout.encoding or "").lower()
    if not sys.stdout.isatty() or is_dumb or not has_dots:
        return Lines()
    try:
        module = import_module("pilothat.service.view")
    except ModuleNotFoundError:
        sys.stderr.write("pilothat: for the live view: pip install 'pilothat[view]'\n")
        return Lines()
    return cast("View", module.Live())


def _play(
    world: World, story: Story, view: View, pace: Pace, flush: Callable[[], None]
) -> bool:
    """Let the visit happen; False if it was interrupted."""
    pause = Event()
    reached_s = 0.0
    try:
        while not story.is_over and reached_s < LIMIT_S:
            began = time.monotonic()
            factor = pace.now(story.step)
            reached_s = _advance(world, story, reached_s, factor)
            view.show(story, factor)
            flush()
            if factor:
                pause.wait(max(began + FRAME_S - time.monotonic(), 0.0))
    except KeyboardInterrupt:
        return False
    finally:
        view.close()
    return True


def _advance(world: World, story: Story, reached_s: float, factor: float) -> float:
    """Let time pass, at most one frame and not beyond a step; return the time."""
    step, until = story.step, time.monotonic() + FRAME_S
    aim_s = reached_s + factor * FRAME_S if factor else world.now + SLICE_S
    aim_s = min(aim_s, LIMIT_S)

    def is_enough() -> bool:
        is_new = story.is_over or story.step != step
        return is_new or time.monotonic() >= until

    return world.now if world.run(is_enough, aim_s) else aim_s


@contextmanager
def _journal(path: Path | None, world: World) -> Iterator[Callable[[], None]]:
    """Keep a file open for the journal; give what writes the lines there are."""
    if path is None:
        yield lambda: None
        return
    try:
        file = path.open("wb", buffering=0)  # nothing is left to write on closing
    except OSError as error:
        reason = f"cannot be written ({error.strerror})"
        raise ConfigError(reason, where=str(path)) from error

    def flush() -> None:
        data = "".join(f"{line}\n" for line in world.lines).encode()
        world.lines.clear()
        try:
            while data:
                data = data[file.write(data) :]
        except OSError as error:
            raise PilotHatError(str(error.strerror), where=str(path)) from error

    with file:
        yield flush
