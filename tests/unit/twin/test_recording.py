"""Reading captures: what is taken, what is closed up, what is refused with its line."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace

import pytest
from tests.unit.twin.captured import HEADER, Row, charge, name, of, rewritten, text

from pilothat.twin.recordedbytes import with_session_id
from pilothat.twin.recordedkinds import as_json, differences
from pilothat.twin.recordedspeech import is_needless, refusal
from pilothat.twin.recording import Recording, RecordingError, Turn, parse
from pilothat.v2g.messages import codec, din, iso2
from pilothat.v2g.messages.sap import ResponseCode, SupportedAppProtocolRes

FRAME: Row = {
    "t": 1.5,
    "from": "ev",
    "layer": "slac",
    "payload_type": "x",
    "hex": "00",
}


def read(rows: list[Row], header: Row | None = None) -> Recording:
    return parse(text(rows, header), where="file")


def turn_named(recording: Recording, wanted: str) -> list[Turn]:
    return [turn for turn in recording.turns if turn.name == wanted]


def stop_message(session_id: bytes) -> din.V2gMessage:
    header = din.MessageHeader(session_id=session_id)
    return din.V2gMessage(header=header, body=din.SessionStopReq())


# --- what is taken


def test_requests_are_paired_with_their_answers() -> None:
    recording = read(charge())
    names = [turn.name for turn in recording.turns]
    assert names[:3] == ["SupportedAppProtocol", "SessionSetup", "ServiceDiscovery"]
    assert names[-1] == "SessionStop"
    assert all(turn.is_answered_well for turn in recording.turns)


def test_pause_is_from_answer_to_request() -> None:
    recording = read(charge())
    before, turn = recording.turns[3:5]
    assert before.answered_at is not None
    assert turn.think_s == pytest.approx(turn.at - before.answered_at)


def test_power_delivery_is_named_with_its_direction() -> None:
    names = [turn.name for turn in read(charge()).turns]
    assert (names.count("PowerDelivery on"), names.count("PowerDelivery off")) == (1, 1)


def test_new_terms_are_a_direction_of_power_delivery_too() -> None:
    names = [turn.name for turn in read(charge("iso2-renegotiating")).turns]
    wished = [x.partition(" ")[2] for x in names if x.startswith("PowerDelivery")]
    assert wished == ["on", "renegotiate", "on", "off"]


@pytest.mark.parametrize(
    ("car_name", "protocol", "namespace"),
    [
        ("generic", "din", "urn:din:70121:2012:MsgDef"),
        ("iso2", "iso2", "urn:iso:15118:2:2013:MsgDef"),
    ],
)
def test_agreed_protocol_and_session_id_are_known(
    car_name: str, protocol: str, namespace: str
) -> None:
    recording = read(charge(car_name))
    assert (recording.protocol, recording.namespace) == (protocol, namespace)
    assert len(recording.session_id) == 8


def test_recording_without_messages_has_no_protocol() -> None:
    recording = read(of(charge(), "slac"))
    assert (recording.protocol, recording.namespace) == ("", "")


@pytest.mark.parametrize(
    ("car_name", "told"),
    [
        ("generic", "DC_extended"),
        ("iso2", "DC_extended"),
        ("iso2-ac", "AC_single_phase_core"),
    ],
)
def test_how_the_car_charges_is_known(car_name: str, told: str) -> None:
    rows = charge(car_name)
    assert read(rows).energy_transfer == told
    assert read(rows[: rows.index(of(rows, "v2gtp")[4])]).energy_transfer == ""


@pytest.mark.parametrize("car_name", ["generic", "iso2"])
def test_battery_has_the_voltage_of_the_last_precharge(car_name: str) -> None:
    assert 380 < read(charge(car_name)).battery_v < 410
    assert read(of(charge(), "slac")).battery_v == 0.0


def test_only_the_last_cable_check_is_finished() -> None:
    checks = turn_named(read(charge()), "CableCheck")
    assert [turn.is_finished for turn in checks] == [False] * (len(checks) - 1) + [True]


def test_conversation_ends_with_the_first_end_of_the_connection() -> None:
    recording = read(charge())
    assert recording.closing is not None
    assert recording.closing.is_ev
    assert recording.closing.kind == "FIN"


def test_end_of_another_connection_is_no_end() -> None:
    rows = charge()
    at = next(n for n, row in enumerate(rows) if name(row) == "PreChargeReq")
    other = {**rows[-1], "t": rows[at]["t"], "payload_type": "RST"}
    assert read([*rows[:at], other, *rows[at:]]) == read(rows)


def test_second_conversation_is_left_out() -> None:
    rows = charge()
    again = [{**r, "t": float(str(r["t"])) + 60} for r in of(rows, "v2gtp")]
    assert read([*rows, *again]).turns == read(rows).turns


def test_frames_of_modems_are_left_out() -> None:
    rows = charge()
    rows[3]["modem"] = True
    assert len(read(rows).slac) == len(of(rows, "slac")) - 1


def test_lines_are_sorted_by_time() -> None:
    rows = charge()
    assert read([*rows[1:], rows[0]]) == read(rows)


def test_stretch_that_was_left_out_does_not_count_as_a_pause() -> None:
    rows = charge()
    at = next(n for n, row in enumerate(rows) if name(row) == "PowerDeliveryReq") + 4
    since = float(str(rows[at - 1]["t"]))
    for row in rows[at:]:
        row["t"] = float(str(row["t"])) + 600.0
    gap = [since + 0.001, since + 599.9, 5000]
    cut = read(rows, {**HEADER, "omitted": [gap]})
    assert max(turn.think_s for turn in cut.turns) < 2.0
    assert max(turn.think_s for turn in read(rows).turns) > 500.0


def test_answer_that_was_left_out_is_no_answer() -> None:
    rows = charge()
    at = next(n for n, row in enumerate(rows) if name(row) == "CurrentDemandRes")
    recording = read([*rows[:at], *rows[at + 1 :]])
    loops = turn_named(recording, "CurrentDemand")
    assert [turn.answered_at is None for turn in loops].count(True) == 1
    assert loops[0].answered_at is None


def test_malformed_answer_is_kept_as_a_flaw() -> None:
    rows = charge()
    at = next(n for n, r in enumerate(rows) if name(r) == "ChargeParameterDiscoveryRes")
    rows[at]["hex"] = "809a0200"
    (turn,) = turn_named(read(rows), "ChargeParameterDiscovery")
    assert turn.answer is None
    assert turn.flaw
    assert turn.is_finished


def test_request_that_cannot_be_decoded_is_unknown() -> None:
    rows = charge()
    at = next(n for n, row in enumerate(rows) if name(row) == "SessionStopReq")
    rows[at]["hex"] = "80ff"
    assert read(rows).turns[-1].name == "unknown"


# --- what is refused


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("not json", "file:2: no JSON"),
        ("[1]", "file:2: no JSON object"),
        ("[" * 100_000, "file:2: no JSON"),
        (json.dumps({**FRAME, "t": "1"}), "file:2: t is '1'"),
        (json.dumps({**FRAME, "t": True}), "file:2: t is True"),
        (json.dumps({**FRAME, "t": float("inf")}), "file:2: t is inf"),
        (json.dumps({**FRAME, "t": float("nan")}), "file:2: t is nan"),
        (json.dumps({**FRAME, "from": "me"}), "file:2: from is 'me'"),
        (json.dumps({**FRAME, "layer": None}), "file:2: layer or payload_type"),
        (json.dumps({**FRAME, "payload_type": 8001}), "file:2: layer or payload_type"),
        (json.dumps({**FRAME, "hex": "0g"}), "file:2: hex is not hexadecimal"),
        (json.dumps({**FRAME, "hex": 12}), "file:2: hex is not hexadecimal"),
    ],
)
def test_bad_line_is_named_by_its_number(line: str, told: str) -> None:
    with pytest.raises(RecordingError) as caught:
        parse(f"{json.dumps(HEADER)}\n{line}\n", where="file")
    assert str(caught.value).startswith(told)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "file: the file is empty"),
        ("\n\n", "file: the file is empty"),
        (json.dumps(HEADER), "file: there is nothing after the header"),
        (json.dumps(FRAME), "file:1: no header"),
        (json.dumps({**HEADER, "omitted": 3}), "file:1: omitted"),
        (json.dumps({**HEADER, "omitted": [[1]]}), "file:1: omitted"),
        (json.dumps({**HEADER, "omitted": ["ab"]}), "file:1: omitted"),
    ],
)
def test_bad_file_is_refused(content: str, told: str) -> None:
    with pytest.raises(RecordingError) as caught:
        parse(content, where="file")
    assert str(caught.value).startswith(told)


def test_conversation_without_its_handshake_is_refused() -> None:
    rows = [row for row in charge() if row["layer"] != "v2gtp" or name(row)]
    with pytest.raises(RecordingError, match="does not begin with supportedAppProtoc"):
        read(rows)


@pytest.mark.parametrize("size", range(0, 4000, 97))
def test_truncated_file_raises_nothing_else(size: int) -> None:
    with contextlib.suppress(RecordingError):
        parse(text(charge())[:size], where="file")


# --- the session ID


def test_message_as_we_write_it_is_written_anew() -> None:
    exi, was, new = codec("din"), b"\1" * 8, bytes(range(8))
    raw = exi.encode(stop_message(was))
    patched, note = with_session_id(raw, stop_message(was), new)
    assert (exi.decode(patched), note) == (stop_message(new), "")


def test_message_with_octets_behind_its_end_keeps_them() -> None:
    exi, was, new = codec("din"), b"\1" * 8, bytes(range(8))
    raw = exi.encode(stop_message(was)) + b"\xaa\xbb"
    patched, note = with_session_id(raw, stop_message(was), new)
    assert patched == exi.encode(stop_message(new)) + b"\xaa\xbb"
    assert note.startswith("only the bits")


def test_id_of_another_length_is_encoded_anew() -> None:
    exi, was = codec("din"), b"\1" * 4
    raw = exi.encode(stop_message(was)) + b"\0"
    patched, note = with_session_id(raw, stop_message(was), b"\2" * 8)
    assert exi.decode(patched) == stop_message(b"\2" * 8)
    assert "another length" in note


def test_receipt_of_a_meter_names_the_session_twice() -> None:
    was, new = b"\1" * 8, b"\2" * 8
    receipt = _receipt(was)
    exi = codec("iso2")
    patched, note = with_session_id(exi.encode(receipt), receipt, new)
    assert (exi.decode(patched), note) == (_receipt(new), "")


def _receipt(session_id: bytes) -> iso2.V2gMessage:
    body = iso2.MeteringReceiptReq(
        session_id=session_id, meter_info=iso2.MeterInfo(meter_id="1")
    )
    header = iso2.MessageHeader(session_id=session_id)
    return iso2.V2gMessage(header=header, body=body)


# --- what depends on the answer before


def _status(*, is_receipt_wanted: bool) -> iso2.ChargingStatusRes:
    return iso2.ChargingStatusRes(
        response_code=iso2.ResponseCode.OK,
        evse_id="ZZ00000",
        sa_schedule_tuple_id=1,
        receipt_required=is_receipt_wanted,
        ac_evse_status=iso2.AcEvseStatus(
            notification_max_delay=0,
            evse_notification=iso2.EvseNotification.NONE,
            rcd=False,
        ),
    )


@pytest.mark.parametrize("is_wanted", [True, False])
def test_receipt_is_needless_where_nobody_wants_it(*, is_wanted: bool) -> None:
    answer = _status(is_receipt_wanted=is_wanted)
    assert is_needless(_receipt(bytes(8)), answer) is not is_wanted


# --- kinds of answers


def _check(
    code: din.DcEvseStatusCode, isolation: din.IsolationLevel | None
) -> din.V2gMessage:
    status = din.DcEvseStatus(
        evse_isolation_status=isolation,
        evse_status_code=code,
        notification_max_delay=0,
        evse_notification=din.EvseNotification.NONE,
    )
    body = din.CableCheckRes(
        response_code=din.ResponseCode.OK,
        dc_evse_status=status,
        evse_processing=din.EvseProcessing.Finished,
    )
    return din.V2gMessage(header=din.MessageHeader(session_id=b"\1" * 8), body=body)


READY = _check(din.DcEvseStatusCode.EVSE_Ready, din.IsolationLevel.Valid)


def test_answers_of_iso_are_compared_like_those_of_din() -> None:
    first, *_, last = (
        turn.answer for turn in turn_named(read(charge("iso2")), "CableCheck")
    )
    assert set(differences(last, first)) == {
        "EVSEProcessing Finished instead of Ongoing",
        "EVSEIsolationStatus Valid instead of Invalid",
        "EVSEStatusCode EVSE_Ready instead of EVSE_IsolationMonitoringActive",
    }


def test_equal_kinds_have_no_difference_whatever_the_session() -> None:
    other = replace(READY, header=din.MessageHeader(session_id=b"\2" * 8))
    assert differences(READY, other) == ()


def test_codes_and_optional_elements_are_compared() -> None:
    other = _check(din.DcEvseStatusCode.EVSE_NotReady, None)
    assert differences(READY, other) == (
        "with EVSEIsolationStatus Valid",
        "EVSEStatusCode EVSE_Ready instead of EVSE_NotReady",
    )
    assert "without EVSEIsolationStatus Valid" in differences(other, READY)


def test_another_message_is_the_only_difference() -> None:
    stop = din.V2gMessage(
        header=READY.header, body=din.SessionStopRes(response_code=din.ResponseCode.OK)
    )
    assert differences(stop, READY) == ("SessionStopRes instead of CableCheckRes",)


def test_message_may_be_nothing_but_its_header() -> None:
    bare = iso2.V2gMessage(header=iso2.MessageHeader(session_id=bytes(8)))
    assert as_json(bare) == {}
    assert differences(bare, READY) == ("nothing instead of CableCheckRes",)


def test_what_is_no_message_has_no_kind() -> None:
    with pytest.raises(TypeError, match="no V2G message"):
        as_json("text")


def test_refusals_are_known_by_their_code() -> None:
    no = SupportedAppProtocolRes(response_code=ResponseCode.Failed_NoNegotiation)
    assert refusal(no) == "Failed_NoNegotiation"
    assert refusal(READY) == ""
    body = din.SessionStopRes(response_code=din.ResponseCode.FAILED_UnknownSession)
    assert refusal(replace(READY, body=body)) == "FAILED_UnknownSession"


def test_recorded_refusal_is_not_answered_well() -> None:
    def refuse(found: object) -> object:
        assert isinstance(found, din.V2gMessage)
        body = din.SessionStopRes(response_code=din.ResponseCode.FAILED)
        return replace(found, body=body)

    rows = charge()
    at = next(n for n, row in enumerate(rows) if name(row) == "SessionStopRes")
    rows[at] = rewritten(rows[at], refuse)
    assert not read(rows).turns[-1].is_answered_well
