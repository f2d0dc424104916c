"""The picture of the demo: a pure function of a snapshot, at any size."""

from __future__ import annotations

import io
import re
import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest
from rich.console import Console
from tests.unit.service.stage import played

from pilothat.faults import Fault
from pilothat.plant import PathPhase
from pilothat.service.story import LogLine, Sample, Snapshot
from pilothat.service.view import MILESTONES, Live, render
from pilothat.station.phases import Phase

SIZES = [(80, 24), (120, 40), (60, 20), (200, 60)]
STEPS = [step for _, steps in MILESTONES for step in steps]
CHARGING = Snapshot(
    at_s=754.0,
    car="quick",
    about="a small car",
    is_dc=True,
    steps=STEPS[: STEPS.index("charging") + 1],
    has_left=False,
    pilot="C2",
    cp_v=6.02,
    duty_pct=5.0,
    slac="matched",
    sounds=10,
    mean_db=14.53,
    message="CurrentDemandReq",
    requests=3021,
    voltage_v=382.1,
    current_a=121.5,
    soc_pct=36.4,
    energy_wh=9345.0,
    charging_s=741.0,
    is_contactor_closed=True,
    is_supply_on=True,
    samples=[Sample(t, 3.0 * t, 1.1 * t) for t in range(130)],
    log=[LogLine(float(n), f"event {n}") for n in range(50)],
    faults=(),
)
EMPTY = replace(
    CHARGING,
    at_s=0.0,
    steps=("starting",),
    pilot="F",
    cp_v=0.0,
    duty_pct=0.0,
    slac="idle",
    sounds=0,
    mean_db=None,
    message="",
    requests=0,
    charging_s=0.0,
    is_contactor_closed=False,
    is_supply_on=False,
    samples=(),
    log=(),
)
BROKEN = replace(
    CHARGING,
    steps=[*CHARGING.steps, "stopping"],
    faults=(Fault.ISOLATION, Fault.OVERVOLTAGE),
)


def in_step(name: str, charging_s: float = CHARGING.charging_s) -> Snapshot:
    steps = [*CHARGING.steps, name]
    return replace(CHARGING, steps=steps, charging_s=charging_s)


def drawn(
    seen: Snapshot, width: int = 80, height: int = 24, *, pace: float = 0.0
) -> str:
    """Return the picture as text."""
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, highlight=False)
    console.print(render(seen, pace, width, height))
    return out.getvalue()


def row(picture: str, label: str) -> str:
    """Return what stands behind a label, up to the border."""
    found = re.search(rf"│ {label}\s+(.*?)\s*│", picture)
    assert found, f"no {label}"
    return found[1]


SHOWN = {
    "phase": "charging",
    "pilot": "state C2, 6.0 V, PWM 5 %",
    "SLAC": "10 sounds, 14.5 dB, matched",
    "message": "CurrentDemandReq (3021)",
    "contactor": "closed",
    "supply": "on",
    "voltage": "382.1 V",
    "current": "121.5 A",
    "power": "46.4 kW",
    "energy": "9.35 kWh",
    "charging": "0:12:21",
}


@pytest.mark.parametrize("label", SHOWN)
@pytest.mark.parametrize("size", SIZES[:2], ids=str)
def test_figure_is_shown_with_its_unit(label: str, size: tuple[int, int]) -> None:
    assert row(drawn(CHARGING, *size), label) == SHOWN[label]


def test_before_anything_has_happened_nothing_is_claimed() -> None:
    picture = drawn(EMPTY)
    labels = ("SLAC", "message", "contactor", "supply")
    assert [row(picture, one) for one in labels] == ["idle", "-", "open", "off"]
    assert row(picture, "pilot") == "state F, 0.0 V, steady"


@pytest.mark.parametrize("seen", [CHARGING, EMPTY, BROKEN], ids=lambda s: s.step)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_picture_fills_the_screen_and_does_not_leave_it(
    size: tuple[int, int], seen: Snapshot
) -> None:
    width, height = size
    lines = drawn(seen, width, height).splitlines()
    assert len(lines) == height
    assert max(map(len, lines)) <= width


@pytest.mark.parametrize("size", [(59, 24), (80, 19), (20, 5)], ids=str)
def test_small_screen_gets_the_figures_alone(size: tuple[int, int]) -> None:
    lines = drawn(BROKEN, *size).splitlines()
    assert "│" not in "".join(lines)
    assert len(lines) == 5
    assert max(map(len, lines)) <= size[0]


def test_same_snapshot_gives_the_same_picture() -> None:
    assert drawn(CHARGING) == drawn(replace(CHARGING))


def test_title_tells_car_time_and_speed() -> None:
    title = drawn(CHARGING, pace=320.0).splitlines()[0]
    assert title.startswith("PilotHAT demo  quick: a small car")
    assert title.rstrip().endswith("0:12:34  x320")
    assert "x0.6" in drawn(CHARGING, pace=0.6).splitlines()[0]
    assert drawn(CHARGING).splitlines()[0].rstrip().endswith("0:12:34")


WAY = {
    "idle": (EMPTY, "plug in"),
    "matching": (in_step("matching"), "match"),
    "session before the charge": (
        in_step("session", charging_s=0.0),
        "connect",
    ),
    "session after the charge": (in_step("session"), "stop"),
    "charging": (CHARGING, "charge"),
    "fault": (BROKEN, "stop"),
    "finished": (in_step("finished"), "leave"),
}


@pytest.mark.parametrize("name", WAY)
def test_milestones_show_how_far_the_visit_has_come(name: str) -> None:
    seen, here = WAY[name]
    line = drawn(seen).splitlines()[1]
    assert f"◐ {here}" in line
    assert "○" not in line[: line.index("◐")]
    assert "●" not in line[line.index("◐") :]


def test_all_milestones_are_passed_when_the_car_has_left() -> None:
    gone = replace(CHARGING, steps=STEPS, has_left=True)
    assert drawn(gone).splitlines()[1].count("●") == len(MILESTONES)


def test_ac_charge_has_neither_cable_check_nor_precharge_before_it() -> None:
    line = drawn(replace(CHARGING, is_dc=False)).splitlines()[1].rstrip()
    assert line == "● plug in  ● match  ● connect  ◐ charge  ○ stop  ○ leave"


def test_milestone_that_was_never_reached_is_not_claimed() -> None:
    early = replace(BROKEN, steps=("idle", "matching", "cable check", "stopping"))
    line = drawn(early).splitlines()[1].rstrip()
    assert line == (
        "● plug in  ● match  - connect  ● check  - precharge  - charge  ◐ stop  ○ leave"
    )


def test_every_step_there_can_be_belongs_to_a_milestone() -> None:
    known = [step for _, steps in MILESTONES for step in steps]
    renamed = {"checking": "cable check", "delivering": "charging"}
    live = [path for path in PathPhase if path.is_live]
    steps = [renamed.get(path.name.lower(), path.value) for path in live]
    assert sorted(known) == sorted([*steps, *(phase.value for phase in Phase)])


def test_fault_is_shown_with_its_remedy() -> None:
    picture = drawn(BROKEN)
    assert f"ISOLATION: {Fault.ISOLATION.row.meaning}" in picture
    assert Fault.ISOLATION.row.remedy in picture
    assert "─ fault 1 of 2 ─" in picture
    assert "─ fault ─" in drawn(replace(BROKEN, faults=(Fault.ISOLATION,)))


def test_fault_takes_the_room_of_the_charts_where_there_is_little() -> None:
    assert "at the outlet" in drawn(BROKEN, 80, 24)
    assert "at the outlet" not in drawn(BROKEN, 80, 20)
    assert Fault.ISOLATION.row.remedy in drawn(BROKEN, 80, 20)


@pytest.mark.parametrize(("height", "first"), [(24, 46), (40, 36)])
def test_newest_events_are_at_the_bottom(height: int, first: int) -> None:
    lines = drawn(CHARGING, 80, height).splitlines()
    events = [line for line in lines if " event " in line]
    assert f"event {first} " in events[0]
    assert "event 49 " in events[-1]


def test_charts_have_axes_and_grow_with_the_screen() -> None:
    small, large = drawn(CHARGING), drawn(CHARGING, 120, 40)
    assert re.search(r"│  400 V [\u2800-\u28ff]{69} │", small)
    assert re.search(r"│  150 A [\u2800-\u28ff]{69} │", small)
    assert small.count("\n│  ") < large.count("\n│  ")
    assert re.search(r"│  400 V [\u2800-\u28ff]{109} │", large)


def test_long_words_are_cut_and_not_wrapped() -> None:
    long = replace(CHARGING, about="x" * 300, log=[LogLine(1.0, "y" * 300)])
    lines = drawn(long, pace=1.0).splitlines()
    assert len(lines) == 24
    assert "…" in lines[0]
    assert lines[0].rstrip().endswith("x1.0")


def test_text_of_the_world_is_no_markup() -> None:
    seen = replace(CHARGING, about="[bold]x[/bold]", log=[LogLine(1.0, "[red]y")])
    assert "[bold]x[/bold]" in drawn(seen)
    assert "[red]y" in drawn(seen)


@pytest.fixture
def plain_terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A terminal of somebody who wants no colours."""
    was = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    yield
    signal.signal(signal.SIGTERM, was)


@pytest.mark.usefixtures("plain_terminal")
def test_no_colour_is_no_colour(capsys: pytest.CaptureFixture[str]) -> None:
    view = Live()
    view.show(played("charging"), 0.0)
    view.close()
    out = capsys.readouterr().out
    assert "charging" in out
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]", out)


@pytest.mark.usefixtures("plain_terminal")
def test_whoever_ends_the_program_gets_the_terminal_back() -> None:
    view = Live()
    view.close()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
