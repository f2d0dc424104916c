"""Each single fault makes safe in time, is told, and stands in the document."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.single_faults import CASES, Case, line

PAGE = Path(__file__).parents[2] / "docs" / "single-faults.md"


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_single_fault_makes_safe(case: Case) -> None:
    outcome = case.meet()
    if case.opens is None:
        assert outcome.opened_ms is None
    else:
        assert outcome.opened_ms is not None
        assert outcome.opened_ms <= case.opens
    assert list(outcome.told[:1]) == [case.told] * bool(case.told)
    assert line(case, outcome) in PAGE.read_text(), "python -m tests.single_faults"
