"""What a car has to pay with in a case: a test PKI, good requests, and what is odd."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from pilothat.conformance.tester import NOW_S, UnexpectedError
from pilothat.pnc.authority import CHAINS, PLANS, Identity, issue, make_pki
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.chain import Moment
from pilothat.pnc.installation import as_chain, unpack
from pilothat.pnc.signature import sign, verify
from pilothat.station.contracts import trust_of
from pilothat.station.settings import ContractSettings, Issuer
from pilothat.twin.chance import Chance
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import ListOfRootCertificateIds, MeterInfo
from pilothat.v2g.messages.xmldsig import Signature, X509IssuerSerial

DAY_S = 86_400.0
EMAID = "DE1ABCD2EF357A"
NO_EMAID = "12345678901234"
SIGNED_ID, OTHER_ID = "id1", "id2"

Pki = Mapping[str, Identity]
Changes = Mapping[str, Any]
Signable = (
    iso2.AuthorizationReq
    | iso2.MeteringReceiptReq
    | iso2.CertificateInstallationReq
    | iso2.CertificateUpdateReq
)
# words of a case -> certificates of the PKI that they are about
_ABOUT: Mapping[str, tuple[str, ...]] = {
    "whole": CHAINS["contract"],
    "Sub-CA 1": ("mo_sub1",),
    "Sub-CA 2": ("mo_sub2",),
    "OEM": ("oem",),
    "(CN)": ("contract",),
    "contract leaf": ("contract",),
}


@cache
def pki(seed: int = 1) -> Pki:
    """Return a test PKI, always the same; 2 is a foreign one."""
    return make_pki(NOW_S, Chance(seed, "pki"))


def contracts(*, is_strict: bool, is_issuing: bool) -> ContractSettings:
    """Return what a station needs to take contracts of the PKI."""
    return ContractSettings(
        v2g=(_der("v2g_root"),),
        mo=(_der("mo_root"),),
        oem=(_der("oem_root"),),
        known=tuple(map(_der, CHAINS["oem"][1:])),
        is_strict=is_strict,
        issuer=_issuer() if is_issuing else None,
    )


def _issuer() -> Issuer:
    return Issuer(
        cps_chain=tuple(map(_der, CHAINS["cps"])),
        cps_key=_octets(pki()["cps"]),
        mo_chain=tuple(map(_der, CHAINS["contract"][1:])),
        mo_key=_octets(pki()["mo_sub2"]),
        emaid=EMAID,
    )


class Purse:
    """Builds the requests of Plug & Charge, and keeps what they have to repeat."""

    def __init__(self) -> None:
        self._challenge: bytes | None = None
        self._reading: MeterInfo | None = None

    def hear(self, body: object) -> None:
        """Take what the station says."""
        match body:
            case iso2.PaymentDetailsRes(gen_challenge=challenge):
                self._challenge = challenge
            case iso2.CurrentDemandRes(meter_info=MeterInfo() as reading):
                self._reading = reading
            case iso2.ChargingStatusRes(meter_info=MeterInfo() as reading):
                self._reading = reading

    def request(
        self, name: str, changes: Changes, session_id: bytes
    ) -> tuple[iso2.Request, Signature | None] | None:
        """Return a request with its signature; None for one that needs no purse."""
        match name:
            case "PaymentDetailsReq":
                return _details(changes), None
            case "AuthorizationReq":
                return self._authorization(changes)
            case "MeteringReceiptReq":
                return _signed(self._receipt(session_id), changes, "contract")
            case "CertificateInstallationReq":
                return _signed(_installation(changes), changes, "oem")
            case "CertificateUpdateReq":
                return _signed(_update(changes), changes, "contract")
        return None

    def _authorization(self, changes: Changes) -> tuple[iso2.Request, Signature | None]:
        """Sign the challenge once; what comes behind that is not signed."""
        challenge, self._challenge = self._challenge, None
        if challenge is None:
            return iso2.AuthorizationReq(), None
        if "GenChallenge" in str(changes.get("deviation")):
            challenge = _other(challenge)
        body = iso2.AuthorizationReq(id=SIGNED_ID, gen_challenge=challenge)
        return _signed(body, changes, "contract")

    def _receipt(self, session_id: bytes) -> iso2.MeteringReceiptReq:
        if self._reading is None:
            raise UnexpectedError("no MeterInfo to confirm", where="the case")
        return iso2.MeteringReceiptReq(
            id=SIGNED_ID,
            session_id=session_id,
            sa_schedule_tuple_id=1,
            meter_info=self._reading,
        )


def why_not_priced(message: Any) -> str:
    """Return what is wrong with the signature of tariffs; empty when all is well."""
    told = message.body.sa_schedules.sa_schedule_tuple
    prices = [one.sales_tariff for one in told]
    key = pki()["mo_sub2"].key.public_key()
    return verify(message.header.signature, prices, key).why


def why_not_delivered(message: Any) -> str:
    """Return what is wrong with a new contract; empty when a car can use it."""
    is_first = isinstance(message.body, iso2.CertificateInstallationRes)
    key = pki()["oem" if is_first else "contract"].key
    trust = trust_of(contracts(is_strict=True, is_issuing=False))
    return unpack(message.body, message.header.signature, key, trust, Moment(NOW_S)).why


def _details(changes: Changes) -> iso2.PaymentDetailsReq:
    chain = as_chain(_chain("contract", changes))
    return iso2.PaymentDetailsReq(
        emaid=_emaid(changes), contract_signature_cert_chain=chain
    )


def _installation(changes: Changes) -> iso2.CertificateInstallationReq:
    return iso2.CertificateInstallationReq(
        id=SIGNED_ID,
        oem_provisioning_cert=_chain("oem", changes)[0],
        list_of_root_certificate_ids=_ROOTS,
    )


def _update(changes: Changes) -> iso2.CertificateUpdateReq:
    return iso2.CertificateUpdateReq(
        id=SIGNED_ID,
        contract_signature_cert_chain=as_chain(_chain("contract", changes)),
        emaid=_emaid(changes),
        list_of_root_certificate_ids=_ROOTS,
    )


def _emaid(changes: Changes) -> str:
    return NO_EMAID if "eMAID element" in str(changes.get("deviation")) else EMAID


def _signed(
    body: Signable, changes: Changes, owner: str
) -> tuple[iso2.Request, Signature]:
    """Sign a request as the case says: with the wrong key, or changed afterwards."""
    is_wrong = "wrong" in str(changes.get("signed_by"))
    signature = sign((body,), pki(2 if is_wrong else 1)[owner].key)
    if "tamper" not in changes:
        return body, signature
    if isinstance(body, iso2.AuthorizationReq):
        other = _other(body.gen_challenge or b"")
        return replace(body, gen_challenge=other), signature
    return replace(body, id=OTHER_ID), signature


def _other(octets: bytes) -> bytes:
    return bytes(octet ^ 0xFF for octet in octets)


def _chain(name: str, changes: Changes) -> tuple[bytes, ...]:
    """Return a chain with what the case says of it."""
    told = f"{changes.get('cert', '')} {changes.get('deviation', '')}"
    names = CHAINS[name]
    ders = {one: pki()[one].certificate.der for one in names}
    about = next((found for words, found in _ABOUT.items() if words in told), ())
    make = next((found for words, found in _ODD.items() if words in told), None)
    if make is None and changes.get("cert", "valid") != "valid":
        raise UnexpectedError(f"nobody makes '{told.strip()}'", where="the case")
    if make is not None:
        ders |= {one: make(one).der for one in about if one in ders}
    return tuple(ders.values())


def _reissued(name: str, age_s: float = 0.0, **changes: Any) -> Certificate:
    """Issue a certificate of the PKI once more, with the same key."""
    plan = replace(next(one for one in PLANS if one.name == name), **changes)
    made = pki()
    entropy = Chance(1, name)
    return issue(
        plan, made[plan.issuer], NOW_S - age_s, entropy, made[name].key
    ).certificate


# words of a case -> what is odd about the certificates
_ODD: Mapping[str, Callable[[str], Certificate]] = {
    "PKI": lambda name: pki(2)[name].certificate,
    "expired": lambda name: _reissued(name, 30 * DAY_S, days=1),
    "(CN)": lambda name: _reissued(name, common_name=NO_EMAID),
    "country": lambda name: _reissued(name, country="DE"),
    "content": lambda name: _reissued(name, domain="ZZ"),
}
_ROOTS = ListOfRootCertificateIds(
    root_certificate_id=(
        X509IssuerSerial(x509_issuer_name="CN=V2G Root", x509_serial_number=1),
    )
)


def _der(name: str) -> bytes:
    return pki()[name].certificate.der


def _octets(identity: Identity) -> bytes:
    return identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
