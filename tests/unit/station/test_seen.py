"""The station as a session sees it: energy where a meter tells it, else the same."""

from __future__ import annotations

from pilothat.pilot.levels import PilotState
from pilothat.station.seen import Outlook, Standing, path_of
from pilothat.station.settings import StationSettings
from pilothat.v2g.plant import PlantState
from pilothat.v2g.secc.iso2_answers import Offer
from pilothat.v2g.secc.iso2_power import Iso2Settings

STANDING: Standing = (True, False, None)


def states(meter_id: str) -> list[PlantState]:
    """Return what is seen at 0 and at 1,000 Wh, nothing else having changed."""
    iso2 = Iso2Settings(offer=Offer(meter_id=meter_id))
    settings = StationSettings(host_mac=bytes(6), iso2=iso2)
    outlook, path = Outlook(settings), path_of(settings)
    return [
        outlook.state(path, PilotState.C2, STANDING, energy_wh)
        for energy_wh in (0.0, 1000.0)
    ]


def test_meter_goes_on() -> None:
    assert [state.energy_wh for state in states("M1")] == [0.0, 1000.0]


def test_without_a_meter_the_state_is_the_very_same() -> None:
    before, after = states("")
    assert after is before
