"""What the station has to say after one event: collected in order, handed out once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pilothat.guard import SAFE, Want
from pilothat.power.path import Monitor, Note, Output, Switch
from pilothat.station.actions import (
    Action,
    MeasureIsolation,
    Publish,
    SetOutput,
    TcpClose,
    Topic,
)


class Outputs:
    """The actions of one event, and what the guard shall drive."""

    def __init__(self) -> None:
        self._want = SAFE
        self._told = SAFE
        self._actions: list[Action] = []

    def add(self, *actions: Action) -> None:
        """Append actions."""
        self._actions += actions

    def extend(self, actions: Iterable[Action]) -> None:
        """Append actions."""
        self._actions += actions

    def publish(self, topic: Topic, text: str) -> None:
        """Say something to whoever listens."""
        self._actions.append(Publish(topic, text))

    def drive(self, duty_pct: float) -> None:
        """Want this duty on the pilot."""
        closed, enabled = self._want.is_contactor_closed, self._want.is_supply_enabled
        self._want = Want(duty_pct, closed, enabled)

    def switch(self, *, closed: bool, enabled: bool) -> None:
        """Want the contactor and the supply's enable line like this."""
        self._want = Want(self._want.duty_pct, closed, enabled)

    def of_path(self, action: Output | Monitor | Switch | Note) -> None:
        """Take what the power path wants of others."""
        match action:
            case Output(setpoint):
                self.add(SetOutput(setpoint))
            case Note(text):
                self.publish(Topic.NOTE, text)
            case Monitor(on):
                self.add(MeasureIsolation(on))
            case Switch(closed, enabled):
                self.switch(closed=closed, enabled=enabled)

    def drain(self) -> Sequence[Action]:
        """Return everything since the last call; the guard hears of changes only.

        A connection is closed last of all: PWM must be off before.
        """
        done, self._actions = self._actions, []
        if self._want is not self._told and self._want != self._told:
            self._told = self._want
            done.append(self._want)
        if len(done) > 1:
            done.sort(key=_is_last)
        return done


def _is_last(action: Action) -> bool:
    return isinstance(action, TcpClose)
