"""What the button means, phase by phase."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from pilothat.runtime.shell import Shell
from pilothat.service.deeds import Deeds
from pilothat.station.events import Authorised, StopCause, StopRequested, WakeUp
from pilothat.station.phases import WITH_CAR, Phase

ALLOWED = Authorised(is_granted=True, by="button")
STOP = StopRequested(StopCause.USER)


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize("is_authorised", [None, True, False])
def test_button_means_what_a_car_waits_for_and_otherwise_the_end(
    phase: Phase, *, is_authorised: bool | None
) -> None:
    fed: list[Any] = []
    visit = SimpleNamespace(is_authorised=is_authorised)
    station = SimpleNamespace(phase=phase, visit=visit)
    Deeds(cast("Shell", SimpleNamespace(station=station, feed=fed.append))).press()
    if phase not in WITH_CAR:
        assert fed == []
    elif phase is Phase.PAUSED:
        assert fed == [WakeUp()]
    else:
        assert fed == [ALLOWED if is_authorised is None else STOP]
