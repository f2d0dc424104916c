"""The model of the sketch does what the sketch does: one script for both."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import pytest
from tests.hat.sketch import Bench, Script, compiled, needs_simulator, said, simulator

from pilothat.board.wallboxwire import Lines, Status, read_status
from pilothat.pilot.levels import PilotSample
from pilothat.ports import Interlocks
from pilothat.twin.bench import Bench as TwinBench
from pilothat.twin.wallbox import BOOT_S, Sketch

TICK_S = 0.001
CP_V = 0.05
AT_S = 0.015  # of two clocks that tell every 10 ms


class Levels:
    """The bench as far as a sketch sees it: levels that a script sets."""

    def __init__(self) -> None:
        self.high_v = self.low_v = 0.0
        self.is_chain_good = True
        self.duty_pct = 0.0

    def pilot(self, _now: float) -> PilotSample:
        if self.duty_pct in (0.0, 100.0):
            return PilotSample(self.high_v if self.duty_pct else self.low_v, None)
        return PilotSample(self.high_v, self.low_v)

    def drive_pilot(self, duty_pct: float, _now: float) -> None:
        self.duty_pct = duty_pct

    def set_contactor(self, _now: float, *, closed: bool) -> None: ...

    def enable_supply(self, _now: float, *, on: bool) -> None: ...

    def contactor_is_closed(self, _now: float) -> bool:
        return False

    def interlocks(self, _now: float) -> Interlocks:
        return Interlocks(self.is_chain_good, self.is_chain_good)


class Model:
    """The model, moved by a script."""

    def __init__(self) -> None:
        self._levels = Levels()
        self._sketch = Sketch(cast("TwinBench", self._levels), -BOOT_S)
        self._lines = Lines()
        self._now = 0.0
        self._said: list[Status] = []

    def play(self, script: Script) -> Sequence[Status]:
        for line in script.text.splitlines():
            name, _, rest = line.partition(" ")
            getattr(self, f"_{name}")(rest)
        return self._said

    def _run(self, ms: str) -> None:
        for _ in range(int(ms)):
            self._now += TICK_S
            for line in self._lines.take(self._sketch.advance(self._now)):
                status = read_status(line)
                assert status is not None
                self._said.append(status)

    def _cp(self, millivolts: str) -> None:
        self._levels.high_v, self._levels.low_v = map(cp_v, millivolts.split())

    def _pin(self, rest: str) -> None:
        _, number, level = rest.split()
        if number == "2":
            self._levels.is_chain_good = level == "0"

    def _say(self, text: str) -> None:
        self._sketch.take(text.encode() + b"\n", self._now)

    def _reset(self, _rest: str) -> None:
        self._sketch.reset(self._now - BOOT_S)


def cp_v(adc_mv: str) -> float:
    """Return CP of the millivolts at the Arduino's pin."""
    siemens = 1 / 220e3 + 1 / 56e3 + 1 / 100e3
    return (float(adc_mv) / 1e3 * siemens - 5.0 / 56e3) * 220e3


def started() -> Script:
    return Script().cp(6.0).run(1).chain(0).run(20)


def charging() -> Script:
    return started().wishing(200, 5).wishing(200, 5, on=True)


STORIES = {
    "boot": started().run(100),
    "charge": charging().wishing(200, 16.65, on=True).wishing(100, 100),
    "unplugged": charging().cp(12.0).wishing(200, 5, on=True),
    "bad diode": charging().cp(6.0, -6.0).wishing(200, 5, on=True),
    "short absence": charging().cp(9.0).run(20).cp(6.0).wishing(200, 5, on=True),
    "no wishes": charging().run(700).wishing(200, 5, on=True).wishing(100, 5),
    "chain": charging().chain(1).wishing(200, 5, on=True).chain(0).wishing(100, 5),
    "reset": charging().reset().run(1).chain(0).wishing(300, 5, on=True),
    "rubbish": charging().say("rubbish").say("W 9 100 1 0").wishing(100, 5),
    "closed without a car": started().cp(12.0).wishing(200, 5).wishing(300, 5, on=True),
}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("sketch")
    return Bench(simulator(folder), compiled(folder))


def outline(statuses: Sequence[Status]) -> list[tuple[object, ...]]:
    """Return what was told one after the other, without times and volts."""
    told: list[tuple[object, ...]] = []
    for one in statuses:
        outputs = one.is_contactor_on, one.is_supply_on, one.is_estop_released
        now = (one.duty_pct, *outputs, one.why, one.refused)
        if not told or told[-1] != now:
            told.append(now)
    return told


@needs_simulator
@pytest.mark.parametrize("story", STORIES)
def test_model_tells_what_the_sketch_tells(bench: Bench, story: str) -> None:
    theirs, ours = said(bench.play(STORIES[story])), Model().play(STORIES[story])
    assert outline(ours) == outline(theirs)
    assert ours[-1].up_s == pytest.approx(theirs[-1].up_s, abs=2 * AT_S)
    assert ours[-1].high_v == pytest.approx(theirs[-1].high_v, abs=CP_V)
    assert ours[-1].number == theirs[-1].number
