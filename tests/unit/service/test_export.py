"""A charge in one file: all that helps, and nothing that tells whose it was."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sim.short import PLUG_AT_S, QUICK, quick_car

from pilothat.journal import GAP
from pilothat.runtime.journalfile import SUFFIX
from pilothat.runtime.records import Records
from pilothat.service.cars import chosen_car
from pilothat.service.cli import main
from pilothat.station.events import Event
from pilothat.twin.car import Car, Phase, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.profile import CarProfile
from pilothat.twin.stage import EV_MAC, EVSE_MAC, fitting
from pilothat.twin.world import World
from pilothat.v2g.plant import TimeOfDay

NEEDED = {
    "talk.txt", "talk.jsonl", "charge.pcapng", "facts.jsonl", "settings.json",
    "about.json", "session.json",
}  # fmt: skip


JOURNAL = f"000002-19700101-000000{SUFFIX}"


def charged(folder: Path, kind: CarProfile) -> tuple[Path, bytes]:
    """Let a car charge here; return the settings file, and the network key it got."""
    world = World(replace(fitting(kind, QUICK), keeps_lines=True), 1)
    records = Records(folder, lambda: TimeOfDay(0.0, is_trusted=False), lambda: JOURNAL)

    def watch(now: float, event: Event | None, _actions: object) -> None:
        records.watch(world.station, event, now)

    world.watchers.append(watch)
    car = Car(kind, EV_MAC, Chance(1, "car"))
    world.park(car)
    world.after(PLUG_AT_S, lambda: world.drive(Plug()))
    world.run(lambda: car.phase is Phase.AWAY and world.now > PLUG_AT_S, 90.0)
    records.close(world.now)
    (folder / JOURNAL).write_text("\n".join(world.lines) + "\n")
    entropy = [json.loads(line).get("entropy", "") for line in world.lines]
    key = next(bytes.fromhex(one)[:16] for one in entropy if len(one) >= 32)
    path = folder / "station.toml"
    path.write_text(
        f'[station]\ninterface = "eth1"\nevse_id_iso = "DE*ABC*E1234567"\n'
        f'journal = "{folder}"\nrecords = "{folder}"\n'
    )
    return path, key


def exported(path: Path, *more: str) -> Mapping[str, bytes]:
    file = path.with_name("charge.zip")
    assert main(["export", "--config", str(path), *more, str(file)]) == 0
    with zipfile.ZipFile(file) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


@pytest.mark.parametrize("kind", ["generic", "iso2"])
def test_export_helps_and_tells_nobody(tmp_path: Path, kind: str) -> None:
    path, key = charged(tmp_path, quick_car(chosen_car(kind)))
    parts = exported(path)
    assert set(parts) == NEEDED
    talk = parts["talk.txt"].decode()
    for name in (
        "CM_SLAC_MATCH.CNF",
        "SDP response",
        "SessionSetupReq",
        "CurrentDemand",
    ):
        assert name in talk
    assert b"FAILED" not in parts["talk.txt"]
    everything = b"".join(parts.values()).lower()
    for secret in (EV_MAC, EVSE_MAC, key):
        assert secret not in everything
        assert secret.hex().encode() not in everything
        assert secret.hex(":").encode() not in everything
    assert b"de*abc*e1234567" not in everything
    again = tmp_path / "talk.jsonl"
    again.write_bytes(parts["talk.jsonl"])
    assert main(["decode", str(again)]) == 0


def test_asked_for_everything_is_as_it_was_and_the_journal_replays(
    tmp_path: Path,
) -> None:
    path, key = charged(tmp_path, quick_car())
    parts = exported(path, "--identities")
    assert set(parts) == NEEDED | {"journal.jsonl"}
    assert key.hex().encode() in parts["journal.jsonl"]
    assert EV_MAC.hex().encode() in parts["talk.jsonl"]


def test_charge_in_several_files_is_found_whatever_the_clock_was(
    tmp_path: Path,
) -> None:
    """Its file has a gap behind it, and other runs around it, with the same times."""
    path, _ = charged(tmp_path, quick_car())
    whole = exported(path)["facts.jsonl"]
    lines = (tmp_path / JOURNAL).read_text().splitlines()
    other = '{"at":20.0,"event":{"type":"StopRequested"},"actions":[]}'
    head, half = '{"journal":1,"settings":null}', len(lines) // 2
    files = {
        f"000001-20260101-000000{SUFFIX}": [head, other],
        JOURNAL: [*lines[:half], '{"at": 17'],
        f"000003-20260101-000000{SUFFIX}": [GAP, "\0", "7", *lines[half:]],
        f"000004-19700101-000000{SUFFIX}": [head, other],
    }
    for name, content in files.items():
        (tmp_path / name).write_text("\n".join(content))
    assert exported(path)["facts.jsonl"] == whole


@pytest.mark.skipif(shutil.which("tshark") is None, reason="tshark is missing")
def test_capture_opens_in_wireshark_with_good_checksums(tmp_path: Path) -> None:
    path, _ = charged(tmp_path, quick_car())
    file = tmp_path / "charge.pcapng"
    file.write_bytes(exported(path)["charge.pcapng"])
    done = subprocess.run(
        [
            "tshark", "-r", str(file), "-o", "tcp.check_checksum:TRUE",
            "-T", "fields", "-e", "_ws.col.Protocol", "-e", "tcp.checksum.status",
            "-e", "tcp.analysis.flags", "-e", "_ws.expert.message",
        ],
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    rows = [line.split("\t") for line in done.stdout.splitlines()]
    tcp = [row for row in rows if row[1]]
    assert len(tcp) > 50
    assert {row[1] for row in tcp} == {"1"}
    assert [row for row in tcp if row[2]] == []


def test_what_is_not_kept_cannot_be_exported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "station.toml"
    path.write_text('[station]\ninterface = "eth1"\n')
    assert main(["export", "--config", str(path), str(tmp_path / "x.zip")]) == 2
    assert "keeps no records or no journal" in capsys.readouterr().err
    path, _ = charged(tmp_path, quick_car())
    for file in tmp_path.glob(f"*{SUFFIX}"):
        file.unlink()
    assert main(["export", "--config", str(path), str(tmp_path / "x.zip")]) == 1
    assert "its journal is gone" in capsys.readouterr().err
