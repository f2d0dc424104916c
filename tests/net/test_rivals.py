"""Cars that come at the wrong time or mean no good, while another one charges."""

from __future__ import annotations

import json
import re
import socket
import ssl

import pytest
from tests.net.lab import PYTHON, Lab, Process, until
from tests.net.test_charge import NEARLY_FULL, assert_well, is_open
from tests.net.test_tls import opened, pki, station
from tests.unit.station.post import offer

from pilothat.v2g import sdp, tp
from pilothat.v2g.messages import codec

pytestmark = pytest.mark.net

HELLO = tp.pack(tp.PayloadType.EXI, codec("app").encode(offer()))
MANY = 250  # requests of a car in the loop for some seconds; of others, some 40
OPEN_S = 5.0  # a handshake takes no longer, done or not


def client_hello(suites: str) -> bytes:
    """Return what OpenSSL says first when it is to speak TLS 1.2 with these."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_ciphers(suites)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    sent = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), sent).do_handshake()
    return sent.read()


RSA = client_hello("ECDHE-RSA-AES128-SHA256")
OLD = RSA[:9] + b"\x03\x02" + RSA[11:]  # the same in TLS 1.1
BAD = {  # what a stranger says -> what is told of it
    HELLO.hex(): "wrong version number",
    bytes(range(200)).hex(): "(wrong version number|unexpected message)",
    OLD.hex(): "(unsupported protocol|version too low)",
    RSA.hex(): "no shared cipher, offered: c027",
    RSA[:40].hex(): "not done in 4 s",
    "reset": "the peer hung up",
    "none": "not done in 4 s",
}


def network(lab: Lab) -> dict[str, object]:
    """Return where the station says it can be found."""
    facts = [
        event
        for entry in lab.journal()
        if isinstance(event := entry["event"], dict) and event["type"] == "NetworkFact"
    ]
    return facts[-1]


def stranger(lab: Lab, door: str, *told: str) -> list[tuple[float, str]]:
    """Let somebody connect and say this; return how long that took and what came."""
    where = network(lab)
    host = socket.inet_ntop(socket.AF_INET6, bytes.fromhex(str(where["address"])))
    program = (PYTHON, "-m", "tests.net.stranger", lab.ev, host, str(where[door]))
    process = lab.start("b", f"stranger-{door}", *program, *told)
    assert process.popen.wait(60) == 0, process.text
    lines = [line.split(" ") for line in process.text.splitlines()]
    return [(float(took_s), heard) for took_s, heard in lines]


def charged(car: Process) -> tuple[int, int]:
    """Let a car charge to its goal; return its requests and the answers it got."""
    assert car.popen.wait(90) == 0, car.text
    told = json.loads(car.text.splitlines()[-1])
    assert told["outcome"] == "charged"
    return told["requests"], told["responses"]


def test_strangers_at_the_door_of_tls_are_told_and_the_next_car_charges(
    lab: Lab,
) -> None:
    ours, foreign = pki(lab), pki(lab, "foreign")
    lab.segment()
    post = station(lab, "required")
    wrong = lab.car("--tls", "--pki", str(foreign), *NEARLY_FULL)
    post.wait_for("TLS: tlsv1 alert unknown ca", 30)
    took = stranger(lab, "tls_port", *BAD)
    assert [took_s for took_s, _ in took if took_s > OPEN_S] == []
    for why in BAD.values():
        assert re.search(rf"connection=\d+ host=fe80:\S+ TLS: {why}", post.text), why
    wrong.pull()
    assert opened(lab) == []
    until(lambda: post.phase == "idle", 30, "idle")
    charged(lab.car("--tls", "--pki", str(ours), *NEARLY_FULL, name="next"))
    assert_well(post)


def test_second_car_is_turned_away_and_the_first_charges_on(lab: Lab) -> None:
    folder = pki(lab)
    lab.segment()
    post = station(lab, "offered")
    car = lab.car("--tls", "--pki", str(folder), *NEARLY_FULL)
    car.wait_for("phase charging", 40)
    for door in ("tcp_port", "tls_port"):
        for _, heard in stranger(lab, door, *[HELLO.hex(), RSA.hex(), "none"] * 3):
            assert heard == ""
    requests, responses = charged(car)
    assert responses == requests
    assert "TLS: turned away, a car is connected" in post.text
    assert post.text.count("turned away: another car is connected") == 1
    assert is_open(lab)
    assert_well(post)


def test_nobody_is_told_of_the_station_while_a_car_is_connected(lab: Lab) -> None:
    lab.segment()
    post = lab.station()
    car = lab.car(*NEARLY_FULL)
    car.wait_for("phase charging", 40)
    before = _answers(lab)
    ask = sdp.build_request(sdp.Security.NONE).hex()
    asker = lab.start(
        "b", "asker", PYTHON, "-c",
        "import socket, sys; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); "
        f"s.sendto(bytes.fromhex('{ask}'), ('ff02::1%{lab.ev}', 15118)); "
        "s.settimeout(1.5); print(s.recv(100))",
    )  # fmt: skip
    assert asker.popen.wait(10) != 0, asker.text
    assert "timed out" in asker.text
    assert _answers(lab) == before
    charged(car)
    assert_well(post)


def _answers(lab: Lab) -> int:
    actions = [one for entry in lab.journal() for one in entry["actions"]]  # type: ignore[attr-defined]  # of json
    return sum(action["type"] == "SdpOut" for action in actions)


def test_car_that_asks_200_times_a_second_gets_every_answer(lab: Lab) -> None:
    path = lab.folder / "eager.toml"
    path.write_text('name = "eager"\n[pace]\nloop_s = 0.004\ngrid_s = "none"\n')
    lab.segment()
    post = lab.station()
    requests, responses = charged(lab.car("--car", str(path), "--soc", "79.9"))
    assert responses == requests > MANY
    asked = [
        entry
        for entry in lab.journal()
        if isinstance(event := entry["event"], dict) and event["type"] == "TcpData"
    ]
    assert len(asked) == requests  # each has its line
    assert is_open(lab)
    assert_well(post)
