"""Every case of the suite's file that is about this station, in both profiles."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.unit.service.console import ran

from pilothat.conformance.rows import Row, load
from pilothat.conformance.run import Outcome, run
from pilothat.errors import ConfigError

CASES = Path(__file__).parents[3] / "shared" / "conformance" / "secc_v2g.jsonl"
TOLERATED = {  # the field profile lets these cars go on
    "TC_SECC_CMN_VTB_PaymentDetails_008",
    "TC_SECC_CMN_VTB_PaymentDetails_010",  # refused with the more exact code
    "TC_SECC_DC_VTB_WeldingDetection_005",
    "TC_SECC_DC_VTB_SessionStop_006",
    "TC_SECC_AC_VTB_PowerDelivery_010",
}
SETUP = {
    "id": "made-here",
    "protocol": "ISO15118-2",
    "area": "SessionSetup",
    "precondition": "Session is at: supportedAppProtocol negotiated.",
    "stimulus": "SessionSetupReq",
    "expected": "a new session",
    "send": {"message": "SessionSetupReq", "session_id": "00"},
    "expect": {
        "message": "SessionSetupRes",
        "response_code": ["OK_NewSessionEstablished"],
        "session_id": "new-nonzero",
        "within_s": 2,
    },
}
LOOP = "DC session is in the charge loop (rounds done); CP in C or D."
CLOSED = ["cp_to_x1 (PWM off)", "tcp_closed_by_secc<=5s", "no_more_messages"]


def cases() -> Sequence[Row]:
    return list(load(CASES)) if CASES.exists() else []


ROWS = cases()


def made(tmp_path: Path, *changes: dict[str, object]) -> Path:
    path = tmp_path / "cases.jsonl"
    path.write_text("".join(json.dumps({**SETUP, **one}) + "\n" for one in changes))
    return path


@pytest.mark.skipif(not ROWS, reason=f"{CASES} is not here")
@pytest.mark.parametrize("row", ROWS, ids=[row.id for row in ROWS])
def test_the_strict_station_keeps_the_case(row: Row) -> None:
    result = run(row)
    if result.outcome is Outcome.NOT_APPLICABLE:
        pytest.skip(result.why)
    assert result.outcome is Outcome.PASSED, result.why


@pytest.mark.skipif(not ROWS, reason=f"{CASES} is not here")
def test_the_field_station_differs_where_it_says_so() -> None:
    results = [run(row, is_strict=False) for row in ROWS]
    failed = {one.row.id for one in results if one.outcome is Outcome.FAILED}
    assert failed == TOLERATED


def test_a_case_is_played_and_judged(tmp_path: Path) -> None:
    (row,) = load(made(tmp_path, {}))
    assert run(row).outcome is Outcome.PASSED


@pytest.mark.parametrize(
    ("expect", "why"),
    [
        ({"response_code": ["FAILED"]}, "instead of ['FAILED']"),
        ({"message": "SessionStopRes"}, "instead of SessionStopRes"),
        ({"message": None, "silence_s": 2}, "an answer where silence is expected"),
        ({"within_s": -1.0}, "answered after"),
        ({"then": CLOSED}, "PWM was on"),
        ({"then": ["tea is served"]}, "nobody judges"),
        ({"tea": True}, "nobody judges tea"),
    ],
)
def test_what_does_not_hold_is_found(
    tmp_path: Path, expect: dict[str, object], why: str
) -> None:
    (row,) = load(made(tmp_path, {"expect": expect}))
    result = run(row)
    assert result.outcome is Outcome.FAILED
    assert why in result.why


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"protocol": "ISO15118-20"}, "not played"),
        ({"id": "X-SDP-08"}, "one interface"),
        ({"send": None}, "words only"),
        ({"precondition": "On the moon."}, "nobody knows the way"),
    ],
)
def test_what_is_not_about_this_station_is_told(
    tmp_path: Path, changes: dict[str, object], why: str
) -> None:
    (row,) = load(made(tmp_path, changes))
    result = run(row)
    assert result.outcome is Outcome.NOT_APPLICABLE
    assert why in result.why


def test_the_command_counts_and_fails_by_exit_code(tmp_path: Path) -> None:
    good = made(tmp_path, {}, {"protocol": "ISO15118-20"})
    done = ran("conformance", str(good))
    assert done.code == 0
    assert done.out.endswith("1 passed, 0 failed, 1 not applicable\n")
    bad = made(tmp_path, {"expect": {"response_code": ["FAILED"]}})
    done = ran("conformance", str(bad), "--json")
    assert done.code == 1
    told = json.loads(done.out)
    assert (told["passed"], told["failed"]) == (0, 1)
    assert told["cases"][0]["id"] == "made-here"


@pytest.mark.parametrize("identification", ["", "PnC"])
@pytest.mark.parametrize("mode", ["DC", "AC"])
def test_tariff_is_told_and_signed_for_a_contract(
    tmp_path: Path, mode: str, identification: str
) -> None:
    case: dict[str, object] = {
        "mode": mode,
        "precondition": "Session is at: AuthorizationRes OK.",
        "applicability": {
            "SECC sends SalesTariff": "salesTariff",
            "identification": identification,
        },
        "send": {"message": "ChargeParameterDiscoveryReq", "DepartureTime": True},
        "expect": {"response_code": ["OK"], "schedule": "valid", "sales_tariff": True},
    }
    (row,) = load(made(tmp_path, case))
    result = run(row)
    assert result.outcome is Outcome.PASSED, result.why


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"id": 1}', '"text"'])
def test_a_line_that_is_no_case_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "cases.jsonl"
    path.write_text("\n" + line + "\n")
    with pytest.raises(ConfigError, match=r"cases\.jsonl:2"):
        list(load(path))
