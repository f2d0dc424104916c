"""Who is on the line: every modem with chip, firmware, role, network and peers.

A broadcast reaches all; those on our own cable answer to the local address too, which
tells them from those beyond the line.
"""

from __future__ import annotations

from dataclasses import replace

from pilothat.frozen import dataclass
from pilothat.homeplug import lumissil
from pilothat.homeplug.cm import (
    CmGetKeyCnf,
    CmGetKeyReq,
    CmNwInfoCnf,
    CmNwInfoReq,
    CmNwStatsCnf,
    CmNwStatsReq,
    Network,
    StationRate,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC
from pilothat.homeplug.lumissil import NscmGetVersionCnf, NscmGetVersionReq
from pilothat.homeplug.qualcomm import (
    BLOCK_BYTES,
    LOCAL_MODEM_MAC,
    VsSwVerCnf,
    VsSwVerReq,
)
from pilothat.plc.dialogue import ANSWER_S, Gather, ModemError, Script, Wait
from pilothat.plc.module import Cnf, asked, read
from pilothat.plc.pib import CCO, SLAC, Role, body_start, role_of

WINDOW_S = 0.3
TRIES = 3
LEAVE_ASKS, LEAVE_PAUSE_S = 3, 0.4  # the network is left within 1 s, TP_match_leave
FACTORY_NID = bytes.fromhex("b0f2e695666b03")  # of the public password HomePlugAV
# device class -> family, for firmware whose text names no chip
FAMILIES = {0x20: "QCA7420", 0x21: "QCA6410", 0x22: "QCA7000"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One modem, and what was learned of it.

    is_local: on our own cable, not beyond the powerline.
    """

    mac: bytes
    is_local: bool
    chip: str  # as the firmware's text names it; empty when it names none
    firmware: str
    stored_role: tuple[int, int] | None = None  # CCoSelection, SLAC mode
    nid: bytes | None = None
    networks: tuple[Network, ...] = ()
    peers: tuple[StationRate, ...] = ()

    @property
    def role(self) -> Role | None:
        """Return the stored role; None when it is neither, or could not be read."""
        return role_of(*self.stored_role) if self.stored_role else None

    @property
    def is_coordinator(self) -> bool:
        """Tell whether it leads a network of its own, as an EVSE's modem does."""
        return any(one.cco_mac == self.mac for one in self.networks)

    @property
    def role_words(self) -> str:
        """Return the role, or what is known in its place."""
        if self.role is not None:
            return self.role.name
        return "unknown, coordinator" if self.is_coordinator else "unknown"

    @property
    def key_state(self) -> str:
        """Return what is known of its key, in words; never the key."""
        if self.nid is None:
            return "unknown"
        if self.nid == FACTORY_NID:
            return "factory key"
        return f"network {self.nid.hex()}"


def survey() -> Script[list[Found]]:
    """Return all modems that answer, those on our own cable first."""
    local: dict[bytes, VsSwVerCnf] = {}
    every: dict[bytes, VsSwVerCnf] = {}
    for _ in range(TRIES):
        local.update((yield from _versions(LOCAL_MODEM_MAC)))
        every.update((yield from _versions(BROADCAST_MAC)))
        if local:
            break
    every.update(local)
    nids = yield from _nids()
    found = []
    for mac, cnf in sorted(every.items(), key=lambda one: one[0] not in local):
        base = Found(
            mac=mac,
            is_local=mac in local,
            chip=chip_of(cnf),
            firmware=cnf.firmware,
            nid=nids.get(mac),
        )
        found.append((yield from _studied(base)))
    return found + (yield from _others(nids))


def chip_of(cnf: VsSwVerCnf) -> str:
    """Return the chip; the text is more to be trusted than the numbers."""
    words = cnf.firmware.split("-")
    if len(words) > 1 and words[0] == "MAC":
        return words[1]
    return FAMILIES.get(cnf.device_class, "")


def chosen(mac: bytes | None) -> Script[Found]:
    """Return the modem of this MAC; without one, that on our own cable.

    Raises ModemError for none and for two.
    """
    found = yield from survey()
    if mac is not None:
        found = [one for one in found if one.mac == mac]
    local = [one for one in found if one.is_local or mac is not None]
    if not local:
        raise ModemError(
            "no powerline modem answers",
            where="interface",
            remedy="Check its power and cable. A modem in PEV role falls asleep after "
            "30 s: switch it off and on and try at once",
        )
    if len(local) > 1:
        raise ModemError(
            f"{len(local)} modems on one cable",
            where="interface",
            remedy="Leave one connected, or name one with --mac",
        )
    return local[0]


@dataclass(frozen=True, slots=True)
class Examined:
    """What is to be known of our own modem before a key is used.

    has_left: nobody is in its network any more; so it is where it does not tell
    stored_role: CCoSelection and SLAC mode; None when it was not asked or not told
    """

    has_left: bool
    stored_role: tuple[int, int] | None = None


def examined(mac: bytes, *, asks_peers: bool, asks_role: bool) -> Script[Examined]:
    """Return whether a modem with a new key has left its network, and its role."""
    if asks_peers and not (yield from _is_alone(mac)):
        return Examined(has_left=False)
    stored = (yield from role_bytes(mac)) if asks_role else None
    return Examined(has_left=True, stored_role=stored)


def _is_alone(mac: bytes) -> Script[bool]:
    for _ in range(LEAVE_ASKS):
        peers = yield from _one(mac, CmNwStatsReq(), CmNwStatsCnf)
        if peers is None or not peers.stations:
            return True
        yield Wait(LEAVE_PAUSE_S)
    return False


def role_bytes(mac: bytes) -> Script[tuple[int, int] | None]:
    """Return CCoSelection and SLAC mode; None when the modem does not let us read.

    The headers are read first, because the place of the block differs.
    """
    try:
        head = yield from read(mac, 0, BLOCK_BYTES, ANSWER_S)
        start = body_start(head)
        if start is None:
            return None
        cco = yield from read(mac, start + CCO.offset, 1, ANSWER_S)
        slac = yield from read(mac, start + SLAC.offset, 1, ANSWER_S)
    except ModemError:
        return None  # the answer, too: this modem shows us no such block
    return (cco[0], slac[0]) if cco and slac else None


def _studied(base: Found) -> Script[Found]:
    """Return a modem with what it tells when asked alone."""
    networks = yield from _one(base.mac, CmNwInfoReq(), CmNwInfoCnf)
    peers = yield from _one(base.mac, CmNwStatsReq(), CmNwStatsCnf)
    return replace(
        base,
        stored_role=(yield from role_bytes(base.mac)),
        networks=networks.networks if networks else (),
        peers=peers.stations if peers else (),
    )


def _one(mac: bytes, req: Mme, kind: type[Cnf]) -> Script[Cnf | None]:
    """Ask what a modem may not know: None when it is silent."""
    try:
        return (yield from asked(mac, req, kind, ANSWER_S, tries=1))
    except ModemError:
        return None


def _nids() -> Script[dict[bytes, bytes]]:
    """Return the network of every modem: who may not tell its key tells its NID."""
    answers = yield Gather(
        destination=BROADCAST_MAC,
        mme=CmGetKeyReq(),
        kind=CmGetKeyCnf,
        window_s=WINDOW_S,
    )
    return {f.source: f.mme.nid for f in answers if isinstance(f.mme, CmGetKeyCnf)}


def _versions(destination: bytes) -> Script[dict[bytes, VsSwVerCnf]]:
    answers = yield Gather(
        destination=destination,
        mme=VsSwVerReq(),
        kind=VsSwVerCnf,
        window_s=WINDOW_S,
    )
    return {f.source: f.mme for f in answers if isinstance(f.mme, VsSwVerCnf)}


def _others(nids: dict[bytes, bytes]) -> Script[list[Found]]:
    """Return modems of the other maker; what lies where cannot be told."""
    answers = yield Gather(
        destination=BROADCAST_MAC,
        mme=NscmGetVersionReq(),
        kind=NscmGetVersionCnf,
        window_s=WINDOW_S,
    )
    return [
        Found(
            mac=frame.source,
            is_local=False,
            chip=lumissil.CHIP,
            firmware=frame.mme.firmware,
            nid=nids.get(frame.source),
        )
        for frame in answers
        if isinstance(frame.mme, NscmGetVersionCnf)
    ]
