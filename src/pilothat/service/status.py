"""Show how the running station is: live on a terminal, else once.

    pilothat status
    pilothat status --once
    pilothat status --json | jq .power_w

Ctrl-C ends the view, never the charge. Exit code 1 when no station answers.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from pilothat.service.asking import add_socket, ask
from pilothat.service.console import DIM, GREEN, RED, clock, has_colour, painted

EVERY_S = 1.0
_HOME_AND_CLEAR = "\x1b[H\x1b[2J"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    add_socket(parser)
    parser.add_argument("--once", action="store_true", help="print once and end")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(options: argparse.Namespace) -> int:
    """Run the command."""
    told = ask(options.socket, "status")
    if options.json:
        sys.stdout.write(json.dumps(told) + "\n")
        return 0
    is_live = sys.stdout.isatty() and not options.once
    while True:
        text = "\n".join(lines(told, paints=has_colour()))
        sys.stdout.write(f"{_HOME_AND_CLEAR if is_live else ''}{text}\n")
        sys.stdout.flush()
        if not is_live:
            return 0
        select.select((), (), (), EVERY_S)
        told = ask(options.socket, "status")


def lines(told: Mapping[str, Any], *, paints: bool) -> Iterator[str]:
    """Return what is shown, line by line."""
    colour = RED if told["faults"] else GREEN
    yield f"PilotHAT {told['version']}   {_in(told['phase'], colour, paints)}"
    low = "" if told["low_v"] is None else f" / {told['low_v']:.1f}"
    duty = told["duty_pct"]
    pwm = "steady" if duty in (0.0, 100.0) else f"PWM {duty:g} %"
    yield f"  pilot      {told['pilot']}, {told['high_v']:.1f}{low} V, {pwm}"
    yield f"  powerline  {_line(told)}"
    yield f"  session    {told['message'] or '-'}"
    yield (
        f"  outlet     {told['voltage_v']:.1f} V, {told['current_a']:.1f} A, "
        f"{told['power_w'] / 1000:.2f} kW; contactor {_switch(told)}"
    )
    soc = "-" if told["soc_pct"] is None else f"{told['soc_pct']} %"
    yield (
        f"  visit      {clock(told['visit_s'])}, {told['energy_wh'] / 1000:.2f} kWh, "
        f"battery {soc}{'; ended: ' + told['reason'] if told['reason'] else ''}"
    )
    if not told["is_guard_alive"]:
        yield _in("  the guard does not turn", RED, paints)
    for fault in told["faults"]:
        yield _in(f"  FAULT {fault['name']}: {fault['meaning']}", RED, paints)
        yield _in(f"        {fault['remedy']}", DIM, paints)


def _line(told: Mapping[str, Any]) -> str:
    if not told["is_network_up"]:
        return "the interface is down"
    address = "" if told["has_address"] else ", no address yet"
    return f"{told['slac']}{address}"


def _switch(told: Mapping[str, Any]) -> str:
    return "closed" if told["is_contactor_closed"] else "open"


def _in(text: str, colour: str, paints: bool) -> str:  # noqa: FBT001 - a fact
    return painted(text, colour) if paints else text
