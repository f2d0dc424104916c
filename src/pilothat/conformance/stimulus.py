"""What the car does in a case, once it is where the case begins."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pilothat.conformance import requests
from pilothat.conformance.road import (
    FINISHED,
    ISO2_NAMESPACE,
    POLL_S,
    POLLS,
    SCHEMA_ID,
    ask,
    message,
    polled,
)
from pilothat.conformance.tester import Answer, LowerTester, UnexpectedError
from pilothat.frozen import dataclass
from pilothat.twin.circuit import CarPilot
from pilothat.v2g import sdp, tp
from pilothat.v2g.messages import codec, iso2
from pilothat.v2g.messages.sap import AppProtocol, SupportedAppProtocolReq

_HEAD = re.compile(r"^((?:[0-9A-F]{2} ){3}[0-9A-F]{2})")
_SDP_PAYLOAD = bytes((sdp.Security.NONE, sdp.Transport.TCP))
_LENGTH_BYTES = 4
_PAST_S = 0.01  # beyond an exact time-out

Send = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Played:
    """What was done, and what came of it. asked_at: of the last request."""

    tester: LowerTester
    asked_at: float
    answers: tuple[Answer, ...] = ()
    most: int | None = None  # schedule entries that the car can take


def play(tester: LowerTester, send: Send) -> Played:
    """Do what a case says. Raises UnexpectedError for what nobody can do."""
    tester.wait(float(send.get("delay_s", 0.0)) and send["delay_s"] + _PAST_S)
    if "cp" in send:
        tester.pilot(CarPilot[send["cp"]])
        tester.wait(POLL_S)
    for key, deed in _DEEDS.items():
        if key in send:
            return deed(tester, send)
    raise UnexpectedError(f"nobody does {dict(send)}", where="the case")


def _datagram(tester: LowerTester, send: Send) -> Played:
    asked_at = tester.now
    for _ in range(send.get("times", 1)):
        tester.search(bytes.fromhex(send["udp"]))
        _heard_out(tester)
        tester.wait(POLL_S)
    return Played(tester, asked_at)


def _odd_datagram(tester: LowerTester, send: Send) -> Played:
    length = len(_SDP_PAYLOAD).to_bytes(_LENGTH_BYTES)
    tester.search(_head(send["udp_header"]) + length + _SDP_PAYLOAD)
    return _heard_out(tester)


def _heard_out(tester: LowerTester) -> Played:
    asked_at, told = tester.now, tester.probe.datagrams
    before = len(told)
    tester.until(lambda: len(told) > before, 2.0)
    return Played(tester, asked_at)


def _odd_stream(tester: LowerTester, send: Send) -> Played:
    header = iso2.MessageHeader(session_id=b"\0")
    setup = iso2.V2gMessage(header=header, body=requests.build("SessionSetupReq", {}))
    payload = codec("iso2").encode(setup)
    asked_at = tester.now
    length = len(payload).to_bytes(_LENGTH_BYTES)
    tester.send(_head(send["tcp_header"]) + length + payload)
    answer = tester.answer(asked_at, 2.0)
    return Played(tester, asked_at, () if answer is None else (answer,))


def _head(text: str) -> bytes:
    found = _HEAD.match(text)
    if found is None:
        raise UnexpectedError(f"no header in '{text}'", where="the case")
    return bytes.fromhex(found[1])


def _connect(tester: LowerTester, _: Send) -> Played:
    asked_at = tester.now
    tester.connect()
    return Played(tester, asked_at)


def _offer(tester: LowerTester, send: Send) -> Played:
    offers = tuple(
        AppProtocol(
            protocol_namespace=one.get("ProtocolNamespace", ISO2_NAMESPACE),
            version_number_major=one.get("VersionNumberMajor", 2),
            version_number_minor=one.get("VersionNumberMinor", 0),
            schema_id=one.get("SchemaID", SCHEMA_ID),
            priority=one.get("Priority", 1),
        )
        for one in send["AppProtocol"]
    )
    asked_at = tester.now
    octets = tester.line.say(SupportedAppProtocolReq(app_protocol=offers))
    size = 1 if send.get("bytewise") else len(octets)
    for start in range(0, len(octets), size):
        tester.send(octets[start : start + size])
    return _listened(tester, asked_at, 1)


def _listened(tester: LowerTester, asked_at: float, count: int) -> Played:
    """Wait for so many answers."""
    answers = (tester.answer(asked_at, 2.0) for _ in range(count))
    return Played(tester, asked_at, tuple(filter(None, answers)))


def _at_once(tester: LowerTester, send: Send) -> Played:
    """Send several requests in one piece, and wait for an answer to each."""
    asked_at, names = tester.now, send["messages"]
    tester.send(b"".join(tester.line.say(message(tester, one, {})) for one in names))
    return _listened(tester, asked_at, len(names))


def _payload(tester: LowerTester, send: Send) -> Played:
    asked_at, octets = tester.now, bytes.fromhex(send["payload"])
    tester.send(tp.pack(tp.PayloadType.EXI, octets))
    return _listened(tester, asked_at, 1)


def _plug(tester: LowerTester, _: Send) -> Played:
    asked_at = tester.now
    tester.plug()
    return Played(tester, asked_at)


def _wait(tester: LowerTester, send: Send) -> Played:
    asked_at = tester.now
    tester.wait(send["wait_s"])
    return Played(tester, asked_at)


def _poll(tester: LowerTester, send: Send) -> Played:
    """Repeat a request until the connection is closed, or a failure is answered."""
    answers: list[Answer] = []
    began_at, end = tester.now, tester.now + send["for_s"]
    while tester.now < end and tester.probe.connection is not None:
        asked_at = tester.now
        tester.send(tester.line.say(message(tester, send["poll"], {})))
        answer = tester.answer(asked_at)
        if answer is not None:
            answers.append(answer)
        if answer is None or not answer.code.startswith("OK"):
            break
        tester.wait(POLL_S)
    return Played(tester, began_at, tuple(answers))


def _say(tester: LowerTester, send: Send) -> Played:
    asked_at = tester.now
    if send["message"] is None:
        return Played(tester, asked_at)
    name, changes = send["message"], {k: v for k, v in send.items() if v is not None}
    was = tester.session_id
    tester.session_id = _SESSIONS.get(send.get("session_id", ""), _same)(was)
    if send.get("ServiceID") == "each offered":
        each = [{**changes, "ServiceID": number} for number in tester.services]
        answers = [ask(tester, name, **one) for one in each]
    elif "repeat_while" in send or name == "ChargeParameterDiscoveryReq":
        answers = polled(tester, name, **changes)
    elif send.get("repeat"):
        answers = _repeated(tester, name, changes)
    else:
        answers = [ask(tester, name, **changes)]
    most = send.get("MaxEntriesSAScheduleTuple")
    return Played(tester, asked_at, tuple(answers), most)


def _repeated(tester: LowerTester, name: str, changes: Send) -> list[Answer]:
    """Send a request until what it waits for is there."""
    answers: list[Answer] = []
    for _ in range(POLLS):
        answers.append(ask(tester, name, **changes))
        body = answers[-1].body
        voltage = getattr(body, "evse_present_voltage", None)
        aim_v = changes.get("EVTargetVoltage", requests.TARGET_V)
        is_there = voltage is not None and abs(voltage.si - aim_v) < aim_v * 0.05
        processing = getattr(body, "evse_processing", None)
        is_done = processing is not None and processing.name == FINISHED
        if is_there or is_done:
            break
        tester.wait(POLL_S)
    return answers


def _same(session_id: bytes) -> bytes:
    return session_id


_SESSIONS: Mapping[str, Callable[[bytes], bytes]] = {
    "wrong": lambda was: bytes(octet ^ 0xFF for octet in was),
    "random": lambda _: bytes(range(1, 9)),
    "00": lambda _: b"\0",
}
_DEEDS: Mapping[str, Callable[[LowerTester, Send], Played]] = {
    "udp": _datagram,
    "udp_header": _odd_datagram,
    "tcp_header": _odd_stream,
    "tcp_connect": _connect,
    "AppProtocol": _offer,
    "messages": _at_once,
    "payload": _payload,
    "plug": _plug,
    "wait_s": _wait,
    "poll": _poll,
    "message": _say,
}
