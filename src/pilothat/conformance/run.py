"""Run a case: is it about this station, can its words be played, does it hold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum

from pilothat.conformance import road
from pilothat.conformance.judge import judge
from pilothat.conformance.rows import Row
from pilothat.conformance.stimulus import Played, play
from pilothat.conformance.tester import Tester
from pilothat.errors import PilotHatError
from pilothat.frozen import dataclass
from pilothat.plant import AcRatings
from pilothat.twin.bench import BenchSettings
from pilothat.twin.stage import WorldSettings
from pilothat.v2g.quirks import CONFORMANCE, FIELD
from pilothat.v2g.secc.iso2_answers import Offer, modes_of

PROTOCOLS = ("ISO15118-2", "ANY")
# what a case needs that this station has not
LACKS: Mapping[tuple[str, str], str] = {
    ("identification", "PnC"): "Plug & Charge is not offered",
    ("TLS", "true"): "TLS is not offered",
    ("TLS", "yes"): "TLS is not offered",
    ("TLS", "offered"): "TLS is not offered",
    ("pause supported", "true"): "pause is not supported",
    ("value-added services", "serviceDetail"): "no value-added service is offered",
    ("certificate handling", "certInstall"): "no certificates are handed out",
    ("certificate handling", "certUpdate"): "no certificates are handed out",
    ("SECC sends SalesTariff", "salesTariff"): "no sales tariff is sent",
    ("MeterInfo", "meterInfo"): "no meter values are sent",
    ("SECC answers Ongoing", "ongoing"): "every car is authorised at once",
    ("ReceiptRequired", "true"): "no receipt is asked for",
}


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
    lacks = (LACKS.get(one, "") for one in row.applicability.items())
    reason = next(filter(None, lacks), "")
    if reason:
        return reason
    if row.send is None or row.expect is None:
        return "told in words only"
    if road.steps(row) is None:
        return f"nobody knows the way to '{row.precondition[:60]}'"
    return ""


def _played(row: Row, *, is_strict: bool) -> list[str]:
    tester = Tester(_settings(row.mode, is_strict=is_strict))
    tester.wait(2.0)
    for step in road.steps(row) or ():
        step(tester)
    played: Played = play(tester, row.send or {})
    complaints = list(judge(played, row.expect or {}))
    return complaints + tester.world.invariants.violations


def _settings(mode: str, *, is_strict: bool) -> WorldSettings:
    """Return a DC station of a profile, or an AC one."""
    quirks = CONFORMANCE if is_strict else FIELD
    ac = AcRatings() if mode == "AC" else None
    settings = WorldSettings()
    station = settings.station
    return replace(
        settings,
        station=replace(
            station,
            din=replace(station.din, quirks=quirks),
            iso2=replace(station.iso2, quirks=quirks, offer=Offer(modes=modes_of(ac))),
            ac=ac,
        ),
        bench=BenchSettings(mains_v=ac.nominal_v if ac else None),
    )
