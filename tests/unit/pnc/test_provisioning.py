"""New contracts: given to a car that proves who it is, and to nobody else."""

from __future__ import annotations

import pytest
from tests.unit.pnc.world import NOW, chain, pki, trust

from pilothat.pnc.authority import CHAINS
from pilothat.pnc.certificate import Credential
from pilothat.pnc.installation import as_chain, unpack
from pilothat.pnc.provisioning import (
    Delivered,
    IssuingProvider,
    Provider,
    RefusingProvider,
)
from pilothat.pnc.requests import Ruling
from pilothat.pnc.signature import sign
from pilothat.twin.chance import Chance
from pilothat.v2g.messages.iso2 import (
    CertificateInstallationReq,
    CertificateInstallationRes,
    CertificateUpdateReq,
    CertificateUpdateRes,
    ListOfRootCertificateIds,
    ResponseCode,
)
from pilothat.v2g.messages.xmldsig import X509IssuerSerial

ROOTS = ListOfRootCertificateIds(
    root_certificate_id=(X509IssuerSerial(x509_issuer_name="", x509_serial_number=1),)
)
INSTALL = CertificateInstallationReq(
    id="id1", oem_provisioning_cert=chain("oem")[0], list_of_root_certificate_ids=ROOTS
)
UPDATE = CertificateUpdateReq(
    id="id1",
    contract_signature_cert_chain=as_chain(chain("contract")),
    emaid="DE1ABCD2EF357A",
    list_of_root_certificate_ids=ROOTS,
)


def credential(*names: str) -> Credential:
    made = pki()
    return Credential(tuple([made[n].certificate for n in names]), made[names[0]].key)


@pytest.fixture
def provider() -> Provider:
    cps, mo = credential(*CHAINS["cps"]), credential("mo_sub2", "mo_sub1")
    return IssuingProvider(
        trust(), cps, mo, Chance(1, "provider"), emaid="DE8AACA2B3C4D5"
    )


def test_car_gets_a_contract_of_its_own(provider: Provider) -> None:
    key = pki()["oem"].key
    given = provider.install(INSTALL, sign((INSTALL,), key), NOW)
    assert isinstance(given, Delivered)
    assert isinstance(given.body, CertificateInstallationRes)
    contract = unpack(given.body, given.signature, key, trust(), NOW).contract
    assert contract
    assert contract.leaf.name == "DE8AACA2B3C4D5"
    assert contract.leaf.der != chain("contract")[0]


def test_contract_is_renewed_under_its_own_name(provider: Provider) -> None:
    key = pki()["contract"].key
    given = provider.update(UPDATE, sign((UPDATE,), key), NOW)
    assert isinstance(given, Delivered)
    assert isinstance(given.body, CertificateUpdateRes)
    contract = unpack(given.body, given.signature, key, trust(), NOW).contract
    assert contract
    assert contract.leaf.name == "DE1ABCD2EF357A"
    assert contract.leaf.der != chain("contract")[0]


def test_two_cars_get_two_keys(provider: Provider) -> None:
    signature = sign((INSTALL,), pki()["oem"].key)
    first = provider.install(INSTALL, signature, NOW)
    second = provider.install(INSTALL, signature, NOW)
    assert isinstance(first, Delivered)
    assert isinstance(second, Delivered)
    assert first.body.dh_public_key != second.body.dh_public_key
    assert first.body.emaid == second.body.emaid


def test_request_that_proves_nothing_gets_nothing(provider: Provider) -> None:
    wrong = pki(2)["oem"].key
    install = provider.install(INSTALL, sign((INSTALL,), wrong), NOW)
    update = provider.update(UPDATE, None, NOW)
    assert isinstance(install, Ruling)
    assert isinstance(update, Ruling)
    assert install.code is update.code is ResponseCode.FAILED_SignatureError


def test_nobody_gives_nothing() -> None:
    nobody: Provider = RefusingProvider()
    install, update = (
        nobody.install(INSTALL, None, NOW),
        nobody.update(UPDATE, None, NOW),
    )
    assert isinstance(install, Ruling)
    assert install is update
    assert install.code is ResponseCode.FAILED_NoCertificateAvailable
    assert not install.is_good
