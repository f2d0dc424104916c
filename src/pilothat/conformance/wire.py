"""Checks of what is on the wire below the messages: SLAC, SDP, TCP and V2GTP."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pilothat.conformance.stimulus import Played
from pilothat.conformance.tester import LINK_S
from pilothat.v2g import sdp

Expect = Mapping[str, Any]
Check = Callable[[Played, Any, Expect], str]
PORT = slice(24, 26)


def alive(played: Played, _: object, __: Expect) -> str:
    """Ask rightly once more; that must be answered."""
    tester = played.tester
    if tester.probe.connection is not None:
        return ""
    before = len(tester.probe.datagrams)
    tester.search(sdp.build_request(tester.security))
    tester.until(lambda: len(tester.probe.datagrams) > before, 1.0)
    return "" if len(tester.probe.datagrams) > before else "it answers no more"


def sdp_part(part: slice, name: str) -> Check:
    """Return the check of a part of the SDP answer: a number, hex digits or a range."""

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


def sdp_length(played: Played, wanted: int, _: Expect) -> str:
    """Compare the length of the SDP answer."""
    got = [len(one) for _, one in played.tester.probe.datagrams]
    return "" if got[-1:] == [wanted] else f"SDP answer of {got} octets"


def tcp(played: Played, wanted: str, _: Expect) -> str:
    """Tell whether the connection is refused, or taken."""
    is_refused = played.tester.probe.connection is None
    return "" if is_refused is (wanted == "refused") else "the connection is taken"


def frame_head(played: Played, wanted: str, _: Expect) -> str:
    """Compare the head of the last V2GTP message."""
    heads = [data[:4].hex().upper() for _, data in played.tester.probe.data]
    return "" if heads[-1:] == [wanted] else f"V2GTP header {heads[-1:]}"


def responses(played: Played, wanted: int, _: Expect) -> str:
    """Count answers and datagrams."""
    datagrams = [at for at, _ in played.tester.probe.datagrams if at >= played.asked_at]
    got = len(played.answers) + len(datagrams)
    return "" if got == wanted else f"{got} answers instead of {wanted}"


def same_port(played: Played, _: object, __: Expect) -> str:
    """Tell whether all SDP answers name one port."""
    ports = {one[PORT] for _, one in played.tester.probe.datagrams}
    return "" if len(ports) == 1 else f"{len(ports)} ports"


def no_slac(played: Played, _: str, __: Expect) -> str:
    """Wait as long as a car would try; then there must be neither link nor PWM."""
    tester = played.tester
    is_linked = tester.until(lambda: tester.probe.is_linked, LINK_S)
    return "linked" if is_linked else "PWM is on" if tester.is_modulated else ""
