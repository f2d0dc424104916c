"""The overlay as shipped, merged into the device trees of every Pi that Debian knows.

Debian's trees lack names that Raspberry Pi's own have and overlays aim at; without them
nothing is merged, and that is told. ``firmware.dts`` gives them, as the firmware's do.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from dataclasses import asdict
from pathlib import Path
from string import Template

import pytest
from tests.system.machine import RELEASES, alone
from tests.system.machine import cached as release_archive
from tests.system.pi import HERE, cache, run

from pilothat.board.revision import revision
from pilothat.service.setupplan import OVERLAYS

pytestmark = pytest.mark.system

REV = revision()
DTB = re.compile(r".*/broadcom/(bcm2[78]\d\d-rpi-[\w-]+\.dtb)$")
OVERLAY = Path(str(OVERLAYS / f"{REV.board.overlay}.dtbo"))
GPIO, SPI = "/soc/gpio@7e200000", "/soc/spi@7e204000"
MODEM = f"{SPI}/ethernet@0"
# What each generation's board has, of those that can wear the HAT.
MODELS = {
    "bookworm": ("bcm2837-rpi-3-b", "bcm2837-rpi-zero-2-w", "bcm2711-rpi-4-b"),
    "trixie": ("bcm2837-rpi-3-b-plus", "bcm2711-rpi-4-b", "bcm2711-rpi-400"),
}
MERGED = (  # node, property, its kind, what it is then
    (SPI, "status", "s", "okay"),
    (f"{SPI}/spidev@0", "status", "s", "disabled"),
    (MODEM, "compatible", "s", "qca,qca7000"),
    (MODEM, "interrupts", "u", f"{REV.pins.plc_int} 1"),
    (MODEM, "spi-max-frequency", "u", "12000000"),
    (MODEM, "spi-cpha", "s", ""),
    (MODEM, "spi-cpol", "s", ""),
    (f"{GPIO}/plc_pins", "brcm,pins", "u", f"{REV.pins.plc_int}"),
    (f"{GPIO}/cp_pwm_pins", "brcm,pins", "u", f"{REV.pins.cp_pwm}"),
    ("/soc/pwm@7e20c000", "status", "s", "disabled"),  # till the firmware wakes it
)
POINTING = (
    (MODEM, "interrupt-parent", GPIO),
    (MODEM, "pinctrl-0", f"{GPIO}/plc_pins"),
)


def trees(release: str) -> Path:
    """Return a folder with the device trees of a release's kernel for arm64."""
    if missing := [one for one in ("dtc", "fdtoverlay") if not shutil.which(one)]:
        pytest.skip(f"needs {', '.join(missing)} (Debian: device-tree-compiler)")
    folder = cache() / f"arm64-trees-{release}"
    with alone(folder):
        if not folder.is_dir():
            part = folder.with_suffix(".part")
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
            _fetch(release, part)
            part.rename(folder)
    return folder


def _fetch(release: str, folder: Path) -> None:
    """Fetch the kernel from where the release's archive came from; keep its trees."""
    state = folder / "apt"
    (state / "lists" / "partial").mkdir(parents=True)
    (state / "status").touch()
    sources = state / "sources.list"
    with tarfile.open(release_archive(release)) as archive:
        found = archive.extractfile("./etc/apt/sources.list")
        assert found is not None
        sources.write_bytes(found.read())
    own = (
        f"Dir::State={state}", f"Dir::State::status={state}/status",
        f"Dir::Cache={state}", f"Dir::Etc::SourceList={sources}",
        "Dir::Etc::SourceParts=-", "APT::Architecture=arm64",
        "APT::Architectures=arm64", "Acquire::Languages=none",
        "Acquire::http::Timeout=20", "APT::Sandbox::User=",
    )  # fmt: skip
    options = [word for one in own for word in ("-o", one)]
    try:
        run("apt-get", *options, "update", "-qq")
        told = run("apt-cache", *options, "depends", "linux-image-arm64")
        name = told.split("Depends: ")[1].split()[0]
        command = ["apt-get", *options, "download", "-qq", name]
        subprocess.run(command, cwd=state, check=True, capture_output=True)
    except (AssertionError, IndexError, subprocess.CalledProcessError) as error:
        pytest.skip(f"no kernel for arm64 can be had from Debian: {error}")
    _unpack(next(state.glob("*.deb")), folder)
    shutil.rmtree(state)


def _unpack(deb: Path, folder: Path) -> None:
    tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
    with tar, tarfile.open(fileobj=tar.stdout, mode="r|") as members:
        for member in members:
            content = members.extractfile(member) if DTB.match(member.name) else None
            if content:
                (folder / Path(member.name).name).write_bytes(content.read())


def merged(base: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = ("fdtoverlay", "-i", base, "-o", folder / "whole.dtb", OVERLAY)
    return subprocess.run(command, capture_output=True, text=True, check=False)


def named(base: Path, folder: Path) -> Path:
    """Return a tree with the names that the firmware's has."""
    pins = {name: str(value) for name, value in asdict(REV.pins).items()}
    firmware = Template((HERE / "firmware.dts").read_text()).substitute(pins)
    words, made = folder / "named.dts", folder / "named.dtb"
    words.write_text(run("dtc", "-q", "-I", "dtb", "-O", "dts", base) + firmware)
    run("dtc", "-@", "-q", "-O", "dtb", "-o", made, words)
    return made


def held(tree: Path, node: str, name: str, kind: str = "s") -> str:
    """Return a property of a node."""
    return run("fdtget", "-t", kind, tree, node, name).strip()


CASES = [(release, model) for release in RELEASES for model in MODELS[release]]


@pytest.mark.parametrize(("release", "model"), CASES)
def test_overlay_is_merged_into_the_tree_of_a_pi(
    tmp_path: Path, release: str, model: str
) -> None:
    base = named(trees(release) / f"{model}.dtb", tmp_path)
    done = merged(base, tmp_path)
    assert done.returncode == 0, done.stderr
    whole = tmp_path / "whole.dtb"
    for node, name, kind, wanted in MERGED:
        assert held(whole, node, name, kind) == wanted
    for node, name, wanted in POINTING:
        assert held(whole, node, name, "x") == held(whole, wanted, "phandle", "x")


@pytest.mark.parametrize(("release", "model"), CASES)
def test_debian_s_own_tree_lacks_the_names_and_nothing_is_merged(
    tmp_path: Path, release: str, model: str
) -> None:
    """So an overlay is for the firmware's trees, and says nothing where it fails."""
    done = merged(trees(release) / f"{model}.dtb", tmp_path)
    assert done.returncode != 0
    assert "FDT_ERR_NOTFOUND" in done.stderr
    assert not (tmp_path / "whole.dtb").exists()


def test_tree_of_a_pi_5_has_no_header_yet() -> None:
    """What the HAT sits on is in a chip that Debian's kernel does not describe."""
    tree = trees("trixie") / "bcm2712-rpi-5-b.dtb"
    nodes = run("dtc", "-q", "-I", "dtb", "-O", "dts", tree)
    assert "raspberrypi,rp1-gpio" not in nodes
