"""The package: what it does to a machine, and that it goes without a trace."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from tests.system.machine import RELEASES, ROOT, Tree

pytestmark = pytest.mark.system

MOST_BYTES = 1_500_000
SETTINGS = "/etc/pilothat/pilothat.toml"
# What changes by any installation of any package, and the reason.
NOT_OURS = (
    "var/lib/dpkg/",  # dpkg's own database: it remembers what was purged
    "var/log/",  # and its log
    "var/cache/",  # debconf's and the loader's, written anew by others' triggers
    "etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-",  # the tools' backups
    "etc/.pwd.lock",  # the tools' lock
    "root/",  # where the test lays the package
)  # fmt: skip

Listing = Mapping[str, tuple[int, int, int, str]]


@pytest.fixture(scope="module", params=RELEASES)
def bare(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Tree:
    """Return a machine of a release before there is a package."""
    path = tmp_path_factory.mktemp("package") / str(request.param)
    return Tree.unpacked(str(request.param), path)


@pytest.fixture(scope="module")
def before(bare: Tree) -> Listing:
    """Return what was there before the package."""
    return listed(bare.path)


@pytest.fixture(scope="module")
def tree(deb: Path, bare: Tree, before: Listing) -> Tree:
    """Return a machine with the package."""
    bare.install(deb)
    return bare


def test_lintian_has_nothing_to_say(deb: Path) -> None:
    command = ("lintian", "--fail-on=warning,error,info", "--allow-root", str(deb))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_package_is_small(deb: Path) -> None:
    assert deb.stat().st_size <= MOST_BYTES


def test_sandbox_of_the_service_is_tight() -> None:
    unit = ROOT / "packaging" / "systemd" / "pilothatd.service"
    command = ("systemd-analyze", "security", "--offline=yes", "--threshold=30")
    done = subprocess.run(
        (*command, str(unit)), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-300:] + done.stderr
    version = subprocess.run(
        ("systemctl", "--version"), capture_output=True, text=True, check=True
    ).stdout.split()[1]
    measured = done.stdout.split("service: ")[-1].split()[0]
    told = f"gives it {measured} of 10 (systemd {version};"
    if version == "252":
        assert told in (ROOT / "packaging" / "README.md").read_text()


def test_package_works_on_the_release(tree: Tree) -> None:
    assert "pilothat" in tree.run("pilothat", "--version").stdout
    checked = tree.run("pilothat", "run", "--check", "--config", SETTINGS)
    assert checked.returncode == 0, checked.stderr
    unit = tree.run("systemd-analyze", "verify", "--man=no", "pilothatd.service")
    assert (unit.returncode, unit.stdout + unit.stderr) == (0, "")
    enabled = tree.run("systemctl", "is-enabled", "pilothatd").stdout.strip()
    assert enabled == "enabled"
    groups = tree.run("getent", "group", "gpio", "spi", "dialout", "pilothat").stdout
    assert groups.count("\n") == 4
    package = tree.path / "usr/lib/python3/dist-packages/pilothat"
    assert {path.parent.parent for path in package.rglob("*.pyc")} >= {package}
    decoded = tree.run("pilothat", "decode", "809a02004080c1014181c211600040")
    assert "Traceback" not in decoded.stderr


def test_certificates_work_or_what_they_lack_is_told(tree: Tree) -> None:
    """Debian 12 has a library that is too old, and a station that starts without."""
    made = tree.run("pilothat", "pki", "make", "/root/pki")
    if tree.path.name == "bookworm":
        assert made.returncode == 2
        assert "cryptography 43 or newer, 38.0.4 is installed" in made.stderr
        assert made.stderr.count("\n") == 1
    else:
        assert made.returncode == 0, made.stderr


def test_changed_settings_outlive_an_upgrade(deb: Path, tree: Tree) -> None:
    path = tree.path / SETTINGS.lstrip("/")
    path.write_text(path.read_text().replace('"eth1"', '"plc0"'))
    tree.install(deb)
    assert '"plc0"' in path.read_text()


def test_purge_leaves_the_machine_as_it_was(tree: Tree, before: Listing) -> None:
    """The last test of a tree; the package has been used by those before."""
    tree.write("var/lib/pilothat/records/one.json", "{}")
    assert len(listed(tree.path)) > len(before) + 300
    removed = tree.run("dpkg", "--purge", "pilothat")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    after = listed(tree.path)
    every = before.keys() | after.keys()
    assert [name for name in sorted(every) if before.get(name) != after.get(name)] == []


def listed(root: Path) -> Listing:
    """Return every file of a tree: its mode, owner, group and what is in it."""
    found: dict[str, tuple[int, int, int, str]] = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            short = path.relative_to(root).as_posix()
            if not f"{short}/".startswith(NOT_OURS) and not short.startswith(NOT_OURS):
                about = path.lstat()
                found[short] = about.st_mode, about.st_uid, about.st_gid, _content(path)
    return found


def _content(path: Path) -> str:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode):
        return str(path.readlink())
    if stat.S_ISREG(mode):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return ""


def test_comparison_sees_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    before = listed(tmp_path)
    (tmp_path / "etc" / "left").write_text("x")
    assert listed(tmp_path) != before
    shutil.rmtree(tmp_path / "etc")
    assert listed(tmp_path) != before
