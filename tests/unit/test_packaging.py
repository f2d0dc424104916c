"""The package's files say what the code says, and each line has its reason."""

from __future__ import annotations

import configparser
import re
import stat
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

import pytest

from pilothat import __version__
from pilothat.board.revision import revision
from pilothat.runtime.guardproc import PRIORITY
from pilothat.runtime.shell import STOP_S
from pilothat.service import config
from pilothat.service.cli import COMMANDS
from pilothat.service.keys import CONTROL, INSTALLED

ROOT = Path(__file__).parents[2]
PACKAGING = ROOT / "packaging"
UNIT = (PACKAGING / "systemd" / "pilothatd.service").read_text()
CONTROL_FILE = (PACKAGING / "debian" / "control").read_text()
PWM_SETUP = PACKAGING / "pwm-setup"


def said(key: str) -> list[str]:
    """Return the values that a key has in the unit."""
    return re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)


def test_settings_manual_and_completion_are_current() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / "scripts" / "packaging"), "--check"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr


def test_settings_of_the_package_are_good_and_where_commands_look() -> None:
    settings = config.load(PACKAGING / "pilothat.toml")
    assert settings.text("board.driver") == "twin"
    assert settings.text("station.control") == CONTROL
    assert all(INSTALLED in command for command in said("ExecStart"))


def test_changelog_has_the_version_of_the_program() -> None:
    changelog = (PACKAGING / "debian" / "changelog").read_text()
    assert changelog.startswith(f"pilothat ({__version__}) ")


def test_floors_are_those_of_the_python_package() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    wanted = (
        setup["options"]["install_requires"] + setup["options.extras_require"]["pnc"]
    )
    floors = dict(re.findall(r"^(?:py)?(\w+)>=([\d.]+)$", wanted, re.MULTILINE))
    given = dict(re.findall(r"python3-(\w+) \(>= ([\d.]+)\)", CONTROL_FILE))
    assert given.pop("setuptools") == "64"
    assert {name: given[name] for name in floors if name != "all"} == floors
    least = setup["options"]["python_requires"].removeprefix(">=")
    assert f" python3 (>= {least})" in CONTROL_FILE


@pytest.mark.parametrize("driver", ["bcm2835-gpiomem", "rpi-gpiomem", "gpiomem0"])
def test_service_may_read_the_registers_of_the_pins_and_not_write(driver: str) -> None:
    groups = [one.removeprefix("char-").split() for one in said("DeviceAllow")]
    found = [rights for pattern, rights in groups if fnmatch(driver, pattern)]
    assert found == ["r"]


def test_service_may_write_the_pwm_that_the_board_names() -> None:
    devices = set(revision("rev_a").pwm.kernel_devices)
    written = {path.rpartition("/")[2] for path in said("ReadWritePaths")}
    assert written == devices
    assert set(re.findall(r"\*/(\w+\.pwm)/", PWM_SETUP.read_text())) == devices
    assert f"channel={revision('rev_a').pwm.kernel_channel}\n" in PWM_SETUP.read_text()


def test_service_is_given_the_time_and_the_priority_that_the_program_takes() -> None:
    assert [float(one) for one in said("TimeoutStopSec")] > [STOP_S]
    assert [int(one) for one in said("LimitRTPRIO")] == [PRIORITY]


def test_every_line_of_the_service_has_its_reason() -> None:
    told = (PACKAGING / "README.md").read_text()
    keys = set(re.findall(r"^(\w+)=", UNIT, re.MULTILINE))
    assert sorted(key for key in keys if f"`{key}" not in told) == []


@pytest.mark.parametrize("is_exported", [False, True])
def test_pwm_is_given_to_the_group_and_only_the_pilots(
    tmp_path: Path, *, is_exported: bool
) -> None:
    ours, other = made_chip(tmp_path, "fe20c000.pwm"), made_chip(tmp_path, "other.pwm")
    if not is_exported:
        (ours / "export").unlink()
        (ours / "export").symlink_to("pwm0/export")  # what the kernel does, nearly
    done = give(tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("period", "duty_cycle", "polarity", "enable"):
        assert (ours / "pwm0" / name).stat().st_mode & stat.S_IWGRP
        assert not (other / "pwm0" / name).stat().st_mode & stat.S_IWGRP


def test_machine_without_pwm_is_left_alone(tmp_path: Path) -> None:
    assert give(tmp_path).returncode == 0


def made_chip(root: Path, device: str) -> Path:
    """Make a PWM chip as sysfs shows one, its channel exported."""
    chip = root / "devices" / device / "pwm" / "pwmchip0"
    (chip / "pwm0").mkdir(parents=True)
    names = ("export", "unexport", "pwm0/period", "pwm0/duty_cycle", "pwm0/polarity")
    for name in (*names, "pwm0/enable", "pwm0/export"):
        (chip / name).write_text("0\n")
        (chip / name).chmod(0o644)
    (root / "class").mkdir(exist_ok=True)
    number = len(list((root / "class").iterdir()))
    (root / "class" / f"pwmchip{number}").symlink_to(chip)
    return chip


def give(root: Path) -> subprocess.CompletedProcess[str]:
    """Run the program, with nothing done to groups."""
    tools = root / "tools"
    tools.mkdir()
    (tools / "chgrp").write_text("#!/bin/sh\n")
    (tools / "chgrp").chmod(0o755)
    return subprocess.run(
        [str(PWM_SETUP)],
        env={"PATH": f"{tools}:/usr/bin:/bin", "PILOTHAT_PWM": str(root / "class")},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        (("pilothat", "make"), {"make-safe"}),
        (("pilothat", "modem", "set"), {"set-role"}),
        (("pilothat", "modem", "watch", "--c"), {"--count"}),
        (("pilothat", "run", "--ex"), {"--example"}),
        (("pilothat", "selftest", "--board", "pig"), {"pigpio"}),
    ],
)
def test_completion_offers_what_fits(typed: tuple[str, ...], offered: set[str]) -> None:
    words = " ".join(f"'{word}'" for word in typed)
    script = (
        f". '{PACKAGING}/completion/pilothat'; COMP_WORDS=({words}); "
        f"COMP_CWORD={len(typed) - 1}; _pilothat; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False
    )
    assert set(done.stdout.split()) == offered, done.stderr


def test_manual_has_every_command() -> None:
    manual = (PACKAGING / "pilothat.1").read_text().replace("\\-", "-")
    assert [name for name in COMMANDS if f'.SS "pilothat {name}"' not in manual] == []
