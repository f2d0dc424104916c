"""Vendor messages of Qualcomm modems (QCA7000, QCA7005, QCA7420): health and link.

Header version AV 1.0, no fragmentation info, the OUI in front of the body.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pilothat.homeplug.field import MMV_AV_1_0, Mme, text, u8, u32

OUI = bytes.fromhex("00b052")
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


MESSAGES: tuple[type[Mme], ...] = (
    VsSwVerReq,
    VsSwVerCnf,
    VsRsDevReq,
    VsRsDevCnf,
    VsPlLnkStatusReq,
    VsPlLnkStatusCnf,
)
