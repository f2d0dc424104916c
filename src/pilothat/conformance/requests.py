"""Requests of ISO 15118-2 as a case describes them: good ones, with what it changes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pilothat.conformance.tester import UnexpectedError
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    AcEvChargeParameter,
    ChargeProgress,
    ChargingProfile,
    ChargingSession,
    DcEvChargeParameter,
    DcEvErrorCode,
    DcEvPowerDeliveryParameter,
    DcEvStatus,
    EnergyTransferMode,
    PaymentOption,
    PhysicalValue,
    ProfileEntry,
    SelectedService,
    SelectedServiceList,
    UnitSymbol,
)

EVCC_ID = bytes.fromhex("00018700001a")
DEPARTURE_S = 7200
TARGET_V, TARGET_A, PRECHARGE_A = 400.0, 10.0, 2.0
P_MAX_W, AC_MAX_W = 50_000.0, 11_040.0

Changes = Mapping[str, Any]


def build(name: str, changes: Changes) -> iso2.Request:
    """Return a request. Raises UnexpectedError for one that nobody builds."""
    make = _MAKE.get(name)
    if make is None:
        raise UnexpectedError(f"nobody builds {name}", where="the case")
    return make(changes)


def _setup(changes: Changes) -> iso2.Request:
    evcc_id = changes.get("EVCCID")
    return iso2.SessionSetupReq(
        evcc_id=EVCC_ID if evcc_id is None else bytes.fromhex(evcc_id)
    )


def _selection(changes: Changes) -> iso2.Request:
    option = changes.get("SelectedPaymentOption", "ExternalPayment")
    return iso2.PaymentServiceSelectionReq(
        selected_payment_option=PaymentOption[option],
        selected_service_list=SelectedServiceList(
            selected_service=tuple(
                _service(number) for number in changes.get("SelectedServiceList", [1])
            )
        ),
    )


def _service(selected: int | tuple[int, int]) -> SelectedService:
    """Return a service by its number, or by that and its parameter set."""
    number, parameter_set = (
        selected if isinstance(selected, tuple) else (selected, None)
    )
    return SelectedService(service_id=number, parameter_set_id=parameter_set)


def _parameters(changes: Changes) -> iso2.Request:
    departure_s = DEPARTURE_S if changes.get("DepartureTime") else None
    mode = str(changes.get("RequestedEnergyTransferMode", changes.get("mode", "")))
    return iso2.ChargeParameterDiscoveryReq(
        max_entries_sa_schedule_tuple=changes.get("MaxEntriesSAScheduleTuple"),
        requested_energy_transfer_mode=EnergyTransferMode.AC_three_phase_core
        if "AC" in mode
        else EnergyTransferMode.DC_extended,
        ev_charge_parameter=_ac(departure_s, changes)
        if "AC" in mode
        else DcEvChargeParameter(
            departure_time=departure_s,
            dc_ev_status=_status(changes),
            ev_maximum_current_limit=amperes(110.0),
            ev_maximum_power_limit=PhysicalValue.of(60_500.0, UnitSymbol.W),
            ev_maximum_voltage_limit=volts(700.0),
        ),
    )


def _ac(departure_s: int | None, changes: Changes) -> AcEvChargeParameter:
    is_odd = "-100" in str(changes.get("deviation", ""))
    return AcEvChargeParameter(
        departure_time=departure_s,
        e_amount=PhysicalValue.of(20_000.0, UnitSymbol.Wh),
        ev_max_voltage=volts(400.0),
        ev_max_current=amperes(-100.0 if is_odd else 32.0),
        ev_min_current=amperes(500.0 if is_odd else 6.0),
    )


def _precharge(changes: Changes) -> iso2.Request:
    return iso2.PreChargeReq(
        dc_ev_status=_status(changes),
        ev_target_voltage=volts(changes.get("EVTargetVoltage", TARGET_V)),
        ev_target_current=amperes(changes.get("EVTargetCurrent", PRECHARGE_A)),
    )


def _power(changes: Changes) -> iso2.Request:
    progress = ChargeProgress[changes.get("ChargeProgress", "Start")]
    is_ac = changes.get("mode") == "AC"
    factor = 2.0 if "2 x" in str(changes.get("ChargingProfileEntryMaxPower")) else 1.0
    entry = ProfileEntry(
        charging_profile_entry_start=0,
        charging_profile_entry_max_power=PhysicalValue.of(
            (AC_MAX_W if is_ac else P_MAX_W) * factor, UnitSymbol.W
        ),
    )
    return iso2.PowerDeliveryReq(
        charge_progress=progress,
        sa_schedule_tuple_id=changes.get("SAScheduleTupleID", 1),
        charging_profile=ChargingProfile(profile_entry=(entry,)),
        ev_power_delivery_parameter=None
        if is_ac
        else DcEvPowerDeliveryParameter(
            dc_ev_status=_status(changes),
            charging_complete=progress is ChargeProgress.Stop,
        ),
    )


def _demand(changes: Changes) -> iso2.Request:
    return iso2.CurrentDemandReq(
        dc_ev_status=_status(changes),
        ev_target_current=amperes(changes.get("EVTargetCurrent", TARGET_A)),
        charging_complete=False,
        ev_target_voltage=volts(changes.get("EVTargetVoltage", TARGET_V + 10.0)),
    )


def _stop(changes: Changes) -> iso2.Request:
    session = changes.get("ChargingSession", "Terminate")
    return iso2.SessionStopReq(charging_session=ChargingSession[session])


def _status(changes: Changes) -> DcEvStatus:
    return DcEvStatus(
        ev_ready=bool(changes.get("EVReady", True)),
        ev_error_code=DcEvErrorCode[changes.get("EVErrorCode", "NO_ERROR")],
        ev_ress_soc=40,
    )


def volts(number: float) -> PhysicalValue:
    """Return a voltage."""
    return PhysicalValue.of(number, UnitSymbol.V, -1)


def amperes(number: float) -> PhysicalValue:
    """Return a current."""
    return PhysicalValue.of(number, UnitSymbol.A, -1)


_MAKE: Mapping[str, Callable[[Changes], iso2.Request]] = {
    "SessionSetupReq": _setup,
    "ServiceDiscoveryReq": lambda _: iso2.ServiceDiscoveryReq(),
    "ServiceDetailReq": lambda changes: iso2.ServiceDetailReq(
        service_id=changes.get("ServiceID", 2)
    ),
    "PaymentServiceSelectionReq": _selection,
    "AuthorizationReq": lambda _: iso2.AuthorizationReq(),
    "ChargeParameterDiscoveryReq": _parameters,
    "CableCheckReq": lambda changes: iso2.CableCheckReq(dc_ev_status=_status(changes)),
    "PreChargeReq": _precharge,
    "PowerDeliveryReq": _power,
    "CurrentDemandReq": _demand,
    "ChargingStatusReq": lambda _: iso2.ChargingStatusReq(),
    "WeldingDetectionReq": lambda changes: iso2.WeldingDetectionReq(
        dc_ev_status=_status(changes)
    ),
    "SessionStopReq": _stop,
}
