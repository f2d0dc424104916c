"""The menu of faults: what is drawn follows from the seed, and each row strikes."""

from __future__ import annotations

import pytest
from tests.sim.short import Visit, begun

from pilothat.station.phases import Phase as StationPhase
from pilothat.twin import profile
from pilothat.twin.car import Phase
from pilothat.twin.carevents import InletReading, Plug, Unplug
from pilothat.twin.chance import Chance
from pilothat.twin.faults import MENU, Drawn, Held, Row, Scene, arrange, draw
from pilothat.twin.seeded import Session, play
from pilothat.twin.stage import EV, EVSE
from pilothat.v2g.evcc.events import Outcome

ROWS = {row.name: row for row in MENU}


def scene_of(visit: Visit) -> Scene:
    return Scene(visit.world, visit.held, Chance(1, "test"))


def at_session() -> Visit:
    """Return a visit in which a session runs and power flows."""
    visit = begun()
    visit.world.run(lambda: visit.car.phase_text == "charging", 30.0)
    return visit


def after(visit: Visit, seconds: float) -> None:
    visit.world.run(lambda: False, visit.world.now + seconds)


def test_names_are_unique_and_what_lasts_is_mended() -> None:
    assert len(ROWS) == len(MENU)
    assert all(row.lasts_s[0] < row.lasts_s[1] for row in MENU)


def test_same_seed_draws_the_same() -> None:
    assert draw(Chance(3, "x"), 5, 20.0) == draw(Chance(3, "x"), 5, 20.0)
    assert draw(Chance(3, "x"), 5, 20.0) != draw(Chance(4, "x"), 5, 20.0)


def test_drawn_faults_come_in_their_order_and_in_their_time() -> None:
    found = draw(Chance(1, "x"), 50, 20.0)
    moments = [drawn.at_s for drawn in found]
    assert moments == sorted(moments)
    assert 0 < moments[0] < moments[-1] < 20.0
    assert all((drawn.lasts_s > 0) is (drawn.row.mend is not None) for drawn in found)


def test_fault_strikes_and_is_mended_at_its_time() -> None:
    done: list[tuple[str, float]] = []
    row = Row(
        "x",
        lambda scene: done.append(("struck", scene.world.now)),
        lambda scene: done.append(("mended", scene.world.now)),
    )
    visit = begun()
    arrange(scene_of(visit), Drawn(row, 0.5, 0.25))
    after(visit, 1.0)
    assert done == [("struck", 0.5), ("mended", 0.75)]


def test_drawn_fault_tells_when_and_how_long() -> None:
    assert str(Drawn(ROWS["estop"], 1.0, 2.5)) == "estop at 1.00 s for 2.50 s"
    assert str(Drawn(ROWS["user stop"], 1.0, 0.0)) == "user stop at 1.00 s"


@pytest.mark.parametrize("row", MENU, ids=lambda row: row.name)
def test_row_strikes_before_a_car_comes_and_is_taken_back(row: Row) -> None:
    visit = begun()
    after(visit, 0.1)
    scene = scene_of(visit)
    row.strike(scene)
    after(visit, 0.1)
    (row.mend or row.strike)(scene)
    after(visit, 5.0)
    assert visit.world.invariants.violations == []


@pytest.mark.parametrize(
    "row", [row for row in MENU if row.is_harmless], ids=lambda row: row.name
)
def test_harmless_row_breaks_no_current(row: Row) -> None:
    visit = at_session()
    row.strike(scene_of(visit))
    visit.world.run(lambda: visit.is_over, 90.0)
    assert visit.car.outcome in (Outcome.CHARGED, Outcome.STOPPED)
    assert visit.world.bench.load_breaks == []


@pytest.mark.parametrize(
    "name",
    [
        "estop",
        "cp short",
        "pe lost",
        "isolation fault",
        "contactor stuck open",
        "cable pulled",
        "main stalled",
        "TCP dropped",
        "modem silent",
        "garbage bytes",
        "wrong session ID",
        "request out of sequence",
        "car silent",
    ],
)
def test_grave_row_ends_the_charge(name: str) -> None:
    visit = at_session() if name != "contactor stuck open" else begun()
    ROWS[name].strike(scene_of(visit))
    after(visit, 80.0)
    assert visit.world.station.phase is not StationPhase.SESSION
    assert visit.car.outcome is not Outcome.CHARGED
    assert visit.world.invariants.violations == []


def test_another_car_is_not_matched_in_place_of_ours() -> None:
    visit = begun()
    visit.world.run(lambda: visit.car.phase is Phase.MATCHING, 10.0)
    ROWS["another car sounds"].strike(scene_of(visit))
    visit.world.run(lambda: visit.is_over, 60.0)
    assert visit.car.outcome is Outcome.CHARGED


def test_cut_and_mended_link_carries_again() -> None:
    visit = at_session()
    scene, now = scene_of(visit), visit.world.now
    ROWS["link cut"].strike(scene)
    assert not visit.world.medium.can_talk(EV, EVSE, now)
    assert ROWS["link cut"].mend is not None
    ROWS["link cut"].mend(scene)
    assert visit.world.medium.can_talk(EV, EVSE, now)


class Echo:
    """A driver that wants to be called and remembers what it heard."""

    def __init__(self) -> None:
        self.deadline: float | None = 5.0
        self.heard: list[object] = []

    def handle(self, event: object, now: float) -> tuple[()]:
        self.heard.append(event)
        return ()

    def tick(self, now: float) -> tuple[()]:
        self.heard.append(now)
        return ()


def test_frozen_car_hears_nothing_but_its_plug() -> None:
    echo = Echo()
    held = Held(echo)
    held.is_frozen = True
    held.handle(InletReading(1.0, 2.0), 1.0)
    held.handle(Plug(), 2.0)
    held.handle(Unplug(), 3.0)
    held.tick(4.0)
    assert held.deadline is None
    assert echo.heard == [Plug(), Unplug()]
    held.is_frozen = False
    held.tick(5.0)
    assert echo.heard[-1] == 5.0


# --- sessions


def test_seeded_session_without_faults_charges() -> None:
    report = play(0, profile.builtin("generic"), has_faults=False)
    assert (report.outcome, report.stage) == ("charged", "session stop")
    assert report.faults == ()
    assert report.violations == ()


def test_our_own_bug_is_a_violation_with_its_place() -> None:
    def fail(scene: Scene) -> None:
        raise KeyError("a bug")

    session = Session(1, profile.builtin("generic"), has_faults=False)
    session.world.after(2.0, lambda: fail(scene_of(begun())))
    report = _report_of(session)
    assert "KeyError in test_faults.py:" in report[0]


def _report_of(session: Session) -> tuple[str, ...]:
    session.play_out()
    return session.report().violations


def test_station_that_does_not_come_back_is_a_violation() -> None:
    session = Session(1, profile.builtin("generic"), has_faults=False)
    session.world.after(8.0, lambda: session.world.medium.silence(EVSE, is_silent=True))
    (told,) = _report_of(session)[-1:]
    assert "not back" in told
