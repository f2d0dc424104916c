"""Fields of scapy made from the declaration of a management message.

``fields_of`` gives them in the order of the frame: the declared ones under their names
(``build_``, where scapy's packets have the name already), what is reserved between them
as ``reserved_`` and its offset. Counts and lengths of a last field are None until
somebody sets them, that is: they follow from it. Octets show in hex, a MAC with colons,
and are taken in that form too; what holds a key, or may, shows as a count of octets.
"""

from __future__ import annotations

import dataclasses
import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from inspect import signature
from types import new_class
from typing import NamedTuple, cast

from scapy.fields import (
    AnyField,
    ByteField,
    Field,
    FieldLenField,
    LEIntField,
    LEShortField,
    PacketListField,
    StrField,
    StrFixedLenField,
    StrLenField,
)
from scapy.packet import Packet
from scapy.volatile import RandBin, RandNum

from pilothat.homeplug.field import (
    MMV_AV_1_0,
    At,
    Block,
    CountedBytes,
    CountedRecords,
    Mme,
    Nibbles,
    Tail,
    places,
)
from pilothat.homeplug.frame import mac_text

_BODY, _VENDOR_BODY = 19, 20  # where a body starts, as in ``homeplug.frame``
_MAC_BYTES = 6
_NUMBERS = {"B": ByteField, "H": LEShortField, "I": LEIntField}
_DECLARATIONS = "__dataclass_fields__"  # ``places`` has seen that it is a dataclass
_CODE = re.compile(r"(\d*)([a-zA-Z])")


class _Shown(StrField):
    """Octets, shown in hex, a MAC with colons; taken as octets or as hex."""

    def any2i(self, _pkt: Packet | None, x: object) -> bytes:
        if isinstance(x, str):
            return bytes.fromhex(x.replace(":", ""))
        return cast("bytes", x)  # or what scapy puts there when it fuzzes

    def i2repr(self, _pkt: Packet | None, x: object) -> str:
        if not isinstance(x, bytes):
            return repr(x)
        return mac_text(x) if len(x) == _MAC_BYTES else x.hex()


class Hidden(StrField):
    """Octets of which only the count is shown: they hold a key, or may hold one."""

    def i2repr(self, _pkt: Packet | None, x: object) -> str:
        return f"({len(x)} octets)" if isinstance(x, bytes) else "(hidden)"


class Octets(_Shown, StrFixedLenField):
    """So many octets."""


class Key(Hidden, Octets):
    """A network key."""


class CountedOctets(_Shown, StrLenField):
    """As many octets as an earlier field says."""


class MemoryBlock(Hidden, StrLenField):
    """A block of a modem's memory; its parameters hold the network key."""


class Rest(Hidden, StrField):
    """What stands behind a block; both together are so many octets at least."""

    __slots__ = ("_block", "_least")

    def __init__(self, name: str, block: str, least: int) -> None:
        super().__init__(name, b"")
        self._block, self._least = block, least

    def addfield(self, pkt: Packet, s: bytes, val: bytes | None) -> bytes:
        missing = self._least - len(pkt.getfieldval(self._block))
        return s + (val or b"").ljust(missing, b"\0")


class Levels(Field[list[int], bytes]):
    """One byte for each number, as many as the field ``<name>_count`` says.

    Read in a third of the time of scapy's list of fields: a profile comes every 20 ms.
    """

    islist = 1

    def __init__(self, name: str) -> None:
        super().__init__(name, [], "s")

    def i2len(self, _pkt: Packet, x: list[int]) -> int:
        return len(x)

    def addfield(self, _pkt: Packet, s: bytes, val: list[int] | None) -> bytes:
        return s + bytes(val or ())

    def getfield(self, pkt: Packet, s: bytes) -> tuple[bytes, list[int]]:
        count = pkt.getfieldval(f"{self.name}_count")
        return s[count:], list(s[:count])

    def randval(self) -> RandBin:
        return RandBin(RandNum(0, 0xFF))


class Record(Packet):
    """Base of the rows of a list."""

    def extract_padding(self, s: bytes) -> tuple[bytes, bytes]:
        return b"", s


def layer(
    name: str, base: type[Packet], title: str, found: Iterator[AnyField]
) -> type[Packet]:
    """Return a new layer: its class name, its title, its fields."""
    body = {"name": title, "fields_desc": list(found), "__module__": base.__module__}
    made = new_class(name, (base,), exec_body=lambda space: space.update(body))
    return cast("type[Packet]", made)


def fields_of(kind: type[Mme]) -> Iterator[AnyField]:
    """Return the fields of a message in order, the gaps between them too."""
    rows = sorted(places(kind).items(), key=lambda row: row[1].offset)
    counter = _counter(rows)
    end = _VENDOR_BODY if kind.mmvs[0] == MMV_AV_1_0 else _BODY
    for name, at in rows:
        yield from _gap(end, at.offset)
        end = at.offset
        if not isinstance(at, At):
            yield from _tail(name, at, counter)
            continue
        end += struct.calcsize("<" + at.code)
        if name == counter:
            last, tail = rows[-1]
            each = 2 if isinstance(tail, Nibbles) else 1
            yield _count(name, last, "<H", each)
        else:
            yield from _fixed(_declared(kind, name), at.code)


class _Declared(NamedTuple):
    name: str
    default: object = None  # of another type than the field's: none is declared
    is_key: bool = False


def _declared(kind: type[Mme], name: str) -> _Declared:
    declared: Mapping[str, dataclasses.Field[object]] = vars(kind)[_DECLARATIONS]
    one = declared[name]
    return _Declared(_free(name), one.default, not one.repr)


def _free(name: str) -> str:
    """Return a name that does not hide anything of scapy's packets."""
    return f"{name}_" if hasattr(Packet, name) else name


def _gap(start: int, end: int) -> Iterator[AnyField]:
    if start < end:
        yield Octets(f"reserved_{start}", bytes(end - start), end - start)


def _counter(rows: Sequence[tuple[str, At | Tail]]) -> str:
    """Return the declared field that counts the last one; empty if none does."""
    match rows[-1][1] if rows else None:
        case Nibbles(offset):
            counted_at = offset - 2
        case Block(count_at=counted_at):
            pass
        case _:
            return ""
    return next(name for name, at in rows if at.offset == counted_at)


def _count(name: str, of: str, code: str = "B", each: int = 1) -> AnyField:
    return FieldLenField(
        name, None, length_of=of, fmt=code, adjust=lambda _, length: each * length
    )


def _fixed(declared: _Declared, code: str) -> Iterator[AnyField]:
    """Return a field of fixed size, in the notation of ``struct``."""
    match = _CODE.fullmatch(code)
    if match is None:
        raise TypeError(f"{declared.name}: no field for {code!r}")
    length, letter = int(match[1] or 1), match[2]
    name, default, is_key = declared
    if letter in _NUMBERS:
        yield _NUMBERS[letter](name, default if isinstance(default, int) else 0)
    elif letter == "p":
        yield from _text(name, length - 1)
    else:
        octets = default if isinstance(default, bytes) else bytes(length)
        yield (Key if is_key else Octets)(name, octets, length)


def _text(name: str, most: int) -> Iterator[AnyField]:
    """Return a count, so much text, and what is left of its room."""
    count = f"{name}_count"
    yield _count(count, name)
    yield StrLenField(name, b"", lambda pkt: min(pkt.getfieldval(count), most), most)
    yield StrFixedLenField(
        f"{name}_rest", b"", length_from=lambda pkt: most - len(pkt.getfieldval(name))
    )


def _tail(name: str, tail: Tail, counter: str) -> Iterator[AnyField]:
    """Return the last field; with its count, if that is no field by itself."""
    count = counter or f"{name}_count"
    match tail:
        case CountedBytes(offset, gap):
            yield _count(count, name)
            yield from _gap(offset + 1, offset + 1 + gap)
            yield Levels(name)
        case CountedRecords(offset, gap=gap):
            yield FieldLenField(count, None, count_of=name, fmt="B")
            yield from _gap(offset + 1, offset + 1 + gap)
            row = layer(tail.make.__name__, Record, name, _columns(tail))
            yield PacketListField(
                name, [], row, count_from=lambda pkt: pkt.getfieldval(count)
            )
        case Nibbles():
            yield CountedOctets(
                name, b"", lambda pkt: (pkt.getfieldval(count) + 1) // 2
            )
        case Block(field=least):
            yield MemoryBlock(name, b"", lambda pkt: pkt.getfieldval(count))
            yield Rest("rest", name, least)


def _columns(tail: CountedRecords) -> Iterator[AnyField]:
    """Return the fields of one row of a list."""
    names, at = iter(signature(tail.make).parameters), 0
    for code in _CODE.finditer(tail.record.format):
        end = at + struct.calcsize("<" + code[0])
        if code[2] == "x":
            yield from _gap(at, end)
        else:
            yield from _fixed(_Declared(_free(next(names))), code[0])
        at = end
