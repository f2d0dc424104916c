"""scripts/install in a Debian without a network: from nothing to a service and back."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.system import machine
from tests.system.machine import RELEASES, ROOT, Tree

pytestmark = pytest.mark.system
SETTINGS = "etc/pilothat/pilothat.toml"
UNIT = "etc/systemd/system/pilothatd.service"
BACKUPS = ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "etc/.pwd.lock")
EXTRA = {"bookworm": ("python3-venv",), "trixie": ("python3-venv", "cloud-init")}
OF_DPKG = ("var/lib/dpkg/", "var/lib/systemd/deb-systemd-helper-")
OF_THE_SYSTEM = ("var/log/", "var/cache/", "var/tmp/", "root/", "run/", "tmp/")


def small(release: str, path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Return a machine as the system's image has it: more than the package needs."""
    monkeypatch.setattr(machine, "INCLUDED", (*machine.INCLUDED, *EXTRA[release]))
    return Tree.unpacked(release, path / release)


@pytest.fixture(params=RELEASES)
def bare(
    request: pytest.FixtureRequest,
    wheelhouse: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Tree:
    """Return a machine with the wheelhouse copied to it."""
    tree = small(request.param, tmp_path, monkeypatch)
    shutil.copytree(wheelhouse, tree.path / "wheelhouse")
    return tree


bookworm = pytest.mark.parametrize("bare", ["bookworm"], indirect=True)


def files(tree: Tree) -> Mapping[str, str]:
    """Return every file of a machine with what is in it, but for logs and caches."""
    found = {}
    for path in tree.path.rglob("*"):
        name = str(path.relative_to(tree.path))
        if name.startswith(OF_THE_SYSTEM) or name in BACKUPS:
            continue
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            found[name] = "folder"
        elif path.is_file():
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def install(tree: Tree, *arguments: str) -> subprocess.CompletedProcess[str]:
    return tree.run("/wheelhouse/install", *arguments)


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_installed_offline_it_charges_and_removed_leaves_nothing(bare: Tree) -> None:
    good(bare.run("true"))  # what a first start makes is not ours
    before = files(bare)
    told = good(install(bare, "--dry-run"))
    assert "+ groupadd --system gpio" in told
    assert files(bare) == before

    good(install(bare))
    assert "pilothat 0" in good(bare.run("pilothat", "--version"))
    charge = good(bare.run("pilothat", "demo", "--speed", "0"))
    assert "charging" in charge
    unit = (bare.path / UNIT).read_text()
    assert "ExecStart=/opt/pilothat/venv/bin/pilothat run" in unit
    assert "/usr/bin/pilothat" not in unit
    assert (bare.path / "opt/pilothat/pwm-setup").stat().st_mode & 0o111
    wants = bare.path / "etc/systemd/system/multi-user.target.wants/pilothatd.service"
    assert wants.is_symlink()
    good(bare.run("systemd-analyze", "verify", "--man=no", f"/{UNIT}"))

    (bare.path / SETTINGS).write_text('[station]\ninterface = "plc7"\n')
    good(install(bare))
    assert "plc7" in (bare.path / SETTINGS).read_text()
    good(bare.run("pilothat", "setup"))
    assert "etc/udev/rules.d/85-pilothat-plc.rules" in files(bare)

    good(install(bare, "--remove"))
    assert files(bare) == before


@bookworm
def test_settings_and_records_are_kept_on_demand(bare: Tree) -> None:
    good(install(bare))
    bare.write("var/lib/pilothat/records/x", "a charge")
    good(install(bare, "--remove", "--keep"))
    there = files(bare)
    assert SETTINGS in there
    assert "var/lib/pilothat/records/x" in there
    assert "opt/pilothat" not in there
    assert UNIT not in there


@bookworm
def test_it_refuses_beside_the_package_and_what_is_not_its_own(bare: Tree) -> None:
    status = bare.path / "var/lib/dpkg/status"
    was = status.read_text()
    status.write_text(
        f"{was}\nPackage: pilothat\nStatus: install ok installed\nVersion: 1\n"
        "Maintainer: x <x@example.org>\nArchitecture: all\nDescription: x\n"
    )
    done = install(bare)
    assert done.returncode == 1
    assert "the package pilothat is installed" in done.stderr
    status.write_text(was)
    bare.write("usr/local/bin/pilothat", "theirs")
    done = install(bare)
    assert done.returncode == 1
    assert "not ours" in done.stderr
    assert "opt/pilothat" not in files(bare)
    assert install(bare, "--what").returncode == 2


def test_only_root_installs() -> None:
    command = ("setpriv", "--reuid=65534", "--clear-groups", "bash", "-s")
    script = (ROOT / "scripts" / "install").read_text()
    done = subprocess.run(
        command, input=script, capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode == 1
    assert "needs root" in done.stderr


def test_a_package_that_is_purged_undoes_its_setup(deb: Path, tmp_path: Path) -> None:
    tree = Tree.unpacked("bookworm", tmp_path / "bookworm")
    good(tree.run("true"))
    before = files(tree)
    tree.install(deb)
    good(tree.run("pilothat", "setup", "--interface", "plc0"))
    assert "etc/udev/rules.d/85-pilothat-plc.rules" in files(tree)
    good(tree.run("dpkg", "--purge", "pilothat"))
    after = {k: v for k, v in files(tree).items() if not k.startswith(OF_DPKG)}
    assert after == {k: v for k, v in before.items() if not k.startswith(OF_DPKG)}
