"""The EXI codec against vectors: our own, derived by hand, and foreign ones if here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pilothat.exi.codec import Codec
from pilothat.service.vectors import Report, check_files, check_line
from pilothat.v2g.messages import codec

HERE = Path(__file__).parent
BY_HAND = HERE / "exi_by_hand.jsonl"
FOREIGN = HERE.parents[2] / "shared" / "vectors" / "exi"
SPOKEN = ("app.jsonl", "din.jsonl")
VECTORS = [json.loads(line) for line in BY_HAND.read_text("utf-8").splitlines()]
PACKED = VECTORS[0]

CAPTURES = sorted((HERE.parents[2] / "shared" / "captures").glob("*_din_*.jsonl"))
FRAMES = 200  # of each session: all before the loop, and some of it

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
@pytest.mark.parametrize("name", SPOKEN)
def test_foreign_vectors_decode_and_encode_exactly(name: str) -> None:
    report = check_files([FOREIGN / name])
    assert report.failures == ()
    assert report.passed > 80
    assert report.skipped == ()


@needs_foreign
def test_malformed_foreign_vectors_end_in_exi_error() -> None:
    report = check_files([FOREIGN / "malformed.jsonl"])
    assert report.failures == ()
    assert report.passed > 1400


@needs_foreign
def test_tolerated_foreign_vectors_decode_and_encode_to_the_canonical_form() -> None:
    report = check_files([FOREIGN / "tolerant-decode.jsonl"])
    assert report.failures == ()
    assert report.passed > 70


@needs_foreign
def test_vectors_of_other_protocols_are_counted_by_name_and_not_passed() -> None:
    report = check_files([FOREIGN / "iso20-acdp.jsonl", FOREIGN / "xmldsig.jsonl"])
    assert report == Report(0, 0, (), (("iso20-acdp", 149), ("xmldsig", 329)))


@needs_captures
@pytest.mark.parametrize("path", CAPTURES, ids=lambda path: path.stem)
def test_frames_of_real_cars_decode_and_encode_to_the_same_octets(path: Path) -> None:
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines()[1:]]
    frames = [x for x in lines if x["layer"] == "v2gtp"][:FRAMES]
    octets = [bytes.fromhex(x["hex"]) for x in frames if x["from"] == "ev"]
    codecs = [codec("app"), *[codec("din")] * (len(octets) - 1)]
    written = [c.encode(c.decode(data)) for c, data in zip(codecs, octets, strict=True)]
    assert [
        data[: len(out)] for data, out in zip(octets, written, strict=True)
    ] == written
    assert max(len(a) - len(b) for a, b in zip(octets, written, strict=True)) <= 1


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


@pytest.mark.parametrize("protocol", ["app", "din"])
def test_codec_of_a_protocol_is_made_once(protocol: str) -> None:
    assert isinstance(codec(protocol), Codec)
    assert codec(protocol) is codec(protocol)
