"""Checks with a person beside the board: what moves or must be seen is asked for.

Each is done only when it was wanted by name, or when somebody is there to answer; else
it is a SKIP that says how to get it. The supply is never enabled.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from pilothat.board.lamps import Lamps, Motor
from pilothat.board.selftest import Probe
from pilothat.board.verdict import Row, seen, skipped
from pilothat.frozen import dataclass

FOLLOW_S = 0.3  # the slowest contactor
PRESS_S = 20.0  # for a person
SAW = "yes, I saw it"
MOVED = "yes, it moved"


Ask = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Company:
    """Who and what is beside the board.

    ask: puts a question and returns what was typed; None where nobody is there
    closes: whether the contactor may be closed, as was confirmed
    lamps, motor: None where there is none, then why_not says the reason
    """

    ask: Ask | None = None
    closes: bool = False
    lamps: Lamps | None = None
    motor: Motor | None = None
    why_not: str = "not asked for"


def rows(probe: Probe, company: Company) -> Iterator[Row]:
    """Yield the report, each row when it has been done. Raises BoardError."""
    for check in CHECKS:
        yield from check(probe, company)


def _contactor(probe: Probe, company: Company) -> Iterator[Row]:
    if not company.closes:
        why = "closes an output: --contactor asks you first"
        yield skipped("contactor closes", why)
        return
    probe.live()
    closes_s, opens_s = _moves(probe, closed=True), _moves(probe, closed=False)
    for name, passed_s in (("closes", closes_s), ("opens", opens_s)):
        measured = FOLLOW_S * 2 if passed_s is None else passed_s
        note = "never" if passed_s is None else ""
        yield Row(f"contactor {name}", measured, "s", 0, FOLLOW_S, note)


def _moves(probe: Probe, *, closed: bool) -> float | None:
    """Return how long after it was told the contactor has moved; None for never."""
    began = time.monotonic()
    probe.hat.set_contactor(closed=closed)
    if probe.wait(lambda: probe.hat.contactor_is_closed() is closed, FOLLOW_S) is None:
        return None
    return time.monotonic() - began


def _lamps(_probe: Probe, company: Company) -> Iterator[Row]:
    lamps, ask = company.lamps, company.ask
    for name in ("green", "red"):
        if lamps is None or ask is None:
            yield skipped(f"lamp {name}", company.why_not if ask else "nobody to look")
            continue
        lamps.show(green=name == "green", red=name == "red")
        told = ask(f'Is the {name} lamp on, and only this? Type "{SAW}": ')
        lamps.show(green=False, red=False)
        yield _answered(f"lamp {name}", told, SAW)


def _lock(probe: Probe, company: Company) -> Iterator[Row]:
    motor, ask = company.motor, company.ask
    if motor is None or ask is None:
        why = company.why_not if ask else "nobody to look"
        yield skipped("lock moves", why)
        return
    for is_locked, word in ((True, "out"), (False, "in")):
        motor.begin(locked=is_locked)
        try:
            probe.live(probe.board.lock.pulse_s)
        finally:
            motor.stop()
        told = ask(f'Did the bolt go {word}? Type "{MOVED}": ')
        yield _answered(f"lock moves {word}", told, MOVED)


def _answered(name: str, told: str, word: str) -> Row:
    return seen(name, told, "" if told == word else f'not told "{word}"')


def _emergency(probe: Probe, company: Company) -> Iterator[Row]:
    """See the chain open and close again."""
    name = "emergency stop opens"
    if company.ask is None:
        yield skipped(name, "nobody to press it")
        return
    told = company.ask("Press the emergency stop after Enter (or type skip): ")
    if told:
        yield skipped(name, "not wanted")
        return
    hat = probe.hat
    opened_s = probe.wait(lambda: not hat.interlocks().is_estop_released, PRESS_S)
    yield seen(name, _told(opened_s), "" if opened_s is not None else "never")
    if opened_s is not None:
        company.ask("Release it, then Enter: ")
        closed_s = probe.wait(lambda: hat.interlocks().is_estop_released, PRESS_S)
        why = "" if closed_s is not None else "never"
        yield seen("emergency stop closes again", _told(closed_s), why)


def _told(passed_s: float | None) -> str:
    return "no" if passed_s is None else "yes"


CHECKS = (_contactor, _lamps, _lock, _emergency)
