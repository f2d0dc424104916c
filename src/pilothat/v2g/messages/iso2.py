"""ISO 15118-2:2013: the messages (V2G_CI_MsgDef, V2G_CI_MsgHeader, V2G_CI_MsgBody).

All 34 are declared, in pairs by name. A message on the wire is a ``V2gMessage`` around
one of them. Signed elements are also fragments of the grammar.
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
    Relaxed,
    Root,
    Short,
    Text,
    UnsignedShort,
    Wrap,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso2_types import (
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
    ChargeProgress,
    ChargeService,
    ChargingProfile,
    ChargingSession,
    ConsumptionCost,
    ContractSignatureEncryptedPrivateKey,
    Cost,
    CostKind,
    DcEvChargeParameter,
    DcEvErrorCode,
    DcEvPowerDeliveryParameter,
    DcEvseChargeParameter,
    DcEvseStatus,
    DcEvseStatusCode,
    DcEvStatus,
    DiffieHellmanPublicKey,
    Emaid,
    EmaidText,
    EnergyTransferMode,
    Entry,
    EvChargeParameter,
    EvseChargeParameter,
    EvseId,
    EvseNotification,
    EvseProcessing,
    EvseStatus,
    FaultCode,
    GenChallenge,
    IsolationLevel,
    ListOfRootCertificateIds,
    MeterInfo,
    Notification,
    Parameter,
    ParameterSet,
    PaymentOption,
    PaymentOptionList,
    PhysicalValue,
    PMaxSchedule,
    PMaxScheduleEntry,
    ProfileEntry,
    RelativeTimeInterval,
    ResponseCode,
    SaId,
    SalesTariff,
    SalesTariffEntry,
    SaScheduleList,
    SaScheduleTuple,
    SelectedService,
    SelectedServiceList,
    Service,
    ServiceCategory,
    ServiceList,
    ServiceParameterList,
    SessionId,
    SubCertificates,
    SupportedEnergyTransferMode,
    UnitSymbol,
)
from pilothat.v2g.messages.xmldsig import Signature, SignedInfo

__all__ = [
    "BODY_ELEMENT",
    "GRAMMAR",
    "AcEvChargeParameter",
    "AcEvseChargeParameter",
    "AcEvseStatus",
    "AuthorizationReq",
    "AuthorizationRes",
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
    "ChargeProgress",
    "ChargeService",
    "ChargingProfile",
    "ChargingSession",
    "ChargingStatusReq",
    "ChargingStatusRes",
    "ConsumptionCost",
    "ContractSignatureEncryptedPrivateKey",
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
    "DiffieHellmanPublicKey",
    "Emaid",
    "EnergyTransferMode",
    "Entry",
    "EvChargeParameter",
    "EvseChargeParameter",
    "EvseNotification",
    "EvseProcessing",
    "EvseStatus",
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
    "PaymentOptionList",
    "PaymentServiceSelectionReq",
    "PaymentServiceSelectionRes",
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
    "ServiceDetailReq",
    "ServiceDetailRes",
    "ServiceDiscoveryReq",
    "ServiceDiscoveryRes",
    "ServiceList",
    "ServiceParameterList",
    "SessionSetupReq",
    "SessionSetupRes",
    "SessionStopReq",
    "SessionStopRes",
    "Signature",
    "SubCertificates",
    "SupportedEnergyTransferMode",
    "UnitSymbol",
    "V2gMessage",
    "WeldingDetectionReq",
    "WeldingDetectionRes",
]


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
    """The EV opens a session, or joins one it paused; its MAC address is its name."""

    evcc_id: Annotated[bytes, Binary(6), El("EVCCID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSetupRes(Response):
    """The SECC names itself; the time is in seconds since 1970."""

    evse_id: Annotated[EvseId, El("EVSEID")]
    evse_time_stamp: Annotated[Long | None, El("EVSETimeStamp")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopReq(Request):
    """The EV ends the session, or pauses it."""

    charging_session: Annotated[ChargingSession, El("ChargingSession")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStopRes(Response):
    """The session is over, or paused."""


# services and payment


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscoveryReq(Request):
    """The EV asks for services, all or some."""

    service_scope: Annotated[str | None, Text(64), El("ServiceScope")] = None
    service_category: Annotated[ServiceCategory | None, El("ServiceCategory")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDiscoveryRes(Response):
    """The SECC lists payment options and services."""

    payment_option_list: Annotated[PaymentOptionList, El("PaymentOptionList")]
    charge_service: Annotated[ChargeService, El("ChargeService")]
    service_list: Annotated[ServiceList | None, El("ServiceList")] = None


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
class PaymentServiceSelectionReq(Request):
    """The EV chooses services and how to pay."""

    selected_payment_option: Annotated[PaymentOption, El("SelectedPaymentOption")]
    selected_service_list: Annotated[SelectedServiceList, El("SelectedServiceList")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentServiceSelectionRes(Response):
    """The choice is accepted, or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetailsReq(Request):
    """The EV shows its contract."""

    emaid: Annotated[EmaidText, El("eMAID")]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentDetailsRes(Response):
    """The SECC challenges the EV to sign 16 octets; seconds since 1970."""

    gen_challenge: Annotated[GenChallenge, El("GenChallenge")]
    evse_time_stamp: Annotated[Long, El("EVSETimeStamp")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationReq(Request):
    """The EV asks whether it may charge. With a contract it signs the challenge."""

    id: Annotated[str | None, Text(), Attr("Id", "MsgBody")] = None
    gen_challenge: Annotated[GenChallenge | None, El("GenChallenge")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRes(Response):
    """It may, may not, or not yet."""

    evse_processing: Annotated[EvseProcessing, El("EVSEProcessing")]


# charging


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeParameterDiscoveryReq(Request):
    """The EV tells its limits."""

    max_entries_sa_schedule_tuple: Annotated[
        UnsignedShort | None, El("MaxEntriesSAScheduleTuple")
    ] = None
    requested_energy_transfer_mode: Annotated[
        EnergyTransferMode, El("RequestedEnergyTransferMode")
    ]
    ev_charge_parameter: Annotated[EvChargeParameter, EV_CHARGE_PARAMETER]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeParameterDiscoveryRes(Response):
    """The SECC tells its limits and offers schedules."""

    evse_processing: Annotated[EvseProcessing, El("EVSEProcessing")]
    sa_schedules: Annotated[SaScheduleList | None, SA_SCHEDULES] = None
    evse_charge_parameter: Annotated[EvseChargeParameter, EVSE_CHARGE_PARAMETER]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDeliveryReq(Request):
    """The EV asks for power on or off, or for new terms."""

    charge_progress: Annotated[ChargeProgress, El("ChargeProgress")]
    sa_schedule_tuple_id: Annotated[SaId, El("SAScheduleTupleID")]
    charging_profile: Annotated[ChargingProfile | None, El("ChargingProfile")] = None
    ev_power_delivery_parameter: Annotated[
        DcEvPowerDeliveryParameter | None, EV_POWER_DELIVERY_PARAMETER
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerDeliveryRes(Response):
    """Power is on or off."""

    evse_status: Annotated[EvseStatus, EVSE_STATUS]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringReceiptReq(Request):
    """The EV confirms a meter reading, signed."""

    id: Annotated[str | None, Text(), Attr("Id", "MsgBody")] = None
    session_id: Annotated[SessionId, El("SessionID")]
    sa_schedule_tuple_id: Annotated[SaId | None, El("SAScheduleTupleID")] = None
    meter_info: Annotated[MeterInfo, El("MeterInfo")]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteringReceiptRes(Response):
    """The receipt is taken."""

    evse_status: Annotated[EvseStatus, EVSE_STATUS]


# charging with AC


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingStatusReq(Request):
    """The EV asks for the state of AC charging."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingStatusRes(Response):
    """State of AC charging."""

    evse_id: Annotated[EvseId, El("EVSEID")]
    sa_schedule_tuple_id: Annotated[SaId, El("SAScheduleTupleID")]
    evse_max_current: Annotated[PhysicalValue | None, El("EVSEMaxCurrent")] = None
    meter_info: Annotated[MeterInfo | None, El("MeterInfo")] = None
    receipt_required: Annotated[bool | None, El("ReceiptRequired")] = None
    ac_evse_status: Annotated[AcEvseStatus, El("AC_EVSEStatus")]


# charging with DC


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
    evse_id: Annotated[EvseId, El("EVSEID")]
    sa_schedule_tuple_id: Annotated[SaId, El("SAScheduleTupleID")]
    meter_info: Annotated[MeterInfo | None, El("MeterInfo")] = None
    receipt_required: Annotated[bool | None, El("ReceiptRequired")] = None


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
    """The EV asks for a contract certificate, signed with its OEM certificate."""

    id: Annotated[str, Text(), Attr("Id", "MsgBody")]
    oem_provisioning_cert: Annotated[Certificate, El("OEMProvisioningCert")]
    list_of_root_certificate_ids: Annotated[
        ListOfRootCertificateIds, El("ListOfRootCertificateIDs")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateInstallationRes(Response):
    """A new contract certificate with its encrypted key."""

    sa_provisioning_certificate_chain: Annotated[
        CertificateChain, El("SAProvisioningCertificateChain")
    ]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]
    contract_signature_encrypted_private_key: Annotated[
        ContractSignatureEncryptedPrivateKey, El("ContractSignatureEncryptedPrivateKey")
    ]
    dh_public_key: Annotated[DiffieHellmanPublicKey, El("DHpublickey")]
    emaid: Annotated[Emaid, El("eMAID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateUpdateReq(Request):
    """The EV asks for a fresh contract certificate, signed with the old one."""

    id: Annotated[str, Text(), Attr("Id", "MsgBody")]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]
    emaid: Annotated[EmaidText, El("eMAID")]
    list_of_root_certificate_ids: Annotated[
        ListOfRootCertificateIds, El("ListOfRootCertificateIDs")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateUpdateRes(Response):
    """The fresh contract certificate with its encrypted key."""

    sa_provisioning_certificate_chain: Annotated[
        CertificateChain, El("SAProvisioningCertificateChain")
    ]
    contract_signature_cert_chain: Annotated[
        CertificateChain, El("ContractSignatureCertChain")
    ]
    contract_signature_encrypted_private_key: Annotated[
        ContractSignatureEncryptedPrivateKey, El("ContractSignatureEncryptedPrivateKey")
    ]
    dh_public_key: Annotated[DiffieHellmanPublicKey, El("DHpublickey")]
    emaid: Annotated[Emaid, El("eMAID")]
    retry_counter: Annotated[Short | None, El("RetryCounter")] = None


# the frame around all of them

BODY_ELEMENT = Group(
    "BodyElement",
    AuthorizationReq=AuthorizationReq,
    AuthorizationRes=AuthorizationRes,
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
    CurrentDemandReq=CurrentDemandReq,
    CurrentDemandRes=CurrentDemandRes,
    MeteringReceiptReq=MeteringReceiptReq,
    MeteringReceiptRes=MeteringReceiptRes,
    PaymentDetailsReq=PaymentDetailsReq,
    PaymentDetailsRes=PaymentDetailsRes,
    PaymentServiceSelectionReq=PaymentServiceSelectionReq,
    PaymentServiceSelectionRes=PaymentServiceSelectionRes,
    PowerDeliveryReq=PowerDeliveryReq,
    PowerDeliveryRes=PowerDeliveryRes,
    PreChargeReq=PreChargeReq,
    PreChargeRes=PreChargeRes,
    ServiceDetailReq=ServiceDetailReq,
    ServiceDetailRes=ServiceDetailRes,
    ServiceDiscoveryReq=ServiceDiscoveryReq,
    ServiceDiscoveryRes=ServiceDiscoveryRes,
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
    "iso2",
    global_elements=80,
    roots=(Root(76, "V2G_Message", V2gMessage),),
    element_names=243,
    fragments=(
        Root(4, "AuthorizationReq", AuthorizationReq),
        Root(15, "CertificateInstallationReq", CertificateInstallationReq),
        Root(17, "CertificateUpdateReq", CertificateUpdateReq),
        Root(33, "ContractSignatureCertChain", CertificateChain),
        Root(
            34,
            "ContractSignatureEncryptedPrivateKey",
            ContractSignatureEncryptedPrivateKey,
        ),
        Root(45, "DHpublickey", DiffieHellmanPublicKey),
        Root(121, "MeteringReceiptReq", MeteringReceiptReq),
        Root(174, "SalesTariff", SalesTariff),
        Root(208, "SignedInfo", SignedInfo),
        Root(236, "eMAID", Emaid, Relaxed(10, (("Id", 4),))),
    ),
)
