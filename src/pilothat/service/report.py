"""The report of a board: lines for a person, one JSON object for a program."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pilothat import __version__
from pilothat.board.detect import Machine
from pilothat.board.verdict import Row, Verdict
from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.service.boardat import Choice


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that was measured, of what, when and by what.

    lost: why it ended early; empty when it did not
    """

    head: Mapping[str, str]
    rows: Sequence[Row]
    lost: str

    @property
    def counts(self) -> Mapping[Verdict, int]:
        """How many rows ended how."""
        return {one: sum(row.verdict is one for row in self.rows) for one in Verdict}

    @property
    def is_good(self) -> bool:
        """Whether nothing failed."""
        return not self.lost and self.counts[Verdict.FAIL] == 0

    def lines(self) -> Iterator[str]:
        """Yield the report for a person."""
        yield from (f"{name:<26} {value}" for name, value in self.head.items())
        yield from map(line, self.rows)
        yield from self.closing()

    def closing(self) -> Iterator[str]:
        """Yield the last lines."""
        if self.lost:
            yield f"{'board':<26} {self.lost}  FAIL"
        yield ", ".join(f"{count} {one.value}" for one, count in self.counts.items())

    def json(self) -> str:
        """Return the report for a program."""
        told: dict[str, object] = {**self.head, "good": self.is_good}
        told |= {"error": self.lost, "checks": [_json(row) for row in self.rows]}
        return json.dumps(told)

    def save(self, path: Path) -> None:
        """Write it: JSON into a file of that name, else text. Raises ConfigError."""
        is_json = path.suffix == ".json"
        text = self.json() if is_json else "\n".join(self.lines())
        try:
            path.write_text(f"{text}\n", encoding="utf-8")
        except OSError as error:
            raise ConfigError(
                f"cannot be written ({error.strerror})",
                where=str(path),
                remedy="Give --report a file in a folder that you may write",
            ) from error


def head_of(choice: Choice, machine: Machine) -> Mapping[str, str]:
    """Return what a report begins with."""
    hat = machine.hat
    return {
        "date": datetime.now(tz=UTC).isoformat(timespec="seconds"),
        "driver": choice.name,
        "revision": choice.board.board.name,
        "serial": hat.serial if hat and not choice.is_twin else "",
        "calibration": choice.options.get("calibration", ""),
        "machine": machine.model or platform.machine(),
        "system": platform.release(),
        "pilothat": __version__,
        "python": platform.python_version(),
    }


def line(row: Row) -> str:
    """Return a row as it is printed."""
    end = f"{row.verdict.value}  {row.advice}"
    if row.found:
        return f"{row.name:<26} {row.found:<38} {end}".rstrip()
    value = "-" if row.measured is None else f"{row.measured:.3f}"
    limits = f"{row.low:g} .. {row.high:g} {row.unit}".rstrip()
    if row.measured is None:
        limits = ""
    return f"{row.name:<26} {value:>9}   {limits:<26} {end}".rstrip()


def _json(row: Row) -> dict[str, object]:
    return {
        "name": row.name,
        "measured": row.measured,
        "unit": row.unit,
        "low": row.low,
        "high": row.high,
        "result": row.verdict.value,
        "note": row.advice,
        "found": row.found,
    }
