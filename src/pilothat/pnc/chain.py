"""Certificate chains: from the octets of a message to a response code.

A chain is a leaf and the CAs above it in order, without the root. What OpenSSL calls
the purpose of a certificate is not looked at: public roots carry extended key usages
that make that check fail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise

from cryptography.x509.oid import NameOID

from pilothat.frozen import dataclass
from pilothat.pnc.certificate import Certificate, MalformedError, parse
from pilothat.pnc.contract import is_emaid
from pilothat.pnc.roles import (
    DATES,
    ISO2_CODES,
    STRICT_CODES,
    Anchor,
    Flaw,
    Role,
)
from pilothat.v2g.messages.iso2_types import ResponseCode

MAX_SUBS = 4  # SubCertificates in a message
SOON_S = 21 * 86_400  # [V2G2-690]: a contract that ends within 21 days


@dataclass(frozen=True, slots=True)
class Moment:
    """What the clock shows, seconds since 1970, and whether it can be right.

    A Pi has no clock of its own: until it has heard the time from somewhere, expiry is
    told and not held against a chain.
    """

    unix_s: float
    is_trusted: bool = True


@dataclass(frozen=True, slots=True)
class Trust:
    """What is trusted without proof.

    roots: whose root, and the certificate
    known: CAs between leaf and root that cars need not send
    revoked: fingerprints (SHA-256) of certificates that are void
    """

    roots: tuple[tuple[Anchor, Certificate], ...] = ()
    known: tuple[Certificate, ...] = ()
    revoked: frozenset[bytes] = frozenset()

    def anchors(self, role: Role) -> tuple[Certificate, ...]:
        """Return the roots a chain of this role may end at."""
        return tuple([root for kind, root in self.roots if kind in role.anchors])


@dataclass(frozen=True, slots=True)
class Finding:
    """Something about a chain, in words."""

    flaw: Flaw
    about: str  # which certificate, and what about it


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a chain is worth.

    code: for the response: OK, OK_CertificateExpiresSoon or FAILED_...
    findings: why it failed, the gravest first
    noted: what is tolerated, or could not be judged by this clock
    path: leaf to root as far as it could be read
    """

    code: ResponseCode
    findings: tuple[Finding, ...] = ()
    noted: tuple[Finding, ...] = ()
    path: tuple[Certificate, ...] = ()

    @property
    def is_good(self) -> bool:
        return not self.findings

    @property
    def why(self) -> str:
        """The gravest finding in words; empty for a good chain."""
        return self.findings[0].about if self.findings else ""

    @property
    def leaf(self) -> Certificate:
        """The leaf of a good chain."""
        return self.path[0]


@dataclass(frozen=True, slots=True)
class _Case:
    """A chain on trial."""

    path: tuple[Certificate, ...]  # leaf to root
    role: Role
    trust: Trust
    moment: Moment
    is_strict: bool

    @property
    def leaf(self) -> Certificate:
        return self.path[0]

    @property
    def issuers(self) -> tuple[Certificate, ...]:
        return self.path[1:]


def check(
    chain: Sequence[bytes],
    role: Role,
    trust: Trust,
    moment: Moment,
    *,
    is_strict: bool = False,
) -> Verdict:
    """Judge a chain: DER, the leaf first, then its CAs upwards, without the root.

    is_strict: hold against it what certificates in the field are known to lack: the
    domain component, a path length, a subject without country
    """
    try:
        given = _read(chain)
    except MalformedError as error:
        malformed = Finding(Flaw.MALFORMED, str(error))
        return Verdict(role.broken, (malformed,))
    path, broken = _path(given, role, trust)
    if broken:
        return Verdict(role.broken, (broken,), path=path)
    case = _Case(path, role, trust, moment, is_strict)
    found = [one for look in LOOKS for one in look(case)]
    found.sort(key=lambda one: one.flaw.value)
    held = [one for one in found if moment.is_trusted or one.flaw not in DATES]
    noted = (*[one for one in found if one not in held], *_tolerated(case))
    if held:
        codes = STRICT_CODES if is_strict else ISO2_CODES
        code = codes.get(held[0].flaw, role.broken)
        return Verdict(code, tuple(held), noted, path)
    is_soon = moment.is_trusted and _ends_soon(case)
    code = ResponseCode.OK_CertificateExpiresSoon if is_soon else ResponseCode.OK
    return Verdict(code, (), noted, path)


def _read(chain: Sequence[bytes]) -> tuple[Certificate, ...]:
    if not chain:
        raise MalformedError("no certificate", where="chain")
    if len(chain) > 1 + MAX_SUBS:
        told = f"{len(chain) - 1} CA certificates, at most {MAX_SUBS}"
        raise MalformedError(told, where="chain")
    return tuple([parse(der) for der in chain])


def _path(
    given: tuple[Certificate, ...], role: Role, trust: Trust
) -> tuple[tuple[Certificate, ...], Finding | None]:
    """Return leaf to root, and where the way is broken if it is.

    The CAs that came are taken in their order; behind them the way goes on over those
    that are known here. A root at the end of what came is dropped: only ours count.
    """
    for below, above in pairwise(given):
        if not below.is_issued_by(above):
            told = f"{below.name} is not issued by {above.name}"
            return given, Finding(Flaw.BROKEN, told)
    path = given[:-1] if len(given) > 1 and given[-1].is_self_issued else given
    anchors = trust.anchors(role)
    for _ in range(MAX_SUBS + 1):
        if root := _issuer(path[-1], anchors):
            return (*path, root), None
        known = _issuer(path[-1], trust.known)
        if known is None or known in path:
            break
        path = (*path, known)
    issuer = path[-1].parsed.issuer.rfc4514_string()
    told = f"no trusted {role.name} root has issued {path[-1].name} (issuer: {issuer})"
    return path, Finding(Flaw.UNKNOWN_ROOT, told)


def _issuer(one: Certificate, among: Sequence[Certificate]) -> Certificate | None:
    return next((other for other in among if one.is_issued_by(other)), None)


def _look_at_issuers(case: _Case) -> Iterator[Finding]:
    for below, ca in enumerate(case.issuers):
        if not ca.is_ca or "key_cert_sign" not in ca.usages:
            yield Finding(Flaw.UNFIT_ISSUER, f"{ca.name} must not issue certificates")
        if ca.path_length is not None and ca.path_length < below:
            told = f"{ca.name} allows {ca.path_length} CAs below it, there are {below}"
            yield Finding(Flaw.UNFIT_ISSUER, told)
        if case.is_strict and ca.path_length is None and ca is not case.path[-1]:
            yield Finding(Flaw.UNFIT_ISSUER, f"{ca.name} states no path length")


def _look_at_uses(case: _Case) -> Iterator[Finding]:
    if case.leaf.is_ca and case.role.is_leaf:
        yield Finding(Flaw.UNFIT_USE, f"{case.leaf.name} is a CA, not a leaf")
    if "digital_signature" not in case.leaf.usages and case.role.is_leaf:
        told = f"{case.leaf.name} is not for signing (key usage digitalSignature)"
        yield Finding(Flaw.UNFIT_USE, told)
    for one in case.path:
        if one.unknown_critical:
            told = f"{one.name} has unknown critical extensions {one.unknown_critical}"
            yield Finding(Flaw.UNFIT_USE, told)


def _look_at_subject(case: _Case) -> Iterator[Finding]:
    leaf, role = case.leaf, case.role
    domain = leaf.subject(NameOID.DOMAIN_COMPONENT)
    if domain != role.domain and (domain or case.is_strict):
        told = f"domain component '{domain}' of {leaf.name} should be {role.domain}"
        yield Finding(Flaw.WRONG_SUBJECT, told)
    country = leaf.subject(NameOID.COUNTRY_NAME)
    if case.is_strict and country and not role.may_have_country:
        told = f"a country ({country}) stands in the subject of {leaf.name}"
        yield Finding(Flaw.WRONG_SUBJECT, told)
    if role.has_emaid and not is_emaid(leaf.subject(NameOID.COMMON_NAME)):
        yield Finding(Flaw.WRONG_SUBJECT, f"{leaf.name} is no eMAID")


def _look_at_revocation(case: _Case) -> Iterator[Finding]:
    for one in case.path:
        if one.fingerprint in case.trust.revoked:
            yield Finding(Flaw.REVOKED, f"{one.name} is revoked")


def _look_at_dates(case: _Case) -> Iterator[Finding]:
    now_s = case.moment.unix_s
    for one in case.path:
        if now_s > one.not_after_s:
            since = (now_s - one.not_after_s) / 86_400
            told = f"{one.name} expired {since:.1f} days ago"
            yield Finding(_expired(one, case), told)
        if now_s < one.not_before_s:
            until = (one.not_before_s - now_s) / 86_400
            told = f"{one.name} becomes valid in {until:.1f} days"
            yield Finding(Flaw.NOT_YET_VALID, told)


def _expired(one: Certificate, case: _Case) -> Flaw:
    if one is case.leaf:
        return Flaw.LEAF_EXPIRED
    return Flaw.ROOT_EXPIRED if one is case.path[-1] else Flaw.SUB_EXPIRED


def _tolerated(case: _Case) -> list[Finding]:
    """Return what only a strict check would have held against the chain."""
    if case.is_strict:
        return []
    strict = _Case(case.path, case.role, case.trust, case.moment, is_strict=True)
    looks = (_look_at_issuers, _look_at_subject)
    held = [one for look in looks for one in look(case)]
    return [one for look in looks for one in look(strict) if one not in held]


def _ends_soon(case: _Case) -> bool:
    return case.leaf.not_after_s - case.moment.unix_s <= SOON_S


LOOKS: tuple[Callable[[_Case], Iterator[Finding]], ...] = (
    _look_at_issuers,
    _look_at_uses,
    _look_at_revocation,
    _look_at_subject,
    _look_at_dates,
)
