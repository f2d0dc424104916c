"""A scripted charging point around one car: frames, datagrams, a connection, an inlet.

SLAC is answered by the product's EVSE machine, all else by a table. It gives the car
what it asks for, until a test says otherwise.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from random import Random

from tests.unit.v2g.evcc.honest import SESSION_ID, Answers, Station, body_of

from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSetKeyCnf, CmSetKeyReq
from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.nid import nid_of
from pilothat.homeplug.qualcomm import VsSwVerCnf, VsSwVerReq
from pilothat.slac.events import SlacStart
from pilothat.slac.evse import EvseSlac
from pilothat.slac.settings import SlacSettings
from pilothat.station.actions import SdpOut, SendFrame, SendMessage, TcpClose, TcpSend
from pilothat.station.events import (
    FrameIn,
    MessageIn,
    SdpIn,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.twin.bench import CarElectrics
from pilothat.twin.car import (
    Car,
    CarAction,
    CarEvent,
    InletReading,
    Plug,
    SetElectrics,
    TcpConnect,
)
from pilothat.twin.profile import CarProfile
from pilothat.v2g import sdp, tp
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.events import PilotSeen
from pilothat.v2g.evcc.handshake import NAMESPACES
from pilothat.v2g.evcc.settings import Energy
from pilothat.v2g.messages import codec, din, iso2
from pilothat.v2g.messages.sap import (
    ResponseCode,
    SupportedAppProtocolReq,
    SupportedAppProtocolRes,
)

EV_MAC = bytes.fromhex("02ca00000001")
EV_MODEM = bytes.fromhex("00b052ca0001")
EVSE_MAC = bytes.fromhex("02e500000001")
NMK = bytes(range(16))
ADDRESS = bytes.fromhex("fe80000000000000000000fffe000001")
PORT = 61_000
MAINS_V = 230.0
STEP_S = 0.001  # a frame, a datagram, a packet on its way


class Booth:
    """Car and charging point in one virtual time."""

    def __init__(
        self,
        profile: CarProfile | None = None,
        *,
        exi: bool = False,
        seed: int = 1,
        answers: Answers | None = None,
        contract: Contract | None = None,
    ) -> None:
        self.car = Car(
            profile or CarProfile(),
            EV_MAC,
            Random(seed).randbytes,
            exi=exi,
            contract=contract,
        )
        self.exi = exi
        self.is_ac = self.car.profile.session.iso2.energy is Energy.AC
        self.station = Station()
        self.answers = answers or self.station
        self.slac = EvseSlac(EVSE_MAC, SlacSettings())
        self.now = 0.0
        self.log: list[tuple[float, CarAction]] = []
        self.requests: list[str] = []
        self.security = sdp.Security.NONE
        self.has_sdp = self.has_tcp = self.has_slac = True
        self.namespace = NAMESPACES[self.answers.protocol]
        self.electrics: CarElectrics | None = None
        self._connections = 0
        self._reader = tp.Reader()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._target_a = 0.0
        start = SlacStart(nid=nid_of(NMK), nmk=NMK)
        self.slac.handle(start, 0.0)
        self.after(0.1, self._measure)

    # --- time

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._count, call))

    def run(self, limit_s: float, until: Callable[[], bool] = lambda: False) -> bool:
        while not until():
            at = min(self._heap[0][0], *self._deadlines())
            if at > limit_s:
                self.now = limit_s
                return False
            self.now = max(self.now, at)
            if self._heap[0][0] <= self.now:
                heapq.heappop(self._heap)[2]()
            self._perform(self.car.tick(self.now))
            self._send_all(self.slac.tick(self.now))
        return True

    def _deadlines(self) -> list[float]:
        known = (self.car.deadline, self.slac.deadline)
        return [1e9, *(d for d in known if d is not None)]

    def tell(self, event: CarEvent) -> None:
        self._perform(self.car.handle(event, self.now))

    def plug(self) -> None:
        self.tell(Plug())
        self.tell(PilotSeen(5.0, is_pwm=True))

    # --- the car's wishes

    def _perform(self, actions: Sequence[CarAction]) -> None:
        for action in actions:
            self.log.append((self.now, action))
            match action:
                case SendFrame(raw):
                    self.after(STEP_S, partial(self._hear_frame, raw))
                case SdpOut(payload):
                    self.after(STEP_S, partial(self._hear_sdp, payload))
                case TcpConnect():
                    self.after(STEP_S, self._connect)
                case TcpSend(connection, data):
                    self.after(STEP_S, partial(self._hear_tcp, connection, data))
                case SendMessage(connection, message):
                    self.after(STEP_S, partial(self._hear, connection, message))
                case SetElectrics(electrics):
                    self.electrics = electrics

    def closed(self) -> list[TcpClose]:
        return [a for _, a in self.log if isinstance(a, TcpClose)]

    def _measure(self) -> None:
        """Give the car the voltage it wants, and the current it asks for."""
        self.after(0.1, self._measure)
        it = self.electrics
        is_joined = it is not None and it.contactor_closed
        wanted_a = it.draw_a if it is not None and self.is_ac else self._target_a
        volts_v = it.ocv_v if it is not None else 0.0
        volts_v = MAINS_V if self.is_ac else volts_v
        self.answers.reported_v = volts_v
        self.answers.reported_a = wanted_a if is_joined else 0.0
        self.tell(InletReading(volts_v, self.answers.reported_a))

    # --- powerline

    def _hear_frame(self, raw: bytes) -> None:
        frame = wire.parse(raw)
        assert frame is not None
        match frame.mme:
            case CmSetKeyReq(my_nonce=nonce):
                self._modem(CmSetKeyCnf(result=1, my_nonce=bytes(4), your_nonce=nonce))
            case VsSwVerReq():
                self._modem(VsSwVerCnf(device_class=0x22, version=b"MAC", ident=1))
            case _ if self.has_slac:
                self._send_all(self.slac.handle(MmeIn(frame), self.now))

    def _modem(self, mme: CmSetKeyCnf | VsSwVerCnf) -> None:
        raw = wire.build(EV_MAC, EV_MODEM, mme)
        self.after(STEP_S, lambda: self.tell(FrameIn(raw)))

    def _send_all(self, actions: Sequence[object]) -> None:
        for action in actions:
            if isinstance(action, SendMme):
                raw = wire.build(action.destination, EVSE_MAC, action.mme)
                self.after(STEP_S, partial(self.tell, FrameIn(raw)))

    # --- network

    def _hear_sdp(self, payload: bytes) -> None:
        if self.has_sdp and sdp.parse_request(payload):
            answer = sdp.build_response(ADDRESS, PORT, self.security)
            self.tell(SdpIn(answer, "fe80::1", sdp.PORT))

    def _connect(self) -> None:
        self._connections += 1
        if self.has_tcp:
            self._reader = tp.Reader()
            self.tell(TcpOpened(self._connections, "fe80::1"))
        else:
            self.tell(TcpClosed(self._connections))

    def _hear_tcp(self, connection: int, data: bytes) -> None:
        for frame in self._reader.feed(data):
            is_first = self.requests[-1:] != ["SupportedAppProtocol"]
            is_app = is_first and not self._is_talking()
            protocol = "app" if is_app else self.answers.protocol
            self._hear(connection, codec(protocol).decode(frame.payload))

    def _is_talking(self) -> bool:
        return "SupportedAppProtocol" in self.requests

    def _hear(self, connection: int, message: object) -> None:
        answer = self._answer(message)
        if answer is None:
            return
        if self.exi:
            is_app = isinstance(answer, SupportedAppProtocolRes)
            protocol = "app" if is_app else self.answers.protocol
            payload = codec(protocol).encode(answer)
            data = tp.pack(tp.PayloadType.EXI, payload)
            self.after(STEP_S, lambda: self.tell(TcpData(connection, data)))
        else:
            self.after(STEP_S, lambda: self.tell(MessageIn(connection, answer)))

    def _answer(self, message: object) -> object | None:
        if isinstance(message, SupportedAppProtocolReq):
            self.requests.append("SupportedAppProtocol")
            taken = next(
                a
                for a in message.app_protocol
                if a.protocol_namespace == self.namespace
            )
            return SupportedAppProtocolRes(
                response_code=ResponseCode.OK_SuccessfulNegotiation,
                schema_id=taken.schema_id,
            )
        request = body_of(message)
        self.requests.append(type(request).__name__.removesuffix("Req"))
        if isinstance(request, din.CurrentDemandReq | iso2.CurrentDemandReq):
            self._target_a = request.ev_target_current.si
        body = self.answers.answer(request)
        return None if body is None else self.answers.wrap(SESSION_ID, body)


def quick(profile: CarProfile, soc_pct: float = 79.9) -> CarProfile:
    """Return the car with little left to charge."""
    return replace(profile, battery=replace(profile.battery, soc_pct=soc_pct))
