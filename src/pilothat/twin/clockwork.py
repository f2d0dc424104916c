"""Virtual time: a heap of calls and the deadlines of machines.

``now`` jumps from one due moment to the next. Calls at the same moment come in the
order in which they were asked for, machines after them in theirs.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf

Call = Callable[[], None]


class Actor:
    """A machine, and when it is due.

    Its deadline is read again only after ``touch``: whoever gives it an event says so.
    """

    __slots__ = ("_clock", "ask", "is_stale", "number", "turn")

    def __init__(
        self, turn: Call, ask: Callable[[], float | None], clock: Clockwork
    ) -> None:
        self.turn, self.ask = turn, ask
        self.number = len(clock.dues) - 1
        self.is_stale = False
        self._clock = clock
        clock.dues.insert(self.number, inf)
        self.touch()

    @property
    def due(self) -> float:
        """When it is due, as it was read last."""
        return self._clock.dues[self.number]

    def touch(self) -> None:
        """Note that the deadline may have changed."""
        if not self.is_stale:
            self.is_stale = True
            self._clock.stale.append(self)


class Clockwork:
    """The time of a world.

    dues:  when each machine is due, and at the end never
    stale: those whose deadline must be read again
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.dues = [inf]
        self.stale: list[Actor] = []
        self._heap: list[tuple[float, int, Call]] = []
        self._order = 0
        self._actors: list[Actor] = []

    def actor(self, turn: Call, ask: Callable[[], float | None]) -> Actor:
        """Add a machine: what to do when it is due, and how to learn when that is."""
        actor = Actor(turn, ask, self)
        self._actors.append(actor)
        return actor

    def after(self, delay_s: float, call: Call) -> None:
        """Have something called later."""
        self._order += 1
        heapq.heappush(self._heap, (self.now + delay_s, self._order, call))

    def read(self) -> None:
        """Read the deadlines of the machines to which something has happened."""
        for actor in self.stale:  # reading one touches no other
            actor.is_stale = False
            at = actor.ask()
            self.dues[actor.number] = inf if at is None else at
        self.stale.clear()

    def step(self, limit_s: float = inf) -> bool:
        """Do the next thing that is due; False when none is until the limit."""
        if self.stale:
            self.read()
        due = min(self.dues)
        called = self._heap[0][0] if self._heap else inf
        is_call = called <= due
        at = called if is_call else due
        if at > limit_s:
            return False
        if at > self.now:
            self.now = at
        if is_call:
            heapq.heappop(self._heap)[2]()
        else:
            first = self._actors[self.dues.index(due)]
            first.touch()
            first.turn()
        return True
