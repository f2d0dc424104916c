"""Strings by number: each name with its namespace has a table of its own."""

from __future__ import annotations

from dataclasses import replace

from tests.values import Chance, value_of

from pilothat.exi.codec import Tolerance
from pilothat.v2g.messages import codec, iso2, xmldsig

ISO2 = codec("iso2")
KNOWN_BEFORE = "00000000"  # the first number of a string: one of the same name


def drawn(cls: type, seed: int = 1) -> object:
    return value_of(cls, Chance(seed))


def bits_of(octets: bytes) -> str:
    return f"{int.from_bytes(octets, 'big'):b}"  # the first bit is 1


def octets_of(bits: str) -> bytes:
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def certificates(chain_id: str, key_id: str) -> iso2.V2gMessage:
    """Return a signed message whose certificate chain and key have these Ids."""
    answer = drawn(iso2.CertificateInstallationRes)
    signature = drawn(xmldsig.Signature)
    assert isinstance(answer, iso2.CertificateInstallationRes)
    assert isinstance(signature, xmldsig.Signature)
    key = answer.contract_signature_encrypted_private_key
    body = replace(
        answer,
        sa_provisioning_certificate_chain=replace(
            answer.sa_provisioning_certificate_chain, id=None
        ),
        contract_signature_cert_chain=replace(
            answer.contract_signature_cert_chain, id=chain_id
        ),
        contract_signature_encrypted_private_key=replace(key, id=key_id),
    )
    header = iso2.MessageHeader(
        session_id=bytes(8), signature=replace(signature, id="signature")
    )
    return iso2.V2gMessage(header=header, body=body)


def test_id_of_a_signature_is_no_id_of_a_message() -> None:
    message = certificates("chain", "chain")
    octets = ISO2.encode(certificates("chain", "other"))
    other = bits_of(b"\xff" + bytes([len("other") + 2]) + b"other")[8:]
    bits = bits_of(octets)
    assert bits.count(other) == 1
    found, notes = ISO2.decode_with_notes(
        octets_of(bits.replace(other, KNOWN_BEFORE))  # one known: no bits for which
    )
    assert found == message
    assert notes == (Tolerance.STRING_TABLE_HIT,)
