"""The way to where a case begins: requests in their order, each answered with OK."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pilothat.conformance import requests
from pilothat.conformance.rows import Row
from pilothat.conformance.tester import LINK_S, Answer, Tester, UnexpectedError
from pilothat.station.events import WakeUp
from pilothat.twin.circuit import CarPilot
from pilothat.v2g import sdp
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import EvseProcessing
from pilothat.v2g.messages.sap import AppProtocol, SupportedAppProtocolReq

ISO2_NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
SCHEMA_ID = 10
POLL_S = 0.25
POLLS = 200
LOOPS = 3
SLEEP_S, BCB_S = 60.0, 0.25
ENDURANCE = 2000
NEAR_V = 20.0  # difference at which a car closes its contactor
OPEN_S = 0.2  # of the car's contactor; S2 opens within 250 ms


def ask(tester: Tester, name: str, **changes: object) -> Answer:
    """Send a request within the session and return its answer."""
    session_id, paid = tester.session_id, None
    if tester.purse is not None:
        paid = tester.purse.request(name, changes, session_id)
    body, signature = paid or (
        requests.build(name, {"mode": tester.mode, **changes}),
        None,
    )
    header = iso2.MessageHeader(session_id=session_id, signature=signature)
    answer = tester.ask(iso2.V2gMessage(header=header, body=body))
    if isinstance(answer.body, iso2.SessionSetupRes):
        tester.session_id = answer.message.header.session_id
    return answer


def good(tester: Tester, name: str, **changes: object) -> Answer:
    """Send a request that must be answered with OK."""
    answer = ask(tester, name, **changes)
    if not answer.code.startswith("OK"):
        raise UnexpectedError(
            f"{name}: {answer.code}", where="on the way to where the case begins"
        )
    return answer


def polled(tester: Tester, name: str, **changes: object) -> list[Answer]:
    """Send a request as long as the answer is Ongoing; return all answers."""
    answers = []
    for _ in range(POLLS):
        answers.append(ask(tester, name, **changes))
        processing = getattr(answers[-1].body, "evse_processing", None)
        if processing in (None, EvseProcessing.Finished):
            return answers
        tester.wait(POLL_S)
    return answers


def finished(tester: Tester, name: str, **changes: object) -> None:
    """Send a request until it is finished, and well."""
    answers = polled(tester, name, **changes)
    if not answers[-1].code.startswith("OK"):
        raise UnexpectedError(
            f"{name}: {answers[-1].code}", where="on the way to where the case begins"
        )


# --- one step each


def _link(tester: Tester) -> None:
    tester.plug()
    if not tester.until(lambda: tester.probe.is_linked, LINK_S):
        raise UnexpectedError("no link", where="SLAC")
    tester.wait(1.0)


def _find(tester: Tester) -> None:
    tester.search(sdp.build_request(tester.security))
    if not tester.until(lambda: bool(tester.probe.datagrams), 1.0):
        raise UnexpectedError("no answer", where="SDP")


def _connect(tester: Tester) -> None:
    if not tester.connect():
        raise UnexpectedError("the connection is refused", where="TCP")


def _shake_hands(tester: Tester) -> None:
    offer = AppProtocol(
        protocol_namespace=ISO2_NAMESPACE,
        version_number_major=2,
        version_number_minor=0,
        schema_id=SCHEMA_ID,
        priority=1,
    )
    tester.ask(SupportedAppProtocolReq(app_protocol=(offer,)))
    tester.line.protocol = "iso2"


def _check_cable(tester: Tester) -> None:
    tester.pilot(CarPilot.C)
    tester.wait(POLL_S)
    finished(tester, "CableCheckReq")


def _precharge(tester: Tester) -> None:
    for _ in range(POLLS):
        answer = good(tester, "PreChargeReq")
        missing_v = requests.TARGET_V - answer.body.evse_present_voltage.si
        if abs(missing_v) < NEAR_V:
            return
        tester.wait(POLL_S)
    raise UnexpectedError("no voltage", where="PreCharge")


def _start(tester: Tester) -> None:
    tester.join(is_joined=True)
    good(tester, "PowerDeliveryReq", ChargeProgress="Start")


def _round(tester: Tester, name: str) -> None:
    """Ask in the charging loop, and sign the receipt if one is wanted."""
    if good(tester, name).body.receipt_required:
        good(tester, "MeteringReceiptReq")
    tester.wait(POLL_S)


def _loop(tester: Tester, rounds: int = LOOPS) -> None:
    for _ in range(rounds):
        _round(tester, "CurrentDemandReq")


def _ramp(tester: Tester) -> None:
    for _ in range(LOOPS):
        good(tester, "CurrentDemandReq", EVTargetCurrent=0.0)
        tester.wait(POLL_S)


def _stop_in_c(tester: Tester) -> None:
    _ramp(tester)
    good(tester, "PowerDeliveryReq", ChargeProgress="Stop")


def _open(tester: Tester) -> None:
    tester.join(is_joined=False)
    tester.pilot(CarPilot.B)
    tester.wait(OPEN_S)


def _renegotiate(tester: Tester) -> None:
    _ramp(tester)
    good(tester, "PowerDeliveryReq", ChargeProgress="Renegotiate")
    tester.join(is_joined=False)


def _start_ac(tester: Tester) -> None:
    tester.pilot(CarPilot.C)
    good(tester, "PowerDeliveryReq", ChargeProgress="Start")
    tester.join(is_joined=True)


def _loop_ac(tester: Tester, rounds: int = LOOPS) -> None:
    for _ in range(rounds):
        _round(tester, "ChargingStatusReq")


def _stop_ac(tester: Tester) -> None:
    tester.join(is_joined=False)
    good(tester, "PowerDeliveryReq", ChargeProgress="Stop")
    tester.pilot(CarPilot.B)
    tester.wait(OPEN_S)


def _select(tester: Tester) -> None:
    option = "Contract" if tester.purse else "ExternalPayment"
    good(tester, "PaymentServiceSelectionReq", SelectedPaymentOption=option)


def _details(tester: Tester) -> None:
    if tester.purse:
        good(tester, "PaymentDetailsReq")


def _authorise(tester: Tester) -> None:
    _details(tester)
    finished(tester, "AuthorizationReq")


def _with_certificates(*parameter_sets: int) -> Callable[[Tester], None]:
    """Select a contract and its certificate service."""
    services = [1, *((2, number) for number in parameter_sets)]
    return _good_with(
        "PaymentServiceSelectionReq",
        SelectedPaymentOption="Contract",
        SelectedServiceList=services,
    )


def _finished(name: str) -> Callable[[Tester], None]:
    return lambda tester: finished(tester, name)


def _good(name: str) -> Callable[[Tester], None]:
    return lambda tester: void(good(tester, name))


def _good_with(name: str, **changes: object) -> Callable[[Tester], None]:
    return lambda tester: void(good(tester, name, **changes))


def void(_: object) -> None:
    """Take a result that nobody needs."""


Step = Callable[[Tester], None]
_TO_PRECHARGED: Sequence[Step] = (
    _link,
    _find,
    _connect,
    _shake_hands,
    _good("SessionSetupReq"),
    _good("ServiceDiscoveryReq"),
    _select,
    _authorise,
    _finished("ChargeParameterDiscoveryReq"),
    _check_cable,
    _precharge,
)
_LINKED, _FOUND, _CONNECTED, _AGREED, _SETUP, _DISCOVERED = range(1, 7)
_SELECTED, _AUTHORISED, _PARAMETERS, _CHECKED, _PRECHARGED = range(7, 12)
_TO_INSTALLATION = (*_TO_PRECHARGED[:_DISCOVERED], _with_certificates(1))
_TO_UPDATE = (*_TO_PRECHARGED[:_DISCOVERED], _with_certificates(2))
_LOOPING = (*_TO_PRECHARGED, _start, _loop)
_ENDURED = (*_LOOPING, lambda tester: _loop(tester, ENDURANCE))
_AC_LOOPING = (*_TO_PRECHARGED[:_PARAMETERS], _start_ac, _loop_ac)

# what a precondition says -> the steps that lead there; the first that fits counts
ROADS: Mapping[str, Sequence[Step]] = {
    "Cable unplugged": (),
    "no SDP exchange yet": _TO_PRECHARGED[:_LINKED],
    "nothing sent on it": _TO_PRECHARGED[:_CONNECTED],
    "SDP answered": _TO_PRECHARGED[:_FOUND],
    "supportedAppProtocol negotiated": _TO_PRECHARGED[:_AGREED],
    "supportedAppProtocolRes OK": _TO_PRECHARGED[:_AGREED],
    "SessionSetupRes OK": _TO_PRECHARGED[:_SETUP],
    "ServiceDiscoveryRes OK": _TO_PRECHARGED[:_DISCOVERED],
    "ServiceDetailRes OK": _TO_PRECHARGED[:_DISCOVERED],
    "set 1 = Installation) selected": _TO_INSTALLATION,
    "set 2 = Update) selected": _TO_UPDATE,
    "CertificateInstallationRes OK": (
        *_TO_INSTALLATION,
        _good("CertificateInstallationReq"),
    ),
    "CertificateUpdateRes OK": (*_TO_UPDATE, _good("CertificateUpdateReq")),
    "PaymentDetailsRes OK": (*_TO_PRECHARGED[:_SELECTED], _details),
    "CurrentDemandRes OK with ReceiptRequired true": (
        *_TO_PRECHARGED,
        _start,
        _good("CurrentDemandReq"),
    ),
    "PaymentServiceSelectionRes OK": _TO_PRECHARGED[:_SELECTED],
    "AuthorizationRes": _TO_PRECHARGED[:_AUTHORISED],
    "ChargeParameterDiscoveryRes": _TO_PRECHARGED[:_PARAMETERS],
    "CableCheckRes": _TO_PRECHARGED[:_CHECKED],
    "PreChargeRes": _TO_PRECHARGED[:_PRECHARGED],
    "for ChargeProgress Start": (*_TO_PRECHARGED, _start),
    "for ChargeProgress Renegotiate": (*_LOOPING, _renegotiate),
    "(endurance), is at: WeldingDetectionRes": (
        *_ENDURED,
        _stop_in_c,
        _open,
        _good("WeldingDetectionReq"),
    ),
    "(endurance)": (*_ENDURED, _stop_in_c, _open),
    "CP left in C or D": (*_LOOPING, _stop_in_c),
    "for ChargeProgress Stop": (*_LOOPING, _stop_in_c, _open),
    "in the charge loop": _LOOPING,
    "WeldingDetectionRes OK": (
        *_LOOPING,
        _stop_in_c,
        _open,
        _good("WeldingDetectionReq"),
    ),
}


# where AC goes another way
AC_ROADS: Mapping[str, Sequence[Step]] = {
    "for ChargeProgress Start": (*_TO_PRECHARGED[:_PARAMETERS], _start_ac),
    "ChargingStatusRes OK with ReceiptRequired true": (
        *_TO_PRECHARGED[:_PARAMETERS],
        _start_ac,
        _good("ChargingStatusReq"),
    ),
    "for ChargeProgress Renegotiate": (
        *_AC_LOOPING,
        _good_with("PowerDeliveryReq", ChargeProgress="Renegotiate"),
    ),
    "(endurance)": (
        *_AC_LOOPING,
        lambda tester: _loop_ac(tester, ENDURANCE),
        _stop_ac,
    ),
    "for ChargeProgress Stop": (*_AC_LOOPING, _stop_ac),
    "in the charge loop": _AC_LOOPING,
}


def steps(row: Row) -> Sequence[Step] | None:
    """Return the way to where a case begins; None when nobody knows it."""
    if "stopped and paused" in row.precondition:
        return _through_a_pause(row)
    own = AC_ROADS if row.mode == "AC" else {}
    for words, road in (*own.items(), *ROADS.items()):
        if words in row.precondition:
            return road
    return None


def _through_a_pause(row: Row) -> Sequence[Step]:
    """Return the way through a charge, a sleep and the first requests after it."""
    stopped = "for ChargeProgress Stop"
    charged = (AC_ROADS if row.mode == "AC" else ROADS)[stopped]
    wake = _wake_up if "The EVSE ends the sleep" in row.precondition else _toggle
    again: Sequence[Step] = ()
    if "SessionSetup joined" in row.precondition:
        again = _TO_PRECHARGED[_AGREED:_SETUP]
    elif "Authorization is Finished again" in row.precondition:
        again = _TO_PRECHARGED[_AGREED:_AUTHORISED]
    return (*charged, _pause, wake, *_TO_PRECHARGED[_LINKED:_AGREED], *again)


def _pause(tester: Tester) -> None:
    good(tester, "SessionStopReq", ChargingSession="Pause")
    tester.paused_id = tester.session_id
    tester.wait(SLEEP_S)
    if tester.is_modulated:
        raise UnexpectedError("PWM is on", where="a pause")
    tester.line_again()


def _wake_up(tester: Tester) -> None:
    tester.world.tell(WakeUp())
    tester.wait(POLL_S)


def _toggle(tester: Tester) -> None:
    for pilot in (CarPilot.C, CarPilot.B):
        tester.pilot(pilot)
        tester.wait(BCB_S)
