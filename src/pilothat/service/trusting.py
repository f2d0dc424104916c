"""The certificates of a folder as settings of a station."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pilothat.pnc.certificate import Credential
from pilothat.pnc.roles import Anchor
from pilothat.runtime.pkifiles import CPS, MO, read_credential, read_trust
from pilothat.service.pki import DEFAULT_EMAID
from pilothat.station.settings import ContractSettings, Issuer


def trusted(folder: Path) -> ContractSettings:
    """Return whose contracts are accepted. Raises ConfigError."""
    trust = read_trust(folder)

    def of(anchor: Anchor) -> tuple[bytes, ...]:
        return tuple(root.der for owner, root in trust.roots if owner is anchor)

    return ContractSettings(
        v2g=of(Anchor.V2G),
        mo=of(Anchor.MO),
        oem=of(Anchor.OEM),
        known=tuple(one.der for one in trust.known),
        revoked=tuple(sorted(trust.revoked)),
    )


def issuer(folder: Path) -> Issuer:
    """Return who gives test contracts. Raises ConfigError."""
    cps, mo = read_credential(folder, CPS), read_credential(folder, MO)
    return Issuer(
        cps_chain=cps.ders,
        cps_key=_octets(cps),
        mo_chain=mo.ders,
        mo_key=_octets(mo),
        emaid=DEFAULT_EMAID,
    )


def _octets(credential: Credential) -> bytes:
    return credential.key.private_bytes(
        Encoding.DER, PrivateFormat.PKCS8, NoEncryption()
    )
