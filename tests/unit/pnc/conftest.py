"""One folder with a whole PKI for all tests of this directory."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from pilothat.pnc.authority import make_pki
from pilothat.runtime.pkifiles import files_of, write_new
from pilothat.twin.chance import Chance


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fresh folder as ``pilothat pki make`` makes it; do not change it.

    OpenSSL looks at the real clock, so this PKI is of today.
    """
    made = tmp_path_factory.mktemp("pki")
    write_new(made, files_of(make_pki(time.time(), Chance(9, "folder"))))
    return made


@pytest.fixture(scope="session")
def foreign_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of another PKI."""
    made = tmp_path_factory.mktemp("foreign")
    write_new(made, files_of(make_pki(time.time(), Chance(10, "folder"))))
    return made
