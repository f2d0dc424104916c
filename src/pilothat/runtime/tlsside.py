"""What TLS of ISO 15118-2 is, declared once for every library that speaks it.

TLS 1.2, one cipher suite, secp256r1; only the station shows a certificate. The second
suite of the standard (static ECDH) is not in OpenSSL since 1.1, so it cannot be had.
"""

from __future__ import annotations

from pathlib import Path

from pilothat.frozen import dataclass
from pilothat.pnc.certificate import Credential

CIPHERS = "ECDHE-ECDSA-AES128-SHA256"  # C023, AES in CBC with SHA-256
CURVE = "prime256v1"  # what OpenSSL calls secp256r1
OPTIONS = ("OP_NO_RENEGOTIATION", "OP_NO_COMPRESSION")  # names in both libraries
SERVER_OPTIONS = ("OP_CIPHER_SERVER_PREFERENCE",)
NO_TICKETS = ("OP_NO_TICKET",)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a station shows, and proves with.

    chain, key: the files it was read from, PEM
    has_tickets: a car may resume a TLS session
    """

    credential: Credential
    chain: Path
    key: Path
    has_tickets: bool = False


@dataclass(frozen=True, slots=True)
class Side:
    """One side of TLS: a station shows a chain, a car has roots.

    keylog: the secrets of each session are appended here
    """

    shown: Shown | None = None
    roots: Path | None = None
    keylog: Path | None = None

    @property
    def is_server(self) -> bool:
        return self.shown is not None

    @property
    def options(self) -> tuple[str, ...]:
        """The names of OpenSSL's options, as both libraries have them."""
        if self.shown is None:
            return OPTIONS
        tickets = () if self.shown.has_tickets else NO_TICKETS
        return (*OPTIONS, *SERVER_OPTIONS, *tickets)
