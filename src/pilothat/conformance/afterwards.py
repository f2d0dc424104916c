"""How a session must be torn down: the words of ``then``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pilothat.conformance.stimulus import Played
from pilothat.conformance.tester import CLOSE_S, LATE_S, LowerTester
from pilothat.pilot.duty import STEADY_PCT

OFF_V, OFF_A = 60.0, 1.0


def torn_down(played: Played, wanted: list[str]) -> str:
    """Return what is not as it must be, once the time for it is over."""
    told = [_AFTERWARDS.get(one.partition(" (")[0]) for one in wanted]
    if None in told:
        return f"nobody judges {wanted}"
    played.tester.wait(CLOSE_S + 3.0)
    return "; ".join(filter(None, (check(played) for check in told if check)))


def power_off(played: Played) -> str:
    """Look at the supply."""
    bench = played.tester.world.bench
    plant = bench.plant(played.tester.now)
    if plant is None:
        return "the supply does not report"
    if bench.contactor_is_closed(played.tester.now):
        return "the contactor is closed"
    is_off = plant.supply_v < OFF_V and abs(plant.current_a) < OFF_A
    return "" if is_off else f"{plant.supply_v:.0f} V, {plant.current_a:.0f} A"


def _is_steady_at(tester: LowerTester, at: float) -> bool:
    """Tell whether the pilot was without PWM, or in fault, at a time."""
    shown = [duty for when, duty in tester.duties if when <= at]
    return bool(shown) and shown[-1] in (STEADY_PCT, 0.0)


def _steady_before_close(played: Played) -> str:
    closes = [at for at in played.tester.closes if at >= played.asked_at]
    is_good = closes and _is_steady_at(played.tester, closes[0])
    return "" if is_good else "PWM was on when TCP was closed"


def _closed_in_time(played: Played) -> str:
    heard_at = played.tester.heard_at - LATE_S  # as the station said it
    since = heard_at if played.answers else played.asked_at
    closes = [at - since for at in played.tester.closes if at >= since]
    expected_s = CLOSE_S if played.answers else CLOSE_S + 60.0
    if not closes:
        return "TCP was not closed by the station"
    return "" if closes[0] <= expected_s else f"TCP closed after {closes[0]:.1f} s"


def _quiet(played: Played) -> str:
    return "a message after the last" if played.tester.received() else ""


def _closed(played: Played) -> str:
    return "" if played.tester.probe.connection is None else "TCP is open"


def _steady(played: Played) -> str:
    is_steady = _is_steady_at(played.tester, played.tester.now)
    return "" if is_steady else "PWM is on"


def _left(played: Played) -> str:
    return "the network is still joined" if played.tester.world.is_linked() else ""


_AFTERWARDS: Mapping[str, Callable[[Played], str]] = {
    "cp_to_x1": _steady_before_close,
    "tcp_closed_by_secc<=5s": _closed_in_time,
    "no_more_messages": _quiet,
    "tcp_closed": _closed,
    "data_link_left": _left,
    "cp_x1": _steady,
    "power_off": power_off,
}
