"""ISO 15118-20:2022: the messages of DC charging and discharging (V2G_CI_DC).

BPT, bidirectional power transfer, adds the limits of discharging to each type.
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import El, Grammar, Group, Root
from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso20_types import (
    ChargeLoopReq,
    ChargeLoopRes,
    DynamicClReqControlMode,
    DynamicClResControlMode,
    Percent,
    Processing,
    RationalNumber,
    Request,
    Response,
    ScheduledClReqControlMode,
)
from pilothat.v2g.messages.xmldsig import SignedInfo

# charge parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class DcCpdReqEnergyTransferMode:
    """The EV's limits: W, A, V, and the state of charge it wants in percent."""

    ev_maximum_charge_power: Annotated[RationalNumber, El("EVMaximumChargePower")]
    ev_minimum_charge_power: Annotated[RationalNumber, El("EVMinimumChargePower")]
    ev_maximum_charge_current: Annotated[RationalNumber, El("EVMaximumChargeCurrent")]
    ev_minimum_charge_current: Annotated[RationalNumber, El("EVMinimumChargeCurrent")]
    ev_maximum_voltage: Annotated[RationalNumber, El("EVMaximumVoltage")]
    ev_minimum_voltage: Annotated[RationalNumber, El("EVMinimumVoltage")]
    target_soc: Annotated[Percent | None, El("TargetSOC")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptDcCpdReqEnergyTransferMode(DcCpdReqEnergyTransferMode):
    """The EV's limits, those of discharging among them."""

    ev_maximum_discharge_power: Annotated[RationalNumber, El("EVMaximumDischargePower")]
    ev_minimum_discharge_power: Annotated[RationalNumber, El("EVMinimumDischargePower")]
    ev_maximum_discharge_current: Annotated[
        RationalNumber, El("EVMaximumDischargeCurrent")
    ]
    ev_minimum_discharge_current: Annotated[
        RationalNumber, El("EVMinimumDischargeCurrent")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcCpdResEnergyTransferMode:
    """The station's limits: W, A, V, and how fast power may change."""

    evse_maximum_charge_power: Annotated[RationalNumber, El("EVSEMaximumChargePower")]
    evse_minimum_charge_power: Annotated[RationalNumber, El("EVSEMinimumChargePower")]
    evse_maximum_charge_current: Annotated[
        RationalNumber, El("EVSEMaximumChargeCurrent")
    ]
    evse_minimum_charge_current: Annotated[
        RationalNumber, El("EVSEMinimumChargeCurrent")
    ]
    evse_maximum_voltage: Annotated[RationalNumber, El("EVSEMaximumVoltage")]
    evse_minimum_voltage: Annotated[RationalNumber, El("EVSEMinimumVoltage")]
    evse_power_ramp_limitation: Annotated[
        RationalNumber | None, El("EVSEPowerRampLimitation")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptDcCpdResEnergyTransferMode(DcCpdResEnergyTransferMode):
    """The station's limits, those of discharging among them."""

    evse_maximum_discharge_power: Annotated[
        RationalNumber, El("EVSEMaximumDischargePower")
    ]
    evse_minimum_discharge_power: Annotated[
        RationalNumber, El("EVSEMinimumDischargePower")
    ]
    evse_maximum_discharge_current: Annotated[
        RationalNumber, El("EVSEMaximumDischargeCurrent")
    ]
    evse_minimum_discharge_current: Annotated[
        RationalNumber, El("EVSEMinimumDischargeCurrent")
    ]


DC_CPD_REQ_ENERGY_TRANSFER_MODE = Group(
    "DC_CPDReqEnergyTransferMode",
    BPT_DC_CPDReqEnergyTransferMode=BptDcCpdReqEnergyTransferMode,
    DC_CPDReqEnergyTransferMode=DcCpdReqEnergyTransferMode,
)
DC_CPD_RES_ENERGY_TRANSFER_MODE = Group(
    "DC_CPDResEnergyTransferMode",
    BPT_DC_CPDResEnergyTransferMode=BptDcCpdResEnergyTransferMode,
    DC_CPDResEnergyTransferMode=DcCpdResEnergyTransferMode,
)

# control modes of the charge loop


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledDcClReqControlMode(ScheduledClReqControlMode):
    """What the EV wants now: A and V; and its limits."""

    ev_target_current: Annotated[RationalNumber, El("EVTargetCurrent")]
    ev_target_voltage: Annotated[RationalNumber, El("EVTargetVoltage")]
    ev_maximum_charge_power: Annotated[
        RationalNumber | None, El("EVMaximumChargePower")
    ] = None
    ev_minimum_charge_power: Annotated[
        RationalNumber | None, El("EVMinimumChargePower")
    ] = None
    ev_maximum_charge_current: Annotated[
        RationalNumber | None, El("EVMaximumChargeCurrent")
    ] = None
    ev_maximum_voltage: Annotated[RationalNumber | None, El("EVMaximumVoltage")] = None
    ev_minimum_voltage: Annotated[RationalNumber | None, El("EVMinimumVoltage")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptScheduledDcClReqControlMode(ScheduledDcClReqControlMode):
    """What the EV wants now, and its limits of discharging."""

    ev_maximum_discharge_power: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower")
    ] = None
    ev_minimum_discharge_power: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower")
    ] = None
    ev_maximum_discharge_current: Annotated[
        RationalNumber | None, El("EVMaximumDischargeCurrent")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicDcClReqControlMode(DynamicClReqControlMode):
    """The EV's limits, within which the SECC decides."""

    ev_maximum_charge_power: Annotated[RationalNumber, El("EVMaximumChargePower")]
    ev_minimum_charge_power: Annotated[RationalNumber, El("EVMinimumChargePower")]
    ev_maximum_charge_current: Annotated[RationalNumber, El("EVMaximumChargeCurrent")]
    ev_maximum_voltage: Annotated[RationalNumber, El("EVMaximumVoltage")]
    ev_minimum_voltage: Annotated[RationalNumber, El("EVMinimumVoltage")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BptDynamicDcClReqControlMode(DynamicDcClReqControlMode):
    """The EV's limits, and how much energy it would give back."""

    ev_maximum_discharge_power: Annotated[RationalNumber, El("EVMaximumDischargePower")]
    ev_minimum_discharge_power: Annotated[RationalNumber, El("EVMinimumDischargePower")]
    ev_maximum_discharge_current: Annotated[
        RationalNumber, El("EVMaximumDischargeCurrent")
    ]
    ev_maximum_v2x_energy_request: Annotated[
        RationalNumber | None, El("EVMaximumV2XEnergyRequest")
    ] = None
    ev_minimum_v2x_energy_request: Annotated[
        RationalNumber | None, El("EVMinimumV2XEnergyRequest")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledDcClResControlMode:
    """The station's limits now, as far as they changed."""

    evse_maximum_charge_power: Annotated[
        RationalNumber | None, El("EVSEMaximumChargePower")
    ] = None
    evse_minimum_charge_power: Annotated[
        RationalNumber | None, El("EVSEMinimumChargePower")
    ] = None
    evse_maximum_charge_current: Annotated[
        RationalNumber | None, El("EVSEMaximumChargeCurrent")
    ] = None
    evse_maximum_voltage: Annotated[RationalNumber | None, El("EVSEMaximumVoltage")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BptScheduledDcClResControlMode(ScheduledDcClResControlMode):
    """The station's limits now, those of discharging among them."""

    evse_maximum_discharge_power: Annotated[
        RationalNumber | None, El("EVSEMaximumDischargePower")
    ] = None
    evse_minimum_discharge_power: Annotated[
        RationalNumber | None, El("EVSEMinimumDischargePower")
    ] = None
    evse_maximum_discharge_current: Annotated[
        RationalNumber | None, El("EVSEMaximumDischargeCurrent")
    ] = None
    evse_minimum_voltage: Annotated[RationalNumber | None, El("EVSEMinimumVoltage")] = (
        None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicDcClResControlMode(DynamicClResControlMode):
    """The station's limits now."""

    evse_maximum_charge_power: Annotated[RationalNumber, El("EVSEMaximumChargePower")]
    evse_minimum_charge_power: Annotated[RationalNumber, El("EVSEMinimumChargePower")]
    evse_maximum_charge_current: Annotated[
        RationalNumber, El("EVSEMaximumChargeCurrent")
    ]
    evse_maximum_voltage: Annotated[RationalNumber, El("EVSEMaximumVoltage")]


@dataclass(frozen=True, slots=True, kw_only=True)
class BptDynamicDcClResControlMode(DynamicDcClResControlMode):
    """The station's limits now, those of discharging among them."""

    evse_maximum_discharge_power: Annotated[
        RationalNumber, El("EVSEMaximumDischargePower")
    ]
    evse_minimum_discharge_power: Annotated[
        RationalNumber, El("EVSEMinimumDischargePower")
    ]
    evse_maximum_discharge_current: Annotated[
        RationalNumber, El("EVSEMaximumDischargeCurrent")
    ]
    evse_minimum_voltage: Annotated[RationalNumber, El("EVSEMinimumVoltage")]


ClReqControlMode = DynamicDcClReqControlMode | ScheduledDcClReqControlMode
CL_REQ_CONTROL_MODE = Group(
    "CLReqControlMode",
    BPT_Dynamic_DC_CLReqControlMode=BptDynamicDcClReqControlMode,
    BPT_Scheduled_DC_CLReqControlMode=BptScheduledDcClReqControlMode,
    Dynamic_DC_CLReqControlMode=DynamicDcClReqControlMode,
    Scheduled_DC_CLReqControlMode=ScheduledDcClReqControlMode,
)
ClResControlMode = DynamicDcClResControlMode | ScheduledDcClResControlMode
CL_RES_CONTROL_MODE = Group(
    "CLResControlMode",
    BPT_Dynamic_DC_CLResControlMode=BptDynamicDcClResControlMode,
    BPT_Scheduled_DC_CLResControlMode=BptScheduledDcClResControlMode,
    Dynamic_DC_CLResControlMode=DynamicDcClResControlMode,
    Scheduled_DC_CLResControlMode=ScheduledDcClResControlMode,
)

# messages


@dataclass(frozen=True, slots=True, kw_only=True)
class DcChargeParameterDiscoveryReq(Request):
    """The EV tells its limits."""

    dc_cpd_req_energy_transfer_mode: Annotated[
        DcCpdReqEnergyTransferMode, DC_CPD_REQ_ENERGY_TRANSFER_MODE
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcChargeParameterDiscoveryRes(Response):
    """The SECC tells its limits."""

    dc_cpd_res_energy_transfer_mode: Annotated[
        DcCpdResEnergyTransferMode, DC_CPD_RES_ENERGY_TRANSFER_MODE
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcCableCheckReq(Request):
    """The EV asks for the isolation test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DcCableCheckRes(Response):
    """State of the isolation test."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcPreChargeReq(Request):
    """The EV names the voltage it wants before it closes its contactors."""

    ev_processing: Annotated[Processing, El("EVProcessing")]
    ev_present_voltage: Annotated[RationalNumber, El("EVPresentVoltage")]
    ev_target_voltage: Annotated[RationalNumber, El("EVTargetVoltage")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcPreChargeRes(Response):
    """The voltage that stands at the outlet."""

    evse_present_voltage: Annotated[RationalNumber, El("EVSEPresentVoltage")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcChargeLoopReq(ChargeLoopReq):
    """The EV says what it wants now."""

    ev_present_voltage: Annotated[RationalNumber, El("EVPresentVoltage")]
    cl_req_control_mode: Annotated[ClReqControlMode, CL_REQ_CONTROL_MODE]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcChargeLoopRes(ChargeLoopRes):
    """What the station delivers now."""

    evse_present_current: Annotated[RationalNumber, El("EVSEPresentCurrent")]
    evse_present_voltage: Annotated[RationalNumber, El("EVSEPresentVoltage")]
    evse_power_limit_achieved: Annotated[bool, El("EVSEPowerLimitAchieved")]
    evse_current_limit_achieved: Annotated[bool, El("EVSECurrentLimitAchieved")]
    evse_voltage_limit_achieved: Annotated[bool, El("EVSEVoltageLimitAchieved")]
    cl_res_control_mode: Annotated[ClResControlMode, CL_RES_CONTROL_MODE]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcWeldingDetectionReq(Request):
    """The EV tests its contactors."""

    ev_processing: Annotated[Processing, El("EVProcessing")]


@dataclass(frozen=True, slots=True, kw_only=True)
class DcWeldingDetectionRes(Response):
    """The voltage that is left at the outlet."""

    evse_present_voltage: Annotated[RationalNumber, El("EVSEPresentVoltage")]


GRAMMAR = Grammar(
    "iso20-dc",
    global_elements=48,
    roots=(
        Root(11, "DC_CableCheckReq", DcCableCheckReq),
        Root(12, "DC_CableCheckRes", DcCableCheckRes),
        Root(13, "DC_ChargeLoopReq", DcChargeLoopReq),
        Root(14, "DC_ChargeLoopRes", DcChargeLoopRes),
        Root(15, "DC_ChargeParameterDiscoveryReq", DcChargeParameterDiscoveryReq),
        Root(16, "DC_ChargeParameterDiscoveryRes", DcChargeParameterDiscoveryRes),
        Root(17, "DC_PreChargeReq", DcPreChargeReq),
        Root(18, "DC_PreChargeRes", DcPreChargeRes),
        Root(19, "DC_WeldingDetectionReq", DcWeldingDetectionReq),
        Root(20, "DC_WeldingDetectionRes", DcWeldingDetectionRes),
    ),
    element_names=149,
    fragments=(
        Root(26, "DC_ChargeParameterDiscoveryRes", DcChargeParameterDiscoveryRes),
        Root(129, "SignedInfo", SignedInfo),
    ),
)
