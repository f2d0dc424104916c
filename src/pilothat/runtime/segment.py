"""A powerline segment between two Ethernet interfaces, for proofs without modems.

    python -m pilothat.runtime.segment --evse VETH_A --ev VETH_B [--kind qca7000]

Every frame that comes from one interface goes through ``twin.medium``: its modems
answer, measure and restart, and let IP pass only when both hold the same key. Commands
on standard input, one a line: ``cut``, ``mend``, and with ``evse`` or ``ev`` behind
``silence``, ``wake``, ``damage`` (what is read of the parameters), ``refuse`` (the next
operation on the parameters), ``hang`` and ``recover`` (answers to a writing beyond
its first block), ``slow`` (answers 50 ms later).
Needs CAP_NET_RAW. A test tool: it is no part of a station.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import socket
import sys

from pilothat.plc.pib import Role
from pilothat.runtime.plcport import open_packet_socket
from pilothat.twin.medium import Medium, MediumSettings
from pilothat.twin.modem import KINDS

log = logging.getLogger("pilothat.segment")

ALL_PROTOCOLS = 0x0003  # ETH_P_ALL
_MAX_BYTES = 2048
_BURST = 64
_OUTGOING = 4
_IPV6 = 0x86DD
_NEXT_HEADER_AT = 20
_IP_END = 54  # Ethernet and IPv6 header, without extensions
_CHECKSUM_AT = {6: 16, 17: 6}  # in TCP, in UDP
EVSE, EV = "evse", "ev"
_SLOW_S = 0.05
_STORE_FAULTS = {  # attribute of a modem's store, and its value
    "damage": ("flips_reads", True),
    "refuse": ("refusals", 1),
    "hang": ("hangs", True),
    "recover": ("hangs", False),
}
_MODEM_MACS = {EVSE: bytes.fromhex("00b052e50001"), EV: bytes.fromhex("00b052ca0001")}


def summed(frame: bytes) -> bytes:
    """Return an IPv6 frame with its TCP or UDP checksum made good.

    A virtual interface leaves the sum to hardware that is not there; a frame taken from
    it and sent on as it is would be dropped by the receiver.
    """
    if int.from_bytes(frame[12:14]) != _IPV6 or len(frame) < _IP_END:
        return frame
    offset = _CHECKSUM_AT.get(frame[_NEXT_HEADER_AT])
    payload = frame[_IP_END : _IP_END + int.from_bytes(frame[18:20])]
    if offset is None or len(payload) < offset + 2:
        return frame
    blank = payload[:offset] + b"\0\0" + payload[offset + 2 :]
    pseudo = frame[22:54] + len(blank).to_bytes(4) + bytes((0, 0, 0, frame[20]))
    total = sum(memoryview(_even(pseudo + blank)).cast("H"))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    checksum = (~total & 0xFFFF or 0xFFFF).to_bytes(2, sys.byteorder)
    start = _IP_END + offset
    return frame[:start] + checksum + frame[start + 2 :]


def _even(octets: bytes) -> bytes:
    return octets + b"\0" * (len(octets) % 2)


class Segment:
    """Carry frames between interfaces through a medium."""

    def __init__(
        self, interfaces: dict[str, str], kind: str, roles: dict[str, Role]
    ) -> None:
        self._medium = Medium(MediumSettings(), os.urandom)
        self._sockets: dict[str, socket.socket] = {}
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._kind = kind
        self._roles = roles
        self._hosts: set[str] = set()
        for name, interface in interfaces.items():
            opened = open_packet_socket(interface, ALL_PROTOCOLS)
            self._sockets[name] = opened
            self._loop.add_reader(opened, self._take, name)

    def command(self, line: str) -> None:
        """Break the line, or mend it."""
        match line.split():
            case ["cut"]:
                self._medium.cut(EV)
            case ["mend"]:
                self._medium.mend(EV)
            case ["silence", name] if name in self._hosts:
                self._medium.silence(name, is_silent=True)
            case ["wake", name] if name in self._hosts:
                self._medium.silence(name, is_silent=False)
            case [word, name] if name in self._hosts and word in _STORE_FAULTS:
                field, value = _STORE_FAULTS[word]
                setattr(self._medium.modem(name).store, field, value)
            case ["slow", name] if name in self._hosts:
                self._medium.modem(name).lag_s = _SLOW_S
            case _:
                log.warning("unknown command line=%s", line.strip()[:40])

    def _take(self, name: str) -> None:
        source = self._sockets[name]
        for _ in range(_BURST):
            try:
                frame, address = source.recvfrom(_MAX_BYTES)
            except OSError:
                break
            if address[2] != _OUTGOING:
                self._meet(name, frame[6:12])
                self._medium.host_sends(name, summed(frame), self._loop.time())
        self._deliver()

    def _meet(self, name: str, host_mac: bytes) -> None:
        """Put the modem on the line once its host has shown itself."""
        if name not in self._hosts:
            self._hosts.add(name)
            mac, role = _MODEM_MACS[name], self._roles[name]
            self._medium.attach(name, host_mac, mac, self._kind, role)

    def _deliver(self) -> None:
        for delivery in self._medium.tick(self._loop.time()):
            try:
                self._sockets[delivery.name].send(delivery.frame)
            except OSError as error:
                log.warning("frame lost to=%s error=%s", delivery.name, error)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        deadline = self._medium.deadline
        if deadline is not None:
            self._timer = self._loop.call_at(deadline, self._deliver)


async def _run(options: argparse.Namespace) -> None:
    interfaces = {EVSE: options.evse, EV: options.ev}
    roles = {EVSE: Role[options.role], EV: Role.PEV}
    segment = Segment(interfaces, options.kind, roles)
    over = asyncio.Event()

    def take() -> None:
        line = sys.stdin.readline()
        if line:
            segment.command(line)
        else:
            asyncio.get_running_loop().remove_reader(sys.stdin)
            over.set()

    asyncio.get_running_loop().add_reader(sys.stdin, take)
    log.info("carrying evse=%s ev=%s", options.evse, options.ev)
    await over.wait()


def main() -> int:
    """Run a segment until standard input ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--evse", required=True, metavar="IF")
    parser.add_argument("--ev", required=True, metavar="IF")
    parser.add_argument("--kind", default="qca7000", choices=sorted(KINDS))
    parser.add_argument("--role", default="EVSE", choices=[r.name for r in Role])
    logging.basicConfig(level=logging.INFO)
    asyncio.run(_run(parser.parse_args()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
