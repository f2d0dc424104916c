"""What a station asks of each request of Plug & Charge, and its answer to a bad one.

Each function takes the request, the signature of its header and what the session knows,
and rules: a code, why, and the leaf whose key the session goes on with.
"""

from __future__ import annotations

from hmac import compare_digest

from pilothat.frozen import dataclass
from pilothat.pnc.certificate import Certificate
from pilothat.pnc.chain import Moment, Trust, Verdict, check
from pilothat.pnc.contract import is_challenge_met, is_emaid, is_same_emaid
from pilothat.pnc.installation import ders
from pilothat.pnc.roles import CONTRACT, OEM, Role
from pilothat.pnc.signature import SignatureFlaw, Signed, verify
from pilothat.v2g.messages.iso2 import (
    AuthorizationReq,
    CertificateInstallationReq,
    CertificateUpdateReq,
    MeterInfo,
    MeteringReceiptReq,
    PaymentDetailsReq,
    ResponseCode,
    Signature,
)

CHANGED = (SignatureFlaw.DIGEST, SignatureFlaw.NO_REFERENCE)


@dataclass(frozen=True, slots=True)
class Ruling:
    """The answer to a request.

    code: OK, OK_CertificateExpiresSoon or FAILED_...
    why: for the journal; empty when all is well
    leaf: the certificate that was shown, where it is good
    """

    code: ResponseCode
    why: str = ""
    leaf: Certificate | None = None

    @property
    def is_good(self) -> bool:
        return self.leaf is not None


@dataclass(frozen=True, slots=True)
class Judge:
    """What all rulings rest on: what is trusted, the time, how strict."""

    trust: Trust
    moment: Moment
    is_strict: bool = False

    def chain(self, given: tuple[bytes, ...], role: Role) -> Verdict:
        """Judge a chain."""
        return check(given, role, self.trust, self.moment, is_strict=self.is_strict)


def payment_details(request: PaymentDetailsReq, judge: Judge) -> Ruling:
    """Rule on a contract: its chain, and that it is the one of the eMAID."""
    return _contract(ders(request.contract_signature_cert_chain), request.emaid, judge)


def authorization(
    request: AuthorizationReq,
    signature: Signature | None,
    challenge: bytes,
    leaf: Certificate,
    moment: Moment,
) -> Ruling:
    """Rule on the first AuthorizationReq, which answers the challenge, signed.

    A request that was changed after it was signed is that first, whatever the challenge
    in it has become.
    """
    proof = verify(signature, (request,), leaf.public_key)
    if proof.flaw not in CHANGED and not is_challenge_met(
        challenge, request.gen_challenge
    ):
        return Ruling(ResponseCode.FAILED_ChallengeInvalid, "not the challenge we sent")
    if not proof.is_good:
        return Ruling(ResponseCode.FAILED_SignatureError, proof.why)
    if moment.is_trusted and moment.unix_s > leaf.not_after_s:
        told = f"{leaf.name} has expired meanwhile"
        return Ruling(ResponseCode.FAILED_CertificateExpired, told)
    return Ruling(ResponseCode.OK, leaf=leaf)


def metering_receipt(
    request: MeteringReceiptReq,
    signature: Signature | None,
    session_id: bytes,
    sent: MeterInfo,
    leaf: Certificate,
) -> Ruling:
    """Rule on a receipt: it repeats what we sent in this session, signed."""
    why = verify(signature, (request,), leaf.public_key).why
    if request.meter_info != sent:
        why = "not the meter reading we sent"
    if not compare_digest(request.session_id, session_id):
        why = "a receipt of another session"
    if why:
        return Ruling(ResponseCode.FAILED_MeteringSignatureNotValid, why)
    return Ruling(ResponseCode.OK, leaf=leaf)


def certificate_installation(
    request: CertificateInstallationReq, signature: Signature | None, judge: Judge
) -> Ruling:
    """Rule on a request for a contract: the car is who its maker says it is."""
    verdict = judge.chain((request.oem_provisioning_cert,), OEM)
    if not verdict.is_good:
        return Ruling(verdict.code, verdict.why)
    return _signed(request, signature, Ruling(ResponseCode.OK, leaf=verdict.leaf))


def certificate_update(
    request: CertificateUpdateReq, signature: Signature | None, judge: Judge
) -> Ruling:
    """Rule on a request to renew a contract, signed with the old one."""
    given = ders(request.contract_signature_cert_chain)
    if not is_emaid(request.emaid):
        told = f"'{request.emaid}' is no eMAID"
        return Ruling(ResponseCode.FAILED_NoCertificateAvailable, told)
    return _signed(request, signature, _contract(given, request.emaid, judge))


def _contract(given: tuple[bytes, ...], emaid: str, judge: Judge) -> Ruling:
    verdict = judge.chain(given, CONTRACT)
    if not verdict.is_good:
        return Ruling(verdict.code, verdict.why)
    if not is_same_emaid(emaid, verdict.leaf.name):
        told = f"the certificate is of {verdict.leaf.name}, not of {emaid}"
        return Ruling(ResponseCode.FAILED_CertChainError, told)
    return Ruling(verdict.code, leaf=verdict.leaf)


def _signed(request: Signed, signature: Signature | None, good: Ruling) -> Ruling:
    """Return the ruling so far, if the request is signed by the leaf in it."""
    if good.leaf is None:
        return good
    proof = verify(signature, (request,), good.leaf.public_key)
    if proof.is_good:
        return good
    return Ruling(ResponseCode.FAILED_SignatureError, proof.why)
