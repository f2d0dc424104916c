"""A PKI that is always the same, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from pilothat.pnc.authority import CHAINS, PLANS, Identity, Plan, issue, make_pki
from pilothat.pnc.chain import Moment, Trust
from pilothat.pnc.roles import Anchor
from pilothat.twin.chance import Chance

NOW_S = 1_800_000_000.0  # 2027-01-15
DAY_S = 86_400.0
NOW = Moment(NOW_S)


def pki(seed: int = 1) -> Mapping[str, Identity]:
    return _made(seed)


@cache
def _made(seed: int) -> Mapping[str, Identity]:
    return make_pki(NOW_S, Chance(seed, "pki"))


def trust(seed: int = 1) -> Trust:
    made = pki(seed)
    return Trust(
        roots=(
            (Anchor.V2G, made["v2g_root"].certificate),
            (Anchor.MO, made["mo_root"].certificate),
            (Anchor.OEM, made["oem_root"].certificate),
        ),
        known=tuple([made[name].certificate for name in CHAINS["oem"][1:]]),
    )


def chain(name: str, seed: int = 1) -> tuple[bytes, ...]:
    """Return a chain of the PKI as a message carries it."""
    return tuple([pki(seed)[one].certificate.der for one in CHAINS[name]])


def plan(name: str) -> Plan:
    return next(one for one in PLANS if one.name == name)


def reissued(name: str, now_s: float = NOW_S, **changes: Any) -> Identity:
    """Issue a certificate of the PKI once more, with the same key and these changes."""
    made = pki()
    changed = replace(plan(name), **changes)
    issuer = made[changed.issuer] if changed.issuer else None
    return issue(changed, issuer, now_s, Chance(1, name), made[name].key)


def chain_with(name: str, other: Identity) -> tuple[bytes, ...]:
    """Return the chain of a contract, one of its certificates replaced."""
    names = CHAINS["contract"]
    ders = {one: pki()[one].certificate.der for one in names}
    return tuple({**ders, name: other.certificate.der}.values())
