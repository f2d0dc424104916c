"""The asyncio shell of our car: the same duties as the station's, on the other side.

Runs against any charger on an interface. Its electric end of the cable goes to a twin
bench through a socket, if there is one; without it the car believes it is plugged in
and sees 5 %, which serves a real charger whose pilot is simulated elsewhere.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from pilothat.errors import PilotHatError
from pilothat.runtime import netwatch
from pilothat.runtime.pipe import Pipe, Tls, TlsPipe
from pilothat.runtime.plcport import PlcPort
from pilothat.runtime.sdpport import SdpPort
from pilothat.runtime.standstill import Standstill
from pilothat.runtime.twinbench import CableEnd
from pilothat.station import actions as wanted
from pilothat.station.events import FrameIn, SdpIn, TcpClosed, TcpData, TcpOpened
from pilothat.twin import carevents as driven
from pilothat.twin.bench import CarElectrics
from pilothat.twin.car import Car
from pilothat.twin.carevents import CarAction, CarEvent, InletReading, Plug, Unplug
from pilothat.v2g.evcc.events import PilotSeen, StopWish

log = logging.getLogger("pilothat.ev")

KEEP_ALIVE_S = 0.2  # the bench pulls the plug of a car that is silent for a second
ADDRESS_S = 10.0  # the interface's address must be usable by then
LOOK_S = 0.1
NOMINAL_PCT = 5.0


class Mishap(Enum):
    """What can be made to happen to the car, to see what a charger makes of it."""

    STOP = "stop"  # the driver stops
    PULL = "pull"  # the plug is pulled
    DROP = "drop"  # the TCP connection breaks
    SILENT = "silent"  # the car says nothing any more


class EvShell:
    """Run one car from plugging in to unplugging.

    mishaps: what happens when the car comes into a phase, by the phase's text
    tls: what a car that can speak it speaks TLS with
    """

    def __init__(
        self,
        car: Car,
        interface: netwatch.Interface,
        cable: CableEnd | None,
        mishaps: Mapping[str, Mishap],
        tls: Tls | None = None,
    ) -> None:
        self._tls = tls
        self._mishaps = dict(mishaps)
        self._is_silent = False
        self._is_stopping = False
        self.car = car
        self._interface = interface
        self._cable = cable
        self._plc = PlcPort(interface.name)
        self._sdp = SdpPort(interface.name, interface.index, port=0)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._electrics: CarElectrics | None = None
        self._pipes: dict[int, Pipe] = {}
        self._count = 0
        self._phase = ""
        self._over = asyncio.Event()
        self._standstill = Standstill(log)
        self._lost: PilotHatError | None = None  # what ended it
        self._doers = self._table()

    async def run(self) -> None:
        """Plug in, charge, unplug. Raises PilotHatError when there is no address."""
        async with asyncio.timeout(ADDRESS_S):
            await self._address()
        loop = self._loop
        loop.add_reader(self._plc, self._hear_line)
        loop.add_reader(self._sdp, self._hear_sdp)
        if self._cable is not None:
            loop.add_reader(self._cable, self._hear_cable)
        self.feed(Plug())
        self._keep_alive()
        if self._cable is None:
            self.feed(PilotSeen(NOMINAL_PCT, is_pwm=True))
        try:
            await self._over.wait()
        finally:
            self._close()
        if self._lost is not None and self.car.outcome is None:
            raise self._lost  # else it is over, and the station has gone after that

    async def _address(self) -> None:
        """Wait for a usable address; the kernel tells nobody without netlink."""
        found = asyncio.Event()

        def look() -> None:
            if netwatch.link_local(self._interface.name) is not None:
                found.set()
            else:
                self._loop.call_later(LOOK_S, look)

        look()
        await found.wait()

    def stop(self, reason: str) -> None:
        """Let the driver end the charge; a second time pulls the plug."""
        if self._is_stopping or self.car.outcome is not None:
            self.feed(Unplug())
        else:
            self._is_stopping = True
            self.feed(StopWish(reason))

    def pull(self) -> None:
        """Pull the plug."""
        self.feed(Unplug())

    def _suffer(self, mishap: Mishap) -> None:
        match mishap:
            case Mishap.STOP:
                self.stop("the driver")
            case Mishap.PULL:
                self.pull()
            case Mishap.DROP:
                for pipe in tuple(self._pipes.values()):
                    pipe.abort()
            case Mishap.SILENT:
                self._is_silent = True

    def feed(self, event: CarEvent) -> None:
        """Give the car a fact, and do what it wants."""
        self._perform(self.car.handle(event, self._loop.time()))

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for port in (self._plc, self._sdp):
            self._loop.remove_reader(port)
            port.close()
        if self._cable is not None:
            self._loop.remove_reader(self._cable)  # whoever opened it closes it
        for pipe in tuple(self._pipes.values()):
            pipe.close()

    def _tick(self) -> None:
        self._perform(self.car.tick(self._loop.time()))

    def _perform(self, actions: Sequence[CarAction]) -> None:
        for action in actions:
            if not self._is_silent or isinstance(action, driven.SetElectrics):
                self._doers[type(action)](action)
        if self.car.phase_text != self._phase:
            self._phase = self.car.phase_text
            log.info("phase %s", self._phase)
            if mishap := self._mishaps.pop(self._phase, None):
                log.info("mishap %s", mishap.value)
                self._loop.call_soon(self._suffer, mishap)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self.car.deadline is not None:
            self._timer = self._loop.call_at(self.car.deadline, self._tick)
        if self.car.phase is driven.Phase.AWAY:
            self._over.set()

    def _table(self) -> Mapping[type, Callable[..., None]]:
        return {
            driven.SetElectrics: self._do_electrics,
            driven.TcpConnect: self._do_connect,
            wanted.SendFrame: lambda a: self._plc.send(a.frame),
            wanted.SdpOut: lambda a: self._sdp.send(a.payload, a.host, a.port),
            wanted.TcpSend: self._do_send,
            wanted.TcpClose: self._do_close,
        }

    def _do_electrics(self, action: driven.SetElectrics) -> None:
        self._electrics = action.electrics
        self._tell_bench()

    def _do_connect(self, action: driven.TcpConnect) -> None:
        self._count += 1
        number = self._count
        host = socket.inet_ntop(socket.AF_INET6, action.address)
        pipe = self._pipe(number, is_secure=action.is_secure)
        task = self._loop.create_task(self._open(pipe, host, action.port))
        task.add_done_callback(lambda _: None)

    def _pipe(self, number: int, *, is_secure: bool) -> Pipe:
        if is_secure and self._tls is not None:
            return TlsPipe(number, self._of_tcp, self._tls)
        return Pipe(number, self._of_tcp)

    async def _open(self, pipe: Pipe, host: str, port: int) -> None:
        self._pipes[pipe.number] = pipe
        link = socket.socket(socket.AF_INET6, socket.SOCK_STREAM)
        link.settimeout(0)
        try:
            await self._loop.sock_connect(link, (host, port, 0, self._interface.index))
            await self._loop.create_connection(lambda: pipe, sock=link)
        except OSError as error:
            link.close()
            log.warning("no connection host=%s port=%d error=%s", host, port, error)
            self._of_tcp(TcpClosed(pipe.number))

    def _do_send(self, action: wanted.TcpSend) -> None:
        if pipe := self._pipes.get(action.connection):
            pipe.send(action.data)

    def _do_close(self, action: wanted.TcpClose) -> None:
        if pipe := self._pipes.get(action.connection):
            pipe.close()

    def _of_tcp(self, event: TcpOpened | TcpData | TcpClosed) -> None:
        if isinstance(event, TcpClosed):
            self._pipes.pop(event.connection, None)
        self.feed(event)

    def _hear_line(self) -> None:
        for frame in self._plc.take():
            self.feed(FrameIn(frame))

    def _hear_sdp(self) -> None:
        for payload, host, port in self._sdp.take():
            self.feed(SdpIn(payload, host, port))

    def _hear_cable(self) -> None:
        report = self._cable.report() if self._cable else None
        if report is not None:
            self.feed(PilotSeen(report.duty_pct, report.is_pwm))
            self.feed(InletReading(report.voltage_v, report.current_a))

    def _keep_alive(self) -> None:
        if not self._over.is_set():
            self._loop.call_later(KEEP_ALIVE_S, self._keep_alive)
            self._standstill.look(KEEP_ALIVE_S)
            self._tell_bench()

    def _tell_bench(self) -> None:
        if self._cable is None:
            return
        if not self._cable.connect(self._electrics) and self._electrics is not None:
            self._lost = PilotHatError(
                "nobody listens at the bench",
                where="--bench",
                remedy="Start the station first: pilothat run, with board.driver twin",
            )
            self._over.set()
