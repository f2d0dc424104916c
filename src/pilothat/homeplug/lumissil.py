"""Vendor messages of Lumissil modems (CG5317): enough to recognise one.

As with Qualcomm's the OUI comes first; a header of 19 bytes follows, zero in requests.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from pilothat.frozen import dataclass
from pilothat.homeplug.field import MMV_AV_1_0, Mme, octets, u16

OUI = bytes.fromhex("0016e8")
CHIP = "CG5317"


@dataclass(frozen=True, slots=True, kw_only=True)
class NscmGetVersionReq(Mme):
    """Ask a modem for its firmware."""

    mmtype: ClassVar[int] = 0xAC6C
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_0,)
    oui: ClassVar[bytes] = OUI
    header: Annotated[bytes, octets(20, 19)] = bytes(19)


@dataclass(frozen=True, slots=True, kw_only=True)
class NscmGetVersionCnf(Mme):
    """Firmware of a modem."""

    mmtype: ClassVar[int] = 0xAC6D
    mmvs: ClassVar[tuple[int, ...]] = (MMV_AV_1_0,)
    oui: ClassVar[bytes] = OUI
    header: Annotated[bytes, octets(20, 19)] = bytes(19)
    major: Annotated[int, u16(39)]
    minor: Annotated[int, u16(41)]
    patch: Annotated[int, u16(43)]
    build: Annotated[int, u16(45)]

    @property
    def firmware(self) -> str:
        """Return the version as people read it."""
        return f"{self.major}.{self.minor}.{self.patch}.{self.build}"


MESSAGES: tuple[type[Mme], ...] = (NscmGetVersionReq, NscmGetVersionCnf)
