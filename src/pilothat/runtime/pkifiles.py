"""The folder with keys and certificates: where what stands, read and written.

    secc/chain.pem  key.pem  [ocsp.der]   the station: leaf, CPO Sub-CA 2, CPO Sub-CA 1
    secc-*/...                            the same below further V2G roots
    trust/v2g*.pem  mo*.pem  oem*.pem     roots, and CAs that cars need not send
    trust/revoked.txt                     SHA-256 fingerprints, one a line
    ev/chain.pem  key.pem                 a car: its contract
    ev/oem_chain.pem  oem_key.pem         a car: its OEM provisioning certificate
    ev/v2g_root.pem                       a car: the root it trusts in TLS
    cps/chain.pem  key.pem                signs new contracts
    mo/chain.pem  key.pem                 signs tariffs (MO Sub-CA 2)
    ca/NAME.pem  NAME_key.pem             the other CAs of a test PKI

A file *.pem holds one certificate or several, a chain from the leaf upwards without its
root. Keys are not encrypted, because a station starts alone; their owner only may read
them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from pilothat.errors import ConfigError, PilotHatError
from pilothat.frozen import dataclass
from pilothat.pnc.authority import CHAINS, Identity
from pilothat.pnc.certificate import (
    CURVE,
    Certificate,
    Credential,
    MalformedError,
    parse,
    parse_pem,
)
from pilothat.pnc.chain import Trust
from pilothat.pnc.roles import Anchor

CHAIN, KEY, OCSP = "chain.pem", "key.pem", "ocsp.der"
MAKE = "Make a test PKI: pilothat pki make FOLDER"
SEE = "See docs/pki.md"
SECRET_MODE, PUBLIC_MODE = 0o600, 0o644
SECRET_FOLDER_MODE = 0o700
CERTIFICATES = (".pem", ".crt", ".cer", ".der")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a chain and its key stand in the folder."""

    folder: str
    chain: str = CHAIN
    key: str = KEY

    def chain_path(self, folder: Path) -> Path:
        return folder / self.folder / self.chain

    def key_path(self, folder: Path) -> Path:
        return folder / self.folder / self.key

    def ocsp_path(self, folder: Path) -> Path:
        return folder / self.folder / OCSP


SECC = Place("secc")
CPS = Place("cps")
MO = Place("mo")
EV_CONTRACT = Place("ev")
EV_OEM = Place("ev", "oem_chain.pem", "oem_key.pem")
EV_V2G_ROOT = Path("ev", "v2g_root.pem")
PLACES: Mapping[str, Place] = {  # name of a chain of the test PKI -> where it goes
    "secc": SECC,
    "cps": CPS,
    "contract": EV_CONTRACT,
    "oem": EV_OEM,
    "mo": MO,
}
ROOTS: Mapping[str, str] = {  # name of a root -> where cars and station look for it
    "v2g_root": "trust/v2g_root.pem",
    "mo_root": "trust/mo_root.pem",
    "oem_root": "trust/oem_root.pem",
}


def secc_places(folder: Path) -> tuple[Place, ...]:
    """Return where the chains of a station stand, the main one first."""
    others = sorted(path.parent.name for path in folder.glob(f"secc-*/{CHAIN}"))
    return (SECC, *[Place(name) for name in others])


def read_credential(folder: Path, place: Place) -> Credential:
    """Read a chain and its key; ConfigError if either is missing or they do not fit."""
    chain = read_certificates(place.chain_path(folder))
    key = read_key(place.key_path(folder))
    if chain[0].public_key != key.public_key():
        raise ConfigError(
            f"this key does not belong to {chain[0].name}",
            where=str(place.key_path(folder)),
            remedy=f"Put the leaf first in {place.chain_path(folder)}, or its own key",
        )
    return Credential(chain, key)


def read_certificates(path: Path) -> tuple[Certificate, ...]:
    """Read the certificates of a PEM or DER file. Raises ConfigError."""
    octets = _octets(path)
    try:
        if octets.lstrip().startswith(b"-----"):
            return parse_pem(octets)
        return (parse(octets, limit=len(octets)),)
    except MalformedError as error:
        raise ConfigError(error.what, where=str(path), remedy=SEE) from None


def read_key(path: Path) -> ec.EllipticCurvePrivateKey:
    """Read a private key on secp256r1, PEM without password. Raises ConfigError."""
    octets = _octets(path)
    try:
        key = load_pem_private_key(octets, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        remedy = "It must be PEM without password: openssl pkey -in OLD -out NEW"
        raise ConfigError(f"{error}", where=str(path), remedy=remedy) from None
    match key:
        case ec.EllipticCurvePrivateKey(curve=curve) if curve.name == CURVE.name:
            return key
    raise ConfigError(f"not a key on {CURVE.name}", where=str(path), remedy=SEE)


def read_issuer(folder: Path, leaf: Certificate) -> Identity:
    """Return the CA of a test PKI that has issued a leaf. Raises ConfigError."""
    for path in sorted((folder / "ca").glob("*.pem")):
        if is_key(path):
            continue
        (found, *_) = read_certificates(path)
        if leaf.is_issued_by(found):
            return Identity(found, read_key(path.with_name(f"{path.stem}_{KEY}")))
    raise ConfigError(
        f"who has issued {leaf.name} is not here with its key",
        where=str(folder / "ca"),
        remedy="Ask who issued it",
    )


def read_trust(folder: Path) -> Trust:
    """Read what is trusted; what is not there is not trusted. Raises ConfigError."""
    roots: list[tuple[Anchor, Certificate]] = []
    known: list[Certificate] = []
    for anchor in Anchor:
        for path in sorted((folder / "trust").glob(f"{anchor.value}*.pem")):
            found = read_certificates(path)
            roots += [(anchor, one) for one in found if one.is_self_issued]
            known += [one for one in found if not one.is_self_issued]
    return Trust(tuple(roots), tuple(known), _revoked(folder / "trust" / "revoked.txt"))


def _revoked(path: Path) -> frozenset[bytes]:
    if not path.exists():
        return frozenset()
    lines = [line.partition("#")[0].strip() for line in path.read_text().splitlines()]
    try:
        return frozenset(bytes.fromhex(line.replace(":", "")) for line in lines if line)
    except ValueError as error:
        remedy = "One SHA-256 fingerprint in hex a line, as pilothat pki show tells it"
        raise ConfigError(f"{error}", where=str(path), remedy=remedy) from None


def _octets(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise ConfigError("no such file", where=str(path), remedy=MAKE) from None
    except OSError as error:
        told = error.strerror or "cannot be read"
        raise ConfigError(told, where=str(path), remedy="Run as its owner") from None


def files_of(pki: Mapping[str, Identity]) -> dict[str, bytes]:
    """Return the files of a test PKI: path below the folder -> content."""
    chains = {**CHAINS, "mo": ("mo_sub2", "mo_sub1")}
    files = {
        target: pem(pki[name].certificate)
        for name, target in (*ROOTS.items(), ("v2g_root", str(EV_V2G_ROOT)))
    }
    for name, place in PLACES.items():
        chain = [pki[one].certificate for one in chains[name]]
        files[f"{place.folder}/{place.chain}"] = pem(*chain)
        files[f"{place.folder}/{place.key}"] = key_pem(pki[chains[name][0]].key)
    subs = [pki[name].certificate for name in chains["oem"][1:]]
    files["trust/oem_subs.pem"] = pem(*subs)  # cars send their leaf alone
    placed = {chain[0] for chain in chains.values()}
    for name, identity in pki.items():
        if name not in placed:
            files[f"ca/{name}.pem"] = pem(identity.certificate)
            files[f"ca/{name}_key.pem"] = key_pem(identity.key)
    return files


def write_new(folder: Path, files: Mapping[str, bytes]) -> None:
    """Write files of which none may exist yet, keys for their owner's eyes only.

    Nothing is written if one of them exists. Raises PilotHatError.
    """
    there = [name for name in files if (folder / name).exists()]
    if there:
        raise PilotHatError(
            f"{there[0]} exists and is never overwritten",
            where=str(folder),
            remedy="Choose another folder, or move this one away",
        )
    try:
        for name, content in files.items():
            _write(folder / name, content)
    except OSError as error:
        where = error.filename or str(folder)
        raise PilotHatError(error.strerror or "cannot write", where=where) from None


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(mode=SECRET_FOLDER_MODE, parents=True, exist_ok=True)
    mode = SECRET_MODE if is_key(path) else PUBLIC_MODE
    with os.fdopen(
        os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb"
    ) as f:
        f.write(content)


def write_over(path: Path, content: bytes) -> None:
    """Write a public file in one piece: who reads it meanwhile has the old one.

    Raises PilotHatError.
    """
    fresh = path.with_name(f".{path.name}.new")
    try:
        fresh.write_bytes(content)
        fresh.chmod(PUBLIC_MODE)
        fresh.replace(path)
    except OSError as error:
        told = error.strerror or "cannot write"
        raise PilotHatError(told, where=str(path)) from None


def is_key(path: Path) -> bool:
    """Tell by its name whether a file is a private key."""
    return path.name.endswith(KEY)


def pem(*certificates: Certificate) -> bytes:
    """Return certificates as PEM."""
    return b"".join([one.parsed.public_bytes(Encoding.PEM) for one in certificates])


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return a private key as PEM, not encrypted."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
