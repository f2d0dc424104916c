"""ISO 15118-20:2022: what the messages of all its schemas share (V2G_CI_CommonTypes).

Numbers are ``RationalNumber`` without a unit; the element says it: power W (reactive
var), energy Wh, voltage V, current A, frequency Hz. Times are seconds, stamps seconds
since 1970, unless said otherwise.
"""

from __future__ import annotations

from typing import Annotated, Self

from pilothat.exi.schema import (
    Binary,
    Byte,
    El,
    Integer,
    Short,
    Text,
    UnsignedInt,
    UnsignedLong,
    UnsignedShort,
    WireEnum,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.decimal import nearest, to_float
from pilothat.v2g.messages.xmldsig import Signature, X509IssuerSerial

EXPONENTS = range(-128, 128)
USUAL_EXPONENTS = range(-3, 10)  # finest first; our choice: nothing needs finer steps
Percent = Annotated[int, Integer(0, 100)]
NumericId = Annotated[int, Integer(1, (1 << 32) - 1)]
SessionId = Annotated[bytes, Binary(8)]
Identifier = Annotated[str, Text(255)]
Name = Annotated[str, Text(80)]
Description = Annotated[str, Text(160)]


class ResponseCode(WireEnum):
    OK = 0
    OK_CertificateExpiresSoon = 1
    OK_NewSessionEstablished = 2
    OK_OldSessionJoined = 3
    OK_PowerToleranceConfirmed = 4
    WARNING_AuthorizationSelectionInvalid = 5
    WARNING_CertificateExpired = 6
    WARNING_CertificateNotYetValid = 7
    WARNING_CertificateRevoked = 8
    WARNING_CertificateValidationError = 9
    WARNING_ChallengeInvalid = 10
    WARNING_EIMAuthorizationFailure = 11
    WARNING_eMSPUnknown = 12
    WARNING_EVPowerProfileViolation = 13
    WARNING_GeneralPnCAuthorizationError = 14
    WARNING_NoCertificateAvailable = 15
    WARNING_NoContractMatchingPCIDFound = 16
    WARNING_PowerToleranceNotConfirmed = 17
    WARNING_ScheduleRenegotiationFailed = 18
    WARNING_StandbyNotAllowed = 19
    WARNING_WPT = 20
    FAILED = 21
    FAILED_AssociationError = 22
    FAILED_ContactorError = 23
    FAILED_EVPowerProfileInvalid = 24
    FAILED_EVPowerProfileViolation = 25
    FAILED_MeteringSignatureNotValid = 26
    FAILED_NoEnergyTransferServiceSelected = 27
    FAILED_NoServiceRenegotiationSupported = 28
    FAILED_PauseNotAllowed = 29
    FAILED_PowerDeliveryNotApplied = 30
    FAILED_PowerToleranceNotConfirmed = 31
    FAILED_ScheduleRenegotiation = 32
    FAILED_ScheduleSelectionInvalid = 33
    FAILED_SequenceError = 34
    FAILED_ServiceIDInvalid = 35
    FAILED_ServiceSelectionInvalid = 36
    FAILED_SignatureError = 37
    FAILED_UnknownSession = 38
    FAILED_WrongChargeParameter = 39


class Processing(WireEnum):
    Finished = 0
    Ongoing = 1
    Ongoing_WaitingForCustomerInteraction = 2


class EvseNotification(WireEnum):
    Pause = 0
    ExitStandby = 1
    Terminate = 2
    ScheduleRenegotiation = 3
    ServiceRenegotiation = 4
    MeteringConfirmation = 5


# values


@dataclass(frozen=True, slots=True, kw_only=True)
class RationalNumber:
    """A number: ``value`` times ten to the power of ``exponent``."""

    exponent: Annotated[Byte, El("Exponent")]
    value: Annotated[Short, El("Value")]

    @property
    def si(self) -> float:
        """The number in the unit itself."""
        return to_float(self.value, self.exponent)

    @classmethod
    def of(cls, value: float, exponent: int | None = None) -> Self:
        """Return the nearest number the wire can carry.

        exponent: -128..127; if not given, the one of -3..9 with the finest steps that
        fits. Raises ValueError for a number out of range, or not finite.
        """
        if exponent is not None and exponent not in EXPONENTS:
            raise ValueError(f"exponent {exponent} is not in -128..127")
        found = nearest(value, USUAL_EXPONENTS if exponent is None else (exponent,))
        if found is None:
            raise ValueError(f"{value} does not fit a rational number")
        return cls(value=found[0], exponent=found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseStatus:
    """What the SECC wants of the EV, and within how many seconds."""

    notification_max_delay: Annotated[UnsignedShort, El("NotificationMaxDelay")]
    evse_notification: Annotated[EvseNotification, El("EVSENotification")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DisplayParameters:
    """What the EV would like to be shown to people: percent, seconds, Wh."""

    present_soc: Annotated[Percent | None, El("PresentSOC")] = None
    minimum_soc: Annotated[Percent | None, El("MinimumSOC")] = None
    target_soc: Annotated[Percent | None, El("TargetSOC")] = None
    maximum_soc: Annotated[Percent | None, El("MaximumSOC")] = None
    remaining_time_to_minimum_soc: Annotated[
        UnsignedInt | None, El("RemainingTimeToMinimumSOC")
    ] = None
    remaining_time_to_target_soc: Annotated[
        UnsignedInt | None, El("RemainingTimeToTargetSOC")
    ] = None
    remaining_time_to_maximum_soc: Annotated[
        UnsignedInt | None, El("RemainingTimeToMaximumSOC")
    ] = None
    charging_complete: Annotated[bool | None, El("ChargingComplete")] = None
    battery_energy_capacity: Annotated[
        RationalNumber | None, El("BatteryEnergyCapacity")
    ] = None
    inlet_hot: Annotated[bool | None, El("InletHot")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterInfo:
    """A reading of the meter, with its signature."""

    meter_id: Annotated[str, Text(32), El("MeterID")]
    charged_energy_reading_wh: Annotated[UnsignedLong, El("ChargedEnergyReadingWh")]
    bpt_discharged_energy_reading_wh: Annotated[
        UnsignedLong | None, El("BPT_DischargedEnergyReadingWh")
    ] = None
    capacitive_energy_reading_varh: Annotated[
        UnsignedLong | None, El("CapacitiveEnergyReadingVARh")
    ] = None
    bpt_inductive_energy_reading_varh: Annotated[
        UnsignedLong | None, El("BPT_InductiveEnergyReadingVARh")
    ] = None
    meter_signature: Annotated[
        bytes | None, Binary(64, base64=True), El("MeterSignature")
    ] = None
    meter_status: Annotated[Short | None, El("MeterStatus")] = None
    meter_timestamp: Annotated[UnsignedLong | None, El("MeterTimestamp")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailedCost:
    """What a part of the charge cost: amount, and price of a unit."""

    amount: Annotated[RationalNumber, El("Amount")]
    cost_per_unit: Annotated[RationalNumber, El("CostPerUnit")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DetailedTax:
    """What one tax rule came to."""

    tax_rule_id: Annotated[NumericId, El("TaxRuleID")]
    amount: Annotated[RationalNumber, El("Amount")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What the charge has cost so far."""

    time_anchor: Annotated[UnsignedLong, El("TimeAnchor")]
    energy_costs: Annotated[DetailedCost | None, El("EnergyCosts")] = None
    occupancy_costs: Annotated[DetailedCost | None, El("OccupancyCosts")] = None
    additional_services_costs: Annotated[
        DetailedCost | None, El("AdditionalServicesCosts")
    ] = None
    overstay_costs: Annotated[DetailedCost | None, El("OverstayCosts")] = None
    tax_costs: Annotated[tuple[DetailedTax, ...], El("TaxCosts", min_=0, max_=10)] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOfRootCertificateIds:
    """The roots the EV knows, by issuer and serial number."""

    root_certificate_id: Annotated[
        tuple[X509IssuerSerial, ...], El("RootCertificateID", max_=20)
    ]


# messages


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageHeader:
    """What every message carries.

    The session id is 8 octets, all zero before there is one; the schema asks for no
    less, but shorter ones are not refused here.
    """

    session_id: Annotated[SessionId, El("SessionID")]
    time_stamp: Annotated[UnsignedLong, El("TimeStamp")]
    signature: Annotated[Signature | None, El("Signature")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message as it goes over the wire: each is a root element of its own."""

    header: Annotated[MessageHeader, El("Header")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request(Message):
    """A message of the EV."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Response(Message):
    """A message of the SECC: each begins with a response code."""

    response_code: Annotated[ResponseCode, El("ResponseCode")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLoopReq(Request):
    """What the EV repeats while energy flows, in every energy mode."""

    display_parameters: Annotated[DisplayParameters | None, El("DisplayParameters")] = (
        None
    )
    meter_info_requested: Annotated[bool, El("MeterInfoRequested")]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargeLoopRes(Response):
    """What the SECC answers while energy flows, in every energy mode."""

    evse_status: Annotated[EvseStatus | None, El("EVSEStatus")] = None
    meter_info: Annotated[MeterInfo | None, El("MeterInfo")] = None
    receipt: Annotated[Receipt | None, El("Receipt")] = None


# control modes of the charge loop


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledClReqControlMode:
    """The EV keeps to a schedule; Wh until departure, if it tells."""

    ev_target_energy_request: Annotated[
        RationalNumber | None, El("EVTargetEnergyRequest")
    ] = None
    ev_maximum_energy_request: Annotated[
        RationalNumber | None, El("EVMaximumEnergyRequest")
    ] = None
    ev_minimum_energy_request: Annotated[
        RationalNumber | None, El("EVMinimumEnergyRequest")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicClReqControlMode:
    """The SECC decides about power; Wh until departure."""

    departure_time: Annotated[UnsignedInt | None, El("DepartureTime")] = None
    ev_target_energy_request: Annotated[RationalNumber, El("EVTargetEnergyRequest")]
    ev_maximum_energy_request: Annotated[RationalNumber, El("EVMaximumEnergyRequest")]
    ev_minimum_energy_request: Annotated[RationalNumber, El("EVMinimumEnergyRequest")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicClResControlMode:
    """What the SECC plans when it decides: seconds, percent."""

    departure_time: Annotated[UnsignedInt | None, El("DepartureTime")] = None
    minimum_soc: Annotated[Percent | None, El("MinimumSOC")] = None
    target_soc: Annotated[Percent | None, El("TargetSOC")] = None
    ack_max_delay: Annotated[UnsignedShort | None, El("AckMaxDelay")] = None
