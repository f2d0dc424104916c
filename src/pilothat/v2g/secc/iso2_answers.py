"""Responses of ISO 15118-2: the parts that several handlers share.

Values only; what to say is decided in ``secc.iso2``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache

from pilothat.frozen import dataclass
from pilothat.plant import AcRatings, Isolation
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.iso2_types import (
    AcEvseChargeParameter,
    AcEvseStatus,
    CertificateChain,
    ChargeService,
    ContractSignatureEncryptedPrivateKey,
    DcEvseChargeParameter,
    DcEvseStatus,
    DcEvseStatusCode,
    DiffieHellmanPublicKey,
    Emaid,
    EnergyTransferMode,
    EvseNotification,
    EvseProcessing,
    IsolationLevel,
    PaymentOption,
    PaymentOptionList,
    PhysicalValue,
    PMaxSchedule,
    PMaxScheduleEntry,
    RelativeTimeInterval,
    ResponseCode,
    SalesTariff,
    SaScheduleList,
    SaScheduleTuple,
    ServiceCategory,
    SupportedEnergyTransferMode,
    UnitSymbol,
)
from pilothat.v2g.plant import STOP_WITHIN_S, PlantState

DAY_S = 86_400  # what a schedule must last when the car does not say when it leaves
LATEST_S = 16_777_214 + DAY_S  # what two entries can say
CHARGE_SERVICE_ID = 1
SCHEDULE_ID = 1
RIPPLE_A = 2.0
PHASES = 3
_KEPT = 64  # values: the ratings stand in every answer of the loop

_Code = DcEvseStatusCode
_GOING_ON = (_Code.EVSE_Ready, _Code.EVSE_IsolationMonitoringActive)
_ISOLATION = {
    Isolation.INVALID: IsolationLevel.Invalid,
    Isolation.VALID: IsolationLevel.Valid,
    Isolation.WARNING: IsolationLevel.Warning,
    Isolation.FAULT: IsolationLevel.Fault,
}


@dataclass(frozen=True, slots=True)
class Offer:
    """What a station says of itself in every session."""

    evse_id: str = "ZZ00000"  # "not available"
    modes: tuple[EnergyTransferMode, ...] = (EnergyTransferMode.DC_extended,)
    meter_id: str = ""  # of the meter whose reading cars are told; empty: none
    internet: tuple[int, ...] = ()  # parameter sets of services.INTERNET that work


def modes_of(ac: AcRatings | None) -> tuple[EnergyTransferMode, ...]:
    """Return what an outlet can do: the DC pins of a combo connector, or AC."""
    if ac is None:
        return (EnergyTransferMode.DC_extended,)
    single = EnergyTransferMode.AC_single_phase_core
    if ac.phases < PHASES:
        return (single,)
    return (EnergyTransferMode.AC_three_phase_core, single)


def refusal(
    request: iso2.Request, code: ResponseCode, plant: PlantState, offer: Offer
) -> iso2.Response:
    """Return the response that belongs to a request, with what it must contain.

    All requests of the schema have one, also those that this station never serves.
    """
    return _REFUSALS[type(request)](code, plant, offer)


def discovery(code: ResponseCode, offer: Offer) -> iso2.ServiceDiscoveryRes:
    """Return the one service, paid for outside of the car."""
    return iso2.ServiceDiscoveryRes(
        response_code=code,
        payment_option_list=PaymentOptionList(
            payment_option=(PaymentOption.ExternalPayment,)
        ),
        charge_service=ChargeService(
            service_id=CHARGE_SERVICE_ID,
            service_category=ServiceCategory.EVCharging,
            free_service=False,
            supported_energy_transfer_mode=SupportedEnergyTransferMode(
                energy_transfer_mode=offer.modes
            ),
        ),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """What a schedule is made for.

    lasts_s: until the car leaves. phases: of an AC car. prices: None tells none
    """

    lasts_s: int = DAY_S
    phases: int = PHASES
    prices: SalesTariff | None = None


FOR_A_DAY = Told()


def lasting_s(departure_s: int | None) -> int:
    """Return how long a schedule lasts: until the car leaves, or for a day."""
    return min(departure_s or DAY_S, LATEST_S)


def parameters(
    plant: PlantState, code: ResponseCode, told: Told = FOR_A_DAY
) -> iso2.ChargeParameterDiscoveryRes:
    """Return the rated limits, and a schedule."""
    ratings, ac = plant.ratings, plant.ac
    max_w = ac.max_w(told.phases) if ac else ratings.max_w
    return iso2.ChargeParameterDiscoveryRes(
        response_code=code,
        evse_processing=EvseProcessing.Finished,
        sa_schedules=SaScheduleList(
            sa_schedule_tuple=(
                SaScheduleTuple(
                    sa_schedule_tuple_id=SCHEDULE_ID,
                    p_max_schedule=_schedule(max_w, told.lasts_s),
                    sales_tariff=told.prices,
                ),
            )
        ),
        evse_charge_parameter=_ac_parameter(plant, plant.ac)
        if plant.ac
        else DcEvseChargeParameter(
            dc_evse_status=status(plant, _Code.EVSE_Ready),
            evse_maximum_current_limit=amperes(ratings.max_a),
            evse_maximum_power_limit=watts(ratings.max_w),
            evse_maximum_voltage_limit=volts(ratings.max_v),
            evse_minimum_current_limit=amperes(ratings.min_a),
            evse_minimum_voltage_limit=volts(ratings.min_v),
            evse_peak_current_ripple=amperes(RIPPLE_A),
        ),
    )


def _ac_parameter(plant: PlantState, ac: AcRatings) -> AcEvseChargeParameter:
    return AcEvseChargeParameter(
        ac_evse_status=ac_status(plant),
        evse_nominal_voltage=volts(ac.nominal_v),
        evse_max_current=amperes(ac.max_a),
    )


def _schedule(max_w: float, lasts_s: int) -> PMaxSchedule:
    """Return entries of the same power; an entry can last a day, the last one must."""
    last_s = max(0, lasts_s - DAY_S)
    starts_s = (0, last_s) if last_s else (0,)
    return PMaxSchedule(
        p_max_schedule_entry=tuple(
            PMaxScheduleEntry(
                time_interval=RelativeTimeInterval(
                    start=start_s,
                    duration=lasts_s - last_s if start_s == last_s else None,
                ),
                p_max=watts(max_w),
            )
            for start_s in starts_s
        )
    )


def status(plant: PlantState, code: DcEvseStatusCode) -> DcEvseStatus:
    """Return the status; a fault or a wish to stop overrules ``code``."""
    notification = EvseNotification.NONE
    if plant.fault:
        code = DcEvseStatusCode[plant.fault.row.evse_status]
    elif plant.wants_stop and code in _GOING_ON:
        code, notification = _Code.EVSE_Shutdown, EvseNotification.StopCharging
    return DcEvseStatus(
        notification_max_delay=_delay_s(notification),
        evse_notification=notification,
        evse_isolation_status=_ISOLATION[plant.isolation],
        evse_status_code=code,
    )


def _delay_s(notification: EvseNotification) -> int:
    return 0 if notification is EvseNotification.NONE else STOP_WITHIN_S


def loop_status(plant: PlantState) -> AcEvseStatus | DcEvseStatus:
    """Return the status while power may flow."""
    return ac_status(plant) if plant.ac else status(plant, _Code.EVSE_Ready)


def ac_status(plant: PlantState) -> AcEvseStatus:
    """Return the status of an AC outlet."""
    is_asked_to_stop = plant.wants_stop or plant.fault is not None
    wish = EvseNotification.StopCharging if is_asked_to_stop else EvseNotification.NONE
    return AcEvseStatus(
        notification_max_delay=0 if plant.fault else _delay_s(wish),
        evse_notification=wish,
        rcd=False,  # no input of this station tells what has tripped
    )


@lru_cache(maxsize=_KEPT)
def volts(number: float) -> PhysicalValue:
    """Return a voltage in tenths."""
    return PhysicalValue.of(number, UnitSymbol.V, -1)


@lru_cache(maxsize=_KEPT)
def amperes(number: float) -> PhysicalValue:
    """Return a current in tenths."""
    return PhysicalValue.of(number, UnitSymbol.A, -1)


@lru_cache(maxsize=_KEPT)
def watts(number: float) -> PhysicalValue:
    """Return a power, as finely as it can be said."""
    return PhysicalValue.of(number, UnitSymbol.W)


Refuse = Callable[[ResponseCode, PlantState, Offer], iso2.Response]
_NO_ID = "none"
_NO_CHAIN = CertificateChain(certificate=b"")
_NO_KEY = ContractSignatureEncryptedPrivateKey(id=_NO_ID, text=b"")
_NO_DH = DiffieHellmanPublicKey(id=_NO_ID, text=b"")
_NO_EMAID = Emaid(id=_NO_ID, text="XX0000000000000")
_NO_CHALLENGE = bytes(16)


def _not_ready(plant: PlantState) -> DcEvseStatus:
    return status(plant, _Code.EVSE_NotReady)


def _any_status(plant: PlantState) -> AcEvseStatus | DcEvseStatus:
    return ac_status(plant) if plant.ac else _not_ready(plant)


_REFUSALS: Mapping[type[iso2.Request], Refuse] = {
    iso2.SessionSetupReq: lambda code, _, offer: iso2.SessionSetupRes(
        response_code=code, evse_id=offer.evse_id
    ),
    iso2.ServiceDiscoveryReq: lambda code, _, offer: discovery(code, offer),
    iso2.ServiceDetailReq: lambda code, *_: iso2.ServiceDetailRes(
        response_code=code, service_id=CHARGE_SERVICE_ID
    ),
    iso2.PaymentServiceSelectionReq: lambda code, *_: iso2.PaymentServiceSelectionRes(
        response_code=code
    ),
    iso2.PaymentDetailsReq: lambda code, *_: iso2.PaymentDetailsRes(
        response_code=code, gen_challenge=_NO_CHALLENGE, evse_time_stamp=0
    ),
    iso2.AuthorizationReq: lambda code, *_: iso2.AuthorizationRes(
        response_code=code, evse_processing=EvseProcessing.Finished
    ),
    iso2.ChargeParameterDiscoveryReq: lambda code, plant, _: parameters(plant, code),
    iso2.PowerDeliveryReq: lambda code, plant, _: iso2.PowerDeliveryRes(
        response_code=code, evse_status=_any_status(plant)
    ),
    iso2.MeteringReceiptReq: lambda code, plant, _: iso2.MeteringReceiptRes(
        response_code=code, evse_status=_any_status(plant)
    ),
    iso2.ChargingStatusReq: lambda code, plant, offer: iso2.ChargingStatusRes(
        response_code=code,
        evse_id=offer.evse_id,
        sa_schedule_tuple_id=SCHEDULE_ID,
        receipt_required=False,
        ac_evse_status=ac_status(plant),
    ),
    iso2.CableCheckReq: lambda code, plant, _: iso2.CableCheckRes(
        response_code=code,
        dc_evse_status=_not_ready(plant),
        evse_processing=EvseProcessing.Finished,
    ),
    iso2.PreChargeReq: lambda code, plant, _: iso2.PreChargeRes(
        response_code=code,
        dc_evse_status=_not_ready(plant),
        evse_present_voltage=volts(plant.outlet_v),
    ),
    iso2.CurrentDemandReq: lambda code, plant, offer: iso2.CurrentDemandRes(
        response_code=code,
        dc_evse_status=_not_ready(plant),
        evse_present_voltage=volts(plant.outlet_v),
        evse_present_current=amperes(plant.current_a),
        evse_current_limit_achieved=False,
        evse_voltage_limit_achieved=False,
        evse_power_limit_achieved=False,
        evse_id=offer.evse_id,
        sa_schedule_tuple_id=SCHEDULE_ID,
        receipt_required=False,
    ),
    iso2.WeldingDetectionReq: lambda code, plant, _: iso2.WeldingDetectionRes(
        response_code=code,
        dc_evse_status=_not_ready(plant),
        evse_present_voltage=volts(plant.outlet_v),
    ),
    iso2.SessionStopReq: lambda code, *_: iso2.SessionStopRes(response_code=code),
    iso2.CertificateInstallationReq: lambda code, *_: iso2.CertificateInstallationRes(
        response_code=code,
        sa_provisioning_certificate_chain=_NO_CHAIN,
        contract_signature_cert_chain=_NO_CHAIN,
        contract_signature_encrypted_private_key=_NO_KEY,
        dh_public_key=_NO_DH,
        emaid=_NO_EMAID,
    ),
    iso2.CertificateUpdateReq: lambda code, *_: iso2.CertificateUpdateRes(
        response_code=code,
        sa_provisioning_certificate_chain=_NO_CHAIN,
        contract_signature_cert_chain=_NO_CHAIN,
        contract_signature_encrypted_private_key=_NO_KEY,
        dh_public_key=_NO_DH,
        emaid=_NO_EMAID,
        retry_counter=0,
    ),
}
