"""What one kind of car is: battery, powerline habits, what it says and when."""

from __future__ import annotations

from dataclasses import dataclass, field

from pilothat.plc.modem import ModemSettings
from pilothat.slac.settings import EvSlacSettings
from pilothat.twin.battery import BatterySettings
from pilothat.v2g.evcc.handshake import HandshakeSettings
from pilothat.v2g.evcc.search import SearchSettings
from pilothat.v2g.evcc.settings import DinSettings


@dataclass(frozen=True, slots=True)
class CarHabits:
    """What the car does outside the session.

    wake_s:         from 5 % seen to the first SLAC message
    search_after_s: from the match to the first SDP request
    setup_s:        from the match to the first session response, at most
    connect_s:      patience with a TCP connection
    tries:          how often it begins anew when the station offers it again
    unplugs_after_s: after the end; None: it stays
    """

    wake_s: float = 0.5
    search_after_s: float = 0.5
    setup_s: float = 20.0
    connect_s: float = 2.0
    tries: int = 3
    unplugs_after_s: float | None = 10.0
    needs_ventilation: bool = False


@dataclass(frozen=True, slots=True)
class CarProfile:
    """One kind of car."""

    name: str = "generic"
    about: str = "an honest car"
    car: CarHabits = field(default_factory=CarHabits)
    battery: BatterySettings = field(default_factory=BatterySettings)
    slac: EvSlacSettings = field(default_factory=EvSlacSettings)
    modem: ModemSettings = field(default_factory=ModemSettings)
    search: SearchSettings = field(default_factory=SearchSettings)
    handshake: HandshakeSettings = field(default_factory=HandshakeSettings)
    din: DinSettings = field(default_factory=DinSettings)
