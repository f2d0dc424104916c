"""The car's powerline: it finds its charger, joins its network, asks where to connect.

A car that charges is asked for its deadline several times a second, and nothing is due
here then; so the deadline is kept and read anew only when something has happened.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pilothat.homeplug import frame as wire
from pilothat.homeplug.events import MmeIn
from pilothat.machine import Entropy, earliest
from pilothat.plc.events import SetKey
from pilothat.plc.modem import Modem
from pilothat.slac.ev import EvSlac
from pilothat.slac.events import EvSlacMatched, EvSlacStart, EvSlacStop
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.search import Search


class CarLine:
    """SLAC, the modem and SDP; what they want is performed by the car.

    deadline: the next time something is due
    """

    def __init__(self, profile: CarProfile, host_mac: bytes, entropy: Entropy) -> None:
        self.deadline: float | None = None
        self._slac = EvSlac(host_mac, profile.slac, entropy)
        self._modem = Modem(host_mac, profile.modem, entropy)
        self._search = Search(profile.search)

    def tick(self, now: float) -> Iterator[object]:
        """Let time pass; one machine after the other, as their actions are taken."""
        for machine in (self._slac, self._modem, self._search):
            yield from machine.tick(now)
        self._note()

    def hear(self, raw: bytes, now: float) -> Iterator[object]:
        """Take an Ethernet frame."""
        frame = wire.parse(raw)
        if frame is not None:
            yield from self._slac.handle(MmeIn(frame), now)
            yield from self._modem.handle(MmeIn(frame), now)
            self._note()

    def match(self, now: float) -> Sequence[object]:
        """Look for the charger at the other end of the cable."""
        return self._noted(self._slac.handle(EvSlacStart(), now))

    def join(self, matched: EvSlacMatched, now: float) -> Sequence[object]:
        """Go into the charger's network."""
        key = SetKey(matched.nid, matched.nmk)
        return self._noted(self._modem.handle(key, now))

    def search(self, now: float) -> None:
        """Ask where to connect."""
        self._search.start(now)
        self._note()

    def found(self, payload: bytes) -> Sequence[object]:
        """Take an answer to that."""
        return self._noted(self._search.handle(payload))

    def quiet(self, now: float) -> Sequence[object]:
        """Look for nothing any more."""
        self._search.stop()
        return self._noted(self._slac.handle(EvSlacStop(), now))

    def _noted(self, actions: Sequence[object]) -> Sequence[object]:
        self._note()
        return actions

    def _note(self) -> None:
        self.deadline = earliest(
            self._slac.deadline, self._modem.deadline, self._search.deadline
        )
