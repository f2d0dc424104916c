"""One certificate, read strictly before anything else is done with it.

What comes from a car is parsed as a whole here: names, key, extensions, times. So a
malformed one is told with its reason and nothing behind this can stumble over it.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtensionOID, NameOID, SignatureAlgorithmOID

from pilothat.errors import PeerError
from pilothat.frozen import dataclass

MAX_OCTETS = 800  # of a certificate in a message (V2G_CI_MsgDataTypes)
UNDERSTOOD = (  # what may be marked critical
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.CERTIFICATE_POLICIES,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
)

CURVE = ec.SECP256R1()
USAGES = ("digital_signature", "key_agreement", "key_cert_sign", "crl_sign")
_DER = serialization.Encoding.DER


class MalformedError(PeerError):
    """These octets are no certificate, or none that ISO 15118-2 could use."""


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """A certificate and what the checks want to know about it.

    der: the octets it came in
    parsed: as the library knows it
    public_key: on secp256r1
    is_ca: it may issue certificates, by its basic constraints
    path_length: how many CAs may stand below it; None if that is not said
    usages: names of its key usages, as the library calls them
    unknown_critical: critical extensions that nobody here understands
    not_before_s, not_after_s: its life, seconds since 1970
    """

    der: bytes
    parsed: x509.Certificate
    public_key: ec.EllipticCurvePublicKey
    is_ca: bool
    path_length: int | None
    usages: frozenset[str]
    unknown_critical: tuple[str, ...]
    not_before_s: float
    not_after_s: float

    @property
    def fingerprint(self) -> bytes:
        """SHA-256 of the whole certificate: its name in journals."""
        return self.parsed.fingerprint(hashes.SHA256())

    @property
    def name(self) -> str:
        """The subject for people: its common name, or all of it."""
        return self.subject(NameOID.COMMON_NAME) or self.parsed.subject.rfc4514_string()

    @property
    def key_octets(self) -> bytes:
        """The key as its subject public key stands in the certificate."""
        form = serialization.PublicFormat.UncompressedPoint
        return self.public_key.public_bytes(serialization.Encoding.X962, form)

    @property
    def is_self_issued(self) -> bool:
        """Tell whether subject and issuer are the same: a root."""
        return self.parsed.subject == self.parsed.issuer

    def subject(self, oid: x509.ObjectIdentifier) -> str:
        """Return the last value of this attribute of the subject; empty without."""
        found = self.parsed.subject.get_attributes_for_oid(oid)
        return str(found[-1].value) if found else ""

    def is_issued_by(self, issuer: Certificate) -> bool:
        """Tell whether the names fit and the issuer's key has signed this."""
        try:
            self.parsed.verify_directly_issued_by(issuer.parsed)
        except (InvalidSignature, ValueError, TypeError):
            return False
        return True


@dataclass(frozen=True, slots=True, eq=False)
class Credential:
    """A chain, the leaf first, and the leaf's private key."""

    chain: tuple[Certificate, ...]
    key: ec.EllipticCurvePrivateKey

    @property
    def leaf(self) -> Certificate:
        return self.chain[0]

    @property
    def ders(self) -> tuple[bytes, ...]:
        """The chain as messages carry it."""
        return tuple([one.der for one in self.chain])


def parse(der: bytes, limit: int = MAX_OCTETS) -> Certificate:
    """Read a DER certificate of at most ``limit`` octets. Raises MalformedError."""
    if len(der) > limit:
        raise MalformedError(f"{len(der)} octets, at most {limit}", where="certificate")
    try:
        return _read(der, x509.load_der_x509_certificate(der))
    except (
        ValueError,  # what the library raises for nearly all of it
        TypeError,
        KeyError,  # an odd string type in a name
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
        x509.UnsupportedGeneralNameType,
    ) as error:
        raise MalformedError(f"malformed: {error}", where="certificate") from None


def parse_pem(pem: bytes) -> tuple[Certificate, ...]:
    """Read the certificates of a PEM text, of any size. Raises MalformedError."""
    try:
        found = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise MalformedError(f"no PEM: {error}", where="certificate") from None
    encoded = [one.public_bytes(_DER) for one in found]
    return tuple([parse(der, limit=len(der)) for der in encoded])


def _read(der: bytes, found: x509.Certificate) -> Certificate:
    key = found.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or key.curve.name != CURVE.name:
        raise ValueError("the key is not on secp256r1")
    if found.signature_algorithm_oid != SignatureAlgorithmOID.ECDSA_WITH_SHA256:
        raise ValueError("not signed with ECDSA and SHA-256")
    _ = (found.subject.rfc4514_string(), found.issuer.rfc4514_string())
    is_ca, path_length = False, None
    usages: frozenset[str] = frozenset()
    for extension in found.extensions:
        match extension.value:
            case x509.BasicConstraints() as constraints:
                is_ca, path_length = constraints.ca, constraints.path_length
            case x509.KeyUsage() as usage:
                usages = frozenset(name for name in USAGES if getattr(usage, name))
    return Certificate(
        der=der,
        parsed=found,
        public_key=key,
        is_ca=is_ca,
        path_length=path_length,
        usages=usages,
        unknown_critical=_unknown_critical(found),
        not_before_s=found.not_valid_before_utc.timestamp(),
        not_after_s=found.not_valid_after_utc.timestamp(),
    )


def _unknown_critical(found: x509.Certificate) -> tuple[str, ...]:
    critical = [one.oid for one in found.extensions if one.critical]
    return tuple([oid.dotted_string for oid in critical if oid not in UNDERSTOOD])
