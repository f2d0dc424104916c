"""Which fields of a message matter, and the units of those that carry none.

A path leads through the neutral JSON of a message body (``Header`` is put beside it);
``*`` stands for any name, or for every entry of a list. What is not there is left out,
so one row serves the protocols that share a message's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum, auto

Field = tuple[str, str]  # words in front, path

_TARGETS: Sequence[Field] = (("target", "EVTargetVoltage"), ("", "EVTargetCurrent"))
_SOC: Field = ("SoC", "DC_EVStatus.EVRESSSOC")
_PRESENT_V: Field = ("present", "EVSEPresentVoltage")
_LOOP_METER: Sequence[Field] = (
    ("meter", "MeterInfo.MeterReading"),
    ("meter", "MeterInfo.ChargedEnergyReadingWh"),
)
_EV_LIMITS: Sequence[Field] = (
    ("at most", "*.EVMaximumVoltage"),
    ("", "*.EVMaximumChargeCurrent"),
    ("", "*.EVMaximumChargePower"),
    ("back", "*.EVMaximumDischargePower"),
)
_EVSE_LIMITS: Sequence[Field] = (
    ("at most", "*.EVSEMaximumVoltage"),
    ("", "*.EVSEMaximumChargeCurrent"),
    ("", "*.EVSEMaximumChargePower"),
    ("back", "*.EVSEMaximumDischargePower"),
)
_DISPLAY: Sequence[Field] = (
    ("SoC", "DisplayParameters.PresentSOC"),
    ("wants", "*.EVTargetEnergyRequest"),
)

FIELDS: Mapping[str, Sequence[Field]] = {
    "supportedAppProtocolReq": (("", "AppProtocol.*.ProtocolNamespace"),),
    "supportedAppProtocolRes": (("schema", "SchemaID"),),
    "SessionSetupReq": (("EVCCID", "EVCCID"), ("session", "Header.SessionID")),
    "SessionSetupRes": (("EVSEID", "EVSEID"), ("session", "Header.SessionID")),
    "ServiceDiscoveryReq": (("", "ServiceCategory"),),
    "ServiceDiscoveryRes": (
        ("", "PaymentOptions.PaymentOption.*"),
        ("", "PaymentOptionList.PaymentOption.*"),
        ("", "ChargeService.EnergyTransferType"),
        ("", "ChargeService.SupportedEnergyTransferMode.EnergyTransferMode.*"),
        ("service", "EnergyTransferServiceList.Service.*.ServiceID"),
        ("also", "ServiceList.Service.*.ServiceID"),
        ("also", "VASList.Service.*.ServiceID"),
    ),
    "ServiceDetailReq": (("service", "ServiceID"),),
    "ServiceDetailRes": (
        ("service", "ServiceID"),
        ("sets", "ServiceParameterList.ParameterSet.*.ParameterSetID"),
    ),
    "ServicePaymentSelectionReq": (
        ("", "SelectedPaymentOption"),
        ("service", "SelectedServiceList.SelectedService.*.ServiceID"),
    ),
    "PaymentServiceSelectionReq": (
        ("", "SelectedPaymentOption"),
        ("service", "SelectedServiceList.SelectedService.*.ServiceID"),
    ),
    "ServiceSelectionReq": (
        ("service", "SelectedEnergyTransferService.ServiceID"),
        ("set", "SelectedEnergyTransferService.ParameterSetID"),
    ),
    "PaymentDetailsReq": (("contract", "eMAID"), ("contract", "ContractID")),
    "AuthorizationSetupRes": (("", "AuthorizationServices.*"),),
    "AuthorizationReq": (("", "SelectedAuthorizationService"),),
    "ChargeParameterDiscoveryReq": (
        ("", "EVRequestedEnergyTransferType"),
        ("", "RequestedEnergyTransferMode"),
        ("SoC", "*.DC_EVStatus.EVRESSSOC"),
        ("at most", "*.EVMaximumVoltageLimit"),
        ("", "*.EVMaximumCurrentLimit"),
        ("", "*.EVMaximumPowerLimit"),
        ("wants", "*.EVEnergyRequest"),
        ("wants", "*.EAmount"),
        ("at most", "*.EVMaxVoltage"),
        ("", "*.EVMaxCurrent"),
        ("leaves in", "*.DepartureTime"),
    ),
    "ChargeParameterDiscoveryRes": (
        ("at most", "*.EVSEMaximumVoltageLimit"),
        ("", "*.EVSEMaximumCurrentLimit"),
        ("", "*.EVSEMaximumPowerLimit"),
        ("at most", "*.EVSEMaxVoltage"),
        ("", "*.EVSENominalVoltage"),
        ("", "*.EVSEMaxCurrent"),
    ),
    "CableCheckReq": (_SOC,),
    "PreChargeReq": (*_TARGETS, _SOC),
    "PreChargeRes": (_PRESENT_V,),
    "PowerDeliveryReq": (
        ("ready to charge", "ReadyToChargeState"),
        ("", "ChargeProgress"),
        ("", "BPT_ChannelSelection"),
    ),
    "CurrentDemandReq": (*_TARGETS, _SOC),
    "CurrentDemandRes": (_PRESENT_V, ("", "EVSEPresentCurrent"), *_LOOP_METER),
    "ChargingStatusRes": (("at most", "EVSEMaxCurrent"), *_LOOP_METER),
    "MeteringReceiptReq": (("meter", "MeterInfo.MeterReading"),),
    "WeldingDetectionRes": (_PRESENT_V,),
    "SessionStopReq": (
        ("", "ChargingSession"),
        ("", "EVTerminationCode"),
        ("", "EVTerminationExplanation"),
    ),
    "DC_ChargeParameterDiscoveryReq": (*_EV_LIMITS, ("goal", "*.TargetSOC")),
    "DC_ChargeParameterDiscoveryRes": _EVSE_LIMITS,
    "AC_ChargeParameterDiscoveryReq": _EV_LIMITS,
    "AC_ChargeParameterDiscoveryRes": (
        *_EVSE_LIMITS,
        ("", "*.EVSENominalFrequency"),
    ),
    "ScheduleExchangeReq": (
        ("leaves in", "*.DepartureTime"),
        ("wants", "*.EVTargetEnergyRequest"),
        ("goal", "*.TargetSOC"),
    ),
    "ScheduleExchangeRes": (("leaves in", "*.DepartureTime"), ("pause", "GoToPause")),
    "DC_PreChargeReq": (
        ("target", "EVTargetVoltage"),
        ("present", "EVPresentVoltage"),
    ),
    "DC_PreChargeRes": (_PRESENT_V,),
    "DC_ChargeLoopReq": (
        ("present", "EVPresentVoltage"),
        ("target", "*.EVTargetVoltage"),
        ("", "*.EVTargetCurrent"),
        *_EV_LIMITS,
        *_DISPLAY,
    ),
    "DC_ChargeLoopRes": (
        _PRESENT_V,
        ("", "EVSEPresentCurrent"),
        *_EVSE_LIMITS,
        *_LOOP_METER,
    ),
    "AC_ChargeLoopReq": (("present", "*.EVPresentActivePower"), *_DISPLAY),
    "AC_ChargeLoopRes": (
        ("target", "*.EVSETargetActivePower"),
        ("present", "*.EVSEPresentActivePower"),
        *_LOOP_METER,
    ),
    "DC_WeldingDetectionRes": (_PRESENT_V,),
    "WPT_ChargeLoopReq": (("asks for", "EVPCPowerRequest"), *_DISPLAY),
    "WPT_ChargeLoopRes": (("gives", "EVPCPowerRequest"), *_LOOP_METER),
}


class Tone(Enum):
    """How loud something is said."""

    SILENT = auto()
    PLAIN = auto()
    CAUTION = auto()
    ALARM = auto()


# states of both sides, wherever they stand: words in front, and how loud each value
# is; the empty value is any other
STATES: Mapping[str, tuple[str, Mapping[object, Tone]]] = {
    "EVSEProcessing": ("", {"Finished": Tone.SILENT, "": Tone.PLAIN}),
    "EVProcessing": ("", {"Finished": Tone.SILENT, "": Tone.PLAIN}),
    "EVSEStatusCode": (
        "",
        {
            "EVSE_Ready": Tone.SILENT,
            "EVSE_NotReady": Tone.CAUTION,
            "EVSE_Shutdown": Tone.CAUTION,
            "EVSE_IsolationMonitoringActive": Tone.CAUTION,
            "": Tone.ALARM,
        },
    ),
    "EVSENotification": ("", {"None": Tone.SILENT, "": Tone.CAUTION}),
    "EVSEIsolationStatus": (
        "isolation",
        {
            "Valid": Tone.SILENT,
            "Safe": Tone.SILENT,
            "Invalid": Tone.PLAIN,
            "No_IMD": Tone.PLAIN,
            "Warning": Tone.CAUTION,
            "": Tone.ALARM,
        },
    ),
    "EVErrorCode": ("", {"NO_ERROR": Tone.SILENT, "": Tone.ALARM}),
    "FaultCode": ("fault", {"": Tone.ALARM}),
    "FaultMsg": ("", {"": Tone.ALARM}),
    "RCD": ("RCD", {True: Tone.ALARM, "": Tone.SILENT}),
    "InletHot": ("inlet hot", {True: Tone.ALARM, "": Tone.SILENT}),
    "ChargingComplete": (
        "charging complete",
        {True: Tone.PLAIN, "": Tone.SILENT},
    ),
    "ReceiptRequired": ("receipt due", {True: Tone.PLAIN, "": Tone.SILENT}),
    "EVSECurrentLimitAchieved": ("current limit", {True: Tone.PLAIN, "": Tone.SILENT}),
    "EVSEVoltageLimitAchieved": ("voltage limit", {True: Tone.PLAIN, "": Tone.SILENT}),
    "EVSEPowerLimitAchieved": ("power limit", {True: Tone.PLAIN, "": Tone.SILENT}),
}
RESPONSE_CODE = "ResponseCode"
USUAL_CODES = ("OK", "OK_SuccessfulNegotiation")
CODE_TONES: Sequence[tuple[str, Tone]] = (  # by what a code begins with
    ("OK", Tone.PLAIN),
    ("WARNING", Tone.CAUTION),
    ("", Tone.ALARM),
)

# units of numbers that come without: what their name contains, first fit
UNITS: Sequence[tuple[str, str]] = (
    ("Voltage", "V"),
    ("ReactivePower", "var"),
    ("Power", "W"),
    ("PMax", "W"),
    ("Current", "A"),
    ("VARh", "varh"),
    ("Energy", "Wh"),
    ("MeterReading", "Wh"),
    ("Frequency", "Hz"),
    ("SOC", "%"),
    ("SoC", "%"),
    ("NotificationMaxDelay", "s"),
    ("AckMaxDelay", "s"),
    ("DepartureTime", "s"),
    ("RemainingTime", "s"),
    ("Duration", "s"),
    ("duration", "s"),
    ("start", "s"),
    ("EntryStart", "s"),
)
NO_UNIT = ("PowerScheduleID", "EnergyFee", "NumberOf", "Tolerance")
