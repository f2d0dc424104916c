"""Examine a folder of keys and certificates: what a station will stumble over."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pilothat.errors import ConfigError
from pilothat.frozen import dataclass
from pilothat.pnc import roles
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.chain import SOON_S, Moment, Trust, Verdict, check
from pilothat.pnc.roles import Anchor, Flaw, Role
from pilothat.pnc.staple import REFRESH, WEEK_S
from pilothat.runtime.library import STAPLES, need_library
from pilothat.runtime.pkifiles import (
    CPS,
    EV_CONTRACT,
    EV_OEM,
    EV_V2G_ROOT,
    MAKE,
    MO,
    SECC,
    SECRET_MODE,
    Place,
    is_key,
    read_certificates,
    read_credential,
    read_trust,
    secc_places,
)
from pilothat.runtime.stapling import read_of

DAY_S = 86_400
RENEW = "Ask who issued it for a new one"
REMEDIES = {
    Flaw.MALFORMED: "ISO 15118-2 takes P-256 with SHA-256, 800 octets at most",
    Flaw.BROKEN: "Order the file: leaf, Sub-CA 2, Sub-CA 1, and no root",
    Flaw.UNKNOWN_ROOT: "Put the root into trust/, or the missing CA into the chain",
    Flaw.UNFIT_ISSUER: "It was issued wrongly. " + RENEW,
    Flaw.UNFIT_USE: "It is for another use. " + RENEW,
    Flaw.ROOT_EXPIRED: "Put the new root into trust/",
    Flaw.REVOKED: RENEW,
    Flaw.WRONG_SUBJECT: "It is for another use. " + RENEW,
    Flaw.LEAF_EXPIRED: RENEW,
    Flaw.SUB_EXPIRED: RENEW + ", with its new CAs",
    Flaw.NOT_YET_VALID: "Wait, or set the clock",
}


@dataclass(frozen=True, slots=True)
class Report:
    """What was found, a line each."""

    problems: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was found."""

    text: str
    is_problem: bool = True


@dataclass(frozen=True, slots=True)
class Inspected:
    """The folder, what it trusts, and as of when it is judged."""

    folder: Path
    trust: Trust
    now_s: float


CHAINS: tuple[tuple[Place, Role], ...] = (  # beside those of the station
    (EV_CONTRACT, roles.CONTRACT),
    (EV_OEM, roles.OEM),
    (CPS, roles.CPS),
    (MO, roles.TARIFF),
)


def examined(folder: Path, now_s: float) -> Report:
    """Examine a folder as of a time, seconds since 1970. Raises ConfigError."""
    if not folder.is_dir():
        raise ConfigError("no such folder", where=str(folder), remedy=MAKE)
    lines: list[Line] = []
    trust, looks = Trust(), LOOKS
    try:
        trust = read_trust(folder)
    except ConfigError as error:
        lines.append(Line(str(error)))
        looks = WITHOUT_TRUST
    inspected = Inspected(folder, trust, now_s)
    lines += [line for look in looks for line in look(inspected)]
    return Report(
        tuple([line.text for line in lines if line.is_problem]),
        tuple([line.text for line in lines if not line.is_problem]),
    )


def _roots(inspected: Inspected) -> Iterator[Line]:
    kinds = {anchor for anchor, _ in inspected.trust.roots}
    trust = inspected.folder / "trust"
    if Anchor.V2G not in kinds:
        yield _line(trust, "no V2G root", "Put it there as v2g_root.pem")
    if Anchor.MO not in kinds:
        told = "no MO root: only contracts below the V2G root are accepted"
        yield Line(f"{trust}: {told}", is_problem=False)
    for anchor, root in inspected.trust.roots:
        name = f"{anchor.name} root {root.name}"
        if not root.is_ca:
            yield _line(trust, f"{name} is no CA", "Put the right file there")
        if not root.is_issued_by(root):
            yield _line(trust, f"{name} is damaged", "Copy it again from its owner")
        if inspected.now_s > root.not_after_s:
            yield _line(trust, f"{name} has expired", "Put its successor there")


def _chains(inspected: Inspected) -> Iterator[Line]:
    stations = [(place, roles.SECC) for place in secc_places(inspected.folder)]
    for place, role in (*stations, *CHAINS):
        path = place.chain_path(inspected.folder)
        if not path.exists() and not place.key_path(inspected.folder).exists():
            if place is SECC:
                yield _line(path, "the station has no certificate", MAKE)
            continue
        try:
            credential = read_credential(inspected.folder, place)
        except ConfigError as error:
            yield Line(str(error))
            continue
        yield from _chain(path, credential.chain, role, inspected)


def _chain(
    path: Path, chain: Sequence[Certificate], role: Role, inspected: Inspected
) -> Iterator[Line]:
    ders = [one.der for one in chain]
    moment = Moment(inspected.now_s)
    verdict = check(ders, role, inspected.trust, moment)
    for finding in verdict.findings:
        yield _line(path, finding.about, REMEDIES[finding.flaw])
    for finding in verdict.noted:
        yield Line(f"{path}: {finding.about}", is_problem=False)
    yield from _soon(path, verdict, inspected.now_s)


def _soon(path: Path, verdict: Verdict, now_s: float) -> Iterator[Line]:
    for one in verdict.path:
        left_s = one.not_after_s - now_s
        if 0 <= left_s <= SOON_S:
            told = f"{one.name} expires in {left_s // DAY_S:.0f} days. {RENEW}"
            yield Line(f"{path}: {told}", is_problem=False)


def _car_roots(inspected: Inspected) -> Iterator[Line]:
    path = inspected.folder / EV_V2G_ROOT
    if not path.parent.is_dir():
        return
    try:
        roots = read_certificates(path)
    except ConfigError as error:
        yield Line(str(error))
        return
    for root in roots:
        if inspected.now_s > root.not_after_s:
            yield _line(path, f"{root.name} has expired", "Put its successor there")


def _keys(inspected: Inspected) -> Iterator[Line]:
    for path in sorted(inspected.folder.rglob("*.pem")):
        mode = path.stat().st_mode & 0o777
        if is_key(path) and mode & ~SECRET_MODE:
            yield _line(path, f"others may read this key ({mode:o})", "chmod 600 it")


def _ocsp(inspected: Inspected) -> Iterator[Line]:
    for place in secc_places(inspected.folder):
        path = place.ocsp_path(inspected.folder)
        if not path.exists():
            continue
        try:
            staple = read_of(inspected.folder, place, inspected.trust)
        except ConfigError as error:
            yield Line(str(error))
            continue
        age_s = inspected.now_s - staple.begin_s
        if why := staple.why_not(Moment(inspected.now_s)):
            yield _line(path, why, REFRESH)
        elif age_s > WEEK_S:
            yield _line(path, f"{age_s // DAY_S:.0f} days old", REFRESH)
        yield from _sending(path)


def _sending(path: Path) -> Iterator[Line]:
    try:
        need_library(str(path), "sending it", STAPLES)
    except ConfigError as error:
        yield Line(str(error), is_problem=False)


def _line(path: Path, what: str, remedy: str) -> Line:
    return Line(f"{path}: {what}. {remedy}")


Look = Callable[[Inspected], Iterator[Line]]
WITHOUT_TRUST: tuple[Look, ...] = (_keys, _ocsp, _car_roots)
LOOKS: tuple[Look, ...] = (_roots, _chains, *WITHOUT_TRUST)
