"""The parameter block (PIB) of a Qualcomm modem: is it whole, which role, changes.

An image is a chain of parts, each behind a header of 24 little-endian words that tells
where the part lies and how long it is. Both carry a checksum: the complement of the XOR
of all words. The parameters are the part of type 15. Only images are changed whose chip
and length are known, because a wrong block leaves a modem in its boot loader.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from enum import Enum

from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass

HEADER_BYTES = 96
LAST = 0xFFFFFFFF
TYPE_PIB = 0x0F
_WORD = struct.Struct("<I")
_HEADER = struct.Struct("<24I")
# words of a header
_START, _LENGTH, _SUM, _NEXT, _TYPE = 2, 4, 5, 7, 9
_SUM_AT = 4 * _SUM
_HEADER_SUM_AT = HEADER_BYTES - 4
_PARTS_MAX = 8  # a chain that is longer bites its own tail


class Role(Enum):
    """What a modem is for. Values: CCoSelection, SLAC mode, user text."""

    EVSE = (2, 2, b"EVSE")  # always coordinator
    PEV = (1, 1, b"PEV")  # never coordinator


@dataclass(frozen=True, slots=True)
class Field:
    """A field of the parameters: offset in the body, bytes, its name."""

    offset: int
    length: int
    name: str


MAC = Field(0x0C, 6, "MAC")
NMK = Field(0x64, 16, "NMK")
USER = Field(0x74, 64, "user text")
CCO = Field(0xF4, 1, "CCoSelection")
NID = Field(0xF8, 7, "preferred NID")
SLAC = Field(0x1653, 1, "SLAC mode")
SPEEDS = Field(0x1C98, 8, "link speeds")
FIELDS = (MAC, NMK, USER, CCO, NID, SLAC, SPEEDS)
LINK_SPEEDS = struct.pack("<II", 10240, 102400)  # low, high, kbit/s
SECRET = (NMK,)

# chip, as the version text names it -> length of its parameters in bytes
LENGTHS: Mapping[str, int] = {"QCA7000": 8080, "QCA7005": 8080, "QCA7420": 8836}


class PibError(PilotHatError):
    """A parameter block is damaged, or of a kind that is not known."""


@dataclass(frozen=True, slots=True)
class Change:
    """One field before and after."""

    field: Field
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the chain: where its header and its body lie."""

    header: int
    kind: int
    start: int
    length: int


class Pib:
    """A whole image whose checksums hold; never changed, only copied with changes."""

    def __init__(self, image: bytes, where: str = "PIB") -> None:
        """Take an image. Raises PibError for one that is damaged."""
        self.image = bytes(image)
        self._where = where
        parts = tuple(_parts(self.image, where))
        found = [part for part in parts if part.kind == TYPE_PIB]
        if len(found) != 1:
            raise PibError(f"{len(found)} parameter parts, not 1", where=where)
        for part in parts:
            _check(self.image, part, where)
        self._part = found[0]
        if self._part.length < SPEEDS.offset + SPEEDS.length:
            raise PibError(f"{self._part.length} bytes are too few", where=where)

    def get(self, field: Field) -> bytes:
        """Return the bytes of a field."""
        start = self._part.start + field.offset
        return self.image[start : start + field.length]

    @property
    def length(self) -> int:
        """Return the length of the parameters without headers, bytes."""
        return self._part.length

    @property
    def mac(self) -> bytes:
        """Return the MAC the modem has from its maker."""
        return self.get(MAC)

    @property
    def user(self) -> str:
        """Return the user's text."""
        return self.get(USER).split(b"\0")[0].decode("ascii", "replace")

    @property
    def role(self) -> Role | None:
        """Return the role; None for a block that says neither."""
        return role_of(self.get(CCO)[0], self.get(SLAC)[0])

    def with_role(self, role: Role, chip: str) -> Pib:
        """Return a copy with another role. Raises PibError for an unknown chip."""
        self.require(chip)
        cco, slac, user = role.value
        changed = bytearray(self.image)
        for field, value in (
            (USER, user.ljust(USER.length, b"\0")),
            (CCO, bytes((cco,))),
            (SLAC, bytes((slac,))),
            (SPEEDS, LINK_SPEEDS),
        ):
            start = self._part.start + field.offset
            changed[start : start + field.length] = value
        _sign(changed, self._part)
        return Pib(bytes(changed), self._where)

    def require(self, chip: str) -> None:
        """Raise PibError unless this is the known block of a known chip."""
        expected = LENGTHS.get(chip)
        if expected is None:
            known = ", ".join(LENGTHS)
            raise PibError(
                f"the block of a {chip or 'chip without name'} is not known",
                where=self._where,
                remedy=f"Known are {known}; nothing was written",
            )
        if self.length != expected:
            raise PibError(
                f"{self.length} bytes, a {chip} has {expected}",
                where=self._where,
                remedy="It is of another chip or firmware; nothing was written",
            )

    def changes(self, after: Pib) -> list[Change]:
        """Return the known fields in which two blocks differ."""
        pairs = ((field, self.get(field), after.get(field)) for field in FIELDS)
        return [Change(f, a, b) for f, a, b in pairs if a != b]


def role_of(cco: int, slac: int) -> Role | None:
    """Return the role that CCoSelection and SLAC mode make."""
    for role in Role:
        if role.value[:2] == (cco, slac):
            return role
    return None


def body_start(head: bytes) -> int | None:
    """Return where the parameters lie, from the first bytes of a file; None: unknown.

    The headers must be in ``head``, the parts need not.
    """
    at = 0
    for _ in range(_PARTS_MAX):
        if at + HEADER_BYTES > len(head):
            return None
        words = _HEADER.unpack_from(head, at)
        if words[_TYPE] == TYPE_PIB:
            return int(words[_START])
        at = words[_NEXT]
    return None


def checksum(octets: bytes) -> int:
    """Return the complement of the XOR of all words; whole words only."""
    total = 0
    for (word,) in _WORD.iter_unpack(octets):
        total ^= word
    return total ^ 0xFFFFFFFF


def made(parts: Mapping[int, bytes]) -> bytes:
    """Return an image of parts by their type, in order, with all checksums."""
    kinds = list(parts)
    starts, at = [], 0
    for kind in kinds:
        starts.append(at)
        at += HEADER_BYTES + len(parts[kind])
    image = bytearray()
    for number, kind in enumerate(kinds):
        body, start = parts[kind], starts[number]
        after = starts[number + 1] if number + 1 < len(kinds) else LAST
        before = starts[number - 1] if number else LAST
        words = [0x00010001, 0, start + HEADER_BYTES, 0, len(body), 0, LAST, after]
        image += _HEADER.pack(*words, before, kind, *bytes(14)) + body
        _sign(image, _Part(start, kind, start + HEADER_BYTES, len(body)))
    return bytes(image)


def _parts(image: bytes, where: str) -> Iterator[_Part]:
    at = 0
    for _ in range(_PARTS_MAX):
        if at + HEADER_BYTES > len(image):
            break
        words = _HEADER.unpack_from(image, at)
        part = _Part(at, words[_TYPE], words[_START], words[_LENGTH])
        if part.length % _WORD.size or part.start + part.length > len(image):
            break
        yield part
        at = words[_NEXT]
        if at == LAST:
            return
    raise PibError(
        f"no chain of headers in {len(image)} bytes",
        where=where,
        remedy="It is no parameter block of a QCA7000, QCA7005 or QCA7420",
    )


def _check(image: bytes, part: _Part, where: str) -> None:
    """Raise PibError unless the checksums of a part and its header hold."""
    signed = bytearray(image)
    _sign(signed, part)
    if signed != image:
        raise PibError(
            f"a checksum of part 0x{part.kind:02X} is wrong",
            where=where,
            remedy="The block is damaged; read it again or take another copy",
        )


def _sign(image: bytearray, part: _Part) -> None:
    """Store both checksums of a part: the header's counts the body's in."""
    body = bytes(image[part.start : part.start + part.length])
    _WORD.pack_into(image, part.header + _SUM_AT, checksum(body))
    header = bytes(image[part.header : part.header + _HEADER_SUM_AT])
    _WORD.pack_into(image, part.header + _HEADER_SUM_AT, checksum(header))
