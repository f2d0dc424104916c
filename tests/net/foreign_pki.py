"""The folder of ``pilothat pki make``, laid out as the package iso15118 wants its own.

It reads DER certificates of its own names, one a file; as PEM only what goes into its
TLS; and a file with the password beside each key, empty where there is none.
"""

from __future__ import annotations

from pathlib import Path

from pilothat.runtime.pkifiles import (
    CPS,
    EV_CONTRACT,
    EV_OEM,
    EV_V2G_ROOT,
    MO,
    SECC,
    Place,
    pem,
    read_certificates,
)

CERTIFICATES, KEYS = "iso15118_2/certs", "iso15118_2/private_keys"
CHAINS: tuple[tuple[Place, tuple[str, str, str]], ...] = (
    (SECC, ("seccLeaf", "cpoSubCA2", "cpoSubCA1")),
    (EV_CONTRACT, ("contractLeaf", "moSubCA2", "moSubCA1")),
    (EV_OEM, ("oemLeaf", "oemSubCA2", "oemSubCA1")),
    (CPS, ("cpsLeaf", "cpsSubCA2", "cpsSubCA1")),
)
ROOTS = (
    (EV_V2G_ROOT, "v2gRootCA"),
    (Path("trust/mo_root.pem"), "moRootCA"),
    (Path("trust/oem_root.pem"), "oemRootCA"),
)
TLS_CHAIN = "cpoCertChain.pem"


def laid_out(ours: Path, target: Path, *, contract: Path | None = None) -> Path:
    """Write a folder for PKI_PATH and return it.

    contract: another of our folders, from which the contract is taken
    """
    certificates, keys = target / CERTIFICATES, target / KEYS
    for folder in (certificates, keys):
        folder.mkdir(parents=True)
    for place, names in CHAINS:
        source = contract if contract and place is EV_CONTRACT else ours
        chain = read_certificates(place.chain_path(source))
        for one, name in zip(chain, names, strict=True):
            (certificates / f"{name}Cert.der").write_bytes(one.der)
        _bring_key(place.key_path(source), keys, names[0], names[0])
    for path, name in ROOTS:
        (root,) = read_certificates(ours / path)
        (certificates / f"{name}Cert.der").write_bytes(root.der)
        (certificates / f"{name}Cert.pem").write_bytes(pem(root))
    _bring_key(MO.key_path(ours), keys, "moSubCA2", "moSubCA2Leaf")  # signs tariffs
    chain = read_certificates(SECC.chain_path(ours))
    (certificates / TLS_CHAIN).write_bytes(pem(*chain))
    return target


def _bring_key(path: Path, keys: Path, name: str, password: str) -> None:
    (keys / f"{name}.key").write_bytes(path.read_bytes())
    (keys / f"{password}Password.txt").touch()
