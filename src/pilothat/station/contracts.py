"""Plug & Charge of a station: sessions ask, the certificates of ``pnc`` answer."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from pilothat.machine import Entropy
from pilothat.pnc import requests
from pilothat.pnc.certificate import Certificate, Credential, parse
from pilothat.pnc.chain import Moment, Trust
from pilothat.pnc.provisioning import (
    Delivered as Given,
)
from pilothat.pnc.provisioning import (
    IssuingProvider,
    Provider,
    RefusingProvider,
)
from pilothat.pnc.requests import Judge
from pilothat.pnc.roles import Anchor
from pilothat.pnc.signature import sign
from pilothat.station.settings import ContractSettings, Issuer
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import SalesTariff
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import TimeOfDay
from pilothat.v2g.secc.contract import Contract, Delivered, Ruling


class PlugAndCharge:
    """Rules on contracts by the certificates in the settings."""

    def __init__(self, settings: ContractSettings, entropy: Entropy) -> None:
        self.is_issuing = settings.issuer is not None
        self._trust = trust_of(settings)
        self._is_strict = settings.is_strict
        self._mo_key = _key(settings.issuer.mo_key) if settings.issuer else None
        self._provider: Provider = (
            _issuing(settings.issuer, self._trust, entropy)
            if settings.issuer
            else RefusingProvider()
        )

    def payment_details(
        self, request: iso2.PaymentDetailsReq, time: TimeOfDay
    ) -> Ruling:
        judge = Judge(self._trust, _moment(time), self._is_strict)
        return _told(requests.payment_details(request, judge))

    def authorization(
        self,
        request: iso2.AuthorizationReq,
        signature: Signature | None,
        contract: Contract,
        time: TimeOfDay,
    ) -> Ruling:
        leaf, challenge = parse(contract.leaf), contract.challenge
        return _told(
            requests.authorization(request, signature, challenge, leaf, _moment(time))
        )

    def metering_receipt(
        self,
        request: iso2.MeteringReceiptReq,
        signature: Signature | None,
        session_id: bytes,
        contract: Contract,
    ) -> Ruling:
        if contract.sent is None:
            code = iso2.ResponseCode.FAILED_MeteringSignatureNotValid
            return Ruling(code, "no reading was sent")
        leaf, sent = parse(contract.leaf), contract.sent
        return _told(
            requests.metering_receipt(request, signature, session_id, sent, leaf)
        )

    def sign(self, prices: SalesTariff) -> Signature | None:
        return sign((prices,), self._mo_key) if self._mo_key else None

    def install(
        self,
        request: iso2.CertificateInstallationReq,
        signature: Signature | None,
        time: TimeOfDay,
    ) -> Delivered | Ruling:
        return _given(self._provider.install(request, signature, _moment(time)))

    def update(
        self,
        request: iso2.CertificateUpdateReq,
        signature: Signature | None,
        time: TimeOfDay,
    ) -> Delivered | Ruling:
        return _given(self._provider.update(request, signature, _moment(time)))


def trust_of(settings: ContractSettings) -> Trust:
    """Return what is trusted. Raises MalformedError."""
    by_owner = (
        (Anchor.V2G, settings.v2g),
        (Anchor.MO, settings.mo),
        (Anchor.OEM, settings.oem),
    )
    return Trust(
        roots=tuple((owner, _read(der)) for owner, ders in by_owner for der in ders),
        known=tuple(_read(der) for der in settings.known),
        revoked=frozenset(settings.revoked),
    )


def _read(der: bytes) -> Certificate:
    """Read a certificate of our own; messages have a limit, files have none."""
    return parse(der, limit=len(der))


def _issuing(issuer: Issuer, trust: Trust, entropy: Entropy) -> IssuingProvider:
    cps = Credential(tuple(map(_read, issuer.cps_chain)), _key(issuer.cps_key))
    mo = Credential(tuple(map(_read, issuer.mo_chain)), _key(issuer.mo_key))
    return IssuingProvider(trust, cps, mo, entropy, emaid=issuer.emaid)


def _key(der: bytes) -> ec.EllipticCurvePrivateKey:
    key = load_der_private_key(der, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise TypeError(type(key).__name__)
    return key


def _moment(time: TimeOfDay) -> Moment:
    return Moment(time.unix_s, time.is_trusted)


def _told(ruling: requests.Ruling) -> Ruling:
    return Ruling(ruling.code, ruling.why, ruling.leaf.der if ruling.leaf else b"")


def _given(given: Given | requests.Ruling) -> Delivered | Ruling:
    if isinstance(given, requests.Ruling):
        return _told(given)
    return Delivered(given.body, given.signature)
