"""Layer 2: HomePlug frames on one interface, and nothing else.

A packet socket bound to EtherType 88E1: the kernel hands us no other frame. Needs
CAP_NET_RAW, not root. An interface that goes down and comes back is waited for.
"""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Iterator

from pilothat.errors import PilotHatError
from pilothat.homeplug.frame import ETHERTYPE, MIN_FRAME_BYTES

log = logging.getLogger(__name__)

_MAX_BYTES = 2048
_BURST = 16  # frames taken in one turn of the loop, so that a flood starves nobody
_OUTGOING = 4  # PACKET_OUTGOING: what this host sent itself
_DOWN = (errno.ENETDOWN, errno.ENXIO, errno.ENODEV)


def open_packet_socket(interface: str, protocol: int) -> socket.socket:
    """Return a packet socket that never blocks. Raises PilotHatError."""
    try:
        opened = socket.socket(
            socket.AF_PACKET, socket.SOCK_RAW, socket.htons(protocol)
        )
    except PermissionError as error:
        raise PilotHatError(
            "raw frames are not allowed",
            where=interface,
            remedy="Run as root, or with CAP_NET_RAW as README.md shows",
        ) from error
    opened.settimeout(0)
    try:
        opened.bind((interface, protocol))
    except OSError as error:
        opened.close()
        raise PilotHatError(
            f"no such interface ({error.strerror})",
            where=interface,
            remedy="See `ip link` for the names there are",
        ) from error
    return opened


class PlcPort:
    """Send and take frames on one interface."""

    def __init__(self, interface: str) -> None:
        self.interface = interface
        self._socket = open_packet_socket(interface, ETHERTYPE)

    def fileno(self) -> int:
        """Return the descriptor, readable when there is a frame."""
        return self._socket.fileno()

    def send(self, frame: bytes) -> None:
        """Send a frame; one that cannot leave is lost, as on a wire."""
        try:
            self._socket.send(frame.ljust(MIN_FRAME_BYTES, b"\0"))
        except BlockingIOError:
            log.warning("frame lost interface=%s queue full", self.interface)
        except OSError as error:
            if error.errno not in _DOWN:
                raise
            log.warning("frame lost interface=%s is down", self.interface)

    def take(self) -> Iterator[bytes]:
        """Yield the frames that have come."""
        for _ in range(_BURST):
            try:
                frame, address = self._socket.recvfrom(_MAX_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno not in _DOWN:
                    raise
                return
            if address[2] != _OUTGOING:
                yield frame

    def close(self) -> None:
        """Let go."""
        self._socket.close()
