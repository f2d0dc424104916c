"""A modem of the twin: what it is, what it holds, what it answers.

It holds a parameter block that is read and written as in a QCA7000: block by block,
with a checksum over the whole, lasting only after the commit. What goes wrong on demand
stands in the attributes of ``Modem`` and ``Store``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from pilothat.homeplug.cm import (
    GROUPS,
    CmAmpMapCnf,
    CmAmpMapReq,
    CmGetKeyCnf,
    CmGetKeyReq,
    CmNwInfoCnf,
    CmNwInfoReq,
    CmNwStatsCnf,
    CmNwStatsReq,
    CmSetKeyReq,
    Network,
    StationRate,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.nid import nid_of
from pilothat.homeplug.qualcomm import (
    COMMIT_FACTORY,
    MODULE_PIB,
    MSTATUS_OK,
    ModuleCommitCnf,
    ModuleCommitReq,
    ModuleReadCnf,
    ModuleReadReq,
    ModuleStartCnf,
    ModuleStartReq,
    ModuleWriteCnf,
    ModuleWriteReq,
    VsOpAttributesCnf,
    VsOpAttributesReq,
    VsPlLnkStatusCnf,
    VsPlLnkStatusReq,
    VsSwVerCnf,
    VsSwVerReq,
)
from pilothat.plc.pib import (
    CCO,
    LENGTHS,
    LINK_SPEEDS,
    MAC,
    NID,
    NMK,
    SLAC,
    SPEEDS,
    TYPE_PIB,
    USER,
    Pib,
    PibError,
    Role,
    checksum,
    made,
)

_MANIFEST, _MANIFEST_BYTES = 0x0E, 768  # the part in front of the parameters
_ROLE_STATION, _ROLE_COORDINATOR = 0, 2
_RATE_MBPS = 9
_REFUSED, _KEY_WITHHELD = 0x10, 1
_READ_OVERHEAD = 18
LOCAL_ONLY = (CmSetKeyReq, CmAmpMapReq, VsPlLnkStatusReq)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemKind:
    """What one kind of modem is and does.

    chip: as the version text names it. groups: in a profile; 0 is a modem that does
        not measure.
    """

    chip: str
    version: bytes
    device_class: int
    ident: int
    groups: int = GROUPS
    has_link_status: bool = True


KINDS: Mapping[str, ModemKind] = {
    "qca7000": ModemKind(
        chip="QCA7000",
        version=b"MAC-QCA7000-1.1.0.727-02-20130826-FINAL",
        device_class=0x22,
        ident=0x001B58DC,
    ),
    "qca7005": ModemKind(
        chip="QCA7005",
        version=b"MAC-QCA7005-1.1.0.730-04-20140815-CS",
        device_class=0x22,
        ident=0x001B587C,
    ),
    "qca7420": ModemKind(
        chip="QCA7420",
        version=b"MAC-QCA7420-1.4.0.20-00-20171027-CS",
        device_class=0x20,
        ident=0x001CFCFC,
        groups=0,
        has_link_status=False,
    ),
}


@cache
def new_pib(chip: str, mac: bytes, role: Role) -> bytes:
    """Return the parameter file of a new modem."""
    cco, slac, user = role.value
    nmk = mac.ljust(NMK.length, b"\0")
    body = bytearray(LENGTHS[chip])
    for field, value in (
        (MAC, mac),
        (NMK, nmk),
        (NID, nid_of(nmk)),
        (USER, user),
        (CCO, bytes((cco,))),
        (SLAC, bytes((slac,))),
        (SPEEDS, LINK_SPEEDS),
    ):
        body[field.offset : field.offset + len(value)] = value
    return made({_MANIFEST: bytes(_MANIFEST_BYTES), TYPE_PIB: bytes(body)})


@dataclass(slots=True)
class _Session:
    """A writing that has begun: what was announced, what has come."""

    number: int
    checksum: int
    image: bytearray
    received: int = 0


class Store:
    """The parameter file in a modem's flash.

    refusals: operations to be refused next. flips_reads: damage what is read.
    hangs: answer the first block of a writing and none of the others.
    """

    def __init__(self, image: bytes) -> None:
        self.image = image
        self.factory = image
        self.refusals = 0
        self.flips_reads = False
        self.hangs = False
        self._session: _Session | None = None

    @property
    def role(self) -> Role | None:
        """Return the role that is stored."""
        return Pib(self.image).role

    def restore_factory(self) -> None:
        """Take the factory parameters again."""
        self.image = self.factory

    def operate(self, mme: Mme) -> Mme | None:
        """Answer an operation on a module; None for anything else."""
        match mme:
            case ModuleReadReq():
                return self._read(mme)
            case ModuleStartReq(session=session):
                return ModuleStartCnf(mstatus=self._start(mme), session=session)
            case ModuleWriteReq(offset=offset) if self.hangs and offset > 0:
                return None
            case ModuleWriteReq(session=session, length=length, offset=offset):
                return ModuleWriteCnf(
                    mstatus=self._write(mme),
                    session=session,
                    length=length,
                    offset=offset,
                )
            case ModuleCommitReq(session=session, commit=commit):
                status = self._commit(mme)
                return ModuleCommitCnf(mstatus=status, session=session, commit=commit)
        return None

    def _read(self, req: ModuleReadReq) -> ModuleReadCnf:
        is_good = req.module_id == MODULE_PIB and not self._refuses()
        image = self.image if is_good else b""
        data = image[req.offset : req.offset + req.length]
        if self.flips_reads and data:
            data = bytes((data[0] ^ 1,)) + data[1:]
        return ModuleReadCnf(
            mstatus=MSTATUS_OK if is_good else _REFUSED,
            data_length=_READ_OVERHEAD + len(data),
            module_id=req.module_id,
            length=len(data),
            offset=req.offset,
            data=data,
        )

    def _start(self, req: ModuleStartReq) -> int:
        if req.module_id != MODULE_PIB or self._refuses():
            return _REFUSED
        if req.length != len(self.image):
            return _REFUSED
        self._session = _Session(req.session, req.checksum, bytearray(req.length))
        return MSTATUS_OK

    def _write(self, req: ModuleWriteReq) -> int:
        session = self._session
        if session is None or session.number != req.session or self._refuses():
            return _REFUSED
        end = req.offset + req.length
        if end > len(session.image):
            return _REFUSED
        session.image[req.offset : end] = req.data
        session.received = max(session.received, end)
        return MSTATUS_OK

    def _commit(self, req: ModuleCommitReq) -> int:
        session, self._session = self._session, None
        if session is None or session.number != req.session or self._refuses():
            return _REFUSED
        image = bytes(session.image)
        is_whole = session.received == len(image)
        if not is_whole or checksum(image) != session.checksum or not _is_sound(image):
            return _REFUSED
        self.image = image
        if req.commit & COMMIT_FACTORY:
            self.factory = image
        return MSTATUS_OK

    def _refuses(self) -> bool:
        is_refused = self.refusals > 0
        self.refusals -= is_refused
        return is_refused


def _is_sound(image: bytes) -> bool:
    try:
        Pib(image)
    except PibError:
        return False
    return True


@dataclass(slots=True, kw_only=True)
class Modem:
    """One modem and the host behind it.

    lag_s: by which every answer is late.
    """

    name: str
    host_mac: bytes
    mac: bytes
    kind: ModemKind
    nmk: bytes
    store: Store
    keyed_at: float = float("-inf")
    silent_until: float = float("-inf")
    refusals: int = 0
    lag_s: float = 0.0
    is_silent: bool = False
    is_cut: bool = False

    def is_awake(self, now: float) -> bool:
        """Tell whether it hears and answers."""
        return not self.is_silent and now >= self.silent_until

    @property
    def is_coordinator(self) -> bool:
        """Tell whether it makes a network of its own."""
        return self.store.role is not Role.PEV


def answer(modem: Modem, mme: Mme, peers: Sequence[Modem]) -> Mme | None:
    """Return what a modem answers that is linked with these others."""
    kind = modem.kind
    match mme:
        case VsSwVerReq():
            return VsSwVerCnf(
                device_class=kind.device_class, version=kind.version, ident=kind.ident
            )
        case VsPlLnkStatusReq() if kind.has_link_status:
            return VsPlLnkStatusCnf(link=int(bool(peers)))
        case VsOpAttributesReq(cookie=cookie):
            return VsOpAttributesCnf(
                cookie=cookie,
                hardware=kind.chip.encode().ljust(16, b"\0"),
                software=b"MAC".ljust(16, b"\0"),
            )
        case CmAmpMapReq():
            return CmAmpMapCnf()
    return _network_answer(modem, mme, peers) or modem.store.operate(mme)


def _network_answer(modem: Modem, mme: Mme, peers: Sequence[Modem]) -> Mme | None:
    match mme:
        case CmNwStatsReq():
            rates = (StationRate(m.mac, _RATE_MBPS, _RATE_MBPS) for m in peers)
            return CmNwStatsCnf(stations=tuple(rates))
        case CmNwInfoReq():
            return CmNwInfoCnf(networks=_networks(modem, peers))
        case CmGetKeyReq(my_nonce=nonce):
            return CmGetKeyCnf(
                result=_KEY_WITHHELD,
                your_nonce=nonce,
                nid=nid_of(modem.nmk),
                key=bytes(NMK.length),
            )
    return None


def _networks(modem: Modem, peers: Sequence[Modem]) -> tuple[Network, ...]:
    """Return the network of a modem; a PEV's that is alone has none."""
    nid = nid_of(modem.nmk)
    if modem.is_coordinator:
        return (Network(nid, 1, 1, _ROLE_COORDINATOR, modem.mac),)
    return tuple(Network(nid, 1, 2, _ROLE_STATION, peer.mac) for peer in peers[:1])
