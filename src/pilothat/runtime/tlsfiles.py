"""TLS for the station and for a car, from the folder of the keys."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.pnc import roles
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.hello import chosen, named_roots, offered_suites, wanted_octets
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
    read_credential(folder, place)  # tells what is wrong better than OpenSSL
    shown = Shown(place.chain_path(folder), place.key_path(folder), has_tickets)
    return Side(shown=shown, keylog=_kept(keylog))


def car_side(folder: Path, *, keylog: Path | None = None) -> Side:
    """Return what a car speaks TLS with: it trusts its V2G roots, and no names.

    Raises ConfigError if there are no roots.
    """
    roots = folder / EV_V2G_ROOT
    read_certificates(roots)
    return Side(roots=roots, keylog=_kept(keylog))


def car_tls(folder: Path) -> Tls:
    """Return what a car's connection needs. Raises ConfigError."""
    context = context_of(car_side(folder))
    return as_client(partial(SslEngine, context, is_server=False))


class Choice:
    """The station's TLS for each V2G root it has a chain below.

    Chains stand in ``secc`` and further folders beside it: ``secc-2``, ``secc-other``.
    """

    def __init__(self, folder: Path, *, keylog: Path | None = None) -> None:
        """Make all contexts. Raises ConfigError."""
        trust = read_trust(folder)
        anchors = trust.anchors(roles.SECC)
        self._contexts = []
        self._roots: list[Certificate] = []
        for place in secc_places(folder):
            side = station_side(folder, keylog=keylog, place=place)
            top = read_certificates(place.chain_path(folder))[-1]
            above = [root for root in anchors if top.is_issued_by(root)]
            self._contexts.append(context_of(side))
            self._roots.append(above[0] if above else top)

    def tls(self) -> Tls:
        """Return what a connection needs."""
        return Tls(True, wanted_octets, self.pick, explained)  # noqa: FBT003 - a server

    def pick(self, first: bytes) -> Engine:
        """Return an engine for a car, by the first octets it has sent.

        `hello.wanted_octets` says how many are enough.
        """
        context = self._contexts[chosen(named_roots(first), self._roots)]
        return SslEngine(context, is_server=True)


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
