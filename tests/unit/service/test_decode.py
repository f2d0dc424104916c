"""pilothat decode: every kind of input, and every kind of garbage."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from tests.unit.service.console import Terminal, ran, ran_into_a_closed_pipe, shared

RES = "80400040"
RES_FOUND = {
    "supportedAppProtocolRes": {
        "ResponseCode": "OK_SuccessfulNegotiation",
        "SchemaID": 1,
    }
}
SETUP = "809a004011d0180b280000000400"
SETUP_FOUND = {
    "V2G_Message": {
        "Header": {"SessionID": "00"},
        "Body": {"SessionSetupReq": {"EVCCID": "02ca00000001"}},
    }
}
TRAILING = SETUP + "00"
FRAMED_RES = "01fe800100000004" + RES


def app_request(namespace: str) -> str:
    """Return a handshake that offers one protocol, as schema 1."""
    offer: dict[str, object] = {"ProtocolNamespace": namespace, "SchemaID": 1}
    offer |= {"VersionNumberMajor": 2, "VersionNumberMinor": 0, "Priority": 1}
    message = {"supportedAppProtocolReq": {"AppProtocol": [offer]}}
    return ran("encode", stdin=json.dumps(message).encode()).out.strip()


def record(layer: str, digits: str) -> str:
    return json.dumps({"t": 0.0, "from": "ev", "layer": layer, "hex": digits})


def capture(*digits: str) -> bytes:
    """Return a recorded session: its head, powerline, discovery, then messages."""
    head = json.dumps({"vehicle": "a car", "protocol": "din"})
    lines = [head, record("slac", "ffff"), record("sdp", "1000"), record("sdp", "00")]
    lines += [record("v2gtp", one) for one in digits]
    lines.append(json.dumps({"t": 9.0, "from": "ev", "layer": "tcp"}))
    return "\n".join(lines).encode()


WRITTEN = {
    "digits": SETUP,
    "capitals": SETUP.upper(),
    "spaces": " ".join(SETUP[i : i + 2] for i in range(0, len(SETUP), 2)),
    "colons": ":".join(SETUP[i : i + 2] for i in range(0, len(SETUP), 2)),
    "prefix": f"0x{SETUP}",
    "header": f"01fe8001{len(SETUP) // 2:08x}{SETUP}",
}


@pytest.mark.parametrize("form", WRITTEN)
def test_hex_is_decoded_however_it_is_written(form: str) -> None:
    done = ran("decode", WRITTEN[form])
    assert (done.code, json.loads(done.out), done.err) == (0, SETUP_FOUND, "")


CONTENTS = {
    "hex lines": f"{SETUP}\n\n{SETUP}\r\n".encode(),
    "octets of two framed messages": bytes.fromhex(WRITTEN["header"]) * 2,
    "recorded session": capture(SETUP, SETUP),
}


@pytest.mark.parametrize("content", CONTENTS)
def test_file_is_decoded_message_by_message(content: str, tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(CONTENTS[content])
    done = ran("decode", path)
    assert [json.loads(line) for line in done.out.splitlines()] == [SETUP_FOUND] * 2
    assert done.code == 0


@pytest.mark.parametrize("content", CONTENTS)
def test_standard_input_is_decoded_like_a_file(content: str) -> None:
    done = ran("decode", "-", stdin=CONTENTS[content])
    assert done.out.count("SessionSetupReq") == 2
    assert done.code == 0


def test_octets_without_header_are_one_message() -> None:
    done = ran("decode", stdin=bytes.fromhex(SETUP))
    assert json.loads(done.out) == SETUP_FOUND


def test_one_line_a_message_where_nobody_looks_and_indented_on_a_terminal() -> None:
    assert ran("decode", SETUP).out.count("\n") == 1
    assert ran("decode", SETUP, out=Terminal()).out.count("\n") > 5


def test_handshake_is_told_by_its_root_element() -> None:
    assert json.loads(ran("decode", RES).out) == RES_FOUND


def test_protocol_that_was_asked_for_is_not_second_guessed() -> None:
    assert ran("decode", "--protocol", "app", RES).code == 0
    assert ran("decode", "--protocol", "din", RES).code == 1
    assert ran("decode", "--protocol", "app", SETUP).code == 1


def test_conversation_goes_on_in_the_protocol_it_agreed_on() -> None:
    talk = capture(app_request("urn:din:70121:2012:MsgDef"), RES, SETUP)
    done = ran("decode", stdin=talk)
    roots = [next(iter(json.loads(line))) for line in done.out.splitlines()]
    assert roots == [
        "supportedAppProtocolReq",
        "supportedAppProtocolRes",
        "V2G_Message",
    ]


def test_conversation_in_a_protocol_that_is_not_spoken_ends_with_one_line() -> None:
    talk = capture(app_request("urn:iso:15118:2:2013:MsgDef"), RES, SETUP, SETUP)
    done = ran("decode", stdin=talk)
    assert done.code == 1
    assert done.out.count("\n") == 2
    assert done.err.count("\n") == 1
    assert "urn:iso:15118:2:2013:MsgDef, which is not spoken here" in done.err


def test_what_a_recorded_session_holds_beside_messages_is_counted() -> None:
    done = ran("decode", stdin=capture(SETUP))
    assert "2 of layer sdp left out" in done.err
    assert "1 of layer tcp left out" in done.err


def test_tolerance_is_noted_on_standard_error() -> None:
    done = ran("decode", TRAILING)
    assert (done.code, json.loads(done.out)) == (0, SETUP_FOUND)
    assert done.err == "pilothat: note: needed tolerance: trailing-octets\n"


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b" \n", "-: nothing there to decode"),
    "odd digits": (b"809", "line 1: no hex"),
    "no digits": (b"hello", "line 1: no hex"),
    "another header": (b"709a", "line 1: EXI: header 0x70 instead of 0x80 (bit 8)"),
    "cut short": (
        b"809a004011d018",
        "line 1: V2G_Message/Body/SessionSetupReq/EVCCID: 6 octets announced",
    ),
    "handshake cut short": (b"8000", "line 1: supportedAppProtocolReq"),
    "header cut short": (b"01fe8001", "line 1: V2GTP: the last 4 octets"),
    "payload cut short": (FRAMED_RES[:-2].encode(), "V2GTP: the last 11 octets"),
    "length bomb": (b"01fe8001ffffffff80", "line 1: V2GTP: 4294967295 octets"),
    "other version": (b"01ff80010000000480400040", "V2GTP: version 01 ff"),
    "discovery": (b"01fe9000000000021000", "V2GTP payload type 0x9000"),
    "empty message": (b"01fe800100000000", "EXI: the message is cut short"),
    "no JSON": (b'{"layer": ', "line 1: no JSON"),
    "deep JSON": (b'{"layer":' * 50_000, "line 1: no JSON"),
    "other JSON": (b'{"a": 1}', "line 1: no record of a session"),
    "record of no hex": (b'{"layer": "v2gtp", "hex": 1}', "line 1: EXI"),
}


@pytest.mark.parametrize("kind", BAD)
def test_bad_input_is_one_line_that_says_what_and_where(kind: str) -> None:
    content, told = BAD[kind]
    done = ran("decode", stdin=content)
    assert (done.code, done.out, done.err.count("\n")) == (1, "", 1)
    assert told in done.err


def test_bad_line_does_not_hide_the_good_ones() -> None:
    done = ran("decode", stdin=f"{SETUP}\n80\n{SETUP}".encode())
    assert done.code == 1
    assert done.out.count("\n") == 2
    assert done.err.startswith("pilothat: line 2: EXI")


@pytest.mark.parametrize("name", ["zz", "no/such/file", "a\0b", "z" * 5000, "/"])
def test_argument_that_is_neither_hex_nor_a_file_is_wrong_usage(name: str) -> None:
    done = ran("decode", name)
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "neither hex nor a readable file" in done.err


@pytest.mark.parametrize("seed", range(40))
def test_garbage_is_refused_in_lines_without_control_codes(seed: int) -> None:
    chance = random.Random(seed)
    start = (b"", b"\x80", b"\x80\x9a", b"\x01\xfe\x80\x01", b"{", b"809a")[seed % 6]
    done = ran("decode", stdin=start + chance.randbytes(chance.randrange(1, 400)))
    assert done.code in (0, 1)
    assert done.err.replace("\n", "").isprintable()


def test_reader_that_goes_away_is_no_traceback() -> None:
    done = ran_into_a_closed_pipe("decode", SETUP)
    assert (done.code, done.err) == (1, "")


def test_recorded_session_of_a_real_car_is_decoded_and_encoded_again() -> None:
    path = shared("captures/polestar2_din_complete.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    sent = [one["hex"] for one in records if one.get("layer") == "v2gtp"]
    decoded = ran("decode", path)
    encoded = ran("encode", stdin=decoded.out.encode())
    assert encoded.out.split() == sent
