"""Record what is said on the powerline: SLAC, SDP, V2GTP, and the pilot beside it.

    pilothat capture --interface eth1 charge.pcapng
    pilothat capture --interface eth1 --journal /var/lib/pilothat charge.pcapng
    pilothat capture --interface eth1 --live charge.pcapng
    pilothat decode charge.pcapng

The file opens in Wireshark. With --journal (the folder of a station that runs here) the
changes of the control pilot stand in it too, on an interface of their own. With --live
there is a line for each frame as it comes, made by scapy. Ends with Ctrl-C, or after
--seconds. Needs the right to raw frames, as `run` does.
"""

from __future__ import annotations

import argparse
import json
import select
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, TextIO

from pilothat.errors import PilotHatError
from pilothat.runtime.journalfile import in_order
from pilothat.runtime.plcport import open_packet_socket
from pilothat.service import layers
from pilothat.traffic import pcapng

EVERYTHING = 0x0003  # ETH_P_ALL
RECORDED = (0x88E1, 0x86DD)  # HomePlug; IPv6, which carries SDP and V2GTP
PLC, PILOT = 0, 1  # interfaces of the file
LOOK_S = 0.2  # how often the journal is looked at
_MOST_BYTES = 1 << 16


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say what the command takes."""
    parser.add_argument("file", type=Path, metavar="FILE", help="capture to write")
    parser.add_argument(
        "--interface", required=True, metavar="IF", help="interface of the modem"
    )
    parser.add_argument(
        "--journal", type=Path, metavar="FOLDER", help="journal of the station here"
    )
    parser.add_argument(
        "--live", action="store_true", help="a line for each frame that is recorded"
    )
    parser.add_argument(
        "--seconds", type=float, metavar="S", help="end after so many seconds"
    )


def run(options: argparse.Namespace) -> int:
    """Record until told to stop."""
    tell = _teller() if options.live else None
    opened = open_packet_socket(options.interface, EVERYTHING)
    pilot = PilotEvents(options.journal) if options.journal else None
    end = None if options.seconds is None else time.monotonic() + options.seconds
    frames = words = 0
    try:
        with _created(options.file) as file:
            for octets in _head(options.interface):
                file.write(octets)
            sys.stderr.write(f"recording {options.interface}, Ctrl-C ends it\n")
            while end is None or time.monotonic() < end:
                if select.select([opened], (), (), LOOK_S)[0]:
                    frame = opened.recv(_MOST_BYTES)
                    if int.from_bytes(frame[12:14]) in RECORDED:
                        file.write(pcapng.packet(PLC, time.time(), frame))
                        frames += 1
                        if tell is not None:
                            tell(frame)
                for at_s, text in pilot.news() if pilot else ():
                    file.write(pcapng.packet(PILOT, at_s, text.encode(), text))
                    words += 1
    except KeyboardInterrupt:
        pass  # the usual end
    finally:
        opened.close()
    sys.stderr.write(f"{options.file}: {frames} frames, {words} pilot events\n")
    return 0


def _teller() -> Callable[[bytes], None]:
    dissect = layers.dissector("--live")

    def tell(frame: bytes) -> None:
        sys.stdout.write(f"{layers.summary(dissect, frame)}\n")
        sys.stdout.flush()

    return tell


def _created(path: Path) -> BinaryIO:
    try:
        return path.open("wb", buffering=0)
    except OSError as error:
        raise PilotHatError(
            f"cannot write ({error.strerror})",
            where=str(path),
            remedy="Give a file in a folder that exists and may be written",
        ) from error


def _head(interface: str) -> Iterator[bytes]:
    yield pcapng.section("pilothat capture")
    yield pcapng.interface(pcapng.ETHERNET, interface)
    yield pcapng.interface(pcapng.USER0, "control pilot")


class PilotEvents:
    """Follow the newest journal in a folder; tell the changes of the pilot.

    What was there before is no news.
    """

    def __init__(
        self,
        folder: Path,
        wall_ahead_s: Callable[[], float] = lambda: time.time() - time.monotonic(),
    ) -> None:
        self._folder = folder
        self._wall_ahead_s = wall_ahead_s  # of the journal's clock
        self._path: Path | None = None
        self._file: TextIO | None = None
        self._rest = ""
        self._follow(from_end=True)

    def news(self) -> Iterator[tuple[float, str]]:
        """Yield time since 1970 and words of each change."""
        self._follow(from_end=False)
        if self._file is None:
            return
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for line in lines:
            if '"PilotFact"' in line:
                yield from self._told(json.loads(line))

    def _follow(self, *, from_end: bool) -> None:
        newest = next(reversed(in_order(self._folder)), None)
        if newest is None or newest == self._path:
            return
        if self._file is not None:
            self._file.close()
        self._path, self._rest = newest, ""
        self._file = newest.open(encoding="utf-8")
        if from_end:
            self._file.seek(0, 2)

    def _told(self, entry: dict[str, object]) -> Iterator[tuple[float, str]]:
        event, at = entry["event"], entry["at"]
        if isinstance(event, dict) and isinstance(at, int | float):
            text = f"CP {event['state']} {event['high_v']:.1f} V"
            duty = f"{event['duty_pct']:g} % PWM"
            yield at + self._wall_ahead_s(), f"{text}, {duty}"
