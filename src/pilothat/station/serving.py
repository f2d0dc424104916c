"""The protocols a station serves: how each is called, and how its session is opened."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from pilothat.machine import Entropy
from pilothat.station.settings import StationSettings
from pilothat.station.talk import Opener, Opening
from pilothat.v2g.secc import din, iso2
from pilothat.v2g.secc.contract import Contracts, Secure
from pilothat.v2g.secc.handshake import DIN, ISO2, Served
from pilothat.v2g.secc.iso2_power import Iso2Session


def served(
    settings: StationSettings, entropy: Entropy
) -> Sequence[tuple[Served, Opener]]:
    """Return what the settings allow."""
    contracts = _contracts(settings, entropy)

    def open_iso2(opening: Opening) -> Iso2Session:
        secure = None
        if contracts is not None and opening.is_secure:
            secure = Secure(contracts, opening.clock)
        return iso2.session(settings.iso2, entropy, opening.now, secure, opening.clock)

    every: Sequence[tuple[Served, Opener]] = (
        (DIN, lambda opening: din.session(settings.din, entropy, opening.now)),
        (ISO2, open_iso2),
    )
    if settings.reads_soc and settings.ac is not None:
        reading = replace(settings.din, only_reads=True)
        return [(DIN, lambda opening: din.session(reading, entropy, opening.now))]
    outlet = every if settings.ac is None else every[1:]  # DIN is for DC
    return [one for one in outlet if one[0].protocol in settings.protocols]


def _contracts(settings: StationSettings, entropy: Entropy) -> Contracts | None:
    """Return who judges contracts, if somebody may come with one."""
    wanted = settings.contracts
    if wanted is None or not (wanted.mo or wanted.v2g):
        return None
    from pilothat.station.contracts import PlugAndCharge  # noqa: PLC0415 (an extra)

    return PlugAndCharge(wanted, entropy)
