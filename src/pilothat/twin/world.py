"""A whole charging point in virtual time: station, guard, bench, powerline, car.

A heap of (time, order, call) and the deadlines of the machines; no event loop, no
clock, no thread. The same seed gives the same journal, bit for bit. After every event
the invariants are looked at (``twin.invariants``).
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from math import inf

from pilothat.guard import SAFE as SAFE_WANT
from pilothat.guard import (
    DriveContactor,
    DrivePilot,
    DriveSupply,
    Feedback,
    Guard,
    GuardAction,
    GuardFact,
    Lease,
    PilotFact,
    Want,
)
from pilothat.journal import Entry, Recorder, line_of
from pilothat.plant import PlantFact
from pilothat.station.actions import (
    Action,
    Listen,
    MeasureIsolation,
    Publish,
    Raise,
    SdpOut,
    SendFrame,
    SendMessage,
    SetOutput,
    TcpClose,
    TcpSend,
)
from pilothat.station.events import (
    Event,
    FrameIn,
    MessageIn,
    NetworkFact,
    PlantReport,
    SdpIn,
    TcpClosed,
    TcpData,
    TcpOpened,
)
from pilothat.station.settings import StationSettings
from pilothat.station.station import Station
from pilothat.twin.bench import Bench, BenchFault, BenchSettings
from pilothat.twin.carevents import (
    CarAction,
    CarEvent,
    InletReading,
    SetElectrics,
    TcpConnect,
)
from pilothat.twin.chance import Chance
from pilothat.twin.driver import Driver
from pilothat.twin.invariants import Invariants
from pilothat.twin.medium import Medium, MediumSettings
from pilothat.v2g.evcc.events import PilotSeen

EVSE = "evse"
EV = "ev"
EVSE_MAC = bytes.fromhex("02e5e0000001")
EVSE_MODEM_MAC = bytes.fromhex("00b052e50001")
EV_MAC = bytes.fromhex("02ca00000001")
EV_MODEM_MAC = bytes.fromhex("00b052ca0001")
EVSE_ADDRESS = bytes.fromhex("fe8000000000000000e5e0fffe000001")
EV_HOST = "fe80::ca:ff:fe00:1"
EVSE_HOST = "fe80::e5:e0ff:fe00:1"
SDP_PORT = 15118
TCP_PORT = 61341

LEASE_S = 0.1  # a real loop renews every 50 ms; twice as lazy is still enough
LIVE_REPORT_S = 0.1
IDLE_REPORT_S = 0.4
SAMPLE_S = 0.005  # only while the ADC is noisy; else samples come with changes
NETWORK_S = 0.003  # one way, IP over the powerline
RETRANSMIT_S = 0.25  # TCP tries again while the line is cut


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What this world is made of.

    has_exi: EXI octets on TCP; without, message objects (faster)
    keeps_lines: keep the journal's lines, not only their hash
    """

    station: StationSettings = field(
        default_factory=lambda: StationSettings(host_mac=EVSE_MAC)
    )
    bench: BenchSettings = field(default_factory=BenchSettings)
    medium: MediumSettings = field(default_factory=MediumSettings)
    modem_kind: str = "qca7000"
    has_exi: bool = True
    keeps_lines: bool = False


@dataclass(slots=True)
class _Tcp:
    """The one connection there can be, and who knows of it."""

    number: int
    is_open: bool = True


class World:
    """One charging point with one car."""

    def __init__(self, settings: WorldSettings, seed: int) -> None:
        self.now = 0.0
        self.settings = settings
        self.lines: list[str] = []
        self.watchers: list[Callable[[float, object, Sequence[Action]], None]] = []
        self.events = 0
        self._recorder = Recorder(Chance(seed, "station"))
        self.station = Station(settings.station, self._recorder)
        self.guard = Guard(has_ventilation=settings.station.has_ventilation)
        self.bench = Bench(settings.bench, Chance(seed, "bench"))
        self.medium = Medium(settings.medium, Chance(seed, "medium"))
        self.medium.attach(EVSE, EVSE_MAC, EVSE_MODEM_MAC, settings.modem_kind)
        self.medium.attach(EV, EV_MAC, EV_MODEM_MAC)
        self.car: Driver | None = None
        self.invariants = Invariants(self)
        self.is_main_stalled = False
        self._want = SAFE_WANT
        self._hash = sha256()
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._order = 0
        self._sample_told: object = None
        self._is_closed_told = False
        self._pilot_told: tuple[float, bool] | None = None
        self._plant_told: PlantFact | None = None
        self._is_noisy = False
        self._is_listening = False
        self._tcp: _Tcp | None = None
        self._connections = 0
        self.bench.drive_pilot(0.0, 0.0)
        self.after(0.0, lambda: self._sense(force=True))
        self.after(0.0, self._start)
        self.after(0.0, self._renew)
        self.after(0.0, self._report)

    # --- time

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Have something called later."""
        self._order += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._order, call))

    def run(self, is_over: Callable[[], bool], limit_s: float) -> bool:
        """Go on until it is over; False when the time limit came first."""
        while not is_over():
            if self._next_at() > limit_s:
                return False
            self.step()
        return True

    def step(self) -> None:
        """Do the next thing that is due."""
        heap_at = self._heap[0][0] if self._heap else inf
        machine_at, turn = self._next_machine()
        if heap_at <= machine_at:
            self.now = max(self.now, heap_at)
            heapq.heappop(self._heap)[2]()
        else:
            self.now = max(self.now, machine_at)
            turn()
        self.events += 1
        self.invariants.check()

    def _next_at(self) -> float:
        heap_at = self._heap[0][0] if self._heap else inf
        return min(heap_at, self._next_machine()[0])

    def _next_machine(self) -> tuple[float, Callable[[], None]]:
        station_at = inf if self.is_main_stalled else self.station.deadline
        turns: tuple[tuple[float | None, Callable[[], None]], ...] = (
            (self.guard.deadline, self._tick_guard),
            (self.bench.deadline, self._tick_bench),
            (station_at, self._tick_station),
            (self.medium.deadline, self._tick_medium),
            (self.car.deadline if self.car else None, self._tick_car),
        )
        best_at, best = inf, self._tick_guard
        for at, turn in turns:
            if at is not None and at < best_at:
                best_at, best = at, turn
        return best_at, best

    # --- what people do to it

    def park(self, car: Driver) -> None:
        """Bring a car; it is not plugged in yet."""
        self.car = car

    def drive(self, event: CarEvent) -> None:
        """Let something happen to the car."""
        if self.car is not None:
            self._perform_car(self.car.handle(event, self.now))

    def tell(self, event: Event) -> None:
        """Let something happen to the station."""
        self._feed(event)

    def inject(self, fault: BenchFault, *, on: bool = True) -> None:
        """Break something on the bench, or mend it."""
        self.bench.inject(fault, self.now, on=on)
        if fault is BenchFault.ADC_NOISE:
            self._is_noisy = on
            if on:
                self._sample()
        if fault is BenchFault.ESTOP:
            self._perform_guard(
                self.guard.handle(self.bench.interlocks(self.now), self.now)
            )
        self._sense(force=True)

    @property
    def journal_sha256(self) -> str:
        """Return the hash over all journal lines so far."""
        return self._hash.hexdigest()

    # --- machines whose time has come

    def _tick_guard(self) -> None:
        self._perform_guard(self.guard.tick(self.now))

    def _tick_bench(self) -> None:
        self.bench.tick(self.now)
        self._sense()

    def _tick_station(self) -> None:
        self._record(None, self.station.tick(self.now))

    def _tick_medium(self) -> None:
        for delivery in self.medium.tick(self.now):
            if delivery.name == EVSE:
                self._feed(FrameIn(delivery.frame))
            elif delivery.name == EV:
                self.drive(FrameIn(delivery.frame))

    def _tick_car(self) -> None:
        if self.car is not None:
            self._perform_car(self.car.tick(self.now))

    # --- the station and what it wants

    def _start(self) -> None:
        self._feed(NetworkFact(is_up=True, address=EVSE_ADDRESS, tcp_port=TCP_PORT))

    def _feed(self, event: Event) -> None:
        if self.is_main_stalled:
            self.after(LEASE_S, lambda: self._feed(event))
            return
        self._record(event, self.station.handle(event, self.now))

    def _record(self, event: Event | None, actions: Sequence[Action]) -> None:
        if event is not None or actions:
            line = line_of(Entry(self.now, event, actions, self._recorder.take()))
            self._hash.update(line.encode())
            if self.settings.keeps_lines:
                self.lines.append(line)
        for watch in self.watchers:
            watch(self.now, event, actions)
        for action in actions:
            self._perform(action)

    def _perform(self, action: Action) -> None:
        match action:
            case Want():
                self._want = action
                self._perform_guard(self.guard.handle(Lease(action), self.now))
            case SetOutput(setpoint):
                self.bench.set_output(setpoint, self.now)
                self.invariants.commanded(setpoint)
            case MeasureIsolation(on):
                self.bench.measure_isolation(self.now, on=on)
            case SendFrame(frame):
                self.medium.host_sends(EVSE, frame, self.now)
            case SdpOut(payload, _, port):
                self._to_car(SdpIn(payload, EVSE_HOST, port))
            case Listen(on):
                self._is_listening = on
            case TcpSend(number, data):
                self.invariants.answered()
                self._carry(number, lambda: self.drive(TcpData(number, data)))
            case SendMessage(number, message):
                self.invariants.answered()
                self._carry(number, lambda: self.drive(MessageIn(number, message)))
            case TcpClose(number):
                self._hang_up(number)
            case Raise() | Publish():
                pass  # for those who watch

    # --- the guard and the bench

    def _renew(self) -> None:
        """Renew the lease, as a loop that is alive does."""
        self.after(LEASE_S, self._renew)
        if not self.is_main_stalled:
            self._perform_guard(self.guard.handle(Lease(self._want), self.now))

    def _perform_guard(self, actions: Iterable[GuardAction]) -> None:
        for action in actions:
            match action:
                case DrivePilot(duty_pct):
                    self.bench.drive_pilot(duty_pct, self.now)
                    self._sense()
                case DriveContactor(is_closed):
                    self.bench.set_contactor(self.now, closed=is_closed)
                case DriveSupply(is_on):
                    self.bench.enable_supply(self.now, on=is_on)
                case PilotFact() | GuardFact():
                    fact = action
                    self.after(0.0, lambda fact=fact: self._feed(fact))  # type: ignore[misc]  # bound now

    def _sense(self, *, force: bool = False) -> None:
        """Pass on what has changed on the bench, to guard and car."""
        now = self.now
        sample = self.bench.pilot(now)
        if force or sample != self._sample_told:
            self._sample_told = sample
            self._perform_guard(self.guard.handle(sample, now))
        is_closed = self.bench.contactor_is_closed(now)
        if is_closed is not self._is_closed_told:
            self._is_closed_told = is_closed
            self._perform_guard(self.guard.handle(Feedback(is_closed), now))
        seen = self.bench.pilot_at_inlet(now)
        if seen != self._pilot_told:
            self._pilot_told = seen
            self.drive(PilotSeen(*seen))

    def _sample(self) -> None:
        if self._is_noisy:
            self.after(SAMPLE_S, self._sample)
            self._sense(force=True)

    def _report(self) -> None:
        """Let the supply report, and the car measure."""
        is_live = self.station.talk.session is not None or not self.station.is_safe
        self.after(LIVE_REPORT_S if is_live else IDLE_REPORT_S, self._report)
        plant = self.bench.plant(self.now)
        if plant is not None and (is_live or plant != self._plant_told):
            self._plant_told = plant
            self._feed(PlantReport(plant))
        if self.car is not None:
            self.drive(InletReading(*self.bench.inlet(self.now)))

    # --- the car and what it wants

    def _perform_car(self, actions: Iterable[CarAction]) -> None:
        for action in actions:
            match action:
                case SetElectrics(electrics):
                    self.bench.connect(electrics, self.now)
                    self._sense()
                case SendFrame(frame):
                    self.medium.host_sends(EV, frame, self.now)
                case SdpOut(payload):
                    self._to_station(SdpIn(payload, EV_HOST, SDP_PORT))
                case TcpConnect():
                    self.after(NETWORK_S, self._connect)
                case TcpSend(number, data):
                    self._carry(
                        number, lambda n=number, d=data: self._ask(TcpData(n, d))
                    )  # type: ignore[misc]  # bound now
                case SendMessage(number, message):
                    self._carry(
                        number,
                        lambda n=number, m=message: self._ask(MessageIn(n, m)),  # type: ignore[misc]  # bound now
                    )
                case TcpClose(number):
                    self._hang_up(number)

    def _ask(self, event: TcpData | MessageIn) -> None:
        self.invariants.asked(event)
        self._feed(event)

    # --- the network between them

    def _to_station(self, event: SdpIn) -> None:
        if self.medium.can_talk(EV, EVSE, self.now):
            self.after(NETWORK_S, lambda: self._feed(event))

    def _to_car(self, event: SdpIn) -> None:
        if self.medium.can_talk(EV, EVSE, self.now):
            self.after(NETWORK_S, lambda: self.drive(event))

    def _connect(self) -> None:
        self._connections += 1
        number = self._connections
        if not self._is_listening or not self.medium.can_talk(EV, EVSE, self.now):
            self.after(NETWORK_S, lambda: self.drive(TcpClosed(number)))
            return
        self._tcp = _Tcp(number)
        self.invariants.connected()
        self._feed(TcpOpened(number, EV_HOST))
        self._carry(number, lambda: self.drive(TcpOpened(number, EVSE_HOST)))

    def _carry(self, number: int, deliver: Callable[[], None]) -> None:
        """Deliver over the connection; while the line is cut TCP tries again."""

        def arrive() -> None:
            tcp = self._tcp
            if tcp is None or tcp.number != number:
                return
            if self.medium.can_talk(EV, EVSE, self.now):
                deliver()
            else:
                self.after(RETRANSMIT_S, arrive)

        self.after(NETWORK_S, arrive)

    def _hang_up(self, number: int) -> None:
        """Close the connection at both ends, after what was sent before."""

        def close() -> None:
            if self._tcp is None or self._tcp.number != number:
                return
            self._tcp = None
            self._feed(TcpClosed(number))
            self.drive(TcpClosed(number))

        self.after(NETWORK_S * 1.5, close)

    def drop_connection(self) -> None:
        """Let the connection break, as a reset does."""
        if self._tcp is not None:
            self._hang_up(self._tcp.number)
