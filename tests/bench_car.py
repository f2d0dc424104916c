"""A car that does not think, and times the answers: run by ``tests.bench_v2g``.

    python -m tests.bench_car --interface ev0 --bench SOCKET --loops 1000

It prints one JSON object, ``Watch``: above all the seconds from each request to its
answer. TCP goes by another interface where one is given (``--tcp``): on the same
machine, so that the line between, which is a program here, is not measured too.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import socket
import sys
import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import cycle, islice
from pathlib import Path

from pilothat.exi.codec import ExiError
from pilothat.runtime import netwatch
from pilothat.runtime.evshell import EvShell
from pilothat.runtime.pipe import Tls
from pilothat.runtime.tlsfiles import car_tls
from pilothat.runtime.twinbench import CableEnd
from pilothat.service.cars import chosen_car
from pilothat.service.paying import contract_of
from pilothat.slac.events import EvSlacMatched
from pilothat.station.actions import TcpSend
from pilothat.station.events import TcpClosed, TcpData, TcpOpened
from pilothat.twin import carevents
from pilothat.twin.car import Car
from pilothat.twin.circuit import CarPilot
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.events import PilotSeen
from pilothat.v2g.evcc.handshake import offers_of
from pilothat.v2g.evcc.settings import Pace, Timers, Trust
from pilothat.v2g.messages import codec, iso2
from pilothat.v2g.tp import HEADER, PayloadType, pack

HASTY = Pace(change_s=0.15, repeat_s=0.02, loop_s=0.0)  # the supply takes its time
PATIENT = Timers(message_s=10.0, current_demand_s=10.0, precharge_s=30.0)
SESSION_S = 60.0  # with a burst
WINDOW_S = 0.5  # the bench wants to hear of the car once a second
_TICKS = os.sysconf("SC_CLK_TCK")
ANY_V = 1000.0
START_A, DEAD_A, GIVE_UP_S = 50.0, 1.0, 2.0
LOOP = "CurrentDemandReq"
BURST_AFTER = 10  # answers, each asked for by the car itself
SAME, OTHERS = "back to back", "back to back, other currents"
WAYS = {  # to ask: how many requests are in flight, and of how many kinds
    "one after the other": (1, 1),
    "one after the other, other currents": (1, 16),
    SAME: (8, 1),
    OTHERS: (8, 16),
}


def hasty(*, is_blind: bool, is_secure: bool) -> CarProfile:
    """Return a car that asks at once.

    is_blind: it has no cable, so any voltage is right
    """
    car = chosen_car("generic")
    habits = car.session.habits
    goal = replace(car.session.goal, start_a=START_A)
    if is_blind:
        habits = replace(
            habits,
            precharge_trust=Trust.REPORT,
            precharge_window_v=ANY_V,
            welding_max=1,
        )
    return replace(
        car,
        car=replace(car.car, wake_s=0.0, search_after_s=0.0, unplugs_after_s=0.0),
        search=replace(
            car.search, tls_requests=50 if is_secure else 0, has_tls=is_secure
        ),
        handshake=replace(car.handshake, offers=offers_of(["iso2"])),
        session=replace(
            car.session, pace=HASTY, timers=PATIENT, habits=habits, goal=goal
        ),
    )


def cpu_s(pid: int) -> float:
    """Return the CPU time of a process, in seconds; it is counted in hundredths."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def name_of(request: bytes) -> str:
    """Return the name of a request on the wire."""
    payload = request[HEADER.size :]
    try:
        message = codec("iso2").decode(payload)
    except ExiError:
        message = codec("app").decode(payload)
    return type(getattr(message, "body", message)).__name__


@dataclass(frozen=True)
class Wish:
    """What is to be measured.

    loops: after so many answers in the loop the driver ends the charge
    burst_s: how long the same is asked again and again before
    tcp_index: of the interface that TCP goes by
    is_blind: there is no cable, no line and no modem
    station_pid: the process whose CPU time is of interest
    """

    loops: int
    burst_s: float
    tcp_index: int
    is_blind: bool
    station_pid: int


@dataclass
class Watch:
    """What was measured. In seconds, by the name of the request.

    rates: messages a second in each half second, by the way of asking
    cpu_s: of the station, a message of those
    opened_s: from S2 open to no current, while it was asked on
    """

    answers_s: dict[str, list[float]] = field(
        default_factory=lambda: defaultdict(list),
    )
    handshakes_s: list[float] = field(default_factory=list)
    rates: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    cpu_s: dict[str, float] = field(default_factory=dict)
    opened_s: list[float] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)


def varied(request: bytes, kinds: int) -> list[bytes]:
    """Return a request of the loop with so many currents."""
    message = codec("iso2").decode(request[HEADER.size :])
    assert isinstance(message, iso2.V2gMessage)
    body = message.body
    assert isinstance(body, iso2.CurrentDemandReq)
    wanted = body.ev_target_current
    every = [
        replace(body, ev_target_current=replace(wanted, value=wanted.value + more))
        for more in range(kinds)
    ]
    octets = [codec("iso2").encode(replace(message, body=one)) for one in every]
    return [pack(PayloadType.EXI, one) for one in octets]


class TimedShell(EvShell):
    """The shell of our car with a watch."""

    wish: Wish
    watch: Watch

    def begin(self, wish: Wish, watch: Watch) -> None:
        """Measure from here on."""
        self.wish, self.watch = wish, watch
        self._loops = 0
        self._asked_at = self._dialled_at = 0.0
        self._request, self._asked = b"", ""
        if wish.is_blind:
            self._loop.call_later(0.1, self._matched)

    def _matched(self) -> None:
        """Go on as if matched: nobody is there to match with."""
        now = self._loop.time()
        self.car._pilot = PilotSeen(5.0, is_pwm=True)
        self.car._perform(EvSlacMatched(bytes(7), bytes(16), bytes(6)), now)
        self.car._deadline = now
        self._tick()

    def feed(self, event: carevents.CarEvent) -> None:
        if not (self.wish.is_blind and isinstance(event, PilotSeen)):
            super().feed(event)

    def _do_connect(self, action: carevents.TcpConnect) -> None:
        self._interface = replace(self._interface, index=self.wish.tcp_index)
        self._dialled_at = time.perf_counter()
        super()._do_connect(action)

    def _do_send(self, action: TcpSend) -> None:
        if action.data != self._request:
            self._request, self._asked = action.data, name_of(action.data)
        self._asked_at = time.perf_counter()
        super()._do_send(action)

    def _of_tcp(self, event: TcpOpened | TcpData | TcpClosed) -> None:
        now = time.perf_counter()
        if isinstance(event, TcpOpened) and event.is_secure:
            self.watch.handshakes_s.append(now - self._dialled_at)
        if isinstance(event, TcpData):
            asked = self._asked
            self.watch.answers_s[asked].append(now - self._asked_at)
            self._loops += asked == LOOP
            if asked == LOOP and self._loops == BURST_AFTER and self.wish.burst_s:
                self._burst()
            if asked == LOOP and self._loops == self.wish.loops:
                self._loop.call_soon(self.stop, "the driver")
        super()._of_tcp(event)

    # --- a burst

    def _burst(self) -> None:
        """Ask again and again on the bare socket, for a time."""
        (pipe,) = self._pipes.values()
        assert pipe._transport is not None
        opened = pipe._transport.get_extra_info("socket")
        with socket.socket(fileno=os.dup(opened.fileno())) as link:
            os.set_blocking(link.fileno(), True)
            for name in WAYS:
                self._ask_on(link, name)
            self._open_s2(link)
            os.set_blocking(link.fileno(), False)

    def _ask_on(self, link: socket.socket, name: str) -> None:
        in_flight, kinds = WAYS[name]
        requests, count = cycle(varied(self._request, kinds)), 0
        spent_s = cpu_s(self.wish.station_pid)
        for _ in range(round(self.wish.burst_s / WINDOW_S)):
            self._tell_bench()
            began, asked = time.perf_counter(), 0
            while (took_s := time.perf_counter() - began) < WINDOW_S:
                link.sendall(b"".join(islice(requests, in_flight)))
                _receive(link, in_flight)
                asked += in_flight
            self.watch.rates[name].append(asked / took_s)
            count += asked
        self.watch.cpu_s[name] = (cpu_s(self.wish.station_pid) - spent_s) / count

    def _open_s2(self, link: socket.socket) -> None:
        """Open S2 under current, and ask on until there is none."""
        assert self._cable is not None
        assert self._electrics is not None
        self._cable.connect(replace(self._electrics, pilot=CarPilot.B))
        began = time.perf_counter()
        while time.perf_counter() - began < GIVE_UP_S:
            link.sendall(self._request)
            _receive(link, 1)
            report = self._cable.report()
            if report is not None and report.current_a < DEAD_A:
                break
        self.watch.opened_s.append(time.perf_counter() - began)


def _receive(link: socket.socket, count: int) -> None:
    """Take so many whole messages."""
    held = b""
    while count:
        held += link.recv(65536)
        while len(held) >= HEADER.size:
            end = HEADER.size + HEADER.unpack_from(held)[3]
            if len(held) < end:
                break
            held, count = held[end:], count - 1


async def _session(
    options: argparse.Namespace, wish: Wish, watch: Watch, tls: Tls | None
) -> None:
    """Charge once, from plug to plug."""
    interface = netwatch.find(options.interface)
    contract = contract_of(options.pki) if options.pki else None
    profile = hasty(is_blind=wish.is_blind, is_secure=tls is not None)
    car = Car(profile, interface.mac, os.urandom, contract=contract)
    with contextlib.ExitStack() as stack:
        cable = None
        if options.bench:
            cable = stack.enter_context(contextlib.closing(CableEnd(options.bench)))
        shell = TimedShell(car, interface, cable, {}, tls)
        shell.begin(wish, watch)
        try:
            async with asyncio.timeout(SESSION_S):
                await shell.run()
        except TimeoutError:
            shell._over.set()
            watch.outcomes.append("given up")
            return
    watch.outcomes.append(f"{car.outcome.value if car.outcome else ''} {car.reason}")


async def _sessions(options: argparse.Namespace) -> Watch:
    index = netwatch.find(options.tcp or options.interface).index
    wish = Wish(options.loops, options.burst, index, not options.bench, options.pid)
    watch = Watch()
    tls = car_tls(options.pki, asks_status=options.ocsp) if options.pki else None
    for _ in range(options.sessions):
        await _session(options, wish, watch, tls)
        await asyncio.sleep(options.rest)
    return watch


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--interface", required=True)
    parser.add_argument("--tcp")
    parser.add_argument("--bench")
    parser.add_argument("--pki", type=Path)
    parser.add_argument("--ocsp", action="store_true", help="insist on a response")
    parser.add_argument("--loops", type=int, default=100)
    parser.add_argument("--sessions", type=int, default=1)
    parser.add_argument("--pid", type=int, default=0, help="of the station")
    parser.add_argument("--burst", type=float, default=0.0)
    parser.add_argument("--rest", type=float, default=1.0)
    logging.basicConfig(level=logging.INFO, stream=sys.stderr)
    watch = asyncio.run(_sessions(parser.parse_args()))
    sys.stdout.write(json.dumps(vars(watch)) + "\n")


if __name__ == "__main__":
    main()
