"""Cases of DIN SPEC 70121 that are told in words only."""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.conformance import road
from pilothat.conformance.road import LOOPS, POLL_S
from pilothat.conformance.words import (
    CUT,
    MEASURING,
    OFF,
    OK,
    Told,
    Turn,
    ask,
    asks,
    breaks,
    charge_for,
    hears,
    once,
    power_once,
    refused,
    shows,
    waits,
)
from pilothat.station.events import Authorised, StopCause, StopRequested
from pilothat.twin.bench import BenchFault
from pilothat.twin.circuit import CarPilot

_WAITING = Turn(
    ask("ContractAuthenticationReq"), {**OK, "EVSEProcessing": ["Ongoing*"]}
)
DIN: Mapping[str, Told] = {
    "X-DIN-01": once(
        ask("SessionSetupReq", session_id="00"),
        {
            "message": "SessionSetupRes",
            "response_code": ["OK_NewSessionEstablished"],
            "session_id": "new-nonzero",
            "within_s": 2,
        },
    ),
    "X-DIN-03": once(
        ask("SessionSetupReq", EVCCID="0001870000000001", session_id="00"),
        {
            "response_code": ["OK_NewSessionEstablished"],
            "session_id": "new-nonzero",
            "within_s": 2,
        },
    ),
    "X-DIN-05": once(
        ask("ServiceDiscoveryReq", ServiceCategory="EVCharging"),
        {
            "message": "ServiceDiscoveryRes",
            **OK,
            "PaymentOptions": ["ExternalPayment"],
            "ServiceList": False,
            "ChargeService": (1, "EVCharging", "DC_extended"),
        },
    ),
    "X-DIN-07": once(
        ask("ServicePaymentSelectionReq", SelectedPaymentOption="Contract"),
        refused("ServicePaymentSelectionRes", "FAILED_PaymentSelectionInvalid"),
    ),
    "X-DIN-09": once(
        ask("ServicePaymentSelectionReq", SelectedServiceList=[1, 2]),
        refused("ServicePaymentSelectionRes", "FAILED_ServiceSelectionInvalid"),
    ),
    "X-DIN-10": Told(
        (
            *[
                Turn(
                    ask("ContractAuthenticationReq"),
                    {**OK, "EVSEProcessing": ["Ongoing*"]},
                )
            ]
            * LOOPS,
            Turn(
                ask("ContractAuthenticationReq"),
                {**OK, "EVSEProcessing": ["Finished"]},
                (hears(Authorised(is_granted=True, by="card")),),
            ),
        ),
        settings=asks,
    ),
    "X-DIN-12": Told(
        (
            Turn(
                ask("ContractAuthenticationReq"),
                {"response_code": ["FAILED_SequenceError"]},
                field={**OK, "EVSEProcessing": ["Finished"]},
            ),
        )
    ),
    "X-DIN-13": once(
        ask("ChargeParameterDiscoveryReq"),
        {
            "message": "ChargeParameterDiscoveryRes",
            **OK,
            "EVSEProcessing": ["Finished"],
            "din_schedule": "valid",
        },
    ),
    "X-DIN-15": once(
        ask("ChargeParameterDiscoveryReq", EVMaximumVoltageLimit=100.0),
        refused("ChargeParameterDiscoveryRes", "FAILED_WrongChargeParameter"),
    ),
    "X-DIN-18": once(ask("SessionStopReq"), {"message": "SessionStopRes", **OK}),
    "X-DIN-20": once(
        ask("SessionStopReq"), {"message": "SessionStopRes", **OK, "then": OFF}
    ),
    "X-DIN-21": once(
        ask("CableCheckReq", repeat_while="Ongoing"),
        {**MEASURING, "total_s": 40},
        shows(CarPilot.C, POLL_S),
    ),
    "X-DIN-23": Told(
        (
            Turn(
                ask("CableCheckReq", repeat_while="Ongoing"),
                {
                    "message": "CableCheckRes",
                    "response_code": ["FAILED"],
                    "EVSEIsolationStatus": "Fault",
                    "then": ["power_off", "tcp_closed_by_secc<=5s"],
                },
                (breaks(BenchFault.ISOLATION_FAULT), shows(CarPilot.C, POLL_S)),
            ),
        )
    ),
    "X-DIN-25": Told(
        (
            Turn(
                ask("PreChargeReq", EVTargetVoltage=0.0),
                {**OK, "outlet_below_60_v": True},
            ),
            Turn(
                ask("PreChargeReq", repeat=True, EVTargetVoltage=380.0),
                {**OK, "EVSEPresentVoltage": 380.0},
            ),
        )
    ),
    "X-DIN-27": Told(
        (
            Turn(
                ask("SessionStopReq"),
                {"message": "SessionStopRes", "then": OFF},
                (
                    road.well("PreChargeReq"),
                    waits(POLL_S),
                    shows(CarPilot.B, 1.0),
                ),
            ),
        )
    ),
    "X-DIN-28": once(
        ask("PowerDeliveryReq", ChargeProgress="Start"),
        {"message": "PowerDeliveryRes", **OK, "EVSEStatusCode": "EVSE_Ready"},
    ),
    "X-DIN-30": once(
        ask("CurrentDemandReq"),
        {
            "message": "CurrentDemandRes",
            "response_code": ["OK"],
            "within_s": 0.025,
            "limits": True,
        },
        lambda tester: tester.join(is_joined=True),
        charge_for(60.0, 0.1),
    ),
    "X-DIN-32": once(
        ask("CurrentDemandReq", EVErrorCode="FAILED_RESSTemperatureInhibit"),
        {"message": "CurrentDemandRes", **OK},
    ),
    "X-DIN-33": Told(
        (
            Turn(
                ask("CurrentDemandReq"),
                {**OK, "EVSEStatusCode": "EVSE_Shutdown", "EVSENotification": "NONE"},
                (hears(StopRequested(StopCause.USER)),),
            ),
            Turn(
                ask("SessionStopReq"),
                {"message": "SessionStopRes", **OK, "then": OFF},
                (power_once("Stop"), road.open_contactor),
            ),
        )
    ),
    "X-DIN-35": Told(
        (
            Turn(
                ask("SessionStopReq"),
                {
                    "message": "SessionStopRes",
                    "response_code": ["FAILED_SequenceError"],
                    "then": OFF,
                },
                (shows(CarPilot.B),),
                field={"message": "SessionStopRes", **OK, "then": OFF},
            ),
        )
    ),
    "X-DIN-36": Told(
        tuple(
            Turn(
                ask("WeldingDetectionReq"),
                {
                    "message": "WeldingDetectionRes",
                    **OK,
                    "contactor": "open",
                    "is_measured": True,
                },
                (waits(POLL_S),),
            )
            for _ in range(10)
        )
    ),
    "X-DIN-39": once(
        {"message": None},
        {"message": None, "not_before_s": 60, "within_s": 62, "then": CUT},
    ),
    "X-DIN-41": Told(
        (
            Turn(
                {"poll": "CurrentDemandReq", "for_s": 5.0},
                {
                    "response_code": ["FAILED"],
                    "EVSEStatusCode": "EVSE_EmergencyShutdown",
                    "then": ["power_off", "cp_x1", "tcp_closed_by_secc<=5s"],
                },
                (breaks(BenchFault.ESTOP),),
            ),
        )
    ),
}
