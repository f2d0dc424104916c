"""Vendor messages of Qualcomm modems about their network: VS_NW_INFO in two layouts.

The short one is asked with header version AV 1.0 as all vendor messages, the long one
with AV 1.1; both are read from a modem's first network.
"""

from __future__ import annotations

import struct
from typing import Annotated, ClassVar, NamedTuple

from pilothat.frozen import dataclass
from pilothat.homeplug.field import (
    MMV_AV_1_0,
    QUALCOMM_OUI,
    CountedRecords,
    Mme,
    octets,
    u8,
    u16,
)

_VENDOR = (MMV_AV_1_0,)


class Station(NamedTuple):
    """A modem in the network of another one, the host behind it, and raw rates."""

    mac: bytes
    tei: int
    host_mac: bytes  # FF x 6 as long as it has sent nothing
    tx_mbps: int
    rx_mbps: int


class LongStation(NamedTuple):
    """The same in the longer layout."""

    mac: bytes
    tei: int
    host_mac: bytes
    tx_mbps: int
    coupling: int
    rx_mbps: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VsNwInfoReq(Mme):
    """Ask a modem for its network."""

    mmtype: ClassVar[int] = 0xA038
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class VsNwInfoCnf(Mme):
    """The network of a modem, the first if there are more; all zero when it has none.

    networks: how many. role: 0 station, 1 proxy coordinator, 2 coordinator.
    """

    mmtype: ClassVar[int] = 0xA039
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    networks: Annotated[int, u8(20)]
    nid: Annotated[bytes, octets(21, 7)] = bytes(7)
    snid: Annotated[int, u8(28)] = 0
    tei: Annotated[int, u8(29)] = 0
    role: Annotated[int, u8(30)] = 0
    cco_mac: Annotated[bytes, octets(31, 6)] = bytes(6)
    cco_tei: Annotated[int, u8(37)] = 0
    stations: Annotated[
        tuple[Station, ...], CountedRecords(38, struct.Struct("<6sB6sBB"), Station)
    ] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VsNwInfoLongReq(Mme):
    """The same question in the longer layout: header AV 1.1, the OUI in the body."""

    mmtype: ClassVar[int] = 0xA038
    maker: Annotated[bytes, octets(19, 3)] = QUALCOMM_OUI


@dataclass(frozen=True, slots=True, kw_only=True)
class VsNwInfoLongCnf(Mme):
    """The same answer in the longer layout."""

    mmtype: ClassVar[int] = 0xA039
    maker: Annotated[bytes, octets(19, 3)] = QUALCOMM_OUI
    sub_version: Annotated[int, u8(22)] = 0
    data_length: Annotated[int, u16(24)]
    networks: Annotated[int, u8(27)]
    nid: Annotated[bytes, octets(28, 7)] = bytes(7)
    snid: Annotated[int, u8(37)] = 0
    tei: Annotated[int, u8(38)] = 0
    role: Annotated[int, u8(43)] = 0
    cco_mac: Annotated[bytes, octets(44, 6)] = bytes(6)
    cco_tei: Annotated[int, u8(50)] = 0
    stations: Annotated[
        tuple[LongStation, ...],
        CountedRecords(54, struct.Struct("<6sB3x6sHBxH2x"), LongStation, gap=5),
    ] = ()


MESSAGES: tuple[type[Mme], ...] = (
    VsNwInfoReq,
    VsNwInfoCnf,
    VsNwInfoLongReq,
    VsNwInfoLongCnf,
)
