"""What an OCSP response is worth: about whom, signed by whom, until when."""

from __future__ import annotations

from contextlib import suppress

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import ocsp
from tests.unit.pnc.stapled import DER, responder, response
from tests.unit.pnc.world import DAY_S, NOW, NOW_S, pki

from pilothat.pnc.authority import attest
from pilothat.pnc.chain import Moment
from pilothat.pnc.staple import WEEK_S, StapleError, read_staple

ISSUER = pki()["cpo_sub2"]
LEAF = pki()["secc"].certificate


def refusal(der: bytes) -> str:
    with pytest.raises(StapleError) as caught:
        read_staple(der, LEAF, ISSUER.certificate)
    assert caught.value.remedy
    return caught.value.what


def test_test_pki_attests_its_leaf_for_a_week() -> None:
    staple = read_staple(attest(LEAF, ISSUER, NOW_S), LEAF, ISSUER.certificate)
    assert (staple.begin_s, staple.end_s) == (NOW_S, NOW_S + WEEK_S)
    assert staple.why_not(NOW) == ""


@pytest.mark.parametrize("algorithm", [hashes.SHA1(), hashes.SHA256()])
def test_certificate_is_known_by_any_digest(algorithm: hashes.HashAlgorithm) -> None:
    der = response(LEAF, ISSUER, at_s=NOW_S, algorithm=algorithm)
    assert read_staple(der, LEAF, ISSUER.certificate).der == der


def test_responder_may_sign_whom_the_issuer_has_appointed() -> None:
    der = response(LEAF, ISSUER, responder(ISSUER, NOW_S), at_s=NOW_S)
    assert read_staple(der, LEAF, ISSUER.certificate).end_s == NOW_S + WEEK_S


def test_response_lives_no_longer_than_the_responders_certificate() -> None:
    signer = responder(ISSUER, NOW_S + 60, days=2)
    der = response(LEAF, ISSUER, signer, at_s=NOW_S)
    staple = read_staple(der, LEAF, ISSUER.certificate)
    assert (staple.begin_s, staple.end_s) == (NOW_S + 60, NOW_S + 60 + 2 * DAY_S)


@pytest.mark.parametrize(
    "signer",
    [
        responder(ISSUER, NOW_S, is_for_ocsp=False),  # another of its certificates
        responder(pki()["cpo_sub1"], NOW_S),  # of the CA above
        responder(pki(2)["cpo_sub2"], NOW_S),  # of a CA with the same name
        pki()["secc"],  # the station itself
        pki()["v2g_root"],
    ],
)
def test_nobody_else_may_sign(signer: object) -> None:
    der = response(LEAF, ISSUER, signer, at_s=NOW_S)  # type: ignore[arg-type]
    told = "not signed by CPO Sub 2, nor by a responder of it"
    assert refusal(der) == told


def test_response_about_another_certificate_is_refused() -> None:
    other = pki(2)["secc"].certificate
    assert refusal(response(other, ISSUER, at_s=NOW_S)).startswith("not about DE*PHT")
    elsewhere = pki(2)["cpo_sub2"]  # the same names, another key
    assert refusal(response(LEAF, elsewhere, at_s=NOW_S)).startswith("not about")


@pytest.mark.parametrize("status", ["REVOKED", "UNKNOWN"])
def test_status_that_is_not_good_is_refused(status: str) -> None:
    der = response(LEAF, ISSUER, at_s=NOW_S, status=ocsp.OCSPCertStatus[status])
    assert refusal(der) == f"it says {status}"


def test_responder_that_could_not_answer_is_told() -> None:
    later = ocsp.OCSPResponseStatus.TRY_LATER
    der = ocsp.OCSPResponseBuilder.build_unsuccessful(later).public_bytes(DER)
    assert "the responder has answered TRY_LATER" in refusal(der)


@pytest.mark.parametrize("der", [b"", b"garbage", b"0" * 20_000, LEAF.der])
def test_garbage_is_no_response(der: bytes) -> None:
    assert refusal(der).startswith("no OCSP response for the leaf: ")


def test_damaged_response_is_never_taken_for_good() -> None:
    der = response(LEAF, ISSUER, responder(ISSUER, NOW_S), at_s=NOW_S)
    signed = ocsp.load_der_ocsp_response(der).tbs_response_bytes
    begin = der.index(signed)
    for at in range(len(der)):
        spoilt = der[:at] + bytes([der[at] ^ 1]) + der[at + 1 :]
        if begin <= at < begin + len(signed):
            refusal(spoilt)
        else:  # around it: refused too, or the signature holds all the same
            with suppress(StapleError):
                read_staple(spoilt, LEAF, ISSUER.certificate)
    for length in range(len(der)):
        refusal(der[:length])


def test_response_that_names_no_end_lives_a_week() -> None:
    der = response(LEAF, ISSUER, at_s=NOW_S, days=None)
    assert read_staple(der, LEAF, ISSUER.certificate).end_s == NOW_S + WEEK_S


@pytest.mark.parametrize(
    ("late_s", "told"),
    [
        (-301, "not valid before 2027-01-15 08:00 UTC"),
        (-299, ""),  # clocks differ
        (WEEK_S, ""),
        (WEEK_S + 1, "stale since 2027-01-22 08:00 UTC"),
    ],
)
def test_its_times_are_judged_by_a_clock_that_can_be_right(
    late_s: float, told: str
) -> None:
    staple = read_staple(attest(LEAF, ISSUER, NOW_S), LEAF, ISSUER.certificate)
    assert staple.why_not(Moment(NOW_S + late_s)) == told
    assert staple.why_not(Moment(NOW_S + late_s, is_trusted=False)) == ""
