"""The first boot of a flashed card, both ways, in a container without a network."""

from __future__ import annotations

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from tests.system.machine import PLAIN, Tree
from tests.system.test_install import small
from tests.unit.test_image import CMDLINE, IMAGERS, StandIn, made, read, tool

pytestmark = pytest.mark.system
REBOOT = 133  # what systemd-nspawn ends with when its machine restarts
LIMIT_S = 240
MINE = """\
[machine]
host_name = "garage"
user = "pilot"
ssh_key = "ssh-ed25519 AAAA somebody"
wifi_name = " shed"
wifi_password = "very secret"

[station]
interface = "plc0"
evse_id_iso = "DE*ABC*E123456"

[limits]
max_a = 50.0
"""
CLOUD = """\
datasource_list: [NoCloud]
datasource:
  NoCloud:
    seedfrom: /boot/firmware/
"""


def flashed(
    tree: Tree, base: StandIn, wheels: Path, *more: str, settings: str = MINE
) -> Path:
    """Make an image of the base, and put its FAT partition into a machine."""
    mine = base.path.with_name("mine.toml")
    mine.write_text(settings)
    out = made(base.path, wheels, "--settings", str(mine), *more)
    card = tree.path / "boot/firmware"
    card.mkdir(parents=True, exist_ok=True)
    at = base.at.replace(str(base.path), str(out))
    tool("mcopy", "-s", "-n", "-i", at, "::*", str(card))
    for file in card.rglob("*"):
        file.chmod(0o755)  # as a FAT is mounted
    return out


def booted(tree: Tree, *words: str) -> int:
    """Boot a machine until it restarts or powers off; return how it ended."""
    command = (
        *("systemd-nspawn", "-q", "-D", str(tree.path), "--register=no"),
        *("--keep-unit", "--private-network", "--console=pipe", "-b", *words),
    )
    log = tree.path.with_suffix(".console")
    with log.open("wb") as console:
        return subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            env=PLAIN,
            check=False,
            timeout=LIMIT_S,
        ).returncode


def all_is_done(tree: Tree) -> None:
    root, card = tree.path, tree.path / "boot/firmware"
    log = (card / "pilothat/first-boot.log").read_text()
    assert "FAIL" not in log, log
    assert log.count("PASS") == 7
    assert (root / "etc/hostname").read_text() == "garage\n"
    keys = root / "home/pilot/.ssh/authorized_keys"
    assert keys.read_text() == "ssh-ed25519 AAAA somebody\n"
    assert keys.stat().st_mode & 0o777 == 0o600
    assert keys.stat().st_uid == (root / "home/pilot").stat().st_uid != 0
    shed = "etc/NetworkManager/system-connections/pilothat-wifi.nmconnection"
    assert "ssid=\\sshed\n" in (root / shed).read_text()
    assert (root / shed).stat().st_mode & 0o777 == 0o600
    settings = tomllib.loads((root / "etc/pilothat/pilothat.toml").read_text())
    assert settings["station"]["interface"] == "plc0"
    assert settings["station"]["evse_id_iso"] == "DE*ABC*E123456"
    assert settings["station"]["records"] == "/var/lib/pilothat/records"
    assert settings["limits"]["max_a"] == 50.0
    assert (root / "etc/udev/rules.d/85-pilothat-plc.rules").exists()
    wants = root / "etc/systemd/system/multi-user.target.wants"
    assert (wants / "pilothatd.service").is_symlink()
    assert "very secret" not in (card / "pilothat.toml").read_text()


def test_bookworm_by_systemd_run_before_the_imager_s_own(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wheelhouse: Path,
) -> None:
    tree = small("bookworm", tmp_path, monkeypatch)
    base = StandIn(tmp_path)
    base.put("cmdline.txt", CMDLINE + IMAGERS + "\n")
    out = flashed(tree, base, wheelhouse)
    tree.write("boot/firstrun.sh", "#!/bin/sh\ncp /etc/hostname /theirs\n")
    (tree.path / "boot/firstrun.sh").chmod(0o755)
    words = read(out, "cmdline.txt").split()
    given = [word for word in words if word.startswith("systemd.")]
    assert booted(tree, *given) == REBOOT
    all_is_done(tree)
    assert (tree.path / "theirs").read_text() == "garage\n"
    left = (tree.path / "boot/firmware/cmdline.txt").read_text()
    assert left == CMDLINE + IMAGERS + "\n"  # the imager's script takes its own away


def test_trixie_by_cloud_init_beside_user_data(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wheelhouse: Path,
) -> None:
    tree = small("trixie", tmp_path, monkeypatch)
    base = StandIn(tmp_path)
    base.put("user-data", "#cloud-config\nruncmd:\n- [touch, /theirs]\n")
    base.put("meta-data", "instance-id: one\n")
    base.put("network-config", "version: 2\n")
    flashed(tree, base, wheelhouse)
    tree.write("etc/cloud/cloud.cfg.d/99-card.cfg", CLOUD)
    tree.write("etc/cloud/ds-identify.cfg", "policy: enabled\n")
    assert booted(tree) == REBOOT
    all_is_done(tree)
    assert (tree.path / "theirs").exists()
    left = (tree.path / "boot/firmware/cmdline.txt").read_text()
    assert left == CMDLINE + "\n"


def test_packages_on_the_card_instead_of_wheels(deb: Path, tmp_path: Path) -> None:
    tree = Tree.unpacked("bookworm", tmp_path / "bookworm")
    debs = tmp_path / "debs"
    debs.mkdir()
    shutil.copy(deb, debs)
    flashed(tree, StandIn(tmp_path), tmp_path, "--debs", str(debs))
    done = tree.run("/boot/firmware/pilothat/first-boot")
    assert done.returncode == 0
    all_is_done(tree)
    assert (tree.path / "usr/bin/pilothat").exists()


def test_a_card_with_mistakes_is_told_and_the_rest_is_done(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    wheelhouse: Path,
) -> None:
    tree = small("bookworm", tmp_path, monkeypatch)
    wrong = MINE.replace('"garage"', '"two words"').replace(
        "max_a = 50.0", "max_a = -1"
    )
    flashed(tree, StandIn(tmp_path), wheelhouse, settings=wrong)
    done = tree.run("/boot/firmware/pilothat/first-boot")
    assert done.returncode == 0
    log = (tree.path / "boot/firmware/pilothat/first-boot.log").read_text()
    assert "machine.host_name: 'two words' does not fit" in log
    assert "limits.max_a" in log
    failed = [line for line in log.splitlines() if line.startswith("FAIL")]
    assert failed == ["FAIL  host name", "FAIL  settings"]
    assert "max_a = 125.0" in (tree.path / "etc/pilothat/pilothat.toml").read_text()
    again = (tree.path / "boot/firmware/pilothat/first-boot.log").stat().st_size
    tree.run("/boot/firmware/pilothat/first-boot")
    after = (tree.path / "boot/firmware/pilothat/first-boot.log").stat().st_size
    assert after == again
