"""ISO 15118-2:2013: enumerations and data types of the messages (V2G_CI_MsgDataTypes).

Use them through ``pilothat.v2g.messages.iso2``, which offers them all. The schema also
asks for a least length of EVSE ID (7), eMAID (14) and challenge (16); it is not checked
here, because independent test messages have shorter ones.
"""

from __future__ import annotations

from typing import Annotated, Self

from pilothat.exi.schema import (
    Attr,
    Binary,
    Byte,
    Content,
    El,
    Group,
    Int,
    Integer,
    Long,
    Short,
    Text,
    UnsignedByte,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
    WireEnum,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.decimal import nearest, to_float
from pilothat.v2g.messages.xmldsig import X509IssuerSerial

MULTIPLIERS = range(-3, 4)  # finest first
UnitMultiplier = Annotated[int, Integer(MULTIPLIERS[0], MULTIPLIERS[-1])]
Certificate = Annotated[bytes, Binary(800, base64=True)]
EmaidText = Annotated[str, Text(15)]
SaId = Annotated[int, Integer(1, 255)]
Percent = Annotated[int, Integer(0, 100)]
SessionId = Annotated[bytes, Binary(8)]
EvseId = Annotated[str, Text(37)]
GenChallenge = Annotated[bytes, Binary(16, base64=True)]


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
    FAILED_MeteringSignatureNotValid = 20
    FAILED_NoChargeServiceSelected = 21
    FAILED_WrongEnergyTransferMode = 22
    FAILED_ContactorError = 23
    FAILED_CertificateNotAllowedAtThisEVSE = 24
    FAILED_CertificateRevoked = 25


class FaultCode(WireEnum):
    ParsingError = 0
    NoTLSRootCertificatAvailable = 1
    UnknownError = 2


class EvseProcessing(WireEnum):
    Finished = 0
    Ongoing = 1
    Ongoing_WaitingForCustomerInteraction = 2


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


class EnergyTransferMode(WireEnum):
    AC_single_phase_core = 0
    AC_three_phase_core = 1
    DC_core = 2
    DC_extended = 3
    DC_combo_core = 4
    DC_unique = 5


class ChargeProgress(WireEnum):
    Start = 0
    Stop = 1
    Renegotiate = 2


class ChargingSession(WireEnum):
    Terminate = 0
    Pause = 1


class CostKind(WireEnum):
    RELATIVE_PRICE_PERCENTAGE = 0, "relativePricePercentage"
    RenewableGenerationPercentage = 1
    CarbonDioxideEmission = 2


class UnitSymbol(WireEnum):
    h = 0
    m = 1  # minutes
    s = 2
    A = 3
    V = 4
    W = 5
    Wh = 6


class IsolationLevel(WireEnum):
    Invalid = 0
    Valid = 1
    Warning = 2
    Fault = 3
    No_IMD = 4


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


# values


@dataclass(frozen=True, slots=True, kw_only=True)
class PhysicalValue:
    """A number with its unit: ``value`` times ten to the power of ``multiplier``."""

    multiplier: Annotated[UnitMultiplier, El("Multiplier")]
    unit: Annotated[UnitSymbol, El("Unit")]
    value: Annotated[Short, El("Value")]

    @property
    def si(self) -> float:
        """The number in the unit itself."""
        return to_float(self.value, self.multiplier)

    @classmethod
    def of(cls, value: float, unit: UnitSymbol, multiplier: int | None = None) -> Self:
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
class Service:
    """A service the SECC offers beside charging."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    service_name: Annotated[str | None, Text(32), El("ServiceName")] = None
    service_category: Annotated[ServiceCategory, El("ServiceCategory")]
    service_scope: Annotated[str | None, Text(64), El("ServiceScope")] = None
    free_service: Annotated[bool, El("FreeService")]


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportedEnergyTransferMode:
    """The ways to charge that the station has.

    Offer at most 5: implementations differ about the end of 6.
    """

    energy_transfer_mode: Annotated[
        tuple[EnergyTransferMode, ...], El("EnergyTransferMode", max_=6)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeService(Service):
    """The charging service itself."""

    supported_energy_transfer_mode: Annotated[
        SupportedEnergyTransferMode, El("SupportedEnergyTransferMode")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceList:
    """Services beside charging."""

    service: Annotated[tuple[Service, ...], El("Service", max_=8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedService:
    """One service the EV takes."""

    service_id: Annotated[UnsignedShort, El("ServiceID")]
    parameter_set_id: Annotated[Short | None, El("ParameterSetID")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectedServiceList:
    """What the EV takes: charging, and perhaps more."""

    selected_service: Annotated[
        tuple[SelectedService, ...], El("SelectedService", max_=16)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOptionList:
    """Ways to pay."""

    payment_option: Annotated[tuple[PaymentOption, ...], El("PaymentOption", max_=2)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named value of a service: exactly one of the six values is given."""

    name: Annotated[str, Text(), Attr("Name")]
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
    parameter: Annotated[tuple[Parameter, ...], El("Parameter", max_=16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceParameterList:
    """The variants of a service."""

    parameter_set: Annotated[tuple[ParameterSet, ...], El("ParameterSet", max_=255)]


# certificates


@dataclass(frozen=True, slots=True, kw_only=True)
class SubCertificates:
    """The certificates between the leaf and the root, DER."""

    certificate: Annotated[tuple[Certificate, ...], El("Certificate", max_=4)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateChain:
    """A leaf certificate (DER) and what leads to its root."""

    id: Annotated[str | None, Text(), Attr("Id", "MsgDataTypes")] = None
    certificate: Annotated[Certificate, El("Certificate")]
    sub_certificates: Annotated[SubCertificates | None, El("SubCertificates")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOfRootCertificateIds:
    """The roots the EV knows, by issuer and serial number."""

    root_certificate_id: Annotated[
        tuple[X509IssuerSerial, ...], El("RootCertificateID", max_=20)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class ContractSignatureEncryptedPrivateKey:
    """The contract's private key, encrypted for the EV: 16 octets of IV, 32 of key."""

    id: Annotated[str, Text(), Attr("Id", "MsgDataTypes")]
    text: Annotated[bytes, Binary(48, base64=True), Content()]


@dataclass(frozen=True, slots=True, kw_only=True)
class DiffieHellmanPublicKey:
    """The sender's half of the key agreement.

    A point on secp256r1, uncompressed, 65 octets.
    """

    id: Annotated[str, Text(), Attr("Id", "MsgDataTypes")]
    text: Annotated[bytes, Binary(65, base64=True), Content()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Emaid:
    """The contract's identifier, signed together with its certificate."""

    id: Annotated[str, Text(), Attr("Id", "MsgDataTypes")]
    text: Annotated[EmaidText, Content()]


# meter, schedules, tariffs


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterInfo:
    """A reading of the meter: Wh, and seconds since 1970."""

    meter_id: Annotated[str, Text(32), El("MeterID")]
    meter_reading: Annotated[UnsignedLong | None, El("MeterReading")] = None
    sig_meter_reading: Annotated[
        bytes | None, Binary(64, base64=True), El("SigMeterReading")
    ] = None
    meter_status: Annotated[Short | None, El("MeterStatus")] = None
    t_meter: Annotated[Long | None, El("TMeter")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RelativeTimeInterval:
    """A time from now on, in seconds."""

    start: Annotated[int, Integer(0, 16_777_214), El("start")]
    duration: Annotated[int | None, Integer(0, 86_400), El("duration")] = None


TIME_INTERVAL = Group("TimeInterval", RelativeTimeInterval=RelativeTimeInterval)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What holds from a time on."""

    time_interval: Annotated[RelativeTimeInterval, TIME_INTERVAL]


@dataclass(frozen=True, slots=True, kw_only=True)
class PMaxScheduleEntry(Entry):
    """The greatest power from a time on, W."""

    p_max: Annotated[PhysicalValue, El("PMax")]


@dataclass(frozen=True, slots=True, kw_only=True)
class PMaxSchedule:
    """The greatest power over time."""

    p_max_schedule_entry: Annotated[
        tuple[PMaxScheduleEntry, ...], El("PMaxScheduleEntry", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """A price, or another measure of one kind, per unit of energy."""

    cost_kind: Annotated[CostKind, El("costKind")]
    amount: Annotated[UnsignedInt, El("amount")]
    amount_multiplier: Annotated[UnitMultiplier | None, El("amountMultiplier")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumptionCost:
    """What a unit costs from a consumption on."""

    start_value: Annotated[PhysicalValue, El("startValue")]
    cost: Annotated[tuple[Cost, ...], El("Cost", max_=3)]


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesTariffEntry(Entry):
    """The price level from a time on."""

    e_price_level: Annotated[UnsignedByte | None, El("EPriceLevel")] = None
    consumption_cost: Annotated[
        tuple[ConsumptionCost, ...], El("ConsumptionCost", min_=0, max_=3)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SalesTariff:
    """Prices over time. A signed one carries an ``id``."""

    id: Annotated[str | None, Text(), Attr("Id", "MsgDataTypes")] = None
    sales_tariff_id: Annotated[SaId, El("SalesTariffID")]
    sales_tariff_description: Annotated[
        str | None, Text(32), El("SalesTariffDescription")
    ] = None
    num_e_price_levels: Annotated[UnsignedByte | None, El("NumEPriceLevels")] = None
    sales_tariff_entry: Annotated[
        tuple[SalesTariffEntry, ...], El("SalesTariffEntry", max_=1024)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class SaScheduleTuple:
    """A schedule the EV may choose."""

    sa_schedule_tuple_id: Annotated[SaId, El("SAScheduleTupleID")]
    p_max_schedule: Annotated[PMaxSchedule, El("PMaxSchedule")]
    sales_tariff: Annotated[SalesTariff | None, El("SalesTariff")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SaScheduleList:
    """The schedules the SECC offers.

    Offer at most 2: implementations differ about the end of 3.
    """

    sa_schedule_tuple: Annotated[
        tuple[SaScheduleTuple, ...], El("SAScheduleTuple", max_=3)
    ]


SA_SCHEDULES = Group("SASchedules", SAScheduleList=SaScheduleList)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileEntry:
    """What the EV means to draw from a time on: seconds, W."""

    charging_profile_entry_start: Annotated[
        UnsignedInt, El("ChargingProfileEntryStart")
    ]
    charging_profile_entry_max_power: Annotated[
        PhysicalValue, El("ChargingProfileEntryMaxPower")
    ]
    charging_profile_entry_max_number_of_phases_in_use: Annotated[
        int | None, Integer(1, 3), El("ChargingProfileEntryMaxNumberOfPhasesInUse")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingProfile:
    """What the EV means to draw over time."""

    profile_entry: Annotated[tuple[ProfileEntry, ...], El("ProfileEntry", max_=24)]


# status and limits of both sides


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseStatus:
    """What the SECC wants of the EV, and within how many seconds."""

    notification_max_delay: Annotated[UnsignedShort, El("NotificationMaxDelay")]
    evse_notification: Annotated[EvseNotification, El("EVSENotification")]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcEvseStatus(EvseStatus):
    """State of an AC station."""

    rcd: Annotated[bool, El("RCD")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvseStatus(EvseStatus):
    """State of a DC station."""

    evse_isolation_status: Annotated[
        IsolationLevel | None, El("EVSEIsolationStatus")
    ] = None
    evse_status_code: Annotated[DcEvseStatusCode, El("EVSEStatusCode")]


EVSE_STATUS = Group(
    "EVSEStatus", AC_EVSEStatus=AcEvseStatus, DC_EVSEStatus=DcEvseStatus
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvStatus:
    """State of the EV at a DC station; the state of charge in percent."""

    ev_ready: Annotated[bool, El("EVReady")]
    ev_error_code: Annotated[DcEvErrorCode, El("EVErrorCode")]
    ev_ress_soc: Annotated[Percent, El("EVRESSSOC")]


@dataclass(frozen=True, slots=True, kw_only=True)
class EvChargeParameter:
    """When the EV will leave, in seconds from now."""

    departure_time: Annotated[UnsignedInt | None, El("DepartureTime")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcEvChargeParameter(EvChargeParameter):
    """What the EV asks of an AC station: Wh, V, A."""

    e_amount: Annotated[PhysicalValue, El("EAmount")]
    ev_max_voltage: Annotated[PhysicalValue, El("EVMaxVoltage")]
    ev_max_current: Annotated[PhysicalValue, El("EVMaxCurrent")]
    ev_min_current: Annotated[PhysicalValue, El("EVMinCurrent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvChargeParameter(EvChargeParameter):
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


EV_CHARGE_PARAMETER = Group(
    "EVChargeParameter",
    AC_EVChargeParameter=AcEvChargeParameter,
    DC_EVChargeParameter=DcEvChargeParameter,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AcEvseChargeParameter:
    """The limits of an AC station."""

    ac_evse_status: Annotated[AcEvseStatus, El("AC_EVSEStatus")]
    evse_nominal_voltage: Annotated[PhysicalValue, El("EVSENominalVoltage")]
    evse_max_current: Annotated[PhysicalValue, El("EVSEMaxCurrent")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcEvseChargeParameter:
    """The limits of a DC station."""

    dc_evse_status: Annotated[DcEvseStatus, El("DC_EVSEStatus")]
    evse_maximum_current_limit: Annotated[PhysicalValue, El("EVSEMaximumCurrentLimit")]
    evse_maximum_power_limit: Annotated[PhysicalValue, El("EVSEMaximumPowerLimit")]
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


EV_POWER_DELIVERY_PARAMETER = Group(
    "EVPowerDeliveryParameter", DC_EVPowerDeliveryParameter=DcEvPowerDeliveryParameter
)
