"""A car that says what a test wants, and a session that it talks to.

Requests are built by hand from the schema; nothing is taken from the car's twin.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from pilothat.pilot.levels import PilotState
from pilothat.plant import Isolation, PathPhase
from pilothat.v2g.messages import din
from pilothat.v2g.plant import Learned, PlantState, Respond, SessionOver
from pilothat.v2g.quirks import FIELD, Quirk
from pilothat.v2g.secc.base import RequestIn, SessionAction
from pilothat.v2g.secc.din import DinSession, DinSettings, session

SESSION_ID = bytes(range(0x11, 0x19))
EVSE_ID = bytes.fromhex("49a80737a45678")
State = PilotState
Path = PathPhase


def volts(value: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol.V)


def amperes(value: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol.A)


def watts(value: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol.W)


def ev_status(
    error: din.DcEvErrorCode = din.DcEvErrorCode.NO_ERROR,
    ready: bool = True,
    soc_pct: int = 42,
) -> din.DcEvStatus:
    return din.DcEvStatus(ev_ready=ready, ev_error_code=error, ev_ress_soc=soc_pct)


def setup(evcc_id: bytes = b"\x02\xca\0\0\0\1") -> din.SessionSetupReq:
    return din.SessionSetupReq(evcc_id=evcc_id)


def payment(
    option: din.PaymentOption = din.PaymentOption.ExternalPayment,
    services: Sequence[int] = (1,),
) -> din.ServicePaymentSelectionReq:
    selected = tuple(din.SelectedService(service_id=number) for number in services)
    return din.ServicePaymentSelectionReq(
        selected_payment_option=option,
        selected_service_list=din.SelectedServiceList(selected_service=selected),
    )


LIMITS = din.DcEvChargeParameter(
    dc_ev_status=ev_status(ready=False),
    ev_maximum_current_limit=amperes(200),
    ev_maximum_voltage_limit=volts(410),
)


def parameters(
    parameter: din.EvChargeParameter = LIMITS,
    kind: din.EvRequestedEnergyTransferType = (
        din.EvRequestedEnergyTransferType.DC_extended
    ),
) -> din.ChargeParameterDiscoveryReq:
    return din.ChargeParameterDiscoveryReq(
        ev_requested_energy_transfer_type=kind, ev_charge_parameter=parameter
    )


def cable_check(status: din.DcEvStatus | None = None) -> din.CableCheckReq:
    return din.CableCheckReq(dc_ev_status=status or ev_status())


def precharge(
    target_v: float = 380.0, status: din.DcEvStatus | None = None
) -> din.PreChargeReq:
    return din.PreChargeReq(
        dc_ev_status=status or ev_status(),
        ev_target_voltage=volts(target_v),
        ev_target_current=amperes(2),
    )


def power(on: bool, profile: din.ChargingProfile | None = None) -> din.PowerDeliveryReq:
    return din.PowerDeliveryReq(
        ready_to_charge_state=on,
        charging_profile=profile,
        ev_power_delivery_parameter=din.DcEvPowerDeliveryParameter(
            dc_ev_status=ev_status(ready=on), charging_complete=not on
        ),
    )


def demand(
    target_v: float = 400.0,
    target_a: float = 100.0,
    status: din.DcEvStatus | None = None,
    max_v: float | None = None,
    max_a: float | None = None,
    max_w: float | None = None,
) -> din.CurrentDemandReq:
    return din.CurrentDemandReq(
        dc_ev_status=status or ev_status(),
        ev_target_current=amperes(target_a),
        ev_maximum_voltage_limit=None if max_v is None else volts(max_v),
        ev_maximum_current_limit=None if max_a is None else amperes(max_a),
        ev_maximum_power_limit=None if max_w is None else watts(max_w),
        charging_complete=False,
        ev_target_voltage=volts(target_v),
    )


def welding() -> din.WeldingDetectionReq:
    return din.WeldingDetectionReq(dc_ev_status=ev_status(ready=False))


_CHAIN = din.CertificateChain(certificate=b"\x30")
_ROOTS = din.ListOfRootCertificateIds(root_certificate_id=("root",))

# every request of the schema; PowerDelivery in its two forms
REQUESTS: Mapping[str, din.Request] = {
    "SessionSetup": setup(),
    "ServiceDiscovery": din.ServiceDiscoveryReq(),
    "ServiceDetail": din.ServiceDetailReq(service_id=1),
    "ServicePaymentSelection": payment(),
    "PaymentDetails": din.PaymentDetailsReq(
        contract_id="C", contract_signature_cert_chain=_CHAIN
    ),
    "ContractAuthentication": din.ContractAuthenticationReq(),
    "ChargeParameterDiscovery": parameters(),
    "ChargingStatus": din.ChargingStatusReq(),
    "MeteringReceipt": din.MeteringReceiptReq(
        session_id=SESSION_ID, meter_info=din.MeterInfo(meter_id="M")
    ),
    "CertificateInstallation": din.CertificateInstallationReq(
        oem_provisioning_cert=b"\x30",
        list_of_root_certificate_ids=_ROOTS,
        dh_params=b"\x01",
    ),
    "CertificateUpdate": din.CertificateUpdateReq(
        contract_signature_cert_chain=_CHAIN,
        contract_id="C",
        list_of_root_certificate_ids=_ROOTS,
        dh_params=b"\x01",
    ),
    "CableCheck": cable_check(),
    "PreCharge": precharge(),
    "PowerDelivery+": power(on=True),
    "PowerDelivery-": power(on=False),
    "CurrentDemand": demand(),
    "WeldingDetection": welding(),
    "SessionStop": din.SessionStopReq(),
}

AT_REST = PlantState()
ISOLATED = PlantState(phase=Path.ISOLATED, isolation=Isolation.VALID, pilot=State.C2)
PRECHARGED = replace(ISOLATED, phase=Path.PRECHARGE, outlet_v=380.0)
CHARGING = replace(ISOLATED, phase=Path.DELIVERING, outlet_v=390.0, current_a=99.5)
STOPPED = replace(ISOLATED, phase=Path.OFF, outlet_v=12.3)
OPENED = replace(STOPPED, pilot=State.B2)

# what the plant is like when a request comes as it should
PLANTS: Mapping[str, PlantState] = {
    "CableCheck": ISOLATED,
    "PreCharge": PRECHARGED,
    "PowerDelivery+": PRECHARGED,
    "PowerDelivery-": STOPPED,
    "CurrentDemand": CHARGING,
    "WeldingDetection": OPENED,
    "SessionStop": OPENED,
}
ORDER = (
    "SessionSetup",
    "ServiceDiscovery",
    "ServicePaymentSelection",
    "ContractAuthentication",
    "ChargeParameterDiscovery",
    "CableCheck",
    "PreCharge",
    "PowerDelivery+",
    "CurrentDemand",
    "PowerDelivery-",
    "WeldingDetection",
    "SessionStop",
)


@dataclass
class Talk:
    """A session, the time and the session ID that the car has learned."""

    session: DinSession
    now: float = 0.0
    session_id: bytes = b"\0"
    seen: list[SessionAction] = field(default_factory=list)

    def say(
        self, request: din.Request, session_id: bytes | None = None
    ) -> Sequence[SessionAction]:
        """Send a request; learn the session ID from what comes back."""
        header = din.MessageHeader(
            session_id=self.session_id if session_id is None else session_id
        )
        message = din.V2gMessage(header=header, body=request)
        actions = self.session.handle(RequestIn(message), self.now)
        for action in actions:
            if isinstance(action, Respond):
                assert isinstance(action.message, din.V2gMessage)
                self.session_id = action.message.header.session_id
        return actions

    def plant(self, plant: PlantState) -> Sequence[SessionAction]:
        return self.session.handle(plant, self.now)

    def later(self, duration_s: float) -> Sequence[SessionAction]:
        """Let time pass, ticking when it is due."""
        until = self.now + duration_s
        actions: list[SessionAction] = []
        for _ in range(20):
            due_at = self.session.deadline
            if due_at is None or due_at > until:
                break
            self.now = due_at
            actions += self.session.tick(due_at)
        self.now = until
        return actions

    def name(self, name: str) -> Sequence[SessionAction]:
        """Send the request of this name, to a plant that is ready for it."""
        self.plant(PLANTS.get(name, AT_REST))
        return self.say(REQUESTS[name])


def entropy(count: int) -> bytes:
    return SESSION_ID[:count]


def begun(
    quirks: frozenset[Quirk] = FIELD, draw: Callable[[int], bytes] = entropy
) -> Talk:
    return Talk(session(DinSettings(EVSE_ID, quirks), draw, 0.0))


def talk_after(name: str, quirks: frozenset[Quirk] = FIELD) -> Talk:
    """Return a talk in which all requests up to this one were answered."""
    talk = begun(quirks)
    for step in ORDER[: ORDER.index(name) + 1] if name else ():
        talk.name(step)
    return talk


def answers(actions: Sequence[SessionAction]) -> list[din.Response]:
    """Return the bodies of all responses."""
    found = []
    for action in actions:
        if isinstance(action, Respond):
            assert isinstance(action.message, din.V2gMessage)
            assert isinstance(action.message.body, din.Response)
            found.append(action.message.body)
    return found


def answer(actions: Sequence[SessionAction]) -> din.Response:
    """Return the only response."""
    (one,) = answers(actions)
    return one


def overs(actions: Sequence[SessionAction]) -> list[SessionOver]:
    return [action for action in actions if isinstance(action, SessionOver)]


def wishes(actions: Sequence[SessionAction]) -> list[SessionAction]:
    """Return what the session wants of the power path."""
    others = (Respond, SessionOver, Learned)
    return [action for action in actions if not isinstance(action, others)]


def learned(actions: Sequence[SessionAction]) -> dict[str, str]:
    told = [action.values for action in actions if isinstance(action, Learned)]
    return dict(pair for values in told for pair in values)
