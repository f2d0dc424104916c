"""Who gives cars new contracts: nobody, or a test provider with the keys of a test PKI.

A provider answers in the same step. One that has to ask a backend is another of these.
"""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from pilothat.frozen import dataclass
from pilothat.machine import Entropy
from pilothat.pnc.authority import Identity, contract_plan, issue
from pilothat.pnc.certificate import Credential
from pilothat.pnc.chain import Moment, Trust
from pilothat.pnc.contract import normalised
from pilothat.pnc.installation import Delivery, Parcel, pack
from pilothat.pnc.requests import (
    Judge,
    Ruling,
    certificate_installation,
    certificate_update,
)
from pilothat.v2g.messages.iso2 import (
    CertificateInstallationReq,
    CertificateUpdateReq,
    ResponseCode,
    Signature,
)


@dataclass(frozen=True, slots=True)
class Delivered:
    """A new contract: the body of the response, and the signature for its header."""

    body: Delivery
    signature: Signature


class Provider(Protocol):
    """Gives new contracts.

    Contract:
      1. What is refused comes back as a ruling with its code and the reason.
      2. The four signed elements of a delivery go to the car as they are.
    """

    def install(
        self,
        request: CertificateInstallationReq,
        signature: Signature | None,
        moment: Moment,
    ) -> Delivered | Ruling:
        """Give a first contract to the car of an OEM provisioning certificate."""

    def update(
        self, request: CertificateUpdateReq, signature: Signature | None, moment: Moment
    ) -> Delivered | Ruling:
        """Give another contract in the place of one that will end."""


NOBODY = Ruling(ResponseCode.FAILED_NoCertificateAvailable, "no provisioning service")


class RefusingProvider:
    """Gives nothing."""

    def install(
        self,
        request: CertificateInstallationReq,  # noqa: ARG002 - of the protocol
        signature: Signature | None,  # noqa: ARG002
        moment: Moment,  # noqa: ARG002
    ) -> Ruling:
        return NOBODY

    def update(
        self,
        request: CertificateUpdateReq,  # noqa: ARG002
        signature: Signature | None,  # noqa: ARG002
        moment: Moment,  # noqa: ARG002
    ) -> Ruling:
        return NOBODY


class IssuingProvider:
    """Issues contracts with the keys of MO Sub-CA 2 and of the provisioning service."""

    def __init__(
        self,
        trust: Trust,
        cps: Credential,
        mo: Credential,
        entropy: Entropy,
        *,
        emaid: str,
    ) -> None:
        """Make the provider.

        cps: signs deliveries
        mo: issues contracts
        emaid: of a car's first contract; a renewed one keeps its own
        """
        self._trust, self._cps, self._mo = trust, cps, mo
        self._entropy, self._emaid = entropy, emaid

    def install(
        self,
        request: CertificateInstallationReq,
        signature: Signature | None,
        moment: Moment,
    ) -> Delivered | Ruling:
        judge = Judge(self._trust, moment)
        ruling = certificate_installation(request, signature, judge)
        if ruling.leaf is None:
            return ruling
        parcel = self._parcel(self._emaid, ruling.leaf.public_key, moment)
        return Delivered(parcel.installation(), parcel.signature)

    def update(
        self, request: CertificateUpdateReq, signature: Signature | None, moment: Moment
    ) -> Delivered | Ruling:
        ruling = certificate_update(request, signature, Judge(self._trust, moment))
        if ruling.leaf is None:
            return ruling
        emaid = normalised(ruling.leaf.name)
        parcel = self._parcel(emaid, ruling.leaf.public_key, moment)
        return Delivered(parcel.update(), parcel.signature)

    def _parcel(
        self, emaid: str, receiver: ec.EllipticCurvePublicKey, moment: Moment
    ) -> Parcel:
        issuer = Identity(self._mo.leaf, self._mo.key)
        made = issue(contract_plan(emaid), issuer, moment.unix_s, self._entropy)
        contract = Credential((made.certificate, *self._mo.chain), made.key)
        return pack(contract, self._cps, receiver, self._entropy)
