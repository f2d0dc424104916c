"""What is around a board, on made-up machines: right, and wrong one by one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.hat.machine import PI_4, PI_5, REV, MadeUp
from tests.hat.twin import running

from pilothat.board.environment import Here, here, rows
from pilothat.board.verdict import Row, Verdict

GPIO, SPI = 997, 999
EVSE = Here(Path("/"), is_root=False, groups=frozenset({GPIO, SPI}), priority=99)
KERNEL = "kernel"


@pytest.fixture
def good(tmp_path: Path) -> MadeUp:
    """Return a Pi 5 with everything the kernel's driver needs."""
    made = MadeUp(tmp_path / "root")
    made.pi(PI_5)
    made.hat()
    made.overlay()
    made.put(REV.adc.spidev.lstrip("/"), "")
    return made


def found(made: MadeUp, driver: str = KERNEL, at: Here = EVSE) -> Mapping[str, Row]:
    at = replace(at, root=made.root)
    return {row.name: row for row in rows(at, driver, {}, REV)}


def failed(made: MadeUp, driver: str = KERNEL, at: Here = EVSE) -> list[str]:
    every = found(made, driver, at).values()
    return [row.name for row in every if row.verdict is Verdict.FAIL]


def test_good_machine_passes_every_row(good: MadeUp) -> None:
    every = found(good)
    assert {row.verdict for row in every.values()} == {Verdict.PASS}
    assert len(every) == 12
    assert every["Pi model"].found == PI_5
    assert every["system"].note.startswith("Debian GNU/Linux 12 (bookworm), ")


@pytest.mark.parametrize(
    ("spoil", "name", "remedy"),
    [
        (lambda m: m.put("etc/os-release", 'VERSION_ID="11"'), "system", ""),
        (lambda m: m.put("proc/asound/cards", " 0 [Headphones ]"), "PWM", "audio=off"),
        (lambda m: m.put("proc/77/comm", "pigpiod\n"), "daemon", "systemctl disable"),
        (lambda m: m.put("etc/group", "gpio:x:997:\n"), "groups", "usermod -aG spi "),
        (lambda m: m.hat(uuid="0"), "EEPROM uuid", "scripts/hat --eeprom"),
        (lambda m: m.hat(product_ver="0x0002"), "EEPROM version", "not 0x0001"),
        (lambda m: (m.root / REV.adc.spidev[1:]).unlink(), "SPI1", "spi1-1cs"),
    ],
)
def test_what_is_wrong_is_the_one_row_that_fails(
    good: MadeUp, spoil: Callable[[MadeUp], object], name: str, remedy: str
) -> None:
    spoil(good)
    assert failed(good) == [name]
    assert remedy in found(good)[name].advice


def test_machine_without_overlay_and_eeprom_is_told_both(tmp_path: Path) -> None:
    made = MadeUp(tmp_path)
    made.pi(PI_5)
    assert failed(made) == ["overlay", "SPI1", "EEPROM vendor"]
    assert found(made)["EEPROM uuid"].verdict is Verdict.SKIP


def test_rights_are_needed_or_root(good: MadeUp) -> None:
    nobody = replace(EVSE, groups=frozenset(), priority=0)
    assert failed(good, at=nobody) == ["groups", "priority"]
    assert failed(good, at=replace(nobody, is_root=True)) == []


def test_pigpio_wants_its_daemon_and_no_kernel_device(
    good: MadeUp, tmp_path: Path
) -> None:
    good.put("sys/class/pwm/pwmchip0/pwm0/period", "0")
    assert failed(good, "pigpio") == ["Pi model", "SPI1", "PWM", "daemon"]
    made = MadeUp(tmp_path / "four")
    made.pi(PI_4)
    made.hat()
    made.overlay()
    with running(tmp_path) as daemon:
        options = {"pigpio_port": str(daemon.port)}
        at = replace(EVSE, root=made.root)
        every = {row.name: row for row in rows(at, "pigpio", options, REV)}
    assert every["daemon"].measured == 79
    assert [one.name for one in every.values() if one.verdict is Verdict.FAIL] == []


def test_where_no_pi_is_everything_is_skipped(tmp_path: Path) -> None:
    every = found(MadeUp(tmp_path))
    assert {(row.verdict, row.note) for row in every.values()} == {
        (Verdict.SKIP, "no Pi")
    }


def test_twin_on_a_pi_needs_nothing_of_it(good: MadeUp) -> None:
    assert {row.verdict for row in found(good, "twin").values()} == {Verdict.SKIP}


def test_this_machine_has_rights_that_can_be_told() -> None:
    assert here().groups
    assert 0 <= here().priority <= 99
