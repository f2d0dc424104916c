"""Cars match their own charger or none, however bad the line is."""

from __future__ import annotations

import pytest
from tests.matches import matched


@pytest.mark.parametrize("loss", [0.0, 0.02, 0.10, 0.4])
def test_no_car_gets_the_key_of_another_charger(loss: float) -> None:
    found = [one for seed in range(15) for one in matched(seed, loss)]
    assert all(one.is_right for one in found)
    assert all(one.is_ended for one in found)
    if loss <= 0.1:
        got = sum(one.took_s is not None for one in found)
        assert got >= 0.9 * len(found)
