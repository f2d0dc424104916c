"""A small honest station of ISO 15118-2 for the car's tests, DC and AC."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from tests.unit.v2g.evcc.honest import Answers, Walk

from pilothat.v2g.evcc.iso2 import Iso2AcEvcc, Iso2DcEvcc, Paused
from pilothat.v2g.evcc.session import Session
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.messages import iso2

OK = iso2.ResponseCode.OK
FINISHED = iso2.EvseProcessing.Finished
ONGOING = iso2.EvseProcessing.Ongoing
WAITING = iso2.EvseProcessing.Ongoing_WaitingForCustomerInteraction
EVSE_ID = "ZZ00000"


def quantity(value: float, unit: iso2.UnitSymbol) -> iso2.PhysicalValue:
    return iso2.PhysicalValue.of(value, unit)


def volts(value: float) -> iso2.PhysicalValue:
    return quantity(value, iso2.UnitSymbol.V)


def amperes(value: float) -> iso2.PhysicalValue:
    return quantity(value, iso2.UnitSymbol.A)


def watts(value: float) -> iso2.PhysicalValue:
    return quantity(value, iso2.UnitSymbol.W)


def status(
    code: iso2.DcEvseStatusCode = iso2.DcEvseStatusCode.EVSE_Ready,
    isolation: iso2.IsolationLevel | None = iso2.IsolationLevel.Valid,
    notification: iso2.EvseNotification = iso2.EvseNotification.NONE,
) -> iso2.DcEvseStatus:
    return iso2.DcEvseStatus(
        notification_max_delay=0,
        evse_notification=notification,
        evse_isolation_status=isolation,
        evse_status_code=code,
    )


def ac_status(
    notification: iso2.EvseNotification = iso2.EvseNotification.NONE,
    *,
    rcd: bool = False,
) -> iso2.AcEvseStatus:
    return iso2.AcEvseStatus(
        notification_max_delay=0, evse_notification=notification, rcd=rcd
    )


def schedule(number: int, *steps: tuple[int, float]) -> iso2.SaScheduleTuple:
    """Return a schedule of (start in s, power in W)."""
    entries = tuple(
        iso2.PMaxScheduleEntry(
            time_interval=iso2.RelativeTimeInterval(start=start_s), p_max=watts(max_w)
        )
        for start_s, max_w in steps
    )
    return iso2.SaScheduleTuple(
        sa_schedule_tuple_id=number,
        p_max_schedule=iso2.PMaxSchedule(p_max_schedule_entry=entries),
    )


def parameters(
    *schedules: iso2.SaScheduleTuple,
    processing: iso2.EvseProcessing = FINISHED,
    max_a: float = 125.0,
    max_w: float = 50_000.0,
) -> iso2.ChargeParameterDiscoveryRes:
    offered = iso2.SaScheduleList(sa_schedule_tuple=schedules) if schedules else None
    return iso2.ChargeParameterDiscoveryRes(
        response_code=OK,
        evse_processing=processing,
        sa_schedules=offered,
        evse_charge_parameter=iso2.DcEvseChargeParameter(
            dc_evse_status=status(isolation=iso2.IsolationLevel.Invalid),
            evse_maximum_current_limit=amperes(max_a),
            evse_maximum_power_limit=watts(max_w),
            evse_maximum_voltage_limit=volts(500),
            evse_minimum_current_limit=amperes(1),
            evse_minimum_voltage_limit=volts(150),
            evse_peak_current_ripple=amperes(1),
        ),
    )


def ac_parameters(
    *schedules: iso2.SaScheduleTuple, max_a: float = 16.0
) -> iso2.ChargeParameterDiscoveryRes:
    return iso2.ChargeParameterDiscoveryRes(
        response_code=OK,
        evse_processing=FINISHED,
        sa_schedules=iso2.SaScheduleList(sa_schedule_tuple=schedules),
        evse_charge_parameter=iso2.AcEvseChargeParameter(
            ac_evse_status=ac_status(),
            evse_nominal_voltage=volts(230),
            evse_max_current=amperes(max_a),
        ),
    )


def discovery(
    *modes: iso2.EnergyTransferMode,
    payment: iso2.PaymentOption = iso2.PaymentOption.ExternalPayment,
) -> iso2.ServiceDiscoveryRes:
    return iso2.ServiceDiscoveryRes(
        response_code=OK,
        payment_option_list=iso2.PaymentOptionList(payment_option=(payment,)),
        charge_service=iso2.ChargeService(
            service_id=1,
            service_category=iso2.ServiceCategory.EVCharging,
            free_service=False,
            supported_energy_transfer_mode=iso2.SupportedEnergyTransferMode(
                energy_transfer_mode=modes
            ),
        ),
    )


def current(
    evse: iso2.DcEvseStatus,
    voltage_v: float,
    current_a: float,
    max_a: float | None = None,
) -> iso2.CurrentDemandRes:
    return iso2.CurrentDemandRes(
        response_code=OK,
        dc_evse_status=evse,
        evse_present_voltage=volts(voltage_v),
        evse_present_current=amperes(current_a),
        evse_current_limit_achieved=False,
        evse_voltage_limit_achieved=False,
        evse_power_limit_achieved=False,
        evse_maximum_current_limit=None if max_a is None else amperes(max_a),
        evse_id=EVSE_ID,
        sa_schedule_tuple_id=1,
    )


def charging(
    evse: iso2.AcEvseStatus, max_a: float | None = None
) -> iso2.ChargingStatusRes:
    return iso2.ChargingStatusRes(
        response_code=OK,
        evse_id=EVSE_ID,
        sa_schedule_tuple_id=1,
        evse_max_current=None if max_a is None else amperes(max_a),
        receipt_required=False,
        ac_evse_status=evse,
    )


def authorisation(processing: iso2.EvseProcessing) -> iso2.AuthorizationRes:
    return iso2.AuthorizationRes(response_code=OK, evse_processing=processing)


@dataclass
class Iso2Station(Answers):
    """A station of ISO 15118-2 that has all ways to charge."""

    protocol: ClassVar[str] = "iso2"
    evse: iso2.DcEvseStatus = field(default_factory=status)
    joins: Paused | None = None

    def car(self, settings: SessionSettings) -> Session:
        return Iso2DcEvcc(settings, self.joins)

    def wrap(self, session_id: bytes, body: object) -> object:
        assert body is None or isinstance(body, iso2.BodyElement)
        header = iso2.MessageHeader(session_id=session_id)
        return iso2.V2gMessage(header=header, body=body)

    def honest(self, name: str) -> iso2.Response:
        present_v, evse = volts(self.reported_v), self.evse
        answers: Mapping[str, Callable[[], iso2.Response]] = {
            "SessionSetup": lambda: iso2.SessionSetupRes(
                response_code=iso2.ResponseCode.OK_NewSessionEstablished,
                evse_id=EVSE_ID,
            ),
            "ServiceDiscovery": lambda: discovery(*iso2.EnergyTransferMode),
            "PaymentServiceSelection": lambda: iso2.PaymentServiceSelectionRes(
                response_code=OK
            ),
            "Authorization": lambda: authorisation(FINISHED),
            "ChargeParameterDiscovery": lambda: parameters(schedule(1, (0, 50_000.0))),
            "CableCheck": lambda: iso2.CableCheckRes(
                response_code=OK, dc_evse_status=evse, evse_processing=FINISHED
            ),
            "PreCharge": lambda: iso2.PreChargeRes(
                response_code=OK, dc_evse_status=evse, evse_present_voltage=present_v
            ),
            "PowerDelivery": lambda: iso2.PowerDeliveryRes(
                response_code=OK, evse_status=evse
            ),
            "CurrentDemand": lambda: current(evse, self.reported_v, self.reported_a),
            "WeldingDetection": lambda: iso2.WeldingDetectionRes(
                response_code=OK, dc_evse_status=evse, evse_present_voltage=volts(20)
            ),
            "SessionStop": lambda: iso2.SessionStopRes(response_code=OK),
        }
        return answers[name]()


@dataclass
class AcStation(Iso2Station):
    """The same for AC. max_a: what it allows while charging; None: it does not say."""

    ac: iso2.AcEvseStatus = field(default_factory=ac_status)
    max_a: float | None = 16.0

    def car(self, settings: SessionSettings) -> Session:
        return Iso2AcEvcc(settings, self.joins)

    def honest(self, name: str) -> iso2.Response:
        ac = self.ac
        match name:
            case "ChargeParameterDiscovery":
                return ac_parameters(schedule(1, (0, 11_040.0)))
            case "PowerDelivery":
                return iso2.PowerDeliveryRes(response_code=OK, evse_status=ac)
            case "ChargingStatus":
                return charging(ac, self.max_a)
        return super().honest(name)


@dataclass
class Iso2Road(Walk[Iso2Station]):
    """Both speak ISO 15118-2."""

    settings: SessionSettings = field(default_factory=SessionSettings)
    station: Iso2Station = field(default_factory=Iso2Station)
