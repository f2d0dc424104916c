"""Two ends of TLS on memory, by whichever library, and what makes them."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pilothat.runtime import opensslengine, sslengine
from pilothat.runtime.pipe import Engine
from pilothat.runtime.tlsfiles import car_side, station_side
from pilothat.runtime.tlsside import Side

MANY = 20  # turns; a handshake takes two
Start = Callable[[], Engine]
Library = Callable[[Side], Start]


def by_ssl(side: Side) -> Start:
    context = sslengine.context_of(side)
    return partial(sslengine.SslEngine, context, is_server=side.is_server)


def by_pyopenssl(side: Side) -> Start:
    context = opensslengine.context_of(side)
    return partial(opensslengine.OpensslEngine, context, is_server=side.is_server)


LIBRARIES = (by_ssl, by_pyopenssl)


def foreign(context: ssl.SSLContext) -> Engine:
    """Return a car of another maker."""
    return sslengine.SslEngine(context, is_server=False)


def client_context(folder: Path) -> ssl.SSLContext:
    """Return our car as it is by `ssl`, for asyncio."""
    return sslengine.context_of(car_side(folder))


def our_car(folder: Path) -> Engine:
    return by_ssl(car_side(folder))()


def our_station(folder: Path) -> Engine:
    return by_ssl(station_side(folder))()


@dataclass
class Line:
    """Both ends of a connection, without a network."""

    car: Engine
    station: Engine

    def carry(self) -> None:
        """Bring each what the other has said."""
        self.station.take(self.car.outgoing())
        self.car.take(self.station.outgoing())


def connected(car: Engine, station: Engine) -> Line:
    """Return a line on which both sides have finished; raises what they raise."""
    line = Line(car, station)
    done = [False, False]
    for _ in range(MANY):
        done = [car.shake(), station.shake()]
        line.carry()
        if all(done):
            return line
    raise AssertionError(f"still not connected: {done}")
