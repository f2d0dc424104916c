"""The words of ISO 15118-2 on the car's side: requests built, responses read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from pilothat.v2g.evcc import reading
from pilothat.v2g.evcc.contract import SIGNED_ID, Contract, Signed, authorization
from pilothat.v2g.evcc.heard import (
    Challenge,
    Heard,
    Limits,
    Notice,
    Output,
    Said,
    Schedule,
    Services,
    Status,
    Step,
    Terms,
)
from pilothat.v2g.evcc.reading import Reader, Row
from pilothat.v2g.evcc.requests import Numbers, View
from pilothat.v2g.evcc.settings import Energy, SessionSettings
from pilothat.v2g.evcc.states import LOOPS, State
from pilothat.v2g.messages import iso2

PROFILE_ENTRIES = 24  # of a charging profile, at most
_SLOW = (State.DETAILS, State.POWER_ON, State.RENEGOTIATION, State.POWER_OFF)


def mode_of(settings: SessionSettings) -> iso2.EnergyTransferMode:
    """Return the way this car charges."""
    modes = iso2.EnergyTransferMode
    if settings.iso2.energy is Energy.DC:
        return modes[settings.iso2.dc_mode.name]
    is_three = settings.ac.has_three_phases
    return modes.AC_three_phase_core if is_three else modes.AC_single_phase_core


class Iso2Dialect:
    """The words of ISO 15118-2, DC and AC."""

    def __init__(
        self, settings: SessionSettings, contract: Contract | None = None
    ) -> None:
        self._settings = settings
        self._contract = contract
        self._vehicle = settings.vehicle
        self._mode = mode_of(settings)
        self._is_dc = settings.iso2.energy is Energy.DC
        self._rows = _DC_ROWS if self._is_dc else _AC_ROWS
        self._numbers = Numbers(settings, _physical)
        loop = self._current_demand if self._is_dc else _charging_status
        self._builders: Mapping[State, Callable[[View], iso2.Request]] = {
            State.SETUP: self._session_setup,
            State.DISCOVERY: self._service_discovery,
            State.PAYMENT: self._payment_selection,
            State.AUTHORISATION: _authorization,
            State.PARAMETERS: self._charge_parameters,
            State.CABLE_CHECK: self._cable_check,
            State.PRECHARGE: self._precharge,
            State.POWER_ON: self._power_on,
            **dict.fromkeys(LOOPS, loop),
            State.RENEGOTIATION: self._renegotiation,
            State.POWER_OFF: self._power_off,
            State.WELDING: self._welding_detection,
            State.GOODBYE: self._session_stop,
        }

    def ask(self, state: State, view: View, session_id: bytes) -> object:
        """Return the request of a state."""
        body = self._body(state, view, session_id)
        header = iso2.MessageHeader(
            session_id=session_id, signature=self._signature(body)
        )
        return iso2.V2gMessage(header=header, body=body)

    def _body(self, state: State, view: View, session_id: bytes) -> iso2.Request:
        if state is State.RECEIPT and view.meter is not None:
            return _receipt(view, view.meter, session_id)
        if state is State.DETAILS and self._contract is not None:
            return self._contract.details()
        return self._builders[state](view)

    def _signature(self, body: iso2.Request) -> iso2.Signature | None:
        """Return the signature of what is to be signed; None of all else."""
        if self._contract is None or not isinstance(body, Signed) or body.id is None:
            return None
        return self._contract.sign(body)

    def hear(self, state: State, message: object) -> Heard | None:
        """Return what a message says; None when it is no answer to this request."""
        match message:
            case iso2.V2gMessage(header=header, body=iso2.Response() as body):
                return reading.heard(header.session_id, body, self._rows[state])
        return None

    def timeout_s(self, state: State) -> float:
        """Return how long the answer may take."""
        timers = self._settings.timers
        if state in LOOPS and self._is_dc:
            return timers.current_demand_s
        return timers.slow_message_s if state in _SLOW else timers.message_s

    # --- requests

    def _session_setup(self, _view: View) -> iso2.Request:
        return iso2.SessionSetupReq(evcc_id=self._settings.evcc_id)

    def _service_discovery(self, _view: View) -> iso2.Request:
        asks = self._vehicle.asks_category
        return iso2.ServiceDiscoveryReq(
            service_category=iso2.ServiceCategory.EVCharging if asks else None
        )

    def _payment_selection(self, view: View) -> iso2.Request:
        service = iso2.SelectedService(service_id=view.service_id)
        options = iso2.PaymentOption
        return iso2.PaymentServiceSelectionReq(
            selected_payment_option=options.Contract
            if view.by_contract
            else options.ExternalPayment,
            selected_service_list=iso2.SelectedServiceList(selected_service=(service,)),
        )

    def _charge_parameters(self, view: View) -> iso2.Request:
        tell = self._dc_parameter if self._is_dc else self._ac_parameter
        return iso2.ChargeParameterDiscoveryReq(
            max_entries_sa_schedule_tuple=self._settings.iso2.max_entries,
            requested_energy_transfer_mode=self._mode,
            ev_charge_parameter=tell(view),
        )

    def _dc_parameter(self, view: View) -> iso2.EvChargeParameter:
        return iso2.DcEvChargeParameter(
            departure_time=self._settings.iso2.departure_s,
            dc_ev_status=self._status(view),
            **self._numbers.wish(view),
        )

    def _ac_parameter(self, view: View) -> iso2.EvChargeParameter:
        ac, numbers = self._settings.ac, self._numbers
        wanted_wh = ac.wanted_wh
        if wanted_wh is None:
            missing_pct = self._settings.goal.target_soc_pct - view.fact.soc_pct
            capacity_wh = self._vehicle.capacity_wh or 0.0
            wanted_wh = max(capacity_wh * missing_pct / 100.0, 0.0)
        return iso2.AcEvChargeParameter(
            departure_time=self._settings.iso2.departure_s,
            e_amount=_physical(round(wanted_wh), "Wh", None),
            ev_max_voltage=numbers.volts(ac.max_v),
            ev_max_current=numbers.amperes(ac.max_a),
            ev_min_current=numbers.amperes(ac.min_a),
        )

    def _cable_check(self, view: View) -> iso2.Request:
        return iso2.CableCheckReq(dc_ev_status=self._status(view))

    def _precharge(self, view: View) -> iso2.Request:
        return iso2.PreChargeReq(
            dc_ev_status=self._status(view),
            **self._numbers.target(view),
        )

    def _power_on(self, view: View) -> iso2.Request:
        profile = self._profile(view) if self._vehicle.sends_profile else None
        return self._power(view, iso2.ChargeProgress.Start, profile)

    def _power_off(self, view: View) -> iso2.Request:
        profile = self._profile(view) if self._settings.iso2.profile_at_stop else None
        return self._power(view, iso2.ChargeProgress.Stop, profile)

    def _renegotiation(self, view: View) -> iso2.Request:
        return self._power(view, iso2.ChargeProgress.Renegotiate)

    def _current_demand(self, view: View) -> iso2.Request:
        return iso2.CurrentDemandReq(
            dc_ev_status=self._status(view), **self._numbers.demand(view)
        )

    def _welding_detection(self, view: View) -> iso2.Request:
        return iso2.WeldingDetectionReq(dc_ev_status=self._status(view))

    def _session_stop(self, view: View) -> iso2.Request:
        kind = iso2.ChargingSession
        return iso2.SessionStopReq(
            charging_session=kind.Pause if view.pauses else kind.Terminate
        )

    # --- parts of them

    def _status(self, view: View) -> iso2.DcEvStatus:
        return iso2.DcEvStatus(
            ev_ready=view.is_ready,
            ev_error_code=iso2.DcEvErrorCode[view.error.value],
            ev_ress_soc=view.soc_pct,
        )

    def _power(
        self,
        view: View,
        progress: iso2.ChargeProgress,
        profile: iso2.ChargingProfile | None = None,
    ) -> iso2.Request:
        parameter = iso2.DcEvPowerDeliveryParameter(
            dc_ev_status=self._status(view),
            **self._numbers.progress(view),
        )
        return iso2.PowerDeliveryReq(
            charge_progress=progress,
            sa_schedule_tuple_id=view.schedule.id,
            charging_profile=profile,
            ev_power_delivery_parameter=parameter if self._is_dc else None,
        )

    def _profile(self, view: View) -> iso2.ChargingProfile:
        """Promise to draw what the schedule allows, or what this car always says."""
        fixed_w = self._settings.iso2.profile_w
        steps = view.schedule.steps[:PROFILE_ENTRIES]
        entries = (
            iso2.ProfileEntry(
                charging_profile_entry_start=step.start_s,
                charging_profile_entry_max_power=_physical(
                    step.max_w if fixed_w is None else fixed_w, "W", None
                ),
            )
            for step in steps
        )
        return iso2.ChargingProfile(profile_entry=tuple(entries))


def _authorization(view: View) -> iso2.Request:
    """Ask whether charging is allowed; with a contract, answer the challenge first."""
    if view.by_contract and view.is_first:
        return authorization(view.challenge)
    return iso2.AuthorizationReq()


def _receipt(view: View, meter: iso2.MeterInfo, session_id: bytes) -> iso2.Request:
    """Confirm a reading; signed only by who has a contract."""
    return iso2.MeteringReceiptReq(
        id=SIGNED_ID if view.by_contract else None,
        session_id=session_id,
        sa_schedule_tuple_id=view.schedule.id,
        meter_info=meter,
    )


def _charging_status(_view: View) -> iso2.Request:
    return iso2.ChargingStatusReq()


def _physical(value: float, unit: str, multiplier: int | None) -> iso2.PhysicalValue:
    return iso2.PhysicalValue.of(value, iso2.UnitSymbol[unit], multiplier)


# --- responses


def _discovery(res: iso2.ServiceDiscoveryRes) -> Said:
    charging, payments = res.charge_service, res.payment_option_list.payment_option
    modes = charging.supported_energy_transfer_mode.energy_transfer_mode
    services = Services(
        charging.service_id,
        iso2.PaymentOption.ExternalPayment in payments,
        iso2.PaymentOption.Contract in payments,
        tuple(mode.name for mode in modes),
    )
    return Said(detail=services)


def _details(res: iso2.PaymentDetailsRes) -> Said:
    return Said(detail=Challenge(res.gen_challenge))


def _parameters(res: iso2.ChargeParameterDiscoveryRes) -> Said:
    is_ongoing, offered = reading.is_ongoing(res), res.sa_schedules
    schedules = tuple(map(_schedule, offered.sa_schedule_tuple)) if offered else ()
    match res.evse_charge_parameter:
        case iso2.DcEvseChargeParameter() as dc:
            terms = Terms(reading.limits(dc), schedules)
            return Said(is_ongoing, reading.dc_status(dc.dc_evse_status), terms)
        case iso2.AcEvseChargeParameter() as ac:
            limits = Limits(max_a=ac.evse_max_current.si)
            terms = Terms(limits, schedules, ac.evse_nominal_voltage.si)
            return Said(is_ongoing, _ac_status(ac.ac_evse_status), terms)


def _schedule(offered: iso2.SaScheduleTuple) -> Schedule:
    steps = tuple(
        Step(entry.time_interval.start, entry.p_max.si)
        for entry in offered.p_max_schedule.p_max_schedule_entry
    )
    return Schedule(offered.sa_schedule_tuple_id, steps)


def _power(res: iso2.PowerDeliveryRes | iso2.MeteringReceiptRes) -> Said:
    match res.evse_status:
        case iso2.DcEvseStatus() as dc:
            return Said(status=reading.dc_status(dc))
        case iso2.AcEvseStatus() as ac:
            return Said(status=_ac_status(ac))
    return Said()


def _ac_status(status: iso2.AcEvseStatus) -> Status:
    return Status(notice=Notice(status.evse_notification), has_rcd_tripped=status.rcd)


def _charging(res: iso2.ChargingStatusRes) -> Said:
    max_a = res.evse_max_current
    limits = Limits() if max_a is None else Limits(max_a=max_a.si)
    status, output = _ac_status(res.ac_evse_status), Output(limits=limits)
    return Said(status=status, detail=output, meter=_meter(res))


def _demand(res: iso2.CurrentDemandRes) -> Said:
    said, meter = reading.current(res), _meter(res)
    return said if meter is None else replace(said, meter=meter)


def _meter(
    res: iso2.CurrentDemandRes | iso2.ChargingStatusRes,
) -> iso2.MeterInfo | None:
    """Return the reading that wants a receipt."""
    return res.meter_info if res.receipt_required else None


_POWER = Row(iso2.PowerDeliveryRes, _power)
_COMMON: Mapping[State, Reader] = {
    State.SETUP: Row(iso2.SessionSetupRes, reading.plain),
    State.DISCOVERY: Row(iso2.ServiceDiscoveryRes, _discovery),
    State.PAYMENT: Row(iso2.PaymentServiceSelectionRes, reading.plain),
    State.DETAILS: Row(iso2.PaymentDetailsRes, _details),
    State.AUTHORISATION: Row(iso2.AuthorizationRes, reading.processing),
    State.PARAMETERS: Row(iso2.ChargeParameterDiscoveryRes, _parameters),
    State.POWER_ON: _POWER,
    State.RECEIPT: Row(iso2.MeteringReceiptRes, _power),
    State.RENEGOTIATION: _POWER,
    State.POWER_OFF: _POWER,
    State.GOODBYE: Row(iso2.SessionStopRes, reading.plain),
}
_DC_ROWS: Mapping[State, Reader] = {
    **_COMMON,
    State.CABLE_CHECK: Row(iso2.CableCheckRes, reading.cable_check),
    State.PRECHARGE: Row(iso2.PreChargeRes, reading.voltage),
    **dict.fromkeys(LOOPS, Row(iso2.CurrentDemandRes, _demand)),
    State.WELDING: Row(iso2.WeldingDetectionRes, reading.voltage),
}
_AC_ROWS: Mapping[State, Reader] = {
    **_COMMON,
    **dict.fromkeys(LOOPS, Row(iso2.ChargingStatusRes, _charging)),
}
