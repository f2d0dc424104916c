"""Plays one case: a station in a world of its own, a probe in the place of the car."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from pilothat.conformance.probe import Probe
from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass
from pilothat.guard import Want
from pilothat.pilot.duty import DIGITAL_PCT
from pilothat.station.actions import SdpOut, TcpClose, TcpSend
from pilothat.station.events import FrameIn, PlantReport
from pilothat.twin.carevents import Plug, TcpConnect
from pilothat.twin.chance import Chance
from pilothat.twin.circuit import CarPilot
from pilothat.twin.stage import EV_MAC, WorldSettings
from pilothat.twin.world import World
from pilothat.v2g import sdp
from pilothat.v2g.evcc.line import Line
from pilothat.v2g.messages import iso2
from pilothat.v2g.messages.xmldsig import Signature

NOTHING = FrameIn(b"")  # an event that means only: look what the probe wants
NOW_S = 1_800_000_000.0  # all cases play in January 2027
LINK_S = 30.0
ANSWER_S = 10.0  # when a missing answer is given up
LATE_S = 0.006  # two ways over the twin's network
CLOSE_S = 5.0  # SECC closes TCP within


class UnexpectedError(PilotHatError):
    """The station did something else than the case expects."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response; what it held, and how long the station took."""

    message: Any
    after_s: float

    @property
    def body(self) -> Any:
        """Return what is in the envelope; the message itself where there is none."""
        return getattr(self.message, "body", self.message)

    @property
    def code(self) -> str:
        """Return the response code's name."""
        return str(self.body.response_code.name)


class Contracting(Protocol):
    """What a tester asks of a purse."""

    def hear(self, body: object) -> None:
        """Take what the station says."""

    def request(
        self, name: str, changes: Mapping[str, Any], session_id: bytes
    ) -> tuple[iso2.Request, Signature | None] | None:
        """Return a request with its signature; None for one that needs no purse."""


class LowerTester:
    """The means of a case.

    purse: what the car pays with; None: it is authorised at the station
    is_secure: the car asks for TLS, and its connection is under it
    protocol: that the car speaks, a key of the codec
    """

    def __init__(
        self,
        settings: WorldSettings,
        purse: Contracting | None = None,
        protocol: str = "iso2",
    ) -> None:
        self.protocol = protocol
        self.purse = purse
        self.is_secure = settings.network.tls_port != 0
        self.world = World(settings, 1)
        self.probe = Probe(EV_MAC, Chance(1, "car"))
        self.line = Line()
        self.session_id = b"\0"
        self.services: list[int] = []  # value-added ones that are offered
        self.paused_id = b""  # of the session that sleeps
        self.mode = "AC" if settings.station.ac else "DC"
        self.duties: list[tuple[float, float]] = []
        self.closes: list[float] = []
        self.measured_v = 0.0  # at the outlet, as the station heard last
        self.heard_at = 0.0  # the newest message
        self._heard = 0  # pieces of data already read
        self._messages: list[object] = []
        self.world.park(self.probe)
        self.world.watchers.append(self._watch)

    def _watch(self, now: float, event: object, actions: Sequence[object]) -> None:
        if isinstance(event, PlantReport):
            self.measured_v = event.plant.outlet_v
        for action in actions:
            match action:
                case Want(duty_pct) if not self.duties or (
                    duty_pct != self.duties[-1][1]
                ):
                    self.duties.append((now, duty_pct))
                case TcpClose():
                    self.closes.append(now)

    @property
    def security(self) -> sdp.Security:
        """What the car asks for."""
        return sdp.Security.TLS if self.is_secure else sdp.Security.NONE

    def line_again(self) -> None:
        """Forget what was said: the car begins anew after a sleep."""
        self.line = Line()
        self.probe.datagrams.clear()

    # --- time

    @property
    def now(self) -> float:
        """The time in the world, s."""
        return self.world.now

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.until(lambda: False, seconds)

    def until(self, holds: Callable[[], bool], limit_s: float) -> bool:
        """Let time pass until something holds; tell whether it does."""
        self.world.drive(NOTHING)
        end = self.now + limit_s
        if self.world.run(holds, end):
            return True
        self.world.clock.now = max(self.now, end)
        return holds()

    # --- the cable

    def plug(self) -> None:
        """Plug in."""
        self.world.drive(Plug())

    def pilot(self, pilot: CarPilot) -> None:
        """Change what the car shows on CP."""
        self.probe.show(pilot)
        self.world.drive(NOTHING)

    def join(self, *, is_joined: bool) -> None:
        """Close or open the car's contactor."""
        self.probe.show(is_joined=is_joined)
        self.world.drive(NOTHING)

    @property
    def is_modulated(self) -> bool:
        """Whether 5 % is on."""
        return bool(self.duties) and self.duties[-1][1] == DIGITAL_PCT

    # --- the network

    def search(self, datagram: bytes) -> None:
        """Send a datagram to the SDP port."""
        self.probe.want(SdpOut(datagram, sdp.MULTICAST_GROUP, sdp.PORT))
        self.world.drive(NOTHING)

    def connect(self) -> bool:
        """Open a connection; tell whether it is taken."""
        self.probe.want(
            TcpConnect(bytes(16), 0, self.is_secure)
        )  # the world has one station
        self.world.drive(NOTHING)
        probe = self.probe
        self.until(lambda: bool(probe.connection) or probe.refused_at is not None, 2.0)
        return probe.connection is not None

    def hang_up(self) -> None:
        """Close the connection."""
        if self.probe.connection is not None:
            self.probe.want(TcpClose(self.probe.connection))
            self.world.drive(NOTHING)

    def send(self, octets: bytes) -> None:
        """Send octets over the connection."""
        if self.probe.connection is None:
            raise UnexpectedError("the connection is closed", where="TCP")
        self.probe.want(TcpSend(self.probe.connection, octets))
        self.world.drive(NOTHING)

    def received(self) -> object | None:
        """Return the next message that has come; None while there is none."""
        while self._heard < len(self.probe.data):
            self._messages += self.line.hear(self.probe.data[self._heard][1])
            self.heard_at = self.probe.data[self._heard][0]
            self._heard += 1
        return self._messages.pop(0) if self._messages else None

    def answer(self, asked_at: float, limit_s: float = ANSWER_S) -> Answer | None:
        """Wait for a message; None when none comes."""
        found: list[object] = []

        def has_come() -> bool:
            message = self.received()
            if message is not None:
                found.append(message)
            return bool(found) or self.probe.connection is None

        self.until(has_come, limit_s)
        if not found:
            return None
        if self.purse is not None:
            self.purse.hear(getattr(found[0], "body", None))
        return Answer(found[0], self.now - asked_at - LATE_S)

    def ask(self, message: object) -> Answer:
        """Send a message and return its answer. Raises UnexpectedError without one."""
        asked_at = self.now
        self.send(self.line.say(message))
        answer = self.answer(asked_at)
        if answer is None:
            name = type(getattr(message, "body", message)).__name__
            raise UnexpectedError(f"no answer to {name}", where=f"t={asked_at:.3f} s")
        return answer
