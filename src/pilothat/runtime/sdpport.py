"""UDP port 15118 on one interface: what SDP comes and goes by."""

from __future__ import annotations

import errno
import ipaddress
import logging
import socket
import struct
from collections.abc import Iterator

from pilothat.errors import PilotHatError
from pilothat.v2g.sdp import MULTICAST_GROUP, PORT

log = logging.getLogger(__name__)

_MAX_BYTES = 64  # a request has 10; a longer one is none
_BURST = 16


class SdpPort:
    """Datagrams of link-local peers on one interface."""

    def __init__(self, interface: str, index: int, port: int = PORT) -> None:
        self._interface = interface
        self._index = index
        self._socket = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self._socket.settimeout(0)
        option = self._socket.setsockopt
        name = interface.encode() + b"\0"
        option(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)
        option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        option(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        try:
            self._socket.bind(("::", port, 0, index))
        except OSError as error:
            self._socket.close()
            raise PilotHatError(
                f"UDP port {port} cannot be had ({error.strerror})",
                where=interface,
                remedy="Another charging program may run on this interface",
            ) from error
        group = socket.inet_pton(socket.AF_INET6, MULTICAST_GROUP)
        try:
            option(
                socket.IPPROTO_IPV6,
                socket.IPV6_JOIN_GROUP,
                group + struct.pack("@I", index),
            )
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise

    def fileno(self) -> int:
        """Return the descriptor, readable when there is a datagram."""
        return self._socket.fileno()

    def send(self, payload: bytes, host: str, port: int) -> None:
        """Send a datagram; one that cannot leave is lost."""
        try:
            self._socket.sendto(payload, (host, port, 0, self._index))
        except OSError as error:
            log.warning("datagram lost interface=%s error=%s", self._interface, error)

    def take(self) -> Iterator[tuple[bytes, str, int]]:
        """Yield payload, host and port of what has come from link-local peers."""
        for _ in range(_BURST):
            try:
                payload, (host, port, _, scope) = self._socket.recvfrom(_MAX_BYTES)
            except BlockingIOError:
                return
            except OSError as error:
                log.warning("no datagram interface=%s error=%s", self._interface, error)
                return
            address = host.partition("%")[0]
            if scope == self._index and ipaddress.IPv6Address(address).is_link_local:
                yield payload, address, port

    def close(self) -> None:
        """Let go."""
        self._socket.close()
