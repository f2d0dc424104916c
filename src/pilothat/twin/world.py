"""A whole charging point in virtual time: station, guard, bench, powerline, car.

The same seed gives the same journal, bit for bit. After every event the invariants are
looked at (``twin.invariants``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf

from pilothat import guard as guarding
from pilothat.again import again
from pilothat.station import actions as wanted
from pilothat.station import events as heard
from pilothat.station.actions import Action
from pilothat.station.station import Station
from pilothat.twin import carevents as driven
from pilothat.twin import stage
from pilothat.twin.bench import Bench, BenchFault
from pilothat.twin.chance import Chance
from pilothat.twin.chronicle import Chronicle
from pilothat.twin.clockwork import Clockwork
from pilothat.twin.driver import Driver
from pilothat.twin.invariants import Invariants
from pilothat.twin.measuring import Listeners, Measuring, Told
from pilothat.twin.medium import Medium
from pilothat.twin.network import Network, arriving
from pilothat.twin.stage import WorldSettings
from pilothat.v2g.evcc.events import PilotSeen

LEASE_S = 0.24  # a loop that has nothing to do renews the lease just in time
TURN_S = 0.12  # a loop that does something renews it when it is this old
SAMPLE_S = 0.005  # only while the ADC is noisy; else samples come with changes

Watcher = Callable[[float, heard.Event | None, Sequence[Action]], None]


class World:
    """One charging point with one car.

    It has no more than 30 attributes: an object with more of them is a slower one.
    """

    def __init__(self, settings: WorldSettings, seed: int) -> None:
        self.settings = settings
        self.clock = Clockwork()
        self._chronicle = Chronicle(settings, seed)
        self.watchers: list[Watcher] = []
        self.events = 0
        self.station = Station(settings.station, self._chronicle.entropy)
        self.guard = guarding.Guard(has_ventilation=settings.station.has_ventilation)
        self.bench = Bench(settings.bench, Chance(seed, "bench"))
        self.medium = Medium(settings.medium, Chance(seed, "medium"))
        modem = settings.modem_kind
        self.medium.attach(stage.EVSE, stage.EVSE_MAC, stage.EVSE_MODEM_MAC, modem)
        self.medium.attach(stage.EV, *stage.EV_MODEM)
        self.network = Network(self.clock, self.is_linked)
        self.car: Driver | None = None
        self.is_main_stalled = False
        self._stalled_until = 0.0
        self._backlog: list[heard.Event] = []
        self._lease = guarding.Lease(guarding.SAFE)
        self._renewed_at = 0.0
        self._told = Told()
        self._arriving = again(arriving)
        self._frame_of = again(heard.FrameIn)
        self.measuring = Measuring(self.bench, self._listeners())
        self._add_actors()
        self.invariants = Invariants(self)
        self._doers = self._table()
        self._car_doers = self._car_table()
        self._start()

    def _listeners(self) -> Listeners:
        report_of = again(heard.PlantReport)
        return Listeners(
            self._is_watched,
            lambda plant: self.tell(report_of(plant)),
            lambda inlet: self.drive(driven.InletReading(*inlet)),
        )

    def _add_actors(self) -> None:
        actor = self.clock.actor
        self._guard_actor = actor(
            lambda: self._of_guard(self.guard.tick(self.clock.now)),
            lambda: self.guard.deadline,
        )
        self._lease_actor = actor(self._renew, lambda: self._renewed_at + LEASE_S)
        self._bench_actor = actor(self._tick_bench, lambda: self.bench.deadline)
        self._station_actor = actor(
            lambda: self._record(None, self.station.tick(self.clock.now)),
            lambda: None if self.is_main_stalled else self.station.deadline,
        )
        self._measuring_actor = actor(
            lambda: self.measuring.turn(self.clock.now), lambda: self.measuring.at
        )
        self._medium_actor = actor(self._tick_medium, lambda: self.medium.deadline)
        self._car_actor = actor(
            lambda: self._of_car(self.car.tick(self.clock.now)) if self.car else None,
            lambda: self.car.deadline if self.car else None,
        )

    def _start(self) -> None:
        self.bench.drive_pilot(0.0, 0.0)
        self.after(0.0, lambda: self._sense(force=True))
        self.after(0.0, lambda: self.tell(self.settings.network))

    # --- time

    @property
    def now(self) -> float:
        """The time, s since the world began."""
        return self.clock.now

    def after(self, delay_s: float, call: Callable[[], None]) -> None:
        """Have something called later."""
        self.clock.after(delay_s, call)

    def run(self, is_over: Callable[[], bool], limit_s: float) -> bool:
        """Go on until it is over; False when the time limit came first."""
        while not is_over():
            if not self.clock.step(limit_s):
                return False
            self.events += 1
            self.invariants.check()
        return True

    # --- what people do to it

    def park(self, car: Driver) -> None:
        """Bring a car; it is not plugged in yet."""
        self.car = car
        self._car_actor.touch()

    def drive(self, event: driven.CarEvent) -> None:
        """Let something happen to the car."""
        if self.car is not None:
            self._car_actor.touch()
            self._of_car(self.car.handle(event, self.clock.now))

    def tell(self, event: heard.Event) -> None:
        """Let something happen to the station; a stalled one hears of it later."""
        if self.is_main_stalled:
            self._backlog.append(event)
            return
        if isinstance(event, heard.MessageIn):
            self.invariants.asked()
        elif isinstance(event, heard.TcpData):
            self.invariants.asked(event.data)
        self._record(event, self.station.handle(event, self.clock.now))

    def stall(self, duration_s: float) -> None:
        """Let the main program hang."""
        self.invariants.stir()
        self.is_main_stalled = True
        self._stalled_until = max(self._stalled_until, self.clock.now + duration_s)
        self._station_actor.touch()
        self.after(duration_s, self._unstall)

    def _unstall(self) -> None:
        """Go on: what has come meanwhile is heard now, in its order."""
        if self.clock.now < self._stalled_until:
            return
        self.is_main_stalled = False
        self.invariants.stir()
        self._station_actor.touch()
        backlog, self._backlog = self._backlog, []
        for event in backlog:
            self.tell(event)
        self._renew()

    def inject(self, fault: BenchFault, *, on: bool = True) -> None:
        """Break something on the bench, or mend it."""
        self._stir()
        self.bench.inject(fault, self.clock.now, on=on)
        if fault is BenchFault.ADC_NOISE:
            self._sample()
        if fault is BenchFault.ESTOP:
            self._guard_event(self.bench.interlocks(self.clock.now))
        self._sense(force=True)

    def drop_connection(self) -> None:
        """Let the connection break, as a reset does."""
        self._hang_up(self.network.connection)

    def is_linked(self) -> bool:
        """Tell whether IP gets from one side to the other."""
        return self.medium.can_talk(stage.EV, stage.EVSE, self.clock.now)

    def has_deadline(self) -> bool:
        """Tell whether the station waits for a moment; a hung one waits for none."""
        self.clock.read()
        return self.is_main_stalled or self._station_actor.due < inf

    @property
    def lines(self) -> list[str]:
        """The journal so far, with its header; empty where it is not kept."""
        return self._chronicle.lines

    @property
    def journal_sha256(self) -> str:
        """The hash over all journal lines so far."""
        return self._chronicle.sha256

    # --- the station and what it wants

    def _record(self, event: heard.Event | None, actions: Sequence[Action]) -> None:
        self._station_actor.touch()
        self.invariants.station.stir()
        now = self.clock.now
        self._chronicle.write(now, event, actions)
        for watch in self.watchers:
            watch(now, event, actions)
        for action in actions:
            doer = self._doers.get(type(action))
            if doer is not None:
                doer(action)
        if now - self._renewed_at > TURN_S:
            self._renew()

    def _table(self) -> Mapping[type, Callable[..., None]]:
        """Who performs what: of the station, of the guard, of the car."""
        return {
            guarding.Want: self._do_want,
            wanted.SetOutput: self._do_output,
            wanted.MeasureIsolation: self._do_isolation,
            wanted.SendFrame: lambda a: self.frame(stage.EVSE, a.frame),
            wanted.SdpOut: self._do_sdp,
            wanted.Listen: self._do_listen,
            wanted.TcpSend: self._do_answer,
            wanted.SendMessage: self._do_answer,
            wanted.TcpClose: self._do_close,
            guarding.DrivePilot: self._do_pilot,
            guarding.DriveContactor: self._do_contactor,
            guarding.DriveSupply: self._do_supply,
            guarding.PilotFact: lambda a: self.after(0.0, partial(self.tell, a)),
            guarding.GuardFact: lambda a: self.after(0.0, partial(self.tell, a)),
        }

    def _do_want(self, action: guarding.Want) -> None:
        self._lease = guarding.Lease(action)
        self._renew()

    def _do_output(self, action: wanted.SetOutput) -> None:
        self.invariants.commanded(action.setpoint)
        self._stir()
        self.bench.set_output(action.setpoint, self.clock.now)

    def _do_isolation(self, action: wanted.MeasureIsolation) -> None:
        self._stir()
        self.bench.measure_isolation(self.clock.now, on=action.on)

    def _do_sdp(self, action: wanted.SdpOut) -> None:
        answer = heard.SdpIn(action.payload, stage.EVSE_HOST, action.port)
        self.network.datagram(lambda: self.drive(answer))

    def _do_listen(self, action: wanted.Listen) -> None:
        self.network.is_listening = action.on

    def _do_answer(self, action: wanted.TcpSend | wanted.SendMessage) -> None:
        self.invariants.answered()
        self.network.carry(self._arriving(action), self.drive)

    def _do_close(self, action: wanted.TcpClose) -> None:
        number = action.connection
        self.after(0.0, partial(self.invariants.closed, number))
        self._hang_up(number)

    # --- the guard and the bench

    def _guard_event(self, event: guarding.GuardEvent) -> None:
        self._guard_actor.touch()
        self._of_guard(self.guard.handle(event, self.clock.now))

    def _of_guard(self, actions: Iterable[guarding.GuardAction]) -> None:
        for action in actions:  # without one, nothing has changed
            self.invariants.stir()
            self._doers[type(action)](action)

    def _do_pilot(self, action: guarding.DrivePilot) -> None:
        self.bench.drive_pilot(action.duty_pct, self.clock.now)
        self._sense()

    def _do_contactor(self, action: guarding.DriveContactor) -> None:
        self._stir()
        self.bench.set_contactor(self.clock.now, closed=action.is_closed)

    def _do_supply(self, action: guarding.DriveSupply) -> None:
        self._stir()
        self.bench.enable_supply(self.clock.now, on=action.is_on)

    def _renew(self) -> None:
        """Renew the lease, as a loop that is alive does."""
        self._renewed_at = self.clock.now
        self._lease_actor.touch()
        if not self.is_main_stalled:
            self._guard_event(self._lease)

    def _tick_bench(self) -> None:
        self.bench.tick(self.clock.now)
        self._stir()
        self._sense()

    def _sense(self, *, force: bool = False) -> None:
        """Pass on what has changed on the bench, to guard and car."""
        now, told = self.clock.now, self._told
        self._bench_actor.touch()
        sample = self.bench.pilot(now)
        if force or sample != told.sample:
            told.sample = sample
            self.invariants.pilot_is(sample)
            self._guard_event(sample)
        is_closed = self.bench.contactor_is_closed(now)
        if is_closed is not told.is_closed:
            told.is_closed = is_closed
            self._guard_event(guarding.Feedback(is_closed))
        seen = self.bench.pilot_at_inlet(now)
        if seen != told.seen:
            told.seen = seen
            self.drive(PilotSeen(*seen))

    def _sample(self) -> None:
        if BenchFault.ADC_NOISE in self.bench.faults:
            self.after(SAMPLE_S, self._sample)
            self._sense(force=True)

    def _stir(self) -> None:
        """Something has been changed on the bench."""
        self.invariants.stir()
        self._bench_actor.touch()
        self.measuring.stir(self.clock.now)
        self._measuring_actor.touch()

    def _is_watched(self) -> bool:
        return self.station.talk.session is not None or not self.station.is_safe

    # --- the car, the powerline and the network

    def _tick_medium(self) -> None:
        for delivery in self.medium.tick(self.clock.now):
            if delivery.name == stage.EVSE:
                self.tell(self._frame_of(delivery.frame))
            elif delivery.name == stage.EV:
                self.drive(self._frame_of(delivery.frame))

    def frame(self, name: str, frame: bytes) -> None:
        """Let a host on the powerline send a frame."""
        self._medium_actor.touch()
        self.medium.host_sends(name, frame, self.clock.now)

    def _of_car(self, actions: Iterable[driven.CarAction]) -> None:
        for action in actions:
            self._car_doers[type(action)](action)

    def _car_table(self) -> Mapping[type, Callable[..., None]]:
        return {
            driven.SetElectrics: self._do_electrics,
            driven.TcpConnect: lambda a: self.network.connect(
                lambda n: self._opened(n, is_secure=a.is_secure), self._refused
            ),
            wanted.SendFrame: lambda a: self.frame(stage.EV, a.frame),
            wanted.SdpOut: self._do_search,
            wanted.TcpSend: self._do_ask,
            wanted.SendMessage: self._do_ask,
            wanted.TcpClose: lambda a: self._hang_up(a.connection),
        }

    def _do_electrics(self, action: driven.SetElectrics) -> None:
        self._stir()
        self.bench.connect(action.electrics, self.clock.now)
        self._sense()

    def _do_search(self, action: wanted.SdpOut) -> None:
        asked = heard.SdpIn(action.payload, stage.EV_HOST, stage.SDP_PORT)
        self.network.datagram(lambda: self.tell(asked))

    def _do_ask(self, action: wanted.TcpSend | wanted.SendMessage) -> None:
        self.network.carry(self._arriving(action), self.tell)

    def _opened(self, number: int, *, is_secure: bool) -> None:
        self.invariants.connected()
        self.tell(heard.TcpOpened(number, stage.EV_HOST, is_secure))
        opened = heard.TcpOpened(number, stage.EVSE_HOST, is_secure)
        self.network.carry(opened, self.drive)

    def _refused(self, number: int) -> None:
        self.after(0.0, lambda: self.drive(heard.TcpClosed(number)))

    def _hang_up(self, number: int) -> None:
        self.network.hang_up(number, self._closed)

    def _closed(self, number: int) -> None:
        self.tell(heard.TcpClosed(number))
        self.drive(heard.TcpClosed(number))
