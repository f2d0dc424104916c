"""What `pilothat setup` puts is what udev and systemd understand, on a Pi's files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.hat.machine import PI_4, PI_5, MadeUp
from tests.system.machine import Tree
from tests.system.test_install import good, small

from pilothat.service.cli import main

pytestmark = pytest.mark.system
PIGPIOD = """\
[Unit]
Description=as the system has it
[Service]
ExecStart=/usr/bin/pigpiod -l
ExecStop=/bin/kill -TERM $MAINPID
Type=forking
[Install]
WantedBy=multi-user.target
"""
STATION = "[Service]\nExecStart=/bin/true\n"


def pi(tree: Tree, model: str) -> None:
    """Make a machine's files those of a Pi with our HAT, and set it up."""
    made = MadeUp(tree.path)
    made.pi(model)
    made.hat()
    made.put("boot/firmware/config.txt", "dtparam=audio=on\n")
    made.put("usr/bin/pigpiod", "#!/bin/sh\n")
    (tree.path / "usr/bin/pigpiod").chmod(0o755)
    made.put("dev/vcio", "")
    made.put("usr/lib/systemd/system/pigpiod.service", PIGPIOD)
    made.put("etc/systemd/system/pilothatd.service", STATION)
    made.put("usr/lib/systemd/system/fake-hwclock.service", STATION)
    main(["setup", "--root", str(tree.path), "--interface", "plc0"])


@pytest.mark.parametrize("model", [PI_4, PI_5])
def test_udev_and_systemd_understand_it(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = small("trixie", tmp_path, monkeypatch)
    pi(tree, model)
    rules = [one.name for one in (tree.path / "etc/udev/rules.d").glob("*pilothat*")]
    assert len(rules) == 2
    for name in rules:  # the first release that can
        good(tree.run("udevadm", "verify", "--no-style", f"/etc/udev/rules.d/{name}"))
    if model == PI_4:
        told = tree.run("systemd-analyze", "verify", "--man=no", "pigpiod.service")
        assert told.returncode == 0
        assert "pigpiod" not in told.stderr
        unit = shown(tree, "system/pigpiod.service")
        assert "\nExecStart=/usr/bin/pigpiod -g -l -n 127.0.0.1 -x 0x" in unit
        station = shown(tree, "system/pilothatd.service")
        assert "\nWants=pigpiod.service\n" in station
    station = shown(tree, "system/pilothatd.service")
    assert "\nWants=fake-hwclock.service\nAfter=time-set.target\n" in station
    assert "\nRuntimeWatchdogSec=10\n" in shown(tree, "system.conf")
    assert "\nStorage=volatile\n" in shown(tree, "journald.conf")


def shown(tree: Tree, name: str) -> str:
    """Return a file of systemd with all that is dropped into it."""
    return good(tree.run("systemd-analyze", "cat-config", f"systemd/{name}"))
