"""AC charging by the duty alone (IEC 61851-1, mode 3): when it is offered, and how.

A car that does not talk, or cannot be matched, is offered the current by the duty once
somebody has authorised it. SLAC is answered meanwhile, and a session may begin; the
duty stays as it is then, because a car that charges must not lose it.
"""

from __future__ import annotations

from pilothat.pilot.duty import duty_for
from pilothat.pilot.levels import PilotState
from pilothat.plant import Energise, RampDown, Wish
from pilothat.station.phases import DUTY_PCT, Phase
from pilothat.station.settings import StationSettings

_VENTILATED = (PilotState.D1, PilotState.D2)
_KEPT = (Phase.BASIC, Phase.SESSION)
UNHEARD = "wait_parm"  # SLAC: no car has asked yet


class Basic:
    """Whether the duty offers a current.

    is_wanted: high-level communication did not come about with this car
    """

    def __init__(self, settings: StationSettings) -> None:
        self.is_wanted = False
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

    def follows(self, phase: Phase, slac: str) -> bool:
        """Tell whether to change to it: 5 % is on, and no car has asked to match."""
        is_unheard = phase is Phase.MATCHING and slac == UNHEARD
        self.is_wanted |= is_unheard
        return self._ac is not None and is_unheard

    def enter(self, phase: Phase) -> float | None:
        """Take a new phase; return its duty, None where it stays as it is."""
        self._is_on = phase is Phase.BASIC or (self._is_on and phase in _KEPT)
        if self._is_on and self._ac is not None:
            return duty_for(self._ac.max_a)
        return DUTY_PCT.get(phase)

    def wish(self, pilot: PilotState) -> Wish:
        """Return what the pilot asks for while the duty offers current."""
        is_fit = self._has_ventilation or pilot not in _VENTILATED
        return Energise() if pilot.wants_energy and is_fit else RampDown()
