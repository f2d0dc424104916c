"""A contract on its way to the car: whole, or refused with the reason."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.pnc.world import NOW, chain, pki, trust

from pilothat.pnc.authority import CHAINS
from pilothat.pnc.certificate import Credential
from pilothat.pnc.contractkey import Sealed, SealError, seal, unseal
from pilothat.pnc.installation import as_chain, ders, pack, unpack
from pilothat.pnc.signature import sign
from pilothat.twin.chance import Chance
from pilothat.v2g.messages import codec
from pilothat.v2g.messages.iso2 import (
    CertificateInstallationRes,
    CertificateUpdateRes,
    MessageHeader,
    V2gMessage,
)

OEM = pki()["oem"]
CONTRACT = pki()["contract"]
SEALED = seal(CONTRACT.key, OEM.key.public_key(), Chance(1, "seal"))


def credential(name: str, seed: int = 1) -> Credential:
    made = pki(seed)
    path = tuple([made[one].certificate for one in CHAINS[name]])
    return Credential(path, made[name].key)


PARCEL = pack(
    credential("contract"), credential("cps"), OEM.key.public_key(), Chance(1, "pack")
)


def test_key_comes_out_as_it_went_in() -> None:
    key = unseal(SEALED, OEM.key, CONTRACT.key.public_key())
    assert key.private_numbers() == CONTRACT.key.private_numbers()
    assert (len(SEALED.dh_public), len(SEALED.blob)) == (65, 48)


def test_key_does_not_come_out_for_another_car() -> None:
    with pytest.raises(SealError, match="does not belong to the contract"):
        unseal(SEALED, pki(2)["oem"].key, CONTRACT.key.public_key())


def test_key_of_another_contract_is_refused() -> None:
    with pytest.raises(SealError, match="does not belong to the contract"):
        unseal(SEALED, OEM.key, pki(2)["contract"].key.public_key())


@given(st.integers(0, 47), st.integers(1, 255))
def test_changed_octet_of_the_sealed_key_is_refused(at: int, by: int) -> None:
    blob = bytearray(SEALED.blob)
    blob[at] ^= by
    with pytest.raises(SealError):
        unseal(
            Sealed(SEALED.dh_public, bytes(blob)), OEM.key, CONTRACT.key.public_key()
        )


@pytest.mark.parametrize("count", [0, 47, 49])
def test_sealed_key_of_another_length_is_refused(count: int) -> None:
    with pytest.raises(SealError, match=f"{count} octets, not 48"):
        unseal(
            Sealed(SEALED.dh_public, bytes(count)), OEM.key, CONTRACT.key.public_key()
        )


@pytest.mark.parametrize("point", [b"", bytes(65), b"\4" + bytes(64), b"\4" * 65])
def test_point_beside_the_curve_is_refused(point: bytes) -> None:
    with pytest.raises(SealError, match="no point on secp256r1"):
        unseal(Sealed(point, SEALED.blob), OEM.key, CONTRACT.key.public_key())


@pytest.mark.parametrize("delivery", [PARCEL.installation(), PARCEL.update()])
def test_delivery_arrives_over_the_wire(
    delivery: CertificateInstallationRes | CertificateUpdateRes,
) -> None:
    sent = V2gMessage(
        header=MessageHeader(session_id=bytes(8), signature=PARCEL.signature),
        body=delivery,
    )
    got = codec("iso2").decode(codec("iso2").encode(sent))
    assert isinstance(got, V2gMessage)
    assert isinstance(got.body, CertificateInstallationRes | CertificateUpdateRes)
    unpacked = unpack(got.body, got.header.signature, OEM.key, trust(), NOW)
    assert unpacked.why == ""
    assert unpacked.contract
    assert unpacked.contract.ders == chain("contract")
    numbers = unpacked.contract.key.private_numbers()
    assert numbers == CONTRACT.key.private_numbers()


def why(delivery: CertificateInstallationRes, *, seed: int = 1) -> str:
    return unpack(delivery, PARCEL.signature, OEM.key, trust(seed), NOW).why


def test_delivery_that_does_not_hold_is_refused_with_the_reason() -> None:
    whole = PARCEL.installation()
    assert "provisioning service: no trusted" in why(whole, seed=2)
    changed = replace(whole, emaid=replace(PARCEL.emaid, text="DE1ABCD2EF357B"))
    assert "the element is not what was signed (#id4)" in why(changed)
    station = replace(whole, sa_provisioning_certificate_chain=as_chain(chain("secc")))
    assert "should be CPS" in why(station)


def test_unsigned_delivery_is_refused() -> None:
    unpacked = unpack(PARCEL.installation(), None, OEM.key, trust(), NOW)
    assert unpacked.why == "signature: the message is not signed"
    assert unpacked.contract is None


def test_contract_of_a_foreign_root_is_refused_though_the_service_signed_it() -> None:
    parcel = pack(
        credential("contract", 2),
        credential("cps"),
        OEM.key.public_key(),
        Chance(1, "foreign"),
    )
    unpacked = unpack(parcel.installation(), parcel.signature, OEM.key, trust(), NOW)
    assert unpacked.why.startswith("contract: no trusted contract root")


def test_delivery_for_another_car_is_refused() -> None:
    other = pki(2)["oem"].key
    unpacked = unpack(PARCEL.installation(), PARCEL.signature, other, trust(), NOW)
    assert "does not belong to the contract certificate" in unpacked.why


def test_emaid_of_another_contract_is_refused_though_the_service_signed_it() -> None:
    emaid = replace(PARCEL.emaid, text="DE1ABCD2EF357B")
    signature = sign(
        (PARCEL.contract_chain, PARCEL.key, PARCEL.dh_public, emaid), pki()["cps"].key
    )
    delivery = replace(PARCEL.installation(), emaid=emaid)
    unpacked = unpack(delivery, signature, OEM.key, trust(), NOW)
    assert unpacked.why == "DE1ABCD2EF357B and DE1ABCD2EF357A are two contracts"


def test_chain_of_a_leaf_alone_has_no_sub_certificates() -> None:
    alone = as_chain(chain("oem")[:1])
    assert alone.sub_certificates is None
    assert ders(alone) == chain("oem")[:1]
