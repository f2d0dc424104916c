"""The modem on our own cable: its key, its health, its link.

A key is programmed, paired by nonce and waited for until the modem answers again,
since a new key restarts its network layer. What goes wrong climbs one ladder:

    SETTING --taken--> SETTLING --answers--> JUDGING --fit--> READY --3 beats--> LOST
       |3 tries                                 |a PEV's              missed ^  |answers
       v                                        +---------------------------+   v
    RESETTING --answers--> SETTING, 3 more tries ---------------------------+ SETTING

After a loss the key is programmed anew, because a power cut has wiped it. A key after
which the car is still in the network counts as refused (TP_match_leave). A modem in
the role of a car's is no modem for us; that is read again before every key is used,
because whoever is on the line can change it. A modem that does not tell is trusted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from enum import Enum, auto

from pilothat.frozen import dataclass
from pilothat.homeplug.cm import CmSetKeyCnf, CmSetKeyReq
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import Frame
from pilothat.homeplug.qualcomm import (
    LOCAL_MODEM_MAC,
    VsRsDevReq,
    VsSwVerCnf,
    VsSwVerReq,
)
from pilothat.machine import Entropy, earliest, is_due
from pilothat.plc.dialogue import Dialogue, DialogueAction
from pilothat.plc.events import (
    IgnoreLink,
    KeyConfirmed,
    LinkDown,
    LinkSeen,
    LinkUp,
    LossReason,
    ModemAction,
    ModemBack,
    ModemEvent,
    ModemLost,
    SetKey,
    WatchLink,
)
from pilothat.plc.link import LinkSettings, LinkWatch
from pilothat.plc.pib import Role, role_of
from pilothat.plc.survey import Examined, examined

_NONCE_BYTES = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemSettings:
    """How one kind of modem behaves, and how patient we are.

    accepted_result: of CM_SET_KEY.CNF; every Qualcomm chip says 1 where the HomePlug
        text says 0.
    draws_nonce: a random MyNonce; ISO 15118-3 wants 0.
    answer_s, tries: of CM_SET_KEY.REQ, then the modem is reset once, then lost.
    settle_s, reset_s: pause after a new key, after a reset, before probing begins.
    probe_s, boot_s: pace of probing, and how long the modem may take to come back.
    beat_s: silence after which we ask whether it lives; then every lost_probe_s,
        ``tries`` times.
    judges_role: a modem in the role of a car's is refused; a car's is not judged.
    """

    accepted_result: int = 1
    draws_nonce: bool = False
    answer_s: float = 1.0
    tries: int = 3
    settle_s: float = 0.3
    reset_s: float = 2.0
    probe_s: float = 0.5
    boot_s: float = 15.0
    beat_s: float = 10.0
    lost_probe_s: float = 2.0
    judges_role: bool = True
    link: LinkSettings = field(default_factory=LinkSettings)


class State(Enum):
    """Where key and modem stand."""

    OFF = auto()  # no key was ever wanted
    SETTING = auto()  # CM_SET_KEY.REQ is out
    SETTLING = auto()  # key taken, the modem restarts its network
    JUDGING = auto()  # has it left the network of the last car? its role is read
    READY = auto()
    RESETTING = auto()
    LOST = auto()


_LINK_STATES = (State.SETTLING, State.READY)


class Modem:
    """Keep one modem programmed, alive and watched."""

    def __init__(
        self,
        host_mac: bytes,
        settings: ModemSettings,
        entropy: Entropy,
    ) -> None:
        self.state = State.OFF
        self.modem_mac: bytes | None = None
        self._host_mac = host_mac
        self._settings = settings
        self._entropy = entropy
        self._deadline: float | None = None
        self._link = LinkWatch(self._settings.link)
        self._wanted: SetKey | None = None
        self._sent: SetKey | None = None  # what the outstanding request carries
        self._nonce = bytes(_NONCE_BYTES)
        self._tries = 0
        self._misses = 0
        self._give_up_at = 0.0
        self._why = LossReason.SILENT  # if the present key comes to nothing
        self._was_reset = False
        self._is_lost = False  # reported, not yet taken back
        self._has_joined = False  # a car was in the network of the last key
        self._judging: Dialogue[Examined] | None = None
        self._is_misfit = False  # lost for its role: no key before that has changed
        self._trusted: bytes | None = None  # a modem that does not tell its role

    @property
    def deadline(self) -> float | None:
        """Return when ``tick`` is due."""
        if self.state not in _LINK_STATES:
            return self._deadline
        return earliest(self._deadline, self._link.deadline)

    def handle(self, event: ModemEvent, now: float) -> Sequence[ModemAction]:
        """Take one event."""
        late = self.tick(now)
        return (*late, *self._take(event, now))

    def carried(self, now: float) -> None:
        """Note that something of the car came over the link."""
        self._link.carried(now)

    def tick(self, now: float) -> Sequence[ModemAction]:
        """Let time pass. Harmless when called early or twice."""
        if not is_due(self.deadline, now):
            return ()
        actions: list[ModemAction] = []
        if is_due(self._deadline, now):
            actions += self._is_due(now)
        if self.state in _LINK_STATES:
            query = self._link.poll(now)
            if query is not None:
                actions.append(_to_modem(query))
        return actions

    def _take(self, event: ModemEvent, now: float) -> Sequence[ModemAction]:
        match event:
            case MmeIn(frame):
                return self._hear(frame, now)
            case SetKey():
                self._wanted = event
                if self.state in (State.OFF, State.READY):
                    return self._begin_key(now)
            case WatchLink(fast):
                self._link.watch(now, fast=fast)
            case IgnoreLink():
                self._link.ignore()
            case LinkSeen():
                return self._joined(self._link.seen(now))
        return ()

    def _hear(self, frame: Frame, now: float) -> Sequence[ModemAction]:
        is_ours = self.modem_mac in (None, frame.source)
        if (
            self.state is State.OFF
            or not is_ours
            or frame.destination != self._host_mac
        ):
            return ()
        if self.state is State.READY:
            self._misses = 0
            self._deadline = now + self._settings.beat_s
        if self.state is State.JUDGING and self._judging is not None:
            return self._judge(self._judging.handle(MmeIn(frame), now), now)
        match frame.mme:
            case CmSetKeyCnf() as cnf if self.state is State.SETTING:
                return self._key_answered(cnf, frame.source, now)
            case VsSwVerCnf():
                self.modem_mac = frame.source
                return self._is_alive(now)
        return self._joined(self._link.hear(frame.mme, now))

    def _joined(self, told: Sequence[LinkUp | LinkDown]) -> Sequence[ModemAction]:
        self._has_joined |= any(isinstance(one, LinkUp) for one in told)
        return told

    def _is_alive(self, now: float) -> Sequence[ModemAction]:
        """Take a sign of life: what was waited for, goes on."""
        if self.state is State.SETTLING or self._is_misfit:
            return self._begin_judging(now)
        if self.state in (State.RESETTING, State.LOST):
            return self._begin_key(now)
        return ()

    def _is_due(self, now: float) -> Sequence[ModemAction]:
        """Take the deadline of the present state."""
        match self.state:
            case State.SETTING:
                return self._again(now)
            case State.JUDGING if self._judging is not None:
                return self._judge(self._judging.tick(now), now)
            case State.READY:
                return self._beat(now)
            case State.LOST:
                return self._probe(now, self._settings.lost_probe_s)
        if now >= self._give_up_at:
            return self._lose(now, LossReason.SILENT)
        return self._probe(now, self._settings.probe_s)

    def _begin_key(self, now: float) -> Sequence[ModemAction]:
        self._tries = 0
        self._why = LossReason.SILENT
        return (self._send_key(now),)

    def _again(self, now: float) -> Sequence[ModemAction]:
        may_repeat = self._tries < self._settings.tries
        return (self._send_key(now),) if may_repeat else self._climb(now)

    def _send_key(self, now: float) -> SendMme:
        """Send the newest key; the only request that is out until it is answered."""
        wanted = self._wanted
        if wanted is None:
            raise AssertionError("a key is sent although none is wanted")
        if self._settings.draws_nonce:
            self._nonce = self._entropy(_NONCE_BYTES)
        self._tries += 1
        self._sent = wanted
        self._enter(State.SETTING, now + self._settings.answer_s)
        return _to_modem(
            CmSetKeyReq(my_nonce=self._nonce, nid=wanted.nid, nmk=wanted.nmk)
        )

    def _key_answered(
        self, cnf: CmSetKeyCnf, modem_mac: bytes, now: float
    ) -> Sequence[ModemAction]:
        if cnf.your_nonce != self._nonce:
            return ()
        self.modem_mac = modem_mac
        if cnf.result != self._settings.accepted_result:
            self._why = LossReason.REFUSES  # and tried again when its time is up
            return ()
        self._give_up_at = now + self._settings.boot_s
        self._enter(State.SETTLING, now + self._settings.settle_s)
        return ()

    def _begin_judging(self, now: float) -> Sequence[ModemAction]:
        mac = self.modem_mac
        asks_role, asks_peers = mac != self._trusted, self._has_joined
        judges = self._settings.judges_role and (asks_role or asks_peers)
        if mac is None or not judges:
            return self._confirm(now)
        script = examined(mac, asks_peers=asks_peers, asks_role=asks_role)
        self._judging = Dialogue(script, self._host_mac, now)
        self._enter(State.JUDGING, now)
        return self._judge(self._judging.tick(now), now)

    def _judge(
        self, actions: Sequence[DialogueAction], now: float
    ) -> Sequence[ModemAction]:
        """Go on with the questions; take the modem, or refuse it, at the end."""
        judging = self._judging
        if judging is None:
            raise AssertionError("a modem is judged that nobody asked")
        sent = [action for action in actions if isinstance(action, SendMme)]
        if not judging.results:
            self._deadline = judging.deadline
            return sent
        found, self._judging = judging.results[0], None
        if not found.has_left:
            self._why = LossReason.STAYS
            return (*sent, *self._again(now))
        self._has_joined = False
        if found.stored_role is None:
            self._trusted = self.modem_mac
        elif role_of(*found.stored_role) is Role.PEV:
            self._is_misfit = True
            return (*sent, *self._lose(now, LossReason.ROLE))
        was_misfit, self._is_misfit = self._is_misfit, False
        ready = self._begin_key(now) if was_misfit else self._confirm(now)
        return (*sent, *ready)

    def _confirm(self, now: float) -> Sequence[ModemAction]:
        self._enter(State.READY, now + self._settings.beat_s)
        self._misses = 0
        self._was_reset = False
        sent, modem_mac = self._sent, self.modem_mac
        if sent is None or modem_mac is None or sent != self._wanted:
            return self._begin_key(now)
        confirmed = KeyConfirmed(sent.nid, sent.nmk, modem_mac)
        was_lost, self._is_lost = self._is_lost, False
        return (ModemBack(), confirmed) if was_lost else (confirmed,)

    def _climb(self, now: float) -> Sequence[ModemAction]:
        """Reset the modem after the first failure; give up after the second."""
        if self._was_reset:
            return self._lose(now, self._why)
        self._was_reset = True
        self._give_up_at = now + self._settings.boot_s
        self._enter(State.RESETTING, now + self._settings.reset_s)
        return (_to_modem(VsRsDevReq()),)

    def _beat(self, now: float) -> Sequence[ModemAction]:
        if self._misses >= self._settings.tries:
            return self._lose(now, LossReason.SILENT)
        self._misses += 1
        return self._probe(now, self._settings.lost_probe_s)

    def _probe(self, now: float, period_s: float) -> Sequence[ModemAction]:
        self._deadline = now + period_s
        return (_to_modem(VsSwVerReq()),)

    def _lose(self, now: float, reason: LossReason) -> Sequence[ModemAction]:
        """Report once; go on probing, perhaps for another modem."""
        self.modem_mac = self._trusted = None
        self._was_reset = False
        self._enter(State.LOST, now + self._settings.lost_probe_s)
        was_lost, self._is_lost = self._is_lost, True
        return () if was_lost else (ModemLost(reason),)

    def _enter(self, state: State, deadline: float | None) -> None:
        self.state, self._deadline = state, deadline


def _to_modem(mme: Mme) -> SendMme:
    return SendMme(LOCAL_MODEM_MAC, mme)
