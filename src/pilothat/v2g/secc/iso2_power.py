"""ISO 15118-2: the requests about power, DC and AC, and the goodbye.

What DC means is decided in ``secc.dc``, for DIN too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field, replace
from typing import TypeVar

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.plant import (
    CheckCable,
    Deliver,
    Energise,
    LimitsSaid,
    PathPhase,
    PreCharge,
    RampDown,
    Wish,
)
from pilothat.power.limits import PRECHARGE_A, Granted, grant
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    ChargeProgress,
    ChargingSession,
    DcEvErrorCode,
    DcEvseStatusCode,
    DcEvStatus,
    EnergyTransferMode,
    EvseProcessing,
    ResponseCode,
)
from pilothat.v2g.plant import Ending
from pilothat.v2g.quirks import FIELD, Quirk
from pilothat.v2g.secc import dc
from pilothat.v2g.secc.base import Answer, Ask, Later, Session
from pilothat.v2g.secc.dc import Verdict
from pilothat.v2g.secc.iso2_answers import (
    SCHEDULE_ID,
    Offer,
    ac_status,
    amperes,
    refusal,
    status,
    volts,
    watts,
)
from pilothat.v2g.secc.iso2_meter import Metered, metered
from pilothat.v2g.secc.tariff import Tariff
from pilothat.v2g.secc.told import loop_told
from pilothat.v2g.sequence import (
    Iso2State,
)

AUTHORISATION_S = 55.0  # the car waits 60 s

Iso2Ask = Ask[iso2.Request]
Iso2Answer = Answer[iso2.Response]
Iso2Session = Session[iso2.Request, iso2.Response]
Handler = Callable[[Iso2Ask], Iso2Answer | Later]
T = TypeVar("T", bound=iso2.Request)
_Code = DcEvseStatusCode
AC_PHASES = {
    EnergyTransferMode.AC_single_phase_core: 1,
    EnergyTransferMode.AC_three_phase_core: 3,
}


@dataclass(frozen=True, slots=True)
class Iso2Settings:
    """What an ISO 15118-2 session needs to know of its station.

    authorisation_s: how long the customer may take.
    wants_receipts: cars with a contract confirm meter readings
    tariff: price levels over the day; empty tells none
    is_contract_only: where a contract is accepted, nothing else is
    releases_contracts: a good contract waits until somebody lets it charge
    """

    offer: Offer = field(default_factory=Offer)
    quirks: frozenset[Quirk] = FIELD
    authorisation_s: float = AUTHORISATION_S
    wants_receipts: bool = False
    tariff: Tariff = ()
    releases_contracts: bool = False
    is_contract_only: bool = False


class Power:
    """The handlers of what switches, regulates and ends."""

    def __init__(self, settings: Iso2Settings) -> None:
        self._settings = settings

    @property
    def is_contract_only(self) -> bool:
        """Whether a car that may pay by contract must."""
        return self._settings.is_contract_only

    def release(self, ask: Iso2Ask) -> Verdict:
        """Judge whether a car with a good contract may charge."""
        if self._settings.releases_contracts:
            return dc.authorisation(ask, self._settings.authorisation_s)
        is_bad = ask.plant.fault or ask.plant.is_authorised is False
        return Verdict.REFUSED if is_bad else Verdict.DONE

    def cable_check(self, ask: Iso2Ask) -> Iso2Answer | Later:
        plant, verdict = ask.plant, dc.cable_check(ask)
        if verdict is Verdict.REFUSED:
            return self.failed(ask, ResponseCode.FAILED)
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

    def precharge(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.PreChargeReq, ask)
        if ask.plant.fault:
            return self.failed(ask, ResponseCode.FAILED)
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

    def power_delivery(self, ask: Iso2Ask) -> Iso2Answer | Later:
        request = as_kind(iso2.PowerDeliveryReq, ask)
        match request.charge_progress, ask.state:
            case ChargeProgress.Stop, _:
                return self._power_off(ask, _Code.EVSE_Shutdown)
            case ChargeProgress.Start, Iso2State.PRECHARGING:
                return self._power_on(ask, request)
            case ChargeProgress.Start, Iso2State.AC_READY:
                return self._ac_on(ask, request)
            case ChargeProgress.Renegotiate, Iso2State.STARTED | Iso2State.CHARGING:
                return self._power_off(ask, _Code.EVSE_Ready)
            case ChargeProgress.Renegotiate, (
                Iso2State.AC_STARTED | Iso2State.AC_CHARGING
            ):
                return _power_response(ask, _Code.EVSE_Ready, ())  # stays closed
        return self.failed(ask, ResponseCode.FAILED)  # V2G2-812

    def _power_on(
        self, ask: Iso2Ask, request: iso2.PowerDeliveryReq
    ) -> Iso2Answer | Later:
        if (code := self._profile_fault(ask, request)) is not None:
            return self.failed(ask, code)
        match dc.start(ask):
            case dc.Verdict.DONE:
                return _power_response(ask, _Code.EVSE_Ready, ())
            case dc.Verdict.LATER:
                return Later()
        return self.failed(ask, ResponseCode.FAILED_PowerDeliveryNotApplied)

    def _ac_on(
        self, ask: Iso2Ask, request: iso2.PowerDeliveryReq
    ) -> Iso2Answer | Later:
        """Close once the car shows C; it does within 250 ms (V2G2-847)."""
        plant = ask.plant
        if (code := self._profile_fault(ask, request)) is not None:
            return self.failed(ask, code)
        if plant.fault is Fault.CONTACTOR_STUCK_OPEN:
            return self.failed(ask, ResponseCode.FAILED_ContactorError)
        if plant.fault:
            return self.failed(ask, ResponseCode.FAILED_PowerDeliveryNotApplied)
        if plant.phase is PathPhase.DELIVERING:
            return _power_response(ask, _Code.EVSE_Ready, ())
        if not ask.is_last_call:
            return Later((Energise(),) if plant.pilot.wants_energy else ())
        is_shown = plant.pilot.wants_energy
        code = ResponseCode.FAILED_ContactorError if is_shown else ResponseCode.FAILED
        return self.failed(ask, code)

    def _profile_fault(
        self, ask: Iso2Ask, request: iso2.PowerDeliveryReq
    ) -> ResponseCode | None:
        if request.sa_schedule_tuple_id != SCHEDULE_ID:
            return ResponseCode.FAILED_TariffSelectionInvalid
        profile, limit_w = request.charging_profile, ask.context.max_w
        is_greedy = profile is not None and any(
            entry.charging_profile_entry_max_power.si > limit_w
            for entry in profile.profile_entry
        )
        if is_greedy and Quirk.SLOPPY_PROFILE not in self._settings.quirks:
            return ResponseCode.FAILED_ChargingProfileInvalid
        return None

    def _power_off(self, ask: Iso2Ask, code: DcEvseStatusCode) -> Iso2Answer | Later:
        """Answer when the current is gone."""
        if dc.is_delivering(ask.plant) and not ask.is_last_call:
            return Later((RampDown(),))
        return _power_response(ask, code, (RampDown(),))

    def current_demand(self, ask: Iso2Ask) -> Iso2Answer:
        request = as_kind(iso2.CurrentDemandReq, ask)
        if ask.plant.fault:
            return self.failed(ask, ResponseCode.FAILED)
        ev = dc.limits(request, ask.context.ev)
        wish = Deliver(
            request.ev_target_voltage.si,
            request.ev_target_current.si if _may_flow(request.dc_ev_status) else 0.0,
        )
        granted = grant(wish.voltage_v, wish.current_a, ask.plant.ratings, ev)
        told = self._metered(ask)
        soc_pct, context = request.dc_ev_status.ev_ress_soc, told.context
        if (ev, soc_pct) != (context.ev, context.soc_pct):
            context = replace(context, ev=ev, soc_pct=soc_pct)
        return Answer(
            self._demand_response(ask, granted, told),
            context,
            (LimitsSaid(ev), wish) if ev != ask.context.ev else (wish,),
            learned=loop_told(ask.context, request.dc_ev_status),
            asks_receipt=told.asks_receipt,
        )

    def _demand_response(
        self, ask: Iso2Ask, granted: Granted, told: Metered
    ) -> iso2.CurrentDemandRes:
        ratings = ask.plant.ratings
        return iso2.CurrentDemandRes(
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
            meter_info=told.info,
            receipt_required=told.asks_receipt,
        )

    def _metered(self, ask: Iso2Ask) -> Metered:
        settings = self._settings
        return metered(
            ask, settings.offer.meter_id, wants_receipts=settings.wants_receipts
        )

    def charging_status(self, ask: Iso2Ask) -> Iso2Answer:
        plant = ask.plant
        if plant.fault or plant.ac is None:
            return self.failed(ask, ResponseCode.FAILED)
        told = self._metered(ask)
        response = iso2.ChargingStatusRes(
            response_code=ResponseCode.OK,
            evse_id=self._settings.offer.evse_id,
            sa_schedule_tuple_id=SCHEDULE_ID,
            evse_max_current=amperes(plant.ac.max_a),
            meter_info=told.info,
            receipt_required=told.asks_receipt,
            ac_evse_status=ac_status(plant),
        )
        return Answer(response, told.context, asks_receipt=told.asks_receipt)

    # --- goodbye

    def welding_detection(self, ask: Iso2Ask) -> Iso2Answer | Later:
        if ask.plant.pilot.wants_energy:
            if not ask.is_last_call:
                return Later()  # the car opens S2 within 1.5 s
            if Quirk.WELDING_IN_C not in self._settings.quirks:
                return self.failed(ask, ResponseCode.FAILED)
        response = iso2.WeldingDetectionRes(
            response_code=ResponseCode.OK,
            dc_evse_status=status(ask.plant, _Code.EVSE_Shutdown),
            evse_present_voltage=volts(ask.plant.outlet_v),
        )
        return Answer(response, ask.context)

    def session_stop(self, ask: Iso2Ask) -> Iso2Answer | Later:
        is_tolerant = Quirk.STOP_IN_C in self._settings.quirks
        is_in_c = ask.plant.pilot.wants_energy and not is_tolerant and not ask.plant.ac
        if (is_in_c or dc.is_delivering(ask.plant)) and not ask.is_last_call:
            return Later((RampDown(),))  # power off first; the car opens S2 meanwhile
        if is_in_c:
            return self.failed(ask, ResponseCode.FAILED)
        request = as_kind(iso2.SessionStopReq, ask)
        pauses = request.charging_session is ChargingSession.Pause
        return Answer(
            iso2.SessionStopRes(response_code=ResponseCode.OK),
            ask.context,
            (RampDown(),),
            ending=Ending.PAUSED if pauses else Ending.STOPPED,
            why="SessionStop, pause" if pauses else "SessionStop",
        )

    def failed(self, ask: Iso2Ask, code: ResponseCode, why: str = "") -> Iso2Answer:
        """Refuse a request; the session is over with it."""
        name = type(ask.request).__name__.removesuffix("Req")
        return Answer(
            refusal(ask.request, code, ask.plant, self._settings.offer),
            ask.context,
            ending=Ending.FAILED,
            why=f"{name}: {code.name}" + (f", {why}" if why else ""),
        )


def max_w(ask: Iso2Ask, phases: int) -> float:
    """Return what the schedule may promise on so many phases."""
    ac = ask.plant.ac
    return ac.max_w(phases) if ac else ask.plant.ratings.max_w


def _may_flow(status: DcEvStatus) -> bool:
    return status.ev_ready and status.ev_error_code is DcEvErrorCode.NO_ERROR


def _power_response(
    ask: Iso2Ask, code: DcEvseStatusCode, wishes: tuple[Wish, ...]
) -> Iso2Answer:
    plant = ask.plant
    response = iso2.PowerDeliveryRes(
        response_code=ResponseCode.OK,
        evse_status=ac_status(plant) if plant.ac else status(plant, code),
    )
    return Answer(response, ask.context, wishes)


def as_kind(kind: type[T], ask: Iso2Ask) -> T:
    """Return the request as what the table says it is."""
    if not isinstance(ask.request, kind):
        raise TypeError(f"{type(ask.request).__name__} is no {kind.__name__}")
    return ask.request
