"""The journal of a world: its hash, and its lines where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from pilothat.journal import Recorder, header_of, written
from pilothat.twin.chance import Chance
from pilothat.twin.stage import WorldSettings

_BATCH = 64  # lines that are hashed at once


class Chronicle:
    """Write what happens to the station, and hash it.

    entropy: where the station has its random bytes from
    lines: with the header; empty where they are not kept
    """

    def __init__(self, settings: WorldSettings, seed: int) -> None:
        self.entropy = Recorder(Chance(seed, "station"))
        self.lines = [header_of(settings.station)] if settings.keeps_lines else []
        self._keeps_lines = settings.keeps_lines
        self._hash = sha256()
        self._unhashed: list[str] = []

    def write(self, at: float, event: object, actions: Sequence[object]) -> None:
        """Add a line."""
        line = written(at, event, actions, self.entropy.take())
        self._unhashed.append(line)
        if len(self._unhashed) == _BATCH:
            self._catch_up()
        if self._keeps_lines:
            self.lines.append(line)

    @property
    def sha256(self) -> str:
        """The hash over all lines so far, without the header."""
        self._catch_up()
        return self._hash.hexdigest()

    def _catch_up(self) -> None:
        self._hash.update("".join(self._unhashed).encode())
        self._unhashed.clear()
