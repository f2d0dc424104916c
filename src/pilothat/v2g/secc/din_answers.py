"""Responses of DIN SPEC 70121: the parts that several handlers share.

Values only; what to say is decided in ``secc.din``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from pilothat.plant import Isolation
from pilothat.v2g.messages import din
from pilothat.v2g.messages.din import (
    AcEvseStatus,
    DcEvseStatus,
    DcEvseStatusCode,
    EvseProcessing,
    IsolationLevel,
    PhysicalValue,
    ResponseCode,
    UnitSymbol,
)
from pilothat.v2g.plant import PlantState

SCHEDULE_S = 86_400  # what a schedule entry must last
P_MAX_W = 32_767  # PMax is a signed 16 bit number of W
CHARGE_SERVICE_ID = 1  # what every car expects
SCHEDULE_ID = 1
RIPPLE_A = 2.0
_KEPT = 64  # values: the ratings stand in every answer of the loop
HIGHEST, LOWEST = 3276.7, -3276.8  # what 16 bits can say in tenths

_Code = DcEvseStatusCode
_GOING_ON = (_Code.EVSE_Ready, _Code.EVSE_IsolationMonitoringActive)
_ISOLATION = {
    Isolation.INVALID: IsolationLevel.Invalid,
    Isolation.VALID: IsolationLevel.Valid,
    Isolation.WARNING: IsolationLevel.Warning,
    Isolation.FAULT: IsolationLevel.Fault,
}


def refusal(
    request: din.Request, code: ResponseCode, plant: PlantState, evse_id: bytes
) -> din.Response:
    """Return the response that belongs to a request, with what it must contain.

    All requests of the schema have one, also those that this station never serves.
    """
    match request:
        case din.SessionSetupReq():
            return din.SessionSetupRes(response_code=code, evse_id=evse_id)
        case din.ServiceDiscoveryReq():
            return din.ServiceDiscoveryRes(
                response_code=code,
                payment_options=payment_options(),
                charge_service=charge_service(),
            )
        case din.ChargeParameterDiscoveryReq():
            return parameter_response(plant, code)
    name = type(request).__name__.removesuffix("Req")
    for contents in (_POWER, _PLAIN, _UNSERVED):
        if name in contents:
            return contents[name](code, plant)
    raise TypeError(f"{name}Req has no response")


def _precharge(code: ResponseCode, plant: PlantState) -> din.Response:
    return din.PreChargeRes(
        response_code=code,
        dc_evse_status=status(plant, _Code.EVSE_NotReady),
        evse_present_voltage=volts(plant.outlet_v),
    )


def _welding(code: ResponseCode, plant: PlantState) -> din.Response:
    return din.WeldingDetectionRes(
        response_code=code,
        dc_evse_status=status(plant, _Code.EVSE_NotReady),
        evse_present_voltage=volts(plant.outlet_v),
    )


def _current(code: ResponseCode, plant: PlantState) -> din.Response:
    return din.CurrentDemandRes(
        response_code=code,
        dc_evse_status=status(plant, _Code.EVSE_NotReady),
        evse_present_voltage=volts(plant.outlet_v),
        evse_present_current=amperes(plant.current_a),
        evse_current_limit_achieved=False,
        evse_voltage_limit_achieved=False,
        evse_power_limit_achieved=False,
    )


Refuse = Callable[[ResponseCode, PlantState], din.Response]
_POWER: Mapping[str, Refuse] = {
    "CableCheck": lambda code, plant: din.CableCheckRes(
        response_code=code,
        dc_evse_status=status(plant, _Code.EVSE_NotReady),
        evse_processing=EvseProcessing.Finished,
    ),
    "PreCharge": _precharge,
    "PowerDelivery": lambda code, plant: din.PowerDeliveryRes(
        response_code=code, evse_status=status(plant, _Code.EVSE_NotReady)
    ),
    "CurrentDemand": _current,
    "WeldingDetection": _welding,
}
_PLAIN: Mapping[str, Refuse] = {
    "ServicePaymentSelection": lambda code, _: din.ServicePaymentSelectionRes(
        response_code=code
    ),
    "ContractAuthentication": lambda code, _: din.ContractAuthenticationRes(
        response_code=code, evse_processing=EvseProcessing.Finished
    ),
    "SessionStop": lambda code, _: din.SessionStopRes(response_code=code),
}
_AC = AcEvseStatus(
    power_switch_closed=False,
    rcd=False,
    notification_max_delay=0,
    evse_notification=din.EvseNotification.NONE,
)
_NO_CHAIN = din.CertificateChain(certificate=b"")
_UNSERVED: Mapping[str, Refuse] = {
    "ServiceDetail": lambda code, _: din.ServiceDetailRes(
        response_code=code, service_id=CHARGE_SERVICE_ID
    ),
    "PaymentDetails": lambda code, _: din.PaymentDetailsRes(
        response_code=code, gen_challenge="", date_time_now=0
    ),
    "ChargingStatus": lambda code, _: din.ChargingStatusRes(
        response_code=code,
        evse_id=b"\0",
        sa_schedule_tuple_id=SCHEDULE_ID,
        receipt_required=False,
        ac_evse_status=_AC,
    ),
    "MeteringReceipt": lambda code, _: din.MeteringReceiptRes(
        response_code=code, ac_evse_status=_AC
    ),
    "CertificateInstallation": lambda code, _: din.CertificateInstallationRes(
        response_code=code,
        id="none",
        contract_signature_cert_chain=_NO_CHAIN,
        contract_signature_encrypted_private_key=b"",
        dh_params=b"",
        contract_id="",
    ),
    "CertificateUpdate": lambda code, _: din.CertificateUpdateRes(
        response_code=code,
        id="none",
        contract_signature_cert_chain=_NO_CHAIN,
        contract_signature_encrypted_private_key=b"",
        dh_params=b"",
        contract_id="",
        retry_counter=0,
    ),
}


def payment_options() -> din.PaymentOptions:
    """Return what may pay: DIN knows external payment only."""
    return din.PaymentOptions(payment_option=(din.PaymentOption.ExternalPayment,))


def charge_service() -> din.ServiceCharge:
    """Return the one service: DC on a combo connector."""
    return din.ServiceCharge(
        service_tag=din.ServiceTag(
            service_id=CHARGE_SERVICE_ID,
            service_category=din.ServiceCategory.EVCharging,
        ),
        free_service=False,
        energy_transfer_type=din.EvseSupportedEnergyTransferType.DC_extended,
    )


def parameter_response(
    plant: PlantState, code: ResponseCode
) -> din.ChargeParameterDiscoveryRes:
    """Return the rated limits and a schedule for a day."""
    ratings = plant.ratings
    entry = din.PMaxScheduleEntry(
        time_interval=din.RelativeTimeInterval(start=0, duration=SCHEDULE_S),
        p_max=p_max_w(plant),
    )
    schedule = din.SaScheduleTuple(
        sa_schedule_tuple_id=SCHEDULE_ID,
        p_max_schedule=din.PMaxSchedule(
            p_max_schedule_id=SCHEDULE_ID, p_max_schedule_entry=(entry,)
        ),
    )
    parameter = din.DcEvseChargeParameter(
        dc_evse_status=status(plant, _Code.EVSE_Ready),
        evse_maximum_current_limit=amperes(ratings.max_a),
        evse_maximum_power_limit=watts(ratings.max_w),
        evse_maximum_voltage_limit=volts(ratings.max_v),
        evse_minimum_current_limit=amperes(ratings.min_a),
        evse_minimum_voltage_limit=volts(ratings.min_v),
        evse_peak_current_ripple=amperes(RIPPLE_A),
    )
    return din.ChargeParameterDiscoveryRes(
        response_code=code,
        evse_processing=EvseProcessing.Finished,
        sa_schedules=din.SaScheduleList(sa_schedule_tuple=(schedule,)),
        evse_charge_parameter=parameter,
    )


def status(plant: PlantState, code: DcEvseStatusCode) -> DcEvseStatus:
    """Return the status; a fault or a wish to stop overrules ``code``."""
    if plant.fault:
        code = DcEvseStatusCode[plant.fault.row.evse_status]
    elif plant.wants_stop and code in _GOING_ON:
        code = _Code.EVSE_Shutdown
    return DcEvseStatus(
        evse_isolation_status=_ISOLATION[plant.isolation],
        evse_status_code=code,
        notification_max_delay=0,
        evse_notification=din.EvseNotification.NONE,
    )


def processing(*, is_done: bool) -> EvseProcessing:
    """Return Finished or Ongoing."""
    return EvseProcessing.Finished if is_done else EvseProcessing.Ongoing


def p_max_w(plant: PlantState) -> int:
    """Return the power of the schedule, as far as its 16 bits can say it."""
    return min(round(plant.ratings.max_w), P_MAX_W)


@lru_cache(maxsize=_KEPT)
def volts(number: float) -> PhysicalValue:
    """Return a voltage in tenths, as far as they go."""
    return PhysicalValue.of(_in_tenths(number), UnitSymbol.V, -1)


@lru_cache(maxsize=_KEPT)
def amperes(number: float) -> PhysicalValue:
    """Return a current in tenths, as far as they go."""
    return PhysicalValue.of(_in_tenths(number), UnitSymbol.A, -1)


def _in_tenths(number: float) -> float:
    return max(LOWEST, min(number, HIGHEST))


@lru_cache(maxsize=_KEPT)
def watts(number: float) -> PhysicalValue:
    """Return a power."""
    return PhysicalValue.of(number, UnitSymbol.W)
