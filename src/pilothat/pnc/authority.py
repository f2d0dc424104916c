"""Issue certificates of a test PKI, with the extensions and lives ISO 15118-2 asks.

For tests and benches. Who charges for money gets certificates from a real PKI.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import ocsp
from cryptography.x509.oid import NameOID

from pilothat.frozen import dataclass
from pilothat.machine import Entropy
from pilothat.pnc.certificate import CURVE, Certificate, parse
from pilothat.pnc.staple import WEEK_S

ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # secp256r1
KEY_OCTETS = 32
SERIAL_OCTETS = 16
ORGANISATION = "PilotHAT test"
EARLIER = timedelta(days=1)  # clocks of cars and stations differ


@dataclass(frozen=True, slots=True, eq=False)
class Identity:
    """A certificate and its private key."""

    certificate: Certificate
    key: ec.EllipticCurvePrivateKey


@dataclass(frozen=True, slots=True)
class Plan:
    """A certificate to be issued.

    issuer: name of the plan whose key signs; empty for a root
    common_name, domain: of the subject
    days: how long it lives
    path_length: CAs below this one; -1 for a root (any), None for a leaf
    is_for_agreement: the key may take part in a key agreement
    country: of the subject; empty for none
    """

    name: str
    issuer: str
    common_name: str
    domain: str
    days: int
    path_length: int | None = None
    is_for_agreement: bool = True
    country: str = ""


ROOT = -1
YEAR = 365
PLANS: tuple[Plan, ...] = (
    Plan("v2g_root", "", "V2G Root", "V2G", 40 * YEAR, ROOT, country="DE"),
    Plan("cpo_sub1", "v2g_root", "CPO Sub 1", "V2G", 4 * YEAR, 1, country="DE"),
    Plan("cpo_sub2", "cpo_sub1", "CPO Sub 2", "V2G", YEAR, 0, country="DE"),
    Plan("secc", "cpo_sub2", "DE*PHT*E000001", "CPO", 90, country="DE"),
    Plan("cps_sub1", "v2g_root", "CPS Sub 1", "CPS", 4 * YEAR, 1, country="DE"),
    Plan("cps_sub2", "cps_sub1", "CPS Sub 2", "CPS", 2 * YEAR, 0, country="DE"),
    Plan("cps", "cps_sub2", "CPS", "CPS", 90, is_for_agreement=False, country="DE"),
    Plan("mo_root", "", "MO Root", "MO", 40 * YEAR, ROOT, country="DE"),
    Plan("mo_sub1", "mo_root", "MO Sub 1", "MO", 4 * YEAR, 1, country="DE"),
    Plan("mo_sub2", "mo_sub1", "MO Sub 2", "MO", 4 * YEAR, 0, country="DE"),
    Plan("contract", "mo_sub2", "DE1ABCD2EF357A", "MO", 2 * YEAR),
    Plan("oem_root", "", "OEM Root", "OEM", 40 * YEAR, ROOT, country="DE"),
    Plan("oem_sub1", "oem_root", "OEM Sub 1", "OEM", 35 * YEAR, 1, country="DE"),
    Plan("oem_sub2", "oem_sub1", "OEM Sub 2", "OEM", 35 * YEAR, 0, country="DE"),
    Plan("oem", "oem_sub2", "WPHTEST00000001", "OEM", 30 * YEAR, country="DE"),
)
CHAINS: Mapping[str, tuple[str, ...]] = {  # leaf and CAs, as messages and TLS carry it
    "secc": ("secc", "cpo_sub2", "cpo_sub1"),
    "cps": ("cps", "cps_sub2", "cps_sub1"),
    "contract": ("contract", "mo_sub2", "mo_sub1"),
    "oem": ("oem", "oem_sub2", "oem_sub1"),
}


def contract_plan(emaid: str) -> Plan:
    """Return the plan of a contract of this eMAID."""
    (plan,) = [one for one in PLANS if one.name == "contract"]
    return replace(plan, common_name=emaid)


def make_pki(
    now_s: float, entropy: Entropy, plans: tuple[Plan, ...] = PLANS
) -> Mapping[str, Identity]:
    """Issue all certificates of a plan, issuers first; name -> identity.

    now_s: seconds since 1970; all lives begin a day before
    """
    made: dict[str, Identity] = {}
    for plan in plans:
        issuer = made[plan.issuer] if plan.issuer else None
        made[plan.name] = issue(plan, issuer, now_s, entropy)
    return made


def issue(
    plan: Plan,
    issuer: Identity | None,
    now_s: float,
    entropy: Entropy,
    key: ec.EllipticCurvePrivateKey | None = None,
) -> Identity:
    """Issue one certificate; without an issuer it signs itself.

    key: of the subject; a new one is made without
    """
    key = key or new_key(entropy)
    signer = issuer.key if issuer else key
    subject = _subject(plan)
    begin = datetime.fromtimestamp(int(now_s), UTC) - EARLIER
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.parsed.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(int.from_bytes(entropy(SERIAL_OCTETS)) >> 1 | 1)
        .not_valid_before(begin)
        .not_valid_after(begin + EARLIER + timedelta(days=plan.days))
    )
    for extension, is_critical in _extensions(plan, key, signer):
        builder = builder.add_extension(extension, critical=is_critical)
    signed = builder.sign(signer, hashes.SHA256())
    der = signed.public_bytes(serialization.Encoding.DER)
    return Identity(parse(der, limit=len(der)), key)


def attest(leaf: Certificate, issuer: Identity, now_s: float) -> bytes:
    """Sign an OCSP response: for a week from now the leaf is good.

    now_s: seconds since 1970. Returns DER.
    """
    begin = datetime.fromtimestamp(int(now_s), UTC)
    signer = issuer.certificate.parsed
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=leaf.parsed,
            issuer=signer,
            algorithm=hashes.SHA1(),  # a name, not a proof
            cert_status=ocsp.OCSPCertStatus.GOOD,
            this_update=begin,
            next_update=begin + timedelta(seconds=WEEK_S),
            revocation_time=None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
        .sign(issuer.key, hashes.SHA256())
    )
    return response.public_bytes(serialization.Encoding.DER)


def new_key(entropy: Entropy) -> ec.EllipticCurvePrivateKey:
    """Make a private key on secp256r1."""
    drawn = int.from_bytes(entropy(KEY_OCTETS + 8))  # 8 more: no value is likelier
    return ec.derive_private_key(drawn % (ORDER - 1) + 1, CURVE)


def _subject(plan: Plan) -> x509.Name:
    rows = (
        (NameOID.COUNTRY_NAME, plan.country),
        (NameOID.ORGANIZATION_NAME, ORGANISATION),
        (NameOID.COMMON_NAME, plan.common_name),
        (NameOID.DOMAIN_COMPONENT, plan.domain),
    )
    return x509.Name([x509.NameAttribute(oid, text) for oid, text in rows if text])


def _extensions(
    plan: Plan, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> list[tuple[x509.ExtensionType, bool]]:
    """Return extensions, and whether each is critical."""
    is_ca = plan.path_length is not None
    length = None if plan.path_length in (None, ROOT) else plan.path_length
    own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    rows: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=is_ca, path_length=length), True),
        (_usage(plan, is_ca=is_ca), True),
        (own, False),
    ]
    if signer is not key:
        public = signer.public_key()
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
        rows.append((above, False))
    return rows


def _usage(plan: Plan, *, is_ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=not is_ca and plan.is_for_agreement,
        key_cert_sign=is_ca,
        crl_sign=is_ca,
        encipher_only=False,
        decipher_only=False,
    )
