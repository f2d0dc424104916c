"""The one shape of every machine.

A machine is fed with events and the time and returns what to do. It does no I/O,
reads no clock, draws no random numbers and never waits. Who has read one machine
can read all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

Event_contra = TypeVar("Event_contra", contravariant=True)
Action_co = TypeVar("Action_co", covariant=True)

Entropy = Callable[[int], bytes]
"""A source of random bytes, injected: ``os.urandom`` on a station, a seed in a test."""


class Machine(Protocol[Event_contra, Action_co]):
    """What every protocol and every rule looks like from outside.

    Contract:
      1. ``deadline`` is the time (s, monotonic) of the next wanted ``tick``, or None.
      2. ``tick`` is harmless when called early or twice.
      3. Same events, times and entropy give the same actions, bit for bit.
    """

    @property
    def deadline(self) -> float | None: ...

    def handle(self, event: Event_contra, now: float) -> Sequence[Action_co]:
        """Take one event."""

    def tick(self, now: float) -> Sequence[Action_co]:
        """Let time pass."""


def earliest(*deadlines: float | None) -> float | None:
    """Return the first of several deadlines; None when there is none."""
    first: float | None = None
    for deadline in deadlines:
        if deadline is not None and (first is None or deadline < first):
            first = deadline
    return first


def is_due(deadline: float | None, now: float) -> bool:
    """Tell whether a deadline has been reached."""
    return deadline is not None and now >= deadline
