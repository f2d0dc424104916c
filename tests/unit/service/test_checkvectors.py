"""pilothat check-vectors: counts, names and exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.unit.service.console import ran, ran_into_a_closed_pipe, shared

FOUND = {"supportedAppProtocolRes": {"ResponseCode": "OK_SuccessfulNegotiation"}}
GOOD = {"id": "good", "protocol": "app", "exi": "804080", "json": FOUND}
FOREIGN = {"id": "foreign", "protocol": "iso99", "exi": "80", "json": {}}


def write(path: Path, *vectors: object) -> Path:
    path.write_text("".join(json.dumps(vector) + "\n" for vector in vectors))
    return path


def test_good_vectors_are_counted_over_all_files(tmp_path: Path) -> None:
    one = write(tmp_path / "one.jsonl", GOOD, GOOD)
    two = write(tmp_path / "two.jsonl", GOOD)
    done = ran("check-vectors", one, two)
    assert done.code == 0
    assert done.out.splitlines() == [
        f"{one}: 2 passed, 0 failed, 0 skipped",
        f"{two}: 1 passed, 0 failed, 0 skipped",
        "3 passed, 0 failed",
    ]


def test_protocols_that_are_not_spoken_are_named_before_the_last_line(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "v.jsonl", GOOD, FOREIGN, FOREIGN)
    *_, skipped, last = ran("check-vectors", path).out.splitlines()
    assert skipped == "skipped, not spoken here: 2 iso99"
    assert last == "1 passed, 0 failed"


FLAWED = {
    "other octets": (GOOD | {"exi": "80400040"}, "decodes to another message"),
    "no message": (GOOD | {"exi": "8040"}, "does not decode"),
    "accepted": (GOOD | {"must": "reject"}, "decodes, but must be rejected"),
    "no hex": (GOOD | {"exi": "8"}, "ValueError"),
    "no vector": ([1], "'list' object"),
    "no fields": ({}, "KeyError"),
    "long": (GOOD | {"exi": "80", "id": "x" * 9999}, "x" * 300),
}


@pytest.mark.parametrize("flaw", FLAWED)
def test_failure_is_told_and_ends_with_exit_code_1(flaw: str, tmp_path: Path) -> None:
    vector, told = FLAWED[flaw]
    done = ran("check-vectors", write(tmp_path / "v.jsonl", GOOD, vector))
    assert (done.code, done.out.splitlines()[-1]) == (1, "1 passed, 1 failed")
    assert told in done.out
    assert max(map(len, done.out.splitlines())) < 500


def test_many_failures_are_cut_short(tmp_path: Path) -> None:
    path = write(tmp_path / "v.jsonl", *[GOOD | {"exi": "80"}] * 30)
    done = ran("check-vectors", path)
    assert "  and 10 more" in done.out.splitlines()
    assert done.out.endswith("0 passed, 30 failed\n")


def test_missing_file_is_one_line_before_anything_is_checked(tmp_path: Path) -> None:
    good = write(tmp_path / "good.jsonl", GOOD)
    done = ran("check-vectors", good, tmp_path / "none.jsonl")
    assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
    assert "none.jsonl: no such file" in done.err


def test_file_of_octets_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "v.jsonl"
    path.write_bytes(b"\xff\xfe\x00")
    done = ran("check-vectors", path)
    assert (done.code, done.err.count("\n")) == (2, 1)


def test_reader_that_goes_away_is_no_traceback(tmp_path: Path) -> None:
    path = write(tmp_path / "v.jsonl", GOOD)
    done = ran_into_a_closed_pipe("check-vectors", str(path))
    assert (done.code, done.err) == (1, "")


@pytest.mark.parametrize("name", ["app", "din"])
def test_public_vectors_pass(name: str) -> None:
    done = ran("check-vectors", shared(f"vectors/exi/{name}.jsonl"))
    assert (done.code, done.out.splitlines()[-1].split(", ")[1]) == (0, "0 failed")
