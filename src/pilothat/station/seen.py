"""What a station has for power, as a session sees it and as its stopping path does."""

from __future__ import annotations

from pilothat.faults import Fault
from pilothat.guard import GuardFact
from pilothat.pilot.levels import PilotState
from pilothat.power.acpath import AcPath
from pilothat.power.nopower import NoPower
from pilothat.power.path import PowerPath
from pilothat.station.settings import StationSettings
from pilothat.station.stopping import StopView
from pilothat.station.talk import Talk
from pilothat.v2g.plant import PlantState

Path = PowerPath | AcPath | NoPower


def path_of(settings: StationSettings) -> Path:
    """Return the power path that a station has."""
    if settings.ac is not None:
        return AcPath()
    no_power = settings.simulates_precharge
    return (NoPower if no_power else PowerPath)(settings.ratings)


Standing = tuple[bool | None, bool, Fault | None]
"""Whether the car is authorised, whether we want to stop, the fault if any."""


class Outlook:
    """The station as a session sees it; the very same as long as it is the same."""

    def __init__(self, settings: StationSettings) -> None:
        self._settings = settings
        self._has_meter = bool(settings.iso2.offer.meter_id)
        self._seen: tuple[object, ...] = ()
        self._state = PlantState()

    def state(
        self, path: Path, pilot: PilotState, standing: Standing, energy_wh: float
    ) -> PlantState:
        """Return it as it is now; energy goes on and on, and is for a meter only."""
        energy_wh = energy_wh if self._has_meter else 0.0
        seen = (path.phase, path.plant, path.isolation, pilot, standing, energy_wh)
        if seen != self._seen:
            self._seen = seen
            self._state = self._made(path, pilot, standing, energy_wh)
        return self._state

    def _made(
        self, path: Path, pilot: PilotState, standing: Standing, energy_wh: float
    ) -> PlantState:
        is_authorised, wants_stop, fault = standing
        return PlantState(
            phase=path.phase,
            outlet_v=path.plant.outlet_v,
            current_a=path.plant.current_a,
            isolation=path.isolation,
            ratings=self._settings.ratings,
            ac=self._settings.ac,
            pilot=pilot,
            is_authorised=is_authorised,
            energy_wh=energy_wh,
            wants_stop=wants_stop,
            fault=fault,
        )


def stop_view(talk: Talk, path: Path, guard: GuardFact) -> StopView:
    """Return the station as the stopping path sees it."""
    return StopView(
        has_session=talk.session is not None,
        is_connected=talk.is_connected,
        phase=path.phase,
        is_contactor_closed=guard.is_contactor_closed,
    )
