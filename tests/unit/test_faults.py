"""The catalogue of faults: whole, told apart, and known to the car's protocol."""

from __future__ import annotations

import pytest

from pilothat.faults import Fault, Reaction
from pilothat.v2g.messages.din import DcEvseStatusCode

every_fault = pytest.mark.parametrize("fault", Fault, ids=lambda fault: fault.name)


@every_fault
def test_fault_says_what_it_means_and_what_to_do(fault: Fault) -> None:
    assert fault.row.meaning
    assert fault.row.remedy
    assert fault.row.meaning[0].islower()
    assert fault.row.remedy[0].isupper()


@every_fault
def test_fault_tells_the_car_a_status_that_stops_it(fault: Fault) -> None:
    told = DcEvseStatusCode[fault.row.evse_status]
    assert told.name in (
        "EVSE_EmergencyShutdown",
        "EVSE_Malfunction",
    )


def test_no_two_faults_share_a_row() -> None:
    assert len({fault.row.meaning for fault in Fault}) == len(list(Fault))
    assert len(Fault.__members__) == len(list(Fault))  # an equal row is an alias


def test_faults_that_endanger_the_next_car_are_latched() -> None:
    latched = {fault for fault in Fault if fault.row.reaction is Reaction.LATCH}
    assert latched == {Fault.CONTACTOR_WELDED, Fault.OVERVOLTAGE}


def test_every_reaction_has_a_fault() -> None:
    assert {fault.row.reaction for fault in Fault} == set(Reaction)
