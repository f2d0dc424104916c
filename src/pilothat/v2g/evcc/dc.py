"""A DC session on the car's side: from the cable check to the welding detection."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.v2g.evcc import rules
from pilothat.v2g.evcc.appetite import Appetite
from pilothat.v2g.evcc.events import Action, Outcome
from pilothat.v2g.evcc.heard import Heard, Output, Terms
from pilothat.v2g.evcc.session import Dialect, Session, Take
from pilothat.v2g.evcc.settings import SessionSettings, Trust
from pilothat.v2g.evcc.states import (
    CLOSE_WINDOW_V,
    LOOPS,
    Complaint,
    Ending,
    State,
)


class DcSession(Session):
    """The car's half of a DC session."""

    def __init__(self, settings: SessionSettings, dialect: Dialect) -> None:
        super().__init__(settings, dialect)
        self._appetite = Appetite(settings)

    def _table(self) -> dict[State, Take]:
        return super()._table() | {
            State.CABLE_CHECK: self._take_cable_check,
            State.PRECHARGE: self._take_precharge,
            State.POWER_ON: self._take_power_on,
            State.CHARGING: self._take_current,
            State.WELDING: self._take_welding,
        }

    @property
    def target_a(self) -> float:
        """The current asked for last."""
        return self._appetite.target_a

    def _aim(self, now: float) -> None:
        if self.state in LOOPS:
            is_hungry = self.state is State.CHARGING
            self._appetite.aim(self._fact, now, is_hungry=is_hungry)

    # --- the way in

    def _agree(self, terms: Terms, now: float) -> Sequence[Action]:
        self._appetite.limit(terms.limits)
        self._enter(State.CABLE_CHECK, now, self._settings.pace.before_cable_check_s)
        return self._grip.seize()

    def _take_cable_check(self, heard: Heard, now: float) -> Sequence[Action]:
        habits = self._settings.habits
        if heard.said.is_ongoing:
            return self._repeat(now)
        if rules.is_isolated(heard.said.status) or not habits.needs_valid_cable_check:
            return self._change(State.PRECHARGE, now)
        if habits.doubt_s is None:
            return self._repeat(now)
        return self._enter(State.DOUBT, now, habits.doubt_s)

    def _take_precharge(self, heard: Heard, now: float) -> Sequence[Action]:
        output, habits = heard.said.detail, self._settings.habits
        if isinstance(output, Output) and rules.is_precharged(
            output.present_v, self._fact, habits
        ):
            return self._change(State.POWER_ON, now)
        if self._turn.count == habits.precharge_max:
            reason = f"no voltage after {self._turn.count} precharge requests"
            return self._leave(Ending(Outcome.ABORTED, reason), now)
        return self._repeat(now)

    def _take_power_on(self, _heard: Heard, now: float) -> Sequence[Action]:
        gap_v = abs(self._fact.voltage_v - self._fact.battery_v)
        is_blind = self._settings.habits.precharge_trust is Trust.REPORT
        if gap_v > CLOSE_WINDOW_V and not is_blind:
            reason = f"{gap_v:.0f} V across the open contactor"
            ending = Ending(Outcome.ABORTED, reason, Complaint.VOLTAGE)
            return self._leave(ending, now)
        self._appetite.start(now + self._settings.pace.before_loop_s)
        return self._start(now)

    # --- the loop

    def _take_current(self, heard: Heard, now: float) -> Sequence[Action]:
        output = heard.said.detail
        ending = self._complaint(output, now) if isinstance(output, Output) else None
        if ending is not None:
            return self._leave(ending, now)
        return self._turn_around(heard, now)

    def _complaint(self, output: Output, now: float) -> Ending | None:
        """Take what the station delivers; tell where it is not enough or not true."""
        self._appetite.limit(output.limits)
        reported_a = output.present_a or 0.0
        if self._appetite.is_spoilt(reported_a, self._fact, now):
            reason = "the reported current is not the measured one"
            return Ending(Outcome.ABORTED, reason, Complaint.CURRENT, welds=False)
        return self._hunger(now, is_starved=self._appetite.is_starved)

    # --- the way out

    def _take_welding(self, heard: Heard, now: float) -> Sequence[Action]:
        output, habits = heard.said.detail, self._settings.habits
        is_low = (
            isinstance(output, Output) and output.present_v < habits.welding_below_v
        )
        is_enough = is_low and self._turn.count >= habits.welding_min
        if is_enough or self._turn.count >= habits.welding_max:
            return self._change(State.GOODBYE, now)
        return self._repeat(now)
