"""Whose turn it is in a dialogue of requests and responses, and for how long."""

from __future__ import annotations

from pilothat.machine import is_due


class Turn:
    """Think, send, wait for the answer; and the time the whole phase may take."""

    def __init__(self) -> None:
        self.awaits = False  # a request is out
        self.due_at: float | None = None  # the next request, or the end of the wait
        self.ends_at: float | None = None  # the end of the phase
        self.count = 0  # requests sent in this phase
        self._sent_at = 0.0

    def begin(self, now: float, think_s: float, limit_s: float | None) -> None:
        """Enter a phase; its first request follows after a while."""
        self.awaits = False
        self.due_at = now + think_s
        self.ends_at = None if limit_s is None else now + limit_s
        self.count = 0

    def sent(self, now: float, timeout_s: float) -> None:
        """Wait for the answer."""
        self.awaits = True
        self.due_at = now + timeout_s
        self.count += 1
        self._sent_at = now

    def again(self, now: float, think_s: float, grid_s: float | None) -> None:
        """Repeat the request, on a grid if there is one."""
        self.awaits = False
        self.due_at = max(now + think_s, self._sent_at + (grid_s or 0.0))

    def has_ended(self, now: float) -> bool:
        """Tell once that the phase took too long."""
        if not is_due(self.ends_at, now):
            return False
        self.ends_at = None
        return True

    def stop(self) -> None:
        """Nothing more will be said."""
        self.awaits = False
        self.due_at = self.ends_at = None
