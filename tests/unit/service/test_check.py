"""The settings against this machine, and a board made safe without a station."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from tests.hat.twin import running

from pilothat.service import config
from pilothat.service.check import findings
from pilothat.service.cli import main
from pilothat.service.findings import Finding, Verdict


def file(folder: Path, *lines: str, interface: str = "lo") -> Path:
    path = folder / "station.toml"
    head = f'[station]\ninterface = "{interface}"\ncontrol = "{folder}/control"\n'
    path.write_text(head + "\n".join(lines))
    return path


def looked(path: Path) -> dict[str, Finding]:
    return {one.what: one for one in findings(config.load(path), str(path))}


def test_what_is_missing_is_told_with_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, f'journal = "{tmp_path}/new/journal"', interface="none0")
    assert main(["check", "--config", str(path)]) == 1
    told = capsys.readouterr().out
    assert "FAIL  interface        no interface 'none0'. There are: " in told
    assert "WARN  board            a simulated one." in told
    assert f"PASS  station.journal  {tmp_path}/new/journal" in told
    assert "WARN  station.records  nothing is kept." in told
    assert "PASS  certificates     none needed" in told


def test_port_of_another_charger_is_found(tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as other:
        try:
            other.bind(("::", 15118))
        except OSError:
            pytest.skip("UDP 15118 is taken on this machine")
        assert looked(file(tmp_path))["SDP port"].verdict is Verdict.FAIL


def test_board_that_answers_and_one_that_does_not(tmp_path: Path) -> None:
    with running(tmp_path) as hat:
        board = ("[board]", 'driver = "pigpio"', f"pigpio_port = {hat.port}")
        good = looked(file(tmp_path, *board))["board"]
    gone = looked(tmp_path / "station.toml")["board"]
    assert good.verdict is Verdict.PASS
    assert good.measured.startswith("pigpio answers, CP 0")
    assert gone.verdict is Verdict.FAIL
    assert "no daemon answers" in gone.measured


def test_mistakes_in_the_file_are_told_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = file(tmp_path, "evse_id = 7")
    assert main(["check", "--config", str(path)]) == 2
    assert "station.toml:4: station.evse_id" in capsys.readouterr().err


def test_ocsp_response_that_cannot_be_sent_is_doubtful(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    assert main(["pki", "make", str(pki)]) == 0
    path = file(tmp_path, "[v2g]", 'tls = "offered"', f'pki = "{pki}"')
    assert main(["pki", "ocsp", str(pki)]) == 0
    assert "OCSP response" not in looked(path)
    (pki / "secc" / "ocsp.der").write_bytes(b"garbage")
    found = looked(path)
    assert found["certificates"].verdict is Verdict.PASS
    assert found["OCSP response"].verdict is Verdict.WARN
    told = f"{pki}/secc/ocsp.der: no OCSP response for the leaf"
    assert found["OCSP response"].measured.startswith(told)
    assert found["OCSP response"].remedy == "Fetch it again"


def test_board_is_made_safe_by_its_driver(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(tmp_path) as hat:
        path = file(
            tmp_path, "[board]", 'driver = "pigpio"', f"pigpio_port = {hat.port}"
        )
        assert main(["make-safe", "--config", str(path)]) == 0
        assert not hat.twin.hat.gates.is_k1_on
    assert capsys.readouterr().out == "safe: by the driver pigpio\n"


def test_board_that_cannot_be_reached_is_said_to_be_left_to_its_watchdog(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = ("[board]", 'driver = "pigpio"', "pigpio_port = 1")
    path = file(tmp_path, *lines, f'kernel_twin = "{tmp_path}/none"')
    assert main(["make-safe", "--config", str(path)]) == 1
    told = capsys.readouterr().err
    assert "pigpio: " in told
    assert "kernel: " in told
    assert "watchdog" in told


def test_simulated_board_is_safe(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["make-safe", "--config", str(file(tmp_path))]) == 0
    assert "simulated" in capsys.readouterr().out
