"""The story of a visit: steps, log, figures; and that it changes nothing."""

from __future__ import annotations

import pytest
from tests.unit.service.stage import LIMIT_S, begun, played, quick

from pilothat.faults import Fault
from pilothat.service import story as telling
from pilothat.service.console import clock
from pilothat.service.story import Outcome, Story
from pilothat.station.events import StopCause, StopRequested
from pilothat.twin.bench import BenchFault
from pilothat.twin.car import Car, Plug
from pilothat.twin.chance import Chance
from pilothat.twin.stage import EV_MAC, WorldSettings
from pilothat.twin.world import World

STEPS = (
    "starting",
    "idle",
    "matching",
    "setup",
    "session",
    "cable check",
    "isolation good",
    "precharge",
    "charging",
    "opening",
    "welding check",
    "session",
    "stopping",
    "finished",
    "idle",
)


@pytest.fixture(scope="module")
def whole() -> Story:
    """A visit from plugging in to leaving."""
    return played()


def texts(story: Story) -> list[str]:
    return [line.text for line in story.log]


def test_steps_of_a_visit_come_in_their_order(whole: Story) -> None:
    names = [entry.name for entry in whole.steps if entry.name != "ramping down"]
    assert tuple(names) == STEPS


def test_steps_and_log_are_in_the_order_of_time(whole: Story) -> None:
    assert [e.at_s for e in whole.steps] == sorted(e.at_s for e in whole.steps)
    assert [e.at_s for e in whole.log] == sorted(e.at_s for e in whole.log)


def test_log_tells_what_a_person_wants_to_know(whole: Story) -> None:
    told = texts(whole)
    wanted = (
        "the driver plugs in",
        "pilot: B2 9.0 V",
        "message: SupportedAppProtocolReq",
        "pilot: C2 6.0 V",
        "contactor: closed",
        "station: charging",
        "contactor: open",
        "message: SessionStopReq",
        "station: finished",
        "station: idle",
    )
    places = [told.index(text) for text in wanted[:-1]]
    assert places == sorted(places)
    assert told[-1] == wanted[-1]


def test_state_of_charge_is_told_every_5_percent_and_not_every_one(
    whole: Story,
) -> None:
    told = [text.split(",")[0] for text in texts(whole) if text.startswith("battery")]
    assert told == ["battery: 75 %", "battery: 80 %"]
    assert not [text for text in texts(whole) if "soc_pct=7" in text][1:]


def test_outcome_is_complete_when_the_car_reached_its_goal(whole: Story) -> None:
    assert (whole.outcome, whole.ending) == (Outcome.COMPLETE, "the goal is reached")
    assert whole.is_over


def test_snapshot_of_matching_shows_sounds_and_attenuation() -> None:
    story = played("setup")
    seen = story.snapshot()
    assert (seen.sounds, seen.slac) == (10, "matched")
    assert seen.mean_db == pytest.approx(14.5, abs=0.1)
    assert (seen.message, seen.requests) == ("", 0)


def test_snapshot_of_charging_shows_what_flows() -> None:
    world, story = begun()
    world.run(lambda: story.time_in("charging") > 15, LIMIT_S)
    seen = story.snapshot()
    assert (seen.step, seen.pilot, seen.duty_pct) == ("charging", "C2", 5.0)
    assert seen.cp_v == pytest.approx(6.0, abs=0.1)
    assert seen.message == "CurrentDemandReq"
    assert seen.is_contactor_closed
    assert seen.is_supply_on
    assert seen.current_a > 50
    assert seen.charging_s == pytest.approx(15, abs=0.2)
    assert seen.soc_pct > 70
    assert seen.energy_wh > 50
    assert seen.samples[-1].current_a == seen.current_a


def test_messages_are_counted_by_name(whole: Story) -> None:
    assert whole.messages["SessionSetupReq"] == 1
    assert whole.messages["CurrentDemandReq"] > 50
    assert whole.snapshot().requests == sum(whole.messages.values())


def test_visit_that_goes_on_is_not_over_and_not_complete() -> None:
    story = played("charging")
    assert (story.is_over, story.has_left) == (False, False)
    assert (story.outcome, story.ending) == (Outcome.STOPPED, "not yet over")


def test_stop_of_the_user_ends_in_order() -> None:
    world, story = begun()
    world.run(lambda: story.step == "charging", LIMIT_S)
    world.tell(StopRequested(StopCause.USER))
    world.run(lambda: story.is_over, LIMIT_S)
    assert (story.outcome, story.faults) == (Outcome.STOPPED, [])
    assert "session: stopped by the user" in texts(story)


def test_fault_is_told_with_its_remedy_and_decides_the_outcome() -> None:
    world, story = begun()
    world.run(lambda: story.step == "charging", LIMIT_S)
    pressed_at = world.now
    world.inject(BenchFault.ESTOP)
    world.run(lambda: story.step == "stopping", LIMIT_S)
    row = Fault.EMERGENCY_STOP.row
    assert story.outcome is Outcome.FAULT
    assert story.ending == row.meaning
    assert story.snapshot().faults == (Fault.EMERGENCY_STOP,)
    assert story.faults[0].at_s == pytest.approx(pressed_at, abs=0.1)
    assert f"FAULT EMERGENCY_STOP: {row.meaning}. {row.remedy}" in texts(story)


def test_samples_stay_few_and_keep_both_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "MOST_SAMPLES", 20)
    samples = played().snapshot().samples
    assert 10 <= len(samples) <= 21
    assert samples[0].at_s < 1
    assert max(sample.current_a for sample in samples) > 50
    assert samples[-1].voltage_v < 10
    assert samples[-1].current_a == 0


def test_watching_changes_nothing() -> None:
    world, story = begun()
    world.run(lambda: story.is_over, LIMIT_S)
    alone = World(WorldSettings(), 1)
    alone.park(Car(quick(), EV_MAC, Chance(1, "car")))
    alone.after(1.0, lambda: alone.drive(Plug()))
    alone.run(lambda: alone.events >= world.events, LIMIT_S)
    assert alone.journal_sha256 == world.journal_sha256


TIMES = [(0.0, "0:00:00"), (59.9, "0:00:59"), (60, "0:01:00"), (3725.0, "1:02:05")]


@pytest.mark.parametrize(("seconds", "told"), TIMES)
def test_times_are_told_as_on_a_clock(seconds: float, told: str) -> None:
    assert clock(seconds) == told
