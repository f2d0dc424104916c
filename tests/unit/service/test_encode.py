"""pilothat encode: what decode prints, and everything that is no message."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.service.console import Terminal, ran, ran_into_a_closed_pipe

RES = "80400040"
SETUP = "809a004011d0180b280000000400"


def decoded(digits: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(ran("decode", digits).out)
    return found


@pytest.mark.parametrize("digits", [RES, SETUP])
def test_what_decode_prints_is_encoded_to_the_same_octets(digits: str) -> None:
    done = ran("encode", stdin=ran("decode", digits).out.encode())
    assert (done.code, done.out, done.err) == (0, f"{digits}\n", "")


@pytest.mark.parametrize("digits", [RES, SETUP])
def test_indented_form_is_read_as_well(digits: str) -> None:
    shown = ran("decode", digits, out=Terminal()).out
    assert ran("encode", stdin=(shown * 3).encode()).out.split() == [digits] * 3


def test_v2gtp_header_is_put_in_front() -> None:
    done = ran("encode", "--v2gtp", stdin=json.dumps(decoded(RES)).encode())
    assert done.out == f"01fe800100000004{RES}\n"
    assert json.loads(ran("decode", done.out.strip()).out) == decoded(RES)


def test_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "message.json"
    path.write_text(json.dumps(decoded(SETUP)))
    assert ran("encode", "--protocol", "din", path).out == f"{SETUP}\n"


def test_protocol_that_was_asked_for_counts() -> None:
    done = ran("encode", "--protocol", "app", stdin=json.dumps(decoded(SETUP)).encode())
    assert done.code == 1
    assert "V2G_Message: no message of app" in done.err


HEADER_20 = {"SessionID": "0102030405060708", "TimeStamp": 0}
STOP_20 = {"SessionStopReq": {"Header": HEADER_20, "ChargingSession": "Terminate"}}


def line(**changes: object) -> bytes:
    """Return a message as ``pilothat decode --json`` prints it."""
    found = {"t": 1.0, "from": "ev", "layer": "v2gtp", "payload_type": "8001"}
    return json.dumps({**found, "content": decoded(SETUP), **changes}).encode()


def test_line_of_decode_is_encoded() -> None:
    assert ran("encode", stdin=line()).out == f"{SETUP}\n"


def test_payload_type_is_that_of_the_line_or_of_the_grammar() -> None:
    side = line(payload_type="8101", protocol="iso20-common", content=STOP_20)
    assert ran("encode", "--v2gtp", stdin=side).out.startswith("01fe8101")
    bare = json.dumps(STOP_20).encode()
    done = ran("encode", "--v2gtp", "--protocol", "iso20-common", stdin=bare)
    assert done.out.startswith("01fe8002")


def test_lines_of_other_layers_are_left_out_and_counted() -> None:
    other = line(layer="slac", content={})
    done = ran("encode", stdin=other + b"\n" + line() + b"\n" + other)
    assert (done.code, done.out) == (0, f"{SETUP}\n")
    assert done.err == ("pilothat: note: 2 lines that hold no V2G message left out\n")


SIGNED = {
    "iso2": {"AuthorizationReq": {"@Id": "ID1"}},
    "iso20-common": {"PriceLevelSchedule": {
        "@Id": "ID1",
        "TimeAnchor": 0,
        "PriceScheduleID": 1,
        "NumberOfPriceLevels": 1,
        "PriceLevelScheduleEntries": {
            "PriceLevelScheduleEntry": [{"Duration": 60, "PriceLevel": 1}]
        },
    }},
}  # fmt: skip


@pytest.mark.parametrize("protocol", SIGNED)
def test_element_by_itself_becomes_a_fragment_and_comes_back(protocol: str) -> None:
    given = json.dumps(SIGNED[protocol]).encode()
    done = ran("encode", "--fragment", "--protocol", protocol, stdin=given)
    assert (done.code, done.err) == (0, "")
    again = ran("decode", "--fragment", "--protocol", protocol, done.out.strip())
    assert json.loads(again.out) == SIGNED[protocol]


def test_message_is_no_fragment() -> None:
    done = ran("encode", "--fragment", stdin=json.dumps(decoded(SETUP)).encode())
    assert (done.code, done.out) == (1, "")
    assert "V2G_Message" in done.err


def test_octets_are_written_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "line.json"
    path.write_bytes(line())
    command = (sys.executable, "-m", "pilothat.service.cli", "encode", "--binary")
    done = subprocess.run([*command, str(path)], capture_output=True, check=True)
    assert done.stdout.hex() == SETUP


OFFER = {
    "ProtocolNamespace": "x",
    "VersionNumberMajor": 0,
    "VersionNumberMinor": 0,
    "SchemaID": 0,
    "Priority": 1,
}


def offering(**changes: object) -> bytes:
    message = {"supportedAppProtocolReq": {"AppProtocol": [OFFER | changes]}}
    return json.dumps(message).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "-: nothing there to encode"),
    "no text": (b"\xff", "-: no text"),
    "no JSON": (b"{", "line 1: no JSON"),
    "no JSON further down": (b"\n\n}", "line 3: no JSON"),
    "deep JSON": (b"[" * 50_000, "line 1: no JSON"),
    "number": (b"1", "line 1: a message is an object"),
    "list": (b"[]", "line 1: a message is an object"),
    "no root": (b"{}", "no root element of any protocol"),
    "unknown root": (b'{"Hello": {}}', "Hello: no root element of any protocol"),
    "control codes": (b'{"\\u001b[31m": 1}', "line 1: \\x1b[31m: no root"),
    "two roots": (b'{"V2G_Message": 1, "x": 2}', "no root element"),
    "no content": (b'{"V2G_Message": 1}', "V2G_Message: 1 is no object"),
    "missing element": (b'{"V2G_Message": {"Body": {}}}', "V2G_Message: "),
    "value too large": (offering(Priority=21), "AppProtocol[0]/Priority"),
    "value of another kind": (offering(Priority=1.5), "1.5 is no int"),
    "half a character": (offering(ProtocolNamespace="\ud800"), "surrogate"),
    "unknown element": (offering(Colour="red"), "Colour is not known here"),
    "line without content": (line(content=None), '"content" is no object'),
    "line with an error": (line(error="cut short"), "could not be decoded: cut short"),
    "line of no payload type": (line(payload_type="x"), "invalid literal"),
    "huge value": (offering(Priority="9" * 100_000), "is no int"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_short_line_that_says_what_and_where(kind: str) -> None:
    content, told = BAD[kind]
    done = ran("encode", stdin=content)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert told in done.err or kind == "huge value"
    assert len(done.err) < 500


def test_bad_message_does_not_hide_the_good_ones() -> None:
    good = json.dumps(decoded(RES))
    done = ran("encode", stdin=f'{good}\n{{"x": 1}}\n{good}'.encode())
    assert (done.code, done.out) == (1, f"{RES}\n{RES}\n")
    assert done.err.startswith("pilothat: line 2: x")


def test_missing_file_is_wrong_usage(tmp_path: Path) -> None:
    done = ran("encode", tmp_path / "none.json")
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = tmp_path / "message.json"
    path.write_text(json.dumps(decoded(RES)))
    done = ran_into_a_closed_pipe("encode", str(path))
    assert (done.code, done.err) == (1, "")
