"""TLS by Python's own `ssl`: for every connection that wants no OCSP response."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from pilothat.runtime.pipe import TlsError
from pilothat.runtime.tlsside import CIPHERS, CURVE, Side


def context_of(side: Side) -> ssl.SSLContext:
    """Return what all sessions of a side share."""
    protocol = ssl.PROTOCOL_TLS_SERVER if side.is_server else ssl.PROTOCOL_TLS_CLIENT
    context = ssl.SSLContext(protocol)
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.set_ecdh_curve(CURVE)
    for name in side.options:
        context.options |= getattr(ssl, name)
    if side.keylog:
        context.keylog_filename = str(side.keylog)
    if side.shown:
        context.load_cert_chain(side.shown.chain, side.shown.key)
    if side.roots:
        context.check_hostname = False  # a station is known by its root, not by a name
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(cafile=side.roots)
    return context


class SslEngine:
    """One session; see `pipe.Engine`."""

    def __init__(self, context: ssl.SSLContext, *, is_server: bool) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._session = context.wrap_bio(
            self._incoming, self._outgoing, server_side=is_server
        )

    def take(self, octets: bytes) -> None:
        """Take octets that have come from the peer."""
        self._incoming.write(octets)

    def outgoing(self) -> bytes:
        """Return octets for the peer."""
        return self._outgoing.read()

    def shake(self) -> bool:
        """Go on with the handshake; tell whether it is done. Raises TlsError."""
        try:
            with _failures_told():
                self._session.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def read(self, most: int) -> bytes | None:
        """Return plain octets; None: there are none yet. Raises TlsError."""
        try:
            with _failures_told():
                return self._session.read(most)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:  # both have said goodbye
            return b""

    def write(self, data: bytes) -> None:
        """Encrypt octets for the peer. Raises TlsError."""
        with _failures_told():
            self._session.write(data)

    def part(self) -> None:
        """Say goodbye."""
        with suppress(ssl.SSLError):  # the peer's goodbye is not waited for
            self._session.unwrap()


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
        raise
    except ssl.SSLError as error:
        why = (error.reason or str(error)).lower().replace("_", " ")
        raise TlsError(why) from error
