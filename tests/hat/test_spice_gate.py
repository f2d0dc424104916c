"""The watchdog's gate in ngspice: edges keep it, a heartbeat that is stuck does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from tests.hat.bench import deck_rows, needs_ngspice

from pilothat.board.revision import revision
from pilothat.board.spicegate import (
    LONGEST,
    NOMINAL_GATE,
    SHORTEST,
    GateSpread,
    gate_netlist,
)
from pilothat.runtime.guardproc import IDLE_PERIOD_S

pytestmark = needs_ngspice
REV_A = revision("rev_a")
WINDOW_S = REV_A.watchdog.window_s
TOLD_S = 0.3  # what the bring-up sheet and the documents promise
LATE_S = 0.02  # of a guard's turn
SPREADS = {"shortest": SHORTEST, "nominal": NOMINAL_GATE, "longest": LONGEST}


def released(
    edges: Sequence[float],
    folder: Path,
    spread: GateSpread = NOMINAL_GATE,
    is_high: bool = False,
) -> list[tuple[float, bool]]:
    """Return when the output changed, and to what, up to a second after the last."""
    until_s = (edges[-1] if edges else 0.0) + 1.0
    deck = gate_netlist(REV_A, edges, until_s, spread, is_high=is_high)
    changes, before = [], False
    for at, _, out in deck_rows(deck, folder):
        if (out > 0.5) is not before:
            before = not before
            changes.append((at, before))
    return changes


def beats(count: int, period_s: float) -> list[float]:
    return [0.1 + number * period_s for number in range(count)]


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("is_high", [False, True])
def test_stuck_heartbeat_releases_nothing(
    spread: str, is_high: bool, tmp_path: Path
) -> None:
    assert released([], tmp_path, SPREADS[spread], is_high) == []


@pytest.mark.parametrize("spread", SPREADS)
@pytest.mark.parametrize("count", [7, 8], ids=["stuck high", "stuck low"])
def test_gate_holds_while_edges_come_and_lets_go_after_the_last(
    spread: str, count: int, tmp_path: Path
) -> None:
    edges = beats(count, IDLE_PERIOD_S + LATE_S)
    changes = released(edges, tmp_path, SPREADS[spread])
    assert [is_on for _, is_on in changes] == [True, False]
    assert changes[0][0] == pytest.approx(edges[0], abs=1e-3)
    assert IDLE_PERIOD_S + LATE_S < changes[1][0] - edges[-1] < TOLD_S


def test_window_is_the_one_of_the_table(tmp_path: Path) -> None:
    [_, (ends_at, _)] = released([0.1], tmp_path)
    assert ends_at - 0.1 == pytest.approx(WINDOW_S, rel=0.02)


def test_edges_that_come_too_late_let_go_in_between(tmp_path: Path) -> None:
    changes = released(beats(3, TOLD_S + 0.05), tmp_path, LONGEST)
    assert [is_on for _, is_on in changes] == [True, False] * 3


@pytest.mark.parametrize("spread", SPREADS)
def test_one_kind_of_edge_alone_would_not_do(spread: str, tmp_path: Path) -> None:
    """Why there is an XOR: an idle guard has two edges of a kind too far apart."""
    edge = [0.1]
    [_, (ends_at, _)] = released(edge, tmp_path, SPREADS[spread])
    assert ends_at - edge[0] < 2 * IDLE_PERIOD_S
