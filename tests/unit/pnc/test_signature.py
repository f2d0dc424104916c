"""Signatures: each kind of element signed, each change to it refused by name."""

from __future__ import annotations

from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pnc.world import chain, pki

from pilothat.pnc.installation import as_chain
from pilothat.pnc.signature import (
    Proof,
    SignatureFlaw,
    Signed,
    sign,
    sign_raw,
    verify,
)
from pilothat.v2g.messages import codec
from pilothat.v2g.messages.iso2 import (
    AuthorizationReq,
    CertificateInstallationReq,
    CertificateUpdateReq,
    ContractSignatureEncryptedPrivateKey,
    DiffieHellmanPublicKey,
    Emaid,
    ListOfRootCertificateIds,
    MessageHeader,
    MeterInfo,
    MeteringReceiptReq,
    RelativeTimeInterval,
    SalesTariff,
    SalesTariffEntry,
    Signature,
    V2gMessage,
)
from pilothat.v2g.messages.xmldsig import (
    DigestMethod,
    Reference,
    SignatureMethod,
    SignatureValue,
    X509IssuerSerial,
)

KEY = pki()["contract"].key
PUBLIC = KEY.public_key()
OTHER = pki(2)["contract"].key
ROOTS = ListOfRootCertificateIds(
    root_certificate_id=(
        X509IssuerSerial(x509_issuer_name="CN=V2G Root", x509_serial_number=1 << 100),
    )
)
AUTHORIZATION = AuthorizationReq(id="id1", gen_challenge=bytes(range(16)))
GOOD = sign((AUTHORIZATION,), KEY)
EMAID = Emaid(id="id4", text="DE1ABCD2EF357A")
ELEMENTS: tuple[tuple[Signed, Signed], ...] = (  # an element, and one that is like it
    (AUTHORIZATION, AuthorizationReq(id="id1", gen_challenge=bytes(16))),
    (
        MeteringReceiptReq(
            id="id1",
            session_id=bytes(8),
            meter_info=MeterInfo(meter_id="m", meter_reading=7),
        ),
        MeteringReceiptReq(
            id="id1",
            session_id=bytes(8),
            meter_info=MeterInfo(meter_id="m", meter_reading=8),
        ),
    ),
    (
        CertificateInstallationReq(
            id="id1",
            oem_provisioning_cert=chain("oem")[0],
            list_of_root_certificate_ids=ROOTS,
        ),
        CertificateInstallationReq(
            id="id1",
            oem_provisioning_cert=chain("oem", 2)[0],
            list_of_root_certificate_ids=ROOTS,
        ),
    ),
    (
        CertificateUpdateReq(
            id="id1",
            contract_signature_cert_chain=as_chain(chain("contract")),
            emaid="DE1ABCD2EF357A",
            list_of_root_certificate_ids=ROOTS,
        ),
        CertificateUpdateReq(
            id="id1",
            contract_signature_cert_chain=as_chain(chain("contract")),
            emaid="DE1ABCD2EF357B",
            list_of_root_certificate_ids=ROOTS,
        ),
    ),
    (
        as_chain(chain("contract"), "id1"),
        as_chain(chain("contract")[:2], "id1"),
    ),
    (
        ContractSignatureEncryptedPrivateKey(id="id2", text=bytes(48)),
        ContractSignatureEncryptedPrivateKey(id="id2", text=bytes(47)),
    ),
    (
        DiffieHellmanPublicKey(id="id3", text=b"\4" + bytes(64)),
        DiffieHellmanPublicKey(id="id3", text=b"\5" + bytes(64)),
    ),
    (EMAID, Emaid(id="id4", text="DE1ABCD2EF357B")),
    (
        SalesTariff(
            id="t1",
            sales_tariff_id=1,
            sales_tariff_entry=(
                SalesTariffEntry(
                    time_interval=RelativeTimeInterval(start=0), e_price_level=1
                ),
            ),
        ),
        SalesTariff(
            id="t1",
            sales_tariff_id=1,
            sales_tariff_entry=(
                SalesTariffEntry(
                    time_interval=RelativeTimeInterval(start=0), e_price_level=2
                ),
            ),
        ),
    ),
)
each_element = pytest.mark.parametrize(
    ("element", "like_it"), ELEMENTS, ids=lambda one: type(one).__name__
)
ALL = (ELEMENTS[4][0], ELEMENTS[5][0], ELEMENTS[6][0], EMAID)


@each_element
@pytest.mark.parametrize("in_message_grammar", [False, True])
def test_signed_element_is_verified(
    element: Signed, like_it: Signed, in_message_grammar: bool
) -> None:
    signature = sign((element,), KEY, in_message_grammar=in_message_grammar)
    assert verify(signature, (element,), PUBLIC) == Proof()
    assert len(signature.signature_value.text) == 64


@each_element
def test_changed_element_is_refused(element: Signed, like_it: Signed) -> None:
    proof = verify(sign((element,), KEY), (like_it,), PUBLIC)
    assert proof.flaw is SignatureFlaw.DIGEST
    assert proof.why == f"the element is not what was signed (#{element.id})"


@each_element
def test_changed_id_is_refused(element: Signed, like_it: Signed) -> None:
    changed = replace(element, id="other")
    proof = verify(sign((element,), KEY), (changed,), PUBLIC)
    assert proof == Proof(SignatureFlaw.NO_REFERENCE, "#other")


@each_element
def test_another_key_is_refused(element: Signed, like_it: Signed) -> None:
    proof = verify(sign((element,), OTHER), (element,), PUBLIC)
    assert proof.flaw is SignatureFlaw.VALUE


def test_signature_survives_the_wire() -> None:
    signature = sign((AUTHORIZATION,), KEY)
    sent = V2gMessage(
        header=MessageHeader(session_id=bytes(8), signature=signature),
        body=AUTHORIZATION,
    )
    got = codec("iso2").decode(codec("iso2").encode(sent))
    assert isinstance(got, V2gMessage)
    assert isinstance(got.body, AuthorizationReq)
    assert verify(got.header.signature, (got.body,), PUBLIC).is_good


def test_four_elements_are_signed_by_one_signature() -> None:
    assert verify(sign(ALL, KEY), ALL, PUBLIC).is_good
    assert verify(sign(ALL, KEY), ALL[::-1], PUBLIC).is_good


@pytest.mark.parametrize("missing", range(4))
def test_element_that_was_not_signed_is_refused(missing: int) -> None:
    signed = ALL[:missing] + ALL[missing + 1 :]
    proof = verify(sign(signed, KEY), ALL, PUBLIC)
    assert proof == Proof(SignatureFlaw.NO_REFERENCE, f"#{ALL[missing].id}")


def test_more_than_expected_is_refused() -> None:
    proof = verify(sign((AUTHORIZATION, EMAID), KEY), (AUTHORIZATION,), PUBLIC)
    assert proof == Proof(SignatureFlaw.FOREIGN_REFERENCE, "#id4")


def test_reference_that_comes_twice_is_refused() -> None:
    twice = sign((AUTHORIZATION, AUTHORIZATION), KEY)
    proof = verify(twice, (AUTHORIZATION,), PUBLIC)
    assert proof.flaw is SignatureFlaw.FOREIGN_REFERENCE


def test_message_without_signature_is_refused() -> None:
    assert verify(None, (AUTHORIZATION,), PUBLIC) == Proof(SignatureFlaw.MISSING)
    assert Proof(SignatureFlaw.MISSING).why == "the message is not signed"


def test_element_without_id_is_neither_signed_nor_verified() -> None:
    bare = AuthorizationReq(gen_challenge=bytes(16))
    with pytest.raises(ValueError, match="AuthorizationReq has no id"):
        sign((bare,), KEY)
    proof = verify(sign((AUTHORIZATION,), KEY), (bare,), PUBLIC)
    assert proof.flaw is SignatureFlaw.NO_ID


def with_reference(signature: Signature, reference: Reference) -> Signature:
    info = replace(signature.signed_info, reference=(reference,))
    return replace(signature, signed_info=info)


def test_other_algorithms_are_refused_by_name() -> None:
    good = sign((AUTHORIZATION,), KEY)
    sha1 = "http://www.w3.org/2000/09/xmldsig#sha1"
    (reference,) = good.signed_info.reference
    digest = with_reference(
        good, replace(reference, digest_method=DigestMethod(algorithm=sha1))
    )
    method = replace(
        good,
        signed_info=replace(
            good.signed_info, signature_method=SignatureMethod(algorithm=sha1)
        ),
    )
    refused = Proof(SignatureFlaw.ALGORITHM, sha1)
    assert verify(digest, (AUTHORIZATION,), PUBLIC) == refused
    assert verify(method, (AUTHORIZATION,), PUBLIC) == refused


def test_digest_of_another_element_under_the_old_signature_is_refused() -> None:
    changed = ELEMENTS[0][1]
    good, forged = sign((AUTHORIZATION,), KEY), sign((changed,), OTHER)
    mixed = replace(forged, signature_value=good.signature_value)
    assert verify(mixed, (changed,), PUBLIC).flaw is SignatureFlaw.VALUE


@pytest.mark.parametrize("count", [0, 1, 63, 65, 72])
def test_value_of_another_length_is_refused(count: int) -> None:
    good = sign((AUTHORIZATION,), KEY)
    short = replace(good, signature_value=SignatureValue(text=bytes(count)))
    proof = verify(short, (AUTHORIZATION,), PUBLIC)
    assert proof == Proof(SignatureFlaw.LENGTH, f"{count}")


@given(st.integers(0, 63), st.integers(1, 255))
def test_changed_octet_of_the_value_is_refused(at: int, by: int) -> None:
    value = bytearray(GOOD.signature_value.text)
    value[at] ^= by
    changed = replace(GOOD, signature_value=SignatureValue(text=bytes(value)))
    assert verify(changed, (AUTHORIZATION,), PUBLIC).flaw is SignatureFlaw.VALUE


def test_value_of_zeros_is_refused() -> None:
    changed = replace(GOOD, signature_value=SignatureValue(text=bytes(64)))
    assert verify(changed, (AUTHORIZATION,), PUBLIC).flaw is SignatureFlaw.VALUE


def test_digest_of_the_emaid_may_be_that_of_its_type_alone() -> None:
    octets = bytes.fromhex("80ec02b4b218841111505090d0cc4c8ccd0d4d8dce1e80")
    emaid = Emaid(id="id1", text="DEABCC12345678")
    good = sign((emaid,), KEY)
    (reference,) = good.signed_info.reference
    digest = sha256(octets).digest()
    assert digest != reference.digest_value
    info = replace(
        good.signed_info, reference=(replace(reference, digest_value=digest),)
    )
    value = sign_raw(KEY, codec("xmldsig").encode_fragment(info))
    other = Signature(signed_info=info, signature_value=SignatureValue(text=value))
    assert verify(other, (emaid,), PUBLIC).is_good
    assert not verify(other, (replace(emaid, text="DEABCC12345679"),), PUBLIC).is_good
