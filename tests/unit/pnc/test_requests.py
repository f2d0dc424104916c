"""The ruling on each request of Plug & Charge."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.pnc.world import (
    DAY_S,
    NOW,
    NOW_S,
    chain,
    chain_with,
    pki,
    reissued,
    trust,
)

from pilothat.pnc.chain import Moment
from pilothat.pnc.installation import as_chain
from pilothat.pnc.requests import (
    Judge,
    authorization,
    certificate_installation,
    certificate_update,
    metering_receipt,
    payment_details,
)
from pilothat.pnc.signature import sign
from pilothat.v2g.messages.iso2 import (
    AuthorizationReq,
    CertificateInstallationReq,
    CertificateUpdateReq,
    ListOfRootCertificateIds,
    MeterInfo,
    MeteringReceiptReq,
    PaymentDetailsReq,
    ResponseCode,
)
from pilothat.v2g.messages.xmldsig import X509IssuerSerial

EMAID = "DE1ABCD2EF357A"
JUDGE = Judge(trust(), NOW)
CONTRACT, OTHER = pki()["contract"], pki(2)["contract"]
CHALLENGE = bytes(range(16))
ROOTS = ListOfRootCertificateIds(
    root_certificate_id=(X509IssuerSerial(x509_issuer_name="", x509_serial_number=1),)
)
ASKED = AuthorizationReq(id="id1", gen_challenge=CHALLENGE)
METER = MeterInfo(meter_id="m1", meter_reading=1234, t_meter=int(NOW_S))
RECEIPT = MeteringReceiptReq(id="id1", session_id=b"12345678", meter_info=METER)
INSTALL = CertificateInstallationReq(
    id="id1", oem_provisioning_cert=chain("oem")[0], list_of_root_certificate_ids=ROOTS
)
UPDATE = CertificateUpdateReq(
    id="id1",
    contract_signature_cert_chain=as_chain(chain("contract")),
    emaid=EMAID,
    list_of_root_certificate_ids=ROOTS,
)


def details(
    emaid: str = EMAID, ders: tuple[bytes, ...] = chain("contract")
) -> PaymentDetailsReq:
    return PaymentDetailsReq(emaid=emaid, contract_signature_cert_chain=as_chain(ders))


@pytest.mark.parametrize("emaid", [EMAID, "de1abcd2ef357a", "DE1ABCD2EF357A7"])
def test_contract_is_accepted(emaid: str) -> None:
    ruling = payment_details(details(emaid), JUDGE)
    assert (ruling.code, ruling.is_good) == (ResponseCode.OK, True)
    assert ruling.leaf
    assert ruling.leaf.der == chain("contract")[0]


def test_contract_of_another_emaid_is_refused() -> None:
    ruling = payment_details(details("DE1ABCD2EF357B"), JUDGE)
    assert ruling.code is ResponseCode.FAILED_CertChainError
    assert ruling.why == f"the certificate is of {EMAID}, not of DE1ABCD2EF357B"
    assert not ruling.is_good


def test_contract_that_ends_soon_is_accepted_and_says_so() -> None:
    end_s = CONTRACT.certificate.not_after_s
    ruling = payment_details(details(), Judge(trust(), Moment(end_s - DAY_S)))
    assert ruling.code is ResponseCode.OK_CertificateExpiresSoon
    assert ruling.is_good


def test_foreign_contract_is_refused() -> None:
    ruling = payment_details(details(ders=chain("contract", 2)), JUDGE)
    assert ruling.code is ResponseCode.FAILED_CertChainError
    assert "no trusted contract root" in ruling.why


SUITE = (
    ResponseCode.FAILED,
    ResponseCode.FAILED_NoCertificateAvailable,
    ResponseCode.FAILED_CertificateNotAllowedAtThisEVSE,
)


def test_strict_judge_answers_as_the_conformance_suite_wants() -> None:
    strict = replace(JUDGE, is_strict=True)
    country = chain_with("contract", reissued("contract", country="DE"))
    old = reissued("mo_sub1", days=1, now_s=NOW_S - 3 * DAY_S)
    expired = chain_with("mo_sub1", old)
    assert payment_details(details(ders=country), strict).code in SUITE
    assert payment_details(details(ders=expired), strict).code in SUITE


def authorized(request: AuthorizationReq, key: str = "contract", seed: int = 1) -> str:
    signature = sign((ASKED,), pki(seed)[key].key)
    leaf = CONTRACT.certificate
    return authorization(request, signature, CHALLENGE, leaf, NOW).code.name


def test_signed_challenge_authorizes() -> None:
    assert authorized(ASKED) == "OK"


def test_authorization_signed_with_another_key_is_refused() -> None:
    assert authorized(ASKED, seed=2) == "FAILED_SignatureError"


@pytest.mark.parametrize(
    "changed",
    [
        replace(ASKED, id="id2"),
        replace(ASKED, gen_challenge=bytes(16)),
        replace(ASKED, gen_challenge=None),
    ],
)
def test_authorization_changed_after_signing_is_refused(
    changed: AuthorizationReq,
) -> None:
    assert authorized(changed) == "FAILED_SignatureError"


def test_replayed_authorization_is_refused() -> None:
    old = replace(ASKED, gen_challenge=bytes(16))
    signature = sign((old,), CONTRACT.key)
    ruling = authorization(old, signature, CHALLENGE, CONTRACT.certificate, NOW)
    assert ruling.code is ResponseCode.FAILED_ChallengeInvalid


def test_authorization_without_signature_is_refused() -> None:
    leaf = CONTRACT.certificate
    without = authorization(ASKED, None, CHALLENGE, leaf, NOW)
    bare = authorization(AuthorizationReq(), None, CHALLENGE, leaf, NOW)
    assert without.code is ResponseCode.FAILED_SignatureError
    assert bare.code is ResponseCode.FAILED_ChallengeInvalid


def test_contract_that_ended_meanwhile_does_not_authorize() -> None:
    leaf, signature = CONTRACT.certificate, sign((ASKED,), CONTRACT.key)
    late = Moment(leaf.not_after_s + 1)
    ruling = authorization(ASKED, signature, CHALLENGE, leaf, late)
    unsure = replace(late, is_trusted=False)
    assert ruling.code is ResponseCode.FAILED_CertificateExpired
    assert authorization(ASKED, signature, CHALLENGE, leaf, unsure).is_good


def receipt(request: MeteringReceiptReq, seed: int = 1) -> str:
    signature = sign((request,), pki(seed)["contract"].key)
    leaf = CONTRACT.certificate
    return metering_receipt(request, signature, b"12345678", METER, leaf).why


def test_receipt_repeats_what_was_sent() -> None:
    assert receipt(RECEIPT) == ""
    assert "another key" in receipt(RECEIPT, seed=2)
    wrong = replace(RECEIPT, meter_info=replace(METER, meter_reading=1235))
    assert receipt(wrong) == "not the meter reading we sent"
    other = replace(RECEIPT, session_id=bytes(8))
    assert receipt(other) == "a receipt of another session"


def test_wrong_receipt_has_its_code() -> None:
    ruling = metering_receipt(RECEIPT, None, b"12345678", METER, CONTRACT.certificate)
    assert ruling.code is ResponseCode.FAILED_MeteringSignatureNotValid


def test_car_that_is_who_it_says_may_get_a_contract() -> None:
    good = sign((INSTALL,), pki()["oem"].key)
    assert certificate_installation(INSTALL, good, JUDGE).is_good


def test_request_for_a_contract_is_refused_as_the_conformance_suite_wants() -> None:
    good = sign((INSTALL,), pki()["oem"].key)
    wrong = sign((INSTALL,), pki(2)["oem"].key)
    moved = replace(INSTALL, id="id2")
    renamed = reissued("oem", domain="MO").certificate.der
    manipulated = replace(INSTALL, oem_provisioning_cert=renamed)
    unsigned = bytes([*chain("oem")[0][:-1], chain("oem")[0][-1] ^ 1])
    damaged = replace(INSTALL, oem_provisioning_cert=unsigned)
    rulings = [
        certificate_installation(INSTALL, wrong, JUDGE),
        certificate_installation(moved, good, JUDGE),
        certificate_installation(manipulated, good, JUDGE),
        certificate_installation(damaged, good, JUDGE),
    ]
    assert [ruling.code for ruling in rulings] == [
        ResponseCode.FAILED_SignatureError,
        ResponseCode.FAILED_SignatureError,
        ResponseCode.FAILED_NoCertificateAvailable,
        ResponseCode.FAILED_NoCertificateAvailable,
    ]


def updated(request: CertificateUpdateReq, seed: int = 1) -> ResponseCode:
    signature = sign((request,), pki(seed)["contract"].key)
    return certificate_update(request, signature, JUDGE).code


def with_chain(ders: tuple[bytes, ...]) -> CertificateUpdateReq:
    return replace(UPDATE, contract_signature_cert_chain=as_chain(ders))


def test_update_is_refused_as_the_conformance_suite_wants() -> None:
    good, two = chain("contract"), chain("contract", 2)
    old = reissued("contract", days=1, now_s=NOW_S - 3 * DAY_S)
    nameless = reissued("contract", common_name="no eMAID here")
    assert updated(UPDATE) is ResponseCode.OK
    assert updated(UPDATE, seed=2) is ResponseCode.FAILED_SignatureError
    chain_error = ResponseCode.FAILED_CertChainError
    assert updated(with_chain((two[0], *good[1:]))) is chain_error
    assert updated(with_chain((*good[:2], two[2]))) is chain_error
    assert updated(with_chain(two)) is chain_error
    none = ResponseCode.FAILED_NoCertificateAvailable
    assert updated(replace(UPDATE, emaid="!!!!!!!!!!!!!!")) is none
    assert updated(with_chain(chain_with("contract", nameless))) is none
    expired = with_chain(chain_with("contract", old))
    assert updated(expired) is ResponseCode.FAILED_CertificateExpired
