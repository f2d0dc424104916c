"""What a car says in its ClientHello: its roots, and what it asks for (RFC 6066).

The station chooses its chain by the roots ([V2G2-871], [V2G2-923]), and has to look
before the TLS library does, which cannot tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from hashlib import sha1

from pilothat.frozen import dataclass
from pilothat.pnc.certificate import Certificate

RECORD_HEADER_OCTETS = 5
HANDSHAKE, CLIENT_HELLO = 22, 1
TRUSTED_CA_KEYS, STATUS_REQUEST = 3, 5
OCSP = 1  # the one kind of status there is
MAX_RECORD_OCTETS = 1 << 14
MAX_ROOTS = 10  # [V2G2-878]
# naming -> its octets, or the octets of the count before it
LENGTHS: Mapping[int, tuple[int, int]] = {0: (0, 0), 1: (20, 0), 2: (0, 2), 3: (20, 0)}


class Naming(Enum):
    """How a car names a root."""

    PRE_AGREED = 0
    KEY_SHA1 = 1
    NAME = 2  # the subject, DER
    CERTIFICATE_SHA1 = 3


@dataclass(frozen=True, slots=True)
class NamedRoot:
    """A root a car knows."""

    naming: Naming
    octets: bytes

    def is_of(self, root: Certificate) -> bool:
        """Tell whether this certificate is meant."""
        match self.naming:
            case Naming.KEY_SHA1:
                return self.octets == _sha1(root.key_octets)
            case Naming.NAME:
                return self.octets == root.parsed.subject.public_bytes()
            case Naming.CERTIFICATE_SHA1:
                return self.octets == _sha1(root.der)
            case Naming.PRE_AGREED:
                return False


def wanted_octets(first: bytes) -> int:
    """Return how many octets to wait for before the ClientHello can be read.

    0 if what has come is not the beginning of one: the TLS library shall refuse it.
    """
    if first and first[0] != HANDSHAKE:
        return 0
    if len(first) < RECORD_HEADER_OCTETS:
        return RECORD_HEADER_OCTETS
    length = int.from_bytes(first[3:RECORD_HEADER_OCTETS])
    return RECORD_HEADER_OCTETS + length if length <= MAX_RECORD_OCTETS else 0


def named_roots(first: bytes) -> tuple[NamedRoot, ...]:
    """Return the roots a ClientHello names; none if it names none or is damaged."""
    try:
        return _roots(_extension(first, TRUSTED_CA_KEYS))
    except _ShortError:
        return ()


def asks_status(first: bytes) -> bool:
    """Tell whether a ClientHello asks for an OCSP response about the leaf."""
    try:
        return _extension(first, STATUS_REQUEST)[:1] == bytes([OCSP])
    except _ShortError:
        return False


def offered_suites(first: bytes) -> tuple[int, ...]:
    """Return the cipher suites a ClientHello offers; none if it is damaged."""
    try:
        suites = _Cursor(_body(first).vector(2))
        return tuple(suites.number(2) for _ in range(suites.left // 2))
    except _ShortError:
        return ()


def chosen(named: Sequence[NamedRoot], roots: Sequence[Certificate]) -> int:
    """Return which of our roots the car knows, in our order; the first if none."""
    known = [any(one.is_of(root) for one in named) for root in roots]
    return known.index(True) if True in known else 0


class _ShortError(Exception):
    """The octets end too early, or are something else."""


class _Cursor:
    """Reads numbers and vectors from octets."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._octets) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left:
            raise _ShortError
        self._at += count
        return self._octets[self._at - count : self._at]

    def number(self, octets: int) -> int:
        return int.from_bytes(self.take(octets))

    def vector(self, octets: int) -> bytes:
        """Take octets with their count before them."""
        return self.take(self.number(octets))


def _body(first: bytes) -> _Cursor:
    """Return a ClientHello from its cipher suites on."""
    record = _Cursor(first)
    if record.number(1) != HANDSHAKE:
        raise _ShortError
    record.take(2)  # version
    message = _Cursor(record.vector(2))
    if message.number(1) != CLIENT_HELLO:
        raise _ShortError
    hello = _Cursor(message.vector(3))
    hello.take(2 + 32)  # version, random
    hello.vector(1)  # session
    return hello


def _extension(first: bytes, wanted: int) -> bytes:
    """Return the content of an extension; empty without."""
    hello = _body(first)
    for size in (2, 1):  # cipher suites, compressions
        hello.vector(size)
    extensions = _Cursor(hello.vector(2) if hello.left else b"")
    while extensions.left:
        kind, content = extensions.number(2), extensions.vector(2)
        if kind == wanted:
            return content
    return b""


def _roots(content: bytes) -> tuple[NamedRoot, ...]:
    entries = _Cursor(_Cursor(content).vector(2) if content else b"")
    found: list[NamedRoot] = []
    while entries.left and len(found) < MAX_ROOTS:
        kind = entries.number(1)
        if kind not in LENGTHS:
            break
        length, counted = LENGTHS[kind]
        octets = entries.vector(counted) if counted else entries.take(length)
        found.append(NamedRoot(Naming(kind), octets))
    return tuple(found)


def _sha1(octets: bytes) -> bytes:
    return sha1(octets, usedforsecurity=False).digest()  # a name, not a proof
