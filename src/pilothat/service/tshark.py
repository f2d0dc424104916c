"""Read TLS with the help of tshark: it decrypts, we read on.

With a key log tshark exports the decrypted octets of every connection, each with its
time and its ends, as one more capture on its standard output.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path
from typing import cast

from pilothat.service.console import complain
from pilothat.traffic.capture import CaptureReader, Packet
from pilothat.v2g import sdp

PROGRAM = "tshark"
INSTALL = "sudo apt install tshark"
_TAP = "OSI layer 7"
_PORTS = (  # of the station; without a word about them nothing is exported
    f"{sdp.PORT}",
    f"{sdp.TCP_PORTS.start}-{sdp.TCP_PORTS.stop - 1}",
)


def is_there() -> bool:
    """Tell whether tshark is installed."""
    return shutil.which(PROGRAM) is not None


def decrypted(path: Path, keylog: Path) -> Iterator[Packet]:
    """Return the decrypted octets of a capture file, as far as tshark comes."""
    command = [PROGRAM, "-n", "-r", str(path), "-U", _TAP, "-w", "-"]
    command += ["-o", f"tls.keylog_file:{keylog}"]
    for ports in _PORTS:
        command += ["-d", f"tls.port=={ports},data"]
    with subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        output = cast("BufferedReader", process.stdout)
        try:
            yield from CaptureReader(output)
        finally:
            if process.poll() is None:
                process.terminate()
            complaint = cast("BufferedReader", process.stderr).read().decode()
    if process.returncode > 0:
        lines = complaint.strip().splitlines() or ["no reason given"]
        complain(PROGRAM, lines[-1].removeprefix(f"{PROGRAM}: "))
