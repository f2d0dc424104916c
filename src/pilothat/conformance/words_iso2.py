"""Cases of ISO 15118-2 that are told in words only."""

from __future__ import annotations

from collections.abc import Mapping

from pilothat.conformance import road
from pilothat.conformance.road import POLL_S
from pilothat.conformance.words import (
    CUT,
    MEASURING,
    OFF,
    OK,
    Told,
    Turn,
    ask,
    breaks,
    charge_for,
    hears,
    once,
    refused,
    shows,
    waits,
)
from pilothat.station.events import StopCause, StopRequested
from pilothat.twin.bench import BenchFault
from pilothat.twin.circuit import CarPilot

ISO2: Mapping[str, Told] = {
    "TC_SECC_CMN_VTB_Abnormal_001": Told(
        (
            Turn(
                {"plug": True},
                {"slac": "not started"},
                (breaks(BenchFault.DIODE_MISSING),),
            ),
        ),
        road=(),
    ),
    "TC_SECC_AC_VTB_Abnormal_001": once(
        {"wait_s": 0.0}, {"then": CUT}, breaks(BenchFault.CP_SHORT)
    ),
    "TC_SECC_DC_VTB_Abnormal_001": once(
        {"wait_s": 0.0}, {"then": CUT}, breaks(BenchFault.CP_SHORT)
    ),
    "X-TLS2-05": once(
        ask("ServiceDiscoveryReq"),
        {
            "message": "ServiceDiscoveryRes",
            **OK,
            "PaymentOptions": ["ExternalPayment"],
            "ServiceList": False,
        },
    ),
    "X-D2-01": once(
        ask("ServiceDiscoveryReq", session_id="00"),
        refused("ServiceDiscoveryRes", "FAILED_UnknownSession"),
    ),
    "X-D2-03": once(
        ask("ChargeParameterDiscoveryReq"),
        {**OK, "schedule": "valid", "PMax_w": 11_040, "EVSEMaxCurrent_a": 16},
    ),
    "X-D2-04": once(
        ask("ChargeParameterDiscoveryReq", mode="AC"),
        {
            "response_code": [
                "FAILED_WrongEnergyTransferMode",
                "FAILED_WrongChargeParameter",
            ],
            "server_alive": True,
        },
    ),
    "X-D2-05": once(
        ask("ChargingStatusReq"),
        {**OK, "ReceiptRequired": "false", "EVSEMaxCurrent_a": 16},
    ),
    "X-D2-07": once(
        ask("PowerDeliveryReq", ChargeProgress="Start"),
        {
            "response_code": ["FAILED", "FAILED_ContactorError"],
            "within_s": 4.5,
            "contactor": "open",
        },
    ),
    "X-D2-09": once(
        ask("PowerDeliveryReq", ChargeProgress="Start"),
        {"response_code": ["FAILED_PowerDeliveryNotApplied"]},
        breaks(BenchFault.SUPPLY_DEAD),
        waits(1.0),
    ),
    "X-D2-12": Told(
        (
            Turn(
                ask("ChargeParameterDiscoveryReq"),
                {"EVSEProcessing": ["Ongoing*", "Finished"]},
            ),
            Turn({"wait_s": 1.0}, {"outlet_below_60_v": True}),
            Turn(ask("CableCheckReq", repeat_while="Ongoing"), MEASURING),
            Turn(
                ask("PreChargeReq", repeat=True),
                {**OK, "EVSEPresentVoltage": "400 +/- 5 %"},
            ),
            Turn(
                ask("CurrentDemandReq"),
                {**OK, "EVSEStatusCode": "EVSE_Ready"},
                (road.start_dc, charge_for(2.0, POLL_S)),
            ),
        )
    ),
    "X-D2-14": once(
        ask("SessionStopReq", ChargingSession="Pause"),
        {**OK, "then": ["cp_x1", "power_off"]},
    ),
    "X-D2-16": Told(
        (
            Turn(
                ask("CurrentDemandReq"),
                {**OK, "EVSENotification": "StopCharging"},
                (hears(StopRequested(StopCause.USER)),),
            ),
            Turn({"poll": "CurrentDemandReq", "for_s": 30.0}, {"then": CUT}),
        )
    ),
    "X-D2-18": Told(
        (
            Turn({"wait_s": 0.5}, {"then": OFF}, (shows(CarPilot.B),)),
            Turn({"wait_s": 6.0}, {"then": ["tcp_closed", "cp_x1"]}),
        )
    ),
}
