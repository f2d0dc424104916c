"""ISO 15118-20:2022: the messages of AC charging and discharging (V2G_CI_AC).

Powers without suffix are of all phases together, or of phase 1 where those of phases 2
and 3 (``_l2``, ``_l3``) are told, too. BPT, bidirectional power transfer, adds the
limits of discharging to each type.
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
    RationalNumber,
    Request,
    Response,
    ScheduledClReqControlMode,
)
from pilothat.v2g.messages.xmldsig import SignedInfo

# charge parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class AcCpdReqEnergyTransferMode:
    """The EV's limits, W."""

    ev_maximum_charge_power: Annotated[RationalNumber, El("EVMaximumChargePower")]
    ev_maximum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVMaximumChargePower_L2")
    ] = None
    ev_maximum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVMaximumChargePower_L3")
    ] = None
    ev_minimum_charge_power: Annotated[RationalNumber, El("EVMinimumChargePower")]
    ev_minimum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVMinimumChargePower_L2")
    ] = None
    ev_minimum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVMinimumChargePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptAcCpdReqEnergyTransferMode(AcCpdReqEnergyTransferMode):
    """The EV's limits, those of discharging among them."""

    ev_maximum_discharge_power: Annotated[RationalNumber, El("EVMaximumDischargePower")]
    ev_maximum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower_L2")
    ] = None
    ev_maximum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower_L3")
    ] = None
    ev_minimum_discharge_power: Annotated[RationalNumber, El("EVMinimumDischargePower")]
    ev_minimum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower_L2")
    ] = None
    ev_minimum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AcCpdResEnergyTransferMode:
    """The station's limits: W, Hz, and how fast power may change."""

    evse_maximum_charge_power: Annotated[RationalNumber, El("EVSEMaximumChargePower")]
    evse_maximum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVSEMaximumChargePower_L2")
    ] = None
    evse_maximum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVSEMaximumChargePower_L3")
    ] = None
    evse_minimum_charge_power: Annotated[RationalNumber, El("EVSEMinimumChargePower")]
    evse_minimum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVSEMinimumChargePower_L2")
    ] = None
    evse_minimum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVSEMinimumChargePower_L3")
    ] = None
    evse_nominal_frequency: Annotated[RationalNumber, El("EVSENominalFrequency")]
    maximum_power_asymmetry: Annotated[
        RationalNumber | None, El("MaximumPowerAsymmetry")
    ] = None
    evse_power_ramp_limitation: Annotated[
        RationalNumber | None, El("EVSEPowerRampLimitation")
    ] = None
    evse_present_active_power: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower")
    ] = None
    evse_present_active_power_l2: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower_L2")
    ] = None
    evse_present_active_power_l3: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptAcCpdResEnergyTransferMode(AcCpdResEnergyTransferMode):
    """The station's limits, those of discharging among them."""

    evse_maximum_discharge_power: Annotated[
        RationalNumber, El("EVSEMaximumDischargePower")
    ]
    evse_maximum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVSEMaximumDischargePower_L2")
    ] = None
    evse_maximum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVSEMaximumDischargePower_L3")
    ] = None
    evse_minimum_discharge_power: Annotated[
        RationalNumber, El("EVSEMinimumDischargePower")
    ]
    evse_minimum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVSEMinimumDischargePower_L2")
    ] = None
    evse_minimum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVSEMinimumDischargePower_L3")
    ] = None


AC_CPD_REQ_ENERGY_TRANSFER_MODE = Group(
    "AC_CPDReqEnergyTransferMode",
    AC_CPDReqEnergyTransferMode=AcCpdReqEnergyTransferMode,
    BPT_AC_CPDReqEnergyTransferMode=BptAcCpdReqEnergyTransferMode,
)
AC_CPD_RES_ENERGY_TRANSFER_MODE = Group(
    "AC_CPDResEnergyTransferMode",
    AC_CPDResEnergyTransferMode=AcCpdResEnergyTransferMode,
    BPT_AC_CPDResEnergyTransferMode=BptAcCpdResEnergyTransferMode,
)

# control modes of the charge loop


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledAcClReqControlMode(ScheduledClReqControlMode):
    """What the EV draws now, and its limits as far as they changed."""

    ev_maximum_charge_power: Annotated[
        RationalNumber | None, El("EVMaximumChargePower")
    ] = None
    ev_maximum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVMaximumChargePower_L2")
    ] = None
    ev_maximum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVMaximumChargePower_L3")
    ] = None
    ev_minimum_charge_power: Annotated[
        RationalNumber | None, El("EVMinimumChargePower")
    ] = None
    ev_minimum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVMinimumChargePower_L2")
    ] = None
    ev_minimum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVMinimumChargePower_L3")
    ] = None
    ev_present_active_power: Annotated[RationalNumber, El("EVPresentActivePower")]
    ev_present_active_power_l2: Annotated[
        RationalNumber | None, El("EVPresentActivePower_L2")
    ] = None
    ev_present_active_power_l3: Annotated[
        RationalNumber | None, El("EVPresentActivePower_L3")
    ] = None
    ev_present_reactive_power: Annotated[
        RationalNumber | None, El("EVPresentReactivePower")
    ] = None
    ev_present_reactive_power_l2: Annotated[
        RationalNumber | None, El("EVPresentReactivePower_L2")
    ] = None
    ev_present_reactive_power_l3: Annotated[
        RationalNumber | None, El("EVPresentReactivePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptScheduledAcClReqControlMode(ScheduledAcClReqControlMode):
    """What the EV draws now, and its limits of discharging."""

    ev_maximum_discharge_power: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower")
    ] = None
    ev_maximum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower_L2")
    ] = None
    ev_maximum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower_L3")
    ] = None
    ev_minimum_discharge_power: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower")
    ] = None
    ev_minimum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower_L2")
    ] = None
    ev_minimum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicAcClReqControlMode(DynamicClReqControlMode):
    """What the EV draws now, and the limits within which the SECC decides."""

    ev_maximum_charge_power: Annotated[RationalNumber, El("EVMaximumChargePower")]
    ev_maximum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVMaximumChargePower_L2")
    ] = None
    ev_maximum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVMaximumChargePower_L3")
    ] = None
    ev_minimum_charge_power: Annotated[RationalNumber, El("EVMinimumChargePower")]
    ev_minimum_charge_power_l2: Annotated[
        RationalNumber | None, El("EVMinimumChargePower_L2")
    ] = None
    ev_minimum_charge_power_l3: Annotated[
        RationalNumber | None, El("EVMinimumChargePower_L3")
    ] = None
    ev_present_active_power: Annotated[RationalNumber, El("EVPresentActivePower")]
    ev_present_active_power_l2: Annotated[
        RationalNumber | None, El("EVPresentActivePower_L2")
    ] = None
    ev_present_active_power_l3: Annotated[
        RationalNumber | None, El("EVPresentActivePower_L3")
    ] = None
    ev_present_reactive_power: Annotated[RationalNumber, El("EVPresentReactivePower")]
    ev_present_reactive_power_l2: Annotated[
        RationalNumber | None, El("EVPresentReactivePower_L2")
    ] = None
    ev_present_reactive_power_l3: Annotated[
        RationalNumber | None, El("EVPresentReactivePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptDynamicAcClReqControlMode(DynamicAcClReqControlMode):
    """What the EV draws now, and how much energy it would give back."""

    ev_maximum_discharge_power: Annotated[RationalNumber, El("EVMaximumDischargePower")]
    ev_maximum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower_L2")
    ] = None
    ev_maximum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVMaximumDischargePower_L3")
    ] = None
    ev_minimum_discharge_power: Annotated[RationalNumber, El("EVMinimumDischargePower")]
    ev_minimum_discharge_power_l2: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower_L2")
    ] = None
    ev_minimum_discharge_power_l3: Annotated[
        RationalNumber | None, El("EVMinimumDischargePower_L3")
    ] = None
    ev_maximum_v2x_energy_request: Annotated[
        RationalNumber | None, El("EVMaximumV2XEnergyRequest")
    ] = None
    ev_minimum_v2x_energy_request: Annotated[
        RationalNumber | None, El("EVMinimumV2XEnergyRequest")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduledAcClResControlMode:
    """What the EV should draw now, and what it does draw."""

    evse_target_active_power: Annotated[
        RationalNumber | None, El("EVSETargetActivePower")
    ] = None
    evse_target_active_power_l2: Annotated[
        RationalNumber | None, El("EVSETargetActivePower_L2")
    ] = None
    evse_target_active_power_l3: Annotated[
        RationalNumber | None, El("EVSETargetActivePower_L3")
    ] = None
    evse_target_reactive_power: Annotated[
        RationalNumber | None, El("EVSETargetReactivePower")
    ] = None
    evse_target_reactive_power_l2: Annotated[
        RationalNumber | None, El("EVSETargetReactivePower_L2")
    ] = None
    evse_target_reactive_power_l3: Annotated[
        RationalNumber | None, El("EVSETargetReactivePower_L3")
    ] = None
    evse_present_active_power: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower")
    ] = None
    evse_present_active_power_l2: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower_L2")
    ] = None
    evse_present_active_power_l3: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptScheduledAcClResControlMode(ScheduledAcClResControlMode):
    """The same: power given back is negative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DynamicAcClResControlMode(DynamicClResControlMode):
    """What the EV shall draw now, and what it does draw."""

    evse_target_active_power: Annotated[RationalNumber, El("EVSETargetActivePower")]
    evse_target_active_power_l2: Annotated[
        RationalNumber | None, El("EVSETargetActivePower_L2")
    ] = None
    evse_target_active_power_l3: Annotated[
        RationalNumber | None, El("EVSETargetActivePower_L3")
    ] = None
    evse_target_reactive_power: Annotated[
        RationalNumber | None, El("EVSETargetReactivePower")
    ] = None
    evse_target_reactive_power_l2: Annotated[
        RationalNumber | None, El("EVSETargetReactivePower_L2")
    ] = None
    evse_target_reactive_power_l3: Annotated[
        RationalNumber | None, El("EVSETargetReactivePower_L3")
    ] = None
    evse_present_active_power: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower")
    ] = None
    evse_present_active_power_l2: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower_L2")
    ] = None
    evse_present_active_power_l3: Annotated[
        RationalNumber | None, El("EVSEPresentActivePower_L3")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BptDynamicAcClResControlMode(DynamicAcClResControlMode):
    """The same: power given back is negative."""


ClReqControlMode = DynamicAcClReqControlMode | ScheduledAcClReqControlMode
CL_REQ_CONTROL_MODE = Group(
    "CLReqControlMode",
    BPT_Dynamic_AC_CLReqControlMode=BptDynamicAcClReqControlMode,
    BPT_Scheduled_AC_CLReqControlMode=BptScheduledAcClReqControlMode,
    Dynamic_AC_CLReqControlMode=DynamicAcClReqControlMode,
    Scheduled_AC_CLReqControlMode=ScheduledAcClReqControlMode,
)
ClResControlMode = DynamicAcClResControlMode | ScheduledAcClResControlMode
CL_RES_CONTROL_MODE = Group(
    "CLResControlMode",
    BPT_Dynamic_AC_CLResControlMode=BptDynamicAcClResControlMode,
    BPT_Scheduled_AC_CLResControlMode=BptScheduledAcClResControlMode,
    Dynamic_AC_CLResControlMode=DynamicAcClResControlMode,
    Scheduled_AC_CLResControlMode=ScheduledAcClResControlMode,
)

# messages


@dataclass(frozen=True, slots=True, kw_only=True)
class AcChargeParameterDiscoveryReq(Request):
    """The EV tells its limits."""

    ac_cpd_req_energy_transfer_mode: Annotated[
        AcCpdReqEnergyTransferMode, AC_CPD_REQ_ENERGY_TRANSFER_MODE
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcChargeParameterDiscoveryRes(Response):
    """The SECC tells its limits."""

    ac_cpd_res_energy_transfer_mode: Annotated[
        AcCpdResEnergyTransferMode, AC_CPD_RES_ENERGY_TRANSFER_MODE
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcChargeLoopReq(ChargeLoopReq):
    """The EV says what it wants now."""

    cl_req_control_mode: Annotated[ClReqControlMode, CL_REQ_CONTROL_MODE]


@dataclass(frozen=True, slots=True, kw_only=True)
class AcChargeLoopRes(ChargeLoopRes):
    """What the station wants now."""

    evse_target_frequency: Annotated[
        RationalNumber | None, El("EVSETargetFrequency")
    ] = None
    cl_res_control_mode: Annotated[ClResControlMode, CL_RES_CONTROL_MODE]


GRAMMAR = Grammar(
    "iso20-ac",
    global_elements=42,
    roots=(
        Root(2, "AC_ChargeLoopReq", AcChargeLoopReq),
        Root(3, "AC_ChargeLoopRes", AcChargeLoopRes),
        Root(4, "AC_ChargeParameterDiscoveryReq", AcChargeParameterDiscoveryReq),
        Root(5, "AC_ChargeParameterDiscoveryRes", AcChargeParameterDiscoveryRes),
    ),
    element_names=154,
    fragments=(
        Root(5, "AC_ChargeParameterDiscoveryRes", AcChargeParameterDiscoveryRes),
        Root(135, "SignedInfo", SignedInfo),
    ),
)
