"""TLS of ISO 15118-2, for the station and for a car, from the folder of the keys.

TLS 1.2, one cipher suite, secp256r1; only the station shows a certificate. The second
suite of the standard (static ECDH) is not in OpenSSL since 1.1, so it cannot be had.
"""

from __future__ import annotations

import os
import ssl
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.pnc import roles
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.hello import chosen, named_roots, offered_suites, wanted_octets
from pilothat.runtime.pipe import Tls
from pilothat.runtime.pkifiles import (
    EV_V2G_ROOT,
    SECC,
    SECRET_MODE,
    Place,
    read_certificates,
    read_credential,
    read_trust,
    secc_places,
)

CIPHERS = "ECDHE-ECDSA-AES128-SHA256"  # C023, AES in CBC with SHA-256
NO_SUITE = "no shared cipher"  # OpenSSL's word
MOST_SUITES = 16  # in one line
CURVE = "prime256v1"  # what OpenSSL calls secp256r1


def server_context(
    folder: Path,
    *,
    keylog: Path | None = None,
    has_tickets: bool = False,
    place: Place = SECC,
) -> ssl.SSLContext:
    """Return what the station speaks TLS with.

    keylog: append the secrets of each session here, so that recorded traffic can be
        read; for the bench
    has_tickets: a car may resume a TLS session. ConfigError if the files do not fit.
    """
    read_credential(folder, place)  # tells what is wrong better than OpenSSL
    context = _context(ssl.PROTOCOL_TLS_SERVER, keylog)
    context.load_cert_chain(place.chain_path(folder), place.key_path(folder))
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    if not has_tickets:
        context.options |= ssl.OP_NO_TICKET
    return context


class Choice:
    """The station's TLS for each V2G root it has a chain below.

    Chains stand in ``secc`` and further folders beside it: ``secc-2``, ``secc-other``.
    """

    def __init__(self, folder: Path, *, keylog: Path | None = None) -> None:
        """Make all contexts. Raises ConfigError."""
        trust = read_trust(folder)
        anchors = trust.anchors(roles.SECC)
        self._contexts: list[ssl.SSLContext] = []
        self._roots: list[Certificate] = []
        for place in secc_places(folder):
            context = server_context(folder, keylog=keylog, place=place)
            top = read_certificates(place.chain_path(folder))[-1]
            above = [root for root in anchors if top.is_issued_by(root)]
            self._contexts.append(context)
            self._roots.append(above[0] if above else top)

    def tls(self) -> Tls:
        """Return what a connection needs."""
        return Tls(True, wanted_octets, self.pick, _explained)  # noqa: FBT003 - a server

    def pick(self, first: bytes) -> ssl.SSLContext:
        """Return the context for a car, by the first octets it has sent.

        `hello.wanted_octets` says how many are enough.
        """
        return self._contexts[chosen(named_roots(first), self._roots)]


def client_context(folder: Path, *, keylog: Path | None = None) -> ssl.SSLContext:
    """Return what a car speaks TLS with: it trusts its V2G roots, and no names.

    Raises ConfigError if there are no roots.
    """
    roots = folder / EV_V2G_ROOT
    read_certificates(roots)
    context = _context(ssl.PROTOCOL_TLS_CLIENT, keylog)
    context.check_hostname = False  # a station is known by its root, not by a name
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cafile=roots)
    return context


def _context(protocol: int, keylog: Path | None) -> ssl.SSLContext:
    context = ssl.SSLContext(protocol)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_ecdh_curve(CURVE)
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION
    if keylog:
        _make_secret(keylog)
        context.keylog_filename = str(keylog)
    return context


def _explained(why: str, first: bytes) -> str:
    """Return what to say of a handshake that failed: the suites, if none was ours."""
    if why != NO_SUITE:
        return why
    suites = " ".join(f"{suite:04x}" for suite in offered_suites(first)[:MOST_SUITES])
    return f"{why}, offered: {suites}"


def _make_secret(path: Path) -> None:
    """See to it that the file exists and only its owner can read it."""
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, SECRET_MODE))
        path.chmod(SECRET_MODE)
    except OSError as error:
        told = error.strerror or "cannot be written"
        raise ConfigError(told, where=str(path), remedy="Choose another file") from None
