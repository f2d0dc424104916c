"""Cases that are told in words only, in the form of the others.

A file's words cannot be played; whoever wants a case played writes it down here, under
its name, in the tables of ``words_connection``, ``words_din`` and ``words_iso2``: what
the car does, turn by turn, and what must come of each.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import field, replace
from typing import Any

from pilothat.conformance import road
from pilothat.conformance.road import (
    POLL_S,
    good,
)
from pilothat.conformance.tester import LowerTester
from pilothat.frozen import dataclass
from pilothat.station.events import Authorised, StopRequested
from pilothat.twin.bench import BenchFault
from pilothat.twin.circuit import CarPilot
from pilothat.twin.stage import WorldSettings

Step = Callable[[LowerTester], None]
Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Turn:
    """What the car does and what must come of it, as ``send`` and ``expect`` of a row.

    before: what happens first, at the car or at the station
    field: what must come of it in the field profile, where that is something else
    """

    send: Table
    expect: Table
    before: Sequence[Step] = ()
    field: Table | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A case.

    road: the way to where it begins; None: as its precondition says
    settings: what the station must be for it
    """

    turns: Sequence[Turn]
    road: Sequence[Step] | None = None
    settings: Callable[[WorldSettings], WorldSettings] = field(
        default=lambda settings: settings
    )


# --- what happens


def breaks(fault: BenchFault) -> Step:
    """Break something on the bench."""
    return lambda tester: tester.world.inject(fault)


def shows(pilot: CarPilot, wait_s: float = 0.0) -> Step:
    """Show another pilot state."""

    def show(tester: LowerTester) -> None:
        tester.pilot(pilot)
        tester.wait(wait_s)

    return show


def hears(event: Authorised | StopRequested) -> Step:
    """Tell the station something."""

    def hear(tester: LowerTester) -> None:
        tester.world.tell(event)
        tester.wait(POLL_S)

    return hear


def waits(seconds: float) -> Step:
    """Let time pass."""
    return lambda tester: tester.wait(seconds)


def plug(tester: LowerTester) -> None:
    """Plug in; there is no link yet."""
    tester.plug()
    tester.wait(0.3)


def hang_up(tester: LowerTester) -> None:
    """Close the connection as the car."""
    tester.hang_up()
    tester.wait(1.0)


def speak_iso2(tester: LowerTester) -> None:
    """Speak ISO 15118-2 without having agreed on it."""
    tester.line.protocol = "iso2"


def charge_for(seconds: float, every_s: float) -> Step:
    """Charge with a current that changes."""

    def charge(tester: LowerTester) -> None:
        for count in range(int(seconds / every_s)):
            good(tester, "CurrentDemandReq", EVTargetCurrent=5.0 + count % 20)
            tester.wait(every_s)

    return charge


def power_once(progress: str) -> Step:
    """Ask for power on or off."""
    return lambda tester: road.void(
        good(tester, "PowerDeliveryReq", ChargeProgress=progress)
    )


def asks(settings: WorldSettings) -> WorldSettings:
    """Return the settings of a station that waits until somebody authorises."""
    return replace(settings, station=replace(settings.station, is_free=False))


# --- what must come of it

OK = {"response_code": ["OK"], "within_s": 2}
ENDED = ["cp_to_x1", "tcp_closed_by_secc<=5s", "no_more_messages"]
SILENT = {"message": None, "silence_s": 2, "server_alive": True}
UNLIT = {"message": None, "silence_s": 2}
OFF = ["power_off"]
CUT = ["power_off", "tcp_closed_by_secc<=5s"]
MEASURING = {
    "message": "CableCheckRes",
    **OK,
    "EVSEProcessing": ["Ongoing*", "Finished"],
    "EVSEStatusCode": "EVSE_Ready",
    "EVSEIsolationStatus": "Valid",
    "outlet_below_60_v": True,
}


def refused(name: str, *codes: str) -> Table:
    """Expect one of these codes, and the end of the session."""
    return {"message": name, "response_code": list(codes), "then": ENDED}


def once(send: Table, expect: Table, *before: Step) -> Told:
    """Return a case of one turn."""
    return Told((Turn(send, expect, before),))


def ask(name: str, **changes: object) -> Table:
    """Return what asks this, once."""
    return {"message": name, **changes}


def offers(*offers: tuple[str, int, int, int]) -> Table:
    """Return an offer: namespace, major version, schema ID, priority of each line."""
    names = ("ProtocolNamespace", "VersionNumberMajor", "SchemaID", "Priority")
    return {"AppProtocol": [dict(zip(names, one, strict=True)) for one in offers]}


def agreed(schema_id: int) -> Table:
    """Expect that this line of the offer is taken."""
    code = ["OK_SuccessfulNegotiation"]
    return {
        "message": "supportedAppProtocolRes",
        "response_code": code,
        "SchemaID": schema_id,
    }
