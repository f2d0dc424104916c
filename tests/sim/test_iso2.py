"""The car and the station speak ISO 15118-2 with each other, DC and AC."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

import pytest
from tests.sim.short import QUICK, Act, complaints, whole
from tests.sim.test_sweep import drop, freeze, press, pull, stop

from pilothat.pnc.authority import CHAINS, make_pki
from pilothat.pnc.signature import sign
from pilothat.station.actions import Publish, Topic
from pilothat.station.settings import ContractSettings
from pilothat.twin import profile
from pilothat.twin.car import Car, Phase, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.profile import CarProfile
from pilothat.twin.stage import EV_MAC, NETWORK, WorldSettings, fitting
from pilothat.twin.world import World
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.events import Outcome
from pilothat.v2g.evcc.settings import Iso2Habits

STEP = 23  # events between two disturbances
OBJECTS = replace(QUICK, has_exi=False)
EMAID = "DE1ABCD2EF357A"
VISIT_S = 400.0
CARS = ("iso2", "iso2-ac", "taycan", "taycan_ac", "audi_iso2")
SHORT_PCT = 0.3  # how far below its goal the battery is


class Visit:
    """One car in a world of its own; ``said`` has what the station published."""

    def __init__(
        self,
        car: CarProfile,
        base: WorldSettings = QUICK,
        contract: Contract | None = None,
    ) -> None:
        soc_pct = car.session.goal.target_soc_pct - SHORT_PCT
        car = replace(car, battery=replace(car.battery, soc_pct=soc_pct))
        self.world = World(fitting(car, base), 1)
        chance = Chance(1, "car")
        self.car = Car(car, EV_MAC, chance, exi=base.has_exi, contract=contract)
        self.said: list[tuple[Topic, str]] = []
        self.world.watchers.append(self._watch)
        self.world.park(self.car)
        self.world.after(1.0, lambda: self.world.drive(Plug()))

    def _watch(self, _now: float, _event: object, actions: object) -> None:
        for action in actions if isinstance(actions, list | tuple) else ():
            if isinstance(action, Publish):
                self.said.append((action.topic, action.text))

    def run(self) -> None:
        assert self.world.run(self._is_over, VISIT_S)

    def _is_over(self) -> bool:
        return self.world.now > 2.0 and self.car.phase is Phase.AWAY

    @property
    def phases(self) -> list[str]:
        return [name for name, _ in groupby(e.phase for e in self.car.summary.phases)]


def with_plan(name: str, plan: Iso2Habits) -> CarProfile:
    car = profile.builtin(name)
    energy = car.session.iso2.energy
    return replace(car, session=replace(car.session, iso2=replace(plan, energy=energy)))


@pytest.mark.parametrize("name", CARS)
@pytest.mark.parametrize("base", [QUICK, OBJECTS], ids=["octets", "objects"])
def test_a_car_charges_to_its_goal(name: str, base: WorldSettings) -> None:
    visit = Visit(profile.builtin(name), base)
    visit.run()
    assert visit.car.outcome is Outcome.CHARGED
    assert visit.world.invariants.violations == []
    assert visit.world.bench.load_breaks == []


@pytest.mark.parametrize("name", ["iso2", "iso2-ac"])
def test_the_same_seed_gives_the_same_journal(name: str) -> None:
    first, second = Visit(profile.builtin(name)), Visit(profile.builtin(name))
    first.run()
    second.run()
    assert first.world.journal_sha256 == second.world.journal_sha256


def test_the_energy_is_what_the_current_brought() -> None:
    visit = Visit(profile.builtin("iso2-ac"))
    visit.run()
    assert visit.car.summary.energy_wh == pytest.approx(
        40_000 * SHORT_PCT / 100, rel=0.15
    )


@pytest.mark.parametrize("name", ["iso2", "iso2-ac"])
def test_new_terms_are_agreed_on_in_the_middle(name: str) -> None:
    visit = Visit(with_plan(name, Iso2Habits(renegotiates_after_s=5.0)))
    visit.run()
    assert visit.car.outcome is Outcome.CHARGED
    assert visit.phases.count("charge parameters") == 2
    assert visit.phases.count("charging") == 2
    assert visit.world.invariants.violations == []
    assert visit.world.bench.load_breaks == []


@pytest.mark.parametrize("name", ["iso2", "iso2-ac"])
@pytest.mark.parametrize("act", [pull, drop, freeze, stop, press])
def test_a_charge_may_be_disturbed_at_any_time(name: str, act: Act) -> None:
    car = profile.builtin(name)
    events = whole(car).world.events
    assert complaints(range(1 + len(name), events, STEP), act, profile=car) == []


def test_a_car_for_ac_leaves_a_dc_station_and_says_why() -> None:
    visit = Visit(profile.builtin("iso2-ac"))
    visit.world = World(QUICK, 1)
    visit.world.park(visit.car)
    visit.world.after(1.0, lambda: visit.world.drive(Plug()))
    visit.run()
    assert visit.car.outcome is Outcome.REFUSED
    assert visit.car.reason == "the station has no AC_single_phase_core"


def test_a_car_pays_by_contract_and_signs_each_receipt() -> None:
    made = make_pki(1_800_000_000.0, Chance(6, "pki"))
    der = {name: one.certificate.der for name, one in made.items()}
    chain = [der[name] for name in CHAINS["contract"]]
    key = made["contract"].key
    contract = Contract(EMAID, chain, lambda element: sign((element,), key))
    base = QUICK.station
    station = replace(
        base,
        contracts=ContractSettings(v2g=(der["v2g_root"],), mo=(der["mo_root"],)),
        iso2=replace(
            base.iso2,
            offer=replace(base.iso2.offer, meter_id="METER"),
            wants_receipts=True,
        ),
    )
    car = profile.builtin("iso2")
    car = replace(car, search=replace(car.search, tls_requests=2, has_tls=True))
    visit = Visit(car, replace(QUICK, station=station), contract)
    visit.world.after(0.5, lambda: visit.world.tell(replace(NETWORK, tls_port=64_109)))
    visit.run()
    assert visit.car.outcome is Outcome.CHARGED
    assert "payment details" in visit.phases
    assert visit.phases.count("metering receipt") >= 1
    assert visit.world.invariants.violations == []
