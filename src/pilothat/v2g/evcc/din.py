"""A DIN SPEC 70121 session on the car's side: its words, and what it adds.

DIN knows DC only, no renegotiation and no pause; one timer runs from the first message
until power is on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType

from pilothat.v2g.evcc import reading
from pilothat.v2g.evcc.dc import DcSession
from pilothat.v2g.evcc.events import Action
from pilothat.v2g.evcc.heard import Heard, Said, Schedule, Services, Step, Terms
from pilothat.v2g.evcc.reading import Reader, Row
from pilothat.v2g.evcc.requests import Numbers, View
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.evcc.states import LOOPS, Complaint, State
from pilothat.v2g.messages import din


class DinEvcc(DcSession):
    """The car's half of a DIN session."""

    def __init__(self, settings: SessionSettings) -> None:
        super().__init__(settings, DinDialect(settings))

    def _begin(self, now: float) -> Sequence[Action]:
        self._ready_by = now + self._settings.timers.ready_to_charge_s
        return super()._begin(now)


class DinDialect:
    """The words of DIN SPEC 70121."""

    def __init__(self, settings: SessionSettings) -> None:
        self._settings = settings
        self._vehicle = settings.vehicle
        self._numbers = Numbers(settings, _physical)
        self._loop: tuple[object, object, din.Request] = (None, None, _STOP)
        self._asked: tuple[object, object] = (None, None)  # the last request
        self._statuses = lru_cache(8)(self._make_status)  # it changes once a minute
        self._builders: Mapping[State, Callable[[View], din.Request]] = {
            State.SETUP: self._session_setup,
            State.DISCOVERY: self._service_discovery,
            State.PAYMENT: self._payment_selection,
            State.AUTHORISATION: lambda _: din.ContractAuthenticationReq(),
            State.PARAMETERS: self._charge_parameters,
            State.CABLE_CHECK: self._cable_check,
            State.PRECHARGE: self._precharge,
            State.POWER_ON: self._power_on,
            State.CHARGING: self._current_demand,
            State.RAMP_DOWN: self._current_demand,
            State.POWER_OFF: self._power_off,
            State.WELDING: self._welding_detection,
            State.GOODBYE: lambda _: _STOP,
        }

    def ask(self, state: State, view: View, session_id: bytes) -> object:
        """Return the request of a state."""
        body = self._builders[state](view)
        if (session_id, body) != self._asked[0]:
            header = din.MessageHeader(session_id=session_id)
            message = din.V2gMessage(header=header, body=body)
            self._asked = ((session_id, body), message)
        return self._asked[1]

    def hear(self, state: State, message: object) -> Heard | None:
        """Return what a message says; None when it is no answer to this request."""
        body = message.body if isinstance(message, din.V2gMessage) else None
        if not isinstance(message, din.V2gMessage) or not isinstance(
            body, din.Response
        ):
            return None
        return reading.heard(message.header.session_id, body, _ROWS[state])

    def timeout_s(self, state: State) -> float:
        """Return how long the answer may take."""
        timers = self._settings.timers
        return timers.current_demand_s if state in LOOPS else timers.message_s

    # --- requests

    def _session_setup(self, _view: View) -> din.Request:
        return din.SessionSetupReq(evcc_id=self._settings.evcc_id)

    def _service_discovery(self, _view: View) -> din.Request:
        asks = self._vehicle.asks_category
        return din.ServiceDiscoveryReq(
            service_category=din.ServiceCategory.EVCharging if asks else None
        )

    def _payment_selection(self, view: View) -> din.Request:
        """Choose charging; payment is not the car's business."""
        service = din.SelectedService(service_id=view.service_id)
        return din.ServicePaymentSelectionReq(
            selected_payment_option=din.PaymentOption.ExternalPayment,
            selected_service_list=din.SelectedServiceList(selected_service=(service,)),
        )

    def _charge_parameters(self, view: View) -> din.Request:
        parameter = din.DcEvChargeParameter(
            dc_ev_status=self._status(view),
            **self._numbers.wish(view),
        )
        return din.ChargeParameterDiscoveryReq(
            ev_requested_energy_transfer_type=_MODE, ev_charge_parameter=parameter
        )

    def _cable_check(self, view: View) -> din.Request:
        return din.CableCheckReq(dc_ev_status=self._status(view))

    def _precharge(self, view: View) -> din.Request:
        return din.PreChargeReq(
            dc_ev_status=self._status(view),
            **self._numbers.target(view),
        )

    def _power_on(self, view: View) -> din.Request:
        """Ask for power, with the schedule the station offered."""
        entry = din.ProfileEntry(
            charging_profile_entry_start=0,
            charging_profile_entry_max_power=int(view.schedule.steps[0].max_w),
        )
        profile = din.ChargingProfile(
            sa_schedule_tuple_id=view.schedule.id, profile_entry=(entry,)
        )
        return din.PowerDeliveryReq(
            ready_to_charge_state=True,
            charging_profile=profile if self._vehicle.sends_profile else None,
            ev_power_delivery_parameter=self._power_parameter(view),
        )

    def _power_off(self, view: View) -> din.Request:
        return din.PowerDeliveryReq(
            ready_to_charge_state=False,
            ev_power_delivery_parameter=self._power_parameter(view),
        )

    def _current_demand(self, view: View) -> din.Request:
        status, demand = self._status(view), self._numbers.demand(view)
        if self._loop[0] is not status or self._loop[1] is not demand:
            request = din.CurrentDemandReq(dc_ev_status=status, **demand)
            self._loop = (status, demand, request)
        return self._loop[2]

    def _welding_detection(self, view: View) -> din.Request:
        return din.WeldingDetectionReq(dc_ev_status=self._status(view))

    def _status(self, view: View) -> din.DcEvStatus:
        return self._statuses(view.error, view.soc_pct, view.is_ready)

    def _make_status(
        self,
        error: Complaint,
        soc_pct: int,
        is_ready: bool,  # noqa: FBT001 - of a cached call
    ) -> din.DcEvStatus:
        flag = False if self._vehicle.sends_conditioning else None
        return din.DcEvStatus(
            ev_ready=is_ready,
            ev_cabin_conditioning=flag,
            ev_ress_conditioning=flag,
            ev_error_code=din.DcEvErrorCode[error.value],
            ev_ress_soc=soc_pct,
        )

    def _power_parameter(self, view: View) -> din.DcEvPowerDeliveryParameter:
        return din.DcEvPowerDeliveryParameter(
            dc_ev_status=self._status(view),
            **self._numbers.progress(view),
        )


_STOP = din.SessionStopReq()
_MODE = din.EvRequestedEnergyTransferType.DC_extended


def _physical(value: float, unit: str, multiplier: int | None) -> din.PhysicalValue:
    return din.PhysicalValue.of(value, din.UnitSymbol[unit], multiplier)


# --- responses


def _discovery(res: din.ServiceDiscoveryRes) -> Said:
    return Said(detail=Services(res.charge_service.service_tag.service_id))


def _parameters(res: din.ChargeParameterDiscoveryRes) -> Said:
    is_ongoing = reading.is_ongoing(res)
    match res.evse_charge_parameter, res.sa_schedules:
        case (din.DcEvseChargeParameter() as limits, din.SaScheduleList() as offered):
            schedules = tuple(map(_schedule, offered.sa_schedule_tuple))
            terms = Terms(reading.limits(limits), schedules)
            return Said(is_ongoing, reading.dc_status(limits.dc_evse_status), terms)
    return Said(is_ongoing)


def _schedule(offered: din.SaScheduleTuple) -> Schedule:
    steps = tuple(
        Step(entry.time_interval.start, float(entry.p_max))
        for entry in offered.p_max_schedule.p_max_schedule_entry
    )
    return Schedule(offered.sa_schedule_tuple_id, steps)


def _power(res: din.PowerDeliveryRes) -> Said:
    if isinstance(res.evse_status, din.DcEvseStatus):
        return Said(status=reading.dc_status(res.evse_status))
    return Said()


_ROWS: Mapping[State, Reader] = MappingProxyType(
    {
        State.SETUP: Row(din.SessionSetupRes, reading.plain),
        State.DISCOVERY: Row(din.ServiceDiscoveryRes, _discovery),
        State.PAYMENT: Row(din.ServicePaymentSelectionRes, reading.plain),
        State.AUTHORISATION: Row(din.ContractAuthenticationRes, reading.processing),
        State.PARAMETERS: Row(din.ChargeParameterDiscoveryRes, _parameters),
        State.CABLE_CHECK: Row(din.CableCheckRes, reading.cable_check),
        State.PRECHARGE: Row(din.PreChargeRes, reading.voltage),
        State.POWER_ON: Row(din.PowerDeliveryRes, _power),
        State.CHARGING: Row(din.CurrentDemandRes, reading.current),
        State.RAMP_DOWN: Row(din.CurrentDemandRes, reading.current),
        State.POWER_OFF: Row(din.PowerDeliveryRes, _power),
        State.WELDING: Row(din.WeldingDetectionRes, reading.voltage),
        State.GOODBYE: Row(din.SessionStopRes, reading.plain),
    }
)
