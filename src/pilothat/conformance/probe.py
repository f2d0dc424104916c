"""Whoever sits in the place of the car: gets as far as a connection, then is played.

Matching and key setting are done by the machines of the twin's car. From there on it
says nothing by itself: the tester sends octets and looks at what has come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilothat.homeplug import frame as wire
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.machine import Entropy, earliest
from pilothat.plc.events import KeyConfirmed, SetKey
from pilothat.plc.modem import Modem, ModemSettings
from pilothat.slac.ev import EvSlac
from pilothat.slac.events import EvSlacMatched, EvSlacStart
from pilothat.slac.settings import EvSlacSettings
from pilothat.station.actions import SendFrame
from pilothat.station.events import FrameIn, SdpIn, TcpClosed, TcpData, TcpOpened
from pilothat.twin.bench import CarElectrics
from pilothat.twin.carevents import (
    CarAction,
    CarEvent,
    Plug,
    SetElectrics,
    Unplug,
)
from pilothat.twin.circuit import CarPilot
from pilothat.v2g.evcc.events import PilotSeen

BATTERY_V = 400.0


class Probe:
    """A car that is played.

    data: octets that came over the connection, with their times
    datagrams: SDP answers, with their times
    closed_at, refused_at: of the connection; None while it is not
    """

    def __init__(self, host_mac: bytes, entropy: Entropy) -> None:
        self.is_linked = False
        self.connection: int | None = None
        self.data: list[tuple[float, bytes]] = []
        self.datagrams: list[tuple[float, bytes]] = []
        self.closed_at: float | None = None
        self.refused_at: float | None = None
        self.electrics = CarElectrics(ocv_v=BATTERY_V)
        self._host_mac = host_mac
        self._slac = EvSlac(host_mac, EvSlacSettings(), entropy)
        self._modem = Modem(host_mac, ModemSettings(judges_role=False), entropy)
        self._has_begun = self._is_matched = False
        self._out: list[CarAction] = []

    @property
    def deadline(self) -> float | None:
        """The next time something is due."""
        return earliest(self._slac.deadline, self._modem.deadline)

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        """Take one event."""
        match event:
            case Plug() | Unplug():
                shown = self.electrics if isinstance(event, Plug) else None
                self._out.append(SetElectrics(shown))
            case PilotSeen() if event.is_pwm and not self._has_begun:
                self._has_begun = True
                self._run(self._slac.handle(EvSlacStart(), now), now)
            case FrameIn(raw):
                self._hear(raw, now)
            case SdpIn(payload):
                self.datagrams.append((now, payload))
            case TcpOpened(connection):
                self.connection = connection
            case TcpClosed():
                self._closed(now)
            case TcpData(connection, data) if connection == self.connection:
                self.data.append((now, data))
        return self._flush()

    def tick(self, now: float) -> Sequence[CarAction]:
        """Let time pass."""
        self._run(self._slac.tick(now), now)
        self._run(self._modem.tick(now), now)
        return self._flush()

    def want(self, action: CarAction) -> None:
        """Do this at the next event."""
        self._out.append(action)

    def show(
        self, pilot: CarPilot | None = None, *, is_joined: bool | None = None
    ) -> None:
        """Change the car's end of the cable."""
        was = self.electrics
        joined = was.contactor_closed if is_joined is None else is_joined
        self.electrics = replace(was, pilot=pilot or was.pilot, contactor_closed=joined)
        self.want(SetElectrics(self.electrics))

    def _closed(self, now: float) -> None:
        if self.connection is None:
            self.refused_at = now
        else:
            self.closed_at = now
        self.connection = None

    def _hear(self, raw: bytes, now: float) -> None:
        frame = wire.parse(raw)
        if frame is not None:
            self._run(self._slac.handle(MmeIn(frame), now), now)
            self._run(self._modem.handle(MmeIn(frame), now), now)

    def _run(self, actions: Sequence[object], now: float) -> None:
        for action in actions:
            match action:
                case SendMme(destination, mme):
                    raw = wire.build(destination, self._host_mac, mme)
                    self._out.append(SendFrame(raw))
                case EvSlacMatched(nid, nmk):
                    self._is_matched = True
                    self._run(self._modem.handle(SetKey(nid, nmk), now), now)
                case KeyConfirmed() if self._is_matched:
                    self.is_linked = True

    def _flush(self) -> Sequence[CarAction]:
        actions, self._out = tuple(self._out), []
        return actions
