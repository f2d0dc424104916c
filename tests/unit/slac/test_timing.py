"""The table of timers is the only source of their values."""

from __future__ import annotations

import pytest

from pilothat.plc.modem import ModemSettings
from pilothat.slac import timing
from pilothat.slac.timing import TIMINGS, Timing

every_row = pytest.mark.parametrize("row", TIMINGS.values(), ids=TIMINGS.keys())


@every_row
def test_every_value_is_legal_and_has_a_source(row: Timing) -> None:
    low, high = row.range or (row.value, row.value)
    assert 0 < low <= row.value <= high
    assert row.source
    assert row.meaning
    assert row.unit in ("s", "count")


@pytest.mark.parametrize(
    ("constant", "value"),
    [
        (timing.TT_EVSE_SLAC_INIT_S, 49.5),
        (timing.TT_MATCH_RESPONSE_S, 0.2),
        (timing.TT_MATCH_SEQUENCE_S, 0.4),
        (timing.TT_EVSE_MATCH_MNBC_S, 0.6),
        (timing.TT_EV_ATTEN_RESULTS_S, 1.2),
        (timing.TT_EVSE_MATCH_SESSION_S, 10.0),
        (timing.TT_MATCH_JOIN_S, 12.0),
        (timing.TT_MATCHING_RATE_S, 0.4),
        (timing.TT_MATCHING_REPETITION_S, 10.0),
        (timing.C_EV_START_ATTEN_CHAR_INDS, 3),
        (timing.C_EV_MATCH_MNBC, 10),
        (timing.C_EV_MATCH_RETRY, 2),
        (timing.C_CONN_MAX_MATCH, 3),
        (timing.TT_AMP_MAP_EXCHANGE_S, 0.2),
        (timing.T_CONN_RESUME_S, 6.0),
        (timing.T_STEP_EF_S, 4.1),
        (timing.T_STEP_X1_S, 3.1),
        (timing.C_SEQU_RETRY, 2),
    ],
)
def test_the_standard_values_are_the_standard_s(constant: float, value: float) -> None:
    assert constant == value


def test_the_modem_has_the_time_of_the_table_for_its_answer() -> None:
    assert ModemSettings().answer_s == TIMINGS["set_key_answer"].value
