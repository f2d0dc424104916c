"""Play a recorded car, or the journal of a station, against a fresh station.

    pilothat replay session.jsonl           the conversation, one line a message
    pilothat replay session.jsonl --quiet   how far it came and what was different
    pilothat replay session.jsonl --json    the same as one JSON object
    pilothat replay 20250101.journal.jsonl  does the station still do the same?

A capture (format: one header and JSON lines with t, from, layer, payload_type, hex)
is the car's side of a session with another charger, in DIN SPEC 70121 or ISO 15118-2,
DC or AC; it is played in virtual time, its bytes unchanged but for what a new session
must differ in. Exit code 0 when it came at least as far as it did in the recording, 1
when not, 2 when the file is no recording.
A journal is what "pilothat run" writes; exit code 0 when all actions are the same.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from pilothat.frozen import dataclass
from pilothat.plant import AcRatings, Ratings
from pilothat.service import replayjournal
from pilothat.station.settings import StationSettings
from pilothat.twin.bench import BenchSettings
from pilothat.twin.carevents import Plug
from pilothat.twin.chance import Chance
from pilothat.twin.plant import SupplySettings
from pilothat.twin.recorded import Phase, RecordedCar
from pilothat.twin.recordedmarks import Said, Side
from pilothat.twin.recordedwords import words_of
from pilothat.twin.recording import Recording, RecordingError, parse
from pilothat.twin.stage import EV, EV_MODEM_MAC, EVSE_MAC, WorldSettings
from pilothat.twin.world import World
from pilothat.v2g.messages.iso2_types import EnergyTransferMode
from pilothat.v2g.secc.iso2_power import AC_PHASES

LIMIT_S = 7200.0  # of virtual time, for the whole session
AFTER_S = 15.0  # the station has put everything away by then
PLUG_AT_S = 1.0
SEED = 1
STRONG = Ratings(max_v=1000.0, min_v=150.0, max_a=500.0, max_w=350_000.0)
STRONG_AC = AcRatings(max_a=63.0)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "capture", type=Path, metavar="CAPTURE", help="capture or journal (JSON lines)"
    )
    parser.add_argument(
        "--json", action="store_true", help="print the result as one JSON object"
    )
    parser.add_argument(
        "-q", "--quiet", action="store_true", help="leave the conversation out"
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    text = _read(options.capture)
    if replayjournal.is_journal(text):
        return replayjournal.run(text, options.capture.name, as_json=options.json)
    car, violations = play(text, options.capture.name)
    result = Result(car, violations)
    if options.json:
        sys.stdout.write(json.dumps(result.as_json()) + "\n")
    else:
        lines = result.report(is_quiet=options.quiet)
        sys.stdout.writelines(line + "\n" for line in lines)
    return 0 if result.is_good else 1


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RecordingError(
            f"cannot be read ({error.strerror})", where=str(path)
        ) from error
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise RecordingError("no text", where=f"{path.name}:{line}") from error


def play(text: str, where: str) -> tuple[RecordedCar, Sequence[str]]:
    """Play a capture; return the car afterwards, and broken invariants."""
    recording = parse(text, where=where)
    world = World(_settings(recording), SEED)
    car = RecordedCar(recording, Chance(SEED, "car"))
    world.medium.attach(EV, car.host_mac, EV_MODEM_MAC)
    world.park(car)
    world.after(PLUG_AT_S, lambda: world.drive(Plug()))
    world.run(lambda: car.phase is Phase.AWAY and world.now > PLUG_AT_S, LIMIT_S)
    world.run(lambda: False, world.now + AFTER_S)
    return car, world.invariants.violations


def _settings(recording: Recording) -> WorldSettings:
    """Return a world whose station serves what the recording is in, and nothing else.

    In another protocol the recorded car has nothing to say. A protocol that no station
    of ours serves is left to the station: it refuses, or takes another offer.
    """
    station = StationSettings(host_mac=EVSE_MAC, ratings=STRONG)
    supply = SupplySettings(max_v=STRONG.max_v, max_a=STRONG.max_a, max_w=STRONG.max_w)
    bench = BenchSettings(supply=supply)
    if recording.protocol in station.protocols:
        station = replace(station, protocols=(recording.protocol,))
    if recording.protocol == "iso2" and recording.energy_transfer:
        mode = EnergyTransferMode[recording.energy_transfer]
        ac = STRONG_AC if mode in AC_PHASES else None
        iso2 = replace(station.iso2, offer=replace(station.iso2.offer, modes=(mode,)))
        station = replace(station, ac=ac, iso2=iso2)
        bench = replace(bench, mains_v=ac.nominal_v if ac else None)
    return WorldSettings(station=station, bench=bench)


@dataclass(frozen=True, slots=True)
class Result:
    """What came of a replay."""

    car: RecordedCar
    violations: Sequence[str]

    @property
    def is_good(self) -> bool:
        """Tell whether the car came far enough and nothing was broken."""
        return self.car.reached >= self.car.recorded and not self.violations

    @property
    def verdict(self) -> str:
        """Return the result as a sentence."""
        car = self.car
        if self.violations:
            return f"failed: {len(self.violations)} invariants broken"
        if car.reached > car.recorded:
            return "passed: came further than in the recording"
        if self.is_good:
            return "passed: came as far as in the recording"
        return f"failed: {car.reason or 'the recording takes too long to play'}"

    @property
    def notes(self) -> Iterator[str]:
        """Return what was not played as recorded."""
        yield from self.car.notes
        slac, searches = self.car.skipped
        if slac:
            yield f"{slac} SLAC requests left out: our answer came before"
        if searches:
            yield f"{searches} SDP requests left out: our answer came before"

    def differences(self) -> Iterator[dict[str, object]]:
        """Return how our answers differ in kind, equal ones once with their count."""
        found: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], float] = {}
        for said in self.car.transcript:
            for told in said.differences:
                found[said.name, told] += 1
                first.setdefault((said.name, told), said.at)
        for (name, told), count in found.items():
            at = round(first[name, told], 3)
            yield {"message": name, "difference": told, "count": count, "first_at": at}

    def as_json(self) -> dict[str, object]:
        """Return everything but the conversation."""
        car = self.car
        header = car.recording.header
        messages = Counter(said.name for said in car.transcript)
        return {
            "vehicle": header.vehicle,
            "protocol": header.protocol,
            "station": header.station,
            "outcome_recorded": header.outcome,
            "reached": car.reached.name,
            "recorded": car.recorded.name,
            "ended": car.reason,
            "loops": car.loops,
            "messages": dict(messages),
            "notes": list(self.notes),
            "differences": list(self.differences()),
            "violations": list(self.violations),
            "passed": self.is_good,
            "verdict": self.verdict,
        }

    def report(self, *, is_quiet: bool) -> Iterator[str]:
        """Return the lines a person reads."""
        car = self.car
        header = car.recording.header
        yield f"vehicle   {header.vehicle} ({header.protocol})"
        yield f"recorded  at {header.station}; outcome {header.outcome}"
        if not is_quiet:
            yield ""
            yield from conversation(car.transcript)
        yield from _section("notes", self.notes)
        yield from _section("answers that differ in kind", self._told_differences())
        yield from _section("broken invariants", self.violations)
        yield ""
        yield f"reached   {car.reached.name}; recorded {car.recorded.name}"
        yield f"loop      {car.loops} requests"
        yield f"ended     {car.reason}"
        yield f"verdict   {self.verdict}"

    def _told_differences(self) -> Iterator[str]:
        for row in self.differences():
            yield f"{row['message']}: {row['difference']} ({row['count']} times)"


def _section(title: str, rows: Iterable[str]) -> Iterator[str]:
    told = list(rows)
    if told:
        yield ""
        yield title
        yield from (f"  {row}" for row in told)


def conversation(transcript: Iterable[Said]) -> Iterator[str]:
    """Return one line a message; equal differences in a row are told once."""
    told: dict[str, Sequence[str]] = {}
    for said in transcript:
        news = [d for d in said.differences if d not in told.get(said.name, ())]
        told[said.name] = said.differences
        arrow = "->" if said.side is Side.CAR else "<-"
        name, fields = words_of(said)
        text = f"{said.at:9.3f} {arrow} {name:<27} {fields}".rstrip()
        remarks = "; ".join([*news, *filter(None, [said.note])])
        yield f"{text}   [{remarks}]" if remarks else text
