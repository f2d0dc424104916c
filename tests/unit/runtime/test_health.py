"""Ready is said once the pilot is steady, with both times."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from pilothat.guard import GuardFact, PilotFact
from pilothat.pilot.levels import PilotState
from pilothat.runtime.health import BootTimes


async def is_steady(boot: BootTimes) -> bool:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(boot.steady(), 0.01)
        return True
    return False


@pytest.mark.parametrize(
    "told",
    [
        GuardFact(is_contactor_closed=False, is_supply_enabled=False),
        PilotFact(PilotState.F, -12.0, None, 0.0),
        PilotFact(PilotState.B2, 9.0, -12.0, 5.0),
    ],
)
def test_pilot_is_steady_when_the_guard_says_so_and_not_before(told: object) -> None:
    async def play() -> None:
        boot = BootTimes()
        boot.hear(told)
        assert not await is_steady(boot)
        assert "boot_to_pilot_s=-" in boot.text
        boot.hear(PilotFact(PilotState.A1, 12.0, None, 100.0))
        assert await is_steady(boot)
        assert "boot_to_pilot_s=-" not in boot.text

    asyncio.run(play())
