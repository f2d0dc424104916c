"""The key of a network: new for every car that got one, and gone when it is gone."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pilothat.conformance.tester import LINK_S, LowerTester
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSetKeyReq, CmSlacMatchCnf
from pilothat.homeplug.field import Mme
from pilothat.station.actions import SendFrame
from pilothat.station.events import StopCause, StopRequested
from pilothat.station.phases import Phase
from pilothat.twin.carevents import Unplug
from pilothat.twin.stage import EV, EVSE, WorldSettings

TP_MATCH_LEAVE_S = 1.0


class Visit:
    """A station, a car that can be matched, and the messages of the station."""

    def __init__(self) -> None:
        self.tester = LowerTester(WorldSettings())
        self.sent: list[tuple[float, Mme, float]] = []  # with the duty of the time
        self.tester.world.watchers.append(self._watch)
        self.tester.wait(2.0)

    def _watch(self, now: float, _: object, actions: object) -> None:
        assert isinstance(actions, list | tuple)
        for action in actions:
            if isinstance(action, SendFrame):
                frame = wire.parse(action.frame)
                assert frame is not None
                duty_pct = self.tester.duties[-1][1] if self.tester.duties else 0.0
                self.sent.append((now, frame.mme, duty_pct))

    def programmed(self) -> list[CmSetKeyReq]:
        return [mme for _, mme, _ in self.sent if isinstance(mme, CmSetKeyReq)]

    def given(self) -> CmSlacMatchCnf:
        (cnf,) = {m for _, m, _ in self.sent if isinstance(m, CmSlacMatchCnf)}
        return cnf

    def reach(self, phase: str) -> None:
        self.tester.plug()
        station = self.tester.world.station
        holds: dict[str, Callable[[], bool]] = {
            "matched": lambda: station.line.slac_state == "wait_link",
            "linked": lambda: station.phase is Phase.SETUP,
        }
        assert self.tester.until(holds[phase], LINK_S)

    @property
    def nmk(self) -> bytes:
        return self.tester.world.medium.modem(EVSE).nmk


ENDS: dict[str, Callable[[LowerTester], None]] = {
    "unplugged": lambda tester: tester.world.drive(Unplug()),
    "stopped": lambda tester: tester.world.tell(StopRequested(StopCause.USER)),
}


@pytest.mark.parametrize("end", ENDS.values(), ids=ENDS.keys())
@pytest.mark.parametrize("phase", ["matched", "linked"])
def test_a_key_that_was_given_away_is_useless_a_second_after_the_end(
    phase: str, end: Callable[[LowerTester], None]
) -> None:
    visit = Visit()
    visit.reach(phase)
    assert visit.given().nmk == visit.programmed()[0].nmk == visit.nmk
    end(visit.tester)
    visit.tester.wait(TP_MATCH_LEAVE_S)
    assert visit.nmk != visit.given().nmk
    assert not visit.tester.world.is_linked()
    visit.tester.wait(5.0)
    assert len({key.nmk for key in visit.programmed()}) == len(visit.programmed()) == 2


def test_the_key_of_a_match_that_came_to_no_link_is_given_to_nobody_else() -> None:
    visit = Visit()
    visit.reach("matched")
    visit.tester.world.medium.cut(EV)
    visit.tester.wait(15.0)
    assert visit.nmk != visit.given().nmk


def test_a_key_that_nobody_got_is_kept_and_no_key_is_set_under_5_pct() -> None:
    visit = Visit()
    visit.tester.plug()
    visit.tester.wait(0.15)
    assert visit.tester.is_modulated
    visit.tester.world.drive(Unplug())
    visit.tester.wait(5.0)
    (key,) = visit.programmed()
    assert visit.nmk == key.nmk
    (duty_pct,) = [d for _, mme, d in visit.sent if isinstance(mme, CmSetKeyReq)]
    assert duty_pct == 0.0  # before the first car
