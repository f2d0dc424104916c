"""What `pilothat setup` did on a machine: the file that undoing goes by."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from dataclasses import field as made_with
from pathlib import Path
from typing import Any

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.service.placing import Record, lacking, read, write
from pilothat.service.setupplan import may_be_ours

RECORD = "var/lib/pilothat/setup.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class Done:
    """A file, and the change that it was for."""

    change: str
    record: Record


@dataclass(frozen=True, slots=True)
class History:
    """All that is done, by path; folders: those made for the record itself."""

    done: Mapping[str, Done] = made_with(default_factory=dict)
    folders: tuple[str, ...] = ()

    def __getitem__(self, path: str) -> Done:
        return self.done[path]

    def get(self, path: str) -> Done | None:
        """Return what is known of a file."""
        return self.done.get(path)

    def items(self) -> Iterator[tuple[str, Done]]:
        """Yield path and what is known, in the order that it was done."""
        yield from self.done.items()

    def noted(self, path: str, done: Done) -> History:
        """Return it with one more."""
        return History({**self.done, path: done}, self.folders)

    def without(self, path: str) -> History:
        """Return it with one less."""
        rest = {one: done for one, done in self.done.items() if one != path}
        return History(rest, self.folders)

    def save(self, root: Path) -> None:
        """Write it; when nothing is done, take it away with its folders."""
        file = root / RECORD
        if self.done:
            told = {"version": VERSION, "folders": self.folders}
            told["done"] = {path: asdict(done) for path, done in self.done.items()}
            write(file, (json.dumps(told, indent=1) + "\n").encode())
            return
        file.unlink(missing_ok=True)
        for folder in reversed(self.folders):
            is_above = Path(folder) in Path(RECORD).parents
            if (
                is_above
                and (root / folder).is_dir()
                and not any((root / folder).iterdir())
            ):
                (root / folder).rmdir()


def load(root: Path) -> History:
    """Read what was done. Raises ConfigError for a file that is not ours."""
    text = read(root / RECORD)
    if text is None:
        return History(folders=lacking(root, RECORD))
    try:
        told = json.loads(text)
        done = {path: _done(one) for path, one in told["done"].items()}
        history = History(done, tuple(told["folders"]))
        is_known = told["version"] == VERSION
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise _odd(f"cannot be read ({error})") from error
    strange = [p for p, one in done.items() if not may_be_ours(p, one.record.kind)]
    if strange or not is_known:
        raise _odd(f"names {strange[0]}" if strange else "is of another version")
    return history


def _done(told: Mapping[str, Any]) -> Done:
    record = Record(**{**told["record"], "folders": tuple(told["record"]["folders"])})
    return Done(str(told["change"]), record)


def _odd(what: str) -> ConfigError:
    remedy = "Undo by hand what it lists, then delete it"
    return ConfigError(what, where=f"/{RECORD}", remedy=remedy)
