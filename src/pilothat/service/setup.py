"""Make this machine a station's: boot settings, network, devices, watchdog, log.

    sudo pilothat setup --dry-run
    sudo pilothat setup
    sudo pilothat setup --only network --interface eth1
    sudo pilothat setup --remove

Every line is shown before it is written, and what is not ours is never changed: it is
reported with what to do. Run it as often as you like. What was done is kept in
/var/lib/pilothat/setup.json; --remove restores every file byte for byte, and leaves
what somebody changed since. Exit code 1 when something is left for you to do.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.service import config
from pilothat.service.config import Settings
from pilothat.service.keys import INSTALLED, KEYS
from pilothat.service.placing import Placed, digest, read, undo
from pilothat.service.setupplan import (
    CHANGES,
    HAS_HAT,
    NAMES,
    Change,
    Seen,
    look,
    rivals,
)
from pilothat.service.setuprecord import Done, History, load

OK, LEFT = 0, 1
DRIVERS = ("auto", *HAS_HAT, "wallbox", "none")
RESTART = "restart the machine: sudo reboot"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("--remove", action="store_true", help="undo what was done")
    parser.add_argument(
        "--dry-run", action="store_true", help="show it, change nothing"
    )
    parser.add_argument(
        "--root",
        type=Path,
        default=Path("/"),
        metavar="DIR",
        help="a machine's files, as of a mounted card (default: this machine's)",
    )
    parser.add_argument(
        "--driver",
        choices=DRIVERS,
        help="auto goes by the HAT's EEPROM, the Pi and pigpio's daemon "
        "(default: board.driver of the settings; for twin auto)",
    )
    parser.add_argument(
        "--interface",
        metavar="IF",
        help="the modem's (default: station.interface of the settings)",
    )
    parser.add_argument(
        "--only", action="append", choices=NAMES, help="this change; may be repeated"
    )
    for change in CHANGES:
        name = change.name
        parser.add_argument(
            f"--no-{name}",
            dest="without",
            action="append_const",
            const=name,
            help=f"not this one: {change.why}",
        )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    chosen = _chosen(options)
    history = load(options.root)
    if options.remove:
        return _remove(options, chosen, history)
    told = _settings(options.root)
    seen = look(options.root, _driver(options, told), _interface(options, told))
    tell(_found(seen))
    return _set_up(seen, chosen, history, is_dry=options.dry_run)


def _chosen(options: argparse.Namespace) -> Sequence[Change]:
    without, only = options.without or (), options.only or NAMES
    return [one for one in CHANGES if one.name in only and one.name not in without]


def _settings(root: Path) -> Settings | None:
    path = root / INSTALLED.lstrip("/")
    return config.load(path) if path.exists() else None


def _driver(options: argparse.Namespace, settings: Settings | None) -> str:
    """Return the driver: a simulated board needs nothing, a HAT may be there yet."""
    told = settings.text("board.driver") if settings else "twin"
    return options.driver or ("auto" if told == "twin" else told)


def _interface(options: argparse.Namespace, settings: Settings | None) -> str:
    name = options.interface
    if name is None:
        name = settings.text("station.interface") if settings else ""
    pattern = next(key.pattern for key in KEYS if key.path == "station.interface")
    if name and not re.fullmatch(pattern, name):
        raise ConfigError(f"'{name}' is no name of an interface", where="--interface")
    return str(name)


def _found(seen: Seen) -> str:
    hat = seen.machine.hat
    wears = f"HAT {hat.product}" if hat else "no HAT that tells of itself"
    model = seen.machine.model or "no Raspberry Pi"
    modem = f"at {seen.interface}" if seen.interface else "not told (--interface)"
    return f"{model}; {wears}; driver {seen.driver}; modem {modem}"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do: put a file, or take one away that is wanted no more."""

    change: Change
    path: str
    put: Placed | None


def _set_up(
    seen: Seen, chosen: Sequence[Change], history: History, *, is_dry: bool
) -> int:
    root, steps, left = seen.root, [], 0
    for change in chosen:
        for step in _steps(seen, change, history):
            why_not = _refusal(root, step, history)
            left += bool(why_not)
            _show(root, step, why_not)
            if not why_not:
                steps.append(step)
    for why in filter(None, (change.lacks(seen) for change in chosen)):
        left += 1
        tell(f"LEFT  {why}")
    every = [placed for change in chosen for placed in change.what(seen)]
    for place, why in rivals(seen, every):
        left += 1
        tell(f"LEFT  {place}: {why}")
    todo = [step for step in steps if not (step.put and step.put.is_done(root))]
    if not todo:
        tell("nothing to do: all is as it should be" if not left else "nothing done")
    elif is_dry:
        tell("dry run: nothing was changed")
    else:
        _do(root, steps, history)
        _take_note(root, [step.change for step in todo])
    return LEFT if left else OK


def _steps(seen: Seen, change: Change, history: History) -> Iterator[Step]:
    """Yield what a change needs here, and what it needed once and needs no more."""
    wanted = change.what(seen)
    yield from (Step(change, placed.path, placed) for placed in wanted)
    there = {placed.path for placed in wanted}
    for path, done in history.items():
        if done.change == change.name and path not in there:
            yield Step(change, path, None)


def _refusal(root: Path, step: Step, history: History) -> str:
    known = history.get(step.path)
    if step.put is None:
        return ""
    return step.put.refusal(root, known.record if known else None)


def _show(root: Path, step: Step, why_not: str) -> None:
    if why_not:
        tell(f"LEFT  /{step.path} {why_not}")
    elif step.put is None:
        tell(f"AWAY  /{step.path}: not needed here any more")
    elif step.put.is_done(root):
        tell(f"HERE  /{step.path}")
    else:
        tell(f"PUT   /{step.path}: {step.change.why}")
        for line in step.put.lines:
            tell(f"      + {line}")


def _do(root: Path, steps: Sequence[Step], history: History) -> None:
    """Do them; what is going to be put is noted before, so that no cut loses it."""
    for step in steps:
        if step.put is not None:
            record = step.put.record(root)
            known = history.get(step.path)
            if known:  # folders were made the first time
                record = record.joined(known.record)
            history = history.noted(step.path, Done(step.change.name, record))
    history.save(root)
    for step in steps:
        if step.put is None:
            history = _undo(root, step.path, history)[0]
        elif not step.put.is_done(root):
            step.put.do(root)


def _undo(root: Path, path: str, history: History) -> tuple[History, bool]:
    """Take one away and tell so; return what is left of the record, and success."""
    record = history[path].record
    if why_not := undo(root, path, record):
        tell(f"LEFT  /{path} {why_not}")
        return history, False
    history = history.without(path)
    history.save(root)
    there = read(root / path)
    is_other = record.before and there is not None and digest(there) != record.before
    rest = ": our lines; what others changed there stays" if is_other else ""
    tell(f"AWAY  /{path}{rest}")
    return history, True


def _remove(
    options: argparse.Namespace, chosen: Sequence[Change], history: History
) -> int:
    root, names = options.root, [change.name for change in chosen]
    paths = [path for path, done in history.items() if done.change in names]
    if not paths:
        tell("nothing to do: no setup is known here")
        return OK
    if options.dry_run:
        for path in paths:
            tell(f"AWAY  /{path}")
        tell("dry run: nothing was changed")
        return OK
    were = {history[path].change for path in paths}
    are_away = True
    for path in reversed(paths):
        history, is_away = _undo(root, path, history)
        are_away = are_away and is_away
    _take_note(root, [change for change in chosen if change.name in were])
    return OK if are_away else LEFT


def _take_note(root: Path, changes: Sequence[Change]) -> None:
    """Have a running system take note; what it does not, a restart does."""
    if root.resolve() == Path("/") and Path("/run/systemd/system").is_dir():
        commands = dict.fromkeys(one for change in changes for one in change.then)
        for command in commands:
            tell(f"RUN   {command}")
            _call(command)
    if any(change.needs_restart for change in changes):
        tell(RESTART)


def _call(command: str) -> None:
    try:
        ended = subprocess.run(shlex.split(command), check=False, timeout=60).returncode
    except (OSError, subprocess.TimeoutExpired) as error:
        tell(f"      failed ({error}); a restart does it")
        return
    if ended:
        tell(f"      failed ({ended}); a restart does it")


def tell(line: str) -> None:
    """Print a line at once: what it says is done next."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()
