"""A new contract for a car: packed by who issues it, unpacked by the car.

The answers to CertificateInstallationReq and CertificateUpdateReq carry the same four
elements, signed together by the provisioning service (CPS).
"""

from __future__ import annotations

from collections.abc import Sequence

from cryptography.hazmat.primitives.asymmetric import ec

from pilothat.frozen import dataclass
from pilothat.machine import Entropy
from pilothat.pnc.certificate import Credential
from pilothat.pnc.chain import Moment, Trust, check
from pilothat.pnc.contract import is_same_emaid
from pilothat.pnc.contractkey import Sealed, SealError, seal, unseal
from pilothat.pnc.roles import CONTRACT, CPS
from pilothat.pnc.signature import Signed, sign, verify
from pilothat.v2g.messages.iso2 import (
    CertificateChain,
    CertificateInstallationRes,
    CertificateUpdateRes,
    ContractSignatureEncryptedPrivateKey,
    DiffieHellmanPublicKey,
    Emaid,
    ResponseCode,
    Signature,
    SubCertificates,
)

Delivery = CertificateInstallationRes | CertificateUpdateRes


@dataclass(frozen=True, slots=True)
class Parcel:
    """What a delivery consists of, and the header's signature over it."""

    cps_chain: CertificateChain
    contract_chain: CertificateChain
    key: ContractSignatureEncryptedPrivateKey
    dh_public: DiffieHellmanPublicKey
    emaid: Emaid
    signature: Signature

    def installation(self) -> CertificateInstallationRes:
        """Return the answer to a CertificateInstallationReq."""
        return CertificateInstallationRes(
            response_code=ResponseCode.OK,
            sa_provisioning_certificate_chain=self.cps_chain,
            contract_signature_cert_chain=self.contract_chain,
            contract_signature_encrypted_private_key=self.key,
            dh_public_key=self.dh_public,
            emaid=self.emaid,
        )

    def update(self) -> CertificateUpdateRes:
        """Return the answer to a CertificateUpdateReq."""
        return CertificateUpdateRes(
            response_code=ResponseCode.OK,
            sa_provisioning_certificate_chain=self.cps_chain,
            contract_signature_cert_chain=self.contract_chain,
            contract_signature_encrypted_private_key=self.key,
            dh_public_key=self.dh_public,
            emaid=self.emaid,
        )


@dataclass(frozen=True, slots=True)
class Unpacked:
    """What a car got out of a delivery: a contract, or why there is none."""

    contract: Credential | None = None
    why: str = ""


def pack(
    contract: Credential,
    cps: Credential,
    receiver: ec.EllipticCurvePublicKey,
    entropy: Entropy,
) -> Parcel:
    """Pack a contract for the owner of the receiving key, signed by the CPS."""
    sealed = seal(contract.key, receiver, entropy)
    chain = as_chain(contract.ders, "id1")
    key = ContractSignatureEncryptedPrivateKey(id="id2", text=sealed.blob)
    dh_public = DiffieHellmanPublicKey(id="id3", text=sealed.dh_public)
    emaid = Emaid(id="id4", text=contract.leaf.name)
    signature = sign((chain, key, dh_public, emaid), cps.key)
    return Parcel(as_chain(cps.ders), chain, key, dh_public, emaid, signature)


def unpack(
    delivery: Delivery,
    signature: Signature | None,
    oem_key: ec.EllipticCurvePrivateKey,
    trust: Trust,
    moment: Moment,
) -> Unpacked:
    """Take a contract out of a delivery, if all of it holds.

    oem_key: of the OEM provisioning certificate, or of the old contract
    """
    cps = check(ders(delivery.sa_provisioning_certificate_chain), CPS, trust, moment)
    if not cps.is_good:
        return Unpacked(why=f"provisioning service: {cps.why}")
    proof = verify(signature, signed_elements(delivery), cps.leaf.public_key)
    if not proof.is_good:
        return Unpacked(why=f"signature: {proof.why}")
    given = ders(delivery.contract_signature_cert_chain)
    contract = check(given, CONTRACT, trust, moment)
    if not contract.is_good:
        return Unpacked(why=f"contract: {contract.why}")
    if not is_same_emaid(delivery.emaid.text, contract.leaf.name):
        told = f"{delivery.emaid.text} and {contract.leaf.name} are two contracts"
        return Unpacked(why=told)
    blob = delivery.contract_signature_encrypted_private_key.text
    sealed = Sealed(delivery.dh_public_key.text, blob)
    try:
        key = unseal(sealed, oem_key, contract.leaf.public_key)
    except SealError as error:
        return Unpacked(why=str(error))
    return Unpacked(Credential(contract.path[: len(given)], key))


def signed_elements(delivery: Delivery) -> tuple[Signed, ...]:
    """Return the four elements the CPS signs."""
    return (
        delivery.contract_signature_cert_chain,
        delivery.contract_signature_encrypted_private_key,
        delivery.dh_public_key,
        delivery.emaid,
    )


def as_chain(ders: Sequence[bytes], id_: str | None = None) -> CertificateChain:
    """Return DER certificates, the leaf first, as a message carries them."""
    leaf, *subs = ders
    rest = SubCertificates(certificate=tuple(subs)) if subs else None
    return CertificateChain(id=id_, certificate=leaf, sub_certificates=rest)


def ders(chain: CertificateChain) -> tuple[bytes, ...]:
    """Return the certificates of a message's chain, the leaf first."""
    subs = chain.sub_certificates
    return (chain.certificate, *(subs.certificate if subs else ()))
