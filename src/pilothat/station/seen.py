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


def plant_state(
    settings: StationSettings,
    path: Path,
    pilot: PilotState,
    standing: tuple[bool | None, bool, Fault | None],
    energy_wh: float,
) -> PlantState:
    """Return the station as a session sees it.

    standing: whether the car is authorised, whether we want to stop, the fault if any
    """
    is_authorised, wants_stop, fault = standing
    return PlantState(
        phase=path.phase,
        outlet_v=path.plant.outlet_v,
        current_a=path.plant.current_a,
        isolation=path.isolation,
        ratings=settings.ratings,
        ac=settings.ac,
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
