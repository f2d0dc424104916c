"""A car, from plug to plug: pilot, SLAC, SDP, TCP, session, battery.

A machine of the same shape as the station. It hears the same transport events, wants
the same transport actions, and knows of the station only what comes over the cable::

    AWAY -> PLUGGED -> MATCHING -> JOINING -> SEARCHING -> CONNECTING -> HANDSHAKE
      ^                               ^                                      |
      |                               +-- CALLING <-- ASLEEP <-------------- |
      +----------------------- RESTING <---------------------------------- SESSION

A session that was paused is joined again: the car toggles S2 until the station shows
5 %, and needs no new match, because the modems still know each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pilothat.errors import PeerError
from pilothat.homeplug import frame as wire
from pilothat.homeplug.events import SendMme
from pilothat.machine import Entropy, earliest, is_due
from pilothat.plc.events import KeyConfirmed
from pilothat.slac import events as slac
from pilothat.station.actions import SdpOut, SendFrame, TcpClose
from pilothat.station.events import (
    FrameIn,
    MessageIn,
    SdpIn,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.twin.carcable import CableAction, CarCable
from pilothat.twin.carevents import (
    BCB_S,
    BCB_TOGGLES,
    CONN_RESUME_S,
    UNDERWAY,
    CarAction,
    CarEvent,
    InletReading,
    Phase,
    PhaseEntry,
    Plug,
    SetElectrics,
    Summary,
    TcpConnect,
    Unplug,
)
from pilothat.twin.carline import CarLine
from pilothat.twin.cartalk import CarTalk
from pilothat.twin.circuit import CarPilot
from pilothat.twin.profile import CarProfile
from pilothat.v2g import sdp
from pilothat.v2g.evcc import events as ev
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.handshake import Chosen
from pilothat.v2g.evcc.search import Ask, Found, NotFound
from pilothat.v2g.evcc.states import State, has_begun

__all__ = [
    "Car",
    "CarAction",
    "CarEvent",
    "InletReading",
    "Phase",
    "PhaseEntry",
    "Plug",
    "SetElectrics",
    "Summary",
    "TcpConnect",
    "Unplug",
]


class Car:
    """One car. ``exi`` False: message objects instead of TCP octets."""

    def __init__(
        self,
        profile: CarProfile,
        host_mac: bytes,
        entropy: Entropy,
        *,
        exi: bool = True,
        contract: Contract | None = None,
    ) -> None:
        self.profile = profile
        self.host_mac = host_mac
        self.phase = Phase.AWAY
        asks = CarPilot.D if profile.car.needs_ventilation else CarPilot.C
        self._cable = CarCable(profile.battery, asks, profile.session.iso2.energy)
        self.outcome: ev.Outcome | None = None
        self.reason = ""
        self._line = CarLine(profile, host_mac, entropy)
        self._talk = CarTalk(profile, host_mac, contract, exi=exi)
        self._deadline: float | None = None  # of the phase
        self._setup_by: float | None = None
        self._search_at = 0.0
        self._pilot = ev.PilotSeen(0.0, is_pwm=False)
        self._tries = self._toggles = 0
        self._stage_told: Phase | State | None = None
        self._journal: list[PhaseEntry] = []
        self._out: list[CarAction] = []

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        return earliest(
            self._deadline,
            self._setup_by,
            self._line.deadline,
            self._talk.deadline,
        )

    @property
    def soc_pct(self) -> float:
        """State of charge."""
        return self._cable.battery.soc_pct

    @property
    def is_locked(self) -> bool:
        """Whether the car holds the plug."""
        return self._cable.is_locked

    @property
    def phase_text(self) -> str:
        """The phase as a person reads it; within a session, its state."""
        return str(self._stage.value)

    @property
    def _stage(self) -> Phase | State:
        is_talking, session = self.phase is Phase.SESSION, self._talk.session
        return session.state if is_talking and session else self.phase

    @property
    def summary(self) -> Summary:
        """What has happened so far."""
        return Summary(
            phases=tuple(self._journal),
            requests=self._talk.requests,
            responses=self._talk.responses,
            energy_wh=self._cable.battery.energy_wh,
            soc_pct=self.soc_pct,
            outcome=self.outcome,
            reason=self.reason,
        )

    # --- the machine

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        """Take one event."""
        match event:
            case MessageIn() | TcpData():
                self._hear(event, now)
            case Plug() if self.phase is Phase.AWAY:
                self._tries = 0
                self.outcome, self.reason = None, ""
                self._out += self._cable.plug()
                self._enter(Phase.PLUGGED, now)
                self._wake(now)
            case Unplug() if self.phase is not Phase.AWAY:
                self._leave(now)
            case InletReading():
                self._out += self._cable.take(event, now)
                self._tell(self._cable.fact(event), now)
            case ev.PilotSeen():
                self._see(event, now)
            case ev.StopWish():
                self._tell(event, now)
            case _:
                self._receive(event, now)
        return self._flush(now)

    def tick(self, now: float) -> Sequence[CarAction]:
        """Let time pass."""
        if is_due(self._line.deadline, now):
            self._run(self._line.tick(now), now)
        if self._talk.dialog is not None:
            self._run(self._talk.dialog.tick(now), now)
        if is_due(self._setup_by, now):
            self._setup_by = None
            self._fail("no session in time", now)
        if is_due(self._deadline, now):
            self._deadline = None
            self._go_on(now)
        return self._flush(now)

    def _go_on(self, now: float) -> None:
        """Take the end of a phase's time."""
        match self.phase:
            case Phase.PLUGGED:
                self._tries += 1
                self._enter(Phase.MATCHING, now)
                self._run(self._line.match(now), now)
            case Phase.JOINING:
                self._enter(Phase.SEARCHING, now)
                self._line.search(now)
            case Phase.CONNECTING:
                self._fail("the station does not take the connection", now)
            case Phase.ASLEEP | Phase.CALLING:
                self._call(now)
            case Phase.RESTING:
                self._leave(now)

    def _flush(self, now: float) -> Sequence[CarAction]:
        """Hand out what is wanted, and note where the car stands."""
        stage = self._stage
        if stage is not self._stage_told:
            self._stage_told = stage
            self._journal.append(PhaseEntry(now, self.phase_text))
        session = self._talk.session
        if self._setup_by is not None and session and has_begun(session.state):
            self._setup_by = None
        actions, self._out = self._out, []
        return actions

    def _enter(self, phase: Phase, now: float, limit_s: float | None = None) -> None:
        self.phase = phase
        self._deadline = None if limit_s is None else now + limit_s

    # --- cable

    def _see(self, seen: ev.PilotSeen, now: float) -> None:
        """Take what CP shows; only changes matter."""
        was_digital, self._pilot = self._pilot.is_digital, seen
        if seen.is_digital == was_digital:
            return
        if not seen.is_digital and self.phase in UNDERWAY:
            self._stop_talking(now)
            self._enter(Phase.PLUGGED, now)
        self._tell(seen, now)
        if seen.is_digital and self.phase in (Phase.ASLEEP, Phase.CALLING):
            self._resume(now)
        self._wake(now)

    def _wake(self, now: float) -> None:
        """Start towards a session, if the station offers one and the car wants it."""
        is_sated = self.outcome in (ev.Outcome.CHARGED, ev.Outcome.STOPPED)
        is_free = self.phase in (Phase.PLUGGED, Phase.RESTING)
        has_tries = self._tries < self.profile.car.tries
        if self._pilot.is_digital and is_free and has_tries and not is_sated:
            self._enter(Phase.PLUGGED, now, self.profile.car.wake_s)

    def _call(self, now: float) -> None:
        """Wake the station by toggles of S2; give up when it stays asleep."""
        if self._toggles >= BCB_TOGGLES:
            self._fail("the station does not wake up", now)
            return
        self._toggles += 1
        self._out += self._cable.set_s2(closed=self._toggles % 2 == 1)
        is_last = self._toggles == BCB_TOGGLES
        self._enter(Phase.CALLING, now, CONN_RESUME_S if is_last else BCB_S)

    def _resume(self, now: float) -> None:
        """Go back to the network that is still there."""
        self._out += self._cable.set_s2(closed=False)
        self._setup_by = now + self.profile.car.setup_s
        self._enter(Phase.JOINING, now, self.profile.car.search_after_s)

    def _leave(self, now: float) -> None:
        """Pull the plug."""
        self._talk.forget()
        self._out += self._cable.unplug()
        self._stop_talking(now)
        self._pilot = ev.PilotSeen(0.0, is_pwm=False)
        self._enter(Phase.AWAY, now)

    # --- network

    def _receive(self, event: CarEvent, now: float) -> None:
        match event:
            case FrameIn(raw):
                self._run(self._line.hear(raw, now), now)
            case SdpIn(payload):
                self._run(self._line.found(payload), now)
            case TcpOpened(connection):
                self._connected(connection, now)
            case TcpClosed(connection):
                self._disconnected(connection, now)

    def _connected(self, connection: int, now: float) -> None:
        if self.phase is not Phase.CONNECTING:
            self._out.append(TcpClose(connection))
            return
        self._talk.open(connection)
        self._enter(Phase.HANDSHAKE, now)
        self._tell(ev.Connected(), now)

    def _disconnected(self, connection: int, now: float) -> None:
        if self._talk.is_on(connection):
            self._talk.lose()
            self._tell(ev.Disconnected(), now)
        elif self.phase is Phase.CONNECTING:
            self._enter(Phase.JOINING, now, self.profile.search.spacing_s)

    def _hear(self, event: TcpData | MessageIn, now: float) -> None:
        try:
            messages = self._talk.hear(event)
        except PeerError as error:
            self._fail(str(error), now)
            return
        for message in messages:
            self._tell(ev.ResponseIn(message), now)

    def _tell(self, event: ev.Event, now: float) -> None:
        if self._talk.dialog is not None:
            self._run(self._talk.dialog.handle(event, now), now)

    # --- what the machines inside want

    def _run(self, actions: Iterable[object], now: float) -> None:
        for action in actions:
            if isinstance(action, ev.SendRequest):  # by far the most of them
                self._out += self._talk.say(action.message)
            else:
                self._perform(action, now)

    def _perform(self, action: object, now: float) -> None:
        habits = self.profile.car
        match action:
            case SendMme(destination, mme):
                raw = wire.build(destination, self.host_mac, mme)
                self._out.append(SendFrame(raw))
            case slac.EvSlacMatched():
                self._setup_by = now + habits.setup_s
                self._enter(Phase.JOINING, now)
                self._search_at = now + habits.search_after_s
                self._run(self._line.join(action, now), now)
            case KeyConfirmed() if self.phase is Phase.JOINING:
                self._deadline = max(now, self._search_at)
            case slac.EvSlacFailed(reason):
                self._fail(reason.value, now)
            case Ask(datagram):
                self._out.append(SdpOut(datagram, sdp.MULTICAST_GROUP, sdp.PORT))
            case Found(address, port, is_secure):
                self._enter(Phase.CONNECTING, now, habits.connect_s)
                self._out.append(TcpConnect(address, port, is_secure))
            case NotFound():
                self._fail("no station answers SDP", now)
            case _:
                self._perform_session(action, now)

    def _perform_session(self, action: object, now: float) -> None:
        match action:
            case _ if isinstance(action, CableAction):
                self._out += self._cable.perform(action)
            case ev.Disconnect():
                self._out += self._talk.hang_up()
            case Chosen(offer):
                self._begin(offer.namespace, now)
            case ev.SessionEnded(outcome, reason):
                self._rest(outcome, reason, now)

    def _begin(self, namespace: str, now: float) -> None:
        """Start the session the handshake has chosen."""
        if not self._talk.begin(namespace):
            self._fail(f"the station chose {namespace}, which this twin lacks", now)
            return
        self._enter(Phase.SESSION, now)
        self._tell(ev.Connected(), now)

    # --- the end

    def _fail(self, reason: str, now: float) -> None:
        """Give up this try."""
        self._rest(ev.Outcome.ABORTED, reason, now)
        self._tell(ev.Disconnected(), now)
        self._out += self._talk.hang_up()

    def _rest(self, outcome: ev.Outcome, reason: str, now: float) -> None:
        if self.phase is Phase.RESTING:
            return
        self.outcome, self.reason = outcome, reason
        self._quiet(now)
        self._talk.note()
        if outcome is ev.Outcome.PAUSED:
            self._toggles = 0
            self._enter(Phase.ASLEEP, now, self.profile.session.iso2.pause_s)
        else:
            self._enter(Phase.RESTING, now, self.profile.car.unplugs_after_s)

    def _stop_talking(self, now: float) -> None:
        """Drop whatever is under way, without a word."""
        self._tell(ev.Disconnected(), now)
        self._out += self._talk.hang_up()
        self._quiet(now)
        self._talk.drop()

    def _quiet(self, now: float) -> None:
        self._setup_by = None
        self._run(self._line.quiet(now), now)
