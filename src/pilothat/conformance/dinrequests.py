"""Requests of DIN SPEC 70121 as a case describes them, like those of ``requests``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pilothat.conformance.requests import (
    EVCC_ID,
    PRECHARGE_A,
    TARGET_A,
    TARGET_V,
)
from pilothat.conformance.tester import UnexpectedError
from pilothat.v2g.messages import din

Changes = Mapping[str, Any]
MAX_A, MAX_V = 200.0, 410.0


def build(name: str, changes: Changes) -> din.Request:
    """Return a request. Raises UnexpectedError for one that nobody builds."""
    make = _MAKE.get(name)
    if make is None:
        raise UnexpectedError(f"nobody builds {name}", where="the case")
    return make(changes)


def _setup(changes: Changes) -> din.Request:
    evcc_id = changes.get("EVCCID")
    return din.SessionSetupReq(
        evcc_id=EVCC_ID if evcc_id is None else bytes.fromhex(evcc_id)
    )


def _discovery(changes: Changes) -> din.Request:
    category = changes.get("ServiceCategory")
    return din.ServiceDiscoveryReq(
        service_category=None if category is None else din.ServiceCategory[category]
    )


def _selection(changes: Changes) -> din.Request:
    option = changes.get("SelectedPaymentOption", "ExternalPayment")
    return din.ServicePaymentSelectionReq(
        selected_payment_option=din.PaymentOption[option],
        selected_service_list=din.SelectedServiceList(
            selected_service=tuple(
                din.SelectedService(service_id=number)
                for number in changes.get("SelectedServiceList", [1])
            )
        ),
    )


def _parameters(changes: Changes) -> din.Request:
    mode = changes.get("EVRequestedEnergyTransferType", "DC_extended")
    return din.ChargeParameterDiscoveryReq(
        ev_requested_energy_transfer_type=din.EvRequestedEnergyTransferType[mode],
        ev_charge_parameter=din.DcEvChargeParameter(
            dc_ev_status=_status({"EVReady": False, **changes}),
            ev_maximum_current_limit=_amperes(MAX_A),
            ev_maximum_voltage_limit=_volts(
                changes.get("EVMaximumVoltageLimit", MAX_V)
            ),
        ),
    )


def _precharge(changes: Changes) -> din.Request:
    return din.PreChargeReq(
        dc_ev_status=_status(changes),
        ev_target_voltage=_volts(changes.get("EVTargetVoltage", TARGET_V)),
        ev_target_current=_amperes(PRECHARGE_A),
    )


def _power(changes: Changes) -> din.Request:
    is_on = changes.get("ChargeProgress", "Start") == "Start"
    return din.PowerDeliveryReq(
        ready_to_charge_state=is_on,
        ev_power_delivery_parameter=din.DcEvPowerDeliveryParameter(
            dc_ev_status=_status({"EVReady": is_on, **changes}),
            charging_complete=not is_on,
        ),
    )


def _demand(changes: Changes) -> din.Request:
    return din.CurrentDemandReq(
        dc_ev_status=_status(changes),
        ev_target_current=_amperes(changes.get("EVTargetCurrent", TARGET_A)),
        charging_complete=False,
        ev_target_voltage=_volts(changes.get("EVTargetVoltage", TARGET_V + 5.0)),
    )


def _status(changes: Changes) -> din.DcEvStatus:
    return din.DcEvStatus(
        ev_ready=bool(changes.get("EVReady", True)),
        ev_error_code=din.DcEvErrorCode[changes.get("EVErrorCode", "NO_ERROR")],
        ev_ress_soc=40,
    )


def _volts(number: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(number, din.UnitSymbol.V)


def _amperes(number: float) -> din.PhysicalValue:
    return din.PhysicalValue.of(number, din.UnitSymbol.A)


_MAKE: Mapping[str, Callable[[Changes], din.Request]] = {
    "SessionSetupReq": _setup,
    "ServiceDiscoveryReq": _discovery,
    "ServicePaymentSelectionReq": _selection,
    "ContractAuthenticationReq": lambda _: din.ContractAuthenticationReq(),
    "ChargeParameterDiscoveryReq": _parameters,
    "CableCheckReq": lambda changes: din.CableCheckReq(dc_ev_status=_status(changes)),
    "PreChargeReq": _precharge,
    "PowerDeliveryReq": _power,
    "CurrentDemandReq": _demand,
    "WeldingDetectionReq": lambda changes: din.WeldingDetectionReq(
        dc_ev_status=_status(changes)
    ),
    "SessionStopReq": lambda _: din.SessionStopReq(),
}
