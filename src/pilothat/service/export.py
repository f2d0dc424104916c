"""Pack a charge into one file, to attach to a question.

    pilothat export charge.zip                   the last charge
    pilothat export --number 17 charge.zip
    pilothat export --identities charge.zip      keys, MACs and contracts as they were

In it: what was said (talk.txt; charge.pcapng for Wireshark, talk.jsonl for `pilothat
decode`), what pilot, guard and supply did (facts.jsonl), the record of the charge, the
settings, and the versions. Network keys, certificates, signatures and whose car it was
are overwritten, unless they are asked for; then the journal itself is in it, too.
"""

from __future__ import annotations

import argparse
import io
import itertools
import json
import platform
import sys
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

from pilothat import __version__
from pilothat.board import detect
from pilothat.errors import ConfigError, PilotHatError
from pilothat.frozen import dataclass
from pilothat.runtime import records
from pilothat.runtime.journalfile import in_order
from pilothat.service import config
from pilothat.service.config import Settings
from pilothat.service.forms import FORMS, Style
from pilothat.service.keys import INSTALLED
from pilothat.service.sessions import chosen
from pilothat.traffic import pcapng
from pilothat.traffic.ear import Ear
from pilothat.traffic.journaled import Journal
from pilothat.traffic.piece import Piece
from pilothat.traffic.redacted import Redactor, redacted
from pilothat.traffic.wrapped import Wrapper

AROUND_S = 30.0  # what is kept before and after a charge
FACTS = (
    "PilotFact",
    "GuardFact",
    "PlantReport",
    "NetworkFact",
    "SecondLook",
    "StopRequested",
    "Raise",
)
PRIVATE_KEYS = ("station.evse_id", "station.evse_id_iso", "station.meter_id")


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a journal. at_s: since 1970, by the clock of the record."""

    at_s: float
    line: str
    record: Mapping[str, Any]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="the zip to write")
    parser.add_argument("--number", type=int, metavar="N", help="as `sessions` lists")
    parser.add_argument(
        "--identities", action="store_true", help="overwrite nothing, add the journal"
    )
    parser.add_argument(
        "--config",
        type=Path,
        default=Path(INSTALLED),
        metavar="FILE",
        help="whose station.journal and station.records (default: %(default)s)",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    settings = config.load(options.config)
    folders = [settings.text(f"station.{name}") for name in ("records", "journal")]
    if not all(folders):
        raise ConfigError(
            "keeps no records or no journal",
            where=str(options.config),
            remedy="Set station.records and station.journal to folders",
        )
    _, record = chosen(records.read(Path(folders[0])), options)
    entries = list(_entries(Path(folders[1]), record))
    if not entries:
        raise PilotHatError(
            "its journal is gone",
            where=folders[1],
            remedy="The oldest files make room for new ones",
        )
    parts = dict(_parts(entries, settings, open_=options.identities))
    parts["session.json"] = json.dumps(record) + "\n"
    _write(options.file, parts)
    sys.stderr.write(f"{options.file}: {', '.join(sorted(parts))}\n")
    return 0


def _entries(folder: Path, record: Mapping[str, Any]) -> Iterator[Entry]:
    """Yield the lines of the time of a charge, and some around it.

    They begin in the file that the record names; the time of day may have been set
    since, so it is the monotonic one that tells which they are.
    """
    at, first = record.get("at", 0.0), record.get("journal", "")
    since, until = at - AROUND_S, at + record["lasted_s"] + AROUND_S
    ahead_s = max(record["began"], AROUND_S) - at  # no packet is older than 1970
    for line, entry in _run(folder, first):
        if "at" in entry and since <= entry["at"] <= until:
            yield Entry(entry["at"] + ahead_s, line, entry)


def _run(folder: Path, first: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the lines of a file and of those that go on with it."""
    paths = itertools.dropwhile(lambda path: path.name != first, in_order(folder))
    for path in paths:
        for line, entry in _lines(path):
            if "settings" in entry and path.name != first:
                return  # the station has been started anew
            yield line, entry


def _lines(path: Path) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the lines that can be read: the last may have been cut."""
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(entry, dict):
            yield line, entry


def _parts(
    entries: Sequence[Entry], settings: Settings, *, open_: bool
) -> Iterator[tuple[str, str | bytes]]:
    """Yield names and contents of what goes into the zip."""
    journal = Journal()
    pieces = [
        piece
        for number, entry in enumerate(entries, 1)
        for piece in journal.pieces(f"line {number}", entry.record)
    ]
    redactor = None if open_ else Redactor()
    if redactor is None:
        yield "journal.jsonl", "".join(f"{entry.line}\n" for entry in entries)
    else:
        pieces = list(redacted(iter(pieces), redactor))
    ahead_s = entries[0].at_s - entries[0].record["at"]
    yield "talk.txt", _told(pieces, "line")
    yield "talk.jsonl", _told(pieces, "json")
    yield "charge.pcapng", b"".join(_captured(pieces, ahead_s))
    yield "facts.jsonl", "".join(_facts(entries, redactor))
    yield "settings.json", json.dumps(_settings(settings, open_=open_), indent=1) + "\n"
    yield "about.json", json.dumps(_about(), indent=1) + "\n"


def _told(pieces: Sequence[Piece], form: str) -> str:
    """Return pieces as `decode` prints them."""
    ear = Ear(None, hears_fragments=False)
    shown = FORMS[form](Style(is_talk=True))
    with redirect_stdout(io.StringIO()) as text:
        for piece in pieces:
            shown.show(ear.hear(piece))
    return text.getvalue()


def _captured(pieces: Sequence[Piece], ahead_s: float) -> Iterator[bytes]:
    yield pcapng.section(f"pilothat {__version__} export")
    yield pcapng.interface(pcapng.ETHERNET, "from the journal")
    wrapper = Wrapper()
    for piece in pieces:
        for packet in wrapper.packets(piece):
            yield pcapng.packet(0, (piece.at_s or 0.0) + ahead_s, packet)


def _facts(entries: Sequence[Entry], redactor: Redactor | None) -> Iterator[str]:
    """Yield what happened besides the talk, and what was said of it in the log."""
    for entry in entries:
        for one in (entry.record.get("event"), *entry.record.get("actions", ())):
            if not isinstance(one, dict) or one.get("type") not in FACTS:
                continue
            shown = {"at": entry.record["at"], **one}
            if redactor is not None and "address" in shown:
                shown["address"] = None
            if redactor is not None and "text" in shown:
                shown["text"] = redactor.text(shown["text"])
            yield json.dumps(shown) + "\n"


def _settings(settings: Settings, *, open_: bool) -> Mapping[str, object]:
    return {
        key: value if open_ or key not in PRIVATE_KEYS else "..."
        for key, value in settings.values.items()
    }


def _about() -> Mapping[str, str]:
    return {
        "pilothat": __version__,
        "python": platform.python_version(),
        "kernel": platform.release(),
        "machine": platform.machine(),
        "model": detect.machine().model or "no Pi",
    }


def _write(path: Path, parts: Mapping[str, str | bytes]) -> None:
    try:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
            for name, content in parts.items():
                file.writestr(name, content)
    except OSError as error:
        raise PilotHatError(
            f"cannot write ({error.strerror})",
            where=str(path),
            remedy="Give a file in a folder that may be written",
        ) from error
