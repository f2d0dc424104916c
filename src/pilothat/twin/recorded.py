"""A recorded car, played against a station: the same shape as any other driver.

::

    AWAY -> PLUGGED -> MATCHING -> JOINING -> SEARCHING -> TALKING -> DONE -> AWAY

SLAC, SDP and the messages come from the recording. What a recording does not hold is
done by the twin's own machines: its modem, and matching or search where it lacks them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from enum import Enum

from pilothat.errors import PeerError
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSetKeyCnf
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.machine import Entropy, earliest, is_due
from pilothat.plc.events import KeyConfirmed, SetKey
from pilothat.plc.modem import Modem, ModemSettings
from pilothat.slac.ev import EvSlac
from pilothat.slac.events import EvSlacFailed, EvSlacMatched, EvSlacStart, EvSlacStop
from pilothat.slac.settings import EvSlacSettings
from pilothat.station.actions import SdpOut, SendFrame, TcpClose, TcpSend
from pilothat.station.events import FrameIn, SdpIn, TcpClosed, TcpData, TcpOpened
from pilothat.twin.bench import CarElectrics
from pilothat.twin.carevents import (
    CarAction,
    CarEvent,
    Plug,
    SetElectrics,
    TcpConnect,
    Unplug,
)
from pilothat.twin.circuit import CarPilot
from pilothat.twin.recordedmarks import (
    Mark,
    Said,
    Side,
    Stage,
    car_mac,
    first_message_s,
    mark,
    recorded_mark,
    search_after_s,
    stage_of,
)
from pilothat.twin.recordedsdp import RecordedSearch, requests
from pilothat.twin.recordedslac import (
    RecordedSlac,
    SendRaw,
    SlacStuck,
    is_whole,
    steps,
)
from pilothat.twin.recordedspeech import HANDSHAKE, body_of
from pilothat.twin.recordedtalk import Heard, RecordedTalk, Say, TalkOver
from pilothat.twin.recording import Recording
from pilothat.v2g import sdp, tp
from pilothat.v2g.evcc.events import Disconnect, PilotSeen, SetEvContactor, SetS2
from pilothat.v2g.evcc.line import Line
from pilothat.v2g.evcc.search import Ask, Found, NotFound

WAKE_S = 0.5  # from 5 % to the first frame; no recording shows it
CONNECT_S = 5.0
UNPLUG_S = 6.0  # from the end of the talk to pulling the plug
FALLBACK_V = 350.0  # battery of a car that was never precharged


class Phase(Enum):
    AWAY = "unplugged"
    PLUGGED = "plugged in"
    MATCHING = "matching"
    JOINING = "joining the network"
    SEARCHING = "looking for the station"
    CONNECTING = "connecting"
    TALKING = "talking"
    DONE = "done"


class RecordedCar:
    """The car of a recording."""

    def __init__(self, recording: Recording, entropy: Entropy) -> None:
        self.recording = recording
        self.phase = Phase.AWAY
        self.transcript: list[Said] = []
        self.notes: list[str] = []
        self.reason = ""
        self.is_broken_off = False
        script = steps(recording.slac)
        has_talk = bool(recording.turns or recording.sdp)
        self._script = script
        self.host_mac = car_mac(recording)
        self.has_slac = is_whole(script) or (bool(script) and not has_talk)
        self._slac = RecordedSlac(script)
        self._own_slac = EvSlac(self.host_mac, EvSlacSettings(), entropy)
        self._modem = Modem(self.host_mac, ModemSettings(judges_role=False), entropy)
        self._search = RecordedSearch(requests(recording.sdp))
        self._talk = RecordedTalk(recording)
        self._line = Line()
        self._stage = Stage.NOTHING
        self._connection: int | None = None
        self._deadline: float | None = None
        self._search_at = 0.0
        self._electrics: CarElectrics | None = None
        self._out: list[CarAction] = []
        if script and not self.has_slac:
            self.notes.append("the recorded SLAC has gaps: the twin's own car matches")
        elif not script and has_talk:
            self.notes.append("no SLAC is recorded: the twin's own car matches")

    # --- what came of it

    @property
    def reached(self) -> Mark:
        """Return how far our station let the car come."""
        return mark(self.recording, self._stage, self._talk.reached)

    @property
    def recorded(self) -> Mark:
        """Return how far the recorded charger let it come."""
        return recorded_mark(self.recording, self._script)

    @property
    def skipped(self) -> tuple[int, int]:
        """Return how many SLAC and SDP requests were needed no more."""
        return self._slac.skipped, self._search.skipped

    @property
    def loops(self) -> int:
        """Return the number of CurrentDemand requests that were sent."""
        return self._talk.loops

    # --- the machine

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        return earliest(
            self._deadline,
            self._slac.deadline,
            self._own_slac.deadline,
            self._modem.deadline,
            self._search.deadline,
            self._talk.deadline,
        )

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        """Take one event."""
        match event:
            case Plug() if self.phase is Phase.AWAY:
                self._enter(Phase.PLUGGED, None)
                self._show(CarElectrics(ocv_v=self.recording.battery_v or FALLBACK_V))
            case Unplug() if self.phase is not Phase.AWAY:
                self._leave(now)
            case PilotSeen() if event.is_digital and self.phase is Phase.PLUGGED:
                self._enter(Phase.PLUGGED, now + WAKE_S)
            case FrameIn(raw):
                self._hear_frame(raw, now)
            case SdpIn(payload):
                self._hear_sdp(payload, now)
            case TcpOpened() | TcpClosed() | TcpData():
                self._hear_tcp(event, now)
        actions, self._out = tuple(self._out), []
        return actions

    def tick(self, now: float) -> Sequence[CarAction]:
        """Let time pass."""
        self._run(self._slac.tick(now), now)
        self._run(self._own_slac.tick(now), now)
        self._run(self._modem.tick(now), now)
        self._run(self._search.tick(now), now)
        self._run(self._talk.tick(now), now)
        if is_due(self._deadline, now):
            self._deadline = None
            self._go_on(now)
        actions, self._out = tuple(self._out), []
        return actions

    def _enter(self, phase: Phase, deadline: float | None) -> None:
        self.phase, self._deadline = phase, deadline

    def _go_on(self, now: float) -> None:
        """Take the end of a phase's time."""
        match self.phase:
            case Phase.PLUGGED:
                self._enter(Phase.MATCHING, None)
                if self.has_slac:
                    self._slac.start(now)
                else:
                    self._run(self._own_slac.handle(EvSlacStart(), now), now)
            case Phase.JOINING:
                self._enter(Phase.SEARCHING, None)
                self._search.start(now)
            case Phase.CONNECTING:
                self._over("the station does not take the connection", now)
            case Phase.DONE:
                self._leave(now)

    def _leave(self, now: float) -> None:
        """Pull the plug, whatever is under way."""
        self._over("unplugged", now)
        self._electrics = None
        self._out.append(SetElectrics(None))
        self._enter(Phase.AWAY, None)

    def _over(self, reason: str, now: float, *, is_early: bool = True) -> None:
        """End the visit; the plug is pulled a little later."""
        if self.phase in (Phase.DONE, Phase.AWAY):
            return
        self.reason, self.is_broken_off = reason, is_early
        self._enter(Phase.DONE, now + UNPLUG_S)
        self._slac.stop()
        self._own_slac.handle(EvSlacStop(), now)
        self._slac.deadline = None
        self._search.stop()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._connection is not None:
            self._out.append(TcpClose(self._connection))
        self._connection = None

    # --- frames and datagrams

    def _hear_frame(self, raw: bytes, now: float) -> None:
        heard = wire.parse(raw)
        if heard is None:
            return
        self._run(self._modem.handle(MmeIn(heard), now), now)
        if heard.destination != self.host_mac or isinstance(heard.mme, CmSetKeyCnf):
            return
        if self.phase is Phase.MATCHING:
            self._note(now, type(heard.mme).__name__, heard.mme, Side.STATION)
        if self.has_slac:
            self._run(self._slac.handle(heard, now), now)
            self._stage = max(self._stage, stage_of(self._slac.progress))
        else:
            self._run(self._own_slac.handle(MmeIn(heard), now), now)

    def _hear_sdp(self, payload: bytes, now: float) -> None:
        answer = sdp.parse_response(payload)
        self._note(now, "SDP answer", answer, Side.STATION)
        if self.phase is not Phase.SEARCHING:
            return
        self._run(self._search.handle(payload, now), now)

    def _hear_tcp(self, event: TcpOpened | TcpClosed | TcpData, now: float) -> None:
        match event:
            case TcpOpened(connection) if self.phase is Phase.CONNECTING:
                self._connection = connection
                self._stage = Stage.CONNECTED
                self._enter(Phase.TALKING, None)
                self._talk.begin(now, first_message_s(self.recording))
            case TcpOpened(connection):
                self._out.append(TcpClose(connection))
            case TcpClosed(connection) if connection == self._connection:
                self._connection = None
                self._run(self._talk.hung_up(), now)
            case TcpClosed() if self.phase is Phase.CONNECTING:
                self._over("the station refuses the connection", now)
            case TcpData(connection, data) if connection == self._connection:
                self._hear_messages(data, now)

    def _hear_messages(self, data: bytes, now: float) -> None:
        try:
            messages = self._line.hear(data)
        except PeerError as error:
            self._over(f"the station's answer cannot be read: {error}", now)
            return
        for message in messages:
            self._run(self._talk.handle(message, now), now)
            self._line.protocol = self.recording.protocol or HANDSHAKE

    # --- what the machines inside want

    def _run(self, actions: Sequence[object], now: float) -> None:
        for action in actions:
            self._perform(action, now)

    def _perform(self, action: object, now: float) -> None:
        match action:
            case SendRaw(raw):
                self._send(raw, now)
            case SendMme(destination, mme):
                self._send(wire.build(destination, self.host_mac, mme), now)
            case EvSlacMatched(nid, nmk):
                self._matched(SetKey(nid, nmk), now)
            case KeyConfirmed() if self.phase is Phase.JOINING:
                self._deadline = max(now, self._search_at)
            case SlacStuck(reason):
                self._over(reason, now)
            case EvSlacFailed(failure):
                self._over(failure.value, now)
            case _:
                self._perform_search(action, now)

    def _perform_search(self, action: object, now: float) -> None:
        match action:
            case Ask(datagram):
                self._note(now, "SDP request", sdp.parse_request(datagram))
                self._out.append(SdpOut(datagram, sdp.MULTICAST_GROUP, sdp.PORT))
            case Found(address, port):
                self._found(address, port, now)
            case NotFound():
                self._over("no station answers SDP", now)
            case _:
                self._perform_talk(action, now)

    def _perform_talk(self, action: object, now: float) -> None:
        match action:
            case Say(payload, message, note):
                self._say(payload, message, note, now)
            case Heard(message, told, note):
                name = type(body_of(message)).__name__
                self.transcript.append(
                    Said(now, Side.STATION, name, message, note, told)
                )
            case SetS2(closed):
                self._show_more(pilot=CarPilot.C if closed else CarPilot.B)
            case SetEvContactor(closed):
                self._show_more(is_joined=closed)
            case Disconnect():
                self._hang_up()
            case TalkOver(reason, is_early):
                self._over(reason, now, is_early=is_early)

    def _matched(self, key: SetKey, now: float) -> None:
        self._stage = Stage.MATCHED
        recording = self.recording
        if not (recording.turns or recording.sdp):
            self._over("the recording ends", now, is_early=False)
            return
        self._enter(Phase.JOINING, None)
        self._search_at = now + search_after_s(recording)
        self._run(self._modem.handle(key, now), now)

    def _found(self, address: bytes, port: int, now: float) -> None:
        self._stage = Stage.FOUND
        if not self.recording.turns:
            self._over("the recording ends", now, is_early=False)
            return
        self._enter(Phase.CONNECTING, now + CONNECT_S)
        self._out.append(TcpConnect(address, port))

    def _say(
        self, payload: bytes, message: object | None, note: str, now: float
    ) -> None:
        name = "unknown" if message is None else type(body_of(message)).__name__
        self.transcript.append(Said(now, Side.CAR, name, message, note))
        if self._connection is not None:
            data = tp.pack(tp.PayloadType.EXI, payload)
            self._out.append(TcpSend(self._connection, data))

    def _send(self, raw: bytes, now: float) -> None:
        sent = wire.parse(raw)
        if raw[:6] != LOCAL_MODEM_MAC and sent is not None:
            self._note(now, type(sent.mme).__name__, sent.mme)
        self._out.append(SendFrame(raw))

    def _note(
        self, now: float, name: str, message: object | None, side: Side = Side.CAR
    ) -> None:
        self.transcript.append(Said(now, side, name, message))

    # --- the cable

    def _show(self, electrics: CarElectrics) -> None:
        self._electrics = electrics
        self._out.append(SetElectrics(electrics))

    def _show_more(
        self, pilot: CarPilot | None = None, *, is_joined: bool | None = None
    ) -> None:
        was = self._electrics
        if was is None:
            return
        joined = was.contactor_closed if is_joined is None else is_joined
        self._show(replace(was, pilot=pilot or was.pilot, contactor_closed=joined))
