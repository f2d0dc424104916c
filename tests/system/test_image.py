"""A card made by `make image`, on an emulated Pi: it installs itself, a car charges.

All of it happens on the Pi. Emulated, it is so slow that no car would wait. So its
clock goes by its instructions (``booting.PACE``): it is a Pi slower than real ones, and
what is measured by its own clock does not depend on the machine that emulates it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.system import card as cards
from tests.system.booting import Boot
from tests.system.card import Card

pytestmark = pytest.mark.image

Recorder = Callable[[str, object], None]
SETTINGS = """\
[machine]
host_name = "garage"

[station]
interface = "evse0"
"""
JOURNAL = "/var/lib/pilothat/journal"
NEARLY_FULL, EMPTY = "bench.soc=79.95", "bench.soc=20.8"
LOST_S = 5.0  # a second is meant; the emulated card is slow


@pytest.fixture(scope="module")
def card(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Card]:
    """Return a card as it comes out of `make image`."""
    if missing := cards.lacking():
        pytest.skip(f"needs {missing}")
    deb = request.getfixturevalue("deb")
    folder = tmp_path_factory.mktemp("image")
    mine = folder / "mine.toml"
    mine.write_text(SETTINGS)
    debs = folder / "debs"
    debs.mkdir()
    (debs / deb.name).write_bytes(deb.read_bytes())
    plain = Card.made(folder)
    with cards.timed("scripts/image"):
        made = plain.edited("--debs", debs, "--settings", mine)
    plain.path.unlink()
    yield made
    made.path.unlink()


@pytest.fixture(scope="module")
def installed(card: Card) -> Card:
    """Boot the card for the first time."""
    with cards.timed("first boot"), Boot(card) as boot:
        boot.wait_for("reboot: Restarting system")
    return card


def told(boot: Boot, what: str) -> dict[str, Any]:
    """Return what the bench says of the car, the station or the charge."""
    line = boot.wait_for(f"bench: {what} ")
    return dict(json.loads(line[line.index("{") :]))


def charges(boot: Boot) -> dict[str, Any]:
    """Wait until a car has charged and left, and the Pi is off; return the charge."""
    car, station, charge = (told(boot, one) for one in ("car", "station", "charge"))
    assert car["outcome"] == "charged", car
    assert car["energy_wh"] > 0
    assert (station["phase"], station["pilot"]) == ("idle", "A1")
    assert not station["is_contactor_closed"]
    assert not station["faults"]
    assert charge["energy_wh"] == pytest.approx(car["energy_wh"], abs=1)
    boot.wait_for("reboot: Power down")
    return charge


def test_first_boot_installs_it(installed: Card) -> None:
    log = installed.read("pilothat/first-boot.log")
    assert "FAIL" not in log, log
    assert log.count("PASS") == 7
    assert installed.read("cmdline.txt") == cards.CMDLINE


def test_second_boot_is_a_station_and_a_car_charges(
    installed: Card, record_property: Recorder
) -> None:
    with cards.timed("boot and charge"), Boot(installed, NEARLY_FULL) as boot:
        boot.wait_for("Started pilothatd.service")
        record_property("emulated Pi, boot to READY, s of its own", boot.at_s)
        record_property("the same, s of this machine", boot.took_s)
        boot.wait_for("boot_to_ready_s=")
        record_property("ready for a car, s of its own", boot.at_s)
        boot.wait_for("the car plugs in")
        plugged_s = boot.at_s
        charges(boot)
        record_property(
            "the car until the Pi is off, s of its own", boot.at_s - plugged_s
        )
        record_property("all of it, s of this machine", boot.took_s)
    # a container may refuse these, its kernel is another's; here the unit has them all
    assert "timing is best effort" not in boot.text
    assert "does not support BPF/cgroup firewalling" not in boot.text


def test_power_cut_in_a_charge_costs_seconds_of_its_journal_and_nothing_else(
    installed: Card, tmp_path: Path, record_property: Recorder
) -> None:
    with cards.timed("boot and power cut"), Boot(installed, EMPTY) as boot:
        boot.wait_for("phase charging")
        boot.wait_for("soc_pct=21")
        cut_s = boot.at_s
        boot.cut()
    with cards.timed("boot after it"), Boot(installed, NEARLY_FULL) as boot:
        charges(boot)
    installed.dump(JOURNAL, tmp_path)
    cut, _ = sorted(tmp_path.glob("journal/*"))[-2:]
    *whole, last = cut.read_text().splitlines(keepends=True)
    entries = [json.loads(line) for line in whole]
    if last.endswith("\n"):
        entries.append(json.loads(last))
    lost_s = cut_s - entries[-1]["at"]
    record_property("journal lost by the power cut, s of the Pi", lost_s)
    assert lost_s <= LOST_S
