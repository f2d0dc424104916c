"""ISO 15118-20:2022: the messages of wireless charging (V2G_CI_WPT).

LF is the low-frequency signal, LPE the low-power excitation, by which a car finds its
place above the coil. EVPC is the power circuit in the EV, SPC that in the supply
device (SD), whose coil is the primary device (PD).
"""

from __future__ import annotations

from typing import Annotated

from pilothat.exi.schema import (
    Binary,
    El,
    Grammar,
    Root,
    Short,
    Text,
    UnsignedByte,
    UnsignedShort,
    WireEnum,
)
from pilothat.frozen import dataclass
from pilothat.v2g.messages.iso20_types import (
    ChargeLoopReq,
    ChargeLoopRes,
    Identifier,
    NumericId,
    Processing,
    RationalNumber,
    Request,
    Response,
)
from pilothat.v2g.messages.xmldsig import SignedInfo

WptDataContainer = Annotated[bytes, Binary(256, base64=True)]


class WptFinePositioningMethod(WireEnum):
    Manual = 0
    LF_TxEV = 1
    LF_TxPrimaryDevice = 2
    LPE = 3
    Proprietary = 4


class WptPairingMethod(WireEnum):
    EXTERNAL_CONFIRMATION = 0, "External confirmation"
    LPE = 1
    LF_TxEV = 2
    LF_TxPrimaryDevice = 3
    Optical = 4
    Proprietary = 5


class WptAlignmentCheckMethod(WireEnum):
    PowerCheck = 0
    LPE = 1
    Proprietary = 2


class WptEvpcChargeDiagnostics(WireEnum):
    EVPCNoIssue = 0
    EVPCTempOverheatDetected = 1
    EVPCPowerTransferAnomalyDetected = 2
    EVPCAnomalyDetected = 3


class WptSpcChargeDiagnostics(WireEnum):
    SPCNoIssue = 0
    SPCFODDetected = 1
    SPCLOPDetected = 2
    SPCTempOverheatDetected = 3
    SPCPowerTransferAnomalyDetected = 4
    SPCAnomalyDetected = 5


class WptPowerClass(WireEnum):
    MF_WPT1 = 0, "MF-WPT1"
    MF_WPT2 = 1, "MF-WPT2"
    MF_WPT3 = 2, "MF-WPT3"
    MF_WPT4 = 3, "MF-WPT4"


class WptEvResult(WireEnum):
    EVResultUnknown = 0
    EVResultSuccess = 1
    EVResultFailed = 2


# methods


@dataclass(frozen=True, slots=True, kw_only=True)
class WptFinePositioningMethodList:
    """Ways to find the place."""

    wpt_fine_positioning_method: Annotated[
        tuple[WptFinePositioningMethod, ...], El("WPT_FinePositioningMethod", max_=8)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptPairingMethodList:
    """Ways to know which supply device it is."""

    wpt_pairing_method: Annotated[
        tuple[WptPairingMethod, ...], El("WPT_PairingMethod", max_=8)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptAlignmentCheckMethodList:
    """Ways to check the place."""

    wpt_alignment_check_method: Annotated[
        tuple[WptAlignmentCheckMethod, ...], El("WPT_AlignmentCheckMethod", max_=8)
    ]


# low-frequency positioning


@dataclass(frozen=True, slots=True, kw_only=True)
class WptCoordinateXyz:
    """A place or a direction."""

    coord_x: Annotated[Short, El("Coord_X")]
    coord_y: Annotated[Short, El("Coord_Y")]
    coord_z: Annotated[Short, El("Coord_Z")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptTxRxSpecData:
    """One antenna, where it is and whither it looks."""

    tx_rx_identifier: Annotated[NumericId, El("TxRxIdentifier")]
    tx_rx_position: Annotated[WptCoordinateXyz, El("TxRxPosition")]
    tx_rx_orientation: Annotated[WptCoordinateXyz, El("TxRxOrientation")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptTxRxPulseOrder:
    """Which antenna sends as which."""

    index_number: Annotated[UnsignedShort, El("IndexNumber")]
    tx_rx_identifier: Annotated[NumericId, El("TxRxIdentifier")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptTxRxPackageSpecData:
    """How the antennas take turns."""

    pulse_sequence_order: Annotated[
        tuple[WptTxRxPulseOrder, ...], El("PulseSequenceOrder", min_=2, max_=255)
    ]
    pulse_separation_time: Annotated[UnsignedShort, El("PulseSeparationTime")]
    pulse_duration: Annotated[UnsignedShort, El("PulseDuration")]
    package_separation_time: Annotated[UnsignedShort, El("PackageSeparationTime")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfTransmitterData:
    """The antennas of the side that sends, two or more."""

    number_of_transmitters: Annotated[UnsignedByte, El("NumberOfTransmitters")]
    signal_frequency: Annotated[RationalNumber, El("SignalFrequency")]
    tx_spec_data: Annotated[
        tuple[WptTxRxSpecData, ...], El("TxSpecData", min_=2, max_=255)
    ]
    tx_package_spec_data: Annotated[
        WptTxRxPackageSpecData | None, El("TxPackageSpecData")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfReceiverData:
    """The antennas of the side that listens, two or more."""

    number_of_receivers: Annotated[UnsignedByte, El("NumberOfReceivers")]
    rx_spec_data: Annotated[
        tuple[WptTxRxSpecData, ...], El("RxSpecData", min_=2, max_=255)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfSystemSetupData:
    """The antennas of one side; exactly one of the two is given."""

    lf_transmitter_setup_data: Annotated[
        WptLfTransmitterData | None, El("LF_TransmitterSetupData", choice="side")
    ] = None
    lf_receiver_setup_data: Annotated[
        WptLfReceiverData | None, El("LF_ReceiverSetupData", choice="side")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfTxData:
    """How strong an antenna sends."""

    tx_identifier: Annotated[NumericId, El("TxIdentifier")]
    eirp: Annotated[RationalNumber, El("EIRP")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfTxDataList:
    """What was sent."""

    wpt_lf_tx_data_list: Annotated[WptLfTxData, El("WPT_LF_TxDataList")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfRxRssi:
    """How strong an antenna of the other side is heard."""

    tx_identifier: Annotated[NumericId, El("TxIdentifier")]
    rssi: Annotated[RationalNumber, El("RSSI")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfRxRssiList:
    """What one antenna hears."""

    rssi_data_list: Annotated[WptLfRxRssi, El("RSSIDataList")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfRxData:
    """What one antenna hears."""

    rx_identifier: Annotated[NumericId, El("RxIdentifier")]
    rssi_data: Annotated[WptLfRxRssiList, El("RSSIData")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfRxDataList:
    """What was heard."""

    wpt_lf_rx_data_list: Annotated[WptLfRxData, El("WPT_LF_RxDataList")]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfDataPackage:
    """One measurement; exactly one of the two is given."""

    package_index: Annotated[UnsignedByte, El("PackageIndex")]
    lf_tx_data: Annotated[WptLfTxDataList | None, El("LF_TxData", choice="side")] = None
    lf_rx_data: Annotated[WptLfRxDataList | None, El("LF_RxData", choice="side")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptLfDataPackageList:
    """Measurements."""

    num_packages: Annotated[UnsignedByte, El("NumPackages")]
    wpt_lf_data_package: Annotated[WptLfDataPackage, El("WPT_LF_DataPackage")]


# power


@dataclass(frozen=True, slots=True, kw_only=True)
class WptEvpcPowerControlParameter:
    """What the EV's power circuit wants and measures: A, V."""

    evpc_coil_current_request: Annotated[RationalNumber, El("EVPCCoilCurrentRequest")]
    evpc_coil_current_information: Annotated[
        RationalNumber, El("EVPCCoilCurrentInformation")
    ]
    evpc_current_output_information: Annotated[
        RationalNumber, El("EVPCCurrentOutputInformation")
    ]
    evpc_voltage_output_information: Annotated[
        RationalNumber, El("EVPCVoltageOutputInformation")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WptSpcPowerControlParameter:
    """What flows in the coil of the supply device, A."""

    spc_primary_device_coil_current_information: Annotated[
        RationalNumber, El("SPCPrimaryDeviceCoilCurrentInformation")
    ]


# another place to charge


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeSecc:
    """How to reach another SECC."""

    ssid: Annotated[Identifier | None, El("SSID")] = None
    bssid: Annotated[str | None, Text(12), El("BSSID")] = None
    ip_address: Annotated[str | None, Text(39), El("IPAddress")] = None
    port: Annotated[UnsignedShort | None, El("Port")] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeSeccList:
    """Other SECCs to try."""

    alternative_secc: Annotated[
        tuple[AlternativeSecc, ...], El("AlternativeSECC", max_=8)
    ]


# messages


@dataclass(frozen=True, slots=True, kw_only=True)
class WptFinePositioningSetupReq(Request):
    """The EV tells how it can find its place."""

    ev_processing: Annotated[Processing, El("EVProcessing")]
    ev_device_fine_positioning_method_list: Annotated[
        WptFinePositioningMethodList, El("EVDeviceFinePositioningMethodList")
    ]
    ev_device_pairing_method_list: Annotated[
        WptPairingMethodList, El("EVDevicePairingMethodList")
    ]
    ev_device_alignment_check_method_list: Annotated[
        WptAlignmentCheckMethodList, El("EVDeviceAlignmentCheckMethodList")
    ]
    natural_offset: Annotated[UnsignedShort, El("NaturalOffset")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()
    lf_system_setup_data: Annotated[
        WptLfSystemSetupData | None, El("LF_SystemSetupData")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptFinePositioningSetupRes(Response):
    """The SECC tells how it can help."""

    primary_device_fine_positioning_method_list: Annotated[
        WptFinePositioningMethodList, El("PrimaryDeviceFinePositioningMethodList")
    ]
    primary_device_pairing_method_list: Annotated[
        WptPairingMethodList, El("PrimaryDevicePairingMethodList")
    ]
    primary_device_alignment_check_method_list: Annotated[
        WptAlignmentCheckMethodList, El("PrimaryDeviceAlignmentCheckMethodList")
    ]
    natural_offset: Annotated[UnsignedShort, El("NaturalOffset")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()
    lf_system_setup_data: Annotated[
        WptLfSystemSetupData | None, El("LF_SystemSetupData")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptFinePositioningReq(Request):
    """The EV reports while it finds its place."""

    ev_processing: Annotated[Processing, El("EVProcessing")]
    ev_result_code: Annotated[WptEvResult, El("EVResultCode")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()
    wpt_lf_data_package_list: Annotated[
        WptLfDataPackageList | None, El("WPT_LF_DataPackageList")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptFinePositioningRes(Response):
    """The SECC reports while the EV finds its place."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()
    wpt_lf_data_package_list: Annotated[
        WptLfDataPackageList | None, El("WPT_LF_DataPackageList")
    ] = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WptPairingReq(Request):
    """The EV reports what it saw of the supply device."""

    ev_processing: Annotated[Processing, El("EVProcessing")]
    observed_id_code: Annotated[NumericId | None, El("ObservedIDCode")] = None
    ev_result_code: Annotated[WptEvResult, El("EVResultCode")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptPairingRes(Response):
    """The SECC confirms that it is its own, or names others."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    observed_id_code: Annotated[NumericId | None, El("ObservedIDCode")] = None
    alternative_secc_list: Annotated[
        AlternativeSeccList | None, El("AlternativeSECCList")
    ] = None
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptChargeParameterDiscoveryReq(Request):
    """The EV's limits: W, Hz and the clearance to the ground."""

    evpc_max_receivable_power: Annotated[RationalNumber, El("EVPCMaxReceivablePower")]
    sd_max_ground_clearence: Annotated[UnsignedShort, El("SDMaxGroundClearence")]
    sd_min_ground_clearence: Annotated[UnsignedShort, El("SDMinGroundClearence")]
    evpc_natural_frequency: Annotated[RationalNumber, El("EVPCNaturalFrequency")]
    evpc_device_local_control: Annotated[bool, El("EVPCDeviceLocalControl")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptChargeParameterDiscoveryRes(Response):
    """The station's limits: W, A and the clearance to the ground."""

    pd_input_power_class: Annotated[WptPowerClass, El("PDInputPowerClass")]
    sd_min_output_power: Annotated[RationalNumber, El("SDMinOutputPower")]
    sd_max_output_power: Annotated[RationalNumber, El("SDMaxOutputPower")]
    sd_max_ground_clearance_support: Annotated[
        UnsignedShort, El("SDMaxGroundClearanceSupport")
    ]
    sd_min_ground_clearance_support: Annotated[
        UnsignedShort, El("SDMinGroundClearanceSupport")
    ]
    pd_min_coil_current: Annotated[RationalNumber, El("PDMinCoilCurrent")]
    pd_max_coil_current: Annotated[RationalNumber, El("PDMaxCoilCurrent")]
    sd_manufacturer_specific_data_container: Annotated[
        tuple[WptDataContainer, ...],
        El("SDManufacturerSpecificDataContainer", min_=0, max_=16),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptAlignmentCheckReq(Request):
    """The EV checks whether its place is good enough."""

    ev_processing: Annotated[Processing, El("EVProcessing")]
    target_coil_current: Annotated[RationalNumber | None, El("TargetCoilCurrent")] = (
        None
    )
    ev_result_code: Annotated[WptEvResult, El("EVResultCode")]
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptAlignmentCheckRes(Response):
    """What the supply device sent meanwhile."""

    evse_processing: Annotated[Processing, El("EVSEProcessing")]
    power_transmitted: Annotated[RationalNumber | None, El("PowerTransmitted")] = None
    supply_device_current: Annotated[
        RationalNumber | None, El("SupplyDeviceCurrent")
    ] = None
    vendor_specific_data_container: Annotated[
        tuple[WptDataContainer, ...], El("VendorSpecificDataContainer", min_=0, max_=16)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptChargeLoopReq(ChargeLoopReq):
    """The EV says what it wants and gets now, W."""

    evpc_power_request: Annotated[RationalNumber, El("EVPCPowerRequest")]
    evpc_power_output: Annotated[RationalNumber, El("EVPCPowerOutput")]
    evpc_charge_diagnostics: Annotated[
        WptEvpcChargeDiagnostics, El("EVPCChargeDiagnostics")
    ]
    evpc_operating_frequency: Annotated[
        RationalNumber | None, El("EVPCOperatingFrequency")
    ] = None
    evpc_power_control_parameter: Annotated[
        WptEvpcPowerControlParameter | None, El("EVPCPowerControlParameter")
    ] = None
    manufacturer_specific_data_container: Annotated[
        tuple[WptDataContainer, ...],
        El("ManufacturerSpecificDataContainer", min_=0, max_=16),
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WptChargeLoopRes(ChargeLoopRes):
    """What the station delivers now, W."""

    evpc_power_request: Annotated[RationalNumber, El("EVPCPowerRequest")]
    sd_power_input: Annotated[RationalNumber | None, El("SDPowerInput")] = None
    spc_max_output_power_limit: Annotated[RationalNumber, El("SPCMaxOutputPowerLimit")]
    spc_min_output_power_limit: Annotated[RationalNumber, El("SPCMinOutputPowerLimit")]
    spc_charge_diagnostics: Annotated[
        WptSpcChargeDiagnostics, El("SPCChargeDiagnostics")
    ]
    spc_operating_frequency: Annotated[
        RationalNumber | None, El("SPCOperatingFrequency")
    ] = None
    spc_power_control_parameter: Annotated[
        WptSpcPowerControlParameter | None, El("SPCPowerControlParameter")
    ] = None
    manufacturer_specific_data_container: Annotated[
        tuple[WptDataContainer, ...],
        El("ManufacturerSpecificDataContainer", min_=0, max_=16),
    ] = ()


GRAMMAR = Grammar(
    "iso20-wpt",
    global_elements=38,
    roots=(
        Root(25, "WPT_AlignmentCheckReq", WptAlignmentCheckReq),
        Root(26, "WPT_AlignmentCheckRes", WptAlignmentCheckRes),
        Root(27, "WPT_ChargeLoopReq", WptChargeLoopReq),
        Root(28, "WPT_ChargeLoopRes", WptChargeLoopRes),
        Root(29, "WPT_ChargeParameterDiscoveryReq", WptChargeParameterDiscoveryReq),
        Root(30, "WPT_ChargeParameterDiscoveryRes", WptChargeParameterDiscoveryRes),
        Root(31, "WPT_FinePositioningReq", WptFinePositioningReq),
        Root(32, "WPT_FinePositioningRes", WptFinePositioningRes),
        Root(33, "WPT_FinePositioningSetupReq", WptFinePositioningSetupReq),
        Root(34, "WPT_FinePositioningSetupRes", WptFinePositioningSetupRes),
        Root(35, "WPT_PairingReq", WptPairingReq),
        Root(36, "WPT_PairingRes", WptPairingRes),
    ),
    element_names=193,
    fragments=(Root(146, "SignedInfo", SignedInfo),),
)
