"""The selftest on the twin: it passes on a good board and names what is broken."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hat.twin import PATIENT_S, Running, running

from pilothat.board.pigpioclient import Client
from pilothat.board.pigpiohat import PigpioHat
from pilothat.board.revision import revision
from pilothat.board.selftest import Probe, Row, Verdict, rows
from pilothat.runtime.twinbench import CableEnd
from pilothat.service.cli import main
from pilothat.twin.bench import BenchFault, CarElectrics
from pilothat.twin.circuit import CarPilot
from pilothat.twin.hat import HatFault

REV = revision()


@pytest.fixture
def hat(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as made:
        yield made


def report(hat: Running, *, with_contactor: bool = False) -> list[Row]:
    with contextlib.closing(PigpioHat(Client(port=hat.port), REV, PATIENT_S)) as board:
        return list(rows(Probe(board, REV), with_contactor=with_contactor))


def named(hat: Running, name: str) -> Row:
    """Return a row, and measure no further."""
    with contextlib.closing(PigpioHat(Client(port=hat.port), REV, PATIENT_S)) as board:
        return next(row for row in rows(Probe(board, REV)) if row.name == name)


def failed(found: list[Row]) -> list[str]:
    return [row.name for row in found if row.verdict is Verdict.FAIL]


def test_good_board_passes_and_its_contactor_was_never_closed(hat: Running) -> None:
    found = report(hat)
    assert failed(found) == []
    skipped = [row.name for row in found if row.verdict is Verdict.SKIP]
    assert skipped == ["contactor closes"]
    assert len(found) == 30


def test_contactor_is_measured_when_that_is_asked_for(hat: Running) -> None:
    found = {row.name: row for row in report(hat, with_contactor=True)}
    for name in ("contactor closes", "contactor opens"):
        assert found[name].verdict is Verdict.PASS
        assert 0.01 < (found[name].measured or 0.0) < 0.3


def test_load_on_the_pilot_is_told_as_its_state(hat: Running) -> None:
    with contextlib.closing(CableEnd(hat.path)) as cable:
        cable.connect(CarElectrics(CarPilot.B))
        row = named(hat, "CP steady high")
    assert (row.note, row.verdict) == ("state B", Verdict.PASS)


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        (BenchFault.ESTOP, "emergency stop released"),
        (HatFault.RCM_TRIPPED, "RCM and IMD good"),
        (HatFault.SENSOR_OPEN, "PT1000 at DC+"),
        (HatFault.HOT, "PT1000 at DC-"),
        (BenchFault.CP_SHORT, "CP steady high"),
    ],
)
def test_what_is_broken_is_named(
    hat: Running, fault: BenchFault | HatFault, name: str
) -> None:
    hat.fail(fault)
    assert named(hat, name).verdict is Verdict.FAIL


def test_command_prints_every_value_with_its_limits(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["selftest", "--board", "twin"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == "29 PASS, 0 FAIL, 1 SKIP"
    assert any("+12 V rail" in line and "PASS" in line for line in lines)


def test_command_tells_json_and_does_not_touch_the_contactor_unconfirmed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert main(["selftest", "--contactor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    results = {row["name"]: row["result"] for row in told["checks"]}
    assert told["good"] is True
    assert results["contactor closes"] == "SKIP"


def test_command_fails_without_a_daemon(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--board", "pigpio", "--port", "1"]) == 1
    assert "no daemon answers" in capsys.readouterr().out
