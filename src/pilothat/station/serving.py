"""The protocols a station serves: how each is called, and how its session is opened."""

from __future__ import annotations

from collections.abc import Sequence

from pilothat.machine import Entropy
from pilothat.station.settings import StationSettings
from pilothat.station.talk import Opener
from pilothat.v2g.secc import din, iso2
from pilothat.v2g.secc.handshake import DIN, ISO2, Served


def served(
    settings: StationSettings, entropy: Entropy
) -> Sequence[tuple[Served, Opener]]:
    """Return what the settings allow."""
    every: Sequence[tuple[Served, Opener]] = (
        (DIN, lambda now: din.session(settings.din, entropy, now)),
        (ISO2, lambda now: iso2.session(settings.iso2, entropy, now)),
    )
    return [one for one in every if one[0].protocol in settings.protocols]
