"""The requests of a DIN session, built from settings and the moment."""

from __future__ import annotations

import math
from functools import lru_cache

from pilothat.frozen import dataclass
from pilothat.v2g.evcc.events import InletFact
from pilothat.v2g.evcc.settings import DinSettings
from pilothat.v2g.messages.din import (
    CableCheckReq,
    ChargeParameterDiscoveryReq,
    ChargingProfile,
    ContractAuthenticationReq,
    CurrentDemandReq,
    DcEvChargeParameter,
    DcEvErrorCode,
    DcEvPowerDeliveryParameter,
    DcEvStatus,
    EvRequestedEnergyTransferType,
    PaymentOption,
    PhysicalValue,
    PowerDeliveryReq,
    PreChargeReq,
    ProfileEntry,
    SelectedService,
    SelectedServiceList,
    ServiceCategory,
    ServiceDiscoveryReq,
    ServicePaymentSelectionReq,
    SessionSetupReq,
    SessionStopReq,
    UnitSymbol,
    WeldingDetectionReq,
)

P_MAX_W = 0x7FFF  # PMax is a plain signed 16-bit number
LEAST_W = 1000.0  # our choice: no car promises days
MOST_S = 18_000.0  # as a Polestar does


@dataclass(frozen=True, slots=True)
class View:
    """The moment a request is made.

    schedule_id, schedule_w: what the station offered
    service_id: of the charge service
    """

    fact: InletFact
    target_a: float = 0.0
    is_ready: bool = False
    is_complete: bool = False
    error: DcEvErrorCode = DcEvErrorCode.NO_ERROR
    service_id: int = 1
    schedule_id: int = 1
    schedule_w: int = P_MAX_W

    def at(self, fact: InletFact, target_a: float, *, is_ready: bool) -> View:
        """Return the view with what changes from request to request."""
        return View(
            fact,
            target_a,
            is_ready,
            self.is_complete,
            self.error,
            self.service_id,
            self.schedule_id,
            self.schedule_w,
        )


def session_setup(settings: DinSettings, _view: View) -> SessionSetupReq:
    """Open a session."""
    return SessionSetupReq(evcc_id=settings.evcc_id)


def service_discovery(settings: DinSettings, _view: View) -> ServiceDiscoveryReq:
    """Ask for the charging service, or for all."""
    asks = settings.vehicle.asks_category
    return ServiceDiscoveryReq(
        service_category=ServiceCategory.EVCharging if asks else None
    )


def payment_selection(_settings: DinSettings, view: View) -> ServicePaymentSelectionReq:
    """Choose it; payment is not the car's business."""
    service = SelectedService(service_id=view.service_id)
    return ServicePaymentSelectionReq(
        selected_payment_option=PaymentOption.ExternalPayment,
        selected_service_list=SelectedServiceList(selected_service=(service,)),
    )


def authentication(_settings: DinSettings, _view: View) -> ContractAuthenticationReq:
    """Ask whether charging is allowed."""
    return ContractAuthenticationReq()


def charge_parameters(settings: DinSettings, view: View) -> ChargeParameterDiscoveryReq:
    """Tell limits, battery and wish."""
    vehicle = settings.vehicle
    parameter = DcEvChargeParameter(
        dc_ev_status=_status(settings, view),
        ev_maximum_current_limit=_amperes(vehicle.max_a),
        ev_maximum_power_limit=_optional(vehicle.max_w, UnitSymbol.W),
        ev_maximum_voltage_limit=_volts(settings, vehicle.max_v),
        ev_energy_capacity=_optional(vehicle.capacity_wh, UnitSymbol.Wh),
        ev_energy_request=_energy_request(settings, view),
        full_soc=vehicle.full_soc_pct,
        bulk_soc=vehicle.bulk_soc_pct,
    )
    return ChargeParameterDiscoveryReq(
        ev_requested_energy_transfer_type=EvRequestedEnergyTransferType.DC_extended,
        ev_charge_parameter=parameter,
    )


def cable_check(settings: DinSettings, view: View) -> CableCheckReq:
    """Ask for the isolation test."""
    return CableCheckReq(dc_ev_status=_status(settings, view))


def precharge(settings: DinSettings, view: View) -> PreChargeReq:
    """Ask for the battery's voltage at the inlet."""
    return PreChargeReq(
        dc_ev_status=_status(settings, view),
        ev_target_voltage=_volts(settings, view.fact.battery_v),
        ev_target_current=_amperes(settings.habits.precharge_a),
    )


def power_on(settings: DinSettings, view: View) -> PowerDeliveryReq:
    """Ask for power, with the schedule the station offered."""
    entry = ProfileEntry(
        charging_profile_entry_start=0,
        charging_profile_entry_max_power=view.schedule_w,
    )
    profile = ChargingProfile(
        sa_schedule_tuple_id=view.schedule_id, profile_entry=(entry,)
    )
    return PowerDeliveryReq(
        ready_to_charge_state=True,
        charging_profile=profile if settings.vehicle.sends_profile else None,
        ev_power_delivery_parameter=_power_parameter(settings, view),
    )


def power_off(settings: DinSettings, view: View) -> PowerDeliveryReq:
    """Ask for no more power."""
    return PowerDeliveryReq(
        ready_to_charge_state=False,
        ev_power_delivery_parameter=_power_parameter(settings, view),
    )


def current_demand(settings: DinSettings, view: View) -> CurrentDemandReq:
    """Say what is wanted now."""
    vehicle, goal = settings.vehicle, settings.goal
    max_a, max_w = vehicle.max_a, vehicle.max_w
    if settings.habits.lowers_limits:
        max_a = min(max_a, goal.current_at(view.fact.soc_pct))
        max_w = None if max_w is None else min(max_w, max_a * goal.target_v)
    limits, soc_pct = vehicle.sends_loop_limits, view.fact.soc_pct
    bulk_pct = vehicle.bulk_soc_pct or 100
    full_s = _remaining_s(settings, view, 100) if vehicle.sends_time_to_full else None
    bulk_s = (
        _remaining_s(settings, view, bulk_pct) if vehicle.sends_time_to_bulk else None
    )
    return CurrentDemandReq(
        dc_ev_status=_status(settings, view),
        ev_target_current=_amperes(view.target_a),
        ev_maximum_voltage_limit=_volts(settings, vehicle.max_v) if limits else None,
        ev_maximum_current_limit=_amperes(max_a) if limits else None,
        ev_maximum_power_limit=_optional(max_w if limits else None, UnitSymbol.W),
        bulk_charging_complete=soc_pct >= bulk_pct
        if vehicle.sends_bulk_complete
        else None,
        charging_complete=view.is_complete,
        remaining_time_to_full_soc=full_s,
        remaining_time_to_bulk_soc=bulk_s,
        ev_target_voltage=_volts(settings, goal.target_v),
    )


def welding_detection(settings: DinSettings, view: View) -> WeldingDetectionReq:
    """Ask for the voltage that is left."""
    return WeldingDetectionReq(dc_ev_status=_status(settings, view))


def session_stop(_settings: DinSettings, _view: View) -> SessionStopReq:
    """Say goodbye."""
    return SessionStopReq()


def _status(settings: DinSettings, view: View) -> DcEvStatus:
    flag = False if settings.vehicle.sends_conditioning else None
    return DcEvStatus(
        ev_ready=view.is_ready,
        ev_cabin_conditioning=flag,
        ev_ress_conditioning=flag,
        ev_error_code=view.error,
        ev_ress_soc=min(max(int(view.fact.soc_pct), 0), 100),
    )


def _power_parameter(settings: DinSettings, view: View) -> DcEvPowerDeliveryParameter:
    return DcEvPowerDeliveryParameter(
        dc_ev_status=_status(settings, view),
        bulk_charging_complete=False if settings.vehicle.sends_bulk_complete else None,
        charging_complete=view.is_complete,
    )


def _energy_request(settings: DinSettings, view: View) -> PhysicalValue | None:
    vehicle = settings.vehicle
    if vehicle.energy_request_wh is not None:
        return _optional(vehicle.energy_request_wh, UnitSymbol.Wh)
    if vehicle.capacity_wh is None:
        return None
    missing_wh = vehicle.capacity_wh * (100.0 - view.fact.soc_pct) / 100.0
    return _optional(missing_wh, UnitSymbol.Wh)


def _remaining_s(settings: DinSettings, view: View, to_pct: int) -> PhysicalValue:
    """Return the time to a state of charge at the present power, in whole minutes."""
    missing_pct = max(to_pct - view.fact.soc_pct, 0.0)
    missing_wh = (settings.vehicle.capacity_wh or 0.0) * missing_pct / 100.0
    power_w = max(view.fact.voltage_v * view.target_a, LEAST_W)
    minutes = math.ceil(missing_wh / power_w * 60.0)
    return _physical(min(minutes * 60, MOST_S), UnitSymbol.s, None)


def _volts(settings: DinSettings, volts: float) -> PhysicalValue:
    return _physical(volts, UnitSymbol.V, 0 if settings.vehicle.whole_volts else -1)


def _amperes(amperes: float) -> PhysicalValue:
    return _physical(amperes, UnitSymbol.A, -1)


def _optional(value: float | None, unit: UnitSymbol) -> PhysicalValue | None:
    return None if value is None else _physical(round(value), unit, None)


@lru_cache(maxsize=256)  # a car says the same numbers for half an hour
def _physical(value: float, unit: UnitSymbol, multiplier: int | None) -> PhysicalValue:
    return PhysicalValue.of(value, unit, multiplier)
