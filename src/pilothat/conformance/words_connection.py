"""Cases of SDP, V2GTP and the handshake that are told in words only."""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.conformance import road
from pilothat.conformance.road import DIN_NAMESPACE, ISO2_NAMESPACE
from pilothat.conformance.words import (
    OK,
    SILENT,
    UNLIT,
    Told,
    Turn,
    agreed,
    ask,
    hang_up,
    offers,
    once,
    plug,
    speak_iso2,
)

_VENDOR = "urn:example:vendor:1:Msg"
_ISO20_AC = "urn:iso:std:iso:15118:-20:AC"
_IN_A_SESSION = (
    road.link,
    road.find,
    road.connect,
    road.shake_hands,
    road.well("SessionSetupReq"),
)
_SDP_REQUEST = "01FE9000000000021000"
_MANY = [
    (f"urn:example:vendor:{number}:Msg", 1, number, 20 - number)
    for number in range(20)
    if number != 10
]

CONNECTION: Mapping[str, Told] = {
    "X-SDP-01": once({"udp": "01FE900000000003100000"}, SILENT),
    "X-SDP-03": once({"udp": "01FE9000000000021010"}, SILENT),
    "X-SDP-05": Told((Turn({"udp": _SDP_REQUEST}, UNLIT),), road=(plug,)),
    "X-SDP-06": once(
        {"udp": _SDP_REQUEST, "times": 50}, {"responses": 50, "same_port": True}
    ),
    "X-SDP-10": Told(
        (
            Turn({"udp": _SDP_REQUEST}, {"responses": 1}, (hang_up,)),
            Turn({"tcp_connect": True}, {"tcp": "taken"}),
            Turn(
                ask("SessionSetupReq", session_id="00"),
                {
                    "response_code": ["OK_NewSessionEstablished"],
                    "session_id": "new-nonzero",
                },
                (road.shake_hands,),
            ),
        ),
        road=(road.link, road.find, road.connect),
    ),
    "X-TP-01": once(
        {**offers((ISO2_NAMESPACE, 2, 10, 1)), "bytewise": True}, agreed(10)
    ),
    "X-TP-03": Told(
        (Turn({"payload": "DEADBEEF" * 8}, {"server_alive": True}),),
        road=_IN_A_SESSION,
    ),
    "X-TP-05": Told(
        (
            Turn(
                {"messages": ["ServiceDiscoveryReq", "PaymentServiceSelectionReq"]},
                {"responses": 2, "message": "PaymentServiceSelectionRes", **OK},
            ),
        ),
        road=_IN_A_SESSION,
    ),
    "X-SAP-01": once(
        offers((DIN_NAMESPACE, 2, 1, 1), (ISO2_NAMESPACE, 2, 2, 2)), agreed(1)
    ),
    "X-SAP-03": once(offers((_VENDOR, 1, 1, 1), (DIN_NAMESPACE, 2, 2, 2)), agreed(2)),
    "X-SAP-05": once(
        offers((_ISO20_AC, 1, 1, 1), (ISO2_NAMESPACE, 2, 2, 2)), agreed(2)
    ),
    "X-SAP-08": once(offers(*_MANY, (ISO2_NAMESPACE, 2, 10, 10)), agreed(10)),
    "X-SAP-10": once(
        offers((ISO2_NAMESPACE, 3, 1, 1), (DIN_NAMESPACE, 2, 2, 2)), agreed(2)
    ),
    "X-SAP-12": once(
        {"messages": ["SessionSetupReq"]},
        {"responses": 0, "then": ["tcp_closed"]},
        speak_iso2,
    ),
}
