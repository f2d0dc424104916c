"""DIN SPEC 70121 on the station's side: one pure handler a request.

Clauses: the table of states is ``v2g.sequence.DIN_ROWS``; checks, codes and times are
those of DIN SPEC 70121:2014, with the field's experience where it is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import TypeVar

from pilothat.frozen import dataclass
from pilothat.machine import Entropy
from pilothat.plant import (
    CheckCable,
    Deliver,
    LimitsSaid,
    PathPhase,
    PreCharge,
    RampDown,
    Wish,
)
from pilothat.power.limits import PRECHARGE_A, grant
from pilothat.v2g.messages import din
from pilothat.v2g.messages.din import (
    DcEvErrorCode,
    DcEvseStatusCode,
    DcEvStatus,
    ResponseCode,
)
from pilothat.v2g.messages.xmldsig import Signature
from pilothat.v2g.plant import Ending, Learned, PlantState
from pilothat.v2g.quirks import FIELD, Quirk
from pilothat.v2g.secc import dc
from pilothat.v2g.secc.base import Answer, Ask, Later, Opened, Session
from pilothat.v2g.secc.dc import Verdict
from pilothat.v2g.secc.din_answers import (
    CHARGE_SERVICE_ID,
    SCHEDULE_ID,
    amperes,
    charge_service,
    p_max_w,
    parameter_response,
    payment_options,
    processing,
    refusal,
    status,
    volts,
    watts,
)
from pilothat.v2g.secc.told import loop_told, parameters_told
from pilothat.v2g.sequence import DIN_ROWS, DinState, State, table

AUTHORISATION_S = 55.0  # Ongoing at most; the car waits 60 s

DinAsk = Ask[din.Request]
DinAnswer = Answer[din.Response]
Handler = Callable[[DinAsk], DinAnswer | Later]
T = TypeVar("T", bound=din.Request)
_Code = DcEvseStatusCode


@dataclass(frozen=True, slots=True)
class DinSettings:
    """What a DIN session needs to know of its station.

    only_reads: an AC outlet wants to know how full the car is, and offers it no DC
    """

    evse_id: bytes = bytes.fromhex("49a80737a45678")
    quirks: frozenset[Quirk] = FIELD
    only_reads: bool = False


def session(settings: DinSettings, entropy: Entropy, now: float) -> DinSession:
    """Open a session."""
    return Session(Din(settings, entropy), now)


DinSession = Session[din.Request, din.Response]


class Din:
    """The standard, for ``Session`` to walk."""

    def __init__(self, settings: DinSettings, entropy: Entropy) -> None:
        self.first: State = DinState.SETUP
        self.ended: State = DinState.ENDED
        self.sequences = table(DIN_ROWS, settings.quirks)
        self.steady: Collection[str] = frozenset({"CurrentDemand"})
        self._settings = settings
        self._entropy = entropy
        self.handlers: Mapping[str, Handler] = {
            "SessionSetup": self._session_setup,
            "ServiceDiscovery": _service_discovery,
            "ServicePaymentSelection": _payment_selection,
            "ContractAuthentication": _authentication,
            "ChargeParameterDiscovery": _read if settings.only_reads else _parameters,
            "CableCheck": _cable_check,
            "PreCharge": _precharge,
            "PowerDelivery": self._power_delivery,
            "CurrentDemand": _current_demand,
            "WeldingDetection": self._welding_detection,
            "SessionStop": _session_stop,
        }

    def open(self, message: object) -> Opened[din.Request] | None:
        """Return what is in a message; None if this is no request of DIN."""
        if isinstance(message, din.V2gMessage) and isinstance(
            message.body, din.Request
        ):
            return Opened(message.header.session_id, message.body)
        return None

    def name(self, request: din.Request) -> tuple[str, str]:
        """Return the request's name without Req, and its variant."""
        variant = ""
        if isinstance(request, din.PowerDeliveryReq):
            variant = "on" if request.ready_to_charge_state else "off"
        return type(request).__name__.removesuffix("Req"), variant

    def wrap(
        self,
        session_id: bytes,
        response: din.Response,
        signature: Signature | None = None,
    ) -> object:
        """Return the whole message for a response."""
        header = din.MessageHeader(session_id=session_id, signature=signature)
        return din.V2gMessage(header=header, body=response)

    def refuse(self, ask: DinAsk, code: str) -> din.Response:
        """Return the response to a request with this failure code."""
        return refusal(
            ask.request, ResponseCode[code], ask.plant, self._settings.evse_id
        )

    def _session_setup(self, ask: DinAsk) -> DinAnswer:
        request = _as(din.SessionSetupReq, ask)
        response = din.SessionSetupRes(
            response_code=ResponseCode.OK_NewSessionEstablished,
            evse_id=self._settings.evse_id,
        )
        session_id = dc.new_session_id(self._entropy)
        return Answer(
            response,
            replace(ask.context, session_id=session_id, evcc_id=request.evcc_id),
            learned=Learned((("evcc_id", request.evcc_id.hex()),)),
        )

    def _power_delivery(self, ask: DinAsk) -> DinAnswer | Later:
        request = _as(din.PowerDeliveryReq, ask)
        if not request.ready_to_charge_state:
            return _power_off(ask)
        if (code := self._profile_fault(request, ask.plant)) is not None:
            return _failed(ask, code)
        match dc.start(ask):
            case dc.Verdict.DONE:
                return _power_response(ask, _Code.EVSE_Ready, ())
            case dc.Verdict.LATER:
                return Later()
        return _failed(ask, ResponseCode.FAILED_PowerDeliveryNotApplied)

    def _profile_fault(
        self, request: din.PowerDeliveryReq, plant: PlantState
    ) -> ResponseCode | None:
        profile = request.charging_profile
        if profile is None:
            return None
        if profile.sa_schedule_tuple_id != SCHEDULE_ID:
            return ResponseCode.FAILED_TariffSelectionInvalid
        limit_w = p_max_w(plant)
        is_greedy = any(
            entry.charging_profile_entry_max_power > limit_w
            for entry in profile.profile_entry
        )
        if is_greedy and Quirk.SLOPPY_PROFILE not in self._settings.quirks:
            return ResponseCode.FAILED_ChargingProfileInvalid
        return None

    def _welding_detection(self, ask: DinAsk) -> DinAnswer | Later:
        if ask.plant.pilot.wants_energy:
            if not ask.is_last_call:
                return Later()  # the car opens S2 within 1.5 s
            if Quirk.WELDING_IN_C not in self._settings.quirks:
                return _failed(ask, ResponseCode.FAILED)
        response = din.WeldingDetectionRes(
            response_code=ResponseCode.OK,
            dc_evse_status=status(ask.plant, _Code.EVSE_Shutdown),
            evse_present_voltage=volts(ask.plant.outlet_v),
        )
        return Answer(response, ask.context)


def _service_discovery(ask: DinAsk) -> DinAnswer:
    return Answer(
        din.ServiceDiscoveryRes(
            response_code=ResponseCode.OK,
            payment_options=payment_options(),
            charge_service=charge_service(),
        ),
        ask.context,
    )


def _payment_selection(ask: DinAsk) -> DinAnswer:
    request = _as(din.ServicePaymentSelectionReq, ask)
    if request.selected_payment_option is not din.PaymentOption.ExternalPayment:
        return _failed(ask, ResponseCode.FAILED_PaymentSelectionInvalid)
    services = request.selected_service_list.selected_service
    if [service.service_id for service in services] != [CHARGE_SERVICE_ID]:
        return _failed(ask, ResponseCode.FAILED_ServiceSelectionInvalid)
    return Answer(
        din.ServicePaymentSelectionRes(response_code=ResponseCode.OK), ask.context
    )


def _authentication(ask: DinAsk) -> DinAnswer:
    verdict = dc.authorisation(ask, AUTHORISATION_S)
    if verdict is Verdict.REFUSED:
        return _failed(ask, ResponseCode.FAILED)
    is_done = verdict is Verdict.DONE
    response = din.ContractAuthenticationRes(
        response_code=ResponseCode.OK, evse_processing=processing(is_done=is_done)
    )
    return Answer(response, ask.context, is_done=is_done)


def _parameters(ask: DinAsk) -> DinAnswer:
    request = _as(din.ChargeParameterDiscoveryReq, ask)
    offered = din.EvRequestedEnergyTransferType.DC_extended
    parameter = request.ev_charge_parameter
    if request.ev_requested_energy_transfer_type is not offered:
        return _failed(ask, ResponseCode.FAILED_WrongEnergyTransferType)
    if not isinstance(parameter, din.DcEvChargeParameter):
        return _failed(ask, ResponseCode.FAILED_WrongChargeParameter)
    ev = dc.first_limits(parameter)
    if not dc.is_plausible(ev, ask.plant.ratings):
        return _failed(ask, ResponseCode.FAILED_WrongChargeParameter)
    if ask.plant.fault:
        return _failed(ask, ResponseCode.FAILED)
    response = parameter_response(ask.plant, ResponseCode.OK)
    soc_pct = parameter.dc_ev_status.ev_ress_soc
    return Answer(
        response,
        replace(ask.context, ev=ev, soc_pct=soc_pct),
        (LimitsSaid(ev),),
        learned=parameters_told(parameter),
    )


def _read(ask: DinAsk) -> DinAnswer:
    """Take what a car tells, and refuse it: what it asks for is not to be had here."""
    parameter = _as(din.ChargeParameterDiscoveryReq, ask).ev_charge_parameter
    refused = _failed(ask, ResponseCode.FAILED_WrongEnergyTransferType)
    if not isinstance(parameter, din.DcEvChargeParameter):
        return refused
    return replace(refused, learned=parameters_told(parameter))


def _cable_check(ask: DinAsk) -> DinAnswer | Later:
    plant, verdict = ask.plant, dc.cable_check(ask)
    if verdict is Verdict.REFUSED:
        return _failed(ask, ResponseCode.FAILED)
    if verdict is Verdict.LATER:
        return Later()
    is_done = verdict is Verdict.DONE
    code = _Code.EVSE_Ready if is_done else _Code.EVSE_IsolationMonitoringActive
    response = din.CableCheckRes(
        response_code=ResponseCode.OK,
        dc_evse_status=status(plant, code),
        evse_processing=processing(is_done=is_done),
    )
    wishes = (CheckCable(),) if plant.phase is PathPhase.OFF else ()
    return Answer(response, ask.context, wishes, is_done=is_done)


def _precharge(ask: DinAsk) -> DinAnswer:
    request = _as(din.PreChargeReq, ask)
    if ask.plant.fault:
        return _failed(ask, ResponseCode.FAILED)
    target_v = request.ev_target_voltage.si
    granted = grant(target_v, PRECHARGE_A, ask.plant.ratings, ask.context.ev)
    response = din.PreChargeRes(
        response_code=ResponseCode.OK,
        dc_evse_status=status(ask.plant, _Code.EVSE_Ready),
        evse_present_voltage=volts(ask.plant.outlet_v),
    )
    context = replace(ask.context, target_v=granted.setpoint.voltage_v)
    is_wanted = request.dc_ev_status.ev_error_code is DcEvErrorCode.NO_ERROR
    return Answer(response, context, (PreCharge(target_v if is_wanted else 0.0),))


def _power_off(ask: DinAsk) -> DinAnswer | Later:
    """Answer when the current is gone."""
    if dc.is_delivering(ask.plant) and not ask.is_last_call:
        return Later((RampDown(),))
    return _power_response(ask, _Code.EVSE_Shutdown, (RampDown(),))


def _power_response(
    ask: DinAsk, code: DcEvseStatusCode, wishes: tuple[Wish, ...]
) -> DinAnswer:
    response = din.PowerDeliveryRes(
        response_code=ResponseCode.OK, evse_status=status(ask.plant, code)
    )
    return Answer(response, ask.context, wishes)


def _current_demand(ask: DinAsk) -> DinAnswer:
    request = _as(din.CurrentDemandReq, ask)
    if ask.plant.fault:
        return _failed(ask, ResponseCode.FAILED)
    ev = dc.limits(request, ask.context.ev)
    wish = Deliver(
        request.ev_target_voltage.si,
        request.ev_target_current.si if _may_flow(request.dc_ev_status) else 0.0,
    )
    ratings = ask.plant.ratings
    granted = grant(wish.voltage_v, wish.current_a, ratings, ev)
    response = din.CurrentDemandRes(
        response_code=ResponseCode.OK,
        dc_evse_status=status(ask.plant, _Code.EVSE_Ready),
        evse_present_voltage=volts(ask.plant.outlet_v),
        evse_present_current=amperes(ask.plant.current_a),
        evse_current_limit_achieved=granted.is_current_limited,
        evse_voltage_limit_achieved=granted.is_voltage_limited,
        evse_power_limit_achieved=granted.is_power_limited,
        evse_maximum_voltage_limit=volts(ratings.max_v),
        evse_maximum_current_limit=amperes(ratings.max_a),
        evse_maximum_power_limit=watts(ratings.max_w),
    )
    soc_pct, context = request.dc_ev_status.ev_ress_soc, ask.context
    if (ev, soc_pct) != (context.ev, context.soc_pct):
        context = replace(context, ev=ev, soc_pct=soc_pct)
    return Answer(
        response,
        context,
        (LimitsSaid(ev), wish) if ev != ask.context.ev else (wish,),
        learned=loop_told(ask.context, request.dc_ev_status),
    )


def _may_flow(status: DcEvStatus) -> bool:
    return status.ev_ready and status.ev_error_code is DcEvErrorCode.NO_ERROR


def _session_stop(ask: DinAsk) -> DinAnswer | Later:
    if dc.is_delivering(ask.plant) and not ask.is_last_call:
        return Later((RampDown(),))  # power off first
    return Answer(
        din.SessionStopRes(response_code=ResponseCode.OK),
        ask.context,
        (RampDown(),),
        ending=Ending.STOPPED,
        why="SessionStop",
    )


def _failed(ask: DinAsk, code: ResponseCode) -> DinAnswer:
    name = type(ask.request).__name__.removesuffix("Req")
    return Answer(
        refusal(ask.request, code, ask.plant, b"\0"),
        ask.context,
        ending=Ending.FAILED,
        why=f"{name}: {code.name}",
    )


def _as(kind: type[T], ask: DinAsk) -> T:
    """Return the request as what the table says it is."""
    if not isinstance(ask.request, kind):
        raise TypeError(f"{type(ask.request).__name__} is no {kind.__name__}")
    return ask.request
