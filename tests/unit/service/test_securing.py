"""TLS in the settings: what it needs is looked at before anything is switched on."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest
from tests.unit.service.console import ran

from pilothat.errors import ConfigError
from pilothat.pnc.authority import make_pki
from pilothat.runtime.pkifiles import files_of, write_new
from pilothat.service import config
from pilothat.service.securing import tls_of
from pilothat.twin.chance import Chance


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("pki")
    write_new(made, files_of(make_pki(time.time(), Chance(1, "folder"))))
    return made


def settings(**v2g: object) -> config.Settings:
    lines = [f'{key} = "{value}"' for key, value in v2g.items()]
    text = '[station]\ninterface = "eth1"\n[v2g]\n' + "\n".join(lines)
    return config.check(text, "station.toml")


def complaint(**v2g: object) -> str:
    with pytest.raises(ConfigError) as caught:
        tls_of(settings(**v2g))
    return str(caught.value)


def test_without_the_wish_nothing_is_read() -> None:
    assert tls_of(settings(pki="/nowhere")) is None


def test_offered_and_required_differ_in_the_plain_door(folder: Path) -> None:
    offered, required = (
        tls_of(settings(tls=tls, pki=folder)) for tls in ("offered", "required")
    )
    assert offered is not None
    assert required is not None
    assert (offered.is_required, required.is_required) == (False, True)


def test_missing_folder_and_file_are_told_with_key_and_remedy(tmp_path: Path) -> None:
    told = complaint(tls="offered")
    assert "v2g.pki" in told
    assert 'v2g.tls = "offered"' in told
    assert "pilothat pki make" in told
    told = complaint(tls="required", pki=tmp_path)
    assert f"{tmp_path}/secc/chain.pem: v2g.pki: no such file" in told


def test_key_log_is_told_loudly_and_where_it_cannot_be_by_its_key(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys = tmp_path / "keys.log"
    tls_of(settings(tls="offered", pki=folder, keylog=keys))
    assert f"v2g.keylog={keys}: whoever has this file" in caplog.text
    told = complaint(tls="offered", pki=folder, keylog=tmp_path / "no" / "keys.log")
    assert "v2g.keylog: " in told


def test_bad_ocsp_response_is_told_once_and_the_station_starts(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    own = shutil.copytree(folder, tmp_path / "pki")
    (own / "secc" / "ocsp.der").write_bytes(b"garbage")
    assert tls_of(settings(tls="offered", pki=own)) is not None
    (line,) = caplog.messages
    assert line.startswith(f"no OCSP response is sent: {own}/secc/ocsp.der: ")


def test_check_finds_it_too(tmp_path: Path) -> None:
    path = tmp_path / "station.toml"
    path.write_text('[station]\ninterface = "eth1"\n[v2g]\ntls = "offered"\n')
    result = ran("run", "--check", "--config", str(path))
    assert result.code == 2
    assert "v2g.pki" in result.err
