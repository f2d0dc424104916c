"""DIN SPEC 70121: the messages (V2G_CI_MsgDef, V2G_CI_MsgHeader, V2G_CI_MsgBody).

All 34 are declared, in pairs by name: also those a DC station never uses, because each
occupies an event code. A message on the wire is a ``V2gMessage`` around one of them.
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import (
    Attr,
    Binary,
    El,
    Grammar,
    Group,
    Long,
    Root,
    Short,
    Text,
    UnsignedShort,
    Wrap,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.din_types import (
    EV_CHARGE_PARAMETER,
    EV_POWER_DELIVERY_PARAMETER,
    EVSE_CHARGE_PARAMETER,
    EVSE_STATUS,
    SA_SCHEDULES,
    AcEvChargeParameter,
    AcEvseChargeParameter,
    AcEvseStatus,
    Certificate,
    CertificateChain,
    ChargingProfile,
    ConsumptionCost,
    ContractId,
    Cost,
    CostKind,
    DcEvChargeParameter,
    DcEvErrorCode,
    DcEvPowerDeliveryParameter,
    DcEvseChargeParameter,
    DcEvseStatus,
    DcEvseStatusCode,
    DcEvStatus,
    EvChargeParameter,
    EvRequestedEnergyTransferType,
    EvseChargeParameter,
    EvseId,
    EvseNotification,
    EvseProcessing,
    EvseStatus,
    EvseSupportedEnergyTransferType,
    FaultCode,
    IsolationLevel,
    ListOfRootCertificateIds,
    MeterInfo,
    Notification,
    Parameter,
    ParameterSet,
    PaymentOption,
    PaymentOptions,
    PhysicalValue,
    PMaxSchedule,
    PMaxScheduleEntry,
    ProfileEntry,
    RelativeTimeInterval,
    ResponseCode,
    SalesTariff,
    SalesTariffEntry,
    SaScheduleList,
    SaScheduleTuple,
    SelectedService,
    SelectedServiceList,
    Service,
    ServiceCategory,
    ServiceCharge,
    ServiceParameterList,
    ServiceTag,
    ServiceTagList,
    SessionId,
    SubCertificates,
    UnitSymbol,
    ValueType,
)
from pilothat.v2g.messages.xmldsig import Signature

__all__ = [
    "BODY_ELEMENT",
    "GRAMMAR",
    "AcEvChargeParameter",
    "AcEvseChargeParameter",
    "AcEvseStatus",
    "BodyElement",
    "CableCheckReq",
    "CableCheckRes",
    "CertificateChain",
    "CertificateInstallationReq",
    "CertificateInstallationRes",
    "CertificateUpdateReq",
    "CertificateUpdateRes",
    "ChargeParameterDiscoveryReq",
    "ChargeParameterDiscoveryRes",
    "ChargingProfile",
    "ChargingStatusReq",
    "ChargingStatusRes",
    "ConsumptionCost",
    "ContractAuthenticationReq",
    "ContractAuthenticationRes",
    "Cost",
    "CostKind",
    "CurrentDemandReq",
    "CurrentDemandRes",
    "DcEvChargeParameter",
    "DcEvErrorCode",
    "DcEvPowerDeliveryParameter",
    "DcEvStatus",
    "DcEvseChargeParameter",
    "DcEvseStatus",
    "DcEvseStatusCode",
    "EvChargeParameter",
    "EvRequestedEnergyTransferType",
    "EvseChargeParameter",
    "EvseNotification",
    "EvseProcessing",
    "EvseStatus",
    "EvseSupportedEnergyTransferType",
    "FaultCode",
    "IsolationLevel",
    "ListOfRootCertificateIds",
    "MessageHeader",
    "MeterInfo",
    "MeteringReceiptReq",
    "MeteringReceiptRes",
    "Notification",
    "PMaxSchedule",
    "PMaxScheduleEntry",
    "Parameter",
    "ParameterSet",
    "PaymentDetailsReq",
    "PaymentDetailsRes",
    "PaymentOption",
    "PaymentOptions",
    "PhysicalValue",
    "PowerDeliveryReq",
    "PowerDeliveryRes",
    "PreChargeReq",
    "PreChargeRes",
    "ProfileEntry",
    "RelativeTimeInterval",
    "Request",
    "Response",
    "ResponseCode",
    "SaScheduleList",
    "SaScheduleTuple",
    "SalesTariff",
    "SalesTariffEntry",
    "SelectedService",
    "SelectedServiceList",
    "Service",
    "ServiceCategory",
    "ServiceCharge",
    "ServiceDetailReq",
    "ServiceDetailRes",
    "ServiceDiscoveryReq",
    "ServiceDiscoveryRes",
    "ServiceParameterList",
    "ServicePaymentSelectionReq",
    "ServicePaymentSelectionRes",
    "ServiceTag",
    "ServiceTagList",
    "SessionSetupReq",
    "SessionSetupRes",
    "SessionStopReq",
    "SessionStopRes",
    "Signature",
    "SubCertificates",
    "UnitSymbol",
    "V2gMessage",
    "ValueType",
    "WeldingDetectionReq",
    "WeldingDetectionRes",
]

DhParams = Annotated[bytes, Binary(256, base64=True)]
PrivateKey = Annotated[bytes, Binary(128, base64=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyElement:
    """What stands in the body of a message."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(BodyElement):
    """A message of the EV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(BodyElement):
    """A message of the SECC: each begins with a response code."""

    response_code: Annotated[ResponseCode, El("ResponseCode")]


# session


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetupReq(Request):
    """The EV opens a session."""

    evcc_id: Annotated[bytes, Binary(8), El("EVCCID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetupRes(Response):
    """The SECC names itself; the time is in seconds since 1970."""

    evse_id: Annotated[EvseId, El("EVSEID")]
    date_time_now: Annotated[Long | None, El("DateTimeNow")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopReq(Request):
    """The EV ends the session."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopRes(Response):
    """The session is over."""


# services and payment


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscoveryReq(Request):
    """The EV asks for services, all or some."""

    service_scope: Annotated[str | None, Text(32), El("ServiceScope")] = None
    service_category: Annotated[ServiceCategory | None, El("ServiceCategory")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscoveryRes(Response):
    """The SECC lists payment options and services."""

    payment_options: Annotated[PaymentOptions, El("PaymentOptions")]
    charge_service: Annotated[ServiceCharge, El("ChargeService")]
    service_list: Annotated[ServiceTagList | None, El("ServiceList")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDetailReq(Request):
    """The EV asks about one service."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDetailRes(Response):
    """The variants of a service."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    service_parameter_list: Annotated[
        ServiceParameterList | None, El("ServiceParameterList")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePaymentSelectionReq(Request):
    """The EV chooses services and how to pay."""

    selected_payment_option: Annotated[PaymentOption, El("SelectedPaymentOption")]
    selected_service_list: Annotated[SelectedServiceList, El("SelectedServiceList")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePaymentSelectionRes(Response):
    """The choice is accepted, or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetailsReq(Request):
    """The EV shows its contract."""

    contract_id: Annotated[ContractId, El("ContractID")]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetailsRes(Response):
    """The SECC challenges the EV to sign."""

    gen_challenge: Annotated[str, Text(), El("GenChallenge")]
    date_time_now: Annotated[Long, El("DateTimeNow")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractAuthenticationReq(Request):
    """The EV asks whether it may charge."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    gen_challenge: Annotated[str | None, Text(), El("GenChallenge")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractAuthenticationRes(Response):
    """It may, may not, or not yet."""

    evse_processing: Annotated[EvseProcessing, El("EVSEProcessing")]


# charging


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeParameterDiscoveryReq(Request):
    """The EV tells its limits."""

    ev_requested_energy_transfer_type: Annotated[
        EvRequestedEnergyTransferType, El("EVRequestedEnergyTransferType")
    ]
    ev_charge_parameter: Annotated[EvChargeParameter, EV_CHARGE_PARAMETER]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeParameterDiscoveryRes(Response):
    """The SECC tells its limits and offers schedules."""

    evse_processing: Annotated[EvseProcessing, El("EVSEProcessing")]
    sa_schedules: Annotated[SaScheduleList, SA_SCHEDULES]
    evse_charge_parameter: Annotated[EvseChargeParameter, EVSE_CHARGE_PARAMETER]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDeliveryReq(Request):
    """The EV asks for power on or off."""

    ready_to_charge_state: Annotated[bool, El("ReadyToChargeState")]
    charging_profile: Annotated[ChargingProfile | None, El("ChargingProfile")] = None
    ev_power_delivery_parameter: Annotated[
        DcEvPowerDeliveryParameter | None, EV_POWER_DELIVERY_PARAMETER
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDeliveryRes(Response):
    """Power is on or off."""

    evse_status: Annotated[EvseStatus, EVSE_STATUS]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingStatusReq(Request):
    """The EV asks for the state of AC charging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingStatusRes(Response):
    """State of AC charging."""

    evse_id: Annotated[EvseId, El("EVSEID")]
    sa_schedule_tuple_id: Annotated[Short, El("SAScheduleTupleID")]
    evse_max_current: Annotated[PhysicalValue | None, El("EVSEMaxCurrent")] = None
    meter_info: Annotated[MeterInfo | None, El("MeterInfo")] = None
    receipt_required: Annotated[bool, El("ReceiptRequired")]
    ac_evse_status: Annotated[AcEvseStatus, El("AC_EVSEStatus")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringReceiptReq(Request):
    """The EV confirms a meter reading."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    session_id: Annotated[SessionId, El("SessionID")]
    sa_schedule_tuple_id: Annotated[Short | None, El("SAScheduleTupleID")] = None
    meter_info: Annotated[MeterInfo, El("MeterInfo")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringReceiptRes(Response):
    """The receipt is taken."""

    ac_evse_status: Annotated[AcEvseStatus, El("AC_EVSEStatus")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CableCheckReq(Request):
    """The EV asks for the isolation test."""

    dc_ev_status: Annotated[DcEvStatus, El("DC_EVStatus")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CableCheckRes(Response):
    """State of the isolation test."""

    dc_evse_status: Annotated[DcEvseStatus, El("DC_EVSEStatus")]
    evse_processing: Annotated[EvseProcessing, El("EVSEProcessing")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreChargeReq(Request):
    """The EV names the voltage it wants before it closes its contactors."""

    dc_ev_status: Annotated[DcEvStatus, El("DC_EVStatus")]
    ev_target_voltage: Annotated[PhysicalValue, El("EVTargetVoltage")]
    ev_target_current: Annotated[PhysicalValue, El("EVTargetCurrent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PreChargeRes(Response):
    """The voltage that stands at the outlet."""

    dc_evse_status: Annotated[DcEvseStatus, El("DC_EVSEStatus")]
    evse_present_voltage: Annotated[PhysicalValue, El("EVSEPresentVoltage")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentDemandReq(Request):
    """The EV says what it wants now."""

    dc_ev_status: Annotated[DcEvStatus, El("DC_EVStatus")]
    ev_target_current: Annotated[PhysicalValue, El("EVTargetCurrent")]
    ev_maximum_voltage_limit: Annotated[
        PhysicalValue | None, El("EVMaximumVoltageLimit")
    ] = None
    ev_maximum_current_limit: Annotated[
        PhysicalValue | None, El("EVMaximumCurrentLimit")
    ] = None
    ev_maximum_power_limit: Annotated[
        PhysicalValue | None, El("EVMaximumPowerLimit")
    ] = None
    bulk_charging_complete: Annotated[bool | None, El("BulkChargingComplete")] = None
    charging_complete: Annotated[bool, El("ChargingComplete")]
    remaining_time_to_full_soc: Annotated[
        PhysicalValue | None, El("RemainingTimeToFullSoC")
    ] = None
    remaining_time_to_bulk_soc: Annotated[
        PhysicalValue | None, El("RemainingTimeToBulkSoC")
    ] = None
    ev_target_voltage: Annotated[PhysicalValue, El("EVTargetVoltage")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CurrentDemandRes(Response):
    """What the station delivers now."""

    dc_evse_status: Annotated[DcEvseStatus, El("DC_EVSEStatus")]
    evse_present_voltage: Annotated[PhysicalValue, El("EVSEPresentVoltage")]
    evse_present_current: Annotated[PhysicalValue, El("EVSEPresentCurrent")]
    evse_current_limit_achieved: Annotated[bool, El("EVSECurrentLimitAchieved")]
    evse_voltage_limit_achieved: Annotated[bool, El("EVSEVoltageLimitAchieved")]
    evse_power_limit_achieved: Annotated[bool, El("EVSEPowerLimitAchieved")]
    evse_maximum_voltage_limit: Annotated[
        PhysicalValue | None, El("EVSEMaximumVoltageLimit")
    ] = None
    evse_maximum_current_limit: Annotated[
        PhysicalValue | None, El("EVSEMaximumCurrentLimit")
    ] = None
    evse_maximum_power_limit: Annotated[
        PhysicalValue | None, El("EVSEMaximumPowerLimit")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeldingDetectionReq(Request):
    """The EV tests its contactors."""

    dc_ev_status: Annotated[DcEvStatus, El("DC_EVStatus")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeldingDetectionRes(Response):
    """The voltage that is left at the outlet."""

    dc_evse_status: Annotated[DcEvseStatus, El("DC_EVSEStatus")]
    evse_present_voltage: Annotated[PhysicalValue, El("EVSEPresentVoltage")]


# contract certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInstallationReq(Request):
    """The EV asks for a contract certificate."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    oem_provisioning_cert: Annotated[Certificate, El("OEMProvisioningCert")]
    list_of_root_certificate_ids: Annotated[
        ListOfRootCertificateIds, El("ListOfRootCertificateIDs")
    ]
    dh_params: Annotated[DhParams, El("DHParams")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInstallationRes(Response):
    """A new contract certificate with its encrypted key."""

    id: Annotated[str, Text(), Attr("Id")]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]
    contract_signature_encrypted_private_key: Annotated[
        PrivateKey, El("ContractSignatureEncryptedPrivateKey")
    ]
    dh_params: Annotated[DhParams, El("DHParams")]
    contract_id: Annotated[ContractId, El("ContractID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateUpdateReq(Request):
    """The EV asks for a fresh contract certificate."""

    id: Annotated[str | None, Text(), Attr("Id")] = None
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]
    contract_id: Annotated[ContractId, El("ContractID")]
    list_of_root_certificate_ids: Annotated[
        ListOfRootCertificateIds, El("ListOfRootCertificateIDs")
    ]
    dh_params: Annotated[DhParams, El("DHParams")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateUpdateRes(Response):
    """The fresh contract certificate with its encrypted key."""

    id: Annotated[str, Text(), Attr("Id")]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]
    contract_signature_encrypted_private_key: Annotated[
        PrivateKey, El("ContractSignatureEncryptedPrivateKey")
    ]
    dh_params: Annotated[DhParams, El("DHParams")]
    contract_id: Annotated[ContractId, El("ContractID")]
    retry_counter: Annotated[Short, El("RetryCounter")]


# the frame around all of them

BODY_ELEMENT = Group(
    "BodyElement",
    CableCheckReq=CableCheckReq,
    CableCheckRes=CableCheckRes,
    CertificateInstallationReq=CertificateInstallationReq,
    CertificateInstallationRes=CertificateInstallationRes,
    CertificateUpdateReq=CertificateUpdateReq,
    CertificateUpdateRes=CertificateUpdateRes,
    ChargeParameterDiscoveryReq=ChargeParameterDiscoveryReq,
    ChargeParameterDiscoveryRes=ChargeParameterDiscoveryRes,
    ChargingStatusReq=ChargingStatusReq,
    ChargingStatusRes=ChargingStatusRes,
    ContractAuthenticationReq=ContractAuthenticationReq,
    ContractAuthenticationRes=ContractAuthenticationRes,
    CurrentDemandReq=CurrentDemandReq,
    CurrentDemandRes=CurrentDemandRes,
    MeteringReceiptReq=MeteringReceiptReq,
    MeteringReceiptRes=MeteringReceiptRes,
    PaymentDetailsReq=PaymentDetailsReq,
    PaymentDetailsRes=PaymentDetailsRes,
    PowerDeliveryReq=PowerDeliveryReq,
    PowerDeliveryRes=PowerDeliveryRes,
    PreChargeReq=PreChargeReq,
    PreChargeRes=PreChargeRes,
    ServiceDetailReq=ServiceDetailReq,
    ServiceDetailRes=ServiceDetailRes,
    ServiceDiscoveryReq=ServiceDiscoveryReq,
    ServiceDiscoveryRes=ServiceDiscoveryRes,
    ServicePaymentSelectionReq=ServicePaymentSelectionReq,
    ServicePaymentSelectionRes=ServicePaymentSelectionRes,
    SessionSetupReq=SessionSetupReq,
    SessionSetupRes=SessionSetupRes,
    SessionStopReq=SessionStopReq,
    SessionStopRes=SessionStopRes,
    WeldingDetectionReq=WeldingDetectionReq,
    WeldingDetectionRes=WeldingDetectionRes,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeader:
    """What every message carries. The session id is 0..8 octets."""

    session_id: Annotated[SessionId, El("SessionID")]
    notification: Annotated[Notification | None, El("Notification")] = None
    signature: Annotated[Signature | None, El("Signature")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class V2gMessage:
    """A message as it goes over the wire."""

    header: Annotated[MessageHeader, El("Header")]
    body: Annotated[BodyElement | None, Wrap("Body", BODY_ELEMENT)] = None


GRAMMAR = Grammar(
    "din",
    global_elements=81,
    roots=(Root(77, "V2G_Message", V2gMessage),),
    element_names=245,
)
