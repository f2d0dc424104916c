"""AC charging by the duty alone (IEC 61851-1, mode 3): when it is offered, and how.

A car that does not talk, or cannot be matched, is offered the current by the duty once
somebody has authorised it. SLAC is answered meanwhile, and a session may begin; the
duty stays as it is then, because a car that charges must not lose it. For the same
reason a lost link ends the session only, unless the owner wants otherwise.

How 5 % becomes the current (ISO 15118-3): through F while no car has asked to match,
through X1 once one has. A car that is being matched gets some seconds to end it, and
as many to connect when its link is up.
"""

from __future__ import annotations

from pilothat.pilot.duty import duty_for
from pilothat.pilot.levels import PilotState
from pilothat.plant import Energise, RampDown, Wish
from pilothat.station.phases import DUTY_PCT, Phase
from pilothat.station.settings import StationSettings
from pilothat.station.stopping import StopReason

_VENTILATED = (PilotState.D1, PilotState.D2)
_KEPT = (Phase.BASIC, Phase.SESSION)
_ON_THE_WAY = (Phase.MATCHING, Phase.SETUP)  # to a session, with 5 %
_UNHEARD = "wait_parm"  # SLAC: no car has asked yet


class Basic:
    """Whether the duty offers a current.

    is_wanted: high-level communication did not come about with this car
    until: authorised on its way to a session, a car has time for it until then
    """

    def __init__(self, settings: StationSettings) -> None:
        self.is_wanted = False
        self.until: float | None = None
        self._patience_s = settings.patience_s
        self._phase = Phase.STARTING
        self._is_interrupted = settings.interrupts_on_link_loss
        self._ac = settings.ac
        self._is_free = settings.is_free
        self._has_ventilation = settings.has_ventilation
        self._is_on = False

    def is_offered(self, is_authorised: bool | None) -> bool:  # noqa: FBT001 - a fact
        """Tell whether a car that is plugged in is offered current at once.

        Where everybody may charge the car is asked to talk first.
        """
        is_early = is_authorised is True and not self._is_free
        return self._ac is not None and (is_early or self.is_wanted)

    def forget(self) -> None:
        """Forget the car: it was unplugged."""
        self.is_wanted = False

    def want(self) -> None:
        """Take that this car gets the current by the duty, or none."""
        self.is_wanted = self._ac is not None

    def granted(self, phase: Phase, slac: str, now: float) -> StopReason | None:
        """Take an authorisation; return why 5 % ends at once."""
        if self._ac is None or phase not in _ON_THE_WAY:
            return None
        if phase is Phase.MATCHING and slac == _UNHEARD:
            self.is_wanted = True
            return StopReason.NOT_MATCHED
        self.until, self._phase = now + self._patience_s, phase
        return None

    def is_impatient(self, phase: Phase, now: float, *, is_busy: bool) -> bool:
        """Tell, once, that the time of an authorised car on its way is over.

        is_busy: it is being matched, or its link is up
        """
        if self.until is None:
            return False
        if phase is not self._phase:  # the link came up meanwhile
            self.until, self._phase = now + self._patience_s, phase
        if is_busy and now < self.until:
            return False
        self.until, self.is_wanted = None, True
        return True

    @property
    def outlasts_link(self) -> bool:
        """Whether a car that loses its link may charge on."""
        return self._is_on and not self._is_interrupted

    def enter(self, phase: Phase) -> float | None:
        """Take a new phase; return its duty, None where it stays as it is."""
        self._is_on = phase is Phase.BASIC or (self._is_on and phase in _KEPT)
        if phase not in _ON_THE_WAY:
            self.until = None
        if self._is_on and self._ac is not None:
            return duty_for(self._ac.max_a)
        return DUTY_PCT.get(phase)

    def wish(self, pilot: PilotState) -> Wish:
        """Return what the pilot asks for while the duty offers current."""
        is_fit = self._has_ventilation or pilot not in _VENTILATED
        return Energise() if pilot.wants_energy and is_fit else RampDown()
