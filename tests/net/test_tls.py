"""TLS between two namespaces: certificates of ``pilothat pki``, a car, a charge."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from tests.net.lab import PYTHON, Lab, Process, sh, until
from tests.net.test_charge import NEARLY_FULL, assert_well, is_open

pytestmark = pytest.mark.net


def pki(lab: Lab, name: str = "pki") -> Path:
    folder = lab.folder / name
    sh(PYTHON, "-m", "pilothat.service.cli", "pki", "make", str(folder))
    return folder


def station(lab: Lab, tls: str, *more: str) -> Process:
    lines = ("[v2g]", f'tls = "{tls}"', f'pki = "{lab.folder}/pki"', *more)
    with (lab.folder / "station.toml").open("a") as file:
        file.write("\n".join(lines) + "\n")
    return lab.station()


def opened(lab: Lab) -> list[bool]:
    """Return of each connection whether it was secure."""
    events = [entry["event"] for entry in lab.journal()]
    return [
        event["is_secure"]
        for event in events
        if isinstance(event, dict) and event["type"] == "TcpOpened"
    ]


@pytest.mark.parametrize(
    ("tls", "protocol"), [("offered", "iso2"), ("required", "iso2"), ("offered", "din")]
)
def test_car_charges_over_tls_and_the_journal_is_plain_text(
    lab: Lab, tls: str, protocol: str
) -> None:
    folder = pki(lab)
    lab.segment()
    post = station(lab, tls, f'keylog = "{lab.folder}/keys.log"')
    asks = ("--tls", "--pki", str(folder), "--protocols", protocol)
    car = lab.car(*asks, *NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    assert json.loads(car.text.splitlines()[-1])["outcome"] == "charged"
    until(lambda: post.text.count("phase idle") == 2, 5, "idle again")
    assert set(opened(lab)) == {True}  # on a busy machine the car may try again
    assert is_open(lab)
    assert_well(post)
    assert "whoever has this file can read all TLS sessions" in post.text
    assert "\nCLIENT_RANDOM " in (lab.folder / "keys.log").read_text()
    assert post.end() == 0
    (journal,) = (lab.folder / "journal").glob("*.jsonl")
    sh(PYTHON, "-m", "pilothat.service.cli", "replay", str(journal))  # the same again


@pytest.mark.parametrize("outlet", ["dc", "ac"])
def test_car_pays_by_contract_signs_receipts_and_charges(lab: Lab, outlet: str) -> None:
    folder = pki(lab)
    toml = lab.folder / "station.toml"
    more = f'[station]\noutlet = "{outlet}"\nmeter_id = "M1"'
    toml.write_text(toml.read_text().replace("[station]", more))
    lab.segment()
    post = station(lab, "required", "receipts = true")
    pays = ("--tls", "--contract", "--pki", str(folder), "--protocols", "iso2")
    car = lab.car(*pays, "--energy", outlet, *NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    until(lambda: post.text.count("phase idle") == 2, 5, "idle again")
    assert "session emaid=DE1ABC.." in post.text
    for name in ("PaymentDetailsReq", "AuthorizationReq", "MeteringReceiptReq"):
        assert f"message {name}" in post.text
    assert_well(post)
    assert post.end() == 0
    (journal,) = (lab.folder / "journal").glob("*.jsonl")
    assert '"TimeOfDay"' in journal.read_text()
    sh(PYTHON, "-m", "pilothat.service.cli", "replay", str(journal))  # the same again


def test_car_that_asks_for_tls_falls_back_where_there_is_none(lab: Lab) -> None:
    folder = pki(lab)
    lab.segment()
    post = lab.station()
    car = lab.car("--tls", "--pki", str(folder), *NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    assert opened(lab) == [False]
    assert_well(post)


def test_car_without_tls_is_served_where_tls_is_offered(lab: Lab) -> None:
    pki(lab)
    lab.segment()
    post = station(lab, "offered")
    car = lab.car(*NEARLY_FULL)
    assert car.popen.wait(60) == 0, car.text
    assert opened(lab) == [False]
    assert_well(post)


def test_car_of_a_foreign_pki_is_told_in_one_line_and_the_next_car_charges(
    lab: Lab,
) -> None:
    ours, foreign = pki(lab), pki(lab, "foreign")
    lab.segment()
    post = station(lab, "required")
    stranger = lab.car("--tls", "--pki", str(foreign), *NEARLY_FULL)
    post.wait_for("TLS: tlsv1 alert unknown ca", 30)
    assert re.search(r"connection=1 host=fe80:\S+ TLS: tlsv1 alert", post.text)
    stranger.pull()
    car = lab.car("--tls", "--pki", str(ours), *NEARLY_FULL, name="second")
    assert car.popen.wait(60) == 0, car.text
    assert opened(lab) == [True]
    assert_well(post)


def test_car_that_insists_on_ocsp_hangs_up_until_there_is_a_response(lab: Lab) -> None:
    folder = pki(lab)
    lab.segment()
    post = station(lab, "required")
    insists = ("--tls", "--ocsp", "--pki", str(folder))
    first = lab.car(*insists, *NEARLY_FULL)
    first.wait_for("TLS: no OCSP response about DE*PHT*E000001", 30)
    assert opened(lab) == []
    first.pull()
    sh(PYTHON, "-m", "pilothat.service.cli", "pki", "ocsp", str(folder))
    car = lab.car(*insists, *NEARLY_FULL, name="second")
    assert car.popen.wait(60) == 0, car.text
    assert opened(lab) == [True]
    assert_well(post)
