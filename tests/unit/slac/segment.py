"""Chargers and cars on one powerline in virtual time: SLAC, modems and the medium.

A small stand-in for the station and the car around the machines: it hands the key
to the modem, starts SLAC when the key is confirmed, and passes the link on.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from pilothat.homeplug.events import MmeIn, SendMme
from pilothat.homeplug.frame import build, parse
from pilothat.homeplug.nid import nid_of
from pilothat.machine import earliest
from pilothat.plc.events import (
    KeyConfirmed,
    LinkDown,
    LinkUp,
    ModemAction,
    SetKey,
    WatchLink,
)
from pilothat.plc.modem import Modem, ModemSettings
from pilothat.slac.ev import EvSlac
from pilothat.slac.events import (
    EvSlacAction,
    EvSlacMatched,
    EvSlacStart,
    LinkChanged,
    SlacAction,
    SlacMatched,
    SlacStart,
)
from pilothat.slac.evse import EvseSlac
from pilothat.slac.settings import EvSlacSettings, SlacSettings
from pilothat.twin.medium import Medium, MediumSettings


@dataclass(slots=True)
class Host:
    """A charger or a car: its modem machine and its side of SLAC."""

    name: str
    mac: bytes
    modem: Modem
    charger: EvseSlac | None = None
    car: EvSlac | None = None
    told: list[tuple[float, object]] = field(default_factory=list)

    @property
    def deadline(self) -> float | None:
        slac = self.charger or self.car
        return earliest(self.modem.deadline, slac.deadline if slac else None)

    def first(self, kind: type[object]) -> float | None:
        """Return when the first action of this kind was wanted."""
        return next((at for at, action in self.told if isinstance(action, kind)), None)


class Segment:
    """The line with everybody on it."""

    def __init__(self, settings: MediumSettings | None = None, seed: int = 1) -> None:
        self.entropy = random.Random(seed).randbytes
        self.medium = Medium(settings or MediumSettings(), self.entropy)
        self.now = 0.0
        self.hosts: list[Host] = []

    def charger(
        self,
        number: int,
        kind: str = "qca7000",
        settings: SlacSettings | None = None,
    ) -> Host:
        """Add a charger with a car plugged in; its key is set at once."""
        mac = bytes((2, 0x5E, 0, 0, 0, number))
        host = self._attach(f"evse{number}", mac, kind)
        host.charger = EvseSlac(mac, settings)
        nmk = self.entropy(16)
        self._modem_wants(host, host.modem.handle(SetKey(nid_of(nmk), nmk), self.now))
        return host

    def car(
        self,
        number: int,
        settings: EvSlacSettings | None = None,
        kind: str = "qca7000",
    ) -> Host:
        """Add a car; it begins with ``plug``."""
        mac = bytes((2, 0xE0, 0, 0, 0, number))
        host = self._attach(f"ev{number}", mac, kind)
        host.car = EvSlac(mac, settings or EvSlacSettings(), self.entropy)
        return host

    def plug(self, car: Host) -> None:
        """Let a car see 5 %."""
        assert car.car is not None
        self._slac_wants(car, car.car.handle(EvSlacStart(), self.now))

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        while True:
            due = earliest(self.medium.deadline, *(h.deadline for h in self.hosts))
            if due is None or due > end:
                break
            self.now = max(self.now, due)
            self._step()
        self.now = end

    def _step(self) -> None:
        for delivery in self.medium.tick(self.now):
            host = next(h for h in self.hosts if h.name == delivery.name)
            frame = parse(delivery.frame)
            if frame is not None:
                event = MmeIn(frame)
                self._modem_wants(host, host.modem.handle(event, self.now))
                if host.charger:
                    self._slac_wants(host, host.charger.handle(event, self.now))
                if host.car:
                    self._slac_wants(host, host.car.handle(event, self.now))
        for host in self.hosts:
            self._modem_wants(host, host.modem.tick(self.now))
            slac = host.charger or host.car
            if slac:
                self._slac_wants(host, slac.tick(self.now))

    def _attach(self, name: str, mac: bytes, kind: str) -> Host:
        modem_mac = bytes((0, 0xB0, 0x52, *mac[1:2], 0, mac[5]))
        self.medium.attach(name, mac, modem_mac, kind)
        modem = Modem(mac, ModemSettings(), self.entropy)
        host = Host(name, mac, modem)
        self.hosts.append(host)
        return host

    def _send(self, host: Host, action: SendMme) -> None:
        raw = build(action.destination, host.mac, action.mme)
        self.medium.host_sends(host.name, raw, self.now)

    def _modem_wants(self, host: Host, actions: Sequence[ModemAction]) -> None:
        for action in actions:
            match action:
                case SendMme():
                    self._send(host, action)
                    continue
                case KeyConfirmed(nid, nmk, mac) if host.charger:
                    start = SlacStart(nid=nid, nmk=nmk, modem_mac=mac)
                    self._slac_wants(host, host.charger.handle(start, self.now))
                case LinkUp() | LinkDown() if host.charger:
                    changed = LinkChanged(up=isinstance(action, LinkUp))
                    self._slac_wants(host, host.charger.handle(changed, self.now))
            host.told.append((self.now, action))

    def _slac_wants(
        self, host: Host, actions: Sequence[SlacAction | EvSlacAction]
    ) -> None:
        for action in actions:
            if isinstance(action, SendMme):
                self._send(host, action)
                continue
            host.told.append((self.now, action))
            if isinstance(action, EvSlacMatched):
                wanted = SetKey(action.nid, action.nmk)
                self._modem_wants(host, host.modem.handle(wanted, self.now))
            if isinstance(action, EvSlacMatched | SlacMatched):
                watch = WatchLink(fast=True)
                self._modem_wants(host, host.modem.handle(watch, self.now))
