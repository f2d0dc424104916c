"""One session that follows from a seed: a car, some faults, and what must hold.

Beside the invariants of the world it must end well: within ``BACK_S`` after the last
fault is mended and the car is gone the station is idle again, or out of service with a
fault that an operator clears; then an honest car can charge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilothat.frozen import dataclass
from pilothat.power.regulation import OPEN_A
from pilothat.station.events import FaultCleared
from pilothat.station.phases import Phase as StationPhase
from pilothat.twin import carevents
from pilothat.twin.car import Car, Plug, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.faults import Drawn, Held, Scene, arrange, draw
from pilothat.twin.medium import MediumSettings
from pilothat.twin.profile import CarProfile, builtin
from pilothat.twin.stage import EV_MAC, WorldSettings, fitting
from pilothat.twin.world import World
from pilothat.v2g.evcc.events import Outcome
from pilothat.v2g.evcc.settings import Energy
from pilothat.v2g.evcc.states import State

PLUG_AT_S = 1.0
FAULTS_UNTIL_S = 20.0  # an honest session is over by then
FAULTS_MAX = 3
VISIT_S = 150.0  # then somebody pulls the plug
BACK_S = 120.0
CHARGE_S = 240.0
SHORT_SOC_PCT = 0.12  # how far below its goal the battery is
SHORT_WH = 58_000.0  # of every battery: a charge takes some seconds
ROUGH_SHARE = 0.3  # of the worlds have a noisy powerline
HONEST_EVERY = 10  # seeds after which an honest car comes
_OUR_BUGS = (
    AssertionError,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)
STAGES: Sequence[str] = (
    *(phase.value for phase in carevents.UNDERWAY),
    *(state.value for state in State if state is not State.IDLE),
)
GOOD = (Outcome.CHARGED, Outcome.STOPPED)
BEFORE = "before matching"


@dataclass(frozen=True, slots=True)
class Report:
    """What came of one seed. stage: how far the first car came."""

    seed: int
    car: str
    faults: tuple[str, ...]
    outcome: str
    stage: str
    violations: tuple[str, ...]
    journal_sha256: str
    duration_s: float
    events: int


def shortened(profile: CarProfile) -> CarProfile:
    """Return a car that is almost full."""
    goal_pct = profile.session.goal.target_soc_pct
    battery = replace(
        profile.battery, capacity_wh=SHORT_WH, soc_pct=goal_pct - SHORT_SOC_PCT
    )
    return replace(profile, battery=battery)


def play(seed: int, profile: CarProfile, *, has_faults: bool) -> Report:
    """Play the session of a seed."""
    session = Session(seed, profile, has_faults=has_faults)
    session.play_out()
    return session.report()


def _told(error: Exception, now: float) -> str:
    """Return where one of our bugs is."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = ""
    if trace is not None:
        name = trace.tb_frame.f_code.co_filename.rpartition("/")[2]
        where = f" in {name}:{trace.tb_lineno}"
    return f"t={now:.4f} s: {type(error).__name__}{where}: {error}"


class Session:
    """A world, a car and its faults."""

    def __init__(
        self,
        seed: int,
        profile: CarProfile,
        *,
        has_faults: bool,
        keeps_lines: bool = False,
    ) -> None:
        chance = Chance(seed, "faults")
        count = 1 + chance.below(FAULTS_MAX) if has_faults else 0
        is_rough = has_faults and chance.share() < ROUGH_SHARE
        self.seed = seed
        self.violations: list[str] = []
        self.faults: tuple[Drawn, ...] = draw(chance, count, FAULTS_UNTIL_S)
        medium = _rough(chance) if is_rough else MediumSettings()
        settings = WorldSettings(medium=medium, keeps_lines=keeps_lines)
        self.world = World(fitting(profile, settings), seed)
        self._profile = shortened(profile)
        self.car = Car(self._profile, EV_MAC, Chance(seed, "car"))
        self._is_rough = is_rough
        held = Held(self.car)
        self.world.park(held)
        scene = Scene(self.world, held, chance)
        for drawn in self.faults:
            arrange(scene, drawn)

    def play_out(self) -> None:
        """Play it to its end; one of our bugs ends it, too."""
        try:
            self.run()
        except _OUR_BUGS as error:
            self.violations.append(_told(error, self.world.now))

    def run(self) -> None:
        """Play it to its end; raises what is a bug of ours."""
        world = self.world
        world.after(PLUG_AT_S, lambda: world.drive(Plug()))
        mended_at = max((d.at_s + d.lasts_s for d in self.faults), default=0.0)
        world.run(lambda: world.now > PLUG_AT_S and self._is_away(), VISIT_S)
        world.run(lambda: False, max(mended_at, world.now) + 0.01)
        if not self._is_away():
            world.run(self._is_away, max(VISIT_S, world.now))
        world.drive(Unplug())
        if not (self.faults or self.car.outcome in GOOD):
            self._violated(f"nothing was wrong, but the car: {self.car.reason}")
        self._come_back()
        self._look_at_breaks()
        is_sampled = self.seed % HONEST_EVERY == 0
        if is_sampled and not self._is_going and not self.violations:
            self._charge_honest_car()

    def report(self) -> Report:
        """Return what came of it."""
        world, car = self.world, self.car
        seen = [STAGES.index(e.phase) for e in car.summary.phases if e.phase in STAGES]
        return Report(
            seed=self.seed,
            car=self._profile.name,
            faults=tuple(str(drawn) for drawn in self.faults),
            outcome=car.outcome.value if car.outcome else "none",
            stage=STAGES[max(seen)] if seen else BEFORE,
            violations=(*world.invariants.violations, *self.violations),
            journal_sha256=world.journal_sha256,
            duration_s=world.now,
            events=world.events,
        )

    def _is_away(self) -> bool:
        return self.car.phase is carevents.Phase.AWAY

    @property
    def _is_going(self) -> bool:
        return any(drawn.row.name == "shutdown" for drawn in self.faults)

    def _come_back(self) -> None:
        """Wait until the station is ready again, or can be made so."""
        world, station = self.world, self.world.station

        def is_back() -> bool:
            if station.phase is StationPhase.OUT_OF_SERVICE:
                return bool(station.faults.lasting)
            return self._is_at_rest()

        if not world.run(is_back, world.now + BACK_S):
            self._violated(f"not back {BACK_S:.0f} s after the car has gone")
            return
        for fault in station.faults.lasting:
            world.tell(FaultCleared(fault))
        if not world.run(self._is_at_rest, world.now + BACK_S):
            self._violated("not back after an operator has cleared all faults")

    def _is_at_rest(self) -> bool:
        station = self.world.station
        if self.world.is_main_stalled:
            return False
        return station.is_safe if self._is_going else station.phase is StationPhase.IDLE

    def _violated(self, what: str) -> None:
        station = self.world.station
        names = " ".join(fault.name for fault in station.faults.all) or "no fault"
        told = f"{what} ({station.phase.value}, {names})"
        self.violations.append(f"t={self.world.now:.4f} s: {told}")

    def _look_at_breaks(self) -> None:
        """Allow a contact to open under current only in an emergency."""
        is_calm = all(drawn.row.is_harmless for drawn in self.faults)
        breaks = [b for b in self.world.bench.load_breaks if b.current_a > OPEN_A]
        if is_calm and not self._is_rough and breaks:
            first = breaks[0]
            self.violations.append(
                f"t={first.at:.4f} s: contactor opened at {first.current_a:.1f} A"
            )

    def _charge_honest_car(self) -> None:
        world = self.world
        is_ac = self._profile.session.iso2.energy is Energy.AC
        kind = builtin("iso2-ac") if is_ac else CarProfile()
        honest = Car(shortened(kind), EV_MAC, Chance(self.seed, "honest"))
        world.park(honest)
        world.drive(Plug())
        world.run(lambda: honest.phase is carevents.Phase.AWAY, world.now + CHARGE_S)
        if honest.outcome is not Outcome.CHARGED:
            told = honest.outcome.value if honest.outcome else "nothing"
            self._violated(f"an honest car cannot charge: {told}, {honest.reason}")


def _rough(chance: Chance) -> MediumSettings:
    return MediumSettings(
        loss=chance.between(0.0, 0.08),
        doubling=chance.between(0.0, 0.1),
        overtaking=chance.between(0.0, 0.1),
        noise_db=1 + chance.below(4),
    )
