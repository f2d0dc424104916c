"""``pilothat pki``: a folder made, shown and checked, and never overwritten."""

from __future__ import annotations

import os
import shutil
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509 import load_pem_x509_certificates, ocsp
from tests.unit.service.console import ran

from pilothat.errors import ConfigError
from pilothat.pnc.chain import Moment, check
from pilothat.pnc.roles import CONTRACT, OEM
from pilothat.runtime import library
from pilothat.runtime.pkifiles import (
    EV_CONTRACT,
    EV_OEM,
    SECC,
    is_key,
    read_certificates,
    read_credential,
    read_key,
    read_trust,
)
from pilothat.service.securing import folder_of


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the command has made; do not change it."""
    folder = tmp_path_factory.mktemp("made") / "pki"
    assert ran("pki", "make", folder).code == 0
    return folder


@pytest.fixture
def own(made: Path, tmp_path: Path) -> Path:
    """Return a copy of it to be spoilt."""
    return Path(shutil.copytree(made, tmp_path / "pki"))


def test_what_is_made_is_fit(made: Path) -> None:
    checked = ran("pki", "check", made)
    assert (checked.code, checked.out) == (0, "0 problems, 0 notes\n")


def test_keys_are_for_their_owner_alone(made: Path) -> None:
    keys = [path for path in made.rglob("*") if is_key(path)]
    assert {path.stat().st_mode & 0o777 for path in keys} == {0o600}
    assert len(keys) == 15


def test_nothing_is_ever_overwritten(own: Path) -> None:
    before = {path: path.read_bytes() for path in own.rglob("*.pem")}
    again = ran("pki", "make", own)
    assert again.code == 1
    assert "exists and is never overwritten" in again.err
    assert {path: path.read_bytes() for path in own.rglob("*.pem")} == before


def test_one_key_that_is_there_keeps_all_files_from_being_written(
    tmp_path: Path,
) -> None:
    key = tmp_path / "cps" / "key.pem"
    key.parent.mkdir()
    key.write_text("mine")
    refused = ran("pki", "make", tmp_path)
    assert (refused.code, key.read_text()) == (1, "mine")
    assert [path for path in tmp_path.rglob("*.pem") if path != key] == []


def test_station_and_car_can_read_what_is_made(made: Path) -> None:
    trust, moment = read_trust(made), Moment(0, is_trusted=False)
    contract = read_credential(made, EV_CONTRACT)
    car = read_credential(made, EV_OEM)
    assert check(contract.ders, CONTRACT, trust, moment, is_strict=True).is_good
    assert check(car.ders[:1], OEM, trust, moment, is_strict=True).is_good
    assert read_credential(made, SECC).leaf.name == "DE*PHT*E000001"


def test_names_are_those_asked_for(tmp_path: Path) -> None:
    folder = tmp_path / "pki"
    asked = ("--emaid", "DE-8AA-CA2B3C4D5", "--secc", "DE*ABC*E1")
    assert ran("pki", "make", folder, *asked).code == 0
    assert read_credential(folder, EV_CONTRACT).leaf.name == "DE8AACA2B3C4D5"
    assert read_credential(folder, SECC).leaf.name == "DE*ABC*E1"


def test_what_is_no_emaid_or_no_day_is_wrong_usage(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        ran("pki", "make", tmp_path, "--emaid", "me")
    with pytest.raises(SystemExit, match="2"):
        ran("pki", "check", tmp_path, "--on", "tomorrow")


def test_chains_are_drawn_as_a_tree_with_their_ends(made: Path) -> None:
    lines = ran("pki", "show", made, "--on", "2100-01-01").out.splitlines()
    names = [line[:32].rstrip() for line in lines]
    assert names[names.index("MO Root [MO]") :][:4] == [
        "MO Root [MO]",
        "└─ MO Sub 1 [MO]",
        "   └─ MO Sub 2 [MO]",
        "      └─ DE1ABCD2EF357A [MO]",
    ]
    assert [line for line in lines if "EXPIRED" not in line] == []
    assert "ev/v2g_root.pem, trust/v2g_root.pem" in "\n".join(lines)


def test_day_before_and_after_decides_what_is_shown(made: Path) -> None:
    early = ran("pki", "show", made, "--on", "2000-01-01").out
    assert early.count("NOT YET VALID, from ") == len(early.splitlines())
    assert " days  " in ran("pki", "show", made).out


def test_one_file_is_shown_with_its_fingerprint(made: Path) -> None:
    shown = ran("pki", "show", made / "ev" / "chain.pem")
    (leaf, *_) = read_certificates(made / "ev" / "chain.pem")
    assert f"SHA-256 of DE1ABCD2EF357A: {leaf.fingerprint.hex()}" in shown.out
    assert shown.out.startswith("MO Sub 1 [MO]")


def test_file_that_is_no_certificate_does_not_hide_the_others(own: Path) -> None:
    (own / "trust" / "v2g_bad.pem").write_text("-----nonsense")
    shown = ran("pki", "show", own)
    assert shown.code == 0
    assert "trust/v2g_bad.pem: no PEM" in shown.out.splitlines()[-1]
    assert ran("pki", "show", own / "trust" / "v2g_bad.pem").code == 2


def test_der_is_shown_too(made: Path, tmp_path: Path) -> None:
    (leaf, *_) = read_certificates(made / "secc" / "chain.pem")
    (tmp_path / "leaf.der").write_bytes(leaf.der)
    assert "DE*PHT*E000001 [CPO]" in ran("pki", "show", tmp_path).out


def test_folder_without_certificates_is_told(tmp_path: Path) -> None:
    assert ran("pki", "show", tmp_path).code == 2
    assert "no such folder" in ran("pki", "check", tmp_path / "none").err


def test_empty_folder_lacks_a_certificate_and_a_root(tmp_path: Path) -> None:
    checked = ran("pki", "check", tmp_path)
    assert checked.code == 1
    assert checked.out.splitlines() == [
        f"{tmp_path}/trust: no V2G root. Put it there as v2g_root.pem",
        f"{tmp_path}/secc/chain.pem: the station has no certificate. "
        "Make a test PKI: pilothat pki make FOLDER",
        f"note: {tmp_path}/trust: no MO root: only contracts below the V2G root are "
        "accepted",
        "2 problems, 1 notes",
    ]


def problems(folder: Path, *arguments: str) -> list[str]:
    """Return the problems, without the folder; there is one at least."""
    checked = ran("pki", "check", folder, *arguments)
    assert checked.code == 1
    lines = [line.replace(f"{folder}/", "") for line in checked.out.splitlines()]
    return [line for line in lines[:-1] if not line.startswith("note: ")]


def test_what_has_expired_is_told_with_the_remedy(made: Path) -> None:
    found = problems(made, "--on", "2031-01-01")
    assert found[0].startswith("secc/chain.pem: DE*PHT*E000001 expired ")
    assert found[0].endswith("Ask who issued it for a new one")
    assert [line.split(":")[0] for line in found].count("ev/chain.pem") == 3


def test_what_expires_soon_is_a_note(made: Path) -> None:
    (leaf, *_) = read_certificates(made / "secc" / "chain.pem")
    day = leaf.parsed.not_valid_after_utc.date().isoformat()
    checked = ran("pki", "check", made, "--on", day)
    assert checked.code == 0
    assert f"note: {made}/secc/chain.pem: DE*PHT*E000001 expires in 0 days" in (
        checked.out
    )


def reordered(own: Path, place: str = "secc") -> None:
    path = own / place / "chain.pem"
    leaf, sub2, sub1 = load_pem_x509_certificates(path.read_bytes())
    encoding = serialization.Encoding.PEM
    swapped = (leaf, sub1, sub2)
    path.write_bytes(b"".join(one.public_bytes(encoding) for one in swapped))


def exposed(own: Path) -> None:
    (own / "secc" / "key.pem").chmod(0o644)


def without_key(own: Path) -> None:
    (own / "secc" / "key.pem").unlink()


def with_another_key(own: Path) -> None:
    shutil.copy(own / "cps" / "key.pem", own / "secc" / "key.pem")


def with_a_password(own: Path) -> None:
    key = read_key(own / "secc" / "key.pem")
    encrypted = serialization.BestAvailableEncryption(b"12345")
    form = serialization.PrivateFormat.PKCS8
    encoding = serialization.Encoding.PEM
    (own / "secc" / "key.pem").write_bytes(key.private_bytes(encoding, form, encrypted))


def without_root(own: Path) -> None:
    (own / "trust" / "mo_root.pem").unlink()


def revoked(own: Path) -> None:
    (leaf, *_) = read_certificates(own / "cps" / "chain.pem")
    listed = f"# void\n{leaf.fingerprint.hex(':')}  # stolen\n\n"
    (own / "trust" / "revoked.txt").write_text(listed)


def badly_revoked(own: Path) -> None:
    (own / "trust" / "revoked.txt").write_text("the third one\n")


def with_a_leaf_as_root(own: Path) -> None:
    shutil.copy(own / "secc" / "chain.pem", own / "ev" / "chain.pem")
    shutil.copy(own / "secc" / "key.pem", own / "ev" / "key.pem")


def without_the_cars_root(own: Path) -> None:
    (own / "ev" / "v2g_root.pem").write_bytes(b"")


def with_garbage_as_ocsp(own: Path) -> None:
    (own / "secc" / "ocsp.der").write_bytes(b"garbage")


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (reordered, "secc/chain.pem: DE*PHT*E000001 is not issued by CPO Sub 1. Order"),
        (exposed, "secc/key.pem: others may read this key (644). chmod 600 it"),
        (without_key, "secc/key.pem: no such file. Make a test PKI"),
        (with_another_key, "secc/key.pem: this key does not belong to DE*PHT*E000001"),
        (with_a_password, "secc/key.pem: Password was not given"),
        (without_root, "ev/chain.pem: no trusted contract root has issued MO Sub 1"),
        (revoked, "cps/chain.pem: CPS is revoked. Ask who issued it"),
        (badly_revoked, "trust/revoked.txt: non-hexadecimal number"),
        (with_a_leaf_as_root, "ev/chain.pem: domain component 'CPO'"),
        (without_the_cars_root, "ev/v2g_root.pem: malformed"),
        (with_garbage_as_ocsp, "secc/ocsp.der: no OCSP response for the leaf"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_problem_is_told_in_one_line(own: Path, spoil: object, told: str) -> None:
    assert callable(spoil)
    spoil(own)
    found = [line for line in problems(own) if line.startswith(told)]
    assert len(found) == 1


def test_file_in_trust_that_cannot_be_read_is_the_one_problem(own: Path) -> None:
    path = own / "trust" / "mo_other.pem"
    path.write_bytes(b"-----")
    (found,) = problems(own)
    assert found.startswith("trust/mo_other.pem: no PEM")


def test_further_chains_of_the_station_are_checked_too(own: Path) -> None:
    shutil.copytree(own / "secc", own / "secc-b")
    assert ran("pki", "check", own).code == 0
    reordered(own, "secc-b")
    assert problems(own)[0].startswith("secc-b/chain.pem: ")


def with_ocsp(own: Path, serial_of: str, status: ocsp.OCSPCertStatus) -> None:
    subject, issuer = read_certificates(own / serial_of / "chain.pem")[:2]
    signer = {"secc": "cpo_sub2", "cps": "cps_sub2"}[serial_of]
    key = read_key(own / "ca" / f"{signer}_key.pem")
    is_good = status is ocsp.OCSPCertStatus.GOOD
    response = (
        ocsp.OCSPResponseBuilder()
        .add_response(
            cert=subject.parsed,
            issuer=issuer.parsed,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=subject.parsed.not_valid_before_utc,
            next_update=None,
            revocation_time=None if is_good else subject.parsed.not_valid_before_utc,
            revocation_reason=None,
        )
        .responder_id(ocsp.OCSPResponderEncoding.NAME, issuer.parsed)
        .sign(key, hashes.SHA256())
    )
    encoding = serialization.Encoding.DER
    (own / "secc" / "ocsp.der").write_bytes(response.public_bytes(encoding))


def test_good_and_fresh_ocsp_response_is_fine(own: Path) -> None:
    with_ocsp(own, "secc", ocsp.OCSPCertStatus.GOOD)
    assert ran("pki", "check", own).code == 0


@pytest.mark.parametrize(
    ("subject", "status", "told"),
    [
        ("cps", ocsp.OCSPCertStatus.GOOD, "secc/ocsp.der: not about DE*PHT*E000001"),
        ("secc", ocsp.OCSPCertStatus.REVOKED, "secc/ocsp.der: it says REVOKED"),
    ],
)
def test_ocsp_response_that_does_not_help_is_told(
    own: Path, subject: str, status: ocsp.OCSPCertStatus, told: str
) -> None:
    with_ocsp(own, subject, status)
    (found,) = problems(own)
    assert found.startswith(told)


def test_old_ocsp_response_is_told(own: Path) -> None:
    with_ocsp(own, "secc", ocsp.OCSPCertStatus.GOOD)
    (leaf, *_) = read_certificates(own / "secc" / "chain.pem")
    day = leaf.parsed.not_valid_after_utc.date().isoformat()
    (found, *_) = [line for line in problems(own, "--on", day) if "ocsp" in line]
    assert found.startswith("secc/ocsp.der: stale since ")
    assert found.endswith(" UTC. Fetch it again, once a week")


def test_ocsp_response_is_made_renewed_and_shown(own: Path) -> None:
    assert "ocsp.der" not in ran("pki", "show", own).out
    path = own / "secc" / "ocsp.der"
    for mask in (0o022, 0o077):  # the station's user shall read it whoever renews it
        before = os.umask(mask)
        made = ran("pki", "ocsp", own)
        os.umask(before)
        assert made.code == 0
        assert made.out.startswith(f"{path}: DE*PHT*E000001 is good until 2")
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.glob(".*")) == []
    assert ran("pki", "check", own).code == 0
    assert "\nsecc/ocsp.der: good, from 2" in ran("pki", "show", own).out
    (leaf, *_) = read_certificates(own / "secc" / "chain.pem")
    day = leaf.parsed.not_valid_after_utc.date().isoformat()
    assert "\nsecc/ocsp.der: stale since 2" in ran("pki", "show", own, "--on", day).out


def test_ocsp_response_needs_the_key_of_the_issuer(own: Path) -> None:
    shutil.rmtree(own / "ca")
    refused = ran("pki", "ocsp", own)
    assert refused.code == 2
    told = f"{own}/ca: who has issued DE*PHT*E000001 is not here with its key."
    assert told in refused.err
    assert "Traceback" not in ran("pki", "ocsp", own / "secc").err


def test_further_chains_have_ocsp_responses_too(own: Path) -> None:
    shutil.copytree(own / "secc", own / "secc-b")
    ran("pki", "ocsp", own)
    assert (own / "secc-b" / "ocsp.der").exists()
    (own / "secc-b" / "ocsp.der").write_bytes(b"garbage")
    (found,) = problems(own)
    assert found.startswith("secc-b/ocsp.der: no OCSP response for the leaf")
    assert "\nsecc-b/ocsp.der: no OCSP response" in ran("pki", "show", own).out


def test_check_notes_that_the_library_that_sends_it_is_missing(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def version(name: str) -> str:
        if name == library.STAPLES.name:
            raise PackageNotFoundError(name)
        return "50.0"

    ran("pki", "ocsp", own)
    monkeypatch.setattr(library, "version", version)
    checked = ran("pki", "check", own)
    assert checked.code == 0
    assert "note: " in checked.out
    assert "pip install 'pilothat[ocsp]'" in checked.out


def test_key_on_another_curve_is_not_taken(tmp_path: Path) -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    path = tmp_path / "key.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(ConfigError, match="secp256r1"):
        read_key(path)


@pytest.mark.parametrize(("found", "told"), [("", "none is"), ("38.0.4", "38.0.4 is")])
def test_library_that_is_missing_or_too_old_is_told_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, found: str, told: str
) -> None:
    def version(name: str) -> str:
        if not found:
            raise PackageNotFoundError(name)
        return found

    monkeypatch.setattr(library, "version", version)
    refused = ran("pki", "show", tmp_path)
    assert refused.code == 2
    assert f"cryptography 43 or newer, {told} installed" in refused.err
    assert "pip install 'pilothat[pnc]'" in refused.err
    with pytest.raises(ConfigError, match="cryptography 43"):
        folder_of(tmp_path, "--pki", "--tls")


def test_library_has_the_floor_of_the_package() -> None:
    setup = (Path(__file__).parents[3] / "setup.cfg").read_text()
    for one in (library.CERTIFICATES, library.STAPLES):
        assert f"{one.name}>={one.least}\n" in setup
