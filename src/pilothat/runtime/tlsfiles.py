"""TLS for the station and for a car, from the folder of the keys."""

from __future__ import annotations

import os
import ssl
from functools import partial
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.pnc import roles
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.chain import Trust
from pilothat.pnc.hello import (
    asks_status,
    chosen,
    named_roots,
    offered_suites,
    wanted_octets,
)
from pilothat.runtime.library import STAPLES, need_library
from pilothat.runtime.pipe import Engine, Tls, as_client
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
from pilothat.runtime.sslengine import SslEngine, context_of
from pilothat.runtime.stapling import Stapling, issuer_of, judge_of
from pilothat.runtime.tlsside import Shown, Side

NO_SUITE = "no shared cipher"  # OpenSSL's word
MOST_SUITES = 16  # in one line


def station_side(
    folder: Path,
    *,
    keylog: Path | None = None,
    has_tickets: bool = False,
    place: Place = SECC,
) -> Side:
    """Return what the station speaks TLS with.

    keylog: append the secrets of each session here, so that recorded traffic can be
        read; for the bench
    has_tickets: a car may resume a TLS session. ConfigError if the files do not fit.
    """
    credential = read_credential(folder, place)
    paths = place.chain_path(folder), place.key_path(folder)
    shown = Shown(credential, *paths, has_tickets)
    return Side(shown=shown, keylog=_kept(keylog))


def car_side(folder: Path, *, keylog: Path | None = None) -> Side:
    """Return what a car speaks TLS with: it trusts its V2G roots, and no names.

    Raises ConfigError if there are no roots.
    """
    roots = folder / EV_V2G_ROOT
    read_certificates(roots)
    return Side(roots=roots, keylog=_kept(keylog))


def car_tls(folder: Path, *, asks_status: bool = False) -> Tls:
    """Return what a car's connection needs. Raises ConfigError.

    asks_status: it insists on an OCSP response about the station's certificate;
        needs pyOpenSSL
    """
    side = car_side(folder)
    if not asks_status:
        return as_client(partial(SslEngine, context_of(side), is_server=False))
    need_library(str(folder), "asking for an OCSP response", STAPLES)
    from pilothat.runtime import opensslengine  # noqa: PLC0415 (an extra)

    context, judge = opensslengine.context_of(side), judge_of()
    return as_client(
        partial(opensslengine.OpensslEngine, context, is_server=False, judge=judge)
    )


@dataclass(frozen=True, slots=True)
class _Chain:
    """One of the station's chains.

    root: the V2G root it is below
    context: for cars that do not ask for an OCSP response
    stapling: for those that do
    """

    root: Certificate
    context: ssl.SSLContext
    stapling: Stapling


class Choice:
    """The station's TLS for each V2G root it has a chain below.

    Chains stand in ``secc`` and further folders beside it: ``secc-2``, ``secc-other``.
    """

    def __init__(self, folder: Path, *, keylog: Path | None = None) -> None:
        """Make all contexts. Raises ConfigError."""
        trust = read_trust(folder)
        self._chains: list[_Chain] = []
        for place in secc_places(folder):
            side = station_side(folder, keylog=keylog, place=place)
            chain = read_certificates(place.chain_path(folder))
            stapling = Stapling(place.ocsp_path(folder), side, issuer_of(chain, trust))
            root = _root_above(chain[-1], trust)
            self._chains.append(_Chain(root, context_of(side), stapling))
        self._roots = [chain.root for chain in self._chains]

    def flaws(self) -> tuple[ConfigError, ...]:
        """Return why OCSP responses that are there cannot be sent."""
        found = [chain.stapling.look() for chain in self._chains]
        return tuple([flaw for flaw in found if flaw])

    def tell(self) -> None:
        """Say so in the log, once."""
        for chain in self._chains:
            chain.stapling.tell()

    def tls(self) -> Tls:
        """Return what a connection needs."""
        return Tls(True, wanted_octets, self.pick, explained)  # noqa: FBT003 - a server

    def pick(self, first: bytes) -> Engine:
        """Return an engine for a car, by the first octets it has sent.

        `hello.wanted_octets` says how many are enough.
        """
        chain = self._chains[chosen(named_roots(first), self._roots)]
        stapled = chain.stapling.engine() if asks_status(first) else None
        return stapled or SslEngine(chain.context, is_server=True)


def _root_above(top: Certificate, trust: Trust) -> Certificate:
    """Return the root a chain ends below; its own end if that is not known."""
    anchors = trust.anchors(roles.SECC)
    return next((root for root in anchors if top.is_issued_by(root)), top)


def explained(why: str, first: bytes) -> str:
    """Return what to say of a handshake that failed: the suites, if none was ours."""
    if why != NO_SUITE:
        return why
    suites = " ".join(f"{suite:04x}" for suite in offered_suites(first)[:MOST_SUITES])
    return f"{why}, offered: {suites}"


def _kept(keylog: Path | None) -> Path | None:
    """See to it that the file exists and only its owner can read it."""
    if keylog is None:
        return None
    try:
        os.close(os.open(keylog, os.O_WRONLY | os.O_CREAT | os.O_APPEND, SECRET_MODE))
        keylog.chmod(SECRET_MODE)
    except OSError as error:
        told = error.strerror or "cannot be written"
        remedy = "Choose another file"
        raise ConfigError(told, where=str(keylog), remedy=remedy) from None
    return keylog
