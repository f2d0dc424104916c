"""An ISO 15118-2 session on the car's side: what it adds to one of DIN.

New terms may be agreed on while charging (renegotiation), and a session may sleep and
be joined again with its old id (pause). S2 is open when the car says goodbye.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from pilothat.frozen import dataclass
from pilothat.v2g.evcc.ac import AcSession
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.dc import DcSession
from pilothat.v2g.evcc.events import Action, Outcome
from pilothat.v2g.evcc.heard import Challenge, Heard, Notice, Schedule, Services
from pilothat.v2g.evcc.iso2_words import Iso2Dialect, mode_of
from pilothat.v2g.evcc.session import Session, Take
from pilothat.v2g.evcc.settings import SessionSettings
from pilothat.v2g.evcc.states import BEFORE_RECEIPT, Ending, State


@dataclass(frozen=True, slots=True)
class Paused:
    """A session that sleeps."""

    session_id: bytes
    schedule_id: int


class Iso2Session(Session):
    """What DC and AC share in ISO 15118-2.

    paused:   the session to join again
    contract: the car pays with it wherever it is taken
    """

    opens_s2_before_goodbye: ClassVar[bool] = True

    def __init__(
        self,
        settings: SessionSettings,
        paused: Paused | None = None,
        contract: Contract | None = None,
    ) -> None:
        super().__init__(settings, Iso2Dialect(settings, contract))
        self._contract = contract
        self._old = paused
        self._after_receipt: tuple[State, float | None] = (State.CHARGING, None)
        self._has_renegotiated = self._is_authorised = False
        if paused is not None:
            self.session_id = paused.session_id

    def _table(self) -> dict[State, Take]:
        return super()._table() | {
            State.DETAILS: self._take_details,
            State.RECEIPT: self._take_receipt,
            State.RENEGOTIATION: self._take_renegotiation,
        }

    @property
    def paused(self) -> Paused | None:
        """What to join again; None where the session is not a paused one."""
        if self.state is not State.ENDED or self._ending is None:
            return None
        if not self._ending.pauses:
            return None
        return Paused(self.session_id, self._view.schedule.id)

    @property
    def has_lost_its_contract(self) -> bool:
        """Whether the station refused the contract: the next session pays outside."""
        is_refused = (
            self._ending is not None and self._ending.outcome is Outcome.REFUSED
        )
        return is_refused and self._view.by_contract and not self._is_authorised

    def _lack(self, services: Services) -> str:
        by_contract = services.takes_contracts and self._contract is not None
        self._view = replace(self._view, by_contract=by_contract)
        if not by_contract and not services.can_pay_outside:
            return "the station takes contracts only"
        mode = mode_of(self._settings).name
        has_mode = services.modes is None or mode in services.modes
        return "" if has_mode else f"the station has no {mode}"

    def _take_payment(self, heard: Heard, now: float) -> Sequence[Action]:
        if self._view.by_contract:
            return self._change(State.DETAILS, now)
        return super()._take_payment(heard, now)

    def _take_details(self, heard: Heard, now: float) -> Sequence[Action]:
        if isinstance(heard.said.detail, Challenge):
            self._view = replace(self._view, challenge=heard.said.detail.octets)
        return self._change(State.AUTHORISATION, now)

    def _take_authorisation(self, heard: Heard, now: float) -> Sequence[Action]:
        self._is_authorised = not heard.said.is_ongoing
        return super()._take_authorisation(heard, now)

    def _follow(self, heard: Heard, now: float) -> Sequence[Action]:
        """Put a receipt before what comes next, where the station wants one."""
        actions = super()._follow(heard, now)
        if heard.said.meter is not None and self.state in BEFORE_RECEIPT:
            self._view = replace(self._view, meter=heard.said.meter)
            self._after_receipt = self.state, self._turn.ends_at
            self._enter(State.RECEIPT, now, self._settings.pace.loop_s)
        return actions

    def _take_receipt(self, _heard: Heard, now: float) -> Sequence[Action]:
        state, ends_at = self._after_receipt
        self._enter(state, now, self._settings.pace.loop_s)
        self._turn.ends_at = ends_at  # a receipt wins no time
        return ()

    def _choose(self, schedules: Sequence[Schedule]) -> Schedule:
        """Take the schedule of before the pause, if it is still there."""
        old = self._old and self._old.schedule_id
        return next((one for one in schedules if one.id == old), schedules[0])

    def _go_on(self, heard: Heard, now: float) -> Sequence[Action]:
        plan, status = self._settings.iso2, heard.said.status
        is_asked = status is not None and status.notice is Notice.ReNegotiation
        if is_asked and plan.obeys_renegotiation:
            return self._renegotiate(now)
        if self._is_time(plan.renegotiates_after_s, now) and not self._has_renegotiated:
            return self._renegotiate(now)
        if self._is_time(plan.pauses_after_s, now) and self._old is None:
            ending = Ending(
                Outcome.PAUSED, "a pause", welds=plan.welds_before_pause, pauses=True
            )
            return self._leave(ending, now)
        return super()._go_on(heard, now)

    def _is_time(self, after_s: float | None, now: float) -> bool:
        if after_s is None or self._charging_since is None:
            return False
        return now - self._charging_since >= after_s

    def _renegotiate(self, now: float) -> Sequence[Action]:
        self._has_renegotiated = True
        return self._towards_terms(now)

    @abstractmethod
    def _towards_terms(self, now: float) -> Sequence[Action]:
        """Leave the loop for new terms."""

    def _take_renegotiation(self, _heard: Heard, now: float) -> Sequence[Action]:
        """Open the contactor; S2 stays closed, because charging goes on."""
        self._enter(State.PARAMETERS, now, self._settings.pace.before_parameters_s)
        return self._grip.split()


class Iso2DcEvcc(Iso2Session, DcSession):
    """The car's half of a DC session: new terms need a new cable check."""

    def _table(self) -> dict[State, Take]:
        return super()._table() | {State.EASING: self._take_easing}

    def _towards_terms(self, now: float) -> Sequence[Action]:
        return self._enter(State.EASING, now, self._settings.pace.loop_s)

    def _take_easing(self, _heard: Heard, now: float) -> Sequence[Action]:
        if self._is_down():
            return self._change(State.RENEGOTIATION, now)
        return self._again(now, self._settings.pace.loop_s)


class Iso2AcEvcc(Iso2Session, AcSession):
    """The car's half of an AC session: new terms only interrupt the current."""

    def _towards_terms(self, now: float) -> Sequence[Action]:
        return self._change(State.RENEGOTIATION, now)
