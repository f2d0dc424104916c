"""Files that are put onto a machine and taken away again, byte for byte.

Two kinds: a file that is ours alone, and a block between two marks in a file of
somebody else's. Neither is ever written over what is not ours. What was put is told as
a `Record`, which is all that taking it away needs.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass

BEGIN = b"# begin of pilothat setup: `sudo pilothat setup --remove` takes it away"
JOINED = b" (with the line break before)"
END = b"# end of pilothat setup"
TEXT_MODE = 0o644
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL


@dataclass(frozen=True, slots=True)
class Record:
    """What was put: how to take it away, and how to see whether it is still that.

    ours: hash of the file or block. before: hash of the file without our block
    folders: those made for it, outermost first
    """

    kind: str
    ours: str
    before: str = ""
    folders: tuple[str, ...] = ()

    def joined(self, older: Record) -> Record:
        """Return it with the folders that were made the first time."""
        return Record(self.kind, self.ours, self.before, older.folders or self.folders)


@dataclass(frozen=True, slots=True)
class Whole:
    """A file that is ours alone."""

    path: str
    content: bytes
    kind: str = "file"

    @property
    def lines(self) -> Sequence[str]:
        """What it adds, for a person."""
        if b"\0" in self.content:
            return (f"({len(self.content)} bytes)",)
        return self.content.decode().splitlines()

    def is_done(self, root: Path) -> bool:
        """Tell whether it is there."""
        return read(root / self.path) == self.content

    def refusal(self, root: Path, known: Record | None) -> str:
        """Return why it cannot be put; empty when it can."""
        there = read(root / self.path)
        if there in (None, self.content) or (known and known.ours == digest(there)):
            return ""
        return "is there and not ours, or was changed since. Move it away, or keep it"

    def record(self, root: Path) -> Record:
        """Return what putting it will be known by."""
        return Record(self.kind, digest(self.content), "", lacking(root, self.path))

    def do(self, root: Path) -> None:
        """Put it."""
        write(root / self.path, self.content)


@dataclass(frozen=True, slots=True)
class Block:
    """Lines between marks in a file that must be there; is_first: before all others."""

    path: str
    lines: Sequence[str]
    is_first: bool = False
    kind: str = "block"

    def is_done(self, root: Path) -> bool:
        """Tell whether the block is there as it should be."""
        text = read(root / self.path)
        return text is not None and cut(text)[1] == self._body

    def refusal(self, root: Path, known: Record | None) -> str:
        """Return why it cannot be put; empty when it can."""
        text = read(root / self.path)
        if text is None:
            return "is not there"
        block = cut(text)[1]
        if not block or block == self._body or (known and known.ours == digest(block)):
            return ""
        return "has lines between our marks that are not ours. Take them out"

    def record(self, root: Path) -> Record:
        """Return what putting it will be known by."""
        before = cut(read(root / self.path) or b"")[0]
        return Record(self.kind, digest(self._body), digest(before))

    def do(self, root: Path) -> None:
        """Put it; the rest of the file stays byte for byte."""
        write(root / self.path, self.put_into(read(root / self.path) or b""))

    def put_into(self, text: bytes) -> bytes:
        """Return a file with the block, in place of an older one."""
        rest = cut(text)[0]
        is_open = not self.is_first and rest[-1:] not in (b"", b"\n")
        begin = b"\n" + BEGIN + JOINED if is_open else BEGIN
        block = begin + b"\n" + self._body + END + b"\n"
        return block + rest if self.is_first else rest + block

    @property
    def _body(self) -> bytes:
        return "".join(f"{line}\n" for line in self.lines).encode()


Placed = Whole | Block


def undo(root: Path, path: str, record: Record) -> str:
    """Take away what was put; return why not, empty when it is away.

    What is gone already is away.
    """
    file, there = root / path, read(root / path)
    _part(file).unlink(missing_ok=True)
    if record.kind == "file":
        if there is not None and digest(there) != record.ours:
            return "was changed since: left as it is. Delete it by hand"
        file.unlink(missing_ok=True)
    elif there is not None:
        rest, block = cut(there)
        if block and digest(block) != record.ours:
            return "has changed lines between our marks: left. Take them out by hand"
        if rest != there:
            write(file, rest)
    for folder in reversed(record.folders):
        is_above = Path(folder) in Path(path).parents
        if is_above and (root / folder).is_dir() and not any((root / folder).iterdir()):
            (root / folder).rmdir()
    return ""


def cut(text: bytes) -> tuple[bytes, bytes]:
    """Return a file without our block, and what stands between the marks.

    Raises ConfigError when one mark lacks the other: then nobody knows what is whose.
    """
    start = text.find(BEGIN)
    if start < 0:
        return text, b""
    first = text.find(b"\n", start) + 1
    end = text.find(END, first)
    if not first or end < 0:
        raise ConfigError(
            "our first mark is there, and not our last",
            where="setup",
            remedy=f"Take out what follows '{BEGIN.decode()}'",
        )
    after = text.find(b"\n", end) + 1 or len(text)
    is_last = after == len(text)  # what was added behind keeps its own line
    if is_last and text.startswith(BEGIN + JOINED, start):
        start -= 1
    return text[:start] + text[after:], text[first:end]


def read(path: Path) -> bytes | None:
    """Return a file's bytes; None when it is not there."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path: Path, content: bytes) -> None:
    """Write a file at once, so that a loss of power leaves the old one or the new.

    Mode and owner of a file that is there stay. Raises ConfigError when it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part = _part(path)
        part.unlink(missing_ok=True)  # of a time that power was lost
        with os.fdopen(os.open(part, _NEW, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            _like(path, file.fileno())
            os.fsync(file.fileno())
        part.replace(path)
        _sync(path.parent)
    except OSError as error:
        raise ConfigError(
            f"cannot be written ({error.strerror})",
            where=str(path),
            remedy="Run it as root, on a disk that can be written",
        ) from error


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.pilothat")


def _sync(folder: Path) -> None:
    """Have a folder's names on the disk: the record must be there before the files."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _like(path: Path, handle: int) -> None:
    if not path.exists():
        os.fchmod(handle, TEXT_MODE)
        return
    was = path.stat()
    os.fchmod(handle, was.st_mode & 0o7777)
    if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()):
        os.fchown(handle, was.st_uid, was.st_gid)


def digest(content: bytes) -> str:
    """Return a content's hash."""
    return hashlib.sha256(content).hexdigest()


def lacking(root: Path, path: str) -> tuple[str, ...]:
    """Return the folders that have to be made, outermost first."""
    above = [str(one) for one in Path(path).parents if str(one) != "."]
    return tuple(one for one in reversed(above) if not (root / one).is_dir())
