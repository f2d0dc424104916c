"""From messages of a standard to what they say: the parts both standards share.

The message modules of DIN SPEC 70121 and ISO 15118-2 name alike what is alike; the
protocols here say which names are meant.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from pilothat.exi.schema import WireEnum
from pilothat.v2g.evcc.heard import (
    Heard,
    Isolation,
    Limits,
    Notice,
    Output,
    Said,
    StationCode,
    Status,
)

Body = TypeVar("Body")
_FAILED = 4  # and what follows it: ResponseCode in both standards


class Quantity(Protocol):
    @property
    def si(self) -> float: ...


class DcStatus(Protocol):
    @property
    def evse_status_code(self) -> WireEnum: ...
    @property
    def evse_isolation_status(self) -> WireEnum | None: ...
    @property
    def evse_notification(self) -> WireEnum: ...


class WithStatus(Protocol):
    @property
    def dc_evse_status(self) -> DcStatus: ...


class Loud(Protocol):
    """A response that can ask for more time."""

    @property
    def evse_processing(self) -> WireEnum: ...


class LoudWithStatus(WithStatus, Loud, Protocol): ...


class WithVoltage(WithStatus, Protocol):
    @property
    def evse_present_voltage(self) -> Quantity: ...


class WithLimits(Protocol):
    @property
    def evse_maximum_current_limit(self) -> Quantity | None: ...
    @property
    def evse_maximum_power_limit(self) -> Quantity | None: ...


class WithCurrent(WithVoltage, WithLimits, Protocol):
    @property
    def evse_present_current(self) -> Quantity: ...


def plain(_res: object) -> Said:
    """Read a response that says no more than its code."""
    return Said()


def processing(res: Loud) -> Said:
    """Read whether the station needs more time."""
    return Said(is_ongoing=is_ongoing(res))


def is_ongoing(res: Loud) -> bool:
    """Whether the station needs more time, for whatever."""
    return res.evse_processing > 0  # Finished is 0


def dc_status(status: DcStatus) -> Status:
    """Read a DC station's status."""
    isolation = status.evse_isolation_status
    return Status(
        StationCode(status.evse_status_code),
        Isolation.UNSAID if isolation is None else Isolation(isolation),
        Notice(status.evse_notification),
    )


def cable_check(res: LoudWithStatus) -> Said:
    """Read the state of the isolation test."""
    return Said(is_ongoing(res), dc_status(res.dc_evse_status))


def voltage(res: WithVoltage) -> Said:
    """Read the voltage at the outlet."""
    output = Output(present_v=res.evse_present_voltage.si)
    return Said(status=dc_status(res.dc_evse_status), detail=output)


def current(res: WithCurrent) -> Said:
    """Read what the station delivers and can deliver."""
    output = Output(
        res.evse_present_voltage.si, res.evse_present_current.si, limits(res)
    )
    return Said(status=dc_status(res.dc_evse_status), detail=output)


def limits(res: WithLimits) -> Limits:
    """Read what the station can give."""
    max_a, max_w = res.evse_maximum_current_limit, res.evse_maximum_power_limit
    return Limits(
        None if max_a is None else max_a.si, None if max_w is None else max_w.si
    )


class Reader(Protocol):
    def read(self, body: object) -> Said | None: ...


class Row(Generic[Body]):
    """The response a state awaits, and how it is read."""

    def __init__(self, kind: type[Body], read: Callable[[Body], Said]) -> None:
        self._kind = kind
        self._read = read

    def read(self, body: object) -> Said | None:
        """Return what it says; None when it is another one."""
        return self._read(body) if isinstance(body, self._kind) else None


class Coded(Protocol):
    @property
    def response_code(self) -> WireEnum: ...


def heard(session_id: bytes, body: Coded, row: Reader) -> Heard | None:
    """Return what a response says; None when it is not the one that is awaited."""
    said = row.read(body)
    if said is None:
        return None
    code = body.response_code
    return Heard(session_id, code.literal, code >= _FAILED, said)
