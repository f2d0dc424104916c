"""`pilothat setup` on made-up machines: what is put, told, and taken away again."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as example
from hypothesis import strategies as st
from tests.hat.machine import MODELS, PI_4, PI_5, MadeUp

from pilothat.board import overlay
from pilothat.board.revision import revision
from pilothat.service.cli import main
from pilothat.service.setupplan import NAMES, OVERLAYS

PI_3 = "Raspberry Pi 3 Model B Plus Rev 1.3"
ZERO_2 = "Raspberry Pi Zero 2 W Rev 1.0"
TRIXIE = 'PRETTY_NAME="Debian GNU/Linux 13 (trixie)"\nVERSION_ID="13"\n'
CONFIG = "boot/firmware/config.txt"
# like those that the system's images have
CONFIGS = {
    "bookworm": "# For more options\n#dtparam=i2c_arm=on\ndtparam=audio=on\n"
    "camera_auto_detect=1\ndtoverlay=vc4-kms-v3d\n[cm4]\notg_mode=1\n\n[all]\n",
    "trixie": "dtparam=audio=on\nauto_initramfs=1\ndtoverlay=vc4-kms-v3d\n[cm5]\n"
    "dtoverlay=dwc2,dr_mode=host\n[pi5]\ndtoverlay=nospi10\n\n[all]\n",
}


def files(root: Path) -> Mapping[str, bytes]:
    """Return what is there, folders too."""
    every = (one for one in root.rglob("*"))
    return {
        str(one.relative_to(root)): b"" if one.is_dir() else one.read_bytes()
        for one in every
    }


def pi(root: Path, model: str, system: str = "bookworm", *, hat: bool = True) -> MadeUp:
    """Return a Pi as its system's image makes it."""
    made = MadeUp(root)
    made.pi(model)
    made.put(CONFIG, CONFIGS[system])
    made.put("etc/NetworkManager/NetworkManager.conf", "[main]\n")
    made.put("dev/vcio", "")
    made.put("usr/lib/systemd/system/systemd-timesyncd.service", "")
    if system == "bookworm":
        made.put("usr/bin/pigpiod", "")
    else:
        made.put("etc/os-release", TRIXIE)
    if hat:
        made.hat()
    return made


def setup(root: Path, *arguments: str) -> int:
    return main(["setup", "--root", str(root), *arguments])


@pytest.mark.parametrize("hat", [True, False])
@pytest.mark.parametrize("system", CONFIGS)
@pytest.mark.parametrize("model", [PI_3, PI_4, PI_5, ZERO_2])
def test_once_is_as_good_as_twice_and_undone_byte_for_byte(
    tmp_path: Path, model: str, system: str, *, hat: bool
) -> None:
    pi(tmp_path, model, system, hat=hat)
    before = files(tmp_path)
    assert setup(tmp_path, "--interface", "plc0", "--dry-run") == 0 or model == PI_5
    assert files(tmp_path) == before
    setup(tmp_path, "--interface", "plc0")
    once = files(tmp_path)
    assert once != before
    setup(tmp_path, "--interface", "plc0")
    assert files(tmp_path) == once
    assert setup(tmp_path, "--remove", "--dry-run") == 0
    assert files(tmp_path) == once
    assert setup(tmp_path, "--remove") == 0
    assert files(tmp_path) == before


@pytest.mark.parametrize(
    ("model", "system", "lines"),
    [
        (PI_4, "bookworm", "dtparam=audio=off dtoverlay=evse-hat"),
        (
            *(ZERO_2, "trixie"),
            "dtparam=audio=off dtoverlay=evse-hat,kernel_pwm dtoverlay=spi1-1cs",
        ),
        (
            *(PI_5, "bookworm"),
            "dtoverlay=evse-hat dtoverlay=pwm,pin=12,func=4 dtoverlay=spi1-1cs",
        ),
    ],
)
def test_config_has_what_the_driver_needs_on_this_pi(
    tmp_path: Path, model: str, system: str, lines: str
) -> None:
    pi(tmp_path, model, system)
    setup(tmp_path)
    added = (tmp_path / CONFIG).read_text().removeprefix(CONFIGS[system]).splitlines()
    assert added[1:-1] == ["[all]", "dtoverlay=", *lines.split(), "dtoverlay="]
    there = tmp_path / "boot/firmware/overlays/evse-hat.dtbo"
    assert there.read_bytes()[:4] == bytes.fromhex("d00dfeed")
    has_unit = "etc/systemd/system/pigpiod.service.d/pilothat.conf" in files(tmp_path)
    assert has_unit == ("kernel_pwm" not in lines and "pwm," not in lines)


def test_debian_s_own_kernel_runs_no_daemon(tmp_path: Path) -> None:
    pi(tmp_path, PI_4)
    (tmp_path / "dev/vcio").unlink()
    setup(tmp_path)
    assert "kernel_pwm" in (tmp_path / CONFIG).read_text()


@pytest.mark.parametrize("count", range(1, 14, 2))
def test_power_lost_at_any_file_is_undone_and_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, count: int
) -> None:
    pi(tmp_path, PI_4)
    before, left = files(tmp_path), [count]

    def replace(part: Path, to: Path) -> Path:
        left[0] -= 1
        if left[0] < 0:
            raise KeyboardInterrupt
        return rename(part, to)

    rename = Path.replace
    with monkeypatch.context() as cut:
        cut.setattr(Path, "replace", replace)
        assert setup(tmp_path, "--interface", "plc0") == (0 if count > 11 else 1)
    assert setup(tmp_path, "--interface", "plc0") == 0
    assert setup(tmp_path, "--remove") == 0
    assert files(tmp_path) == before


def test_power_lost_and_undone_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pi(tmp_path, PI_4)
    before, rename, names = files(tmp_path), Path.replace, []

    def replace(part: Path, to: Path) -> Path:
        names.append(to.name)
        if to.name == "config.txt":
            raise KeyboardInterrupt
        return rename(part, to)

    with monkeypatch.context() as cut:
        cut.setattr(Path, "replace", replace)
        assert setup(tmp_path) == 1
    assert names[0] == "setup.json"  # noted before anything is done
    assert setup(tmp_path, "--remove") == 0
    assert files(tmp_path) == before


def test_daemon_is_this_machine_s_alone_and_drives_no_pin_but_the_hat_s(
    tmp_path: Path,
) -> None:
    pi(tmp_path, PI_4)
    setup(tmp_path)
    unit = tmp_path / "etc/systemd/system/pigpiod.service.d/pilothat.conf"
    start = [x for x in unit.read_text().splitlines() if x.startswith("ExecStart=/")]
    words = start[0].split()
    assert words[1:5] == ["-g", "-l", "-n", "127.0.0.1"]
    mask, pins = int(words[6], 16), revision().pins
    assert all(mask >> pin & 1 for pin in (pins.cp_pwm, pins.k1_req, pins.adc_ce))
    assert not any(mask >> pin & 1 for pin in (0, 1, 2, 3, 14, 15, pins.plc_int))


def test_without_a_hat_nothing_of_the_firmware_is_touched(tmp_path: Path) -> None:
    pi(tmp_path, PI_4, hat=False)
    setup(tmp_path, "--interface", "eth1")
    assert (tmp_path / CONFIG).read_text() == CONFIGS["bookworm"]
    assert not (tmp_path / "boot/firmware/overlays").exists()
    told = (tmp_path / "etc/NetworkManager/conf.d/pilothat.conf").read_text()
    assert "unmanaged-devices+=interface-name:eth1\n" in told


def test_no_pi_is_left_alone_but_for_its_network(tmp_path: Path) -> None:
    setup(tmp_path, "--interface", "eth1")
    assert [one for one in files(tmp_path) if one.startswith("etc/systemd")] == []
    assert "etc/udev/rules.d/85-pilothat-plc.rules" in files(tmp_path)


def test_interface_is_that_of_the_settings(tmp_path: Path) -> None:
    MadeUp(tmp_path).put(
        "etc/pilothat/pilothat.toml", '[station]\ninterface = "eth7"\n'
    )
    setup(tmp_path)
    rule = tmp_path / "etc/udev/rules.d/85-pilothat-plc.rules"
    assert 'ENV{INTERFACE}=="eth7"' in rule.read_text()


@pytest.mark.parametrize("driver", ["twin", "auto", "pigpio", "kernel", "wallbox"])
def test_driver_is_that_of_the_settings_where_they_name_one(
    tmp_path: Path, driver: str
) -> None:
    made = pi(tmp_path, PI_4, hat=driver == "twin")
    settings = f'[station]\ninterface = "plc0"\n[board]\ndriver = "{driver}"\n'
    made.put("etc/pilothat/pilothat.toml", settings)
    setup(tmp_path)
    text = (tmp_path / CONFIG).read_text()
    assert ("evse-hat" in text) == (driver in ("twin", "pigpio", "kernel"))
    assert ("kernel_pwm" in text) == (driver == "kernel")
    modules = tmp_path / "etc/modules-load.d/pilothat.conf"
    assert modules.exists() == (driver in ("kernel", "wallbox"))
    setup(tmp_path, "--driver", "none")
    assert (tmp_path / CONFIG).read_text() == CONFIGS["bookworm"]


@pytest.mark.parametrize("name", ['x"y', "a b", "", "a" * 16, "$(x)"])
def test_a_name_that_no_interface_has_is_refused(tmp_path: Path, name: str) -> None:
    assert setup(tmp_path, "--interface", name) == (0 if not name else 2)
    assert files(tmp_path) == {}


def test_the_way_to_the_network_is_never_taken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pi(tmp_path, PI_4)
    made.put(
        "proc/net/route", "Iface\tDestination\tGateway\neth0\t00000000\t0101A8C0\n"
    )
    assert setup(tmp_path, "--interface", "eth0") == 1
    assert "way to the network" in capsys.readouterr().out
    assert "etc/NetworkManager/conf.d/pilothat.conf" not in files(tmp_path)
    assert setup(tmp_path, "--interface", "eth1") == 0


@pytest.mark.parametrize(
    ("destination", "flags", "is_way"),
    [
        ("0" * 32 + " 00", "00450003", True),  # by a router that has announced itself
        ("0" * 32 + " 00", "00200200", False),  # refuses: no route at all
        ("fe80" + "0" * 28 + " 40", "00000001", False),
        ("0" * 32 + " 08", "00000003", False),
    ],
)
def test_nor_is_the_way_of_ipv6(
    tmp_path: Path, destination: str, flags: str, *, is_way: bool
) -> None:
    made = pi(tmp_path, PI_4)
    none = "0" * 32
    rest = f"{none} 00 {none} 00000400 00000001 00000000 {flags}     eth0"
    made.put("proc/net/ipv6_route", f"{destination} {rest}\n")
    assert setup(tmp_path, "--interface", "eth0") == int(is_way)
    assert setup(tmp_path, "--interface", "eth1") == 0


def test_time_is_kept_by_what_the_system_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drop_in = tmp_path / "etc/systemd/system/pilothatd.service.d/clock.conf"
    made = pi(tmp_path, PI_4)
    setup(tmp_path)
    assert "\nWants=systemd-timesyncd.service\nAfter=time" in drop_in.read_text()
    (tmp_path / "usr/lib/systemd/system/systemd-timesyncd.service").unlink()
    made.put("lib/systemd/system/fake-hwclock.service", "")
    setup(tmp_path)
    assert "\nWants=fake-hwclock.service\n" in drop_in.read_text()
    made.put("sys/class/rtc/rtc0/name", "ds1307")
    assert setup(tmp_path) == 0
    assert not drop_in.exists()
    shutil.rmtree(tmp_path / "sys")
    (tmp_path / "lib/systemd/system/fake-hwclock.service").unlink()
    capsys.readouterr()
    assert setup(tmp_path) == 1
    assert "LEFT  nothing saves the time over a restart" in capsys.readouterr().out
    assert setup(tmp_path, "--no-clock") == 0


def test_dhcpcd_is_denied_before_all_its_other_lines(tmp_path: Path) -> None:
    text = "interface eth0\nstatic ip_address=10.0.0.1/24\n"
    MadeUp(tmp_path).put("etc/dhcpcd.conf", text)
    setup(tmp_path, "--interface", "eth1")
    there = (tmp_path / "etc/dhcpcd.conf").read_text()
    assert there.endswith(text)
    assert there.splitlines()[1] == "denyinterfaces eth1"
    setup(tmp_path, "--remove")
    assert (tmp_path / "etc/dhcpcd.conf").read_text() == text


def test_lines_in_the_way_are_told_and_not_edited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = pi(tmp_path, PI_4)
    made.put(CONFIG, "dtoverlay=hifiberry-dac\n[pi5]\ndtparam=i2s=on\n")
    assert setup(tmp_path) == 1
    told = capsys.readouterr().out
    assert f"LEFT  /{CONFIG} line 1: dtoverlay=hifiberry-dac: a sound card" in told
    assert "i2s" not in told
    assert (tmp_path / CONFIG).read_text().startswith("dtoverlay=hifiberry-dac\n[pi5]")


@pytest.mark.parametrize("name", NAMES)
def test_each_change_has_a_switch_and_comes_alone(tmp_path: Path, name: str) -> None:
    whole, without, alone = (tmp_path / one for one in ("whole", "without", "alone"))
    for root in (whole, without, alone):
        made = pi(root, PI_4 if name != "modules" else PI_5)
        made.put("var/lib/pilothat/x", "")
    before = files(whole).keys()
    setup(whole, "--interface", "plc0")
    setup(without, "--interface", "plc0", f"--no-{name}")
    setup(alone, "--interface", "plc0", "--only", name)
    record = json.loads((whole / "var/lib/pilothat/setup.json").read_text())
    its = {path for path, one in record["done"].items() if one["change"] == name}
    assert its
    kept = json.loads((without / "var/lib/pilothat/setup.json").read_text())["done"]
    assert kept.keys() == record["done"].keys() - its
    only = json.loads((alone / "var/lib/pilothat/setup.json").read_text())["done"]
    assert only.keys() == its
    assert before <= files(alone).keys()


def test_what_was_needed_by_another_driver_goes(tmp_path: Path) -> None:
    pi(tmp_path, PI_4)
    before = files(tmp_path)
    setup(tmp_path)
    drop_in = "etc/systemd/system/pigpiod.service.d/pilothat.conf"
    assert drop_in in files(tmp_path)
    setup(tmp_path, "--driver", "kernel")
    assert drop_in not in files(tmp_path)
    assert "etc/modules-load.d/pilothat.conf" in files(tmp_path)
    assert setup(tmp_path, "--remove") == 0
    assert files(tmp_path) == before


def test_what_somebody_changed_since_is_left_and_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi(tmp_path, PI_4)
    setup(tmp_path)
    file = tmp_path / "etc/systemd/journald.conf.d/pilothat.conf"
    file.write_text("[Journal]\nStorage=persistent\n")
    assert setup(tmp_path) == 1
    assert setup(tmp_path, "--remove") == 1
    assert "was changed since" in capsys.readouterr().out
    assert "persistent" in file.read_text()
    record = json.loads((tmp_path / "var/lib/pilothat/setup.json").read_text())
    assert [*record["done"]] == [str(file.relative_to(tmp_path))]


def test_what_others_changed_beside_our_lines_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pi(tmp_path, PI_4)
    setup(tmp_path)
    with (tmp_path / CONFIG).open("a") as file:
        file.write("gpu_mem=16\n")
    assert setup(tmp_path, "--remove") == 0
    assert (tmp_path / CONFIG).read_text() == CONFIGS["bookworm"] + "gpu_mem=16\n"
    assert "what others changed there stays" in capsys.readouterr().out


@pytest.mark.parametrize(
    "record",
    [
        "",
        "{}",
        "[]",
        '{"version": 2, "folders": [], "done": {}}',
        '{"version": 1, "folders": [], "done": {"etc/passwd": {"change": "journal", '
        '"record": {"kind": "file", "ours": "x", "before": "", "folders": []}}}}',
        '{"version": 1, "folders": [], "done": {"boot/config.txt": {"change": "config",'
        ' "record": {"kind": "file", "ours": "x", "before": "", "folders": []}}}}',
    ],
)
def test_a_record_that_is_not_ours_undoes_nothing(tmp_path: Path, record: str) -> None:
    made = MadeUp(tmp_path)
    made.put("var/lib/pilothat/setup.json", record)
    made.put("etc/passwd", "root")
    before = files(tmp_path)
    assert setup(tmp_path, "--remove") == 2
    assert files(tmp_path) == before


@example(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    lines=st.lists(
        st.sampled_from(
            [
                *(
                    "[all]\n",
                    "[pi4]\r\n",
                    "[pi5]\n",
                    "dtparam=audio=off\n",
                    "#x\n",
                    "\n",
                ),
                *("dtoverlay=evse-hat\n", "dtoverlay=spi1-1cs\n", "\xe9=1\n", "a=b"),
            ]
        )
    ),
    model=st.sampled_from([*MODELS]),
    driver=st.sampled_from(["auto", "pigpio", "kernel", "wallbox", "none"]),
    by_two=st.booleans(),
)
def test_any_config_is_undone_byte_for_byte(
    tmp_path: Path, lines: list[str], model: str, driver: str, *, by_two: bool
) -> None:
    root = tmp_path / "root"
    shutil.rmtree(root, ignore_errors=True)
    pi(root, model)
    (root / CONFIG).write_bytes("".join(lines).encode("latin-1"))
    before = files(root)
    if by_two:
        setup(root, "--only", "config")
    setup(root, "--driver", driver, "--interface", "plc0")
    once = files(root)
    setup(root, "--driver", driver, "--interface", "plc0")
    assert files(root) == once
    assert setup(root, "--remove") == 0
    assert files(root) == before


def test_compiled_overlay_is_that_of_the_source() -> None:
    if shutil.which("dtc") is None:
        pytest.skip("no dtc: sudo apt install device-tree-compiler")
    board = revision()
    shipped = OVERLAYS / f"{board.board.overlay}.dtbo"

    def source(given: bytes, kind: str) -> bytes:
        command = ("dtc", "-q", "-@", "-I", kind, "-O", "dtb", "-")
        compiled = subprocess.run(command, input=given, check=True, capture_output=True)
        back = ("dtc", "-q", "-I", "dtb", "-O", "dts", "-s", "-")
        return subprocess.run(
            back, input=compiled.stdout, check=True, capture_output=True
        ).stdout

    made = source(overlay.source(board).encode(), "dts")
    there = subprocess.run(
        ("dtc", "-q", "-I", "dtb", "-O", "dts", "-s", "-"),
        input=shipped.read_bytes(),
        check=True,
        capture_output=True,
    ).stdout
    assert there == made
