"""The two functions every machine uses for its deadlines."""

from __future__ import annotations

import pytest

from pilothat.machine import earliest, is_due


@pytest.mark.parametrize(
    ("deadlines", "first"),
    [
        ((), None),
        ((None, None), None),
        ((3.0, None), 3.0),
        ((None, 2.0, 1.0), 1.0),
        ((0.0, 1.0), 0.0),
        ((-1.0, 0.0), -1.0),
    ],
)
def test_earliest_deadline_is_found_among_those_there_are(
    deadlines: tuple[float | None, ...], first: float | None
) -> None:
    assert earliest(*deadlines) == first


@pytest.mark.parametrize(
    ("deadline", "now", "due"),
    [(None, 1e9, False), (1.0, 0.999, False), (1.0, 1.0, True), (0.0, 0.0, True)],
)
def test_deadline_is_due_from_its_very_moment_on(
    deadline: float | None, now: float, due: bool
) -> None:
    assert is_due(deadline, now) is due
