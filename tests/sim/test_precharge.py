"""A car that measures at its own inlet is ahead of what the supply has told us."""

from __future__ import annotations

import pytest

from pilothat.conformance.road import ask, good
from pilothat.conformance.roads import ROADS
from pilothat.conformance.tester import LowerTester
from pilothat.twin.stage import WorldSettings


@pytest.mark.parametrize("protocol", ["din", "iso2"])
def test_power_request_waits_for_the_measurement_that_it_is_ahead_of(
    protocol: str,
) -> None:
    tester = LowerTester(WorldSettings(), protocol=protocol)
    for step in ROADS["CableCheckRes"]:
        step(tester)
    good(tester, "PreChargeReq")
    began = tester.now
    assert ask(tester, "PowerDeliveryReq", ChargeProgress="Start").code == "OK"
    assert 0.1 < tester.now - began < 1.5
