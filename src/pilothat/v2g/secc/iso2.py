"""ISO 15118-2:2013 on the station's side: one pure handler a request.

Clauses: the table of states is ``v2g.sequence.ISO2_ROWS``; checks, codes and times are
those of v2g_iso2.md. What DC means is decided in ``secc.dc``, for DIN too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import field, replace
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
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    ChargeProgress,
    ChargingSession,
    DcEvChargeParameter,
    DcEvErrorCode,
    DcEvseStatusCode,
    DcEvStatus,
    EvseProcessing,
    PaymentOption,
    ResponseCode,
)
from pilothat.v2g.plant import Ending, Learned
from pilothat.v2g.quirks import FIELD, Quirk
from pilothat.v2g.secc import dc
from pilothat.v2g.secc.base import Answer, Ask, Later, Session
from pilothat.v2g.secc.dc import Verdict
from pilothat.v2g.secc.iso2_answers import (
    CHARGE_SERVICE_ID,
    SCHEDULE_ID,
    Offer,
    amperes,
    discovery,
    parameters,
    refusal,
    status,
    volts,
    watts,
)
from pilothat.v2g.secc.told import loop_told, parameters_told
from pilothat.v2g.sequence import (
    ISO2_ROWS,
    PAUSE,
    RENEGOTIATE,
    START,
    STOP,
    TERMINATE,
    Iso2State,
    State,
    table,
)

AUTHORISATION_S = 55.0  # the car waits 60 s

Iso2Ask = Ask[iso2.Request]
Iso2Answer = Answer[iso2.Response]
Iso2Session = Session[iso2.Request, iso2.Response]
Handler = Callable[[Iso2Ask], Iso2Answer | Later]
T = TypeVar("T", bound=iso2.Request)
_Code = DcEvseStatusCode
_PROGRESS = {
    ChargeProgress.Start: START,
    ChargeProgress.Stop: STOP,
    ChargeProgress.Renegotiate: RENEGOTIATE,
}
_GOODBYE = {ChargingSession.Terminate: TERMINATE, ChargingSession.Pause: PAUSE}


@dataclass(frozen=True, slots=True)
class Iso2Settings:
    """What an ISO 15118-2 session needs to know of its station.

    authorisation_s: how long the customer may take.
    """

    offer: Offer = field(default_factory=Offer)
    quirks: frozenset[Quirk] = FIELD
    authorisation_s: float = AUTHORISATION_S


def session(settings: Iso2Settings, entropy: Entropy, now: float) -> Iso2Session:
    """Open a session."""
    return Session(Iso2(settings, entropy), now)


class Iso2:
    """The standard, for ``Session`` to walk."""

    def __init__(self, settings: Iso2Settings, entropy: Entropy) -> None:
        self.first: State = Iso2State.SETUP
        self.ended: State = Iso2State.ENDED
        self.sequences = table(ISO2_ROWS, settings.quirks)
        self._settings = settings
        self._entropy = entropy
        self.handlers: Mapping[str, Handler] = {
            "SessionSetup": self._session_setup,
            "ServiceDiscovery": self._service_discovery,
            "ServiceDetail": self._service_detail,
            "PaymentServiceSelection": self._selection,
            "Authorization": self._authorisation,
            "ChargeParameterDiscovery": self._parameters,
            "CableCheck": self._cable_check,
            "PreCharge": self._precharge,
            "PowerDelivery": self._power_delivery,
            "CurrentDemand": self._current_demand,
            "WeldingDetection": self._welding_detection,
            "SessionStop": self._session_stop,
        }

    def open(self, message: object) -> tuple[bytes, iso2.Request] | None:
        """Return session ID and request; None if this is no request of -2."""
        if isinstance(message, iso2.V2gMessage) and isinstance(
            message.body, iso2.Request
        ):
            return message.header.session_id, message.body
        return None

    def name(self, request: iso2.Request) -> tuple[str, str]:
        """Return the request's name without Req, and its variant."""
        variant = ""
        match request:
            case iso2.PowerDeliveryReq(charge_progress=progress):
                variant = _PROGRESS[progress]
            case iso2.SessionStopReq(charging_session=goodbye):
                variant = _GOODBYE[goodbye]
        return type(request).__name__.removesuffix("Req"), variant

    def wrap(self, session_id: bytes, response: iso2.Response) -> object:
        """Return the whole message for a response."""
        header = iso2.MessageHeader(session_id=session_id)
        return iso2.V2gMessage(header=header, body=response)

    def refuse(self, ask: Iso2Ask, code: str) -> iso2.Response:
        """Return the response to a request with this failure code."""
        return refusal(ask.request, ResponseCode[code], ask.plant, self._settings.offer)

    # --- who is there, what is wanted

    def _session_setup(self, ask: Iso2Ask) -> Iso2Answer:
        request = _as(iso2.SessionSetupReq, ask)
        response = iso2.SessionSetupRes(
            response_code=ResponseCode.OK_NewSessionEstablished,
            evse_id=self._settings.offer.evse_id,
        )
        session_id = dc.new_session_id(self._entropy)
        return Answer(
            response,
            replace(ask.context, session_id=session_id, evcc_id=request.evcc_id),
            learned=Learned((("evcc_id", request.evcc_id.hex()),)),
        )

    def _service_discovery(self, ask: Iso2Ask) -> Iso2Answer:
        response = discovery(ResponseCode.OK, self._settings.offer)
        return Answer(response, ask.context)

    def _service_detail(self, ask: Iso2Ask) -> Iso2Answer:
        return self._failed(ask, ResponseCode.FAILED_ServiceIDInvalid)  # none offered

    def _selection(self, ask: Iso2Ask) -> Iso2Answer:
        request = _as(iso2.PaymentServiceSelectionReq, ask)
        selected = request.selected_service_list.selected_service
        services = [service.service_id for service in selected]
        if request.selected_payment_option is not PaymentOption.ExternalPayment:
            return self._failed(ask, ResponseCode.FAILED_PaymentSelectionInvalid)
        if CHARGE_SERVICE_ID not in services:
            return self._failed(ask, ResponseCode.FAILED_NoChargeServiceSelected)
        if services != [CHARGE_SERVICE_ID]:
            return self._failed(ask, ResponseCode.FAILED_ServiceSelectionInvalid)
        response = iso2.PaymentServiceSelectionRes(response_code=ResponseCode.OK)
        return Answer(response, ask.context)

    def _authorisation(self, ask: Iso2Ask) -> Iso2Answer:
        verdict = dc.authorisation(ask, self._settings.authorisation_s)
        if verdict is Verdict.REFUSED:
            return self._failed(ask, ResponseCode.FAILED)
        is_done = verdict is Verdict.DONE
        response = iso2.AuthorizationRes(
            response_code=ResponseCode.OK,
            evse_processing=EvseProcessing.Finished
            if is_done
            else EvseProcessing.Ongoing_WaitingForCustomerInteraction,
        )
        return Answer(response, ask.context, is_done=is_done)

    def _parameters(self, ask: Iso2Ask) -> Iso2Answer:
        request = _as(iso2.ChargeParameterDiscoveryReq, ask)
        parameter = request.ev_charge_parameter
        if request.requested_energy_transfer_mode not in self._settings.offer.modes:
            return self._failed(ask, ResponseCode.FAILED_WrongEnergyTransferMode)
        if not isinstance(parameter, DcEvChargeParameter):
            return self._failed(ask, ResponseCode.FAILED_WrongChargeParameter)
        ev = dc.first_limits(parameter)
        if not dc.is_plausible(ev, ask.plant.ratings):
            return self._failed(ask, ResponseCode.FAILED_WrongChargeParameter)
        if ask.plant.fault:
            return self._failed(ask, ResponseCode.FAILED)
        soc_pct = parameter.dc_ev_status.ev_ress_soc
        return Answer(
            parameters(ask.plant, ResponseCode.OK, parameter.departure_time),
            replace(ask.context, ev=ev, soc_pct=soc_pct, target_v=0.0),
            (LimitsSaid(ev),),
            learned=parameters_told(parameter),
        )

    # --- power

    def _cable_check(self, ask: Iso2Ask) -> Iso2Answer | Later:
        plant, verdict = ask.plant, dc.cable_check(ask)
        if verdict is Verdict.REFUSED:
            return self._failed(ask, ResponseCode.FAILED)
        if verdict is Verdict.LATER:
            return Later()
        is_done = verdict is Verdict.DONE
        code = _Code.EVSE_Ready if is_done else _Code.EVSE_IsolationMonitoringActive
        response = iso2.CableCheckRes(
            response_code=ResponseCode.OK,
            dc_evse_status=status(plant, code),
            evse_processing=EvseProcessing.Finished
            if is_done
            else EvseProcessing.Ongoing,
        )
        wishes = (CheckCable(),) if plant.phase is PathPhase.OFF else ()
        return Answer(response, ask.context, wishes, is_done=is_done)

    def _precharge(self, ask: Iso2Ask) -> Iso2Answer:
        request = _as(iso2.PreChargeReq, ask)
        if ask.plant.fault:
            return self._failed(ask, ResponseCode.FAILED)
        wanted_v = request.ev_target_voltage.si
        granted = grant(wanted_v, PRECHARGE_A, ask.plant.ratings, ask.context.ev)
        response = iso2.PreChargeRes(
            response_code=ResponseCode.OK,
            dc_evse_status=status(ask.plant, _Code.EVSE_Ready),
            evse_present_voltage=volts(ask.plant.outlet_v),
        )
        context = replace(ask.context, target_v=granted.setpoint.voltage_v)
        is_wanted = request.dc_ev_status.ev_error_code is DcEvErrorCode.NO_ERROR
        return Answer(response, context, (PreCharge(wanted_v if is_wanted else 0.0),))

    def _power_delivery(self, ask: Iso2Ask) -> Iso2Answer | Later:
        request = _as(iso2.PowerDeliveryReq, ask)
        match request.charge_progress, ask.state:
            case ChargeProgress.Stop, _:
                return self._power_off(ask, _Code.EVSE_Shutdown)
            case ChargeProgress.Start, Iso2State.PRECHARGING:
                return self._power_on(ask, request)
            case ChargeProgress.Renegotiate, Iso2State.STARTED | Iso2State.CHARGING:
                return self._power_off(ask, _Code.EVSE_Ready)
        return self._failed(ask, ResponseCode.FAILED)  # V2G2-812

    def _power_on(self, ask: Iso2Ask, request: iso2.PowerDeliveryReq) -> Iso2Answer:
        if request.sa_schedule_tuple_id != SCHEDULE_ID:
            return self._failed(ask, ResponseCode.FAILED_TariffSelectionInvalid)
        profile = request.charging_profile
        is_greedy = profile is not None and any(
            entry.charging_profile_entry_max_power.si > ask.plant.ratings.max_w
            for entry in profile.profile_entry
        )
        if is_greedy and Quirk.SLOPPY_PROFILE not in self._settings.quirks:
            return self._failed(ask, ResponseCode.FAILED_ChargingProfileInvalid)
        if not dc.may_start(ask):
            return self._failed(ask, ResponseCode.FAILED_PowerDeliveryNotApplied)
        return _power_response(ask, _Code.EVSE_Ready, ())

    def _power_off(self, ask: Iso2Ask, code: DcEvseStatusCode) -> Iso2Answer | Later:
        """Answer when the current is gone."""
        if dc.is_delivering(ask.plant) and not ask.is_last_call:
            return Later((RampDown(),))
        return _power_response(ask, code, (RampDown(),))

    def _current_demand(self, ask: Iso2Ask) -> Iso2Answer:
        request = _as(iso2.CurrentDemandReq, ask)
        if ask.plant.fault:
            return self._failed(ask, ResponseCode.FAILED)
        ev = dc.limits(request, ask.context.ev)
        wish = Deliver(
            request.ev_target_voltage.si,
            request.ev_target_current.si if _may_flow(request.dc_ev_status) else 0.0,
        )
        ratings = ask.plant.ratings
        granted = grant(wish.voltage_v, wish.current_a, ratings, ev)
        response = iso2.CurrentDemandRes(
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
            evse_id=self._settings.offer.evse_id,
            sa_schedule_tuple_id=SCHEDULE_ID,
            receipt_required=False,
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

    # --- goodbye

    def _welding_detection(self, ask: Iso2Ask) -> Iso2Answer | Later:
        if ask.plant.pilot.wants_energy:
            if not ask.is_last_call:
                return Later()  # the car opens S2 within 1.5 s
            if Quirk.WELDING_IN_C not in self._settings.quirks:
                return self._failed(ask, ResponseCode.FAILED)
        response = iso2.WeldingDetectionRes(
            response_code=ResponseCode.OK,
            dc_evse_status=status(ask.plant, _Code.EVSE_Shutdown),
            evse_present_voltage=volts(ask.plant.outlet_v),
        )
        return Answer(response, ask.context)

    def _session_stop(self, ask: Iso2Ask) -> Iso2Answer | Later:
        is_tolerant = Quirk.STOP_IN_C in self._settings.quirks
        is_in_c = ask.plant.pilot.wants_energy and not is_tolerant
        if (is_in_c or dc.is_delivering(ask.plant)) and not ask.is_last_call:
            return Later((RampDown(),))  # power off first; the car opens S2 meanwhile
        if is_in_c:
            return self._failed(ask, ResponseCode.FAILED)
        return Answer(
            iso2.SessionStopRes(response_code=ResponseCode.OK),
            ask.context,
            (RampDown(),),
            ending=Ending.STOPPED,
            why="SessionStop",
        )

    def _failed(self, ask: Iso2Ask, code: ResponseCode) -> Iso2Answer:
        name = type(ask.request).__name__.removesuffix("Req")
        return Answer(
            refusal(ask.request, code, ask.plant, self._settings.offer),
            ask.context,
            ending=Ending.FAILED,
            why=f"{name}: {code.name}",
        )


def _may_flow(status: DcEvStatus) -> bool:
    return status.ev_ready and status.ev_error_code is DcEvErrorCode.NO_ERROR


def _power_response(
    ask: Iso2Ask, code: DcEvseStatusCode, wishes: tuple[Wish, ...]
) -> Iso2Answer:
    response = iso2.PowerDeliveryRes(
        response_code=ResponseCode.OK, evse_status=status(ask.plant, code)
    )
    return Answer(response, ask.context, wishes)


def _as(kind: type[T], ask: Iso2Ask) -> T:
    """Return the request as what the table says it is."""
    if not isinstance(ask.request, kind):
        raise TypeError(f"{type(ask.request).__name__} is no {kind.__name__}")
    return ask.request
