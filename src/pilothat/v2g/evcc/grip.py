"""What the car has in its hands: plug lock, S2 and its own contactor."""

from __future__ import annotations

from pilothat.v2g.evcc.events import Action, LockPlug, SetEvContactor, SetS2


class Grip:
    """Take hold step by step; let go in the order that breaks no current."""

    def __init__(self) -> None:
        self._is_locked = False
        self._is_s2_closed = False
        self.is_joined = False  # the contactor is closed

    def seize(self) -> tuple[Action, ...]:
        """Lock the plug and ask for energy, where that is still to be done."""
        if self._is_locked and self._is_s2_closed:
            return ()
        self._is_locked = self._is_s2_closed = True
        return LockPlug(locked=True), SetS2(closed=True)

    def join(self) -> tuple[Action, ...]:
        """Close the contactor."""
        self.is_joined = True
        return (SetEvContactor(closed=True),)

    def warn(self) -> tuple[Action, ...]:
        """Open S2 first: the station must cut the power."""
        was_closed, self._is_s2_closed = self._is_s2_closed, False
        return (SetS2(closed=False),) if was_closed else ()

    def split(self) -> tuple[Action, ...]:
        """Open the contactor, and go on asking for energy."""
        was_joined, self.is_joined = self.is_joined, False
        return (SetEvContactor(closed=False),) if was_joined else ()

    def part(self) -> tuple[Action, ...]:
        """Open the contactor, then S2."""
        return (*self.split(), *self.warn())

    def release(self) -> tuple[Action, ...]:
        """Let go of everything."""
        was_locked, self._is_locked = self._is_locked, False
        return (*self.part(), *((LockPlug(locked=False),) if was_locked else ()))
