"""``pilothat modem`` and the makers' own tools against the emulated modem."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from tests.net.lab import PYTHON, Lab, until

from pilothat.plc.pib import Pib, Role
from pilothat.runtime.twinbench import CableEnd
from pilothat.twin.bench import CarElectrics

pytestmark = pytest.mark.net

LIMIT_S = 60
EVSE_MODEM, EV_MODEM = "00:b0:52:e5:00:01", "00:b0:52:ca:00:01"


def at(lab: Lab, side: str, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a namespace, to its end."""
    return subprocess.run(
        ["ip", "netns", "exec", f"{lab.name}{side}", *command],
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
        cwd=lab.folder,
    )


def modem(lab: Lab, *words: str, side: str = "a") -> subprocess.CompletedProcess[str]:
    """Run `pilothat modem` on the interface of a side."""
    interface = ("--interface", "evse0" if side == "a" else "ev0")
    command = (PYTHON, "-m", "pilothat.service.cli", "modem", *words, *interface)
    return at(lab, side, *command)


def good(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def backup(lab: Lab, name: str) -> Pib:
    good(modem(lab, "backup", name))
    return Pib((lab.folder / name).read_bytes())


def test_list_tells_both_modems_of_the_line(lab: Lab) -> None:
    lab.segment()
    good(modem(lab, "list", side="b"))  # the segment knows a host once it has spoken
    here, there = json.loads(good(modem(lab, "list", "--json")))
    assert (here["mac"], here["local"], here["role"]) == (EVSE_MODEM, True, "EVSE")
    assert (there["mac"], there["local"], there["role"]) == (EV_MODEM, False, "PEV")
    told = good(modem(lab, "list"))
    assert f"hears     {EV_MODEM}" in told
    assert re.search(r"key       network [0-9a-f]{14}", told)


def test_check_passes_a_good_modem(lab: Lab) -> None:
    lab.segment("--kind", "qca7005")
    done = modem(lab, "check")
    assert {line.split()[0] for line in good(done).splitlines()} == {"PASS"}
    for what in ("link", "modem alive", "chip", "parameters", "role", "key"):
        assert re.search(rf"^PASS +{what}", done.stdout, re.MULTILINE), done.stdout


def test_check_names_what_is_wrong_and_the_command(lab: Lab) -> None:
    segment = lab.segment("--role", "PEV")
    done = modem(lab, "check")
    assert done.returncode == 1
    line = next(one for one in done.stdout.splitlines() if one.startswith("FAIL"))
    assert "PEV (CCo 1, SLAC 1)" in line
    assert "pilothat modem set-role evse --interface evse0" in line
    segment.send("damage evse")
    assert re.search("^FAIL +parameters", modem(lab, "check").stdout, re.MULTILINE)
    segment.send("silence evse")
    assert re.search("^FAIL +modem alive", modem(lab, "check").stdout, re.MULTILINE)


def test_set_role_saves_writes_and_reads_back(lab: Lab) -> None:
    lab.segment("--role", "PEV").send("slow evse")
    before = backup(lab, "before.pib")
    done = modem(lab, "set-role", "evse", "--yes")
    assert "written and read back, role EVSE" in good(done)
    assert "write [##############################]" in done.stderr
    after = backup(lab, "after.pib")
    assert (before.role, after.role) == (Role.PEV, Role.EVSE)
    (saved,) = lab.folder.glob("pib-*.pib")
    assert saved.read_bytes() == before.image
    assert saved.stat().st_mode & 0o777 == 0o600
    assert "nothing to change" in good(modem(lab, "set-role", "evse", "--yes"))
    good(modem(lab, "restore", "before.pib", "--yes"))
    assert backup(lab, "again.pib").image == before.image


def test_nothing_is_written_unasked_or_in_vain(lab: Lab) -> None:
    segment = lab.segment()
    before = backup(lab, "before.pib")
    assert modem(lab, "set-role", "pev").returncode == 2  # nobody to ask
    (lab.folder / "damaged.pib").write_bytes(b"x" + before.image[1:])
    assert modem(lab, "restore", "damaged.pib", "--yes").returncode == 1
    segment.send("refuse evse")
    refused = modem(lab, "backup", "refused.pib")
    assert (refused.returncode, (lab.folder / "refused.pib").exists()) == (0, True)
    assert backup(lab, "after.pib").image == before.image


def test_ctrl_c_leaves_the_modem_as_it_was_or_as_it_should_be(lab: Lab) -> None:
    segment = lab.segment("--role", "PEV")
    backup(lab, "before.pib")  # a modem is on the line once its host has spoken
    segment.send("hang evse")
    words = ("modem", "set-role", "evse", "--yes", "--interface", "evse0")
    folder = ("--backup", str(lab.folder))
    command = (PYTHON, "-m", "pilothat.service.cli", *words, *folder)
    early = lab.start("a", "early", *command)
    early.wait_for("write [")
    assert early.end(signal.SIGINT) == 1
    assert "nothing was changed" in early.text
    assert backup(lab, "early.pib").role is Role.PEV
    segment.send("recover evse")
    late = lab.start("a", "late", *command)
    late.wait_for("store")
    assert late.end(signal.SIGINT, LIMIT_S) == 0
    assert backup(lab, "late.pib").role is Role.EVSE


def test_reset_and_factory_reset_wait_for_the_modem(lab: Lab) -> None:
    lab.segment("--kind", "qca7420")
    assert "restarted, MAC-QCA7420" in good(modem(lab, "reset"))
    assert "role EVSE" in good(modem(lab, "factory-reset", "--yes"))


def test_watch_shows_links_and_sounds(lab: Lab) -> None:
    lab.segment()
    assert "no link" in good(modem(lab, "watch", "--count", "1"))
    lab.station()
    command = (PYTHON, "-m", "pilothat.service.cli", "modem", "watch")
    watch = lab.start("a", "watch", *command, "--interface", "evse0")
    watch.wait_for("no link")
    car = lab.car("--stop-after", "8")
    watch.wait_for(" dB, ")
    watch.wait_for("linked with")
    assert watch.end(signal.SIGINT) == 0
    car.pull()


def tool(name: str) -> str:
    """Return a program of the Open Powerline Toolkit; skip without it."""
    package = "plc-utils" if name == "plctool" else "plc-utils-extra"
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed (Debian: {package})")
    return name


@pytest.mark.parametrize("kind", ["qca7000", "qca7005", "qca7420"])
def test_our_change_is_the_change_of_setpib(
    lab: Lab, tmp_path: Path, kind: str
) -> None:
    lab.segment("--role", "PEV", "--kind", kind)
    ours = backup(lab, "ours.pib").with_role(Role.EVSE, kind.upper())
    theirs = tmp_path / "ours.pib"
    for change in (
        ("74", "hfid", "EVSE"),
        ("F4", "byte", "2"),
        ("1653", "byte", "2"),
        ("1C98", "long", "10240", "long", "102400"),
    ):
        good(at(lab, "a", tool("setpib"), str(theirs), *change))
    assert theirs.read_bytes() == ours.image
    good(at(lab, "a", tool("chkpib"), str(theirs)))


def test_plctool_reads_what_we_read_and_writes_what_we_read_back(lab: Lab) -> None:
    lab.segment("--role", "PEV")
    before = backup(lab, "ours.pib")
    plctool = (tool("plctool"), "-i", "evse0")
    good(at(lab, "a", *plctool, "-p", "theirs.pib", EVSE_MODEM))
    assert (lab.folder / "theirs.pib").read_bytes() == before.image
    (lab.folder / "evse.pib").write_bytes(before.with_role(Role.EVSE, "QCA7000").image)
    good(at(lab, "a", *plctool, "-P", "evse.pib", EVSE_MODEM))
    assert backup(lab, "after.pib").role is Role.EVSE


def test_pev_of_the_toolkit_matches_at_our_station(lab: Lab) -> None:
    pev = tool("pev")
    lab.segment()
    station = lab.station()
    settings = lab.folder / "pev.ini"
    settings.write_text(good(at(lab, "b", pev, "-c")))
    with closing(CableEnd(lab.bench)) as cable:

        def holds(text: str) -> bool:
            cable.connect(CarElectrics())  # a bench that hears nothing sees no car
            return text in station.text

        until(lambda: holds("phase matching"), 10, "plugged in")
        car = lab.start("b", "pev", pev, "-i", "ev0", "-p", str(settings), "-v")
        until(lambda: holds("phase setup"), 30, f"a match in {car.log}")
        assert "slac matched" in station.text
