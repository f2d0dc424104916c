"""pilothat decode: every kind of input, every form of output, every kind of garbage."""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
from pathlib import Path
from subprocess import PIPE

import pytest
from tests.unit.service.console import Terminal, ran, ran_into_a_closed_pipe, shared
from tests.unit.traffic import wire
from tests.unit.traffic.test_dissect import tls

from pilothat.homeplug.cm import CmSlacMatchCnf
from pilothat.homeplug.frame import Frame

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


SLAC = (
    "ffffffffffff02ca0000000188e1016460000000001122334455667788"  # asks for parameters
)


def record(layer: str, digits: str, kind: str = "") -> str:
    found = {"t": 0.0, "from": "ev", "layer": layer, "payload_type": kind}
    return json.dumps({**found, "hex": digits})


def capture(*digits: str) -> bytes:
    """Return a recorded session: its head, powerline, discovery, then messages."""
    head = json.dumps({"vehicle": "a car", "protocol": "din"})
    lines = [head, record("slac", SLAC), record("sdp", "1000", "9000")]
    lines += [record("v2gtp", one) for one in digits]
    closing = {"t": 9.0, "from": "ev", "layer": "tcp", "payload_type": "FIN"}
    return "\n".join([*lines, json.dumps(closing)]).encode()


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
    done = ran("decode", "--json", stdin=talk)
    found = [json.loads(line) for line in done.out.splitlines()]
    assert [(one["protocol"], one["message"]) for one in found] == [
        ("", "CM_SLAC_PARM.REQ"),
        ("", "SDP request"),
        ("app", "supportedAppProtocolReq"),
        ("app", "supportedAppProtocolRes"),
        ("din", "SessionSetupReq"),
        ("", "TCP"),
    ]


def test_message_in_a_protocol_that_is_not_spoken_is_told_on_its_line() -> None:
    talk = capture(app_request("urn:maker:own"), RES, SETUP)
    done = ran("decode", stdin=talk)
    lines = done.out.splitlines()
    assert (done.code, len(lines), done.err) == (1, 6, "")
    assert "!urn:maker:own was agreed on, which is not spoken here" in lines[4]


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
    "broken discovery": (b"01fe9000000000022000", "2000 is no SDP request"),
    "unknown payload": (b"01fe70000000000100", "V2GTP payload type 0x7000"),
    "empty message": (b"01fe800100000000", "EXI: the message is cut short"),
    "no JSON": (b'{"layer": ', "line 1: no JSON"),
    "deep JSON": (b'{"layer":' * 50_000, "line 1: no JSON"),
    "other JSON": (b'{"a": 1}', "line 1: no record of a session"),
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


def test_hex_may_be_longer_than_a_file_name() -> None:
    done = ran("decode", SETUP + "00" * 3000)
    assert json.loads(done.out) == SETUP_FOUND


def test_fragment_needs_a_grammar() -> None:
    done = ran("decode", "--fragment", SETUP)
    assert (done.code, done.err) == (2, "pilothat: --fragment: needs --protocol\n")


def test_broken_fragment_is_told() -> None:
    done = ran("decode", "--fragment", "--protocol", "xmldsig", "80ff")
    assert (done.code, done.out) == (1, "")


def test_reader_that_goes_away_is_no_traceback() -> None:
    done = ran_into_a_closed_pipe("decode", SETUP)
    assert (done.code, done.err) == (1, "")


# --- recorded traffic


def test_recorded_traffic_is_told_in_lines() -> None:
    done = ran("decode", stdin=capture(app_request("urn:din:70121:2012:MsgDef"), RES))
    assert done.out.splitlines() == [
        "     0.000 s      EV -> EVSE  CM_SLAC_PARM.REQ"
        "              run 1122334455667788",
        "     0.000 s      EV -> EVSE  SDP request                   without TLS",
        "     0.000 s  #1  EV -> EVSE  supportedAppProtocolReq"
        "       urn:din:70121:2012:MsgDef",
        "     0.000 s  #1  EV -> EVSE  supportedAppProtocolRes       schema 1",
        "     9.000 s  #1  EV -> EVSE  TCP                           FIN",
    ]
    assert done.code == 0


def test_capture_file_is_told_in_lines(tmp_path: Path) -> None:
    path = tmp_path / "charge.pcap"
    path.write_bytes(wire.pcap(wire.charge()))
    done = ran("decode", path)
    assert (done.code, done.err) == (0, "")
    loop = [line for line in done.out.splitlines() if "CurrentDemandRe" in line]
    assert "#1  EV -> EVSE  CurrentDemandReq              target " in loop[0]
    assert " V  " in loop[0]
    assert loop[0].endswith("SoC 70 %")
    assert "#1  EVSE -> EV  CurrentDemandRes              present " in loop[1]


def test_packed_capture_is_read() -> None:
    packed = gzip.compress(wire.pcap(wire.charge()))
    plain = ran("decode", stdin=wire.pcap(wire.charge()))
    assert ran("decode", stdin=packed) == plain


def test_packed_capture_that_is_cut_gives_what_is_there() -> None:
    packed = gzip.compress(wire.pcap(wire.charge()))
    done = ran("decode", stdin=packed[: len(packed) // 2])
    assert done.code == 1
    assert "SessionSetupRes" in done.out
    assert "pilothat: file: the file cannot be read: " in done.err


def test_wall_time_is_shown_where_it_was_recorded() -> None:
    charge = ran("decode", "--absolute", stdin=wire.pcap(wire.charge()))
    assert charge.out.startswith("2023-11-14 22:13:20.000Z  ")
    session = ran("decode", "--absolute", stdin=capture(SETUP))
    assert session.out.startswith("     0.000 s  ")
    assert "no wall time recorded" in session.err


def test_one_connection_of_several_is_shown() -> None:
    first = wire.charge(connection=wire.Connection(ev_port=50_001))[:400]
    second = wire.charge(connection=wire.Connection(ev_port=50_002))[:400]
    done = ran("decode", "--stream", "2", stdin=wire.pcap(first + second))
    assert {line.split()[2] for line in done.out.splitlines()} == {"#2"}


def test_tree_shows_all_with_units() -> None:
    done = ran("decode", "--tree", stdin=wire.pcap(wire.charge()))
    part = done.out.partition("PreChargeReq")[2].splitlines()[:14]
    assert [line.split() for line in part if line][:6] == [
        ["V2G_Message"],
        ["Header"],
        ["SessionID", part[3].split()[1]],
        ["Body"],
        ["PreChargeReq"],
        ["DC_EVStatus"],
    ]
    fields = dict(line.split(maxsplit=1) for line in part if len(line.split()) > 1)
    assert fields["EVRESSSOC"] == "70 %"
    assert fields["EVTargetVoltage"].endswith(" V")


def test_network_key_is_in_no_line_and_no_tree() -> None:
    data = wire.pcap(wire.charge())
    keys = {
        told.value.mme.nmk.hex()
        for told in wire.told_of(data)
        if isinstance(told.value, Frame) and isinstance(told.value.mme, CmSlacMatchCnf)
    }
    shown = ran("decode", stdin=data).out + ran("decode", "--tree", stdin=data).out
    assert len(keys) == 1
    assert [key for key in keys if key in shown] == []


def test_json_lines_are_read_like_a_recorded_session() -> None:
    first = ran("decode", "--json", stdin=wire.pcap(wire.charge()))
    again = ran("decode", "--json", stdin=first.out.encode())
    assert ran("decode", stdin=first.out.encode()).out.count("CurrentDemandRes") > 10
    assert again == first


def test_json_lines_are_encoded_to_the_octets_they_came_from() -> None:
    lines = ran("decode", "--json", stdin=wire.pcap(wire.charge())).out
    done = ran("encode", "--v2gtp", stdin=lines.encode())
    assert done.out.split() == [data.hex() for _, data in wire.messages()]
    assert "lines that hold no V2G message left out" in done.err


def test_json_line_of_a_broken_message_keeps_its_octets_and_says_what_is_wrong() -> (
    None
):
    done = ran("decode", "--json", stdin=capture(SETUP, SETUP[:14]))
    found = json.loads(done.out.splitlines()[3])
    assert (done.code, found["hex"], found["content"]) == (1, SETUP[:14], {})
    assert found["message"] == "SessionSetupReq"
    assert found["error"].startswith(
        "V2G_Message/Body/SessionSetupReq/EVCCID: 6 octets"
    )


def test_choice_without_handshake_is_told_once() -> None:
    done = ran("decode", stdin=capture(SETUP, SETUP))
    reason = "no handshake seen: din by the number of the root element"
    assert done.out.count(reason) == 1


def test_tolerances_are_named_on_the_line() -> None:
    done = ran("decode", stdin=capture(TRAILING))
    assert "(tolerated trailing-octets; no handshake seen" in done.out
    assert done.code == 0


def test_protocol_does_not_change_a_recorded_handshake() -> None:
    done = ran("decode", "--protocol", "din", stdin=capture(RES, SETUP))
    assert done.code == 0
    assert "supportedAppProtocolRes" in done.out


def test_record_of_no_hex_is_told_on_its_line() -> None:
    done = ran("decode", stdin=b'{"layer": "v2gtp", "hex": 1}')
    assert (done.code, done.err) == (1, "")
    assert "line 1" in done.out
    assert "!EXI: the message is cut short" in done.out


# --- what stands out


def current_demand(code: str, status: str) -> str:
    value = {"Multiplier": 0, "Unit": "V", "Value": 400}
    body = {
        "ResponseCode": code,
        "DC_EVSEStatus": {
            "EVSEIsolationStatus": "Valid",
            "EVSEStatusCode": status,
            "NotificationMaxDelay": 0,
            "EVSENotification": "None",
        },
        "EVSEPresentVoltage": value,
        "EVSEPresentCurrent": {"Multiplier": -1, "Unit": "A", "Value": 1200},
        "EVSECurrentLimitAchieved": False,
        "EVSEVoltageLimitAchieved": False,
        "EVSEPowerLimitAchieved": False,
    }
    message = {"Header": {"SessionID": "00"}, "Body": {"CurrentDemandRes": body}}
    return ran(
        "encode", stdin=json.dumps({"V2G_Message": message}).encode()
    ).out.strip()


FAILED = current_demand("FAILED_SequenceError", "EVSE_Shutdown")


def test_good_answer_has_no_mark() -> None:
    done = ran("decode", "--line", current_demand("OK", "EVSE_Ready"))
    assert done.out == "CurrentDemandRes              present 400 V  120.0 A\n"


def test_failure_and_status_have_a_mark() -> None:
    out = ran("decode", "--line", FAILED).out.rstrip()
    assert out.endswith("!FAILED_SequenceError  present 400 V  120.0 A  !EVSE_Shutdown")


def test_colours_are_for_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert (
        "\x1b[1;31m!FAILED_SequenceError\x1b[0m"
        in ran("decode", "--line", FAILED, out=Terminal()).out
    )
    assert "\x1b" not in ran("decode", "--line", FAILED).out
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in ran("decode", "--line", FAILED, out=Terminal()).out


# --- keys, pipes, pictures


def test_key_log_needs_a_file_and_a_capture(tmp_path: Path) -> None:
    path = tmp_path / "charge.pcap"
    path.write_bytes(wire.pcap([]))
    assert ran("decode", path, "--keylog", tmp_path / "none").code == 2
    assert ran("decode", "--keylog", path, stdin=wire.pcap([])).code == 2


def test_missing_tshark_is_told_with_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    path = tmp_path / "charge.pcap"
    path.write_bytes(wire.pcap(tls(wire.Connection())))
    done = ran("decode", path, "--keylog", path)
    assert done.code == 1
    assert (
        done.err == "pilothat: --keylog: tshark is missing. sudo apt install tshark\n"
    )
    assert "TLS, 30 octets, not readable: tshark is missing" in done.out


def test_tls_without_keys_is_told_and_no_failure() -> None:
    done = ran("decode", stdin=wire.pcap(tls(wire.Connection())))
    assert done.code == 0
    assert done.out.count("TLS, 30 octets, not readable without --keylog") == 1


def test_message_is_printed_before_the_next_packet_comes() -> None:
    data = wire.pcap(wire.charge())
    start = data.index(bytes.fromhex(FRAMED_RES))
    command = (sys.executable, "-m", "pilothat.service.cli", "decode", "-")
    with subprocess.Popen(command, stdin=PIPE, stdout=PIPE, text=False) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(data[: start + 12])
        process.stdin.flush()
        lines = iter(process.stdout.readline, b"")
        heard = next(line for line in lines if b"supportedAppProtocolRes" in line)
        process.stdin.close()
        rest = process.stdout.read()
    assert heard.endswith(b"schema 1\n")
    assert rest == b""
    assert process.returncode == 0


def test_recorded_session_of_a_real_car_is_decoded_and_encoded_again() -> None:
    path = shared("captures/polestar2_din_complete.jsonl")
    records = [json.loads(line) for line in path.read_text().splitlines()]
    sent = [one["hex"] for one in records if one.get("layer") == "v2gtp"]
    decoded = ran("decode", "--json", path)
    encoded = ran("encode", stdin=decoded.out.encode())
    assert encoded.out.split() == sent
