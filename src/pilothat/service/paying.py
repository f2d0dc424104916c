"""The contract of our car, from a folder of certificates. Needs ``cryptography``."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec

from pilothat.pnc.signature import sign
from pilothat.runtime.pkifiles import EV_CONTRACT, read_credential
from pilothat.v2g.evcc.contract import Contract, Signed
from pilothat.v2g.messages.iso2 import Signature


def contract_of(folder: Path) -> Contract:
    """Return the contract in ``ev/``. Raises ConfigError that names the file.

    The eMAID is the name its certificate has.
    """
    credential = read_credential(folder, EV_CONTRACT)
    signer = partial(_signed, credential.key)
    return Contract(credential.leaf.name, credential.ders, signer)


def _signed(key: ec.EllipticCurvePrivateKey, element: Signed) -> Signature:
    return sign((element,), key)
