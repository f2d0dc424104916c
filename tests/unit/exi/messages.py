"""Messages for the tests: a few by name, and any one, drawn from the declarations."""

from __future__ import annotations

from functools import cache

from hypothesis import strategies as st

from pilothat.exi.schema import (
    Binary,
    Boolean,
    El,
    Field,
    Group,
    Integer,
    Kind,
    Refused,
    Simple,
    Text,
    Wrap,
    describe,
    is_declared,
    is_simple,
)
from pilothat.v2g.messages import din

UNITS = din.UnitSymbol
STATUS = din.DcEvseStatus(
    evse_isolation_status=din.IsolationLevel.Valid,
    evse_status_code=din.DcEvseStatusCode.EVSE_Ready,
    notification_max_delay=0,
    evse_notification=din.EvseNotification.NONE,
)


def message(body: din.BodyElement | None) -> din.V2gMessage:
    """Return a body with a header."""
    header = din.MessageHeader(session_id=bytes(range(1, 9)))
    return din.V2gMessage(header=header, body=body)


CURRENT_DEMAND_RES = din.CurrentDemandRes(
    response_code=din.ResponseCode.OK,
    dc_evse_status=STATUS,
    evse_present_voltage=din.PhysicalValue.of(398.5, UNITS.V),
    evse_present_current=din.PhysicalValue.of(124.8, UNITS.A),
    evse_current_limit_achieved=False,
    evse_voltage_limit_achieved=False,
    evse_power_limit_achieved=True,
    evse_maximum_power_limit=din.PhysicalValue.of(60000, UNITS.W),
)


@cache
def values(kind: Kind) -> st.SearchStrategy[object]:
    """Return a strategy for any valid value of a kind."""
    if is_simple(kind):
        return _simple_values(kind)
    if isinstance(kind, Refused):
        return st.none()
    assert is_declared(kind)
    return st.deferred(lambda: _objects(kind))


def _simple_values(kind: Simple) -> st.SearchStrategy[object]:
    match kind:
        case Boolean():
            return st.booleans()
        case Integer(low=low, high=high):
            bound = 1 << 160
            return st.integers(
                -bound if low is None else low, bound if high is None else high
            )
        case Text(longest=longest):
            return st.text(max_size=6 if longest is None else min(longest, 6))
        case Binary(longest=longest):
            return st.binary(max_size=200 if longest is None else min(longest, 200))
    return st.sampled_from(list(kind))


@cache
def _objects(cls: type) -> st.SearchStrategy[object]:
    """Return a strategy for the objects of a declared class."""
    described = describe(cls)
    choices = [
        f.attribute for f in described if isinstance(f.mark, El) and f.mark.choice
    ]
    plain = {f.attribute: _parts(f) for f in described if f.attribute not in choices}
    if not choices:
        return st.fixed_dictionaries(plain).map(lambda parts: cls(**parts))
    branches = [
        st.fixed_dictionaries(plain | {f.attribute: values(f.kind)})
        for f in described
        if f.attribute in choices
    ]
    return st.one_of(branches).map(lambda parts: cls(**parts))


def _parts(f: Field) -> st.SearchStrategy[object]:
    """Return a strategy for the value of a field."""
    if isinstance(f.mark, Group | Wrap):
        group = f.mark if isinstance(f.mark, Group) else f.mark.group
        one = st.one_of([values(cls) for cls in group.members.values()])
        is_optional = f.min_ == 0 or isinstance(f.mark, Wrap)
        return st.none() | one if is_optional else one
    if f.is_list:
        entries = st.lists(values(f.kind), min_size=f.min_, max_size=min(f.max_, 3))
        return entries.map(tuple)
    return st.none() | values(f.kind) if f.min_ == 0 else values(f.kind)
