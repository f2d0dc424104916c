"""Whether what came is what a case expects: one check for each key of ``expect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any

from pilothat.conformance import wire
from pilothat.conformance.afterwards import torn_down
from pilothat.conformance.requests import TARGET_V
from pilothat.conformance.stimulus import Played
from pilothat.conformance.tester import LATE_S
from pilothat.conformance.wire import Check, Expect
from pilothat.plant import SAFE_V
from pilothat.v2g.messages.iso2_types import (
    EvseProcessing,
    PaymentOption,
    SaScheduleList,
)

DAY_S = 86_400
SDP_HEAD = bytes.fromhex("01fe900100000014")
ALLOWED_S = 1.25  # the suite's tolerance for SDP
SELECTED = 1  # ID of service and schedule, as the requests select them
ROUNDING_V = 0.51  # of a voltage on the wire
NEAR = 0.05  # of a voltage that is near enough
MOST_W = 32_767  # that DIN can say


def judge(played: Played, expect: Expect) -> Iterator[str]:
    """Yield complaints; none when all is as expected."""
    for key, wanted in expect.items():
        check = _CHECKS.get(key)
        if check is None:
            yield f"nobody judges {key}"
        elif told := _judged(check, played, wanted, expect):
            yield told


def _judged(check: Check, played: Played, wanted: object, expect: Expect) -> str:
    """Judge one key; an answer of another type has not what the case looks at."""
    try:
        return check(played, wanted, expect)
    except AttributeError as error:
        return str(error)


def _last(played: Played) -> Any:
    return played.answers[-1].body if played.answers else None


def _message(played: Played, wanted: str | None, expect: Expect) -> str:
    if wanted is None:
        return _silence(played, expect)
    got = type(_last(played)).__name__
    known = {"supportedAppProtocolRes": "SupportedAppProtocolRes"}
    return "" if got == known.get(wanted, wanted) else f"{got} instead of {wanted}"


def _silence(played: Played, expect: Expect) -> str:
    """Wait as long as the case says; nothing may come, not even a datagram."""
    tester = played.tester
    tester.wait(float(expect.get("within_s", expect.get("silence_s", 2.0))))
    came = [at for at, _ in tester.probe.datagrams if at > played.asked_at]
    is_loud = played.answers or tester.received() or came
    return "an answer where silence is expected" if is_loud else ""


def _not_before(played: Played, wanted: float, _: Expect) -> str:
    since = played.tester.heard_at
    closed_s = [at - since for at in played.tester.closes if at > since]
    early = [at for at in closed_s if at < wanted - LATE_S]
    return f"closed after {early[0]:.1f} s" if early else ""


def _within(played: Played, wanted: float, expect: Expect) -> str:
    if expect.get("message", "") is None:
        return "" if played.tester.closes else f"not closed after {wanted} s"
    late = [one.after_s for one in played.answers if one.after_s > wanted]
    return f"answered after {late[0]:.2f} s" if late else ""


def _code(played: Played, wanted: list[str], _: Expect) -> str:
    codes = [one.code for one in played.answers]
    is_good = bool(codes) and codes[-1] in wanted
    return "" if is_good else f"{codes[-1:] or 'nothing'} instead of {wanted}"


def _session(played: Played, wanted: str, _: Expect) -> str:
    got = played.answers[-1].message.header.session_id if played.answers else b""
    if wanted in ("new-nonzero", "any-valid"):
        return "" if any(got) and len(got) == 8 else f"session ID {got.hex()}"
    tester = played.tester
    expected = tester.paused_id if wanted == "paused" else tester.session_id
    return "" if got == expected else f"session ID {got.hex()}"


def _schema(played: Played, wanted: int | None, _: Expect) -> str:
    got = _last(played).schema_id
    return "" if got == wanted else f"SchemaID {got} instead of {wanted}"


def _processing(played: Played, wanted: list[str], _: Expect) -> str:
    """Compare with a pattern such as ``["Ongoing*", "Finished"]``."""
    names = [one.body.evse_processing.name for one in played.answers]
    waiting = [one.rstrip("*") for one in wanted if one.endswith("*")]
    ends_well = wanted[-1].endswith("*") or names[-1:] == [wanted[-1]]
    is_good = ends_well and all(name in waiting for name in names[:-1])
    return "" if is_good else f"EVSEProcessing {names} instead of {wanted}"


def _schedule(played: Played, _: str, __: Expect) -> str:
    """Judge the intervals: only the last lasts, until departure or a day."""
    body = _last(played)
    if body.evse_processing is not EvseProcessing.Finished:
        return ""
    if not isinstance(body.sa_schedules, SaScheduleList):
        return "no schedule"
    for one in body.sa_schedules.sa_schedule_tuple:
        entries = [e.time_interval for e in one.p_max_schedule.p_max_schedule_entry]
        starts = [entry.start for entry in entries]
        lasts = [entry.duration is not None for entry in entries]
        if lasts != [False] * (len(entries) - 1) + [True]:
            return "duration elsewhere than in the last entry"
        if starts[0] != 0 or any(b <= a for a, b in pairwise(starts)):
            return f"schedule entries start at {starts}"
        if starts[-1] + (entries[-1].duration or 0) > DAY_S + starts[-1]:
            return "the last entry lasts too long"
    return ""


def _prices(played: Played, wanted: object, _: Expect) -> str:
    """Judge the tariff where there must be one: it ends with the schedule."""
    body = _last(played)
    if wanted is not True or body.evse_processing is not EvseProcessing.Finished:
        return ""
    for one in body.sa_schedules.sa_schedule_tuple:
        if one.sales_tariff is None:
            return "no tariff"
        prices = one.sales_tariff.sales_tariff_entry
        if len(prices) > (played.most or len(prices)):
            return f"{len(prices)} entries of a tariff, at most {played.most}"
        spans = [_span(prices), _span(one.p_max_schedule.p_max_schedule_entry)]
        if None in spans or spans[0] != spans[1]:
            return f"tariff and schedule last {spans} s"
    if played.tester.purse is None:
        return ""
    return str(_purse().why_not_priced(played.answers[-1].message))


def _span(entries: Sequence[Any]) -> int | None:
    """Return how long entries last; None if another than the last one says so."""
    times = [entry.time_interval for entry in entries]
    starts = [time.start for time in times]
    is_ordered = starts[0] == 0 and all(a < b for a, b in pairwise(starts))
    if not is_ordered or any(time.duration is not None for time in times[:-1]):
        return None
    last = times[-1]
    return None if last.duration is None else last.start + last.duration


def _contains(played: Played, wanted: list[str], _: Expect) -> str:
    """Look for what was selected before a pause."""
    body = _last(played)
    holds: Mapping[str, Callable[[], bool]] = {
        "previous PaymentOption": lambda: (
            PaymentOption.ExternalPayment in body.payment_option_list.payment_option
        ),
        "previous ChargeService": lambda: body.charge_service.service_id == SELECTED,
        "previously selected SAScheduleTupleID": lambda: (
            SELECTED
            in [one.sa_schedule_tuple_id for one in body.sa_schedules.sa_schedule_tuple]
        ),
    }
    missing = [one for one in wanted if one not in holds or not holds[one]()]
    return f"not there: {missing}" if missing else ""


def _status_code(played: Played, wanted: str, _: Expect) -> str:
    got = _status(played).evse_status_code.name
    return "" if got == wanted else f"{got} instead of {wanted}"


def _isolation(played: Played, wanted: str, _: Expect) -> str:
    got = _last(played).dc_evse_status.evse_isolation_status.name
    return "" if got == wanted else f"isolation {got} instead of {wanted}"


def _voltage(played: Played, wanted: str | float, _: Expect) -> str:
    """Compare with a number, or with what the car wants where the case has words."""
    got = _last(played).evse_present_voltage.si
    aim_v = TARGET_V if isinstance(wanted, str) else wanted
    return "" if abs(got - aim_v) <= NEAR * aim_v else f"{got} V instead of {aim_v}"


def _is_measured(played: Played, _: object, __: Expect) -> str:
    told_v = _last(played).evse_present_voltage.si
    got_v = played.tester.measured_v
    is_close = abs(told_v - got_v) <= ROUNDING_V
    return "" if is_close else f"{told_v} V where {got_v:.1f} V was measured"


def _dead(played: Played, _: object, __: Expect) -> str:
    plant = played.tester.world.bench.plant(played.tester.now)
    is_dead = plant is not None and plant.outlet_v < SAFE_V
    return "" if is_dead else f"the outlet is live: {plant}"


def _notification(played: Played, wanted: str, _: Expect) -> str:
    got = _status(played).evse_notification.name
    return "" if got == wanted else f"EVSENotification {got} instead of {wanted}"


def _status(played: Played) -> Any:
    body = _last(played)
    names = ("dc_evse_status", "ac_evse_status", "evse_status")
    return next(getattr(body, name) for name in names if hasattr(body, name))


def _payments(played: Played, wanted: list[str], _: Expect) -> str:
    body = _last(played)
    options = getattr(body, "payment_option_list", None) or body.payment_options
    got = [one.name for one in options.payment_option]
    return "" if got == wanted else f"payment options {got}"


def _services(played: Played, wanted: bool, _: Expect) -> str:  # noqa: FBT001 - a value
    has = _last(played).service_list is not None
    return "" if has is wanted else "a list of services" if has else "no list"


def _charge_service(played: Played, wanted: tuple[int, str, str], _: Expect) -> str:
    """Look at DIN's service: its number, category and mode, and nothing more."""
    service = _last(played).charge_service
    tag = service.service_tag
    mode = service.energy_transfer_type.name
    got = (tag.service_id, tag.service_category.name, mode)
    is_bare = tag.service_name is None and tag.service_scope is None
    return "" if got == wanted and is_bare else f"charge service {service}"


def _din_schedule(played: Played, _: str, __: Expect) -> str:
    """Look for one tuple for a day, without tariff, and limits that are not zero."""
    body = _last(played)
    (one,) = body.sa_schedules.sa_schedule_tuple
    (entry,) = one.p_max_schedule.p_max_schedule_entry
    interval, limits = entry.time_interval, body.evse_charge_parameter
    numbers = one.sa_schedule_tuple_id, one.p_max_schedule.p_max_schedule_id
    is_day = (interval.start, interval.duration) == (0, DAY_S)
    is_rated = min(
        limits.evse_maximum_current_limit.si, limits.evse_maximum_voltage_limit.si
    )
    is_good = numbers == (1, 1) and is_day and one.sales_tariff is None and is_rated > 0
    return "" if is_good and 0 < entry.p_max <= MOST_W else f"schedule {one}"


def _limits(played: Played, _: object, __: Expect) -> str:
    body = _last(played)
    told = (
        body.evse_maximum_voltage_limit,
        body.evse_maximum_current_limit,
        body.evse_maximum_power_limit,
    )
    return "" if all(told) else "limits are missing"


def _p_max(played: Played, wanted: float, _: Expect) -> str:
    (one,) = _last(played).sa_schedules.sa_schedule_tuple
    got = {entry.p_max.si for entry in one.p_max_schedule.p_max_schedule_entry}
    return "" if got == {wanted} else f"PMax {got} W"


def _max_current(played: Played, wanted: float, _: Expect) -> str:
    body = _last(played)
    holder = getattr(body, "evse_charge_parameter", body)
    got = holder.evse_max_current
    is_good = got is not None and got.si == wanted
    return "" if is_good else f"EVSEMaxCurrent {got}"


def _total(played: Played, wanted: float, _: Expect) -> str:
    took_s = played.tester.now - played.asked_at
    return "" if took_s <= wanted else f"took {took_s:.1f} s"


def _given_up(played: Played, wanted: float, _: Expect) -> str:
    """Tell whether the waiting ended when it had to, with an answer or a close."""
    took_s = played.tester.heard_at - played.asked_at
    return "" if abs(took_s - wanted) <= ALLOWED_S else f"given up after {took_s:.1f} s"


def _receipt(played: Played, wanted: str, _: Expect) -> str:
    got = str(_last(played).receipt_required).lower()
    return "" if got == wanted else f"ReceiptRequired {got}"


def _meter(played: Played, wanted: bool, _: Expect) -> str:  # noqa: FBT001 - a value
    has = _last(played).meter_info is not None
    return "no MeterInfo" if wanted and not has else ""


def _contactor(played: Played, wanted: str, _: Expect) -> str:
    """Look at the contactor: ``closed<=3s`` or ``open``."""
    state, *limits = wanted.split("<=")
    bench, is_closed = played.tester.world.bench, state == "closed"
    holds = played.tester.until(
        lambda: bench.contactor_is_closed(played.tester.now) is is_closed,
        float(limits[0].rstrip("s")) if limits else 1.0,
    )
    return "" if holds else f"the contactor is not {state}"


def _service_id(played: Played, _: str, __: Expect) -> str:
    """Compare the services that were told with those on offer."""
    got = [one.body.service_id for one in played.answers]
    told = [one.body.service_parameter_list for one in played.answers]
    is_good = got == played.tester.services and all(told)
    return "" if is_good else f"services {got} instead of {played.tester.services}"


def _challenge(played: Played, wanted: int, _: Expect) -> str:
    length = len(_last(played).gen_challenge)
    return "" if length == wanted else f"GenChallenge of {length} octets"


def _delivered(played: Played, _: str, __: Expect) -> str:
    return str(_purse().why_not_delivered(played.answers[-1].message))


def _purse() -> Any:
    return import_module("pilothat.conformance.purse")  # with an optional library


def _accepted(_: Played, __: object, ___: Expect) -> str:
    """Say nothing: a remark on the case, or a limit that another check holds."""
    return ""


_CHECKS: Mapping[str, Check] = {
    "message": _message,
    "silence_s": _accepted,  # by message
    "not_before_s": _not_before,
    "within_s": _within,
    "response_code": _code,
    "session_id": _session,
    "SchemaID": _schema,
    "EVSEProcessing": _processing,
    "schedule": _schedule,
    "sales_tariff": _prices,
    "must_contain": _contains,
    "EVSEStatusCode": _status_code,
    "EVSEIsolationStatus": _isolation,
    "EVSEPresentVoltage": _voltage,
    "total_s": _total,
    "ongoing_timeout_s": _given_up,
    "ReceiptRequired": _receipt,
    "MeterInfo": _meter,
    "ServiceID": _service_id,
    "GenChallenge_len": _challenge,
    "signature": _delivered,
    "contactor": _contactor,
    "then": lambda played, wanted, _: torn_down(played, wanted),
    "server_alive": wire.alive,
    "EVSENotification": _notification,
    "PaymentOptions": _payments,
    "ServiceList": _services,
    "ChargeService": _charge_service,
    "din_schedule": _din_schedule,
    "limits": _limits,
    "PMax_w": _p_max,
    "EVSEMaxCurrent_a": _max_current,
    "outlet_below_60_v": _dead,
    "is_measured": _is_measured,
    "responses": wire.responses,
    "same_port": wire.same_port,
    "slac": wire.no_slac,
    "udp_header": wire.sdp_part(slice(0, 8), "SDP header"),
    "port_range": wire.sdp_part(wire.PORT, "port"),
    "security": wire.sdp_part(slice(26, 27), "security"),
    "transport": wire.sdp_part(slice(27, 28), "transport"),
    "len": wire.sdp_length,
    "tcp": wire.tcp,
    "v2gtp_header": wire.frame_head,
}
