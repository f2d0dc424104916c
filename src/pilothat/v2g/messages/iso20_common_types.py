"""ISO 15118-20:2022: data types of the common messages: services, prices, schedules.

Amounts of money are in the currency of their schedule; durations are seconds. The
schema asks for exact lengths of challenge (16) and keys; only what is too long is
refused here, because independent test messages have shorter ones.
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import (
    Attr,
    Binary,
    Byte,
    El,
    Int,
    Short,
    Text,
    UnsignedByte,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
    WireEnum,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso20_types import (
    Description,
    Identifier,
    MeterInfo,
    Name,
    NumericId,
    Percent,
    RationalNumber,
    Receipt,
    SessionId,
)

Certificate = Annotated[bytes, Binary(1600, base64=True)]
GenChallenge = Annotated[bytes, Binary(16, base64=True)]
Currency = Annotated[str, Text(3)]


class Authorization(WireEnum):
    EIM = 0
    PnC = 1


class ChargeProgress(WireEnum):
    Start = 0
    Stop = 1
    Standby = 2
    ScheduleRenegotiation = 3


class ChannelSelection(WireEnum):
    Charge = 0
    Discharge = 1


class ChargingSession(WireEnum):
    Pause = 0
    Terminate = 1
    ServiceRenegotiation = 2


class PowerToleranceAcceptance(WireEnum):
    PowerToleranceNotConfirmed = 0
    PowerToleranceConfirmed = 1


class EcdhCurve(WireEnum):
    SECP521 = 0
    X448 = 1


class EvCheckInStatus(WireEnum):
    CheckIn = 0
    Processing = 1
    Completed = 2


class EvCheckOutStatus(WireEnum):
    CheckOut = 0
    Processing = 1
    Completed = 2


class EvseCheckOutStatus(WireEnum):
    Scheduled = 0
    Completed = 1


class ParkingMethod(WireEnum):
    AutoParking = 0
    MVGuideManual = 1
    Manual = 2


# certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class EmaidList:
    """Contracts by their identifiers, the most wanted first."""

    emaid: Annotated[tuple[Identifier, ...], El("EMAID", max_=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubCertificates:
    """The certificates between the leaf and the root, DER."""

    certificate: Annotated[tuple[Certificate, ...], El("Certificate", max_=3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChain:
    """A leaf certificate (DER) and what leads to its root."""

    certificate: Annotated[Certificate, El("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, El("SubCertificates")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedCertificateChain:
    """A chain that is signed itself."""

    id: Annotated[str, Text(), Attr("Id", "CommonMessages")]
    certificate: Annotated[Certificate, El("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, El("SubCertificates")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractCertificateChain:
    """A contract's chain: it always has certificates in between."""

    certificate: Annotated[Certificate, El("Certificate")]
    sub_certificates: Annotated[SubCertificates, El("SubCertificates")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedInstallationData:
    """A contract's certificate with its private key, encrypted for the EV.

    Exactly one of the three keys is given: that of the curve, or the one for a TPM.
    """

    id: Annotated[str, Text(), Attr("Id", "CommonMessages")]
    contract_certificate_chain: Annotated[
        ContractCertificateChain, El("ContractCertificateChain")
    ]
    ecdh_curve: Annotated[EcdhCurve, El("ECDHCurve")]
    dh_public_key: Annotated[bytes, Binary(133, base64=True), El("DHPublicKey")]
    secp521_encrypted_private_key: Annotated[
        bytes | None,
        Binary(94, base64=True),
        El("SECP521_EncryptedPrivateKey", choice="private_key"),
    ] = None
    x448_encrypted_private_key: Annotated[
        bytes | None,
        Binary(84, base64=True),
        El("X448_EncryptedPrivateKey", choice="private_key"),
    ] = None
    tpm_encrypted_private_key: Annotated[
        bytes | None,
        Binary(206, base64=True),
        El("TPM_EncryptedPrivateKey", choice="private_key"),
    ] = None


# authorization


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedProvidersList:
    """The mobility operators whose contracts are taken."""

    provider_id: Annotated[tuple[Name, ...], El("ProviderID", max_=128)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PncAsResAuthorizationMode:
    """Plug and Charge: 16 octets for the EV to sign."""

    gen_challenge: Annotated[GenChallenge, El("GenChallenge")]
    supported_providers: Annotated[
        SupportedProvidersList | None, El("SupportedProviders")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EimAsResAuthorizationMode:
    """Payment by other means: nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PncAReqAuthorizationMode:
    """The EV signs the challenge and shows its contract."""

    id: Annotated[str, Text(), Attr("Id", "CommonMessages")]
    gen_challenge: Annotated[GenChallenge, El("GenChallenge")]
    contract_certificate_chain: Annotated[
        ContractCertificateChain, El("ContractCertificateChain")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EimAReqAuthorizationMode:
    """Payment by other means: nothing to say."""


# services


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceIdList:
    """Services by number."""

    service_id: Annotated[tuple[UnsignedShort, ...], El("ServiceID", max_=16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service the SECC offers."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    free_service: Annotated[bool, El("FreeService")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceList:
    """Services to choose from."""

    service: Annotated[tuple[Service, ...], El("Service", max_=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedService:
    """A service the EV takes, and the variant of it."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    parameter_set_id: Annotated[UnsignedShort, El("ParameterSetID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedServiceList:
    """Services beside charging that the EV takes."""

    selected_service: Annotated[
        tuple[SelectedService, ...], El("SelectedService", max_=16)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named value of a service: exactly one of the six values is given."""

    name: Annotated[Name, Attr("Name")]
    bool_value: Annotated[bool | None, El("boolValue", choice="value")] = None
    byte_value: Annotated[Byte | None, El("byteValue", choice="value")] = None
    short_value: Annotated[Short | None, El("shortValue", choice="value")] = None
    int_value: Annotated[Int | None, El("intValue", choice="value")] = None
    rational_number: Annotated[
        RationalNumber | None, El("rationalNumber", choice="value")
    ] = None
    finite_string: Annotated[Name | None, El("finiteString", choice="value")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One variant of a service."""

    parameter_set_id: Annotated[UnsignedShort, El("ParameterSetID")]
    parameter: Annotated[tuple[Parameter, ...], El("Parameter", max_=32)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParameterList:
    """The variants of a service."""

    parameter_set: Annotated[tuple[ParameterSet, ...], El("ParameterSet", max_=32)]


# what the SECC offers


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerScheduleEntry:
    """Power for some time; of one phase, if the others are told, too."""

    duration: Annotated[UnsignedInt, El("Duration")]
    power: Annotated[RationalNumber, El("Power")]
    power_l2: Annotated[RationalNumber | None, El("Power_L2")] = None
    power_l3: Annotated[RationalNumber | None, El("Power_L3")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerScheduleEntryList:
    """Power over time."""

    power_schedule_entry: Annotated[
        tuple[PowerScheduleEntry, ...], El("PowerScheduleEntry", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerSchedule:
    """Power over time, from an absolute start."""

    time_anchor: Annotated[UnsignedLong, El("TimeAnchor")]
    available_energy: Annotated[RationalNumber | None, El("AvailableEnergy")] = None
    power_tolerance: Annotated[RationalNumber | None, El("PowerTolerance")] = None
    power_schedule_entries: Annotated[
        PowerScheduleEntryList, El("PowerScheduleEntries")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceSchedule:
    """When prices begin to hold, and how they are called."""

    time_anchor: Annotated[UnsignedLong, El("TimeAnchor")]
    price_schedule_id: Annotated[NumericId, El("PriceScheduleID")]
    price_schedule_description: Annotated[
        Description | None, El("PriceScheduleDescription")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLevelScheduleEntry:
    """A price level for some time."""

    duration: Annotated[UnsignedInt, El("Duration")]
    price_level: Annotated[UnsignedByte, El("PriceLevel")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLevelScheduleEntryList:
    """Price levels over time."""

    price_level_schedule_entry: Annotated[
        tuple[PriceLevelScheduleEntry, ...], El("PriceLevelScheduleEntry", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLevelSchedule(PriceSchedule):
    """Prices in relation to each other."""

    id: Annotated[str | None, Text(), Attr("Id", "CommonMessages")] = None
    number_of_price_levels: Annotated[UnsignedByte, El("NumberOfPriceLevels")]
    price_level_schedule_entries: Annotated[
        PriceLevelScheduleEntryList, El("PriceLevelScheduleEntries")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRule:
    """A tax, and to what it applies."""

    tax_rule_id: Annotated[NumericId, El("TaxRuleID")]
    tax_rule_name: Annotated[Name | None, El("TaxRuleName")] = None
    tax_rate: Annotated[RationalNumber, El("TaxRate")]
    tax_included_in_price: Annotated[bool | None, El("TaxIncludedInPrice")] = None
    applies_to_energy_fee: Annotated[bool, El("AppliesToEnergyFee")]
    applies_to_parking_fee: Annotated[bool, El("AppliesToParkingFee")]
    applies_to_overstay_fee: Annotated[bool, El("AppliesToOverstayFee")]
    applies_minimum_maximum_cost: Annotated[bool, El("AppliesMinimumMaximumCost")]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaxRuleList:
    """All taxes."""

    tax_rule: Annotated[tuple[TaxRule, ...], El("TaxRule", max_=10)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRule:
    """Prices from a power on: for energy, and for parking per period."""

    energy_fee: Annotated[RationalNumber, El("EnergyFee")]
    parking_fee: Annotated[RationalNumber | None, El("ParkingFee")] = None
    parking_fee_period: Annotated[UnsignedInt | None, El("ParkingFeePeriod")] = None
    carbon_dioxide_emission: Annotated[
        UnsignedShort | None, El("CarbonDioxideEmission")
    ] = None
    renewable_generation_percentage: Annotated[
        UnsignedByte | None, El("RenewableGenerationPercentage")
    ] = None
    power_range_start: Annotated[RationalNumber, El("PowerRangeStart")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRuleStack:
    """Price rules for some time, one for each range of power."""

    duration: Annotated[UnsignedInt, El("Duration")]
    price_rule: Annotated[tuple[PriceRule, ...], El("PriceRule", max_=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRuleStackList:
    """Price rules over time."""

    price_rule_stack: Annotated[
        tuple[PriceRuleStack, ...], El("PriceRuleStack", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverstayRule:
    """What staying too long costs, from a time after its beginning."""

    overstay_rule_description: Annotated[
        Description | None, El("OverstayRuleDescription")
    ] = None
    start_time: Annotated[UnsignedInt, El("StartTime")]
    overstay_fee: Annotated[RationalNumber, El("OverstayFee")]
    overstay_fee_period: Annotated[UnsignedInt, El("OverstayFeePeriod")]


@dataclass(frozen=True, slots=True, kw_only=True)
class OverstayRuleList:
    """When staying too long begins, and what it costs."""

    overstay_time_threshold: Annotated[
        UnsignedInt | None, El("OverstayTimeThreshold")
    ] = None
    overstay_power_threshold: Annotated[
        RationalNumber | None, El("OverstayPowerThreshold")
    ] = None
    overstay_rule: Annotated[tuple[OverstayRule, ...], El("OverstayRule", max_=5)]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditionalService:
    """A further service and its fee."""

    service_name: Annotated[Name, El("ServiceName")]
    service_fee: Annotated[RationalNumber, El("ServiceFee")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AdditionalServiceList:
    """Further services that were chosen."""

    additional_service: Annotated[
        tuple[AdditionalService, ...], El("AdditionalService", max_=5)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AbsolutePriceSchedule(PriceSchedule):
    """Prices in money."""

    id: Annotated[str | None, Text(), Attr("Id", "CommonMessages")] = None
    currency: Annotated[Currency, El("Currency")]
    language: Annotated[str, Text(3), El("Language")]
    price_algorithm: Annotated[Identifier, El("PriceAlgorithm")]
    minimum_cost: Annotated[RationalNumber | None, El("MinimumCost")] = None
    maximum_cost: Annotated[RationalNumber | None, El("MaximumCost")] = None
    tax_rules: Annotated[TaxRuleList | None, El("TaxRules")] = None
    price_rule_stacks: Annotated[PriceRuleStackList, El("PriceRuleStacks")]
    overstay_rules: Annotated[OverstayRuleList | None, El("OverstayRules")] = None
    additional_selected_services: Annotated[
        AdditionalServiceList | None, El("AdditionalSelectedServices")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingSchedule:
    """Power over time, and what it costs."""

    power_schedule: Annotated[PowerSchedule, El("PowerSchedule")]
    absolute_price_schedule: Annotated[
        AbsolutePriceSchedule | None,
        El("AbsolutePriceSchedule", min_=0, choice="price"),
    ] = None
    price_level_schedule: Annotated[
        PriceLevelSchedule | None, El("PriceLevelSchedule", min_=0, choice="price")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleTuple:
    """A schedule the EV may choose, perhaps with one for discharging."""

    schedule_tuple_id: Annotated[NumericId, El("ScheduleTupleID")]
    charging_schedule: Annotated[ChargingSchedule, El("ChargingSchedule")]
    discharging_schedule: Annotated[
        ChargingSchedule | None, El("DischargingSchedule")
    ] = None


# what the EV offers


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPowerScheduleEntry:
    """Power the EV can give back for some time."""

    duration: Annotated[UnsignedInt, El("Duration")]
    power: Annotated[RationalNumber, El("Power")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPowerScheduleEntryList:
    """Power the EV can give back, over time."""

    ev_power_schedule_entry: Annotated[
        tuple[EvPowerScheduleEntry, ...], El("EVPowerScheduleEntry", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPowerSchedule:
    """Power the EV can give back, from an absolute start."""

    time_anchor: Annotated[UnsignedLong, El("TimeAnchor")]
    ev_power_schedule_entries: Annotated[
        EvPowerScheduleEntryList, El("EVPowerScheduleEntries")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPriceRule:
    """What the EV wants for its energy, from a power on."""

    energy_fee: Annotated[RationalNumber, El("EnergyFee")]
    power_range_start: Annotated[RationalNumber, El("PowerRangeStart")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPriceRuleStack:
    """The EV's prices for some time, one for each range of power."""

    duration: Annotated[UnsignedInt, El("Duration")]
    ev_price_rule: Annotated[tuple[EvPriceRule, ...], El("EVPriceRule", max_=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPriceRuleStackList:
    """The EV's prices over time."""

    ev_price_rule_stack: Annotated[
        tuple[EvPriceRuleStack, ...], El("EVPriceRuleStack", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvAbsolutePriceSchedule:
    """The EV's prices in money."""

    time_anchor: Annotated[UnsignedLong, El("TimeAnchor")]
    currency: Annotated[Currency, El("Currency")]
    price_algorithm: Annotated[Identifier, El("PriceAlgorithm")]
    ev_price_rule_stacks: Annotated[EvPriceRuleStackList, El("EVPriceRuleStacks")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvEnergyOffer:
    """Energy the EV would give back, and at what price."""

    ev_power_schedule: Annotated[EvPowerSchedule, El("EVPowerSchedule")]
    ev_absolute_price_schedule: Annotated[
        EvAbsolutePriceSchedule, El("EVAbsolutePriceSchedule")
    ]


# schedule exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSeReqControlMode:
    """The EV will keep to a schedule: seconds until departure, Wh."""

    departure_time: Annotated[UnsignedInt | None, El("DepartureTime")] = None
    ev_target_energy_request: Annotated[
        RationalNumber | None, El("EVTargetEnergyRequest")
    ] = None
    ev_maximum_energy_request: Annotated[
        RationalNumber | None, El("EVMaximumEnergyRequest")
    ] = None
    ev_minimum_energy_request: Annotated[
        RationalNumber | None, El("EVMinimumEnergyRequest")
    ] = None
    ev_energy_offer: Annotated[EvEnergyOffer | None, El("EVEnergyOffer")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicSeReqControlMode:
    """The SECC shall decide: seconds until departure, percent, Wh."""

    departure_time: Annotated[UnsignedInt, El("DepartureTime")]
    minimum_soc: Annotated[Percent | None, El("MinimumSOC")] = None
    target_soc: Annotated[Percent | None, El("TargetSOC")] = None
    ev_target_energy_request: Annotated[RationalNumber, El("EVTargetEnergyRequest")]
    ev_maximum_energy_request: Annotated[RationalNumber, El("EVMaximumEnergyRequest")]
    ev_minimum_energy_request: Annotated[RationalNumber, El("EVMinimumEnergyRequest")]
    ev_maximum_v2x_energy_request: Annotated[
        RationalNumber | None, El("EVMaximumV2XEnergyRequest")
    ] = None
    ev_minimum_v2x_energy_request: Annotated[
        RationalNumber | None, El("EVMinimumV2XEnergyRequest")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSeResControlMode:
    """Schedules to choose from.

    Offer at most 2: implementations differ about the end of 3.
    """

    schedule_tuple: Annotated[tuple[ScheduleTuple, ...], El("ScheduleTuple", max_=3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicSeResControlMode:
    """What the SECC plans, and at what price."""

    departure_time: Annotated[UnsignedInt | None, El("DepartureTime")] = None
    minimum_soc: Annotated[Percent | None, El("MinimumSOC")] = None
    target_soc: Annotated[Percent | None, El("TargetSOC")] = None
    absolute_price_schedule: Annotated[
        AbsolutePriceSchedule | None,
        El("AbsolutePriceSchedule", min_=0, choice="price"),
    ] = None
    price_level_schedule: Annotated[
        PriceLevelSchedule | None, El("PriceLevelSchedule", min_=0, choice="price")
    ] = None


# power delivery


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledEvpptControlMode:
    """The schedule the EV chose."""

    selected_schedule_tuple_id: Annotated[NumericId, El("SelectedScheduleTupleID")]
    power_tolerance_acceptance: Annotated[
        PowerToleranceAcceptance | None, El("PowerToleranceAcceptance")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicEvpptControlMode:
    """The SECC decides: nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPowerProfileEntryList:
    """What the EV means to draw, over time."""

    ev_power_profile_entry: Annotated[
        tuple[PowerScheduleEntry, ...], El("EVPowerProfileEntry", max_=2048)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvPowerProfile:
    """What the EV means to draw, from an absolute start."""

    time_anchor: Annotated[UnsignedLong, El("TimeAnchor")]
    dynamic_evppt_control_mode: Annotated[
        DynamicEvpptControlMode | None, El("Dynamic_EVPPTControlMode", choice="mode")
    ] = None
    scheduled_evppt_control_mode: Annotated[
        ScheduledEvpptControlMode | None,
        El("Scheduled_EVPPTControlMode", choice="mode"),
    ] = None
    ev_power_profile_entries: Annotated[
        EvPowerProfileEntryList, El("EVPowerProfileEntries")
    ]


# metering


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledSmdtControlMode:
    """The schedule that was kept to."""

    selected_schedule_tuple_id: Annotated[NumericId, El("SelectedScheduleTupleID")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicSmdtControlMode:
    """The SECC decided: nothing to say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedMeteringData:
    """A meter reading for the EV to sign."""

    id: Annotated[str, Text(), Attr("Id", "CommonMessages")]
    session_id: Annotated[SessionId, El("SessionID")]
    meter_info: Annotated[MeterInfo, El("MeterInfo")]
    receipt: Annotated[Receipt | None, El("Receipt")] = None
    dynamic_smdt_control_mode: Annotated[
        DynamicSmdtControlMode | None, El("Dynamic_SMDTControlMode", choice="mode")
    ] = None
    scheduled_smdt_control_mode: Annotated[
        ScheduledSmdtControlMode | None, El("Scheduled_SMDTControlMode", choice="mode")
    ] = None
