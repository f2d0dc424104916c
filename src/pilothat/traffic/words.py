"""A message in words: one line with what matters, or a tree with all of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from ipaddress import ip_address
from typing import NamedTuple

from pilothat.homeplug.frame import Frame
from pilothat.traffic import slac
from pilothat.traffic.ear import Json, Told
from pilothat.traffic.fields import (
    CODE_TONES,
    FIELDS,
    NO_UNIT,
    RESPONSE_CODE,
    STATES,
    UNITS,
    USUAL_CODES,
    Tone,
)
from pilothat.traffic.link import Endpoint
from pilothat.v2g import sdp

MOST_SHOWN = 60  # characters of one value
_ANY = "*"
_KILO = ("W", "Wh", "VA", "var", "varh")  # shown in thousands from there on
_EXPONENTS = ("Multiplier", "Exponent")
_DEEPEST = 6  # where states are looked for


class Word(NamedTuple):
    """A part of a line, and how loud it is."""

    text: str
    tone: Tone = Tone.PLAIN


def words(told: Told) -> list[Word]:
    """Return what matters in a message, in the order of a line."""
    match told.value:
        case Frame(mme=mme):
            return [Word(text) for text in slac.facts(mme)]
        case sdp.SdpRequest(tls=tls):
            return [Word("asks for TLS" if tls else "without TLS")]
        case sdp.SdpResponse(address, port, tls=tls):
            return [Word(str(Endpoint(address, port))), Word(_security(tls=tls))]
    if told.content is None:
        return [Word(told.piece.text)] if told.piece.text else []
    return [*_codes(told.body), *_facts(told), *_states(told.content)]


def _security(*, tls: bool) -> str:
    return "TLS" if tls else "without TLS"


def _codes(body: Json) -> Iterator[Word]:
    code = body.get(RESPONSE_CODE)
    if isinstance(code, str) and code not in USUAL_CODES:
        yield Word(
            code, next(tone for start, tone in CODE_TONES if code.startswith(start))
        )


def _facts(told: Told) -> Iterator[Word]:
    found = {"Header": told.header, **told.body}
    for label, path in FIELDS.get(told.name, ()):
        texts = [value_text(*one) for one in _resolve(found, path.split("."))]
        shown = [_shorten(text) for text in texts if text.strip()]
        if shown:
            yield Word(f"{label} {', '.join(shown)}".strip())


def _resolve(
    value: object, path: Sequence[str], name: str = ""
) -> Iterator[tuple[str, object]]:
    """Return name and value of what a path leads to: nothing, one thing or many."""
    if not path:
        yield name, value
        return
    step, *rest = path
    match value:
        case list():
            children = [(name, entry) for entry in value] if step == _ANY else []
        case Mapping():
            children = [(k, v) for k, v in value.items() if step in (_ANY, k)]
        case _:
            children = []
    for key, child in children:
        yield from _resolve(child, rest, key)


def _states(content: Json) -> Iterator[Word]:
    for name, value in _leaves(content, _DEEPEST):
        label, tones = STATES.get(name, ("", {}))
        tone = tones.get(value, tones.get("", Tone.SILENT))
        if tone is not Tone.SILENT and str(value).strip():
            shown = label if value is True else f"{label} {value}".strip()
            yield Word(_shorten(shown), tone)


def _leaves(value: Json, depth: int) -> Iterator[tuple[str, str | bool]]:
    """Return texts and truths with their names; lists are left out."""
    for name, part in value.items():
        if isinstance(part, Mapping) and depth:
            yield from _leaves(part, depth - 1)
        elif isinstance(part, str | bool):
            yield name, part


def value_text(name: str, value: object) -> str:
    """Return a value as people read it: physical ones in SI, with their unit."""
    match value:
        case Mapping() if (parts := _parts(value)) is not None:
            return _physical(parts[0], parts[1], parts[2] or unit_of(name))
        case bool():
            return "yes" if value else "no"
        case int():
            return _physical(value, 0, unit_of(name))
    return str(value)


def number_of(value: object) -> float | None:
    """Return a whole number or a physical value in SI; None for anything else."""
    match value:
        case Mapping() if (parts := _parts(value)) is not None:
            return float(parts[0] * 10.0 ** parts[1])
        case bool():
            return None
        case int():
            return float(value)
    return None


def _parts(value: Json) -> tuple[int, int, str] | None:
    """Return mantissa, exponent and unit of a physical value; None if it is none."""
    mantissa, unit = value.get("Value"), value.get("Unit", "")
    exponent = next((value[key] for key in _EXPONENTS if key in value), None)
    if isinstance(mantissa, int) and isinstance(exponent, int):
        return mantissa, exponent, str(unit)
    return None


def unit_of(name: str) -> str:
    """Return the unit of a number that comes without one; empty if it has none."""
    if any(part in name for part in NO_UNIT):
        return ""
    return next((unit for part, unit in UNITS if part in name), "")


def _physical(mantissa: int, exponent: int, unit: str) -> str:
    number = mantissa * 10.0**exponent
    if unit in _KILO and abs(number) >= 1000:
        return f"{number / 1000:.4g} k{unit}"
    if not unit and exponent == 0:
        return str(mantissa)
    return f"{number:.{max(-exponent, 0)}f} {unit}".rstrip()


def _shorten(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 3]}..."


def tree(told: Told) -> Iterator[tuple[int, str, str]]:
    """Return all of a message: depth, name, and value with unit or nothing."""
    if told.content is not None:
        yield from _branches(0, told.content)
    elif told.value is not None:
        yield from _branches(0, plain(told))


def plain(told: Told) -> Json:
    """Return a frame or a datagram as JSON; no network key, it has no place here."""
    shown: dict[str, object]
    match told.value:
        case Frame(destination, source, mme):
            shown = {"destination": destination, "source": source, **slac.content(mme)}
        case sdp.SdpRequest(security, transport):
            shown = {"security": security.name, "transport": transport.name}
        case sdp.SdpResponse(address, port, security, transport):
            shown = {"address": str(ip_address(address)), "port": port}
            shown |= {"security": security.name, "transport": transport.name}
        case _:
            return {}
    return {told.name: {key: _plain(value) for key, value in shown.items()}}


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case tuple():
            return [_plain(one) for one in value]
    return value


def _branches(depth: int, value: Json) -> Iterator[tuple[int, str, str]]:
    for name, part in value.items():
        entries = part if isinstance(part, list) else [part]
        for entry in entries:
            if isinstance(entry, Mapping) and _parts(entry) is None:
                yield depth, name, ""
                yield from _branches(depth + 1, entry)
            else:
                yield depth, name, value_text(name, entry)
