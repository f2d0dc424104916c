"""scripts/image on a stand-in for Raspberry Pi OS: only its FAT partition is edited."""

from __future__ import annotations

import lzma
import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = {"mcopy": "mtools", "mkfs.vfat": "dosfstools", "sfdisk": "fdisk"}
SBIN = "/usr/sbin:/sbin"
SECTOR, START, FAT_SECTORS, SIZE = 512, 16384, 80_000, 100_000
CMDLINE = "console=serial0,115200 console=tty1 root=PARTUUID=1-02 rootwait"
IMAGERS = (
    " systemd.run=/boot/firstrun.sh systemd.run_success_action=reboot "
    "systemd.unit=kernel-command-line.target"
)
RUN = "systemd.run=/boot/firmware/pilothat/first-boot"


def tool(*command: str, given: str = "") -> str:
    """Run a tool of the system; skips by name what is not there."""
    path = os.environ["PATH"] + ":" + SBIN
    if shutil.which(command[0], path=path) is None:
        package = TOOLS.get(command[0], "mtools")
        pytest.skip(f"no {command[0]}: sudo apt install {package}")
    done = subprocess.run(
        command,
        input=given,
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"PATH": path},
    )
    return done.stdout


class StandIn:
    """An image like the real one's: a table, FAT, something behind."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "raspios.img"
        with self.path.open("wb") as file:
            file.truncate(SIZE * SECTOR)
        table = (
            f"label: dos\nstart={START}, size={FAT_SECTORS}, type=c\n"
            f"start={START + FAT_SECTORS}, type=83\n"
        )
        tool("sfdisk", "-q", str(self.path), given=table)
        fat = folder / "fat"
        with fat.open("wb") as file:
            file.truncate(FAT_SECTORS * SECTOR)
        tool("mkfs.vfat", "-F", "32", "-n", "BOOTFS", str(fat))
        with self.path.open("r+b") as file:
            file.seek(START * SECTOR)
            file.write(fat.read_bytes())
            file.write(b"root file system")
        self.put("config.txt", "dtparam=audio=on\n")
        self.put("cmdline.txt", CMDLINE + "\n")

    @property
    def at(self) -> str:
        return f"{self.path}@@{START * SECTOR}"

    def put(self, name: str, text: str) -> None:
        file = self.path.with_name("put")
        file.write_text(text)
        tool("mcopy", "-o", "-i", self.at, str(file), f"::{name}")


def read(image: Path, name: str) -> str:
    return tool("mtype", "-i", f"{image}@@{START * SECTOR}", f"::{name}")


def names(image: Path) -> set[str]:
    listed = tool("mdir", "-b", "-/", "-i", f"{image}@@{START * SECTOR}", "::")
    return {line.removeprefix("::/") for line in listed.splitlines()}


@pytest.fixture
def base(tmp_path: Path) -> StandIn:
    return StandIn(tmp_path)


@pytest.fixture
def wheelhouse(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / "pilothat-1-py3-none-any.whl").write_bytes(b"wheel")
    (folder / "install").write_text("true\n")
    return folder


def image(base: Path, wheelhouse: Path, *more: str) -> subprocess.CompletedProcess[str]:
    out = base.parent / "out.img"
    command = ("scripts/image", str(base), "--out", str(out), *more)
    return subprocess.run(
        (*command, "--wheelhouse", str(wheelhouse)),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def made(base: Path, wheelhouse: Path, *more: str) -> Path:
    done = image(base, wheelhouse, *more)
    assert done.returncode == 0, done.stderr
    return base.parent / "out.img"


def test_bookworm_starts_ours_once_and_reboots(base: StandIn, wheelhouse: Path) -> None:
    before = base.path.read_bytes()
    out = made(base.path, wheelhouse)
    words = read(out, "cmdline.txt").split()
    assert words[: len(CMDLINE.split())] == CMDLINE.split()
    assert words[len(CMDLINE.split()) :] == [
        RUN,
        "systemd.run_success_action=reboot",
        "systemd.unit=kernel-command-line.target",
    ]
    assert {
        "pilothat.toml",
        "pilothat/first-boot",
        "pilothat/wheelhouse/pilothat-1-py3-none-any.whl",
    } <= names(out)
    assert read(out, "config.txt") == "dtparam=audio=on\n"
    assert base.path.read_bytes() == before
    after, end = out.read_bytes(), (START + FAT_SECTORS) * SECTOR
    assert after[: START * SECTOR] == before[: START * SECTOR]
    assert after[end:] == before[end:]


def test_an_imager_s_start_stays_behind_ours(base: StandIn, wheelhouse: Path) -> None:
    base.put("cmdline.txt", CMDLINE + IMAGERS + "\n")
    told = read(made(base.path, wheelhouse), "cmdline.txt")
    assert told == f"{CMDLINE} {RUN}{IMAGERS}\n"


def test_trixie_gets_vendor_data_and_user_data_stays(
    base: StandIn, wheelhouse: Path
) -> None:
    base.put("user-data", "#cloud-config\nruncmd: [theirs]\n")
    out = made(base.path, wheelhouse)
    assert read(out, "user-data") == "#cloud-config\nruncmd: [theirs]\n"
    assert read(out, "cmdline.txt") == CMDLINE + "\n"
    assert read(out, "vendor-data").startswith("#!/bin/sh\n")


def test_again_over_its_own_image_changes_nothing(
    base: StandIn, wheelhouse: Path
) -> None:
    first = made(base.path, wheelhouse).rename(base.path.with_name("first.img"))
    lines = read(first, "cmdline.txt"), names(first)
    again = made(first, wheelhouse)
    assert (read(again, "cmdline.txt"), names(again)) == lines


def test_packed_base_and_own_settings(
    base: StandIn, wheelhouse: Path, tmp_path: Path
) -> None:
    packed = tmp_path / "raspios.img.xz"
    packed.write_bytes(lzma.compress(base.path.read_bytes(), preset=0))
    mine = tmp_path / "mine.toml"
    mine.write_text('[machine]\nhost_name = "garage"\n')
    out = made(packed, wheelhouse, "--settings", str(mine))
    assert read(out, "pilothat.toml") == mine.read_text()
    assert out.stat().st_size == SIZE * SECTOR


def test_packages_instead_of_wheels(
    base: StandIn, wheelhouse: Path, tmp_path: Path
) -> None:
    debs = tmp_path / "debs"
    debs.mkdir()
    done = image(base.path, wheelhouse, "--debs", str(debs))
    assert "scripts/deb makes it" in done.stderr
    for name in ("pilothat_1_all.deb", "python3-serial_1_all.deb"):
        (debs / name).write_bytes(b"deb")
    there = names(made(base.path, wheelhouse, "--debs", str(debs)))
    assert "pilothat/python3-serial_1_all.deb" in there
    assert not any("whl" in name for name in there)


def test_settings_that_lie_there_stay(base: StandIn, wheelhouse: Path) -> None:
    base.put("pilothat.toml", "[machine]\n")
    assert read(made(base.path, wheelhouse), "pilothat.toml") == "[machine]\n"


@pytest.mark.parametrize("kind", ["no table", "no FAT", "cut", "no cmdline", "vendor"])
def test_what_is_no_image_is_refused_and_nothing_is_left(
    base: StandIn, wheelhouse: Path, kind: str
) -> None:
    data = bytearray(base.path.read_bytes())
    match kind:
        case "no table":
            base.path.write_bytes(bytes(SIZE))
        case "no FAT":
            data[446 + 4] = 0x83
            base.path.write_bytes(data)
        case "cut":
            base.path.write_bytes(data[:100])
        case "no cmdline":
            tool("mdel", "-i", base.at, "::cmdline.txt")
        case "vendor":
            base.put("user-data", "")
            base.put("vendor-data", "#cloud-config\n")
    done = image(base.path, wheelhouse)
    assert done.returncode == 1
    assert done.stderr.startswith("scripts/image: ")
    assert [*base.path.parent.glob("out.img*")] == []


def test_without_wheels_the_remedy_is_told(base: StandIn, tmp_path: Path) -> None:
    done = image(base.path, tmp_path)
    assert "scripts/wheelhouse" in done.stderr
