"""``pilothat modem watch``: attenuation of every sound as bars, rates when linked.

The frames are read by scapy, with our layers; it is imported when the watch begins.
"""

from __future__ import annotations

import argparse
import contextlib
import select
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pilothat.homeplug.cm import (
    CmAttenProfileInd,
    CmNwStatsCnf,
    CmNwStatsReq,
    StationRate,
)
from pilothat.homeplug.frame import build, mac_text
from pilothat.homeplug.qualcomm import LOCAL_MODEM_MAC
from pilothat.runtime import netwatch
from pilothat.runtime.plcport import PlcPort
from pilothat.service.layers import dissector
from pilothat.service.modemtalk import say
from pilothat.traffic.pcapng import ETHERNET

if TYPE_CHECKING:
    from scapy.packet import Packet

BARS = " ▁▂▃▄▅▆▇█"
FULL_DB = 60  # a full bar: nothing is left of the signal
ASK_S = 1.0


def run(options: argparse.Namespace) -> int:
    """Print a line a sound, and the rates when they change.

    Raises PilotHatError where scapy is missing.
    """
    dissect = dissector("pilothat modem watch")
    host_mac = netwatch.find(options.interface).mac
    question = build(LOCAL_MODEM_MAC, host_mac, CmNwStatsReq())
    left, ask_at = options.count, 0.0
    rates: tuple[StationRate, ...] | None = None
    try:
        with contextlib.closing(PlcPort(options.interface)) as port:
            while left is None or left > 0:
                if time.monotonic() >= ask_at:
                    port.send(question)
                    ask_at = time.monotonic() + ASK_S
                select.select([port], (), (), max(0.0, ask_at - time.monotonic()))
                for raw in port.take():
                    line, rates = told(dissect(ETHERNET, raw), rates)
                    if line:
                        say(line)
                        left = None if left is None else left - 1
    except KeyboardInterrupt:
        say("")  # the usual end
    return 0


def told(
    packet: Packet, rates: tuple[StationRate, ...] | None
) -> tuple[str, tuple[StationRate, ...] | None]:
    """Return what a packet is worth to be told, and the rates known after it.

    rates: of who is linked; None while they are not known
    """
    profile = packet.getlayer(CmAttenProfileInd.__name__)
    if profile is not None:
        return f"{mac_text(profile.pev_mac)} {spectrum(profile.aag_db)}", rates
    stats = packet.getlayer(CmNwStatsCnf.__name__)
    if stats is None:
        return "", rates
    stations = tuple(
        StationRate(one.mac, one.tx_mbps, one.rx_mbps) for one in stats.stations
    )
    return ("" if stations == rates else linked(stations)), stations


def spectrum(aag_db: Sequence[int]) -> str:
    """Return one bar a group, the higher the weaker it arrived, and the mean."""
    if not aag_db:
        return "sound heard, this modem measures no attenuation"
    top = len(BARS) - 1
    bars = "".join(BARS[min(top, value * top // FULL_DB)] for value in aag_db)
    mean_db = sum(aag_db) / len(aag_db)
    return f"|{bars}| mean {mean_db:.1f} dB, {min(aag_db)}..{max(aag_db)}"


def linked(stations: Sequence[StationRate]) -> str:
    """Return who is in the network, with the raw rates."""
    if not stations:
        return "no link"
    return "; ".join(
        f"linked with {mac_text(one.mac)}, {one.tx_mbps} Mbit/s out, {one.rx_mbps} in"
        for one in stations
    )
