"""What happens in a twin's world, told for people: steps, log, figures of the moment.

``Story`` watches a world and changes nothing in it. ``Snapshot`` is what a view shows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum

from pilothat.faults import Fault
from pilothat.frozen import dataclass
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmAttenCharInd, CmMnbcSoundInd
from pilothat.plant import PathPhase, PlantFact
from pilothat.station.actions import Action, Publish, Raise, SendFrame, Topic
from pilothat.station.events import Event, FrameIn, MessageIn, PlantReport, TcpData
from pilothat.station.phases import Phase
from pilothat.station.station import Station
from pilothat.twin import car as driven
from pilothat.twin.car import Car
from pilothat.twin.world import World
from pilothat.v2g.evcc.events import Outcome as CarOutcome

MOST_SAMPLES = 1024  # then every second one is dropped
SOC_STEP_PCT = 5.0
CHARGING = "charging"

# power path -> the step it is for a person; the others are the station's phase
_STEPS: Mapping[PathPhase, str] = {
    PathPhase.CHECKING: "cable check",
    PathPhase.ISOLATED: "isolation good",
    PathPhase.PRECHARGE: "precharge",
    PathPhase.DELIVERING: CHARGING,
    PathPhase.RAMPING: "ramping down",
    PathPhase.OPENING: "opening",
    PathPhase.WELD_CHECK: "welding check",
}
_WITH_POWER = (Phase.SESSION, Phase.STOPPING)
_WORDS = {
    Topic.PILOT: "pilot",
    Topic.SLAC: "SLAC",
    Topic.MESSAGE: "message",
    Topic.SESSION: "session",
    Topic.NOTE: "note",
}


class Outcome(Enum):
    """How the visit ended."""

    COMPLETE = "complete"
    STOPPED = "stopped"
    FAULT = "fault"


@dataclass(frozen=True, slots=True)
class StepEntry:
    """A step and when it began."""

    at_s: float
    name: str


@dataclass(frozen=True, slots=True)
class StepFault:
    """A fault and when it came up."""

    at_s: float
    fault: Fault


@dataclass(frozen=True, slots=True)
class LogLine:
    """One thing that happened."""

    at_s: float
    text: str


@dataclass(frozen=True, slots=True)
class Sample:
    """A measurement of the station at its outlet."""

    at_s: float
    voltage_v: float
    current_a: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything a view shows, at one moment.

    steps: those it has been in, the present one last
    is_dc: the outlet's current; on AC there is neither cable check nor precharge
    mean_db: attenuation reported to the car; None before that
    requests: number of V2G messages of the car so far
    charging_s: time in which energy flowed, up to now
    """

    at_s: float
    car: str
    about: str
    is_dc: bool
    steps: Sequence[str]
    has_left: bool
    pilot: str
    cp_v: float
    duty_pct: float
    slac: str
    sounds: int
    mean_db: float | None
    message: str
    requests: int
    voltage_v: float
    current_a: float
    soc_pct: float
    energy_wh: float
    charging_s: float
    is_contactor_closed: bool
    is_supply_on: bool
    samples: Sequence[Sample]
    log: Sequence[LogLine]
    faults: Sequence[Fault]

    @property
    def step(self) -> str:
        """The step it is in."""
        return self.steps[-1]


class Story:
    """Watch one car's visit."""

    def __init__(self, world: World, car: Car) -> None:
        self.steps: list[StepEntry] = []
        self.log: list[LogLine] = []
        self.faults: list[StepFault] = []
        self.message = ""
        self.sounds = 0
        self.mean_db: float | None = None
        self.soc_start_pct = car.soc_pct
        self._world, self._car = world, car
        self._counts: dict[str, int] = {}
        self._samples: list[Sample] = []
        self._spacing_s = 0.0
        self._is_closed = False
        self._soc_told_pct = car.soc_pct
        self._has_come = False
        world.watchers.append(self._watch)

    @property
    def station(self) -> Station:
        """The station that is watched."""
        return self._world.station

    @property
    def has_left(self) -> bool:
        """Whether the car was here and is gone."""
        return self._has_come and self._car.phase is driven.Phase.AWAY

    @property
    def is_over(self) -> bool:
        """Whether the car is gone and the station is done with it."""
        is_done = self.station.phase in (Phase.IDLE, Phase.OUT_OF_SERVICE)
        return is_done and self.has_left

    @property
    def outcome(self) -> Outcome:
        """How it ended; a visit that goes on counts as stopped."""
        if self.faults:
            return Outcome.FAULT
        is_full = self._car.outcome is CarOutcome.CHARGED
        return Outcome.COMPLETE if is_full else Outcome.STOPPED

    @property
    def ending(self) -> str:
        """How it ended, in words."""
        if self.faults:
            return self.faults[0].fault.row.meaning
        return self._car.reason or self.station.transaction.reason or "not yet over"

    @property
    def messages(self) -> Mapping[str, int]:
        """The messages of the car by name, in the order they first came."""
        return self._counts

    @property
    def step(self) -> str:
        """The step it is in."""
        return self.steps[-1].name if self.steps else step_of(self.station)

    def lasted(self) -> Sequence[tuple[StepEntry, float]]:
        """Return each step with how long it has lasted, s."""
        ends = [*(entry.at_s for entry in self.steps[1:]), self._world.now]
        return [
            (entry, end - entry.at_s)
            for entry, end in zip(self.steps, ends, strict=False)  # none: one end
        ]

    def time_in(self, name: str) -> float:
        """Return how long a step has lasted in all, s."""
        return sum(length for entry, length in self.lasted() if entry.name == name)

    def note(self, text: str) -> None:
        """Add a line to the log."""
        self.log.append(LogLine(self._world.now, text))

    def snapshot(self) -> Snapshot:
        """Return what a view shows now."""
        station, plant = self.station, self.station.path.plant
        newest = Sample(self._world.now, plant.outlet_v, plant.current_a)
        return Snapshot(
            at_s=self._world.now,
            car=self._car.profile.name,
            about=self._car.profile.about,
            is_dc=self._world.settings.station.ac is None,
            steps=tuple(entry.name for entry in self.steps) or (self.step,),
            has_left=self.has_left,
            pilot=station.pilot.state.value,
            cp_v=station.pilot.high_v,
            duty_pct=station.pilot.duty_pct,
            slac=station.line.slac_state.replace("_", " "),
            sounds=self.sounds,
            mean_db=self.mean_db,
            message=self.message,
            requests=sum(self._counts.values()),
            voltage_v=plant.outlet_v,
            current_a=plant.current_a,
            soc_pct=self._car.soc_pct,
            energy_wh=station.transaction.energy_wh,
            charging_s=self.time_in(CHARGING),
            is_contactor_closed=station.guard.is_contactor_closed,
            is_supply_on=station.guard.is_supply_enabled,
            samples=(*self._samples, newest),
            log=tuple(self.log[-50:]),
            faults=tuple(entry.fault for entry in self.faults),
        )

    # --- watching

    def _watch(
        self, now: float, event: Event | None, actions: Sequence[Action]
    ) -> None:
        match event:
            case PlantReport(plant):
                self._measured(plant, now)
            case FrameIn(raw):
                self._heard(raw)
            case TcpData() | MessageIn():
                self._count()
        for action in actions:
            match action:
                case Publish():
                    self._published(action)
                case SendFrame(raw):
                    self._sent(raw)
                case Raise(fault):
                    self.faults.append(StepFault(now, fault))
                    row = fault.row
                    self.note(f"FAULT {fault.name}: {row.meaning}. {row.remedy}")
        self._look(now)

    def _look(self, now: float) -> None:
        """Note what is another than before."""
        self._has_come = self._has_come or self._car.phase is not driven.Phase.AWAY
        step = step_of(self.station)
        if not self.steps or step != self.steps[-1].name:
            self.steps.append(StepEntry(now, step))
            self.note(f"station: {step}")
        is_closed = self.station.guard.is_contactor_closed
        if is_closed is not self._is_closed:
            self._is_closed = is_closed
            self.note(f"contactor: {'closed' if is_closed else 'open'}")

    def _measured(self, plant: PlantFact, now: float) -> None:
        voltage_v, current_a = plant.outlet_v, plant.current_a
        if not self._samples or now - self._samples[-1].at_s >= self._spacing_s:
            self._samples.append(Sample(now, voltage_v, current_a))
        if len(self._samples) > MOST_SAMPLES:
            span_s = now - self._samples[0].at_s
            self._samples = self._samples[::2]
            self._spacing_s = span_s / len(self._samples)
        if self._car.soc_pct >= self._soc_told_pct + SOC_STEP_PCT:
            steps = int((self._car.soc_pct - self._soc_told_pct) / SOC_STEP_PCT)
            self._soc_told_pct += SOC_STEP_PCT * steps
            power_kw = voltage_v * current_a / 1000
            energy_kwh = self.station.transaction.energy_wh / 1000
            self.note(
                f"battery: {self._soc_told_pct:.0f} %, {voltage_v:.1f} V, "
                f"{current_a:.1f} A, {power_kw:.1f} kW, {energy_kwh:.2f} kWh"
            )

    def _heard(self, raw: bytes) -> None:
        if self.station.phase is not Phase.MATCHING:
            return
        heard = wire.parse(raw)
        if heard is not None and isinstance(heard.mme, CmMnbcSoundInd):
            self.sounds += 1

    def _sent(self, raw: bytes) -> None:
        if self.station.phase is not Phase.MATCHING:
            return
        sent = wire.parse(raw)
        if sent is not None and isinstance(sent.mme, CmAttenCharInd):
            groups_db = sent.mme.aag_db
            self.mean_db = sum(groups_db) / len(groups_db) if groups_db else None

    def _count(self) -> None:
        """Note which message of the car has just been counted."""
        for name, count in self.station.transaction.messages.items():
            if self._counts.get(name) != count:
                self._counts[name] = count
                self.message = name

    def _published(self, said: Publish) -> None:
        is_going_on = step_of(self.station) == CHARGING
        is_loop = said.topic is Topic.SESSION and is_going_on
        if said.topic in _WORDS and not is_loop:
            self.note(f"{_WORDS[said.topic]}: {said.text}")


def step_of(station: Station) -> str:
    """Return the step a station is in: of the power path while that is live."""
    path, phase = station.path.phase, station.phase
    # told to stop, but the car has not answered yet
    is_asked = phase is Phase.STOPPING and path is PathPhase.DELIVERING
    is_live = phase in _WITH_POWER and path in _STEPS and not is_asked
    return _STEPS[path] if is_live else phase.value
