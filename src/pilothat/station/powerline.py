"""The station's powerline: modem, key, SLAC and link, as one machine.

Frames go in and out here; upwards it only says whether a car could be matched, when
its link is up and when it is gone. The key is new for every car and is programmed
before the next one comes, so that 5 % can be offered the moment a car plugs in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

from pilothat.frozen import dataclass
from pilothat.homeplug import frame
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.frame import mac_text
from pilothat.homeplug.nid import NMK_BYTES, nid_of
from pilothat.machine import Entropy, earliest
from pilothat.plc.events import (
    IgnoreLink,
    KeyConfirmed,
    LinkDown,
    LinkSeen,
    LinkUp,
    ModemAction,
    ModemEvent,
    ModemLost,
    SetKey,
    WatchLink,
)
from pilothat.plc.modem import Modem, ModemSettings
from pilothat.slac.events import (
    LinkChanged,
    PilotToggled,
    SlacAction,
    SlacEvent,
    SlacFailed,
    SlacMatched,
    SlacProgress,
    SlacStart,
    SlacStop,
)
from pilothat.slac.evse import EvseSlac, State
from pilothat.slac.settings import SlacSettings
from pilothat.station.actions import Listen, Publish, SendFrame, Topic
from pilothat.station.events import MessageIn, SdpIn, TcpData
from pilothat.station.talk import TalkEvent

BLIND = (
    "this modem measures no attenuation: two chargers side by side with such modems "
    "cannot tell their cars apart"
)


@dataclass(frozen=True, slots=True)
class LineReady:
    """The modem has confirmed a fresh key: a car may come."""


@dataclass(frozen=True, slots=True)
class LineLost:
    """The modem cannot be used for now."""

    why: str


@dataclass(frozen=True, slots=True)
class LineUp:
    """A car is matched and its modem is in our network."""


@dataclass(frozen=True, slots=True)
class LineDown:
    """The link to the car is gone."""


@dataclass(frozen=True, slots=True)
class NotMatched:
    """Matching has failed; nothing is answered until the next ``match``."""

    why: str


LineFact = LineReady | LineLost | LineUp | LineDown | NotMatched
T = TypeVar("T")
LineAction = SendFrame | Listen | Publish | LineFact


class Powerline:
    """Match cars, one after the other."""

    def __init__(
        self,
        host_mac: bytes,
        slac: SlacSettings,
        modem: ModemSettings,
        entropy: Entropy,
    ) -> None:
        self.is_ready = False
        self._host_mac = host_mac
        self._entropy = entropy
        self._slac = EvseSlac(host_mac, slac)
        self._modem = Modem(host_mac, modem, entropy)
        self._deadline: float | None = None  # of the two, as it was read last
        self._slac_due_at: float | None = None
        self._key: KeyConfirmed | None = None
        self._is_key_used = False
        self._is_awaited = False  # cars are answered as soon as there is a key
        self._is_endless = False  # and on and on
        self._is_blindness_told = False

    @property
    def deadline(self) -> float | None:
        """Time of the next decision."""
        return self._deadline

    @property
    def slac_state(self) -> str:
        """How far matching has come, for a display."""
        return self._slac.state.name.lower()

    @property
    def is_matching(self) -> bool:
        """Whether a car is on its way, or has got its key."""
        is_matched = self._slac.state in (State.WAIT_LINK, State.MATCHED)
        return is_matched or self._slac.runs > 0

    def handle(self, raw: bytes, now: float) -> Sequence[LineAction]:
        """Take an Ethernet frame; anything malformed or foreign is ignored."""
        heard = frame.parse(raw)
        if heard is None:
            return ()
        event = MmeIn(heard)
        return self._noted(
            (
                *self._of_modem(self._modem.handle(event, now), now),
                *self._of_slac(self._slac.handle(event, now), now),
            )
        )

    def tick(self, now: float) -> Sequence[LineAction]:
        """Let time pass."""
        return self._noted(
            (
                *self._of_modem(self._modem.tick(now), now),
                *self._of_slac(self._slac.tick(now), now),
            )
        )

    def renew_key(self, now: float) -> Sequence[LineAction]:
        """Leave the network: from now on the modem has another key."""
        self._key, self._is_key_used, self.is_ready = None, False, False
        nmk = self._entropy(NMK_BYTES)
        return self._of_modem(self._to_modem(SetKey(nid_of(nmk), nmk), now), now)

    def match(self, now: float, *, is_endless: bool) -> Sequence[LineAction]:
        """Answer cars: CP is in B, C or D and PWM is on.

        is_endless: whoever fails may try again, and ``NotMatched`` is never told.
        """
        self._is_awaited, self._is_endless = self._key is None, is_endless
        if self._key is None:
            return ()
        start = SlacStart(
            nid=self._key.nid, nmk=self._key.nmk, modem_mac=self._key.modem_mac
        )
        return self._of_slac(self._to_slac(start, now), now)

    def leave(self, now: float) -> Sequence[LineAction]:
        """Stop answering; a key that a car has got must not be used again."""
        self._is_awaited = False
        actions = [
            Listen(on=False),
            *self._of_slac(self._to_slac(SlacStop(), now), now),
            *self._of_modem(self._to_modem(IgnoreLink(), now), now),
        ]
        return (*actions, *self.renew_key(now)) if self._is_key_used else actions

    def rematch(self, now: float) -> Sequence[LineAction]:
        """Leave the network if there is one, and go on answering cars."""
        return (*self.leave(now), *self.match(now, is_endless=True))

    def resume(self, now: float) -> Sequence[LineAction]:
        """Watch for the link of a car that has slept: it is told when it is there."""
        return self._of_modem(self._to_modem(WatchLink(fast=True), now), now)

    def saw_toggle(self, *, wants_energy: bool, now: float) -> None:
        """Take a change of the pilot between B and C: an EV may prove itself so."""
        self._to_slac(PilotToggled(wants_energy), now)

    def heard_car(self, event: TalkEvent, now: float) -> Sequence[LineAction]:
        """Take what came over the link for a proof that it is there.

        The first of it is told; while a car talks on, the modem need not be asked.
        """
        if isinstance(event, (MessageIn, TcpData)):
            self._modem.carried(now)
            self._deadline = earliest(self._slac_due_at, self._modem.deadline)
            return ()
        if isinstance(event, SdpIn):
            return self._of_modem(self._to_modem(LinkSeen(), now), now)
        return ()

    def _to_modem(self, event: ModemEvent, now: float) -> Sequence[ModemAction]:
        return self._noted(self._modem.handle(event, now))

    def _to_slac(self, event: SlacEvent, now: float) -> Sequence[SlacAction]:
        return self._noted(self._slac.handle(event, now))

    def _noted(self, actions: Sequence[T]) -> Sequence[T]:
        """Read the deadline anew: one of the two has been given something."""
        self._slac_due_at = self._slac.deadline
        self._deadline = earliest(self._slac_due_at, self._modem.deadline)
        return actions

    def _of_modem(
        self, actions: Iterable[ModemAction], now: float
    ) -> Sequence[LineAction]:
        done: list[LineAction] = []
        for action in actions:
            match action:
                case SendMme():
                    done.append(self._send(action))
                case KeyConfirmed():
                    self._key, self.is_ready = action, True
                    done.append(LineReady())
                    if self._is_awaited:
                        done += self.match(now, is_endless=self._is_endless)
                case LinkUp():
                    done += self._of_slac(self._to_slac(LinkChanged(up=True), now), now)
                    done.append(LineUp())
                case LinkDown():
                    self._to_slac(LinkChanged(up=False), now)
                    done.append(LineDown())
                case ModemLost(reason):
                    self._key, self.is_ready = None, False
                    done.append(LineLost(reason.value))
        return done  # ModemBack: KeyConfirmed follows at once

    def _of_slac(
        self, actions: Iterable[SlacAction], now: float
    ) -> Sequence[LineAction]:
        done: list[LineAction] = []
        for action in actions:
            match action:
                case SendMme():
                    done.append(self._send(action))
                case SlacMatched(ev_mac):
                    self._is_key_used = True
                    watch = self._to_modem(WatchLink(fast=True), now)
                    note = Publish(Topic.SLAC, f"matched {mac_text(ev_mac)}")
                    done += (Listen(on=True), note, *self._of_modem(watch, now))
                case SlacFailed() if self._is_endless:
                    done += self.rematch(now)
                case SlacFailed(reason):
                    done.append(NotMatched(reason.value))
                case SlacProgress(is_measured=is_measured):
                    done.append(Publish(Topic.SLAC, _progress_text(action)))
                    if not is_measured and not self._is_blindness_told:
                        self._is_blindness_told = True
                        done.append(Publish(Topic.NOTE, BLIND))
        return done

    def _send(self, action: SendMme) -> SendFrame:
        raw = frame.build(action.destination, self._host_mac, action.mme)
        return SendFrame(raw)


def _progress_text(progress: SlacProgress) -> str:
    text = f"{progress.step.name.lower()} {mac_text(progress.ev_mac)}"
    if progress.mean_db is not None:
        kind = "measured" if progress.is_measured else "assumed"
        text += f" {progress.sounds} sounds, {progress.mean_db:.1f} dB {kind}"
    return text
