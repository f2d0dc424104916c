"""Whether what came is what a case expects: one check for each key of ``expect``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from itertools import pairwise
from typing import Any

from pilothat.conformance.stimulus import Played
from pilothat.conformance.tester import CLOSE_S, LATE_S, Tester
from pilothat.pilot.duty import STEADY_PCT
from pilothat.v2g import sdp
from pilothat.v2g.messages.iso2_types import (
    EvseProcessing,
    PaymentOption,
    SaScheduleList,
)

DAY_S = 86_400
SDP_HEAD = bytes.fromhex("01fe900100000014")
ALLOWED_S = 1.25  # the suite's tolerance for SDP
SELECTED = 1  # ID of service and schedule, as the requests select them
OFF_V, OFF_A = 60.0, 1.0

Expect = Mapping[str, Any]
Check = Callable[[Played, Any, Expect], str]


def judge(played: Played, expect: Expect) -> Iterator[str]:
    """Yield complaints; none when all is as expected."""
    for key, wanted in expect.items():
        check = _CHECKS.get(key)
        if check is None:
            yield f"nobody judges {key}"
        elif told := check(played, wanted, expect):
            yield told


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
    body = _last(played)
    status = getattr(body, "dc_evse_status", None) or body.evse_status
    got = status.evse_status_code.name
    return "" if got == wanted else f"{got} instead of {wanted}"


def _isolation(played: Played, wanted: str, _: Expect) -> str:
    got = _last(played).dc_evse_status.evse_isolation_status.name
    return "" if got == wanted else f"isolation {got} instead of {wanted}"


def _voltage(played: Played, _: str, __: Expect) -> str:
    got = _last(played).evse_present_voltage.si
    return "" if abs(got - 400.0) <= 20.0 else f"{got} V instead of 400"


def _total(played: Played, wanted: float, _: Expect) -> str:
    took_s = played.tester.now - played.asked_at
    return "" if took_s <= wanted else f"took {took_s:.1f} s"


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
    return "" if _last(played).service_id else "no ServiceID"


def _challenge(played: Played, wanted: int, _: Expect) -> str:
    length = len(_last(played).gen_challenge)
    return "" if length == wanted else f"GenChallenge of {length} octets"


def _delivered(played: Played, _: str, __: Expect) -> str:
    purse = import_module("pilothat.conformance.purse")  # with an optional library
    return str(purse.why_not_delivered(played.answers[-1].message))


def _then(played: Played, wanted: list[str], _: Expect) -> str:
    told = [_AFTERWARDS.get(one.partition(" (")[0]) for one in wanted]
    if None in told:
        return f"nobody judges {wanted}"
    played.tester.wait(CLOSE_S + 3.0)
    return "; ".join(filter(None, (check(played) for check in told if check)))


def _is_steady_at(tester: Tester, at: float) -> bool:
    """Tell whether the pilot was without PWM, or in fault, at a time."""
    shown = [duty for when, duty in tester.duties if when <= at]
    return bool(shown) and shown[-1] in (STEADY_PCT, 0.0)


def _steady_before_close(played: Played) -> str:
    closes = [at for at in played.tester.closes if at >= played.asked_at]
    is_good = closes and _is_steady_at(played.tester, closes[0])
    return "" if is_good else "PWM was on when TCP was closed"


def _closed_in_time(played: Played) -> str:
    since = played.asked_at
    if played.answers:
        since += played.answers[-1].after_s
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


def _power_off(played: Played) -> str:
    bench = played.tester.world.bench
    plant = bench.plant(played.tester.now)
    if plant is None:
        return "the supply does not report"
    is_off = plant.supply_v < OFF_V and abs(plant.current_a) < OFF_A
    return "" if is_off else f"{plant.supply_v:.0f} V, {plant.current_a:.0f} A"


def _alive(played: Played, _: object, __: Expect) -> str:
    """Ask rightly once more; that must be answered."""
    tester = played.tester
    if tester.probe.connection is not None:
        return ""
    before = len(tester.probe.datagrams)
    tester.search(sdp.build_request(tester.security))
    tester.until(lambda: len(tester.probe.datagrams) > before, 1.0)
    return "" if len(tester.probe.datagrams) > before else "it answers no more"


def _sdp(part: slice, name: str) -> Check:
    def check(played: Played, wanted: Any, _: Expect) -> str:
        if not played.tester.probe.datagrams:
            return "no SDP answer"
        got = int.from_bytes(played.tester.probe.datagrams[-1][1][part])
        if isinstance(wanted, list):
            is_good = wanted[0] <= got <= wanted[1]
        else:
            is_good = got == int(str(wanted), 16)
        return "" if is_good else f"{name} {got} instead of {wanted}"

    return check


def _sdp_length(played: Played, wanted: int, _: Expect) -> str:
    got = [len(one) for _, one in played.tester.probe.datagrams]
    return "" if got[-1:] == [wanted] else f"SDP answer of {got} octets"


def _tcp(played: Played, wanted: str, _: Expect) -> str:
    is_refused = played.tester.probe.connection is None
    return "" if is_refused is (wanted == "refused") else "the connection is taken"


def _frame_head(played: Played, wanted: str, _: Expect) -> str:
    heads = [data[:4].hex().upper() for _, data in played.tester.probe.data]
    return "" if heads[-1:] == [wanted] else f"V2GTP header {heads[-1:]}"


def _accepted(_: Played, __: object, ___: Expect) -> str:
    """Say nothing: a remark on the case, or a limit that another check holds."""
    return ""


_AFTERWARDS: Mapping[str, Callable[[Played], str]] = {
    "cp_to_x1": _steady_before_close,
    "tcp_closed_by_secc<=5s": _closed_in_time,
    "no_more_messages": _quiet,
    "tcp_closed": _closed,
    "data_link_left": _left,
    "cp_x1": _steady,
    "power_off": _power_off,
}
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
    "sales_tariff": _accepted,  # may be absent where the case allows any
    "must_contain": _contains,
    "EVSEStatusCode": _status_code,
    "EVSEIsolationStatus": _isolation,
    "EVSEPresentVoltage": _voltage,
    "total_s": _total,
    "ReceiptRequired": _receipt,
    "MeterInfo": _meter,
    "ServiceID": _service_id,
    "GenChallenge_len": _challenge,
    "signature": _delivered,
    "contactor": _contactor,
    "then": _then,
    "server_alive": _alive,
    "udp_header": _sdp(slice(0, 8), "SDP header"),
    "port_range": _sdp(slice(24, 26), "port"),
    "security": _sdp(slice(26, 27), "security"),
    "transport": _sdp(slice(27, 28), "transport"),
    "len": _sdp_length,
    "tcp": _tcp,
    "v2gtp_header": _frame_head,
}
