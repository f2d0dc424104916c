"""The EXI codec against vectors: our own, derived by hand, and foreign ones if here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilothat.exi.codec import Codec, ExiError
from pilothat.service.vectors import Report, check_files, check_line
from pilothat.v2g.messages import codec

HERE = Path(__file__).parent
BY_HAND = HERE / "exi_by_hand.jsonl"
FOREIGN = HERE.parents[2] / "shared" / "vectors" / "exi"
MUST_PASS = {  # files, and how many lines each has at least
    "app.jsonl": 88,
    "din.jsonl": 1109,
    "iso2.jsonl": 1148,
    "iso20-common.jsonl": 1193,
    "iso20-dc.jsonl": 641,
    "iso20-ac.jsonl": 508,
    "iso20-wpt.jsonl": 171,
    "iso20-acdp.jsonl": 149,
    "xmldsig.jsonl": 329,
    "malformed.jsonl": 4707,
    "tolerant-decode.jsonl": 247,
}
VECTORS = [json.loads(line) for line in BY_HAND.read_text("utf-8").splitlines()]
PACKED = VECTORS[0]

CAPTURES = sorted((HERE.parents[2] / "shared" / "captures").glob("*.jsonl"))
ABSTRACT = "SASchedules is not supported"  # what two early stations sent
TRAILING = ("trailing-octets",)  # what two cars do in ContractAuthenticationReq
DEVIATIONS = {  # number of the message in its recording, and what is odd about it
    "ioniq28_din_10min_discharge": {11: ABSTRACT},
    "ioniq28_din_loop_stopped_by_station": {11: ABSTRACT},
    "tesla_model3_din_complete": {8: TRAILING, 10: TRAILING, 12: TRAILING},
    "tesla_modely_din_gives_up_in_precharge": {8: TRAILING},
}
MESSAGES = 21797  # in all recordings together

needs_captures = pytest.mark.skipif(
    not CAPTURES, reason="../shared/captures is not beside this repository"
)
needs_foreign = pytest.mark.skipif(
    not FOREIGN.is_dir(), reason="../shared/vectors/exi is not beside this repository"
)


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_vector_derived_by_hand_is_met(vector: dict[str, str]) -> None:
    assert check_line(json.dumps(vector)) == ("", "")


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["id"])
def test_bits_written_by_hand_are_the_octets_beside_them(
    vector: dict[str, str],
) -> None:
    bits = vector["bits"].replace(" ", "")
    padded = bits + "0" * (-len(bits) % 8)
    assert int(padded, 2).to_bytes(len(padded) // 8, "big").hex() == vector["exi"]


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if "canonical" in v], ids=lambda vector: vector["id"]
)
def test_tolerated_form_is_noted(vector: dict[str, str]) -> None:
    _, notes = codec(vector["protocol"]).decode_with_notes(bytes.fromhex(vector["exi"]))
    assert notes == (vector["class"],)


@needs_foreign
@pytest.mark.parametrize("name", MUST_PASS)
def test_foreign_vectors_are_met(name: str) -> None:
    report = check_files([FOREIGN / name])
    assert report.failures == ()
    assert report.skipped == ()
    assert report.passed >= MUST_PASS[name]


@needs_foreign
def test_no_foreign_file_is_left_out() -> None:
    assert {path.name for path in FOREIGN.glob("*.jsonl")} == MUST_PASS.keys()


def test_vectors_of_an_unknown_grammar_are_counted_and_not_passed(
    tmp_path: Path,
) -> None:
    path = tmp_path / "unknown.jsonl"
    document = PACKED | {"protocol": "iso15118-3"}
    fragment = PACKED | {"fragment": True, "grammar": "iso20-der"}
    path.write_text(f"{json.dumps(document)}\n{json.dumps(fragment)}\n", "utf-8")
    assert check_files([path]) == Report(
        0, 0, (), (("iso15118-3", 1), ("iso20-der", 1))
    )


def _read_back(exi: Codec, data: bytes) -> object:
    """Return what is odd about octets; None if they are what we would write."""
    try:
        message, notes = exi.decode_with_notes(data)
    except ExiError as error:
        return error.reason
    written = exi.encode(message)
    if written == data:
        return notes or None
    return notes if data.startswith(written) else f"written as {written.hex()}"


def _recorded(path: Path) -> tuple[str, list[bytes]]:
    """Return the protocol of a recording, and its messages."""
    head, *lines = (json.loads(line) for line in path.read_text("utf-8").splitlines())
    protocol = head["protocol"].split()[0]  # what else was offered may stand behind
    return protocol, [bytes.fromhex(x["hex"]) for x in lines if x["layer"] == "v2gtp"]


@needs_captures
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_every_message_of_a_real_session_is_read_and_written_alike(path: Path) -> None:
    protocol, messages = _recorded(path)
    grammars = ["app"] * 2 + [protocol] * len(messages)
    pairs = zip(grammars, messages, strict=False)
    odd = [_read_back(codec(name), data) for name, data in pairs]
    found = {at: what for at, what in enumerate(odd) if what is not None}
    assert found == DEVIATIONS.get(path.stem, {})


@needs_captures
def test_all_recorded_messages_are_looked_at() -> None:
    assert sum(len(_recorded(path)[1]) for path in CAPTURES) >= MESSAGES


WRONG_LINES = {
    "wrong-octets": (PACKED | {"exi": "80440280"}, "another message"),
    "tolerated": (PACKED | {"exi": PACKED["exi"] + "00"}, "needs tolerance"),
    "wrong-json": (PACKED | {"json": {"supportedAppProtocolRes": {}}}, "another"),
    "not-decodable": (PACKED | {"exi": "81"}, "does not decode"),
    "accepted": (PACKED | {"must": "reject"}, "must be rejected"),
    "no-octets": ({"protocol": "app"}, "KeyError"),
    "wrong-canonical": (PACKED | {"canonical": "80"}, "instead of 80"),
}


@pytest.mark.parametrize("name", WRONG_LINES)
def test_wrong_vector_is_reported_with_its_place(name: str, tmp_path: Path) -> None:
    vector, words = WRONG_LINES[name]
    path = tmp_path / "wrong.jsonl"
    path.write_text("\n" + json.dumps(vector) + "\n", encoding="utf-8")
    report = check_files([path])
    assert (report.passed, report.failed) == (0, 1)
    assert report.failures[0].startswith("wrong.jsonl:2: ")
    assert words in report.failures[0]


def test_line_that_is_no_json_is_reported() -> None:
    assert check_line("{")[1].startswith("JSONDecodeError")


def test_line_that_is_no_object_is_reported() -> None:
    assert check_line("[]")[1].startswith("AttributeError")


def test_failing_vector_is_named() -> None:
    assert check_line(json.dumps(PACKED | {"exi": "x"}))[1].startswith("hand-")
