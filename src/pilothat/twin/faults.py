"""The menu of what can go wrong around a charging point, each with its way back.

A row strikes a scene and mends it some time later. What is drawn, when, and for how
long follows from a seed alone. Rows that only people cause in order (a stop, a
shutdown) and noise that must not matter at all are marked harmless: a current may not
be interrupted because of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from pilothat.frozen import dataclass
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import (
    CmMnbcSoundInd,
    CmSlacMatchReq,
    CmSlacParmReq,
    CmStartAttenCharInd,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import BROADCAST_MAC
from pilothat.station.events import FrameIn, SdpIn, StopCause, StopRequested, TcpData
from pilothat.twin.bench import BenchFault
from pilothat.twin.carevents import CarAction, CarEvent, InletReading, Plug, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.driver import Driver
from pilothat.twin.stage import EV, EVSE, EVSE_MAC
from pilothat.twin.world import World
from pilothat.v2g import tp
from pilothat.v2g.evcc.events import PilotSeen
from pilothat.v2g.messages import codec, din, iso2
from pilothat.v2g.sequence import Iso2State

NEIGHBOUR = "neighbour"
NEIGHBOUR_MAC = bytes.fromhex("02ca00000077")
NEIGHBOUR_MODEM_MAC = bytes.fromhex("00b052ca0077")
NEIGHBOUR_DB = 45
FLOOD = 150  # messages
FLOOD_SPACING_S = 0.004
GARBAGE_MAX = 300  # octets
SOUNDS = 10
PARTS_S = 0.5  # a contact that was welded has opened by then


class Held:
    """A driver that can be made to freeze, as the computer in a car can hang."""

    def __init__(self, driver: Driver) -> None:
        self.is_frozen = False
        self._driver = driver

    @property
    def deadline(self) -> float | None:
        """The next time something is due; none while frozen."""
        return None if self.is_frozen else self._driver.deadline

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        """Take one event; a frozen car only feels its plug."""
        if self.is_frozen and not isinstance(event, Plug | Unplug):
            return ()
        return self._driver.handle(event, now)

    def tick(self, now: float) -> Sequence[CarAction]:
        """Let time pass."""
        return () if self.is_frozen else self._driver.tick(now)


@dataclass(frozen=True, slots=True)
class Scene:
    """Where a fault strikes."""

    world: World
    car: Held
    chance: Chance


Act = Callable[[Scene], None]


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that can go wrong.

    mend: takes it back; None where it passes by itself
    lasts_s: how long, from and to
    is_harmless: no current may be interrupted because of it
    """

    name: str
    strike: Act
    mend: Act | None = None
    lasts_s: tuple[float, float] = (0.05, 8.0)
    is_harmless: bool = False


@dataclass(frozen=True, slots=True)
class Drawn:
    """A row with its moment. lasts_s: 0 where it passes by itself."""

    row: Row
    at_s: float
    lasts_s: float

    def __str__(self) -> str:
        lasts = f" for {self.lasts_s:.2f} s" if self.lasts_s else ""
        return f"{self.row.name} at {self.at_s:.2f} s{lasts}"


def draw(chance: Chance, count: int, until_s: float) -> tuple[Drawn, ...]:
    """Return so many rows of the menu, in the order of their moments."""
    found = [_draw_one(chance, until_s) for _ in range(count)]
    return tuple(sorted(found, key=lambda drawn: drawn.at_s))


def _draw_one(chance: Chance, until_s: float) -> Drawn:
    row = MENU[chance.below(len(MENU))]
    at_s = chance.between(0.05, until_s)
    lasts_s = chance.between(*row.lasts_s) if row.mend else 0.0
    return Drawn(row, at_s, lasts_s)


def arrange(scene: Scene, drawn: Drawn) -> None:
    """Let it happen at its time."""
    row, world = drawn.row, scene.world
    world.after(drawn.at_s, lambda: row.strike(scene))
    if row.mend is not None:
        mend = row.mend
        world.after(drawn.at_s + drawn.lasts_s, lambda: mend(scene))


# --- the bench


def _bench(fault: BenchFault) -> Row:
    """Return the row of a fault of the bench."""
    name = fault.name.lower().replace("_", " ")
    return Row(
        name,
        lambda scene: scene.world.inject(fault),
        lambda scene: scene.world.inject(fault, on=False),
    )


def _weld(scene: Scene) -> None:
    scene.world.invariants.is_excused = True  # no software opens a welded contact
    scene.world.inject(BenchFault.CONTACTOR_WELDED)


def _unweld(scene: Scene) -> None:
    world = scene.world
    world.inject(BenchFault.CONTACTOR_WELDED, on=False)

    def accuse() -> None:
        world.invariants.is_excused = False

    world.after(PARTS_S, accuse)


# --- people and the main program


def _pull(scene: Scene) -> None:
    scene.world.drive(Unplug())


def _plug_again(scene: Scene) -> None:
    scene.world.drive(Plug())


def _stop(scene: Scene) -> None:
    scene.world.tell(StopRequested(StopCause.USER))


def _shut_down(scene: Scene) -> None:
    scene.world.tell(StopRequested(StopCause.SHUTDOWN))


def _stall(scene: Scene) -> None:
    scene.world.stall(scene.chance.between(0.3, 3.0))


def _stall_briefly(scene: Scene) -> None:
    scene.world.stall(scene.chance.between(0.001, 0.04))


# --- car, line and connection


def _freeze(scene: Scene) -> None:
    scene.car.is_frozen = True


def _thaw(scene: Scene) -> None:
    world = scene.world
    scene.car.is_frozen = False
    world.drive(PilotSeen(*world.bench.pilot_at_inlet(world.now)))
    world.drive(InletReading(*world.bench.inlet(world.now)))


def _drop(scene: Scene) -> None:
    scene.world.drop_connection()


def _cut(scene: Scene) -> None:
    scene.world.medium.cut(EV)


def _mend(scene: Scene) -> None:
    scene.world.medium.mend(EV)


def _silence(scene: Scene) -> None:
    scene.world.medium.silence(EVSE, is_silent=True)


def _unsilence(scene: Scene) -> None:
    scene.world.medium.silence(EVSE, is_silent=False)


def _refuse(scene: Scene) -> None:
    scene.world.medium.refuse_keys(EVSE, 1 + scene.chance.below(8))


def _accept(scene: Scene) -> None:
    scene.world.medium.refuse_keys(EVSE, 0)


def _forget(scene: Scene) -> None:
    scene.world.medium.forget_key(EVSE, scene.world.now)


# --- strangers


def _flood(scene: Scene) -> None:
    """Let somebody ask for SLAC under a new address each time."""
    chance, world = scene.chance, scene.world
    for n in range(FLOOD):
        mme = CmSlacParmReq(run_id=chance(8))
        source = b"\x02" + chance(5)
        raw = wire.build(BROADCAST_MAC, source, mme)
        world.after(n * FLOOD_SPACING_S, partial(world.tell, FrameIn(raw)))


def _neighbour(scene: Scene) -> None:
    """Let a car at the next charging point sound, and claim a match with ours."""
    world = scene.world
    world.medium.attach(NEIGHBOUR, NEIGHBOUR_MAC, NEIGHBOUR_MODEM_MAC)
    world.medium.couple(NEIGHBOUR, EVSE, NEIGHBOUR_DB)
    for delay_s, target, mme in _sounding(scene.chance(8), scene.chance(16)):
        raw = wire.build(target, NEIGHBOUR_MAC, mme)
        world.after(delay_s, partial(world.frame, NEIGHBOUR, raw))


def _sounding(run_id: bytes, rnd: bytes) -> Iterator[tuple[float, bytes, Mme]]:
    yield 0.0, BROADCAST_MAC, CmSlacParmReq(run_id=run_id)
    start = CmStartAttenCharInd(
        num_sounds=SOUNDS, time_out=6, forwarding_sta=NEIGHBOUR_MAC, run_id=run_id
    )
    for n in range(3):
        yield 0.1 + n * 0.04, BROADCAST_MAC, start
    for n in range(SOUNDS):
        sound = CmMnbcSoundInd(cnt=SOUNDS - 1 - n, run_id=run_id, rnd=rnd)
        yield 0.22 + n * 0.04, BROADCAST_MAC, sound
    match = CmSlacMatchReq(pev_mac=NEIGHBOUR_MAC, evse_mac=EVSE_MAC, run_id=run_id)
    yield 0.9, EVSE_MAC, match


def _garbage_frame(scene: Scene) -> None:
    """Let a frame with some wrong octets arrive."""
    chance = scene.chance
    mme = CmStartAttenCharInd(
        num_sounds=SOUNDS, time_out=6, forwarding_sta=NEIGHBOUR_MAC, run_id=chance(8)
    )
    raw = bytearray(wire.build(EVSE_MAC, NEIGHBOUR_MAC, mme))
    for _ in range(1 + chance.below(6)):
        raw[chance.below(len(raw))] = chance.below(256)
    scene.world.tell(FrameIn(bytes(raw[: 1 + chance.below(len(raw))])))


def _garbage_datagram(scene: Scene) -> None:
    data = scene.chance(1 + scene.chance.below(GARBAGE_MAX))
    scene.world.tell(SdpIn(data, "fe80::bad", 50_000))


def _garbage_bytes(scene: Scene) -> None:
    _into_stream(scene, scene.chance(1 + scene.chance.below(GARBAGE_MAX)))


def _garbage_exi(scene: Scene) -> None:
    payload = b"\x80" + scene.chance(1 + scene.chance.below(GARBAGE_MAX))
    _into_stream(scene, tp.pack(tp.PayloadType.EXI, payload))


def _into_stream(scene: Scene, data: bytes) -> None:
    number = scene.world.network.connection
    if number:
        scene.world.tell(TcpData(number, data))


def _wrong_session(scene: Scene) -> None:
    kind = iso2.ChargingSession.Terminate
    stop = iso2.SessionStopReq(charging_session=kind)
    _request(scene, b"\xee" * 8, din.SessionStopReq(), stop)


def _out_of_sequence(scene: Scene) -> None:
    session = scene.world.station.talk.session
    if session is not None:
        session_id = session.context.session_id
        bodies = din.ServiceDiscoveryReq(), iso2.ServiceDiscoveryReq()
        _request(scene, session_id, *bodies)


def _request(
    scene: Scene, session_id: bytes, for_din: din.Request, for_iso2: iso2.Request
) -> None:
    """Put a request into the stream, if a session is there that must answer."""
    world = scene.world
    session = world.station.talk.session
    if session is None or session.is_over or not world.network.connection:
        return
    if isinstance(session.state, Iso2State):
        newer = iso2.MessageHeader(session_id=session_id)
        payload = codec("iso2").encode(iso2.V2gMessage(header=newer, body=for_iso2))
    else:
        header = din.MessageHeader(session_id=session_id)
        payload = codec("din").encode(din.V2gMessage(header=header, body=for_din))
    _into_stream(scene, tp.pack(tp.PayloadType.EXI, payload))


MENU: Sequence[Row] = (
    *(_bench(f) for f in BenchFault if f is not BenchFault.CONTACTOR_WELDED),
    Row("contactor welded", _weld, _unweld),
    Row("cable pulled", _pull, _plug_again, (2.0, 20.0)),
    Row("cable pulled for good", _pull),
    Row("user stop", _stop, is_harmless=True),
    Row("shutdown", _shut_down, is_harmless=True),
    Row("main stalled", _stall),
    Row("main stalled briefly", _stall_briefly, is_harmless=True),
    Row("car silent", _freeze, _thaw, (0.1, 70.0)),
    Row("TCP dropped", _drop),
    Row("link cut", _cut, _mend, (0.05, 20.0)),
    Row("modem silent", _silence, _unsilence, (0.05, 30.0)),
    Row("modem refuses keys", _refuse, _accept, (1.0, 20.0)),
    Row("modem forgets its key", _forget),
    Row("flood of SLAC requests", _flood, is_harmless=True),
    Row("another car sounds", _neighbour, is_harmless=True),
    Row("garbage frame", _garbage_frame, is_harmless=True),
    Row("garbage datagram", _garbage_datagram, is_harmless=True),
    Row("garbage bytes", _garbage_bytes),
    Row("garbage EXI", _garbage_exi, is_harmless=True),
    Row("wrong session ID", _wrong_session),
    Row("request out of sequence", _out_of_sequence),
)
