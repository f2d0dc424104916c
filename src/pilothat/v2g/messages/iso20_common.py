"""ISO 15118-20:2022: the common messages (V2G_CI_CommonMessages), 26 of them.

Their data types are in ``iso20_common_types`` and ``iso20_types``. Signed elements are
also fragments of the grammar.
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import (
    El,
    Grammar,
    Integer,
    Root,
    Short,
    UnsignedByte,
    UnsignedLong,
    UnsignedShort,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso20_common_types import (
    AbsolutePriceSchedule,
    Authorization,
    CertificateChain,
    ChannelSelection,
    ChargeProgress,
    ChargingSession,
    DynamicSeReqControlMode,
    DynamicSeResControlMode,
    EimAReqAuthorizationMode,
    EimAsResAuthorizationMode,
    EmaidList,
    EvCheckInStatus,
    EvCheckOutStatus,
    EvPowerProfile,
    EvseCheckOutStatus,
    ParkingMethod,
    PncAReqAuthorizationMode,
    PncAsResAuthorizationMode,
    PriceLevelSchedule,
    ScheduledSeReqControlMode,
    ScheduledSeResControlMode,
    SelectedService,
    SelectedServiceList,
    ServiceIdList,
    ServiceList,
    ServiceParameterList,
    SignedCertificateChain,
    SignedInstallationData,
    SignedMeteringData,
)
from pilothat.v2g.messages.iso20_types import (
    Description,
    EvseStatus,
    Identifier,
    ListOfRootCertificateIds,
    Name,
    Processing,
    Request,
    Response,
)
from pilothat.v2g.messages.xmldsig import SignedInfo

# session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetupReq(Request):
    """The EV opens a session, or joins one it paused."""

    evcc_id: Annotated[Identifier, El("EVCCID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetupRes(Response):
    """The SECC names itself."""

    evse_id: Annotated[Identifier, El("EVSEID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopReq(Request):
    """The EV ends the session, pauses it, or wants to choose services anew."""

    charging_session: Annotated[ChargingSession, El("ChargingSession")]
    ev_termination_code: Annotated[Name | None, El("EVTerminationCode")] = None
    ev_termination_explanation: Annotated[
        Description | None, El("EVTerminationExplanation")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopRes(Response):
    """The session is over, or paused."""


# authorization


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationSetupReq(Request):
    """The EV asks how it may prove that it may charge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationSetupRes(Response):
    """The ways to do so; exactly one of the two modes is given."""

    authorization_services: Annotated[
        tuple[Authorization, ...], El("AuthorizationServices", max_=2)
    ]
    certificate_installation_service: Annotated[
        bool, El("CertificateInstallationService")
    ]
    eim_as_res_authorization_mode: Annotated[
        EimAsResAuthorizationMode | None,
        El("EIM_ASResAuthorizationMode", choice="mode"),
    ] = None
    pnc_as_res_authorization_mode: Annotated[
        PncAsResAuthorizationMode | None,
        El("PnC_ASResAuthorizationMode", choice="mode"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationReq(Request):
    """The EV does so; exactly one of the two modes is given."""

    selected_authorization_service: Annotated[
        Authorization, El("SelectedAuthorizationService")
    ]
    eim_a_req_authorization_mode: Annotated[
        EimAReqAuthorizationMode | None, El("EIM_AReqAuthorizationMode", choice="mode")
    ] = None
    pnc_a_req_authorization_mode: Annotated[
        PncAReqAuthorizationMode | None, El("PnC_AReqAuthorizationMode", choice="mode")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRes(Response):
    """It may charge, may not, or not yet."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInstallationReq(Request):
    """The EV asks for contract certificates."""

    oem_provisioning_certificate_chain: Annotated[
        SignedCertificateChain, El("OEMProvisioningCertificateChain")
    ]
    list_of_root_certificate_ids: Annotated[
        ListOfRootCertificateIds, El("ListOfRootCertificateIDs")
    ]
    maximum_contract_certificate_chains: Annotated[
        UnsignedByte, El("MaximumContractCertificateChains")
    ]
    prioritized_emaids: Annotated[EmaidList | None, El("PrioritizedEMAIDs")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInstallationRes(Response):
    """A contract certificate with its encrypted key, and how many are left to fetch."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    cps_certificate_chain: Annotated[CertificateChain, El("CPSCertificateChain")]
    signed_installation_data: Annotated[
        SignedInstallationData, El("SignedInstallationData")
    ]
    remaining_contract_certificate_chains: Annotated[
        UnsignedByte, El("RemainingContractCertificateChains")
    ]


# services


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscoveryReq(Request):
    """The EV asks for services, all or some."""

    supported_service_ids: Annotated[
        ServiceIdList | None, El("SupportedServiceIDs")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscoveryRes(Response):
    """The SECC lists energy transfer services and others."""

    service_renegotiation_supported: Annotated[
        bool, El("ServiceRenegotiationSupported")
    ]
    energy_transfer_service_list: Annotated[
        ServiceList, El("EnergyTransferServiceList")
    ]
    vas_list: Annotated[ServiceList | None, El("VASList")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDetailReq(Request):
    """The EV asks about one service."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDetailRes(Response):
    """The variants of a service."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    service_parameter_list: Annotated[ServiceParameterList, El("ServiceParameterList")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSelectionReq(Request):
    """The EV chooses services."""

    selected_energy_transfer_service: Annotated[
        SelectedService, El("SelectedEnergyTransferService")
    ]
    selected_vas_list: Annotated[SelectedServiceList | None, El("SelectedVASList")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSelectionRes(Response):
    """The choice is accepted, or not."""


# charging


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleExchangeReq(Request):
    """The EV tells its needs; exactly one of the two modes is given."""

    maximum_supporting_points: Annotated[
        int, Integer(12, 1024), El("MaximumSupportingPoints")
    ]
    dynamic_se_req_control_mode: Annotated[
        DynamicSeReqControlMode | None, El("Dynamic_SEReqControlMode", choice="mode")
    ] = None
    scheduled_se_req_control_mode: Annotated[
        ScheduledSeReqControlMode | None,
        El("Scheduled_SEReqControlMode", choice="mode"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleExchangeRes(Response):
    """The SECC answers with schedules or its plan; exactly one of the two modes."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    go_to_pause: Annotated[bool | None, El("GoToPause")] = None
    dynamic_se_res_control_mode: Annotated[
        DynamicSeResControlMode | None, El("Dynamic_SEResControlMode", choice="mode")
    ] = None
    scheduled_se_res_control_mode: Annotated[
        ScheduledSeResControlMode | None,
        El("Scheduled_SEResControlMode", choice="mode"),
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDeliveryReq(Request):
    """The EV asks for power on or off, for standby or for a new schedule."""

    ev_processing: Annotated[Processing, El("EVProcessing")]
    charge_progress: Annotated[ChargeProgress, El("ChargeProgress")]
    ev_power_profile: Annotated[EvPowerProfile | None, El("EVPowerProfile")] = None
    bpt_channel_selection: Annotated[
        ChannelSelection | None, El("BPT_ChannelSelection")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDeliveryRes(Response):
    """Power is on or off."""

    evse_status: Annotated[EvseStatus | None, El("EVSEStatus")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringConfirmationReq(Request):
    """The EV confirms a meter reading, signed."""

    signed_metering_data: Annotated[SignedMeteringData, El("SignedMeteringData")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringConfirmationRes(Response):
    """The confirmation is taken."""


# parking


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleCheckInReq(Request):
    """The EV arrives."""

    ev_check_in_status: Annotated[EvCheckInStatus, El("EVCheckInStatus")]
    parking_method: Annotated[ParkingMethod, El("ParkingMethod")]
    vehicle_frame: Annotated[Short | None, El("VehicleFrame")] = None
    device_offset: Annotated[Short | None, El("DeviceOffset")] = None
    vehicle_travel: Annotated[Short | None, El("VehicleTravel")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleCheckInRes(Response):
    """Where it shall stand."""

    parking_space: Annotated[Short | None, El("ParkingSpace")] = None
    device_location: Annotated[Short | None, El("DeviceLocation")] = None
    target_distance: Annotated[Short | None, El("TargetDistance")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleCheckOutReq(Request):
    """The EV leaves; seconds since 1970."""

    ev_check_out_status: Annotated[EvCheckOutStatus, El("EVCheckOutStatus")]
    check_out_time: Annotated[UnsignedLong, El("CheckOutTime")]


@dataclass(frozen=True, slots=True, kw_only=True)
class VehicleCheckOutRes(Response):
    """It may leave now, or later."""

    evse_check_out_status: Annotated[EvseCheckOutStatus, El("EVSECheckOutStatus")]


GRAMMAR = Grammar(
    "iso20-common",
    global_elements=54,
    roots=(
        Root(0, "AuthorizationReq", AuthorizationReq),
        Root(1, "AuthorizationRes", AuthorizationRes),
        Root(2, "AuthorizationSetupReq", AuthorizationSetupReq),
        Root(3, "AuthorizationSetupRes", AuthorizationSetupRes),
        Root(7, "CertificateInstallationReq", CertificateInstallationReq),
        Root(8, "CertificateInstallationRes", CertificateInstallationRes),
        Root(16, "MeteringConfirmationReq", MeteringConfirmationReq),
        Root(17, "MeteringConfirmationRes", MeteringConfirmationRes),
        Root(21, "PowerDeliveryReq", PowerDeliveryReq),
        Root(22, "PowerDeliveryRes", PowerDeliveryRes),
        Root(27, "ScheduleExchangeReq", ScheduleExchangeReq),
        Root(28, "ScheduleExchangeRes", ScheduleExchangeRes),
        Root(29, "ServiceDetailReq", ServiceDetailReq),
        Root(30, "ServiceDetailRes", ServiceDetailRes),
        Root(31, "ServiceDiscoveryReq", ServiceDiscoveryReq),
        Root(32, "ServiceDiscoveryRes", ServiceDiscoveryRes),
        Root(33, "ServiceSelectionReq", ServiceSelectionReq),
        Root(34, "ServiceSelectionRes", ServiceSelectionRes),
        Root(35, "SessionSetupReq", SessionSetupReq),
        Root(36, "SessionSetupRes", SessionSetupRes),
        Root(37, "SessionStopReq", SessionStopReq),
        Root(38, "SessionStopRes", SessionStopRes),
        Root(49, "VehicleCheckInReq", VehicleCheckInReq),
        Root(50, "VehicleCheckInRes", VehicleCheckInRes),
        Root(51, "VehicleCheckOutReq", VehicleCheckOutReq),
        Root(52, "VehicleCheckOutRes", VehicleCheckOutRes),
    ),
    element_names=281,
    fragments=(
        Root(0, "AbsolutePriceSchedule", AbsolutePriceSchedule),
        Root(27, "CertificateInstallationReq", CertificateInstallationReq),
        Root(119, "MeteringConfirmationReq", MeteringConfirmationReq),
        Root(128, "OEMProvisioningCertificateChain", SignedCertificateChain),
        Root(151, "PnC_AReqAuthorizationMode", PncAReqAuthorizationMode),
        Root(167, "PriceLevelSchedule", PriceLevelSchedule),
        Root(230, "SignedInfo", SignedInfo),
        Root(231, "SignedInstallationData", SignedInstallationData),
    ),
)
