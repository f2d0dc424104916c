"""The private key of a new contract, on its way to the car.

Who issues it makes a key pair for this one delivery and agrees with the public key of
the car's OEM provisioning certificate on a secret (ECDH). From that comes the AES key
which encrypts the contract's private key ([V2G2-818]).
"""

from __future__ import annotations

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.concatkdf import ConcatKDFHash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pilothat.errors import PeerError
from pilothat.frozen import dataclass
from pilothat.machine import Entropy
from pilothat.pnc.authority import KEY_OCTETS, ORDER, new_key
from pilothat.pnc.certificate import CURVE

OTHER_INFO = b"\x01UV"  # algorithm, sender U, receiver V
AES_KEY_OCTETS = 16
IV_OCTETS = 16
SEALED_OCTETS = IV_OCTETS + KEY_OCTETS  # AES-CBC without padding


class SealError(PeerError):
    """A delivered contract key cannot be used."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A contract key as CertificateInstallationRes carries it.

    dh_public: the issuer's half of the agreement, an uncompressed point, 65 octets
    blob: initial value and encrypted key, 48 octets
    """

    dh_public: bytes
    blob: bytes


def seal(
    key: ec.EllipticCurvePrivateKey,
    receiver: ec.EllipticCurvePublicKey,
    entropy: Entropy,
) -> Sealed:
    """Encrypt a contract key for the owner of the OEM provisioning certificate."""
    own = new_key(entropy)
    value = key.private_numbers().private_value.to_bytes(KEY_OCTETS)
    iv = entropy(IV_OCTETS)
    encryptor = _cipher(own, receiver, iv).encryptor()
    blob = iv + encryptor.update(value) + encryptor.finalize()
    point = own.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return Sealed(point, blob)


def unseal(
    sealed: Sealed,
    receiver: ec.EllipticCurvePrivateKey,
    contract: ec.EllipticCurvePublicKey,
) -> ec.EllipticCurvePrivateKey:
    """Decrypt a contract key with the OEM provisioning key.

    contract: the public key in the contract certificate, which must fit. Raises
    SealError.
    """
    if len(sealed.blob) != SEALED_OCTETS:
        told = f"{len(sealed.blob)} octets, not {SEALED_OCTETS}"
        raise SealError(told, where="ContractSignatureEncryptedPrivateKey")
    try:
        sender = ec.EllipticCurvePublicKey.from_encoded_point(CURVE, sealed.dh_public)
    except ValueError as error:
        told = f"no point on secp256r1: {error}"
        raise SealError(told, where="DHpublickey") from None
    iv, encrypted = sealed.blob[:IV_OCTETS], sealed.blob[IV_OCTETS:]
    decryptor = _cipher(receiver, sender, iv).decryptor()
    value = int.from_bytes(decryptor.update(encrypted) + decryptor.finalize())
    key = ec.derive_private_key(value, CURVE) if 0 < value < ORDER else None
    if key is None or key.public_key() != contract:
        told = "the decrypted key does not belong to the contract certificate"
        raise SealError(told, where="ContractSignatureEncryptedPrivateKey")
    return key


def _cipher(
    own: ec.EllipticCurvePrivateKey, other: ec.EllipticCurvePublicKey, iv: bytes
) -> Cipher[modes.CBC]:
    secret = own.exchange(ec.ECDH(), other)
    derive = ConcatKDFHash(hashes.SHA256(), AES_KEY_OCTETS, OTHER_INFO).derive
    return Cipher(algorithms.AES(derive(secret)), modes.CBC(iv))
