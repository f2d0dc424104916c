"""Who is in the twin's world and what it is made of: names, addresses, settings."""

from __future__ import annotations

from dataclasses import field, replace

from pilothat.frozen import dataclass
from pilothat.plant import AcRatings
from pilothat.plc.pib import Role
from pilothat.station.events import NetworkFact
from pilothat.station.settings import StationSettings
from pilothat.twin.bench import BenchSettings
from pilothat.twin.medium import MediumSettings
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.settings import Energy
from pilothat.v2g.secc.iso2_answers import modes_of

EVSE = "evse"
EV = "ev"
EVSE_MAC = bytes.fromhex("02e5e0000001")
EVSE_MODEM_MAC = bytes.fromhex("00b052e50001")
EV_MAC = bytes.fromhex("02ca00000001")
EV_MODEM_MAC = bytes.fromhex("00b052ca0001")
EV_MODEM = (EV_MAC, EV_MODEM_MAC, "qca7000", Role.PEV)  # as the medium attaches it
EVSE_ADDRESS = bytes.fromhex("fe8000000000000000e5e0fffe000001")
EV_HOST = "fe80::ca:ff:fe00:1"
EVSE_HOST = "fe80::e5:e0ff:fe00:1"
SDP_PORT = 15118
TCP_PORT, TLS_PORT = 61341, 64109
NETWORK = NetworkFact(is_up=True, address=EVSE_ADDRESS, tcp_port=TCP_PORT)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorldSettings:
    """What this world is made of.

    has_exi: EXI octets on TCP; without, message objects (faster)
    keeps_lines: keep the journal's lines, not only their hash
    network: what the station hears of its interface
    """

    station: StationSettings = field(
        default_factory=lambda: StationSettings(host_mac=EVSE_MAC)
    )
    bench: BenchSettings = field(default_factory=BenchSettings)
    medium: MediumSettings = field(default_factory=MediumSettings)
    modem_kind: str = "qca7000"
    has_exi: bool = True
    keeps_lines: bool = False
    network: NetworkFact = NETWORK


def fitting(
    profile: CarProfile, settings: WorldSettings | None = None
) -> WorldSettings:
    """Return settings of a world whose outlet gives what the car charges with."""
    settings = settings or WorldSettings()
    if profile.session.iso2.energy is Energy.DC:
        return settings
    ac, station = AcRatings(), settings.station
    offer = replace(station.iso2.offer, modes=modes_of(ac))
    iso2 = replace(station.iso2, offer=offer)
    return replace(
        settings,
        station=replace(station, ac=ac, iso2=iso2),
        bench=replace(settings.bench, mains_v=ac.nominal_v),
    )
