"""The OCSP response beside a station's chain: sent to cars that ask, while it is good.

Operators renew the file weekly; a new one counts from the next connection on. Needs
pyOpenSSL, once there is such a file.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from pilothat.errors import ConfigError
from pilothat.pnc import roles
from pilothat.pnc.certificate import Certificate, MalformedError, parse
from pilothat.pnc.chain import Moment, Trust
from pilothat.pnc.staple import REFRESH, Staple, StapleError, read_staple
from pilothat.runtime.library import STAPLES, need_library
from pilothat.runtime.pipe import Engine
from pilothat.runtime.pkifiles import Place, read_certificates
from pilothat.runtime.tlsside import Side
from pilothat.runtime.wallclock import WallClock

if TYPE_CHECKING:
    from OpenSSL import SSL

    from pilothat.runtime.opensslengine import Judge

log = logging.getLogger(__name__)

Clock = Callable[[], Moment]


def now() -> Moment:
    """Return what this computer's clock shows."""
    time = WallClock().read()
    return Moment(time.unix_s, time.is_trusted)


def issuer_of(chain: Sequence[Certificate], trust: Trust) -> Certificate | None:
    """Return who has issued the leaf: of the chain, or of those that are known here."""
    known = (*chain[1:], *trust.known, *trust.anchors(roles.SECC))
    return next((one for one in known if chain[0].is_issued_by(one)), None)


def read_about(path: Path, leaf: Certificate, issuer: Certificate | None) -> Staple:
    """Read the OCSP response about a leaf. Raises ConfigError that names the file."""
    if issuer is None:
        raise ConfigError(
            f"who has issued {leaf.name} is not known",
            where=str(path),
            remedy="Put the missing CA into the chain",
        )
    try:
        return read_staple(path.read_bytes(), leaf, issuer)
    except StapleError as error:
        where, remedy = str(path), error.remedy
        raise ConfigError(error.what, where=where, remedy=remedy) from None
    except OSError as error:
        what = error.strerror or "cannot be read"
        remedy = "Let the station's user read it"
        raise ConfigError(what, where=str(path), remedy=remedy) from None


def read_of(folder: Path, place: Place, trust: Trust) -> Staple:
    """Read the OCSP response about the leaf of a place. Raises ConfigError."""
    chain = read_certificates(place.chain_path(folder))
    return read_about(place.ocsp_path(folder), chain[0], issuer_of(chain, trust))


class Stapling:
    """What one chain's connections are stapled with.

    side: what shows the chain; the response must be about its leaf
    issuer: of that leaf; None: not known
    """

    def __init__(
        self, path: Path, side: Side, issuer: Certificate | None, clock: Clock = now
    ) -> None:
        self._path, self._side, self._issuer = path, side, issuer
        self._clock = clock
        self._seen: tuple[int, ...] = ()  # of the file as it was read
        self._staple: Staple | None = None
        self._flaw: ConfigError | None = None
        self._context: SSL.Context | None = None
        self._told = ""

    def look(self) -> ConfigError | None:
        """Look whether the file has changed; return why nothing can be sent.

        None also where there is no file: then nobody wants anything sent.
        """
        seen = _marks(self._path)
        if seen != self._seen:
            self._seen = seen
            self._read()
        if self._staple and (why := self._staple.why_not(self._clock())):
            return ConfigError(why, where=str(self._path), remedy=REFRESH)
        return self._flaw

    def tell(self) -> bool:
        """Look, and say once what is wrong; tell whether something can be sent."""
        flaw = self.look()
        if flaw and str(flaw) != self._told:
            log.warning("no OCSP response is sent: %s", flaw)
        self._told = str(flaw or "")
        return flaw is None and self._staple is not None

    def engine(self) -> Engine | None:
        """Return an engine that sends it; None where there is nothing to send."""
        if not self.tell() or self._staple is None or self._context is None:
            return None
        from pilothat.runtime.opensslengine import OpensslEngine  # noqa: PLC0415

        staple = self._staple.der
        return OpensslEngine(self._context, is_server=True, staple=staple)

    def _read(self) -> None:
        self._staple = self._flaw = None
        if self._seen and self._side.shown:
            leaf = self._side.shown.credential.leaf
            try:
                self._context = self._context or self._made()
                self._staple = read_about(self._path, leaf, self._issuer)
            except ConfigError as error:
                self._flaw = error

    def _made(self) -> SSL.Context:
        need_library(str(self._path), "sending it", STAPLES)
        from pilothat.runtime.opensslengine import context_of  # noqa: PLC0415

        return context_of(self._side)


def _marks(path: Path) -> tuple[int, ...]:
    """Return what changes when a file does; empty if there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return ()
    except OSError:
        return (0,)  # reading it tells more
    return found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino


def judge_of(clock: Clock = now) -> Judge:
    """Return what a car that insists makes of a response ([V2G2-873]).

    It says why the connection is to be closed: none has come, or not a good one.
    """

    def judge(response: bytes, chain: Sequence[x509.Certificate]) -> str:
        ders = [one.public_bytes(Encoding.DER) for one in chain]
        try:
            leaf, *above = [parse(der, limit=len(der)) for der in ders[:2]]
            if not response:
                return f"no OCSP response about {leaf.name}"
            issuer = above[0] if above else leaf
            why = read_staple(response, leaf, issuer).why_not(clock())
        except (MalformedError, StapleError) as error:
            why = error.what
        return f"OCSP response: {why}" if why else ""

    return judge
