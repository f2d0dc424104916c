"""Connections that mean no good, from a car's interface: run by the network proof.

    python -m tests.net.stranger INTERFACE ADDRESS PORT OCTETS...

Octets in hex, of one connection each; ``none`` says nothing, ``reset`` hangs up at
once. A connection is kept until the station ends it. Printed, a line each: the seconds
this took, and the octets that came.
"""

from __future__ import annotations

import socket
import struct
import sys
import time

from pilothat.runtime import netwatch

LIMIT_S = 30.0
AT_ONCE = struct.pack("ii", 1, 0)  # SO_LINGER: a reset instead of a goodbye


def disturbed(where: tuple[str, int, int, int], told: str) -> tuple[float, bytes]:
    """Connect, say it, and return how long that lasted and what came."""
    began, heard = time.monotonic(), b""
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as link:
        link.settimeout(LIMIT_S)
        link.connect(where)
        if told == "reset":
            link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            return 0.0, heard
        try:
            if told != "none":
                link.sendall(bytes.fromhex(told))
            while came := link.recv(4096):
                heard += came
        except ConnectionError:
            pass  # a reset is an end as well
    return time.monotonic() - began, heard


def main() -> None:
    interface, address, port, *every = sys.argv[1:]
    where = address, int(port), 0, netwatch.find(interface).index
    for told in every:
        took_s, heard = disturbed(where, told)
        sys.stdout.write(f"{took_s:.3f} {heard.hex()}\n")


if __name__ == "__main__":
    main()
