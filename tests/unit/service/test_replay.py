"""The command replay: what it prints, and its exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from tests.sim.short import QUICK, quick_car
from tests.unit.twin.captured import HEADER, Row, charge, name, text

from pilothat.homeplug.cm import CmMnbcSoundInd
from pilothat.journal import GAP
from pilothat.service.cli import main
from pilothat.service.replay import conversation
from pilothat.service.replayjournal import is_journal
from pilothat.twin.car import Car, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.recordedmarks import Said, Side
from pilothat.twin.recordedwords import words_of
from pilothat.twin.stage import EV_MAC
from pilothat.twin.world import World
from pilothat.v2g import sdp
from pilothat.v2g.messages import din, iso2


@pytest.fixture
def capture(tmp_path: Path) -> Path:
    path = tmp_path / "charge.jsonl"
    path.write_text(text(charge()))
    return path


def without_stop(rows: list[Row]) -> list[Row]:
    """Return a recording whose last request our station cannot read."""
    at = next(n for n, row in enumerate(rows) if name(row) == "SessionStopReq")
    rows[at]["hex"] = "80ffff"
    return rows


def test_conversation_is_printed_with_a_verdict(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(capture)]) == 0
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert lines[0] == "vehicle   twin (din)"
    assert any("-> CM_SLAC_PARM.REQ" in line for line in lines)
    assert any("<- PreChargeRes" in line and line.endswith(" V") for line in lines)
    assert "reached   SessionStop; recorded SessionStop" in lines
    assert lines[-1] == "verdict   passed: came as far as in the recording"


def test_quiet_leaves_the_conversation_out(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", "--quiet", str(capture)]) == 0
    out = capsys.readouterr().out
    assert "->" not in out
    assert "verdict" in out


def test_json_is_one_object(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["replay", "--json", str(capture)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is True
    assert (told["reached"], told["recorded"]) == ("SessionStop", "SessionStop")
    assert told["vehicle"] == HEADER["vehicle"]
    assert told["messages"]["SessionStopReq"] == 1
    assert told["differences"] == []
    assert told["violations"] == []


def test_same_capture_gives_the_same_output(
    capture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["replay", str(capture)])
    first = capsys.readouterr().out
    main(["replay", str(capture)])
    assert capsys.readouterr().out == first


def test_car_that_comes_less_far_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken.jsonl"
    path.write_text(text(without_stop(charge())))
    assert main(["replay", str(path)]) == 1
    out = capsys.readouterr().out
    assert "cannot be decoded: sent as recorded" in out
    assert out.splitlines()[-1] == "verdict   failed: no answer to unknown"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"hello\n", "file:1: no JSON"),
        (b"{}\n", "file:1: no header of a capture"),
        (json.dumps(HEADER).encode() + b"\n\xff\xfe\n", "file:2: no text"),
        (b"[" * 100_000, "file:1: no JSON"),
    ],
)
def test_wrong_file_is_one_line_and_exit_code_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes, told: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert main(["replay", str(path)]) == 2
    err = capsys.readouterr().err
    assert told in err
    assert err.count("\n") == 1


def test_missing_file_and_folder_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = [main(["replay", str(path)]) for path in (tmp_path, tmp_path / "none")]
    assert codes == [2, 2]
    assert capsys.readouterr().err.count("\n") == 2


# --- words


def test_names_and_fields_are_those_of_the_command_decode() -> None:
    sound = CmMnbcSoundInd(cnt=3, run_id=bytes(8), rnd=bytes(16))
    said = Said(1.0, Side.CAR, "CmMnbcSoundInd", sound)
    assert words_of(said) == ("CM_MNBC_SOUND.IND", "to come 3")
    asked = sdp.SdpRequest(sdp.Security.TLS)
    said = Said(1.0, Side.CAR, "SDP request", asked)
    assert words_of(said) == ("SDP request", "asks for TLS")


def test_what_nobody_can_read_has_its_name_only() -> None:
    assert words_of(Said(1.0, Side.CAR, "unknown")) == ("unknown", "")
    bare = iso2.V2gMessage(header=iso2.MessageHeader(session_id=bytes(8)))
    assert words_of(Said(1.0, Side.CAR, "unknown", bare)) == ("unknown", "")


def _precharge_said() -> Said:
    status = din.DcEvStatus(
        ev_ready=True, ev_error_code=din.DcEvErrorCode.NO_ERROR, ev_ress_soc=44
    )
    unit = din.UnitSymbol
    body = din.PreChargeReq(
        dc_ev_status=status,
        ev_target_voltage=din.PhysicalValue.of(353.4, unit.V),
        ev_target_current=din.PhysicalValue.of(1, unit.A),
    )
    header = din.MessageHeader(session_id=bytes(8))
    message = din.V2gMessage(header=header, body=body)
    return Said(1.0, Side.CAR, "PreChargeReq", message)


def test_fields_that_matter_have_their_units() -> None:
    assert words_of(_precharge_said()) == (
        "PreChargeReq",
        "target 353.4 V  1.000 A  SoC 44 %",
    )


def test_difference_that_goes_on_is_told_once() -> None:
    one = Said(1.0, Side.STATION, "X", None, differences=("with Y",))
    other = Said(2.0, Side.STATION, "X", None, differences=("with Z",))
    marked = ["with" in line for line in conversation([one, one, other, one])]
    assert marked == [True, False, True, True]


# --- journals


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    world = World(replace(QUICK, keeps_lines=True), 1)
    world.park(Car(quick_car(), EV_MAC, Chance(1, "car")))
    world.after(0.3, lambda: world.drive(Plug()))
    world.run(lambda: False, 9.0)
    path = tmp_path / "one.journal.jsonl"
    path.write_text("".join(f"{line}\n" for line in world.lines))
    return path


def test_journal_that_replays_is_good(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["replay", str(journal)]) == 0
    assert capsys.readouterr().out.startswith("the same actions in all ")


def test_journal_that_differs_shows_the_line(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = journal.read_text().replace('"voltage_v":0.0', '"voltage_v":9.0', 1)
    journal.write_text(changed)
    assert main(["replay", "--json", str(journal)]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False
    assert '"voltage_v":9.0' in told["recorded"]
    assert '"voltage_v":0.0' in told["now"]


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"at":1,"event":{"type":"Nothing"},"actions":[]}', "line 2"),
        ('{"at":"x","event":null,"actions":[]}', "line 2"),
        ('{"at":1,"event":{"type":"FrameIn","frame":"0g"},"actions":[]}', "line 2"),
        ('{"at":1,"event":{"type":"SdpIn","payload":"","host":1,"port":1}}', "line 2"),
        ("[]", "line 2"),
        (GAP, "line 2: a gap: the disk had no room"),
    ],
)
def test_bad_line_of_a_journal_is_exit_code_2(
    journal: Path, capsys: pytest.CaptureFixture[str], line: str, told: str
) -> None:
    header = journal.read_text().splitlines()[0]
    journal.write_text(f"{header}\n{line}\n{line}\n")
    assert main(["replay", str(journal)]) == 2
    assert told in capsys.readouterr().err


def test_journal_of_another_form_or_without_header_is_refused(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = journal.read_text().splitlines()
    journal.write_text("\n".join(lines[1:]))
    codes = [main(["replay", str(journal)])]
    journal.write_text('{"journal":99,"settings":{}}\n')
    codes.append(main(["replay", str(journal)]))
    assert codes == [2, 2]
    assert "no header" in capsys.readouterr().err


def test_journal_is_told_from_a_capture_by_its_first_line() -> None:
    assert is_journal('{"journal":1}\n')
    assert is_journal('{"at":1,"event":null,"actions":[]}\n')
    assert not is_journal(json.dumps(HEADER))
    assert not is_journal("")
