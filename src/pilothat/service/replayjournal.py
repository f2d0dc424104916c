"""Feed the journal of a station to a fresh one: it must want the same, bit for bit."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from typing import get_args

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.guard import Want
from pilothat.journal import GAP, Entry, JournalError, Played, Reading, line_of
from pilothat.plant import AcRatings, PlantFact, Ratings, Setpoint
from pilothat.plc.link import LinkSettings
from pilothat.plc.modem import ModemSettings
from pilothat.slac.settings import SlacSettings
from pilothat.station.actions import Action
from pilothat.station.events import Event
from pilothat.station.settings import ContractSettings, StationSettings
from pilothat.station.station import Station
from pilothat.v2g.secc.din import DinSettings
from pilothat.v2g.secc.iso2_answers import Offer
from pilothat.v2g.secc.iso2_power import Iso2Settings

_SETTINGS = (
    StationSettings,
    ContractSettings,
    AcRatings,
    Ratings,
    DinSettings,
    Iso2Settings,
    Offer,
    SlacSettings,
    ModemSettings,
    LinkSettings,
)
_INSIDE = (PlantFact, Setpoint, Want)
_KINDS = (*get_args(Event), *get_args(Action), *_INSIDE, *_SETTINGS)
_SHOWN = 2000  # characters of a line that differs


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it. line: number of the first difference; 0 is none."""

    entries: int
    line: int = 0
    recorded: str = ""
    now: str = ""


def is_journal(text: str) -> bool:
    """Tell whether this is a journal, by its first line."""
    first = text.partition("\n")[0]
    try:
        found = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and (
        "journal" in found or {"at", "event", "actions"} <= found.keys()
    )


def run(text: str, where: str, *, as_json: bool) -> int:
    """Replay and report; return the exit code."""
    try:
        outcome = replay(text)
    except JournalError as error:
        raise ConfigError(error.what, where=f"{where}, {error.where}") from error
    is_same = outcome.line == 0
    if as_json:
        told = {
            "entries": outcome.entries,
            "passed": is_same,
            "line": outcome.line or None,
            "recorded": outcome.recorded,
            "now": outcome.now,
        }
        sys.stdout.write(json.dumps(told) + "\n")
    elif is_same:
        sys.stdout.write(f"the same actions in all {outcome.entries} entries\n")
    else:
        sys.stdout.write(
            f"line {outcome.line} differs\n"
            f"  recorded: {outcome.recorded[:_SHOWN]}\n"
            f"  now:      {outcome.now[:_SHOWN]}\n"
        )
    return 0 if is_same else 1


def replay(text: str) -> Outcome:
    """Feed all entries to a fresh station. Raises JournalError for a bad line."""
    reading = Reading(_KINDS)
    lines = text.splitlines()
    settings = reading.header(lines[0])
    if not isinstance(settings, StationSettings):
        raise JournalError(
            "the journal has no header: it goes on where another file has ended; "
            "put the files of one run together, the first one first",
            where="line 1",
        )
    entropy = Played()
    station = Station(settings, entropy)
    count = 0
    for number, entry, line in _entries(reading, lines):
        count += 1
        now = _line_again(station, entropy, entry)
        if now != line:
            return Outcome(count, number, line, now)
    return Outcome(count)


def _entries(
    reading: Reading, lines: Sequence[str]
) -> Iterator[tuple[int, Entry, str]]:
    """Return what stands below the header; a last line that was cut off is dropped."""
    for number, line in enumerate(lines[1:], 2):
        if line == GAP:
            raise JournalError(
                "a gap: the disk had no room; what is behind cannot be replayed",
                where=f"line {number}",
            )
        is_cut = number == len(lines) and not line.endswith("}")
        if line and not is_cut:
            yield number, reading.entry(line, number), line


def _line_again(station: Station, entropy: Played, entry: Entry) -> str:
    """Return the line that the station writes now."""
    entropy.load(entry.entropy)
    try:
        if entry.event is None:
            actions = station.tick(entry.at)
        else:
            actions = station.handle(entry.event, entry.at)  # type: ignore[arg-type]  # all kinds that are read are events
    except JournalError as error:
        return error.what
    return line_of(Entry(entry.at, entry.event, actions, entry.entropy))
