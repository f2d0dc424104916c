"""The network identifier (NID) that belongs to a network membership key (NMK)."""

from __future__ import annotations

NMK_BYTES = 16
_ROUNDS = 5


def nid_of(nmk: bytes, security_level: int = 0) -> bytes:
    """Return the NID of an NMK.

    nmk: 16 bytes. security_level: 0 (simple connect, what chargers use) or 1.
    Result: 7 bytes; the level stands in bits 4..5 of the last, bits 6..7 are 0.
    Raises ValueError for an NMK of another length. HomePlug GP 4.4.3.1.
    """
    from hashlib import sha256  # noqa: PLC0415 - a tenth of the import of all this

    if len(nmk) != NMK_BYTES:
        raise ValueError(f"NMK has {len(nmk)} bytes, not {NMK_BYTES}")
    digest = nmk
    for _ in range(_ROUNDS):
        digest = sha256(digest).digest()
    return digest[:6] + bytes(((digest[6] >> 4) | (security_level << 4),))
