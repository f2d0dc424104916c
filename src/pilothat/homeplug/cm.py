"""The management messages of HomePlug AV that SLAC and key handling need.

Names as in the HomePlug specification, offsets as on the wire (from the destination
MAC). Fields that are constant in EV-EVSE matching default to that constant; what a
receiver must check is a field, whatever is reserved is not. A key has no place in a
log: no NMK shows in the text of a value, here or in the machines' events.
"""

from __future__ import annotations

import struct
from dataclasses import field
from typing import Annotated, ClassVar, NamedTuple

from pilothat.frozen import dataclass
from pilothat.homeplug.field import (
    MMV_AV_1_1,
    MMV_AV_2_0,
    CountedBytes,
    CountedRecords,
    Mme,
    Nibbles,
    octets,
    u8,
    u16,
)

GROUPS = 58  # carrier groups of one attenuation profile
ANY_ID = bytes(17)  # SENDER_ID, SOURCE_ID, RESP_ID, PEV_ID, EVSE_ID: unused, all zero
SOUND_TARGET = b"\xff" * 6  # sounds go to everybody
RESP_TYPE_OTHER = 1  # the report goes to another station, the EV
MVF_LENGTH_REQ = 0x3E
MVF_LENGTH_CNF = 0x56
RESULT_OK = 0  # CM_ATTEN_CHAR.RSP, CM_AMP_MAP.CNF
KEY_TYPE_NMK = 1
PID_HLE = 4  # protocol of a key exchange started by the host
NEW_EKS_NMK = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CmSlacParmReq(Mme):
    """The EV asks every charger in reach for the parameters of the sounding."""

    mmtype: ClassVar[int] = 0x6064
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    run_id: Annotated[bytes, octets(21, 8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmSlacParmCnf(Mme):
    """A charger answers with the parameters of the sounding."""

    mmtype: ClassVar[int] = 0x6065
    msound_target: Annotated[bytes, octets(19, 6)] = SOUND_TARGET
    num_sounds: Annotated[int, u8(25)]
    time_out: Annotated[int, u8(26)]  # in 100 ms
    resp_type: Annotated[int, u8(27)] = RESP_TYPE_OTHER
    forwarding_sta: Annotated[bytes, octets(28, 6)]
    application_type: Annotated[int, u8(34)] = 0
    security_type: Annotated[int, u8(35)] = 0
    run_id: Annotated[bytes, octets(36, 8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmStartAttenCharInd(Mme):
    """The EV announces its sounds."""

    mmtype: ClassVar[int] = 0x606A
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    num_sounds: Annotated[int, u8(21)]
    time_out: Annotated[int, u8(22)]  # in 100 ms
    resp_type: Annotated[int, u8(23)] = RESP_TYPE_OTHER
    forwarding_sta: Annotated[bytes, octets(24, 6)]
    run_id: Annotated[bytes, octets(30, 8)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmMnbcSoundInd(Mme):
    """One sound; the modem that hears it measures the attenuation."""

    mmtype: ClassVar[int] = 0x6076
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    sender_id: Annotated[bytes, octets(21, 17)] = ANY_ID
    cnt: Annotated[int, u8(38)]  # sounds still to come
    run_id: Annotated[bytes, octets(39, 8)]
    rnd: Annotated[bytes, octets(55, 16)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmAttenProfileInd(Mme):
    """The modem tells its host how weak one sound arrived."""

    mmtype: ClassVar[int] = 0x6086
    pev_mac: Annotated[bytes, octets(19, 6)]
    aag_db: Annotated[tuple[int, ...], CountedBytes(25, gap=1)]  # 58 groups, or none


@dataclass(frozen=True, slots=True, kw_only=True)
class CmAttenCharInd(Mme):
    """A charger reports the averages of all sounds to the EV."""

    mmtype: ClassVar[int] = 0x606E
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    source_address: Annotated[bytes, octets(21, 6)]
    run_id: Annotated[bytes, octets(27, 8)]
    source_id: Annotated[bytes, octets(35, 17)] = ANY_ID
    resp_id: Annotated[bytes, octets(52, 17)] = ANY_ID
    num_sounds: Annotated[int, u8(69)]
    aag_db: Annotated[tuple[int, ...], CountedBytes(70, gap=0)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmAttenCharRsp(Mme):
    """The EV acknowledges a report."""

    mmtype: ClassVar[int] = 0x606F
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    source_address: Annotated[bytes, octets(21, 6)]
    run_id: Annotated[bytes, octets(27, 8)]
    source_id: Annotated[bytes, octets(35, 17)] = ANY_ID
    resp_id: Annotated[bytes, octets(52, 17)] = ANY_ID
    result: Annotated[int, u8(69)] = RESULT_OK


@dataclass(frozen=True, slots=True, kw_only=True)
class CmValidateReq(Mme):
    """The EV asks to validate its choice by toggling CP."""

    mmtype: ClassVar[int] = 0x6078
    signal_type: Annotated[int, u8(19)] = 0
    timer: Annotated[int, u8(20)]  # step 2: window of (timer + 1) x 100 ms
    result: Annotated[int, u8(21)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmValidateCnf(Mme):
    """A charger answers a validation request."""

    mmtype: ClassVar[int] = 0x6079
    signal_type: Annotated[int, u8(19)] = 0
    toggle_num: Annotated[int, u8(20)]
    result: Annotated[int, u8(21)]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmSlacMatchReq(Mme):
    """The EV has chosen this charger."""

    mmtype: ClassVar[int] = 0x607C
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    mvf_length: Annotated[int, u16(21)] = MVF_LENGTH_REQ
    pev_id: Annotated[bytes, octets(23, 17)] = ANY_ID
    pev_mac: Annotated[bytes, octets(40, 6)]
    evse_id: Annotated[bytes, octets(46, 17)] = ANY_ID
    evse_mac: Annotated[bytes, octets(63, 6)]
    run_id: Annotated[bytes, octets(69, 8)]
    reserved: Annotated[bytes, octets(77, 8)] = bytes(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmSlacMatchCnf(Mme):
    """The chosen charger hands over its network and key."""

    mmtype: ClassVar[int] = 0x607D
    application_type: Annotated[int, u8(19)] = 0
    security_type: Annotated[int, u8(20)] = 0
    mvf_length: Annotated[int, u16(21)] = MVF_LENGTH_CNF
    pev_id: Annotated[bytes, octets(23, 17)] = ANY_ID
    pev_mac: Annotated[bytes, octets(40, 6)]
    evse_id: Annotated[bytes, octets(46, 17)] = ANY_ID
    evse_mac: Annotated[bytes, octets(63, 6)]
    run_id: Annotated[bytes, octets(69, 8)]
    nid: Annotated[bytes, octets(85, 7)]
    nmk: Annotated[bytes, octets(93, 16)] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmSetKeyReq(Mme):
    """The host gives its modem a network key."""

    mmtype: ClassVar[int] = 0x6008
    key_type: Annotated[int, u8(19)] = KEY_TYPE_NMK
    my_nonce: Annotated[bytes, octets(20, 4)] = bytes(4)
    your_nonce: Annotated[bytes, octets(24, 4)] = bytes(4)
    pid: Annotated[int, u8(28)] = PID_HLE
    prn: Annotated[int, u16(29)] = 0
    pmn: Annotated[int, u8(31)] = 0
    cco_capability: Annotated[int, u8(32)] = 0
    nid: Annotated[bytes, octets(33, 7)]
    new_eks: Annotated[int, u8(40)] = NEW_EKS_NMK
    nmk: Annotated[bytes, octets(41, 16)] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmSetKeyCnf(Mme):
    """The modem took the key, or refused it; which result means which is its own."""

    mmtype: ClassVar[int] = 0x6009
    result: Annotated[int, u8(19)]
    my_nonce: Annotated[bytes, octets(20, 4)]
    your_nonce: Annotated[bytes, octets(24, 4)]
    pid: Annotated[int, u8(28)] = PID_HLE
    prn: Annotated[int, u16(29)] = 0
    pmn: Annotated[int, u8(31)] = 0
    cco_capability: Annotated[int, u8(32)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CmAmpMapReq(Mme):
    """One side asks the other to lower some carriers."""

    mmtype: ClassVar[int] = 0x601C
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_1, MMV_AV_2_0)
    amlen: Annotated[int, u16(19)]  # carriers described
    amdata: Annotated[bytes, Nibbles(21)]  # 4 bits a carrier


@dataclass(frozen=True, slots=True, kw_only=True)
class CmAmpMapCnf(Mme):
    """The answer to an amplitude map."""

    mmtype: ClassVar[int] = 0x601D
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_1, MMV_AV_2_0)
    result: Annotated[int, u8(19)] = RESULT_OK


class Host(NamedTuple):
    """A host behind a modem."""

    mac: bytes


class StationRate(NamedTuple):
    """A modem in our network and its raw rates in Mbit/s."""

    mac: bytes
    tx_mbps: int
    rx_mbps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CmNwStatsReq(Mme):
    """The host asks who is in the network of its modem."""

    mmtype: ClassVar[int] = 0x6048
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_1, MMV_AV_2_0)


@dataclass(frozen=True, slots=True, kw_only=True)
class CmNwStatsCnf(Mme):
    """The other stations of the network; none means alone."""

    mmtype: ClassVar[int] = 0x6049
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_1, MMV_AV_2_0)
    stations: Annotated[
        tuple[StationRate, ...],
        CountedRecords(19, struct.Struct("<6sBB"), StationRate),
    ]


class Discovered(NamedTuple):
    """A modem that ours has discovered."""

    mac: bytes
    tei: int
    is_same_network: int  # 0 for one of another network
    snid: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CcDiscoverListReq(Mme):
    """The host asks whom its modem has discovered."""

    mmtype: ClassVar[int] = 0x0014


@dataclass(frozen=True, slots=True, kw_only=True)
class CcDiscoverListCnf(Mme):
    """Whom a modem has discovered; networks follow, which nobody here asks for."""

    mmtype: ClassVar[int] = 0x0015
    stations: Annotated[
        tuple[Discovered, ...],
        CountedRecords(19, struct.Struct("<6sBBB3x"), Discovered),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmBrgInfoReq(Mme):
    """Ask a modem for the hosts behind it."""

    mmtype: ClassVar[int] = 0x6020


@dataclass(frozen=True, slots=True, kw_only=True)
class CmBrgInfoCnf(Mme):
    """The hosts behind a modem, if it is a bridge."""

    mmtype: ClassVar[int] = 0x6021
    bridging: Annotated[int, u8(19)]
    tei: Annotated[int, u8(20)]
    hosts: Annotated[tuple[Host, ...], CountedRecords(21, struct.Struct("<6s"), Host)]


class Network(NamedTuple):
    """A logical network as one modem sees it."""

    nid: bytes
    snid: int
    tei: int
    role: int  # 0 station, 1 proxy coordinator, 2 coordinator
    cco_mac: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class CmNwInfoReq(Mme):
    """The host asks for the networks of its modem."""

    mmtype: ClassVar[int] = 0x6038


@dataclass(frozen=True, slots=True, kw_only=True)
class CmNwInfoCnf(Mme):
    """The networks of a modem; none means not joined."""

    mmtype: ClassVar[int] = 0x6039
    networks: Annotated[
        tuple[Network, ...],
        CountedRecords(19, struct.Struct("<7sBBB6s2x"), Network),
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class CmGetKeyReq(Mme):
    """Ask modems for their network; the own modem tells the key of a known one too."""

    mmtype: ClassVar[int] = 0x600C
    request_type: Annotated[int, u8(19)] = 0
    key_type: Annotated[int, u8(20)] = KEY_TYPE_NMK
    nid: Annotated[bytes, octets(21, 7)] = bytes(7)
    my_nonce: Annotated[bytes, octets(28, 4)] = bytes(4)
    pid: Annotated[int, u8(32)] = PID_HLE
    prn: Annotated[int, u16(33)] = 0
    pmn: Annotated[int, u8(35)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CmGetKeyCnf(Mme):
    """The network of a modem, with its key for who may have it (result 0)."""

    mmtype: ClassVar[int] = 0x600D
    result: Annotated[int, u8(19)]
    key_type: Annotated[int, u8(20)] = KEY_TYPE_NMK
    my_nonce: Annotated[bytes, octets(21, 4)] = bytes(4)
    your_nonce: Annotated[bytes, octets(25, 4)] = bytes(4)
    nid: Annotated[bytes, octets(29, 7)]
    eks: Annotated[int, u8(36)] = NEW_EKS_NMK
    pid: Annotated[int, u8(37)] = PID_HLE
    prn: Annotated[int, u16(38)] = 0
    pmn: Annotated[int, u8(40)] = 0
    key: Annotated[bytes, octets(41, 16)] = field(repr=False)


MESSAGES: tuple[type[Mme], ...] = (
    CmSlacParmReq,
    CmSlacParmCnf,
    CmStartAttenCharInd,
    CmMnbcSoundInd,
    CmAttenProfileInd,
    CmAttenCharInd,
    CmAttenCharRsp,
    CmValidateReq,
    CmValidateCnf,
    CmSlacMatchReq,
    CmSlacMatchCnf,
    CmSetKeyReq,
    CmSetKeyCnf,
    CmGetKeyReq,
    CmGetKeyCnf,
    CmAmpMapReq,
    CmAmpMapCnf,
    CmNwStatsReq,
    CmNwStatsCnf,
    CmNwInfoReq,
    CmNwInfoCnf,
    CmBrgInfoReq,
    CmBrgInfoCnf,
    CcDiscoverListReq,
    CcDiscoverListCnf,
)
