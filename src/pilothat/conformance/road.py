"""Steps on the way to where a case begins: requests, each answered with OK."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pilothat.conformance import dinrequests, requests
from pilothat.conformance.tester import LINK_S, Answer, LowerTester, UnexpectedError
from pilothat.station.events import WakeUp
from pilothat.twin.circuit import CarPilot
from pilothat.v2g import sdp
from pilothat.v2g.messages import din, iso2
from pilothat.v2g.messages.sap import AppProtocol, SupportedAppProtocolReq

ISO2_NAMESPACE = "urn:iso:15118:2:2013:MsgDef"
DIN_NAMESPACE = "urn:din:70121:2012:MsgDef"
NAMESPACES = {"iso2": ISO2_NAMESPACE, "din": DIN_NAMESPACE}
SCHEMA_ID = 10
FINISHED = "Finished"
# what the standards name in two ways
SELECTION = {
    "iso2": "PaymentServiceSelectionReq",
    "din": "ServicePaymentSelectionReq",
}
AUTHORISATION = {"iso2": "AuthorizationReq", "din": "ContractAuthenticationReq"}
POLL_S = 0.25
POLLS = 260  # 65 s
LOOPS = 3
SLEEP_S, BCB_S = 60.0, 0.25
NEAR_V = 20.0  # difference at which a car closes its contactor
OPEN_S = 0.2  # of the car's contactor; S2 opens within 250 ms


def ask(tester: LowerTester, name: str, **changes: object) -> Answer:
    """Send a request within the session and return its answer."""
    answer = tester.ask(message(tester, name, changes))
    if type(answer.body).__name__ == "SessionSetupRes":
        tester.session_id = answer.message.header.session_id
    if getattr(answer.body, "service_list", None) is not None:
        offered = answer.body.service_list.service
        tester.services = [one.service_id for one in offered]
    return answer


def message(tester: LowerTester, name: str, changes: Mapping[str, Any]) -> object:
    """Return a request in its envelope, in what the car speaks."""
    session_id = tester.session_id
    if tester.protocol == "din":
        return din.V2gMessage(
            header=din.MessageHeader(session_id=session_id),
            body=dinrequests.build(name, changes),
        )
    paid = tester.purse.request(name, changes, session_id) if tester.purse else None
    body, signature = paid or (
        requests.build(name, {"mode": tester.mode, **changes}),
        None,
    )
    header = iso2.MessageHeader(session_id=session_id, signature=signature)
    return iso2.V2gMessage(header=header, body=body)


def good(tester: LowerTester, name: str, **changes: object) -> Answer:
    """Send a request that must be answered with OK."""
    answer = ask(tester, name, **changes)
    if not answer.code.startswith("OK"):
        raise UnexpectedError(
            f"{name}: {answer.code}", where="on the way to where the case begins"
        )
    return answer


def polled(tester: LowerTester, name: str, **changes: object) -> list[Answer]:
    """Send a request as long as the answer is Ongoing; return all answers."""
    answers = []
    for _ in range(POLLS):
        answers.append(ask(tester, name, **changes))
        processing = getattr(answers[-1].body, "evse_processing", None)
        if processing is None or processing.name == FINISHED:
            return answers
        tester.wait(POLL_S)
    return answers


def finished(tester: LowerTester, name: str, **changes: object) -> None:
    """Send a request until it is finished, and well."""
    answers = polled(tester, name, **changes)
    if not answers[-1].code.startswith("OK"):
        raise UnexpectedError(
            f"{name}: {answers[-1].code}", where="on the way to where the case begins"
        )


# --- one step each


def link(tester: LowerTester) -> None:
    """Plug in and wait for the link."""
    tester.plug()
    if not tester.until(lambda: tester.probe.is_linked, LINK_S):
        raise UnexpectedError("no link", where="SLAC")
    tester.wait(1.0)


def find(tester: LowerTester) -> None:
    """Ask where the station is."""
    tester.search(sdp.build_request(tester.security))
    if not tester.until(lambda: bool(tester.probe.datagrams), 1.0):
        raise UnexpectedError("no answer", where="SDP")


def connect(tester: LowerTester) -> None:
    """Connect."""
    if not tester.connect():
        raise UnexpectedError("the connection is refused", where="TCP")


def shake_hands(tester: LowerTester) -> None:
    """Offer the one protocol that the car speaks."""
    namespace = NAMESPACES[tester.protocol]
    tester.ask(SupportedAppProtocolReq(app_protocol=(offer(namespace),)))
    tester.line.protocol = tester.protocol


def offer(namespace: str, schema_id: int = SCHEMA_ID, priority: int = 1) -> AppProtocol:
    """Return a line of what a car offers; the standards here are versions 2.0."""
    return AppProtocol(
        protocol_namespace=namespace,
        version_number_major=2,
        version_number_minor=0,
        schema_id=schema_id,
        priority=priority,
    )


def check_cable(tester: LowerTester) -> None:
    """Ask for energy, and have the cable checked."""
    tester.pilot(CarPilot.C)
    tester.wait(POLL_S)
    finished(tester, "CableCheckReq")


def precharge(tester: LowerTester) -> None:
    """Have the voltage brought near."""
    for _ in range(POLLS):
        answer = good(tester, "PreChargeReq")
        missing_v = requests.TARGET_V - answer.body.evse_present_voltage.si
        if abs(missing_v) < NEAR_V:
            return
        tester.wait(POLL_S)
    raise UnexpectedError("no voltage", where="PreCharge")


def start_dc(tester: LowerTester) -> None:
    """Close the contactor of the car and have power delivered."""
    tester.join(is_joined=True)
    good(tester, "PowerDeliveryReq", ChargeProgress="Start")


def _round(tester: LowerTester, name: str) -> None:
    """Ask in the charging loop, and sign the receipt if one is wanted."""
    if getattr(good(tester, name).body, "receipt_required", False):
        good(tester, "MeteringReceiptReq")
    tester.wait(POLL_S)


def loop_dc(tester: LowerTester, rounds: int = LOOPS) -> None:
    """Charge some rounds."""
    for _ in range(rounds):
        _round(tester, "CurrentDemandReq")


def ramp(tester: LowerTester) -> None:
    """Want no current."""
    for _ in range(LOOPS):
        good(tester, "CurrentDemandReq", EVTargetCurrent=0.0)
        tester.wait(POLL_S)


def stop_in_c(tester: LowerTester) -> None:
    """Stop, with the pilot still in C."""
    ramp(tester)
    good(tester, "PowerDeliveryReq", ChargeProgress="Stop")


def open_contactor(tester: LowerTester) -> None:
    """Open the contactor of the car, and S2."""
    tester.join(is_joined=False)
    tester.pilot(CarPilot.B)
    tester.wait(OPEN_S)


def renegotiate(tester: LowerTester) -> None:
    """Ask for new parameters."""
    ramp(tester)
    good(tester, "PowerDeliveryReq", ChargeProgress="Renegotiate")
    tester.join(is_joined=False)


def start_ac(tester: LowerTester) -> None:
    """Ask for energy and close."""
    tester.pilot(CarPilot.C)
    good(tester, "PowerDeliveryReq", ChargeProgress="Start")
    tester.join(is_joined=True)


def loop_ac(tester: LowerTester, rounds: int = LOOPS) -> None:
    """Charge some rounds."""
    for _ in range(rounds):
        _round(tester, "ChargingStatusReq")


def stop_ac(tester: LowerTester) -> None:
    """Stop, and go to B."""
    tester.join(is_joined=False)
    good(tester, "PowerDeliveryReq", ChargeProgress="Stop")
    tester.pilot(CarPilot.B)
    tester.wait(OPEN_S)


def select_payment(tester: LowerTester) -> None:
    """Select how to pay."""
    option = "Contract" if tester.purse else "ExternalPayment"
    good(tester, SELECTION[tester.protocol], SelectedPaymentOption=option)


def details(tester: LowerTester) -> None:
    """Show the contract, if there is one."""
    if tester.purse:
        good(tester, "PaymentDetailsReq")


def authorise(tester: LowerTester) -> None:
    """Be authorised."""
    details(tester)
    finished(tester, AUTHORISATION[tester.protocol])


def with_certificates(*parameter_sets: int) -> Callable[[LowerTester], None]:
    """Select a contract and its certificate service."""
    services = [1, *((2, number) for number in parameter_sets)]
    return well_with(
        "PaymentServiceSelectionReq",
        SelectedPaymentOption="Contract",
        SelectedServiceList=services,
    )


def until_finished(name: str) -> Callable[[LowerTester], None]:
    """Return the step of a request until it is finished."""
    return lambda tester: finished(tester, name)


def well(name: str) -> Callable[[LowerTester], None]:
    """Return the step of one good request."""
    return lambda tester: void(good(tester, name))


def well_with(name: str, **changes: object) -> Callable[[LowerTester], None]:
    """Return the step of one good request with changes."""
    return lambda tester: void(good(tester, name, **changes))


def void(_: object) -> None:
    """Take a result that nobody needs."""


def pause(tester: LowerTester) -> None:
    """Go to sleep, and sleep."""
    good(tester, "SessionStopReq", ChargingSession="Pause")
    tester.paused_id = tester.session_id
    tester.wait(SLEEP_S)
    if tester.is_modulated:
        raise UnexpectedError("PWM is on", where="a pause")
    tester.line_again()


def wake_up(tester: LowerTester) -> None:
    """Have the station end the sleep."""
    tester.world.tell(WakeUp())
    tester.wait(POLL_S)


def toggle(tester: LowerTester) -> None:
    """End the sleep, as a car does."""
    for pilot in (CarPilot.C, CarPilot.B):
        tester.pilot(pilot)
        tester.wait(BCB_S)
