"""ISO 15118-20:2022: the messages of automatic connection devices (V2G_CI_ACDP).

A pantograph, for instance: it moves to the car's contacts and back.
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import El, Grammar, Root, Short, WireEnum
from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso20_types import (
    Percent,
    Processing,
    RationalNumber,
    Request,
    Response,
)
from pilothat.v2g.messages.xmldsig import SignedInfo


class CpStatus(WireEnum):
    StateA = 0
    StateB = 1
    StateC = 2
    StateD = 3
    StateE = 4


class ErrorCode(WireEnum):
    OK_NoEVError = 0
    FAILED = 1
    FAILED_EmergencyEvent = 2
    FAILED_Breaker = 3
    FAILED_RESSTemperatureInhibit = 4
    FAILED_RESS = 5
    FAILED_ChargingCurrentDifferential = 6
    FAILED_ChargingVoltageOutOfRange = 7
    FAILED_Reserved1 = 8
    FAILED_Reserved2 = 9


class IsolationStatus(WireEnum):
    Invalid = 0
    Safe = 1
    Warning = 2
    Fault = 3


class ElectricalChargingDeviceStatus(WireEnum):
    State_A = 0
    State_B = 1
    State_C = 2
    State_D = 3


class MechanicalChargingDeviceStatus(WireEnum):
    Home = 0
    Moving = 1
    EndPosition = 2


# types


@dataclass(frozen=True, slots=True, kw_only=True)
class EvTechnicalStatus:
    """State of the EV."""

    ev_ready_to_charge: Annotated[bool, El("EVReadyToCharge")]
    ev_immobilization_request: Annotated[bool, El("EVImmobilizationRequest")]
    ev_immobilized: Annotated[bool | None, El("EVImmobilized")] = None
    ev_wlan_strength: Annotated[RationalNumber | None, El("EVWLANStrength")] = None
    ev_cp_status: Annotated[CpStatus | None, El("EVCPStatus")] = None
    ev_soc: Annotated[Percent | None, El("EVSOC")] = None
    ev_error_code: Annotated[ErrorCode | None, El("EVErrorCode")] = None
    ev_timeout: Annotated[bool | None, El("EVTimeout")] = None


# messages


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpVehiclePositioningReq(Request):
    """The EV asks where it stands."""

    ev_mobility_status: Annotated[bool, El("EVMobilityStatus")]
    ev_positioning_support: Annotated[bool, El("EVPositioningSupport")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpVehiclePositioningRes(Response):
    """Where it stands, and the window in which it may."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    evse_positioning_support: Annotated[bool, El("EVSEPositioningSupport")]
    ev_relative_x_deviation: Annotated[Short, El("EVRelativeXDeviation")]
    ev_relative_y_deviation: Annotated[Short, El("EVRelativeYDeviation")]
    contact_window_xc: Annotated[Short, El("ContactWindowXc")]
    contact_window_yc: Annotated[Short, El("ContactWindowYc")]
    ev_in_charge_position: Annotated[bool, El("EVInChargePosition")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpConnectReq(Request):
    """The EV asks for the device to come."""

    ev_electrical_charging_device_status: Annotated[
        ElectricalChargingDeviceStatus, El("EVElectricalChargingDeviceStatus")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpConnectRes(Response):
    """How far the device is."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    evse_electrical_charging_device_status: Annotated[
        ElectricalChargingDeviceStatus, El("EVSEElectricalChargingDeviceStatus")
    ]
    evse_mechanical_charging_device_status: Annotated[
        MechanicalChargingDeviceStatus, El("EVSEMechanicalChargingDeviceStatus")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpDisconnectReq(AcdpConnectReq):
    """The EV asks for the device to go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpDisconnectRes(AcdpConnectRes):
    """How far the device is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpSystemStatusReq(Request):
    """The EV tells its state."""

    ev_technical_status: Annotated[EvTechnicalStatus, El("EVTechnicalStatus")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcdpSystemStatusRes(Response):
    """State of the station."""

    evse_mechanical_charging_device_status: Annotated[
        MechanicalChargingDeviceStatus, El("EVSEMechanicalChargingDeviceStatus")
    ]
    evse_ready_to_charge: Annotated[bool, El("EVSEReadyToCharge")]
    evse_isolation_status: Annotated[IsolationStatus, El("EVSEIsolationStatus")]
    evse_disabled: Annotated[bool, El("EVSEDisabled")]
    evse_utility_interrupt_event: Annotated[bool, El("EVSEUtilityInterruptEvent")]
    evse_emergency_shutdown: Annotated[bool, El("EVSEEmergencyShutdown")]
    evse_malfunction: Annotated[bool, El("EVSEMalfunction")]
    ev_in_charge_position: Annotated[bool, El("EVInChargePosition")]
    ev_association_status: Annotated[bool, El("EVAssociationStatus")]


GRAMMAR = Grammar(
    "iso20-acdp",
    global_elements=34,
    roots=(
        Root(0, "ACDP_ConnectReq", AcdpConnectReq),
        Root(1, "ACDP_ConnectRes", AcdpConnectRes),
        Root(2, "ACDP_DisconnectReq", AcdpDisconnectReq),
        Root(3, "ACDP_DisconnectRes", AcdpDisconnectRes),
        Root(4, "ACDP_SystemStatusReq", AcdpSystemStatusReq),
        Root(5, "ACDP_SystemStatusRes", AcdpSystemStatusRes),
        Root(6, "ACDP_VehiclePositioningReq", AcdpVehiclePositioningReq),
        Root(7, "ACDP_VehiclePositioningRes", AcdpVehiclePositioningRes),
    ),
    element_names=129,
    fragments=(Root(110, "SignedInfo", SignedInfo),),
)
