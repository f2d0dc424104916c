"""Check the EXI codec against files of test vectors: one JSON object a line.

Three forms of lines, told apart by their keys:

* ``exi`` and ``json``: decode without any tolerance and encode, both must agree;
* ``canonical`` beside them: decode only, and encode to ``canonical``;
* ``must``: ``reject`` has to end in ExiError, ``any`` in that or in a message.

With ``fragment`` the octets are a single element in the ``grammar`` that is named, else
a document of the ``protocol``. Lines of a grammar this station does not speak are
counted by its name, not passed.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pilothat.exi.codec import Codec, ExiError
from pilothat.frozen import dataclass
from pilothat.v2g.messages import SCHEMAS, codec

_OUR_BUGS = (
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
)
Vector = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Report:
    """The result of a check. failures: one line each, with file and vector id."""

    passed: int
    failed: int
    failures: tuple[str, ...]
    skipped: tuple[tuple[str, int], ...] = ()  # grammar and number of lines


def check_files(paths: Iterable[Path]) -> Report:
    """Check every line of every file."""
    passed = 0
    failures: list[str] = []
    skipped: Counter[str] = Counter()
    for path in paths:
        for where, line in _lines(path):
            grammar, complaint = check_line(line)
            if grammar:
                skipped[grammar] += 1
            elif complaint:
                failures.append(f"{where}: {complaint}")
            else:
                passed += 1
    return Report(passed, len(failures), tuple(failures), tuple(skipped.items()))


def check_line(line: str) -> tuple[str, str]:
    """Return the grammar if it is not spoken, and what is wrong; empty if nothing."""
    vector: Vector = {}
    try:
        vector = json.loads(line)
        grammar = str(vector["grammar" if vector.get("fragment") else "protocol"])
        if grammar not in SCHEMAS:
            return grammar, ""
        complaint = _complaint(codec(grammar), vector)
    except _OUR_BUGS as error:
        complaint = f"{type(error).__name__}: {error}"
    name = vector.get("id", "") if isinstance(vector, Mapping) else ""
    return "", f"{name}: {complaint}" if complaint and name else complaint


def _lines(path: Path) -> Iterator[tuple[str, str]]:
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield f"{path.name}:{number}", line


def _complaint(exi: Codec, vector: Vector) -> str:
    data = bytes.fromhex(str(vector["exi"]))
    must = vector.get("must")
    is_fragment = bool(vector.get("fragment"))
    decode = exi.decode_fragment_with_notes if is_fragment else exi.decode_with_notes
    try:
        message, notes = decode(data)
    except ExiError as error:
        return "" if must else f"does not decode: {error}"
    if must:
        return "decodes, but must be rejected" if must == "reject" else ""
    if notes and "canonical" not in vector:
        return f"needs tolerance: {', '.join(notes)}"
    return _difference(exi, message, vector)


def _difference(exi: Codec, message: object, vector: Vector) -> str:
    wanted = vector["json"]
    if exi.to_json(message) != wanted:
        return "decodes to another message"
    if not isinstance(wanted, Mapping):
        return "json is no object"
    encode = exi.encode_fragment if vector.get("fragment") else exi.encode
    written = encode(exi.from_json(wanted)).hex()
    due = vector.get("canonical", vector["exi"])
    return "" if written == due else f"encodes to {written} instead of {due}"
