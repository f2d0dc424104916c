"""Be a car: SLAC, SDP and a session against any charger on an interface.

    pilothat ev --interface eth1 --bench /tmp/pilothat-bench.sock
    pilothat ev --interface eth1 --car ioniq28      a charger with a pilot of its own
    pilothat ev --interface eth1 --protocols iso2,din
    pilothat ev --interface eth1 --tls --pki ./pki --ocsp

With --bench the car is plugged into a station whose board is the twin. Without, it
believes that it sees 5 %, so the charger's pilot must be brought to B and C by other
means. Ctrl-C ends the charge as the driver does, a second one pulls the plug.
Exit code 0 only when the charge came to its goal or was stopped in order.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

from pilothat.errors import ConfigError, PilotHatError
from pilothat.runtime import netwatch
from pilothat.runtime.evshell import ADDRESS_S, EvShell, Mishap
from pilothat.runtime.pipe import Tls
from pilothat.runtime.twinbench import CableEnd
from pilothat.service.cars import add_car_argument, chosen_car
from pilothat.service.securing import folder_of
from pilothat.twin.car import Car
from pilothat.twin.profile import CarProfile
from pilothat.v2g.evcc.contract import Contract
from pilothat.v2g.evcc.events import Outcome
from pilothat.v2g.evcc.handshake import (
    NAMESPACES,
    Offer,
    are_known,
    offers_of,
)
from pilothat.v2g.evcc.settings import Energy

log = logging.getLogger("pilothat.ev")

TLS_REQUESTS = 10  # then the car asks for plain TCP


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument(
        "--interface", required=True, metavar="IF", help="interface of the car's modem"
    )
    parser.add_argument(
        "--bench", metavar="SOCKET", help="bench of a station with the twin board"
    )
    add_car_argument(parser)
    parser.add_argument(
        "--protocols",
        type=_offers,
        metavar="LIST",
        help=f"what the car offers, best first, of {', '.join(NAMESPACES)}; "
        "default: as the car does",
    )
    parser.add_argument(
        "--energy",
        choices=[energy.value for energy in Energy],
        help="what it charges with in ISO 15118-2; default: as the car does",
    )
    _add_tls_arguments(parser)
    parser.add_argument("--soc", type=float, metavar="PCT", help="state of charge")
    parser.add_argument(
        "--do",
        action="append",
        default=[],
        type=_mishap,
        metavar="WHAT@PHASE",
        help="let something happen when the car enters a phase, such as pull@charging; "
        f"WHAT is {', '.join(mishap.value for mishap in Mishap)}; may be repeated",
    )
    parser.add_argument(
        "--stop-after", type=float, metavar="S", help="the driver stops after S seconds"
    )
    parser.add_argument("--json", action="store_true", help="print a summary as JSON")


def _add_tls_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--tls", action="store_true", help="ask for TLS first; needs --pki"
    )
    parser.add_argument(
        "--ocsp",
        action="store_true",
        help="hang up on a station that does not prove by OCSP that its certificate "
        "is good; needs --tls",
    )
    parser.add_argument(
        "--contract",
        action="store_true",
        help="pay by contract where the station takes it; needs --pki",
    )
    parser.add_argument(
        "--pki",
        type=Path,
        metavar="FOLDER",
        help="certificates of the car, as made by pilothat pki make",
    )


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    mac = netwatch.find(options.interface).mac
    contract = _contract(options)
    car = Car(profile_of(options), mac, os.urandom, contract=contract)
    return asyncio.run(_drive(options, car, _tls(options)))


def _tls(options: argparse.Namespace) -> Tls | None:
    """Return what the car speaks TLS with. Raises ConfigError."""
    if not options.tls:
        if options.ocsp:
            raise ConfigError("needs --tls", where="--ocsp", remedy="Give both")
        return None
    folder = folder_of(options.pki, "--pki", "--tls")
    from pilothat.runtime.tlsfiles import car_tls  # noqa: PLC0415 (an extra)

    return car_tls(folder, asks_status=options.ocsp)


def _contract(options: argparse.Namespace) -> Contract | None:
    """Return what the car pays with. Raises ConfigError."""
    if not options.contract:
        return None
    folder = folder_of(options.pki, "--pki", "--contract")
    from pilothat.service.paying import contract_of  # noqa: PLC0415 (an extra)

    return contract_of(folder)


def _mishap(text: str) -> tuple[str, Mishap]:
    """Return the phase and what happens in it."""
    what, _, phase = text.partition("@")
    try:
        return phase, Mishap(what)
    except ValueError as error:
        known = ", ".join(f"{mishap.value}@PHASE" for mishap in Mishap)
        raise argparse.ArgumentTypeError(f"'{text}': give one of {known}") from error


def _offers(text: str) -> tuple[Offer, ...]:
    """Return what the car offers."""
    names = text.split(",")
    if not are_known(names):
        known = ", ".join(NAMESPACES)
        raise argparse.ArgumentTypeError(f"'{text}': give some of {known}, each once")
    return offers_of(names)


def profile_of(options: argparse.Namespace) -> CarProfile:
    """Return the car with what the command line changes of it."""
    car = chosen_car(options.car)
    if options.soc is not None:
        car = replace(car, battery=replace(car.battery, soc_pct=options.soc))
    if options.protocols is not None:
        car = replace(car, handshake=replace(car.handshake, offers=options.protocols))
    if options.energy is not None:
        iso2 = replace(car.session.iso2, energy=Energy(options.energy))
        car = replace(car, session=replace(car.session, iso2=iso2))
    if options.tls:
        asks = replace(car.search, tls_requests=TLS_REQUESTS, has_tls=True)
        car = replace(car, search=asks)
    return car


async def _drive(options: argparse.Namespace, car: Car, tls: Tls | None) -> int:
    interface = netwatch.find(options.interface)
    with contextlib.ExitStack() as stack:
        cable = _cable(options.bench)
        if cable is not None:
            stack.enter_context(contextlib.closing(cable))
        shell = EvShell(car, interface, cable, dict(options.do), tls)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, shell.stop, "the driver")
        if options.stop_after is not None:
            loop.call_later(options.stop_after, shell.stop, "the driver")
        try:
            await shell.run()
        except TimeoutError as error:
            raise PilotHatError(
                f"no usable link-local address within {ADDRESS_S:.0f} s",
                where=interface.name,
                remedy="Is it up? Does a network manager take the address away?",
            ) from error
    return _report(car, as_json=options.json)


def _cable(bench: str | None) -> CableEnd | None:
    if bench is None:
        return None
    if not Path(bench).is_socket():
        raise PilotHatError(
            "no bench there",
            where=bench,
            remedy="Start the station first, with board.socket set to it",
        )
    return CableEnd(bench)


def _report(car: Car, *, as_json: bool) -> int:
    summary = car.summary
    is_good = summary.outcome in (Outcome.CHARGED, Outcome.STOPPED, Outcome.PAUSED)
    told = {
        "outcome": summary.outcome.value if summary.outcome else "none",
        "reason": summary.reason,
        "energy_wh": round(summary.energy_wh, 1),
        "soc_pct": round(summary.soc_pct, 2),
        "requests": summary.requests,
        "responses": summary.responses,
        "phases": [
            {"phase": entry.phase, "at_s": round(entry.at - summary.phases[0].at, 3)}
            for entry in summary.phases
        ],
    }
    if as_json:
        sys.stdout.write(json.dumps(told) + "\n")
    else:
        sys.stdout.write(
            f"{told['outcome']}: {told['reason']}; {summary.energy_wh:.0f} Wh, "
            f"battery at {summary.soc_pct:.1f} %, {summary.requests} requests\n"
        )
    return 0 if is_good else 1
