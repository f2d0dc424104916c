"""Run a case: is it about this station, can its words be played, does it hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from pilothat.conformance import roads, words
from pilothat.conformance.judge import judge
from pilothat.conformance.rows import Row
from pilothat.conformance.stimulus import play
from pilothat.conformance.tester import NOW_S, LowerTester
from pilothat.conformance.words_connection import CONNECTION
from pilothat.conformance.words_din import DIN
from pilothat.conformance.words_iso2 import ISO2
from pilothat.errors import ConfigError, PilotHatError
from pilothat.frozen import dataclass
from pilothat.plant import AcRatings
from pilothat.twin.bench import BenchSettings
from pilothat.twin.stage import TLS_PORT, WorldSettings
from pilothat.v2g.plant import TimeOfDay
from pilothat.v2g.quirks import CONFORMANCE, FIELD
from pilothat.v2g.secc.iso2_answers import Offer, modes_of
from pilothat.v2g.secc.services import INTERNET
from pilothat.v2g.secc.tariff import parse

PROTOCOLS = {"ISO15118-2": "iso2", "ANY": "iso2", "DIN70121": "din"}
PRICES = "SECC sends SalesTariff"
# what a case needs that there is on a connection under TLS only
SECURE = frozenset(
    {
        ("identification", "PnC"),
        ("TLS", "true"),
        ("TLS", "yes"),
        ("TLS", "offered"),
        ("value-added services", "serviceDetail"),
        ("certificate handling", "certInstall"),
        ("certificate handling", "certUpdate"),
        ("ReceiptRequired", "true"),
    }
)
TOLD: Mapping[str, words.Told] = {**CONNECTION, **ISO2, **DIN}
NO_TLS = "there is no TLS in virtual time; played by"
# cases that cannot be played here, and why
ELSEWHERE: Mapping[str, str] = {
    "X-SDP-08": "a world has one interface; tests/net/test_interface.py plays it",
    "X-TLS2-01": f"{NO_TLS} tests/unit/pnc/test_connections.py",
    "X-TLS2-03": f"{NO_TLS} tests/unit/pnc/test_hello.py",
    "X-TLS2-06": f"{NO_TLS} tests/unit/pnc/test_connections.py",
    "X-DIN-17": "no load manager: power is allocated at once",
    "X-D2-20": "a station never charges without an insulation monitor",
}
METER_ID = "M1"
TARIFF = "00:00=1 06:00=3 09:00=2 11:30=1 16:00=3 21:00=2"


class Outcome(Enum):
    """What came of a case."""

    PASSED = "passed"
    FAILED = "failed"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Result:
    """A case and what came of it; why, where it did not pass."""

    row: Row
    outcome: Outcome
    why: str = ""


def run(row: Row, *, is_strict: bool = True) -> Result:
    """Run a case on a station of the conformance profile, or of the field's."""
    reason = _not_applicable(row)
    if reason:
        return Result(row, Outcome.NOT_APPLICABLE, reason)
    try:
        complaints = _played(row, is_strict=is_strict)
    except PilotHatError as error:
        complaints = [str(error)]
    if complaints:
        return Result(row, Outcome.FAILED, "; ".join(complaints))
    return Result(row, Outcome.PASSED)


def _not_applicable(row: Row) -> str:
    if row.protocol not in PROTOCOLS:
        return f"{row.protocol} is not played"
    if row.id in ELSEWHERE:
        return ELSEWHERE[row.id]
    told = _told(row)
    if told is None:
        return "told in words only"
    if told.road is None and roads.steps(row) is None:
        return f"nobody knows the way to '{row.precondition[:60]}'"
    return ""


def _told(row: Row) -> words.Told | None:
    """Return the case: what the row says, or what is written down for its words."""
    if row.send is None or row.expect is None:
        return TOLD.get(row.id)
    return words.Told((words.Turn(row.send, row.expect),))


def _played(row: Row, *, is_strict: bool) -> list[str]:
    told = _told(row)
    if told is None:
        raise ConfigError("told in words only", where=row.id)
    tester = _tester(row, told, is_strict=is_strict)
    tester.world.tell(TimeOfDay(NOW_S, is_trusted=True))
    tester.wait(2.0)
    road = roads.steps(row) if told.road is None else told.road
    for step in road or ():
        step(tester)
    complaints: list[str] = []
    for turn in told.turns:
        for step in turn.before:
            step(tester)
        is_tolerated = not is_strict and turn.field is not None
        expect = turn.field if is_tolerated else turn.expect
        complaints += judge(play(tester, turn.send), expect or {})
    return complaints + tester.world.invariants.violations


def _tester(row: Row, told: words.Told, *, is_strict: bool) -> LowerTester:
    settings = told.settings(_settings(row, is_strict=is_strict))
    if not SECURE.isdisjoint(row.applicability.items()):
        return _secure(row, settings, is_strict=is_strict)
    return LowerTester(settings, protocol=PROTOCOLS[row.protocol])


def _secure(row: Row, settings: WorldSettings, *, is_strict: bool) -> LowerTester:
    """Return a tester whose car is under TLS, and pays by contract if the case does.

    There is no TLS in this world: the station is told that the connection is secure.
    """
    from pilothat.conformance import purse  # noqa: PLC0415 (needs an extra)

    able = row.applicability
    is_issuing = able.get("certificate handling") != "none"
    contracts = purse.contracts(is_strict=is_strict, is_issuing=is_issuing)
    station = replace(settings.station, contracts=contracts)
    network = replace(settings.network, tls_port=TLS_PORT)
    pays = able.get("identification") == "PnC"
    return LowerTester(
        replace(settings, station=station, network=network),
        purse.Purse() if pays else None,
    )


def _settings(row: Row, *, is_strict: bool) -> WorldSettings:
    """Return a DC station of a profile, or an AC one."""
    quirks = CONFORMANCE if is_strict else FIELD
    ac = AcRatings() if row.mode == "AC" else None
    settings, able = WorldSettings(), row.applicability
    station = settings.station
    is_slow = able.get("SECC answers Ongoing") == "ongoing"
    has_internet = able.get("internet service") == "internetAccess"
    internet = tuple(INTERNET) if has_internet else ()
    meter_id = METER_ID if able.get("MeterInfo", able.get("ReceiptRequired")) else ""
    iso2 = replace(
        station.iso2,
        quirks=quirks,
        offer=Offer(modes=modes_of(ac), meter_id=meter_id, internet=internet),
        tariff=parse(TARIFF) if able.get(PRICES) == "salesTariff" else (),
        is_contract_only=able.get("SECC offers") == "contract",
        releases_contracts=is_slow,
        wants_receipts=able.get("ReceiptRequired") == "true",
    )
    din = replace(station.din, quirks=quirks)
    is_free = station.is_free and not is_slow
    return replace(
        settings,
        station=replace(station, din=din, iso2=iso2, ac=ac, is_free=is_free),
        bench=BenchSettings(mains_v=ac.nominal_v if ac else None),
    )
