"""The asyncio shell of the station: hands facts in, performs what comes out.

It holds no decision. Four duties: give each fact to the station in the same turn of the
loop, perform the actions in order, keep one timer at the station's deadline, and write
the journal. Every 50 ms, after a completed turn, it renews the guard's lease; so a loop
that hangs loses the supply within 250 ms and the contactor 50 ms later.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

from pilothat.errors import PilotHatError
from pilothat.faults import Fault
from pilothat.guard import SAFE, GuardFact, Lease, PilotFact, Want
from pilothat.journal import Entry, Recorder
from pilothat.machine import is_due
from pilothat.plant import PlantFact
from pilothat.ports import PowerSupply
from pilothat.runtime import netwatch
from pilothat.runtime.guardlink import GuardLink, LinkLostError
from pilothat.runtime.journalfile import JournalFile
from pilothat.runtime.panel import Reading
from pilothat.runtime.plcport import PlcPort
from pilothat.runtime.sdpport import SdpPort
from pilothat.runtime.standstill import Standstill
from pilothat.runtime.v2gport import TlsOffer, V2gPort
from pilothat.runtime.witness import Witness
from pilothat.station import actions as wanted
from pilothat.station.actions import Action
from pilothat.station.events import (
    Event,
    FrameIn,
    NetworkFact,
    PlantReport,
    SdpIn,
    StopCause,
    StopRequested,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.station.phases import Phase
from pilothat.station.station import Station
from pilothat.v2g.messages import codec
from pilothat.v2g.plant import TimeOfDay

log = logging.getLogger("pilothat")

RENEW_S = 0.05  # of a lease that lasts 250 ms
IDLE_RENEW_S = 0.12  # while nothing is on
WATCH_S = 1.0  # how often the interface is looked at
NO_ADDRESS_LOOKS = 5  # without an address, duplicate detection needs two
WARM_S = 0.05  # between two steps of warming up
STOP_S = 20.0  # an ordered stop takes no longer
RESTART = -1  # the exit code of one that shall begin again
GUARD_SILENT_S = 10.0  # it tells every second that it turns; opening a board takes long

Watcher = Callable[[Station, Event | None, float], None]


@dataclass(slots=True)
class Ports:
    """Everything the shell performs with."""

    guard: GuardLink
    supply: PowerSupply
    plc: PlcPort
    sdp: SdpPort
    interface: netwatch.Interface
    tls: TlsOffer | None = None
    clock: Callable[[], TimeOfDay] | None = None  # where it is needed
    watchers: Sequence[Watcher] = ()  # told after each event; None is a tick


class Shell:
    """Run a station until it is told to stop."""

    def __init__(
        self,
        station: Station,
        entropy: Recorder,
        ports: Ports,
        journal: JournalFile | None,
    ) -> None:
        self.station = station
        self._entropy = entropy
        self._ports = ports
        self._journal = journal
        self._tcp = V2gPort(ports.interface.index, self._hear_tcp, ports.tls)
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._want = SAFE
        self._network = NetworkFact(is_up=False, address=None, tcp_port=0)
        self._looks_missed = 0
        self._plant_told: PlantFact | None = None
        self._is_stopping = self._is_restarting = False
        self._ready = asyncio.Event()
        self._over = asyncio.Event()
        self._exit_code = 0
        self._standstill = Standstill(log)
        self._guard_heard_at = self._loop.time()
        self.has_heard_guard = False
        self._witness = Witness()
        self._doers = self._table()
        protocols = ("app", *station.talk.protocols)
        self._warming = chain.from_iterable(codec(p).preparing() for p in protocols)

    async def run(self) -> int:
        """Charge cars until ``stop``; return the exit code."""
        loop, ports = self._loop, self._ports
        loop.add_reader(ports.guard, self._hear_guard)
        self._read_ports()
        self._renew()
        self._watch()
        try:
            await self._over.wait()
        finally:
            loop.remove_reader(ports.guard)
            self._close_ports()
            self._tcp.close_all()
            if self._timer:
                self._timer.cancel()
        return self._exit_code

    def _read_ports(self) -> None:
        self._loop.add_reader(self._ports.plc, self._hear_line)
        self._loop.add_reader(self._ports.sdp, self._hear_sdp)

    def _close_ports(self) -> None:
        for port in (self._ports.plc, self._ports.sdp):
            self._loop.remove_reader(port)
            port.close()

    def _warm_up(self) -> None:
        """Make the codec's functions while nothing happens, a few milliseconds each.

        Made when first needed, they would hold up the first messages of a session. All
        that is there by then stays, so the collector need not look at it again: a whole
        collection would hold up the lease of the guard.
        """
        gc.freeze()
        for _ in self._warming:
            if not self._over.is_set():
                self._loop.call_later(WARM_S, self._warm_up)
            return

    @property
    def is_guard_alive(self) -> bool:
        """Whether the guard has lately said so."""
        return self._loop.time() - self._guard_heard_at < GUARD_SILENT_S

    async def ready(self) -> None:
        """Wait until a car may come."""
        await self._ready.wait()

    def stop(self) -> None:
        """Stop in order; a second time at once."""
        if self._is_stopping:
            self._end(self._exit_code)
            return
        self._is_stopping = True
        log.info("stopping phase=%s", self.station.phase.value)
        self.feed(StopRequested(StopCause.SHUTDOWN))
        self._loop.call_later(STOP_S, self._end, 1)
        self._end_when_safe()

    def restart(self) -> None:
        """End with ``RESTART`` as soon as no car is here."""
        self._is_restarting = True
        self._end_when_alone()

    def feed(self, event: Event) -> None:
        """Give the station a fact, and do what it wants."""
        now = self._loop.time()
        self._perform(event, self.station.handle(event, now), now)

    # --- the station

    def _tick(self) -> None:
        now, self._timer = self._loop.time(), None
        if is_due(self.station.deadline, now):
            self._perform(None, self.station.tick(now), now)
        else:
            self._arm()

    def _perform(
        self, event: Event | None, actions: Sequence[Action], now: float
    ) -> None:
        try:
            for action in actions:
                self._doers[type(action)](action)
        finally:  # an answer does not wait for it; what fails is in it
            if self._journal is not None:
                self._journal.write(Entry(now, event, actions, self._entropy.take()))
        for watch in self._ports.watchers:
            watch(self.station, event, now)
        self._arm()
        if self.station.phase is Phase.IDLE and not self._ready.is_set():
            self._ready.set()
            self._warm_up()
        if self._is_stopping:
            self._end_when_safe()
        if self._is_restarting:
            self._end_when_alone()

    def _arm(self) -> None:
        """See to it that the timer goes off at the deadline; sooner does no harm."""
        deadline = self.station.deadline
        if deadline is None or (self._timer and self._timer.when() <= deadline):
            return
        if self._timer:
            self._timer.cancel()
        self._timer = self._loop.call_at(deadline, self._tick)

    def _end_when_safe(self) -> None:
        if self.station.is_safe and not self._over.is_set():
            self._end(self._exit_code)

    def _end_when_alone(self) -> None:
        is_alone = self.station.phase in (Phase.STARTING, Phase.IDLE)
        if is_alone and not self._is_stopping:
            self._end(RESTART)

    def _end(self, exit_code: int) -> None:
        self._exit_code = exit_code
        self._over.set()

    # --- what is performed

    def _table(self) -> Mapping[type, Callable[..., None]]:
        ports = self._ports
        return {
            Want: self._do_want,
            wanted.SetOutput: lambda a: ports.supply.command(a.setpoint),
            wanted.MeasureIsolation: lambda a: ports.supply.measure_isolation(on=a.on),
            wanted.SendFrame: lambda a: ports.plc.send(a.frame),
            wanted.SdpOut: lambda a: ports.sdp.send(a.payload, a.host, a.port),
            wanted.Listen: lambda a: self._tcp.listen(on=a.on),
            wanted.TcpSend: lambda a: self._tcp.send(a.connection, a.data),
            wanted.TcpClose: lambda a: self._tcp.close(a.connection),
            wanted.Raise: lambda a: _log_fault(a.fault),
            wanted.Publish: lambda a: log.info("%s %s", a.topic.value, a.text),
        }

    def _do_want(self, want: Want) -> None:
        self._want = want
        self._tell_guard()

    def _tell_guard(self) -> None:
        try:
            self._ports.guard.send(Lease(self._want))
        except LinkLostError:  # an event of its own, behind the one at hand
            self._loop.call_soon(self._guard_is_gone)

    # --- what is heard

    def _hear_guard(self) -> None:
        try:
            for fact in self._ports.guard.take():
                self._guard_heard_at, self.has_heard_guard = self._loop.time(), True
                self._witness.hear(fact, self._guard_heard_at)
                if isinstance(fact, PilotFact | GuardFact):
                    self.feed(fact)
        except LinkLostError:
            self._guard_is_gone()

    def witnessed(self, reading: Reading) -> None:
        """Take what gpiozero sees of the guard's inputs."""
        guard, seen = self.station.guard, reading.seen
        look = self._witness.saw(reading, guard, self._loop.time())
        if look is not None:
            level = logging.INFO if look.agrees else logging.ERROR
            log.log(level, "inputs guard=%s gpiozero=%s %s", guard, seen, look)
            self.feed(look)

    def _guard_is_gone(self) -> None:
        if self._over.is_set():
            return
        self._loop.remove_reader(self._ports.guard)
        self._want = SAFE
        lost = (Fault.GUARD_LOST,)
        self.feed(GuardFact(False, False, lost))  # noqa: FBT003 - both are off
        self._end(1)

    def _hear_line(self) -> None:
        for frame in self._ports.plc.take():
            self.feed(FrameIn(frame))

    def _hear_tcp(self, event: TcpOpened | TcpData | TcpClosed) -> None:
        if isinstance(event, TcpOpened) and self._ports.clock:
            self.feed(self._ports.clock())  # before what needs it
        self.feed(event)

    def _hear_sdp(self) -> None:
        for payload, host, port in self._ports.sdp.take():
            self.feed(SdpIn(payload, host, port))

    def _renew(self) -> None:
        """Renew the lease and take a reading, after a completed turn."""
        if self._over.is_set():
            return
        wait_s = IDLE_RENEW_S if self.station.is_safe else RENEW_S
        self._loop.call_later(wait_s, self._renew)
        self._standstill.look(wait_s)
        self._tell_guard()
        if not self.is_guard_alive:
            log.critical("the guard has not turned for %.0f s", GUARD_SILENT_S)
            self._guard_is_gone()
        plant = self._ports.supply.reading()
        if plant is None:
            return
        is_watched = self.station.talk.session is not None or not self.station.is_safe
        if is_watched or plant != self._plant_told:
            self._plant_told = plant
            self.feed(PlantReport(plant))

    def _watch(self) -> None:
        """Look at the interface; the kernel tells it no other way without netlink."""
        if self._over.is_set():
            return
        self._loop.call_later(WATCH_S, self._watch)
        name = self._follow()
        is_up = name is not None and netwatch.is_up(name)
        address = netwatch.link_local(name) if name and is_up else None
        if name is not None:
            self._miss(name, is_missing=is_up and address is None)
        was = self._network
        if (is_up, address) == (was.is_up, was.address):
            return
        if address is not None and address != was.address:
            self._tcp.bind(address)
        self._network = NetworkFact(is_up, address, self._tcp.port, self._tcp.tls_port)
        told = name or self._ports.interface.name
        log.info("interface=%s up=%s address=%s", told, is_up, address is not None)
        self.feed(self._network)

    def _miss(self, name: str, *, is_missing: bool) -> None:
        """Say once why the interface has no address, when it stays without one."""
        self._looks_missed = self._looks_missed + 1 if is_missing else 0
        if self._looks_missed == NO_ADDRESS_LOOKS:
            why = netwatch.why_no_address(name)
            log.error("interface=%s has no link-local address. %s", name, why)

    def _follow(self) -> str | None:
        """Return the interface's name; one that came back gets new sockets."""
        was = self._ports.interface
        name = netwatch.name_of(was)
        if name is None:
            return None
        try:
            found = netwatch.find(name)
            if found == was:
                return name
            if found.index != was.index:
                self._reopen(found)
        except PilotHatError as error:  # on its way in or out: the next look tells
            log.warning("interface=%s error=%s", name, error)
            return None
        log.info("interface=%s was=%s number=%d", name, was.name, found.index)
        self._ports.interface = found
        return name

    def _reopen(self, found: netwatch.Interface) -> None:
        if found.mac != self._ports.interface.mac:
            log.error("interface=%s is another adapter now: restarting", found.name)
            self._end(1)
            return
        plc = PlcPort(found.name)
        try:
            sdp = SdpPort(found.name, found.index)
        except PilotHatError:
            plc.close()
            raise
        self._close_ports()
        self._ports.plc, self._ports.sdp = plc, sdp
        self._read_ports()
        self._tcp.move(found.index)


def _log_fault(fault: Fault) -> None:
    row = fault.row
    log.error("fault=%s %s. %s", fault.name, row.meaning, row.remedy)
