"""An OCSP response about one certificate (RFC 6960): what it is worth, and until when.

A station sends the one about its leaf in the TLS handshake, a car judges it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass
from pilothat.pnc.certificate import Certificate, MalformedError, parse
from pilothat.pnc.chain import Moment

WEEK_S = 7 * 86_400  # [V2G2-649]: to be renewed at least every week
SKEW_S = 300  # between the responder's clock and ours
MOST_OCTETS = 16_384  # one has a few hundred, with a responder's certificate 1,000
REFRESH = "Fetch it again, once a week"


class StapleError(PilotHatError):
    """An OCSP response is of no use for the certificate."""


@dataclass(frozen=True, slots=True)
class Staple:
    """An OCSP response that says a certificate is good, signed by who may say so.

    der: the octets it came in
    begin_s, end_s: its life, seconds since 1970
    """

    der: bytes
    begin_s: float
    end_s: float

    def why_not(self, moment: Moment) -> str:
        """Return what is wrong with its times; empty if nothing, or nobody can tell."""
        if not moment.is_trusted:
            return ""
        if moment.unix_s > self.end_s:
            return f"stale since {when(self.end_s)}"
        if moment.unix_s < self.begin_s - SKEW_S:
            return f"not valid before {when(self.begin_s)}"
        return ""


def when(unix_s: float) -> str:
    """Return a time for people."""
    return f"{datetime.fromtimestamp(unix_s, UTC):%Y-%m-%d %H:%M} UTC"


def read_staple(der: bytes, leaf: Certificate, issuer: Certificate) -> Staple:
    """Read the OCSP response about a leaf; its times are not judged here.

    Raises StapleError if it is about another one, says anything but good, or is signed
    by somebody else than the issuer and the responders that he has appointed.
    """
    try:
        return _read(der, leaf, issuer)
    except (
        ValueError,  # what the library raises for nearly all of it
        TypeError,
        KeyError,
        UnsupportedAlgorithm,
        x509.InvalidVersion,
        x509.DuplicateExtension,
    ) as error:
        what = f"no OCSP response for the leaf: {error}"
        raise StapleError(what, where=leaf.name, remedy="Fetch it again") from None


def _read(der: bytes, leaf: Certificate, issuer: Certificate) -> Staple:
    if len(der) > MOST_OCTETS:
        raise ValueError(f"{len(der)} octets, at most {MOST_OCTETS}")
    answer = ocsp.load_der_ocsp_response(der)
    if answer.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
        raise ValueError(f"the responder has answered {answer.response_status.name}")
    about = [one for one in answer.responses if _is_about(one, leaf, issuer)]
    if not about:
        remedy = "Fetch the one of the leaf"
        raise StapleError(f"not about {leaf.name}", where=leaf.name, remedy=remedy)
    signers = (one for one in _responders(answer, issuer) if _has_signed(one, answer))
    signer = next(signers, None)
    if signer is None:
        what = f"not signed by {issuer.name}, nor by a responder of it"
        remedy = "Fetch it from the issuer's responder"
        raise StapleError(what, where=leaf.name, remedy=remedy)
    status = about[0].certificate_status
    if status is not ocsp.OCSPCertStatus.GOOD:
        remedy = "Ask who issued the certificate for a new one"
        raise StapleError(f"it says {status.name}", where=leaf.name, remedy=remedy)
    return _lived(der, about[0], signer)


def _lived(der: bytes, one: ocsp.OCSPSingleResponse, signer: Certificate) -> Staple:
    """Return it with its life: none is longer than that of who has signed."""
    begin_s = one.this_update_utc.timestamp()
    next_update = one.next_update_utc
    end_s = next_update.timestamp() if next_update else begin_s + WEEK_S
    return Staple(
        der,
        begin_s=max(begin_s, signer.not_before_s),
        end_s=min(end_s, signer.not_after_s),
    )


def _is_about(
    one: ocsp.OCSPSingleResponse, leaf: Certificate, issuer: Certificate
) -> bool:
    named = one.serial_number, one.issuer_name_hash, one.issuer_key_hash
    name = leaf.parsed.issuer.public_bytes()
    digests = [_digest(one.hash_algorithm, it) for it in (name, issuer.key_octets)]
    return named == (leaf.parsed.serial_number, *digests)


def _digest(algorithm: hashes.HashAlgorithm, octets: bytes) -> bytes:
    made = hashes.Hash(algorithm)
    made.update(octets)
    return made.finalize()


def _responders(
    answer: ocsp.OCSPResponse, issuer: Certificate
) -> Iterator[Certificate]:
    """Yield who may sign: the issuer, and whom it has certified for that."""
    yield issuer
    for given in answer.certificates:
        der = given.public_bytes(Encoding.DER)
        try:
            one = parse(der, limit=len(der))
        except MalformedError:
            continue  # not of our PKI: then nobody has signed
        if _is_for_ocsp(given) and one.is_issued_by(issuer):
            yield one


def _is_for_ocsp(given: x509.Certificate) -> bool:
    uses = [one.value for one in given.extensions]
    extended = [use for use in uses if isinstance(use, x509.ExtendedKeyUsage)]
    return any(ExtendedKeyUsageOID.OCSP_SIGNING in use for use in extended)


def _has_signed(one: Certificate, answer: ocsp.OCSPResponse) -> bool:
    algorithm = answer.signature_hash_algorithm
    if algorithm is None:
        return False
    try:
        one.public_key.verify(
            answer.signature, answer.tbs_response_bytes, ec.ECDSA(algorithm)
        )
    except InvalidSignature:
        return False
    return True
