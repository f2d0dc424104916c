"""Captures made by hand: the twin's own car is listened to while it charges.

The lines have the form of recorded sessions, so that what they cannot show (gaps,
other chargers, broken files) is a change of some lines.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cache

from pilothat.exi.codec import ExiError
from pilothat.homeplug import frame as wire
from pilothat.homeplug.cm import CmSetKeyCnf, CmSetKeyReq
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC, VsSwVerCnf
from pilothat.station.actions import SdpOut, SendFrame, TcpClose, TcpSend
from pilothat.station.events import FrameIn, SdpIn, TcpClosed, TcpData
from pilothat.twin.car import Car, Phase, Plug
from pilothat.twin.carevents import CarAction, CarEvent
from pilothat.twin.chance import Chance
from pilothat.twin.profile import CarProfile, builtin
from pilothat.twin.stage import EV_MAC, fitting
from pilothat.twin.world import World
from pilothat.v2g import tp
from pilothat.v2g.messages import codec, din

Row = dict[str, object]
HEADER: Row = {
    "vehicle": "twin",
    "protocol": "din",
    "station": "twin",
    "outcome": "ok_complete",
}
OF_MODEM = (CmSetKeyReq, CmSetKeyCnf, VsSwVerCnf)


class Tap:
    """A driver that writes down what it hears and says."""

    def __init__(self, car: Car) -> None:
        self.rows: list[Row] = []
        self._car = car

    @property
    def deadline(self) -> float | None:
        return self._car.deadline

    def handle(self, event: CarEvent, now: float) -> Sequence[CarAction]:
        self._note("evse", event, now)
        return self._said(self._car.handle(event, now), now)

    def tick(self, now: float) -> Sequence[CarAction]:
        return self._said(self._car.tick(now), now)

    def _said(self, actions: Sequence[CarAction], now: float) -> Sequence[CarAction]:
        for action in actions:
            self._note("ev", action, now)
        return actions

    def _note(self, side: str, what: CarEvent | CarAction, now: float) -> None:
        match what:
            case FrameIn(raw) | SendFrame(raw):
                heard = wire.parse(raw)
                is_own = raw[:6] == LOCAL_MODEM_MAC or heard is None
                if not is_own and not isinstance(heard and heard.mme, OF_MODEM):
                    self._write(now, side, "slac", type(heard and heard.mme), raw)
            case SdpIn(payload) | SdpOut(payload):
                kind = payload[2:4].hex()
                self._write(now, side, "sdp", kind, payload[tp.HEADER.size :])
            case TcpData(_, data) | TcpSend(_, data):
                for frame in tp.Reader().feed(data):
                    self._write(now, side, "v2gtp", "8001", frame.payload)
            case TcpClose() | TcpClosed():
                self._write(now, side, "tcp", "FIN", b"")

    def _write(
        self, now: float, side: str, layer: str, kind: str | type, data: bytes
    ) -> None:
        name = kind if isinstance(kind, str) else kind.__name__
        row: Row = {"t": round(now, 6), "from": side, "layer": layer}
        self.rows.append({**row, "payload_type": name, "hex": data.hex()})


RENEGOTIATING = "-renegotiating"  # behind a car's name: it asks for new terms, once


def _profile(car_name: str) -> CarProfile:
    base = builtin(car_name.removesuffix(RENEGOTIATING))
    after_s = 0.1 if car_name.endswith(RENEGOTIATING) else None
    iso2 = replace(base.session.iso2, renegotiates_after_s=after_s)
    return replace(
        base,
        battery=replace(base.battery, soc_pct=79.99),
        car=replace(base.car, unplugs_after_s=0.5),
        session=replace(base.session, iso2=iso2),
    )


@cache
def _charge(car_name: str) -> tuple[str, ...]:
    profile = _profile(car_name)
    world = World(fitting(profile), 3)
    car = Car(profile, EV_MAC, Chance(3, "car"))
    tap = Tap(car)
    world.park(tap)
    world.after(1.0, lambda: world.drive(Plug()))
    world.run(lambda: car.phase is Phase.AWAY and world.now > 1.0, 120.0)
    return tuple(json.dumps(row) for row in tap.rows)


def charge(car_name: str = "generic") -> list[Row]:
    """Return the lines of a complete charge, without the header.

    car_name: of the profile; the generic car speaks DIN
    """
    return [json.loads(line) for line in _charge(car_name)]


def text(rows: Sequence[Row], header: Row | None = None) -> str:
    """Return the file."""
    lines = [header or HEADER, *rows]
    return "".join(f"{json.dumps(line)}\n" for line in lines)


def of(rows: Sequence[Row], *layers: str) -> list[Row]:
    """Return the lines of these layers."""
    return [row for row in rows if row["layer"] in layers]


def message(row: Row) -> object:
    """Return the message of a line, in whichever protocol. Raises ExiError."""
    data = bytes.fromhex(str(row["hex"]))
    try:
        return codec("din").decode(data)
    except ExiError:
        return codec("iso2").decode(data)


def name(row: Row) -> str:
    """Return the name of a message in a line; empty for another line."""
    if row["layer"] != "v2gtp":
        return ""
    try:
        return type(getattr(message(row), "body", None)).__name__
    except ExiError:
        return ""


def rewritten(row: Row, change: Callable[[object], object]) -> Row:
    """Return a line with a changed message."""
    found = message(row)
    protocol = "din" if isinstance(found, din.V2gMessage) else "iso2"
    return {**row, "hex": codec(protocol).encode(change(found)).hex()}
