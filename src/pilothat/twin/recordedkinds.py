"""What kind of answer a message is, and how two answers differ in it.

Numbers may differ from one station to the next; the kind is the message itself, its
codes, and which optional elements it carries.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from pilothat.exi.neutral import Json
from pilothat.twin.recordedspeech import CODECS
from pilothat.v2g.messages import codec

COMPARED = (  # elements whose value is of the kind
    "ResponseCode",
    "EVSEProcessing",
    "EVSEStatusCode",
    "EVSENotification",
    "EVSEIsolationStatus",
    "RCD",
)
ROOT = "V2G_Message"  # what stands around every message but those of the handshake

Kind = dict[str, str]


def whole(message: object) -> dict[str, Json]:
    """Return a message as neutral JSON: one key, its root element.

    Raises TypeError for what is no message of a protocol that is played.
    """
    protocol = CODECS.get(type(message))
    if protocol is None:
        raise TypeError(f"a {type(message).__name__} is no V2G message")
    return codec(protocol).to_json(message)


def as_json(message: object) -> dict[str, Json]:
    """Return a message as neutral JSON without its header: one key, its name.

    A message may be nothing but its header: no key.
    """
    found = whole(message)
    root = found.get(ROOT, found)
    body = root.get("Body", root) if isinstance(root, dict) else {}
    return body if isinstance(body, dict) else {}


def differences(ours: object, theirs: object) -> tuple[str, ...]:
    """Return how our answer differs in kind from the recorded one, one text each."""
    mine, other = _kind(ours), _kind(theirs)
    if mine[""] != other[""]:
        return (f"{mine['']} instead of {other['']}",)
    told = []
    for path in (*mine, *(p for p in other if p not in mine)):
        name = path.rpartition("/")[2]
        if path not in other:
            told.append(f"with {_shown(name, mine[path])}")
        elif path not in mine:
            told.append(f"without {_shown(name, other[path])}")
        elif mine[path] != other[path]:
            told.append(f"{name} {mine[path]} instead of {other[path]}")
    return tuple(told)


def _shown(name: str, value: str) -> str:
    return f"{name} {value}" if value else name


@lru_cache(maxsize=64)  # in a loop the same answer comes again and again
def _kind(message: object) -> Kind:
    """Return every element by its path; with its value where that is of the kind."""
    name, content = next(iter(as_json(message).items()), ("nothing", {}))
    return {"": name, **dict(_leaves("", content))}


def _leaves(path: str, found: Json) -> Iterator[tuple[str, str]]:
    if isinstance(found, dict):
        for name, part in found.items():
            yield from _leaves(f"{path}/{name}", part)
        if path and not found:
            yield path, ""
    elif isinstance(found, list):
        for part in found:
            yield from _leaves(path, part)
    else:
        holder, _, name = path.rpartition("/")
        if name in COMPARED:
            yield path, str(found)
        elif name in ("Value", "Multiplier", "Unit"):
            yield holder, ""  # a physical value is one thing
        else:
            yield path, ""
