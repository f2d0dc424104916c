"""A charging post around a station: an ideal plant, a willing car, a scripted line.

The station is the real one. Its powerline is replaced by one that says what a test
wants; guard and supply do at once what they are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.unit.v2g.secc import car

from pilothat.faults import Fault
from pilothat.guard import SAFE, GuardFact, PilotFact, Want
from pilothat.pilot.levels import PilotState
from pilothat.plant import OFF, Isolation, PathPhase, PlantFact, Setpoint
from pilothat.plc.modem import ModemSettings
from pilothat.slac.settings import SlacSettings
from pilothat.station.actions import (
    Action,
    Listen,
    MeasureIsolation,
    Publish,
    Raise,
    SendMessage,
    SetOutput,
    TcpClose,
)
from pilothat.station.events import (
    Event,
    MessageIn,
    NetworkFact,
    PlantReport,
    SdpIn,
    StopCause,
    StopRequested,
    TcpClosed,
    TcpOpened,
)
from pilothat.station.phases import Phase
from pilothat.station.powerline import (
    LineAction,
    LineFact,
    LineLost,
    LineReady,
    LineUp,
    Powerline,
)
from pilothat.station.settings import StationSettings
from pilothat.station.station import Station
from pilothat.station.talk import TalkEvent
from pilothat.v2g import sdp
from pilothat.v2g.messages import din, sap

MAC = bytes.fromhex("02e5e0000001")
ADDRESS = bytes.fromhex("fe8000000000000000e5e0fffe000001")
HOST = "fe80::ca"
UP = NetworkFact(is_up=True, address=ADDRESS, tcp_port=61341)
SETTINGS = StationSettings(host_mac=MAC)
ASK = sdp.build_request(sdp.Security.NONE)
VOLTS = {"A": 12.0, "B": 9.0, "C": 6.0, "D": 3.0, "E": 0.0, "X": 7.5}
STEP_S = 0.1
USER_STOP = StopRequested(StopCause.USER)
CHARGING = "CurrentDemand"


def offer(namespace: str = "urn:din:70121:2012:MsgDef") -> sap.SupportedAppProtocolReq:
    entry = sap.AppProtocol(
        protocol_namespace=namespace,
        version_number_major=2,
        version_number_minor=0,
        schema_id=1,
        priority=1,
    )
    return sap.SupportedAppProtocolReq(app_protocol=(entry,))


class ScriptedLine(Powerline):
    """A powerline that does what the test says, and remembers what it was told."""

    def __init__(self) -> None:
        super().__init__(MAC, SlacSettings(), ModemSettings(), bytes)
        self.told: list[str] = []
        self.says: list[LineFact] = []

    @property
    def deadline(self) -> float | None:
        return None

    def handle(self, raw: bytes, now: float) -> Sequence[LineAction]:
        return ()

    def tick(self, now: float) -> Sequence[LineAction]:
        said, self.says = self.says, []
        for fact in said:
            if isinstance(fact, LineReady | LineLost):
                self.is_ready = isinstance(fact, LineReady)
        return said

    def renew_key(self, now: float) -> Sequence[LineAction]:
        self.told.append("renew")
        self.is_ready = True
        return (LineReady(),)

    def match(self, now: float, *, is_endless: bool) -> Sequence[LineAction]:
        self.told.append("match")
        return ()

    def leave(self, now: float) -> Sequence[LineAction]:
        self.told.append("leave")
        return (Listen(on=False),)

    def heard_car(self, event: TalkEvent, now: float) -> Sequence[LineAction]:
        self.told += ["heard"] * isinstance(event, SdpIn)
        return ()


@dataclass
class Post:
    """Everything around a station, and all that it did, with the time."""

    station: Station
    line: ScriptedLine
    now: float = 0.0
    level: str = "A"
    want: Want = SAFE
    is_closed: bool = False
    faults: tuple[Fault, ...] = ()
    setpoint: Setpoint = OFF
    isolation: Isolation = Isolation.INVALID
    current_a: float | None = None  # None: what is asked for
    is_following: bool = True  # the contactor does what it is told
    is_reporting: bool = True
    connection: int = 0  # there is; 0 is none
    last_connection: int = 0
    session_id: bytes = b"\0"
    done: list[tuple[float, Action]] = field(default_factory=list)

    @property
    def phase(self) -> Phase:
        return self.station.phase

    # --- time and events

    def tell(self, *events: Event) -> list[Action]:
        """Hand events in; let guard and supply answer; return all actions."""
        actions: list[Action] = []
        for event in events:
            actions += self._perform(self.station.handle(event, self.now))
        return actions

    def line_says(self, *facts: LineFact) -> list[Action]:
        self.line.says += facts
        return self._perform(self.station.tick(self.now))

    def later(self, duration_s: float) -> list[Action]:
        """Let time pass: reports every tenth of a second, ticks when due."""
        actions: list[Action] = []
        until = self.now + duration_s
        report_at = self.now + STEP_S
        while self.now < until:
            due_at = self.station.deadline
            at = min(report_at, until, until if due_at is None else due_at)
            self.now = max(at, self.now)
            if due_at is not None and due_at <= self.now:
                actions += self._perform(self.station.tick(self.now))
            if self.now >= report_at:
                report_at += STEP_S
                actions += self.report()
        return actions

    def report(self) -> list[Action]:
        return self.tell(PlantReport(self.plant)) if self.is_reporting else []

    @property
    def plant(self) -> PlantFact:
        is_on = self.setpoint.is_on and self.want.is_supply_enabled
        supply_v = self.setpoint.voltage_v if is_on else 0.0
        outlet_v = supply_v if self.is_closed else 0.0
        phase = self.station.path.phase
        flows = phase in (PathPhase.DELIVERING, PathPhase.RAMPING) and outlet_v > 0
        asked_a = self.setpoint.current_a if self.current_a is None else self.current_a
        return PlantFact(supply_v, outlet_v, asked_a if flows else 0.0, self.isolation)

    def _perform(self, actions: Sequence[Action]) -> list[Action]:
        everything = list(actions)
        self.done += [(self.now, action) for action in actions]
        for action in actions:
            match action:
                case Want():
                    self.want = action
                case SetOutput(setpoint):
                    self.setpoint = setpoint
                case MeasureIsolation(on):
                    verdict = Isolation.VALID if on else Isolation.INVALID
                    self.isolation = verdict
                case SendMessage(_, message) if isinstance(message, din.V2gMessage):
                    self.session_id = message.header.session_id
                case TcpClose(number) if number == self.connection:
                    self.connection = 0
        everything += self._guard()
        return everything

    def _guard(self) -> list[Action]:
        """Tell what has changed of the pilot and of the contactor."""
        actions: list[Action] = []
        if self.is_following and self.is_closed is not self.want.is_contactor_closed:
            self.is_closed = self.want.is_contactor_closed
            actions += self.tell(self.guard_fact)
        if self.pilot_fact.state is not self.station.pilot.state:
            actions += self.tell(self.pilot_fact)
        return actions

    @property
    def guard_fact(self) -> GuardFact:
        return GuardFact(self.is_closed, self.want.is_supply_enabled, self.faults)

    @property
    def pilot_fact(self) -> PilotFact:
        duty_pct, high_v = self.want.duty_pct, VOLTS[self.level]
        if duty_pct == 0.0:
            return PilotFact(PilotState.F, -12.0, None, duty_pct)
        if self.level == "X":
            return PilotFact(PilotState.INVALID, high_v, -12.0, duty_pct)
        digit = "1" if duty_pct == 100.0 else "2"
        name = self.level if self.level == "E" else self.level + digit
        return PilotFact(PilotState[name], high_v, -12.0, duty_pct)

    # --- what people and cars do

    def pilot(self, level: str) -> list[Action]:
        """Let the car change the pilot; A is unplugged, X between two levels."""
        self.level = level
        return self._guard()

    def guard_sees(self, *faults: Fault) -> list[Action]:
        self.faults = faults
        return self.tell(self.guard_fact)

    def connect(self) -> list[Action]:
        self.connection = 1 + max(self.connection, self.last_connection)
        self.last_connection = self.connection
        return self.tell(TcpOpened(self.connection, HOST))

    def hang_up(self) -> list[Action]:
        number, self.connection = self.connection, 0
        return self.tell(TcpClosed(number))

    def say(self, message: object) -> list[Action]:
        return self.tell(MessageIn(self.connection or self.last_connection, message))

    def ask(self, request: din.Request) -> list[Action]:
        header = din.MessageHeader(session_id=self.session_id)
        return self.say(din.V2gMessage(header=header, body=request))

    def name(self, name: str) -> list[Action]:
        """Send the request of this name, after what a car does before it."""
        if name == "CableCheck":
            self.pilot("C")
            actions = self.ask(car.REQUESTS[name])
            self.later(1.0)
            return [*actions, *self.ask(car.REQUESTS[name])]
        if name in ("PowerDelivery+", CHARGING):
            self.later(0.2)
        return self.ask(car.REQUESTS[name])

    def walk(self, name: str) -> None:
        """Talk until this request is answered."""
        for step in car.ORDER[: car.ORDER.index(name) + 1]:
            self.name(step)

    # --- what it did

    def since(self, count: int) -> list[Action]:
        return [action for _, action in self.done[count:]]

    @property
    def phases(self) -> list[Phase]:
        told = [a.text for _, a in self.done if isinstance(a, Publish)]
        values = {phase.value: phase for phase in Phase}
        return [values[text] for text in told if text in values]


def starting(settings: StationSettings = SETTINGS) -> Post:
    station = Station(settings, car.entropy)
    station.line = line = ScriptedLine()
    post = Post(station, line)
    post.report()
    return post


def idle(settings: StationSettings = SETTINGS) -> Post:
    post = starting(settings)
    post.tell(UP)
    post.pilot("A")
    post.later(0.2)
    return post


def matching(settings: StationSettings = SETTINGS) -> Post:
    post = idle(settings)
    post.pilot("B")
    return post


def set_up(settings: StationSettings = SETTINGS) -> Post:
    post = matching(settings)
    post.line_says(LineUp())
    return post


def connected(settings: StationSettings = SETTINGS) -> Post:
    post = set_up(settings)
    post.tell(SdpIn(ASK, HOST, 50000))
    post.connect()
    post.say(offer())
    return post


def session(settings: StationSettings = SETTINGS, name: str = "SessionSetup") -> Post:
    post = connected(settings)
    post.walk(name)
    return post


def charging(settings: StationSettings = SETTINGS) -> Post:
    post = session(settings, CHARGING)
    post.later(0.3)
    assert post.station.path.phase is PathPhase.DELIVERING
    return post


def retrying(settings: StationSettings = SETTINGS) -> Post:
    post = set_up(settings)
    post.connect()
    post.say(offer("urn:other"))
    post.later(0.4)
    return post


def finished(settings: StationSettings = SETTINGS) -> Post:
    post = session(settings)
    post.ask(car.REQUESTS["SessionStop"])
    post.hang_up()
    post.later(0.1)
    return post


def out_of_service(settings: StationSettings = SETTINGS) -> Post:
    post = idle(settings)
    post.guard_sees(Fault.CONTACTOR_WELDED)
    post.later(10.0)
    return post


def stopping(settings: StationSettings = SETTINGS) -> Post:
    post = charging(settings)
    post.tell(USER_STOP)
    return post


MAKE = {
    Phase.STARTING: starting,
    Phase.IDLE: idle,
    Phase.MATCHING: matching,
    Phase.SETUP: set_up,
    Phase.SESSION: session,
    Phase.STOPPING: stopping,
    Phase.RETRY: retrying,
    Phase.FINISHED: finished,
    Phase.OUT_OF_SERVICE: out_of_service,
}


def raised(actions: Sequence[Action]) -> list[Fault]:
    return [action.fault for action in actions if isinstance(action, Raise)]


def bodies(actions: Sequence[Action]) -> list[din.Response]:
    """Return the V2G responses among actions."""
    found = []
    for action in actions:
        if isinstance(action, SendMessage) and isinstance(
            action.message, din.V2gMessage
        ):
            assert isinstance(action.message.body, din.Response)
            found.append(action.message.body)
    return found
