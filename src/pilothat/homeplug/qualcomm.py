"""Vendor messages of Qualcomm modems (QCA7000, QCA7005, QCA7420).

Health, link, and the reading and writing of a modem's memory modules. Header version
AV 1.0, no fragmentation info, the OUI in front of the body.

The operations on modules share one message type and differ in the 16-bit number that
the field ``operation`` of their class names. Requests hold it at 25, confirms at 29;
the length behind it counts from there to the end of the message.
"""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, ClassVar

from pilothat.frozen import dataclass
from pilothat.homeplug import nwinfo
from pilothat.homeplug.field import (
    MMV_AV_1_0,
    QUALCOMM_OUI,
    Block,
    Mme,
    octets,
    text,
    u8,
    u16,
    u32,
)

OUI = QUALCOMM_OUI
LOCAL_MODEM_MAC = OUI + bytes.fromhex("000001")  # "the modem on my cable"
MSTATUS_OK = 0
_VENDOR = (MMV_AV_1_0,)


@dataclass(frozen=True, slots=True, kw_only=True)
class VsSwVerReq(Mme):
    """Ask a modem for its firmware; also our heartbeat."""

    mmtype: ClassVar[int] = 0xA000
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class VsSwVerCnf(Mme):
    """Firmware and chip of a modem."""

    mmtype: ClassVar[int] = 0xA001
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    mstatus: Annotated[int, u8(20)] = MSTATUS_OK
    device_class: Annotated[int, u8(21)]
    version: Annotated[bytes, text(22, 254)]  # MAC-<chip>-<version>, perhaps a NUL
    ident: Annotated[int, u32(277)]

    @property
    def firmware(self) -> str:
        """Return the version as people read it."""
        return self.version.rstrip(b"\0").decode("ascii", "replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class VsRsDevReq(Mme):
    """Reset a modem."""

    mmtype: ClassVar[int] = 0xA01C
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class VsRsDevCnf(Mme):
    """The modem will reset now, unless the status says no."""

    mmtype: ClassVar[int] = 0xA01D
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    mstatus: Annotated[int, u8(20)] = MSTATUS_OK


@dataclass(frozen=True, slots=True, kw_only=True)
class VsPlLnkStatusReq(Mme):
    """Ask a modem whether it has a powerline link."""

    mmtype: ClassVar[int] = 0xA0B8
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class VsPlLnkStatusCnf(Mme):
    """Whether the modem has joined, or been joined by, another one."""

    mmtype: ClassVar[int] = 0xA0B9
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    mstatus: Annotated[int, u8(20)] = MSTATUS_OK
    link: Annotated[int, u8(21)]  # 1 = joined


@dataclass(frozen=True, slots=True, kw_only=True)
class VsFacDefaultsReq(Mme):
    """Restore the factory parameters; the modem resets."""

    mmtype: ClassVar[int] = 0xA07C
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR


@dataclass(frozen=True, slots=True, kw_only=True)
class VsFacDefaultsCnf(Mme):
    """The modem will restore and reset now, unless the status says no."""

    mmtype: ClassVar[int] = 0xA07D
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    mstatus: Annotated[int, u8(20)] = MSTATUS_OK


@dataclass(frozen=True, slots=True, kw_only=True)
class VsOpAttributesReq(Mme):
    """Ask a modem what it is made of."""

    mmtype: ClassVar[int] = 0xA068
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    cookie: Annotated[int, u32(20)] = 0
    report_type: Annotated[int, u8(24)] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class VsOpAttributesCnf(Mme):
    """Names of hardware and software, NUL padded."""

    mmtype: ClassVar[int] = 0xA069
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    mstatus: Annotated[int, u16(20)] = MSTATUS_OK
    cookie: Annotated[int, u32(22)] = 0
    report_type: Annotated[int, u8(26)] = 0
    length: Annotated[int, u16(27)] = 118
    hardware: Annotated[bytes, octets(29, 16)]
    software: Annotated[bytes, octets(45, 16)]
    major: Annotated[int, u32(61)] = 0
    minor: Annotated[int, u32(65)] = 0
    sub: Annotated[int, u32(69)] = 0
    build: Annotated[int, u32(73)] = 0
    date: Annotated[bytes, octets(77, 8)] = bytes(8)  # YYYYMMDD
    release: Annotated[bytes, octets(85, 12)] = bytes(12)


MODULE_PIB = 0x7002
BLOCK_BYTES = 1400  # the most one read or write carries
COMMIT_FORCE, COMMIT_NO_RESET, COMMIT_FACTORY = 1 << 0, 1 << 1, 1 << 31
_REQ, _CNF = 0xA0B0, 0xA0B1  # VS_MODULE_OPERATION


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReadReq(Mme):
    """Read a block of a module as it stands in the modem's memory."""

    mmtype: ClassVar[int] = _REQ
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (25, 0x00)
    count: Annotated[int, u8(24)] = 1
    code: Annotated[int, u16(25)] = 0x00
    data_length: Annotated[int, u16(27)] = 18
    module_id: Annotated[int, u16(33)] = MODULE_PIB
    sub_id: Annotated[int, u16(35)] = 0
    length: Annotated[int, u16(37)]
    offset: Annotated[int, u32(39)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleReadCnf(Mme):
    """A block of a module; empty when the status says no."""

    mmtype: ClassVar[int] = _CNF
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (29, 0x00)
    mstatus: Annotated[int, u16(20)] = MSTATUS_OK
    error: Annotated[int, u16(22)] = 0
    count: Annotated[int, u8(28)] = 1
    code: Annotated[int, u16(29)] = 0x00
    data_length: Annotated[int, u16(31)]
    module_id: Annotated[int, u16(37)] = MODULE_PIB
    sub_id: Annotated[int, u16(39)] = 0
    length: Annotated[int, u16(41)]
    offset: Annotated[int, u32(43)]
    data: Annotated[bytes, Block(47, count_at=41)] = field(repr=False)  # holds keys


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStartReq(Mme):
    """Begin to write a module; the checksum is that of the whole file."""

    mmtype: ClassVar[int] = _REQ
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (25, 0x10)
    count: Annotated[int, u8(24)] = 1
    code: Annotated[int, u16(25)] = 0x10
    data_length: Annotated[int, u16(27)] = 25
    session: Annotated[int, u32(33)]
    modules: Annotated[int, u8(37)] = 1
    module_id: Annotated[int, u16(38)] = MODULE_PIB
    sub_id: Annotated[int, u16(40)] = 0
    length: Annotated[int, u32(42)]
    checksum: Annotated[int, u32(46)]
    unused: Annotated[bytes, octets(50, 108)] = bytes(108)  # room for more modules


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStartCnf(Mme):
    """The modem is ready to be written, unless the status says no."""

    mmtype: ClassVar[int] = _CNF
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (29, 0x10)
    mstatus: Annotated[int, u16(20)] = MSTATUS_OK
    error: Annotated[int, u16(22)] = 0
    count: Annotated[int, u8(28)] = 1
    code: Annotated[int, u16(29)] = 0x10
    data_length: Annotated[int, u16(31)] = 17
    session: Annotated[int, u32(37)]
    modules: Annotated[int, u8(41)] = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleWriteReq(Mme):
    """Hand over one block; a shorter one is padded with zeros."""

    mmtype: ClassVar[int] = _REQ
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (25, 0x11)
    count: Annotated[int, u8(24)] = 1
    code: Annotated[int, u16(25)] = 0x11
    data_length: Annotated[int, u16(27)] = 23 + BLOCK_BYTES
    session: Annotated[int, u32(33)]
    index: Annotated[int, u8(37)] = 0
    module_id: Annotated[int, u16(38)] = MODULE_PIB
    sub_id: Annotated[int, u16(40)] = 0
    length: Annotated[int, u16(42)]
    offset: Annotated[int, u32(44)]
    data: Annotated[bytes, Block(48, count_at=42, field=BLOCK_BYTES)] = field(
        repr=False
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleWriteCnf(Mme):
    """The modem has taken a block, unless the status says no."""

    mmtype: ClassVar[int] = _CNF
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (29, 0x11)
    mstatus: Annotated[int, u16(20)] = MSTATUS_OK
    error: Annotated[int, u16(22)] = 0
    count: Annotated[int, u8(28)] = 1
    code: Annotated[int, u16(29)] = 0x11
    data_length: Annotated[int, u16(31)] = 23
    session: Annotated[int, u32(37)]
    index: Annotated[int, u8(41)] = 0
    module_id: Annotated[int, u16(42)] = MODULE_PIB
    sub_id: Annotated[int, u16(44)] = 0
    length: Annotated[int, u16(46)]
    offset: Annotated[int, u32(48)]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCommitReq(Mme):
    """End the writing and make it last."""

    mmtype: ClassVar[int] = _REQ
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (25, 0x12)
    count: Annotated[int, u8(24)] = 1
    code: Annotated[int, u16(25)] = 0x12
    data_length: Annotated[int, u16(27)] = 36
    session: Annotated[int, u32(33)]
    commit: Annotated[int, u32(37)]  # COMMIT_...
    unused: Annotated[bytes, octets(41, 19)] = bytes(19)  # 20 are declared


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleCommitCnf(Mme):
    """The module is stored, unless the status says no."""

    mmtype: ClassVar[int] = _CNF
    mmvs: ClassVar[tuple[int, ...]] = _VENDOR
    operation: ClassVar[tuple[int, int] | None] = (29, 0x12)
    mstatus: Annotated[int, u16(20)] = MSTATUS_OK
    error: Annotated[int, u16(22)] = 0
    count: Annotated[int, u8(28)] = 1
    code: Annotated[int, u16(29)] = 0x12
    data_length: Annotated[int, u16(31)] = 21
    session: Annotated[int, u32(37)]
    commit: Annotated[int, u32(41)]
    unknown: Annotated[bytes, octets(45, 5)] = b"\1\0\0\0\0"  # seen on real modems


MESSAGES: tuple[type[Mme], ...] = (
    VsSwVerReq,
    VsSwVerCnf,
    VsRsDevReq,
    VsRsDevCnf,
    VsPlLnkStatusReq,
    VsPlLnkStatusCnf,
    *nwinfo.MESSAGES,
    VsFacDefaultsReq,
    VsFacDefaultsCnf,
    VsOpAttributesReq,
    VsOpAttributesCnf,
    ModuleReadReq,
    ModuleReadCnf,
    ModuleStartReq,
    ModuleStartCnf,
    ModuleWriteReq,
    ModuleWriteCnf,
    ModuleCommitReq,
    ModuleCommitCnf,
)
