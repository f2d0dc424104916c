"""One powerline segment with its modems, without sockets and without waiting.

Management messages cross between all modems, as their multi-network broadcast does;
other frames only between modems with the same key that have joined. Modems answer
their hosts, restart after a new key, and measure every sound they hear. What chance
does (loss, doubling, overtaking, noise) comes from the injected entropy alone.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator

from pilothat.frozen import dataclass
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import (
    GROUPS,
    CmAttenProfileInd,
    CmMnbcSoundInd,
    CmSetKeyCnf,
    CmSetKeyReq,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.nid import NMK_BYTES
from pilothat.homeplug.qualcomm import (
    LOCAL_MODEM_MAC,
    VsFacDefaultsCnf,
    VsFacDefaultsReq,
    VsRsDevCnf,
    VsRsDevReq,
)
from pilothat.machine import Entropy
from pilothat.plc.pib import Role
from pilothat.twin.modem import KINDS, LOCAL_ONLY, Modem, Store, answer, new_pib

_ETHERNET_HEADER_BYTES = 14
_MMTYPE_AT = slice(15, 17)
_GROUP_BIT = 1
_NONCE_BYTES = 4
_PMN = 0xFF  # what the chips put there


@dataclass(frozen=True, slots=True, kw_only=True)
class MediumSettings:
    """How the line and the modems behave.

    latency_s: host to host over the line. local_s: modem to its own host.
    join_s: from the later of two equal keys to the link. restart_s, reset_s: silence
        after a different key, after VS_RS_DEV.
    attenuation_db, tilt_db, noise_db: of a pair that was not coupled explicitly; more
        by the tilt in the last group; each value off by up to the noise.
    loss, doubling, overtaking: probability for each management message on the line.
    """

    latency_s: float = 0.003
    local_s: float = 0.0005
    join_s: float = 0.5
    restart_s: float = 0.3
    reset_s: float = 2.0
    attenuation_db: int = 12
    tilt_db: int = 6
    noise_db: int = 1
    loss: float = 0.0
    doubling: float = 0.0
    overtaking: float = 0.0
    overtaking_s: float = 0.02


@dataclass(frozen=True, slots=True)
class Delivery:
    """A frame reaches the host of this name."""

    name: str
    frame: bytes


class Medium:
    """The line. Hosts send into it, the world collects what ``tick`` delivers."""

    def __init__(self, settings: MediumSettings, entropy: Entropy) -> None:
        self._settings = settings
        self._entropy = entropy
        self._modems: dict[str, Modem] = {}
        self._couplings_db: dict[tuple[str, str], int] = {}
        self._in_flight: list[tuple[float, int, Delivery]] = []
        self._sent = 0
        self._drops: dict[int, int] = {}  # still to be lost, by MMTYPE

    @property
    def deadline(self) -> float | None:
        """Return when ``tick`` is due."""
        return self._in_flight[0][0] if self._in_flight else None

    def attach(
        self,
        name: str,
        host_mac: bytes,
        modem_mac: bytes,
        kind: str = "qca7000",
        role: Role = Role.EVSE,
    ) -> None:
        """Put a modem with its host on the line, with a key of its own."""
        nmk = modem_mac.ljust(NMK_BYTES, b"\0")
        store = Store(new_pib(KINDS[kind].chip, modem_mac, role))
        self._modems[name] = Modem(
            name=name,
            host_mac=host_mac,
            mac=modem_mac,
            kind=KINDS[kind],
            nmk=nmk,
            store=store,
        )

    def modem(self, name: str) -> Modem:
        """Return a modem, to look into it or to break it."""
        return self._modems[name]

    def couple(self, name_a: str, name_b: str, attenuation_db: int) -> None:
        """Set how weak two modems hear each other."""
        self._couplings_db[_pair(name_a, name_b)] = attenuation_db

    def host_sends(self, name: str, frame: bytes, now: float) -> None:
        """Take an Ethernet frame from a host."""
        sender = self._modems[name]
        if len(frame) < _ETHERNET_HEADER_BYTES or not sender.is_awake(now):
            return
        if int.from_bytes(frame[12:14]) != wire.ETHERTYPE:
            self._bridge(sender, frame, now)
        elif not self._is_dropped(frame):
            self._spread(sender, frame, now)

    def tick(self, now: float) -> list[Delivery]:
        """Return what has arrived, in order."""
        arrived = []
        while self._in_flight and self._in_flight[0][0] <= now:
            arrived.append(heapq.heappop(self._in_flight)[2])
        return arrived

    def can_talk(self, name_a: str, name_b: str, now: float) -> bool:
        """Tell whether two hosts have a link: same key, joined, line whole."""
        a, b = self._modems[name_a], self._modems[name_b]
        if a.nmk != b.nmk or a.is_cut or b.is_cut:
            return False
        if a.is_silent or b.is_silent:
            return False
        keyed_by = now - self._settings.join_s
        return (
            a.keyed_at <= keyed_by >= b.keyed_at
            and a.silent_until <= now >= b.silent_until
        )

    # Faults.

    def drop_next(self, mmtype: int, count: int = 1) -> None:
        """Lose the next messages of this type that a host or a modem sends."""
        self._drops[mmtype] = self._drops.get(mmtype, 0) + count

    def cut(self, *names: str) -> None:
        """Separate these modems from the line; all of them without a name."""
        for name in names or self._modems:
            self._modems[name].is_cut = True

    def mend(self, *names: str) -> None:
        """Undo ``cut``."""
        for name in names or self._modems:
            self._modems[name].is_cut = False

    def silence(self, name: str, *, is_silent: bool) -> None:
        """Switch one modem dead for its host and the line, or alive again."""
        self._modems[name].is_silent = is_silent

    def refuse_keys(self, name: str, count: int) -> None:
        """Let a modem refuse the next keys."""
        self._modems[name].refusals = count

    def forget_key(self, name: str, now: float) -> None:
        """Take power from a modem for a moment: the key in its memory is gone."""
        modem = self._modems[name]
        self._set_key(modem, modem.mac.ljust(NMK_BYTES, b"\0"), now)
        modem.silent_until = now + self._settings.reset_s

    # Frames on their way.

    def _spread(self, sender: Modem, frame: bytes, now: float) -> None:
        """Take a management message to the own modem, to all others, or both."""
        destination = frame[:6]
        if destination in (LOCAL_MODEM_MAC, sender.mac, wire.BROADCAST_MAC):
            self._ask(sender, sender, frame, now)
        if destination not in (LOCAL_MODEM_MAC, sender.mac):
            for other in self._others(sender, now):
                self._broadcast(sender, other, frame, now)

    def _others(self, sender: Modem, now: float) -> Iterator[Modem]:
        for other in self._modems.values():
            is_reached = not (sender.is_cut or other.is_cut) and other.is_awake(now)
            if other is not sender and is_reached:
                yield other

    def _bridge(self, sender: Modem, frame: bytes, now: float) -> None:
        """Pass a frame that is no MME on; within a network nothing is lost."""
        is_group = bool(frame[0] & _GROUP_BIT)
        for other in self._others(sender, now):
            is_for_host = is_group or frame[:6] == other.host_mac
            if is_for_host and self.can_talk(sender.name, other.name, now):
                self._fly(now + self._settings.latency_s, other, frame)

    def _broadcast(self, sender: Modem, other: Modem, frame: bytes, now: float) -> None:
        settings = self._settings
        if self._happens(settings.loss):
            return
        at = now + settings.latency_s
        if self._happens(settings.overtaking):
            at += settings.overtaking_s
        copies = 2 if self._happens(settings.doubling) else 1
        destination = frame[:6]
        if destination in (other.mac, wire.BROADCAST_MAC):
            self._ask(other, sender, frame, at)
        if destination in (other.host_mac, wire.BROADCAST_MAC):
            for _ in range(copies):
                self._fly(at, other, frame)
        if int.from_bytes(frame[_MMTYPE_AT], "little") == CmMnbcSoundInd.mmtype:
            self._measure(sender, other, at)

    def _measure(self, sender: Modem, other: Modem, at: float) -> None:
        """Let a modem tell its host how weak a sound arrived."""
        settings = self._settings
        pair = _pair(sender.name, other.name)
        level_db = self._couplings_db.get(pair, settings.attenuation_db)
        groups = other.kind.groups
        noise = self._entropy(groups) if settings.noise_db else bytes(groups)
        span = 2 * settings.noise_db + 1
        aag_db = (
            level_db
            + settings.tilt_db * group // (GROUPS - 1)
            + noise[group] % span
            - settings.noise_db
            for group in range(groups)
        )
        ind = CmAttenProfileInd(
            pev_mac=sender.host_mac,
            aag_db=tuple(min(max(value, 0), 255) for value in aag_db),
        )
        profile = wire.build(wire.BROADCAST_MAC, other.mac, ind)
        if not self._is_dropped(profile):
            self._fly(at + settings.local_s, other, profile)

    def _is_dropped(self, frame: bytes) -> bool:
        mmtype = int.from_bytes(frame[_MMTYPE_AT], "little")
        left = self._drops.get(mmtype, 0)
        if left == 0:
            return False
        self._drops[mmtype] = left - 1
        return True

    def _fly(self, at: float, receiver: Modem, frame: bytes) -> None:
        self._sent += 1
        delivery = Delivery(receiver.name, frame)
        heapq.heappush(self._in_flight, (at, self._sent, delivery))

    def _happens(self, probability: float) -> bool:
        if probability <= 0:
            return False
        return int.from_bytes(self._entropy(4)) < probability * 2**32

    # What a modem answers.

    def _ask(self, modem: Modem, asker: Modem, frame: bytes, at: float) -> None:
        """Let a modem answer; a host beyond the line cannot change its key."""
        request = wire.parse(frame)
        if request is None:
            return
        is_local = modem is asker
        if not is_local and isinstance(request.mme, LOCAL_ONLY):
            return
        cnf = self._answer(modem, request.mme, at)
        if cnf is None:
            return
        settings = self._settings
        delay_s = settings.local_s if is_local else settings.latency_s
        delay_s += modem.lag_s
        raw = wire.build(request.source, modem.mac, cnf)
        if not self._is_dropped(raw):
            self._fly(at + delay_s, asker, raw)

    def _answer(self, modem: Modem, mme: Mme, now: float) -> Mme | None:
        match mme:
            case CmSetKeyReq():
                return self._take_key(modem, mme, now)
            case VsRsDevReq():
                self.forget_key(modem.name, now)
                return VsRsDevCnf()
            case VsFacDefaultsReq():
                self.forget_key(modem.name, now)
                modem.store.restore_factory()
                return VsFacDefaultsCnf()
        peers = [m for m in self._modems.values() if self._are_linked(modem, m, now)]
        return answer(modem, mme, peers)

    def _are_linked(self, modem: Modem, other: Modem, now: float) -> bool:
        return modem is not other and self.can_talk(modem.name, other.name, now)

    def _take_key(self, modem: Modem, req: CmSetKeyReq, now: float) -> Mme:
        is_taken = modem.refusals == 0
        if is_taken:
            self._set_key(modem, req.nmk, now)
        else:
            modem.refusals -= 1
        return CmSetKeyCnf(
            result=int(is_taken),
            my_nonce=self._entropy(_NONCE_BYTES),
            your_nonce=req.my_nonce,
            pmn=_PMN,
        )

    def _set_key(self, modem: Modem, nmk: bytes, now: float) -> None:
        """Only a different key restarts the network layer."""
        if nmk != modem.nmk:
            modem.nmk, modem.keyed_at = nmk, now
            modem.silent_until = now + self._settings.restart_s


def _pair(name_a: str, name_b: str) -> tuple[str, str]:
    return (name_a, name_b) if name_a < name_b else (name_b, name_a)
