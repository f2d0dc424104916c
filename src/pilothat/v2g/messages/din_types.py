"""DIN SPEC 70121: enumerations and data types of the messages (V2G_CI_MsgDataTypes).

Use them through ``pilothat.v2g.messages.din``, which offers them all.
"""

from __future__ import annotations

from typing import Annotated, Self

from pilothat.exi.schema import (
    UNBOUNDED,
    Attr,
    Binary,
    Byte,
    El,
    Group,
    Int,
    Integer,
    Long,
    Short,
    Text,
    UnsignedByte,
    UnsignedInt,
    UnsignedShort,
    WireEnum,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.decimal import nearest, to_float

SessionId = Annotated[bytes, Binary(8)]
EvseId = Annotated[bytes, Binary(32)]
MeterId = Annotated[str, Text(32)]
ContractId = Annotated[str, Text(24)]
Certificate = Annotated[bytes, Binary(1200, base64=True)]
Percent = Annotated[int, Integer(0, 100)]
MULTIPLIERS = range(-3, 4)  # finest first
UnitMultiplier = Annotated[int, Integer(MULTIPLIERS[0], MULTIPLIERS[-1])]


class ResponseCode(WireEnum):
    OK = 0
    OK_NewSessionEstablished = 1
    OK_OldSessionJoined = 2
    OK_CertificateExpiresSoon = 3
    FAILED = 4
    FAILED_SequenceError = 5
    FAILED_ServiceIDInvalid = 6
    FAILED_UnknownSession = 7
    FAILED_ServiceSelectionInvalid = 8
    FAILED_PaymentSelectionInvalid = 9
    FAILED_CertificateExpired = 10
    FAILED_SignatureError = 11
    FAILED_NoCertificateAvailable = 12
    FAILED_CertChainError = 13
    FAILED_ChallengeInvalid = 14
    FAILED_ContractCanceled = 15
    FAILED_WrongChargeParameter = 16
    FAILED_PowerDeliveryNotApplied = 17
    FAILED_TariffSelectionInvalid = 18
    FAILED_ChargingProfileInvalid = 19
    FAILED_EVSEPresentVoltageToLow = 20
    FAILED_MeteringSignatureNotValid = 21
    FAILED_WrongEnergyTransferType = 22


class FaultCode(WireEnum):
    ParsingError = 0
    NoTLSRootCertificatAvailable = 1
    UnknownError = 2


class EvseProcessing(WireEnum):
    Finished = 0
    Ongoing = 1


class EvseNotification(WireEnum):
    NONE = 0, "None"
    StopCharging = 1
    ReNegotiation = 2


class ServiceCategory(WireEnum):
    EVCharging = 0
    Internet = 1
    ContractCertificate = 2
    OtherCustom = 3


class PaymentOption(WireEnum):
    Contract = 0
    ExternalPayment = 1


class EvseSupportedEnergyTransferType(WireEnum):
    AC_single_phase_core = 0
    AC_three_phase_core = 1
    DC_core = 2
    DC_extended = 3
    DC_combo_core = 4
    DC_dual = 5
    AC_core1p_DC_extended = 6
    AC_single_DC_core = 7
    AC_single_phase_three_phase_core_DC_extended = 8
    AC_core3p_DC_extended = 9


class EvRequestedEnergyTransferType(WireEnum):
    AC_single_phase_core = 0
    AC_three_phase_core = 1
    DC_core = 2
    DC_extended = 3
    DC_combo_core = 4
    DC_unique = 5


class ValueType(WireEnum):
    BOOL = 0, "bool"
    BYTE = 1, "byte"
    SHORT = 2, "short"
    INT = 3, "int"
    PHYSICAL_VALUE = 4, "physicalValue"
    STRING = 5, "string"


class CostKind(WireEnum):
    RELATIVE_PRICE_PERCENTAGE = 0, "relativePricePercentage"
    RenewableGenerationPercentage = 1
    CarbonDioxideEmission = 2


class UnitSymbol(WireEnum):
    h = 0
    m = 1  # minutes
    s = 2
    A = 3
    Ah = 4
    V = 5
    VA = 6
    W = 7
    W_PER_S = 8, "W/s"
    Wh = 9


class IsolationLevel(WireEnum):
    Invalid = 0
    Valid = 1
    Warning = 2
    Fault = 3


class DcEvseStatusCode(WireEnum):
    EVSE_NotReady = 0
    EVSE_Ready = 1
    EVSE_Shutdown = 2
    EVSE_UtilityInterruptEvent = 3
    EVSE_IsolationMonitoringActive = 4
    EVSE_EmergencyShutdown = 5
    EVSE_Malfunction = 6
    Reserved_8 = 7
    Reserved_9 = 8
    Reserved_A = 9
    Reserved_B = 10
    Reserved_C = 11


class DcEvErrorCode(WireEnum):
    NO_ERROR = 0
    FAILED_RESSTemperatureInhibit = 1
    FAILED_EVShiftPosition = 2
    FAILED_ChargerConnectorLockFault = 3
    FAILED_EVRESSMalfunction = 4
    FAILED_ChargingCurrentdifferential = 5
    FAILED_ChargingVoltageOutOfRange = 6
    Reserved_A = 7
    Reserved_B = 8
    Reserved_C = 9
    FAILED_ChargingSystemIncompatibility = 10
    NoData = 11


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalValue:
    """A number with its unit: ``value`` times ten to the power of ``multiplier``."""

    multiplier: Annotated[UnitMultiplier, El("Multiplier")]
    unit: Annotated[UnitSymbol | None, El("Unit")] = None
    value: Annotated[Short, El("Value")]

    @property
    def si(self) -> float:
        """The number in the unit itself."""
        return to_float(self.value, self.multiplier)

    @classmethod
    def of(
        cls, value: float, unit: UnitSymbol | None, multiplier: int | None = None
    ) -> Self:
        """Return the nearest value the wire can carry.

        multiplier: -3..3; if not given, the one with the finest steps that fits.
        Raises ValueError for a number out of range, or not finite.
        """
        if multiplier is not None and multiplier not in MULTIPLIERS:
            raise ValueError(f"multiplier {multiplier} is not in -3..3")
        found = nearest(value, MULTIPLIERS if multiplier is None else (multiplier,))
        if found is None:
            raise ValueError(f"{value} does not fit a physical value")
        return cls(value=found[0], multiplier=found[1], unit=unit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """A fault, told in the header."""

    fault_code: Annotated[FaultCode, El("FaultCode")]
    fault_msg: Annotated[str | None, Text(64), El("FaultMsg")] = None


# services


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTag:
    """Which service this is."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    service_name: Annotated[str | None, Text(32), El("ServiceName")] = None
    service_category: Annotated[ServiceCategory, El("ServiceCategory")]
    service_scope: Annotated[str | None, Text(32), El("ServiceScope")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service the SECC offers."""

    service_tag: Annotated[ServiceTag, El("ServiceTag")]
    free_service: Annotated[bool, El("FreeService")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceCharge(Service):
    """The charging service itself."""

    energy_transfer_type: Annotated[
        EvseSupportedEnergyTransferType, El("EnergyTransferType")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceTagList:
    """Services beside charging."""

    service: Annotated[tuple[Service, ...], El("Service", max_=UNBOUNDED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedService:
    """One service the EV takes."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    parameter_set_id: Annotated[Short | None, El("ParameterSetID")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedServiceList:
    """What the EV takes."""

    selected_service: Annotated[
        tuple[SelectedService, ...], El("SelectedService", max_=UNBOUNDED)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOptions:
    """Ways to pay. Send exactly one: implementations differ about the end of two."""

    payment_option: Annotated[
        tuple[PaymentOption, ...], El("PaymentOption", max_=UNBOUNDED)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named value of a service: exactly one of the six values is given."""

    name: Annotated[str, Text(), Attr("Name")]
    value_type: Annotated[ValueType, Attr("ValueType")]
    bool_value: Annotated[bool | None, El("boolValue", choice="value")] = None
    byte_value: Annotated[Byte | None, El("byteValue", choice="value")] = None
    short_value: Annotated[Short | None, El("shortValue", choice="value")] = None
    int_value: Annotated[Int | None, El("intValue", choice="value")] = None
    physical_value: Annotated[
        PhysicalValue | None, El("physicalValue", choice="value")
    ] = None
    string_value: Annotated[str | None, Text(), El("stringValue", choice="value")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """One variant of a service."""

    parameter_set_id: Annotated[Short, El("ParameterSetID")]
    parameter: Annotated[tuple[Parameter, ...], El("Parameter", max_=UNBOUNDED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParameterList:
    """The variants of a service."""

    parameter_set: Annotated[
        tuple[ParameterSet, ...], El("ParameterSet", max_=UNBOUNDED)
    ]


# certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class SubCertificates:
    """The certificates between the leaf and the root, DER."""

    certificate: Annotated[tuple[Certificate, ...], El("Certificate", max_=UNBOUNDED)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChain:
    """A leaf certificate (DER) and what leads to its root."""

    certificate: Annotated[Certificate, El("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, El("SubCertificates")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOfRootCertificateIds:
    """The roots the EV knows."""

    root_certificate_id: Annotated[
        tuple[Annotated[str, Text(40)], ...],
        El("RootCertificateID", max_=UNBOUNDED),
    ]


# meter, schedules, tariffs


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterInfo:
    """A reading of the meter."""

    meter_id: Annotated[MeterId, El("MeterID")]
    meter_reading: Annotated[PhysicalValue | None, El("MeterReading")] = None
    sig_meter_reading: Annotated[
        bytes | None, Binary(32, base64=True), El("SigMeterReading")
    ] = None
    meter_status: Annotated[Short | None, El("MeterStatus")] = None
    t_meter: Annotated[Long | None, El("TMeter")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeTimeInterval:
    """A time from now on, in seconds."""

    start: Annotated[UnsignedInt, El("start")]
    duration: Annotated[UnsignedInt | None, El("duration")] = None


TIME_INTERVAL = Group("TimeInterval", RelativeTimeInterval=RelativeTimeInterval)


@dataclass(frozen=True, slots=True, kw_only=True)
class PMaxScheduleEntry:
    """The greatest power from a time on, W."""

    time_interval: Annotated[RelativeTimeInterval, TIME_INTERVAL]
    p_max: Annotated[Short, El("PMax")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PMaxSchedule:
    """The greatest power over time."""

    p_max_schedule_id: Annotated[Short, El("PMaxScheduleID")]
    p_max_schedule_entry: Annotated[
        tuple[PMaxScheduleEntry, ...], El("PMaxScheduleEntry", max_=UNBOUNDED)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A price of one kind."""

    cost_kind: Annotated[CostKind, El("costKind")]
    amount: Annotated[UnsignedInt, El("amount")]
    amount_multiplier: Annotated[UnitMultiplier | None, El("amountMultiplier")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionCost:
    """What a unit costs from a consumption on."""

    start_value: Annotated[UnsignedInt, El("startValue")]
    cost: Annotated[tuple[Cost, ...], El("Cost", min_=0, max_=UNBOUNDED)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesTariffEntry:
    """The price level from a time on."""

    time_interval: Annotated[RelativeTimeInterval, TIME_INTERVAL]
    e_price_level: Annotated[UnsignedByte, El("EPriceLevel")]
    consumption_cost: Annotated[
        tuple[ConsumptionCost, ...], El("ConsumptionCost", min_=0, max_=UNBOUNDED)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesTariff:
    """Prices over time."""

    id: Annotated[str, Text(), Attr("Id")]
    sales_tariff_id: Annotated[Short, El("SalesTariffID")]
    sales_tariff_description: Annotated[
        str | None, Text(32), El("SalesTariffDescription")
    ] = None
    num_e_price_levels: Annotated[UnsignedByte, El("NumEPriceLevels")]
    sales_tariff_entry: Annotated[
        tuple[SalesTariffEntry, ...], El("SalesTariffEntry", max_=UNBOUNDED)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaScheduleTuple:
    """A schedule the EV may choose."""

    sa_schedule_tuple_id: Annotated[Short, El("SAScheduleTupleID")]
    p_max_schedule: Annotated[PMaxSchedule, El("PMaxSchedule")]
    sales_tariff: Annotated[SalesTariff | None, El("SalesTariff")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaScheduleList:
    """The schedules the SECC offers."""

    sa_schedule_tuple: Annotated[
        tuple[SaScheduleTuple, ...], El("SAScheduleTuple", max_=UNBOUNDED)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileEntry:
    """What the EV means to draw from a time on: seconds, W."""

    charging_profile_entry_start: Annotated[
        UnsignedInt, El("ChargingProfileEntryStart")
    ]
    charging_profile_entry_max_power: Annotated[
        Short, El("ChargingProfileEntryMaxPower")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingProfile:
    """The schedule the EV chose, and what it means to draw."""

    sa_schedule_tuple_id: Annotated[Short, El("SAScheduleTupleID")]
    profile_entry: Annotated[
        tuple[ProfileEntry, ...], El("ProfileEntry", max_=UNBOUNDED)
    ]


# status and limits of both sides


@dataclass(frozen=True, slots=True, kw_only=True)
class AcEvseStatus:
    """State of an AC station."""

    power_switch_closed: Annotated[bool, El("PowerSwitchClosed")]
    rcd: Annotated[bool, El("RCD")]
    notification_max_delay: Annotated[UnsignedInt, El("NotificationMaxDelay")]
    evse_notification: Annotated[EvseNotification, El("EVSENotification")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvseStatus:
    """State of a DC station."""

    evse_isolation_status: Annotated[
        IsolationLevel | None, El("EVSEIsolationStatus")
    ] = None
    evse_status_code: Annotated[DcEvseStatusCode, El("EVSEStatusCode")]
    notification_max_delay: Annotated[UnsignedInt, El("NotificationMaxDelay")]
    evse_notification: Annotated[EvseNotification, El("EVSENotification")]


EvseStatus = AcEvseStatus | DcEvseStatus
EVSE_STATUS = Group(
    "EVSEStatus", AC_EVSEStatus=AcEvseStatus, DC_EVSEStatus=DcEvseStatus
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvStatus:
    """State of the EV at a DC station."""

    ev_ready: Annotated[bool, El("EVReady")]
    ev_cabin_conditioning: Annotated[bool | None, El("EVCabinConditioning")] = None
    ev_ress_conditioning: Annotated[bool | None, El("EVRESSConditioning")] = None
    ev_error_code: Annotated[DcEvErrorCode, El("EVErrorCode")]
    ev_ress_soc: Annotated[Percent, El("EVRESSSOC")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcEvChargeParameter:
    """What the EV asks of an AC station; departure in seconds."""

    departure_time: Annotated[UnsignedInt, El("DepartureTime")]
    e_amount: Annotated[PhysicalValue, El("EAmount")]
    ev_max_voltage: Annotated[PhysicalValue, El("EVMaxVoltage")]
    ev_max_current: Annotated[PhysicalValue, El("EVMaxCurrent")]
    ev_min_current: Annotated[PhysicalValue, El("EVMinCurrent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvChargeParameter:
    """The EV's limits and wishes at a DC station."""

    dc_ev_status: Annotated[DcEvStatus, El("DC_EVStatus")]
    ev_maximum_current_limit: Annotated[PhysicalValue, El("EVMaximumCurrentLimit")]
    ev_maximum_power_limit: Annotated[
        PhysicalValue | None, El("EVMaximumPowerLimit")
    ] = None
    ev_maximum_voltage_limit: Annotated[PhysicalValue, El("EVMaximumVoltageLimit")]
    ev_energy_capacity: Annotated[PhysicalValue | None, El("EVEnergyCapacity")] = None
    ev_energy_request: Annotated[PhysicalValue | None, El("EVEnergyRequest")] = None
    full_soc: Annotated[Percent | None, El("FullSOC")] = None
    bulk_soc: Annotated[Percent | None, El("BulkSOC")] = None


EvChargeParameter = AcEvChargeParameter | DcEvChargeParameter
EV_CHARGE_PARAMETER = Group(
    "EVChargeParameter",
    AC_EVChargeParameter=AcEvChargeParameter,
    DC_EVChargeParameter=DcEvChargeParameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcEvseChargeParameter:
    """The limits of an AC station."""

    ac_evse_status: Annotated[AcEvseStatus, El("AC_EVSEStatus")]
    evse_max_voltage: Annotated[PhysicalValue, El("EVSEMaxVoltage")]
    evse_max_current: Annotated[PhysicalValue, El("EVSEMaxCurrent")]
    evse_min_current: Annotated[PhysicalValue, El("EVSEMinCurrent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvseChargeParameter:
    """The limits of a DC station."""

    dc_evse_status: Annotated[DcEvseStatus, El("DC_EVSEStatus")]
    evse_maximum_current_limit: Annotated[PhysicalValue, El("EVSEMaximumCurrentLimit")]
    evse_maximum_power_limit: Annotated[
        PhysicalValue | None, El("EVSEMaximumPowerLimit")
    ] = None
    evse_maximum_voltage_limit: Annotated[PhysicalValue, El("EVSEMaximumVoltageLimit")]
    evse_minimum_current_limit: Annotated[PhysicalValue, El("EVSEMinimumCurrentLimit")]
    evse_minimum_voltage_limit: Annotated[PhysicalValue, El("EVSEMinimumVoltageLimit")]
    evse_current_regulation_tolerance: Annotated[
        PhysicalValue | None, El("EVSECurrentRegulationTolerance")
    ] = None
    evse_peak_current_ripple: Annotated[PhysicalValue, El("EVSEPeakCurrentRipple")]
    evse_energy_to_be_delivered: Annotated[
        PhysicalValue | None, El("EVSEEnergyToBeDelivered")
    ] = None


EvseChargeParameter = AcEvseChargeParameter | DcEvseChargeParameter
EVSE_CHARGE_PARAMETER = Group(
    "EVSEChargeParameter",
    AC_EVSEChargeParameter=AcEvseChargeParameter,
    DC_EVSEChargeParameter=DcEvseChargeParameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvPowerDeliveryParameter:
    """How far the EV is when power goes on or off."""

    dc_ev_status: Annotated[DcEvStatus, El("DC_EVStatus")]
    bulk_charging_complete: Annotated[bool | None, El("BulkChargingComplete")] = None
    charging_complete: Annotated[bool, El("ChargingComplete")]


SA_SCHEDULES = Group("SASchedules", SAScheduleList=SaScheduleList)
EV_POWER_DELIVERY_PARAMETER = Group(
    "EVPowerDeliveryParameter", DC_EVPowerDeliveryParameter=DcEvPowerDeliveryParameter
)
