"""What another implementation signed and sealed, and we read.

``foreign.jsonl`` was made with the PyPI package iso15118 0.31.2 (EXI by EXIficient),
with certificates of a throw-away PKI: whole messages with the signature in the header.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from tests.unit.pnc.world import pki

from pilothat.pnc.certificate import CURVE, parse
from pilothat.pnc.contractkey import Sealed, unseal
from pilothat.pnc.installation import signed_elements
from pilothat.pnc.signature import SignatureFlaw, Signed, verify
from pilothat.v2g.messages import codec
from pilothat.v2g.messages.iso2 import (
    AuthorizationReq,
    CertificateInstallationReq,
    CertificateInstallationRes,
    MeteringReceiptReq,
    V2gMessage,
)

ROWS = [
    json.loads(line)
    for line in (Path(__file__).parent / "foreign.jsonl").read_text().splitlines()
]
each_row = pytest.mark.parametrize("row", ROWS, ids=lambda row: row["message"])


def read(row: dict[str, str]) -> V2gMessage:
    message = codec("iso2").decode(bytes.fromhex(row["exi"]))
    assert isinstance(message, V2gMessage)
    return message


def elements(message: V2gMessage) -> tuple[Signed, ...]:
    body = message.body
    if isinstance(body, CertificateInstallationRes):
        return signed_elements(body)
    assert isinstance(
        body, AuthorizationReq | MeteringReceiptReq | CertificateInstallationReq
    )
    return (body,)


def signer(row: dict[str, str]) -> ec.EllipticCurvePublicKey:
    point = bytes.fromhex(row["signer"])
    return ec.EllipticCurvePublicKey.from_encoded_point(CURVE, point)


@each_row
def test_foreign_signature_is_verified(row: dict[str, str]) -> None:
    message = read(row)
    proof = verify(message.header.signature, elements(message), signer(row))
    assert proof.why == ""


@each_row
def test_foreign_signature_of_another_key_is_refused(row: dict[str, str]) -> None:
    message = read(row)
    other = pki(3)["contract"].key.public_key()
    proof = verify(message.header.signature, elements(message), other)
    assert proof.flaw is SignatureFlaw.VALUE


def test_foreign_contract_key_is_unsealed() -> None:
    (row,) = [row for row in ROWS if "oem_key" in row]
    body = read(row).body
    assert isinstance(body, CertificateInstallationRes)
    sealed = Sealed(
        body.dh_public_key.text, body.contract_signature_encrypted_private_key.text
    )
    oem_key = ec.derive_private_key(int(row["oem_key"], 16), CURVE)
    leaf = parse(body.contract_signature_cert_chain.certificate)
    key = unseal(sealed, oem_key, leaf.public_key)
    assert key.public_key() == leaf.public_key
