"""The car that is here: whether it may charge, and by which road it comes to it."""

from __future__ import annotations

from pilothat.station.basic import Basic
from pilothat.station.phases import Phase, PilotSteps
from pilothat.station.powerline import Powerline
from pilothat.station.retries import Retries
from pilothat.station.settings import StationSettings
from pilothat.station.stopping import PLANS, StopReason
from pilothat.station.talk import Talk

_READ = (  # what ends the reading of a car's charge, come what may
    StopReason.CAR_DONE,
    StopReason.CONNECTION_LOST,
    StopReason.LINK_LOST,
    StopReason.NOT_MATCHED,
    StopReason.REFUSED,
    StopReason.SETUP_TIMEOUT,
    StopReason.SILENT,
)


class Visit:
    """One car after the other, from plugging in to unplugging.

    is_authorised: None while nobody has decided
    is_unmatched: it could not be matched; the next authorisation is another try
    """

    def __init__(self, settings: StationSettings) -> None:
        self.is_authorised: bool | None = settings.is_free or None
        self.is_unmatched = False
        self.basic = Basic(settings)
        self.retries = Retries(settings.retries)
        self._reads_soc = settings.reads_soc and settings.ac is not None
        self._is_read = False  # as far as this car can be
        self._is_free = settings.is_free

    def rest(self) -> None:
        """Forget the last car: another one may come."""
        self.is_authorised = self._is_free or None

    def unplugged(self) -> None:
        """Take that the car is gone."""
        self.is_unmatched = self._is_read = False
        self.retries.renew()
        self.basic.forget()

    def first_phase(self) -> Phase:
        """Return where a car begins, the first time or again."""
        is_basic = self.basic.is_offered(self.is_authorised) and not self._shall_read
        return Phase.BASIC if is_basic else Phase.MATCHING

    @property
    def _shall_read(self) -> bool:
        return self._reads_soc and not self._is_read

    def may_talk(self, phase: Phase) -> bool:
        """Tell whether a car may find us; once it was asked it charges by the duty."""
        return phase in (Phase.SETUP, Phase.BASIC) and not (
            self._is_read and self._reads_soc
        )

    def enter(self, phase: Phase) -> float | None:
        """Take a new phase; return its duty, None where it stays as it is."""
        self.is_unmatched &= phase not in (Phase.SETUP, Phase.BASIC)
        return self.basic.enter(phase)

    def failed(self) -> None:
        """Take that the car could not be matched."""
        self.is_unmatched = True
        if self.is_authorised:
            self.basic.want()

    def granted(self, phase: Phase, slac: str, now: float) -> StopReason | None:
        """Take what somebody has decided; return why all begins anew, if it does."""
        if not self.is_authorised:
            return None
        if phase is Phase.FINISHED and self.is_unmatched:
            self.retries.renew()
            self.basic.want()
            return StopReason.AUTHORISED
        return None if self._shall_read else self.basic.granted(phase, slac, now)

    def is_impatient(
        self, phase: Phase, line: Powerline, talk: Talk, now: float
    ) -> bool:
        """Tell, once, that an authorised car shall wait for no session any more."""
        if self.basic.until is None:
            return False
        if talk.is_connected:
            self.basic.until = None  # the session is about to begin
        is_busy = line.is_matching
        return self.basic.is_impatient(phase, now, is_busy=is_busy)

    def after(self, reason: StopReason, then: Phase) -> Phase:
        """Return where a stop leads: another try is made only if one is left.

        What somebody wants is no such try, nor is it to go on with the duty: on AC that
        is the last resort of an authorised car, whatever came of its sessions.
        """
        steps = PLANS[reason].retry
        if self._shall_read and reason in _READ:
            self._is_read = True
            self.failed()
            return self._by_duty(steps)
        if then is not Phase.RETRY:
            return then
        is_by_duty = reason is StopReason.NOT_MATCHED and self.basic.is_wanted
        counts = not (is_by_duty or reason is StopReason.AUTHORISED)
        if self.retries.take(steps, counts=counts):
            return Phase.RETRY
        if self.basic.is_wanted or not self.is_authorised:
            return Phase.FINISHED
        self.basic.want()
        return self._by_duty(steps)

    def _by_duty(self, steps: PilotSteps) -> Phase:
        """Go on with the duty, where that is possible and nobody has given up."""
        goes_on = self.basic.is_wanted and self.retries.take(steps, counts=False)
        return Phase.RETRY if goes_on else Phase.FINISHED
