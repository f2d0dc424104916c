"""TLS by pyOpenSSL, which can do what `ssl` cannot: OCSP responses in the handshake."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from cryptography import x509
from OpenSSL import SSL

from pilothat.errors import ConfigError
from pilothat.pnc.certificate import CURVE as SECP256R1
from pilothat.runtime.pipe import TlsError
from pilothat.runtime.tlsside import CIPHERS, Shown, Side

PIECE_BYTES = 16 * 1024
ALERTS = re.compile("^(ssl/)?tls alert")  # since OpenSSL 3.2; what `ssl` says is older

# What a car makes of an OCSP response, by it and the chain up to the root: why it does
# not accept it, empty if it does.
Judge = Callable[[bytes, Sequence[x509.Certificate]], str]


def context_of(side: Side) -> SSL.Context:
    """Return what all sessions of a side share.

    Raises ConfigError where the service manager forbids what callbacks are made of:
    memory that is written and then run.
    """
    try:
        return _context(side)
    except MemoryError:
        raise ConfigError(
            "it may not make callbacks here (MemoryDenyWriteExecute of the service)",
            where="pyOpenSSL",
            remedy="systemctl edit pilothatd: [Service] MemoryDenyWriteExecute=no",
        ) from None


def _context(side: Side) -> SSL.Context:
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_min_proto_version(SSL.TLS1_2_VERSION)
    context.set_max_proto_version(SSL.TLS1_2_VERSION)
    context.set_cipher_list(CIPHERS.encode())
    context.set_tmp_ecdh(SECP256R1)
    for name in side.options:
        context.set_options(getattr(SSL, name))
    if side.keylog:
        context.set_keylog_callback(_log_of(side.keylog))
    if side.shown:
        _show(context, side.shown)
    if side.roots:
        context.set_verify(SSL.VERIFY_PEER)
        context.load_verify_locations(str(side.roots))
        context.set_ocsp_client_callback(_is_accepted)
    return context


def _show(context: SSL.Context, shown: Shown) -> None:
    leaf, *above = shown.credential.chain
    context.use_certificate(leaf.parsed)
    for one in above:
        context.add_extra_chain_cert(one.parsed)
    context.use_privatekey(shown.credential.key)
    context.set_ocsp_server_callback(_staple_of)


class OpensslEngine:
    """One session; see `pipe.Engine`.

    staple: the OCSP response a station sends to a car that asks; empty for none
    judge: a car asks for one, and this says what it is worth; None: it does not ask
    """

    def __init__(
        self,
        context: SSL.Context,
        *,
        is_server: bool,
        staple: bytes = b"",
        judge: Judge | None = None,
    ) -> None:
        self._session = SSL.Connection(context, None)
        self._session.set_app_data(staple if is_server else judge)
        if is_server:
            self._session.set_accept_state()
        else:
            self._session.set_connect_state()
        if judge:
            self._session.request_ocsp()

    def take(self, octets: bytes) -> None:
        """Take octets that have come from the peer."""
        if octets:
            self._session.bio_write(octets)

    def outgoing(self) -> bytes:
        """Return octets for the peer."""
        pieces: list[bytes] = []
        with suppress(SSL.WantReadError):  # that was all
            while True:
                pieces.append(self._session.bio_read(PIECE_BYTES))
        return b"".join(pieces)

    def shake(self) -> bool:
        """Go on with the handshake; tell whether it is done. Raises TlsError."""
        try:
            with _failures_told():
                self._session.do_handshake()
        except SSL.WantReadError:
            return False
        return True

    def read(self, most: int) -> bytes | None:
        """Return plain octets; None: there are none yet. Raises TlsError."""
        try:
            with _failures_told():
                return self._session.recv(most)
        except SSL.WantReadError:
            return None
        except SSL.ZeroReturnError:
            return b""

    def write(self, data: bytes) -> None:
        """Encrypt octets for the peer. Raises TlsError."""
        with _failures_told():
            self._session.sendall(data)

    def part(self) -> None:
        """Say goodbye."""
        with suppress(SSL.Error):  # the peer's goodbye is not waited for
            self._session.shutdown()


@contextmanager
def _failures_told() -> Iterator[None]:
    try:
        yield
    except (SSL.WantReadError, SSL.ZeroReturnError):
        raise
    except SSL.Error as error:
        raise TlsError(_reason(error)) from error


def _reason(error: SSL.Error) -> str:
    """Return the first reason in OpenSSL's list of (library, function, reason)."""
    match error.args:
        case [[(_, _, str(reason)), *_]]:
            return ALERTS.sub("sslv3 alert", reason.lower())
    return str(error)


def _staple_of(session: SSL.Connection, _: object) -> bytes:
    staple = session.get_app_data()
    return staple if isinstance(staple, bytes) else b""


def _is_accepted(session: SSL.Connection, response: bytes, _: object) -> bool:
    """Tell OpenSSL that it is; what the judge has against it ends the session."""
    judge: Judge = session.get_app_data()
    chain = session.get_verified_chain(as_cryptography=True) or []
    if why := judge(response, chain):
        raise TlsError(why)  # comes out of the handshake
    return True


def _log_of(path: Path) -> Callable[[SSL.Connection, bytes], None]:
    def log(_: SSL.Connection, line: bytes) -> None:
        with path.open("ab") as file:
            file.write(line + b"\n")

    return log
