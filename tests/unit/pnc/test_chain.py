"""Chains: what is accepted, and with which code each flaw is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pnc.world import (
    DAY_S,
    NOW,
    NOW_S,
    chain,
    chain_with,
    pki,
    plan,
    reissued,
    trust,
)

from pilothat.pnc import roles
from pilothat.pnc.authority import PLANS, Identity, issue, new_key
from pilothat.pnc.certificate import (
    MAX_OCTETS,
    Certificate,
    MalformedError,
    parse,
)
from pilothat.pnc.chain import SOON_S, Moment, Trust, Verdict, check
from pilothat.pnc.roles import (
    CONTRACT,
    CPS,
    ISO2_CODES,
    OEM,
    SECC,
    Flaw,
    Role,
)
from pilothat.twin.chance import Chance
from pilothat.v2g.messages.iso2_types import ResponseCode

GOOD = chain("contract")
CHAIN_ERROR = ResponseCode.FAILED_CertChainError
LATER = Moment(NOW_S + 3 * 365 * DAY_S)  # the contract has ended, its CAs have not


def judged(ders: tuple[bytes, ...], *, is_strict: bool = False) -> Verdict:
    return check(ders, CONTRACT, trust(), NOW, is_strict=is_strict)


@pytest.mark.parametrize("is_strict", [False, True])
@pytest.mark.parametrize(
    ("name", "role"),
    [("secc", SECC), ("contract", CONTRACT), ("oem", OEM), ("cps", CPS)],
)
def test_chain_of_our_own_pki_is_good(name: str, role: Role, is_strict: bool) -> None:
    verdict = check(chain(name), role, trust(), NOW, is_strict=is_strict)
    assert (verdict.code, verdict.noted, verdict.why) == (ResponseCode.OK, (), "")
    assert verdict.leaf.name == plan(name).common_name
    assert verdict.path[-1].is_self_issued


def test_tariffs_are_signed_by_a_ca() -> None:
    assert check(GOOD[1:], roles.TARIFF, trust(), NOW).is_good
    assert check(GOOD[1:], CONTRACT, trust(), NOW).findings[0].flaw is Flaw.UNFIT_USE


def test_contract_may_end_at_a_v2g_root() -> None:
    made = pki()
    sub = issue(plan("mo_sub1"), made["v2g_root"], NOW_S, Chance(1, "x"))
    below = issue(plan("mo_sub2"), sub, NOW_S, Chance(1, "y"))
    leaf = issue(plan("contract"), below, NOW_S, Chance(1, "z"))
    ders = tuple([one.certificate.der for one in (leaf, below, sub)])
    assert judged(ders).path[-1] is made["v2g_root"].certificate


def test_leaf_may_stand_directly_below_its_root() -> None:
    leaf = issue(plan("secc"), pki()["v2g_root"], NOW_S, Chance(1, "private"))
    assert check([leaf.certificate.der], SECC, trust(), NOW).is_good


def test_oem_leaf_comes_alone_where_its_cas_are_known() -> None:
    assert check(chain("oem")[:1], OEM, trust(), NOW).is_good
    unknown = check(chain("oem")[:1], OEM, Trust(trust().roots), NOW)
    assert [one.flaw for one in unknown.findings] == [Flaw.UNKNOWN_ROOT]


def test_root_that_a_car_sends_along_is_overlooked_and_not_trusted() -> None:
    assert judged((*GOOD, pki()["mo_root"].certificate.der)).is_good
    foreign = (*chain("contract", 2), pki(2)["mo_root"].certificate.der)
    assert judged(foreign).findings[0].flaw is Flaw.UNKNOWN_ROOT


NAMED: dict[str, tuple[tuple[bytes, ...], Flaw]] = {
    "nothing": ((), Flaw.MALFORMED),
    "no DER": ((b"\x30\x03\x02\x01\x00",), Flaw.MALFORMED),
    "trailing octet": ((GOOD[0] + b"\0", *GOOD[1:]), Flaw.MALFORMED),
    "too many": ((*GOOD, GOOD[2], GOOD[2], GOOD[2]), Flaw.MALFORMED),
    "CAs swapped": ((GOOD[0], GOOD[2], GOOD[1]), Flaw.BROKEN),
    "a CA left out": ((GOOD[0], GOOD[2]), Flaw.BROKEN),
    "leaf of another PKI": (
        (chain("contract", 2)[0], *GOOD[1:]),
        Flaw.BROKEN,
    ),
    "Sub-CA 1 of another PKI": (
        (*GOOD[:2], chain("contract", 2)[2]),
        Flaw.BROKEN,
    ),
    "all of another PKI": (chain("contract", 2), Flaw.UNKNOWN_ROOT),
    "OEM's": (chain("oem"), Flaw.UNKNOWN_ROOT),
    "station's": (chain("secc"), Flaw.WRONG_SUBJECT),
    "the root alone": ((pki()["mo_root"].certificate.der,), Flaw.UNFIT_USE),
}


@pytest.mark.parametrize("name", NAMED)
def test_chain_is_refused(name: str) -> None:
    ders, flaw = NAMED[name]
    verdict = judged(ders)
    assert verdict.findings[0].flaw is flaw
    assert verdict.code is ISO2_CODES.get(flaw, CHAIN_ERROR)
    assert verdict.why


CHANGED: dict[str, tuple[str, Identity, Flaw]] = {
    "leaf expired": (
        "contract",
        reissued("contract", days=10, now_s=NOW_S - 11 * DAY_S),
        Flaw.LEAF_EXPIRED,
    ),
    "Sub-CA 1 expired": (
        "mo_sub1",
        reissued("mo_sub1", days=10, now_s=NOW_S - 11 * DAY_S),
        Flaw.SUB_EXPIRED,
    ),
    "Sub-CA 2 expired": (
        "mo_sub2",
        reissued("mo_sub2", days=10, now_s=NOW_S - 11 * DAY_S),
        Flaw.SUB_EXPIRED,
    ),
    "not yet valid": (
        "contract",
        reissued("contract", now_s=NOW_S + 2 * DAY_S),
        Flaw.NOT_YET_VALID,
    ),
    "too many CAs": ("mo_sub1", reissued("mo_sub1", path_length=0), Flaw.UNFIT_ISSUER),
    "issued by no CA": (
        "mo_sub2",
        reissued("mo_sub2", path_length=None),
        Flaw.UNFIT_ISSUER,
    ),
    "leaf is a CA": ("contract", reissued("contract", path_length=0), Flaw.UNFIT_USE),
    "domain of the OEM": (
        "contract",
        reissued("contract", domain="OEM"),
        Flaw.WRONG_SUBJECT,
    ),
    "no eMAID": (
        "contract",
        reissued("contract", common_name="somebody"),
        Flaw.WRONG_SUBJECT,
    ),
}


@pytest.mark.parametrize("name", CHANGED)
def test_certificate_of_another_content_is_refused(name: str) -> None:
    replaced, other, flaw = CHANGED[name]
    verdict = judged(chain_with(replaced, other))
    assert verdict.findings[0].flaw is flaw
    assert verdict.code is ISO2_CODES.get(flaw, CHAIN_ERROR)


LACKING: dict[str, tuple[str, Identity, Flaw]] = {
    "domain": ("contract", reissued("contract", domain=""), Flaw.WRONG_SUBJECT),
    "country": ("contract", reissued("contract", country="DE"), Flaw.WRONG_SUBJECT),
    "length": ("mo_sub2", reissued("mo_sub2", path_length=-1), Flaw.UNFIT_ISSUER),
}


@pytest.mark.parametrize("name", LACKING)
def test_what_real_certificates_lack_is_noted_in_the_field_and_refused_by_the_strict(
    name: str,
) -> None:
    replaced, other, flaw = LACKING[name]
    ders = chain_with(replaced, other)
    tolerant, strict = judged(ders), judged(ders, is_strict=True)
    assert (tolerant.is_good, [one.flaw for one in tolerant.noted]) == (True, [flaw])
    assert [one.flaw for one in strict.findings] == [flaw]


def test_strict_check_names_an_expired_sub_ca_as_the_conformance_suite_wants() -> None:
    _, other, _ = CHANGED["Sub-CA 1 expired"]
    ders = chain_with("mo_sub1", other)
    strict = judged(ders, is_strict=True)
    assert strict.code is ResponseCode.FAILED_NoCertificateAvailable
    assert judged(ders).code is ResponseCode.FAILED_CertificateExpired


def test_oem_chain_that_does_not_hold_is_answered_with_no_certificate() -> None:
    verdict = check(chain("oem", 2), OEM, trust(), NOW)
    assert verdict.code is ResponseCode.FAILED_NoCertificateAvailable
    assert check((b"",), OEM, trust(), NOW).code is verdict.code


def test_gravest_finding_decides() -> None:
    other = reissued("contract", domain="OEM", days=1, now_s=NOW_S - 3 * DAY_S)
    verdict = judged(chain_with("contract", other))
    flaws = [one.flaw for one in verdict.findings]
    assert flaws == [Flaw.WRONG_SUBJECT, Flaw.LEAF_EXPIRED]


@pytest.mark.parametrize("which", [0, 1, 2, 3])
def test_revoked_certificate_is_refused_wherever_it_stands(which: int) -> None:
    void = judged(GOOD).path[which]
    revoking = replace(trust(), revoked=frozenset({void.fingerprint}))
    verdict = check(GOOD, CONTRACT, revoking, NOW)
    assert verdict.code is ResponseCode.FAILED_CertificateRevoked
    assert verdict.why == f"{void.name} is revoked"


def test_date_is_told_and_not_held_against_a_chain_while_the_clock_is_not_trusted() -> (
    None
):
    trusted = check(GOOD, CONTRACT, trust(), LATER)
    untrusted = check(GOOD, CONTRACT, trust(), Moment(LATER.unix_s, is_trusted=False))
    assert trusted.code is ResponseCode.FAILED_CertificateExpired
    assert untrusted.code is ResponseCode.OK
    assert untrusted.noted == trusted.findings


def test_untrusted_clock_excuses_dates_only() -> None:
    early = Moment(0.0, is_trusted=False)
    verdict = check(chain("contract", 2), CONTRACT, trust(), early)
    assert verdict.code is ResponseCode.FAILED_CertChainError


@pytest.mark.parametrize(
    ("left_s", "code"),
    [
        (SOON_S + 1, ResponseCode.OK),
        (SOON_S, ResponseCode.OK_CertificateExpiresSoon),
        (0, ResponseCode.OK_CertificateExpiresSoon),
        (-1, ResponseCode.FAILED_CertificateExpired),
    ],
)
def test_end_of_the_contract_is_announced_three_weeks_before(
    left_s: float, code: ResponseCode
) -> None:
    end_s = pki()["contract"].certificate.not_after_s
    assert check(GOOD, CONTRACT, trust(), Moment(end_s - left_s)).code is code


def test_end_is_not_announced_by_a_clock_that_is_not_trusted() -> None:
    end_s = pki()["contract"].certificate.not_after_s
    moment = Moment(end_s - 1, is_trusted=False)
    assert check(GOOD, CONTRACT, trust(), moment).code is ResponseCode.OK


def test_expired_root_is_told_as_such() -> None:
    moment = Moment(NOW_S + 41 * 365 * DAY_S)
    verdict = check(GOOD, CONTRACT, trust(), moment)
    assert verdict.findings[0].flaw is Flaw.ROOT_EXPIRED
    assert verdict.code is ResponseCode.FAILED_CertChainError


def built(
    key: ec.EllipticCurvePrivateKey, *extensions: tuple[x509.ExtensionType, bool]
) -> bytes:
    """Return a contract certificate with other extensions than ours."""
    signer, like = pki()["mo_sub2"], pki()["contract"].certificate.parsed
    builder = x509.CertificateBuilder(
        issuer_name=signer.certificate.parsed.subject,
        subject_name=like.subject,
        public_key=key.public_key(),
        serial_number=7,
        not_valid_before=like.not_valid_before_utc,
        not_valid_after=like.not_valid_after_utc,
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    made = builder.sign(signer.key, hashes.SHA256())
    return made.public_bytes(serialization.Encoding.DER)


USAGE = pki()["contract"].certificate.parsed.extensions.get_extension_for_class(
    x509.KeyUsage
)
FOREIGN = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"\x05\x00")


def test_unknown_critical_extension_is_refused_and_another_is_not() -> None:
    key = new_key(Chance(1, "key"))
    critical = built(key, (USAGE.value, True), (FOREIGN, True))
    harmless = built(key, (USAGE.value, True), (FOREIGN, False))
    assert judged((critical, *GOOD[1:])).findings[0].flaw is Flaw.UNFIT_USE
    assert judged((harmless, *GOOD[1:])).is_good


def test_leaf_that_is_not_for_signing_is_refused() -> None:
    bare = built(new_key(Chance(1, "key")))
    assert judged((bare, *GOOD[1:])).findings[0].flaw is Flaw.UNFIT_USE


def test_certificate_may_have_800_octets() -> None:
    assert MAX_OCTETS == 800
    assert parse(GOOD[0], limit=len(GOOD[0])).name == "DE1ABCD2EF357A"
    told = f"{len(GOOD[0])} octets, at most {len(GOOD[0]) - 1}"
    with pytest.raises(MalformedError, match=told):
        parse(GOOD[0], limit=len(GOOD[0]) - 1)


@pytest.mark.parametrize("curve", [ec.SECP384R1(), ec.SECP521R1()])
def test_key_on_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    other = built(ec.generate_private_key(curve), (USAGE.value, True))
    verdict = judged((other, *GOOD[1:]))
    assert verdict.findings[0].flaw is Flaw.MALFORMED
    assert "secp256r1" in verdict.why


@given(st.integers(0, len(GOOD[0]) - 1), st.integers(1, 255))
def test_changed_octet_never_ends_in_anything_but_a_refusal(at: int, by: int) -> None:
    octets = bytearray(GOOD[0])
    octets[at] ^= by
    assert not judged((bytes(octets), *GOOD[1:])).is_good


@given(st.binary(max_size=900))
def test_any_octets_are_judged(octets: bytes) -> None:
    assert judged((octets,)).code is ResponseCode.FAILED_CertChainError


@pytest.mark.parametrize("end", range(0, len(GOOD[0]), 7))
def test_cut_certificate_is_refused(end: int) -> None:
    assert judged((GOOD[0][:end], *GOOD[1:])).findings[0].flaw is Flaw.MALFORMED


def test_certificates_fit_into_messages() -> None:
    sizes = {name: len(one.certificate.der) for name, one in pki().items()}
    assert [name for name, size in sizes.items() if size > 800] == []
    assert len(sizes) == len(PLANS)


def test_same_chance_gives_the_same_keys() -> None:
    one, other = new_key(Chance(1, "a")), new_key(Chance(1, "a"))
    assert one.private_numbers() == other.private_numbers()


def test_certificate_tells_its_name_and_fingerprint() -> None:
    leaf: Certificate = judged(GOOD).leaf
    assert leaf.name == "DE1ABCD2EF357A"
    assert len(leaf.fingerprint) == 32
