"""The cases of a file: one JSON object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass

NAMES = ("id", "protocol", "area", "precondition", "stimulus", "expected")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One case.

    precondition, stimulus, expected: in words. send, expect: the same in a form that is
        played and judged; None where there are only words.
    mode: "DC", "AC" or "" for both.
    applicability: what station and car must be able to.
    """

    id: str
    protocol: str
    area: str
    precondition: str
    stimulus: str = ""
    expected: str = ""
    mode: str = ""
    send: Mapping[str, Any] | None = None
    expect: Mapping[str, Any] | None = None
    applicability: Mapping[str, str] = field(default_factory=dict)


def load(path: Path) -> Iterator[Row]:
    """Yield the cases of a file. Raises ConfigError with the line."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read ({error})", where=str(path)) from error
    for number, line in enumerate(lines, 1):
        if line.strip():
            yield _row(line, f"{path}:{number}")


def _row(line: str, where: str) -> Row:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"no JSON ({error})", where=where) from error
    texts = {name: found.get(name) for name in NAMES} if _is_object(found) else {}
    if not texts or not all(isinstance(text, str) for text in texts.values()):
        raise ConfigError(
            "no case", where=where, remedy=f"It needs the texts {', '.join(NAMES)}"
        )
    objects = {name: found.get(name) for name in ("send", "expect")}
    if any(not (one is None or _is_object(one)) for one in objects.values()):
        raise ConfigError("send and expect are objects", where=where)
    able = found.get("applicability") or {}
    return Row(
        **texts,
        **objects,
        mode=str(found.get("mode") or ""),
        applicability={key: str(value) for key, value in dict(able).items()},
    )


def _is_object(value: object) -> bool:
    return isinstance(value, dict)
