"""OCSP responses as responders sign them, and as they should not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pilothat.pnc.authority import Identity, new_key
from pilothat.pnc.certificate import Certificate, parse
from pilothat.twin.chance import Chance

DER = serialization.Encoding.DER
GOOD = ocsp.OCSPCertStatus.GOOD


def response(
    subject: Certificate,
    issuer: Identity,
    signer: Identity | None = None,
    *,
    at_s: float,
    days: float | None = 7.0,
    status: ocsp.OCSPCertStatus = GOOD,
    algorithm: hashes.HashAlgorithm | None = None,
) -> bytes:
    """Sign a response about a certificate.

    issuer: of the certificate
    signer: who signs, and puts its certificate into the response; else the issuer
    at_s, days: when its life begins, and how long it is; None: it does not say
    """
    begin = datetime.fromtimestamp(at_s, UTC)
    more: Any = (signer or issuer).certificate.parsed
    builder = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=subject.parsed,
            issuer=issuer.certificate.parsed,
            algorithm=algorithm or hashes.SHA1(),
            cert_status=status,
            this_update=begin,
            next_update=None if days is None else begin + timedelta(days=days),
            revocation_time=begin if status is ocsp.OCSPCertStatus.REVOKED else None,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.HASH, more)
    )
    if signer:
        builder = builder.certificates([more])
    signed = builder.sign((signer or issuer).key, hashes.SHA256())
    return signed.public_bytes(DER)


def responder(
    above: Identity, at_s: float, *, days: float = 30.0, is_for_ocsp: bool = True
) -> Identity:
    """Issue the certificate of a responder."""
    key = new_key(Chance(3, "responder"))
    begin = datetime.fromtimestamp(at_s, UTC)
    uses = [ExtendedKeyUsageOID.OCSP_SIGNING] if is_for_ocsp else []
    given = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "OCSP")]))
        .issuer_name(above.certificate.parsed.subject)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
        .add_extension(
            x509.ExtendedKeyUsage([*uses, ExtendedKeyUsageOID.TIME_STAMPING]),
            critical=False,
        )
        .sign(above.key, hashes.SHA256())
    )
    return Identity(parse(given.public_bytes(DER)), key)
