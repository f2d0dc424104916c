"""What ``pilothat modem watch`` tells of a frame, and what it costs others."""

from __future__ import annotations

import subprocess
import sys

from pilothat.homeplug.cm import (
    CmAttenProfileInd,
    CmMnbcSoundInd,
    CmNwStatsCnf,
    StationRate,
)
from pilothat.homeplug.field import Mme
from pilothat.homeplug.frame import build
from pilothat.service.layers import dissector
from pilothat.service.modemwatch import told
from pilothat.traffic.pcapng import ETHERNET

HOST, MODEM = bytes.fromhex("025e5e5e5e01"), bytes.fromhex("00b052a0a001")
EV = bytes.fromhex("02e0e0e0e001")
PEER = StationRate(EV, 9, 8)


def line_of(
    mme: Mme, rates: tuple[StationRate, ...] | None = None
) -> tuple[str, tuple[StationRate, ...] | None]:
    return told(dissector("a test")(ETHERNET, build(HOST, MODEM, mme)), rates)


def test_a_profile_is_a_row_of_bars_with_its_mean() -> None:
    levels_db = (0,) * 29 + (60,) * 29
    line, rates = line_of(CmAttenProfileInd(pev_mac=EV, aag_db=levels_db), (PEER,))
    bars = " " * 29 + "\u2588" * 29
    assert line == f"02:e0:e0:e0:e0:01 |{bars}| mean 30.0 dB, 0..60"
    assert rates == (PEER,)


def test_a_profile_without_groups_is_told_as_that() -> None:
    line, _ = line_of(CmAttenProfileInd(pev_mac=EV, aag_db=()))
    assert line.endswith("this modem measures no attenuation")


def test_rates_are_told_when_they_change() -> None:
    line, rates = line_of(CmNwStatsCnf(stations=(PEER,)))
    assert line == "linked with 02:e0:e0:e0:e0:01, 9 Mbit/s out, 8 in"
    assert line_of(CmNwStatsCnf(stations=(PEER,)), rates) == ("", (PEER,))
    assert line_of(CmNwStatsCnf(stations=()), rates) == ("no link", ())


def test_other_frames_are_not_told() -> None:
    sound = CmMnbcSoundInd(cnt=1, run_id=bytes(8), rnd=bytes(16))
    assert line_of(sound) == ("", None)


def test_other_commands_do_without_scapy_and_no_command_takes_all_of_it() -> None:
    program = (
        "import sys, pilothat.service.modem\n"
        "assert 'scapy' not in sys.modules\n"
        "from pilothat.service.layers import dissector\n"
        "dissector('a test')\n"
        "assert 'scapy.packet' in sys.modules\n"
        "assert 'scapy.all' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
